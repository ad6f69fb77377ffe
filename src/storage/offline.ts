/** The contract of the offline store: messages that wait for an account to come back (XEP-0160). */
import type { Arrival } from '../stanza/arrival.js'

export interface OfflineMessage {
  /** Grows with every message of an account. */
  readonly id: number
  readonly stanza: string
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface OfflineLimits {
  /** Messages per account, default 1,000. */
  readonly messages: number
  /** UTF-8 bytes of stanzas per account, default 10 MiB. */
  readonly bytes: number
}

/** Milliseconds for which messages of other servers are recognised at least. */
export const arrivalsKept = 24 * 60 * 60 * 1000

export const offlineLimits: OfflineLimits = { messages: 1000, bytes: 10 * 1024 * 1024 }

export interface OfflineStore {
  /** Messages of all accounts, for metrics: what other processes and removed accounts change is seen some minutes later. */
  readonly queued: number
  /**
   * Resolves once the message is durable. Messages of one account keep the order in which they were given.
   * 'full': it was not stored, because the account is at a limit (or gone). 'known': it was not stored, because it is
   * a message of another server that was sent again, and that had been stored within the last 24 hours.
   */
  append(account: number, stanza: string, at: number, arrival?: Arrival): Promise<'stored' | 'full' | 'known'>
  /** At most `limit` messages whose id is above `after`, oldest first. */
  read(account: number, after: number, limit: number): Promise<OfflineMessage[]>
  /** Removes the messages up to and including `id`: those that were read. A message that came later stays. */
  removeThrough(account: number, id: number): Promise<void>
  count(account: number): Promise<number>
  clear(account: number): Promise<void>
}
