/** One who publishes at ten nodes, and a hundred contacts whose clients ask for them; what all have makes room for the next. */
import { Client, letters, pool, type Target } from './client.js'
import { add, Latencies, sleep, Stopwatch, type Figures, type Job, type Outcome } from './job.js'
import { capsVersion, discoInfoElement, type DiscoInfo } from '../../../src/stanza/caps.js'

const contacts = 100
/** Nodes, and items under way at the same time. */
const window = 10
const node = 'urn:xmpp:bench'
const nodes = Array.from({ length: window }, (_, index) => `${node}:${index}`)
const info: DiscoInfo = {
  identities: [{ category: 'client', type: 'pc', name: 'Bench' }],
  features: ['http://jabber.org/protocol/disco#info', ...nodes.map((name) => `${name}+notify`)],
  forms: [],
}
const available = `<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:bench' ver='${capsVersion(info)}'/></presence>`

export async function pep(job: Job, target: Target): Promise<Outcome> {
  const star = new Client(target, 'fan0')
  const fans = Array.from({ length: contacts }, (_, index) => new Client(target, `fan${index + 1}`))
  await star.login()
  await pool(contacts, 16, async (index) => fans[index]!.login())
  await befriend(star, fans)
  const latencies = new Latencies()
  const tally = { sent: 0, got: 0 }
  const fail: { error?: Error } = {}
  let going = true
  let number = 0
  const waiting = new Map<number, number>()
  const publish = (): void => {
    const item = ++number
    waiting.set(item, contacts)
    tally.sent += contacts
    const payload = `<note xmlns='${node}'>@@${performance.now().toFixed(2)} @n${item};</note>`
    star.write(
      `<iq type='set' id='p${item}'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='${nodes[item % window]}'><item id='current'>${payload}</item></publish></pubsub></iq>`,
    )
  }
  star.onEnd = (error) => void (fail.error ??= error)
  for (const fan of fans) {
    fan.onEnd = (error) => void (fail.error ??= error)
    fan.onElement = (text, start, end, letter) => {
      const at = letter === letters.message ? text.indexOf('@@', start) : -1
      if (at < 0 || at >= end) return
      const item = Number.parseInt(text.slice(text.indexOf('@n', at) + 2, end), 10)
      tally.got++
      latencies.add(performance.now() - Number.parseFloat(text.slice(at + 2, at + 16)))
      const left = (waiting.get(item) ?? 0) - 1
      waiting.set(item, left)
      if (left > 0) return
      waiting.delete(item)
      if (going) publish()
    }
  }
  for (let index = 0; index < window; index++) publish()
  await sleep(2000)
  const figures: Figures = {}
  for (let run = 0; run < job.runs && !fail.error; run++) {
    const watch = await Stopwatch.start(job)
    const before = tally.got
    latencies.reset()
    await sleep(job.seconds * 1000)
    await watch.stop(figures, tally.got - before)
    add(figures, 'p99', latencies.quantile(0.99))
  }
  going = false
  await sleep(1000)
  if (fail.error) throw fail.error
  await pool(contacts, 32, async (index) => fans[index]!.logout())
  await star.logout()
  return { figures, lost: tally.sent - tally.got }
}

/** Everybody is subscribed to the star's presence and it to theirs, and has told what its client asks for. */
async function befriend(star: Client, fans: readonly Client[]): Promise<void> {
  const mutual = new Set<string>()
  const member = (client: Client): void => {
    client.onElement = (text, start, end, letter) => {
      const element = text.slice(start, end)
      const from = / from=['"]([^'"]*)/.exec(element)?.[1] ?? ''
      const type = / type=['"](\w+)['"]/.exec(element)?.[1]
      if (letter === letters.iq && type === 'get') return answer(client, element, from)
      if (letter !== letters.presence) return
      const bare = from.split('/', 1)[0]!
      if (type === 'subscribe') {
        client.write(`<presence to='${bare}' type='subscribed'/>`)
        if (client === star) client.write(`<presence to='${bare}' type='subscribe'/>`)
      } else if (type === 'subscribed' && client === star) mutual.add(bare)
    }
  }
  for (const client of [star, ...fans]) member(client)
  for (const fan of fans) fan.write(`<presence to='${star.bare}' type='subscribe'/>`)
  const deadline = performance.now() + 60_000
  while (mutual.size < fans.length) {
    if (performance.now() > deadline) throw new Error(`only ${mutual.size} subscriptions were granted`)
    await sleep(20)
  }
  for (const fan of fans) fan.write(available)
  await sleep(2000)
}

/** XEP-0030: what the client of everybody is and asks for. */
function answer(client: Client, request: string, from: string): void {
  const id = / id=['"]([^'"]*)/.exec(request)?.[1] ?? ''
  const node = /<query[^>]* node=['"]([^'"]*)/.exec(request)?.[1]
  client.write(`<iq type='result' id='${id}' to='${from}'>${discoInfoElement(info, node).toString()}</iq>`)
}
