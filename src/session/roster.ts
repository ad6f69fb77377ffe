/** Rosters (RFC 6121 §2): contacts and subscription states of a host's accounts, kept in memory while they are needed. */
import { contactOf, Contacts, storedItem, type Contact, type Modification } from './contacts.js'
import { removedItem, rosterItem, rosterQuery, readRosterSet, type ItemLimits } from './roster-query.js'
import type { Session } from './session.js'
import type { Sessions } from './sessions.js'
import {
  hasFrom,
  inbound,
  outbound,
  removal,
  unsubscribedState,
  type SubscriptionState,
  type SubscriptionType,
  type Transition,
} from './subscription.js'
import type { LimitHits } from '../base/limit-hits.js'
import type { Counter } from '../base/metrics.js'
import type { Random } from '../base/random.js'
import { StanzaError } from '../stanza/errors.js'
import type { Jid } from '../stanza/jid.js'
import { Stanza } from '../stanza/stanza.js'
import type { Accounts } from '../storage/accounts.js'
import type { RosterStore } from '../storage/rosters.js'
import type { Element } from '../xml/element.js'

export interface RosterLimits extends ItemLimits {
  /** Open requests to one account; more are dropped (RFC 6121 §3.1.3, security warning). */
  readonly requests: number
  /** Bytes of a request that is kept whole; of a longer one only the envelope is. */
  readonly requestBytes: number
  /** Rosters in memory besides those of connected accounts. */
  readonly cached: number
}

export const defaultRosterLimits: RosterLimits = {
  nameBytes: 1_023,
  groups: 50,
  groupBytes: 1_023,
  requests: 200,
  requestBytes: 8_192,
  cached: 5_000,
}

/** What a roster needs of its host. */
export interface RosterHost {
  readonly sessions: Sessions
  readonly accounts: Accounts
  readonly random: Random
  readonly hits: LimitHits
  counter(name: string, help: string): Counter
  /** On the road, as said by an account of this host; not waited for. */
  send(stanza: Stanza): void
  /** The same; resolves when what it leads to here has happened. */
  sendThrough(stanza: Stanza): void | Promise<void>
  tell(event: 'contactChanged', change: ContactChange): void | Promise<void>
}

/** What became of a contact; `now` is undefined when nothing is left of it. */
export interface ContactChange {
  readonly account: Jid
  readonly before: Contact
  readonly now: Contact | undefined
}

/** What is to become of one contact. */
export interface Change {
  /** What it becomes; undefined: nothing is left of it. */
  readonly contact: Contact | undefined
  readonly jid: Jid
  /** Visible in the roster: the version moves on, and a push is due. */
  readonly push: boolean
}

/** Runs when a change is stored. `push` sends the roster push; call it where the order of stanzas wants it. */
export type Afterwards = (push: () => void) => void | Promise<unknown>

/** Runs when what the transition changes is stored: the place for its stanzas, in order. */
export type Tell = (transition: Transition, push: () => void) => void | Promise<unknown>

/** What a request handler is told; the contract's `IqRequest` fits. */
export interface RosterRequest {
  readonly from: Jid
  readonly query: Element
  readonly session: Session | undefined
  /** Set to have something done when the result is on its way. */
  afterwards?: (() => void) | undefined
}

export class Roster {
  readonly #host: RosterHost
  readonly #store: RosterStore
  readonly #size: () => number
  readonly #limits: RosterLimits
  readonly #dropped: Counter
  /** By localpart, in order of last use. */
  readonly #entries = new Map<string, Entry>()

  /** `size` is the number of items a roster may have; asked each time, so that it can change while running. */
  constructor(
    host: RosterHost,
    store: RosterStore,
    size: () => number,
    limits: RosterLimits = defaultRosterLimits,
  ) {
    this.#host = host
    this.#store = store
    this.#size = size
    this.#limits = limits
    this.#dropped = host.counter(
      'roster_requests_dropped_total',
      'Requests to accounts where too many wait already',
    )
  }

  /** Rosters in memory. */
  get size(): number {
    return this.#entries.size
  }

  /** The account's contacts if they are in memory, as they always are while it has a session. */
  cached(account: Jid): Contacts | undefined {
    return this.#entries.get(account.local)?.contacts
  }

  /** The account's contacts; undefined when there is no such account. Call it before a session is registered. */
  load(account: Jid): Promise<Contacts | undefined> {
    return this.#serially(this.#use(account), (contacts) => Promise.resolve(contacts))
  }

  /** Whether `other` may see the presence of the account `owner`: the account itself and its subscribers. */
  sharesPresence(owner: Jid, other: Jid): boolean | Promise<boolean> {
    if (other.bare.equals(owner.bare)) return true
    const contacts = this.cached(owner)
    return contacts
      ? contacts.shares(other)
      : this.load(owner).then((loaded) => loaded?.shares(other) ?? false)
  }

  /** Who is subscribed to the account's presence, as bare JIDs. */
  subscribersOf(owner: Jid): readonly Jid[] | Promise<readonly Jid[]> {
    return this.cached(owner)?.subscribers ?? this.load(owner).then((loaded) => loaded?.subscribers ?? [])
  }

  /**
   * RFC 6121 §2.1.3, §2.2, §2.6: the roster; or nothing, followed by a push for each modification since the version that
   * the client has.
   */
  async get(request: RosterRequest): Promise<Element | undefined> {
    const { from, query, session } = request
    const contacts = this.cached(from) ?? (await this.load(from))
    if (!contacts) throw new StanzaError('item-not-found')
    const known = query.attrs['ver']
    const missed = known === undefined ? undefined : contacts.modificationsSince(known)
    // A push and its answer take the place of some items.
    if (missed && session && missed.length * 3 <= contacts.listed.length) {
      const { version } = contacts
      request.afterwards = () => this.#catchUp(session, contacts, missed, version)
      return undefined
    }
    if (session) session.interested = true
    if (known === contacts.version) return undefined
    return rosterQuery(contacts.version, contacts.listed.map(rosterItem))
  }

  /** RFC 6121 §2.6.3: interim pushes, then those of what happens from now on. */
  #catchUp(session: Session, contacts: Contacts, missed: readonly Modification[], until: string): void {
    // What was stored since the question has not been pushed to a session that is interested only now.
    const later = session.interested ? [] : (contacts.modificationsSince(until) ?? [])
    session.interested = true
    const earlier = missed.filter(({ jid }) => !later.some((change) => change.jid.equals(jid)))
    for (const { jid, version } of [...earlier, ...later])
      session.deliver(this.#pushOf(contacts, jid, version).readdressed({ to: session.jid }))
  }

  /** RFC 6121 §2.1.5, §2.3 to §2.5: a client's roster set. */
  async set({ from, query }: RosterRequest): Promise<undefined> {
    const wanted = readRosterSet(query, from, this.#limits)
    if (wanted.what === 'remove') await this.remove(from, wanted.contact)
    else await this.update(from, wanted.contact, wanted)
  }

  /**
   * Adds or updates an item; its subscription stays as it is (RFC 6121 §2.3, §2.4).
   * @throws StanzaError `resource-constraint` when the roster is full
   */
  update(owner: Jid, jid: Jid, { name, groups }: Pick<Contact, 'name' | 'groups'>): Promise<boolean> {
    return this.change(
      owner,
      (contacts) => {
        const contact = { ...contacts.get(jid), name, groups, listed: true }
        return { jid, contact, push: true }
      },
      (push) => push(),
    )
  }

  /**
   * Removes an item and ends what it stood for (RFC 6121 §2.5.2). Resolves when a contact of ours has been told: to
   * whoever hears of the removal, it is over.
   * @throws StanzaError `item-not-found`
   */
  remove(owner: Jid, jid: Jid): Promise<boolean> {
    let before: SubscriptionState = unsubscribedState
    return this.change(
      owner,
      (contacts) => {
        const contact = contacts.get(jid)
        if (!contact.listed) throw new StanzaError('item-not-found')
        before = contact
        return { jid, contact: undefined, push: true }
      },
      (push) => {
        // RFC 6121 §3.2.2: unavailable while the contact is still subscribed.
        if (hasFrom(before)) this.showPresence(owner, jid, 'unavailable')
        const told = removal(before).map(async (type) =>
          this.#host.sendThrough(this.#presence(owner.bare, type, jid)),
        )
        push()
        return Promise.all(told)
      },
    )
  }

  /**
   * A subscription stanza that the owner sends to `jid` (RFC 6121 §A.2). `tell` runs when the change is stored.
   * @throws StanzaError `resource-constraint` when the roster is full
   */
  outbound(owner: Jid, jid: Jid, type: SubscriptionType, tell: Tell): Promise<boolean> {
    return this.#transit(owner, jid, (contact) => outbound(contact, type), undefined, tell)
  }

  /**
   * A subscription stanza that arrives for the owner, addressed from and to bare JIDs (RFC 6121 §A.3). False when there
   * is no such account.
   */
  inbound(owner: Jid, stanza: Stanza, type: SubscriptionType, tell: Tell): Promise<boolean> {
    return this.#transit(owner, stanza.from, (contact) => inbound(contact, type), stanza, tell)
  }

  #transit(
    owner: Jid,
    jid: Jid,
    machine: (contact: Contact) => Transition,
    stanza: Stanza | undefined,
    tell: Tell,
  ): Promise<boolean> {
    let transition: Transition | undefined
    return this.change(
      owner,
      (contacts) => {
        const before = contacts.get(jid)
        const found = machine(before)
        const asks = found.next.pendingIn && !before.pendingIn
        // RFC 6121 §3.1.3, security warning: what is over the limit is not kept, and so not delivered either.
        if (asks && contacts.requests.length >= this.#limits.requests) {
          this.#dropped.add()
          return undefined
        }
        transition = found
        return changeTo(before, found, asks && stanza ? this.#requestText(stanza) : before.request)
      },
      (push) => transition && tell(transition, push),
    )
  }

  /** RFC 6121 §3.1.3: the complete stanza is kept, unless it is unreasonably large. */
  #requestText(stanza: Stanza): string {
    const text = stanza.toStandaloneXml()
    if (Buffer.byteLength(text) <= this.#limits.requestBytes) return text
    const { kind, type, id, from, to } = stanza
    return Stanza.of({ kind, type, id, from, to }).toStandaloneXml()
  }

  /**
   * One change of one roster, after all that were asked for earlier: `decide` looks at the contacts as they are by
   * then and says what becomes of one of them; when that is stored, `afterwards` tells the world. `decide` may throw
   * a StanzaError; nothing has happened then. Resolves when everything said afterwards is on its way: false, without
   * `decide` being asked, when there is no such account.
   */
  async change(
    owner: Jid,
    decide: (contacts: Contacts) => Change | undefined,
    afterwards: Afterwards,
  ): Promise<boolean> {
    const done = await this.#serially(this.#use(owner), async (contacts) => {
      if (!contacts) return undefined
      const change = decide(contacts)
      const told = change && {
        account: contacts.owner,
        before: contacts.get(change.jid),
        now: change.contact,
      }
      if (change) await this.#apply(contacts, change)
      // Not awaited in here: what is said may come back as another change of this roster.
      return { said: afterwards(() => change && this.#push(contacts, change)), told }
    })
    await done?.said
    if (done?.told) await this.#host.tell('contactChanged', done.told)
    return done !== undefined
  }

  /** Sends the contact the presence of each available resource, or that it is unavailable (RFC 6121 §3.1.5, §3.2.2). */
  showPresence(owner: Jid, to: Jid, as: 'available' | 'unavailable'): void {
    // The subscription may have ended while the approval was on its way.
    if (as === 'available' && !this.cached(owner)?.shares(to)) return
    for (const { jid, presence } of this.#host.sessions.available(owner)) {
      if (as === 'unavailable') this.#say(jid, as, to)
      else if (presence) this.#host.send(presence.readdressed({ to }))
    }
  }

  /**
   * Tells every contact of an account that was just removed, while its sessions still stand (RFC 6121 §2.5.2), and drops
   * what is in memory of it.
   */
  dissolve(contacts: Contacts): void {
    const { owner } = contacts
    this.forget(owner)
    for (const contact of contacts.all()) {
      if (hasFrom(contact)) this.showPresence(owner, contact.jid, 'unavailable')
      for (const type of removal(contact)) this.#say(owner, type, contact.jid)
    }
  }

  /** Drops what is in memory of the account: it was deleted, or its rows were changed from outside. */
  forget(account: Jid): void {
    this.#entries.delete(account.local)
  }

  #say(from: Jid, type: string, to: Jid): void {
    this.#host.send(this.#presence(from, type, to))
  }

  #presence(from: Jid, type: string, to: Jid): Stanza {
    return Stanza.of({ kind: 'presence', from, to, type, id: this.#host.random.id() })
  }

  async #apply(contacts: Contacts, { jid, contact, push }: Change): Promise<void> {
    if (contact?.listed && !contacts.get(jid).listed && contacts.listed.length >= this.#size()) {
      this.#host.hits.add('roster_size')
      throw new StanzaError('resource-constraint', 'The roster is full', { type: 'cancel' })
    }
    const version = contact
      ? await this.#store.put(contacts.account, storedItem(contact))
      : await this.#store.remove(contacts.account, jid.toString())
    contacts.become(jid, contact, version, push)
  }

  /** RFC 6121 §2.1.6, §2.2: to every interested resource, with the version it leads to (§2.6.3). */
  #push(contacts: Contacts, { jid, push }: Change): void {
    if (!push) return
    const stanza = this.#pushOf(contacts, jid)
    for (const session of this.#host.sessions.of(contacts.owner)) {
      if (session.interested) session.deliver(stanza.readdressed({ to: session.jid }))
    }
  }

  /** The item as it is now; `version` is that which the client has when it has heard this. */
  #pushOf(contacts: Contacts, jid: Jid, version?: number): Stanza {
    const contact = contacts.get(jid)
    const item = contact.listed ? rosterItem(contact) : removedItem(jid)
    const envelope = { kind: 'iq', type: 'set', id: this.#host.random.id(), from: contacts.owner } as const
    const named = version === undefined ? contacts.version : contacts.named(version)
    return Stanza.of(envelope, rosterQuery(named, [item]))
  }

  #use(account: Jid): Entry {
    const { local } = account
    const entry = this.#entries.get(local) ?? new Entry(account.bare)
    this.#entries.delete(local)
    this.#entries.set(local, entry)
    this.#evict()
    return entry
  }

  /** Looks at the four not used for longest. Those in use go to the end instead, so the next turn sees others. */
  #evict(): void {
    let looks = 4
    for (const [local, entry] of this.#entries) {
      if (this.#entries.size <= this.#limits.cached || looks-- === 0) return
      this.#entries.delete(local)
      const inUse = entry.busy || this.#host.sessions.of(entry.owner).length > 0
      if (inUse) this.#entries.set(local, entry)
    }
  }

  /** Runs `work` after what was asked for earlier of this account, with its contacts, which are loaded if need be. */
  #serially<T>(entry: Entry, work: (contacts: Contacts | undefined) => Promise<T>): Promise<T> {
    const run = entry.last.then(async () => work((entry.contacts ??= await this.#read(entry.owner))))
    const settled = () => {
      if (--entry.waiting === 0 && !entry.contacts && this.#entries.get(entry.owner.local) === entry) {
        this.#entries.delete(entry.owner.local)
      }
    }
    entry.waiting++
    entry.last = run.then(settled, settled)
    return run
  }

  async #read(owner: Jid): Promise<Contacts | undefined> {
    const account = await this.#host.accounts.get(owner.domain, owner.local)
    if (!account) return undefined
    const { version, items } = await this.#store.load(account.id)
    return new Contacts(owner, account.id, version, items.map(contactOf))
  }
}

/** What a transition leaves of the contact, or nothing when only what is not kept has changed. */
function changeTo(
  before: Contact,
  { next, push }: Transition,
  request: string | undefined,
): Change | undefined {
  const { subscription, ask, pendingIn, approved } = next
  const shown = subscription !== 'none' || ask || approved
  // RFC 6121 §A.1, state 3: a request alone puts nobody in the roster.
  const listed = before.listed || shown
  if (!push && pendingIn === before.pendingIn) return undefined
  const contact = { ...before, ...next, listed, request: pendingIn ? request : undefined }
  return { jid: before.jid, contact: listed || pendingIn ? contact : undefined, push: push && listed }
}

/** What the cache holds of one account. */
class Entry {
  readonly owner: Jid
  contacts: Contacts | undefined = undefined
  /** Settles when the last change so far asked for is done. */
  last: Promise<void> = Promise.resolve()
  waiting = 0

  constructor(owner: Jid) {
    this.owner = owner
  }

  get busy(): boolean {
    return this.waiting > 0
  }
}
