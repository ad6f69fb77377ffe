/** What is under way in a load: counted when it leaves and when it arrives, timed by the moment it carries. */
import { add, Latencies, sleep, Stopwatch, type Figures, type Job, type Outcome } from './job.js'

const drainDeadline = 20_000
const words = 'The quick brown fox jumps over the lazy dog while the rain stays mainly in the plain. '.repeat(
  6,
)

export interface Beside {
  /** Since it was asked last. */
  figures(): Promise<Readonly<Record<string, number>>>
}

export class Traffic {
  sent = 0
  got = 0
  /** More may be sent. */
  going = true
  #error: Error | undefined
  readonly #latencies = new Latencies()

  /** For `onEnd` of clients: the first one that ends too early ends the load. */
  readonly failed = (error: Error): void => void (this.#error ??= error)

  /** Where an element holds the moment of its sending, or -1. */
  momentIn(text: string, start: number, end: number): number {
    const at = text.indexOf('@@', start)
    return at < end ? at : -1
  }

  /** Counts what holds its moment at this place. */
  arrived(text: string, at: number): void {
    this.got++
    this.#latencies.add(performance.now() - Number.parseFloat(text.slice(at + 2, at + 16)))
  }

  /** Measures what arrives, in stretches. `p50`: the median latency, too; `beside`: what else is measured meanwhile. */
  async measure(job: Job, warmSeconds: number, more: 'p50' | '' = '', beside?: Beside): Promise<Figures> {
    const figures: Figures = {}
    await sleep(warmSeconds * 1000)
    for (let run = 0; run < job.runs && !this.#error; run++) {
      const watch = await Stopwatch.start(job)
      const before = this.got
      this.#latencies.reset()
      await beside?.figures()
      await sleep(job.seconds * 1000)
      await watch.stop(figures, this.got - before)
      if (more === 'p50') add(figures, 'p50', this.#latencies.quantile(0.5))
      add(figures, 'p99', this.#latencies.quantile(0.99))
      for (const [name, value] of Object.entries((await beside?.figures()) ?? {})) add(figures, name, value)
    }
    this.going = false
    return figures
  }

  /** Waits for what is under way. Throws the error of a client that has ended. */
  async drained(): Promise<number> {
    const deadline = performance.now() + drainDeadline
    while (this.got < this.sent && !this.#error && performance.now() < deadline) await sleep(20)
    if (this.#error) throw this.#error
    return this.sent - this.got
  }

  /** Measures, waits for what is under way, and lets everybody leave. */
  async outcome(job: Job, warmSeconds: number, leave: () => Promise<unknown>): Promise<Outcome> {
    const figures = await this.measure(job, warmSeconds)
    const lost = await this.drained()
    await leave()
    return { figures, lost }
  }
}

/** So many bytes that open with the moment of sending, and a tag. */
export function stamped(bytes: number, tag = ''): string {
  const mark = `@@${performance.now().toFixed(2)} ${tag}`
  return mark + words.slice(0, bytes - mark.length)
}
