/** `parley init`: asks for what a server needs to know and writes what it needs to run, never over a file that is there. */
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Clock } from '../base/clock.js'
import type { Random } from '../base/random.js'
import { Misfit } from '../base/schema.js'
import type { Terminal } from '../base/terminal.js'
import { asAddress, asDomain, asJid } from '../base/units.js'
import { loadConfig } from '../config/load.js'
import type { ModuleDeclaration, ServerConfig } from '../config/server.js'
import { UsageError } from './arguments.js'
import { certificatesInside, composeFile, configInside, databaseInside, passwordInside } from './compose.js'
import { printRecords, printZone, recordsOf, siteOf } from './dns-records.js'
import type { DnsRecord } from './dns-records.js'

export interface InitAnswers {
  readonly domain?: string | undefined
  /** The name clients connect to, when it is not the domain. */
  readonly host?: string | undefined
  /** Its addresses, for the DNS records. */
  readonly ipv4?: string | undefined
  readonly ipv6?: string | undefined
  /** The data directory. */
  readonly data?: string | undefined
  /** `postgres://...` without a password; none: the embedded database, or with Compose one beside the server. */
  readonly database?: string | undefined
  /** The file with its password. */
  readonly database_password_file?: string | undefined
  /** PEM files. */
  readonly certificate?: string | undefined
  readonly key?: string | undefined
  /** Who the next step is shown for. */
  readonly user?: string | undefined
  /** Where to listen for clients, `ADDRESS:PORT`. */
  readonly listen?: string | undefined
  /** Containers: compose.yaml and secrets are written too. */
  readonly compose?: boolean | undefined
}

export interface InitEnvironment {
  readonly terminal: Terminal
  readonly clock: Clock
  readonly random: Random
  readonly version: string
  readonly parley: string
  readonly modules: readonly ModuleDeclaration[]
}

/** Who the server is when root prepares it: the user of the image. */
const imageUser = 10001

/** Writes what is missing beside `file`, and `file` itself, and says what comes next; gives the exit code. */
export async function init(file: string, given: InitAnswers, at: InitEnvironment): Promise<number> {
  check(given)
  const folder = new Folder(dirname(resolve(file)), given.compose === true)
  const before = folder.read(resolve(file))
  if (before !== undefined && settings.some((key) => given[key] !== undefined)) {
    at.terminal.error(
      `${file} exists already; nothing was changed\n   edit it, or name another file: --config FILE`,
    )
    return 1
  }
  try {
    const plan = await planOf(file, given, before, at)
    write(plan, folder, at)
    finish(plan, folder, at)
    return 0
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    at.terminal.error(
      `cannot write ${path ?? file}: ${(error as Error).message}\n   with docker run: -u "$(id -u):$(id -g)" -v "$PWD:/setup"`,
    )
    return 1
  }
}

/** What ends in the configuration. */
const settings = [
  'domain',
  'data',
  'database',
  'database_password_file',
  'certificate',
  'key',
  'listen',
] as const

/** What is to be there in the end. */
interface Plan {
  readonly file: string
  readonly compose: boolean
  readonly config: ServerConfig
  /** Of `file`. */
  readonly text: string
  readonly host: string
  readonly user: string
  readonly records: readonly DnsRecord[]
  readonly given: InitAnswers
}

function check(given: InitAnswers): void {
  const { certificate, key, database, compose } = given
  if ((certificate === undefined) !== (key === undefined))
    throw new UsageError('--certificate and --key go together')
  if (given.listen !== undefined) checked('--listen', given.listen, asAddress)
  if (database !== undefined && /:\/\/[^/@]*:.*@|[?&]password=/i.test(database))
    throw new UsageError(
      '--database: everyone on this machine can read a password on the command line',
      'leave it out, and write it into a file: --database-password-file FILE',
    )
  if (!compose) return
  if (given.listen !== undefined || given.data !== undefined)
    throw new UsageError('--listen and --data are for a server without containers', 'edit compose.yaml')
  if (certificate !== undefined && dirname(resolve(certificate)) !== dirname(resolve(key!)))
    throw new UsageError('--certificate and --key are in two folders', 'put them into one for the container')
}

async function planOf(
  file: string,
  given: InitAnswers,
  before: string | undefined,
  { terminal, modules }: InitEnvironment,
): Promise<Plan> {
  const compose = given.compose ?? false
  const path = resolve(file)
  const known = before === undefined ? undefined : configOf(path, before, modules)
  const domain =
    known?.domains[0] ??
    (await answer(terminal, given.domain, 'Domain of your addresses (you@___)', 'localhost', asDomain))
  const host = await answer(terminal, given.host, 'Host that will run the server', domain, asDomain)
  const data =
    compose || known
      ? './data'
      : await answer(terminal, given.data, 'Folder for its data', './data', plainText)
  const user = await answer(terminal, given.user, 'Your user name', 'admin', (text) => userName(text, domain))
  const text = before ?? configText({ ...given, compose, domain, data })
  const config = known ?? configOf(path, text, modules)
  const target = host === domain ? undefined : host
  const site = siteOf(config, { target, ipv4: given.ipv4, ipv6: given.ipv6 })
  return { file, compose, config, text, host, user, records: recordsOf(site, 'letsencrypt.org'), given }
}

/** A configuration whose secrets need not be there yet. */
function configOf(path: string, text: string, modules: readonly ModuleDeclaration[]): ServerConfig {
  const files = {
    folder: dirname(path),
    uid: undefined,
    read: (file: string) => (file === path ? text : 'a secret'),
    list: () => [],
    stat: () => undefined,
    explain: (_file: string, error: unknown) => ({ message: (error as Error).message }),
  }
  return loadConfig({ file: path, modules, files }).config
}

function write(
  { file, compose, config, text, given, records }: Plan,
  folder: Folder,
  at: InitEnvironment,
): void {
  folder.add(resolve(file), text, 0o600)
  if (compose) {
    const own = config.database.url === databaseInside
    const password = config.database.password !== undefined
    const owner = folder.makeFolder('data')
    if (password) folder.add('secrets/database_password', () => secretOf(own, given, at.random), 0o600)
    const certificate = given.certificate
    folder.add(
      'compose.yaml',
      composeFile({
        heading: ['Parley, written by `parley init`; README.txt says how to go on.'],
        image: `parley:${at.version}`,
        user: owner,
        config: `./${file.split('/').at(-1)}`,
        data: './data',
        certificates: certificate === undefined ? undefined : dirname(resolve(certificate)),
        database: own,
        password,
      }),
      0o644,
    )
  }
  if (records.length > 0) folder.add('dns.zone', `${printZone(records)}\n`, 0o644)
}

function secretOf(own: boolean, { database_password_file: file }: InitAnswers, random: Random): string {
  if (own) return `${random.bytes(24).toString('hex')}\n`
  if (file !== undefined) return readFileSync(file, 'utf8')
  throw new UsageError('secrets/database_password is missing', 'write the password of the database into it')
}

function finish(plan: Plan, folder: Folder, at: InitEnvironment): void {
  const steps = nextSteps(plan, at.parley)
  folder.add('README.txt', `${readme(plan)}\n${steps}\n`, 0o644)
  const wrote = folder.written.length > 0 ? `Wrote  ${folder.written.join('  ')}` : 'Wrote nothing'
  const kept = folder.kept.length > 0 ? `Kept   ${folder.kept.join('  ')}` : undefined
  const summary = [wrote, ...(kept === undefined ? [] : [kept])]
  const now = new Date(at.clock.now()).toISOString()
  folder.log(`${now} parley ${at.version} init: ${summary.join('; ').replaceAll(/ +/g, ' ')}\n`)
  at.terminal.out(
    [
      ...summary,
      'Nothing was overwritten. Run me again any time; I only add what is missing.',
      '',
      steps,
    ].join('\n'),
  )
}

/** The folder of the configuration. What is made there belongs to whoever makes it, or for containers to the image's user when that is root. */
class Folder {
  readonly written: string[] = []
  readonly kept: string[] = []

  constructor(
    readonly path: string,
    readonly forImage: boolean,
  ) {}

  read(file: string): string | undefined {
    try {
      return readFileSync(file, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** A file that is not there yet; `name` within the folder, or a whole path. */
  add(name: string, text: string | (() => string), mode: number): void {
    const path = resolve(this.path, name)
    const shown = path.startsWith(`${this.path}/`) ? path.slice(this.path.length + 1) : path
    if (existsSync(path)) {
      this.kept.push(shown)
      return
    }
    const content = typeof text === 'string' ? text : text()
    if (mkdirSync(dirname(path), { recursive: true, mode: 0o700 }) !== undefined) this.#give(dirname(path))
    writeFileSync(path, content, { flag: 'wx', mode })
    // Whatever the umask: these are no secrets, or else their mode says so.
    chmodSync(path, mode)
    this.#give(path)
    this.written.push(shown)
  }

  /** Gives the owner as `UID:GID`. */
  makeFolder(name: string): string {
    const path = join(this.path, name)
    if (mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined) {
      this.#give(path)
      this.written.push(`${name}/`)
    }
    const { uid, gid } = statSync(path)
    return `${uid}:${gid}`
  }

  log(line: string): void {
    const path = join(this.path, 'init.log')
    appendFileSync(path, line, { mode: 0o644 })
    this.#give(path)
  }

  #give(path: string): void {
    if (this.forImage && statSync(path).uid === 0) chownSync(path, imageUser, imageUser)
  }
}

function configText(facts: InitAnswers & { domain: string; data: string; compose: boolean }): string {
  const { domain, data, database, certificate, key, listen, compose } = facts
  const inside = (file: string) => `${certificatesInside}/${file.split('/').at(-1)}`
  const text = (value: string) => JSON.stringify(value)
  const url = database ?? (compose ? databaseInside : undefined)
  const password = compose
    ? database === undefined || facts.database_password_file !== undefined
      ? passwordInside
      : undefined
    : facts.database_password_file && resolve(facts.database_password_file)
  const lines = [
    '# Parley. Every other setting has a good default: `parley config example` explains them all.',
    `domain = ${text(domain)}`,
    ...(compose ? [] : [`data_dir = ${text(data)}`]),
    ...(listen === undefined ? [] : ['', '[listen]', `c2s = ${text(listen)}`]),
    ...(certificate === undefined
      ? []
      : [
          '',
          '[tls]',
          `certificate = ${text(compose ? inside(certificate) : certificate)}`,
          `key = ${text(compose ? inside(key!) : key!)}`,
        ]),
    ...(url === undefined ? [] : ['', '[database]', `url = ${text(url)}`]),
    ...(password ? [`password_file = ${text(password)}`] : []),
  ]
  return `${lines.join('\n')}\n`
}

function nextSteps(plan: Plan, parley: string): string {
  const { file, compose, config, user, records, given } = plan
  const domain = config.domains[0]!
  const option = file === 'parley.toml' || compose ? '' : ` --config ${file}`
  const needed = records.filter(({ group }) => group === 'needed')
  const steps: string[] = []
  if (records.length > 0) {
    steps.push(printRecords(needed).replace(/:/, ' (also in dns.zone, with optional ones):'))
    steps.push('Open TCP 5222, 5223, 5269 and 5270.')
    const { tls, services = [] } = config.hosts.get(domain) ?? {}
    if (given.certificate === undefined && tls === undefined)
      steps.push(
        `Get a certificate for ${[domain, ...services].join(' and ')} and set tls.certificate and tls.key: until then apps warn, and other servers refuse.`,
      )
  }
  const run = compose ? 'docker compose exec parley parley' : parley
  steps.push(`Start:         ${compose ? 'docker compose up -d' : `${parley} start${option}`}`)
  steps.push(`Your account:  ${run} user add ${user}@${domain} --admin${option}`)
  return steps.map((step, index) => `${index + 1} of ${steps.length}  ${step}`).join('\n')
}

function readme({ file, compose, config }: Plan): string {
  const name = file.split('/').at(-1)!
  const files: (readonly [string, string])[] = [
    [name, 'the settings; `parley config example` explains all that there are'],
    ...(compose
      ? ([
          ['compose.yaml', 'the containers: ports, user, volumes'],
          ['secrets/', 'passwords, readable for the server alone; keep a copy with your backups'],
          ['data/', 'what the server keeps besides the database: certificate, control socket'],
        ] as const)
      : []),
    ['dns.zone', 'the DNS records, as lines of a zone file'],
    ['init.log', 'what `parley init` did, and when'],
  ]
  const upgrade = compose
    ? 'To upgrade, write the new version into compose.yaml, then:  docker compose pull  and  docker compose up -d'
    : 'To upgrade, put the new version in place and start it again; its database is brought up to date by itself.'
  const mount = compose
    ? `A certificate of yours: put it into ./certs, take the # from that line of compose.yaml, and add to ${name}:\n  [tls]\n  certificate = "${certificatesInside}/fullchain.pem"\n  key = "${certificatesInside}/privkey.pem"\nInside the container the settings are ${configInside}.\n\n`
    : ''
  return [
    `A Parley server for ${config.domains.join(', ')}.\n`,
    ...files.map(([each, what]) => `  ${each.padEnd(14)}  ${what}`),
    '',
    `${mount}${upgrade}\n`,
  ].join('\n')
}

/** What was given, else what somebody answers, else `fallback`. */
async function answer(
  terminal: Terminal,
  given: string | undefined,
  question: string,
  fallback: string,
  check: (text: string) => string,
): Promise<string> {
  if (given !== undefined) return checked(question, given, check)
  if (!terminal.interactive) return fallback
  for (;;) {
    const typed = await terminal.ask(`${question} [${fallback}]: `)
    if (typed === undefined) throw new UsageError('stopped: nothing was written')
    try {
      return typed.trim() === '' ? fallback : check(typed.trim())
    } catch (fault) {
      if (!(fault instanceof Misfit)) throw fault
      terminal.error(
        `  ${JSON.stringify(typed.trim())} ${fault.message}${fault.hint ? `: ${fault.hint}` : ''}`,
      )
    }
  }
}

function checked<T>(what: string, text: string, check: (text: string) => T): T {
  try {
    return check(text)
  } catch (fault) {
    if (fault instanceof Misfit)
      throw new UsageError(`${what}: ${JSON.stringify(text)} ${fault.message}`, fault.hint)
    throw fault
  }
}

function plainText(text: string): string {
  if (text === '') throw new Misfit('is empty')
  return text
}

function userName(text: string, domain: string): string {
  const jid = asJid(text.includes('@') ? text : `${text}@${domain}`)
  return jid.slice(0, jid.indexOf('@'))
}
