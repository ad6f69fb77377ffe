/** The months of the archive in PostgreSQL: made ahead of their time, dropped when nobody keeps them any longer. */
import type { Clock, Timer } from '../base/clock.js'
import type { ArchiveOwner } from './archive.js'
import { firstOf } from './archive-ids.js'
import type { Database, Transaction } from './database.js'

/** Months made ahead of the present one. */
const ahead = 2
/** Milliseconds between looks, and before the next one after a failure. */
const every = 6 * 60 * 60 * 1000
const againAfter = 60_000
/** Key of the advisory lock that one maker of months at a time holds. */
const lockKey = 0x617263686976
/** Archives whose messages are removed together, and messages removed at a time. */
const ownersAtOnce = 500
const removedAtOnce = 2000

interface Month {
  readonly name: string
  /** Milliseconds since 1970: from the first up to the second. */
  readonly start: number
  readonly end: number
}

/** Whose messages of a month go: those of these domains, and of whoever keeps them no longer than `age` milliseconds. */
interface Expired {
  readonly domains: readonly string[]
  readonly age: number
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

  /** `removeAll` removes what is left of an account or room that is gone. */
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

  /** Rejects with StorageUnavailable. */
  async keepOf(owner: ArchiveOwner, ms: number): Promise<void> {
    const [name, sql] =
      ms === Infinity
        ? ['archive.keep-on', 'DELETE FROM archive_terms WHERE owner = $1']
        : [
            'archive.keep-of',
            `INSERT INTO archive_terms (owner, ms) VALUES ($1, $2)
              ON CONFLICT (owner) DO UPDATE SET ms = EXCLUDED.ms`,
          ]
    await this.#database.query(name, sql, ms === Infinity ? [owner] : [owner, ms], { repeatable: true })
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
      await this.#removeGone()
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

  /** What accounts and rooms that are gone have left, if nobody has removed it yet. */
  async #removeGone(): Promise<void> {
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
    const [row] = await this.#database.query<{ ms: number | null }>(
      'archive.shortest-term',
      'SELECT min(ms) AS ms FROM archive_terms',
    )
    const shortest = row?.ms ?? Infinity
    for (const month of await this.#all()) {
      const age = now - month.end
      if (age < 0 || this.#ended) continue
      const domains = [...this.#keeps].filter(([, ms]) => ms <= age).map(([domain]) => domain)
      if (domains.length === 0 && shortest > age) continue
      const expired = { domains, age }
      if (await this.#isWanted(month, expired)) await this.#removeFrom(month, expired)
      else await this.#drop(month)
    }
  }

  /** Whether somebody has messages in it who keeps them. What no account or room owns is nobody's. */
  async #isWanted(month: Month, { domains, age }: Expired): Promise<boolean> {
    const rows = await this.#database.query(
      `archive.is-wanted.${month.name}`,
      `SELECT 1 FROM ${month.name} AS a LEFT JOIN accounts AS c ON c.id = a.owner LEFT JOIN rooms AS r ON r.id = -a.owner
          LEFT JOIN archive_terms AS t ON t.owner = a.owner
        WHERE coalesce(c.domain, r.domain) <> ALL($1::text[]) AND coalesce(t.ms > $2, true) LIMIT 1`,
      [domains, age],
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

  /** Others keep the month: only what nobody keeps goes, some at a time. */
  async #removeFrom(month: Month, { domains, age }: Expired): Promise<void> {
    for (let after = Number.MIN_SAFE_INTEGER; !this.#ended;) {
      const owners = await this.#database.query<{ owner: number }>(
        'archive.expired-owners',
        `SELECT owner FROM (
            SELECT id AS owner, domain FROM accounts UNION ALL SELECT -id AS owner, domain FROM rooms) AS owners
          LEFT JOIN archive_terms AS t USING (owner)
          WHERE (domain = ANY($1::text[]) OR t.ms <= $2) AND owner > $3 ORDER BY owner LIMIT ${ownersAtOnce}`,
        [domains, age, after],
      )
      const ids = owners.map(({ owner }) => owner)
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
      if (ids.length < ownersAtOnce) return
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
