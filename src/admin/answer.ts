/** Runs a command somebody asks for, whatever door the request came through: checks, runs, logs, and makes an answer of every failure. */
import type { Log } from '../base/log.js'
import { Misfit } from '../base/schema.js'
import { ConfigError } from '../config/problems.js'
import { argumentsOf, CommandError } from '../host/command.js'
import type { AnyCommand } from '../host/command.js'
import { mayRun } from '../host/desk.js'
import type { Caller, CommandAnswer, CommandRequest } from '../host/desk.js'
import { StorageUnavailable } from '../storage/errors.js'

/** Never rejects. */
export async function answerTo(
  { command: name, args: raw = {}, confirmed }: Partial<CommandRequest>,
  caller: Caller,
  commands: readonly AnyCommand[],
  log: Log,
): Promise<CommandAnswer> {
  const { by, user, domain, files } = caller
  const who = { by, ...(user === undefined ? {} : { user }) }
  const command = commands.find((each) => each.name === name)
  if (!command) return problem('usage', `the server knows no command "${String(name)}"`)
  if (!mayRun(caller, command)) {
    const needed = command.about === 'server' ? 'admins of the whole server' : 'admins'
    log.warn('admin.refused', { command: command.name, ...who, needed })
    return problem('refused', `${command.name} is for ${needed} only`)
  }
  try {
    const args: unknown = command.args.parse(fromText(raw, command))
    const loss = confirmed === true ? undefined : command.destroys?.(args)
    if (loss !== undefined) return problem('confirm', loss)
    const result = await command.run(args, { by, domain, ...(files ? { files } : {}) })
    if (!command.reads)
      log.info('admin.command', { command: command.name, args: openArgs(command, raw), ...who })
    return { ok: true, ...result }
  } catch (error) {
    if (error instanceof Misfit) return problem('usage', error.message)
    if (error instanceof ConfigError) return problem('problem', error.message)
    if (error instanceof CommandError) {
      const { message, hint, condition } = error
      return { ...problem('problem', message, hint), ...(condition ? { condition } : {}) }
    }
    if (error instanceof StorageUnavailable)
      return problem('problem', 'the database cannot be reached right now', 'parley health tells more')
    log.error('admin.command.failed', { command: command.name, error })
    return problem('problem', 'the server made a mistake; its log has the details')
  }
}

function problem(
  kind: 'problem' | 'usage' | 'refused' | 'confirm',
  message: string,
  hint?: string,
): CommandAnswer {
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

/** What was asked, without the secrets and what people write. */
function openArgs(command: AnyCommand, raw: object): Record<string, unknown> {
  const secrets = argumentsOf(command).flatMap(({ key, option }) => (option.kind === 'secret' ? [key] : []))
  secrets.push(...(command.unlogged ?? []))
  return Object.fromEntries(Object.entries(raw).filter(([key]) => !secrets.includes(key)))
}
