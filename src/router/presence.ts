/** Presence of a host's accounts: subscriptions (RFC 6121 §3), broadcast, probes and directed presence (§4). */
import { bounced, stanzaErrorOf } from './bounce.js'
import type { Fate } from './endings.js'
import type { Host } from '../host/host.js'
import { lastSeen } from '../host/module.js'
import type { Contacts } from '../session/contacts.js'
import type { Session } from '../session/session.js'
import type { SubscriptionType } from '../session/subscription.js'
import { delay } from '../stanza/delay.js'
import { StanzaError } from '../stanza/errors.js'
import type { Jid } from '../stanza/jid.js'
import { CONTENT, Stanza } from '../stanza/stanza.js'

/** Addresses that one session may send directed presence to; beyond them it gets `resource-constraint`. */
const mostDirected = 1_000

/** The presence side of the road of one host. Synchronous while the rosters it needs are in memory. */
export class Presence {
  readonly #host: Host
  readonly #onward: (stanza: Stanza) => void | Promise<void>
  readonly #say: (stanza: Stanza) => void | Promise<void>

  /**
   * The sender waits for both ways onto the road: `onward` takes a stanza that is on it already, `say` what the host says
   * itself.
   */
  constructor(
    host: Host,
    { onward, say }: Record<'onward' | 'say', (stanza: Stanza) => void | Promise<void>>,
  ) {
    this.#host = host
    this.#onward = onward
    this.#say = say
  }

  /** A resource was bound: from here until its end its roster is in memory. */
  async binding(session: Session): Promise<void> {
    await this.#host.roster.load(session.jid)
  }

  /** A local session sent it; `from` is its full JID. What cannot be done is answered with an error. */
  sent(stanza: Stanza, session: Session): Fate | Promise<Fate> {
    return guarded(
      () => this.#sent(stanza, session),
      (error) => {
        const reply = bounced(stanza, this.#errorOf(error))
        if (reply) session.deliver(reply)
        return reply ? 'bounced' : 'unanswerable'
      },
    )
  }

  /** It reached an account of the host, bare or full. */
  arrived(stanza: Stanza): Fate | Promise<Fate> {
    return guarded(
      () => this.#arrived(stanza),
      (error) => {
        const reply = bounced(stanza, this.#errorOf(error))
        if (reply) this.#host.send(reply)
        return reply ? 'bounced' : 'unanswerable'
      },
    )
  }

  /** It is addressed to the domain itself, which has no presence to share. */
  toHost(stanza: Stanza): Fate | Promise<Fate> {
    if (stanza.type !== 'subscribe') return 'host_presence'
    return afterwards(this.#say(answer(stanza, 'unsubscribed', this.#host.address)), 'answered')
  }

  /** The session has ended: unavailable to all who believe it available (RFC 6121 §4.5.2, §4.6.3). */
  async gone(session: Session): Promise<void> {
    if (!session.presence && !session.directed) return
    const farewell = Stanza.of({ kind: 'presence', type: 'unavailable', from: session.jid })
    try {
      await this.#with(session, (contacts) => this.#leave(farewell, session, contacts))
    } catch (error) {
      this.#errorOf(error)
    }
  }

  #sent(stanza: Stanza, session: Session): Fate | Promise<Fate> {
    const { type, to } = stanza
    switch (type) {
      case undefined:
        return to ? this.#direct(stanza, to, session) : this.#appear(stanza, session)
      case 'unavailable':
        if (to) return this.#direct(stanza, to, session)
        return this.#with(session, (contacts) => this.#leave(stanza, session, contacts))
      case 'subscribe':
      case 'subscribed':
      case 'unsubscribe':
      case 'unsubscribed':
        return this.#subscription(stanza, type, session)
      case 'probe':
      case 'error':
        // RFC 6121 §4.3: clients should not probe, but that is no reason for an error.
        return to ? this.#goOn(stanza) : 'no_address'
      default:
        throw new StanzaError('bad-request', 'Unknown type of presence') // RFC 6121 §4.7.1
    }
  }

  #arrived(stanza: Stanza): Fate | Promise<Fate> {
    const { type, to } = stanza
    if (!to) return 'no_address'
    switch (type) {
      case undefined:
        return this.#deliver(stanza, to)
      case 'unavailable':
        this.#forgetDirected(stanza.from, to)
        return this.#deliver(stanza, to)
      case 'subscribe':
      case 'subscribed':
      case 'unsubscribe':
      case 'unsubscribed':
        return this.#subscriptionArrived(stanza, type, to)
      case 'probe':
        return this.#probed(stanza, to)
      case 'error':
        return this.#errorArrived(stanza, to)
      default:
        throw new StanzaError('bad-request', 'Unknown type of presence') // RFC 6121 §4.7.1
    }
  }

  #goOn(stanza: Stanza): Fate | Promise<Fate> {
    return afterwards(this.#onward(stanza), 'onward')
  }

  // Subscriptions -----------------------------------------------------------------------------------------------

  /** RFC 6121 §3.1.2, §3.1.5, §3.2.2, §3.3.2: the user speaks; the roster decides whether the contact hears it. */
  async #subscription(stanza: Stanza, type: SubscriptionType, session: Session): Promise<Fate> {
    if (!stanza.to) throw new StanzaError('bad-request', 'A subscription needs a contact')
    const { roster } = this.#host
    // RFC 6121 §3, §3.1.2: between bare JIDs.
    const owner = session.jid.bare
    const contact = stanza.to.bare
    // RFC 6121 §4.2.2: everybody is subscribed to themselves, and nothing can change that.
    if (contact.equals(owner)) throw new StanzaError('not-allowed')
    let fate: Fate = 'answered'
    const known = await roster.outbound(owner, contact, type, ({ pass, presence }, push) => {
      // RFC 6121 §3.2.2: unavailable while the contact is still subscribed.
      if (presence === 'unavailable') roster.showPresence(owner, contact, presence)
      if (pass) fate = 'onward'
      const routed = pass ? this.#onward(stanza.readdressed({ from: owner, to: contact })) : undefined
      push()
      // RFC 6121 §3.1.5, §3.1.6: the contact's server takes the approval in before the presence.
      if (presence !== 'available') return routed
      return after(routed, () => roster.showPresence(owner, contact, presence))
    })
    if (!known) throw new StanzaError('not-allowed', 'This account has no roster')
    return fate
  }

  /** RFC 6121 §3.1.3, §3.1.6, §3.2.3, §3.3.3: the contact speaks; the roster decides whether the user hears it. */
  async #subscriptionArrived(stanza: Stanza, type: SubscriptionType, to: Jid): Promise<Fate> {
    const { sessions, roster } = this.#host
    // RFC 6121 §8.5.3.2.2: for a resource that is gone only a request counts.
    if (!to.isBare && type !== 'subscribe' && !sessions.get(to)) return 'no_resource'
    const owner = to.bare
    const contact = stanza.from.bare
    if (contact.equals(owner)) return 'no_change'
    const bare = stanza.readdressed({ from: contact, to: owner })
    let fate: Fate = 'no_change'
    await roster.inbound(owner, bare, type, ({ pass, reply, presence }, push) => {
      // RFC 6121 §3.1.3: requests go to available resources; all else to interested ones, before the push.
      const hearers =
        type === 'subscribe' ? sessions.available(owner) : sessions.of(owner).filter(isInterested)
      // What nobody hears now has changed the roster, where a request waits.
      if (pass) fate = deliverTo(hearers, bare) ? 'delivered' : 'kept'
      else if (reply) fate = 'answered'
      push()
      if (presence === 'unavailable') roster.showPresence(owner, contact, presence)
      const routed = reply ? this.#say(answer(bare, reply, owner)) : undefined
      if (presence !== 'available') return routed
      return after(routed, () => roster.showPresence(owner, contact, presence))
    })
    return fate
  }

  // Broadcast ---------------------------------------------------------------------------------------------------

  /** RFC 6121 §4.2.2, §4.4.2: available, for the first time or in another way. */
  #appear(stanza: Stanza, session: Session): Fate | Promise<Fate> {
    const priority = priorityOf(stanza)
    return this.#with(session, (contacts) => {
      if (!session.live) return 'sender_gone'
      const before = session.presence
      session.presence = stanza
      session.priority = priority
      this.#host.sessions.reorder(session)
      this.#broadcast(stanza, session, contacts)
      if (!before) this.#enter(session, contacts)
      return afterwards(this.#host.tell('presenceChanged', { session, before, now: stanza }), 'delivered')
    })
  }

  /** To the subscribers and to the account's own available resources, this one included. */
  #broadcast(stanza: Stanza, session: Session, contacts: Contacts | undefined): void {
    const { sessions, domain } = this.#host
    for (const to of contacts?.subscribers ?? []) {
      // Nobody there: nothing to deliver, and no need to look the account up.
      if (to.domain === domain && sessions.available(to).length === 0) continue
      this.#host.send(stanza.readdressed({ to }))
    }
    const own = session.jid.bare
    deliverTo(sessions.available(own), stanza.readdressed({ to: own }))
  }

  /** What a resource that has just become available needs to know. */
  #enter(session: Session, contacts: Contacts | undefined): void {
    const { sessions, domain } = this.#host
    const own = session.jid.bare
    for (const contact of contacts?.subscriptions ?? []) {
      // RFC 6121 §4.3.1: the server knows about its own accounts; there is nothing to say of those who are away.
      if (contact.domain !== domain) this.#host.send(this.#make('probe', own, contact))
      else if (sessions.available(contact).length > 0) this.#tellPresence(session.jid, contact)
    }
    const resources = sessions.available(own)
    for (const other of resources) {
      if (other !== session && other.presence)
        session.deliver(other.presence.readdressed({ to: session.jid }))
    }
    // RFC 6121 §3.1.2: a request to another server may have been lost; repeated once per time online.
    if (resources.length === 1) {
      for (const contact of contacts?.asked ?? []) {
        if (contact.domain !== domain) this.#host.send(this.#make('subscribe', own, contact))
      }
    }
    // RFC 6121 §3.1.3: at every login until answered.
    for (const { request } of contacts?.requests ?? [])
      if (request !== undefined) this.#deliverRequest(request, session)
  }

  #deliverRequest(request: string, session: Session): void {
    try {
      session.deliver(Stanza.parse(request))
    } catch (error) {
      this.#host.log.error('roster.request.unreadable', { user: session.jid.bare.toString(), error })
    }
  }

  /** RFC 6121 §4.5.2: no longer available, to all for whom that is news. */
  #leave(stanza: Stanza, session: Session, contacts: Contacts | undefined): Fate | Promise<Fate> {
    const { presence: before, directed } = session
    if (before) this.#broadcast(stanza, session, contacts)
    session.presence = undefined
    session.priority = 0
    session.directed = undefined
    this.#host.sessions.reorder(session)
    for (const to of directed?.values() ?? []) {
      const told = before && to.isBare && contacts?.shares(to)
      if (!told) this.#host.send(stanza.readdressed({ to }))
    }
    if (!before) return directed ? 'delivered' : 'no_change'
    return afterwards(this.#host.tell('presenceChanged', { session, before, now: undefined }), 'delivered')
  }

  // Directed presence -------------------------------------------------------------------------------------------

  /** RFC 6121 §4.6.3: to one address, which hears of the end unless a broadcast will tell it. */
  #direct(stanza: Stanza, to: Jid, session: Session): Fate | Promise<Fate> {
    const key = to.toString()
    return this.#with(session, (contacts) => {
      // A connection that ended meanwhile leaves nothing behind.
      if (!session.live) return 'sender_gone'
      if (stanza.type === 'unavailable') session.directed?.delete(key)
      else if (!this.#hearsBroadcasts(to, session, contacts)) {
        const directed = (session.directed ??= new Map())
        if (directed.size >= mostDirected && !directed.has(key)) {
          throw new StanzaError('resource-constraint', 'Presence was directed to too many addresses')
        }
        directed.set(key, to)
      }
      return this.#goOn(stanza)
    })
  }

  /** RFC 6121 §4.6.3: subscribers and the account itself, as long as the resource broadcasts at all and they listen. */
  #hearsBroadcasts(to: Jid, session: Session, contacts: Contacts | undefined): boolean {
    const { sessions, domain } = this.#host
    if (!session.presence) return false
    if (!to.isBare && to.domain === domain && !sessions.get(to)?.presence) return false
    return contacts?.shares(to) === true || to.bare.equals(session.jid.bare)
  }

  /** RFC 6121 §4.6.1: who leaves need not hear that we do. */
  #forgetDirected(from: Jid, to: Jid): void {
    const { sessions } = this.#host
    if (to.isBare) for (const session of sessions.of(to)) session.directed?.delete(from.toString())
    else sessions.get(to)?.directed?.delete(from.toString())
  }

  // Arrivals ----------------------------------------------------------------------------------------------------

  /** RFC 6121 §4.2.3, §4.4.3, §4.5.3, §8.5.2.1.2, §8.5.3: bare to all available resources, full to that one. */
  #deliver(stanza: Stanza, to: Jid): Fate {
    const { sessions } = this.#host
    const taken = to.isBare ? deliverTo(sessions.available(to), stanza) : sessions.get(to)?.deliver(stanza)
    return taken ? 'delivered' : 'no_resource'
  }

  /** RFC 6121 §4.3.2, §4.6.6 */
  #probed(stanza: Stanza, to: Jid): Fate | Promise<Fate> {
    const { roster, sessions } = this.#host
    const answered = (): Fate | Promise<Fate> => {
      if (to.isBare && sessions.of(to).length === 0 && roster.cached(to)?.shares(stanza.from))
        return this.#tellAbsence(stanza.from, to, stanza.id)
      this.#tellPresence(stanza.from, to, stanza.id)
      return 'answered'
    }
    return roster.cached(to) ? answered() : roster.load(to).then(answered)
  }

  /** RFC 6121 §4.3.2, case 3: unavailable, and since when as far as that is known. */
  async #tellAbsence(prober: Jid, of: Jid, id: string | undefined): Promise<Fate> {
    const unavailable = this.#make('unavailable', of, prober, id)
    const unknown = (error: unknown) => void this.#errorOf(error)
    const seen = await this.#host.provided(lastSeen)?.(of).catch(unknown)
    this.#host.send(seen === undefined ? unavailable : unavailable.withChild(delay(of, seen)))
    return 'answered'
  }

  /** The presence of `of`, an account or one of its resources with its roster in memory, as far as `prober` may see it. */
  #tellPresence(prober: Jid, of: Jid, id?: string): void {
    const { sessions, roster } = this.#host
    const own = prober.bare.equals(of.bare)
    if (!own && !roster.cached(of)?.shares(prober)) return this.#tellStranger(prober, of, id)
    const available = of.isBare
      ? sessions.available(of)
      : sessions.available(of).filter(({ jid }) => jid.equals(of))
    if (available.length === 0) this.#host.send(this.#make('unavailable', of, prober, id))
    for (const { jid, presence } of available) {
      // A probe for one resource is answered with its mere availability.
      const shown = of.isBare ? presence?.readdressed({ to: prober }) : this.#make(undefined, jid, prober)
      if (shown) this.#host.send(shown)
    }
  }

  /** RFC 6121 §4.6.6: what directed presence has told already, or else that there is nothing to see. */
  #tellStranger(prober: Jid, of: Jid, id: string | undefined): void {
    const met = this.#host.sessions
      .of(of)
      .filter(({ jid }) => of.isBare || jid.equals(of))
      .filter(({ directed }) => directed?.has(prober.toString()) || directed?.has(prober.bare.toString()))
    for (const { jid } of met) this.#host.send(this.#make(undefined, jid, prober))
    if (met.length === 0) this.#host.send(this.#make('unsubscribed', of.bare, prober.bare, id))
  }

  /**
   * To the resource that said what went wrong. Subscription stanzas leave from the bare JID, so what became of a
   * request comes back there (RFC 6121 §3.1.2).
   */
  #errorArrived(stanza: Stanza, to: Jid): Fate {
    if (!to.isBare || this.#host.roster.cached(to)?.get(stanza.from).ask) return this.#deliver(stanza, to)
    return 'no_resource'
  }

  // -------------------------------------------------------------------------------------------------------------

  /** The session's contacts, at once when they are in memory; nobody's when the account has no roster. */
  #with(
    session: Session,
    run: (contacts: Contacts | undefined) => Fate | Promise<Fate>,
  ): Fate | Promise<Fate> {
    const contacts = this.#host.roster.cached(session.jid)
    if (contacts || session.account === 0) return run(contacts)
    return this.#host.roster.load(session.jid).then(run)
  }

  #make(type: string | undefined, from: Jid, to: Jid, id?: string): Stanza {
    const own = type === undefined ? undefined : this.#host.random.id()
    return Stanza.of({ kind: 'presence', type, from, to, id: id ?? own })
  }

  #errorOf(error: unknown): StanzaError {
    if (!(error instanceof StanzaError)) this.#host.log.error('presence.failed', { error })
    return stanzaErrorOf(error)
  }
}

/** RFC 6121 §3.1.3: an answer on behalf of the user. */
function answer({ id, from: to }: Stanza, type: 'subscribed' | 'unsubscribed', from: Jid): Stanza {
  return Stanza.of({ kind: 'presence', type, id, from, to: to.bare })
}

function afterwards(before: void | Promise<void>, fate: Fate): Fate | Promise<Fate> {
  return before ? before.then(() => fate) : fate
}

/** At once, unless there is something to wait for. */
function after(before: void | Promise<void>, run: () => void): void | Promise<void> {
  return before ? before.then(run) : run()
}

/** Whether anybody took it. */
function deliverTo(sessions: readonly Session[], stanza: Stanza): boolean {
  let taken = false
  for (const session of sessions) if (session.deliver(stanza)) taken = true
  return taken
}

function isInterested({ interested }: Session): boolean {
  return interested
}

/**
 * RFC 6121 §4.7.2.3
 * @throws StanzaError `bad-request`
 */
function priorityOf(stanza: Stanza): number {
  if (!stanza.has('priority')) return 0
  const count = stanza.payload.spans.filter(({ name, ns }) => name === 'priority' && ns === CONTENT).length
  const text = stanza.child('priority')?.text.trim() ?? ''
  const priority = Number(text)
  if (count > 1 || !/^[+-]?\d{1,3}$/.test(text) || priority < -128 || priority > 127) {
    throw new StanzaError('bad-request', 'A priority is one integer from -128 to 127')
  }
  return priority
}

/** Runs at once; only what is waited for makes it wait. */
function guarded(run: () => Fate | Promise<Fate>, failed: (error: unknown) => Fate): Fate | Promise<Fate> {
  try {
    const pending = run()
    return pending instanceof Promise ? pending.catch(failed) : pending
  } catch (error) {
    return failed(error)
  }
}
