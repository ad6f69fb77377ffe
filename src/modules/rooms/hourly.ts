/** How many things happen per hour, for the last day and as far as it was watched: 25 counters, whatever happens. */

const HOUR = 3_600_000
/** Hours that count, besides the one that has begun (XEP-0502 §5). */
const DAY = 24

export class Hourly {
  /** By hour since 1970, modulo their number. */
  readonly #counts = new Uint32Array(DAY + 1)
  /** The hour that is being counted. */
  #hour: number
  /** The first hour that was watched from its beginning. */
  readonly #watched: number

  /** `now` is in milliseconds since 1970. */
  constructor(now: number) {
    this.#hour = hourOf(now)
    this.#watched = this.#hour + 1
  }

  add(now: number): void {
    this.#turn(now)
    this.#counts[this.#hour % (DAY + 1)]! += 1
  }

  /** Per hour, of the hours that are over; undefined before one was watched from its beginning to its end. */
  rate(now: number): number | undefined {
    this.#turn(now)
    const hours = Math.min(DAY, this.#hour - this.#watched)
    if (hours <= 0) return undefined
    let sum = 0
    for (let back = 1; back <= hours; back++) sum += this.#counts[(this.#hour - back) % (DAY + 1)]!
    return sum / hours
  }

  /** A clock that is set back counts on in the hour that has begun. */
  #turn(now: number): void {
    const hour = hourOf(now)
    if (hour <= this.#hour) return
    if (hour - this.#hour > DAY) this.#counts.fill(0)
    else for (let next = this.#hour + 1; next <= hour; next++) this.#counts[next % (DAY + 1)] = 0
    this.#hour = hour
  }
}

function hourOf(at: number): number {
  return Math.floor(at / HOUR)
}
