/** The internet of a scene: which server is at which domain, and what its certificate says. */
import { PipeTransport, type ClientEnd } from './pipe.js'
import { Failure } from '../../src/s2s/facts.js'
import { Shared, type Reach } from '../../src/s2s/parts.js'
import type { Peers } from '../../src/server.js'
import type { Transport } from '../../src/stream/transport.js'

export class Network {
  /** Domains whose servers show a certificate for them that everybody trusts. */
  readonly certificates = new Set<string>()
  /** Domains whose servers cannot be connected to. */
  readonly down = new Set<string>()
  /** Domains whose servers take a connection and say nothing. */
  readonly mute = new Set<string>()
  /** What a server says to the one that connected to it gets lost. */
  oneWay = false
  /** Changes what servers say to each other. */
  rewrite: (text: string) => string = (text) => text
  readonly #cuts: (() => void)[] = []
  /** Connections so far, `from > to`. */
  readonly calls: string[] = []
  /** Each gets the end of a connection to it, and the domains that the caller's certificate is for. */
  readonly #servers = new Map<string, (end: ClientEnd, shown: readonly string[]) => void>()
  /** For which domains the peer's certificate is. */
  readonly #shown = new WeakMap<Transport, readonly string[]>()

  /** A server that takes transports. */
  add(domain: string, accept: (transport: Transport) => void): void {
    this.#servers.set(domain, (end, shown) => {
      const transport = new PipeTransport({ trusted: false, starttls: true, remote: '192.0.2.1' })
      join(end, transport.client)
      this.#shown.set(transport, shown)
      accept(transport)
    })
  }

  /** A server of the scene: it gets the other end itself. */
  addRaw(domain: string, certificate: readonly string[], take: (end: ClientEnd) => void): void {
    if (certificate.includes(domain)) this.certificates.add(domain)
    this.#servers.set(domain, take)
  }

  peers(): Peers {
    return {
      reach: this.#reach,
      certify: (transport, domain) =>
        this.#shown.get(transport)?.includes(domain)
          ? { ok: true }
          : { ok: false, text: `the certificate is not one for ${domain}` },
    }
  }

  /** All connections between servers break. */
  cut(): void {
    for (const cut of this.#cuts.splice(0)) cut()
  }

  /** A connection to the server of a domain, from somebody with a certificate for these domains. */
  dial(domain: string, certificate: readonly string[]): ClientEnd {
    const [near, far] = endsOfAWire()
    this.#servers.get(domain)!(far, certificate)
    return near
  }

  /** Host and port of a domain's server, where it is not of its own. */
  readonly places = new Map<string, string>()

  readonly #reach: Reach = async (local, remote, { told, signal, taken }) => {
    this.calls.push(`${local} > ${remote}`)
    const accept = this.#servers.get(remote)
    if (!accept) throw new Failure('dns', `there is no server for ${remote}`, 'theirs', 'no such server')
    told('dns', '1 server')
    const place = this.places.get(remote) ?? remote
    if (taken(place)) {
      this.calls.pop()
      throw new Shared()
    }
    told('tcp')
    if (this.down.has(remote)) throw new Failure('tcp', 'connection refused', 'theirs')
    const near = new PipeTransport({ trusted: false, starttls: true, remote: '192.0.2.2' })
    signal.addEventListener('abort', () => near.destroy())
    if (this.mute.has(remote)) return { transport: near, place }
    const shows = (domain: string) => (this.certificates.has(domain) ? [domain] : [])
    this.#shown.set(near, shows(remote))
    accept(this.#tapped(near.client), shows(local))
    told('tcp', 'connected')
    return { transport: near, place }
  }

  /** The end that the other server gets, with what the scene does to the line. */
  #tapped(end: ClientEnd): ClientEnd {
    const tap: ClientEnd = {
      write: (text) => {
        if (!this.oneWay) end.write(this.rewrite(text.toString()))
      },
      cut: () => end.cut(),
      stopReading: () => end.stopReading(),
      readOn: () => end.readOn(),
      onData() {},
      onClose() {},
    }
    end.onData = (chunk) => tap.onData(Buffer.from(this.rewrite(chunk.toString())))
    end.onClose = () => tap.onClose()
    this.#cuts.push(() => {
      end.cut()
      tap.onClose()
    })
    return tap
  }
}

/** What comes out of one end goes into the other. */
function join(one: ClientEnd, other: ClientEnd): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.onData = (chunk) => to.write(chunk)
    // What was written before the end comes before it.
    from.onClose = () => setImmediate(() => to.cut())
  }
}

/** What is written at one end is read at the other. */
function endsOfAWire(): [ClientEnd, ClientEnd] {
  let isCut = false
  const cut = () => {
    if (isCut) return
    isCut = true
    queueMicrotask(() => {
      near.onClose()
      far.onClose()
    })
  }
  const endOf = (other: () => ClientEnd): ClientEnd => ({
    write: (text) =>
      queueMicrotask(() => other().onData(typeof text === 'string' ? Buffer.from(text) : text)),
    cut,
    stopReading() {},
    readOn() {},
    onData() {},
    onClose() {},
  })
  const near: ClientEnd = endOf(() => far)
  const far: ClientEnd = endOf(() => near)
  return [near, far]
}
