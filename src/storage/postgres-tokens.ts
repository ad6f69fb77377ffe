/** Tokens of clients in PostgreSQL. */
import type { Database } from './database.js'
import { tokenClients, type NewToken, type StoredToken, type TokenClient, type TokenStore } from './tokens.js'

interface TokenRow extends StoredToken, Record<string, unknown> {}

interface ListedRow extends TokenRow {
  id: string
  software: string | null
  device: string | null
}

const columns = `seed, mechanism, (extract(epoch FROM issued_at) * 1000)::bigint AS "issuedAt",
  (extract(epoch FROM expires_at) * 1000)::bigint AS "expiresAt", used, count`

export class PostgresTokens implements TokenStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async of(account: number, client: string): Promise<readonly StoredToken[]> {
    return this.#database.query<TokenRow>(
      'tokens.of',
      `SELECT ${columns} FROM tokens WHERE account = $1 AND client = $2 ORDER BY used`,
      [account, client],
    )
  }

  async issue(account: number, client: TokenClient, token: NewToken): Promise<boolean> {
    return this.#database.transaction(
      async (transaction) => {
        // One at a time of an account, and none of one that is being removed or gets a new password.
        const [there] = await transaction.query(
          'tokens.lock',
          'SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE',
          [account],
        )
        if (!there) return false
        await transaction.query(
          'tokens.room',
          `DELETE FROM tokens WHERE account = $1 AND (
            (client = $2 AND NOT used) OR expires_at <= to_timestamp($3::float8 / 1000) OR client IN (
              SELECT client FROM tokens WHERE account = $1 AND client <> $2
                GROUP BY client ORDER BY max(expires_at) DESC OFFSET $4))`,
          [account, client.id, token.issuedAt, tokenClients - 1],
        )
        await transaction.query(
          'tokens.issue',
          `INSERT INTO tokens (account, client, seed, mechanism, software, device, issued_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, to_timestamp($7::float8 / 1000), to_timestamp($8::float8 / 1000))`,
          [
            account,
            client.id,
            token.seed,
            token.mechanism,
            client.software ?? null,
            client.device ?? null,
            token.issuedAt,
            token.expiresAt,
          ],
        )
        return true
      },
      { repeatable: true },
    )
  }

  async use(account: number, client: string, seed: Buffer, count?: number): Promise<boolean> {
    const rows = await this.#database.query(
      'tokens.use',
      `WITH shown AS (
          UPDATE tokens SET used = true, count = coalesce($4, count)
            WHERE account = $1 AND client = $2 AND seed = $3 AND ($4::integer IS NULL OR count < $4)
            RETURNING expires_at),
        before AS (
          DELETE FROM tokens WHERE account = $1 AND client = $2 AND seed <> $3
            AND expires_at <= (SELECT expires_at FROM shown))
        SELECT 1 FROM shown`,
      [account, client, seed, count ?? null],
      // Repeated with a counter it would refuse itself.
      { repeatable: count === undefined },
    )
    return rows.length > 0
  }

  async revoke(account: number, client?: string): Promise<number> {
    const [row] = await this.#database.query<{ clients: number }>(
      'tokens.revoke',
      `WITH gone AS (DELETE FROM tokens WHERE account = $1 AND ($2::text IS NULL OR client = $2) RETURNING client)
        SELECT count(DISTINCT client) AS clients FROM gone`,
      [account, client ?? null],
      { repeatable: true },
    )
    return row?.clients ?? 0
  }

  async list(account: number): Promise<readonly (TokenClient & StoredToken)[]> {
    const rows = await this.#database.query<ListedRow>(
      'tokens.list',
      `SELECT client AS id, software, device, ${columns} FROM tokens WHERE account = $1 ORDER BY issued_at DESC`,
      [account],
    )
    return rows.map((row) => ({
      ...row,
      software: row.software ?? undefined,
      device: row.device ?? undefined,
    }))
  }
}
