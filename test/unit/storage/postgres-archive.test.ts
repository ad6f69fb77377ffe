/** What the archive in PostgreSQL promises beyond the contract: months, other processes, and connections that break. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { realClock, type Clock } from '../../../src/base/clock.js'
import { systemRandom } from '../../../src/base/random.js'
import type { NewArchived } from '../../../src/storage/archive.js'
import { momentOf } from '../../../src/storage/archive-ids.js'
import { Database, type Row } from '../../../src/storage/database.js'
import { StorageUnavailable } from '../../../src/storage/errors.js'
import { migrate, readMigrations } from '../../../src/storage/migrate.js'
import { PostgresArchive } from '../../../src/storage/postgres-archive.js'
import { openPostgresStores } from '../../../src/storage/postgres.js'
import type { Stores } from '../../../src/storage/stores.js'
import { created } from '../../contracts/accounts.js'
import { roomOf } from '../../contracts/archive.js'
import { embeddedDatabase } from '../../contracts/database.js'

const all = { from: 'start', count: 1000, bytes: 1 << 20 } as const
const day = 86_400_000

let postgres: Awaited<ReturnType<typeof embeddedDatabase>>
let database: Flaky
let stores: Stores

/** Breaks as a connection does: before a statement of that name has run, or when it has. */
class Flaky extends Database {
  breaks: { name: string; times: number; when: 'before' | 'after' } | undefined

  override async query<R extends Row>(...asked: Parameters<Database['query']>): Promise<R[]> {
    const { breaks } = this
    const isBroken = breaks !== undefined && breaks.name === asked[0] && breaks.times-- > 0
    if (isBroken && breaks.when === 'before') throw new StorageUnavailable('cut')
    const rows = await super.query<R>(...asked)
    if (isBroken) throw new StorageUnavailable('cut')
    return rows
  }
}

before(async () => {
  postgres = await embeddedDatabase()
  database = new Flaky({ connection: postgres.connection, clock: realClock })
  await migrate(database, readMigrations())
  stores = openPostgresStores(database)
})
after(async () => {
  await stores.close()
  await database.close()
  await postgres.remove()
})

/** An archive of its own on the same database, whose time can be set. */
function archiveAt(now: () => number = () => realClock.now()): PostgresArchive {
  const clock: Clock = { now, after: (ms, run) => realClock.after(ms, run) }
  return new PostgresArchive(database, { clock, random: systemRandom })
}

function entry(owner: number, body: string, origin?: bigint): NewArchived {
  const stanza = `<message xmlns='jabber:client'><body>${body}</body></message>`
  return { owner, with: 'a@b', resource: '', groupchat: false, stanza, origin }
}

async function bodiesOf(archive: PostgresArchive, owner: number): Promise<string[]> {
  const { messages } = await archive.page(owner, {}, all)
  return messages.map(({ stanza }) => /<body>(.*)<\/body>/.exec(stanza)?.[1] ?? '')
}

async function monthsThere(): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    'test.months',
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'archive'::regclass ORDER BY 1`,
  )
  return rows.map(({ name }) => name)
}

test('the message of both sides is one transaction, also when others come between', async () => {
  const archive = archiveAt()
  const owners = [await created(stores, 'pair.example', 'one'), await created(stores, 'pair.example', 'two')]
  let last: Promise<void> | undefined
  for (let i = 0; i < 1200; i++) {
    const message = {}
    for (const owner of owners) last = archive.add(entry(owner, `${i}`), message).written
  }
  await last
  const torn = await database.query(
    'test.torn',
    `SELECT stanza FROM archive WHERE owner = ANY($1::bigint[]) GROUP BY stanza
      HAVING count(*) <> 2 OR count(DISTINCT xmin::text) <> 1`,
    [owners],
  )
  assert.deepEqual(torn, [])
  await archive.close()
})

test('what another process has archived is known by its second id, and the first is used from then on', async () => {
  const [here, there] = [archiveAt(), archiveAt()]
  const owner = await created(stores, 'again.example', 'romeo')
  const first = here.add(entry(owner, 'x', 7n), {})
  await first.written
  const second = there.add(entry(owner, 'x', 7n), {})
  assert.equal(second.again, false)
  const beside = there.add(entry(owner, 'y', 8n), {})
  await second.written
  assert.deepEqual(await bodiesOf(there, owner), ['x', 'y'])
  assert.deepEqual(Object.fromEntries(await there.find(owner, [second.id, first.id, beside.id])), {
    [first.id]: first.id,
    [second.id]: first.id,
    [beside.id]: beside.id,
  })
  const third = there.add(entry(owner, 'x', 7n), {})
  assert.deepEqual([third.id, third.again], [first.id, true])
  // Who asks before is told at once.
  const later = archiveAt()
  assert.equal(await later.recall(owner, 7n), first.id)
  assert.deepEqual(later.add(entry(owner, 'x', 7n), {}).id, first.id)
  // A day later it is another message.
  const tomorrow = archiveAt(() => realClock.now() + day)
  assert.equal(await tomorrow.recall(owner, 7n), undefined)
  await tomorrow.add(entry(owner, 'z', 7n), {}).written
  assert.deepEqual(await bodiesOf(there, owner), ['x', 'y', 'z'])
  for (const archive of [here, there, later, tomorrow]) await archive.close()
})

test('a batch whose commit got no answer is not written twice', async () => {
  const archive = archiveAt()
  const owner = await created(stores, 'flaky.example', 'romeo')
  for (const [name, origin] of [
    ['archive.append', undefined],
    ['archive.append-new', 1n],
  ] as const) {
    database.breaks = { name, times: 2, when: 'after' }
    const taken = archive.add(entry(owner, name, origin), {})
    await taken.written
    assert.ok(database.breaks.times <= 0)
    assert.equal((await archive.find(owner, [taken.id])).get(taken.id), taken.id)
  }
  assert.deepEqual(await bodiesOf(archive, owner), ['archive.append', 'archive.append-new'])
  await archive.close()
})

test('rows wait while the database is away for a moment, in order; for longer they fail', async () => {
  let late = 0
  const archive = archiveAt(() => realClock.now() + late)
  const owner = await created(stores, 'away.example', 'romeo')
  database.breaks = { name: 'archive.append', times: 3, when: 'before' }
  const first = archive.add(entry(owner, 'a'), {})
  const second = archive.add(entry(owner, 'b'), {})
  await Promise.all([first.written, second.written])
  assert.deepEqual(await bodiesOf(archive, owner), ['a', 'b'])
  database.breaks = { name: 'archive.append', times: 1000, when: 'before' }
  const lost = archive.add(entry(owner, 'c', undefined), {})
  const told = assert.rejects(lost.written, StorageUnavailable)
  while (database.breaks.times === 1000) await new Promise((resolve) => setTimeout(resolve, 1))
  late = 10_000
  await told
  database.breaks = undefined
  await archive.add(entry(owner, 'd'), {}).written
  assert.deepEqual(await bodiesOf(archive, owner), ['a', 'b', 'd'])
  await archive.close()
})

test('months are made ahead, and whenever a message needs one', async () => {
  let now = Date.UTC(2040, 10, 30, 23, 59)
  const archive = archiveAt(() => now)
  await archive.tend()
  const names = await monthsThere()
  for (const month of ['2040_11', '2040_12', '2041_01']) assert.ok(names.includes(`archive_${month}`), month)
  const owner = await created(stores, 'months.example', 'romeo')
  archive.add(entry(owner, 'november'), {})
  now += 60_000
  archive.add(entry(owner, 'december'), {})
  now = Date.UTC(2041, 5, 15)
  await archive.add(entry(owner, 'june'), {}).written
  assert.ok((await monthsThere()).includes('archive_2041_06'))
  assert.deepEqual(await bodiesOf(archive, owner), ['november', 'december', 'june'])
  const { messages } = await archive.page(owner, { start: now }, all)
  assert.deepEqual(
    messages.map(({ at }) => at),
    [now],
  )
  await archive.close()
})

test('a month that nobody keeps is dropped; where somebody does, only what the others said goes', async () => {
  let now = Date.UTC(2050, 0, 15)
  const archive = archiveAt(() => now)
  const [short, long] = [
    await created(stores, 'short.example', 'romeo'),
    await created(stores, 'long.example', 'romeo'),
  ]
  archive.add(entry(short, 'january'), {})
  now = Date.UTC(2050, 1, 15)
  archive.add(entry(short, 'february'), {})
  archive.add(entry(long, 'february'), {})
  now = Date.UTC(2050, 2, 15)
  await archive.add(entry(short, 'march'), {}).written
  // Nobody has said how long yet: all of it stays.
  now = Date.UTC(2050, 3, 10)
  await archive.tend()
  assert.deepEqual(await bodiesOf(archive, short), ['january', 'february', 'march'])
  archive.keep('short.example', 30 * day)
  archive.keep('long.example', Infinity)
  await archive.tend()
  const left = await monthsThere()
  assert.ok(!left.includes('archive_2050_01') && left.includes('archive_2050_02'))
  assert.deepEqual(await bodiesOf(archive, short), ['march'])
  assert.deepEqual(await bodiesOf(archive, long), ['february'])
  assert.ok(archive.purgedAt === now)
  await archive.close()
})

test('rooms are kept as long as their domain says, or shorter if they say so', async () => {
  let now = Date.UTC(2060, 0, 15)
  const archive = archiveAt(() => now)
  const room = async (domain: string, local: string) => -(await roomOf(stores, domain, local))
  const [plain, brief, other] = [
    await room('short.rooms.example', 'plain'),
    await room('long.rooms.example', 'brief'),
    await room('long.rooms.example', 'other'),
  ]
  for (const month of [0, 1, 2]) {
    now = Date.UTC(2060, month, 15)
    for (const owner of [plain, brief, other]) await archive.add(entry(owner, `${month}`), {}).written
  }
  archive.keep('long.rooms.example', Infinity)
  await archive.keepOf(brief, 40 * day)
  now = Date.UTC(2060, 3, 1)
  await archive.tend()
  // Nobody has said how long at the first domain: all of it stays.
  assert.deepEqual(await bodiesOf(archive, plain), ['0', '1', '2'])
  assert.deepEqual(await bodiesOf(archive, brief), ['1', '2'])
  archive.keep('short.rooms.example', 20 * day)
  await archive.keepOf(brief, 20 * day)
  await archive.keepOf(brief, Infinity)
  await archive.tend()
  assert.deepEqual(await bodiesOf(archive, plain), ['2'])
  assert.deepEqual(await bodiesOf(archive, brief), ['1', '2'])
  assert.deepEqual(await bodiesOf(archive, other), ['0', '1', '2'])
  // What is left of a room that is gone is nobody's: the month goes.
  await archive.keepOf(other, day)
  await archive.keepOf(brief, day)
  await archive.tend()
  assert.ok(!(await monthsThere()).includes('archive_2060_01'))
  await stores.rooms.remove(-other)
  await archive.tend()
  assert.deepEqual(await database.query('test.terms', 'SELECT owner FROM archive_terms'), [{ owner: brief }])
  await archive.close()
})

test('what an account has left is removed by whoever starts next', async () => {
  const archive = archiveAt()
  const owner = await created(stores, 'left.example', 'romeo')
  await archive.add(entry(owner, 'x'), {}).written
  await archive.close()
  await database.query('test.leave', 'INSERT INTO archive_removals (owner) VALUES ($1)', [owner])
  const next = archiveAt()
  await next.tend()
  assert.deepEqual(await bodiesOf(next, owner), [])
  assert.deepEqual(await database.query('test.left', 'SELECT owner FROM archive_removals'), [])
  await next.close()
})

test('ids grow, also when many are made in one millisecond or the clock is set back', async () => {
  let now = realClock.now()
  const archive = archiveAt(() => now)
  const owner = await created(stores, 'ids.example', 'romeo')
  let before = ''
  for (let i = 0; i < 9000; i++) {
    if (i === 8500) now -= 60_000
    const { id } = archive.add(entry(owner, 'x'), {})
    assert.ok(id > before)
    before = id
  }
  assert.ok(momentOf(before) - now <= 60_003)
  await archive.settled()
  assert.equal((await archive.count(owner, {}))?.count, 9000)
  await archive.close()
})
