/** Option types: what a setting is called, means, defaults to and accepts; documents and checks are made from them. */
import { nearest } from './nearest.js'
import { asAddress, asDomain, asDuration, asJid, asRate, asSize, Misfit } from './units.js'
import type { Address, Rate } from './units.js'

export { Misfit } from './units.js'
export type { Address, Rate } from './units.js'

/** What it takes for a changed value to count: at once, for streams opened from now on, or a new start. */
export type Reload = 'applied' | 'new connections' | 'restart'

/** Written as the default of an option that has none: leaving it out is an error. */
export const required: unique symbol = Symbol('required')

/** A path of keys as written in the file, for example `['limits', 'c2s_rate']`. */
export type Path = readonly string[]

/** Where a reader of raw values reports what it finds, and what it needs of the outside. */
export interface Reading {
  /** The value at `path` is wrong or missing. `message` follows the key, `hint` is the line below it. */
  problem(path: Path, message: string, hint?: string): void
  /** No option has this name; `known` are the names beside it. */
  unknown(path: Path, known: readonly string[]): void
  /** The text of a secret's file; undefined after reporting why not. */
  secret(path: Path, file: string): string | undefined
  /** A file name made absolute: relative names belong to the folder of whoever wrote them. */
  resolve(path: Path, file: string): string
}

/** Anything a table can hold: an option, a table of options, or a table whose keys the admin chooses. */
export interface Node<T> {
  readonly shape: 'option' | 'options' | 'table'
  readonly doc: string
  read(raw: unknown, path: Path, reading: Reading): T
}

/** One setting. */
export interface Option<T> extends Node<T> {
  readonly shape: 'option'
  /** `flag`, `text`, `number`, `duration`, `size`, `rate`, `choice`, `list`, `address`, `jid`, `domain`, `file`, `secret`. */
  readonly kind: string
  /** As the admin would write it; undefined: no value; `required`: must be given. */
  readonly fallback: unknown
  readonly reload: Reload
  /** What is accepted, to follow "write": `a duration such as "30d" or "12h"`. */
  readonly expects: string
  /** Throws `Misfit`. */
  parse(raw: unknown): T
  /** The raw value that a text from the environment or the command line stands for. */
  fromText(text: string): unknown
  /** A value as TOML, secrets masked. */
  show(raw: unknown): string
}

/** A table with fixed keys: camelCase in TypeScript, snake_case where the admin writes them. */
export interface Schema<T> extends Node<T> {
  readonly shape: 'options'
  readonly fields: Readonly<Record<string, Node<unknown>>>
  /** Checks a table written with snake_case keys. Throws `Misfit` with all problems, one a line. */
  parse(raw?: unknown): T
}

/** A table whose keys the admin chooses, all values alike. */
export interface Table<T> extends Node<ReadonlyMap<string, T>> {
  readonly shape: 'table'
  readonly each: Node<T>
}

export interface More {
  /** Default: `applied`. */
  reload?: Reload
  /** Accept "off", which gives `Infinity`: no limit. */
  off?: boolean
}

type ValueOf<N> = N extends Node<infer T> ? T : never
type Needed = typeof required
type Given<F, V> = F extends undefined ? V | undefined : V

/** Groups options: `options({ tellStatus: flag(true, 'Also tell the last status text') })`. */
export function options<F extends Readonly<Record<string, Node<unknown>>>>(
  fields: F,
  doc = '',
): Schema<{ readonly [K in keyof F]: ValueOf<F[K]> }> {
  type T = { readonly [K in keyof F]: ValueOf<F[K]> }
  const schema: Schema<T> = {
    shape: 'options',
    doc,
    fields,
    read: (raw, path, reading) => readFields(fields, raw, path, reading) as T,
    parse(raw = {}) {
      const faults: string[] = []
      const value = schema.read(raw, [], collect(faults))
      if (faults.length > 0) throw new Misfit(faults.join('\n'))
      return value
    },
  }
  return schema
}

/** A table from names of the admin's choice to `each`. */
export function table<T>(each: Node<T>, doc: string): Table<T> {
  return {
    shape: 'table',
    doc,
    each,
    read(raw, path, reading) {
      const values = new Map<string, T>()
      if (raw === undefined) return values
      if (!isTable(raw)) {
        reading.problem(path, 'is not a table', `write [${path.join('.')}.NAME]`)
        return values
      }
      for (const [name, value] of Object.entries(raw))
        values.set(name, each.read(value, [...path, name], reading))
      return values
    },
  }
}

export function flag(fallback: boolean, doc: string, more: More = {}): Option<boolean> {
  return option({
    ...base('flag', fallback, doc, more),
    expects: 'true or false',
    parse(raw) {
      if (typeof raw !== 'boolean') throw new Misfit('is neither true nor false')
      return raw
    },
    fromText: (written) => flagWords.get(written.trim().toLowerCase()) ?? written,
  })
}

/** A line of text of at most `max` characters (default 1,000); with `pattern` it must match, `expects` says so in words. */
export function text<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More & { max?: number; pattern?: RegExp; expects?: string } = {},
): Option<Given<F, string>> {
  const { max = 1000, pattern, expects = 'text in quotes' } = more
  return option({
    ...base('text', fallback, doc, more),
    expects,
    parse(raw) {
      const line = asText(raw)
      if (line.length > max) throw new Misfit(`is longer than ${max} characters`)
      if (line.includes('\n')) throw new Misfit('has more than one line')
      if (pattern && !pattern.test(line)) throw new Misfit(`is not ${expects}`)
      return line
    },
  })
}

/** A whole number within `min` and `max`; `off` gives `Infinity`. `unit` is for the reader: "messages". */
export function number<const F extends number | 'off' | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More & { min?: number; max?: number; unit?: string } = {},
): Option<Given<F, number>> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER, unit } = more
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `from ${min} to ${max}`
  return option({
    ...base('number', fallback, doc, more),
    expects: orOff(`a whole number ${range}${unit ? ` (${unit})` : ''}`, more),
    parse(raw) {
      if (isOff(raw, more)) return Infinity
      if (typeof raw !== 'number' || !Number.isSafeInteger(raw)) throw new Misfit('is not a whole number')
      if (raw < min || raw > max) throw new Misfit(`is not ${range}`)
      return raw
    },
    fromText: (written) => (/^[+-]?\d+$/.test(written.trim()) ? Number(written) : written),
  })
}

/** A span of time such as "30d"; the value is milliseconds. `min` and `max` are written alike. */
export function duration<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More & { min?: string; max?: string } = {},
): Option<Given<F, number>> {
  return measure(base('duration', fallback, doc, more), asDuration, 'a duration such as "30d" or "12h"', more)
}

/** An amount of bytes such as "100MB" (decimal) or "10MiB" (binary); the value is bytes. */
export function size<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More & { min?: string; max?: string } = {},
): Option<Given<F, number>> {
  return measure(base('size', fallback, doc, more), asSize, 'a size such as "100MB" or "10MiB"', more)
}

/** So much per time: "20/min", or with `bytes` "20KB/s". Off gives an infinite count. */
export function rate<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More & { bytes?: boolean } = {},
): Option<Given<F, Rate>> {
  const example = more.bytes ? 'a rate such as "20KB/s"' : 'a rate such as "20/min"'
  return option({
    ...base('rate', fallback, doc, more),
    expects: orOff(example, more),
    parse: (raw) =>
      isOff(raw, more) ? { count: Infinity, per: 1000 } : asRate(raw, more.bytes ? 'bytes' : 'count'),
  })
}

/** One of a few words. */
export function choice<const W extends string>(
  words: readonly W[],
  fallback: W,
  doc: string,
  more: More = {},
): Option<W> {
  const expects = `one of ${words.map((word) => `"${word}"`).join(', ')}`
  return option<W>({
    ...base('choice', fallback, doc, more),
    expects,
    parse(raw) {
      const word = words.find((known) => known === raw)
      if (word) return word
      const close = typeof raw === 'string' ? nearest(raw, words) : undefined
      throw new Misfit(`is not ${expects}`, close && `did you mean "${close}" ?`)
    },
  })
}

/** Several values of one kind (`of` without default: its own is not used); one value alone is a list of one. At most 1,000. */
export function list<T>(
  of: Option<T>,
  fallback: readonly unknown[],
  doc: string,
  more: More & { min?: number } = {},
): Option<readonly T[]> {
  return option({
    ...base('list', fallback, doc, more),
    expects: `a list, each ${of.expects}`,
    parse(raw) {
      const items: unknown[] = Array.isArray(raw) ? raw : [raw]
      if (items.length > 1000) throw new Misfit('has more than 1000 entries')
      if (items.length < (more.min ?? 0)) throw new Misfit('is empty', `write a list, each ${of.expects}`)
      return items.map((item) => {
        try {
          return of.parse(item)
        } catch (fault) {
          if (fault instanceof Misfit)
            throw new Misfit(`: ${of.show(item)} ${fault.message}`, fault.hint ?? `write ${of.expects}`)
          throw fault
        }
      })
    },
    fromText: (written) =>
      listFromText(written).map((item) => (typeof item === 'string' ? of.fromText(item) : item)),
    show: (raw) => (Array.isArray(raw) ? `[${raw.map((item) => of.show(item)).join(', ')}]` : of.show(raw)),
  })
}

/** An address and port: "[::]:5222", "127.0.0.1:5280", "xmpp.example.org:5222". */
export function address<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More = {},
): Option<Given<F, Address>> {
  return option({
    ...base('address', fallback, doc, more),
    expects: 'an address and port such as "127.0.0.1:5280" or "[::]:5222"',
    parse: (raw) => asAddress(asText(raw)),
  })
}

/** Where to listen: one address, a list of them, or "off", which gives none. */
export function listeners(
  fallback: string | readonly string[],
  doc: string,
  more: More = {},
): Option<readonly Address[]> {
  const of = address(required, doc, more)
  const many = list(of, [], doc, more)
  return option({
    ...base('list', fallback, doc, { reload: 'restart', ...more }),
    expects: `${of.expects}, a list of them, or "off"`,
    parse: (raw) => (raw === 'off' ? [] : many.parse(raw)),
    fromText: (written) => (written === 'off' ? 'off' : many.fromText(written)),
    show: (raw) => many.show(raw),
  })
}

/** A bare address such as "ana@example.org", as text: who uses it prepares it. */
export function jid<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More = {},
): Option<Given<F, string>> {
  return option({
    ...base('jid', fallback, doc, more),
    expects: 'an address such as "ana@example.org"',
    parse: (raw) => asJid(asText(raw)),
  })
}

/** A domain name in lower case, international ones in their own letters. */
export function domain<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More = {},
): Option<Given<F, string>> {
  return option({
    ...base('domain', fallback, doc, more),
    expects: 'a domain such as "example.org"',
    parse: (raw) => asDomain(asText(raw)),
  })
}

/** The path of a file or folder, absolute in the value. */
export function file<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More = {},
): Option<Given<F, string>> {
  return option({
    ...base('file', fallback, doc, more),
    expects: 'the path of a file',
    parse(raw) {
      const name = asText(raw)
      if (name === '' || name.includes('\0')) throw new Misfit('is not the path of a file')
      return name
    },
    place: (value, path, reading) => reading.resolve(path, String(value)),
  })
}

/** A value never shown. It may also be given as KEY_file: a file that holds nothing else. `mask` shows what is no secret. */
export function secret<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More & { mask?: (value: string) => string } = {},
): Option<Given<F, string>> {
  const mask = more.mask ?? (() => '********')
  return option({
    ...base('secret', fallback, doc, more),
    expects: 'text in quotes, or better the file that holds it: KEY_file = "/run/secrets/..."',
    parse(raw) {
      const value = asText(raw)
      if (value === '') throw new Misfit('is empty')
      return value
    },
    show: (raw) => (typeof raw === 'string' ? JSON.stringify(mask(raw)) : '"********"'),
  })
}

/** `c2sStanzaSize` as the admin writes it: `c2s_stanza_size`. */
export function written(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** For option types of other layers (a prepared JID, say). Missing parts have the usual behaviour. */
export function option<T>(
  parts: Pick<Option<T>, 'kind' | 'doc' | 'fallback' | 'reload' | 'expects'> & {
    parse: (raw: unknown) => unknown
    fromText?: (text: string) => unknown
    show?: (raw: unknown) => string
    /** What a parsed value becomes where it stands; file names need this. */
    place?: (value: unknown, path: Path, reading: Reading) => unknown
  },
): Option<T> {
  const { place = (value) => value, ...own } = parts
  const made: Option<T> = {
    shape: 'option',
    fromText: (text) => text,
    show: toml,
    ...own,
    parse: (raw) => parts.parse(raw) as T,
    read(raw, path, reading) {
      const value = raw ?? parts.fallback
      if (value === undefined) return undefined as T
      if (value === required) {
        reading.problem(path, 'is missing', `write ${parts.expects}`)
        return undefined as T
      }
      try {
        return place(parts.parse(value), path, reading) as T
      } catch (fault) {
        if (!(fault instanceof Misfit)) throw fault
        const shown = fault.message.startsWith(':') ? '' : ' '
        reading.problem(
          path,
          `= ${made.show(value)}${shown}${shown}${fault.message}`,
          fault.hint ?? `write ${parts.expects}`,
        )
        return undefined as T
      }
    },
  }
  return made
}

const flagWords = new Map([
  ['true', true],
  ['on', true],
  ['yes', true],
  ['1', true],
  ['false', false],
  ['off', false],
  ['no', false],
  ['0', false],
])

function base(kind: string, fallback: unknown, doc: string, { reload = 'applied' }: More) {
  return { kind, fallback, doc, reload }
}

function measure<T>(
  parts: ReturnType<typeof base>,
  parse: (raw: unknown) => number,
  expects: string,
  more: More & { min?: string; max?: string },
): Option<T> {
  return option<T>({
    ...parts,
    expects: orOff(expects, more),
    parse(raw) {
      if (isOff(raw, more)) return Infinity
      const value = parse(raw)
      if (more.min !== undefined && value < parse(more.min))
        throw new Misfit(`is too small`, `write ${more.min} or more`)
      if (more.max !== undefined && value > parse(more.max))
        throw new Misfit(`is too large`, `write ${more.max} or less`)
      return value
    },
  })
}

function readFields(
  fields: Readonly<Record<string, Node<unknown>>>,
  raw: unknown,
  path: Path,
  reading: Reading,
): Record<string, unknown> {
  if (raw !== undefined && !isTable(raw)) {
    reading.problem(path, 'is not a table', `write [${path.join('.')}] and its keys below`)
    raw = undefined
  }
  const given = new Map(Object.entries(raw ?? {}))
  const value: Record<string, unknown> = {}
  const known: string[] = []
  for (const [name, node] of Object.entries(fields)) {
    const key = written(name)
    known.push(key)
    let own = given.get(key)
    given.delete(key)
    if (isSecret(node)) {
      known.push(`${key}_file`)
      own = secretOf(own, given.get(`${key}_file`), [...path, key], reading)
      given.delete(`${key}_file`)
      if (own === unreadable) continue
    }
    value[name] = node.read(own, [...path, key], reading)
  }
  for (const key of given.keys()) reading.unknown([...path, key], known)
  return value
}

const unreadable = Symbol('unreadable')

/** A secret's value from either of its two forms. */
function secretOf(own: unknown, named: unknown, path: Path, reading: Reading): unknown {
  if (named === undefined) return own
  const twin = [...path.slice(0, -1), `${path.at(-1)}_file`]
  if (own !== undefined) {
    reading.problem(twin, `and ${path.join('.')} are both set`, 'keep one of them, best the file')
    return unreadable
  }
  if (typeof named !== 'string' || named === '') {
    reading.problem(twin, 'is not the path of a file', 'write the path in quotes')
    return unreadable
  }
  return reading.secret(twin, reading.resolve(twin, named)) ?? unreadable
}

/** Whether a field has the second form KEY_file. */
export function isSecret(node: Node<unknown>): node is Option<unknown> {
  return node.shape === 'option' && (node as Option<unknown>).kind === 'secret'
}

function collect(faults: string[]): Reading {
  return {
    problem: (path, message, hint) => faults.push(`${path.join('.')} ${message}${hint ? ` (${hint})` : ''}`),
    unknown(path, known) {
      const close = nearest(path.at(-1) ?? '', known)
      faults.push(`unknown key ${path.join('.')}${close ? ` (did you mean ${close}?)` : ''}`)
    },
    secret(path) {
      faults.push(`${path.join('.')}: files are not read here`)
      return undefined
    },
    resolve: (_path, name) => name,
  }
}

export function isTable(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) && !(raw instanceof Date)
}

/** A raw value as TOML. */
export function toml(raw: unknown): string {
  if (Array.isArray(raw)) return `[${raw.map(toml).join(', ')}]`
  if (isTable(raw))
    return `{ ${Object.entries(raw)
      .map(([key, value]) => `${key} = ${toml(value)}`)
      .join(', ')} }`
  return raw instanceof Date ? raw.toISOString() : (JSON.stringify(raw) ?? '')
}

function asText(raw: unknown): string {
  if (typeof raw !== 'string') throw new Misfit('is not text in quotes')
  return raw
}

/** `a, b` or a JSON list. */
function listFromText(written: string): unknown[] {
  const trimmed = written.trim()
  if (trimmed === '') return []
  if (trimmed.startsWith('[')) {
    try {
      const parsed: unknown = JSON.parse(trimmed)
      if (Array.isArray(parsed)) return parsed as unknown[]
    } catch {
      // An IPv6 address such as [::]:5222 begins alike: read it as a plain entry.
    }
  }
  return trimmed.split(',').map((item) => item.trim())
}

const isOff = (raw: unknown, more: More) => more.off === true && raw === 'off'
const orOff = (expects: string, more: More) => (more.off ? `${expects}, or "off"` : expects)
