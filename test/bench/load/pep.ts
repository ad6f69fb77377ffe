/** Ten who publish, with the same hundred contacts, whose clients ask for it; when all have it, the next one is published. */
import { Client, letters, pool, type Target } from './client.js'
import { add, Latencies, sleep, Stopwatch, type Figures, type Job, type Outcome } from './job.js'
import { capsVersion, discoInfoElement, type DiscoInfo } from '../../../src/stanza/caps.js'

const publishers = 10
const contacts = 100
const node = 'urn:xmpp:bench'
const info: DiscoInfo = {
  identities: [{ category: 'client', type: 'pc', name: 'Bench' }],
  features: ['http://jabber.org/protocol/disco#info', `${node}+notify`],
  forms: [],
}
const available = `<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:bench' ver='${capsVersion(info)}'/></presence>`

export async function pep(job: Job, target: Target): Promise<Outcome> {
  const clients = Array.from(
    { length: publishers + contacts },
    (_, index) => new Client(target, `fan${index}`),
  )
  await pool(clients.length, 16, async (index) => clients[index]!.login())
  const stars = clients.slice(0, publishers)
  const fans = clients.slice(publishers)
  await befriend(stars, fans)
  const latencies = new Latencies()
  const tally = { sent: 0, got: 0 }
  const waiting = stars.map(() => 0)
  const fail: { error?: Error } = {}
  let going = true
  const publish = (star: number): void => {
    waiting[star] = contacts
    tally.sent += contacts
    const payload = `<note xmlns='${node}'>@@${performance.now().toFixed(2)} @f${star};</note>`
    stars[star]!.write(
      `<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='${node}'><item id='current'>${payload}</item></publish></pubsub></iq>`,
    )
  }
  for (const client of clients) {
    client.onEnd = (error) => void (fail.error ??= error)
    client.onElement = () => undefined
  }
  for (const fan of fans)
    fan.onElement = (text, start, end, letter) => {
      const at = letter === letters.message ? text.indexOf('@@', start) : -1
      if (at < 0 || at >= end) return
      const star = Number.parseInt(text.slice(text.indexOf('@f', at) + 2, end), 10)
      tally.got++
      latencies.add(performance.now() - Number.parseFloat(text.slice(at + 2, at + 16)))
      if (--waiting[star]! === 0 && going) publish(star)
    }
  for (const star of stars.keys()) publish(star)
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
  await pool(clients.length, 32, async (index) => clients[index]!.logout())
  return { figures, lost: tally.sent - tally.got }
}

/** The fans are subscribed to the stars' presence, and have told what their clients ask for. */
async function befriend(stars: readonly Client[], fans: readonly Client[]): Promise<void> {
  let granted = 0
  for (const client of [...stars, ...fans])
    client.onElement = (text, start, end, letter) => {
      const element = text.slice(start, end)
      const from = / from=['"]([^'"]*)/.exec(element)?.[1] ?? ''
      const type = / type=['"](\w+)['"]/.exec(element)?.[1]
      if (letter === letters.iq && type === 'get') return answer(client, element, from)
      if (letter !== letters.presence) return
      if (type === 'subscribe') client.write(`<presence to='${from}' type='subscribed'/>`)
      else if (type === 'subscribed') granted++
    }
  const deadline = performance.now() + 120_000
  for (const [asked, fan] of fans.entries()) {
    for (const star of stars) fan.write(`<presence to='${star.bare}' type='subscribe'/>`)
    while (granted < asked * stars.length) {
      if (performance.now() > deadline) throw new Error(`only ${granted} subscriptions were granted`)
      await sleep(2)
    }
  }
  while (granted < fans.length * stars.length) {
    if (performance.now() > deadline) throw new Error(`only ${granted} subscriptions were granted`)
    await sleep(20)
  }
  for (const fan of fans) fan.write(available)
  await sleep(2000)
}

/** XEP-0030: what everybody's client is and asks for. */
function answer(client: Client, request: string, from: string): void {
  const id = / id=['"]([^'"]*)/.exec(request)?.[1] ?? ''
  const asked = /<query[^>]* node=['"]([^'"]*)/.exec(request)?.[1]
  client.write(`<iq type='result' id='${id}' to='${from}'>${discoInfoElement(info, asked).toString()}</iq>`)
}
