import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { realClock } from '../../../src/base/clock.js'
import { Database, StorageRefused } from '../../../src/storage/database.js'
import { migrate, plan, readMigrations } from '../../../src/storage/migrate.js'
import type { TestDatabase } from '../../contracts/database.js'
import { embeddedDatabase, freshDatabase, temporaryFolder } from '../../contracts/database.js'

let there: TestDatabase
before(async () => {
  there = await embeddedDatabase()
})
after(() => there.remove())

async function withDatabase(run: (database: Database, another: Database) => Promise<void>): Promise<void> {
  const { host, user, database: name } = there.connection as { host: string; user: string; database: string }
  const fresh = await freshDatabase(`postgres://${user}@${encodeURIComponent(host)}/${name}`)
  const open = () => new Database({ connection: fresh.connection, clock: realClock, size: 3 })
  const [database, another] = [open(), open()]
  try {
    await run(database, another)
  } finally {
    await database.close()
    await another.close()
    await fresh.remove()
  }
}

const known = readMigrations()

test('the files are numbered without a gap, and each says whose it is', () => {
  assert.ok(known.length >= 4)
  for (const { sql } of known) assert.match(sql, /^-- [a-z0-9-]+: /)
})

test('a fresh database is planned for, migrated, and then left alone', async () => {
  await withDatabase(async (database) => {
    assert.deepEqual(await plan(database, known), known)
    const lines: string[] = []
    assert.deepEqual(await migrate(database, known, (line) => lines.push(line)), known)
    assert.equal(lines.length, known.length)
    assert.deepEqual(await plan(database, known), [])
    assert.deepEqual(await migrate(database, known), [])
  })
})

test('two servers that start at once migrate once', async () => {
  // Several times: how their steps interleave is up to the database.
  for (let round = 0; round < 5; round++) {
    await withDatabase(async (database, another) => {
      const [one, two] = await Promise.all([migrate(database, known), migrate(another, known)])
      assert.deepEqual(
        [...one, ...two].map(({ number }) => number).sort((a, b) => a - b),
        known.map(({ number }) => number),
      )
    })
  }
})

test('one that waits for another to make the history sees it afterwards', async () => {
  await withDatabase(async (database, another) => {
    // Its connection now remembers that there is no such table.
    await plan(another, known)
    let waiting: Promise<unknown> | undefined
    await database.transaction(async (transaction) => {
      await transaction.script("SELECT pg_advisory_xact_lock(x'7061726c6579'::bigint)")
      waiting = migrate(another, known)
      for (let blocked = 0; blocked === 0;) {
        const sql = "SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        const [row] = await transaction.query<{ n: number }>('blocked', sql)
        blocked = row!.n
      }
      await transaction.script(`CREATE TABLE migrations (number integer PRIMARY KEY, name text NOT NULL,
        checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`)
    })
    assert.deepEqual(await waiting, known)
  })
})

test('a migration that fails leaves nothing of itself, and those before it stay', async () => {
  await withDatabase(async (database) => {
    const broken = {
      number: known.length + 1,
      name: '9999_broken',
      checksum: 'x',
      sql: 'CREATE TABLE half (id int); SELECT nonsense',
    }
    await assert.rejects(migrate(database, [...known, broken]), /nonsense/)
    assert.deepEqual(await plan(database, [...known, broken]), [broken])
    const [row] = await database.query<{ there: boolean }>(
      'half',
      "SELECT to_regclass('half') IS NOT NULL AS there",
    )
    assert.equal(row?.there, false)
  })
})

test('a newer schema is refused, and named', async () => {
  await withDatabase(async (database) => {
    await migrate(database, known)
    await assert.rejects(migrate(database, known.slice(0, -1)), (error) => {
      assert.ok(error instanceof StorageRefused)
      assert.match(error.message, new RegExp(`schema ${known.length} .*only ${known.length - 1}$`))
      assert.match(error.fix, /newer Parley/)
      return true
    })
  })
})

test('a file that was changed after it was applied is refused, and named', async () => {
  await withDatabase(async (database) => {
    await migrate(database, known)
    const changed = known.map((migration, i) => (i === 1 ? { ...migration, checksum: 'other' } : migration))
    await assert.rejects(migrate(database, changed), (error) => {
      assert.ok(error instanceof StorageRefused)
      assert.match(error.message, /0002_rosters\.sql is not the file/)
      return true
    })
  })
})

test('line ends of another system do not change a file', async () => {
  const folder = await temporaryFolder()
  try {
    await writeFile(join(folder.path, '0001_accounts.sql'), known[0]!.sql.replaceAll('\n', '\r\n'))
    assert.deepEqual(readMigrations(folder.path), known.slice(0, 1))
    await writeFile(join(folder.path, '0003_gap.sql'), 'SELECT 1')
    assert.throws(() => readMigrations(folder.path), /0003_gap\.sql: expected number 2/)
  } finally {
    await folder.remove()
  }
})
