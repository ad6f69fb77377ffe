/** Rooms that only members enter (XEP-0045 §7.2.6, §9.3 to §9.5, §10.2.1). */
import { isOpen } from './anonymity.js'
import { putOutAll } from './exit.js'
import type { RoomFeature } from './feature.js'
import { flagField } from './fields.js'
import { passwordOf } from './passwords.js'
import { affiliationMay } from './privileges.js'
import type { Room } from './room.js'
import { status } from './status.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import { el } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

export const membersOnlyField = flagField('muc#roomconfig_membersonly', 'Only members may enter', false)

export const membersOnly: RoomFeature = {
  name: 'members-only',
  fields: [membersOnlyField],
  discovered: (room) => [isMembersOnly(room) ? 'muc_membersonly' : 'muc_open'],
  entering({ room, affiliation }) {
    const privilege = isMembersOnly(room) ? 'enter when closed' : 'enter'
    if (!affiliationMay(affiliation, privilege))
      throw new StanzaError('registration-required', 'Only members may enter this room.')
  },
  async configured(room, before) {
    if (before.get(membersOnlyField) || !isMembersOnly(room)) return
    // §10.2.1: who is no member goes.
    const leaving = [...room.occupants.values()].filter(
      ({ affiliation }) => !affiliationMay(affiliation, 'enter when closed'),
    )
    await putOutAll(
      room,
      leaving.map((occupant) => ({ occupant, farewell: { codes: [status.membersOnly] } })),
    )
  },
}

export function isMembersOnly({ config }: Pick<Room, 'config'>): boolean {
  return config.get(membersOnlyField)
}

/** §9.5: who has become a member of a members-only room is invited. */
export function inviteNewMembers(room: Room, added: readonly Jid[], inviter: Jid): void {
  if (!isMembersOnly(room)) return
  const password = passwordOf(room)
  // §7.2.4: where addresses are not shown, the invitation shows none either.
  const from = isOpen(room) ? inviter.bare : (room.client(inviter)?.occupant.jid ?? room.jid)
  for (const jid of added) {
    // A domain is nobody who could come.
    if (jid.local === '') continue
    const x = el(
      'x',
      NS.mucUser,
      undefined,
      el('invite', undefined, { from: from.toString() }),
      password === undefined ? undefined : el('password', undefined, undefined, password),
    )
    const id = room.service.host.random.id()
    room.service.send(Stanza.of({ kind: 'message', id, from: room.jid, to: jid }).withChild(x))
  }
}
