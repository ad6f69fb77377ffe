/** XEP-0421: the same person has the same id in a room, whatever the nick, and nobody learns from it who that is. */
import { createHmac } from 'node:crypto'
import type { FeatureSource } from './feature.js'
import type { Occupant } from './occupant.js'
import { RoomSlot, type Room } from './room.js'
import type { RoomService } from './service.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'
import { NS } from '../../xml/namespaces.js'

/** Key of the secret among the values of the host; it is no localpart, so no account owns it. */
const kept = ' secret'

interface Ids {
  /** Of the host; never told. */
  secret: string | undefined
  /** By occupant: asked for with each of its presences and messages. */
  readonly known: WeakMap<Occupant, string>
}

const ids = new RoomSlot<Ids>('occupant ids', () => ({ secret: undefined, known: new WeakMap() }))

export const occupantIds: FeatureSource = (service) => {
  let secret: Promise<string> | undefined

  return {
    name: 'occupant-ids',
    // XEP-0421 §4: all rooms have them.
    serviceFeatures: [NS.occupantId],
    discovered: () => [NS.occupantId],
    // XEP-0421 §4: one that came with a stanza is taken off.
    reserved: [{ name: 'occupant-id', ns: NS.occupantId }],
    async opened(room) {
      secret ??= secretOf(service)
      try {
        room.state(ids).secret = await secret
      } catch (error) {
        secret = undefined
        throw error
      }
    },
    shows: withOccupantId,
    speaking(speech) {
      speech.stanza = withOccupantId(speech.stanza, speech.occupant)
    },
  }
}

/** What the occupant says, which has been cleaned, with its id. */
export function withOccupantId(stanza: Stanza, occupant: Occupant): Stanza {
  const { known } = occupant.room.state(ids)
  let id = known.get(occupant)
  if (id === undefined) known.set(occupant, (id = occupantId(occupant.room, occupant.account)))
  return stanza.withWritten('occupant-id', NS.occupantId, occupantIdElement(id))
}

/** The id of an account in the room, whether it is in or not. */
export function occupantId(room: Room, { bare }: Jid): string {
  const { secret } = room.state(ids)
  if (secret === undefined) throw new Error('the room was not opened')
  // XEP-0421 §4.1: neither the account nor the same one in another room can be told from it.
  return createHmac('sha256', secret).update(`${room.jid.toString()}\0${bare.toString()}`).digest('base64url')
}

export function occupantIdElement(id: string): string {
  return `<occupant-id xmlns='${NS.occupantId}' id='${id}'/>`
}

/** Made once, the same on all that serve the host. */
function secretOf({ host }: RoomService): Promise<string> {
  return host.map<string>('occupant-ids').keep(kept, host.random.bytes(32).toString('base64url'))
}
