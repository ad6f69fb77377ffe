/** Blocked domains in PostgreSQL. */
import type { Block, BlockStore } from './blocks.js'
import type { Database } from './database.js'

interface BlockRow extends Record<string, unknown> {
  domain: string
  reason: string
  since: number
  expires: number | null
}

export class PostgresBlocks implements BlockStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async all(): Promise<Block[]> {
    const rows = await this.#database.query<BlockRow>(
      'blocks.all',
      `SELECT domain, reason, (extract(epoch FROM since) * 1000)::bigint AS since,
              (extract(epoch FROM expires) * 1000)::bigint AS expires
         FROM blocks ORDER BY domain`,
    )
    return rows.map(({ domain, reason, since, expires }) => ({
      domain,
      reason,
      since,
      expires: expires ?? undefined,
    }))
  }

  async put({ domain, reason, since, expires }: Block): Promise<void> {
    await this.#database.query(
      'blocks.put',
      `INSERT INTO blocks (domain, reason, since, expires)
        VALUES ($1, $2, to_timestamp($3::float8 / 1000), to_timestamp($4::float8 / 1000))
        ON CONFLICT (domain) DO UPDATE
          SET reason = EXCLUDED.reason, since = EXCLUDED.since, expires = EXCLUDED.expires`,
      [domain, reason, since, expires ?? null],
      { repeatable: true },
    )
  }

  async remove(domain: string): Promise<boolean> {
    const gone = await this.#database.query(
      'blocks.remove',
      'DELETE FROM blocks WHERE domain = $1 RETURNING domain',
      [domain],
    )
    return gone.length > 0
  }

  async removeExpired(now: number): Promise<void> {
    await this.#database.query(
      'blocks.remove-expired',
      'DELETE FROM blocks WHERE expires <= to_timestamp($1::float8 / 1000)',
      [now],
      { repeatable: true },
    )
  }
}
