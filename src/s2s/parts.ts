/** What the streams between servers share: settings, who is let in, how peers are reached. */
import type { DialbackKeys } from './dialback.js'
import type { Stage } from './facts.js'
import type { Lanes } from './lanes.js'
import type { Managing } from './management.js'
import type { Clock } from '../base/clock.js'
import type { LimitHits } from '../base/limit-hits.js'
import type { Log } from '../base/log.js'
import type { Metrics } from '../base/metrics.js'
import type { Random } from '../base/random.js'
import type { S2sPolicy } from '../config/server.js'
import type { Host } from '../host/host.js'
import type { Router } from '../router/router.js'
import type { OutboundStore } from '../storage/outbound.js'
import type { StreamLimits } from '../stream/stream.js'
import type { Transport } from '../stream/transport.js'
import type { TlsaRecord } from '../tls/dane.js'

export interface S2sSettings {
  readonly limits: StreamLimits
  /** Bytes per second of one stream, and how many at once; undefined: unlimited. */
  readonly pace: { readonly rate: number; readonly burst: number } | undefined
  /** Pairs of domains that may be authenticated, or waiting for it, on one stream. */
  readonly domains: number
  /** Call backs under way at once for one stream; more wait. */
  readonly dialbacks: number
  /** Streams in both directions together. */
  readonly streams: number
  /** Stanzas that wait for one pair of domains, and their bytes. */
  readonly queue: number
  readonly queueBytes: number
  /** Milliseconds. */
  readonly retryMax: number
  readonly messageTimeout: number
  readonly iqTimeout: number
  readonly connectTimeout: number
  readonly idle: number
  policy(remote: string): S2sPolicy
}

/** Whether the certificate of a connection is one for a domain; `text` says what is wrong with it. */
export type Certified = { readonly ok: true } | { readonly ok: false; readonly text: string }

/** A connection to a server of a domain; before TLS, unless its first byte was TLS already. */
export interface Reached {
  readonly transport: Transport
  /** Host and port. */
  readonly place: string
  /** What secured DNS says of the certificates there (RFC 7673); empty: nothing. */
  readonly tlsa?: readonly TlsaRecord[]
}

/** There is no need for another connection. */
export class Shared extends Error {}

/** Whether the peer's certificates are for a domain. `tlsa` as of `Reached`. */
export type Certify = (transport: Transport, domain: string, tlsa?: readonly TlsaRecord[]) => Certified

/**
 * Finds the server of `remote` and connects to it, presenting itself as `local` where TLS comes first. `told` hears
 * which step is under way, or done when there is a text to it. Rejects with `Failure`.
 */
export type Reach = (
  local: string,
  remote: string,
  using: {
    readonly signal: AbortSignal
    readonly told: (stage: Stage, text?: string) => void
    /** Whether there is a stream to this place, host and port, that will do; then `reach` rejects with `Shared`. */
    readonly taken: (place: string) => boolean
  },
) => Promise<Reached>

export interface S2sParts {
  /** Whether a new stream cannot be served now (memory guard). */
  readonly overloaded: () => boolean
  /** A domain of ours, for those who name none. */
  readonly domain: string
  /** Whether a domain is served here, by ourselves or by a component. */
  serves(domain: string): boolean
  readonly router: Router
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly hits: LimitHits
  /** Asked at each stream and attempt, so that a reload counts from the next one on. */
  readonly settings: () => S2sSettings
  readonly keys: DialbackKeys
  /** Our own domains, without those of components. */
  readonly hosts: ReadonlyMap<string, Host>
  readonly outbound: OutboundStore
  readonly managing: Managing
  /** Stanzas from other servers keep their order between each two. */
  readonly lanes: Lanes
  readonly reach: Reach
  readonly certify: Certify
  /** A stream for these two domains broke that was not closed in order: what was on its way may be lost. */
  broke(local: string, remote: string): void
  /** Stanzas can flow between these two domains, in one direction at least. */
  opened(local: string, remote: string): void
  /** Why nothing is exchanged with a domain, if that is so. */
  blocked(remote: string): string | undefined
}

/** Why a domain gets no stream and no stanza, in words for both sides; undefined when it may. */
export function refusalOf({ blocked, settings }: Pick<S2sParts, 'blocked' | 'settings'>, remote: string) {
  return (
    blocked(remote) ??
    (settings().policy(remote) === 'blocked'
      ? `This server does not exchange anything with ${remote}`
      : undefined)
  )
}
