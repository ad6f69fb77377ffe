/** A room: what is stored of it, and who is in. All that happens to it takes turns, which is the order that everybody sees. */
import type { AnyConfigField } from './fields.js'
import { RoomConfig } from './fields.js'
import { nickKey } from './nicks.js'
import type { Client, Occupant, Affiliation } from './occupant.js'
import type { RoomService } from './service.js'
import { Turn } from '../../base/turn.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import type { RoomAffiliation, RoomChange, RoomRecord, RoomSubject } from '../../storage/rooms.js'

/** A typed place for a feature's state on a room: made on first use, gone when the room leaves memory. */
export class RoomSlot<T> {
  readonly name: string
  readonly make: (room: Room) => T

  constructor(name: string, make: (room: Room) => T) {
    this.name = name
    this.make = make
  }
}

export class Room {
  /** Another one after a reload of the configuration. */
  service: RoomService
  /** Bare. */
  readonly jid: Jid
  /** Of its row; the negative of it owns the room's archive. */
  readonly id: number
  readonly creator: string
  readonly createdAt: number
  /** Outlives its last occupant. */
  persistent: boolean
  config: RoomConfig
  subject: RoomSubject | undefined
  /** By bare JID or domain; all but `none`. */
  readonly affiliations: Map<string, RoomAffiliation>
  /** Of the affiliations (XEP-0463). */
  version: number
  /** By nick, in the order of entering. */
  readonly occupants = new Map<string, Occupant>()
  /** By full real JID, in the order of entering. */
  readonly clients = new Map<string, Client>()
  /** Waits for its first configuration: nobody but owners may enter (XEP-0045 §10.1.1). */
  locked: boolean
  /** Destroyed, or left by the last one: who still holds it looks for the room anew. */
  over = false
  readonly #turn = new Turn()
  readonly #byKey = new Map<string, Occupant>()
  #slots: Map<RoomSlot<unknown>, unknown> | undefined

  constructor(service: RoomService, jid: Jid, record: RoomRecord) {
    this.service = service
    this.jid = jid
    this.id = record.id
    this.creator = record.creator
    this.createdAt = record.createdAt
    this.persistent = record.persistent
    this.locked = record.locked
    this.config = new RoomConfig(record.config)
    this.subject = record.subject
    this.affiliations = new Map(record.affiliations.map((one) => [one.jid, one]))
    this.version = record.version
  }

  /** Runs when all that was asked for before is over: at once when nobody waits. Not to be called from within a turn. */
  turn<T>(run: () => T | Promise<T>): T | Promise<T> {
    return this.#turn.take(run)
  }

  /** Something is under way in it. */
  get busy(): boolean {
    return this.#turn.busy
  }

  state<T>(slot: RoomSlot<T>): T {
    const slots = (this.#slots ??= new Map())
    if (!slots.has(slot)) slots.set(slot, slot.make(this))
    return slots.get(slot) as T
  }

  /** The same as far as it was made. */
  peek<T>(slot: RoomSlot<T>): T | undefined {
    return this.#slots?.get(slot) as T | undefined
  }

  // Who is in ---------------------------------------------------------------------------------------------------

  /** The client of that full JID. */
  client(jid: Jid): Client | undefined {
    return this.clients.get(jid.toString())
  }

  /** Who has that nick, or one that looks the same. */
  holder(nick: string): Occupant | undefined {
    return this.#byKey.get(nickKey(nick))
  }

  /** All that are the account, under whatever nick. */
  occupantsOf(account: Jid): Occupant[] {
    const { bare } = account
    return [...this.occupants.values()].filter((occupant) => occupant.account.equals(bare))
  }

  /** Under its nick, which nobody else has. */
  add(occupant: Occupant): void {
    this.occupants.set(occupant.nick, occupant)
    this.#byKey.set(nickKey(occupant.nick), occupant)
  }

  remove(occupant: Occupant): void {
    this.occupants.delete(occupant.nick)
    this.#byKey.delete(nickKey(occupant.nick))
  }

  rename(occupant: Occupant, nick: string): void {
    this.remove(occupant)
    occupant.rename(this.jid.withResource(nick))
    this.add(occupant)
  }

  // What is stored ----------------------------------------------------------------------------------------------

  /** XEP-0045 §5.2: what the list says of the bare JID, and nothing of its domain. */
  affiliationOf(jid: Jid): Affiliation {
    return this.affiliations.get(jid.bare.toString())?.affiliation ?? 'none'
  }

  /**
   * Stored first, then so in memory; who is in is not told, nor changed. In turn.
   * @throws StorageUnavailable; StanzaError `item-not-found` when the room is gone
   */
  async change(change: RoomChange): Promise<void> {
    if (!(await this.service.store.change(this.id, change))) throw new StanzaError('item-not-found')
    this.#apply(change)
  }

  /** So in memory at once; resolves when it is stored. For what may be seen before it is. */
  changeAtOnce(change: RoomChange): Promise<boolean> {
    this.#apply(change)
    return this.service.store.change(this.id, change)
  }

  #apply({ config, persistent, locked, subject, affiliations }: RoomChange): void {
    if (config) this.config = new RoomConfig(config)
    if (persistent !== undefined) this.persistent = persistent
    if (locked !== undefined) this.locked = locked
    if (subject) this.subject = subject
    if (!affiliations) return
    this.version = affiliations.version
    for (const entry of affiliations.entries) {
      if (entry.affiliation === 'none' && !entry.registration) this.affiliations.delete(entry.jid)
      else this.affiliations.set(entry.jid, entry)
    }
  }

  /** A setting of the room. */
  get<F extends AnyConfigField>(field: F): F['initial'] {
    return this.config.get(field) as F['initial']
  }
}
