/** Messages from users of one server to users of another, one way, so that the sending side and the receiving one are told apart. */
import { Client, letters, pool, type Target } from './client.js'
import { add, Latencies, sleep, Stopwatch, type Figures, type Job, type Outcome } from './job.js'

const pairs = 20
/** Messages under way from each sender. */
const window = 5
const bodyBytes = 200
const warmSeconds = 5
const drainDeadline = 20_000
const padding = 'The quick brown fox jumps over the lazy dog, far away in another town. '.repeat(4)

export async function across(job: Job, target: Target): Promise<Outcome> {
  const { far } = job
  if (!far) throw new Error('there is no other server')
  const here = Array.from({ length: pairs }, (_, index) => new Client(target, `user${index}`))
  const there = here.map((_, index) => new Client({ ...target, ...far }, `user${index}`))
  const all = [...here, ...there]
  await pool(all.length, 16, async (index) => all[index]?.login())
  const fail: { error?: Error } = {}
  for (const client of all) client.onEnd = (error) => void (fail.error ??= error)
  const tally = { sent: 0, got: 0 }
  const latencies = new Latencies()
  let going = true
  const say = (index: number): void => {
    const id = (tally.sent++).toString(36)
    here[index]?.write(
      `<message type='chat' to='user${index}@${far.domain}' id='${id}'><body>${body()}</body></message>`,
    )
  }
  there.forEach((client, index) => {
    client.onElement = (text, start, end, letter) => {
      const at = letter === letters.message ? text.indexOf('@@', start) : -1
      if (at < 0 || at >= end) return
      tally.got++
      latencies.add(performance.now() - Number.parseFloat(text.slice(at + 2, at + 16)))
      if (going) say(index)
    }
  })
  for (let i = 0; i < window; i++) here.forEach((_, index) => say(index))

  const figures: Figures = {}
  await sleep(warmSeconds * 1000)
  for (let run = 0; run < job.runs && !fail.error; run++) {
    const watch = await Stopwatch.start(job)
    const before = tally.got
    latencies.reset()
    await sleep(job.seconds * 1000)
    await watch.stop(figures, tally.got - before)
    add(figures, 'p99', latencies.quantile(0.99))
  }
  going = false
  const deadline = performance.now() + drainDeadline
  while (tally.got < tally.sent && !fail.error && performance.now() < deadline) await sleep(20)
  if (fail.error) throw fail.error
  await pool(all.length, 16, async (index) => all[index]?.logout())
  return { figures, lost: tally.sent - tally.got }
}

/** Opens with the moment of sending. */
function body(): string {
  const mark = `@@${performance.now().toFixed(2)} `
  return mark + padding.slice(0, bodyBytes - mark.length)
}
