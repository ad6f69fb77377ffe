/** XEP-0410: a client learns whether it is still in a room, without anybody else having to answer. */
import { taken, type RoomFeature, type RoomRequest } from './feature.js'
import { relayed, type Answered } from '../../host/service.js'
import { StanzaError } from '../../stanza/errors.js'
import { NS } from '../../xml/namespaces.js'

export const selfPing: RoomFeature = {
  name: 'self-ping',
  // XEP-0410 §3.3
  discovered: () => [NS.selfPing],
  iq: [{ type: 'get', at: 'occupant', name: 'ping', ns: NS.ping, answer: pong }],
}

/** A ping to the own nick is answered here; one to another occupant goes there, as any request. */
async function pong(request: RoomRequest): Promise<Answered> {
  const { room, sender, to } = request
  if (!sender) throw new StanzaError('not-acceptable', 'You are not in the room.', { type: 'cancel' })
  if (to === sender.occupant) return undefined
  if (await taken(room.service.features.with('relay'), request)) return relayed
  throw new StanzaError('service-unavailable')
}
