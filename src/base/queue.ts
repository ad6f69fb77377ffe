/** First in, first out: an array whose front moves, so that taking the first costs the same however many follow. */

export class Queue<T> {
  #items: T[]
  #first = 0

  constructor(items: readonly T[] = []) {
    this.#items = [...items]
  }

  get length(): number {
    return this.#items.length - this.#first
  }

  get first(): T | undefined {
    return this.#items[this.#first]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    if (this.#first === this.#items.length) return undefined
    const item = this.#items[this.#first++]
    if (this.#first === this.#items.length) {
      this.#items = []
      this.#first = 0
    } else if (this.#first > 64 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first)
      this.#first = 0
    }
    return item
  }

  /** Everything, which is no longer in here. */
  takeAll(): T[] {
    const all = this.#items.slice(this.#first)
    this.#items = []
    this.#first = 0
    return all
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = this.#first; i < this.#items.length; i++) yield this.#items[i]!
  }
}
