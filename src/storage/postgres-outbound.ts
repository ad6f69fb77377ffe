/** Outbound messages in PostgreSQL: appended and removed in batches. */
import { Batcher } from '../base/batch.js'
import type { Clock } from '../base/clock.js'
import type { Random } from '../base/random.js'
import type { Database } from './database.js'
import { StorageUnavailable } from './errors.js'
import type { OutboundMessage, OutboundStore, StoredOutbound } from './outbound.js'

interface NewMessage extends OutboundMessage {
  readonly bytes: number
  /** Tells after a broken connection whether the message had been written. */
  readonly tag: number
}

/** Milliseconds that a removal waits for company: nobody waits for it. */
const removalDelay = 100

export class PostgresOutbound implements OutboundStore {
  readonly #database: Database
  readonly #appending: Batcher<NewMessage, number>
  readonly #removing: Batcher<number, true>
  #nextTag: number
  #closed = false

  constructor(database: Database, { clock, random }: { clock: Clock; random: Random }) {
    this.#database = database
    // 48 random bits and then one by one: below 2^53, and never the tag of another process.
    this.#nextTag = random.bytes(6).readUIntBE(0, 6)
    const mayRepeat = (error: unknown) => error instanceof StorageUnavailable
    this.#appending = new Batcher<NewMessage, number>({
      clock,
      keyOf: ({ sender, target }) => `${sender} ${target}`,
      bytesOf: ({ bytes }) => bytes,
      mayRepeat,
      write: (rows) => write(database, rows),
    })
    this.#removing = new Batcher<number, true>({
      clock,
      delay: removalDelay,
      rows: 1000,
      queueRows: 1_000_000,
      keyOf: (id) => id,
      bytesOf: () => 8,
      mayRepeat,
      write: (ids) => remove(database, ids),
    })
  }

  async append(message: OutboundMessage): Promise<number> {
    if (this.#closed) throw new StorageUnavailable('the outbound store is closed')
    // One such text would make PostgreSQL refuse the whole batch. XML cannot hold it.
    if (message.stanza.includes('\0')) throw new RangeError('a stanza cannot hold U+0000')
    const bytes = Buffer.byteLength(message.stanza)
    const added = this.#appending.add({ ...message, bytes, tag: this.#nextTag++ })
    if (added === 'full') throw new StorageUnavailable('too many outbound messages wait to be written')
    return added
  }

  async remove(id: number): Promise<void> {
    if (this.#closed) throw new StorageUnavailable('the outbound store is closed')
    const added = this.#removing.add(id)
    if (added === 'full') throw new StorageUnavailable('too many outbound messages wait to be removed')
    await added
  }

  read(after: number, limit: number): Promise<StoredOutbound[]> {
    return this.#database.query<StoredOutbound & Record<string, unknown>>(
      'outbound.read',
      `SELECT id, sender, target, stanza, (extract(epoch FROM at) * 1000)::bigint AS at FROM outbound
        WHERE id > $1 ORDER BY id LIMIT $2`,
      [after, limit],
    )
  }

  /** Writes and removes what waits; both reject from now on. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#appending.drain()
    await this.#removing.drain()
  }
}

/**
 * Twice is as good as once: a first attempt that is still running is waited for at its tags. Ids are drawn in the order
 * of the rows, and batches of one pair come one after the other.
 */
async function write(database: Database, rows: readonly NewMessage[]): Promise<number[]> {
  const tags = rows.map(({ tag }) => tag)
  let written = await database.query<{ id: number; tag: number }>(
    'outbound.append',
    `INSERT INTO outbound (tag, sender, target, at, stanza)
       SELECT new.tag, new.sender, new.target, to_timestamp(new.at / 1000), new.stanza
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::float8[], $5::text[])
           WITH ORDINALITY AS new (tag, sender, target, at, stanza, place)
         ORDER BY new.place
       ON CONFLICT (tag) DO NOTHING RETURNING id, tag`,
    [
      tags,
      rows.map(({ sender }) => sender),
      rows.map(({ target }) => target),
      rows.map(({ at }) => at),
      rows.map(({ stanza }) => stanza),
    ],
    { repeatable: true },
  )
  if (written.length < rows.length) {
    const sql = 'SELECT id, tag FROM outbound WHERE tag = ANY($1::bigint[])'
    written = await database.query('outbound.ids', sql, [tags])
  }
  const ids = new Map(written.map(({ id, tag }) => [tag, id]))
  return tags.map((tag) => ids.get(tag)!)
}

async function remove(database: Database, ids: readonly number[]): Promise<true[]> {
  await database.query('outbound.remove', 'DELETE FROM outbound WHERE id = ANY($1::bigint[])', [ids], {
    repeatable: true,
  })
  return ids.map(() => true)
}
