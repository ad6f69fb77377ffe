/** Work that keeps its order for each key, while that of other keys goes on: stanzas by who says them to whom. */

export class Lanes {
  /** The last piece of work under way, by key. */
  readonly #last = new Map<string, Promise<void>>()

  /** Runs `work` when all before it with that key is done, at once if nothing is under way. */
  run(keyOf: () => string, work: () => void | Promise<void>): void | Promise<void> {
    const before = this.#last.size > 0 ? this.#last.get(keyOf()) : undefined
    const running = before ? before.then(work, work) : work()
    if (!running) return
    const key = keyOf()
    const last: Promise<void> = running.finally(() => {
      if (this.#last.get(key) === last) this.#last.delete(key)
    })
    this.#last.set(key, last)
    return last
  }
}
