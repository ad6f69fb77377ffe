/** Layers of raw values (files, environment, command line) laid over each other, each value with its origin. */
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { nearest } from '../base/nearest.js'
import { isSecret, isTable, Misfit, written } from '../base/schema.js'
import type { Node, Option, Path, Schema, Table } from '../base/schema.js'
import type { FileAccess } from './files.js'
import { pathOf, positionsOf } from './positions.js'
import type { Problem } from './problems.js'

/** Where a value was written. */
export interface Origin {
  readonly layer: 'file' | 'environment' | 'command line'
  /** Of the key: `parley.toml:14:1`, `env PARLEY_LOG__LEVEL`, `--set log.level`. */
  readonly key: string
  /** Of the value; like `key` where there are no columns. */
  readonly value: string
  /** Whether `key` names the setting already, as those of the environment and the command line do. */
  readonly named: boolean
  /** The folder its relative file names belong to. */
  readonly folder: string
  readonly order: readonly [layer: number, line: number]
}

/** Raw values by key, and for each path where it came from. */
export class Layers {
  readonly raw: Record<string, unknown> = empty()
  readonly origins = new Map<string, Origin>()
  readonly problems: Problem[] = []
  #layer = 0

  constructor(
    readonly schema: Schema<unknown>,
    readonly files: FileAccess,
  ) {}

  /** The nearest origin at or above a path. */
  originOf(path: Path): Origin | undefined {
    for (let length = path.length; length > 0; length--) {
      const origin = this.origins.get(keyOf(path.slice(0, length)))
      if (origin) return origin
    }
    return undefined
  }

  /** A TOML file, or nothing but a problem when it cannot be read. */
  addFile(name: string): void {
    this.#layer++
    const order = (line: number) => [this.#layer, line] as const
    let text: string
    try {
      text = this.files.read(name)
    } catch (error) {
      const { message, hint } = this.files.explain(name, error)
      this.problems.push({ where: name, message, hint, unreadable: true, order: order(0) })
      return
    }
    let table: Record<string, unknown>
    try {
      table = parse(text)
    } catch (error) {
      if (!(error instanceof TomlError)) throw error
      const [message = ''] = error.message.replace('Invalid TOML document: ', '').split('\n')
      const hint = error.codeblock.split('\n')[error.line > 1 ? 1 : 0]?.trim()
      this.problems.push({
        where: `${name}:${error.line}:${error.column}`,
        unreadable: true,
        message,
        hint,
        order: order(error.line),
      })
      return
    }
    const positions = positionsOf(text)
    const folder = dirname(name)
    this.#lay(table, [], (path) => {
      const { key, value } = positions(path) ?? { key: { line: 1, column: 1 }, value: { line: 1, column: 1 } }
      return {
        layer: 'file',
        key: `${name}:${key.line}:${key.column}`,
        value: `${name}:${value.line}:${value.column}`,
        named: false,
        folder,
        order: order(value.line),
      }
    })
  }

  /** All PARLEY_* names but those in `reserved`, and DATABASE_URL. */
  addEnvironment(
    env: Readonly<Record<string, string | undefined>>,
    folder: string,
    reserved: readonly string[],
  ): void {
    this.#layer++
    const names = Object.keys(env).filter((name) => name.startsWith('PARLEY_') && !reserved.includes(name))
    let line = 0
    const origin = (name: string): Origin => ({
      layer: 'environment',
      key: `env ${name}`,
      value: `env ${name}`,
      named: true,
      folder,
      order: [this.#layer, ++line],
    })
    const url = env['DATABASE_URL']
    const ours = names.some((name) => /^PARLEY_DATABASE__URL(_FILE)?$/.test(name))
    if (url && !ours) this.#put(['database', 'url'], url, origin('DATABASE_URL'))
    const known = this.#environmentNames()
    for (const name of names.sort()) {
      const at = origin(name)
      const found = this.#find(name.slice('PARLEY_'.length).toLowerCase().split('__'))
      if (found) this.#put(found.path, found.fromText(env[name] ?? ''), at)
      else {
        const close = nearest(name, known)
        this.problems.push({
          where: at.key,
          message: 'no such setting',
          hint: close ? `did you mean  ${close} ?` : 'names follow the path: PARLEY_LOG__LEVEL is log.level',
          order: at.order,
        })
      }
    }
  }

  /** `key.path=value` from the command line. */
  addSettings(settings: readonly string[], folder: string): void {
    this.#layer++
    for (const [index, setting] of settings.entries()) {
      const order = [this.#layer, index] as const
      const equals = setting.indexOf('=')
      const name = setting.slice(0, Math.max(equals, 0)).trim()
      const where = `--set ${name || setting}`
      const path = pathOf(name)
      if (!path) {
        this.problems.push({ where, message: 'is not KEY=VALUE', hint: 'write --set log.level=debug', order })
        continue
      }
      const found = this.#find(path)
      if (found) {
        const value = setting.slice(equals + 1)
        if (found.secret && hides(found.secret, value)) {
          const file = `${nameOf(found.path)}_file`
          this.problems.push({
            where,
            message: 'is a secret: on the command line everyone on this machine can read it',
            hint: `write it into a file and give  --set ${file}=FILE`,
            order,
          })
          continue
        }
        const origin: Origin = { layer: 'command line', key: where, value: where, named: true, folder, order }
        this.#put(found.path, found.fromText(value), origin)
        continue
      }
      const close = nearest(
        name,
        optionsOf(this.schema).map(([known]) => known.join('.')),
      )
      this.problems.push({
        where,
        message: 'no such setting',
        hint: close && `did you mean  ${close} ?`,
        order,
      })
    }
  }

  /** A file name of the setting at `path`, absolute. */
  resolve(path: Path, file: string): string {
    return isAbsolute(file) ? file : resolve(this.files.folder, this.originOf(path)?.folder ?? '.', file)
  }

  #lay(table: Record<string, unknown>, path: Path, origin: (path: Path) => Origin): void {
    for (const [key, value] of Object.entries(table)) {
      const at = [...path, key]
      if (isTable(value)) {
        this.#branch(at, origin(at))
        this.#lay(value, at, origin)
      } else this.#put(at, value, origin(at))
    }
  }

  /** Makes sure there is a table at `path`. */
  #branch(path: Path, origin: Origin): Record<string, unknown> {
    let table = this.raw
    for (const [index, key] of path.entries()) {
      const there = own(table, key)
      if (isTable(there)) table = there
      else {
        const made = empty()
        table[key] = made
        table = made
        this.origins.set(keyOf(path.slice(0, index + 1)), origin)
      }
    }
    return table
  }

  #put(path: Path, value: unknown, origin: Origin): void {
    const key = path.at(-1) ?? ''
    const table = this.#branch(path.slice(0, -1), origin)
    // A higher layer's form of a secret replaces the other form of a lower layer.
    const twin = key.endsWith('_file') ? key.slice(0, -'_file'.length) : `${key}_file`
    const node = nodeAt(this.schema, [...path.slice(0, -1), key.endsWith('_file') ? twin : key])
    const twinPath = [...path.slice(0, -1), twin]
    const before = this.origins.get(keyOf(twinPath))
    if (node && isSecret(node) && before && before.order[0] !== origin.order[0]) {
      delete table[twin]
      this.origins.delete(keyOf(twinPath))
    }
    table[key] = value
    this.origins.set(keyOf(path), origin)
  }

  /** The option a path of loosely written keys means: case and `-` or `.` for `_` do not matter. */
  #find(keys: readonly string[]): Found | undefined {
    const path: string[] = []
    let node: Node<unknown> = this.schema
    for (const [index, key] of keys.entries()) {
      if (node.shape === 'table') {
        path.push(this.#name(path, key))
        node = (node as Table<unknown>).each
        continue
      }
      if (node.shape !== 'options') return undefined
      const fields = Object.entries((node as Schema<unknown>).fields)
      const field = fields.find(([name]) => loose(written(name)) === loose(key))
      if (field) {
        path.push(written(field[0]))
        node = field[1]
        continue
      }
      const twin = fields.find(([name, of]) => isSecret(of) && `${loose(written(name))}_file` === loose(key))
      if (!twin || index < keys.length - 1) return undefined
      return { path: [...path, `${written(twin[0])}_file`], fromText: (text) => text }
    }
    if (node.shape !== 'option') return undefined
    const option = node as Option<unknown>
    return {
      path,
      fromText: (text) => option.fromText(text),
      ...(isSecret(option) ? { secret: option } : {}),
    }
  }

  /** A name of the admin's choice: one already written in a file if it is meant, else as it stands. */
  #name(path: Path, key: string): string {
    let table: unknown = this.raw
    for (const part of path) table = isTable(table) ? own(table, part) : undefined
    return (isTable(table) ? Object.keys(table) : []).find((name) => loose(name) === loose(key)) ?? key
  }

  #environmentNames(): string[] {
    return optionsOf(this.schema).flatMap(([path, of]) => {
      const name = `PARLEY_${path.map(loose).join('__').toUpperCase()}`
      return isSecret(of) ? [name, `${name}_FILE`] : [name]
    })
  }
}

/** What loosely written keys mean. */
interface Found {
  readonly path: string[]
  /** The option, when it is one that holds a secret, not the file of one. */
  readonly secret?: Option<unknown>
  fromText(text: string): unknown
}

/** Whether there is something in a right value that must not be seen: a URL without a password is none. */
function hides(option: Option<unknown>, value: string): boolean {
  try {
    option.parse(option.fromText(value))
  } catch (error) {
    if (error instanceof Misfit) return false
    throw error
  }
  return option.show(value) !== JSON.stringify(value)
}

/** Every option with a fixed path, in order; tables of the admin's naming are left out. */
export function optionsOf(node: Node<unknown>, path: Path = []): [Path, Option<unknown>][] {
  if (node.shape === 'option') return [[path, node as Option<unknown>]]
  if (node.shape === 'table') return []
  return Object.entries((node as Schema<unknown>).fields).flatMap(([name, field]) =>
    optionsOf(field, [...path, written(name)]),
  )
}

/** The files of a configuration: the main one, then conf.d beside it in the order of names. */
export function filesOf(main: string, files: FileAccess): string[] {
  const folder = join(dirname(main), 'conf.d')
  const more = files.list(folder).filter((name) => name.endsWith('.toml'))
  return [main, ...more.sort().map((name) => join(folder, name))]
}

/** A path as one text that no other path has. */
export const keyOf = (path: Path) => path.join('\0')

/** A path as one writes it: keys with dots in quotes. */
export function nameOf(path: Path): string {
  return path.map((key) => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key))).join('.')
}

/** A value of a table's own, whatever its name. */
export const own = (table: Record<string, unknown>, key: string): unknown =>
  Object.hasOwn(table, key) ? table[key] : undefined

function nodeAt(schema: Node<unknown>, path: Path): Node<unknown> | undefined {
  let node: Node<unknown> | undefined = schema
  for (const key of path) {
    if (node?.shape === 'table') node = (node as Table<unknown>).each
    else if (node?.shape === 'options')
      node = Object.entries((node as Schema<unknown>).fields).find(([name]) => written(name) === key)?.[1]
    else return undefined
  }
  return node
}

const empty = () => Object.create(null) as Record<string, unknown>
const loose = (key: string) => key.toLowerCase().replaceAll(/[-.]/g, '_')
