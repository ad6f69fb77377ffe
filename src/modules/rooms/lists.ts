/** The lists of a room by role and by affiliation (XEP-0045 §8.5, §9.2, §9.5, §9.8, §10.5, §10.8), and who may see them. */
import { listAsked } from './admin-query.js'
import { isOpen } from './anonymity.js'
import type { RoomFeature, RoomRequest } from './feature.js'
import { choicesField } from './fields.js'
import { requireVisible } from './locked.js'
import type { Occupant } from './occupant.js'
import { affiliationMay, roleMay, roles, type Affiliation, type Role, type Standing } from './privileges.js'
import type { Room } from './room.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** XEP-0045 §7.11, §9.5: beside those who have it by their affiliation. Only who sees addresses gets lists of them. */
const listReaders = choicesField(
  'muc#roomconfig_getmemberlist',
  'Roles that may see the lists of members, admins and owners',
  [],
  [
    ['moderator', 'Moderators'],
    ['participant', 'Participants'],
    ['visitor', 'Visitors'],
  ],
)

export const lists: RoomFeature = {
  name: 'lists',
  fields: [listReaders],
  iq: [{ type: 'get', at: 'room', name: 'query', ns: NS.mucAdmin, answer: list }],
}

function list({ room, from, query }: RoomRequest): Element {
  requireVisible(room, from)
  const asked = listAsked(query)
  const items =
    asked.of === 'role' ? roleItems(room, from, asked.role) : affiliationItems(room, from, asked.affiliation)
  return el('query', NS.mucAdmin, undefined, ...items)
}

/** §8.5, §9.8 */
function roleItems(room: Room, from: Jid, role: Role): Element[] {
  const who = standingOf(room, from)
  const isAdmin = affiliationMay(who.affiliation, 'set moderators')
  const may = isAdmin || (role !== 'moderator' && roleMay(who.role, 'give voice'))
  if (!may) throw new StanzaError('forbidden')
  return [...room.occupants.values()]
    .filter((occupant) => occupant.role === role)
    .map(({ nick, affiliation, clients }) =>
      el('item', undefined, { affiliation, jid: clients[0]?.jid.toString(), nick, role }),
    )
}

/** §9.2, §9.5, §10.5, §10.8 */
function affiliationItems(room: Room, from: Jid, affiliation: Affiliation): Element[] {
  if (!mayRead(room, from, affiliation)) throw new StanzaError('forbidden')
  return [...room.affiliations.values()]
    .filter((entry) => entry.affiliation === affiliation)
    .map(({ jid, reason, nick }) =>
      el(
        'item',
        undefined,
        { affiliation, jid, nick },
        reason === undefined ? undefined : el('reason', undefined, undefined, reason),
      ),
    )
}

/** Whether somebody may see who has that affiliation, also without being in. */
export function mayRead(room: Room, from: Jid, affiliation: Affiliation): boolean {
  const who = standingOf(room, from)
  // There is no list of those without one.
  if (affiliation === 'none') return false
  // §9.2
  if (affiliation === 'outcast') return affiliationMay(who.affiliation, 'ban')
  if (affiliationMay(who.affiliation, 'set owners')) return true
  if (affiliation === 'member' && affiliationMay(who.affiliation, 'set members')) return true
  const isReader = (room.get(listReaders) as readonly string[]).includes(who.role)
  // §9.5, §10.5, §10.8: in non-anonymous rooms, where addresses are no secret.
  if (isOpen(room)) return isReader || affiliationMay(who.affiliation, 'list members')
  // §5.2.1: in semi-anonymous ones moderators see addresses; §10.5, §10.8: but of admins and owners only owners.
  return affiliation === 'member' && isReader && who.role === 'moderator'
}

/** What somebody is in the room, with whichever client it asks (§8, §9: the bare JID counts). */
export function standingOf(room: Room, from: Jid): Standing & { readonly occupant: Occupant | undefined } {
  const occupant = room.client(from)?.occupant ?? highest(room.occupantsOf(from))
  return { affiliation: room.affiliationOf(from), role: occupant?.role ?? 'none', occupant }
}

function highest(occupants: readonly Occupant[]): Occupant | undefined {
  return [...occupants].sort((a, b) => roles.indexOf(b.role) - roles.indexOf(a.role))[0]
}
