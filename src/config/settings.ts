/** Every setting with its value and origin, and what differs between two configurations. */
import { isTable, toml, written } from '../base/schema.js'
import type { Node, Option, Path, Reload, Schema, Table } from '../base/schema.js'
import { keyOf, nameOf } from './layers.js'
import type { Layers } from './layers.js'

export interface Setting {
  /** `limits.c2s_rate`, or `database.password_file` when the secret was given so. */
  readonly name: string
  readonly path: Path
  /** As TOML, secrets masked; empty when there is no value. */
  readonly shown: string
  /** `default`, `parley.toml:14`, `env PARLEY_LOG__LEVEL`, `--set log.level`. */
  readonly origin: string
  readonly reload: Reload
  /** The checked value as text to compare; it may hold a secret: never print it. */
  readonly compared: string
}

/** What a reload found to be different. */
export interface ConfigChange {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly reload: Reload
}

/** What a reload did. */
export interface ReloadReport {
  readonly changes: readonly ConfigChange[]
  /** Further lines: certificates taken up, warnings. */
  readonly notes?: readonly string[]
}

/** All settings of a checked value, in the order of the schema; of named tables only those written. */
export function settingsOf(schema: Node<unknown>, value: unknown, layers: Layers): Setting[] {
  const settings: Setting[] = []
  walk(schema, value, [])
  return settings

  function walk(node: Node<unknown>, value: unknown, path: Path): void {
    if (node.shape === 'option') {
      settings.push(settingOf(node as Option<unknown>, value, path, layers))
    } else if (node.shape === 'options') {
      for (const [name, field] of Object.entries((node as Schema<unknown>).fields)) {
        const key = written(name)
        const at = [...path, key]
        const given = layers.origins.has(keyOf(at)) || layers.origins.has(keyOf([...path, `${key}_file`]))
        // A host's tables repeat every option of every module: only what is written there is told.
        if (path[0] === 'host' && !given) continue
        walk(field, (value as Record<string, unknown>)[name], at)
      }
    } else {
      for (const [name, each] of value as ReadonlyMap<string, unknown>)
        walk((node as Table<unknown>).each, each, [...path, name])
    }
  }
}

/** The settings whose checked values differ. */
export function compareSettings(before: readonly Setting[], after: readonly Setting[]): ConfigChange[] {
  const old = new Map(before.map((setting) => [keyOf(setting.path), setting]))
  const fresh = new Map(after.map((setting) => [keyOf(setting.path), setting]))
  const changes: ConfigChange[] = []
  for (const key of new Set([...old.keys(), ...fresh.keys()])) {
    const [from, to] = [old.get(key), fresh.get(key)]
    const either = to ?? from
    if (!either || from?.compared === to?.compared) continue
    changes.push({
      name: either.name,
      from: from?.shown || 'unset',
      to: to?.shown || 'unset',
      reload: either.reload,
    })
  }
  return changes
}

/** The lines that `parley reload` prints. */
export function printReload({ changes, notes = [] }: ReloadReport): string {
  const told = (reload: Reload) =>
    changes
      .filter((change) => change.reload === reload)
      .map(({ name, from, to }) => `${name} ${plain(from)}->${plain(to)}`)
      .join('   ')
  const lines = [
    ['reloaded', told('applied')],
    ['reloaded', withNote(told('new connections'), 'for connections from now on')],
    ['kept', withNote(told('restart'), 'needs a restart')],
  ].filter(([, what]) => what !== '')
  if (lines.length === 0) lines.push(['reloaded', 'nothing changed'])
  return [...lines.map(([verb = '', what = '']) => `${verb.padEnd(10)}${what}`), ...notes].join('\n')
}

function settingOf(option: Option<unknown>, value: unknown, path: Path, layers: Layers): Setting {
  const key = path.at(-1) ?? ''
  const filePath = [...path.slice(0, -1), `${key}_file`]
  const byFile = option.kind === 'secret' && layers.origins.has(keyOf(filePath))
  const at = byFile ? filePath : path
  const exact = layers.origins.get(keyOf(at))
  const raw = rawAt(layers.raw, at) ?? option.fallback
  return {
    name: nameOf(at),
    path,
    shown: raw === undefined || typeof raw === 'symbol' ? '' : byFile ? toml(raw) : option.show(raw),
    origin: exact ? exact.key.replace(/^(.*):\d+$/, '$1') : 'default',
    reload: option.reload,
    compared: comparable(value),
  }
}

function rawAt(raw: unknown, path: Path): unknown {
  let value = raw
  for (const key of path) value = isTable(value) && Object.hasOwn(value, key) ? value[key] : undefined
  return value
}

/** Infinity and undefined have no JSON of their own. */
const comparable = (value: unknown) =>
  JSON.stringify(value, (_key, part: unknown) => (part === Infinity ? 'Infinity' : part)) ?? ''
const plain = (shown: string) => shown.replace(/^"(.*)"$/, '$1')
const withNote = (what: string, note: string) => (what === '' ? '' : `${what} (${note})`)
