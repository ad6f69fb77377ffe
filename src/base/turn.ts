/** One thing at a time, in the order of asking; at once when nothing is under way. */

interface Waiting {
  readonly run: () => void
}

/** Unlike `Turns` it has one line, and what can be done at once is done before `take` returns. */
export class Turn {
  #busy = false
  #waiting: Waiting[] = []

  /** Something is under way. */
  get busy(): boolean {
    return this.#busy
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Runs `run` when all that was asked for before is over; gives or throws what it does, at once if nobody waits. */
  take<T>(run: () => T | Promise<T>): T | Promise<T> {
    if (this.#busy)
      return new Promise<T>((resolve, reject) => {
        this.#waiting.push({
          run: () => {
            try {
              const result = run()
              if (result instanceof Promise) this.#occupy(result)
              resolve(result)
            } catch (error) {
              // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- what was thrown, as it is
              reject(error)
            }
          },
        })
      })
    this.#busy = true
    let result: T | Promise<T>
    try {
      result = run()
    } catch (error) {
      this.#next()
      throw error
    }
    if (result instanceof Promise) this.#occupy(result)
    else this.#next()
    return result
  }

  #occupy(result: Promise<unknown>): void {
    this.#pending = result
    const over = () => {
      this.#pending = undefined
      this.#next()
    }
    result.then(over, over)
  }
  #pending: Promise<unknown> | undefined

  #next(): void {
    while (!this.#pending) {
      const first = this.#waiting.shift()
      if (!first) {
        this.#busy = false
        return
      }
      first.run()
    }
  }
}

/** Resolves when whatever else is to be done in this round of the event loop is done: for long work in slices. */
export function othersFirst(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
