/** Rooms in memory, for tests. */
import type {
  NewRoom,
  RoomAffiliation,
  RoomChange,
  RoomFilter,
  RoomListing,
  RoomOccupant,
  RoomPage,
  RoomRecord,
  RoomStore,
  RoomSubject,
  RoomSummary,
  StoredAffiliation,
} from './rooms.js'
import { removalsKept, searchedText } from './rooms.js'

interface Kept {
  readonly id: number
  readonly room: NewRoom
  /** As JSON, so that it reads as from a database. */
  config: string
  listing: RoomListing
  persistent: boolean
  locked: boolean
  subject: RoomSubject | undefined
  version: number
  forgotten: number
  readonly affiliations: Map<string, { readonly version: number; readonly json: string }>
  readonly values: Map<string, string>
  readonly occupants: Map<string, string>
}

export class MemoryRooms implements RoomStore {
  readonly waiting = 0
  readonly #rooms = new Map<number, Kept>()
  readonly #ids = new Map<string, number>()
  /** Rooms by creator. */
  readonly #counts = new Map<string, number>()
  readonly #removed: (room: number) => Promise<unknown>
  #lastId = 0

  /** `removed` removes what a room has left behind elsewhere. */
  constructor(removed: (room: number) => Promise<unknown>) {
    this.#removed = removed
  }

  async create(room: NewRoom, most: number): Promise<number | 'exists' | 'full'> {
    const address = `${room.local}@${room.domain}`
    if (this.#ids.has(address)) return 'exists'
    if ((await this.countOf(room.creator)) >= most) return 'full'
    const id = ++this.#lastId
    this.#ids.set(address, id)
    const { config, listing, persistent, locked, subject, version } = room
    const kept: Kept = {
      id,
      room,
      config: JSON.stringify(config),
      listing,
      persistent,
      locked,
      subject,
      version,
      forgotten: 0,
      affiliations: new Map(),
      values: new Map(),
      occupants: new Map(),
    }
    this.#count(room.creator, 1)
    for (const entry of room.affiliations) affiliate(kept, entry, version)
    this.#rooms.set(id, kept)
    return id
  }

  async load(domain: string, local: string): Promise<RoomRecord | undefined> {
    const kept = this.#rooms.get(this.#ids.get(`${local}@${domain}`) ?? 0)
    if (!kept) return undefined
    const affiliations = entriesOf(kept).filter(({ affiliation }) => affiliation !== 'none')
    const { listing: _, ...summary } = summaryOf(kept)
    return { ...summary, subject: kept.subject && { ...kept.subject }, affiliations }
  }

  async change(room: number, change: RoomChange): Promise<boolean> {
    const kept = this.#rooms.get(room)
    if (!kept) return false
    const { config, listing, persistent, locked, subject, affiliations } = change
    if (config) kept.config = JSON.stringify(config)
    if (listing) kept.listing = { ...listing }
    if (persistent !== undefined) kept.persistent = persistent
    if (locked !== undefined) kept.locked = locked
    if (subject) kept.subject = { ...subject }
    if (!affiliations) return true
    kept.version = affiliations.version
    for (const entry of affiliations.entries) affiliate(kept, entry, kept.version)
    forget(kept)
    return true
  }

  async remove(room: number): Promise<boolean> {
    const kept = this.#rooms.get(room)
    if (!kept) return false
    this.#rooms.delete(room)
    this.#ids.delete(`${kept.room.local}@${kept.room.domain}`)
    this.#count(kept.room.creator, -1)
    await this.#removed(room)
    return true
  }

  async list(domain: string, page: RoomPage): Promise<RoomSummary[]> {
    const { after, before, from = 'start', skip = 0, limit } = page
    const fitting = this.#of(domain, page).filter(
      ({ room: { local } }) =>
        (after === undefined || byOctets(local, after) > 0) &&
        (before === undefined || byOctets(local, before) < 0),
    )
    const end = Math.max(0, fitting.length - skip)
    const slice =
      from === 'start' ? fitting.slice(skip, skip + limit) : fitting.slice(Math.max(0, end - limit), end)
    return slice.map(summaryOf)
  }

  async count(domain: string, filter: RoomFilter = {}, before?: string): Promise<number> {
    return this.#of(domain, filter).filter(
      ({ room }) => before === undefined || byOctets(room.local, before) < 0,
    ).length
  }

  async countOf(creator: string): Promise<number> {
    return this.#counts.get(creator) ?? 0
  }

  async standings(jid: string): Promise<{ domain: string; local: string; affiliation: StoredAffiliation }[]> {
    return [...this.#rooms.values()]
      .flatMap((kept) => {
        const affiliation = entriesOf(kept).find((entry) => entry.jid === jid)?.affiliation ?? 'none'
        const { domain, local } = kept.room
        return affiliation === 'none' ? [] : [{ domain, local, affiliation }]
      })
      .sort((a, b) => byOctets(a.domain, b.domain) || byOctets(a.local, b.local))
  }

  async changes(room: number, version: number): Promise<RoomAffiliation[] | undefined> {
    const kept = this.#rooms.get(room)
    if (!kept || version < kept.forgotten) return undefined
    return entriesOf(kept, version)
  }

  async value(room: number, name: string): Promise<unknown> {
    const json = this.#rooms.get(room)?.values.get(name)
    return json === undefined ? undefined : JSON.parse(json)
  }

  async setValue(room: number, name: string, value: unknown): Promise<void> {
    const values = this.#rooms.get(room)?.values
    if (value === undefined) values?.delete(name)
    else values?.set(name, JSON.stringify(value))
  }

  occupies(room: number, jid: string, nick: string | undefined): void {
    const occupants = this.#rooms.get(room)?.occupants
    if (nick === undefined) occupants?.delete(jid)
    else occupants?.set(jid, nick)
  }

  async occupants(
    domain: string,
    { after, limit }: { after?: Pick<RoomOccupant, 'room' | 'jid'>; limit: number },
  ): Promise<RoomOccupant[]> {
    return [...this.#rooms.values()]
      .filter(({ room }) => room.domain === domain)
      .flatMap(({ id, room: { local }, occupants }) =>
        [...occupants].map(([jid, nick]) => ({ room: id, local, jid, nick })),
      )
      .sort((a, b) => a.room - b.room || byOctets(a.jid, b.jid))
      .filter(
        ({ room, jid }) =>
          !after || room > after.room || (room === after.room && byOctets(jid, after.jid) > 0),
      )
      .slice(0, limit)
  }

  #count(creator: string, more: number): void {
    this.#counts.set(creator, (this.#counts.get(creator) ?? 0) + more)
  }

  /** By localpart. */
  #of(domain: string, { public: listed, persistent, words = [] }: RoomFilter): Kept[] {
    return [...this.#rooms.values()]
      .filter(
        (kept) =>
          kept.room.domain === domain &&
          (listed ?? kept.listing.public) === kept.listing.public &&
          (persistent ?? kept.persistent) === kept.persistent &&
          words.every((word) => searchedText(kept.room.local, kept.listing).includes(word.toLowerCase())),
      )
      .sort((a, b) => byOctets(a.room.local, b.room.local))
  }
}

function affiliate(kept: Kept, entry: RoomAffiliation, version: number): void {
  kept.affiliations.set(entry.jid, { version, json: JSON.stringify(entry) })
}

function forget(kept: Kept): void {
  const removed = [...kept.affiliations]
    .filter(([, { json }]) => (JSON.parse(json) as RoomAffiliation).affiliation === 'none')
    .sort(([, a], [, b]) => b.version - a.version)
  const last = removed[removalsKept]?.[1].version ?? 0
  for (const [jid, { version }] of removed) if (version <= last) kept.affiliations.delete(jid)
  kept.forgotten = Math.max(kept.forgotten, last)
}

/** Those that changed after `version`, by JID. */
function entriesOf(kept: Kept, after = -1): RoomAffiliation[] {
  return [...kept.affiliations.values()]
    .filter(({ version }) => version > after)
    .map(({ json }) => JSON.parse(json) as RoomAffiliation)
    .sort((a, b) => byOctets(a.jid, b.jid))
}

function summaryOf({ id, room, config, listing, persistent, locked, version }: Kept): RoomSummary {
  const { domain, local, creator, createdAt } = room
  return {
    id,
    domain,
    local,
    creator,
    createdAt,
    persistent,
    locked,
    config: JSON.parse(config) as Record<string, unknown>,
    version,
    listing: { ...listing },
  }
}

/** As PostgreSQL's "C" collation compares. */
function byOctets(a: string, b: string): number {
  return Buffer.from(a).compare(Buffer.from(b))
}
