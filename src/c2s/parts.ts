/** What the streams of clients are made of: settings of a configuration, and the parts they share. */
import type { ParkingSettings } from './parking.js'
import type { Clock } from '../base/clock.js'
import type { LimitHits } from '../base/limit-hits.js'
import type { Log } from '../base/log.js'
import type { Counter, Counters, Metrics } from '../base/metrics.js'
import type { Throttle } from '../base/rate.js'
import type { Random } from '../base/random.js'
import type { Host } from '../host/host.js'
import type { Router } from '../router/router.js'
import type { Passwords } from '../sasl/password.js'
import type { ParkedStore } from '../storage/parked.js'
import type { Window } from '../stream/acks.js'
import type { StreamLimits } from '../stream/stream.js'

/** Bytes or stanzas per second, and how many at once. */
export interface Pace {
  readonly rate: number
  readonly burst: number
}

export interface C2sSettings {
  readonly limits: StreamLimits
  /** Undefined: unlimited. */
  readonly bytePace: Pace | undefined
  readonly stanzaPace: Pace | undefined
  /** Failed authentications until the stream ends (RFC 6120 §6.4.5). */
  readonly failuresPerStream: number
  /** What may be sent to a client that acknowledges stanzas until it does (XEP-0198). */
  readonly window: Window
  /** Sessions that outlive their streams. */
  readonly parking: ParkingSettings
  /** Where clients should reconnect to resume, if somewhere else than where they came (XEP-0198 §5). */
  readonly location: string | undefined
  /** Names of the mechanisms in use. */
  readonly mechanisms: readonly string[]
  /** Names of the mechanisms in use that take a token (XEP-0484). */
  readonly tokenMechanisms: readonly string[]
  /** Milliseconds that a token is good for; 0: there are none. */
  readonly tokenLifetime: number
  /** Milliseconds of silence until a client is pinged, and until it is given up after that. */
  readonly pingAfter: number
  readonly pingTimeout: number
}

export interface C2sParts {
  readonly hosts: ReadonlyMap<string, Host>
  readonly router: Router
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Logins by mechanism and result. */
  readonly authResults: Counters
  /** Attempts to resume a session, by result. */
  readonly resumptions: Counters
  readonly metrics: Metrics
  /** Where sessions wait that a stop interrupts. */
  readonly store: ParkedStore
  readonly hits: LimitHits
  /** Logins refused after too many failures. */
  readonly ratelimited: Counter
  /** Tokens given to clients. */
  readonly tokens: Counter
  /** Asked for each new connection, so that a reload counts from the next one on. */
  readonly settings: () => C2sSettings
  /** At least 32 bytes that stay the same over restarts: salts for accounts that do not exist. */
  readonly secret: Buffer
  /** The bare addresses that the certificates of a client, in DER, vouch for. */
  readonly identify: ((chain: readonly Buffer[]) => readonly string[]) | undefined
  readonly passwords: Pick<Passwords, 'iterations' | 'verify' | 'deriveKeys'>
  /** Failed logins by address and account. */
  readonly throttle: Throttle
  /** Whether a new login can be served now (memory guard). */
  readonly overloaded: () => boolean
}
