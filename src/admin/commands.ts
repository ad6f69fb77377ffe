/** The commands of the server itself: accounts, sessions, reload and health. */
import type { Clock } from '../base/clock.js'
import type { LogControl } from '../base/log.js'
import { logCommands } from './log-commands.js'
import { duration, lines, options, required, text } from '../base/schema.js'
import type { BlockList } from '../s2s/blocks.js'
import type { ComponentFacts } from '../s2s/component.js'
import type { Federation } from '../s2s/facts.js'
import { printReload } from '../config/settings.js'
import type { ReloadReport } from '../config/settings.js'
import { CommandError, declare } from '../host/command.js'
import type { AnyCommand, CommandResult } from '../host/command.js'
import type { Host } from '../host/host.js'
import type { Portable } from '../host/module.js'
import type { Contact } from '../session/contacts.js'
import type { Jid } from '../stanza/jid.js'
import type { Accounts } from '../storage/accounts.js'
import type { TokenStore } from '../storage/tokens.js'
import { blockCommands } from './blocks.js'
import { federationCommands } from './federation.js'
import { movingCommands } from './moving.js'
import { accountOf, mayTouch } from './named.js'
import { counted, span } from './print.js'
import { tokenCommands } from './tokens.js'
import { userCommands } from './users.js'

/** What the commands need of a running server. */
export interface AdminServices {
  readonly version: string
  readonly clock: Clock
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** The served domains; `user add ana` means the first. */
  readonly domains: readonly string[]
  readonly accounts: Accounts
  readonly tokens: Pick<TokenStore, 'list' | 'revoke'>
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
  /** Says something to everybody who is connected; gives to how many accounts. */
  announce(message: string): Promise<number>
  /** Ends the server in so many milliseconds, or lets it begin anew. Rejects with `ConfigError` when it could not begin. */
  end(how: 'stop' | 'restart', after: number): Promise<void>
  /** Of every served domain, as they are used just now. */
  certificates(): readonly CertificateState[]
  readiness(): Promise<Readiness> | Readiness
}

/** `createAccount` and `setPassword` reject with a StanzaError whose text says what is wrong with the password. */
export interface AccountKeeper extends Pick<
  Host,
  'createAccount' | 'importAccount' | 'setPassword' | 'removeAccount'
> {
  /** What its modules keep of an account. */
  portable(): readonly Portable[]
  /** The roster, without those who only wait for an answer. */
  contacts(account: Jid): Promise<readonly Contact[]>
  /** In milliseconds since 1970; undefined when no module knows. */
  lastLogin(account: Jid): Promise<number | undefined>
  lastSeen(account: Jid): Promise<number | undefined>
}

/** What one may know of a connected client. */
export interface SessionFacts {
  /** The full address. */
  readonly jid: string
  /** Undefined while it waits for its client to come back. */
  readonly ip?: string | undefined
  /** `TLSv1.3`, or undefined on a plain-text listener and without a connection. */
  readonly tls?: string | undefined
  readonly mechanism?: string | undefined
  /** Milliseconds since 1970. */
  readonly since: number
  /** undefined: connected, not available. */
  readonly priority?: number | undefined
  /** Available, but says that nobody is there (RFC 6121 §4.7.2.1). */
  readonly away?: boolean | undefined
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
    ...tokenCommands(server),
    ...movingCommands(server),
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
          ip ?? 'parked',
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
      async run({ jid, reason }, at) {
        const which = accountOf(jid, server())
        mayTouch(await server().accounts.get(which.domain, which.local), at)
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
      about: 'server',
      summary: 'Read the configuration again',
      args: options({}),
      async run() {
        const report = await server().reload()
        return { data: report, text: printReload(report) }
      },
    }),
    endCommand(server, 'stop'),
    endCommand(server, 'restart'),
    declare({
      name: 'cert list',
      role: 'operator',
      about: 'server',
      summary: 'The certificates in use, how long they hold, and what others may have against them',
      args: options({}),
      reads: true,
      run: async () => listCertificates(server()),
    }),
    declare({
      name: 'health',
      role: 'operator',
      about: 'server',
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

/** Milliseconds: the answer is on its way before the end. */
const LEAST_DELAY = 300

function endCommand(server: () => AdminServices, how: 'stop' | 'restart'): AnyCommand {
  return declare({
    name: how,
    role: 'admin',
    about: 'server',
    summary:
      how === 'stop' ? 'End the server' : 'End the server and start it again, on its present configuration',
    args: options({
      delay: duration('0s', 'How long it waits', { max: '1h' }),
      announcement: lines('', 'Told to everybody who is connected'),
    }),
    unlogged: ['announcement'],
    destroys: () =>
      how === 'stop'
        ? 'everybody from the server, until somebody starts it again'
        : 'everybody from the server for a moment',
    async run({ delay, announcement }) {
      const after = Math.max(delay, LEAST_DELAY)
      await server().end(how, after)
      const told = announcement === '' ? 0 : await server().announce(announcement)
      const when = delay === 0 ? 'now' : `in ${span(delay)}`
      const listeners = announcement === '' ? '' : ` Told: ${counted(told, 'account')}.`
      return {
        data: { after_seconds: Math.round(after / 1000), told },
        text: `The server ${how === 'stop' ? 'stops' : 'restarts'} ${when}.${listeners}`,
      }
    },
  })
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
