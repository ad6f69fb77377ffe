/** XEP-0452: who belongs to a room and is named there while away gets the message. */
import type { RoomFeature } from './feature.js'
import { flagField } from './fields.js'
import { mentionedIn } from './mentioned.js'
import { nickKey } from './nicks.js'
import { reservedBy } from './reserved-nicks.js'
import type { Room } from './room.js'
import { forwarding } from '../../stanza/forward.js'
import { Jid } from '../../stanza/jid.js'
import { NS } from '../../xml/namespaces.js'

const forwards = flagField(
  'muc#roomconfig_forwardmentions',
  'Members who are away get the messages that mention them',
  false,
)

export const mentions: RoomFeature = {
  name: 'mentions',
  fields: [forwards],
  spoken({ room, stanza }) {
    if (!room.get(forwards) || !stanza.has('reference', NS.references)) return
    const { host } = room.service
    for (const account of absentees(room, mentionedIn(stanza))) {
      const envelope = { kind: 'message', id: host.random.id(), from: room.jid, to: account } as const
      // §3.2: as everybody in the room got it.
      const message = stanza.readdressed({ to: room.jid })
      const at = host.clock.now()
      room.service.send(forwarding(envelope, { name: 'mentions', ns: NS.mentions }, message, at))
    }
  },
}

/** Bare addresses of members, admins and owners who are not in. */
function absentees(room: Room, mentioned: readonly Jid[]): ReadonlySet<Jid> {
  const away = new Map<string, Jid>()
  for (const jid of mentioned) {
    const account = accountMeant(room, jid)
    if (!account || !belongs(room, account) || room.occupantsOf(account).length > 0) continue
    away.set(account.toString(), account)
  }
  return new Set(away.values())
}

/** By its address (XEP-0372 §3.2), or by the nick that is reserved for it (XEP-0045 §7.12). */
function accountMeant(room: Room, jid: Jid): Jid | undefined {
  if (!jid.bare.equals(room.jid)) return jid.bare
  const holder = jid.isBare ? undefined : reservedBy(room, nickKey(jid.resource))
  return holder === undefined ? undefined : Jid.parse(holder)
}

function belongs(room: Room, account: Jid): boolean {
  const affiliation = room.affiliationOf(account)
  return affiliation !== 'none' && affiliation !== 'outcast'
}
