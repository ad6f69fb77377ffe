/** What admins do with rooms, at the command line and in their clients. */
import { changeAffiliations } from './affiliations.js'
import { configure, fieldsOf } from './configuration.js'
import { firstConfig } from './creation.js'
import { destroy } from './destroying.js'
import { description, roomName } from './details.js'
import { isLasting } from './lasting.js'
import { purge } from './history.js'
import { isPublic } from './listing.js'
import { preparedNick } from './nicks.js'
import { affiliations, type Affiliation } from './privileges.js'
import type { Room } from './room.js'
import type { RoomService } from './service.js'
import { flag, Misfit, number, option, options, required, text, type Option } from '../../base/schema.js'
import {
  command,
  CommandError,
  dayOrMoment,
  type AnyCommand,
  type CommandResult,
} from '../../host/command.js'
import { StanzaError } from '../../stanza/errors.js'
import { Submission, type Field } from '../../stanza/forms.js'
import { Jid, JidError } from '../../stanza/jid.js'
import type { RoomSummary } from '../../storage/rooms.js'
import { el } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** A room as one writes it: `ball` is at the first domain with rooms. */
interface RoomName {
  readonly local: string
  readonly domain: string | undefined
}

/** Standings of one kind that are shown without being asked for. */
const mostShown = 10

export function roomCommands(services: readonly RoomService[]): readonly AnyCommand[] {
  const about = (one: AnyCommand): AnyCommand => ({
    ...one,
    concerns: ({ room: { domain } }: { readonly room: RoomName }) =>
      domain === undefined || services.some(({ address }) => address.domain === domain),
  })
  return [
    listing(services),
    about(showing(services)),
    about(creating(services)),
    about(destroying(services)),
    about(purging(services)),
    about(configuring(services)),
    about(affiliating(services)),
  ]
}

const room = roomArg('NAME, or NAME@DOMAIN when rooms are at several domains')
const reason = text(undefined, 'Why: told to those whom it concerns', { max: 1000 })

function listing(services: readonly RoomService[]): AnyCommand {
  return command(
    'room list',
    'operator',
    'The rooms there are',
    options({
      words: text(undefined, 'Only those with these words in name, address or description', { max: 100 }),
      after: text(undefined, 'Only those that come behind this name', { max: 1023 }),
      limit: number(100, 'How many at most', { min: 1, max: 10_000 }),
    }),
    async ({ words, after, limit }) => {
      const filter = words === undefined ? {} : { words: words.split(/\s+/).filter(Boolean) }
      const found: RoomSummary[] = []
      let all = 0
      for (const { store, address } of services) {
        found.push(...(await store.list(address.domain, { ...filter, after, limit })))
        all += await store.count(address.domain, filter)
      }
      return listed(services, found.slice(0, limit), all)
    },
  )
}

function listed(services: readonly RoomService[], found: readonly RoomSummary[], all: number): CommandResult {
  const people = new Map<number, number>()
  for (const { registry } of services)
    for (const { id, occupants } of registry.loaded) people.set(id, occupants.size)
  const data = found.map(
    ({ id, local, domain, persistent, createdAt, listing: { public: isListed, name } }) => ({
      room: `${local}@${domain}`,
      people: people.get(id) ?? 0,
      public: isListed,
      persistent,
      made: new Date(createdAt).toISOString(),
      name,
    }),
  )
  const rows = data.map((one) => [
    one.room,
    String(one.people),
    `${one.public ? 'public' : 'hidden'}, ${one.persistent ? 'lasting' : 'temporary'}`,
    one.made.slice(0, 10),
    one.name,
  ])
  const more = all > found.length ? ` of ${all}: --after NAME shows those behind` : ''
  return {
    data,
    table: { columns: ['ROOM', 'PEOPLE', 'KIND', 'MADE', 'NAME'], rows },
    text: `${found.length} ${found.length === 1 && more === '' ? 'room' : 'rooms'}${more}`,
  }
}

function showing(services: readonly RoomService[]): AnyCommand {
  return command(
    'room show',
    'operator',
    'All about a room, and who is in',
    options({ room }),
    async (args) => shown(await existing(services, args.room)),
  )
}

function shown(found: Room): CommandResult {
  const { jid, creator, createdAt, subject, service, occupants } = found
  const named = (wanted: Affiliation) =>
    [...found.affiliations.values()].filter(({ affiliation }) => affiliation === wanted).map((one) => one.jid)
  const kinds = service.features.with('discovered').flatMap((discovered) => discovered(found))
  const data = {
    room: jid.toString(),
    name: found.get(roomName),
    description: found.get(description),
    kind: kinds.filter((kind) => kind.startsWith('muc_')).map((kind) => kind.slice('muc_'.length)),
    subject: subject && { by: subject.by, at: new Date(subject.at).toISOString() },
    made: { by: creator, at: new Date(createdAt).toISOString() },
    people: [...occupants.values()].map(({ nick, role, affiliation, clients }) => ({
      nick,
      role,
      affiliation,
      clients: clients.map((client) => client.jid.toString()),
    })),
    owners: named('owner'),
    admins: named('admin'),
    members: named('member'),
    banned: named('outcast'),
  }
  const rows = [
    ['room', data.room],
    ['name', data.name],
    ['description', data.description],
    ['kind', data.kind.join(', ')],
    ['made', `${data.made.at.slice(0, 10)}${creator === '' ? '' : ` by ${creator}`}`],
    ['subject', data.subject ? `of ${data.subject.at.slice(0, 10)} by ${data.subject.by}` : ''],
    ['owners', few(data.owners)],
    ['admins', few(data.admins)],
    ['members', few(data.members)],
    ['banned', few(data.banned)],
    ['people', String(data.people.length)],
    ...data.people.map(({ nick, role, clients }) => ['', `${nick}: ${role}, ${clients.join(', ')}`]),
  ]
  return { data, table: { columns: [], rows: rows.filter(([, value]) => value !== '') } }
}

function few(names: readonly string[]): string {
  const more = names.length - mostShown
  return [...names.slice(0, mostShown), ...(more > 0 ? [`and ${more} more`] : [])].join(', ')
}

function creating(services: readonly RoomService[]): AnyCommand {
  return command(
    'room create',
    'admin',
    'Make a room that stays, for somebody who will own it',
    options({
      room,
      owner: addressArg(required, 'Address of who owns it'),
      name: text(undefined, 'What it is called', { max: 200 }),
      description: text(undefined, 'What it is about', { max: 2000 }),
      public: flag(false, 'It stands in lists, for everybody'),
    }),
    async ({ owner, ...args }) => {
      const service = serviceOf(services, args.room)
      let config = firstConfig(service.settings).with(isLasting, true).with(isPublic, args.public)
      if (args.name !== undefined) config = config.with(roomName, args.name)
      if (args.description !== undefined) config = config.with(description, args.description)
      const made = await service.registry.create({
        local: args.room.local,
        creator: undefined,
        owners: [owner],
        config,
        locked: false,
        most: Infinity,
      })
      const address = made.room.jid.toString()
      if (!made.isNew)
        throw new CommandError(`there is a room ${address}`, `parley room show ${address}`, 'conflict')
      return { data: { room: address }, text: `${address} is there now, and ${owner.toString()} owns it.` }
    },
  )
}

function destroying(services: readonly RoomService[]): AnyCommand {
  return command(
    'room destroy',
    'admin',
    'End a room for good',
    options({ room, reason, venue: addressArg(undefined, 'Address of the room where it goes on') }),
    async ({ reason: why, venue, ...args }) => {
      const found = await existing(services, args.room)
      const put = found.clients.size
      await inTurn(found, () => destroy(found, { reason: why, venue }))
      return {
        data: { room: found.jid.toString(), told: put },
        text: `${found.jid.toString()} is no more. Told: ${put}.`,
      }
    },
    ({ room: { local } }) => `the room ${local} with its settings, lists and archive`,
  )
}

function purging(services: readonly RoomService[]): AnyCommand {
  return command(
    'room purge',
    'admin',
    'Remove what was said in a room from its archive',
    options({
      room,
      before: text(
        undefined,
        'Only what is from before this day or moment: 2030-01-31, 2030-01-31T12:00:00Z',
      ),
    }),
    async ({ before, ...args }) => {
      const found = await existing(services, args.room)
      const end = before === undefined ? undefined : dayOrMoment(before)
      const removed = await purge(found, end)
      return {
        data: { room: found.jid.toString(), removed },
        text: `Removed ${removed} message${removed === 1 ? '' : 's'} of ${found.jid.toString()}.`,
      }
    },
    ({ room: { local }, before }) =>
      `all messages in the archive of the room ${local}${before === undefined ? '' : ` from before ${before}`}`,
  )
}

function configuring(services: readonly RoomService[]): AnyCommand {
  return {
    ...command(
      'room config',
      'admin',
      'What is set in a room, or set it',
      options({
        room,
        field: text(undefined, 'Name of a setting; without one all are shown', { max: 100 }),
        value: text(undefined, 'What it is to be; several values with commas', { max: 10_000 }),
      }),
      async ({ field, value, ...args }) => {
        const found = await existing(services, args.room)
        if (field === undefined) return settings(fieldsOf(found))
        const which = fieldNamed(found, field)
        if (value === undefined) return settings([which])
        const fix = which.type === 'boolean' ? 'write yes or no' : undefined
        await inTurn(found, () => configure(found, filled(found, which, value)), fix)
        return settings([fieldNamed(found, field)])
      },
    ),
    places: ['field', 'value'],
    // It may be a password.
    unlogged: ['value'],
  }
}

/** Without what all names begin with. */
const shortName = ({ name }: Field) => name.replace(/^muc#(?:roomconfig_)?/, '')

function fieldNamed(found: Room, written: string): Field {
  const fields = fieldsOf(found)
  const field = fields.find((one) => one.name === written || shortName(one) === written)
  if (field) return field
  throw new CommandError(
    `there is no setting ${written}`,
    `settings: ${fields.map(shortName).join(', ')}`,
    'item-not-found',
  )
}

function settings(fields: readonly Field[]): CommandResult {
  const data = fields.map((field) => ({
    field: field.name,
    value: field.type === 'text-private' ? (field.value === '' ? '' : '(secret)') : written(field.value),
    meaning: field.label ?? '',
  }))
  const rows = fields.map((field, i) => [shortName(field), data[i]!.value, data[i]!.meaning])
  return { data, table: { columns: ['SETTING', 'VALUE', 'MEANING'], rows } }
}

function written(value: Field['value']): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return value === undefined ? '' : [value].flat().join(', ')
}

const booleans: Readonly<Record<string, string>> = { yes: '1', on: '1', no: '0', off: '0' }

/** As an owner would send it. */
function filled(found: Room, { name, type }: Field, value: string): Submission {
  const values = type.endsWith('-multi')
    ? value
        .split(',')
        .map((one) => one.trim())
        .filter(Boolean)
    : [type === 'boolean' ? (booleans[value] ?? value) : value]
  const field = el(
    'field',
    NS.dataForms,
    { var: name },
    ...values.map((one) => el('value', NS.dataForms, {}, one)),
  )
  return new Submission(el('x', NS.dataForms, { type: 'submit' }, field), NS.mucRoomConfig, fieldsOf(found))
}

function affiliating(services: readonly RoomService[]): AnyCommand {
  return {
    ...command(
      'room affiliation',
      'admin',
      'Who owns, administers, may enter or is banned from a room, or change that',
      options({
        room,
        jid: addressArg(undefined, 'Address of somebody, or a domain to ban; without one all are shown'),
        affiliation: text(undefined, affiliations.join(', '), { max: 10 }),
        reason,
        nick: text(undefined, 'A nickname that nobody else may take', { max: 1000 }),
      }),
      async ({ jid, affiliation, reason: why, nick, ...args }) => {
        const found = await existing(services, args.room)
        if (jid === undefined) return standings(found)
        if (affiliation === undefined) return standings(found, jid)
        const wanted = affiliationNamed(affiliation)
        await inTurn(found, () => {
          const reserved = nick === undefined ? undefined : preparedNick(nick)
          return changeAffiliations(found, [{ jid, affiliation: wanted, reason: why, nick: reserved }])
        })
        return standings(found, jid)
      },
    ),
    places: ['jid', 'affiliation'],
  }
}

function affiliationNamed(given: string): Affiliation {
  const wanted = affiliations.find((one) => one === (given === 'banned' ? 'outcast' : given))
  if (wanted) return wanted
  throw new CommandError(`there is no affiliation ${given}`, `write one of ${affiliations.join(', ')}`)
}

const order = (affiliation: string) => affiliations.findIndex((one) => one === affiliation)

function standings(found: Room, only?: Jid): CommandResult {
  const all = [...found.affiliations.values()]
    .filter(({ jid }) => only === undefined || jid === only.toString())
    .sort((a, b) => order(b.affiliation) - order(a.affiliation) || (a.jid < b.jid ? -1 : 1))
  const rows = all.map(({ affiliation, jid, nick = '', reason: why = '' }) => [affiliation, jid, nick, why])
  return {
    data: all.map(({ jid, affiliation, nick, reason: why }) => ({ jid, affiliation, nick, reason: why })),
    table: { columns: ['AFFILIATION', 'ADDRESS', 'NICK', 'REASON'], rows },
    ...(only !== undefined && all.length === 0 ? { text: `${only.toString()}: none` } : {}),
  }
}

// -----------------------------------------------------------------------------------------------------------------

function serviceOf(services: readonly RoomService[], { domain }: RoomName): RoomService {
  const found = services.find(({ address }) => domain === undefined || address.domain === domain)
  if (found) return found
  throw new CommandError(
    `there are no rooms at ${domain}`,
    `rooms are at ${services.map(({ address }) => address.domain).join(', ')}`,
    'item-not-found',
  )
}

async function existing(services: readonly RoomService[], name: RoomName): Promise<Room> {
  const service = serviceOf(services, name)
  const found = await service.registry.get(name.local)
  if (found) return found
  throw new CommandError(
    `there is no room ${name.local}@${service.address.domain}`,
    'parley room list shows those there are',
    'item-not-found',
  )
}

/** What the room refuses is told in its words, with what to do about it. */
async function inTurn(found: Room, run: () => Promise<void>, fix?: string): Promise<void> {
  try {
    await found.turn(async () => {
      if (found.over) throw new StanzaError('item-not-found', 'The room is no more')
      await run()
    })
  } catch (error) {
    if (error instanceof StanzaError)
      throw new CommandError(error.text ?? error.condition, fix, error.condition)
    throw error
  }
}

function roomArg(doc: string): Option<RoomName> {
  return option<RoomName>({
    kind: 'room',
    doc,
    fallback: required,
    reload: 'applied',
    expects: 'NAME or NAME@DOMAIN',
    parse(raw) {
      const given = String(raw)
      const jid = addressOf(given.includes('@') ? given : `${given}@room.invalid`)
      if (jid.local === '' || !jid.isBare) throw new Misfit('is not the address of a room')
      return { local: jid.local, domain: given.includes('@') ? jid.domain : undefined }
    },
  })
}

/** A bare address, or a domain. */
function addressArg(fallback: typeof required, doc: string): Option<Jid>
function addressArg(fallback: undefined, doc: string): Option<Jid | undefined>
function addressArg(
  fallback: typeof required | undefined,
  doc: string,
): Option<Jid> | Option<Jid | undefined> {
  return option<Jid>({
    kind: 'jid',
    doc,
    fallback,
    reload: 'applied',
    expects: 'an address',
    parse: (raw) => addressOf(String(raw)).bare,
  })
}

function addressOf(given: string): Jid {
  try {
    return Jid.parse(given)
  } catch (error) {
    throw error instanceof JidError ? new Misfit('is not an address') : error
  }
}
