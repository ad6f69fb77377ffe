/** Rooms in PostgreSQL. Each operation is one statement, or a part of one. */
import type { Clock } from '../base/clock.js'
import type { Database } from './database.js'
import { RoomOccupants } from './postgres-room-occupants.js'
import type {
  NewRoom,
  RoomAffiliation,
  RoomChange,
  RoomFilter,
  RoomOccupant,
  RoomPage,
  RoomRecord,
  RoomStore,
  RoomSubject,
  RoomSummary,
  StoredAffiliation,
} from './rooms.js'
import { removalsKept, searchedText } from './rooms.js'

interface SummaryRow extends Record<string, unknown> {
  id: number
  domain: string
  local: string
  creator: string
  created: number
  persistent: boolean
  locked: boolean
  config: Record<string, unknown>
  version: number
  public: boolean
  name: string
  description: string
}

type AffiliationTuple = [
  string,
  StoredAffiliation,
  string | null,
  string | null,
  Record<string, unknown> | null,
]

interface RoomRow extends SummaryRow {
  subject: RoomSubject | null
  affiliations: AffiliationTuple[] | null
}

const summaryColumns = `r.id, r.domain, r.local, r.creator, (extract(epoch FROM r.created_at) * 1000)::bigint AS created,
  r.persistent, r.locked, r.config, r.version, r.public, r.name, r.description`
const affiliationTuple = 'json_build_array(jid, affiliation, reason, nick, registration)'
/** `$n` to `$n+4`: what `columnsOf` makes of affiliations. */
const given = (n: number) =>
  `unnest($${n}::text[], $${n + 1}::text[], $${n + 2}::text[], $${n + 3}::text[], $${n + 4}::json[])
     AS a (jid, affiliation, reason, nick, registration)`
/** `$2` to `$4`: what `valuesOf` makes of a filter. */
const fits = `($2::boolean IS NULL OR public = $2) AND ($3::boolean IS NULL OR persistent = $3)
  AND NOT EXISTS (SELECT FROM unnest($4::text[]) AS w (word) WHERE position(w.word IN searched) = 0)`

export class PostgresRooms implements RoomStore {
  readonly #database: Database
  readonly #occupants: RoomOccupants
  readonly #removed: () => void

  /** `removed` is told when a room has left what is to be removed afterwards. */
  constructor(database: Database, { clock, removed }: { clock: Clock; removed: () => void }) {
    this.#database = database
    this.#occupants = new RoomOccupants(database, clock)
    this.#removed = removed
  }

  get waiting(): number {
    return this.#occupants.waiting
  }

  /** Writes what waits to be written. */
  close(): Promise<void> {
    return this.#occupants.close()
  }

  async create(room: NewRoom, most: number): Promise<number | 'exists' | 'full'> {
    const { domain, local, creator, createdAt, persistent, locked, config, subject, listing, version } = room
    const [made] = await this.#database.query<{ id: number }>(
      'rooms.create',
      `WITH made AS (
          INSERT INTO rooms (domain, local, creator, created_at, persistent, config, subject, public, name, description,
              searched, version, locked)
            SELECT $1, $2, $3, to_timestamp($4::float8 / 1000), $5, $6, $7, $8, $9, $10, $11, $12, $19
            WHERE (SELECT count(*) FROM rooms WHERE creator = $3) < $13::float8
            ON CONFLICT (domain, local) DO NOTHING RETURNING id),
        affiliated AS (
          INSERT INTO room_affiliations (room, jid, affiliation, reason, nick, registration, version)
            SELECT made.id, a.jid, a.affiliation, a.reason, a.nick, a.registration, $12 FROM made, ${given(14)})
        SELECT id FROM made`,
      [
        domain,
        local,
        creator,
        createdAt,
        persistent,
        JSON.stringify(config),
        subject === undefined ? null : JSON.stringify(subject),
        listing.public,
        listing.name,
        listing.description,
        searchedText(local, listing),
        version,
        most,
        ...columnsOf(room.affiliations),
        locked,
      ],
    )
    if (made) return made.id
    const sql = 'SELECT 1 FROM rooms WHERE domain = $1 AND local = $2'
    return (await this.#database.query('rooms.exists', sql, [domain, local])).length > 0 ? 'exists' : 'full'
  }

  async load(domain: string, local: string): Promise<RoomRecord | undefined> {
    const [row] = await this.#database.query<RoomRow>(
      'rooms.load',
      `SELECT ${summaryColumns}, r.subject,
          (SELECT json_agg(${affiliationTuple} ORDER BY jid)
             FROM room_affiliations WHERE room = r.id AND affiliation <> 'none') AS affiliations
        FROM rooms r WHERE r.domain = $1 AND r.local = $2`,
      [domain, local],
    )
    if (!row) return undefined
    const { listing: _, ...summary } = summaryFrom(row)
    return {
      ...summary,
      subject: row.subject ?? undefined,
      affiliations: (row.affiliations ?? []).map(affiliationFrom),
    }
  }

  async change(room: number, change: RoomChange): Promise<boolean> {
    const { config, listing, persistent, locked, subject, affiliations } = change
    const entries = affiliations?.entries ?? []
    const rows = await this.#database.query(
      'rooms.change',
      `WITH found AS (
          UPDATE rooms SET config = coalesce($2::json, config), persistent = coalesce($3, persistent),
            subject = coalesce($4::json, subject), public = coalesce($5, public), name = coalesce($6, name),
            description = coalesce($7, description),
            searched = CASE WHEN $6::text IS NULL THEN searched ELSE local || chr(10) || $8 END,
            version = coalesce($9, version), locked = coalesce($15, locked)
          WHERE id = $1 RETURNING id),
        affiliated AS (
          INSERT INTO room_affiliations (room, jid, affiliation, reason, nick, registration, version)
            SELECT found.id, a.jid, a.affiliation, a.reason, a.nick, a.registration, $9 FROM found, ${given(10)}
            ON CONFLICT (room, jid) DO UPDATE SET affiliation = EXCLUDED.affiliation, reason = EXCLUDED.reason,
              nick = EXCLUDED.nick, registration = EXCLUDED.registration, version = EXCLUDED.version)
        SELECT id FROM found`,
      [
        room,
        config === undefined ? null : JSON.stringify(config),
        persistent ?? null,
        subject === undefined ? null : JSON.stringify(subject),
        listing?.public ?? null,
        listing?.name ?? null,
        listing?.description ?? null,
        listing === undefined ? null : searchedText('', listing).slice(1),
        affiliations?.version ?? null,
        ...columnsOf(entries),
        locked ?? null,
      ],
      { repeatable: true },
    )
    if (entries.some(({ affiliation }) => affiliation === 'none')) await this.#forget(room)
    return rows.length > 0
  }

  async remove(room: number): Promise<boolean> {
    const rows = await this.#database.query(
      'rooms.remove',
      `WITH gone AS (DELETE FROM rooms WHERE id = $1 RETURNING id)
        INSERT INTO archive_removals (owner) SELECT -id FROM gone RETURNING owner`,
      [room],
    )
    if (rows.length === 0) return false
    this.#removed()
    return true
  }

  async list(domain: string, page: RoomPage): Promise<RoomSummary[]> {
    const { after, before, from = 'start', skip = 0, limit } = page
    const order = from === 'start' ? 'ASC' : 'DESC'
    const rows = await this.#database.query<SummaryRow>(
      `rooms.list-${from}`,
      `SELECT ${summaryColumns} FROM rooms r
        WHERE domain = $1 AND ${fits} AND ($5::text IS NULL OR local > $5) AND ($6::text IS NULL OR local < $6)
        ORDER BY local ${order} LIMIT $7 OFFSET $8`,
      [domain, ...valuesOf(page), after ?? null, before ?? null, limit, skip],
    )
    const found = rows.map(summaryFrom)
    return from === 'start' ? found : found.reverse()
  }

  async count(domain: string, filter: RoomFilter = {}, before?: string): Promise<number> {
    const [row] = await this.#database.query<{ count: number }>(
      'rooms.count',
      `SELECT count(*) AS count FROM rooms WHERE domain = $1 AND ${fits} AND ($5::text IS NULL OR local < $5)`,
      [domain, ...valuesOf(filter), before ?? null],
    )
    return row?.count ?? 0
  }

  async countOf(creator: string): Promise<number> {
    const sql = 'SELECT count(*) AS count FROM rooms WHERE creator = $1'
    const [row] = await this.#database.query<{ count: number }>('rooms.count-of', sql, [creator])
    return row?.count ?? 0
  }

  async standings(jid: string): Promise<{ domain: string; local: string; affiliation: StoredAffiliation }[]> {
    return this.#database.query<{ domain: string; local: string; affiliation: StoredAffiliation }>(
      'rooms.standings',
      `SELECT r.domain, r.local, a.affiliation FROM room_affiliations a JOIN rooms r ON r.id = a.room
        WHERE a.jid = $1 AND a.affiliation <> 'none' ORDER BY r.domain, r.local`,
      [jid],
    )
  }

  async changes(room: number, version: number): Promise<RoomAffiliation[] | undefined> {
    const [row] = await this.#database.query<{ changes: AffiliationTuple[] | null }>(
      'rooms.changes',
      `SELECT (SELECT json_agg(${affiliationTuple} ORDER BY jid)
          FROM room_affiliations WHERE room = r.id AND version > $2) AS changes
        FROM rooms r WHERE id = $1 AND forgotten <= $2`,
      [room, version],
    )
    return row && (row.changes ?? []).map(affiliationFrom)
  }

  async value(room: number, name: string): Promise<unknown> {
    const sql = 'SELECT value FROM room_values WHERE room = $1 AND name = $2'
    const [row] = await this.#database.query<{ value: unknown }>('rooms.value', sql, [room, name])
    return row?.value
  }

  async setValue(room: number, name: string, value: unknown): Promise<void> {
    if (value === undefined) {
      const sql = 'DELETE FROM room_values WHERE room = $1 AND name = $2'
      await this.#database.query('rooms.drop-value', sql, [room, name], { repeatable: true })
      return
    }
    await this.#database.query(
      'rooms.set-value',
      `INSERT INTO room_values (room, name, value)
          SELECT id, $2, $3 FROM rooms WHERE id = $1 FOR KEY SHARE
        ON CONFLICT (room, name) DO UPDATE SET value = EXCLUDED.value`,
      [room, name, JSON.stringify(value)],
      { repeatable: true },
    )
  }

  occupies(room: number, jid: string, nick: string | undefined): void {
    this.#occupants.note(room, jid, nick)
  }

  async occupants(
    domain: string,
    { after, limit }: { after?: Pick<RoomOccupant, 'room' | 'jid'>; limit: number },
  ): Promise<RoomOccupant[]> {
    return this.#occupants.read(domain, after, limit)
  }

  /** Removed standings beyond those that are remembered: the oldest ones go. */
  async #forget(room: number): Promise<void> {
    await this.#database.query(
      'rooms.forget',
      `WITH edge AS (
          SELECT version FROM room_affiliations WHERE room = $1 AND affiliation = 'none'
            ORDER BY version DESC OFFSET ${removalsKept} LIMIT 1),
        gone AS (
          DELETE FROM room_affiliations USING edge
            WHERE room = $1 AND affiliation = 'none' AND room_affiliations.version <= edge.version)
        UPDATE rooms SET forgotten = greatest(forgotten, edge.version) FROM edge WHERE id = $1`,
      [room],
      { repeatable: true },
    )
  }
}

function columnsOf(entries: readonly RoomAffiliation[]): unknown[] {
  return [
    entries.map(({ jid }) => jid),
    entries.map(({ affiliation }) => affiliation),
    entries.map(({ reason }) => reason ?? null),
    entries.map(({ nick }) => nick ?? null),
    entries.map(({ registration }) => (registration === undefined ? null : JSON.stringify(registration))),
  ]
}

function valuesOf({ public: listed, persistent, words = [] }: RoomFilter): unknown[] {
  return [listed ?? null, persistent ?? null, words.map((word) => word.toLowerCase())]
}

function affiliationFrom([jid, affiliation, reason, nick, registration]: AffiliationTuple): RoomAffiliation {
  return {
    jid,
    affiliation,
    ...(reason !== null && { reason }),
    ...(nick !== null && { nick }),
    ...(registration !== null && { registration }),
  }
}

function summaryFrom(row: SummaryRow): RoomSummary {
  const { id, domain, local, creator, created, persistent, locked, config, version, name, description } = row
  const listing = { public: row.public, name, description }
  return { id, domain, local, creator, createdAt: created, persistent, locked, config, version, listing }
}
