/** Offline messages in PostgreSQL: appended in batches, counted in memory, ordered by ids of the database. */
import { Batcher } from '../base/batch.js'
import type { Clock, Timer } from '../base/clock.js'
import { Lru } from '../base/lru.js'
import type { Random } from '../base/random.js'
import type { Arrival } from '../stanza/arrival.js'
import type { Database, Transaction } from './database.js'
import { StorageUnavailable } from './errors.js'
import { arrivalsKept } from './offline.js'
import type { OfflineLimits, OfflineMessage, OfflineStore } from './offline.js'

interface NewMessage {
  readonly account: number
  readonly stanza: string
  readonly bytes: number
  readonly at: number
  /** Tells after a broken connection whether the message had been written. */
  readonly tag: number
  readonly arrival: Arrival | undefined
}

type Outcome = 'stored' | 'full' | 'known'

/** What an account has stored and has on the way; loaded at its first message. */
class Usage {
  /** While false, messages wait for the count of `#load`: it would not know of those that are put on the way meanwhile. */
  loaded = false
  messages = 0
  bytes = 0
  /** Messages on the way: counted above, perhaps not in the database yet. */
  pending = 0
  /** When the figures last came from the database. */
  loadedAt = 0
  /** Loading and removing, one after the other, so that neither miscounts the other. */
  turn: Promise<unknown> = Promise.resolve()
  idle: (() => void)[] = []

  constructor(readonly account: number) {}
}

/** Accounts whose figures are remembered; more than the batcher holds rows. */
const remembered = 50_000
/** Milliseconds after which arrivals of other days are looked for, and how many are removed then: 500 a second. */
const tidyEvery = 60_000
const tidyAtOnce = 30_000
/** Milliseconds between counts of all messages. */
const recountEvery = 600_000
/** Milliseconds before "full" is checked against the database again. */
const recheckAfter = 1000

export interface PostgresOfflineOptions {
  readonly clock: Clock
  readonly random: Random
  /** Looked at for each message: their owner may change them. */
  readonly limits: OfflineLimits
}

export class PostgresOffline implements OfflineStore {
  readonly #database: Database
  readonly #clock: Clock
  readonly #limits: OfflineLimits
  readonly #batcher: Batcher<NewMessage, Outcome>
  readonly #usages = new Lru<number, Usage>(remembered)
  #nextTag: number
  #tidiedAt: number
  #queued = 0
  #recount: Timer | undefined
  #closed = false

  constructor(database: Database, { clock, random, limits }: PostgresOfflineOptions) {
    this.#database = database
    this.#clock = clock
    this.#limits = limits
    this.#tidiedAt = clock.now()
    // 48 random bits and then one by one: below 2^53, and never the tag of another process.
    this.#nextTag = random.bytes(6).readUIntBE(0, 6)
    this.#batcher = new Batcher<NewMessage, Outcome>({
      clock,
      keyOf: ({ account }) => account,
      bytesOf: ({ bytes }) => bytes,
      mayRepeat: (error) => error instanceof StorageUnavailable,
      write: (rows, again) =>
        again
          ? database.transaction((transaction) => writeAgain(transaction, rows), { repeatable: true })
          : write(database, rows),
    })
    void this.#countAll()
  }

  /** Accounts whose figures are remembered. */
  get remembered(): number {
    return this.#usages.size
  }

  get queued(): number {
    return this.#queued
  }

  async append(account: number, stanza: string, at: number, arrival?: Arrival): Promise<Outcome> {
    if (this.#closed) throw new StorageUnavailable('the offline store is closed')
    // One such text would make PostgreSQL refuse the whole batch. XML cannot hold it.
    if (stanza.includes('\0')) throw new RangeError('a stanza cannot hold U+0000')
    const bytes = Buffer.byteLength(stanza)
    const usage = this.#usageOf(account)
    while (!usage.loaded) await this.#load(usage)
    if (!this.#fits(usage, bytes)) {
      // Another process may have removed messages meanwhile. Who comes while they are counted waits too.
      if (this.#clock.now() - usage.loadedAt >= recheckAfter) usage.loaded = false
      while (!usage.loaded) await this.#load(usage)
      if (!this.#fits(usage, bytes)) return 'full'
    }
    if (arrival) this.#tidy()
    return this.#enqueue(usage, { account, stanza, bytes, at, tag: this.#nextTag++, arrival })
  }

  async read(account: number, after: number, limit: number): Promise<OfflineMessage[]> {
    const usage = this.#usageOf(account)
    // Who comes back to nothing, as most do, costs no query but the first. What is on the way counts as a message. Holds
    // as long as one process writes for an account, as the remembered accounts do.
    if (after === 0 && !usage.loaded) await this.#load(usage)
    if (usage.loaded && usage.messages === 0) return []
    return this.#database.query<{ id: number; stanza: string; at: number }>(
      'offline.read',
      `SELECT id, stanza, (extract(epoch FROM at) * 1000)::bigint AS at FROM offline
        WHERE account = $1 AND id > $2 ORDER BY id LIMIT $3`,
      [account, after, limit],
    )
  }

  removeThrough(account: number, id: number): Promise<void> {
    return this.#remove(account, id)
  }

  async count(account: number): Promise<number> {
    const sql = 'SELECT count(*) AS count FROM offline WHERE account = $1'
    const [row] = await this.#database.query<{ count: number }>('offline.count', sql, [account])
    return row?.count ?? 0
  }

  clear(account: number): Promise<void> {
    return this.#remove(account, Number.MAX_SAFE_INTEGER)
  }

  /** Writes what waits; `append` rejects from now on. */
  async close(): Promise<void> {
    this.#closed = true
    this.#recount?.cancel()
    await this.#batcher.drain()
  }

  async #enqueue(usage: Usage, message: NewMessage): Promise<Outcome> {
    const added = this.#batcher.add(message)
    if (added === 'full') throw new StorageUnavailable('too many offline messages wait to be written')
    usage.messages++
    usage.bytes += message.bytes
    usage.pending++
    let outcome: Outcome | undefined
    try {
      return (outcome = await added)
    } finally {
      if (outcome === 'stored') this.#queued++
      else {
        usage.messages--
        usage.bytes -= message.bytes
      }
      // It failed without saying how far it came, or was there before: only the database knows.
      if (outcome === undefined || outcome === 'known') usage.loaded = false
      if (--usage.pending === 0) for (const resume of usage.idle.splice(0)) resume()
    }
  }

  #fits(usage: Usage, bytes: number): boolean {
    return usage.messages < this.#limits.messages && usage.bytes + bytes <= this.#limits.bytes
  }

  #usageOf(account: number): Usage {
    const known = this.#usages.get(account)
    if (known) return known
    const usage = new Usage(account)
    // One with messages on the way stays. There are fewer of these than places.
    let dropped = this.#usages.set(account, usage)
    while (dropped && dropped.pending > 0) dropped = this.#usages.set(dropped.account, dropped)
    return usage
  }

  /** Counts what is stored, at a moment when nothing is on the way. Callers at the same time share one count. */
  async #load(usage: Usage): Promise<void> {
    await this.#inTurn(usage, async () => {
      if (usage.loaded) return
      while (usage.pending > 0) await new Promise<void>((resolve) => usage.idle.push(resolve))
      const [row] = await this.#database.query<{ messages: number; bytes: number }>(
        'offline.usage',
        `SELECT count(*) AS messages, coalesce(sum(octet_length(stanza)), 0)::bigint AS bytes
           FROM offline WHERE account = $1`,
        [usage.account],
      )
      usage.messages = row?.messages ?? 0
      usage.bytes = row?.bytes ?? 0
      usage.loaded = true
      usage.loadedAt = this.#clock.now()
    })
  }

  async #remove(account: number, through: number): Promise<void> {
    const usage = this.#usageOf(account)
    await this.#inTurn(usage, async () => {
      const [gone] = await this.#database.query<{ messages: number; bytes: number }>(
        'offline.remove',
        `WITH gone AS (
          DELETE FROM offline WHERE account = $1 AND id <= $2 RETURNING octet_length(stanza) AS bytes
        )
        SELECT count(*) AS messages, coalesce(sum(bytes), 0)::bigint AS bytes FROM gone`,
        [account, through],
        { repeatable: true },
      )
      usage.messages -= gone?.messages ?? 0
      this.#queued = Math.max(0, this.#queued - (gone?.messages ?? 0))
      usage.bytes -= gone?.bytes ?? 0
    })
  }

  /** Now and then forgets what arrived long ago; a failure leaves it to the next time. */
  #tidy(): void {
    const now = this.#clock.now()
    if (now - this.#tidiedAt < tidyEvery) return
    this.#tidiedAt = now
    const old = `DELETE FROM arrivals WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM arrivals WHERE at < to_timestamp($1::float8 / 1000) ORDER BY at LIMIT ${tidyAtOnce}))`
    this.#database.query('arrivals.tidy', old, [now - arrivalsKept]).catch(() => undefined)
  }

  /** From time to time, for accounts are removed with their messages, and other processes write too. */
  async #countAll(): Promise<void> {
    try {
      const [row] = await this.#database.query<{ count: number }>(
        'offline.count-all',
        'SELECT count(*) AS count FROM offline',
      )
      this.#queued = row?.count ?? 0
    } catch {
      // The database is away: the figure stays as it was.
    }
    if (!this.#closed) this.#recount = this.#clock.after(recountEvery, () => void this.#countAll())
  }

  #inTurn(usage: Usage, work: () => Promise<void>): Promise<void> {
    const turn = usage.turn.then(work)
    usage.turn = turn.catch(() => {})
    return turn
  }
}

/**
 * The accounts are locked until the commit: a removal waits for us or we do not see the account; and ids of one
 * account, drawn after the lock, become visible in their order, whichever process writes them. So nobody who has read
 * up to an id can remove an unread message below it.
 */
const lockAccounts = `SELECT id FROM accounts WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE`

/**
 * The rows as `new`, those of accounts that are there as `kept`. `isNew` says of a row of `kept` whether it is to be
 * written. A message that was sent again is written only when its key is. Returned are the rows that were not written
 * by their place, and why.
 */
const statement = (held: string, isNew: string) => `
  WITH held AS MATERIALIZED (${held}),
  kept AS (
    SELECT new.* FROM unnest($1::bigint[], $2::bigint[], $3::float8[], $4::text[], $5::bytea[], $6::boolean[])
        WITH ORDINALITY AS new (account, tag, at, stanza, key, resent, place)
      JOIN held ON held.id = new.account),
  fresh AS (
    INSERT INTO arrivals (account, key, at)
      SELECT DISTINCT ON (account, key) account, key, to_timestamp(at / 1000) FROM kept
        WHERE key IS NOT NULL ORDER BY account, key
      ON CONFLICT (account, key) DO NOTHING RETURNING account, key),
  known AS (
    SELECT place, tag FROM kept WHERE resent AND NOT EXISTS (
      SELECT FROM fresh WHERE fresh.account = kept.account AND fresh.key = kept.key)),
  stored AS (
    INSERT INTO offline (account, tag, at, stanza)
      SELECT account, tag, to_timestamp(at / 1000), stanza FROM kept
        WHERE ${isNew} AND NOT (resent AND place IN (SELECT place FROM known)) ORDER BY place)
  SELECT place, 'known' AS outcome FROM known
  UNION ALL
  SELECT place, 'full' FROM unnest($1::bigint[]) WITH ORDINALITY AS new (account, place)
    WHERE account NOT IN (SELECT id FROM held)`

const append = statement(lockAccounts, 'true')
const appendAgain = statement(
  'SELECT id FROM accounts WHERE id = ANY($1::bigint[])',
  'NOT EXISTS (SELECT FROM offline o WHERE o.account = kept.account AND o.tag = kept.tag)',
)

interface Refused extends Record<string, unknown> {
  /** From 1. */
  readonly place: number
  readonly outcome: Outcome
}

async function write(database: Database, rows: readonly NewMessage[]): Promise<Outcome[]> {
  return outcomes(rows, (columns) => database.query<Refused>('offline.append', append, columns))
}

/**
 * After a broken connection: the first attempt may have been committed, or may still be running. The lock waits for
 * it, and only then is it visible which messages are there.
 */
async function writeAgain(transaction: Transaction, rows: readonly NewMessage[]): Promise<Outcome[]> {
  return outcomes(rows, async (columns) => {
    await transaction.query('offline.lock', lockAccounts, [columns[0]])
    return transaction.query<Refused>('offline.append-again', appendAgain, columns)
  })
}

/** Writes the rows but those that repeat one of the same batch. */
async function outcomes(
  rows: readonly NewMessage[],
  run: (columns: unknown[]) => Promise<readonly Refused[]>,
): Promise<Outcome[]> {
  const keys = new Set<string>()
  const repeats = rows.map(({ account, arrival }) => {
    if (!arrival) return false
    const key = `${account} ${arrival.key.toString('latin1')}`
    const isKnown = keys.has(key)
    keys.add(key)
    return isKnown && arrival.resent
  })
  const written = rows.filter((_, i) => !repeats[i])
  const refused = new Map((await run(columnsOf(written))).map(({ place, outcome }) => [place, outcome]))
  let place = 0
  return repeats.map((isRepeat) => (isRepeat ? 'known' : (refused.get(++place) ?? 'stored')))
}

function columnsOf(rows: readonly NewMessage[]): unknown[] {
  return [
    rows.map(({ account }) => account),
    rows.map(({ tag }) => tag),
    rows.map(({ at }) => at),
    rows.map(({ stanza }) => stanza),
    rows.map(({ arrival }) => arrival?.key ?? null),
    rows.map(({ arrival }) => arrival?.resent ?? false),
  ]
}
