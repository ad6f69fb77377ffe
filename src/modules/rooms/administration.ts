/** Moderators, admins and owners at work: changes by muc#admin (XEP-0045 §8 to §10). */
import { itemsToSet, type AffiliationItem, type RoleItem } from './admin-query.js'
import { changeAffiliations, type AffiliationChange } from './affiliations.js'
import type { RoomFeature, RoomRequest } from './feature.js'
import { standingOf } from './lists.js'
import { requireVisible } from './locked.js'
import { inviteNewMembers } from './members-only.js'
import { preparedNick } from './nicks.js'
import { affiliationChangeRefused, affiliationMay, roleChangeRefused, type Standing } from './privileges.js'
import { changeRoles, type RoleChange } from './roles.js'
import type { Room } from './room.js'
import { relayed } from '../../host/service.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import { NS } from '../../xml/namespaces.js'

/** Of one request: each item is told to everybody in the room. */
const limits = { items: 200, reason: 1000 }

export const administration: RoomFeature = {
  name: 'administration',
  iq: [
    {
      type: 'set',
      at: 'room',
      name: 'query',
      ns: NS.mucAdmin,
      answer: (request) => request.room.turn(() => set(request)),
    },
  ],
}

/** All items or none (§9.2). */
async function set(request: RoomRequest): Promise<typeof relayed> {
  const { room, from, query } = request
  if (room.over) throw new StanzaError('item-not-found')
  requireVisible(room, from)
  const items = itemsToSet(query, limits)
  const roleSet = items.filter((item) => item.of === 'role')
  const affiliationSet = items.filter((item) => item.of === 'affiliation')
  if (roleSet.length > 0 && affiliationSet.length > 0)
    throw new StanzaError('bad-request', 'Roles and affiliations are changed by requests of their own.')
  const actor = standingOf(room, from).occupant?.nick
  // §8.2, §9.1: who goes is told, then the answer comes, then the others are told.
  const between = () => answer(request)
  if (roleSet.length > 0)
    await changeRoles(
      room,
      roleSet.map((item) => roleChange(room, from, item)),
      { actor, between },
    )
  else {
    const changes = affiliationSet.map((item) => affiliationChange(room, from, item))
    const added = changes
      .filter(({ jid, affiliation }) => affiliation === 'member' && room.affiliationOf(jid) === 'none')
      .map(({ jid }) => jid)
    await changeAffiliations(room, changes, { actor, between })
    inviteNewMembers(room, added, from)
  }
  return relayed
}

function answer({ room, stanza }: RoomRequest): void {
  room.service.send(Stanza.of({ kind: 'iq', type: 'result', id: stanza.id, from: room.jid, to: stanza.from }))
}

function roleChange(room: Room, from: Jid, { nick, role, reason }: RoleItem): RoleChange {
  const occupant = room.holder(nick)
  const target: Standing = occupant ?? { affiliation: 'none', role: 'none' }
  const refused = roleChangeRefused(
    standingOf(room, from),
    target,
    role,
    occupant?.account.equals(from.bare) ?? false,
  )
  if (refused) throw new StanzaError(refused)
  return { occupant: occupant!, role, reason }
}

function affiliationChange(room: Room, from: Jid, item: AffiliationItem): AffiliationChange {
  const { affiliation, reason } = item
  const { affiliation: own } = standingOf(room, from)
  // Before anything is said about who has a nick.
  if (!affiliationMay(own, 'set members')) throw new StanzaError('forbidden')
  const jid = item.jid ?? room.holder(item.nick!)?.account
  if (!jid) throw new StanzaError('item-not-found', 'Nobody has that nickname.')
  const refused = affiliationChangeRefused(own, room.affiliationOf(jid), affiliation, jid.equals(from.bare))
  if (refused) throw new StanzaError(refused)
  const nick = item.jid && item.nick ? preparedNick(item.nick) : item.jid && item.nick
  return { jid, affiliation, reason, nick }
}
