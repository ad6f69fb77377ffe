import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../../src/base/clock.js'
import { pause, realClock } from '../../../src/base/clock.js'
import { isAlive } from '../../../src/base/system.js'
import { Database, StorageRefused } from '../../../src/storage/database.js'
import type { EmbeddedPostgres } from '../../../src/storage/embedded.js'
import { startEmbedded } from '../../../src/storage/embedded.js'
import { hasEnded } from '../../../src/storage/postmaster.js'
import { migrate, readMigrations } from '../../../src/storage/migrate.js'
import { openPostgresStores } from '../../../src/storage/postgres.js'
import { created } from '../../contracts/accounts.js'
import { temporaryFolder } from '../../contracts/database.js'

/** A cluster that was made and stopped; copies of it spare the other tests a second each. */
let seed: Awaited<ReturnType<typeof temporaryFolder>>
before(async () => {
  seed = await temporaryFolder()
  await (await start(seed.path)).stop()
})
after(() => seed.remove())

// The folders are 0700 and root's when root runs the tests: PostgreSQL's user cannot walk to them, as in a root's home.
async function inFolder(run: (data: string) => Promise<void>, begin?: 'with a cluster'): Promise<void> {
  const folder = await temporaryFolder()
  try {
    if (begin)
      await cp(join(seed.path, 'postgres'), join(folder.path, 'postgres'), {
        recursive: true,
        mode: constants.COPYFILE_FICLONE,
      })
    await run(folder.path)
  } finally {
    // What a failed test left running would keep this process from ending.
    await Promise.all(started.splice(0).map((postgres) => postgres.stop()))
    await folder.remove()
  }
}

const started: EmbeddedPostgres[] = []

async function start(data: string, tell: (line: string) => void = () => {}): Promise<EmbeddedPostgres> {
  const postgres = await startEmbedded({ data, clock: realClock, tell })
  started.push(postgres)
  return postgres
}

async function withDatabase<T>(
  { connection }: EmbeddedPostgres,
  run: (database: Database) => Promise<T>,
): Promise<T> {
  const database = new Database({ connection, clock: realClock })
  try {
    return await run(database)
  } finally {
    await database.close()
  }
}

const postmasterOf = async (data: string) =>
  Number.parseInt(await readFile(join(data, 'postgres/postmaster.pid'), 'utf8'), 10)

test('made once, stopped clean, and found again', async () => {
  await inFolder(async (data) => {
    const lines: string[] = []
    for (const round of [1, 2]) {
      const postgres = await start(data, (line) => lines.push(line))
      const pid = await postmasterOf(data)
      await withDatabase(postgres, async (database) => {
        const applied = await migrate(database, readMigrations())
        assert.equal(applied.length > 0, round === 1)
        const stores = openPostgresStores(database)
        if (round === 1) await created(stores, 'localhost', 'romeo')
        assert.ok(await stores.accounts.get('localhost', 'romeo'))
        const rows = await database.query<Record<string, string>>(
          'settings',
          `SELECT current_setting('listen_addresses') AS addresses, current_setting('fsync') AS fsync,
            current_setting('synchronous_commit') AS commit, current_setting('data_checksums') AS checksums`,
        )
        assert.deepEqual(rows, [{ addresses: '', fsync: 'on', commit: 'on', checksums: 'on' }])
      })
      await postgres.stop()
      assert.ok(!isAlive(pid))
    }
    assert.equal(lines.length, 1)
    assert.deepEqual((await readdir(data)).sort(), ['postgres', 'postgres.log'])
    assert.match((await readFile(join(data, 'postgres.log'), 'utf8')).trim(), /database system is shut down$/)
  })
})

test('a path longer than a socket’s may be', async () => {
  await inFolder(async (folder) => {
    const data = join(folder, 'deep-'.repeat(20), 'deeper-'.repeat(20))
    await mkdir(data, { recursive: true })
    await rename(join(folder, 'postgres'), join(data, 'postgres'))
    const postgres = await start(data)
    await withDatabase(postgres, (database) => database.query('one', 'SELECT 1'))
    await postgres.stop()
  }, 'with a cluster')
})

test('two servers on one data directory: the second is refused, the first goes on', async () => {
  await inFolder(async (data) => {
    // The first start of both at once, and both would make the cluster.
    const both = await Promise.allSettled([start(data), start(data)])
    const first = both.find((one) => one.status === 'fulfilled')
    const second = both.find((one) => one.status === 'rejected')
    assert.ok(first && second)
    assert.ok(second.reason instanceof StorageRefused, String(second.reason))
    assert.match(second.reason.message, new RegExp(`another Parley \\(process ${process.pid}\\) is using `))
    await assert.rejects(start(data), StorageRefused)
    await withDatabase(first.value, (database) => database.query('one', 'SELECT 1'))
    await first.value.stop()
  })
})

test('kill -9 of the server in the middle: all that was acknowledged is there, once, and it starts again', async () => {
  await inFolder(async (data) => {
    const script = fileURLToPath(new URL('append-forever.js', import.meta.url))
    const child = spawn(process.execPath, [script, data], { stdio: ['ignore', 'pipe', 'inherit'] })
    const { account, stored } = await killAfter(child, 500)
    const left = await postmasterOf(data)
    const postgres = await start(data)
    // The database was left running and was taken over.
    assert.equal(await postmasterOf(data), left)
    await withDatabase(postgres, async (database) => {
      const rows = await openPostgresStores(database).offline.read(account, 0, 1e6)
      const stanzas = rows.map(({ stanza }) => stanza)
      assert.deepEqual(
        stanzas,
        stanzas.map((_, i) => `message ${i}`),
      )
      for (const number of stored) assert.ok(number < stanzas.length, `message ${number} was acknowledged`)
    })
    await postgres.stop()
    assert.ok(await hasEnded(left))
  }, 'with a cluster')
})

test('a start just after a kill -9 waits until the database has noticed it', async () => {
  await inFolder(async (data) => {
    const script = fileURLToPath(new URL('append-forever.js', import.meta.url))
    const child = spawn(process.execPath, [script, data], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout!, 'data')
    child.stdout!.resume()
    const connection = { host: join(data, 'postgres'), user: 'parley', database: 'postgres' }
    const database = new Database({ connection, clock: realClock })
    const [guard] = await database.query<{ pid: number }>(
      'guard',
      'SELECT pid FROM pg_stat_activity WHERE application_name = $1',
      [`parley ${child.pid}`],
    )
    await database.close()
    // As on a machine with much to do: it comes to look at its connection only later.
    process.kill(guard!.pid, 'SIGSTOP')
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    let isStarted = false
    const starting = start(data).finally(() => (isStarted = true))
    await pause(realClock, 500)
    assert.equal(isStarted, false)
    process.kill(guard!.pid, 'SIGCONT')
    await (await starting).stop()
  }, 'with a cluster')
})

async function killAfter(
  child: ChildProcess,
  count: number,
): Promise<{ account: number; stored: readonly number[] }> {
  let account = 0
  const stored: number[] = []
  for await (const line of createInterface({ input: child.stdout! })) {
    const [word, number] = line.split(' ')
    if (word === 'account') account = Number(number)
    else stored.push(Number(number))
    if (stored.length === count) child.kill('SIGKILL')
  }
  if (child.signalCode === null) await once(child, 'exit')
  assert.equal(child.signalCode, 'SIGKILL')
  return { account, stored }
}

test('kill -9 of the database: it is started again, and what was stored is there', async () => {
  await inFolder(async (data) => {
    let restarted: () => void
    const isRestarted = new Promise<void>((resolve) => (restarted = resolve))
    const lines: string[] = []
    const postgres = await start(data, (line) => {
      lines.push(line)
      if (line.includes('starting it again')) restarted()
    })
    await withDatabase(postgres, async (database) => {
      await migrate(database, readMigrations())
      const stores = openPostgresStores(database)
      const account = await created(stores, 'localhost', 'romeo')
      assert.equal(await stores.offline.append(account, 'before', 0), 'stored')
      process.kill(await postmasterOf(data), 'SIGKILL')
      await isRestarted
      const append = async () => {
        await database.waitUntilReady(30_000, () => {})
        return stores.offline.append(account, 'after', 0)
      }
      // A connection that broke may be noticed only after the new ones answer: then it is away once more.
      assert.equal(await append().catch(append), 'stored')
      const read = await stores.offline.read(account, 0, 10)
      assert.deepEqual(
        read.map(({ stanza }) => stanza),
        ['before', 'after'],
      )
    })
    await postgres.stop()
    assert.deepEqual(lines, [lines.find((line) => line.includes('starting it again'))])
  }, 'with a cluster')
})

test('after a reboot the process number may be another’s', async () => {
  await inFolder(async (data) => {
    const postgres = await start(data)
    const file = join(data, 'postgres/postmaster.pid')
    const text = await readFile(file, 'utf8')
    await postgres.stop()
    const other = spawn('sleep', ['60'])
    try {
      await writeFile(file, text.replace(/^\d+/, String(other.pid)))
      await (await start(data)).stop()
      assert.ok(isAlive(other.pid!))
    } finally {
      other.kill()
    }
  }, 'with a cluster')
})

test('a database that answers is never joined by a second, whatever its pid files say', async () => {
  await inFolder(async (data) => {
    const postgres = await start(data)
    // As in two containers on one volume: the number means another process here.
    const other = spawn('sleep', ['60'])
    const files = ['postmaster.pid', '.s.PGSQL.5432.lock'].map((name) => join(data, 'postgres', name))
    const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')))
    const write = (...pids: number[]) =>
      Promise.all(files.map((file, i) => writeFile(file, texts[i]!.replace(/^\d+/, String(pids[i])))))
    const gone = spawn('true')
    await once(gone, 'exit')
    const itself = await postmasterOf(data)
    try {
      await write(other.pid!, gone.pid!)
      await assert.rejects(start(data), /^StorageRefused: another Parley \(process \d+\) is using /)
      await withDatabase(postgres, (database) => database.query('one', 'SELECT 1'))
    } finally {
      other.kill()
      await write(itself, itself)
      await postgres.stop()
    }
  }, 'with a cluster')
})

test('a start that is called off leaves no database running', async () => {
  await inFolder(async (data) => {
    const called = new AbortController()
    // Called off in its first pause, while PostgreSQL is being started.
    const after: Clock['after'] = (ms, run) => {
      called.abort()
      return realClock.after(ms, run)
    }
    const clock: Clock = { now: () => realClock.now(), after }
    const starting = startEmbedded({ data, clock, tell: () => {}, signal: called.signal })
    await assert.rejects(starting, { name: 'AbortError' })
    await assert.rejects(postmasterOf(data), { code: 'ENOENT' })
  }, 'with a cluster')
})

test('settings of libpq in the environment do not lead away from it', async () => {
  const strange = { PGPORT: '1', PGSSLMODE: 'require', PGUSER: 'nobody', PGDATABASE: 'nothing' }
  Object.assign(process.env, strange)
  try {
    await inFolder(async (data) => {
      const postgres = await start(data)
      await withDatabase(postgres, (database) => database.query('one', 'SELECT 1'))
      await postgres.stop()
    }, 'with a cluster')
  } finally {
    for (const name of Object.keys(strange)) delete process.env[name]
  }
})

test('a data directory of another version is refused, and untouched', async () => {
  await inFolder(async (data) => {
    await writeFile(join(data, 'postgres/PG_VERSION'), '17\n')
    await assert.rejects(start(data), (error) => {
      assert.ok(error instanceof StorageRefused)
      assert.match(error.message, /made by PostgreSQL 17, and this Parley brings PostgreSQL 18$/)
      assert.match(error.fix, /database\.url/)
      return true
    })
    await writeFile(join(data, 'postgres/PG_VERSION'), '18\n')
    await (await start(data)).stop()
  }, 'with a cluster')
})

test('a folder that is no database is refused, and untouched', async () => {
  await inFolder(async (data) => {
    await mkdir(join(data, 'postgres'))
    await writeFile(join(data, 'postgres/holiday.jpg'), '')
    await assert.rejects(start(data), /is not a PostgreSQL data directory$/)
    assert.deepEqual(await readdir(join(data, 'postgres')), ['holiday.jpg'])
  })
})

test('a database that cannot start says why in one line', async () => {
  await inFolder(async (data) => {
    await rm(join(data, 'postgres/global/pg_control'))
    await assert.rejects(start(data), (error) => {
      assert.ok(error instanceof StorageRefused)
      assert.match(
        error.message,
        /^the embedded PostgreSQL does not start: .*(control file|pg_control|database system)/,
      )
      assert.ok(!error.message.includes('\n'))
      return true
    })
  }, 'with a cluster')
})

test('a database that gives up after its first steps says why, at once', async () => {
  await inFolder(async (data) => {
    const wal = join(data, 'postgres/pg_wal')
    for (const name of await readdir(wal)) if (/^[0-9A-F]{24}$/.test(name)) await rm(join(wal, name))
    const begin = realClock.now()
    await assert.rejects(start(data), (error) => {
      assert.ok(error instanceof StorageRefused)
      assert.match(error.message, /^the embedded PostgreSQL does not start: could not locate .*checkpoint/)
      return true
    })
    assert.ok(realClock.now() - begin < 30_000)
  }, 'with a cluster')
})

test('a cluster that was half made when the server was killed is made again', async () => {
  await inFolder(async (data) => {
    await mkdir(join(data, 'postgres.new-1'))
    await writeFile(join(data, 'postgres.new-1/PG_VERSION'), '18\n')
    const postgres = await start(data)
    await withDatabase(postgres, (database) => database.query('one', 'SELECT 1'))
    await postgres.stop()
    assert.deepEqual((await readdir(data)).sort(), ['postgres', 'postgres.log'])
  })
})
