/** The end of the process and the next one: who was in a room hears of both, and comes back (XEP-0045 §11.2). */
import { send } from './fan-out.js'
import type { RoomFeature } from './feature.js'
import { goodbye } from './presence.js'
import type { Room } from './room.js'
import type { RoomService } from './service.js'
import { mucUser, status } from './status.js'
import type { Timer } from '../../base/clock.js'
import { othersFirst } from '../../base/turn.js'
import { StanzaError } from '../../stanza/errors.js'
import { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import type { RoomOccupant } from '../../storage/rooms.js'
import { NS } from '../../xml/namespaces.js'

/**
 * Milliseconds for which a temporary room waits for those who were in when the server ended: else the first one back would
 * own a new room of that name, open to everybody.
 */
const waiting = 600_000
/** Milliseconds for telling everybody that the server ends. */
const patience = 5_000
/** Rows read at a time, and stanzas sent until others have a turn. */
const page = 200

export function restarts(service: RoomService): RoomFeature {
  return new Restarts(service)
}

class Restarts implements RoomFeature {
  readonly name = 'restarts'
  readonly #service: RoomService
  #isEnding = false
  readonly #temporary: Timer

  constructor(service: RoomService) {
    this.#service = service
    this.#temporary = service.host.clock.after(waiting, () => {
      this.#end().catch((error: unknown) => this.#failed(error))
    })
  }

  entering(): void {
    if (this.#isEnding)
      throw new StanzaError('service-unavailable', 'The server is ending.', { type: 'wait' })
  }

  /** XEP-0045 §11.2: each is told of itself. That the others go too need not be said. */
  async stopping(): Promise<void> {
    this.#isEnding = true
    const { clock } = this.#service.host
    const rooms = [...this.#service.registry.loaded].filter(({ clients }) => clients.size > 0)
    let late: Timer | undefined
    // A room may wait for a store that does not answer.
    const enough = new Promise<void>((resolve) => (late = clock.after(patience, resolve)))
    await Promise.race([enough, Promise.all(rooms.map(async (room) => room.turn(() => this.#close(room))))])
    late?.cancel()
  }

  async #close(room: Room): Promise<void> {
    let told = 0
    for (const client of room.clients.values()) {
      send(room, client, goodbye(client, true, { codes: [status.shutdown, status.self] }))
      this.#service.store.occupies(room.id, client.jid.toString(), undefined)
      if (++told % page === 0) await othersFirst()
    }
    vacate(room)
  }

  started(): void {
    this.#tell().catch((error: unknown) => this.#failed(error))
  }

  stop(): void {
    this.#temporary.cancel()
  }

  /** Those who were in when the server crashed: nobody has told them. */
  async #tell(): Promise<void> {
    const { store, address } = this.#service
    for (let after: RoomOccupant | undefined; ;) {
      const occupants = await store.occupants(address.domain, { ...(after ? { after } : {}), limit: page })
      const loaded = new Map([...this.#service.registry.loaded].map((room) => [room.id, room]))
      for (const { room, local, jid, nick } of occupants) {
        // Who is back already knows.
        if (loaded.get(room)?.clients.has(jid)) continue
        store.occupies(room, jid, undefined)
        const from = Jid.of(local, address.domain, nick)
        this.#service.send(
          Stanza.of({ kind: 'presence', type: 'unavailable', from, to: Jid.parse(jid) }).withWritten(
            'x',
            NS.mucUser,
            mucUser({ affiliation: 'none', role: 'none' }, [status.technical, status.self]),
          ),
        )
      }
      after = occupants.at(-1)
      if (occupants.length < page) return
      await othersFirst()
    }
  }

  /** XEP-0045 §7.14: temporary rooms end with their last occupant. */
  async #end(): Promise<void> {
    const { store, address, registry } = this.#service
    for (let after: string | undefined; ;) {
      const rooms = await store.list(address.domain, { persistent: false, after, limit: page })
      for (const { local } of rooms) {
        const room = await registry.get(local)
        await room?.turn(async () => {
          const isLeft = !room.over && !room.persistent && room.clients.size === 0
          if (isLeft) await this.#service.end(room)
        })
      }
      after = rooms.at(-1)?.local
      if (rooms.length < page) return
    }
  }

  #failed(error: unknown): void {
    this.#service.host.log.error('rooms.restart.failed', {
      domain: this.#service.address.domain,
      error,
    })
  }
}

/** Nobody is in, and nobody hears of it. */
function vacate(room: Room): void {
  const clients = [...room.clients.values()]
  for (const occupant of room.occupants.values()) room.remove(occupant)
  room.clients.clear()
  const left = room.service.features.with('left')
  // What features keep of those who leave outlasts the end.
  for (const client of clients)
    for (const hear of left) hear(client, client === client.occupant.clients.at(-1))
}
