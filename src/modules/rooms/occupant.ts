/** Who is in a room: an occupant by its nick, with one or more clients of the same account (XEP-0045 §4.1, §7.2.8). */
import type { Affiliation, PresentRole } from './privileges.js'
import type { Room } from './room.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'

export type { Affiliation } from './privileges.js'
/** XEP-0045 §5.1, of somebody who is in the room. */
export type Role = PresentRole

/** A resource that is in the room. */
export class Client {
  /** Full real JID. */
  readonly jid: Jid
  occupant: Occupant
  /** What it said last, from the occupant's address, without what only the room may say. */
  presence: Stanza

  constructor(jid: Jid, occupant: Occupant, presence: Stanza) {
    this.jid = jid
    this.occupant = occupant
    this.presence = presence
  }
}

export class Occupant {
  readonly room: Room
  /** Bare real JID. */
  readonly account: Jid
  affiliation: Affiliation
  role: Role
  /** The others were told that it is there. */
  isKnown = false
  /** The one whose presence the others see comes first. */
  readonly clients: Client[] = []
  #jid: Jid
  readonly #shown: { open: Stanza | undefined; closed: Stanza | undefined } = {
    open: undefined,
    closed: undefined,
  }

  constructor(room: Room, jid: Jid, account: Jid, affiliation: Affiliation, role: Role) {
    this.room = room
    this.#jid = jid
    this.account = account
    this.affiliation = affiliation
    this.role = role
  }

  /** Its address in the room. */
  get jid(): Jid {
    return this.#jid
  }

  get nick(): string {
    return this.#jid.resource
  }

  /** What others were shown is no longer so. To be called by who changes anything that its presence tells. */
  changed(): void {
    this.#shown.open = undefined
    this.#shown.closed = undefined
  }

  /** The client, which may be a new one, says this: the others see it from now on. False: they see what they have seen. */
  present(client: Client, presence: Stanza): boolean {
    const isNews = this.clients[0] !== client || client.presence.payload.text !== presence.payload.text
    client.occupant = this
    client.presence = presence.readdressed({ from: this.jid })
    this.drop(client)
    this.clients.unshift(client)
    return isNews
  }

  drop(client: Client): void {
    const place = this.clients.indexOf(client)
    if (place >= 0) this.clients.splice(place, 1)
  }

  rename(jid: Jid): void {
    this.#jid = jid
    for (const client of this.clients) client.presence = client.presence.readdressed({ from: jid })
    this.changed()
  }

  /** Its presence as it was written for those who see real JIDs (`open`) or do not; made once for all of them. */
  shown(how: 'open' | 'closed', make: () => Stanza): Stanza {
    return (this.#shown[how] ??= make())
  }
}
