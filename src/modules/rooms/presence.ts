/** What occupants see of each other (XEP-0045 §7.2.2, §7.7): presence with role, affiliation, and the JID for who may see it. */
import { seesJids } from './anonymity.js'
import { broadcast, inSlices, send } from './fan-out.js'
import type { RoomFeature } from './feature.js'
import { choicesField } from './fields.js'
import type { Client, Occupant } from './occupant.js'
import type { Room } from './room.js'
import { mucUser, status, type Item } from './status.js'
import { withoutIdsBy } from '../../stanza/stanza-id.js'
import { Stanza } from '../../stanza/stanza.js'
import { NS } from '../../xml/namespaces.js'

/** XEP-0045 §7.2.2: presence of others is their own business. */
const broadcastRoles = choicesField(
  'muc#roomconfig_presencebroadcast',
  'Roles whose presence is shown to the others',
  ['moderator', 'participant', 'visitor'],
  [
    ['moderator', 'Moderators'],
    ['participant', 'Participants'],
    ['visitor', 'Visitors'],
  ],
)

export const presence: RoomFeature = {
  name: 'presence',
  fields: [broadcastRoles],
  async configured(room) {
    for (const occupant of room.occupants.values())
      if (occupant.isKnown !== isShown(occupant)) await tellOthers(occupant, {})
  },
}

/** What else is to be said of a presence that is announced. */
export interface Saying {
  readonly codes?: readonly number[]
  /** For its own clients only. */
  readonly ownCodes?: Iterable<number>
  readonly reason?: string | undefined
  /** Nick of who did it. */
  readonly actor?: string | undefined
  /** Written, for the `<x/>`: what only those who see real JIDs and the occupant itself are told. */
  readonly mark?: string
  /** The client that has been told already. */
  readonly except?: Client
  /** False: its own clients only. */
  readonly toOthers?: boolean
}

/** Whether others are to be shown it at all. */
function isShown({ room, role }: Occupant): boolean {
  return room.get(broadcastRoles).includes(role)
}

/** What an occupant says, as it may be shown: without what only rooms say (§17.3). */
export function cleaned(room: Room, stanza: Stanza): Stanza {
  let clean = stanza.withoutChildren('x', NS.muc).withoutChildren('x', NS.mucUser)
  for (const { name, ns } of room.service.features.reserved) clean = clean.withoutChildren(name, ns)
  // XEP-0359 §3: nobody else says what its id is in the room.
  return withoutIdsBy(clean, room.jid)
}

/** Its presence now, without addressee; the same object for all who may see the same. */
export function shownTo(viewer: Occupant, occupant: Occupant): Stanza {
  return plain(occupant, seesJids(viewer))
}

function plain(occupant: Occupant, open: boolean): Stanza {
  return occupant.shown(open ? 'open' : 'closed', () => present(occupant, open, {}))
}

/** Tells everybody the occupant's presence as it is now, and its own clients with 110 (§7.2.2). In turn. */
export function announce(occupant: Occupant, saying: Saying = {}): void | Promise<void> {
  occupant.changed()
  for (const client of occupant.clients) if (client !== saying.except) tellClient(client, saying)
  return saying.toOthers === false ? undefined : tellOthers(occupant, saying)
}

/** As far as its role is one that they are shown; if it no longer is, they see it go. */
function tellOthers(occupant: Occupant, saying: Saying): void | Promise<void> {
  const [shown] = occupant.clients
  if (shown && !isShown(occupant)) return tellGone(shown, {})
  occupant.isKnown = true
  const { codes, reason, actor, mark } = saying
  const isPlain = (codes ?? reason ?? actor ?? mark) === undefined
  const open = isPlain ? plain(occupant, true) : present(occupant, true, saying)
  const closed = isPlain ? plain(occupant, false) : present(occupant, false, saying)
  return broadcast(occupant.room, (viewer) =>
    viewer === occupant ? undefined : seesJids(viewer) ? open : closed,
  )
}

/** Tells all others that the occupant of this client goes, if they know that it is there. In turn. */
export function tellGone(client: Client, farewell: Farewell): void | Promise<void> {
  const { occupant } = client
  if (!occupant.isKnown) return undefined
  occupant.isKnown = false
  const open = goodbye(client, true, farewell)
  const closed = goodbye(client, false, farewell)
  return broadcast(occupant.room, (viewer) =>
    viewer === occupant ? undefined : seesJids(viewer) ? open : closed,
  )
}

/** The self-presence of one client (§7.2.2): the last of those that it gets when it enters. */
export function tellClient(
  client: Client,
  { ownCodes = [], codes = [], reason, actor, mark }: Saying = {},
): void {
  const { occupant } = client
  const { room } = occupant
  const own = [...codes, status.self, ...ownCodes]
  const more = mark ?? selfMark(client)
  send(room, client, present(occupant, true, { reason, actor, codes: own, mark: more }))
}

function selfMark(client: Client): string {
  return client.occupant.room.service.features
    .with('selfShows')
    .map((show) => show(client))
    .join('')
}

/** The presence of everybody else who is shown, to a client that has come in (§7.2.2). In turn. */
export function tellOccupants(client: Client): void | Promise<void> {
  const viewer = client.occupant
  const others = [...viewer.room.occupants.values()].filter((other) => other !== viewer && other.isKnown)
  return inSlices(others, (other) => send(viewer.room, client, shownTo(viewer, other)))
}

function present(occupant: Occupant, open: boolean, saying: Saying): Stanza {
  const [client] = occupant.clients
  if (!client) throw new Error('an occupant without clients is shown')
  const item: Item = {
    affiliation: occupant.affiliation,
    role: occupant.role,
    jid: open ? client.jid.toString() : undefined,
    reason: saying.reason,
    actor: saying.actor,
  }
  const x = mucUser(item, saying.codes, open ? saying.mark : undefined)
  return marked(client.presence, occupant).withWritten('x', NS.mucUser, x)
}

/** With what the features of the room say of the occupant. */
function marked(stanza: Stanza, occupant: Occupant): Stanza {
  for (const show of occupant.room.service.features.with('shows')) stanza = show(stanza, occupant)
  return stanza
}

/** How somebody goes. */
export interface Farewell extends Saying {
  /** What it says itself (§7.14); else nothing. */
  readonly words?: Stanza | undefined
  /** The nick that it goes on under, with 303. */
  readonly nick?: string
  /** Written already: `<destroy/>`. */
  readonly more?: string
}

/** The presence with which an occupant goes, without addressee. */
export function goodbye(client: Client, open: boolean, farewell: Farewell): Stanza {
  const { occupant } = client
  const { words, nick, more = '', mark = '', reason, actor, codes } = farewell
  const base = words
    ? cleaned(occupant.room, words).readdressed({ from: occupant.jid })
    : Stanza.of({ kind: 'presence', type: 'unavailable', from: occupant.jid })
  const item: Item = {
    affiliation: occupant.affiliation,
    // XEP-0045 §7.6: a change of nick is no exit.
    role: nick === undefined ? 'none' : occupant.role,
    jid: open ? client.jid.toString() : undefined,
    nick,
    reason,
    actor,
  }
  return marked(base, occupant).withWritten('x', NS.mucUser, mucUser(item, codes, open ? mark + more : more))
}
