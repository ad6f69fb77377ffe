/** Clients without sockets, for benches: what the server writes to them is counted and thrown away. */
import type { Server } from '../../src/server.js'
import type { Transport } from '../../src/stream/transport.js'

/** A connection whose far end only counts. */
export class Sink implements Transport {
  readonly tls = undefined
  readonly trusted = true
  readonly remote = '127.0.0.1'
  readonly buffered = 0
  onData: (chunk: Buffer) => void = () => undefined
  onClose: (error?: Error) => void = () => undefined
  onEnd: () => void = () => undefined
  onDrain: () => void = () => undefined
  texts = 0
  #heard: string[] | undefined = []
  /** What is waited for, and the end of what was written before. */
  #waiting: { readonly marks: readonly string[]; tail: string; readonly over: () => void } | undefined

  write(text: string): boolean {
    this.texts++
    this.#heard?.push(text)
    const waiting = this.#waiting
    if (waiting) {
      const seen = waiting.tail + text
      if (waiting.marks.some((mark) => seen.includes(mark))) waiting.over()
      waiting.tail = text.slice(-100)
    }
    return true
  }

  /** Sends and waits for an answer that holds one of the marks; gives what was written until then. */
  async say(text: string, ...marks: readonly string[]): Promise<string> {
    const heard: string[] = (this.#heard = [])
    await new Promise<void>((resolve) => {
      this.#waiting = { marks, tail: '', over: resolve }
      this.onData(Buffer.from(text))
    })
    this.#heard = undefined
    this.#waiting = undefined
    return heard.join('')
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
  authenticated(): void {}
}

/** A session of an account whose password is `pencil`. */
export async function login(server: Server, name: string, resource: string): Promise<Sink> {
  const sink = new Sink()
  server.accept(sink)
  const header = `<stream:stream to='${server.hosts.keys().next().value}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
  const plain = Buffer.from(`\0${name}\0pencil`).toString('base64')
  await sink.say(header, '</stream:features>')
  await sink.say(
    `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${plain}</auth>`,
    '<success',
  )
  await sink.say(header, '</stream:features>')
  const bind = `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind>`
  await sink.say(`<iq type='set' id='bind'>${bind}</iq>`, '</iq>')
  await sink.say('<presence/>', '<presence')
  return sink
}
