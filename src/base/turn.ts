/** One thing at a time, in the order of asking; at once when nothing is under way. */

import { Queue } from './queue.js'

/** Unlike `Turns` it has one line, and what can be done at once is done before `take` returns. */
export class Turn {
  /** What is under way and takes its time; a word while it is something that does not. */
  #now: Promise<unknown> | 'at once' | undefined = undefined
  readonly #waiting = new Queue<() => void>()
  #goingOn = false

  /** Something is under way. */
  get busy(): boolean {
    return this.#now !== undefined
  }

  /**
   * Runs `run` when all that was asked for before is over, at once if nothing is; settles as it does. What runs must not
   * wait for a turn of its own.
   */
  take<T>(run: () => T | Promise<T>): T | Promise<T> {
    if (!this.#now) return this.#run(run)
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(this.#run(run))
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)))
        }
      })
    })
  }

  #run<T>(run: () => T | Promise<T>): T | Promise<T> {
    this.#now = 'at once'
    try {
      const result = run()
      if (result instanceof Promise) this.#occupy(result)
      return result
    } finally {
      if (this.#now === 'at once') this.#over()
    }
  }

  #occupy(result: Promise<unknown>): void {
    this.#now = result
    const over = () => this.#over()
    result.then(over, over)
  }

  /** In a loop, since thousands may wait with something that does not take its time. */
  #over(): void {
    this.#now = undefined
    if (this.#goingOn) return
    this.#goingOn = true
    while (!this.busy && this.#waiting.length > 0) this.#waiting.shift()!()
    this.#goingOn = false
  }
}

/** Resolves when whatever else is to be done in this round of the event loop is done: for long work in slices. */
export function othersFirst(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
