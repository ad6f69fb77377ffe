/** A map that never grows past its bound: the entry unused for longest goes first. */

/**
 * A ring of entries in order of use, and a map into it. Not the order of a Map alone: one that loses its first entry
 * again and again steps over the gaps of those before, which costs 100 µs in a map of 100,000.
 */
export class Lru<K, V> {
  readonly #entries = new Map<K, Entry<K, V>>()
  readonly #bound: number
  /** Between the entry used last (`before`) and the one unused for longest (`after`). */
  readonly #seam: Link<K, V>

  /** `bound` is the greatest number of entries, at least 1. */
  constructor(bound: number) {
    this.#bound = Math.max(1, bound)
    const seam = {} as Link<K, V>
    seam.before = seam
    seam.after = seam
    this.#seam = seam
  }

  get size(): number {
    return this.#entries.size
  }

  /** The value of `key`, which thereby counts as used. */
  get(key: K): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    unlink(entry)
    this.#append(entry)
    return entry.value
  }

  /** Keeps `value`; returns the value that had to go for it, if any. */
  set(key: K, value: V): V | undefined {
    const there = this.#entries.get(key)
    if (there) {
      there.value = value
      unlink(there)
      this.#append(there)
      return undefined
    }
    const entry = { key, value, before: this.#seam, after: this.#seam }
    this.#entries.set(key, entry)
    this.#append(entry)
    if (this.#entries.size <= this.#bound) return undefined
    const oldest = this.#seam.after as Entry<K, V>
    unlink(oldest)
    this.#entries.delete(oldest.key)
    return oldest.value
  }

  delete(key: K): boolean {
    const entry = this.#entries.get(key)
    if (!entry) return false
    unlink(entry)
    return this.#entries.delete(key)
  }

  /** All values, without counting them as used. */
  *values(): Generator<V> {
    for (const { value } of this.#entries.values()) yield value
  }

  clear(): void {
    this.#entries.clear()
    this.#seam.before = this.#seam
    this.#seam.after = this.#seam
  }

  #append(entry: Entry<K, V>): void {
    const last = this.#seam.before
    entry.before = last
    entry.after = this.#seam
    last.after = entry
    this.#seam.before = entry
  }
}

interface Link<K, V> {
  before: Entry<K, V> | Link<K, V>
  after: Entry<K, V> | Link<K, V>
}

interface Entry<K, V> extends Link<K, V> {
  readonly key: K
  value: V
}

function unlink<K, V>(entry: Entry<K, V>): void {
  entry.before.after = entry.after
  entry.after.before = entry.before
}
