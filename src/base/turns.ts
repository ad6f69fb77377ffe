/** One thing at a time for each key, in the order of asking; different keys do not wait for each other. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Keys with something under way. */
  get size(): number {
    return this.#last.size
  }

  /** Runs `run` when everything asked for this key before is settled; settles as it does. */
  take<T>(key: string, run: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key)
    const turn = before ? before.then(run, run) : run()
    this.#last.set(key, turn)
    const leave = () => {
      if (this.#last.get(key) === turn) this.#last.delete(key)
    }
    turn.then(leave, leave)
    return turn
  }
}
