/** The contract of the store of parked sessions: those of clients that a stop interrupts, until they go on or end. */

export interface ParkedSession {
  /** What its client resumes it by. */
  readonly id: string
  readonly domain: string
  readonly account: number
  /** When it ends, in milliseconds since 1970. */
  readonly until: number
  /** JSON: what the session was. */
  readonly state: string
  /** JSON: what it holds, in order. */
  readonly queue: string
}

export interface StoredParked extends ParkedSession {
  /** It was claimed by a process that did not get to its end: what it held since is not in here. */
  readonly stale: boolean
}

export interface ParkedStore {
  /** Resolves once all are durable; one with a known id replaces the other. Rejects with StorageUnavailable. */
  save(sessions: readonly ParkedSession[]): Promise<void>
  /** At most `limit` sessions whose id is behind `after`, in order of id. */
  read(after: string, limit: number): Promise<StoredParked[]>
  /** From here on all that are there are stale for who reads. Resolves once that is durable. */
  claim(): Promise<void>
  /** Resolves once they are gone for good. Rejects with StorageUnavailable; then they may still be there. */
  remove(ids: readonly string[]): Promise<void>
}
