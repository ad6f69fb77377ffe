/** XEP-0133: Service Administration. Its use cases, each carried out by commands of the one table. */
import type { AnyCommand, CommandResult } from '../../host/command.js'
import type { CommandRequest } from '../../host/desk.js'
import { StanzaError } from '../../stanza/errors.js'
import { form, resultForm, Submission, type Field, type FormTexts } from '../../stanza/forms.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { carriedOut, type Ask } from './declared.js'
import { accepting, note, type Offer, type Step } from '../../stanza/dialogue.js'

interface Around {
  /** What the client may run. */
  readonly commands: readonly AnyCommand[]
  readonly ask: Ask
  /** The bare address of the client. */
  readonly own: string
  readonly domain: string
}

/** The use cases that are open to a client, and the names of the commands that they stand for. */
export function administration(around: Around): {
  readonly offers: readonly Offer[]
  readonly instead: ReadonlySet<string>
} {
  const names = new Set(around.commands.map(({ name }) => name))
  const open = useCases.filter(({ needs }) => needs.every((name) => names.has(name)))
  return {
    offers: open.map((useCase) => offerOf(useCase, around)),
    instead: new Set(open.flatMap(({ instead = [] }) => instead)),
  }
}

/** What the XEP knows and nobody can do here, by node. */
export const refusedNodes: ReadonlyMap<string, () => StanzaError> = new Map([
  [
    `${NS.administration}#get-user-password`,
    // XEP-0133 §4.6 is retracted.
    () => new StanzaError('not-allowed', 'Passwords are not kept here, only what can check them.'),
  ],
  [
    `${NS.administration}#edit-whitelist`,
    () =>
      new StanzaError('feature-not-implemented', 'Who may connect is configured: s2s.policy, s2s.domain.'),
  ],
])

interface UseCase {
  /** Behind `http://jabber.org/protocol/admin#`. */
  readonly node: string
  readonly name: string
  /** Commands that one has to be allowed. */
  readonly needs: readonly string[]
  /** Commands that need no form of their own beside it. */
  readonly instead?: readonly string[]
  /** None: it is carried out at once. */
  readonly fields?: readonly Field[]
  /** Values that the form shows, by field. */
  current?(around: Around): Promise<Readonly<Record<string, readonly string[]>>>
  /** Throws StanzaError for what does not fit. */
  requests(given: Submission, around: Around): readonly CommandRequest[] | Promise<readonly CommandRequest[]>
  result?(answers: readonly CommandResult[], given: Submission): Element
}

const jids = (label: string): Field => ({ name: 'accountjids', type: 'jid-multi', label, required: true })
const jid = (label: string): Field => ({ name: 'accountjid', type: 'jid-single', label, required: true })
const secret = (name: string, label: string): Field => ({
  name,
  type: 'text-private',
  label,
  required: true,
})
const lines = (name: string, label: string): Field => ({ name, type: 'text-multi', label, required: true })

/** One request for each of several accounts. */
const each =
  (command: string, key = 'account') =>
  (given: Submission): readonly CommandRequest[] =>
    (given.texts('accountjids') ?? []).map((account) => ({ command, args: { [key]: account } }))

const accounts: readonly UseCase[] = [
  {
    node: 'add-user',
    name: 'Add a user',
    needs: ['user add'],
    instead: ['user add'],
    fields: [jid('The address of the account'), ...passwords()],
    requests: (given) => [withPassword('user add', given)],
  },
  {
    node: 'delete-user',
    name: 'Delete users',
    needs: ['user delete'],
    instead: ['user delete'],
    fields: [jids('The accounts to delete')],
    requests: each('user delete'),
  },
  {
    node: 'disable-user',
    name: 'Disable users',
    needs: ['user disable'],
    instead: ['user disable'],
    fields: [jids('The accounts to disable')],
    requests: each('user disable'),
  },
  {
    node: 'reenable-user',
    name: 'Enable users again',
    needs: ['user enable'],
    instead: ['user enable'],
    fields: [jids('The accounts to enable again')],
    requests: each('user enable'),
  },
  {
    node: 'end-user-session',
    name: 'End sessions of users',
    needs: ['session end'],
    instead: ['session end'],
    fields: [jids('Accounts, or addresses with a resource for one session')],
    requests: each('session end', 'jid'),
  },
  {
    node: 'change-user-password',
    name: 'Change the password of a user',
    needs: ['user passwd'],
    instead: ['user passwd'],
    fields: [jid('The account'), secret('password', 'The new password')],
    requests: (given) => [withPassword('user passwd', given)],
  },
  {
    node: 'get-user-roster',
    name: 'See the contacts of a user',
    needs: ['user roster'],
    instead: ['user roster'],
    fields: [jids('The account')],
    requests: each('user roster'),
    result(answers, given) {
      const shown = resultForm(NS.administration, { accountjids: given.texts('accountjids') ?? [] })
      // XEP-0133 §4.8: the roster stands within the form.
      for (const { data } of answers) shown.append(rosterElement(data as readonly ContactData[]))
      return shown
    },
  },
  {
    node: 'get-user-lastlogin',
    name: 'See when a user logged in last',
    needs: ['user show'],
    fields: [jids('The account')],
    requests: each('user show'),
    result: (answers, given) =>
      resultForm(NS.administration, {
        accountjids: given.texts('accountjids') ?? [],
        lastlogin: answers.map(({ data }) => (data as UserData).last_login ?? 'not known'),
      }),
  },
  {
    node: 'user-stats',
    name: 'See figures of a user',
    needs: ['user show'],
    fields: [jid('The account')],
    requests: (given) => [{ command: 'user show', args: { account: given.text('accountjid') } }],
    result([answer]) {
      const { sessions, contacts } = answer!.data as UserData
      return resultForm(NS.administration, {
        ipaddresses: [...new Set(sessions.flatMap(({ ip }) => ip ?? []))],
        rostersize: contacts,
        onlineresources: sessions.map(({ jid }) => jid.slice(jid.indexOf('/') + 1)),
      })
    },
  },
]

interface UserData {
  readonly last_login: string | null
  readonly contacts: number
  readonly sessions: readonly { readonly jid: string; readonly ip?: string }[]
}

interface ContactData {
  readonly jid: string
  readonly name: string
  readonly subscription: string
  readonly ask: boolean
  readonly groups: readonly string[]
}

function rosterElement(contacts: readonly ContactData[]): Element {
  const items = contacts.map(({ jid, name, subscription, ask, groups }) =>
    el(
      'item',
      NS.roster,
      { jid, name: name === '' ? undefined : name, subscription, ask: ask ? 'subscribe' : undefined },
      ...groups.map((group) => el('group', NS.roster, undefined, group)),
    ),
  )
  return el('query', NS.roster, undefined, ...items)
}

function passwords(): readonly Field[] {
  return [secret('password', 'The password'), secret('password-verify', 'The password once more')]
}

function withPassword(command: string, given: Submission): CommandRequest {
  const again = given.text('password-verify')
  if (again !== undefined && again !== given.text('password'))
    throw new StanzaError('not-acceptable', 'The two passwords differ.')
  return { command, args: { account: given.text('accountjid'), password: given.text('password') } }
}

const figures: readonly UseCase[] = (
  [
    ['registered', 'get-registered-users-num', 'registeredusersnum', 'Number of registered users'],
    ['disabled', 'get-disabled-users-num', 'disabledusersnum', 'Number of disabled users'],
    ['online', 'get-online-users-num', 'onlineusersnum', 'Number of users who are online'],
    ['active', 'get-active-users-num', 'activeusersnum', 'Number of users who are active'],
    ['idle', 'get-idle-users-num', 'idleusersnum', 'Number of users who are online and away'],
  ] as const
).map(([figure, node, field, name]) => ({
  node,
  name,
  needs: ['stats'],
  instead: ['stats'],
  requests: (_given: Submission, { domain }: Around) => [{ command: 'stats', args: { domain } }],
  result: ([answer]: readonly CommandResult[]) => {
    const [row] = answer!.data as readonly Readonly<Record<string, number>>[]
    return resultForm(NS.administration, { [field]: row![figure] })
  },
}))

/** "None", no limit, is as much as one stanza bears. */
const most = 2000

const maxItems: Field = {
  name: 'max_items',
  type: 'list-single',
  label: 'How many to show at most',
  value: '25',
  options: ['25', '50', '75', '100', '150', '200', ['none', 'None']],
}

const lists: readonly UseCase[] = (
  [
    ['all', 'get-registered-users-list', 'registereduserjids', 'List registered users'],
    ['disabled', 'get-disabled-users-list', 'disableduserjids', 'List disabled users'],
    ['online', 'get-online-users-list', 'onlineuserjids', 'List users who are online'],
    ['active', 'get-active-users', 'activeuserjids', 'List users who are active'],
    // XEP-0133 §4.22: the field has the name of the one before.
    ['idle', 'get-idle-users', 'activeuserjids', 'List users who are online and away'],
  ] as const
).map(([only, node, field, name]) => ({
  node,
  name,
  needs: ['user list'],
  fields: [maxItems],
  requests: (given: Submission, { domain }: Around) => {
    const count = given.text('max_items')
    const limit = count === undefined || count === '' || count === 'none' ? most : Number(count)
    return [{ command: 'user list', args: { domain, only, limit } }]
  },
  result: ([answer]: readonly CommandResult[]) => {
    const rows = answer!.data as readonly { readonly account: string }[]
    return resultForm(NS.administration, { [field]: rows.map(({ account }) => account) })
  },
}))

const announcements: readonly UseCase[] = [
  {
    node: 'announce',
    name: 'Send an announcement to users who are online',
    needs: ['announce'],
    instead: ['announce'],
    fields: [lines('announcement', 'Announcement')],
    requests: (given, { domain }) => [
      { command: 'announce', args: { domain, message: given.text('announcement') } },
    ],
  },
  {
    node: 'set-motd',
    name: 'Set the message of the day',
    needs: ['motd set'],
    instead: ['motd set', 'motd show'],
    fields: [lines('motd', 'Message of the day')],
    requests: (given, { domain }) => [{ command: 'motd set', args: { domain, message: given.text('motd') } }],
  },
  {
    node: 'edit-motd',
    name: 'Edit the message of the day',
    needs: ['motd set', 'motd show'],
    fields: [lines('motd', 'Message of the day')],
    current: async (around) => ({ motd: await messageOf('motd show', around) }),
    // XEP-0133 §4.25 corrects an error: who has seen it need not see it again.
    requests: (given, { domain }) => [
      { command: 'motd set', args: { domain, message: given.text('motd'), again: false } },
    ],
  },
  {
    node: 'delete-motd',
    name: 'Delete the message of the day',
    needs: ['motd clear'],
    instead: ['motd clear'],
    requests: (_given, { domain }) => [{ command: 'motd clear', args: { domain } }],
  },
  {
    node: 'set-welcome',
    name: 'Set the message that welcomes new users',
    needs: ['welcome set', 'welcome show'],
    instead: ['welcome set', 'welcome show'],
    fields: [lines('welcome', 'Welcome message')],
    current: async (around) => ({ welcome: await messageOf('welcome show', around) }),
    requests: (given, { domain }) => [
      { command: 'welcome set', args: { domain, message: given.text('welcome') } },
    ],
  },
  {
    node: 'delete-welcome',
    name: 'Delete the message that welcomes new users',
    needs: ['welcome clear'],
    instead: ['welcome clear'],
    requests: (_given, { domain }) => [{ command: 'welcome clear', args: { domain } }],
  },
]

async function messageOf(command: string, { ask, domain }: Around): Promise<readonly string[]> {
  const answer = await ask({ command, args: { domain } })
  const message = answer.ok ? (answer.data as { readonly message: string | null }).message : null
  return message === null ? [] : message.split('\n')
}

const rules: readonly UseCase[] = [
  {
    node: 'edit-blacklist',
    name: 'Edit the list of blocked domains',
    needs: ['block list', 'block add', 'block remove'],
    fields: [{ name: 'blacklistjids', type: 'text-multi', label: 'The blocked domains' }],
    current: async (around) => ({ blacklistjids: await listed('block list', 'domain', around) }),
    async requests(given, around) {
      const wanted = given.texts('blacklistjids') ?? []
      const there = await listed('block list', 'domain', around)
      // Those that stay keep their reasons and their ends.
      return changes(there, wanted, (domain, isWanted) => ({
        command: isWanted ? 'block add' : 'block remove',
        args: { domain },
      }))
    },
  },
  {
    node: 'edit-admin',
    name: 'Edit the list of admins',
    needs: ['user role', 'user list'],
    fields: [{ name: 'adminjids', type: 'jid-multi', label: 'The admins', required: true }],
    current: async (around) => ({ adminjids: await adminsOf(around) }),
    async requests(given, around) {
      const wanted = given.texts('adminjids') ?? []
      if (!wanted.includes(around.own))
        throw new StanzaError('not-acceptable', 'You would be no admin any more.')
      const role = isWhole(around) ? 'admin' : 'domain-admin'
      return changes(await adminsOf(around), wanted, (account, isWanted) => ({
        command: 'user role',
        args: { account, role: isWanted ? role : 'user' },
      }))
    },
  },
]

/** Of the whole server, or of one domain: who may reload the server may do all. */
const isWhole = ({ commands }: Around) => commands.some(({ about }) => about === 'server')

async function adminsOf(around: Around): Promise<readonly string[]> {
  const answer = await around.ask({ command: 'user list', args: { only: 'admins' } })
  if (!answer.ok) return []
  const role = isWhole(around) ? 'admin' : 'domain-admin'
  const rows = answer.data as readonly { readonly account: string; readonly role: string }[]
  return rows.filter((row) => row.role === role).map(({ account }) => account)
}

async function listed(command: string, key: string, { ask }: Around): Promise<readonly string[]> {
  const answer = await ask({ command, args: {} })
  return answer.ok ? (answer.data as readonly Readonly<Record<string, string>>[]).map((row) => row[key]!) : []
}

function changes(
  there: readonly string[],
  wanted: readonly string[],
  request: (one: string, isWanted: boolean) => CommandRequest,
): readonly CommandRequest[] {
  const added = wanted.filter((one) => one !== '' && !there.includes(one))
  const removed = there.filter((one) => !wanted.includes(one))
  return [...added.map((one) => request(one, true)), ...removed.map((one) => request(one, false))]
}

const delay: Field = {
  name: 'delay',
  type: 'list-single',
  label: 'After how long',
  value: '30',
  options: [
    ['30', '30 seconds'],
    ['60', '60 seconds'],
    ['90', '90 seconds'],
    ['120', '2 minutes'],
    ['180', '3 minutes'],
    ['240', '4 minutes'],
    ['300', '5 minutes'],
  ],
}

/** The commands behind them. */
const commandOfService = { restart: 'restart', shutdown: 'stop' } as const

const service: readonly UseCase[] = (
  [
    ['restart', 'Restart the server'],
    ['shutdown', 'Shut the server down'],
  ] as const
).map(([node, name]) => ({
  node,
  name,
  needs: [commandOfService[node]],
  instead: [commandOfService[node]],
  fields: [delay, { ...lines('announcement', 'Announcement'), required: false }],
  requests: (given: Submission) => {
    const announcement = given.text('announcement')
    const more = announcement ? { announcement } : {}
    return [{ command: commandOfService[node], args: { delay: `${given.text('delay') || '30'}s`, ...more } }]
  },
}))

const useCases: readonly UseCase[] = [
  ...accounts,
  ...rules,
  ...figures,
  ...lists,
  ...announcements,
  ...service,
]

function offerOf(useCase: UseCase, around: Around): Offer {
  const { name, fields = [] } = useCase
  const node = `${NS.administration}#${useCase.node}`
  const nothing = el('x', NS.dataForms, { type: 'submit' })
  const carryOut = async (filled: Element | undefined, back?: () => Step) => {
    if (!filled) throw new StanzaError('bad-request', 'The form is missing.')
    const given = new Submission(filled, NS.administration, fields)
    const requests = await useCase.requests(given, around)
    if (requests.length === 0) return unchanged
    const show = (answers: readonly CommandResult[]) =>
      useCase.result ? [useCase.result(answers, given)] : answers.flatMap(notesOf)
    return carriedOut(requests, around.ask, show, back)
  }
  const texts: FormTexts = { title: name, instructions: `${name}.` }
  const asking = (current: Readonly<Record<string, readonly string[]>>): Step => {
    const shown = fields.map((field) =>
      current[field.name] ? { ...field, value: current[field.name] } : field,
    )
    const way = (filled: Element | undefined) =>
      accepting(() => carryOut(filled, () => asking(filled ? valuesOf(filled, fields) : current)))
    return {
      status: 'executing',
      payload: [form(NS.administration, shown, texts)],
      // What may be asked back has a step behind it.
      [useCase.needs.some((command) => isDestructive(command, around)) ? 'next' : 'complete']: way,
    }
  }
  return {
    node,
    name,
    start: async () =>
      fields.length === 0 ? carryOut(nothing) : asking((await useCase.current?.(around)) ?? {}),
  }
}

const isDestructive = (name: string, { commands }: Around) =>
  commands.some((command) => command.name === name && command.destroys)

/** What was filled in, to be shown again; passwords are typed anew. */
function valuesOf(filled: Element, fields: readonly Field[]): Readonly<Record<string, readonly string[]>> {
  const given = new Submission(filled, NS.administration, fields)
  const shown = fields.filter(({ type }) => type !== 'text-private')
  return Object.fromEntries(shown.map(({ name }) => [name, given.texts(name) ?? []]))
}

const unchanged: Step = { status: 'completed', payload: [note('info', 'Nothing was changed.')] }

const notesOf = ({ text }: CommandResult): readonly Element[] =>
  text === undefined ? [] : [note('info', text)]
