/** The archive in PostgreSQL: written in batches, one after the other, and read by owner in the order of ids. */
import { Batcher } from '../base/batch.js'
import type { Clock } from '../base/clock.js'
import { pause } from '../base/clock.js'
import type { Random } from '../base/random.js'
import { ArchiveIds, firstOf, momentOf } from './archive-ids.js'
import { ArchiveMonths } from './archive-months.js'
import { Origins } from './archive-origins.js'
import { originsKept } from './archive.js'
import type {
  Archived,
  ArchiveFilter,
  ArchiveOwner,
  ArchivePage,
  ArchiveSlice,
  ArchiveStore,
  NewArchived,
  RestoredMessage,
  Taken,
} from './archive.js'
import { bigints, booleans, int4s, int8s, texts, uuids } from './binary-arrays.js'
import type { Database } from './database.js'
import { StorageUnavailable } from './errors.js'
import { partsOf, whereOf, type Found } from './postgres-archive-filter.js'

interface Row extends NewArchived {
  readonly id: string
}

/** One message, in the archives of all that it concerns: written together. */
interface Message {
  readonly token: object
  readonly rows: Row[]
  readonly bytes: number
  /** On its way to the database: nothing can join it. */
  isTaken: boolean
  written: Promise<void>
}

interface Read extends Found {
  /** Of all that were looked for. */
  readonly found: number
}

/** Milliseconds for which a batch is tried while the database is away, and between two attempts. */
const patience = 10_000
const tryEvery = 100
/** Messages removed at a time. */
const removedAtOnce = 2000

export interface PostgresArchiveOptions {
  readonly clock: Clock
  readonly random: Random
}

export class PostgresArchive implements ArchiveStore {
  readonly #database: Database
  readonly #clock: Clock
  readonly #ids: ArchiveIds
  readonly #origins = new Origins()
  readonly #batcher: Batcher<Message, void>
  readonly #months: ArchiveMonths
  #last: Message | undefined
  #closed = false

  constructor(database: Database, { clock, random }: PostgresArchiveOptions) {
    this.#database = database
    this.#clock = clock
    this.#ids = new ArchiveIds(clock, random)
    this.#batcher = new Batcher<Message, void>({
      clock,
      // One batch at a time: so what becomes visible is in the order of ids, and nobody pages past a gap.
      inFlight: 1,
      rows: 500,
      keyOf: () => undefined,
      bytesOf: ({ bytes }) => bytes,
      // `#write` repeats by itself.
      mayRepeat: () => false,
      write: (messages) => this.#write(messages),
    })
    this.#months = new ArchiveMonths(database, clock, (owner) => this.#removeAll(owner))
    this.#months.begin()
  }

  get available(): boolean {
    return !this.#closed && this.#database.state === 'up'
  }

  /** Origins that are remembered. */
  get remembered(): number {
    return this.#origins.size
  }

  get waiting(): number {
    return this.#batcher.load.rows
  }

  get size(): number {
    return this.#months.rows
  }

  get purgedAt(): number {
    return this.#months.tendedAt
  }

  add(entry: NewArchived, token: object): Taken {
    if (this.#closed) throw new StorageUnavailable('the archive is closed')
    // One such text would make PostgreSQL refuse the whole batch. XML cannot hold it.
    if (entry.stanza.includes('\0')) throw new RangeError('a stanza cannot hold U+0000')
    const { owner, origin, isNew } = entry
    const mayBeKnown = origin !== undefined && !isNew
    const known = mayBeKnown ? this.#origins.find(owner, origin, this.#clock.now()) : undefined
    if (known) return known
    const id = this.#ids.next()
    const message = this.#messageOf(token, { ...entry, id })
    if (origin !== undefined) this.#origins.set(owner, origin, id, message.written)
    return { id, again: false, written: message.written }
  }

  async recall(owner: ArchiveOwner, origin: bigint): Promise<string | undefined> {
    const now = this.#clock.now()
    const known = this.#origins.find(owner, origin, now)
    if (known) return known.id
    const [row] = await this.#database.query<{ id: string }>(
      'archive.recall',
      'SELECT id FROM archive WHERE owner = $1 AND origin = $2::bigint AND id > $3 ORDER BY id LIMIT 1',
      [owner, origin, firstOf(now - originsKept)],
    )
    if (row) this.#origins.set(owner, origin, row.id)
    return row?.id
  }

  async settled(): Promise<void> {
    await this.#last?.written.catch(() => undefined)
  }

  async page(owner: ArchiveOwner, filter: ArchiveFilter, slice: ArchiveSlice): Promise<ArchivePage> {
    if (filter.sift) return this.#sifted(owner, filter, slice)
    const { name, condition, values } = whereOf(owner, filter)
    const order = slice.from === 'start' ? 'ASC' : 'DESC'
    const [skip, count, bytes] = [1, 2, 3].map((i) => `$${values.length + i}`)
    // One more than the page shows whether there are more. Above the bytes it ends before.
    const rows = await this.#database.query<Read>(
      `archive.page.${name}.${order}`,
      `SELECT id, peer, resource, stanza, found::int FROM (
          SELECT id, peer, resource, stanza, count(*) OVER () AS found, row_number() OVER upto AS place,
              sum(octet_length(stanza)) OVER upto AS size FROM (
            SELECT id, peer, resource, stanza FROM archive WHERE ${condition}
              ORDER BY id ${order} OFFSET ${skip} LIMIT ${count}::bigint + 1) AS first
            WINDOW upto AS (ORDER BY id ${order} ROWS UNBOUNDED PRECEDING)) AS sized
        WHERE place = 1 OR (place <= ${count} AND size <= ${bytes}) ORDER BY id`,
      [...values, slice.skip ?? 0, slice.count, slice.bytes],
    )
    if (slice.count === 0) return { messages: [], complete: rows.length === 0 }
    return { messages: rows.map(archived), complete: (rows[0]?.found ?? 0) <= rows.length }
  }

  async count(
    owner: ArchiveOwner,
    filter: ArchiveFilter,
    { first, most = Number.MAX_SAFE_INTEGER - 1 }: { readonly first?: string; readonly most?: number } = {},
  ): Promise<{ count: number; index: number } | undefined> {
    if (filter.sift) return this.#countSifted(owner, filter, first, most)
    const { name, condition, values } = whereOf(owner, filter)
    const [before, limit] = [1, 2].map((i) => `$${values.length + i}`)
    const [row] = await this.#database.query<{ count: number; index: number }>(
      `archive.count.${name}`,
      `SELECT count(*) AS count, count(*) FILTER (WHERE id < ${before}::uuid) AS index
         FROM (SELECT id FROM archive WHERE ${condition} LIMIT ${limit}::bigint + 1) AS counted`,
      [...values, first ?? firstOf(0), most],
    )
    return row && row.count <= most ? row : undefined
  }

  async find(owner: ArchiveOwner, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#database.query<{ asked: string; id: string }>(
      'archive.find',
      `SELECT id AS asked, id FROM archive WHERE owner = $1 AND id = ANY($2::uuid[])
        UNION ALL
       SELECT alias, a.id FROM archive_aliases AS known JOIN archive AS a USING (owner, id)
        WHERE known.owner = $1 AND alias = ANY($2::uuid[])`,
      [owner, ids],
    )
    return new Map(rows.map(({ asked, id }) => [asked, id]))
  }

  async replace(owner: ArchiveOwner, id: string, stanza: string): Promise<void> {
    const sql = 'UPDATE archive SET stanza = $3 WHERE owner = $1 AND id = $2'
    await this.#database.query('archive.replace', sql, [owner, id, stanza], { repeatable: true })
  }

  async remove(owner: ArchiveOwner, before?: number): Promise<number> {
    await this.settled()
    const end = before === undefined ? undefined : firstOf(before)
    let removed = 0
    for (;;) {
      const [row] = await this.#database.query<{ count: number }>(
        'archive.remove',
        `WITH gone AS (DELETE FROM archive WHERE owner = $1 AND id IN (
            SELECT id FROM archive WHERE owner = $1 AND ($2::uuid IS NULL OR id < $2)
              ORDER BY id LIMIT ${removedAtOnce}) RETURNING 1)
         SELECT count(*) AS count FROM gone`,
        [owner, end],
        { repeatable: true },
      )
      removed += row?.count ?? 0
      if ((row?.count ?? 0) < removedAtOnce) return removed
    }
  }

  keep(domain: string, ms: number): void {
    this.#months.keep(domain, ms)
  }

  keepOf(owner: ArchiveOwner, ms: number): Promise<void> {
    return this.#months.keepOf(owner, ms)
  }

  /** Removes what accounts and rooms that are gone have left, and what nobody keeps; also done now and then. */
  tend(): Promise<void> {
    return this.#months.tend()
  }

  /** Writes what waits; `add` throws from now on. */
  async close(): Promise<void> {
    this.#closed = true
    this.#months.end()
    await this.#batcher.drain()
  }

  /** The message that the row belongs to, on its way to the database. */
  #messageOf(token: object, row: Row): Message {
    const last = this.#last
    if (last?.token === token && !last.isTaken) {
      last.rows.push(row)
      return last
    }
    // Counted twice from the start: most messages stand in two archives.
    const bytes = 2 * Buffer.byteLength(row.stanza)
    const message: Message = { token, rows: [row], bytes, isTaken: false, written: nothing }
    const written = this.#batcher.add(message)
    if (written === 'full') throw new StorageUnavailable('too many archived messages wait to be written')
    message.written = written
    // Who wants to know of a failure has the promise too.
    written.catch(() => undefined)
    this.#last = message
    return message
  }

  /** Keeps at it while the database is away for a moment: rows that are there already are not written again. */
  async #write(messages: readonly Message[]): Promise<void[]> {
    // A message on its way through the gates right now is added to the archive of its recipient first.
    await nothing
    for (const message of messages) message.isTaken = true
    const rows = messages.flatMap((message) => message.rows)
    const end = this.#clock.now() + patience
    for (let grown = false; ;) {
      try {
        await this.#insert(rows)
        return messages.map(() => undefined)
      } catch (error) {
        if (!(error instanceof StorageUnavailable)) {
          // No partition for a row: the job that makes them has not run yet.
          if (grown) throw error
          grown = true
          await this.#months.make(rows.map(({ id }) => momentOf(id)))
        } else if (this.#closed || this.#clock.now() >= end) throw error
        else await pause(this.#clock, tryEvery)
      }
    }
  }

  async restore(messages: readonly RestoredMessage[]): Promise<void> {
    const rows = messages.map((message): Row => ({ ...message, origin: undefined }))
    if (rows.length === 0) return
    await this.#months.make(rows.map(({ id }) => momentOf(id)))
    await this.#insert(rows)
  }

  async #insert(rows: readonly Row[]): Promise<void> {
    const columns = columnsOf(rows)
    if (rows.every(({ origin }) => origin === undefined)) {
      await this.#database.query('archive.append', append, columns, { repeatable: true })
      return
    }
    const known = await this.#database.query<{ id: string; original: string }>(
      'archive.append-new',
      appendNew,
      [
        ...columns,
        bigints(rows.map(({ origin }) => origin)),
        booleans(rows.map(({ isNew }) => isNew === true)),
        firstOf(this.#clock.now() - originsKept),
      ],
      { repeatable: true },
    )
    for (const { id, original } of known) {
      const row = rows.find((one) => one.id === id)
      if (row?.origin !== undefined) this.#origins.set(row.owner, row.origin, original)
    }
  }

  async #removeAll(owner: ArchiveOwner): Promise<void> {
    await this.remove(owner)
    await this.#months.keepOf(owner, Infinity)
    const sql = 'DELETE FROM archive_aliases WHERE owner = $1'
    await this.#database.query('archive.forget', sql, [owner], { repeatable: true })
  }

  async #sifted(owner: ArchiveOwner, filter: ArchiveFilter, slice: ArchiveSlice): Promise<ArchivePage> {
    const { skip = 0, count, bytes } = slice
    const found: Archived[] = []
    let passed = 0
    let size = 0
    for await (const message of this.#search(owner, filter, slice.from)) {
      if (passed++ < skip) continue
      size += Buffer.byteLength(message.stanza)
      if (found.length === count || (found.length > 0 && size > bytes))
        return { messages: inOrder(found, slice), complete: false }
      found.push(message)
    }
    return { messages: inOrder(found, slice), complete: true }
  }

  async #countSifted(owner: ArchiveOwner, filter: ArchiveFilter, first = '', most = Infinity) {
    let [count, index] = [0, 0]
    for await (const { id } of this.#search(owner, filter, 'start')) {
      if (++count > most) return undefined
      if (id < first) index++
    }
    return { count, index }
  }

  /** Those that pass the sift, in parts small enough that no statement takes long. */
  async *#search(
    owner: ArchiveOwner,
    filter: ArchiveFilter,
    from: ArchiveSlice['from'],
  ): AsyncGenerator<Archived, void, void> {
    const { sift } = filter
    if (!sift) return
    for await (const part of partsOf(this.#database, owner, filter, from)) {
      for (const row of part) if (sift.test(row.stanza)) yield archived(row)
    }
  }
}

const nothing: Promise<void> = Promise.resolve()

function archived({ id, peer, resource, stanza }: Found): Archived {
  return { id, with: peer, resource, stanza, at: momentOf(id) }
}

function inOrder(found: readonly Archived[], { from }: ArchiveSlice): readonly Archived[] {
  return from === 'start' ? found : found.toReversed()
}

/** The rows by columns. What both sides keep is mostly the same text: it is sent once, and found by its place. */
function columnsOf(rows: readonly Row[]): unknown[] {
  const stanzas: string[] = []
  let last = ''
  const places = rows.map(({ stanza }) => {
    if (stanza !== last || stanzas.length === 0) stanzas.push((last = stanza))
    return stanzas.length
  })
  return [
    int8s(rows.map(({ owner }) => owner)),
    uuids(rows.map(({ id }) => id)),
    booleans(rows.map(({ groupchat }) => groupchat)),
    texts(rows.map((row) => row.with)),
    texts(rows.map(({ resource }) => resource)),
    int4s(places),
    texts(stanzas),
  ]
}

const stanzas = 'unnest($7::text[]) WITH ORDINALITY AS stanzas (stanza, place)'

/** What is there already was written by an attempt that got no answer. */
const append = `
  INSERT INTO archive (owner, id, groupchat, peer, resource, stanza)
    SELECT owner, id, groupchat, peer, resource, stanza
      FROM unnest($1::bigint[], $2::uuid[], $3::boolean[], $4::text[], $5::text[], $6::integer[])
        AS new (owner, id, groupchat, peer, resource, place) JOIN ${stanzas} USING (place)
    ON CONFLICT (owner, id) DO NOTHING`

/** The same for rows with origins: one that its sender has sent before is not written, and known by its second id. */
const appendNew = `
  WITH new AS MATERIALIZED (
    SELECT owner, id, groupchat, peer, resource, stanza, origin, other
      FROM unnest($1::bigint[], $2::uuid[], $3::boolean[], $4::text[], $5::text[], $6::integer[], $8::bigint[],
          $9::boolean[]) AS new (owner, id, groupchat, peer, resource, place, origin, other)
        JOIN ${stanzas} USING (place)),
  known AS MATERIALIZED (
    SELECT new.owner, new.id, (
        SELECT old.id FROM archive AS old
          WHERE old.owner = new.owner AND old.origin = new.origin AND old.id > $10::uuid AND old.id < new.id
          ORDER BY old.id LIMIT 1) AS original
      FROM new WHERE new.origin IS NOT NULL AND NOT new.other),
  aliased AS (
    INSERT INTO archive_aliases (owner, alias, id)
      SELECT owner, id, original FROM known WHERE original IS NOT NULL ON CONFLICT (owner, alias) DO NOTHING),
  stored AS (
    INSERT INTO archive (owner, id, groupchat, peer, resource, stanza, origin)
      SELECT owner, id, groupchat, peer, resource, stanza, origin FROM new WHERE NOT EXISTS (
        SELECT FROM known WHERE known.original IS NOT NULL AND known.owner = new.owner AND known.id = new.id)
      ON CONFLICT (owner, id) DO NOTHING)
  SELECT id, original FROM known WHERE original IS NOT NULL`
