/** What becomes of each stanza, counted: exactly one ending for each that comes onto the road (P2 of the limits: in = sum of endings). */
import type { Counter, Metrics } from '../base/metrics.js'
import type { Kind } from '../stanza/stanza.js'

const OUTCOMES = ['delivered', 'kept', 'answered', 'bounced', 'elsewhere'] as const

/** The rules by which a stanza is dropped without a word. */
const DROPS = [
  /** It has no `to` where it needs one. */
  'no_address',
  /** RFC 6121 §8.5.1: presence for an account that does not exist. */
  'no_account',
  /** RFC 6121 §8.5.2, §8.5.3: no resource is there for it, and its kind is not kept. */
  'no_resource',
  /** XEP-0160 §3, XEP-0334 §4: a message that is worth nothing later, or asks not to be stored. */
  'not_kept',
  /** XEP-0191 §3.3: its sender is blocked, and gets no answer. */
  'silenced',
  /** RFC 6120 §8.3.1: it cannot go on, and nobody may be told. */
  'unanswerable',
  /** An answer that nobody waits for. */
  'not_asked',
  /** Presence for the domain itself. */
  'host_presence',
  /** RFC 6121 §4.5.2, §A: presence that changes nothing. */
  'no_change',
  /** Its sender has left meanwhile. */
  'sender_gone',
] as const

export type Ending = (typeof OUTCOMES)[number] | (typeof DROPS)[number]

/** How a stanza ended, or that it goes on along the road and ends there. */
export type Fate = Ending | 'onward'

/** How a message was delivered. */
export type Path = 'live' | 'offline' | 'error'

export class Endings {
  readonly #counters: Readonly<Record<Ending, readonly Counter[]>>
  readonly #paths: Readonly<Record<Path, Counter>>

  constructor(metrics: Metrics) {
    const outcomes = metrics.counters('stanza_outcomes_total', 'Stanzas by what became of them', ['outcome'])
    const dropped = metrics.counters('stanza_dropped_total', 'Stanzas that were dropped, by the rule', [
      'reason',
    ])
    this.#counters = Object.fromEntries([
      ...OUTCOMES.map((outcome) => [outcome, [outcomes.of(outcome)]] as const),
      ...DROPS.map((rule) => [rule, [outcomes.of('dropped'), dropped.of(rule)]] as const),
    ]) as Record<Ending, readonly Counter[]>
    const paths = metrics.counters(
      'message_delivery_total',
      'Messages to a resource at once (live), to the offline store (offline), and back to their sender (error)',
      ['path'],
    )
    this.#paths = { live: paths.of('live'), offline: paths.of('offline'), error: paths.of('error') }
  }

  add(ending: Ending): void {
    for (const counter of this.#counters[ending]) counter.add()
  }

  /** How a stanza went that is a message. */
  went(kind: Kind, path: Path): void {
    if (kind === 'message') this.#paths[path].add()
  }
}
