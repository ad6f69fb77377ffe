/** Pairs who write to each other: closed loop (a window each way) or open loop (a fixed rate over all). */
import type { TLSSocket } from 'node:tls'
import { Client, letters, openTls, pool, type Target } from './client.js'
import type { Job, Outcome } from './job.js'
import { stamped, Traffic } from './traffic.js'

export interface Chat {
  readonly pairs: number
  /** Messages under way in each direction of a pair; 0 for an open loop. */
  readonly window: number
  /** Messages a second over all pairs, in an open loop. */
  readonly rate: number
  /** Both sides acknowledge stanzas (XEP-0198). */
  readonly acknowledged?: boolean
}

/** One end of a pair, whatever the framing. */
export interface End {
  say(): void
  onMessage: (text: string, start: number, end: number) => void
  leave(): Promise<unknown>
}

const bodyBytes = 200
/** With that body the stanza that a server hands on has so many. */
export const lineBytes = 330
/** Messages of one side until it asks how far the server is (XEP-0198 §8.2). */
const askEvery = 5
const management = `xmlns='urn:xmpp:sm:3'`
const stanzas: ReadonlySet<number> = new Set(Object.values(letters))
/** An open loop needs some seconds until the code of the server is as fast as it gets. */
const warmSeconds = { closed: 3, open: 10 }

export async function chat(
  job: Job,
  target: Target,
  { pairs, window, rate, acknowledged = false }: Chat,
): Promise<Outcome> {
  const traffic = new Traffic()
  const ends: End[] = []
  await pool(2 * pairs, 32, async (index) => {
    const peer = index < pairs ? index + pairs : index - pairs
    ends[index] =
      job.framing === 'lines'
        ? await lineEnd(job, index, () => `${peer} ${stamped(lineBytes)}`, traffic.failed)
        : await clientEnd(target, index, peer, { onEnd: traffic.failed, acknowledged })
  })
  const say = (end: End | undefined): void => {
    traffic.sent++
    end?.say()
  }
  ends.forEach((end, index) => {
    const peer = ends[index < pairs ? index + pairs : index - pairs]
    end.onMessage = (text, start, stop) => {
      const at = traffic.momentIn(text, start, stop)
      if (at < 0) return
      traffic.arrived(text, at)
      if (window > 0 && traffic.going) say(peer)
    }
  })
  const ticker = rate > 0 ? openLoop(ends, rate, say) : undefined
  for (let i = 0; i < window; i++) ends.forEach(say)

  const warm = job.quick || rate === 0 ? warmSeconds.closed : warmSeconds.open
  const figures = await traffic.measure(job, warm, 'p50')
  clearInterval(ticker)
  const lost = await traffic.drained()
  await pool(ends.length, 64, async (index) => ends[index]?.leave())
  return { figures, lost }
}

/** Sends what is due every 2 ms, to ends far apart; after a stall at most a tenth of a second's messages at once. */
function openLoop(ends: readonly End[], rate: number, say: (end: End | undefined) => void): NodeJS.Timeout {
  const start = performance.now()
  let due = 0
  let turn = 0
  return setInterval(() => {
    const wanted = Math.floor(((performance.now() - start) / 1000) * rate)
    for (let burst = Math.min(wanted - due, rate / 10); burst > 0; burst--) {
      say(ends[turn % ends.length])
      turn += 7
    }
    due = wanted
  }, 2)
}

async function clientEnd(
  target: Target,
  index: number,
  peer: number,
  { onEnd, acknowledged }: { readonly onEnd: (error: Error) => void; readonly acknowledged: boolean },
): Promise<End> {
  const client = new Client(target, `user${index}`)
  await client.login()
  if (acknowledged) await client.manage()
  client.onEnd = onEnd
  const head = `<message type='chat' to='user${peer}@${target.domain}' id='`
  let count = 0
  let handled = 0
  const end: End = {
    say: () => {
      const message = `${head}${(count++).toString(36)}'><body>${stamped(bodyBytes)}</body></message>`
      client.write(acknowledged && count % askEvery === 0 ? `${message}<r ${management}/>` : message)
    },
    onMessage: () => undefined,
    leave: () => {
      // What is left unacknowledged goes to the offline store, and the next load would hear it (XEP-0198 §4).
      if (acknowledged) client.write(`<a ${management} h='${handled}'/>`)
      return client.logout()
    },
  }
  client.onElement = (text, start, stop, letter) => {
    if (stanzas.has(letter)) handled++
    if (letter === letters.message) end.onMessage(text, start, stop)
    else if (acknowledged && text.startsWith('<r', start)) client.write(`<a ${management} h='${handled}'/>`)
  }
  return end
}

/** A connection to the relay; what it says is a line: to whom, and something as long as the stanza a server hands on. */
export async function lineEnd(
  job: Job,
  index: number,
  line: () => string,
  onEnd: (error: Error) => void,
): Promise<End> {
  const socket: TLSSocket = await openTls(job.port, job.domain)
  let leaving = false
  const ended = (): void => {
    if (!leaving) onEnd(new Error('the relay closed a connection'))
  }
  socket.on('close', ended).on('error', ended)
  socket.write(`${index}\n`)
  let rest = ''
  const end: End = {
    say: () => socket.write(`${line()}\n`, 'latin1'),
    onMessage: () => undefined,
    leave: async () => {
      leaving = true
      socket.destroy()
    },
  }
  socket.on('data', (bytes: Buffer) => {
    const text = rest + bytes.toString('latin1')
    let at = 0
    for (let close = text.indexOf('\n'); close >= 0; close = text.indexOf('\n', at)) {
      end.onMessage(text, at, close)
      at = close + 1
    }
    rest = text.slice(at)
  })
  return end
}
