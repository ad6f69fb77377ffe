/** Runs a command somebody asks for, whatever door the request came through: checks, runs, logs, and makes an answer of every failure. */
import type { Log } from '../base/log.js'
import { Misfit } from '../base/schema.js'
import { ConfigError } from '../config/problems.js'
import { CommandError } from '../host/command.js'
import type { AnyCommand, CommandResult, Role } from '../host/command.js'
import { StorageUnavailable } from '../storage/errors.js'
import { argumentsOf } from './arguments.js'

export interface Request {
  readonly command: string
  /** By snake_case key: values, or the text that stands for them. */
  readonly args: Readonly<Record<string, unknown>>
  /** The person has been asked whether what will be lost may be. */
  readonly confirmed?: boolean
}

export type Answer =
  | ({ readonly ok: true } & CommandResult)
  | {
      readonly ok: false
      /** `usage`: the request is wrong; `confirm`: `message` says what would be lost, ask again with `confirmed`. */
      readonly kind: 'problem' | 'usage' | 'confirm'
      readonly message: string
      readonly hint?: string
    }

/** Who asks. */
export interface Caller {
  /** For the log: `local socket`. */
  readonly by: string
  readonly role: Role
}

/** Never rejects. */
export async function answerTo(
  { command: name, args: raw = {}, confirmed }: Partial<Request>,
  { by, role }: Caller,
  commands: readonly AnyCommand[],
  log: Log,
): Promise<Answer> {
  const command = commands.find((each) => each.name === name)
  if (!command) return problem('usage', `the server knows no command "${String(name)}"`)
  if (command.role === 'admin' && role !== 'admin')
    return problem('problem', `${command.name} is for admins only`)
  try {
    const args: unknown = command.args.parse(fromText(raw, command))
    const loss = confirmed === true ? undefined : command.destroys?.(args)
    if (loss !== undefined) return problem('confirm', loss)
    const result = await command.run(args, { by })
    if (!command.reads) log.info('admin.command', { command: command.name, args: openArgs(command, raw), by })
    return { ok: true, ...result }
  } catch (error) {
    if (error instanceof Misfit) return problem('usage', error.message)
    if (error instanceof ConfigError) return problem('problem', error.message)
    if (error instanceof CommandError) return problem('problem', error.message, error.hint)
    if (error instanceof StorageUnavailable)
      return problem('problem', 'the database cannot be reached right now', 'parley health tells more')
    log.error('admin.command.failed', { command: command.name, error })
    return problem('problem', 'the server made a mistake; its log has the details')
  }
}

function problem(kind: 'problem' | 'usage' | 'confirm', message: string, hint?: string): Answer {
  return { ok: false, kind, message, ...(hint ? { hint } : {}) }
}

/** Texts as the values they stand for. */
function fromText(raw: Readonly<Record<string, unknown>>, command: AnyCommand): Record<string, unknown> {
  const values: Record<string, unknown> = { ...raw }
  for (const { key, option } of argumentsOf(command)) {
    const value = values[key]
    if (typeof value === 'string' && option.kind !== 'secret') values[key] = option.fromText(value)
  }
  return values
}

/** What was asked, without the secrets. */
function openArgs(command: AnyCommand, raw: object): Record<string, unknown> {
  const secrets = argumentsOf(command).flatMap(({ key, option }) => (option.kind === 'secret' ? [key] : []))
  return Object.fromEntries(Object.entries(raw).filter(([key]) => !secrets.includes(key)))
}
