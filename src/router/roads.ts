/** Where the road goes on: other servers, components, and the presence of a host. */
import type { Fate } from './endings.js'
import type { Session } from '../session/session.js'
import type { Stanza } from '../stanza/stanza.js'

/** Takes stanzas for domains that are not ours. */
export interface Elsewhere {
  /**
   * A promise is a pledge: it resolves when the other server has acknowledged the stanza, or it is stored here, or its
   * sender was told. The road and the sender's stream go on before; only an acknowledgement to the sender waits.
   */
  send(stanza: Stanza): void | Promise<void>
}

/** Takes stanzas for the domains of external components. */
export interface Neighbours extends Elsewhere {
  serves(domain: string): boolean
}

/** The presence side of the road, one per host: RFC 6121 §3 and §4. */
export interface PresenceRoad {
  /** A local session sent it, `from` is its full JID. */
  sent(stanza: Stanza, session: Session): Fate | Promise<Fate>
  /** It reached an account of the host, bare or full. */
  arrived(stanza: Stanza): Fate | Promise<Fate>
  /** It is addressed to the domain itself. */
  toHost(stanza: Stanza): Fate | Promise<Fate>
  /** A resource is about to be bound: its roster is loaded before anything reaches it. */
  binding(session: Session): void | Promise<void>
  /** The session has ended without saying so, or after; makes unavailable what it had (§4.5.2). */
  gone(session: Session): void | Promise<void>
}
