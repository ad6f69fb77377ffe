/** Messages from users of one server to users of another, one way, so that the sending side and the receiving one are told apart. */
import { Client, letters, pool, type Target } from './client.js'
import type { Job, Outcome } from './job.js'
import { stamped, Traffic } from './traffic.js'

const pairs = 20
/** Messages under way from each sender. */
const window = 5
const bodyBytes = 200
const warmSeconds = 5

export async function across(job: Job, target: Target): Promise<Outcome> {
  const { far } = job
  if (!far) throw new Error('there is no other server')
  const here = Array.from({ length: pairs }, (_, index) => new Client(target, `user${index}`))
  const there = here.map((_, index) => new Client({ ...target, ...far }, `user${index}`))
  const all = [...here, ...there]
  await pool(all.length, 16, async (index) => all[index]?.login())
  const traffic = new Traffic()
  for (const client of all) client.onEnd = traffic.failed
  const say = (index: number): void => {
    const id = (traffic.sent++).toString(36)
    here[index]?.write(
      `<message type='chat' to='user${index}@${far.domain}' id='${id}'><body>${stamped(bodyBytes)}</body></message>`,
    )
  }
  there.forEach((client, index) => {
    client.onElement = (text, start, end, letter) => {
      const at = letter === letters.message ? traffic.momentIn(text, start, end) : -1
      if (at < 0) return
      traffic.arrived(text, at)
      if (traffic.going) say(index)
    }
  })
  for (let i = 0; i < window; i++) here.forEach((_, index) => say(index))
  return traffic.outcome(job, warmSeconds, () => pool(all.length, 16, async (index) => all[index]?.logout()))
}
