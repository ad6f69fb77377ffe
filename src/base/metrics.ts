/** Counters, gauges and histograms, cheap to add to, and their text form for Prometheus. */
import { collectDefaultMetrics, Registry } from 'prom-client'

/** Milliseconds between the ticks whose distance is told as the event loop's lag: what is above them is delay. */
export const loopTick = 20

/** Only ever grows. */
export interface Counter {
  add(amount?: number): void
  readonly value: number
}

/** A counter per combination of label values. */
export interface Counters {
  /** Keep the result where it is used often. Past 1,000 combinations everything new counts as `other`. */
  of(...values: string[]): Counter
}

export interface Gauge {
  set(value: number): void
  add(amount?: number): void
  readonly value: number
}

export interface Histogram {
  /** Seconds or bytes, as the name says. */
  observe(value: number): void
}

/** A histogram per value of one label. */
export interface Histograms {
  /** Keep the result where it is used often. Past 1,000 values everything new counts as `other`. */
  of(value: string): Histogram
}

/** What a gauge read at scrape time gives: a number, or one per combination of label values. */
export type Reading = number | Iterable<readonly [readonly string[], number]>

/** All metrics of one process. Names get the prefix `parley_`; asking twice for a name gives the same metric. */
export class Metrics {
  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8'
  readonly #families = new Map<string, Family>()
  readonly #node: Registry | undefined

  /** With `node`, the metrics of Node itself are there too: event-loop lag, heap, garbage collection, handles. */
  constructor(from: { node?: boolean } = {}) {
    if (!from.node) return
    this.#node = new Registry()
    collectDefaultMetrics({ register: this.#node, eventLoopMonitoringPrecision: loopTick })
  }

  counter(name: string, help: string): Counter {
    return this.#family('counter', name, help, []).cell([])
  }
  counters(name: string, help: string, labels: readonly string[]): Counters {
    const family = this.#family('counter', name, help, labels)
    return { of: (...values) => family.cell(values) }
  }
  gauge(name: string, help: string): Gauge {
    return this.#family('gauge', name, help, []).cell([])
  }
  /** A gauge whose value is asked for when somebody looks. */
  watch(name: string, help: string, read: () => Reading, labels: readonly string[] = []): void {
    this.#family('gauge', name, help, labels).read = read
  }
  /** `bounds` are the upper ends of the buckets, ascending. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const family = this.#family('histogram', name, help, [])
    family.buckets ??= new Buckets(bounds)
    return family.buckets
  }

  histograms(name: string, help: string, bounds: readonly number[], label: string): Histograms {
    const family = this.#family('histogram', name, help, [label])
    return { of: (value) => family.bucketsOf(value, bounds) }
  }

  /** The value of a counter or gauge, for tests and the command line; undefined when there is none. */
  valueOf(name: string, ...labels: string[]): number | undefined {
    return this.#families.get(`parley_${name}`)?.find(labels)
  }

  /** The text that Prometheus reads. */
  async text(): Promise<string> {
    const own = [...this.#families.values()].map((family) => family.text()).join('')
    return this.#node ? own + (await this.#node.metrics()) : own
  }

  #family(kind: Kind, name: string, help: string, labels: readonly string[]): Family {
    const full = `parley_${name}`
    const there = this.#families.get(full)
    if (there) {
      if (there.kind !== kind || there.labels.length !== labels.length)
        throw new Error(`metric ${full} is already a ${there.kind} with ${there.labels.length} labels`)
      return there
    }
    if (!/^parley_[a-z][a-z0-9_]*$/.test(full)) throw new Error(`metric ${full}: not a metric name`)
    const family = new Family(kind, full, help, labels)
    this.#families.set(full, family)
    return family
  }
}

type Kind = 'counter' | 'gauge' | 'histogram'
const maxCells = 1000

class Cell implements Counter, Gauge {
  value = 0
  add(amount = 1): void {
    this.value += amount
  }
  set(value: number): void {
    this.value = value
  }
}

class Family {
  read: (() => Reading) | undefined
  buckets: Buckets | undefined
  readonly #byLabel = new Map<string, Buckets>()
  readonly #cells = new Map<string, { readonly values: readonly string[]; readonly cell: Cell }>()

  constructor(
    readonly kind: Kind,
    readonly name: string,
    readonly help: string,
    readonly labels: readonly string[],
  ) {}

  cell(values: readonly string[]): Cell {
    const key = values.join('\0')
    const there = this.#cells.get(key)
    if (there) return there.cell
    if (values.length !== this.labels.length)
      throw new Error(`metric ${this.name} has ${this.labels.length} labels`)
    const others = this.labels.map(() => 'other')
    if (this.#cells.size >= maxCells && key !== others.join('\0')) return this.cell(others)
    const cell = new Cell()
    this.#cells.set(key, { values, cell })
    return cell
  }

  bucketsOf(value: string, bounds: readonly number[]): Buckets {
    const there = this.#byLabel.get(value)
    if (there) return there
    if (this.#byLabel.size >= maxCells && value !== 'other') return this.bucketsOf('other', bounds)
    const made = new Buckets(bounds)
    this.#byLabel.set(value, made)
    return made
  }

  find(values: readonly string[]): number | undefined {
    for (const [labels, value] of this.#samples())
      if (labels.length === values.length && labels.every((label, index) => label === values[index]))
        return value
    return undefined
  }

  text(): string {
    const lines = [
      `# HELP ${this.name} ${this.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
      `# TYPE ${this.name} ${this.kind}`,
    ]
    if (this.buckets) lines.push(...this.buckets.lines(this.name))
    for (const [value, buckets] of this.#byLabel)
      lines.push(...buckets.lines(this.name, `${this.labels[0]}="${escapeLabel(value)}"`))
    for (const [values, value] of this.#samples())
      lines.push(`${this.name}${this.#labelled(values)} ${value}`)
    return `${lines.join('\n')}\n`
  }

  *#samples(): Iterable<readonly [readonly string[], number]> {
    for (const { values, cell } of this.#cells.values()) yield [values, cell.value]
    const read = this.read?.()
    if (typeof read === 'number') yield [[], read]
    else if (read) yield* read
  }

  #labelled(values: readonly string[]): string {
    if (this.labels.length === 0) return ''
    const pairs = this.labels.map((label, index) => `${label}="${escapeLabel(values[index] ?? '')}"`)
    return `{${pairs.join(',')}}`
  }
}

class Buckets implements Histogram {
  readonly #counts: Float64Array
  #sum = 0
  constructor(readonly bounds: readonly number[]) {
    this.#counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    let at = 0
    while (at < this.bounds.length && value > (this.bounds[at] ?? Infinity)) at++
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.#sum += value
  }

  /** `label` as `name="value"`, or none. */
  lines(name: string, label = ''): string[] {
    const [before, all] = label === '' ? ['', ''] : [`${label},`, `{${label}}`]
    let count = 0
    const lines = [...this.bounds, Infinity].map((bound, index) => {
      count += this.#counts[index] ?? 0
      return `${name}_bucket{${before}le="${bound === Infinity ? '+Inf' : bound}"} ${count}`
    })
    return [...lines, `${name}_sum${all} ${this.#sum}`, `${name}_count${all} ${count}`]
  }
}

const escapeLabel = (value: string) =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
