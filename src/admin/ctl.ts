/** The `parley` command: words in, an exit code out; what concerns a running server goes over its control socket. */
import type { Clock } from '../base/clock.js'
import { nearest } from '../base/nearest.js'
import type { Random } from '../base/random.js'
import { flag, Misfit, options } from '../base/schema.js'
import type { Schema } from '../base/schema.js'
import type { Terminal } from '../base/terminal.js'
import type { FileAccess } from '../config/files.js'
import { nameOf } from '../config/layers.js'
import { controlSocketOf, loadConfig } from '../config/load.js'
import type { ConfigSource, LoadedConfig } from '../config/load.js'
import { ConfigError, printProblems, summary } from '../config/problems.js'
import { exampleConfig, optionReference } from '../config/reference.js'
import type { ModuleDeclaration } from '../config/server.js'
import type { Setting } from '../config/settings.js'
import { argumentsOf, CommandError } from '../host/command.js'
import type { AnyCommand, CommandResult } from '../host/command.js'
import { optionalWord, parseWords, UsageError } from './arguments.js'
import type { Parsed } from './arguments.js'
import { callerFiles, type Streams } from './caller-files.js'
import { adminCommands } from './commands.js'
import { dns, dnsArgs, dnsCheck, dnsCheckArgs } from './dns.js'
import { init } from './init.js'
import { choosePassword } from './password.js'
import { printResult, printRows, usageOf } from './print.js'
import { askServer, NotRunning, SocketError } from './socket.js'
import { commandOf, HELP } from './table.js'
import type { CommandFacts } from './table.js'

/** What a run of `parley` needs of its process. */
export interface CtlEnvironment {
  readonly terminal: Terminal
  readonly env: Readonly<Record<string, string | undefined>>
  readonly files: FileAccess
  readonly clock: Clock
  readonly random: Random
  readonly version: string
  /** How this command was called: `parley`, `npx parley`. */
  readonly parley: string
  modules(): Promise<readonly ModuleDeclaration[]>
  /** Addresses of this machine's network interfaces. */
  interfaces(): readonly string[]
  readonly streams: Streams
  /** Runs a server until it is told to stop; resolves with the exit code. */
  start(source: ConfigSource): Promise<number>
}

/** 0: ok. 1: a problem was found. 2: the words are wrong. 3: no server can be reached. */
export type ExitCode = number

/** Runs one command line and tells the exit code. */
export async function ctl(words: readonly string[], at: CtlEnvironment): Promise<ExitCode> {
  try {
    const { rest, globals } = takeGlobals(words)
    if (globals.flags.has('version')) return await run(localCommand('version'), [], globals, at)
    if (rest.length === 0) {
      at.terminal.out(helpText(await moduleCommands(globals, at), at))
      return globals.flags.has('help') ? 0 : 2
    }
    const { command, words: own } = await findCommand(rest, globals, at)
    if (!globals.flags.has('help')) return await run(command, own, globals, at)
    at.terminal.out(helpOf(command, at))
    return 0
  } catch (error) {
    return complain(error, at)
  }
}

interface Globals {
  /** `json`, `yes`, `help`, `version` */
  readonly flags: ReadonlySet<string>
  readonly config: string | undefined
  readonly socket: string | undefined
  readonly set: readonly string[]
}

/** A command that needs no running server. */
interface LocalCommand {
  readonly name: string
  readonly summary: string
  readonly args: Schema<unknown>
  /** Words after the command, for help. */
  readonly usage?: string
  run(parsed: Parsed, globals: Globals, at: CtlEnvironment): Promise<ExitCode>
}

const nothing = options({})

const localCommands: readonly LocalCommand[] = [
  {
    name: 'start',
    summary: 'Run the server in the foreground',
    args: nothing,
    run: async (_parsed, globals, at) => at.start(await sourceOf(globals, at)),
  },
  {
    name: 'init',
    summary: 'Write a small configuration and what belongs to it, asking for what is not given',
    args: options({
      domain: optionalWord('The domain of the addresses'),
      host: optionalWord('The name of this machine for clients, when it is another'),
      ipv4: optionalWord('Its IPv4 address, for the DNS records'),
      ipv6: optionalWord('Its IPv6 address'),
      data: optionalWord('The folder for data'),
      database: optionalWord('postgres://USER@HOST/DATABASE; default: a database of its own'),
      databasePasswordFile: optionalWord('The file with its password'),
      certificate: optionalWord('Certificate with its chain (PEM)'),
      key: optionalWord('Its private key (PEM)'),
      user: optionalWord('Your user name'),
      listen: optionalWord('ADDRESS:PORT for clients'),
      compose: flag(false, 'For containers: also compose.yaml, secrets/ and data/'),
    }),
    run: async ({ args }, globals, at) => {
      // Where the image expects the folder to be filled.
      const setup = at.env['PARLEY_SETUP'] || undefined
      if (setup !== undefined && at.files.stat(setup) === undefined)
        throw new UsageError(
          `there is no folder ${setup}`,
          `docker run --rm -it -u "$(id -u):$(id -g)" -v "$PWD:${setup}" ... init`,
        )
      const file =
        globals.config ?? (at.env['PARLEY_CONFIG'] || undefined) ?? `${setup ? `${setup}/` : ''}parley.toml`
      const compose = args['compose'] === true || setup !== undefined
      return init(file, { ...args, compose }, { ...at, modules: await at.modules() })
    },
  },
  {
    name: 'config check',
    summary: 'Say everything that is wrong with the configuration',
    args: nothing,
    run: configCheck,
  },
  {
    name: 'config show',
    summary: 'Print the settings that hold, secrets masked',
    args: options({ origin: flag(false, 'Tell where each comes from') }),
    run: configShow,
  },
  {
    name: 'config example',
    summary: 'Print a configuration that explains every setting',
    args: nothing,
    run: async (_parsed, _globals, at) => {
      at.terminal.out(exampleConfig(await at.modules()).trimEnd())
      return 0
    },
  },
  {
    name: 'config reference',
    summary: 'Print all settings as Markdown tables',
    args: nothing,
    run: async (_parsed, _globals, at) => {
      at.terminal.out(optionReference(await at.modules()).trimEnd())
      return 0
    },
  },
  {
    name: 'dns',
    summary: 'Print the DNS records to set',
    args: dnsArgs,
    run: async ({ args }, globals, at) =>
      dns((await load(globals, at)).config, args, globals.flags.has('json'), at),
  },
  {
    name: 'dns check',
    summary: 'Ask DNS about the domains and say what is wrong; exit code 0 or 1',
    args: dnsCheckArgs,
    run: async ({ args }, globals, at) =>
      dnsCheck((await load(globals, at)).config, args, globals.flags.has('json'), at),
  },
  {
    name: 'version',
    summary: 'Print the version',
    args: nothing,
    run: (_parsed, { flags }, { terminal, version }) => {
      terminal.out(flags.has('json') ? JSON.stringify({ version }) : `parley ${version}`)
      return Promise.resolve(0)
    },
  },
  {
    name: 'help',
    summary: 'Print this, or `help COMMAND`',
    args: nothing,
    run: async (_parsed, globals, at) => {
      at.terminal.out(helpText(await moduleCommands(globals, at), at))
      return 0
    },
  },
]

const localCommand = (name: string) => localCommands.find((command) => command.name === name)!

// The words are checked here, the commands run over there.
const serverCommands = adminCommands(() => {
  throw new Error('commands run in the server')
})

const passwordWords = { flags: ['generate'], values: ['password-file'] }

/** Those of the modules of a server that runs; none when no server runs. */
async function moduleCommands(globals: Globals, at: CtlEnvironment): Promise<readonly AnyCommand[]> {
  const known = new Set(serverCommands.map(({ name }) => name))
  try {
    const path = globals.socket ?? controlSocketOf(await sourceOf(globals, at))
    const answer = await askServer(path, { command: HELP, args: {} }, { clock: at.clock, ms: 5000 })
    if (!answer.ok) return []
    const facts = answer.data as readonly CommandFacts[]
    return facts.filter(({ name }) => !known.has(name)).map(commandOf)
  } catch (error) {
    if (error instanceof NotRunning || error instanceof SocketError || error instanceof ConfigError) return []
    throw error
  }
}

async function run(
  command: LocalCommand | AnyCommand,
  words: readonly string[],
  globals: Globals,
  at: CtlEnvironment,
): Promise<ExitCode> {
  if (!isLocal(command)) return runInServer(command, words, globals, at)
  if (command.name === 'help' && words.length > 0) {
    at.terminal.out(helpOf((await findCommand(words, globals, at)).command, at))
    return 0
  }
  return command.run(parseWords(words, command, { flags: [], values: [] }), globals, at)
}

const isLocal = (command: LocalCommand | AnyCommand): command is LocalCommand =>
  localCommands.includes(command as LocalCommand)

async function runInServer(
  command: AnyCommand,
  words: readonly string[],
  globals: Globals,
  at: CtlEnvironment,
): Promise<ExitCode> {
  const takesPassword = Object.hasOwn(command.args.fields, 'password')
  const parsed = parseWords(words, command, takesPassword ? passwordWords : { flags: [], values: [] })
  let args = parsed.args
  let checked: unknown
  try {
    checked = command.args.parse(args)
  } catch (fault) {
    throw fault instanceof Misfit ? new UsageError(fault.message) : fault
  }
  const path = globals.socket ?? controlSocketOf(await sourceOf(globals, at))
  const loss = command.destroys?.(checked)
  if (loss !== undefined && !globals.flags.has('yes') && !(await confirmed(loss, at.terminal))) return 1

  let generated: string | undefined
  if (takesPassword) {
    const choice = await choosePassword(String(args['account']), parsed, at)
    generated = choice.generated ? choice.password : undefined
    args = { ...args, password: choice.password }
  }
  const patience = { clock: at.clock, ms: command.slow ? 180_000 : command.reads ? 10_000 : 60_000 }
  const request = { command: command.name, args }
  const file = command.local === 'reads' ? String(Object.values(args)[0]) : ''
  const files = command.local ? callerFiles(file, at.streams, at.files) : undefined
  let answer = await askServer(path, { ...request, confirmed: loss !== undefined }, patience, files)
  if (!answer.ok && answer.kind === 'confirm') {
    // A command that only the server knows: it says what would be lost.
    if (!globals.flags.has('yes') && !(await confirmed(answer.message, at.terminal))) return 1
    answer = await askServer(path, { ...request, confirmed: true }, patience)
  }
  if (!answer.ok) {
    if (answer.kind === 'usage') throw new UsageError(answer.message)
    throw new CommandError(answer.message, answer.hint)
  }
  const said = printed(answer, generated, globals)
  // Standard output is the file.
  if (command.local === 'writes') at.terminal.error(said)
  else at.terminal.out(said)
  return answer.problem ? 1 : 0
}

function printed(result: CommandResult, generated: string | undefined, { flags }: Globals): string {
  if (!flags.has('json'))
    return [printResult(result), ...(generated ? [`Password: ${generated}`] : [])].join('\n')
  return JSON.stringify(
    generated ? { ...(result.data as object), password: generated } : result.data,
    null,
    2,
  )
}

async function confirmed(loss: string, terminal: Terminal): Promise<boolean> {
  if (!terminal.interactive)
    throw new UsageError(`this would remove ${loss}`, 'add --yes when that is what you want')
  const typed = await terminal.ask(`This removes ${loss}. Go on? [y/N] `)
  if (/^y(es)?$/i.test(typed?.trim() ?? '')) return true
  terminal.error('nothing was changed')
  return false
}

async function configCheck(_parsed: Parsed, globals: Globals, at: CtlEnvironment): Promise<ExitCode> {
  try {
    const { files, warnings } = await load(globals, at)
    if (warnings.length > 0) at.terminal.out(printProblems(warnings))
    at.terminal.out(
      `${files.join(' ') || 'no file, defaults only'}: ${warnings.length > 0 ? summary(warnings) : 'ok'}`,
    )
    return 0
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    at.terminal.error(`${printProblems(error.problems)}\n${summary(error.problems)}`)
    return 1
  }
}

async function configShow({ args }: Parsed, globals: Globals, at: CtlEnvironment): Promise<ExitCode> {
  const { settings } = await load(globals, at)
  if (globals.flags.has('json')) {
    const shown = settings.map(({ name, shown, origin, reload }) => ({ name, value: shown, origin, reload }))
    at.terminal.out(JSON.stringify(shown, null, 2))
    return 0
  }
  at.terminal.out(settingLines(settings, args['origin'] === true).join('\n'))
  return 0
}

/** TOML, table by table; what has no value is a comment. */
function settingLines(settings: readonly Setting[], origins: boolean): string[] {
  const lines: string[] = []
  let table = ''
  let rows: string[][] = []
  for (const { path, name, shown, origin } of [
    ...settings,
    { path: ['', ''], name: '', shown: '', origin: '' },
  ]) {
    const own = nameOf(path.slice(0, -1))
    if (own !== table) {
      lines.push(...printRows(rows))
      rows = []
      table = own
      if (name !== '') lines.push('', `[${own}]`)
    }
    const key = name.split('.').at(-1) ?? ''
    const line = shown === '' ? `# ${key} is not set` : `${key} = ${shown}`
    rows.push(origins && shown !== '' ? [line, `# ${origin}`] : [line])
  }
  return lines
}

/** Options that go before or behind any command. */
function takeGlobals(words: readonly string[]): { rest: string[]; globals: Globals } {
  const flags = new Set<string>()
  const given: Record<'config' | 'socket' | 'set', string[]> = { config: [], socket: [], set: [] }
  const rest: string[] = []
  const left = [...words]
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    const [, name = '', inline] = /^--?([a-z-]+)(?:=(.*))?$/s.exec(word) ?? []
    const long = { h: 'help', V: 'version', c: 'config', y: 'yes' }[name] ?? name
    if (word === '--') {
      rest.push(word, ...left)
      break
    } else if (['json', 'yes', 'help', 'version'].includes(long)) flags.add(long)
    else if (long === 'config' || long === 'socket' || long === 'set') {
      const value = inline ?? left.shift()
      if (value === undefined) throw new UsageError(`--${long} needs a value`)
      given[long].push(value)
    } else rest.push(word)
  }
  if (given.config.length > 1)
    throw new UsageError('--config is given twice', 'put further files into conf.d beside the first')
  return { rest, globals: { flags, config: given.config[0], socket: given.socket.at(-1), set: given.set } }
}

/** The command that words begin with. Throws `UsageError`. */
async function findCommand(
  words: readonly string[],
  globals: Globals,
  at: CtlEnvironment,
): Promise<{ command: AnyCommand | LocalCommand; words: readonly string[] }> {
  const own = [...localCommands, ...serverCommands]
  const known = beginning(words, own)
  if (known) return known
  const all = [...own, ...(await moduleCommands(globals, at))]
  return beginning(words, all) ?? notFound(words, all)
}

function beginning<C extends AnyCommand | LocalCommand>(
  words: readonly string[],
  commands: readonly C[],
): { command: C; words: readonly string[] } | undefined {
  for (const length of [2, 1]) {
    const command = commands.find(({ name }) => name === words.slice(0, length).join(' '))
    if (command) return { command, words: words.slice(length) }
  }
  return undefined
}

function notFound(words: readonly string[], commands: readonly (AnyCommand | LocalCommand)[]): never {
  const [first = '', second = ''] = words
  const names = commands.map(({ name }) => name)
  const group = names.filter((name) => name.startsWith(`${first} `))
  if (group.length > 0 && (second === '' || second.startsWith('-')))
    throw new UsageError(`${first} what?`, group.join(', '))
  const close = nearest(
    group.length > 0 ? `${first} ${second}` : first,
    group.length > 0 ? group : [...names, ...names.map((name) => name.split(' ')[0] ?? '')],
  )
  throw new UsageError(
    `unknown command ${group.length > 0 ? `${first} ${second}` : first}`,
    close ? `did you mean ${close} ?` : 'parley help lists them; those of modules only while the server runs',
  )
}

async function sourceOf(globals: Globals, at: CtlEnvironment): Promise<ConfigSource> {
  const usual = ['parley.toml', '/etc/parley/parley.toml'].find((file) => at.files.stat(file))
  const file = globals.config ?? (at.env['PARLEY_CONFIG'] || undefined) ?? usual
  return { file, env: at.env, set: globals.set, modules: await at.modules(), files: at.files }
}

async function load(globals: Globals, at: CtlEnvironment): Promise<LoadedConfig> {
  return loadConfig(await sourceOf(globals, at))
}

function complain(error: unknown, { terminal, parley }: CtlEnvironment): ExitCode {
  const lines = (message: string, hint?: string) =>
    terminal.error(`parley: ${message}${hint ? `\n   ${hint}` : ''}`)
  if (error instanceof UsageError) {
    lines(error.message, error.hint)
    return 2
  }
  if (error instanceof NotRunning) {
    lines(
      error.message,
      `start it with \`${parley} start\`; for one with another configuration add --config FILE`,
    )
    return 3
  }
  if (error instanceof ConfigError) terminal.error(error.message)
  else if (error instanceof CommandError) lines(error.message, error.hint)
  else if (error instanceof SocketError) lines(error.message, error.fix)
  else throw error
  return 1
}

function helpText(ofModules: readonly AnyCommand[], { version, parley }: CtlEnvironment): string {
  const rows = [...localCommands, ...serverCommands, ...ofModules].map(({ name, summary }) => [
    `  ${name}`,
    summary,
  ])
  return `parley ${version}

${parley} COMMAND [--config FILE] [--set KEY=VALUE] ...

${printRows(rows).join('\n')}

With any command: --json prints for programs, --help explains, --yes answers questions with yes,
--socket PATH names the control socket of a server. Without --config it is PARLEY_CONFIG, ./parley.toml
or /etc/parley/parley.toml. Exit codes: 0 ok, 1 problem found, 2 wrong usage, 3 no server reached.`
}

function helpOf(command: AnyCommand | LocalCommand, { parley }: CtlEnvironment): string {
  const usage = usageOf({ ...command, role: 'admin', run: () => Promise.reject(new Error('not to be run')) })
  const rows = argumentsOf(command).map(({ flag, option }) => [`  ${flag}`, option.doc])
  return [
    `${parley} ${usage}`,
    `  ${command.summary}`,
    ...(rows.length > 0 ? ['', ...printRows(rows)] : []),
  ].join('\n')
}
