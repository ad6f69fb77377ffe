/** Brings the schema up to date: numbered files of migrations/, in order, each in a transaction, under one lock. */
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Database, Transaction } from './database.js'
import { StorageRefused } from './errors.js'

export interface Migration {
  readonly number: number
  /** File name without ending, such as `0001_accounts`. */
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

/** The folder beside src/ and dist/ of the checkout: this file runs as dist/src/storage/migrate.js. */
const folder = fileURLToPath(new URL('../../../migrations/', import.meta.url))
/** Key of the advisory lock that one start at a time holds: "parley" as letters' bytes. */
const lockKey = 0x7061726c6579

/** Reads migrations/: once, at start. Throws when a number is missing or there twice. */
export function readMigrations(from = folder): Migration[] {
  const names = readdirSync(from)
    .filter((name) => name.endsWith('.sql'))
    .sort()
  return names.map((file, i) => {
    const number = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(file)?.[1])
    if (number !== i + 1) throw new Error(`migrations/${file}: expected number ${i + 1} here`)
    const sql = readFileSync(join(from, file), 'utf8').replaceAll('\r\n', '\n')
    const checksum = createHash('sha256').update(sql).digest('hex')
    return { number, name: file.slice(0, -4), sql, checksum }
  })
}

/** What `migrate` would apply now. Throws `StorageRefused` as it does. */
export async function plan(database: Database, known: readonly Migration[]): Promise<readonly Migration[]> {
  return database.transaction(async (transaction) =>
    (await hasHistory(transaction)) ? missing(transaction, known) : known,
  )
}

/**
 * Applies what is missing and returns it; `tell` gets a line for each. Two servers may start at once: one migrates,
 * the other waits. Throws `StorageRefused` when the schema is newer than this server or its history differs.
 */
export async function migrate(
  database: Database,
  known: readonly Migration[],
  tell: (line: string) => void = () => {},
): Promise<readonly Migration[]> {
  if ((await plan(database, known)).length === 0) return []
  const applied: Migration[] = []
  for (;;) {
    const next = await database.transaction((transaction) => step(transaction, known))
    if (!next) return applied
    applied.push(next)
    tell(`schema: applied ${next.name}`)
  }
}

async function step(transaction: Transaction, known: readonly Migration[]): Promise<Migration | undefined> {
  await transaction.script(`SELECT pg_advisory_xact_lock(${lockKey})`)
  if (!(await hasHistory(transaction))) await createHistory(transaction)
  const [next] = await missing(transaction, known)
  if (!next) return undefined
  await transaction.script(next.sql)
  await transaction.query(
    'migrate.record',
    'INSERT INTO migrations (number, name, checksum) VALUES ($1, $2, $3)',
    [next.number, next.name, next.checksum],
  )
  return next
}

async function createHistory(transaction: Transaction): Promise<void> {
  try {
    await transaction.script(`CREATE TABLE migrations (
      number     integer PRIMARY KEY,
      name       text NOT NULL,
      checksum   text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === '42501')) throw error
    throw new StorageRefused(
      'the database user may not create tables',
      'make it the owner of the database, or: GRANT CREATE ON SCHEMA public TO the user',
      { cause: error },
    )
  }
}

/**
 * Reads the catalog as a table. `to_regclass` may answer from what this connection remembers, and a transaction that
 * began before another server's commit learns nothing new while it waits for the advisory lock.
 */
async function hasHistory(transaction: Transaction): Promise<boolean> {
  const sql =
    "SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'migrations' AND pg_table_is_visible(oid)) AS there"
  const [row] = await transaction.query<{ there: boolean }>('migrate.there', sql)
  return row?.there === true
}

async function missing(transaction: Transaction, known: readonly Migration[]): Promise<readonly Migration[]> {
  const applied = await transaction.query<{ number: number; name: string; checksum: string }>(
    'migrate.applied',
    'SELECT number, name, checksum FROM migrations ORDER BY number',
  )
  const last = applied.at(-1)
  if (last && last.number > known.length)
    throw new StorageRefused(
      `the database has schema ${last.number} (${last.name}), this server knows only ${known.length}`,
      'start the newer Parley that was here before, or restore the backup from before its first start',
    )
  for (const { number, name, checksum } of applied) {
    const migration = known[number - 1]
    if (migration?.checksum === checksum) continue
    throw new StorageRefused(
      `migrations/${migration?.name ?? name}.sql is not the file that was applied to this database`,
      'restore the released file; schema changes go into a new one',
    )
  }
  return known.slice(applied.length)
}
