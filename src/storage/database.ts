/** The one door to PostgreSQL: a pool, statements prepared by name, transactions, and what happens when it goes away. */
import pg from 'pg'
import type { Clock } from '../base/clock.js'
import { pause } from '../base/clock.js'
import { StorageRefused, StorageUnavailable } from './errors.js'
import { classify, isRefusal, isSilence, reasonOf } from './failure.js'

export { StorageRefused, StorageUnavailable } from './errors.js'

export interface DatabaseOptions {
  /** A `postgres://` URL, or where a socket or server is. */
  readonly connection:
    | string
    | { readonly host: string; readonly port?: number; readonly user: string; readonly database: string }
  readonly clock: Clock
  /** Connections at most, default 10. */
  readonly size?: number
  /** Milliseconds after which the server gives up a statement, default 10,000. */
  readonly statementTimeout?: number
  /** Milliseconds to wait for a connection, default 5,000. */
  readonly connectTimeout?: number
  /** Callers that wait for a free connection at most, default 1,000; more are refused at once. */
  readonly waiting?: number
  /** Told when the database goes away and when it is back; `reason` is for the log. */
  readonly onState?: (state: DatabaseState, reason: string) => void
  /** Told how long each statement took, with the wait for a connection; transactions count as one. */
  readonly onQuery?: (op: string, seconds: number) => void
  /** Told when a caller is refused because too many wait. */
  readonly onBusy?: () => void
}

export type DatabaseState = 'up' | 'down'
export type Row = Record<string, unknown>

export interface Repeat {
  /**
   * Doing it twice has the same effect as once: it is done again when the connection breaks on the way.
   * Default for a query: when it is a plain SELECT; for a transaction: false (then only before its commit).
   */
  readonly repeatable?: boolean
}

/** What a transaction may do. A failed query ends it. */
export interface Transaction {
  query<R extends Row>(name: string, sql: string, values?: readonly unknown[]): Promise<R[]>
  /** Several statements without values and without a time limit: migrations. */
  script(sql: string): Promise<void>
}

/** So that libpq's names in the environment (PGPORT, PGSSLMODE) do not lead away from a socket of ours. */
export const socketDefaults = { port: 5432, ssl: false } as const

const oldest = 15
const attempts = 3
/** While the database is away it is looked for in these intervals. */
const probeDelays = [100, 250, 500, 1000]
/** Beyond the server's own limit, before we give up a connection that has gone silent. */
const silence = 5000
const unlimited = 0x7fffffff
const int8 = 20

export class Database {
  /** Where it is, without the password. */
  readonly address: string
  readonly #options: Required<Omit<DatabaseOptions, 'onState' | 'onQuery' | 'onBusy' | 'connection'>>
  readonly #onState: ((state: DatabaseState, reason: string) => void) | undefined
  readonly #onQuery: ((op: string, seconds: number) => void) | undefined
  readonly #onBusy: (() => void) | undefined
  readonly #pool: pg.Pool
  readonly #counts = { queries: 0, repeats: 0, lost: 0, refused: 0 }
  #state: DatabaseState = 'up'
  #closed = false

  constructor(options: DatabaseOptions) {
    const defaults = { size: 10, statementTimeout: 10_000, connectTimeout: 5000, waiting: 1000 }
    this.#options = { ...defaults, ...options }
    this.#onState = options.onState
    this.#onQuery = options.onQuery
    this.#onBusy = options.onBusy
    const config = this.#config(options.connection)
    this.address = addressOf(config)
    this.#pool = new pg.Pool(config)
    // A connection that breaks while idle: the pool has dropped it already, the next query makes another.
    this.#pool.on('error', () => this.#counts.lost++)
    // One that breaks while in use: the query that waits on it rejects, but the event must have a listener too.
    this.#pool.on('connect', (client) => client.on('error', () => {}))
  }

  /** 'down' from the first failure to connect until a connection works again; meanwhile queries fail at once. */
  get state(): DatabaseState {
    return this.#state
  }

  /** For metrics: counters since the start, and gauges of the pool. */
  get figures(): {
    queries: number
    repeats: number
    lost: number
    refused: number
    open: number
    idle: number
    waiting: number
  } {
    const { totalCount: open, idleCount: idle, waitingCount: waiting } = this.#pool
    return { ...this.#counts, open, idle, waiting }
  }

  /** Runs one statement, prepared under `name` (63 characters at most; one name, one text). */
  async query<R extends Row>(
    name: string,
    sql: string,
    values: readonly unknown[] = [],
    { repeatable = /^\s*SELECT\b/i.test(sql) }: Repeat = {},
  ): Promise<R[]> {
    return this.#repeated(
      name,
      async (client) => {
        const { rows } = await client.query<R>({ name, text: sql, values: values as unknown[] })
        return rows
      },
      repeatable,
    )
  }

  /**
   * Runs `run` between BEGIN and COMMIT, and again when it lost against another transaction: it must have no effect
   * outside. Rejects with what `run` rejects with, after a rollback.
   */
  async transaction<T>(
    run: (transaction: Transaction) => Promise<T>,
    { repeatable = false }: Repeat = {},
  ): Promise<T> {
    return this.#repeated(
      'transaction',
      async (client, stage) => {
        stage.committing = false
        await client.query('BEGIN')
        let result: T
        try {
          result = await run(transactionOn(client))
        } catch (error) {
          if (classify(error) !== 'lost') await client.query('ROLLBACK')
          throw error
        }
        stage.committing = true
        await client.query('COMMIT')
        return result
      },
      repeatable,
    )
  }

  /**
   * Waits until the database answers, at most `ms`; `tell` gets one line whenever the reason for waiting changes.
   * Throws `StorageRefused` when the time is over, when waiting cannot help, or when the server is too old; and the
   * reason of `signal` once that is aborted.
   */
  async waitUntilReady(ms: number, tell: (line: string) => void, signal?: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const end = clock.now() + ms
    for (let told = ''; ;) {
      try {
        await this.#probe()
        return
      } catch (error) {
        if (error instanceof StorageRefused) throw error
        const reason = reasonOf(error)
        if (isRefusal(error)) throw this.#refusal(reason, error)
        if (clock.now() >= end) throw this.#refusal(`${reason} for ${Math.round(ms / 1000)} s`, error)
        if (reason !== told)
          tell(`waiting up to ${Math.round(ms / 1000)} s for the database ${this.address}: ${reason}`)
        told = reason
        signal?.throwIfAborted()
        await pause(clock, 250)
      }
    }
  }

  /** Ends all connections once their queries are done. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#pool.end()
  }

  #refusal(reason: string, cause: unknown): StorageRefused {
    return new StorageRefused(
      `cannot use the database ${this.address}: ${reason}`,
      'check database.url, that the server is running, and that the user may log in',
      { cause },
    )
  }

  async #repeated<T>(
    op: string,
    work: (client: pg.PoolClient, stage: { committing: boolean }) => Promise<T>,
    repeatable: boolean,
  ): Promise<T> {
    const began = this.#options.clock.now()
    for (let attempt = 1; ; attempt++) {
      const client = await this.#connect()
      const stage = { committing: true }
      try {
        this.#counts.queries++
        const result = await work(client, stage)
        client.release()
        this.#onQuery?.(op, (this.#options.clock.now() - began) / 1000)
        return result
      } catch (error) {
        const failure = classify(error)
        client.release(failure === 'lost' || failure === 'stale' || failure === 'busy')
        if (failure === 'ours') throw error
        if (failure === 'lost') this.#counts.lost++
        // Not even its own time limit made it answer: nobody else need wait as long.
        if (isSilence(error)) this.#down(error)
        const may = failure === 'lost' ? repeatable || !stage.committing : failure !== 'busy'
        if (!may || attempt === attempts) throw unavailable(error)
        this.#counts.repeats++
      }
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    if (this.#closed) throw new StorageUnavailable('the database is closed')
    if (this.#state === 'down') {
      this.#counts.refused++
      throw new StorageUnavailable('the database is away')
    }
    if (this.#pool.waitingCount >= this.#options.waiting) {
      this.#counts.refused++
      this.#onBusy?.()
      throw new StorageUnavailable('too many queries wait for a connection')
    }
    try {
      return await this.#pool.connect()
    } catch (error) {
      // The pool is busy, which is not the same as the database being away.
      const busy = error instanceof Error && error.message.startsWith('timeout exceeded')
      if (!busy) this.#down(error)
      throw unavailable(error)
    }
  }

  #down(error: unknown): void {
    if (this.#state === 'down' || this.#closed) return
    this.#state = 'down'
    this.#onState?.('down', reasonOf(error))
    void this.#dropIdle()
    this.#lookAgain(0)
  }

  /** Connections from before are not worth a look: each would have to be waited for. */
  async #dropIdle(): Promise<void> {
    for (let left = this.#pool.idleCount; left > 0; left--) {
      const client = await this.#pool.connect().catch(() => undefined)
      client?.release(true)
    }
  }

  #lookAgain(round: number): void {
    const delay = probeDelays[Math.min(round, probeDelays.length - 1)]!
    this.#options.clock.after(delay, () => {
      if (this.#closed || this.#state === 'up') return
      this.#probe().catch(() => this.#lookAgain(round + 1))
    })
  }

  /** One look past the closed door: connects, and opens the door when the database answers as it should. */
  async #probe(): Promise<void> {
    const client = await this.#pool.connect()
    let version: number
    let encoding: string
    try {
      const { rows } = await client.query<{ version: string; encoding: string }>(
        "SELECT current_setting('server_version_num') AS version, current_setting('server_encoding') AS encoding",
      )
      version = Math.floor(Number(rows[0]?.version) / 10_000)
      encoding = rows[0]?.encoding ?? ''
      client.release()
    } catch (error) {
      client.release(true)
      throw error
    }
    if (version < oldest)
      throw new StorageRefused(
        `the database ${this.address} is PostgreSQL ${version}, which is too old`,
        `use PostgreSQL ${oldest} to 18`,
      )
    if (encoding !== 'UTF8')
      throw new StorageRefused(
        `the database ${this.address} has the encoding ${encoding}`,
        "create one with ENCODING 'UTF8' and set database.url to it",
      )
    if (this.#state === 'up') return
    this.#state = 'up'
    this.#onState?.('up', 'the database answers again')
  }

  #config(connection: DatabaseOptions['connection']): pg.PoolConfig {
    const { size, statementTimeout, connectTimeout } = this.#options
    const types = new pg.TypeOverrides()
    types.setTypeParser(int8, safeInteger)
    return {
      ...(typeof connection === 'string'
        ? { connectionString: connection }
        : { ...socketDefaults, ...connection }),
      types,
      max: size,
      connectionTimeoutMillis: connectTimeout,
      // 0 is none, to the server.
      statement_timeout: Number.isFinite(statementTimeout) ? statementTimeout : 0,
      query_timeout: Math.min(statementTimeout + silence, unlimited),
      idle_in_transaction_session_timeout: 60_000,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
      application_name: 'parley',
      fallback_application_name: 'parley',
    }
  }
}

/** A URL with a password that was given apart from it. As a parameter: a URL without a host has no other place for it. */
export function withPassword(url: string, password: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}password=${encodeURIComponent(password)}`
}

function transactionOn(client: pg.PoolClient): Transaction {
  return {
    query: async <R extends Row>(name: string, text: string, values: readonly unknown[] = []) =>
      (await client.query<R>({ name, text, values: values as unknown[] })).rows,
    script: async (text) => {
      await client.query({ text: 'SET LOCAL statement_timeout = 0' })
      const patient: pg.QueryConfig & { query_timeout: number } = { text, query_timeout: unlimited }
      await client.query(patient)
    },
  }
}

function unavailable(error: unknown): StorageUnavailable {
  return new StorageUnavailable(`the database: ${reasonOf(error)}`, { cause: error })
}

function addressOf(config: pg.PoolConfig): string {
  const { user, host, port, database } = new pg.Client(config)
  return host.startsWith('/') ? `in ${host}` : `${user}@${host}:${port}/${database}`
}

function safeInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} does not fit a safe integer`)
  return value
}
