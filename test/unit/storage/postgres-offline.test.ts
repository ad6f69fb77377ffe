import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { HandClock, realClock } from '../../../src/base/clock.js'
import { systemRandom } from '../../../src/base/random.js'
import { Database } from '../../../src/storage/database.js'
import { migrate, readMigrations } from '../../../src/storage/migrate.js'
import { PostgresOffline } from '../../../src/storage/postgres-offline.js'
import { openPostgresStores } from '../../../src/storage/postgres.js'
import { created } from '../../contracts/accounts.js'
import { embeddedDatabase } from '../../contracts/database.js'

let postgres: Awaited<ReturnType<typeof embeddedDatabase>>
let database: Database
before(async () => {
  postgres = await embeddedDatabase()
  database = new Database({ connection: postgres.connection, clock: realClock })
  await migrate(database, readMigrations())
})
after(async () => {
  await database.close()
  await postgres.remove()
})

test('a message taken while "full" is being checked is counted, and found at the next login', async () => {
  const account = await created(openPostgresStores(database), 'example.org', 'romeo')
  const clock = new HandClock()
  const limits = { messages: 20, bytes: 1000 }
  const store = new PostgresOffline(database, { clock, random: systemRandom, limits })
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    let done = false
    const end = () => (done = true)
    promise.then(end, end)
    while (!done) {
      await turn()
      clock.advance(10)
    }
    return promise
  }
  assert.equal(await settled(store.append(account, 'a', 0)), 'stored')
  // Too large for what is left: the database is asked, and a small one comes while it answers.
  clock.advance(1000)
  const large = store.append(account, 'x'.repeat(1000), 0)
  for (let i = 0; i < 10; i++) await Promise.resolve()
  const small = store.append(account, 'b', 0)
  assert.equal(await settled(large), 'full')
  assert.equal(await settled(small), 'stored')

  const read = await store.read(account, 0, 100)
  assert.deepEqual(
    read.map(({ stanza }) => stanza),
    ['a', 'b'],
  )
  await store.removeThrough(account, read[1]!.id)
  assert.equal(await settled(store.append(account, 'c', 0)), 'stored')
  assert.equal((await store.read(account, 0, 100)).length, 1)
})
