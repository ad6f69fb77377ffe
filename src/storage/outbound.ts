/** The contract of the outbound store: messages on their way to other servers, until these have acknowledged them. */

export interface OutboundMessage {
  /** Our domain that it is from, and the other that it is for. */
  readonly sender: string
  readonly target: string
  readonly stanza: string
  /** When it came to us, in milliseconds since 1970. */
  readonly at: number
}

export interface StoredOutbound extends OutboundMessage {
  /** Grows with every message of a pair of domains. */
  readonly id: number
}

export interface OutboundStore {
  /**
   * Resolves with its id once the message is durable. Messages of one pair keep the order in which they were given.
   * Rejects with StorageUnavailable.
   */
  append(message: OutboundMessage): Promise<number>
  /** Resolves once the message is gone for good. Rejects with StorageUnavailable; then it may still be there. */
  remove(id: number): Promise<void>
  /** At most `limit` messages whose id is above `after`, in order of id. */
  read(after: number, limit: number): Promise<StoredOutbound[]>
}
