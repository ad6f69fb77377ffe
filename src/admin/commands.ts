/** The commands of the server itself: accounts, sessions, reload and health. */
import type { Clock } from '../base/clock.js'
import type { LogControl } from '../base/log.js'
import { logCommands } from './log-commands.js'
import { flag, number, options, required, secret, text } from '../base/schema.js'
import type { BlockList } from '../s2s/blocks.js'
import type { ComponentFacts } from '../s2s/component.js'
import type { Federation } from '../s2s/facts.js'
import { printReload } from '../config/settings.js'
import type { ReloadReport } from '../config/settings.js'
import { CommandError, declare } from '../host/command.js'
import type { AnyCommand, CommandResult } from '../host/command.js'
import type { Host } from '../host/host.js'
import { StanzaError } from '../stanza/errors.js'
import { Jid } from '../stanza/jid.js'
import type { Account, Accounts } from '../storage/accounts.js'
import { blockCommands } from './blocks.js'
import { federationCommands } from './federation.js'
import { counted, span, time } from './print.js'

/** What the commands need of a running server. */
export interface AdminServices {
  readonly version: string
  readonly clock: Clock
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** The served domains; `user add ana` means the first. */
  readonly domains: readonly string[]
  readonly accounts: Accounts
  /** What a served domain does with its accounts, so that its modules and the contacts hear of it. */
  keeper(domain: string): AccountKeeper
  /** What the modules of a served domain contribute just now. */
  moduleCommands(domain: string): readonly AnyCommand[]
  readonly sessions: {
    /** Of one account, or of all. */
    list(account?: Jid): readonly SessionFacts[]
    /** Ends the session of a full address, or all of a bare one, and tells how many. */
    end(jid: Jid, reason: string): number
  }
  readonly blocks: Pick<BlockList, 'all' | 'add' | 'remove' | 'of' | 'refusal'>
  readonly federation: Federation
  components(): readonly ComponentFacts[]
  /** Whether the configuration says where the server of a domain is. */
  isOverridden(remote: string): boolean
  /**
   * Sends a request over the streams that stanzas take, and waits for its answer, which comes over a stream of theirs.
   * Gives the condition of an error, `answered` for all else. Rejects with StanzaError `remote-server-timeout`.
   */
  ping(local: string, remote: string, ms: number): Promise<string>
  readonly log: LogControl
  /** Reads the whole configuration again. Rejects with `ConfigError`, having changed nothing. */
  reload(): Promise<ReloadReport>
  /** Of every served domain, as they are used just now. */
  certificates(): readonly CertificateState[]
  readiness(): Promise<Readiness> | Readiness
}

/** Of a `Host`. `createAccount` and `setPassword` reject with a StanzaError whose text says what is wrong with the password. */
export type AccountKeeper = Pick<Host, 'createAccount' | 'setPassword' | 'removeAccount'>

/** What one may know of a connected client. */
export interface SessionFacts {
  /** The full address. */
  readonly jid: string
  readonly ip?: string | undefined
  /** `TLSv1.3`, or undefined on a plain-text listener. */
  readonly tls?: string | undefined
  readonly mechanism?: string | undefined
  /** Milliseconds since 1970. */
  readonly since: number
  /** undefined: connected, not available. */
  readonly priority?: number | undefined
}

/** The certificate of a served domain. */
export interface CertificateState {
  readonly domain: string
  readonly file: string
  readonly names: readonly string[]
  readonly selfSigned: boolean
  /** SHA-256, colons between the bytes. */
  readonly fingerprint: string
  /** Milliseconds since 1970. */
  readonly expires: number
  /** Where it is shown to those that ask for the domain: `s2s_tls [::]:5270`. */
  readonly listeners: readonly string[]
  /** What others may have against it, one line each. */
  readonly notes: readonly string[]
}

/** Whether the server can serve; `reasons` say why not. */
export interface Readiness {
  readonly ready: boolean
  readonly reasons: readonly string[]
}

/** All of them, for a server asked for only when one runs. */
export function adminCommands(server: () => AdminServices): readonly AnyCommand[] {
  return [
    ...userCommands(server),
    ...sessionCommands(server),
    ...federationCommands(server),
    ...blockCommands(server),
    ...logCommands(() => ({
      log: server().log,
      accountOf: (written) => accountOf(written, server()).bare.toString(),
    })),
    ...serverCommands(server),
  ]
}

const account = text(required, 'NAME, or NAME@DOMAIN when there are several domains', { max: 3071 })
const password = secret(undefined, 'Asked for, or --password-file FILE (- is standard input), or --generate')

function userCommands(server: () => AdminServices): AnyCommand[] {
  return [
    declare({
      name: 'user add',
      role: 'admin',
      summary: 'Make an account',
      args: options({ account, password }),
      async run(args) {
        const jid = accountOf(args.account, server()).bare
        const name = jid.toString()
        const made = await withPassword(args.password, (password) =>
          server().keeper(jid.domain).createAccount(jid.local, password, 'admin'),
        )
        if (made === 'exists')
          throw new CommandError(`${name} exists already`, `for a new password: parley user passwd ${name}`)
        return { data: { account: name }, text: `${name} can log in now.` }
      },
    }),
    declare({
      name: 'user passwd',
      role: 'admin',
      summary: 'Set a new password',
      args: options({ account, password, endSessions: flag(false, 'Also end the sessions there are') }),
      async run(args) {
        const found = await existing(args.account, server())
        await withPassword(args.password, (password) =>
          server().keeper(found.jid.domain).setPassword(found.account, password),
        )
        const ended = args.endSessions ? server().sessions.end(found.jid, 'The password was changed') : 0
        return {
          data: { account: found.name, ended },
          text: `${found.name} has a new password.${args.endSessions ? ` Sessions ended: ${ended}.` : ''}`,
        }
      },
    }),
    declare({
      name: 'user disable',
      role: 'admin',
      summary: 'Keep an account out, nothing of it is lost',
      args: options({ account, reason: text('', 'Kept with the account and shown in `user show`') }),
      async run({ account, reason }) {
        const found = await existing(account, server())
        await server().accounts.disable(found.account.id, reason, server().clock.now())
        const ended = server().sessions.end(found.jid, 'The account was disabled')
        return {
          data: { account: found.name, ended },
          text: `${found.name} is disabled. Sessions ended: ${ended}.`,
        }
      },
    }),
    declare({
      name: 'user enable',
      role: 'admin',
      summary: 'Let a disabled account in again',
      args: options({ account }),
      async run({ account }) {
        const found = await existing(account, server())
        await server().accounts.enable(found.account.id)
        return { data: { account: found.name }, text: `${found.name} can log in again.` }
      },
    }),
    declare({
      name: 'user delete',
      role: 'admin',
      summary: 'Remove an account and all it keeps here',
      args: options({ account }),
      destroys: ({ account }) => `${account} with its contacts, waiting messages and settings`,
      async run({ account }) {
        const found = await existing(account, server())
        let ended = 0
        await server()
          .keeper(found.jid.domain)
          .removeAccount(found.account, () => (ended = server().sessions.list(found.jid).length))
        return {
          data: { account: found.name, ended },
          text: `${found.name} is deleted. Sessions ended: ${ended}.`,
        }
      },
    }),
    declare({
      name: 'user list',
      role: 'operator',
      summary: 'The accounts of a domain',
      reads: true,
      args: options({
        domain: text(undefined, 'One domain; default: all'),
        after: text('', 'Start behind this name'),
        limit: number(1000, 'Accounts of a domain at most', { min: 1, max: 100_000 }),
      }),
      run: ({ domain, after, limit }) => listUsers(server(), domain, after, limit),
    }),
    declare({
      name: 'user show',
      role: 'operator',
      summary: 'What is known of an account',
      reads: true,
      args: options({ account }),
      async run({ account }) {
        const found = await existing(account, server())
        const sessions = server().sessions.list(found.jid)
        const { disabled, createdAt, keys } = found.account
        const data = {
          account: found.name,
          created: time(createdAt),
          disabled: disabled ? { reason: disabled.reason, at: time(disabled.at) } : null,
          mechanisms: Object.keys(keys).map((hash) => `SCRAM-${hash}`),
          sessions,
        }
        const state = disabled
          ? `disabled ${time(disabled.at)}${disabled.reason && `: ${disabled.reason}`}`
          : 'can log in'
        const rows = [
          ['account', data.account],
          ['state', state],
          ['created', data.created],
          ['keys', data.mechanisms.join(', ')],
          ['sessions', sessions.length === 0 ? 'none' : sessions.map(({ jid }) => jid).join(', ')],
        ]
        return { data, table: { columns: [], rows } }
      },
    }),
  ]
}

function sessionCommands(server: () => AdminServices): AnyCommand[] {
  return [
    declare({
      name: 'session list',
      role: 'operator',
      summary: 'Who is connected',
      reads: true,
      args: options({ user: text(undefined, 'Of one account') }),
      async run({ user }) {
        const sessions = server().sessions.list(user === undefined ? undefined : accountOf(user, server()))
        const now = server().clock.now()
        const rows = sessions.map(({ jid, ip, tls, mechanism, since, priority }) => [
          jid,
          ip ?? '',
          tls ?? 'plain',
          mechanism ?? '',
          priority === undefined ? 'not available' : String(priority),
          span(now - since),
        ])
        const columns = ['SESSION', 'ADDRESS', 'TLS', 'LOGIN', 'PRIORITY', 'SINCE']
        return { data: sessions, table: { columns, rows }, text: counted(sessions.length, 'session') }
      },
    }),
    declare({
      name: 'session end',
      role: 'admin',
      summary: 'Close one session, or all of an account',
      args: options({
        jid: text(required, 'NAME@DOMAIN/RESOURCE, or an account for all its sessions', { max: 3071 }),
        reason: text('Closed by the administrator', 'Told to the client'),
      }),
      async run({ jid, reason }) {
        const which = accountOf(jid, server())
        const ended = server().sessions.end(which, reason)
        if (ended === 0)
          throw new CommandError(
            `${which.toString()} has no session`,
            'parley session list shows those there are',
          )
        return { data: { ended }, text: `Ended: ${counted(ended, 'session')}.` }
      },
    }),
  ]
}

function serverCommands(server: () => AdminServices): AnyCommand[] {
  return [
    declare({
      name: 'reload',
      role: 'admin',
      summary: 'Read the configuration again',
      args: options({}),
      async run() {
        const report = await server().reload()
        return { data: report, text: printReload(report) }
      },
    }),
    declare({
      name: 'cert list',
      role: 'operator',
      summary: 'The certificates in use, how long they hold, and what others may have against them',
      args: options({}),
      reads: true,
      run: async () => listCertificates(server()),
    }),
    declare({
      name: 'health',
      role: 'operator',
      summary: 'Whether the server can serve; exit code 0 or 1',
      reads: true,
      args: options({}),
      async run() {
        const { ready, reasons } = await server().readiness()
        const { version, startedAt, clock, domains } = server()
        const up = span(clock.now() - startedAt)
        const state = ready ? `ready, up ${up}` : `not ready: ${reasons.join('; ')}`
        return {
          data: {
            ready,
            reasons,
            version,
            domains,
            uptime_seconds: Math.floor((clock.now() - startedAt) / 1000),
          },
          text: `parley ${version}  ${domains.join(' ')}  ${state}`,
          problem: !ready,
        }
      },
    }),
  ]
}

function listCertificates(server: AdminServices): CommandResult {
  const now = server.clock.now()
  const list = server.certificates().map((state) => ({
    domain: state.domain,
    file: state.file,
    names: state.names,
    self_signed: state.selfSigned,
    fingerprint: state.fingerprint,
    expires: new Date(state.expires).toISOString(),
    days_left: Math.floor((state.expires - now) / 86_400_000),
    listeners: state.listeners,
    notes: state.notes,
  }))
  const columns = ['DOMAIN', 'DAYS LEFT', 'FILE', 'NAMES', 'LISTENERS']
  const rows = list.map(({ domain, days_left: days, file, names, listeners }) => [
    domain,
    days < 0 ? 'expired' : String(days),
    file,
    names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : ''),
    listeners.join(', '),
  ])
  const notes = list.flatMap(({ domain, notes }) => notes.map((note) => `${domain}: ${note}`))
  return { data: list, table: { columns, rows }, ...(notes.length > 0 ? { text: notes.join('\n') } : {}) }
}

async function listUsers(
  server: AdminServices,
  domain: string | undefined,
  after: string,
  limit: number,
): Promise<CommandResult> {
  const wanted = domain === undefined ? server.domains : [servedDomain(domain, server)]
  const accounts: Account[] = []
  const notes: string[] = []
  for (const name of wanted) {
    // One more than wanted tells whether there are more.
    const found = await pages(server.accounts, name, after, limit + 1)
    const total = await server.accounts.count(name)
    const shown = found.slice(0, limit)
    accounts.push(...shown)
    const more = found.length > limit ? `; more: --domain ${name} --after ${shown.at(-1)?.local}` : ''
    notes.push(`${name}: ${counted(total, 'account')}${more}`)
  }
  const data = accounts.map((each) => ({
    account: `${each.local}@${each.domain}`,
    created: time(each.createdAt),
    disabled: each.disabled !== undefined,
  }))
  const rows = data.map((each) => [each.account, each.disabled ? 'disabled' : '', each.created])
  return { data, table: { columns: ['ACCOUNT', 'STATE', 'CREATED'], rows }, text: notes.join('\n') }
}

async function pages(accounts: Accounts, domain: string, after: string, limit: number): Promise<Account[]> {
  const all: Account[] = []
  let last = after
  while (all.length < limit) {
    const size = Math.min(1000, limit - all.length)
    const page = await accounts.list(domain, last === '' ? { limit: size } : { after: last, limit: size })
    all.push(...page)
    last = page.at(-1)?.local ?? last
    if (page.length < size) break
  }
  return all
}

/** The prepared address of `ana` or `ana@example.org`, of a served domain. */
function accountOf(written: string, server: AdminServices): Jid {
  const full = written.includes('@') ? written : `${written}@${server.domains[0]}`
  let jid: Jid
  try {
    jid = Jid.parse(full)
  } catch (error) {
    throw new CommandError(
      `"${written}" is not an address: ${(error as Error).message}`,
      'write NAME or NAME@DOMAIN',
    )
  }
  if (jid.local === '') throw new CommandError(`"${written}" has no name`, 'write NAME or NAME@DOMAIN')
  servedDomain(jid.domain, server)
  return jid
}

function servedDomain(written: string, { domains }: AdminServices): string {
  let domain: string | undefined
  try {
    domain = Jid.parse(written).domain
  } catch {
    // Not a domain at all: as little served as one that is.
  }
  if (domain !== undefined && domains.includes(domain)) return domain
  throw new CommandError(`${written} is not served here`, `domains: ${domains.join(', ')}`)
}

async function existing(
  written: string,
  server: AdminServices,
): Promise<{ jid: Jid; name: string; account: Account }> {
  const jid = accountOf(written, server).bare
  const account = await server.accounts.get(jid.domain, jid.local)
  if (!account)
    throw new CommandError(`there is no account ${jid.toString()}`, 'parley user list shows those there are')
  return { jid, name: jid.toString(), account }
}

/** Does something with a password; what is wrong with it is told as it is. */
async function withPassword<T>(
  password: string | undefined,
  use: (password: string) => Promise<T>,
): Promise<T> {
  if (password === undefined) throw new CommandError('no password was given')
  try {
    return await use(password)
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error
    throw new CommandError(error.text ?? 'the server is busy with other passwords: try again in a moment')
  }
}
