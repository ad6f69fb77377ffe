/** The months of the archive in PostgreSQL: made ahead of their time, dropped when nobody keeps them any longer. */
import type { Clock, Timer } from '../base/clock.js'
import { firstOf } from './archive-ids.js'
import type { Database, Transaction } from './database.js'

/** Months made ahead of the present one. */
const ahead = 2
/** Milliseconds between looks, and before the next one after a failure. */
const every = 6 * 60 * 60 * 1000
const againAfter = 60_000
/** Key of the advisory lock that one maker of months at a time holds. */
const lockKey = 0x617263686976
/** Accounts whose messages are removed together, and messages removed at a time. */
const accountsAtOnce = 500
const removedAtOnce = 2000

interface Month {
  readonly name: string
  /** Milliseconds since 1970: from the first up to the second. */
  readonly start: number
  readonly end: number
}

export class ArchiveMonths {
  readonly #database: Database
  readonly #clock: Clock
  readonly #removeAll: (owner: number) => Promise<void>
  /** Milliseconds for which messages are kept, by domain. */
  readonly #keeps = new Map<string, number>()
  #timer: Timer | undefined
  #tending: Promise<void> | undefined
  /** Asked for while it was under way. */
  #again = false
  #ended = false
  rows = 0
  tendedAt = 0

  /** `removeAll` removes what is left of an account that is gone. */
  constructor(database: Database, clock: Clock, removeAll: (owner: number) => Promise<void>) {
    this.#database = database
    this.#clock = clock
    this.#removeAll = removeAll
  }

  begin(): void {
    void this.tend()
  }

  end(): void {
    this.#ended = true
    this.#timer?.cancel()
  }

  keep(domain: string, ms: number): void {
    this.#keeps.set(domain, ms)
  }

  /** Makes what will be needed and removes what nobody keeps; a failure leaves it to the next time. One at a time. */
  async tend(): Promise<void> {
    if (this.#tending) this.#again = true
    this.#tending ??= this.#tendAll().finally(() => (this.#tending = undefined))
    return this.#tending
  }

  async #tendAll(): Promise<void> {
    do {
      this.#again = false
      await this.#tend()
    } while (this.#again && !this.#ended)
  }

  async #tend(): Promise<void> {
    this.#timer?.cancel()
    let pause = every
    try {
      const now = this.#clock.now()
      await this.make(Array.from({ length: ahead + 1 }, (_, i) => monthAfter(now, i)))
      await this.#removeAccounts()
      await this.#expire(now)
      await this.#count()
      this.tendedAt = this.#clock.now()
    } catch {
      // The database is away or busy.
      pause = againAfter
    }
    if (!this.#ended) this.#timer = this.#clock.after(pause, () => void this.tend())
  }

  /** The months of these moments, if they are not there. Rejects with StorageUnavailable. */
  async make(moments: readonly number[]): Promise<void> {
    const months = new Map(moments.map(monthOf).map((month) => [month.name, month]))
    await this.#database.transaction(
      async (transaction) => {
        await transaction.query('archive.lock-months', 'SELECT pg_advisory_xact_lock($1)', [lockKey])
        for (const month of months.values()) await makeMonth(transaction, month)
      },
      { repeatable: true },
    )
  }

  /** What accounts that are gone have left, if nobody has removed it yet. */
  async #removeAccounts(): Promise<void> {
    for (;;) {
      const sql = 'SELECT owner FROM archive_removals LIMIT 1'
      const [row] = await this.#database.query<{ owner: number }>('archive.removals', sql)
      if (!row || this.#ended) return
      await this.#removeAll(row.owner)
      const done = 'DELETE FROM archive_removals WHERE owner = $1'
      await this.#database.query('archive.removed', done, [row.owner], { repeatable: true })
    }
  }

  async #expire(now: number): Promise<void> {
    for (const month of await this.#all()) {
      if (month.end > now || this.#ended) continue
      const expired = [...this.#keeps].filter(([, ms]) => month.end <= now - ms).map(([domain]) => domain)
      if (expired.length === 0) continue
      if (await this.#isWanted(month, expired)) await this.#removeFrom(month, expired)
      else await this.#drop(month)
    }
  }

  /** Whether somebody has messages in it who keeps them: of other domains, or no account (rooms). */
  async #isWanted(month: Month, expired: readonly string[]): Promise<boolean> {
    const rows = await this.#database.query(
      `archive.is-wanted.${month.name}`,
      `SELECT 1 FROM ${month.name} AS a LEFT JOIN accounts AS c ON c.id = a.owner
        WHERE a.owner < 0 OR c.domain <> ALL($1::text[]) LIMIT 1`,
      [expired],
    )
    return rows.length > 0
  }

  /** Waits for nobody: who reads or writes the archive would wait behind us. */
  async #drop(month: Month): Promise<void> {
    await this.#database.transaction(
      (transaction) =>
        transaction.script(`SET LOCAL lock_timeout = '300ms'; DROP TABLE IF EXISTS ${month.name}`),
      { repeatable: true },
    )
  }

  /** Others keep the month: only the messages of these domains go, some at a time. */
  async #removeFrom(month: Month, domains: readonly string[]): Promise<void> {
    for (let after = 0; !this.#ended;) {
      const accounts = await this.#database.query<{ id: number }>(
        'archive.accounts',
        `SELECT id FROM accounts WHERE domain = ANY($1::text[]) AND id > $2 ORDER BY id LIMIT ${accountsAtOnce}`,
        [domains, after],
      )
      const ids = accounts.map(({ id }) => id)
      for (let removed = removedAtOnce; removed === removedAtOnce && !this.#ended;) {
        const gone = await this.#database.query(
          `archive.expire.${month.name}`,
          `DELETE FROM ${month.name} WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM ${month.name} WHERE owner = ANY($1::bigint[]) LIMIT ${removedAtOnce})) RETURNING 1`,
          [ids],
          { repeatable: true },
        )
        removed = gone.length
      }
      if (ids.length < accountsAtOnce) return
      after = ids.at(-1)!
    }
  }

  async #all(): Promise<Month[]> {
    const rows = await this.#database.query<{ name: string }>(
      'archive.months',
      `SELECT c.relname AS name FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid
        WHERE inhparent = 'archive'::regclass ORDER BY 1`,
    )
    return rows.map(({ name }) => {
      const [, year, month] = /^archive_(\d+)_(\d\d)$/.exec(name)!.map(Number)
      return monthOf(Date.UTC(year!, month! - 1))
    })
  }

  async #count(): Promise<void> {
    const [row] = await this.#database.query<{ count: number }>(
      'archive.size',
      `SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint AS count
         FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid WHERE inhparent = 'archive'::regclass`,
    )
    this.rows = row?.count ?? 0
  }
}

/** Attached when it is complete: that locks nobody out who reads or writes other months. */
async function makeMonth(transaction: Transaction, { name, start, end }: Month): Promise<void> {
  const sql = 'SELECT to_regclass($1) IS NOT NULL AS there'
  const [row] = await transaction.query<{ there: boolean }>('archive.has-month', sql, [name])
  if (row?.there) return
  await transaction.script(`
    CREATE TABLE ${name} (LIKE archive INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
    ALTER TABLE archive ATTACH PARTITION ${name} FOR VALUES FROM ('${firstOf(start)}') TO ('${firstOf(end)}');
  `)
}

function monthOf(moment: number): Month {
  const date = new Date(moment)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  return {
    name: `archive_${year}_${String(month + 1).padStart(2, '0')}`,
    start: Date.UTC(year, month),
    end: Date.UTC(year, month + 1),
  }
}

function monthAfter(moment: number, months: number): number {
  const date = new Date(moment)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months)
}
