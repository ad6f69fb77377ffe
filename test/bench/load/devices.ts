/** People with several devices who write to each other: whoever's message is on all devices of both, writes the next one. */
import { Client, letters, pool, type Target } from './client.js'
import type { Job, Outcome } from './job.js'
import { stamped, Traffic } from './traffic.js'

const pairs = 20
const devices = 3
const bodyBytes = 200
const warmSeconds = 5
/** The message itself and a copy for each other device of its sender and of its reader (XEP-0280). */
const deliveries = 2 * devices - 1

export async function carbons(job: Job, target: Target): Promise<Outcome> {
  const people = Array.from({ length: 2 * pairs }, (_, index) =>
    Array.from({ length: devices }, (__, device) => new Client(target, `user${index}`, `r${device}`)),
  )
  const all = people.flat()
  await pool(all.length, 16, async (index) => {
    await all[index]?.login()
    await all[index]?.ask(`<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>`, 'c')
  })
  const traffic = new Traffic()
  const missing = Array.from({ length: pairs }, () => 0)
  const say = (index: number): void => {
    traffic.sent += deliveries
    missing[index % pairs] = deliveries
    const to = `user${(index + pairs) % (2 * pairs)}@${target.domain}/r0`
    people[index]?.[0]?.write(
      `<message type='chat' to='${to}' id='m'><body>${stamped(bodyBytes)}</body></message>`,
    )
  }
  people.forEach((own, index) => {
    const pair = index % pairs
    for (const client of own) {
      client.onEnd = traffic.failed
      client.onElement = (text, start, end, letter) => {
        const at = letter === letters.message ? traffic.momentIn(text, start, end) : -1
        if (at < 0) return
        traffic.arrived(text, at)
        if (--missing[pair]! === 0 && traffic.going) say(index)
      }
    }
  })
  for (let pair = 0; pair < pairs; pair++) say(pair)
  return traffic.outcome(job, warmSeconds, () => pool(all.length, 16, async (index) => all[index]?.logout()))
}
