/** A server for other servers on a real socket of loopback: it says what its script wants, and nothing by itself. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** What it does with each connection; when it ends, the connection stays open until the other side closes it. */
export type Script = (line: Line) => Promise<void>

export class FakeServer {
  readonly #server: Server
  readonly #open = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
  }

  /** Listens on a free port. */
  static async start(script: Script): Promise<FakeServer> {
    const server = createServer()
    const fake = new FakeServer(server)
    server.on('connection', (socket) => {
      fake.#open.add(socket)
      socket.on('error', () => {}).on('close', () => fake.#open.delete(socket))
      // A script that is left in the middle has nothing more to say.
      script(new Line(socket)).catch(() => {})
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return fake
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  async stop(): Promise<void> {
    for (const socket of this.#open) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** One connection, as text. */
export class Line {
  #socket: Socket
  #heard = ''
  #listen: () => void = () => {}

  constructor(socket: Socket) {
    this.#socket = socket
    this.#attach()
  }

  says(text: string): void {
    this.#socket.write(text)
  }

  ends(text: string): void {
    this.#socket.end(text)
  }

  /** Waits for what matches and forgets all up to its end. Rejects when the connection closes before. */
  async hears(what: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = what.exec(this.#heard)
      if (match) {
        this.#heard = this.#heard.slice(match.index + match[0].length)
        return match
      }
      if (this.#socket.destroyed) throw new Error(`closed before ${what}`)
      await new Promise<void>((resolve) => (this.#listen = resolve))
    }
  }

  /** From here on TLS, as its server; asks for a certificate and takes any. */
  async secures(certificate: { readonly cert: string; readonly key: string }): Promise<void> {
    this.#socket.removeAllListeners('data').removeAllListeners('close')
    const secured = new TLSSocket(this.#socket, {
      isServer: true,
      requestCert: true,
      rejectUnauthorized: false,
      ...certificate,
    })
    this.#socket = secured.on('error', () => {})
    this.#attach()
    await once(secured, 'secure')
  }

  #attach(): void {
    this.#heard = ''
    this.#socket.setEncoding('utf8')
    this.#socket.on('data', (text: string) => {
      this.#heard += text
      this.#listen()
    })
    this.#socket.on('close', () => this.#listen())
  }
}
