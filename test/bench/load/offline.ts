/** Messages to users who are away, and what they find when they come back. */
import { Client, letters, pool, type Target } from './client.js'
import { sleep, Stopwatch, type Figures, type Job, type Outcome } from './job.js'

const senders = 20
const absent = 100
const each = 50
const batch = 10
const body = 'The quick brown fox jumps over the lazy dog, and nobody was there to see it. '
  .repeat(3)
  .slice(0, 200)

export async function offline(job: Job, target: Target): Promise<Outcome> {
  const figures: Figures = {}
  const clients = Array.from({ length: senders }, (_, index) => new Client(target, `user${index}`))
  await pool(senders, senders, async (index) => clients[index]?.login())
  await store(clients, target.domain, 'warm')
  let lost = absent * each - (await fetchAll(target))
  for (let run = 0; run < job.runs; run++) {
    const watch = await Stopwatch.start(job)
    await store(clients, target.domain, run)
    await sleep(300)
    await watch.stop(figures, absent * each)
    lost += absent * each - (await fetchAll(target))
  }
  await pool(senders, senders, async (index) => clients[index]?.logout())
  return { figures, lost }
}

/** Each sender asks the server for an answer after every batch, so that none runs ahead of it. */
async function store(clients: readonly Client[], domain: string, run: number | 'warm'): Promise<void> {
  let next = 0
  const send = async (client: Client): Promise<void> => {
    while (next < absent * each) {
      for (let i = 0; i < batch && next < absent * each; i++, next++)
        client.write(
          `<message type='chat' to='away${next % absent}@${domain}' id='o${next}'><body>${body}</body></message>`,
        )
      const id = `p${run}-${next}`
      await client.ask(`<iq type='get' to='${domain}' id='${id}'><ping xmlns='urn:xmpp:ping'/></iq>`, id)
    }
  }
  await Promise.all(clients.map(send))
}

/** All absent users come, wait for their messages, and leave; answers how many messages came. */
async function fetchAll(target: Target): Promise<number> {
  let got = 0
  await pool(absent, 16, async (index) => {
    const client = new Client(target, `away${index}`)
    const mine = { got: 0 }
    client.onElement = (_text, _start, _end, letter) => {
      if (letter === letters.message) mine.got++
    }
    await client.login()
    for (let waited = 0; mine.got < each && waited < 10_000; waited += 5) await sleep(5)
    got += mine.got
    await client.logout()
  })
  return got
}
