/** What rooms remember, on PostgreSQL: pages of an archive, for those who see addresses and those who do not, and coming in. */
import { embeddedDatabase } from '../contracts/database.js'
import { login, type Sink } from '../support/sink.js'
import { realClock } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import { Metrics } from '../../src/base/metrics.js'
import { systemRandom } from '../../src/base/random.js'
import { loadConfig } from '../../src/config/load.js'
import { modules } from '../../src/modules/index.js'
import { Passwords } from '../../src/sasl/password.js'
import { Server } from '../../src/server.js'
import { Database } from '../../src/storage/database.js'
import { migrate, readMigrations } from '../../src/storage/migrate.js'
import { openPostgresStores } from '../../src/storage/postgres.js'

const domain = 'example.org'
const room = `hall@conference.${domain}`
const body = 'The quick brown fox jumps over the lazy dog, as it was asked to. '.repeat(4).slice(0, 200)
const kept = 10_000
const page = 100

const postgres = await embeddedDatabase()
const database = new Database({ connection: postgres.connection, clock: realClock })
await migrate(database, readMigrations())
const stores = openPostgresStores(database)
const keys = await new Passwords(systemRandom, { iterations: 4096 }).deriveKeys('pencil')
for (const name of ['owner', 'guest']) await stores.accounts.create(domain, name, keys, 0)
const limits = ['c2s_rate', 'c2s_stanza_rate'].map((rate) => `limits.${rate}=off`)
const paces = ['occupant_rate', 'rate', 'presence_rate'].map((rate) => `modules.rooms.${rate}=off`)
const { config } = loadConfig({ modules, env: {}, set: [`domain=${domain}`, ...limits, ...paces] })
const parts = {
  config,
  clock: realClock,
  random: systemRandom,
  log: silentLog,
  metrics: new Metrics(),
  stores,
}
const server = await Server.create({ ...parts, secret: Buffer.alloc(32), memoryUse: () => 0 })
const [owner, guest] = [await login(server, 'owner', 'desk'), await login(server, 'guest', 'desk')]

await enter(owner)
await owner.say(
  `<iq type='set' id='make' to='${room}'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>`,
  `id='make'`,
)
const message = `<message type='groupchat' to='${room}'><body>${body}</body></message>`
for (let i = 0; i < kept; i += page) await owner.say(message.repeat(page - 1) + mark(message), 'last-of-them')
await stores.archive.settled()

await pages('a page, without addresses', guest)
await pages('a page, with addresses', owner)
await entries('coming in, with 20 messages', '')
await entries('coming in, without', `<history maxstanzas='0'/>`)

await server.stop()
await stores.close()
await database.close()
await postgres.remove()

function mark(text: string): string {
  return text.replace('<message', `<message id='last-of-them'`)
}

async function enter(who: Sink, history = ''): Promise<void> {
  const x = `<x xmlns='http://jabber.org/protocol/muc'>${history}</x>`
  await who.say(
    `<presence to='${room}/${who === owner ? 'owner' : 'guest'}'>${x}</presence>`,
    '</subject>',
    '<subject/>',
  )
}

async function pages(what: string, who: Sink): Promise<void> {
  const query = (set: string) =>
    `<iq type='set' id='page' to='${room}'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>${page}</max>${set}</set></query></iq>`
  const walk = async () => {
    let before = '<before/>'
    for (let read = 0; read < kept; read += page) {
      const heard = await who.say(query(before), `id='page'`)
      const first = /<first[^>]*>([^<]+)</.exec(heard)?.[1]
      if (first === undefined) throw new Error(`only ${read} messages were kept`)
      before = `<before>${first}</before>`
    }
  }
  await walk()
  await measured(what, kept, 'message', walk)
}

async function entries(what: string, history: string): Promise<void> {
  const rounds = 1000
  const comeAndGo = async (times: number) => {
    for (let i = 0; i < times; i++) {
      await enter(guest, history)
      await guest.say(`<presence type='unavailable' to='${room}/guest'/>`, `code='110'`, `code="110"`)
    }
  }
  await comeAndGo(100)
  await measured(what, rounds, 'entry', () => comeAndGo(rounds))
}

async function measured(what: string, count: number, unit: string, run: () => Promise<void>): Promise<void> {
  const start = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(start)
  console.log(
    `room-past: ${what}: ${((user + system) / count).toFixed(2)} us of CPU ${unit === 'entry' ? 'an' : 'a'} ${unit}`,
  )
}
