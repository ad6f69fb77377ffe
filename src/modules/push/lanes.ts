/** Work by destination: so much at a time for each, what is urgent first, and one that is slow delays no other. */

/** What is to be done when it is its turn. */
export interface Task {
  readonly urgent: boolean
  /** Never rejects. */
  run(): Promise<void>
}

interface Lane {
  underWay: number
  urgent: Task[]
  others: Task[]
}

export class Lanes {
  readonly #lanes = new Map<string, Lane>()
  readonly #width: number
  readonly #most: number
  #waiting = 0

  /** `width`: tasks under way in each lane; `most`: tasks that wait, in all. */
  constructor(width: number, most: number) {
    this.#width = width
    this.#most = most
  }

  get waiting(): number {
    return this.#waiting
  }

  /** False: too much waits, and the task is not taken. */
  add(destination: string, task: Task): boolean {
    const lane = this.#lanes.get(destination) ?? { underWay: 0, urgent: [], others: [] }
    if (lane.underWay >= this.#width && this.#waiting >= this.#most) return false
    this.#lanes.set(destination, lane)
    ;(task.urgent ? lane.urgent : lane.others).push(task)
    this.#waiting++
    this.#next(destination, lane)
    return true
  }

  #next(destination: string, lane: Lane): void {
    while (lane.underWay < this.#width) {
      const task = lane.urgent.shift() ?? lane.others.shift()
      if (!task) break
      this.#waiting--
      lane.underWay++
      void task.run().finally(() => {
        lane.underWay--
        this.#next(destination, lane)
      })
    }
    if (lane.underWay === 0) this.#lanes.delete(destination)
  }
}
