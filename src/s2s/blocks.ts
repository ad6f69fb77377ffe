/** The domains that nothing is exchanged with, by the will of an admin: kept in the database, known without asking it. */
import type { Clock } from '../base/clock.js'
import type { Counter, Metrics } from '../base/metrics.js'
import type { Block, BlockStore } from '../storage/blocks.js'

export interface BlockListParts {
  readonly store: BlockStore
  readonly clock: Clock
  readonly metrics: Metrics
}

/** Before a domain: this and all below it. */
const BELOW = '*.'

export class BlockList {
  readonly #store: BlockStore
  readonly #clock: Clock
  readonly #refused: Counter
  readonly #blocks = new Map<string, Block>()

  private constructor({ store, clock, metrics }: BlockListParts) {
    this.#store = store
    this.#clock = clock
    const refusals = metrics.counters('blocked_total', 'Stanzas and streams refused by a block list', [
      'list',
    ])
    this.#refused = refusals.of('domains')
  }

  /** @throws StorageUnavailable */
  static async open(parts: BlockListParts): Promise<BlockList> {
    const list = new BlockList(parts)
    await parts.store.removeExpired(parts.clock.now())
    for (const block of await parts.store.all()) list.#blocks.set(block.domain, block)
    return list
  }

  /** Those in force, sorted by domain. */
  all(): readonly Block[] {
    return [...this.#blocks.values()]
      .filter((block) => this.#holds(block))
      .sort((a, b) => (a.domain < b.domain ? -1 : 1))
  }

  /**
   * Holds from now on; replaces the one of the same domain. `domain` is prepared, `*.` before it takes in all below it.
   * @throws StorageUnavailable
   */
  async add(domain: string, { reason, expires }: Pick<Block, 'reason' | 'expires'>): Promise<Block> {
    const block = { domain, reason, since: this.#clock.now(), expires }
    await this.#store.put(block)
    this.#blocks.set(domain, block)
    return block
  }

  /**
   * False when there is none of exactly this domain.
   * @throws StorageUnavailable
   */
  async remove(domain: string): Promise<boolean> {
    await this.#store.removeExpired(this.#clock.now())
    const found = await this.#store.remove(domain)
    this.#blocks.delete(domain)
    return found
  }

  /** The block that a domain falls under now: its own, or one of a domain above it. */
  of(domain: string): Block | undefined {
    if (this.#blocks.size === 0) return undefined
    const own = this.#blocks.get(domain)
    if (own && this.#holds(own)) return own
    for (let rest: string | undefined = domain; rest !== undefined; rest = parentOf(rest)) {
      const above = this.#blocks.get(BELOW + rest)
      if (above && this.#holds(above)) return above
    }
    return undefined
  }

  /** Why nothing is exchanged with a domain, in words for both sides; undefined when it may be. Counts refusals. */
  refusal(domain: string): string | undefined {
    const block = this.of(domain)
    if (!block) return undefined
    this.#refused.add()
    return `${domain} is blocked by this server${block.reason === '' ? '' : `: ${block.reason}`}`
  }

  #holds({ expires }: Block): boolean {
    return expires === undefined || expires > this.#clock.now()
  }
}

function parentOf(domain: string): string | undefined {
  const dot = domain.indexOf('.')
  return dot < 0 ? undefined : domain.slice(dot + 1)
}
