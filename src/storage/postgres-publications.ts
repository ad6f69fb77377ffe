/** Publications to PostgreSQL, gathered: what is published at the same time is stored by one statement. */
import { Batcher } from '../base/batch.js'
import type { Clock } from '../base/clock.js'
import { Turns } from '../base/turns.js'
import type { Database } from './database.js'
import { StorageUnavailable } from './errors.js'
import type { ItemRecord, Published, Room } from './pubsub.js'

interface Publication {
  readonly node: number
  readonly items: readonly ItemRecord[]
  readonly room: Room
}

interface Verdict extends Record<string, unknown> {
  node: number
  crowded: boolean
  excess: boolean
  trimmed: string[] | null
}

export class Publications {
  readonly #batcher: Batcher<Publication, Published>
  /** One at a time for each node, so that a statement need not know what came before within it. */
  readonly #turns = new Turns()
  #closed = false

  constructor(database: Database, clock: Clock) {
    this.#batcher = new Batcher<Publication, Published>({
      clock,
      keyOf: ({ node }) => node,
      bytesOf: ({ items }) => items.reduce((bytes, { payload }) => bytes + payload.length, 0),
      mayRepeat: (error) => error instanceof StorageUnavailable,
      write: (publications) => write(database, publications),
    })
  }

  add(node: number, items: readonly ItemRecord[], room: Room): Promise<Published> {
    return this.#turns.take(String(node), async () => {
      if (this.#closed) throw new StorageUnavailable('the pubsub store is closed')
      const added = this.#batcher.add({ node, items, room })
      if (added === 'full') throw new StorageUnavailable('too many items wait to be written')
      return added
    })
  }

  /** Writes what waits. */
  close(): Promise<void> {
    this.#closed = true
    return this.#batcher.drain()
  }
}

async function write(database: Database, publications: readonly Publication[]): Promise<Published[]> {
  const given = publications.flatMap(({ node, items }) => items.map((item) => ({ node, ...item })))
  const rows = await database.query<Verdict>(
    'pubsub.publish',
    // Every part sees the items as they were before: what is replaced counts neither for the room nor for the bytes.
    `WITH given AS (
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[])
          WITH ORDINALITY AS g (node, id, publisher, at, payload, place)),
      target AS (
        SELECT n.id AS node, n.service, r.items, r.bytes, r.refuse
          FROM unnest($6::bigint[], $7::bigint[], $8::bigint[], $9::boolean[]) AS r (node, items, bytes, refuse)
          JOIN pubsub_nodes n ON n.id = r.node ORDER BY n.id FOR UPDATE OF n),
      others AS (
        SELECT i.node, i.id, i.serial, row_number() OVER (PARTITION BY i.node ORDER BY i.serial DESC) AS age
          FROM target t JOIN pubsub_items i ON i.node = t.node
          WHERE NOT EXISTS (SELECT FROM given g WHERE g.node = i.node AND g.id = i.id)),
      verdict AS (
        SELECT t.node, t.items, new.count,
            t.refuse AND (SELECT count(*) FROM others o WHERE o.node = t.node) + new.count > t.items AS crowded,
            new.bytes + (
              SELECT coalesce(sum(i.bytes), 0) FROM pubsub_nodes n JOIN pubsub_items i ON i.node = n.id
                WHERE n.service = t.service
                  AND NOT EXISTS (SELECT FROM given g WHERE g.node = t.node AND g.node = i.node AND g.id = i.id)
            ) > t.bytes AS excess
          FROM target t CROSS JOIN LATERAL (
            SELECT count(*) AS count, coalesce(sum(octet_length(g.payload)), 0) AS bytes
              FROM given g WHERE g.node = t.node) new),
      stored AS (
        INSERT INTO pubsub_items (node, id, publisher, at, bytes, payload)
          SELECT g.node, g.id, g.publisher, to_timestamp(g.at::float8 / 1000), octet_length(g.payload), g.payload
            FROM given g JOIN verdict v ON v.node = g.node AND NOT v.excess AND NOT v.crowded ORDER BY g.place
          ON CONFLICT (node, id) DO UPDATE SET serial = EXCLUDED.serial, publisher = EXCLUDED.publisher,
            at = EXCLUDED.at, bytes = EXCLUDED.bytes, payload = EXCLUDED.payload),
      trimmed AS (
        DELETE FROM pubsub_items i USING others o JOIN verdict v ON v.node = o.node
          WHERE i.node = o.node AND i.serial = o.serial AND NOT v.excess AND NOT v.crowded
            AND o.age > greatest(0, v.items - v.count)
          RETURNING i.node, i.id, i.serial)
      SELECT v.node, v.crowded, v.excess,
        (SELECT array_agg(t.id ORDER BY t.serial) FROM trimmed t WHERE t.node = v.node) AS trimmed FROM verdict v`,
    [
      given.map(({ node }) => node),
      given.map(({ id }) => id),
      given.map(({ publisher }) => publisher),
      given.map(({ at }) => at),
      given.map(({ payload }) => payload),
      publications.map(({ node }) => node),
      publications.map(({ room }) => room.items),
      publications.map(({ room }) => room.bytes),
      publications.map(({ room }) => room.whenFull === 'refuse'),
    ],
    { repeatable: true },
  )
  const verdicts = new Map(rows.map((row) => [row.node, row]))
  return publications.map(({ node }) => {
    const verdict = verdicts.get(node)
    if (!verdict) return 'gone'
    if (verdict.crowded) return 'items'
    return verdict.excess ? 'bytes' : { trimmed: verdict.trimmed ?? [] }
  })
}
