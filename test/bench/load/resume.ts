/** Clients whose connection breaks with 100 messages on it that they have not acknowledged, and who come back for them (XEP-0198 §5). */
import { Client, letters, pool, type Target } from './client.js'
import { sleep, Stopwatch, type Figures, type Job, type Outcome } from './job.js'
import { stamped } from './traffic.js'

const clients = 40
const unacknowledged = 100
const atOnce = 8
const bodyBytes = 200

export async function resume(job: Job, target: Target): Promise<Outcome> {
  const count = job.quick ? 200 : 1000
  const absent = await Promise.all(
    Array.from({ length: clients }, async (_, index) => {
      const client = new Client(target, `user${index}`)
      await client.login()
      return { index, id: await client.manage(), client }
    }),
  )
  const writer = new Client(target, `user${clients}`)
  await writer.login()
  await Promise.all(
    absent.map(async ({ index, client }) => {
      const all = arrival(client, unacknowledged)
      for (let i = 0; i < unacknowledged; i++)
        writer.write(
          `<message type='chat' to='user${index}@${target.domain}' id='${i}'><body>${stamped(bodyBytes)}</body></message>`,
        )
      await all
    }),
  )
  /** Nobody ever acknowledges anything, so that each time all of it comes again. */
  const comeBack = async (turn: number): Promise<void> => {
    const one = absent[turn % clients]!
    one.client.cut()
    one.client = new Client(target, `user${one.index}`)
    const all = arrival(one.client, unacknowledged)
    await one.client.resume(one.id)
    await all
  }
  // One client comes back at a time, each of them at most once in a while.
  await pool(count, atOnce, comeBack)
  const figures: Figures = {}
  for (let run = 0; run < job.runs; run++) {
    await sleep(500)
    const watch = await Stopwatch.start(job)
    await pool(count, atOnce, comeBack)
    await watch.stop(figures, count)
  }
  await pool(clients, atOnce, async (index) => absent[index]?.client.logout())
  await writer.logout()
  return { figures, lost: 0 }
}

/** Resolves when so many messages have come. */
function arrival(client: Client, count: number): Promise<void> {
  let left = count
  return new Promise((resolve, reject) => {
    client.onEnd = reject
    client.onElement = (_text, _start, _end, letter) => {
      if (letter !== letters.message || --left > 0) return
      client.onEnd = () => undefined
      resolve()
    }
  })
}
