/** Long-lived affiliations (XEP-0045 §5.2, §9, §10): how they change, who is told, and what follows for who is in. */
import { putOutAll, type PutOut } from './exit.js'
import { broadcast } from './fan-out.js'
import { seesJids } from './anonymity.js'
import { isMembersOnly } from './members-only.js'
import { isModerated } from './moderated.js'
import { nickKey } from './nicks.js'
import type { Occupant } from './occupant.js'
import { announce } from './presence.js'
import { affiliations, initialRole, roles, type Affiliation } from './privileges.js'
import { reservedBy } from './reserved-nicks.js'
import type { Deed } from './roles.js'
import type { Room } from './room.js'
import { mucUser, status } from './status.js'
import { versionChange } from './versions.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import type { RoomAffiliation, RoomChange } from '../../storage/rooms.js'
import { NS } from '../../xml/namespaces.js'

/** What an address is to be from now on. */
export interface AffiliationChange {
  /** A bare JID, or a domain: as `outcast` it is everybody there that has no affiliation of its own (§9.2). */
  readonly jid: Jid
  readonly affiliation: Affiliation
  readonly reason?: string | undefined
  /** Nobody else may take it from now on (§9.3); '' gives it free (§9.5); undefined leaves it. Prepared as a nick. */
  readonly nick?: string | undefined
  /** Undefined leaves it. */
  readonly registration?: RoomAffiliation['registration']
}

/**
 * All or nothing, with `besides`. Stored first; then those who go are told, then everybody. Who is not in is told about by a message
 * from the room. In turn.
 * @throws StanzaError `conflict` when no owner would be left or a nick is another's, `resource-constraint` when the list
 *   is full; StorageUnavailable
 */
export async function changeAffiliations(
  room: Room,
  changes: readonly AffiliationChange[],
  deed: Deed = {},
  besides?: Omit<RoomChange, 'affiliations'>,
): Promise<void> {
  const real = changes.filter((change) => !isSame(room.affiliations.get(change.jid.toString()), change))
  for (const change of real) requireFreeNick(room, change)
  requireOwner(room, real)
  requireSpace(room, real)
  const before = real.map(({ jid }) => room.affiliationOf(jid))
  const since = room.version
  const entries = real.map((change) => entryOf(room, change))
  if (besides || real.length > 0)
    await room.change({
      ...besides,
      ...(real.length > 0 && { affiliations: { version: since + real.length, entries } }),
    })
  await tell(
    room,
    // XEP-0463 §5.2.2: each is a step of its own.
    real.map((change, i) => ({
      change,
      before: before[i]!,
      mark: versionChange(room, since + i, since + i + 1),
    })),
    deed,
  )
}

interface Step {
  readonly change: AffiliationChange
  readonly before: Affiliation
  /** For the `<x/>`. */
  readonly mark: string
}

interface Told {
  readonly reason: string | undefined
  readonly actor: string | undefined
  readonly mark: string
}

async function tell(room: Room, steps: readonly Step[], { actor, between }: Deed): Promise<void> {
  const leaving: PutOut[] = []
  const others: (() => void | Promise<void>)[] = []
  for (const { change, before, mark } of steps) {
    const { jid, affiliation, reason } = change
    const code = exitCode(room, affiliation)
    const [first, ...further] = room.occupantsOf(jid)
    const unmarked = { reason, actor, mark: '' }
    const told = { ...unmarked, mark }
    const farewell = code === undefined ? unmarked : { ...unmarked, codes: [code] }
    const isSeenGoing = first?.isKnown === true && code !== undefined
    for (const occupant of [...(first ? [first] : []), ...further, ...othersMeant(room, change)]) {
      occupant.affiliation = affiliation
      // XEP-0463 §5.2.2: one stanza tells of the entry, and joins up with the one before.
      const own = occupant === first ? { mark } : {}
      if (code !== undefined) leaving.push({ occupant, farewell: { ...farewell, ...own } })
      else others.push(() => roleFollows(occupant, before, { ...unmarked, ...own }))
    }
    others.push(() =>
      isSeenGoing || (code === undefined && first?.isKnown)
        ? undefined
        : tellOfUnseen(room, jid, affiliation, told),
    )
  }
  await putOutAll(room, leaving, between)
  for (const other of others) await other()
}

/** §9.2: of a domain that is banned, those who have no entry of their own. */
function othersMeant(room: Room, { jid, affiliation }: AffiliationChange): Occupant[] {
  if (affiliation !== 'outcast' || jid.local !== '') return []
  return [...room.occupants.values()].filter(
    ({ account }) => account.domain === jid.domain && !room.affiliations.has(account.toString()),
  )
}

/** §9.1, §9.4: why somebody of that affiliation cannot stay. */
function exitCode(room: Room, affiliation: Affiliation): number | undefined {
  if (affiliation === 'outcast') return status.banned
  return affiliation === 'none' && isMembersOnly(room) ? status.affiliationLost : undefined
}

/** §5.1.3: with more comes at least the role that it has by that; with less the one that it has from now on. */
function roleFollows(occupant: Occupant, before: Affiliation, saying: Told): void | Promise<void> {
  const { room, affiliation } = occupant
  const initial = initialRole(affiliation, { moderated: isModerated(room), membersOnly: isMembersOnly(room) })
  const isLess = affiliations.indexOf(affiliation) < affiliations.indexOf(before)
  if (before === affiliation) return announce(occupant, saying)
  if (initial && (isLess || roles.indexOf(initial) > roles.indexOf(occupant.role))) occupant.role = initial
  return announce(occupant, saying)
}

/** §10.3, §10.6, §10.7; a MUST by XEP-0463 §5.2.2. Who is not in, or not shown. The address is for who sees addresses. */
function tellOfUnseen(
  room: Room,
  jid: Jid,
  affiliation: Affiliation,
  { reason, actor, mark }: Told,
): void | Promise<void> {
  const item = { affiliation, role: 'none', jid: jid.toString(), reason, actor }
  const message = Stanza.of({
    kind: 'message',
    id: room.service.host.random.id(),
    from: room.jid,
  }).withWritten('x', NS.mucUser, mucUser(item, [], mark))
  return broadcast(room, (viewer) => (seesJids(viewer) ? message : undefined))
}

function entryOf(
  room: Room,
  { jid, affiliation, reason, nick, registration }: AffiliationChange,
): RoomAffiliation {
  const address = jid.toString()
  // §9.1: the outcast's nick is removed from the list; so is everything of who has no affiliation any more.
  if (affiliation === 'none') return { jid: address, affiliation }
  if (affiliation === 'outcast') return { jid: address, affiliation, reason }
  const before = room.affiliations.get(address)
  return {
    jid: address,
    affiliation,
    reason,
    nick: nick === undefined ? before?.nick : nick === '' ? undefined : nick,
    registration: registration ?? before?.registration,
  }
}

function isSame(
  before: RoomAffiliation | undefined,
  { affiliation, reason, nick, registration }: AffiliationChange,
): boolean {
  if ((before?.affiliation ?? 'none') !== affiliation) return false
  return (
    affiliation === 'none' ||
    (before?.reason === reason &&
      (nick ?? before?.nick ?? '') === (before?.nick ?? '') &&
      registration === undefined)
  )
}

/** §7.12: reserved by another, or in use by another now. */
function requireFreeNick(room: Room, { jid, nick }: AffiliationChange): void {
  if (nick === undefined || nick === '') return
  const owner = reservedBy(room, nickKey(nick))
  const holder = room.holder(nick)
  if ((owner !== undefined && owner !== jid.toString()) || (holder && !holder.account.equals(jid)))
    throw new StanzaError('conflict', 'That nickname is somebody else’s.')
}

/** §10.4: the room keeps an owner. */
function requireOwner(room: Room, changes: readonly AffiliationChange[]): void {
  const owners = new Set(ownersOf(room))
  if (owners.size === 0) return
  for (const { jid, affiliation } of changes) {
    if (affiliation === 'owner') owners.add(jid.toString())
    else owners.delete(jid.toString())
  }
  if (owners.size === 0) throw new StanzaError('conflict', 'The room needs an owner.')
}

/** Bare JIDs. */
export function ownersOf(room: Room): string[] {
  return [...room.affiliations.values()].flatMap(({ jid, affiliation }) =>
    affiliation === 'owner' ? [jid] : [],
  )
}

function requireSpace(room: Room, changes: readonly AffiliationChange[]): void {
  const { settings, host } = room.service
  const more = changes.filter(
    ({ jid, affiliation }) => affiliation !== 'none' && !room.affiliations.has(jid.toString()),
  )
  if (more.length === 0 || room.affiliations.size + more.length <= settings.affiliations) return
  host.hits.add('room_affiliations')
  throw new StanzaError(
    'resource-constraint',
    `The lists of the room have at most ${settings.affiliations} entries.`,
  )
}
