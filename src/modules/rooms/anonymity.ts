/** Who sees real JIDs (XEP-0045 §7.2.3, §7.2.4): everybody, or moderators only. */
import type { RoomFeature } from './feature.js'
import { choiceField, type RoomConfig } from './fields.js'
import type { Occupant } from './occupant.js'
import type { Room } from './room.js'
import { status } from './status.js'

const whois = choiceField('muc#roomconfig_whois', 'Who may see the addresses of occupants', 'moderators', [
  ['moderators', 'Moderators only'],
  ['anyone', 'Everybody in the room'],
])

export const anonymity: RoomFeature = {
  name: 'anonymity',
  fields: [whois],
  discovered: (room) => [isOpen(room) ? 'muc_nonanonymous' : 'muc_semianonymous'],
  entering({ room, codes }) {
    // XEP-0045 §7.2.3
    if (isOpen(room)) codes.add(status.nonAnonymous)
  },
  configured(room: Room, before: RoomConfig) {
    if (before.get(whois) === room.get(whois)) return []
    for (const occupant of room.occupants.values()) occupant.changed()
    // XEP-0045 §10.2.1
    return [isOpen(room) ? status.nowNonAnonymous : status.nowSemiAnonymous]
  },
}

/** Whether everybody sees real JIDs. */
export function isOpen({ config }: Pick<Room, 'config'>): boolean {
  return config.get(whois) === 'anyone'
}

/** Whether real JIDs are shown to this one. */
export function seesJids({ room, role }: Occupant): boolean {
  return role === 'moderator' || isOpen(room)
}
