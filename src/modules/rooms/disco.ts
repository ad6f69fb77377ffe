/** What can be found out about rooms from outside (XEP-0045 §6): their features, what they are about, who is in. */
import { nameOf } from './details.js'
import type { RoomFeature, RoomRequest } from './feature.js'
import { requireVisible } from './locked.js'
import type { Room } from './room.js'
import { discoInfoElement } from '../../stanza/caps.js'
import { StanzaError } from '../../stanza/errors.js'
import { resultForm, type FieldValue } from '../../stanza/forms.js'
import type { Jid } from '../../stanza/jid.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

export const disco: RoomFeature = {
  name: 'disco',
  iq: [
    { type: 'get', at: 'room', name: 'query', ns: NS.discoInfo, answer: info },
    { type: 'get', at: 'room', name: 'query', ns: NS.discoItems, answer: items },
  ],
}

async function info(request: RoomRequest): Promise<Element> {
  const { room, from, query } = request
  requireVisible(room, from)
  const { node } = query.attrs
  if (node === undefined) return discoInfoElement(infoOf(room, from))
  // §18.1.1: nothing that occupants say is taken out for its namespace.
  if (node === NS.mucTraffic) throw new StanzaError('service-unavailable')
  for (const asked of room.service.features.with('node')) {
    const found = await asked(request, node)
    if (found) return discoInfoElement(found, node)
  }
  throw new StanzaError('item-not-found')
}

/** §6.4 */
function infoOf(room: Room, asker: Jid) {
  const { features } = room.service
  const fields: Record<string, FieldValue | undefined> = {}
  for (const told of features.with('info')) Object.assign(fields, told(room, asker))
  return {
    identities: [{ category: 'conference', type: 'text', name: nameOf(room) }],
    features: [
      NS.discoInfo,
      NS.discoItems,
      NS.muc,
      NS.mucStableId,
      ...features.with('discovered').flatMap((discovered) => discovered(room)),
    ],
    forms: [resultForm(NS.mucRoomInfo, fields)],
  }
}

/** §6.5: who is in is told to those who are in, and who see it anyway. */
function items(request: RoomRequest): Element {
  const { room, from, query, sender } = request
  requireVisible(room, from)
  const { node } = query.attrs
  if (node !== undefined) return itemsBelow(request, node)
  const shown = sender ? [...room.occupants.values()].filter(({ isKnown }) => isKnown) : []
  const each = shown.map(({ jid }) => el('item', undefined, { jid: jid.toString() }))
  return el('query', NS.discoItems, undefined, ...each)
}

function itemsBelow(request: RoomRequest, node: string): Element {
  for (const below of request.room.service.features.with('items')) {
    const found = below(request, node)
    if (!found) continue
    const each = found.map((item) => el('item', undefined, { ...item }))
    return el('query', NS.discoItems, { node }, ...each)
  }
  throw new StanzaError('item-not-found')
}
