/** Gathers rows and writes them together: a few milliseconds or a few hundred rows make one batch. */
import type { Clock, Timer } from './clock.js'

export interface BatchOptions<Row, Result> {
  readonly clock: Clock
  /** Writes the rows, all or none; one result for each, in their order. `again` after a failure that `mayRepeat`. */
  write(rows: readonly Row[], again: boolean): Promise<readonly Result[]>
  /** Rows of equal key are written in the order in which they were added. */
  keyOf(row: Row): unknown
  bytesOf(row: Row): number
  /** Whether the rows of a failed write may be written once more. */
  mayRepeat(error: unknown): boolean
  /** Milliseconds that the first row of a batch waits for company, default 3. */
  readonly delay?: number
  /** Rows and bytes of one batch, default 200 and 4 MiB; one row may be larger. */
  readonly rows?: number
  readonly bytes?: number
  /** Rows and bytes that wait or are being written, default 10,000 and 64 MiB; above them `add` says 'full'. */
  readonly queueRows?: number
  readonly queueBytes?: number
  /** Batches written at the same time, default 2: the second fills while the database commits the first. */
  readonly inFlight?: number
}

interface Waiting<Row, Result> {
  readonly row: Row
  readonly key: unknown
  readonly bytes: number
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

export class Batcher<Row, Result> {
  readonly #options: Required<BatchOptions<Row, Result>>
  #waiting: Waiting<Row, Result>[] = []
  /** Keys of rows being written: later rows of the same key stay in the queue until these are done. */
  readonly #busy = new Set<unknown>()
  #inFlight = 0
  #rows = 0
  #bytes = 0
  #timer: Timer | undefined
  #due = false
  #drained: (() => void)[] = []

  constructor(options: BatchOptions<Row, Result>) {
    const batch = { delay: 3, rows: 200, bytes: 4 << 20, inFlight: 2 }
    this.#options = { ...batch, queueRows: 10_000, queueBytes: 64 << 20, ...options }
  }

  /** Rows that wait or are being written, and their bytes. */
  get load(): { rows: number; bytes: number } {
    return { rows: this.#rows, bytes: this.#bytes }
  }

  /** Resolves with the row's result once it is written; rejects with the failure of its batch. 'full': not taken. */
  add(row: Row): Promise<Result> | 'full' {
    const { clock, delay, rows, queueRows, queueBytes } = this.#options
    const bytes = this.#options.bytesOf(row)
    if (this.#rows >= queueRows || (this.#rows > 0 && this.#bytes + bytes > queueBytes)) return 'full'
    this.#rows++
    this.#bytes += bytes
    return new Promise((resolve, reject) => {
      this.#waiting.push({ row, key: this.#options.keyOf(row), bytes, resolve, reject })
      if (this.#due || this.#drained.length > 0 || this.#waiting.length >= rows) this.#flush()
      else this.#timer ??= clock.after(delay, () => this.#wake())
    })
  }

  /** Writes at once what waits; resolves when nothing waits or is being written. */
  drain(): Promise<void> {
    if (this.#rows === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#drained.push(resolve)
      this.#flush()
    })
  }

  #wake(): void {
    this.#timer = undefined
    this.#due = true
    this.#flush()
  }

  #flush(): void {
    while (this.#inFlight < this.#options.inFlight && this.#waiting.length > 0) {
      const batch = this.#take()
      if (batch.length === 0) return
      this.#inFlight++
      for (const { key } of batch) this.#busy.add(key)
      void this.#write(batch)
    }
    if (this.#waiting.length === 0) this.#rest()
  }

  /** Nothing waits: the next row starts a new delay. */
  #rest(): void {
    this.#due = false
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #take(): Waiting<Row, Result>[] {
    const { rows, bytes } = this.#options
    const batch: Waiting<Row, Result>[] = []
    const left: Waiting<Row, Result>[] = []
    let size = 0
    let closed = false
    for (const waiting of this.#waiting) {
      closed ||= batch.length >= rows || (batch.length > 0 && size + waiting.bytes > bytes)
      if (closed || this.#busy.has(waiting.key)) left.push(waiting)
      else {
        batch.push(waiting)
        size += waiting.bytes
      }
    }
    this.#waiting = left
    return batch
  }

  async #write(batch: readonly Waiting<Row, Result>[]): Promise<void> {
    const rows = batch.map(({ row }) => row)
    try {
      const results = await this.#attempt(rows)
      this.#release(batch)
      batch.forEach(({ resolve }, i) => resolve(results[i]!))
    } catch (error) {
      this.#release(batch)
      for (const { reject } of batch) reject(error)
    }
    this.#next()
  }

  async #attempt(rows: readonly Row[]): Promise<readonly Result[]> {
    try {
      return await this.#options.write(rows, false)
    } catch (error) {
      if (!this.#options.mayRepeat(error)) throw error
      return this.#options.write(rows, true)
    }
  }

  #release(batch: readonly Waiting<Row, Result>[]): void {
    this.#inFlight--
    for (const { key, bytes } of batch) {
      this.#busy.delete(key)
      this.#rows--
      this.#bytes -= bytes
    }
  }

  /** After a batch: write what became due or was held back by its key meanwhile. */
  #next(): void {
    if (this.#due || this.#drained.length > 0 || this.#waiting.length >= this.#options.rows) this.#flush()
    if (this.#rows > 0) return
    const drained = this.#drained
    this.#drained = []
    for (const done of drained) done()
  }
}
