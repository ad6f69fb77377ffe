/** Nicks that belong to somebody (XEP-0045 §7.10, §7.12): nobody else may take them, and a room may hold their owner to it. */
import type { RoomFeature } from './feature.js'
import { flagField } from './fields.js'
import { nickKey } from './nicks.js'
import { RoomSlot, type Room } from './room.js'
import { status } from './status.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'

/** §7.10: the room may "lock down" nicks. */
const isLocked = flagField(
  'muc#roomconfig_nicklock',
  'Who has registered a nickname is seen under no other',
  false,
)

export const reservedNicks: RoomFeature = {
  name: 'reserved-nicks',
  fields: [isLocked],
  // §7.12
  node({ room, from }, node) {
    if (node !== 'x-roomuser-item') return undefined
    const name = reservedNickOf(room, from)
    const identities = name === undefined ? [] : [{ category: 'conference', type: 'text', name }]
    return { identities, features: [], forms: [] }
  },
  entering(entry) {
    const nick = lockedNick(entry.room, entry.from)
    if (nick !== undefined && nick !== entry.nick) {
      // §7.10: "it SHOULD modify the user's nickname".
      entry.nick = nick
      entry.codes.add(status.nickChangedByRoom)
    }
    requireOwn(entry.room, entry.nick, entry.from)
  },
  renaming(renaming) {
    const { room, client } = renaming
    renaming.nick = lockedNick(room, client.jid) ?? renaming.nick
    requireOwn(room, renaming.nick, client.jid)
  },
}

/** The nick that is reserved for the account (§7.12), undefined when none is. */
export function reservedNickOf(room: Room, jid: Jid): string | undefined {
  return room.affiliations.get(jid.bare.toString())?.nick
}

/** Whose nick it is, as a bare JID; by the key under which nicks that look the same are one. */
export function reservedBy(room: Room, key: string): string | undefined {
  const reserved = room.state(slot)
  if (reserved.version !== room.version) {
    reserved.version = room.version
    reserved.owners.clear()
    for (const { jid, nick } of room.affiliations.values())
      if (nick !== undefined) reserved.owners.set(nickKey(nick), jid)
  }
  return reserved.owners.get(key)
}

/** Of the affiliations as of `version`. */
const slot = new RoomSlot('reserved-nicks', () => ({ version: -1, owners: new Map<string, string>() }))

export function lockedNick(room: Room, jid: Jid): string | undefined {
  return room.get(isLocked) ? reservedNickOf(room, jid) : undefined
}

/** §7.2.8, §7.12 */
function requireOwn(room: Room, nick: string, who: Jid): void {
  const owner = reservedBy(room, nickKey(nick))
  if (owner !== undefined && owner !== who.bare.toString())
    throw new StanzaError('conflict', 'That nickname is reserved.')
}
