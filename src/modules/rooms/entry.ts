/** Coming into a room (XEP-0045 §7.2), and what else somebody says by presence who is in or would be. */
import { found } from './creation.js'
import { inOrder } from './feature.js'
import { leave } from './exit.js'
import { rename } from './nicks.js'
import { Client, Occupant, type Affiliation, type Role } from './occupant.js'
import { announce, cleaned, tellClient, tellOccupants } from './presence.js'
import type { Room } from './room.js'
import type { RoomService } from './service.js'
import { mucUser, status } from './status.js'
import type { Session } from '../../session/session.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Somebody who wants to come in. Features refuse it or change it, then it happens. */
export interface Entry {
  readonly room: Room
  /** As it came: from the full real JID. */
  readonly stanza: Stanza
  /** Full real JID. */
  readonly from: Jid
  /** The local one that sent it. */
  readonly session: Session | undefined
  /** Its `<x/>`: password and history. */
  readonly x: Element
  /** The room was made by this. */
  readonly isNew: boolean
  /** It was in, and has lost count: gets everything again (§7.2.1). No feature refuses it. */
  readonly again: boolean
  /** As asked for; another one is told (210). */
  nick: string
  affiliation: Affiliation
  role: Role
  /** Of its own presence, beside 110. */
  readonly codes: Set<number>
}

/** Presence of somebody to a room or to a nick in it. @throws StanzaError which is the answer */
export async function presenceArrived(
  service: RoomService,
  stanza: Stanza,
  session: Session | undefined,
): Promise<void> {
  const { type } = stanza
  if (type === 'unavailable') return departing(service, stanza)
  // Nobody subscribes to a room; probes are answered by nobody.
  if (type !== undefined) return undefined
  const { local, resource } = stanza.to!
  // XEP-0045 §7.2.1: no nickname.
  if (resource === '') throw new StanzaError('jid-malformed', 'A room is entered under a nickname.')
  const x = stanza.child('x', NS.muc)
  for (;;) {
    const known = await service.registry.get(local)
    if (!known && !x) return refuseOutsider(service, stanza)
    const { room, isNew } = known ? { room: known, isNew: false } : await found(service, local, stanza.from)
    const isOver = await room.turn(() => {
      if (room.over) return true
      return (x ? join(room, stanza, x, session, isNew) : update(room, stanza)).then(() => false)
    })
    if (!isOver) return undefined
  }
}

async function departing(service: RoomService, stanza: Stanza): Promise<void> {
  const room = await service.registry.get(stanza.to!.local)
  await room?.turn(async () => {
    // XEP-0045 §7.14: by its full JID, whatever nick it believes to have.
    const client = room.client(stanza.from)
    if (client) await leave(client, { words: stanza })
  })
}

/** XEP-0045 §7.6, §7.7 */
async function update(room: Room, stanza: Stanza): Promise<void> {
  const client = room.client(stanza.from)
  if (!client) return refuseOutsider(room.service, stanza)
  const { occupant } = client
  const presence = cleaned(room, stanza)
  for (const updating of room.service.features.with('updating')) updating(client, presence)
  if (stanza.to!.resource !== occupant.nick) return rename(client, presence, stanza.to!.resource)
  occupant.present(client, presence)
  await announce(occupant)
}

async function join(
  room: Room,
  stanza: Stanza,
  x: Element,
  session: Session | undefined,
  isNew: boolean,
): Promise<void> {
  const { features } = room.service
  const { from } = stanza
  const present = room.client(from)
  const affiliation = present?.occupant.affiliation ?? room.affiliationOf(from)
  const entry: Entry = {
    room,
    stanza,
    from,
    session,
    x,
    isNew,
    again: present !== undefined,
    nick: stanza.to!.resource,
    affiliation,
    role: present?.occupant.role ?? defaultRole(affiliation),
    codes: new Set(isNew ? [status.created] : []),
  }
  if (present) {
    for (const updating of features.with('updating')) updating(present, stanza)
    let toOthers = false
    if (present.occupant.nick !== entry.nick) await rename(present, cleaned(room, stanza), entry.nick)
    else toOthers = present.occupant.present(present, cleaned(room, stanza))
    return welcome(present, entry, toOthers)
  }
  try {
    await inOrder(features.with('entering'), entry)
  } catch (error) {
    // Nobody has come into the room that was made for it.
    if (isNew) await room.service.emptied(room)
    throw error
  }
  const client = admit(entry)
  await welcome(client, entry, true)
}

/** XEP-0045 §5.1.2 */
export function defaultRole(affiliation: Affiliation): Role {
  return affiliation === 'owner' || affiliation === 'admin' ? 'moderator' : 'participant'
}

/** Under its nick, or as another client of the same account. */
function admit({ room, nick, from, stanza, affiliation, role }: Entry): Client {
  let occupant = room.holder(nick)
  if (!occupant) {
    occupant = new Occupant(room, room.jid.withResource(nick), from.bare, affiliation, role)
    room.add(occupant)
  }
  const presence = cleaned(room, stanza)
  const client = new Client(from, occupant, presence)
  occupant.present(client, presence)
  room.clients.set(from.toString(), client)
  return client
}

/** XEP-0045 §7.1: the others, itself, history, the subject; what comes later waits for the room's turn. */
async function welcome(client: Client, entry: Entry, toOthers: boolean): Promise<void> {
  const { room } = entry
  await inOrder(room.service.features.with('welcoming'), client, entry)
  await tellOccupants(client)
  await announceEntry(client, entry, toOthers)
  await inOrder(room.service.features.with('entered'), client, entry)
}

async function announceEntry(client: Client, { codes }: Entry, toOthers: boolean): Promise<void> {
  const { occupant } = client
  tellClient(client, { ownCodes: codes })
  await announce(occupant, { except: client, toOthers })
}

/** XEP-0045 §7.2.18: who is not in and does not ask to come in is told so, and comes in anew. */
function refuseOutsider(service: RoomService, { from, to }: Stanza): void {
  const item = { affiliation: 'none', role: 'none', reason: 'You are not in the room.' }
  const xml = mucUser(item, [status.self, status.kicked, status.technical])
  const kick = Stanza.of({ kind: 'presence', type: 'unavailable', from: to!, to: from })
  service.send(kick.withWritten('x', NS.mucUser, xml))
}
