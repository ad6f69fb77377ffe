/** What the conductor asks of a generator process and what it gets back, as JSON. */
import { loopTick } from '../../../src/base/metrics.js'
import type { Cost } from './meter.js'
import { costOf } from './meter.js'

export type LoadName =
  | 'login-sha1'
  | 'login-sha256'
  | 'login-fast'
  | 'resume'
  | 'closed'
  | 'managed'
  | 'windowed'
  | 'presence'
  | 'carbons'
  | 'pep'
  | 'offline'
  | 'idle'
  | 'open'
  | 'crowd'
  | 'archive'
  | 'pages'
  | 's2s'
  | 'flood'
  | 'room100'
  | 'room500'
  | 'room1000'
  | 'join500'
  | 'rooms10000'

export interface Job {
  readonly load: LoadName
  readonly port: number
  readonly domain: string
  /** `lines` is the relay's framing, which knows nothing of XMPP. */
  readonly framing: 'xmpp' | 'lines'
  /** Roots of the server's process tree. */
  readonly processes: readonly number[]
  /** A second server, which the first one speaks with. */
  readonly far?: Far | undefined
  /** Where the server takes streams of other servers. */
  readonly federationPort?: number | undefined
  /** Where the server tells its event loop's delay, when it does. */
  readonly metrics?: string | undefined
  readonly runs: number
  readonly seconds: number
  readonly quick: boolean
}

export interface Far {
  readonly port: number
  readonly domain: string
  readonly processes: readonly number[]
}

/** One value per run under each name. */
export type Figures = Record<string, number[]>

export interface Outcome {
  readonly figures: Figures
  /** Messages sent and never seen: must be 0. */
  readonly lost: number
}

/** Measures the server over a stretch of work. */
export class Stopwatch {
  readonly #job: Job
  readonly #start: Cost
  readonly #farStart: Cost
  readonly #at = performance.now()

  private constructor(job: Job) {
    this.#job = job
    this.#start = costOf(job.processes)
    this.#farStart = costOf(job.far?.processes ?? [])
  }

  /** Reading the metrics once empties the server's histogram of loop delays. */
  static async start(job: Job): Promise<Stopwatch> {
    await loopDelay(job)
    return new Stopwatch(job)
  }

  /** Adds this stretch to the figures: CPU per unit of work, units per second, the loop's delay. */
  async stop(figures: Figures, units: number): Promise<void> {
    const seconds = (performance.now() - this.#at) / 1000
    const { cpu, database } = costOf(this.#job.processes)
    add(figures, 'cpu', (cpu - this.#start.cpu) / units)
    const { far } = this.#job
    if (far) add(figures, 'far', (costOf(far.processes).cpu - this.#farStart.cpu) / units)
    if (database > 0) add(figures, 'database', (database - this.#start.database) / units)
    add(figures, 'rate', units / seconds)
    const delay = await loopDelay(this.#job)
    if (delay !== undefined) add(figures, 'loop', delay)
  }
}

export function add(figures: Figures, name: string, value: number): void {
  figures[name] ??= []
  figures[name].push(value)
}

/** Milliseconds, the 99th percentile since the last reading. */
async function loopDelay(job: Job): Promise<number | undefined> {
  if (!job.metrics) return undefined
  const text = await (await fetch(job.metrics)).text()
  const seconds = /^\w*nodejs_eventloop_lag_p99_seconds(?:\{[^}]*\})? (\S+)/m.exec(text)?.[1]
  return seconds === undefined ? undefined : Math.max(0, Number(seconds) * 1000 - loopTick)
}

/** Latencies in milliseconds, at most two million of them. */
export class Latencies {
  readonly #values = new Float64Array(1 << 21)
  #count = 0

  add(value: number): void {
    if (this.#count < this.#values.length) this.#values[this.#count++] = value
  }

  reset(): void {
    this.#count = 0
  }

  quantile(part: number): number {
    const sorted = this.#values.slice(0, this.#count).sort()
    return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
