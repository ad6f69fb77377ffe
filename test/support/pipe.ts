/** A duplex pair in memory: the server's end is a Transport, the other end is what a test's client holds. */
import type { TlsFacts, Transport } from '../../src/stream/transport.js'

export interface ClientEnd {
  write(text: string | Buffer): void
  /** Cuts the connection without a word, as a lost network does. */
  cut(): void
  onData: (chunk: Buffer) => void
  onClose: () => void
}

export interface PipeOptions {
  readonly remote?: string
  readonly trusted?: boolean
  /** Can be secured by STARTTLS; the handshake is instant, and the bytes stay as they are. */
  readonly starttls?: boolean
}

export class PipeTransport implements Transport {
  tls: TlsFacts | undefined = undefined
  readonly secure?: (proceed: string) => Promise<void>
  readonly trusted: boolean
  readonly remote: string
  buffered = 0
  paused = false
  isAuthenticated = false
  onData: (chunk: Buffer) => void = () => {}
  onEnd: () => void = () => {}
  onClose: (error?: Error) => void = () => {}
  onDrain: () => void = () => {}
  readonly client: ClientEnd
  #open = true
  #waiting: Buffer[] = []

  constructor({ remote = '127.0.0.1', trusted = true, starttls = false }: PipeOptions = {}) {
    this.remote = remote
    this.trusted = trusted
    if (starttls) {
      this.secure = (proceed) => {
        this.write(proceed)
        this.tls = { protocol: 'TLSv1.3', cipher: 'none', serverName: undefined, bindings: undefined }
        return Promise.resolve()
      }
    }
    this.client = {
      write: (text) => this.#fromClient(Buffer.from(text)),
      cut: () => this.#close(),
      onData: () => {},
      onClose: () => {},
    }
  }

  write(text: string): boolean {
    if (this.#open) queueMicrotask(() => this.client.onData(Buffer.from(text)))
    return true
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
    queueMicrotask(() => {
      this.onClose()
      this.client.onClose()
    })
  }
}
