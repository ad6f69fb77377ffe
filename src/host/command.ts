/** A declared command: from one declaration come the command line, later the ad-hoc form and the HTTP route. */
import type { Schema } from '../base/schema.js'

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
  /** It changes nothing; it also answers in JSON. */
  readonly reads?: boolean
  /** What will be lost; asked before it is run. */
  readonly destroys?: (args: A) => string
  /** Throws `CommandError` for what the caller can put right. */
  run(args: A, at: CommandContext): Promise<CommandResult>
}

export interface CommandContext {
  /** Who asks, for the log: `local socket`, later an address. */
  readonly by: string
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
  ) {
    super(message)
  }
}
