/** A stream that takes stanzas of one pair of domains: one that we opened, or the way back of one that the peer did. */
import type { Failure, LinkAuth } from './facts.js'
import type { Resumable } from './management.js'
import type { Parcel } from './outbox.js'
import type { Certified } from './parts.js'
import type { StreamError } from '../stream/errors.js'
import type { Stream } from '../stream/stream.js'

export interface CarrierOwner {
  /** Told once. `failure` when it ended before its time, undefined when the peer or we were done with it. */
  ended(failure: Failure | undefined): void
  /** A slow peer has caught up, or has acknowledged something. */
  drained(): void
}

export interface Carrier {
  /** When it was opened, in milliseconds since 1970. */
  readonly since: number
  /** Whether it takes stanzas. */
  readonly isReady: boolean
  /** Whether it is ours and brings stanzas too (XEP-0288). */
  readonly isBidirectional?: boolean
  /** Of a stream of ours: whether the peer's certificate is for its domain. */
  readonly certified?: Certified
  /** Undefined before there is a connection. */
  readonly stream: Stream | undefined
  readonly auth: LinkAuth | undefined
  /** Whether the peer acknowledges stanzas (XEP-0198). */
  readonly confirms: boolean
  /** How far it has acknowledged; undefined when nothing is open. */
  readonly progress: number | undefined
  /** What another stream may go on from, once this one broke; undefined when there is nothing to go on with. */
  readonly resumable: Resumable | undefined
  /** Proves our domain. Resolves when it takes stanzas; rejects with `Failure`, of which the owner has heard then. */
  authenticate(): Promise<LinkAuth>
  /** False: the peer is slow, keep the rest back until `drained`. */
  send(parcel: Parcel): boolean
  /** Asks the peer how far it is. */
  ask(): void
  /** We are done with it; with an error the whole stream ends. */
  close(error?: StreamError): void
}
