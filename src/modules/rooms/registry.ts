/** Which rooms there are: those in memory, those in the store, and how one comes to be. */
import type { RoomConfig } from './fields.js'
import { isLasting } from './lasting.js'
import { listingOf } from './listing.js'
import { Room } from './room.js'
import type { RoomService } from './service.js'
import { Turns } from '../../base/turns.js'
import { StanzaError } from '../../stanza/errors.js'
import { Jid } from '../../stanza/jid.js'
import type { NewRoom, RoomAffiliation } from '../../storage/rooms.js'

/** How a room is made. */
export interface Founding {
  /** Prepared. */
  readonly local: string
  /** Bare; undefined: the server itself. */
  readonly creator: Jid | undefined
  /** Bare. */
  readonly owners: readonly Jid[]
  readonly config: RoomConfig
  /** Opens when it is configured (XEP-0045 §10.1.1). */
  readonly locked: boolean
  /** Rooms that the creator may have then. */
  readonly most: number
}

/** A room of that address, and whether it is the one that was to be made. */
export interface Founded {
  readonly room: Room
  readonly isNew: boolean
}

/**
 * What idle rooms in memory may weigh together: each counts one, and one for each standing. One with few standings takes
 * some 2 KB, a standing some 300 bytes.
 */
const idleWeight = 4_000

export class Registry {
  #service: RoomService
  readonly #rooms = new Map<string, Room>()
  /** Those that nobody was in when they were used last, with their weights; that unused for longest first. */
  readonly #idle = new Map<Room, number>()
  #weight = 0
  /** By localpart: a room is loaded and made once. */
  readonly #turns = new Turns()

  constructor(service: RoomService) {
    this.#service = service
  }

  /** The service whose rooms these are; those that were set up before it or are not yet in use have them, too. */
  get service(): RoomService {
    return this.#service
  }

  /** After a reload of the configuration: they go on as they are, with the features of another service. */
  handOver(heir: RoomService): void {
    this.#service = heir
    for (const room of this.#rooms.values()) {
      room.service = heir
      for (const adopted of heir.features.with('adopted')) adopted(room)
    }
  }

  /** Rooms in memory. */
  get loaded(): Iterable<Room> {
    return this.#rooms.values()
  }

  /** The room of that localpart, which is prepared; at once when it is in memory. Rejects with StorageUnavailable. */
  get(local: string): Room | undefined | Promise<Room | undefined> {
    const known = this.#rooms.get(local)
    if (!known) return this.#turns.take(local, () => this.#find(local))
    if (known.clients.size === 0) this.rest(known)
    return known
  }

  /**
   * A new room, or the one of that address that is there.
   * @throws StanzaError `resource-constraint` when its creator has too many; StorageUnavailable
   */
  create(founding: Founding): Promise<Founded> {
    return this.#turns.take(founding.local, async () => {
      const { host, store } = this.#service
      const made = this.#record(founding)
      const id = await store.create(made, founding.most)
      if (id === 'full') {
        host.hits.add('rooms_per_account')
        throw new StanzaError('resource-constraint', `You have ${founding.most} rooms already.`)
      }
      if (id === 'exists') {
        const room = await this.#find(founding.local)
        if (room) return { room, isNew: false }
        throw new Error(`the room ${founding.local} is there and is not`)
      }
      const room = await this.#open(new Room(this.#service, this.#address(founding.local), { ...made, id }))
      return { room, isNew: true }
    })
  }

  /** Nobody is in: it stays in memory as long as there is space. */
  rest(room: Room): void {
    this.#forget(room)
    const weight = 1 + room.affiliations.size
    this.#idle.set(room, weight)
    this.#weight += weight
    if (this.#weight > idleWeight) this.#shed()
  }

  /** The room is gone for good. In its turn. Rejects with StorageUnavailable; then it is not. */
  async end(room: Room): Promise<void> {
    await this.#service.store.remove(room.id)
    room.over = true
    this.#drop(room)
  }

  #record({ local, creator, owners, config, locked }: Founding): NewRoom {
    const { address, host } = this.#service
    const affiliations = owners.map((jid): RoomAffiliation => ({ jid: jid.toString(), affiliation: 'owner' }))
    return {
      domain: address.domain,
      local,
      creator: creator?.toString() ?? '',
      createdAt: host.clock.now(),
      // XEP-0045 §10.1.3: what is never set up goes with its creator, also after a crash.
      persistent: !locked && config.get(isLasting),
      locked,
      config: config.values,
      subject: undefined,
      affiliations,
      version: 1,
      listing: listingOf(config, locked),
    }
  }

  /** In the turn of its localpart. */
  async #find(local: string): Promise<Room | undefined> {
    const known = this.#rooms.get(local)
    if (known) return known
    const record = await this.#service.store.load(this.#service.address.domain, local)
    return record && this.#open(new Room(this.#service, this.#address(local), record))
  }

  async #open(room: Room): Promise<Room> {
    for (const opened of this.#service.features.with('opened')) await opened(room)
    this.#rooms.set(room.jid.local, room)
    this.rest(room)
    return room
  }

  /** Those unused for longest leave memory. Who still holds one looks for it anew. */
  #shed(): void {
    for (const room of this.#idle.keys()) {
      if (this.#weight <= idleWeight) return
      if (room.clients.size > 0) this.#forget(room)
      else if (!room.busy) {
        room.over = true
        this.#drop(room)
      }
    }
  }

  #drop(room: Room): void {
    this.#forget(room)
    if (this.#rooms.get(room.jid.local) === room) this.#rooms.delete(room.jid.local)
  }

  #forget(room: Room): void {
    this.#weight -= this.#idle.get(room) ?? 0
    this.#idle.delete(room)
  }

  #address(local: string): Jid {
    return Jid.of(local, this.#service.address.domain)
  }
}
