/** Whom one account has blocked, and whom that concerns (XEP-0191 §6). */
import type { Jid } from '../../stanza/jid.js'

/** Never changed, only replaced. */
export class Blocklist {
  static readonly empty = new Blocklist(new Map())
  readonly #items: ReadonlyMap<string, Jid>

  private constructor(items: ReadonlyMap<string, Jid>) {
    this.#items = items
  }

  static of(jids: Iterable<Jid>): Blocklist {
    const items = new Map([...jids].map((jid) => [jid.toString(), jid]))
    return items.size === 0 ? Blocklist.empty : new Blocklist(items)
  }

  /** In the order of blocking. */
  get items(): readonly Jid[] {
    return [...this.#items.values()]
  }

  get size(): number {
    return this.#items.size
  }

  with(jids: readonly Jid[]): Blocklist {
    return Blocklist.of([...this.#items.values(), ...jids])
  }

  without(jids: readonly Jid[]): Blocklist {
    const gone = new Set(jids.map(String))
    return Blocklist.of(this.items.filter((jid) => !gone.has(jid.toString())))
  }

  /**
   * Whether what comes from or goes to `other` is blocked. XEP-0191 §6: by the address itself; by the bare one, for any
   * resource; by the domain, for all that is on it.
   */
  blocks(other: Jid): boolean {
    const items = this.#items
    if (items.size === 0) return false
    if (items.has(other.toString())) return true
    if (!other.isBare && items.has(other.bare.toString())) return true
    return other.local !== '' && items.has(other.domain)
  }

  /** For a store. */
  toJSON(): readonly string[] {
    return [...this.#items.keys()]
  }
}
