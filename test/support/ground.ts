/**
 * What a stage stands on: stores and connections. In memory, unless the environment says PARLEY_TEST_STORES=postgres or
 * PARLEY_TEST_TRANSPORT=tls; then all scenes play on a real PostgreSQL, or through a real listener.
 */
import { connect as connectTcp } from 'node:net'
import { after } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { PipeTransport, type ClientEnd, type PipeOptions } from './pipe.js'
import { embeddedDatabase, freshDatabase, temporaryFolder } from '../contracts/database.js'
import { realClock, type Clock, type Timer } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import { Metrics } from '../../src/base/metrics.js'
import { systemRandom } from '../../src/base/random.js'
import type { Server } from '../../src/server.js'
import { Database } from '../../src/storage/database.js'
import { memoryStores } from '../../src/storage/memory.js'
import { migrate, readMigrations } from '../../src/storage/migrate.js'
import type { OfflineLimits } from '../../src/storage/offline.js'
import { openPostgresStores } from '../../src/storage/postgres.js'
import type { Stores } from '../../src/storage/stores.js'
import type { Transport } from '../../src/stream/transport.js'
import { Admission } from '../../src/tls/admission.js'
import { Certificates } from '../../src/tls/certificates.js'
import { Listener } from '../../src/tls/listener.js'

export type WireKind = 'pipe' | 'tcp' | 'tls'

/** How clients reach the server of a stage. */
export interface Wire {
  connect(domain: string, options: PipeOptions): ClientEnd
  close(): void
}

const onPostgres = process.env['PARLEY_TEST_STORES'] === 'postgres'
const usual: WireKind = process.env['PARLEY_TEST_TRANSPORT'] === 'tls' ? 'tls' : 'pipe'

/** Empty stores. */
export async function openStores(offline: OfflineLimits, clock: Clock): Promise<Stores> {
  if (!onPostgres) return memoryStores({ offline, clock })
  const database = await emptyDatabase()
  // Its moments are those of the stage; what it waits for takes its own time.
  const mixed: Clock = {
    now: () => clock.now(),
    after: (ms, run) => (ms > SOON ? realClock : soon).after(ms, run),
  }
  return openPostgresStores(database, { clock: mixed, offline })
}

/** Milliseconds: what waits no longer than this is a batch that will be written. */
const SOON = 100

/** The real clock, and how many wait for it. */
const soon = {
  waiting: 0,
  after(ms: number, run: () => void): Timer {
    let waits = true
    const wait = (now: boolean) => {
      if (waits !== now) soon.waiting += now ? 1 : -1
      waits = now
    }
    soon.waiting++
    const timer = realClock.after(ms, () => {
      wait(false)
      run()
    })
    return {
      refresh() {
        wait(true)
        timer.refresh()
      },
      cancel() {
        wait(false)
        timer.cancel()
      },
    }
  },
}

/** Nothing that was asked of the stores is under way, and what waited for it has gone on. */
export async function storesSettled(): Promise<void> {
  const database = await opened
  for (let quiet = 0; quiet < 4; quiet++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (database && (database.figures.open > database.figures.idle || soon.waiting > 0)) quiet = -1
  }
}

export async function openWire(
  server: Server,
  domains: readonly string[],
  highWater: number,
  kind = usual,
): Promise<Wire> {
  if (kind === 'pipe') return pipes(server, highWater)
  const accepted = new Set<Transport>()
  const listener = await Listener.open({
    kind: kind === 'tls' ? 'direct' : 'plain',
    address: { host: '127.0.0.1', port: 0 },
    certificates: kind === 'tls' ? await certificatesOf(domains) : undefined,
    admission: new Admission(realClock, { open: 10_000, rate: 10_000, burst: 10_000 }),
    highWater,
    clock: realClock,
    log: silentLog,
    metrics: new Metrics(),
    onConnection: (transport) => {
      accepted.add(transport)
      server.accept(transport)
    },
  })
  const pipe = pipes(server, highWater)
  return {
    // Who comes from elsewhere or before TLS comes through a pipe: no socket can be made to look so.
    connect: (domain, options) =>
      Object.keys(options).length > 0
        ? pipe.connect(domain, options)
        : socketEnd(listener.port, kind === 'tls' ? domain : undefined),
    close() {
      for (const transport of accepted) deafen(transport)
      listener.close()
    },
  }
}

/** As to a process that is no more: it hears nothing, not even that its connections end. */
function deafen(transport: Transport): void {
  Object.assign(transport, { onData() {}, onEnd() {}, onClose() {}, onDrain() {} })
}

function pipes(server: Server, highWater: number): Wire {
  return {
    connect(_domain, options) {
      const transport = new PipeTransport({ highWater, ...options })
      server.accept(transport)
      return transport.client
    },
    close() {},
  }
}

/** `servername` for a connection under TLS. */
function socketEnd(port: number, servername: string | undefined): ClientEnd {
  const raw = connectTcp({ host: '127.0.0.1', port }).setNoDelay(true)
  const socket =
    servername === undefined ? raw : connectTls({ socket: raw, servername, rejectUnauthorized: false })
  // A reset and not an end: the server must not wait for an answer to what it is about to say.
  const cut = () => raw.resetAndDestroy()
  const end: ClientEnd = {
    write: (text) => void socket.write(text),
    cut,
    stopReading: () => socket.pause(),
    readOn: () => socket.resume(),
    onData: () => {},
    onClose: () => {},
  }
  socket.on('data', (chunk) => end.onData(chunk))
  raw.on('error', () => {}).on('close', () => end.onClose())
  socket.on('error', () => {})
  return end
}

/** What scenes share, closed after the last one of the process. */
const closings: (() => void | Promise<void>)[] = []
after(async () => {
  for (const close of closings.splice(0).reverse()) await close()
})

/** One PostgreSQL for all scenes of the process, emptied for each. */
let opened: Promise<Database> | undefined

async function emptyDatabase(): Promise<Database> {
  opened ??= openDatabase()
  const database = await opened
  await database.transaction(async (transaction) => {
    const tables = await transaction.query<{ name: string }>(
      'test.tables',
      `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migrations'`,
    )
    await transaction.script(tables.map(({ name }) => `DELETE FROM ${name}`).join(';'))
  })
  return database
}

async function openDatabase(): Promise<Database> {
  const url = process.env['PARLEY_TEST_DATABASE_URL']
  const there = await (url ? freshDatabase(url) : embeddedDatabase())
  const database = new Database({ connection: there.connection, clock: realClock })
  closings.push(async () => {
    await database.close()
    await there.remove()
  })
  await migrate(database, readMigrations())
  return database
}

let certificates: Promise<Certificates> | undefined

function certificatesOf(domains: readonly string[]): Promise<Certificates> {
  return (certificates ??= makeCertificates(domains))
}

async function makeCertificates(domains: readonly string[]): Promise<Certificates> {
  const folder = await temporaryFolder()
  const made = await Certificates.open(
    domains.map((domain) => ({ domain, files: undefined })),
    {
      dataDirectory: folder.path,
      clock: realClock,
      random: systemRandom,
      log: silentLog,
      metrics: new Metrics(),
    },
  )
  closings.push(async () => {
    made.close()
    await folder.remove()
  })
  return made
}
