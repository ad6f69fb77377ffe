/** Nicknames: one for each occupant, and changes of them (XEP-0045 §7.2.8, §7.6). */
import { send } from './fan-out.js'
import { inOrder, type Renaming, type RoomFeature } from './feature.js'
import { Occupant, type Client } from './occupant.js'
import { announce, goodbye, tellGone } from './presence.js'
import type { Room } from './room.js'
import { status } from './status.js'
import { StanzaError } from '../../stanza/errors.js'
import { JidError, prepareResource, type Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'

export const nicks: RoomFeature = {
  name: 'nicks',
  entering(entry) {
    const nick = enforced(entry.nick)
    if (nick !== entry.nick) entry.codes.add(status.nickChangedByRoom)
    entry.nick = nick
    requireFree(entry.room, nick, entry.from)
  },
  renaming(renaming) {
    renaming.nick = enforced(renaming.nick)
    requireFree(renaming.room, renaming.nick, renaming.client.jid)
  },
}

/** RFC 8266 §2.3: without spaces around it, one space where there are several. @throws StanzaError when nothing is left */
function enforced(nick: string): string {
  const plain = nick.replace(/\p{Zs}+/gu, ' ').trim()
  if (plain === '') throw new StanzaError('jid-malformed', 'A nickname is more than spaces.')
  return plain
}

/** A nick from elsewhere, as the room would show it. @throws StanzaError `jid-malformed` */
export function preparedNick(text: string): string {
  try {
    return prepareResource(enforced(text))
  } catch (error) {
    if (error instanceof JidError) throw new StanzaError('jid-malformed', error.message)
    throw error
  }
}

/** RFC 8266 §2.4: nicknames with equal keys look the same. */
export function nickKey(nick: string): string {
  return nick.normalize('NFKC').toLowerCase().normalize('NFKC')
}

/** XEP-0045 §7.2.8: by nobody, or by the same account. @throws StanzaError `conflict` */
function requireFree(room: Room, nick: string, who: Jid): void {
  const holder = room.holder(nick)
  if (!holder) return
  if (!holder.account.equals(who.bare)) throw new StanzaError('conflict', 'Somebody has that nickname.')
}

/**
 * XEP-0045 §7.6: a client that is in wants another nick. The other clients of its occupant keep theirs: each is where it
 * asked to be. In turn.
 * @throws StanzaError `conflict`, and as features refuse; then nothing has changed
 */
export async function rename(client: Client, presence: Stanza, nick: string): Promise<void> {
  const { occupant } = client
  const { room } = occupant
  const renaming: Renaming = { room, client, nick }
  await inOrder(room.service.features.with('renaming'), renaming)
  const ownCodes = renaming.nick === nick ? [] : [status.nickChangedByRoom]
  const holder = room.holder(renaming.nick)
  if (holder && holder !== occupant) return move(client, holder, presence, ownCodes)
  if (renaming.nick === occupant.nick) {
    // Another spelling of what it is called here already.
    occupant.present(client, presence)
    return announce(occupant, { ownCodes })
  }
  if (occupant.clients.length > 1) {
    const jid = room.jid.withResource(renaming.nick)
    // What looks the same as a nick that others of the account keep would be two.
    if (holder) throw new StanzaError('conflict', 'Your other clients have that nickname.')
    const other = new Occupant(room, jid, occupant.account, occupant.affiliation, occupant.role)
    room.add(other)
    return move(client, other, presence, ownCodes)
  }
  await sayNewNick(occupant, client, renaming.nick)
  const before = occupant.jid
  room.rename(occupant, renaming.nick)
  occupant.present(client, presence)
  for (const renamed of room.service.features.with('renamed')) renamed(occupant, before)
  await announce(occupant, { ownCodes })
}

/** The client goes on under the nick of another occupant, which is the same account. */
async function move(
  client: Client,
  to: Occupant,
  presence: Stanza,
  ownCodes: readonly number[],
): Promise<void> {
  const from = client.occupant
  const { room } = from
  if (from.clients.length === 1) {
    await sayNewNick(from, client, to.nick)
    room.remove(from)
  } else {
    const codes = [status.nickChanged, status.self]
    send(room, client, goodbye(client, true, { nick: to.nick, codes }))
  }
  from.drop(client)
  to.present(client, presence)
  // The others see another client of it from now on.
  if (from.clients.length > 0) await announce(from)
  for (const renamed of room.service.features.with('renamed')) renamed(to, from.jid)
  await announce(to, { ownCodes })
}

/** XEP-0045 §7.6: unavailable under the old one, with the new one. */
async function sayNewNick(occupant: Occupant, client: Client, nick: string): Promise<void> {
  const codes = [status.nickChanged]
  for (const own of occupant.clients)
    send(occupant.room, own, goodbye(own, true, { nick, codes: [...codes, status.self] }))
  await tellGone(client, { nick, codes })
}
