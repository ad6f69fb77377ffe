/** A room that waits to be set up (XEP-0045 §10.1.1): it does not exist for anybody but its owners. */
import type { RoomFeature } from './feature.js'
import type { Room } from './room.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'

export const locked: RoomFeature = {
  name: 'locked',
  // §7.2.10
  entering: ({ room, from }) => requireVisible(room, from),
}

/** @throws StanzaError `item-not-found` */
export function requireVisible(room: Room, jid: Jid): void {
  if (room.locked && room.affiliationOf(jid) !== 'owner')
    throw new StanzaError('item-not-found', 'There is no such room.')
}

/** §10.2, §10.9. @throws StanzaError */
export function requireOwner(room: Room, jid: Jid): void {
  requireVisible(room, jid)
  if (room.affiliationOf(jid) !== 'owner')
    throw new StanzaError('forbidden', 'Only owners of the room may do this.')
}
