/** The connections that we open to other servers: TLS as its client, with our own certificate, and nothing verified yet. */
import { domainToASCII } from 'node:url'
import { isIP } from 'node:net'
import type { Socket } from 'node:net'
import { connect, createSecureContext } from 'node:tls'
import type { SecureContext, TLSSocket } from 'node:tls'
import type { Clock } from '../base/clock.js'
import type { Metrics, Counters } from '../base/metrics.js'
import type { Certificates, KeyPair } from './certificates.js'
import { Flusher, HandshakeError, sizeFault, TcpTransport } from './tcp-transport.js'
import type { Handshake, Secured, TransportShare } from './tcp-transport.js'

export interface TlsClientOptions {
  readonly certificates: Certificates
  readonly clock: Clock
  readonly metrics: Metrics
  /** Bytes waiting for a peer past which `write` returns false. Default 1 MiB. */
  readonly highWater?: number
  /** For the TLS handshake. Default 10 seconds. */
  readonly handshakeMs?: number
}

/** Between which domains a connection is; never the name of the machine that DNS led to. */
export interface Ends {
  /** Ours: whose certificate is presented. */
  readonly from: string
  /** Theirs: the server name that is asked for (RFC 6066 §3). */
  readonly to: string
}

const defaultHighWater = 1024 * 1024
const defaultHandshakeMs = 10_000
const applicationProtocol = 'xmpp-server'

/** Makes transports of connected sockets. Whether the peer is who it should be is found out by `verifyPeer`. */
export class TlsClient {
  readonly #contexts = new WeakMap<KeyPair, SecureContext>()
  readonly #transports = new Set<TcpTransport>()
  readonly #share: TransportShare
  readonly #failures: Counters

  constructor(private readonly options: TlsClientOptions) {
    this.#share = {
      clock: options.clock,
      highWater: options.highWater ?? defaultHighWater,
      flusher: new Flusher(),
      trusted: false,
      closed: (transport) => this.#transports.delete(transport),
    }
    this.#failures = options.metrics.counters('tls_handshake_failures_total', 'TLS handshakes that failed.', [
      'code',
    ])
  }

  /** Connections that are open, during the handshake too. */
  get connections(): number {
    return this.#transports.size
  }

  /** Bytes waiting for a peer past which `write` returns false. */
  set highWater(bytes: number) {
    this.#share.highWater = bytes
  }

  /** Plain until `secure` is called, when the peer has sent `<proceed/>` (RFC 6120 §5.4.2.3). Takes over the socket. */
  starttls(socket: Socket, ends: Ends): OutgoingTransport {
    const handshake: Handshake = (raw) => this.#handshake(raw, ends, [])
    const transport = new OutgoingTransport(socket, this.#share, addressOf(socket), undefined, handshake)
    this.#transports.add(transport)
    return transport
  }

  /** TLS from the first byte (XEP-0368). Takes over the socket. Rejects with `HandshakeError`; it is closed then. */
  async direct(socket: Socket, ends: Ends): Promise<TcpTransport> {
    const transport = new TcpTransport(socket, this.#share, addressOf(socket), undefined)
    this.#transports.add(transport)
    transport.secured(await this.#handshake(transport.release(), ends, [applicationProtocol]))
    return transport
  }

  /** Destroys what is open. */
  close(): void {
    for (const transport of this.#transports) transport.destroy()
  }

  async #handshake(raw: Socket, ends: Ends, protocols: string[]): Promise<Secured> {
    try {
      return { socket: await this.#secured(raw, ends, protocols), endPoint: undefined }
    } catch (error) {
      raw.destroy()
      const failure = asHandshakeError(error)
      this.#failures.of(failure.code).add()
      throw failure
    }
  }

  #secured(raw: Socket, { from, to }: Ends, protocols: string[]): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        socket: raw,
        secureContext: this.#contextFor(this.options.certificates.pairFor(domainToASCII(from) || from)),
        servername: serverName(to),
        ALPNProtocols: protocols,
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
      })
      const settle = (error?: Error) => {
        timer.cancel()
        socket.off('secureConnect', secured).off('error', settle).off('close', closed)
        raw.off('close', closed)
        if (!error) return resolve(socket)
        socket.on('error', ignore).destroy()
        reject(error)
      }
      const secured = () => {
        // XEP-0368 §3: no answer to ALPN is fine, another protocol is not.
        const agreed = socket.alpnProtocol
        if (!agreed || protocols.includes(agreed)) settle(sizeFault(raw))
        else settle(new HandshakeError(`the server speaks ${agreed}, not ${applicationProtocol}`, 'ALPN'))
      }
      const closed = () =>
        settle(new HandshakeError('the connection closed during the TLS handshake', 'CLOSED'))
      const timer = this.options.clock.after(this.options.handshakeMs ?? defaultHandshakeMs, () =>
        settle(new HandshakeError('the TLS handshake took too long', 'TIMEOUT')),
      )
      socket.on('secureConnect', secured).on('error', settle).on('close', closed)
      raw.on('close', closed)
      if (raw.destroyed) closed()
    })
  }

  #contextFor(pair: KeyPair): SecureContext {
    const there = this.#contexts.get(pair)
    if (there) return there
    // No authorities: what OpenSSL thinks of the chain counts for nothing and should cost nothing.
    const made = createSecureContext({ ...pair.options, ca: [] })
    this.#contexts.set(pair, made)
    return made
  }
}

/** A connection that we opened, and that can be put under TLS. */
export class OutgoingTransport extends TcpTransport {
  constructor(
    socket: Socket,
    share: TransportShare,
    remote: string,
    visitor: undefined,
    private readonly handshake: Handshake,
  ) {
    super(socket, share, remote, visitor)
  }

  /**
   * To be called when `<proceed/>` has come; writes nothing before the handshake. What the server sent in plain behind
   * it is taken for the handshake, which then fails. Rejects with `HandshakeError`; the connection is closed then.
   */
  async secure(): Promise<void> {
    this.secured(await this.handshake(this.release()))
  }
}

/** RFC 6066 §3: names of the DNS only, in ASCII and without a dot at the end. */
function serverName(domain: string): string {
  if (isIP(domain) !== 0 || domain.startsWith('[')) return ''
  return domainToASCII(domain).replace(/\.$/, '')
}

function addressOf(socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '')
}

/** OpenSSL read something that is no record of TLS. */
const notTls = 'ERR_SSL_WRONG_VERSION_NUMBER'

function asHandshakeError(error: unknown): HandshakeError {
  if (error instanceof HandshakeError) return error
  const { code = 'other', message, reason } = error as NodeJS.ErrnoException & { reason?: string }
  // OpenSSL's message names its source files; its reason is enough.
  return new HandshakeError(code === notTls ? 'there is no TLS' : (reason ?? message), code, { cause: error })
}

function ignore(): void {}
