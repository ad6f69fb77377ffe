/** A room as a reader of XEP-0045 would draw it on one page: who is in, what each is, and what each client has seen and heard. */
import {
  affiliationChangeRefused,
  affiliationMay,
  initialRole,
  roleChangeRefused,
  type Affiliation,
  type PresentRole,
  type Role,
} from '../../src/modules/rooms/privileges.js'

/** What somebody does; clients, accounts and nicks are counted from 0. */
export type Step = { readonly who: number } & (
  | { readonly does: 'enter' | 'rename'; readonly nick: string }
  | { readonly does: 'leave' | 'vanish' }
  | { readonly does: 'show'; readonly text: string }
  | { readonly does: 'speak' | 'subject'; readonly text: string }
  | { readonly does: 'whisper'; readonly nick: string; readonly text: string }
  | { readonly does: 'role'; readonly nick: string; readonly role: Role }
  | { readonly does: 'affiliation'; readonly account: string; readonly affiliation: Affiliation }
  | { readonly does: 'configure'; readonly field: Flag; readonly on: boolean }
)

export type Flag = 'moderated' | 'membersOnly' | 'open'

interface Occupant {
  nick: string
  readonly account: string
  role: PresentRole
  /** The one that showed itself last comes first. */
  readonly clients: Client[]
}

export interface Client {
  readonly account: string
  show: string
  /** What it has heard since it came in, what was said before included. */
  heard: string[]
  /** What was said to it alone, ever. */
  readonly whispers: string[]
}

/** What a client that is in sees. */
export interface View {
  readonly nick: string
  /** By nick: affiliation, role, show. */
  readonly occupants: Readonly<Record<string, string>>
  readonly subject: string
  readonly heard: readonly string[]
}

/** Messages that who comes in is shown. */
const historySize = 20

export class RoomModel {
  readonly clients: readonly Client[]
  readonly flags: Record<Flag, boolean> = { moderated: false, membersOnly: false, open: false }
  subject = ''
  /** All that was said. */
  readonly said: string[] = []
  #occupants: Occupant[] = []
  readonly #affiliations = new Map<string, Affiliation>()
  readonly #remembered = new Map<string, { role: PresentRole; affiliation: Affiliation }>()

  /** The owner is not in, nor anybody else. */
  constructor(accounts: readonly string[], owner: string) {
    this.clients = accounts.map((account) => ({ account, show: '', heard: [], whispers: [] }))
    this.#affiliations.set(owner, 'owner')
  }

  /** Whether it is refused; then nothing has changed. */
  refuses(step: Step): boolean {
    const client = this.clients[step.who]!
    switch (step.does) {
      case 'enter':
        return this.#enter(client, step.nick)
      case 'rename':
        return this.#rename(client, step.nick)
      case 'leave':
      case 'vanish':
        this.#leave(client)
        return false
      case 'show':
        this.#show(client, step.text)
        return false
      case 'speak':
      case 'subject':
        return this.#speak(client, step)
      case 'whisper':
        return this.#whisper(client, step)
      case 'role':
        return this.#setRole(client, step)
      case 'affiliation':
        return this.#setAffiliation(client, step)
      case 'configure':
        return this.#configure(client, step)
    }
  }

  /** The service has stopped and is there again. */
  restart(): void {
    for (const occupant of this.#occupants) this.#putOut(occupant)
  }

  /** Undefined when it is not in. */
  viewOf(client: Client): View | undefined {
    const own = this.#of(client)
    if (!own) return undefined
    const shown = this.#occupants.map(({ nick, account, role, clients }) => [
      nick,
      `${this.#affiliation(account)} ${role} ${clients[0]!.show}`,
    ])
    return {
      nick: own.nick,
      occupants: Object.fromEntries(shown) as Record<string, string>,
      subject: this.subject,
      heard: client.heard,
    }
  }

  /** Whether somebody there may see addresses. */
  seesJids(client: Client): boolean {
    return this.flags.open || this.#of(client)?.role === 'moderator'
  }

  #of(client: Client): Occupant | undefined {
    return this.#occupants.find(({ clients }) => clients.includes(client))
  }

  #holder(nick: string): Occupant | undefined {
    return this.#occupants.find((occupant) => occupant.nick.toLowerCase() === nick.toLowerCase())
  }

  #named(nick: string): Occupant | undefined {
    return this.#occupants.find((occupant) => occupant.nick === nick)
  }

  #affiliation(account: string): Affiliation {
    return this.#affiliations.get(account) ?? 'none'
  }

  #initialRole(affiliation: Affiliation): PresentRole | undefined {
    return initialRole(affiliation, this.flags)
  }

  #enter(client: Client, nick: string): boolean {
    const present = this.#of(client)
    if (present) {
      if (present.nick !== nick && this.#rename(client, nick)) return true
      this.#moveToFront(client, '')
      return this.#welcome(client)
    }
    const { account } = client
    const affiliation = this.#affiliation(account)
    const initial = this.#initialRole(affiliation)
    const holder = this.#holder(nick)
    if (initial === undefined || (holder && holder.account !== account)) return true
    const sibling = this.#occupants.find((occupant) => occupant.account === account)
    const last = this.#remembered.get(account)
    const role = sibling?.role ?? (last?.affiliation === affiliation ? last.role : initial)
    client.show = ''
    if (holder) holder.clients.unshift(client)
    else this.#occupants.push({ nick, account, role, clients: [client] })
    return this.#welcome(client)
  }

  #welcome(client: Client): false {
    client.heard.push(...this.said.slice(-historySize))
    return false
  }

  #rename(client: Client, nick: string): boolean {
    const own = this.#of(client)
    // Told that it is not in, by no error.
    if (!own) return false
    if (own.nick === nick) {
      this.#moveToFront(client, '')
      return false
    }
    const holder = this.#holder(nick)
    if (holder && holder.account !== client.account) return true
    if (holder && holder !== own) {
      this.#takeOut(client)
      holder.clients.unshift(client)
    } else if (own.clients.length === 1) own.nick = nick
    else if (holder) return true
    else {
      this.#takeOut(client)
      const { account, role } = own
      this.#occupants.push({ nick, account, role, clients: [client] })
    }
    client.show = ''
    return false
  }

  #show(client: Client, text: string): void {
    if (this.#of(client)) this.#moveToFront(client, text)
  }

  #moveToFront(client: Client, show: string): void {
    const { clients } = this.#of(client)!
    clients.splice(clients.indexOf(client), 1)
    clients.unshift(client)
    client.show = show
  }

  #takeOut(client: Client): void {
    const own = this.#of(client)!
    own.clients.splice(own.clients.indexOf(client), 1)
    if (own.clients.length === 0) this.#occupants = this.#occupants.filter((other) => other !== own)
  }

  #leave(client: Client): void {
    const own = this.#of(client)
    if (!own) return
    if (own.clients.length === 1) this.#remember(own, this.#affiliation(own.account))
    this.#takeOut(client)
    client.heard = []
  }

  /** What a moderator made of somebody outlasts a visit; that it made him a moderator does not (§5.1). */
  #remember({ account, role }: Occupant, affiliation: Affiliation): void {
    const initial = this.#initialRole(affiliation)
    const isUsual = role === 'moderator' || initial === undefined || role === initial
    if (isUsual || affiliation === 'outcast') this.#remembered.delete(account)
    else this.#remembered.set(account, { role, affiliation })
  }

  #putOut(occupant: Occupant): void {
    this.#remember(occupant, this.#affiliation(occupant.account))
    for (const client of occupant.clients) client.heard = []
    this.#occupants = this.#occupants.filter((other) => other !== occupant)
  }

  #speak(client: Client, { does, text }: Step & { does: 'speak' | 'subject' }): boolean {
    const own = this.#of(client)
    if (!own || own.role === 'visitor') return true
    if (does === 'subject') {
      if (own.role !== 'moderator') return true
      this.subject = text
      return false
    }
    const line = `${own.nick}: ${text}`
    this.said.push(line)
    for (const { clients } of this.#occupants) for (const hearer of clients) hearer.heard.push(line)
    return false
  }

  #whisper(client: Client, { nick, text }: Step & { does: 'whisper' }): boolean {
    const own = this.#of(client)
    const to = this.#named(nick)
    if (!own || !to) return true
    for (const hearer of to.clients) hearer.whispers.push(`${own.nick}: ${text}`)
    return false
  }

  #setRole(client: Client, { nick, role }: Step & { does: 'role' }): boolean {
    const target = this.#holder(nick)
    const actor = this.#of(client) ?? this.#occupants.find(({ account }) => account === client.account)
    const refused = roleChangeRefused(
      { affiliation: this.#affiliation(client.account), role: actor?.role ?? 'none' },
      { affiliation: target ? this.#affiliation(target.account) : 'none', role: target?.role ?? 'none' },
      role,
      target?.account === client.account,
    )
    if (refused) return true
    if (role === 'none') this.#putOut(target!)
    else target!.role = role
    return false
  }

  #setAffiliation(client: Client, { account, affiliation }: Step & { does: 'affiliation' }): boolean {
    const before = this.#affiliation(account)
    const actor = this.#affiliation(client.account)
    if (affiliationChangeRefused(actor, before, affiliation, account === client.account)) return true
    const owners = [...this.#affiliations].filter(([, one]) => one === 'owner').map(([owner]) => owner)
    if (owners.length === 1 && owners[0] === account && affiliation !== 'owner') return true
    if (affiliation === before) return false
    this.#affiliations.set(account, affiliation)
    const ranks = ['outcast', 'none', 'member', 'admin', 'owner']
    const roles = ['visitor', 'participant', 'moderator']
    const initial = this.#initialRole(affiliation)
    for (const occupant of this.#occupants.filter((one) => one.account === account)) {
      const isLess = ranks.indexOf(affiliation) < ranks.indexOf(before)
      if (initial === undefined) this.#putOut(occupant)
      else if (isLess || roles.indexOf(initial) > roles.indexOf(occupant.role)) occupant.role = initial
    }
    return false
  }

  #configure(client: Client, { field, on }: Step & { does: 'configure' }): boolean {
    if (!affiliationMay(this.#affiliation(client.account), 'configure')) return true
    const before = this.flags[field]
    this.flags[field] = on
    if (field === 'membersOnly' && on && !before)
      for (const occupant of this.#occupants.filter(({ account }) => this.#affiliation(account) === 'none'))
        this.#putOut(occupant)
    if (field === 'moderated' && !on && before) {
      this.#remembered.clear()
      for (const occupant of this.#occupants) if (occupant.role === 'visitor') occupant.role = 'participant'
    }
    return false
  }
}
