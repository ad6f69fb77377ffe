/** How the owners of a room set it up (XEP-0045 §10.1, §10.2): one form, made of the fields of all features. */
import { changeAffiliations, type AffiliationChange } from './affiliations.js'
import { destroy, destroyed } from './destroying.js'
import { broadcast } from './fan-out.js'
import type { RoomFeature, RoomRequest } from './feature.js'
import type { RoomConfig } from './fields.js'
import { isLasting } from './lasting.js'
import { listingOf } from './listing.js'
import { requireOwner } from './locked.js'
import { membersOnlyField } from './members-only.js'
import type { Room } from './room.js'
import { mucUser, status } from './status.js'
import { StanzaError } from '../../stanza/errors.js'
import { form, Submission, type Field } from '../../stanza/forms.js'
import { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

export const configuration: RoomFeature = {
  name: 'configuration',
  iq: [
    { type: 'get', at: 'room', name: 'query', ns: NS.mucOwner, answer: offered },
    { type: 'set', at: 'room', name: 'query', ns: NS.mucOwner, answer: submitted },
  ],
}

const admins = {
  name: 'muc#roomconfig_roomadmins',
  type: 'jid-multi',
  label: 'Admins of the room',
} as const
const owners = {
  name: 'muc#roomconfig_roomowners',
  type: 'jid-multi',
  label: 'Owners of the room',
} as const

/** All fields with what holds now. */
export function fieldsOf(room: Room): readonly Field[] {
  const settings = room.service.features.fields.map((field): Field => {
    const { name, type, label, options, range, open } = field
    const value = field.write(room.get(field))
    return {
      name,
      type,
      label,
      value,
      ...(options && { options }),
      ...(range && { range }),
      ...(open && { open }),
    }
  })
  return [
    ...settings,
    { ...admins, value: withAffiliation(room, 'admin') },
    { ...owners, value: withAffiliation(room, 'owner') },
  ]
}

/**
 * Takes over what was filled in, all or nothing, and tells everybody what changed. Opens a locked room. In turn.
 * @throws StanzaError `not-acceptable` or `conflict`; StorageUnavailable
 */
export async function configure(room: Room, filled: Submission): Promise<void> {
  const { features } = room.service
  const before = room.config
  const wasLocked = room.locked
  const config = filledIn(room, filled)
  for (const acceptable of features.with('acceptable')) acceptable(config, room)
  const persistent = config.get(isLasting)
  const besides = { config: config.values, listing: listingOf(config, false), persistent, locked: false }
  await changeAffiliations(room, affiliationsIn(room, filled, config), {}, besides)
  const codes = await followed(room, before)
  // Whoever is in knows it by the form, as long as nobody else could enter.
  if (!wasLocked) await tellCodes(room, codes)
  if (room.clients.size === 0) await room.service.emptied(room)
}

async function offered({ room, from, query }: RoomRequest): Promise<Element> {
  requireOwner(room, from)
  if (query.childrenOf().length > 0)
    throw new StanzaError('bad-request', 'A form is asked for by an empty query.')
  const texts = {
    title: `Settings of ${room.jid.toString()}`,
    ...(room.locked && { instructions: 'The room opens for others when you have sent this form.' }),
  }
  return el('query', NS.mucOwner, undefined, form(NS.mucRoomConfig, fieldsOf(room), texts))
}

async function submitted(request: RoomRequest): Promise<void> {
  const { room, from, query } = request
  const destruction = query.child('destroy', NS.mucOwner)
  if (destruction) return destroyed(request, destruction)
  const x = query.child('x', NS.dataForms)
  if (!x)
    throw new StanzaError('bad-request', 'The query has neither a form nor the wish to destroy the room.')
  await room.turn(async () => {
    if (room.over) throw new StanzaError('item-not-found')
    requireOwner(room, from)
    if (x.attrs['type'] === 'cancel') return cancelled(room)
    return configure(room, new Submission(x, NS.mucRoomConfig, fieldsOf(room)))
  })
}

/** §10.1.3: who cancels the first form wants no room; later it changes nothing (§10.2). */
async function cancelled(room: Room): Promise<void> {
  if (room.locked) await destroy(room, { reason: 'The room was not set up.' })
}

/** Fields that were left out stay as they are (XEP-0004 §3.1 does not say; who sends an empty form changes nothing). */
function filledIn(room: Room, filled: Submission): RoomConfig {
  let config = room.config
  for (const field of room.service.features.fields) {
    const values = filled.texts(field.name)
    if (values) config = config.with(field, field.read(values))
  }
  return config
}

/** The lists of owners and admins, as far as they were filled in. */
function affiliationsIn(room: Room, filled: Submission, config: RoomConfig): AffiliationChange[] {
  const changes = new Map<string, AffiliationChange>()
  const become = (jid: Jid, affiliation: AffiliationChange['affiliation']) =>
    changes.set(jid.toString(), { jid, affiliation })
  const given = (name: string) => filled.jids(name)?.map(accountOf)
  const [newAdmins, newOwners] = [given(admins.name), given(owners.name)]
  // §10.2: what somebody is who loses it.
  if (newAdmins)
    for (const jid of listed(room, 'admin')) become(jid, config.get(membersOnlyField) ? 'member' : 'none')
  if (newOwners) for (const jid of listed(room, 'owner')) become(jid, 'admin')
  for (const jid of newAdmins ?? []) {
    const isOwner = room.affiliationOf(jid) === 'owner' && !newOwners
    if (!isOwner) become(jid, 'admin')
  }
  for (const jid of newOwners ?? []) become(jid, 'owner')
  return [...changes.values()].filter(({ jid, affiliation }) => room.affiliationOf(jid) !== affiliation)
}

function accountOf(jid: Jid): Jid {
  if (jid.local === '') throw new StanzaError('not-acceptable', `${jid.toString()} is nobody’s address.`)
  return jid.bare
}

function listed(room: Room, affiliation: 'admin' | 'owner'): Jid[] {
  return withAffiliation(room, affiliation).map((jid) => Jid.parse(jid))
}

function withAffiliation(room: Room, wanted: 'admin' | 'owner'): string[] {
  return [...room.affiliations.values()].flatMap(({ jid, affiliation }) =>
    affiliation === wanted ? [jid] : [],
  )
}

/** Features act on what changed; the codes that tell of it (§10.2.1). */
async function followed(room: Room, before: RoomConfig): Promise<number[]> {
  const codes = new Set<number>()
  for (const feature of room.service.features.all) {
    const { fields = [] } = feature
    const has = fields.some((field) => !isSame(before.get(field), room.get(field)))
    const own = (await feature.configured?.(room, before)) ?? []
    for (const code of own) codes.add(code)
    if (has && own.length === 0) codes.add(status.configurationChanged)
  }
  return [...codes]
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** To everybody; §10.2.1: a message for each code, since each has one `<status/>` only. */
export async function tellCodes(room: Room, codes: readonly number[]): Promise<void> {
  for (const code of codes) {
    const { random } = room.service.host
    const message = Stanza.of({ kind: 'message', type: 'groupchat', id: random.id(), from: room.jid })
    const told = message.withWritten('x', NS.mucUser, mucUser(undefined, [code]))
    await broadcast(room, () => told)
  }
}
