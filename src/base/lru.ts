/** A map that never grows past its bound: the entry unused for longest goes first. */

export class Lru<K, V> {
  readonly #entries = new Map<K, V>()
  readonly #bound: number

  /** `bound` is the greatest number of entries, at least 1. */
  constructor(bound: number) {
    this.#bound = Math.max(1, bound)
  }

  get size(): number {
    return this.#entries.size
  }

  /** The value of `key`, which thereby counts as used. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key)
    if (value === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }

  /** Keeps `value`; returns the value that had to go for it, if any. */
  set(key: K, value: V): V | undefined {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#bound) return undefined
    const [oldest, dropped] = this.#entries.entries().next().value!
    this.#entries.delete(oldest)
    return dropped
  }

  delete(key: K): boolean {
    return this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }
}
