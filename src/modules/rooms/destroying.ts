/** The end of a room by the will of an owner or admin (XEP-0045 §10.9). */
import { send } from './fan-out.js'
import type { RoomRequest } from './feature.js'
import { requireOwner } from './locked.js'
import { goodbye } from './presence.js'
import type { Room } from './room.js'
import { status } from './status.js'
import { StanzaError } from '../../stanza/errors.js'
import { Jid, JidError } from '../../stanza/jid.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { escapeAttribute, escapeText } from '../../xml/write.js'

export interface Destruction {
  readonly reason?: string | undefined
  /** Where it goes on. */
  readonly venue?: Jid | undefined
  /** Of the venue. */
  readonly password?: string | undefined
}

/** An owner asks for it. */
export async function destroyed({ room, from }: RoomRequest, wish: Element): Promise<void> {
  const text = (name: string) => wish.child(name, NS.mucOwner)?.text
  const destruction = { reason: text('reason'), venue: venueOf(wish), password: text('password') }
  await room.turn(async () => {
    if (room.over) throw new StanzaError('item-not-found')
    requireOwner(room, from)
    await destroy(room, destruction)
  })
}

/** Gone first, so that a storage that cannot be reached refuses it; then everybody hears of it. In turn. */
export async function destroy(room: Room, destruction: Destruction): Promise<void> {
  await room.service.end(room)
  const more = written(destruction)
  const clients = [...room.clients.values()]
  // Nobody hears of the others: each gets one presence only.
  for (const client of clients) {
    client.occupant.affiliation = 'none'
    send(room, client, goodbye(client, true, { codes: [status.self], more }))
  }
  for (const client of clients) {
    const { occupant } = client
    room.clients.delete(client.jid.toString())
    occupant.clients.splice(occupant.clients.indexOf(client), 1)
    const isLast = occupant.clients.length === 0
    if (isLast) room.remove(occupant)
    for (const left of room.service.features.with('left')) left(client, isLast)
  }
}

function written({ reason, venue, password }: Destruction): string {
  const jid = venue ? ` jid='${escapeAttribute(venue.toString())}'` : ''
  const parts = [
    password === undefined ? '' : `<password>${escapeText(password)}</password>`,
    reason === undefined ? '' : `<reason>${escapeText(reason)}</reason>`,
  ].join('')
  return parts === '' ? `<destroy${jid}/>` : `<destroy${jid}>${parts}</destroy>`
}

function venueOf(wish: Element): Jid | undefined {
  const { jid } = wish.attrs
  if (jid === undefined || jid === '') return undefined
  try {
    return Jid.parse(jid)
  } catch (error) {
    if (error instanceof JidError)
      throw new StanzaError('jid-malformed', 'The alternate venue is no address.')
    throw error
  }
}
