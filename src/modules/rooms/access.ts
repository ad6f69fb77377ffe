/** Whether somebody could come into a room now: what is said there is for those only (XEP-0313 §6.1.2). */
import { isBanned } from './bans.js'
import { isMembersOnly } from './members-only.js'
import { passwordOf } from './passwords.js'
import { affiliationMay } from './privileges.js'
import type { Room } from './room.js'
import type { Jid } from '../../stanza/jid.js'

/** Also who is in. */
export function mayKnow(room: Room, jid: Jid): boolean {
  return room.client(jid) !== undefined || mayEnter(room, jid)
}

function mayEnter(room: Room, jid: Jid): boolean {
  if (isBanned(room, jid)) return false
  // Nobody shows a password with a query: those in a list need none.
  const isListed = affiliationMay(room.affiliationOf(jid), 'enter when closed')
  return isListed || (!isMembersOnly(room) && passwordOf(room) === undefined)
}
