/** Work that keeps its order for each key, while that of other keys goes on: stanzas of one stream by their addressees. */

export class Lanes {
  /** The last piece of work under way, by key. */
  readonly #last = new Map<string, Promise<void>>()

  /** Runs `work` when all before it with that key is done, at once if nothing is. */
  run(key: string, work: () => void | Promise<void>): void | Promise<void> {
    const before = this.#last.get(key)
    const running = before ? before.then(work, work) : work()
    if (!running) return
    const last: Promise<void> = running.finally(() => {
      if (this.#last.get(key) === last) this.#last.delete(key)
    })
    this.#last.set(key, last)
    return last
  }
}
