/** A duplex pair in memory: the server's end is a Transport, the other end is what a test's client holds. */
import type { TlsFacts, Transport } from '../../src/stream/transport.js'

export interface ClientEnd {
  write(text: string | Buffer): void
  /** Cuts the connection without a word, as a lost network does. */
  cut(): void
  /** Leaves unread what comes; the connection stays. */
  stopReading(): void
  readOn(): void
  onData: (chunk: Buffer) => void
  onClose: () => void
}

export interface PipeOptions {
  readonly remote?: string
  readonly trusted?: boolean
  /** Can be secured by STARTTLS; the handshake is instant, and the bytes stay as they are. */
  readonly starttls?: boolean
  /** It is under TLS, and the client has shown these certificates, in DER. */
  readonly peerChain?: readonly Buffer[]
  /** Bytes that may wait unread until `write` returns false. Default 1 MiB. */
  readonly highWater?: number
}

const secured: TlsFacts = {
  protocol: 'TLSv1.3',
  cipher: 'none',
  serverName: undefined,
  peerChain: [],
  bindings: undefined,
}

export class PipeTransport implements Transport {
  tls: TlsFacts | undefined = undefined
  readonly secure?: (proceed: string) => Promise<void>
  readonly trusted: boolean
  readonly remote: string
  paused = false
  isAuthenticated = false
  onData: (chunk: Buffer) => void = () => {}
  onEnd: () => void = () => {}
  onClose: (error?: Error) => void = () => {}
  onDrain: () => void = () => {}
  readonly client: ClientEnd
  #open = true
  #waiting: Buffer[] = []
  /** What the client leaves unread; undefined while it reads. */
  #unread: Buffer[] | undefined = undefined
  #full = false
  readonly #highWater: number

  constructor({
    remote = '127.0.0.1',
    trusted = true,
    starttls = false,
    peerChain,
    highWater = 1 << 20,
  }: PipeOptions = {}) {
    this.#highWater = highWater
    this.remote = remote
    this.trusted = trusted
    if (peerChain) this.tls = { ...secured, peerChain }
    if (starttls) {
      this.secure = (proceed) => {
        this.write(proceed)
        this.tls = secured
        return Promise.resolve()
      }
    }
    this.client = {
      write: (text) => this.#fromClient(typeof text === 'string' ? Buffer.from(text) : text),
      cut: () => this.#close(),
      stopReading: () => (this.#unread ??= []),
      readOn: () => this.#readOn(),
      onData: () => {},
      onClose: () => {},
    }
  }

  get buffered(): number {
    return (this.#unread ?? []).reduce((sum, { length }) => sum + length, 0)
  }

  write(text: string): boolean {
    if (!this.#open) return true
    if (!this.#unread) {
      queueMicrotask(() => this.client.onData(Buffer.from(text)))
      return true
    }
    this.#unread.push(Buffer.from(text))
    this.#full = this.buffered > this.#highWater
    return !this.#full
  }
  pause(): void {
    this.paused = true
  }
  resume(): void {
    this.paused = false
    for (const chunk of this.#waiting.splice(0)) this.#fromClient(chunk)
  }
  end(): void {
    this.#close()
  }
  destroy(): void {
    this.#close()
  }
  authenticated(): void {
    this.isAuthenticated = true
  }

  #readOn(): void {
    const unread = this.#unread ?? []
    this.#unread = undefined
    for (const chunk of unread) this.client.onData(chunk)
    if (this.#full) this.onDrain()
    this.#full = false
  }

  #fromClient(chunk: Buffer): void {
    queueMicrotask(() => {
      if (!this.#open) return
      if (this.paused) this.#waiting.push(chunk)
      else this.onData(chunk)
    })
  }

  #close(): void {
    if (!this.#open) return
    this.#open = false
    this.#unread = undefined
    queueMicrotask(() => {
      this.onClose()
      this.client.onClose()
    })
  }
}
