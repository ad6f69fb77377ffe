/** From a domain to a connection: where its servers are, the first that takes one, TLS where that comes first. */
import { connectPeer, ConnectError, type Connected } from './connect.js'
import { Failure, type Trouble } from './facts.js'
import { FindError, findPeer, type Target } from './find.js'
import { Shared, type Reach } from './parts.js'
import type { Clock } from '../base/clock.js'
import type { Random } from '../base/random.js'
import type { Address } from '../base/units.js'
import { DnsError, type Lookups, type TlsaRecord } from '../dns/records.js'
import type { Transport } from '../stream/transport.js'
import type { TlsClient } from '../tls/client.js'

export interface ReachParts {
  readonly resolver: Lookups
  readonly tls: Pick<TlsClient, 'direct' | 'starttls'>
  readonly clock: Clock
  readonly random: Random
  /** Milliseconds for one attempt; asked each time. */
  readonly timeout: () => number
  /** Where the server of a domain is, whatever DNS says. */
  override(remote: string): { readonly address: Address; readonly tls: 'starttls' | 'direct' } | undefined
}

type Told = Parameters<Reach>[2]['told']

export function reachBy(parts: ReachParts): Reach {
  return async (local, remote, { signal, told, taken }) => {
    const targets = await find(remote, parts, told)
    if (targets[0] && taken(placeOf(targets[0]))) throw new Shared()
    let left = targets
    for (;;) {
      told('tcp')
      const connected = await connect(left, parts, signal)
      told('tcp', `${shown(connected.address, connected.target.port)}${after(connected)}`)
      const { socket, target } = connected
      if (target.tls === 'direct') told('tls')
      try {
        // Before TLS: where DNS does not tell, there is no handshake that could be trusted (RFC 7673 §3.4).
        const tlsa = await tlsaOf(target, parts.resolver)
        const transport = await under(connected, { from: local, to: remote }, parts.tls)
        return { transport, place: placeOf(connected.target), tlsa }
      } catch (error) {
        socket.destroy()
        // A server that cannot speak TLS, or whose records are broken, is as good as none: the next one may be well.
        left = left.slice(left.indexOf(target) + 1)
        if (left.length > 0) continue
        if (error instanceof Failure) throw error
        const reason = error instanceof Error ? error.message : String(error)
        throw new Failure('tls', `the TLS handshake failed: ${reason}`, 'theirs', undefined, 'handshake')
      }
    }
  }
}

async function find(remote: string, parts: ReachParts, told: Told): Promise<readonly Target[]> {
  told('dns')
  const { resolver, random } = parts
  try {
    const targets = await findPeer(remote, { resolver, random, override: parts.override(remote) })
    told(
      'dns',
      targets.map(({ host, port, tls, source }) => `${shown(host, port)} (${tls}, ${source})`).join(', '),
    )
    return targets
  } catch (error) {
    if (!(error instanceof FindError)) throw error
    const isFinal = error.condition === 'remote-server-not-found'
    throw new Failure(
      'dns',
      error.message,
      isFinal ? 'theirs' : 'path',
      isFinal ? 'no such server' : undefined,
      troubleOf(error.reason),
    )
  }
}

async function connect(
  targets: readonly Target[],
  { resolver, clock, timeout }: ReachParts,
  signal: AbortSignal,
): Promise<Connected> {
  try {
    return await connectPeer(targets, { resolver, clock, timeout: timeout(), signal })
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error
    throw unconnected(error, targets)
  }
}

/** Whose fault it is: what the configuration names is ours, what DNS names is theirs, and what nobody answers lies between. */
function unconnected({ stage, message, attempts }: ConnectError, [first]: readonly Target[]): Failure {
  const theirs = first?.source === 'override' ? 'ours' : 'theirs'
  if (stage === 'dns') return new Failure(stage, message, theirs, undefined, 'unresolved')
  if (attempts.some(({ outcome }) => outcome === 'refused'))
    return new Failure(stage, message, theirs, undefined, 'refused')
  return new Failure(stage, message, 'path', undefined, 'unreachable')
}

function troubleOf(reason: FindError['reason']): Trouble {
  switch (reason) {
    case 'NXDOMAIN':
    case 'NODATA':
      return 'no such domain'
    case 'no-service':
      return 'no service'
    case 'TIMEOUT':
      return 'dns silent'
    case 'SERVFAIL':
    case 'REFUSED':
    case 'MALFORMED':
      return 'dns failed'
  }
}

async function under(
  { socket, target }: Connected,
  ends: { from: string; to: string },
  tls: ReachParts['tls'],
): Promise<Transport> {
  return target.tls === 'direct' ? tls.direct(socket, ends) : tls.starttls(socket, ends)
}

/** RFC 7673 §3: the certificates that DNS names for a server, when all the way to it is secured. */
async function tlsaOf({ host, port, secure }: Target, resolver: Lookups): Promise<readonly TlsaRecord[]> {
  if (!secure) return []
  try {
    // RFC 7673 §3.2: who does not sign the addresses has no records either, and may fail to say so.
    if (!(await resolver.addresses(host)).secure) return []
    const answer = await resolver.tlsa(`_${port}._tcp.${host}`)
    return answer.secure ? answer.records : []
  } catch (error) {
    if (error instanceof DnsError && !error.temporary) return []
    throw new Failure(
      'dns',
      `whether ${host} has records of its certificate (TLSA) cannot be known: ${(error as Error).message}`,
      'path',
      undefined,
      'dns failed',
    )
  }
}

/** What was tried before, and what is wrong although it works. */
function after({ attempts, target }: Connected): string {
  const failed = attempts.filter(({ outcome }) => outcome !== 'connected' && outcome !== 'cancelled')
  const each = failed.map(
    (attempt) => `${shown(attempt.address ?? attempt.target.host, attempt.target.port)} ${attempt.outcome}`,
  )
  const alias = attempts.find(({ outcome }) => outcome === 'connected')?.alias
  const notes = [
    ...(each.length > 0 ? [`after ${each.join(', ')}`] : []),
    ...(target.source === 'srv' && alias !== undefined
      ? [`SRV names ${target.host}, an alias (CNAME) of ${alias}: RFC 2782 forbids that`]
      : []),
  ]
  return notes.length === 0 ? '' : ` (${notes.join('; ')})`
}

/** XEP-0220 §2.6.2: two domains are at one place when DNS leads to the same host and port. */
function placeOf({ host, port }: Target): string {
  return shown(host, port)
}

function shown(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
