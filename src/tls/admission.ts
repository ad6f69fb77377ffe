/** How many strangers one network address may bring: connections that have not authenticated yet. */
import type { Clock } from '../base/clock.js'
import { Lru } from '../base/lru.js'
import { networkOf } from '../base/network.js'
import { TokenBucket } from '../base/rate.js'

export interface AdmissionLimits {
  /** Connections of one address open before they are authenticated. Default 50. */
  readonly open?: number
  /** New connections of one address per second in the long run. Default 20. */
  readonly rate?: number
  /** New connections of one address at once. Default 100. */
  readonly burst?: number
}

/** One address at our door. Held by its connections; forgotten with the last of them or when 100,000 others came later. */
export class Visitor {
  open = 0
  constructor(readonly bucket: TokenBucket) {}
}

export class Admission {
  #visitors = new Lru<string, Visitor>(100_000)
  #limits: AdmissionLimits

  constructor(
    private readonly clock: Clock,
    limits: AdmissionLimits = {},
  ) {
    this.#limits = limits
  }

  /** Addresses remembered. */
  get size(): number {
    return this.#visitors.size
  }

  /** Everybody begins anew under new limits; who is there already is no longer counted. */
  set limits(limits: AdmissionLimits) {
    this.#limits = limits
    this.#visitors = new Lru(100_000)
  }

  /** Counts a connection from `address`, or says why it must go. To be undone by `open--` once, when it is no stranger any more. */
  admit(address: string): Visitor | 'too many open' | 'too many new' {
    const { open = 50, rate = 20, burst = 100 } = this.#limits
    const key = networkOf(address)
    let visitor = this.#visitors.get(key)
    if (!visitor) {
      visitor = new Visitor(new TokenBucket(rate, burst, this.clock))
      this.#visitors.set(key, visitor)
    }
    if (visitor.open >= open) return 'too many open'
    if (!visitor.bucket.admit(1)) return 'too many new'
    visitor.open++
    return visitor
  }
}
