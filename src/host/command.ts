/** A declared command: from one declaration come the command line and the ad-hoc form, later the HTTP route. */
import { Misfit, option, required, written } from '../base/schema.js'
import type { Node, Option, Schema } from '../base/schema.js'
import type { StanzaCondition } from '../stanza/errors.js'
import { parseMoment } from '../stanza/delay.js'
import { Jid, JidError } from '../stanza/jid.js'

/** Who may run it: an operator reads, an admin changes. */
export type Role = 'operator' | 'admin'

export interface Command<A> {
  /** What one types: `user add`. */
  readonly name: string
  readonly role: Role
  /** One line, for help. */
  readonly summary: string
  /** Arguments: required ones stand in order, the others are `--name value`; a secret is asked for, never an argument. */
  readonly args: Schema<A>
  /** Options, by key, that may also stand without their names: in this order, behind the required ones. */
  readonly places?: readonly string[]
  /** It changes nothing; it also answers in JSON. */
  readonly reads?: boolean
  /** It concerns all domains at once: not for who may care for one only. Default: the domain of an account, or one named. */
  readonly about?: 'server'
  /** Arguments, by key, that the log of changes leaves out: what people write. */
  readonly unlogged?: readonly string[]
  /** Only for the command line: it reads the file that its first argument names, or writes one on standard output. */
  readonly local?: 'reads' | 'writes'
  /** It may take minutes. */
  readonly slow?: boolean
  /** Of a module's command without an account: whether these are about its own host. Default: `--domain` says which host. */
  readonly concerns?: (args: A) => boolean
  /** What will be lost; asked before it is run. */
  readonly destroys?: (args: A) => string
  /** Throws `CommandError` for what the caller can put right. */
  run(args: A, at: CommandContext): Promise<CommandResult>
}

// Commands of all argument types stand in one table: each checks its own before `run` sees them.
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyCommand = Command<any>

/** One argument, in the ways it is named. */
export interface Argument {
  /** In snake_case. */
  readonly key: string
  /** Without the hyphens. */
  readonly flag: string
  readonly required: boolean
  /** May stand without its name. */
  readonly positional: boolean
  /** `ACCOUNT` */
  readonly placeholder: string
  readonly option: Option<unknown>
}

/** The arguments of a command, in order. */
export function argumentsOf({ args, places = [] }: Pick<AnyCommand, 'args' | 'places'>): Argument[] {
  return Object.entries((args as Schema<unknown>).fields)
    .filter((field): field is [string, Option<unknown>] => isOption(field[1]))
    .map(([name, option]) => ({
      key: written(name),
      flag: written(name).replaceAll('_', '-'),
      required: option.fallback === required,
      positional: option.fallback === required || places.includes(written(name)),
      placeholder: written(name).toUpperCase(),
      option,
    }))
}

const isOption = (node: Node<unknown>) => node.shape === 'option'

/** Ties the types of a command's arguments and its `run` together. */
export function declare<A>(command: Command<A>): Command<A> {
  return command
}

/**
 * A command of a module, which runs on its host: the one of the domain of its `accountArg`, or else of `--domain`. An
 * operator's changes nothing. `run` hands back words for people, or a whole result.
 */
export function command<A>(
  name: string,
  role: Role,
  summary: string,
  args: Schema<A>,
  run: (args: A, at: CommandContext) => Promise<CommandResult | string>,
  destroys?: (args: A) => string,
): Command<A> {
  return {
    name,
    role,
    summary,
    args,
    reads: role === 'operator',
    ...(destroys ? { destroys } : {}),
    async run(given, at) {
      const result = await run(given, at)
      return typeof result === 'string' ? { data: result, text: result } : result
    },
  }
}

/** The required argument that names an account of the host: NAME@DOMAIN, or NAME of the first domain. */
export function accountArg(doc: string): Option<Jid> {
  return option<Jid>({
    kind: 'account',
    doc,
    fallback: required,
    reload: 'applied',
    expects: 'NAME or NAME@DOMAIN',
    parse(raw) {
      try {
        const jid = Jid.parse(String(raw))
        if (jid.local === '' || !jid.isBare) throw new Misfit('is not the address of an account')
        return jid
      } catch (error) {
        throw error instanceof JidError ? new Misfit('is not an address') : error
      }
    },
  })
}

/** What an argument says of a time, in milliseconds since 1970. @throws CommandError when it is no day and no moment */
export function dayOrMoment(written: string): number {
  const at = parseMoment(/^\d{4}-\d\d-\d\d$/.test(written) ? `${written}T00:00:00Z` : written)
  if (at === undefined)
    throw new CommandError(`${written} is no day and no moment.`, 'write it as 2030-01-31')
  return at
}

export interface CommandContext {
  /** By which door, for the log: `local socket`. */
  readonly by: string
  /** The only domain that they may look after; undefined: all. */
  readonly domain?: string | undefined
  /** Files of who asks, at a command line. */
  readonly files?: FilesOfCaller
}

/** What is too large for arguments and results. */
export interface FilesOfCaller {
  /** In pieces; files beside the first one by names relative to it. Rejects with CommandError. */
  read(file: string): AsyncIterable<Buffer>
  /** On the standard output; resolves when more can be taken. */
  write(text: string): Promise<void>
}

export interface CommandResult {
  /** The result for programs: anything JSON can hold. */
  readonly data: unknown
  /** The result for people. */
  readonly text?: string
  /** Rows for people, shown before `text`. */
  readonly table?: { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] }
  /** The answer is bad news (not ready, nothing found): exit code 1. */
  readonly problem?: boolean
}

/** What the caller can put right; the message says what is wrong, the hint what to do. */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly hint?: string,
    /** For who asks over XMPP. */
    readonly condition?: StanzaCondition,
  ) {
    super(message)
  }
}
