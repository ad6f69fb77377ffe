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
  until: number
}

/** Counts failures by key (default 20 in one hour) and closes the door on a key that fails too often. Bounded: the oldest key is forgotten first. */
export class Throttle {
  /** May be replaced: they count from the next failure on. */
  limits: ThrottleLimits
  readonly #records: Lru<string, Failures>

  constructor(
    private readonly clock: Clock,
    options: ThrottleOptions = {},
  ) {
    this.#records = new Lru(options.keys ?? 100_000)
    this.limits = { failures: options.failures ?? 20, ms: options.ms ?? 3_600_000 }
  }

  /** Milliseconds until `key` may try again; 0 when it may now. */
  wait(key: string): number {
    const record = this.#live(key)
    return record && record.failures >= this.limits.failures ? record.until - this.clock.now() : 0
  }

  /** Counts a failure of `key`. One while the door is closed does not keep it closed for longer. */
  failed(key: string): void {
    const record = this.#live(key)
    if (!record) this.#records.set(key, { failures: 1, until: this.clock.now() + this.limits.ms })
    else if (record.failures < this.limits.failures) {
      record.failures++
      record.until = this.clock.now() + this.limits.ms
    }
  }

  /** Forgets the failures of `key`: it has succeeded, or the admin lets it in again. */
  forgive(key: string): void {
    this.#records.delete(key)
  }

  #live(key: string): Failures | undefined {
    const record = this.#records.get(key)
    if (!record || record.until > this.clock.now()) return record
    this.#records.delete(key)
    return undefined
  }
}
