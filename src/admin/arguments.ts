/** The words of a command line, checked against the schemas of options. */
import { nearest } from '../base/nearest.js'
import { option } from '../base/schema.js'
import { argumentsOf } from '../host/command.js'
import type { AnyCommand } from '../host/command.js'

/** The command line cannot be understood: exit code 2. */
export class UsageError extends Error {
  constructor(
    message: string,
    readonly hint?: string,
  ) {
    super(message)
  }
}

export interface Parsed {
  /** Raw values by snake_case key, for `Schema.parse`. */
  readonly args: Readonly<Record<string, unknown>>
  /** `--json`, `--yes` and the like. */
  readonly flags: ReadonlySet<string>
  /** `--config FILE`, each as often as it was given. */
  readonly values: ReadonlyMap<string, readonly string[]>
}

/** An optional word, as `check` reads it, which may throw `Misfit`; by default a word of any kind, checked where it is used. */
export function optionalWord(doc: string, check = (word: string): string => word) {
  return option<string | undefined>({
    kind: 'text',
    doc,
    fallback: undefined,
    reload: 'applied',
    expects: 'text',
    parse: (raw) => check(String(raw)),
  })
}

/** Options that go with a command whatever its own arguments are. */
export interface Around {
  readonly flags: readonly string[]
  readonly values: readonly string[]
}

/** What is typed behind the name of a command. */
export type Typed = Pick<AnyCommand, 'args' | 'places'>

/** Reads `words`: required options and `places` by position, all others as `--name value` or `--name=value`. Throws `UsageError`. */
export function parseWords(words: readonly string[], command: Typed, around: Around): Parsed {
  const own = new Map(argumentsOf(command).map((argument) => [argument.flag, argument]))
  const positional = [...own.values()].filter((argument) => argument.positional)
  const places = [...positional].sort((a, b) => Number(b.required) - Number(a.required))
  const args: Record<string, unknown> = {}
  const flags = new Set<string>()
  const values = new Map<string, string[]>()
  const rest = [...words]
  let onlyPlaces = false
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--' && !onlyPlaces) {
      onlyPlaces = true
      continue
    }
    if (onlyPlaces || !word.startsWith('-') || word === '-') {
      const place = places.shift()
      if (!place) throw new UsageError(`"${word}" is one argument too many`)
      args[place.key] = place.option.fromText(word)
      continue
    }
    const [name, inline] = splitFlag(word)
    const take = () => {
      const value = inline ?? rest.shift()
      if (value === undefined) throw new UsageError(`--${name} needs a value`)
      return value
    }
    const argument = own.get(name)
    if (name === 'password') throw noPassword()
    if (argument && argument.option.kind === 'flag')
      args[argument.key] = inline === undefined ? true : argument.option.fromText(inline)
    else if (argument && argument.option.kind !== 'secret')
      args[argument.key] = argument.option.fromText(take())
    else if (around.flags.includes(name)) flags.add(name)
    else if (around.values.includes(name)) values.set(name, [...(values.get(name) ?? []), take()])
    else throw unknownFlag(name, [...own.keys(), ...around.flags, ...around.values])
  }
  const missing = places.find((place) => place.required)
  if (missing) throw new UsageError(`${missing.placeholder} is missing: ${missing.option.doc}`)
  return { args, flags, values }
}

function splitFlag(word: string): [string, string | undefined] {
  const text = word.replace(/^--?/, '')
  const equals = text.indexOf('=')
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)]
}

function noPassword(): UsageError {
  return new UsageError(
    'a password is never an argument: everyone on this machine could read it in the list of processes',
    'leave it out to be asked, or use --password-file FILE (- is standard input), or --generate',
  )
}

function unknownFlag(name: string, known: readonly string[]): UsageError {
  const close = nearest(name, known)
  return new UsageError(`unknown option --${name}`, close && `did you mean --${close} ?`)
}
