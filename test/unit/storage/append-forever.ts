/** A server's storage that is made to be killed: appends messages and says of each when it was stored. Run by embedded.test.ts. */
import { realClock } from '../../../src/base/clock.js'
import { Database } from '../../../src/storage/database.js'
import { startEmbedded } from '../../../src/storage/embedded.js'
import { migrate, readMigrations } from '../../../src/storage/migrate.js'
import { openPostgresStores } from '../../../src/storage/postgres.js'

const postgres = await startEmbedded({ data: process.argv[2]!, clock: realClock, tell: () => {} })
const database = new Database({ connection: postgres.connection, clock: realClock })
await database.waitUntilReady(10_000, () => {})
await migrate(database, readMigrations())
const { accounts, offline } = openPostgresStores(database, { offline: { messages: 1e6, bytes: 1e9 } })
const account = await accounts.create('kill.example', 'romeo', {}, 0)
if (account === 'exists') throw new Error('not a fresh database')
console.log(`account ${account.id}`)
for (let n = 0; ; n += 10) {
  const numbers = Array.from({ length: 10 }, (_, i) => n + i)
  await Promise.all(
    numbers.map(async (number) => {
      await offline.append(account.id, `message ${number}`, number)
      console.log(`stored ${number}`)
    }),
  )
}
