/** Parked sessions in PostgreSQL. */
import type { Database } from './database.js'
import type { ParkedSession, ParkedStore, StoredParked } from './parked.js'

/** What one statement writes, in characters of queues and in sessions. */
const atOnce = { length: 4 << 20, count: 200 }

export class PostgresParked implements ParkedStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async save(sessions: readonly ParkedSession[]): Promise<void> {
    let batch: ParkedSession[] = []
    let length = 0
    for (const session of sessions) {
      batch.push(session)
      length += session.queue.length
      if (batch.length < atOnce.count && length < atOnce.length) continue
      await this.#save(batch)
      batch = []
      length = 0
    }
    if (batch.length > 0) await this.#save(batch)
  }

  read(after: string, limit: number): Promise<StoredParked[]> {
    return this.#database.query<StoredParked & Record<string, unknown>>(
      'parked.read',
      `SELECT id, domain, account, (extract(epoch FROM until) * 1000)::bigint AS until, state, queue, claimed AS stale
         FROM parked WHERE id > $1 ORDER BY id LIMIT $2`,
      [after, limit],
    )
  }

  async claim(): Promise<void> {
    const sql = 'UPDATE parked SET claimed = true WHERE NOT claimed'
    await this.#database.query('parked.claim', sql, [], { repeatable: true })
  }

  async remove(ids: readonly string[]): Promise<void> {
    const sql = 'DELETE FROM parked WHERE id = ANY($1::text[])'
    await this.#database.query('parked.remove', sql, [ids], { repeatable: true })
  }

  async #save(sessions: readonly ParkedSession[]): Promise<void> {
    await this.#database.query(
      'parked.save',
      `INSERT INTO parked (id, domain, account, until, state, queue)
         SELECT new.id, new.domain, new.account, to_timestamp(new.until / 1000), new.state, new.queue
           FROM unnest($1::text[], $2::text[], $3::bigint[], $4::float8[], $5::text[], $6::text[])
             AS new (id, domain, account, until, state, queue)
         ON CONFLICT (id) DO UPDATE SET domain = EXCLUDED.domain, account = EXCLUDED.account, until = EXCLUDED.until,
           state = EXCLUDED.state, queue = EXCLUDED.queue, claimed = false`,
      [
        sessions.map(({ id }) => id),
        sessions.map(({ domain }) => domain),
        sessions.map(({ account }) => account),
        sessions.map(({ until }) => until),
        sessions.map(({ state }) => state),
        sessions.map(({ queue }) => queue),
      ],
      { repeatable: true },
    )
  }
}
