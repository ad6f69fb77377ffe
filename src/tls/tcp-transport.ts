/** A TCP connection, plain or under TLS, as a stream sees it. Thousands are idle at any time, so it is kept small. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock, Timer } from '../base/clock.js'
import { channelBindings } from '../sasl/channel-binding.js'
import type { ChannelBindings } from '../sasl/mechanism.js'
import type { TlsFacts, Transport } from '../stream/transport.js'
import type { Visitor } from './admission.js'

/** A connection after its handshake, and the hash of the certificate sent on it for channel binding. */
export interface Secured {
  readonly socket: TLSSocket
  readonly endPoint: Buffer | undefined
}

/** What all connections of a listener share, or those that we open. */
export interface TransportShare {
  readonly clock: Clock
  readonly flusher: Flusher
  /** Bytes waiting for the peer past which `write` returns false. */
  highWater: number
  readonly trusted: boolean
  /** The connection is gone. */
  closed(transport: TcpTransport): void
}

/** After `end` the peer has this long to take what is left and close. */
const lingerMs = 10_000
/** Text gathered in one turn beyond this is written at once: joining more gains nothing. */
const gatherLength = 65_536

export class TcpTransport implements Transport {
  onData: (chunk: Buffer) => void = ignore
  onEnd: () => void = () => this.end()
  onClose: (error?: Error) => void = ignore
  onDrain: () => void = ignore
  tls: TlsFacts | undefined = undefined
  #pending = ''
  #state: 'open' | 'securing' | 'ending' | 'closed' = 'open'
  /** `write` has returned false and `onDrain` is owed. */
  #full = false
  #error: Error | undefined = undefined
  #socket: OwnedSocket
  #visitor: Visitor | undefined
  #linger: Timer | undefined = undefined

  constructor(
    socket: Socket,
    private readonly share: TransportShare,
    /** Address of the peer. */
    readonly remote: string,
    visitor: Visitor | undefined,
  ) {
    this.#visitor = visitor
    this.#socket = socket
    this.#adopt(socket)
  }

  get trusted(): boolean {
    return this.share.trusted
  }

  /** Counted in characters; all but a few of XML's are one byte. */
  get buffered(): number {
    return this.#pending.length + this.#socket.writableLength
  }

  write(text: string): boolean {
    if (this.#state !== 'open') return true
    if (this.#pending === '') this.share.flusher.add(this)
    this.#pending += text
    // Past the mark everything counts in bytes, so that progress can be told.
    if (this.#pending.length > gatherLength || this.buffered > this.share.highWater) this.flush()
    if (this.buffered <= this.share.highWater) return true
    this.#full = true
    return false
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    if (this.#state === 'securing') this.destroy()
    if (this.#state !== 'open') return
    this.flush()
    this.#state = 'ending'
    this.#socket.end()
    // A peer that neither reads nor closes must not keep the connection.
    this.#linger = this.share.clock.after(lingerMs, () => this.destroy())
  }

  destroy(): void {
    this.#socket.destroy()
  }

  authenticated(): void {
    if (this.#visitor) this.#visitor.open--
    this.#visitor = undefined
    if (this.tls instanceof SocketFacts) this.tls.forget()
  }

  /** Hands what was written in this turn to the socket, in one piece. */
  flush(): void {
    const text = this.#pending
    this.#pending = ''
    if (text === '' || this.#state !== 'open') return
    const taken = this.#socket.write(text, 'utf8')
    if (taken && this.#full) this.drained()
  }

  /** Takes the plain socket from under this transport so that TLS can be put between; nothing is read or written meanwhile. */
  release(): Socket {
    this.flush()
    this.#state = 'securing'
    const socket = this.#socket
    socket.pause()
    return socket.off('data', onData).off('end', onEnd).off('drain', onDrain)
  }

  /** The handshake is done: from now on the connection is read and written through `socket`, which also tells its end. */
  secured({ socket, endPoint }: Secured): void {
    this.#socket.off('close', onClose)
    this.tls = new SocketFacts(socket, endPoint)
    this.#state = 'open'
    this.#adopt(socket)
  }

  /** Called by the socket. */
  drained(): void {
    if (!this.#full || this.buffered > this.share.highWater / 2) return
    this.#full = false
    this.onDrain()
  }

  /** Called by the socket. */
  failed(error: Error): void {
    this.#error ??= error
  }

  /** Called by the socket, once. */
  closed(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#pending = ''
    this.authenticated()
    this.share.closed(this)
    this.#linger?.cancel()
    this.onClose(this.#error)
  }

  #adopt(socket: OwnedSocket): void {
    socket[owner] = this
    this.#socket = socket
    socket.on('data', onData).on('end', onEnd).on('drain', onDrain)
    socket.on('error', onError).on('close', onClose)
  }
}

/** The handshake failed; the connection is closed. `code` is OpenSSL's or Node's, or one of TIMEOUT, CLOSED, NOT_TLS, ALPN, TOO_LARGE. */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError'

  constructor(
    message: string,
    readonly code: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** Bytes of a handshake with another server: chains of ten times the usual size. To read one takes time for each certificate. */
const maximumHandshake = 32_768

/** To be asked when the handshake with another server is done: what is wrong with the size of what it sent. */
export function sizeFault(raw: Socket): HandshakeError | undefined {
  return raw.bytesRead > maximumHandshake
    ? new HandshakeError('the peer sent too many certificates, or too large ones', 'TOO_LARGE')
    : undefined
}

/** Puts TLS onto a plain connection; has closed it when it rejects. */
export type Handshake = (raw: Socket) => Promise<Secured>

/** An accepted connection that can be put under TLS (RFC 6120 §5). */
export class StartTlsTransport extends TcpTransport {
  constructor(
    socket: Socket,
    share: TransportShare,
    remote: string,
    visitor: Visitor | undefined,
    private readonly handshake: Handshake,
  ) {
    super(socket, share, remote, visitor)
  }

  /**
   * Writes `proceed` as the last plain text and resolves when the handshake is done. What the client sent in plain
   * before it is taken for the handshake, which then fails. Rejects when it fails; the connection is closed then.
   */
  async secure(proceed: string): Promise<void> {
    const raw = this.release()
    // Nothing of ours may still wait in the plain socket when TLS begins to write under it.
    await new Promise<unknown>((written) => raw.write(proceed, written))
    this.secured(await this.handshake(raw))
  }
}

/** Writes what many connections have gathered when the turn of the event loop is over. */
export class Flusher {
  #waiting: TcpTransport[] = []
  readonly #run = () => this.#flush()

  add(transport: TcpTransport): void {
    if (this.#waiting.push(transport) === 1) setImmediate(this.#run)
  }

  #flush(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const transport of waiting) transport.flush()
  }
}

class SocketFacts implements TlsFacts {
  #peerChain: readonly Buffer[] | undefined = undefined
  #bindings: ChannelBindings | 'none' | undefined = undefined

  constructor(
    private readonly socket: TLSSocket,
    private readonly endPoint: Buffer | undefined,
  ) {}

  get protocol(): string {
    return this.socket.getProtocol() ?? ''
  }

  get cipher(): string {
    return this.socket.getCipher()?.standardName ?? ''
  }

  get serverName(): string | undefined {
    const { servername } = this.socket as { servername?: string | false }
    return servername || undefined
  }

  get peerChain(): readonly Buffer[] {
    this.#peerChain ??= takeChain(this.socket)
    return this.#peerChain
  }

  get bindings(): ChannelBindings | undefined {
    this.#bindings ??= channelBindings(this.socket, this.endPoint) ?? 'none'
    return this.#bindings === 'none' ? undefined : this.#bindings
  }

  /** After authentication the bindings are rarely asked for; they can be had again. */
  forget(): void {
    this.#bindings = undefined
  }
}

/** A longer chain than that leads nowhere; see `verifyPeer`. */
const maximumChain = 10

/** Node hands out the chain once: it takes the certificates out of the connection. */
function takeChain(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = []
  let next = socket.getPeerX509Certificate()
  while (next && chain.length < maximumChain) {
    chain.push(next.raw)
    next = next.issuerCertificate
  }
  return chain
}

const owner = Symbol('transport of a socket')
type OwnedSocket = Socket & { [owner]?: TcpTransport }

// One function for all sockets instead of closures for each: 10,000 idle connections hold 50,000 listeners.

function onData(this: OwnedSocket, chunk: Buffer): void {
  this[owner]!.onData(chunk)
}

function onEnd(this: OwnedSocket): void {
  this[owner]!.onEnd()
}

function onDrain(this: OwnedSocket): void {
  this[owner]!.drained()
}

function onError(this: OwnedSocket, error: Error): void {
  this[owner]!.failed(error)
}

function onClose(this: OwnedSocket): void {
  this[owner]!.closed()
}

function ignore(): void {}
