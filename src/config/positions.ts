/** Where each key and value of a TOML text stands; the parser in use tells only where syntax breaks. */
import { parse } from 'smol-toml'
import type { Path } from '../base/schema.js'

/** Line and column, both from 1. */
export interface Spot {
  readonly line: number
  readonly column: number
}

export interface Position {
  readonly key: Spot
  readonly value: Spot
}

/** Scans a text that has already been parsed without error. Of a table, key and value are its header's name. */
export function positionsOf(text: string): (path: Path) => Position | undefined {
  const scan = new Scan(text)
  scan.document()
  return (path) => scan.found.get(path.join('\0'))
}

/** The keys of `a."b.c".d`; undefined when it is not written so. */
export function pathOf(text: string): string[] | undefined {
  try {
    const scan = new Scan(text)
    const keys = scan.keys([])
    return scan.atEnd && keys.every((key) => key !== '') ? keys : undefined
  } catch {
    return undefined
  }
}

class Scan {
  readonly found = new Map<string, Position>()
  #at = 0
  #line = 1
  #lineStart = 0

  constructor(readonly text: string) {}

  get atEnd(): boolean {
    return this.#at >= this.text.length
  }

  document(): void {
    let table: string[] = []
    for (;;) {
      this.#skip(true)
      if (this.atEnd) return
      if (this.#peek() === '[') {
        while (this.#peek() === '[') this.#next()
        table = this.keys([])
        while (this.#peek() === ']') this.#next()
      } else this.#pair(table)
    }
  }

  /** A dotted key, added to `table`; every prefix seen for the first time gets its place. */
  keys(table: readonly string[]): string[] {
    const path = [...table]
    for (;;) {
      this.#skip(false)
      const spot = this.#spot()
      path.push(this.#key())
      const known = path.join('\0')
      if (!this.found.has(known)) this.found.set(known, { key: spot, value: spot })
      this.#skip(false)
      if (this.#peek() !== '.') return path
      this.#next()
    }
  }

  #pair(table: readonly string[]): void {
    const path = this.keys(table)
    this.#next() // =
    this.#skip(false)
    const known = path.join('\0')
    const key = this.found.get(known)?.key ?? this.#spot()
    this.found.set(known, { key, value: this.#spot() })
    this.#value(path)
  }

  #value(path: readonly string[]): void {
    const first = this.#peek()
    if (first === '"' || first === "'") this.#string()
    else if (first === '[') this.#array(path)
    else if (first === '{') this.#inlineTable(path)
    else while (!this.atEnd && !/[\s,\]}#]/.test(this.#peek())) this.#next()
  }

  #array(path: readonly string[]): void {
    this.#next()
    for (;;) {
      this.#skip(true)
      if (this.atEnd) return
      const char = this.#peek()
      if (char === ']' || char === ',') {
        this.#next()
        if (char === ']') return
      } else this.#step(() => this.#value([...path, '[]']))
    }
  }

  #inlineTable(path: readonly string[]): void {
    this.#next()
    for (;;) {
      this.#skip(true)
      if (this.atEnd) return
      const char = this.#peek()
      if (char === '}' || char === ',') {
        this.#next()
        if (char === '}') return
      } else this.#step(() => this.#pair(path))
    }
  }

  /** Progress even on a text that is not TOML. */
  #step(read: () => void): void {
    const before = this.#at
    read()
    if (this.#at === before) this.#next()
  }

  #key(): string {
    const quote = this.#peek()
    if (quote === '"' || quote === "'") {
      const start = this.#at
      this.#string()
      const written = this.text.slice(start, this.#at)
      return quote === '"' ? (parse(`key = ${written}`)['key'] as string) : written.slice(1, -1)
    }
    const bare = /^[\p{L}\p{N}_-]*/u.exec(this.text.slice(this.#at, this.#at + 200))?.[0] ?? ''
    if (bare === '') this.#next()
    for (let count = 0; count < bare.length; count++) this.#next()
    return bare
  }

  #string(): void {
    const quote = this.#peek()
    const long = this.text.startsWith(quote.repeat(3), this.#at)
    const end = long ? quote.repeat(3) : quote
    for (let count = 0; count < end.length; count++) this.#next()
    while (!this.atEnd && !this.text.startsWith(end, this.#at)) {
      if (quote === '"' && this.#peek() === '\\') this.#next()
      this.#next()
    }
    // A long string may end in up to two quotes of its own.
    for (let count = 0; count < end.length; count++) this.#next()
    if (long) while (this.#peek() === quote) this.#next()
  }

  #skip(lines: boolean): void {
    for (;;) {
      const char = this.#peek()
      if (char === '#' && lines) while (!this.atEnd && this.#peek() !== '\n') this.#next()
      else if (char === ' ' || char === '\t' || (lines && (char === '\n' || char === '\r'))) this.#next()
      else return
    }
  }

  #peek(): string {
    return this.text[this.#at] ?? ''
  }

  #next(): void {
    if (this.text[this.#at] === '\n') {
      this.#line++
      this.#lineStart = this.#at + 1
    }
    this.#at++
  }

  #spot(): Spot {
    return { line: this.#line, column: this.#at - this.#lineStart + 1 }
  }
}
