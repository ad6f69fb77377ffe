/** Rosters in PostgreSQL. */
import type { Database } from './database.js'
import type { RosterItem, RosterStore } from './rosters.js'

interface ItemRow extends Record<string, unknown> {
  version: number
  /** Null in the one row of a roster without items. */
  jid: string | null
  name: string
  subscription: RosterItem['subscription']
  ask: boolean
  approved: boolean
  groups: string[]
  request: string | null
  hidden: boolean
}

export class PostgresRosters implements RosterStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async load(account: number): Promise<{ version: number; items: RosterItem[] }> {
    const rows = await this.#database.query<ItemRow>(
      'rosters.load',
      `SELECT r.version, i.jid, i.name, i.subscription, i.ask, i.approved, i.groups, i.request, i.hidden
         FROM rosters r LEFT JOIN roster_items i ON i.account = r.account
        WHERE r.account = $1 ORDER BY i.jid`,
      [account],
    )
    const items: RosterItem[] = []
    for (const { jid, name, subscription, ask, approved, groups, request, hidden } of rows) {
      if (jid === null) continue
      items.push({ jid, name, subscription, ask, approved, groups, request: request ?? undefined, hidden })
    }
    return { version: rows[0]?.version ?? 0, items }
  }

  // Repeatable: a version that was skipped harms nobody.
  async put(account: number, item: RosterItem): Promise<number> {
    const { jid, name, subscription, ask, approved, groups, request, hidden } = item
    const [row] = await this.#database.query<{ version: number }>(
      'rosters.put',
      `WITH counted AS (
        INSERT INTO rosters (account, version) VALUES ($1, 1)
          ON CONFLICT (account) DO UPDATE SET version = rosters.version + 1 RETURNING account, version
      ), stored AS (
        INSERT INTO roster_items (account, jid, name, subscription, ask, approved, groups, request, hidden)
          SELECT account, $2, $3, $4, $5, $6, $7, $8, $9 FROM counted
          ON CONFLICT (account, jid) DO UPDATE SET name = EXCLUDED.name, subscription = EXCLUDED.subscription,
            ask = EXCLUDED.ask, approved = EXCLUDED.approved, groups = EXCLUDED.groups,
            request = EXCLUDED.request, hidden = EXCLUDED.hidden
      )
      SELECT version FROM counted`,
      [account, jid, name, subscription, ask, approved, groups, request ?? null, hidden],
      { repeatable: true },
    )
    return row!.version
  }

  async remove(account: number, jid: string): Promise<number> {
    const [row] = await this.#database.query<{ version: number }>(
      'rosters.remove',
      `WITH gone AS (
        DELETE FROM roster_items WHERE account = $1 AND jid = $2 RETURNING account
      ), counted AS (
        UPDATE rosters SET version = version + 1 WHERE account IN (SELECT account FROM gone) RETURNING version
      )
      SELECT coalesce((SELECT version FROM counted), (SELECT version FROM rosters WHERE account = $1), 0) AS version`,
      [account, jid],
      { repeatable: true },
    )
    return row!.version
  }
}
