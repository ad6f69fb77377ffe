/** The store contracts, on memory, on the embedded PostgreSQL, and on the one of PARLEY_TEST_DATABASE_URL if that is set. */
import { after, before, suite } from 'node:test'
import { realClock } from '../../src/base/clock.js'
import { systemRandom } from '../../src/base/random.js'
import { Database } from '../../src/storage/database.js'
import { memoryStores } from '../../src/storage/memory.js'
import { migrate, readMigrations } from '../../src/storage/migrate.js'
import { openPostgresStores } from '../../src/storage/postgres.js'
import type { Stores } from '../../src/storage/stores.js'
import { archiveContract } from './archive.js'
import { archivePagesContract } from './archive-pages.js'
import { accountsContract } from './accounts.js'
import { blocksContract } from './blocks.js'
import type { TestDatabase } from './database.js'
import { embeddedDatabase, freshDatabase } from './database.js'
import { mapsContract } from './maps.js'
import { outboundContract } from './outbound.js'
import { offlineContract, small } from './offline.js'
import { parkedContract } from './parked.js'
import { pubsubContract } from './pubsub.js'
import { roomsContract } from './rooms.js'
import { rostersContract } from './rosters.js'
import { tokensContract } from './tokens.js'

function contracts(open: () => Stores): void {
  let domains = 0
  const domainOf = () => `domain-${++domains}.example`
  suite('accounts', () => accountsContract(open, domainOf))
  suite('tokens', () => tokensContract(open, domainOf))
  suite('rosters', () => rostersContract(open, domainOf))
  suite('offline', () => offlineContract(open, domainOf))
  suite('outbound', () => outboundContract(open, domainOf))
  suite('pubsub', () => pubsubContract(open, domainOf))
  suite('rooms', () => roomsContract(open, domainOf))
  suite('archive', () => archiveContract(open, domainOf))
  suite('pages of the archive', () => archivePagesContract(open, domainOf))
  suite('parked', () => parkedContract(open, domainOf))
  suite('blocks', () => blocksContract(open, domainOf))
  suite('maps', () => mapsContract(open, domainOf))
}

suite('memory', () => {
  const stores = memoryStores({ offline: small })
  contracts(() => stores)
})

function onPostgres(make: () => Promise<TestDatabase>): void {
  let there: TestDatabase
  let database: Database
  let stores: Stores
  before(async () => {
    there = await make()
    database = new Database({ connection: there.connection, clock: realClock })
    await migrate(database, readMigrations())
    stores = openPostgresStores(database, { clock: realClock, random: systemRandom, offline: small })
  })
  after(async () => {
    await stores.close()
    await database.close()
    await there.remove()
  })
  contracts(() => stores)
}

suite('embedded PostgreSQL', () => onPostgres(embeddedDatabase))

const url = process.env['PARLEY_TEST_DATABASE_URL']
suite('PostgreSQL of PARLEY_TEST_DATABASE_URL', { skip: !url }, () => onPostgres(() => freshDatabase(url!)))
