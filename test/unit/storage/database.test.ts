import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import type { Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { realClock } from '../../../src/base/clock.js'
import type { DatabaseOptions } from '../../../src/storage/database.js'
import { Database, StorageRefused, StorageUnavailable, withPassword } from '../../../src/storage/database.js'
import { migrate, readMigrations } from '../../../src/storage/migrate.js'
import { openPostgresStores } from '../../../src/storage/postgres.js'
import { created } from '../../contracts/accounts.js'
import { embeddedDatabase, temporaryFolder } from '../../contracts/database.js'

/** A socket in front of PostgreSQL that can be cut in the middle of a conversation. */
interface Line {
  readonly host: string
  /** Cuts the connection that next says `words` to the server: at once, or when the server has answered. */
  cutAt(words: string, when: 'at once' | 'answered'): void
  /** Nobody gets through, until `restore`. */
  cut(): void
  restore(): Promise<void>
  close(): Promise<void>
}

let postgres: Awaited<ReturnType<typeof embeddedDatabase>>
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let line: Line
before(async () => {
  postgres = await embeddedDatabase()
  folder = await temporaryFolder()
  line = await lineTo((postgres.connection as { host: string }).host, join(folder.path, 'line'))
  const database = open()
  await migrate(database, readMigrations())
  await database.close()
})
after(async () => {
  await line.close()
  await postgres.remove()
  await folder.remove()
})

async function lineTo(target: string, host: string): Promise<Line> {
  await mkdir(host)
  const sockets = new Set<Socket>()
  let trap: { words: string; when: 'at once' | 'answered' } | undefined
  const serve = (client: Socket) => {
    const server = connect(join(target, '.s.PGSQL.5432'))
    let doomed = false
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        server.destroy()
      })
    }
    client.on('data', (bytes) => {
      if (trap && bytes.includes(trap.words)) {
        doomed = true
        if (trap.when === 'at once') client.destroy()
        trap = undefined
      }
      if (!client.destroyed) server.write(bytes)
    })
    server.on('data', (bytes) => {
      if (doomed) client.destroy()
      else client.write(bytes)
    })
  }
  let listener: Server
  const listen = () =>
    new Promise<void>(
      (resolve) => (listener = createServer(serve).listen(join(host, '.s.PGSQL.5432'), resolve)),
    )
  const cut = () => {
    listener.close()
    for (const socket of sockets) socket.destroy()
  }
  await listen()
  return {
    host,
    cutAt: (words, when) => (trap = { words, when }),
    cut,
    restore: listen,
    close: async () => cut(),
  }
}

function open(options: Partial<DatabaseOptions> = {}): Database {
  const connection = { host: line.host, user: 'parley', database: 'postgres' }
  return new Database({ connection, clock: realClock, ...options })
}

async function using<T>(database: Database, run: (database: Database) => Promise<T>): Promise<T> {
  try {
    return await run(database)
  } finally {
    await database.close()
  }
}

const one = (database: Database) => database.query<{ one: number }>('one', 'SELECT 1::bigint AS one')

test('a bigint is a number, and one that does not fit is an error', async () => {
  await using(open(), async (database) => {
    assert.deepEqual(await one(database), [{ one: 1 }])
    await assert.rejects(database.query('large', 'SELECT 9007199254740993 AS large'), RangeError)
    assert.deepEqual(await one(database), [{ one: 1 }])
  })
})

test('a read is repeated when its connection breaks', async () => {
  await using(open(), async (database) => {
    for (const when of ['at once', 'answered'] as const) {
      line.cutAt('SELECT 1::bigint', when)
      assert.deepEqual(await one(database), [{ one: 1 }])
      await database.query('other', 'SELECT 2')
    }
    assert.equal(database.figures.repeats, 1)
    assert.equal(database.state, 'up')
  })
})

test('a write is repeated only when its author says that twice is as good as once', async () => {
  await using(open(), async (database) => {
    await database.query('counter', 'CREATE TABLE counter AS SELECT 0 AS value')
    const add = (name: string, repeatable?: boolean) =>
      database.query(name, 'UPDATE counter SET value = value + 1', [], { ...(repeatable && { repeatable }) })
    line.cutAt('UPDATE counter', 'answered')
    await assert.rejects(add('add-once'), StorageUnavailable)
    line.cutAt('UPDATE counter', 'answered')
    await add('add-again', true)
    const rows = await database.query<{ value: number }>('value', 'SELECT value FROM counter')
    assert.deepEqual(rows, [{ value: 3 }])
  })
})

test('a transaction is repeated when it breaks before its commit, not at its commit', async () => {
  await using(open(), async (database) => {
    await database.query('ledger', 'CREATE TABLE ledger (entry text)')
    const enter = (entry: string) =>
      database.transaction(async (transaction) => {
        await transaction.query(`enter-${entry}`, `INSERT INTO ledger VALUES ('${entry}')`)
      })
    line.cutAt("VALUES ('early')", 'answered')
    await enter('early')
    line.cutAt('COMMIT', 'answered')
    await assert.rejects(enter('late'), StorageUnavailable)
    const rows = await database.query<{ entry: string }>('entries', 'SELECT entry FROM ledger')
    assert.deepEqual(
      rows.map(({ entry }) => entry),
      ['early', 'late'],
    )
  })
})

test('a transaction that fails is rolled back, and its connection is used again', async () => {
  await using(open({ size: 1 }), async (database) => {
    await database.query('drafts', 'CREATE TABLE drafts (n int)')
    const failing = database.transaction(async (transaction) => {
      await transaction.query('draft', 'INSERT INTO drafts VALUES (1)')
      throw new Error('changed my mind')
    })
    await assert.rejects(failing, { message: 'changed my mind' })
    assert.deepEqual(await database.query('drafts-left', 'SELECT * FROM drafts'), [])
    assert.equal(database.figures.open, 1)
  })
})

test('transactions that lock each other out are done again', async () => {
  await using(open(), async (database) => {
    await database.query('pair', 'CREATE TABLE pair AS SELECT n, 0 AS value FROM generate_series(1, 2) n')
    let bothHoldOne: () => void
    let holding = 0
    const both = new Promise<void>((resolve) => (bothHoldOne = resolve))
    const addTo = (first: number, second: number) =>
      database.transaction(async (transaction) => {
        const add = 'UPDATE pair SET value = value + 1 WHERE n = $1'
        await transaction.query('pair-add', add, [first])
        if (++holding === 2) bothHoldOne()
        await both
        await transaction.query('pair-add', add, [second])
      })
    await Promise.all([addTo(1, 2), addTo(2, 1)])
    const rows = await database.query<{ value: number }>('pairs', 'SELECT value FROM pair')
    assert.deepEqual(rows, [{ value: 2 }, { value: 2 }])
    // On a busy machine the one that is done again may meet the other a second time.
    assert.ok(database.figures.repeats >= 1)
  })
})

test('a statement that takes too long is given up, and the next one works', async () => {
  await using(open({ statementTimeout: 50 }), async (database) => {
    await assert.rejects(database.query('slow', 'SELECT pg_sleep(30)'), (error) => {
      assert.ok(error instanceof StorageUnavailable)
      assert.match(error.message, /statement timeout/)
      return true
    })
    assert.deepEqual(await one(database), [{ one: 1 }])
  })
})

test('a prepared statement survives a change of its table', async () => {
  await using(open({ size: 1 }), async (database) => {
    await database.query('shape', 'CREATE TABLE shape AS SELECT 1 AS a')
    const read = () => database.query('shape-read', 'SELECT * FROM shape')
    assert.deepEqual(await read(), [{ a: 1 }])
    await database.query('shape-change', "ALTER TABLE shape ADD b text DEFAULT 'new'")
    assert.deepEqual(await read(), [{ a: 1, b: 'new' }])
  })
})

test('a wrong statement is its author’s error', async () => {
  await using(open(), async (database) => {
    await assert.rejects(database.query('wrong', 'SELECT nonsense'), (error) => {
      assert.ok(!(error instanceof StorageUnavailable))
      return true
    })
  })
})

test('away: fails at once, says so once, and is back without a restart', async () => {
  const said: string[] = []
  let back: () => void
  const isBack = new Promise<void>((resolve) => (back = resolve))
  const onState = (state: string, reason: string) => {
    said.push(`${state}: ${reason}`)
    if (state === 'up') back()
  }
  await using(open({ onState }), async (database) => {
    await one(database)
    line.cut()
    await assert.rejects(one(database), StorageUnavailable)
    await assert.rejects(one(database), StorageUnavailable)
    assert.equal(database.state, 'down')
    assert.equal(database.figures.refused, 1)
    await line.restore()
    await isBack
    assert.deepEqual(await one(database), [{ one: 1 }])
    assert.deepEqual(said, ['down: no such socket', 'up: the database answers again'])
  })
})

test('more callers than may wait for a connection are refused', async () => {
  let told = 0
  await using(open({ size: 1, waiting: 2, onBusy: () => told++ }), async (database) => {
    const results = await Promise.allSettled(Array.from({ length: 300 }, () => one(database)))
    const fulfilled = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []))
    assert.deepEqual(fulfilled, [0, 1, 2])
    assert.equal(told, 297)
  })
})

test('waiting for a database ends with one line and what to do', async () => {
  line.cut()
  const lines: string[] = []
  await using(open(), async (database) => {
    const waiting = database.waitUntilReady(300, (text) => lines.push(text))
    await assert.rejects(waiting, (error) => {
      assert.ok(error instanceof StorageRefused)
      assert.match(error.message, /^cannot use the database in .*: no such socket/)
      assert.match(error.fix, /database\.url/)
      return true
    })
  })
  assert.equal(lines.length, 1)
  await line.restore()
})

test('waiting for a database that comes ends when it is there', async () => {
  line.cut()
  await using(open(), async (database) => {
    const restored = { done: false }
    await database.waitUntilReady(30_000, () => {
      void line.restore().then(() => (restored.done = true))
    })
    assert.ok(restored.done)
    assert.deepEqual(await one(database), [{ one: 1 }])
  })
})

test('waiting for a database can be broken off', async () => {
  line.cut()
  const interrupt = new AbortController()
  await using(open(), async (database) => {
    const waiting = database.waitUntilReady(60_000, () => interrupt.abort(), interrupt.signal)
    await assert.rejects(waiting, { name: 'AbortError' })
  })
  await line.restore()
})

test('no wait helps when the database does not exist', async () => {
  const connection = { host: line.host, user: 'parley', database: 'nowhere' }
  await using(open({ connection }), async (database) => {
    const refused = database.waitUntilReady(60_000, () => {})
    await assert.rejects(refused, /database "nowhere" does not exist/)
  })
})

test('the address that is shown has no password', () => {
  const database = open({ connection: 'postgres://ana:secret@db.example:6432/chat?sslmode=disable' })
  assert.equal(database.address, 'ana@db.example:6432/chat')
})

test('offline messages are stored once each when the connection breaks during their commit', async () => {
  await using(open(), async (database) => {
    const stores = openPostgresStores(database)
    const account = await created(stores, 'cut.example', 'romeo')
    await stores.offline.append(account, 'first', 0)
    for (const when of ['at once', 'answered'] as const) {
      // The statement goes by its name once a connection has prepared it; the values always go along.
      line.cutAt(`"batch ${when} 0"`, when)
      const stanzas = [0, 1, 2].map((i) => `batch ${when} ${i}`)
      const outcomes = await Promise.all(stanzas.map((stanza) => stores.offline.append(account, stanza, 0)))
      assert.deepEqual(outcomes, ['stored', 'stored', 'stored'])
    }
    const read = await stores.offline.read(account, 0, 100)
    assert.deepEqual(
      read.map(({ stanza }) => stanza),
      ['first', 'at once', 'answered'].flatMap((when) =>
        when === 'first' ? ['first'] : [0, 1, 2].map((i) => `batch ${when} ${i}`),
      ),
    )
    await stores.close()
  })
})

test('offline messages are refused while the database is away, and none is counted', async () => {
  let back: () => void
  const isBack = new Promise<void>((resolve) => (back = resolve))
  await using(open({ onState: (state) => state === 'up' && back() }), async (database) => {
    const stores = openPostgresStores(database, { offline: { messages: 2, bytes: 1000 } })
    const account = await created(stores, 'away.example', 'romeo')
    await stores.offline.append(account, 'one', 0)
    line.cut()
    for (let i = 0; i < 5; i++)
      await assert.rejects(stores.offline.append(account, 'lost', 0), StorageUnavailable)
    await line.restore()
    await isBack
    assert.equal(await stores.offline.append(account, 'two', 0), 'stored')
    assert.equal(await stores.offline.append(account, 'three', 0), 'full')
    await stores.close()
    await assert.rejects(stores.offline.append(account, 'four', 0), StorageUnavailable)
  })
})

test('what is stored is counted again after a restart, and waiting messages are written before the end', async () => {
  const limits = { offline: { messages: 3, bytes: 1000 } }
  await using(open(), async (database) => {
    const before = openPostgresStores(database, limits)
    const account = await created(before, 'restart.example', 'romeo')
    const waiting = [1, 2].map((n) => before.offline.append(account, `message ${n}`, 0))
    await Promise.all([before.close(), ...waiting])
    const again = openPostgresStores(database, limits)
    const outcomes = await Promise.all([3, 4].map((n) => again.offline.append(account, `message ${n}`, 0)))
    assert.deepEqual(outcomes, ['stored', 'full'])
    assert.equal(await again.offline.count(account), 3)
    await again.close()
  })
})

test('a password given apart reaches the server, whatever the URL looks like', () => {
  const password = 'p@s/s?w&=%41 +é#'
  for (const url of [
    'postgres://parley@db.example/parley',
    'postgres://parley:old@[::1]:5433/parley?sslmode=disable',
    'postgres:///parley?host=/run/postgresql&user=parley',
    'postgres://parley@%2Frun%2Fpostgresql/parley',
  ]) {
    const client = new pg.Client(withPassword(url, password))
    assert.deepEqual([client.password, client.user, client.database], [password, 'parley', 'parley'], url)
  }
})
