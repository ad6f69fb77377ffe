/** The frame of a schema: what options, groups of them and tables are, and how raw values are read through them. */
import { nearest } from './nearest.js'
import { Misfit } from './units.js'

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
  /** `flag`, `text`, `lines`, `number`, `duration`, `size`, `rate`, `choice`, `list`, `address`, `jid`, `domain`, `file`, `secret`. */
  readonly kind: string
  /** As the admin would write it; undefined: no value; `required`: must be given. */
  readonly fallback: unknown
  readonly reload: Reload
  /** What is accepted, to follow "write": `a duration such as "30d" or "12h"`. */
  readonly expects: string
  /** All values there are, of a `choice`. */
  readonly choices?: readonly string[]
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
    choices?: readonly string[]
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
