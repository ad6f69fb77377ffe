/** The commands about accounts: made, changed, removed, listed and looked at. */
import { choice, flag, number, options, required, secret, text } from '../base/schema.js'
import { CommandError, declare } from '../host/command.js'
import type { AnyCommand, CommandResult } from '../host/command.js'
import { StanzaError } from '../stanza/errors.js'
import { Jid } from '../stanza/jid.js'
import type { Account, AccountKind, AccountRole, Accounts } from '../storage/accounts.js'
import type { AdminServices, SessionFacts } from './commands.js'
import { accountOf, changeable, domainsOf, existing } from './named.js'
import { counted, time } from './print.js'

const account = text(required, 'NAME, or NAME@DOMAIN when there are several domains', { max: 3071 })
const password = secret(undefined, 'Asked for, or --password-file FILE (- is standard input), or --generate')
const roles = ['admin', 'domain-admin', 'operator', 'user'] as const

export function userCommands(server: () => AdminServices): AnyCommand[] {
  return [...accountCommands(server), ...roleCommands(server), ...lookingCommands(server)]
}

function accountCommands(server: () => AdminServices): AnyCommand[] {
  return [
    declare({
      name: 'user add',
      role: 'admin',
      summary: 'Make an account',
      args: options({
        account,
        password,
        admin: flag(false, 'It may do everything here, see `user role`'),
      }),
      async run(args, at) {
        if (args.admin) mayGrant('admin', at.domain)
        const jid = accountOf(args.account, server()).bare
        const name = jid.toString()
        const made = await withPassword(args.password, (password) =>
          server().keeper(jid.domain).createAccount(jid.local, password, 'admin'),
        )
        if (made === 'exists')
          throw new CommandError(
            `${name} exists already`,
            `for a new password: parley user passwd ${name}`,
            'conflict',
          )
        if (args.admin) await server().accounts.setRole(made.id, 'admin')
        return {
          data: { account: name },
          text: `${name} can log in now${args.admin ? ', and is an admin' : ''}.`,
        }
      },
    }),
    declare({
      name: 'user passwd',
      role: 'admin',
      summary: 'Set a new password',
      args: options({ account, password, endSessions: flag(false, 'Also end the sessions there are') }),
      async run(args, at) {
        const found = await changeable(args.account, server(), at)
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
      async run({ account, reason }, at) {
        const found = await changeable(account, server(), at)
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
      async run({ account }, at) {
        const found = await changeable(account, server(), at)
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
      async run({ account }, at) {
        const found = await changeable(account, server(), at)
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
  ]
}

function roleCommands(server: () => AdminServices): AnyCommand[] {
  return [
    declare({
      name: 'user role',
      role: 'admin',
      summary: 'What an account may do: admin (everything), domain-admin, operator (sees its domain), user',
      args: options({ account, role: choice(roles, required, `One of ${roles.join(', ')}`) }),
      async run(args, at) {
        const role = args.role === 'user' ? undefined : args.role
        mayGrant(role, at.domain)
        const found = await changeable(args.account, server(), at)
        await server().accounts.setRole(found.account.id, role)
        return {
          data: { account: found.name, role: role ?? null },
          text: `${found.name} is ${role === undefined ? 'a user like others' : `now ${named[role]}`}.`,
        }
      },
    }),
  ]
}

const named: Readonly<Record<AccountRole, string>> = {
  admin: 'an admin of the whole server',
  'domain-admin': 'an admin of its domain',
  operator: 'an operator, who sees its domain and changes nothing',
}

/** Nobody gives away more than what is theirs. */
function mayGrant(role: AccountRole | undefined, domain: string | undefined): void {
  if (role === 'admin' && domain !== undefined)
    throw new CommandError(
      'only an admin of the whole server makes others one',
      'domain-admin is yours to give',
    )
}

const states = ['all', 'disabled', 'admins', 'online', 'active', 'idle'] as const
type State = (typeof states)[number]

function lookingCommands(server: () => AdminServices): AnyCommand[] {
  return [
    declare({
      name: 'user list',
      role: 'operator',
      summary: 'The accounts of a domain',
      reads: true,
      args: options({
        domain: text(undefined, 'One domain; default: all'),
        only: choice(states, 'all', 'Those that are disabled, have a role, are connected, busy or away'),
        after: text('', 'Start behind this name'),
        limit: number(1000, 'Accounts of a domain at most', { min: 1, max: 100_000 }),
      }),
      run: (args) => listUsers(server(), args),
    }),
    declare({
      name: 'user show',
      role: 'operator',
      summary: 'What is known of an account',
      reads: true,
      args: options({ account }),
      run: ({ account }) => showUser(server(), account),
    }),
    declare({
      name: 'user roster',
      role: 'operator',
      summary: 'The contacts of an account',
      reads: true,
      args: options({ account }),
      run: ({ account }) => showRoster(server(), account),
    }),
    declare({
      name: 'stats',
      role: 'operator',
      summary: 'How many accounts there are, and are connected',
      reads: true,
      args: options({ domain: text(undefined, 'One domain; default: all') }),
      run: ({ domain }) => showStats(server(), domain),
    }),
  ]
}

async function showUser(server: AdminServices, written: string): Promise<CommandResult> {
  const found = await existing(written, server)
  const sessions = server.sessions.list(found.jid)
  const { disabled, createdAt, keys, role } = found.account
  const keeper = server.keeper(found.jid.domain)
  const contacts = await keeper.contacts(found.jid)
  const timeOrNull = (at: number | undefined) => (at === undefined ? null : time(at))
  const data = {
    account: found.name,
    role: role ?? null,
    created: time(createdAt),
    disabled: disabled ? { reason: disabled.reason, at: time(disabled.at) } : null,
    last_login: timeOrNull(await keeper.lastLogin(found.jid)),
    last_seen: sessions.length > 0 ? time(server.clock.now()) : timeOrNull(await keeper.lastSeen(found.jid)),
    mechanisms: Object.keys(keys).map((hash) => `SCRAM-${hash}`),
    contacts: contacts.length,
    sessions,
  }
  const state = disabled
    ? `disabled ${time(disabled.at)}${disabled.reason && `: ${disabled.reason}`}`
    : 'can log in'
  const rows = [
    ['account', data.account],
    ['state', state],
    ...(role ? [['role', role]] : []),
    ['created', data.created],
    ['last login', data.last_login ?? 'not known'],
    ['last seen', sessions.length > 0 ? 'connected now' : (data.last_seen ?? 'not known')],
    ['keys', data.mechanisms.join(', ')],
    ['contacts', String(contacts.length)],
    ['sessions', sessions.length === 0 ? 'none' : sessions.map(({ jid }) => jid).join(', ')],
  ]
  return { data, table: { columns: [], rows } }
}

async function showRoster(server: AdminServices, written: string): Promise<CommandResult> {
  const found = await existing(written, server)
  const contacts = (await server.keeper(found.jid.domain).contacts(found.jid)).map(
    ({ jid, name, subscription, ask, groups }) => ({ jid: jid.toString(), name, subscription, ask, groups }),
  )
  const rows = contacts.map(({ jid, name, subscription, ask, groups }) => [
    jid,
    subscription + (ask ? ', asked' : ''),
    name,
    groups.join(', '),
  ])
  const columns = ['CONTACT', 'SUBSCRIPTION', 'NAME', 'GROUPS']
  return { data: contacts, table: { columns, rows }, text: counted(contacts.length, 'contact') }
}

async function showStats(server: AdminServices, domain: string | undefined): Promise<CommandResult> {
  const data = []
  for (const name of domainsOf(domain, server))
    data.push({
      domain: name,
      registered: await server.accounts.count(name),
      disabled: await server.accounts.count(name, 'disabled'),
      online: connected(server, name, 'online').length,
      active: connected(server, name, 'active').length,
      idle: connected(server, name, 'idle').length,
    })
  const rows = data.map((each) => Object.values(each).map(String))
  const columns = ['DOMAIN', 'REGISTERED', 'DISABLED', 'ONLINE', 'ACTIVE', 'IDLE']
  return { data, table: { columns, rows } }
}

interface ListArguments {
  readonly domain: string | undefined
  readonly only: State
  readonly after: string
  readonly limit: number
}

async function listUsers(
  server: AdminServices,
  { domain, only, after, limit }: ListArguments,
): Promise<CommandResult> {
  const accounts: Account[] = []
  const notes: string[] = []
  for (const name of domainsOf(domain, server)) {
    // One more than wanted tells whether there are more.
    const found = await accountsOf(server, name, { only, after, limit: limit + 1 })
    const shown = found.slice(0, limit)
    accounts.push(...shown)
    const total = only === 'all' ? await server.accounts.count(name) : undefined
    const more = found.length > limit ? `; more: --domain ${name} --after ${shown.at(-1)?.local}` : ''
    notes.push(`${name}: ${counted(total ?? shown.length, 'account')}${more}`)
  }
  const data = accounts.map((each) => ({
    account: `${each.local}@${each.domain}`,
    created: time(each.createdAt),
    disabled: each.disabled !== undefined,
    role: each.role ?? null,
  }))
  const rows = data.map((each) => [
    each.account,
    each.disabled ? 'disabled' : '',
    each.role ?? '',
    each.created,
  ])
  return { data, table: { columns: ['ACCOUNT', 'STATE', 'ROLE', 'CREATED'], rows }, text: notes.join('\n') }
}

const kinds: Partial<Record<State, AccountKind>> = { all: 'all', disabled: 'disabled', admins: 'with-role' }

async function accountsOf(
  server: AdminServices,
  domain: string,
  { only, after, limit }: Omit<ListArguments, 'domain'>,
): Promise<Account[]> {
  const which = kinds[only]
  if (which) return pages(server.accounts, domain, { which, after, limit })
  const found: Account[] = []
  for (const local of connected(server, domain, only)) {
    if (local <= after) continue
    const account = await server.accounts.get(domain, local)
    if (account) found.push(account)
    if (found.length === limit) break
  }
  return found
}

async function pages(
  accounts: Accounts,
  domain: string,
  { which, after, limit }: { which: AccountKind; after: string; limit: number },
): Promise<Account[]> {
  const all: Account[] = []
  let last = after
  while (all.length < limit) {
    const size = Math.min(1000, limit - all.length)
    const from = last === '' ? {} : { after: last }
    const page = await accounts.list(domain, { ...from, which, limit: size })
    all.push(...page)
    last = page.at(-1)?.local ?? last
    if (page.length < size) break
  }
  return all
}

/** The names of the accounts that are connected: active with a resource that is neither away nor unavailable, else idle. */
function connected(server: AdminServices, domain: string, only: State): string[] {
  const active = new Map<string, boolean>()
  for (const session of server.sessions.list()) {
    const jid = Jid.parse(session.jid)
    if (jid.domain === domain) active.set(jid.local, isActive(session) || active.get(jid.local) === true)
  }
  return [...active]
    .filter(([, isBusy]) => only === 'online' || isBusy === (only === 'active'))
    .map(([local]) => local)
    .sort()
}

const isActive = ({ priority, away }: SessionFacts) => priority !== undefined && away !== true

/** Does something with a password; what is wrong with it is told as it is. */
export async function withPassword<T>(
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
