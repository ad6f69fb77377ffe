/** XEP-0486: the picture of a room, in a card that its owners fill in (XEP-0054) and everybody may read. */
import { tellCodes } from './configuration.js'
import { send } from './fan-out.js'
import type { RoomFeature, RoomRequest } from './feature.js'
import type { ConfigField } from './fields.js'
import { requireVisible } from './locked.js'
import type { Client } from './occupant.js'
import { affiliationMay } from './privileges.js'
import { status } from './status.js'
import { StanzaError } from '../../stanza/errors.js'
import { photoOfElement } from '../../stanza/photo.js'
import { Stanza } from '../../stanza/stanza.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { parseElement } from '../../xml/parser.js'

/** The names of the room's pictures. With its settings, so that it is loaded with them; in no form. */
const hashes: ConfigField<readonly string[]> = {
  name: 'muc#roominfo_avatarhash',
  type: 'text-multi',
  label: 'Avatar hash',
  initial: [],
  read: (values) => values,
  write: (value) => value,
}

/** The card, among the values of the room. */
const CARD = 'vcard'
/** Characters of a card, with all that is in it: four thirds of the bytes of its pictures. */
const largest = 256 * 1024
/** Of the same picture in several formats (§5.1). */
const mostPhotos = 4

export const avatars: RoomFeature = {
  name: 'avatars',
  // §3.1
  serviceFeatures: [NS.vcard],
  discovered: () => [NS.vcard],
  // §3.3, §4: not when there is none.
  info: (room) => ({ [hashes.name]: room.get(hashes).length > 0 ? room.get(hashes) : undefined }),
  entered(client, { again }) {
    const { room } = client.occupant
    if (!again && room.get(hashes).length > 0) show(client)
  },
  iq: [
    { type: 'get', at: 'room', name: 'vCard', ns: NS.vcard, answer: read },
    { type: 'set', at: 'room', name: 'vCard', ns: NS.vcard, answer: write },
  ],
}

/** §3.4: by everybody, in the room or not. */
async function read({ room, from }: RoomRequest): Promise<Element> {
  requireVisible(room, from)
  const text = await room.service.store.value(room.id, CARD)
  if (typeof text !== 'string') throw new StanzaError('item-not-found')
  return parseElement(text)
}

/** §3.2. An empty card is none. */
async function write({ room, from, query }: RoomRequest): Promise<void> {
  await room.turn(async () => {
    if (room.over) throw new StanzaError('item-not-found')
    // §6
    if (!affiliationMay(room.affiliationOf(from), 'configure'))
      throw new StanzaError('forbidden', 'Only owners of the room may do this.')
    const text = query.toString()
    if (text.length > largest) {
      room.service.host.hits.add('room_card')
      throw new StanzaError('not-acceptable', `The card of a room has ${largest} characters at most.`)
    }
    const names = namesOf(query)
    const isSeen = names.length > 0 || room.get(hashes).length > 0
    const { store } = room.service
    await store.setValue(room.id, CARD, query.childrenOf().length === 0 ? undefined : text)
    await room.change({ config: room.config.with(hashes, names).values })
    if (isSeen) for (const client of room.clients.values()) show(client)
    // §3.2
    await tellCodes(room, [status.configurationChanged])
  })
}

/** §3.3, §5.1: by the hash of each picture. @throws StanzaError `not-acceptable` */
function namesOf(card: Element): readonly string[] {
  const photos = card.childrenOf('PHOTO', NS.vcard)
  if (photos.length > mostPhotos)
    throw new StanzaError('not-acceptable', `A room has its picture in ${mostPhotos} formats at most.`)
  return photos.map(photoOfElement).flatMap((photo) => {
    if (photo === 'unfit') throw new StanzaError('not-acceptable', 'That is no picture.')
    return photo === 'absent' ? [] : [photo.id]
  })
}

/** COMPAT §5.2: clients that know of pictures by presence only (XEP-0153). They see one when there is one. */
function show(client: Client): void {
  const { room } = client.occupant
  const [hash = ''] = room.get(hashes)
  const photo = el('photo', undefined, undefined, hash)
  send(
    room,
    client,
    Stanza.of({ kind: 'presence', from: room.jid }, el('x', NS.vcardUpdate, undefined, photo)),
  )
}
