/** The contract of the store of blocked domains. */

export interface Block {
  /** Prepared; `*.spam.example` is the domain with all below it. */
  readonly domain: string
  /** Empty when none was given. */
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly since: number
  /** Milliseconds since 1970; undefined: until it is removed. */
  readonly expires: number | undefined
}

export interface BlockStore {
  /** Sorted by domain. */
  all(): Promise<Block[]>
  /** Replaces the one of the same domain. */
  put(block: Block): Promise<void>
  /** False when there was none. */
  remove(domain: string): Promise<boolean>
  /** Removes those that expired at `now` or before. */
  removeExpired(now: number): Promise<void>
}
