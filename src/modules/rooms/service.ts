/** Rooms at one domain: what is sent there finds its room, and what rooms say goes out. */
import type { CreationPolicy } from './creation.js'
import { presenceArrived } from './entry.js'
import { Features, inOrder, taken, type FeatureSource, type Letter, type RoomRequest } from './feature.js'
import type { RoomLimits } from './limits.js'
import { Registry } from './registry.js'
import type { Room } from './room.js'
import { speak } from './speech.js'
import type { Bringer } from '../../host/hooks.js'
import type { Host } from '../../host/host.js'
import { relayed, type Answered } from '../../host/service.js'
import type { Session } from '../../session/session.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'
import type { RoomStore } from '../../storage/rooms.js'
import type { Element } from '../../xml/element.js'

/** What a sysadmin sets. */
export interface RoomSettings extends CreationPolicy, RoomLimits {
  readonly domains: readonly string[]
  /** Rooms may have archives. */
  readonly archive: boolean
  /** Milliseconds for which archives are kept at most; Infinity: always. */
  readonly keep: number
  /** Messages that are got from an archive at once. */
  readonly page: number
  /** In one room. */
  readonly occupants: number
  /** Entries of the lists of one room. */
  readonly affiliations: number
}

/** A typed place for what a feature remembers of all rooms of a service: a reload of the configuration leaves it there. */
export class ServiceSlot<T> {
  readonly name: string
  readonly make: (service: RoomService) => T

  constructor(name: string, make: (service: RoomService) => T) {
    this.name = name
    this.make = make
  }
}

export class RoomService {
  readonly host: Host
  /** The domain. */
  readonly address: Jid
  readonly settings: RoomSettings
  readonly registry: Registry
  readonly features: Features
  readonly #slots: Map<ServiceSlot<unknown>, unknown>

  /** `before` is the one that has been at this domain until now: its rooms are these. */
  constructor(
    parts: Pick<RoomService, 'host' | 'address' | 'settings'>,
    features: readonly FeatureSource[],
    before: RoomService | undefined,
  ) {
    this.host = parts.host
    this.address = parts.address
    this.settings = parts.settings
    this.registry = before?.registry ?? new Registry(this)
    this.#slots = before ? before.#slots : new Map()
    this.features = new Features(
      features.map((source) => (typeof source === 'function' ? source(this) : source)),
    )
  }

  /** Made on first use. */
  state<T>(slot: ServiceSlot<T>): T {
    if (!this.#slots.has(slot)) this.#slots.set(slot, slot.make(this))
    return this.#slots.get(slot) as T
  }

  get store(): RoomStore {
    return this.host.stores.rooms
  }

  /** To whom it is addressed, here or elsewhere. Not waited for. */
  send(stanza: Stanza): void {
    this.host.send(stanza)
  }

  /**
   * All that is sent to rooms and occupants, but requests.
   * @throws StanzaError which is the answer
   */
  receive(stanza: Stanza, session: Session | undefined, bringer: Bringer | undefined): void | Promise<void> {
    const { local, resource } = stanza.to!
    if (local === '') {
      if (stanza.kind === 'presence') return inOrder(this.features.with('greeted'), stanza)
      throw new StanzaError('service-unavailable')
    }
    if (stanza.kind === 'iq' && this.host.answered(stanza)) return undefined
    if (stanza.type === 'error' && stanza.kind !== 'iq') return this.#returned(stanza)
    if (stanza.kind === 'presence') return presenceArrived(this, stanza, session)
    if (stanza.kind === 'message' && stanza.effectiveType === 'groupchat') {
      // XEP-0045 §7.5
      if (resource !== '') throw new StanzaError('bad-request', 'Nobody alone is spoken to by groupchat.')
      const room = this.registry.get(local)
      return room instanceof Promise
        ? room.then((found) => speakIn(found, stanza, bringer))
        : speakIn(room, stanza, bringer)
    }
    return this.#letter(stanza, session, bringer)
  }

  /** A request to a room or to somebody in it. @throws StanzaError which is the answer */
  async answer(
    stanza: Stanza,
    query: Element,
    session: Session | undefined,
    bringer: Bringer | undefined,
  ): Promise<Answered> {
    const letter = await this.#find(stanza, session, bringer)
    const request: RoomRequest = { ...letter, from: stanza.from, query }
    const at = stanza.to!.isBare ? 'room' : 'occupant'
    const type = stanza.type === 'get' ? 'get' : 'set'
    const handler = this.features.request(type, at, query.local, query.ns ?? '')
    if (handler) return handler.answer(request)
    if (at === 'occupant' && (await taken(this.features.with('relay'), letter))) return relayed
    throw new StanzaError('service-unavailable')
  }

  /** The last client has left. In turn. */
  async emptied(room: Room): Promise<void> {
    await inOrder(this.features.with('emptied'), room)
    if (room.clients.size > 0) return
    // XEP-0045 §7.14; §10.1.3 for one that was never set up.
    if (!room.persistent || room.locked) await this.end(room)
    else this.registry.rest(room)
  }

  /** The room is no more; nobody is in. In turn. */
  async end(room: Room): Promise<void> {
    await this.registry.end(room)
    await inOrder(this.features.with('ended'), room)
  }

  /** `heir` is the one at this domain from now on, if there is one; without it everybody is told that rooms end. */
  async stop(heir: RoomService | undefined): Promise<void> {
    if (this.registry.service === this) {
      if (!heir) await inOrder(this.features.with('stopping'))
      else if (heir !== this) this.registry.handOver(heir)
    }
    await inOrder(this.features.with('stop'))
  }

  async #letter(stanza: Stanza, session: Session | undefined, bringer: Bringer | undefined): Promise<void> {
    const letter = await this.#find(stanza, session, bringer)
    const hook = stanza.kind === 'iq' ? 'relay' : letter.stanza.to!.isBare ? 'mail' : 'whisper'
    if (await taken(this.features.with(hook), letter)) return
    throw new StanzaError('service-unavailable')
  }

  async #find(stanza: Stanza, session: Session | undefined, bringer: Bringer | undefined): Promise<Letter> {
    const { local, resource } = stanza.to!
    const room = await this.registry.get(local)
    if (!room) throw noSuchRoom(stanza)
    const to = resource === '' ? undefined : room.occupants.get(resource)
    return { room, stanza, sender: room.client(stanza.from), to, session, bringer }
  }

  async #returned(stanza: Stanza): Promise<void> {
    const room = await this.registry.get(stanza.to!.local)
    if (!room) return
    const client = room.client(stanza.from)
    if (client) await inOrder(this.features.with('returned'), client, stanza)
    else await inOrder(this.features.with('undelivered'), room, stanza)
  }
}

/** XEP-0410 §3.2: to who asks an occupant, item-not-found would say that it is in itself. */
function noSuchRoom({ kind, to }: Stanza): StanzaError {
  const asksOccupant = kind === 'iq' && to?.isBare === false
  if (asksOccupant) return new StanzaError('not-acceptable', 'You are not in the room.', { type: 'cancel' })
  return new StanzaError('item-not-found', 'There is no such room.')
}

function speakIn(room: Room | undefined, stanza: Stanza, bringer: Bringer | undefined): void | Promise<void> {
  if (!room) throw new StanzaError('item-not-found', 'There is no such room.')
  return speak(room, stanza, bringer)
}
