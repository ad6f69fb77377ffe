/** What is known of clients: our own sessions, and resources of other servers that accounts here have heard of. */
import { type Advertised, advertisedBy } from './advertised.js'
import type { Capabilities, Known } from './api.js'
import { Heard, type Resource } from './heard.js'
import { Inquiries, type Unknown } from './inquiries.js'
import type { Host } from '../../host/host.js'
import type { Session } from '../../session/session.js'
import { Slot } from '../../session/slot.js'
import { hasFrom, hasTo } from '../../session/subscription.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'

export interface Bounds {
  /** Hashes whose features are remembered. */
  readonly hashes: number
  /** Pairs of an account and a resource elsewhere. */
  readonly resources: number
}

/** What is known of a session of ours while it is available. */
interface Own {
  advertised: Advertised | undefined
  features: ReadonlySet<string> | undefined
  question: Unknown | undefined
}

export class Clients implements Capabilities {
  readonly bounds: Bounds
  readonly #host: Host
  readonly #inquiries: Inquiries
  readonly #heard: Heard
  readonly #listeners = new Set<Known>()
  readonly #own = new Slot<Own>('capabilities', () => ({
    advertised: undefined,
    features: undefined,
    question: undefined,
  }))

  constructor(host: Host, bounds: Bounds) {
    this.#host = host
    this.bounds = bounds
    this.#inquiries = new Inquiries(host, bounds.hashes)
    this.#heard = new Heard(bounds.resources, host.hits, (resource) => this.#unasked(resource))
  }

  of(full: Jid): ReadonlySet<string> | undefined {
    const session = full.domain === this.#host.domain ? this.#host.sessions.get(full) : undefined
    return session?.presence ? session.state(this.#own).features : this.#heard.get(full)?.features
  }

  heardBy(account: Jid): Iterable<Jid> {
    return this.#heard.by(account)
  }

  onKnown(listen: Known): () => void {
    this.#listeners.add(listen)
    return () => void this.#listeners.delete(listen)
  }

  /** The presence of a session of ours is now this; undefined: it is unavailable. */
  own(session: Session, now: Stanza | undefined): void {
    const { jid } = session
    const own = session.state(this.#own)
    if (now) {
      // What it told single accounts before is no longer all that is known of it.
      this.#heard.removeResource(jid)
      return this.#note(own, now, jid, jid.bare, () => {
        if (own.features) this.#tell(jid, own.features, jid.bare)
      })
    }
    this.#unasked(own)
    own.advertised = undefined
    own.features = undefined
  }

  /** The session has a stream again: what it was asked while it had none it may not have answered in time. */
  resumed(session: Session): void {
    const own = session.peek(this.#own)
    if (!session.presence || !own?.advertised || own.features) return
    this.#unasked(own)
    own.advertised = undefined
    this.own(session, session.presence)
  }

  /**
   * Presence has arrived for an account. What is addressed to one of its resources does not count: it comes from rooms.
   * Waits only for the roster of an account that is not connected.
   */
  arrived(stanza: Stanza): void | Promise<void> {
    const { from, to, type } = stanza
    if (!to?.isBare || from.isBare) return
    if (type === 'unavailable') return this.#heard.remove(from, to)
    if (type !== undefined || this.#broadcasts(from)) return
    const { roster } = this.#host
    const contacts = roster.cached(to)
    const hear = (found: typeof contacts) => {
      const contact = found?.get(from)
      if (contact && (hasFrom(contact) || hasTo(contact))) this.#hear(stanza, from, to)
    }
    if (contacts) return hear(contacts)
    // Without its roster the account hears of the resource at its next presence.
    return roster.load(to).then(hear, () => undefined)
  }

  /** Nothing is left of the account. */
  forget(account: Jid): void {
    this.#heard.removeAll(account)
  }

  /** Sessions of this host that broadcast are known without being heard. */
  #broadcasts(from: Jid): boolean {
    const { domain, sessions } = this.#host
    return from.domain === domain && sessions.get(from)?.presence !== undefined
  }

  #hear(presence: Stanza, from: Jid, account: Jid): void {
    const { resource, fresh } = this.#heard.add(from, account)
    const before = resource.features
    this.#note(resource, presence, from, account, () => {
      if (!resource.features) return
      for (const each of resource.accounts.values()) this.#tell(from, resource.features, each)
    })
    if (fresh && before && resource.features === before) this.#tell(from, before, account)
  }

  /** Notes what a presence advertises; asks when that is new. */
  #note(known: Own | Resource, presence: Stanza, jid: Jid, asker: Jid, news: () => void): void {
    const advertised = advertisedBy(presence)
    // XEP-0115 §8.4: a later presence may leave it out.
    if (!advertised || advertised.key === known.advertised?.key) return
    this.#unasked(known)
    known.advertised = advertised
    known.features = undefined
    const question: Unknown = {
      jid,
      asker,
      advertised,
      learned(features) {
        if (known.question !== question) return
        known.question = undefined
        known.features = features
        news()
      },
    }
    known.question = question
    this.#inquiries.want(question)
  }

  /** The open question, if any, is of no interest any more. */
  #unasked(known: Own | Resource): void {
    if (known.question) this.#inquiries.forget(known.question)
    known.question = undefined
  }

  #tell(full: Jid, features: ReadonlySet<string>, account: Jid): void {
    const crashed = (error: unknown) => this.#host.log.error('module.crashed', { on: 'capabilities', error })
    for (const listen of this.#listeners) {
      try {
        const pending = listen(full, features, account)
        if (pending) pending.catch(crashed)
      } catch (error) {
        crashed(error)
      }
    }
  }
}
