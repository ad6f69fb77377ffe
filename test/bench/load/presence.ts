/** Two cliques of 51 users who all see each other; whoever's presence reached all contacts, the next one changes. */
import { Client, letters, pool, type Target } from './client.js'
import { sleep, type Job, type Outcome } from './job.js'
import { Traffic } from './traffic.js'

const contacts = 50
const size = contacts + 1
const users = 2 * size
const changing = 10
const warmSeconds = 2
const setupDeadline = 240_000

export async function presence(job: Job, target: Target): Promise<Outcome> {
  await subscribe(await everyone(target))
  const clients = await everyone(target)
  await sleep(2000)
  const traffic = new Traffic()
  const waiting = Array.from({ length: users }, () => 0)
  let next = changing
  const change = (index: number): void => {
    waiting[index] = contacts
    traffic.sent += contacts
    const show = (next & 1) === 1 ? 'away' : 'dnd'
    const status = `@@${performance.now().toFixed(2)} @f${index};`
    clients[index]?.write(`<presence><show>${show}</show><status>${status}</status></presence>`)
  }
  clients.forEach((client, own) => {
    client.onEnd = traffic.failed
    client.onElement = (text, start, end, letter) => {
      const at = letter === letters.presence ? traffic.momentIn(text, start, end) : -1
      if (at < 0) return
      const from = Number.parseInt(text.slice(text.indexOf('@f', at) + 2, end), 10)
      if (from === own) return
      traffic.arrived(text, at)
      waiting[from] = (waiting[from] ?? 0) - 1
      if (waiting[from] === 0 && traffic.going) change(next++ % users)
    }
  })
  for (let index = 0; index < changing; index++) change(index)
  return traffic.outcome(job, warmSeconds, () => logoutAll(clients))
}

async function everyone(target: Target): Promise<Client[]> {
  const clients = Array.from({ length: users }, (_, index) => new Client(target, `mate${index}`))
  await pool(users, 16, async (index) => clients[index]?.login())
  return clients
}

async function logoutAll(clients: readonly Client[]): Promise<void> {
  await pool(clients.length, 32, async (index) => clients[index]?.logout())
}

/** Makes all subscriptions over the wire, then logs everyone out. */
async function subscribe(clients: readonly Client[]): Promise<void> {
  const byAddress = new Map(clients.map((client) => [client.bare, client]))
  const asked = new Set<string>()
  const granted = new Set<string>()
  const ask = (from: string, to: string): void => {
    if (asked.has(`${from} ${to}`)) return
    asked.add(`${from} ${to}`)
    byAddress.get(from)?.write(`<presence to='${to}' type='subscribe'/>`)
  }
  for (const client of clients)
    client.onElement = (text, start, end, letter) => {
      if (letter !== letters.presence) return
      const element = text.slice(start, end)
      const type = / type=['"](subscribed|subscribe)['"]/.exec(element)?.[1]
      const from = / from=['"]([^'"/]*)/.exec(element)?.[1] ?? ''
      if (!type || !byAddress.has(from)) return
      if (type === 'subscribed') granted.add(`${client.bare} ${from}`)
      else {
        client.write(`<presence to='${from}' type='subscribed'/>`)
        ask(client.bare, from)
      }
    }
  const deadline = performance.now() + setupDeadline
  const inTime = (): void => {
    if (performance.now() > deadline) throw new Error(`only ${granted.size} subscriptions were granted`)
  }
  for (const [index, client] of clients.entries())
    for (let mate = index + 1; mate % size !== 0; mate++) {
      while (asked.size - granted.size > 100) {
        inTime()
        await sleep(2)
      }
      ask(client.bare, clients[mate]?.bare ?? '')
    }
  while (granted.size < users * contacts) {
    inTime()
    await sleep(20)
  }
  await sleep(1000)
  await logoutAll(clients)
  await sleep(500)
}
