/** Time: the real clock, and one that tests wind by hand. The only place that reads Date.now and setTimeout. */

/** A timer that can be wound again or cancelled; it never keeps the process alive. */
export interface Timer {
  /** Starts the full delay again. Has no effect after `cancel`. */
  refresh(): void
  cancel(): void
}

export interface Clock {
  /** Milliseconds since 1970 UTC. */
  now(): number
  /** Runs `run` once after `ms` milliseconds unless cancelled; `Infinity` is never. */
  after(ms: number, run: () => void): Timer
}

class RealTimer implements Timer {
  readonly #handle: NodeJS.Timeout
  #live = true
  constructor(ms: number, run: () => void) {
    this.#handle = setTimeout(run, ms)
    this.#handle.unref()
  }
  refresh(): void {
    if (this.#live) this.#handle.refresh()
  }
  cancel(): void {
    this.#live = false
    clearTimeout(this.#handle)
  }
}

/** The longest delay that Node takes, some 24 days; it fires at once for a longer one. */
const longest = 2 ** 31 - 1

/** A delay of any length, as steps that Node can take. */
class LongTimer implements Timer {
  #step: RealTimer
  #end: number
  constructor(
    readonly ms: number,
    readonly run: () => void,
  ) {
    this.#end = Date.now() + ms
    this.#step = this.#next()
  }
  refresh(): void {
    this.#end = Date.now() + this.ms
  }
  cancel(): void {
    this.#step.cancel()
  }
  #next(): RealTimer {
    return new RealTimer(Math.min(this.#end - Date.now(), longest), () => {
      if (Date.now() >= this.#end) this.run()
      else this.#step = this.#next()
    })
  }
}

export const realClock: Clock = {
  now: () => Date.now(),
  after: (ms, run) => (ms <= longest ? new RealTimer(ms, run) : new LongTimer(ms, run)),
}

/** Resolves after `ms` milliseconds; unlike a timer it keeps the process alive: somebody waits for it. */
export async function pause(clock: Clock, ms: number): Promise<void> {
  const alive = setInterval(() => {}, 1 << 30)
  await new Promise<void>((resolve) => void clock.after(ms, resolve))
  clearInterval(alive)
}

interface Wound {
  due: number
  order: number
  readonly ms: number
  readonly run: () => void
}

/** A clock that stands still until `advance` winds it. Timers due at the same moment fire in the order they were set. */
export class HandClock implements Clock {
  #now: number
  #order = 0
  readonly #waiting = new Set<Wound>()

  constructor(start = Date.UTC(2030, 0, 1)) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): Timer {
    const wound: Wound = { due: this.#now + ms, order: this.#order++, ms, run }
    this.#waiting.add(wound)
    let live = true
    return {
      refresh: () => {
        if (!live) return
        wound.due = this.#now + wound.ms
        wound.order = this.#order++
        this.#waiting.add(wound)
      },
      cancel: () => {
        live = false
        this.#waiting.delete(wound)
      },
    }
  }

  /** Moves time on by `ms` milliseconds, firing each timer at its moment. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      let next: Wound | undefined
      for (const wound of this.#waiting) {
        if (wound.due > end) continue
        if (!next || wound.due < next.due || (wound.due === next.due && wound.order < next.order))
          next = wound
      }
      if (!next) break
      this.#waiting.delete(next)
      this.#now = Math.max(this.#now, next.due)
      next.run()
    }
    this.#now = end
  }
}
