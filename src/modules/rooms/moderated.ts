/** Moderated rooms, in which not everybody may speak; and roles that outlast a visit (XEP-0045 §5.1, §7.4). */
import type { RoomFeature } from './feature.js'
import { flagField } from './fields.js'
import { isMembersOnly } from './members-only.js'
import type { Occupant } from './occupant.js'
import { announce } from './presence.js'
import { initialRole, roleMay } from './privileges.js'
import { RoomSlot, type Room } from './room.js'
import { Lru } from '../../base/lru.js'
import { StanzaError } from '../../stanza/errors.js'

const moderatedField = flagField('muc#roomconfig_moderatedroom', 'Only who has voice may speak', false)

/** Accounts whose role a room remembers; the one that left first is forgotten first. */
const maxRemembered = 500

export const moderated: RoomFeature = {
  name: 'moderated',
  fields: [moderatedField],
  discovered: (room) => [isModerated(room) ? 'muc_moderated' : 'muc_unmoderated'],
  entering(entry) {
    const { room, affiliation, from } = entry
    const role = initialRole(affiliation, kindOf(room))
    // Who may not come in at all was refused by the features for that.
    if (role === undefined) throw new StanzaError('forbidden')
    const account = from.bare.toString()
    const present = room.occupantsOf(from)[0]
    // §5.1: who was given voice or lost it should find it so; another client of somebody who is in has the same.
    const last = present ?? room.peek(remembered)?.get(account)
    entry.role = last?.affiliation === affiliation ? last.role : role
  },
  speaking({ occupant }) {
    // §7.4, §5.1.1: also in a room that is not moderated, where a moderator has taken somebody's voice.
    if (!roleMay(occupant.role, 'send messages to all'))
      throw new StanzaError('forbidden', 'You have no voice in this room.')
  },
  left({ occupant }, isLast) {
    if (!isLast) return
    const { room, role, affiliation, account } = occupant
    // A moderator is made for one visit (§5.1).
    const isUsual = role === 'moderator' || role === initialRole(affiliation, kindOf(room))
    if (!isUsual && affiliation !== 'outcast')
      room.state(remembered).set(account.toString(), { role, affiliation })
    else room.peek(remembered)?.delete(account.toString())
  },
  async configured(room, before) {
    if (!before.get(moderatedField) || isModerated(room)) return
    // Everybody may speak from now on.
    room.peek(remembered)?.clear()
    for (const occupant of room.occupants.values()) {
      if (occupant.role !== 'visitor') continue
      occupant.role = 'participant'
      await announce(occupant)
    }
  },
}

export function isModerated(room: Room): boolean {
  return room.get(moderatedField)
}

function kindOf(room: Room): { readonly moderated: boolean; readonly membersOnly: boolean } {
  return { moderated: isModerated(room), membersOnly: isMembersOnly(room) }
}

/** Roles that are not those that the account would have anyway, by bare JID. */
const remembered = new RoomSlot(
  'roles',
  () => new Lru<string, Pick<Occupant, 'role' | 'affiliation'>>(maxRemembered),
)
