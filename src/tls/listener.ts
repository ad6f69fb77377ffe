/** Accepts connections of clients or servers on one address and hands each over as a transport, after TLS where it comes first. */
import { constants } from 'node:crypto'
import { BlockList, createServer as createTcpServer, isIP } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { SecureContextOptions, Server as TlsServer, TlsOptions, TLSSocket } from 'node:tls'
import type { Clock } from '../base/clock.js'
import { LimitHits } from '../base/limit-hits.js'
import type { Log } from '../base/log.js'
import type { Counter, Counters, Metrics } from '../base/metrics.js'
import type { Admission } from './admission.js'
import type { Certificates, KeyPair } from './certificates.js'
import { readClientHello } from './client-hello.js'
import { Flusher, HandshakeError, sizeFault, StartTlsTransport, TcpTransport } from './tcp-transport.js'
import type { Secured, TransportShare } from './tcp-transport.js'

/**
 * `starttls`: plain until the peer asks for TLS (RFC 6120 §5). `direct`: TLS from the first byte (XEP-0368).
 * `plain`: trusted without TLS, on loopback addresses only; with certificates TLS can be asked for all the same.
 */
export type ListenerKind = 'starttls' | 'direct' | 'plain'

/** Who connects. Servers are asked for their certificate; it is for the reader of `TlsFacts.peerChain` to verify. */
export type ListenerSide = 'client' | 'server' | 'component'

export interface ListenerOptions {
  readonly kind: ListenerKind
  /** Default `client`. */
  readonly side?: ListenerSide
  /** Port 0 takes a free one. */
  readonly address: { readonly host: string; readonly port: number }
  /** Needed for `starttls` and `direct`. */
  readonly certificates?: Certificates | undefined
  /** Shared by the listeners that count together. */
  readonly admission: Admission
  /** Clients are asked for a certificate too; it is for the reader of `TlsFacts.peerChain` to verify. */
  readonly asksClients?: boolean | undefined
  /** Bytes waiting for a peer past which `write` returns false. Default 1 MiB. */
  readonly highWater?: number
  /** For the TLS handshake. Default 10 seconds. */
  readonly handshakeMs?: number
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** Must set the transport's callbacks before it returns. */
  readonly onConnection: (transport: TcpTransport) => void
}

/** A port that could not be opened; the message says why and what to do, in one line. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

const defaultHighWater = 1024 * 1024
const defaultHandshakeMs = 10_000

/** Connections that were accepted, by side. */
const acceptedOf: Readonly<Record<ListenerSide, (metrics: Metrics) => Counters>> = {
  client: (metrics) =>
    metrics.counters('c2s_connections_total', 'Connections of clients', ['transport', 'tls', 'family']),
  server: (metrics) =>
    metrics.counters('s2s_connections_total', 'Connections from other servers', [
      'transport',
      'tls',
      'family',
    ]),
  component: (metrics) =>
    metrics.counters('component_connections_total', 'Connections of external components', [
      'transport',
      'tls',
      'family',
    ]),
}

/**
 * Opens an address and closes it again at once: before something is made that a start in vain should not leave behind.
 * Rejects with `ListenError`, as opening it for good would.
 */
export async function tryAddress(address: ListenerOptions['address']): Promise<void> {
  if (address.port === 0) return
  const opened = (host: string) =>
    new Promise<NodeJS.ErrnoException | undefined>((told) => {
      const server = createTcpServer()
      server.once('error', told)
      server.listen({ host, port: address.port }, () => server.close(() => told(undefined)))
    })
  const error = await opened(address.host)
  if (!error) return
  const { code } = error
  const noIpv6 = address.host === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')
  const second = noIpv6 ? await opened('0.0.0.0') : error
  if (second) throw listenError(noIpv6 ? { host: '0.0.0.0', port: address.port } : address, second)
}

export class Listener {
  readonly #server: Server
  readonly #handshakes: Handshakes | undefined
  readonly #transports = new Set<TcpTransport>()
  readonly #share: TransportShare
  readonly #refused: Counters
  readonly #hits: LimitHits
  readonly #accepted: { readonly ipv4: Counter; readonly ipv6: Counter }

  /** Rejects with `ListenError`. When IPv6 is off on this machine, `::` listens on 0.0.0.0 and the log says so. */
  static async open(options: ListenerOptions): Promise<Listener> {
    const { kind, address, log } = options
    if (kind === 'plain' && !isLoopback(address.host))
      throw new ListenError(
        `cannot listen on ${shown(address)} without TLS: passwords would be readable on the way; use 127.0.0.1 or [::1], or a listener with TLS`,
      )
    const listener = new Listener(options)
    try {
      await listener.#listen(address)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      const noIpv6 = code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL'
      if (address.host !== '::' || !noIpv6) throw listenError(address, error as NodeJS.ErrnoException)
      const ipv4 = { host: '0.0.0.0', port: address.port }
      await listener.#listen(ipv4).catch((second: NodeJS.ErrnoException) => {
        throw listenError(ipv4, second)
      })
      log.warn('listen.ipv4', {}, `this machine has no IPv6: listening on ${shown(ipv4)} instead`)
    }
    return listener
  }

  private constructor(private readonly options: ListenerOptions) {
    const { kind, side = 'client', certificates, clock, metrics, highWater = defaultHighWater } = options
    if (kind !== 'plain' && !certificates) throw new Error(`a ${kind} listener needs certificates`)
    this.#handshakes = certificates && new Handshakes(certificates, options)
    this.#share = {
      clock,
      highWater,
      flusher: new Flusher(),
      trusted: kind === 'plain',
      closed: (transport) => this.#transports.delete(transport),
    }
    this.#hits = new LimitHits(metrics)
    const accepted = acceptedOf[side](metrics)
    const tls = kind === 'plain' ? 'none' : kind
    this.#accepted = { ipv4: accepted.of('tcp', tls, 'ipv4'), ipv6: accepted.of('tcp', tls, 'ipv6') }
    this.#refused = metrics.counters(
      'connections_refused_total',
      'Connections closed at once because their address had too many.',
      ['reason'],
    )
    // Half open sockets: what a client asked before it stopped sending is still answered.
    this.#server = createTcpServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket))
  }

  /** The real port when 0 was asked for. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Connections that are open, during the handshake too. */
  get connections(): number {
    return this.#transports.size
  }

  /** Bytes waiting for a peer past which `write` returns false. */
  set highWater(bytes: number) {
    this.#share.highWater = bytes
  }

  /** Accepts no more; the connections there are stay. */
  stop(): void {
    this.#server.close()
  }

  /** Accepts no more and destroys what is open. */
  close(): void {
    this.stop()
    for (const transport of this.#transports) transport.destroy()
  }

  #listen({ host, port }: { host: string; port: number }): Promise<void> {
    const server = this.#server
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => {
        server.off('listening', listening)
        reject(error)
      }
      const listening = () => {
        server.off('error', failed)
        // Out of file descriptors and the like: this connection is lost, the next may succeed.
        server.on('error', (error) => this.options.log.error('listen.failed', { error }))
        resolve()
      }
      server.once('error', failed).once('listening', listening)
      server.listen({ host, port, backlog: 1024 })
    })
  }

  #accept(socket: Socket): void {
    const { admission, kind } = this.options
    const handshakes = this.#handshakes
    const address = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '')
    if (address === undefined) {
      socket.destroy()
      return
    }
    // The trusted ones on loopback are a proxy's, that is everybody's.
    const visitor = kind === 'plain' ? undefined : admission.admit(address)
    if (typeof visitor === 'string') {
      this.#refused.of(visitor).add()
      this.#hits.add(visitor === 'too many open' ? 'connections_per_address' : 'connection_rate')
      socket.on('error', ignore)
      socket.destroy()
      return
    }
    this.#accepted[address.includes(':') ? 'ipv6' : 'ipv4'].add()
    const transport =
      handshakes && kind !== 'direct'
        ? new StartTlsTransport(socket, this.#share, address, visitor, (raw) => handshakes.run(raw))
        : new TcpTransport(socket, this.#share, address, visitor)
    this.#transports.add(transport)
    if (handshakes && kind === 'direct') void this.#handshakeFirst(transport, handshakes)
    else this.options.onConnection(transport)
  }

  /** Resolves in every case: a failed handshake has closed the connection, and nobody was told of it. */
  async #handshakeFirst(transport: TcpTransport, handshakes: Handshakes): Promise<void> {
    try {
      transport.secured(await handshakes.run(transport.release()))
    } catch {
      return
    }
    try {
      this.options.onConnection(transport)
    } catch (error) {
      this.options.log.error('connection.failed', { error })
      transport.destroy()
    }
  }
}

/** TLS handshakes, run by `tls.Server`s that never listen, one for each certificate: so ALPN and the time limit are Node's own. */
class Handshakes {
  readonly #servers = new WeakMap<KeyPair, TlsServer>()
  readonly #running = new Map<string, (result: TLSSocket | Error) => void>()
  readonly #failures: Counters

  constructor(
    private readonly certificates: Certificates,
    private readonly options: ListenerOptions,
  ) {
    this.#failures = options.metrics.counters('tls_handshake_failures_total', 'TLS handshakes that failed.', [
      'code',
    ])
  }

  /** Whether peers are asked for a certificate. */
  get #asks(): boolean {
    const { side = 'client', asksClients = false } = this.options
    return side === 'server' || (side === 'client' && asksClients)
  }

  /** Resolves with the secured connection; rejects, and has closed the connection, when the handshake fails. */
  async run(raw: Socket): Promise<Secured> {
    try {
      const serverName = await this.#serverName(raw)
      const pair = this.certificates.pairFor(serverName)
      const socket = await this.#secure(raw, this.#serverFor(pair))
      const fault = this.#asks ? sizeFault(raw) : undefined
      if (fault) {
        socket.on('error', ignore).destroy()
        throw fault
      }
      return { socket, endPoint: pair.endPoint }
    } catch (error) {
      this.#failures.of((error as NodeJS.ErrnoException).code ?? 'other').add()
      raw.destroy()
      throw error
    }
  }

  /** Waits for the ClientHello, and leaves it in the socket. */
  #serverName(raw: Socket): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      let bytes: Buffer = Buffer.alloc(0)
      const settle = (result: string | undefined | Error) => {
        timer.cancel()
        raw.off('data', read).off('end', ended).off('close', ended).pause()
        if (result instanceof Error) return reject(result)
        raw.unshift(bytes)
        resolve(result)
      }
      const read = (chunk: Buffer) => {
        bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
        const hello = readClientHello(bytes)
        if (hello === 'not TLS') settle(new HandshakeError('what the peer sent is not TLS', 'NOT_TLS'))
        else if (hello !== 'more') settle(hello.serverName)
      }
      const ended = () =>
        settle(new HandshakeError('the connection closed before the TLS handshake', 'CLOSED'))
      const timer = this.options.clock.after(this.options.handshakeMs ?? defaultHandshakeMs, () =>
        settle(new HandshakeError('the peer did not begin the TLS handshake', 'TIMEOUT')),
      )
      if (raw.destroyed) ended()
      else raw.on('data', read).on('end', ended).on('close', ended).resume()
    })
  }

  #secure(raw: Socket, server: TlsServer): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const key = ends(raw)
      const settle = (result: TLSSocket | Error) => {
        raw.off('close', closed)
        this.#running.delete(key)
        if (result instanceof Error) reject(result)
        else resolve(result)
      }
      const closed = () =>
        settle(new HandshakeError('the connection closed during the TLS handshake', 'CLOSED'))
      this.#running.set(key, settle)
      raw.on('close', closed)
      // A client that leaves now has nothing to be answered.
      raw.allowHalfOpen = false
      server.emit('connection', raw)
    })
  }

  #serverFor(pair: KeyPair): TlsServer {
    const there = this.#servers.get(pair)
    if (there) return there
    const { kind, side = 'client', handshakeMs = defaultHandshakeMs } = this.options
    const server = createTlsServer({
      ...pair.options,
      ...(this.#asks ? asking(pair.options) : {}),
      handshakeTimeout: handshakeMs,
      // XEP-0368 §3: who negotiates an application protocol must negotiate this one; who does not is welcome.
      // By a function: of a list each connection would keep a copy.
      ...(kind === 'direct' ? { ALPNCallback: agreeing(`xmpp-${side}`) } : {}),
    })
    server.on('secureConnection', (socket) => {
      socket.allowHalfOpen = true
      this.#done(socket, socket)
    })
    server.on('tlsClientError', (error, socket) => this.#done(socket, error))
    this.#servers.set(pair, server)
    return server
  }

  #done(socket: TLSSocket, result: TLSSocket | Error): void {
    const settle = this.#running.get(ends(socket))
    if (settle) settle(result)
    else socket.destroy()
  }
}

/**
 * RFC 6120 §13.7.1.2: other servers prove their domain by a certificate. It is asked for, without naming authorities,
 * and not verified here: who has none, or one that is no good, may still be called back. Sessions are not resumed: the
 * chain would be missing then.
 */
function asking({ secureOptions = 0 }: SecureContextOptions): TlsOptions {
  return {
    requestCert: true,
    rejectUnauthorized: false,
    // Nothing to verify with: OpenSSL's own look at the chain counts for nothing and should cost nothing.
    ca: [],
    secureOptions: secureOptions | constants.SSL_OP_NO_TICKET,
  }
}

function agreeing(protocol: string): NonNullable<TlsOptions['ALPNCallback']> {
  return ({ protocols }) => (protocols.includes(protocol) ? protocol : undefined)
}

/** Both ends of a connection: no two have the same. The socket under TLS and the one above have them alike. */
function ends(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

function isLoopback(host: string): boolean {
  const version = isIP(host)
  return version === 0 ? host === 'localhost' : loopback.check(host, version === 6 ? 'ipv6' : 'ipv4')
}

function shown({ host, port }: { host: string; port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function listenError(address: { host: string; port: number }, error: NodeJS.ErrnoException): ListenError {
  const fix: Record<string, string> = {
    EADDRINUSE: `another program uses this port; stop it (ss -ltnp 'sport = :${address.port}' names it) or listen on another port`,
    EACCES: `this process may not use ports below 1024; use a higher one, or give it the right (CAP_NET_BIND_SERVICE)`,
    EADDRNOTAVAIL: `this machine has no such address; use [::] for all addresses, or one that "ip address" lists`,
    ENOTFOUND: `this name has no address; write an IP address`,
    EAFNOSUPPORT: `this machine has no IPv6; use 0.0.0.0 for all IPv4 addresses`,
  }
  const why = fix[error.code ?? ''] ?? error.message
  return new ListenError(`cannot listen on ${shown(address)}: ${why}`, { cause: error })
}

function ignore(): void {}
