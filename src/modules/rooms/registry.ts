/** Which rooms there are: those in memory, those in the store, and how one comes to be. */
import { Room } from './room.js'
import type { RoomService } from './service.js'
import { Turns } from '../../base/turns.js'
import { Jid } from '../../stanza/jid.js'
import type { NewRoom } from '../../storage/rooms.js'

export class Registry {
  readonly #service: RoomService
  readonly #rooms = new Map<string, Room>()
  /** By localpart: a room is loaded and made once. */
  readonly #turns = new Turns()

  constructor(service: RoomService) {
    this.#service = service
  }

  /** Rooms in memory. */
  get loaded(): Iterable<Room> {
    return this.#rooms.values()
  }

  /** The room of that localpart, which is prepared; at once when it is in memory. Rejects with StorageUnavailable. */
  get(local: string): Room | undefined | Promise<Room | undefined> {
    return (
      this.#rooms.get(local) ??
      this.#turns.take(local, async () => this.#rooms.get(local) ?? this.#load(local))
    )
  }

  /**
   * A new room, of which the creator is owner; or the one that was made meanwhile.
   * @throws StanzaError when they may not make one
   */
  create(local: string, creator: Jid): Promise<Room> {
    return this.#turns.take(local, async () => {
      const { address, store, host } = this.#service
      const made: NewRoom = {
        domain: address.domain,
        local,
        creator: creator.bare.toString(),
        createdAt: host.clock.now(),
        persistent: false,
        config: {},
        subject: undefined,
        affiliations: [{ jid: creator.bare.toString(), affiliation: 'owner' }],
        version: 1,
        listing: { public: true, name: '', description: '' },
      }
      const id = await store.create(made, Infinity)
      if (typeof id === 'string') {
        const known = this.#rooms.get(local) ?? (await this.#load(local))
        if (known) return known
        throw new Error(`the room ${local} was not made: ${id}`)
      }
      return this.#open(new Room(this.#service, Jid.of(local, address.domain), { ...made, id }))
    })
  }

  /** The room is gone for good. In its turn. */
  async end(room: Room): Promise<void> {
    room.over = true
    this.#rooms.delete(room.jid.local)
    await this.#service.store.remove(room.id)
  }

  async #load(local: string): Promise<Room | undefined> {
    const { address, store } = this.#service
    const record = await store.load(address.domain, local)
    return record && this.#open(new Room(this.#service, Jid.of(local, address.domain), record))
  }

  async #open(room: Room): Promise<Room> {
    for (const opened of this.#service.features.with('opened')) await opened(room)
    this.#rooms.set(room.jid.local, room)
    return room
  }
}
