/** The internet of a scene: which server is at which domain, and what its certificate says. */
import { PipeTransport, type ClientEnd } from './pipe.js'
import { Failure } from '../../src/s2s/facts.js'
import type { Reach } from '../../src/s2s/parts.js'
import type { Peers } from '../../src/server.js'
import type { Transport } from '../../src/stream/transport.js'

export class Network {
  /** Domains whose servers show a certificate for them that everybody trusts. */
  readonly certificates = new Set<string>()
  /** Domains whose servers cannot be connected to. */
  readonly down = new Set<string>()
  /** Domains whose servers take a connection and say nothing. */
  readonly mute = new Set<string>()
  /** Connections so far, `from > to`. */
  readonly calls: string[] = []
  readonly #servers = new Map<string, (transport: Transport) => void>()
  /** For which domains the peer's certificate is. */
  readonly #shown = new WeakMap<Transport, readonly string[]>()

  add(domain: string, accept: (transport: Transport) => void): void {
    this.#servers.set(domain, accept)
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

  /** A connection to the server of a domain, from somebody with a certificate for these domains. */
  dial(domain: string, certificate: readonly string[]): ClientEnd {
    const transport = new PipeTransport({ trusted: false, starttls: true, remote: '192.0.2.1' })
    this.#shown.set(transport, certificate)
    this.#servers.get(domain)!(transport)
    return transport.client
  }

  readonly #reach: Reach = async (local, remote, { told, signal }) => {
    this.calls.push(`${local} > ${remote}`)
    const accept = this.#servers.get(remote)
    if (!accept) throw new Failure('dns', `there is no server for ${remote}`, 'theirs', 'no such server')
    told('dns', '1 server')
    told('tcp')
    if (this.down.has(remote)) throw new Failure('tcp', 'connection refused', 'theirs')
    const near = new PipeTransport({ trusted: false, starttls: true, remote: '192.0.2.2' })
    signal.addEventListener('abort', () => near.destroy())
    if (this.mute.has(remote)) return { transport: near }
    const far = new PipeTransport({ trusted: false, starttls: true, remote: '192.0.2.1' })
    connected(near, far)
    const shows = (domain: string) => (this.certificates.has(domain) ? [domain] : [])
    this.#shown.set(near, shows(remote))
    this.#shown.set(far, shows(local))
    accept(far)
    told('tcp', 'connected')
    return { transport: near }
  }
}

/** What one end writes, the other one reads. */
function connected(one: PipeTransport, other: PipeTransport): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.client.onData = (chunk) => to.client.write(chunk)
    from.client.onClose = () => to.client.cut()
  }
}
