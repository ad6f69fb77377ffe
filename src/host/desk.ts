/** Where commands are asked for, whatever door one comes through: the control socket, or a stanza. */
import type { AnyCommand, CommandResult, FilesOfCaller, Role } from './command.js'
import type { StanzaCondition } from '../stanza/errors.js'

export interface CommandRequest {
  readonly command: string
  /** By snake_case key: values, or the text that stands for them. */
  readonly args: Readonly<Record<string, unknown>>
  /** The person has been asked whether what will be lost may be. */
  readonly confirmed?: boolean
}

export type CommandAnswer =
  | ({ readonly ok: true } & CommandResult)
  | {
      readonly ok: false
      /**
       * `usage`: the request is wrong; `refused`: not by this caller; `confirm`: `message` says what would be lost, ask
       * again with `confirmed`.
       */
      readonly kind: 'problem' | 'usage' | 'refused' | 'confirm'
      readonly message: string
      readonly hint?: string
      /** For who asks over XMPP. */
      readonly condition?: StanzaCondition
    }

/** Who asks. */
export interface Caller {
  /** For the log: `local socket`, `ad-hoc command`. */
  readonly by: string
  /** For the log, which may hash it: the bare address of who asks with an account. */
  readonly user?: string
  readonly role: Role
  /** The only domain that they may look after; undefined: the whole server. */
  readonly domain?: string | undefined
  readonly files?: FilesOfCaller
}

/** Whether somebody may run a command at all; what it does to whom is for the command to check. */
export function mayRun({ role, domain }: Caller, command: AnyCommand): boolean {
  return (
    (command.role !== 'admin' || role === 'admin') && (command.about !== 'server' || domain === undefined)
  )
}

/** The desk of one domain: names without a domain are of that one. */
export interface Desk {
  /** The commands that somebody may run just now, by name. */
  commandsFor(caller: Caller): readonly AnyCommand[]
  /** Checks, runs and logs. Never rejects. */
  run(request: CommandRequest, caller: Caller): Promise<CommandAnswer>
}
