/** Where the command line gets a password: a file, standard input, the person at the terminal, or chance. Never an argument. */
import type { Random } from '../base/random.js'
import type { Terminal } from '../base/terminal.js'
import type { FileAccess } from '../config/files.js'
import { CommandError } from '../host/command.js'
import { UsageError } from './arguments.js'
import type { Parsed } from './arguments.js'

export interface PasswordChoice {
  readonly password: string
  /** Made up by us: it has to be shown. */
  readonly generated: boolean
}

/** Throws `UsageError` or `CommandError`. */
export async function choosePassword(
  account: string,
  { flags, values }: Parsed,
  at: { terminal: Terminal; files: FileAccess; random: Random },
): Promise<PasswordChoice> {
  const file = values.get('password-file')?.at(-1)
  if (file !== undefined && flags.has('generate'))
    throw new UsageError('--generate and --password-file exclude each other')
  if (file !== undefined) return { password: await fromFile(file, at), generated: false }
  const typed = flags.has('generate') || !at.terminal.interactive ? '' : await asked(account, at.terminal)
  return typed === ''
    ? { password: madeUp(at.random), generated: true }
    : { password: typed, generated: false }
}

async function fromFile(
  file: string,
  { terminal, files }: { terminal: Terminal; files: FileAccess },
): Promise<string> {
  let text: string
  try {
    text = file === '-' ? await terminal.input() : files.read(file)
  } catch (error) {
    const { message, hint } = files.explain(file, error)
    throw new CommandError(`${file}: ${message}`, hint)
  }
  const password = text.replace(/\r?\n$/, '')
  const where = file === '-' ? 'standard input' : file
  if (password === '') throw new CommandError(`${where} is empty`, 'write the password into it, nothing else')
  if (/[\r\n]/.test(password))
    throw new CommandError(`${where} has more than one line`, 'a password is one line')
  return password
}

/** Typed twice the same; empty means: make one up. */
async function asked(account: string, terminal: Terminal): Promise<string> {
  for (let attempt = 0; attempt < 3; attempt++) {
    const first = await terminal.ask(`Password for ${account} (empty: make one up): `, true)
    if (first === undefined) break
    if (first === '') return ''
    const again = await terminal.ask('Once more: ', true)
    if (again === undefined) break
    if (first === again) return first
    terminal.error('The two differ.')
  }
  throw new CommandError('no password was set, nothing was changed')
}

/** 100 bits in letters that no one mistakes for each other: `k7dfw-m2xqz-…` */
function madeUp(random: Random): string {
  const letters = 'abcdefghijkmnpqrstuvwxyz23456789'
  const text = [...random.bytes(20)].map((byte) => letters[byte % letters.length]).join('')
  return text.replaceAll(/(.{5})(?=.)/g, '$1-')
}
