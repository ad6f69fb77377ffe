/** Starts everything a server needs around it (database, certificates, listeners, control socket) and stops it again. */
import { createHmac } from 'node:crypto'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { getHeapStatistics } from 'node:v8'
import { banner } from './admin/banner.js'
import type { CertificateState } from './admin/commands.js'
import { openDesk } from './admin/desk.js'
import { serveCommands } from './admin/socket.js'
import { commandTable } from './admin/table.js'
import type { Clock, Timer } from './base/clock.js'
import { LimitHits } from './base/limit-hits.js'
import type { Log, RootLog } from './base/log.js'
import type { Metrics } from './base/metrics.js'
import type { Random } from './base/random.js'
import type { ServerConfig } from './config/server.js'
import type { ReloadReport } from './config/settings.js'
import { Doors, highWater, tryDoors } from './doors.js'
import { Resolver } from './dns/resolver.js'
import { startManagement, type Readiness } from './http/server.js'
import { certifyBy } from './s2s/certify.js'
import { reachBy } from './s2s/reach.js'
import { CommandError } from './host/command.js'
import { Server, type Peers } from './server.js'
import { adminServices } from './services.js'
import { Database, withPassword } from './storage/database.js'
import { startEmbedded } from './storage/embedded.js'
import { migrate, readMigrations } from './storage/migrate.js'
import type { OfflineLimits } from './storage/offline.js'
import { openPostgresStores } from './storage/postgres.js'
import type { Stores } from './storage/stores.js'
import { Admission } from './tls/admission.js'
import { accountsOf } from './tls/accounts.js'
import { Certificates } from './tls/certificates.js'
import { TlsClient } from './tls/client.js'
import { reputeOf } from './tls/repute.js'
import { TrustStore } from './tls/trust.js'
import { ListenError } from './tls/listener.js'

export interface StartSettings {
  readonly config: ServerConfig
  readonly log: RootLog
  readonly metrics: Metrics
  readonly clock: Clock
  readonly random: Random
  readonly version: string
  /** How the command line is called, for the banner: `npx parley`. */
  readonly parley: string
  /** Aborted when the start is no longer wanted: what was opened is closed again. */
  readonly signal: AbortSignal
  /** Reads the configuration again and applies it through `RunningServer.reload`; for the admin command. */
  reload(): Promise<ReloadReport>
  /** Throws `ConfigError` when the configuration, as it is now, starts no server. */
  mayStart(): void
  /** Somebody wants the server to end, or to begin anew. */
  end(how: 'stop' | 'restart'): void
}

export interface RunningServer {
  /** What is listening and what to do next, for a person. */
  readonly banner: string
  /** Drains: refuses new connections, tells the streams, writes what waits. */
  stop(): Promise<void>
  /** Takes over what can change while running; gives notes for the admin. */
  reload(next: ServerConfig): Promise<readonly string[]>
}

/** Milliseconds that clients get to acknowledge what they have, and then streams to take in their last words. */
const FAREWELL = 2000

/** What was opened, closed again in reverse order when a later step fails or the server stops. */
type Closing = () => void | Promise<void>

/** @throws an Error whose message is one clear line, often with a `fix`; then nothing stays open */
export async function startServer(settings: StartSettings): Promise<RunningServer> {
  const closings: Closing[] = []
  try {
    return await start(settings, closings)
  } catch (error) {
    await closeAll(closings).catch((fault: unknown) =>
      settings.log.error('start.undo.failed', { error: fault }),
    )
    throw error
  }
}

/** Closes all, whatever happens to one of them. Rejects with the first failure. */
async function closeAll(closings: Closing[]): Promise<void> {
  const failures: unknown[] = []
  for (const close of closings.splice(0).reverse()) {
    try {
      await close()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

async function start(settings: StartSettings, closings: Closing[]): Promise<RunningServer> {
  const { config, log, clock, random, metrics } = settings
  metrics.watch('build_info', 'The version that runs', () => [[[settings.version], 1]], ['version'])
  const generation = metrics.gauge(
    'config_generation',
    'Configurations in force since the start, this one included',
  )
  generation.set(1)
  // A first start that cannot be leaves nothing behind.
  if (!(await exists(resolve(config.dataDir)))) await tryDoors(config)
  await makeFolder(resolve(config.dataDir))
  await complainIfOpen(resolve(config.dataDir), log)
  const offline = offlineLimits(config)
  const { database, stores } = await openStorage(settings, { metrics, offline }, closings)
  const certificates = await Certificates.open(
    [...config.hosts.values()].map(({ domain, tls, services }) => ({ domain, services, files: tls })),
    { dataDirectory: config.dataDir, clock, random, log, metrics },
  )
  closings.push(() => certificates.close())
  const federation = await federate(settings, { certificates, metrics })
  closings.push(() => federation.tls.close())
  closings.push(() => federation.resolver.close())
  const secret = await secretOf(stores, random)
  // Another secret than that of the salts: neither tells of the other.
  log.pepper(createHmac('sha256', secret).update('log').digest())
  const { clientCa } = config.listen
  const vouching = clientCa === undefined ? undefined : await TrustStore.only(clientCa, 'listen.client_ca')
  const server = await Server.create({
    config,
    clock,
    random,
    log,
    metrics,
    stores,
    secret,
    memoryUse,
    peers: federation.peers,
    identify: vouching && ((chain) => accountsOf(chain, vouching, clock.now())),
  })
  const readiness = (): Readiness => readinessOf(database)
  settings.signal.throwIfAborted()
  const management = await startManagement({ addresses: config.listen.management, metrics, readiness })
  closings.push(() => management.close())
  const admission = new Admission(clock, admissionLimits(config))
  metrics.watch('visitors', 'Addresses whose new connections are counted', () => admission.size)
  const doors = new Doors({
    server,
    certificates,
    asksClients: vouching !== undefined,
    admission,
    metrics,
    clock,
    log,
  })
  closings.push(() => doors.close())
  await doors.open(config)
  const isOverridden = (remote: string) => federation.config.s2s.domain.get(remote)?.address !== undefined
  const states = () =>
    certificates.facts.map((facts) => {
      const notes = reputeOf(facts, federation.trust, clock.now())
      return { ...facts, listeners: doors.secured, notes }
    })
  warnOfRepute(settings, states())
  await serveAdmin(settings, { server, stores, readiness, isOverridden, certificates: states }, closings)
  const accounts = await stores.accounts.count(config.domains[0] ?? '')

  return {
    banner: banner({
      version: settings.version,
      domains: config.domains,
      services: [...config.hosts.values()].flatMap(({ services }) => services),
      listening: {
        c2s: doors.addresses('client', 'starttls'),
        c2sTls: doors.addresses('client', 'direct'),
        c2sPlain: doors.addresses('client', 'plain'),
        s2s: doors.addresses('server', 'starttls'),
        s2sTls: doors.addresses('server', 'direct'),
        component: doors.addresses('component', 'plain'),
        management: management.addresses,
      },
      dataDir: config.dataDir,
      database:
        config.database.url === undefined ? 'embedded PostgreSQL' : `PostgreSQL at ${database.address}`,
      certificates: certificates.facts,
      accounts,
      parley: settings.parley,
    }),
    async reload(next) {
      await federation.trust.reload(next.s2s.caFile)
      await doors.open(next).catch((error: unknown) => {
        throw error instanceof ListenError ? new CommandError(error.message, 'nothing was changed') : error
      })
      await server.reload(next)
      doors.review(next)
      federation.config = next
      federation.resolver.clear()
      federation.tls.highWater = highWater(next.limits)
      admission.limits = admissionLimits(next)
      Object.assign(offline, offlineLimits(next))
      await certificates.check()
      generation.add(1)
      return []
    },
    async stop() {
      doors.stop()
      try {
        await acknowledged(server, settings.clock)
        await server.stop()
        await doors.allClosed(FAREWELL)
      } finally {
        await closeAll(closings)
      }
    },
  }
}

/** Waits until clients have acknowledged what they got, at most `FAREWELL`: they need not get it again. */
async function acknowledged(server: Server, clock: Clock): Promise<void> {
  const end = clock.now() + FAREWELL
  while (server.ask() > 0 && clock.now() < end)
    await new Promise<void>((resolve) => void clock.after(20, resolve))
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  )
}

/**
 * The folder with what is missing above it, for nobody else. Node's own recursive mkdir never comes back from a place
 * where nothing can be made, such as below /proc.
 */
async function makeFolder(path: string): Promise<void> {
  const made = await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => error)
  if (made === undefined || (made.code === 'EEXIST' && (await stat(path)).isDirectory())) return
  if (made.code !== 'ENOENT' || dirname(path) === path) throw made
  await makeFolder(dirname(path))
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    const fix = 'set data_dir to another place'
    throw Object.assign(new Error(`cannot make the folder ${path}: nothing can be made there`), { fix })
  })
}

/** Whoever may write there may put files in place of ours. */
async function complainIfOpen(folder: string, log: Log): Promise<void> {
  const { mode } = await stat(folder)
  if ((mode & 0o002) === 0) return
  log.warn(
    'data-dir.open',
    { folder },
    `everyone on this machine can write in ${folder}: chmod o-w ${folder}`,
  )
}

async function openStorage(
  { config, log, clock, signal }: StartSettings,
  { metrics, offline }: { metrics: Metrics; offline: OfflineLimits },
  closings: Closing[],
): Promise<{ database: Database; stores: Stores }> {
  const { url, password, pool, statementTimeout, connectWait } = config.database
  const tell = (line: string) => log.info('database', {}, line)
  const hits = new LimitHits(metrics)
  const took = metrics.histograms('db_query_seconds', 'Time of statements by name', queryBounds, 'op')
  const embedded =
    url === undefined ? await startEmbedded({ data: config.dataDir, clock, tell, signal }) : undefined
  if (embedded) closings.push(() => embedded.stop())
  const database = new Database({
    connection: embedded?.connection ?? (password === undefined ? url! : withPassword(url!, password)),
    clock,
    size: pool,
    statementTimeout,
    onState(state, reason) {
      if (state === 'up') log.info('database.up', { reason })
      else log.error('database.down', { reason })
    },
    onQuery: (op, seconds) => took.of(op).observe(seconds),
    onBusy: () => hits.add('database_queue'),
  })
  closings.push(() => database.close())
  await database.waitUntilReady(connectWait, tell, signal)
  signal.throwIfAborted()
  await migrate(database, readMigrations(), tell)
  const stores = openPostgresStores(database, { clock, offline })
  closings.push(() => stores.close())
  metrics.watch('db_up', 'Whether the database answers', () => (database.state === 'up' ? 1 : 0))
  metrics.watch('db_pool', 'Connections to the database', () => poolFigures(database), ['state'])
  return { database, stores }
}

/** Seconds. */
const queryBounds = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10]

function poolFigures({ figures: { open, idle, waiting } }: Database): [string[], number][] {
  return [
    [['open'], open],
    [['idle'], idle],
    [['waiting'], waiting],
  ]
}

/** Of the database, so that all servers on it show the same salts for accounts that do not exist. */
async function secretOf(stores: Stores, random: Random): Promise<Buffer> {
  const kept = stores.map<string>('', 'server')
  return Buffer.from(await kept.keep(' sasl-secret', random.bytes(32).toString('base64')), 'base64')
}

/** The way to other servers; `config` is replaced by a reload. */
async function federate(
  { config, clock, random }: StartSettings,
  { certificates, metrics }: { certificates: Certificates; metrics: Metrics },
) {
  const tls = new TlsClient({ certificates, clock, metrics, highWater: highWater(config.limits) })
  const resolver = new Resolver({
    servers: () => federation.config.dns.servers,
    timeout: () => federation.config.dns.timeout,
    clock,
    random,
    metrics,
  })
  const reach = reachBy({
    resolver,
    tls,
    clock,
    random,
    timeout: () => federation.config.limits.s2sConnectTimeout,
    override(remote) {
      const { address, tls: how } = federation.config.s2s.domain.get(remote) ?? {}
      return address && how ? { address, tls: how } : undefined
    },
  })
  const trust = await TrustStore.open(config.s2s.caFile)
  const peers: Peers = { reach, certify: certifyBy(trust, clock) }
  const federation = { config, tls, trust, resolver, peers }
  return federation
}

/** Servers of localhost meet no others. */
function warnOfRepute({ config, log }: StartSettings, states: readonly CertificateState[]): void {
  const { s2s, s2sTls } = config.listen
  if (s2s.length + s2sTls.length === 0 || config.s2s.policy === 'blocked') return
  for (const { domain, file, notes } of states)
    for (const note of domain === 'localhost' ? [] : notes)
      log.warn('tls.certificate.doubtful', { host: domain }, `${domain}: ${file}: ${note}`)
}

function offlineLimits({ limits }: ServerConfig): OfflineLimits {
  return { messages: limits.offlineMessages, bytes: limits.offlineSize }
}

function admissionLimits({ limits }: ServerConfig) {
  const { count, per } = limits.connectionRate
  return { open: limits.connectionsPerAddress, rate: (count * 1000) / per, burst: limits.connectionBurst }
}

async function serveAdmin(
  settings: StartSettings,
  parts: {
    server: Server
    stores: Stores
    readiness: () => Readiness
    isOverridden: (remote: string) => boolean
    certificates: () => readonly CertificateState[]
  },
  closings: Closing[],
): Promise<void> {
  const { config, clock, log, version } = settings
  let ending: Timer | undefined
  const services = adminServices({
    ...parts,
    version,
    clock,
    domains: config.domains,
    log,
    reload: () => settings.reload(),
    async end(how, after) {
      if (how === 'restart') settings.mayStart()
      ending?.cancel()
      ending = clock.after(after, () => settings.end(how))
    },
  })
  closings.push(() => ending?.cancel())
  parts.server.desks = (domain) => openDesk(domain, () => services, log)
  const path = config.listen.adminSocket ?? join(config.dataDir, 'parley.sock')
  const socket = await serveCommands({ path, commands: commandTable(() => services), log, clock })
  closings.push(() => socket.close())
}

function readinessOf(database: Database): Readiness {
  return database.state === 'up'
    ? { ready: true, reasons: [] }
    : { ready: false, reasons: [`the database ${database.address} does not answer`] }
}

/** Part of the heap's limit that is in use; what waits in sockets is counted too, though it lies beside the heap. */
function memoryUse(): number {
  const { used_heap_size: used, external_memory: beside, heap_size_limit: limit } = getHeapStatistics()
  return (used + beside) / limit
}
