/** Pages of fifty messages from archives (XEP-0313), as clients that catch up and scroll back ask for them. */
import { Client, letters, pool, type Target } from './client.js'
import { Stopwatch, type Figures, type Job, type Outcome } from './job.js'

const readers = 20
const kept = 400
const size = 50
const atOnce = 4
const body = 'The quick brown fox jumps over the lazy dog, and somebody reads of it later on. '
  .repeat(3)
  .slice(0, 200)

export async function pages(job: Job, target: Target): Promise<Outcome> {
  const figures: Figures = {}
  const clients = Array.from({ length: readers }, (_, index) => new Client(target, `user${index}`))
  await pool(readers, readers, async (index) => clients[index]?.login())
  await Promise.all(clients.map((client) => fill(client, target.domain)))
  const count = job.quick ? 500 : 2000
  await readAll(clients, count)
  let lost = 0
  for (let run = 0; run < job.runs; run++) {
    const watch = await Stopwatch.start(job)
    lost += await readAll(clients, count)
    await watch.stop(figures, count)
  }
  await pool(readers, readers, async (index) => clients[index]?.logout())
  return { figures, lost }
}

/** Notes to itself: nobody else has to be there. */
async function fill(client: Client, domain: string): Promise<void> {
  for (let i = 0; i < kept; i++)
    client.write(
      `<message type='chat' to='${client.bare}/elsewhere' id='n${i}'><body>${body}</body></message>`,
    )
  await client.ask(`<iq type='get' to='${domain}' id='full'><ping xmlns='urn:xmpp:ping'/></iq>`, 'full')
}

/** Backwards, page by page, and from the end again. Answers how many messages did not come. */
async function readAll(clients: readonly Client[], count: number): Promise<number> {
  let next = 0
  let missing = 0
  await pool(atOnce, atOnce, async (index) => {
    const client = clients[index]!
    let got = 0
    client.onElement = (_text, _start, _end, letter) => {
      if (letter === letters.message) got++
    }
    let before = ''
    for (; next < count; next++) {
      const id = `p${next}`
      got = 0
      const fin = await client.ask(
        `<iq type='set' id='${id}'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>${size}</max><before>${before}</before></set></query></iq>`,
        id,
      )
      if (!fin.includes('complete=')) missing += size - got
      before = /complete=/.test(fin) ? '' : (/<first[^>]*>([^<]+)/.exec(fin)?.[1] ?? '')
    }
    client.onElement = () => undefined
  })
  return missing
}
