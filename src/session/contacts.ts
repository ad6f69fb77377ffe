/** One account's contacts in memory, and the lists that broadcasts walk. */
import { hasFrom, hasTo, unsubscribedState, type SubscriptionState } from './subscription.js'
import { Jid } from '../stanza/jid.js'
import type { RosterItem } from '../storage/rosters.js'

/** One contact, or somebody who asked to become one. Never changed, only replaced. */
export interface Contact extends SubscriptionState {
  /** Bare JID. */
  readonly jid: Jid
  /** In the roster. Otherwise it only holds a request (RFC 6121 §A.1, state 3). */
  readonly listed: boolean
  /** '' when absent. */
  readonly name: string
  readonly groups: readonly string[]
  /** The stanza of the open request (RFC 6121 §3.1.3), present with `pendingIn`. */
  readonly request: string | undefined
}

/** One account's contacts as they were last stored. Read it; only its Roster changes it. */
export class Contacts {
  /** Bare JID. */
  readonly owner: Jid
  /** Row of the account. */
  readonly account: number
  #version: number
  readonly #contacts = new Map<string, Contact>()
  /** What changed visibly since `#since`, the latest last: versions from there on can be brought up to date. */
  readonly #changes = new Map<string, Modification>()
  #since: number
  #views: Views | undefined = undefined

  constructor(owner: Jid, account: number, version: number, contacts: Iterable<Contact>) {
    this.owner = owner
    this.account = account
    this.#version = version
    this.#since = version
    for (const contact of contacts) this.#contacts.set(contact.jid.toString(), contact)
  }

  /**
   * RFC 6121 §2.1.1: opaque to clients. With the account's row in it, an account that is made again under the name of
   * a removed one never gives out a version that a client has cached from that.
   */
  get version(): string {
    return this.named(this.#version)
  }

  /** How clients know a version. */
  named(version: number): string {
    return `${this.account}.${version}`
  }

  /**
   * RFC 6121 §2.6.3: what a client that has the roster of this version must hear of, in the order of modification; each
   * contact once. Undefined when too much has happened since, or before the roster was in memory, to know.
   */
  modificationsSince(version: string): readonly Modification[] | undefined {
    const [account, number, ...more] = version.split('.')
    if (more.length > 0 || account !== String(this.account) || !/^\d{1,15}$/.test(number ?? ''))
      return undefined
    const known = Number(number)
    if (known < this.#since || known > this.#version) return undefined
    return [...this.#changes.values()].filter((change) => change.version > known)
  }

  /** The contact, or a stranger to start from. */
  get(jid: Jid): Contact {
    const bare = jid.bare
    return (
      this.#contacts.get(bare.toString()) ?? {
        ...unsubscribedState,
        jid: bare,
        listed: false,
        name: '',
        groups: noGroups,
        request: undefined,
      }
    )
  }

  /** Everybody, those who only wait for an answer included. */
  all(): readonly Contact[] {
    return [...this.#contacts.values()]
  }

  /** Whether `other` may see the owner's presence by subscription. */
  shares(other: Jid): boolean {
    const contact = this.#contacts.get(other.bare.toString())
    return contact !== undefined && hasFrom(contact)
  }

  /** The items of the roster. */
  get listed(): readonly Contact[] {
    return this.#view.listed
  }

  /** Those with a subscription `from` or `both`: they get the owner's presence. */
  get subscribers(): readonly Jid[] {
    return this.#view.subscribers
  }

  /** Those with a subscription `to` or `both`: the owner gets their presence. */
  get subscriptions(): readonly Jid[] {
    return this.#view.subscriptions
  }

  /** Those who wait for an answer (RFC 6121 §3.1.3). */
  get requests(): readonly Contact[] {
    return this.#view.requests
  }

  /** Those whom the owner has asked (RFC 6121 §3.1.2). */
  get asked(): readonly Jid[] {
    return this.#view.asked
  }

  /** For the Roster: the stored change; `visible`: one that clients hear of. */
  become(jid: Jid, contact: Contact | undefined, version: number, visible: boolean): void {
    if (visible) this.#remember({ jid, version })
    this.#version = version
    this.#views = undefined
    if (contact) this.#contacts.set(jid.toString(), contact)
    else this.#contacts.delete(jid.toString())
  }

  #remember(change: Modification): void {
    const key = change.jid.toString()
    this.#changes.delete(key)
    this.#changes.set(key, change)
    if (this.#changes.size <= changesKept) return
    const [oldest, { version }] = this.#changes.entries().next().value!
    this.#changes.delete(oldest)
    this.#since = version
  }

  get #view(): Views {
    return (this.#views ??= viewsOf(this.all()))
  }
}

/** That a contact was added, changed or removed, and the version of the roster that this led to. */
export interface Modification {
  readonly jid: Jid
  readonly version: number
}

/** Contacts whose last modification is remembered, for each roster. */
const changesKept = 500

/** Who is of one kind, made once per change: broadcasts only walk lists. */
interface Views {
  readonly listed: readonly Contact[]
  readonly subscribers: readonly Jid[]
  readonly subscriptions: readonly Jid[]
  readonly requests: readonly Contact[]
  readonly asked: readonly Jid[]
}

function viewsOf(contacts: readonly Contact[]): Views {
  const jids = (which: (contact: Contact) => boolean) => contacts.filter(which).map(({ jid }) => jid)
  return {
    listed: contacts.filter(({ listed }) => listed),
    subscribers: jids(hasFrom),
    subscriptions: jids(hasTo),
    requests: contacts.filter(({ pendingIn }) => pendingIn),
    asked: jids(({ ask }) => ask),
  }
}

const noGroups: readonly string[] = Object.freeze([])

export function contactOf({
  jid,
  name,
  subscription,
  ask,
  approved,
  groups,
  request,
  hidden,
}: RosterItem): Contact {
  const pendingIn = request !== undefined
  return {
    jid: Jid.parse(jid),
    listed: !hidden,
    name,
    groups,
    subscription,
    ask,
    pendingIn,
    approved,
    request,
  }
}

export function storedItem({
  jid,
  listed,
  name,
  groups,
  subscription,
  ask,
  approved,
  request,
}: Contact): RosterItem {
  return { jid: jid.toString(), name, subscription, ask, approved, groups, request, hidden: !listed }
}
