/** How fast something may happen: a token bucket for traffic, a throttle for failed attempts. Neither keeps timers. */
import type { Clock } from './clock.js'
import { Lru } from './lru.js'

/** Lets `rate` units pass per second and up to `burst` at once; at an infinite rate, `burst` each time. */
export class TokenBucket {
  #level: number
  #at: number

  constructor(
    private readonly rate: number,
    private readonly burst: number,
    private readonly clock: Clock,
  ) {
    this.#level = burst
    this.#at = clock.now()
  }

  /**
   * Takes `n` units whatever the level, since they have happened already, and returns the milliseconds to wait until
   * the debt is paid; 0 when there is none.
   */
  take(n: number): number {
    this.#refill()
    this.#level -= n
    return this.#level >= 0 ? 0 : Math.ceil((-this.#level / this.rate) * 1000)
  }

  /** Takes `n` units if they are there; otherwise takes nothing and returns false. */
  admit(n: number): boolean {
    this.#refill()
    if (this.#level < n) return false
    this.#level -= n
    return true
  }

  #refill(): void {
    const now = this.clock.now()
    if (this.rate === Infinity) this.#level = this.burst
    // A clock set back must not take what was granted.
    else if (now > this.#at)
      this.#level = Math.min(this.burst, this.#level + ((now - this.#at) / 1000) * this.rate)
    this.#at = now
  }
}

export interface ThrottleLimits {
  /** Failures that close the door. */
  readonly failures: number
  /** How long it stays closed, and how long a failure is remembered, in milliseconds. */
  readonly ms: number
}

export interface ThrottleOptions extends Partial<ThrottleLimits> {
  /** Keys remembered at most. Default 100,000. */
  readonly keys?: number
}

interface Failures {
  failures: number
  /** Attempts under way, each of which may fail yet. */
  pending: number
  until: number
  /** Attempts that wait for one of those to end. */
  readonly waiting: ((begun: Attempt | undefined) => void)[]
}

/** Attempts on one key that may wait; more are refused. */
const mostWaiting = 1000

/** One attempt under way. Its first word on how it ended counts, later ones do nothing. */
export interface Attempt {
  failed(): void
  /** Forgets the failures of its key. */
  succeeded(): void
  /** It ended without an answer to whether it was right. */
  withdrawn(): void
}

/**
 * Counts failures by key (default 20 in one hour) and closes the door on a key that fails too often: attempts at the
 * same time are no more than could all fail, the others wait. Bounded: the oldest key is forgotten first.
 */
export class Throttle {
  /** May be replaced: they count from the next attempt on. */
  limits: ThrottleLimits
  readonly #records: Lru<string, Failures>

  constructor(
    private readonly clock: Clock,
    options: ThrottleOptions = {},
  ) {
    this.#records = new Lru(options.keys ?? 100_000)
    this.limits = { failures: options.failures ?? 20, ms: options.ms ?? 3_600_000 }
  }

  /** Keys remembered. */
  get size(): number {
    return this.#records.size
  }

  /** Begins an attempt on `key`, at once or when others have ended; undefined while the door is closed. */
  attempt(key: string): Attempt | undefined | Promise<Attempt | undefined> {
    const record = this.#live(key) ?? this.#remember(key)
    const { failures } = this.limits
    if (record.failures + record.pending < failures) return this.#begin(key, record)
    if (record.failures >= failures || record.waiting.length >= mostWaiting) return undefined
    return new Promise((begun) => record.waiting.push(begun))
  }

  #begin(key: string, record: Failures): Attempt {
    record.pending++
    let over = false
    const end = (count: () => void) => () => {
      if (over) return
      over = true
      record.pending--
      count()
      this.#letIn(key, record)
      // Nearly everybody is right at once: of them nothing is to be remembered.
      if (record.failures === 0 && record.pending === 0 && this.#records.get(key) === record)
        this.#records.delete(key)
    }
    return {
      failed: end(() => {
        record.failures++
        record.until = this.clock.now() + this.limits.ms
      }),
      succeeded: end(() => (record.failures = 0)),
      withdrawn: end(() => {}),
    }
  }

  #letIn(key: string, record: Failures): void {
    const { failures } = this.limits
    while (record.waiting.length > 0) {
      const isShut = record.failures >= failures
      if (!isShut && record.failures + record.pending >= failures) return
      record.waiting.shift()?.(isShut ? undefined : this.#begin(key, record))
    }
  }

  #remember(key: string): Failures {
    const record = { failures: 0, pending: 0, until: this.clock.now() + this.limits.ms, waiting: [] }
    this.#records.set(key, record)
    return record
  }

  #live(key: string): Failures | undefined {
    const record = this.#records.get(key)
    if (!record || record.until > this.clock.now()) return record
    this.#records.delete(key)
    return undefined
  }
}
