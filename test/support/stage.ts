/** The stage: a whole server in memory with its clock wound by hand, and the actors of a scene. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { Actor, PASSWORD } from './actor.js'
import { Dice } from './dice.js'
import { openStores, openWire, storesSettled, type Wire, type WireKind } from './ground.js'
import { Network } from './network.js'
import type { ClientEnd, PipeOptions } from './pipe.js'
import { openDesk } from '../../src/admin/desk.js'
import { HandClock } from '../../src/base/clock.js'
import { createLog, type Level } from '../../src/base/log.js'
import { Metrics } from '../../src/base/metrics.js'
import { systemRandom } from '../../src/base/random.js'
import { fileAccess, type FileAccess } from '../../src/config/files.js'
import { loadConfig } from '../../src/config/load.js'
import type { Chosen } from '../../src/host/modules.js'
import { modules } from '../../src/modules/index.js'
import { Passwords } from '../../src/sasl/password.js'
import { Server } from '../../src/server.js'
import { adminServices } from '../../src/services.js'
import type { AccountRole } from '../../src/storage/accounts.js'
import { Jid } from '../../src/stanza/jid.js'
import type { OfflineLimits } from '../../src/storage/offline.js'
import type { Stores } from '../../src/storage/stores.js'

/** A file in this folder holds its own name: the place for secrets of a scene. */
export const SECRETS = '/secrets/'

export const secretFiles: FileAccess = {
  ...fileAccess('/', undefined),
  read: (file) => (file.startsWith(SECRETS) ? file.slice(SECRETS.length) : readFileSync(file, 'utf8')),
}

export const DOMAIN = 'capulet.example'
export const OTHER_DOMAIN = 'montague.example'
/** Of the second server. */
export const FAR_DOMAIN = 'verona.example'

export interface StageOptions {
  /** Settings as on the command line: `limits.c2s_stanza_size=10000B`. */
  readonly set?: readonly string[]
  /** Other stores than the environment asks for. */
  readonly stores?: (offline: OfflineLimits) => Stores
  /** Another connection than the environment asks for. */
  readonly wire?: WireKind
  /** Whose the certificates of a client are. */
  readonly identify?: (chain: readonly Buffer[]) => readonly string[]
  /** Bytes of heap in use by the limit of the process, 0 to 1. */
  readonly memoryUse?: () => number
  /** Least important lines that are kept; default `warn`. */
  readonly logLevel?: Level
  /** A server of another domain, reached over `network`, with settings of its own; the clock is the same. */
  readonly far?: { readonly set?: readonly string[] }
}

/** What the server of a further domain shares with the first one. */
interface Beside {
  readonly domain: string
  readonly network: Network
  readonly clock: HandClock
  readonly lines: string[]
}

/** One process. */
interface Running {
  readonly server: Server
  readonly metrics: Metrics
  readonly wire: Wire
}

export class Stage {
  readonly clock: HandClock
  readonly domain: string
  /** How it reaches other servers. */
  readonly network: Network
  /** The server of the other domain, when the scene has one. */
  far: Stage | undefined = undefined
  readonly #actors = new Map<string, Actor>()
  readonly #lines: string[]
  readonly #passwords = new Passwords(systemRandom, { iterations: 1 })
  readonly stores: Stores
  /** Lines that the server logged: warnings and errors unless more was asked for. */
  readonly logged: readonly string[]
  /** What admins wanted the process to do. */
  readonly ends: readonly string[]
  /** Brings the order back that the modules were set up in: `SCENE_SEED=… npm test`. */
  readonly seed: number
  /** What the next connections look like to the server. */
  pipe: PipeOptions = {}
  #running: Running
  readonly #start: () => Promise<Running>

  private constructor(
    running: Running,
    start: () => Promise<Running>,
    stores: Stores,
    clock: HandClock,
    logged: readonly string[],
    seed: number,
    { domain, network, lines }: Beside,
    ends: readonly string[],
  ) {
    this.#running = running
    this.#start = start
    this.ends = ends
    this.domain = domain
    this.network = network
    this.#lines = lines
    this.stores = stores
    this.clock = clock
    this.logged = logged
    this.seed = seed
  }

  get server(): Server {
    return this.#running.server
  }

  get metrics(): Metrics {
    return this.#running.metrics
  }

  /** The server is stopped as it should be, and another process starts on its stores. */
  async restarts(): Promise<void> {
    await this.server.stop()
    await this.isSucceeded()
  }

  /** Another process starts on the stores of one that says no more. Time must not go on for both. */
  async isSucceeded(): Promise<void> {
    this.#running.wire.close()
    this.#running = await this.#start()
  }

  static async open(options: StageOptions = {}): Promise<Stage> {
    const beside: Beside = { domain: DOMAIN, network: new Network(), clock: new HandClock(), lines: [] }
    const stage = await Stage.#open(options, beside)
    if (options.far) stage.far = await Stage.#open(options.far, { ...beside, domain: FAR_DOMAIN })
    return stage
  }

  static async #open(
    { set = [], identify, stores, wire, memoryUse = () => 0, logLevel = 'warn' }: StageOptions,
    beside: Beside,
  ): Promise<Stage> {
    const { clock, network } = beside
    const lines: string[] = []
    const log = createLog(
      { level: logLevel, format: 'text', addresses: 'full', users: 'full' },
      { write: (line) => lines.push(line.trim()) },
      clock,
    )
    const { config } = loadConfig({
      modules,
      env: {},
      files: secretFiles,
      set: [
        `domain=${beside.domain}`,
        ...(beside.domain === DOMAIN ? [`domains=["${OTHER_DOMAIN}"]`] : []),
        ...set,
      ],
    })
    const { offlineMessages: messages, offlineSize: bytes } = config.limits
    const opened = stores ? stores({ messages, bytes }) : await openStores({ messages, bytes }, clock)
    const seed = Number(process.env['SCENE_SEED'] ?? randomInt(1_000_000))
    const ends: string[] = []
    const start = async (): Promise<Running> => {
      const metrics = new Metrics()
      const server = await Server.create({
        config,
        clock,
        random: systemRandom,
        log,
        metrics,
        stores: opened,
        secret: Buffer.alloc(32, 7),
        memoryUse,
        identify,
        peers: network.peers(),
        arrange: anyOrder(new Dice(seed)),
      })
      const services = adminServices({
        server,
        stores: opened,
        version: '1.2.3',
        clock,
        domains: config.domains,
        log,
        isOverridden: () => false,
        reload: () => Promise.resolve({ changes: [], notes: [] }),
        certificates: () => [],
        readiness: () => ({ ready: true, reasons: [] }),
        end: async (how, after) => void ends.push(`${how} in ${after / 1000} s`),
      })
      server.desks = (domain) => openDesk(domain, () => services, log)
      const served = [...server.hosts].flatMap(([domain, { tables }]) => [
        domain,
        ...tables.serviceHosts.keys(),
      ])
      for (const domain of served) network.add(domain, (transport) => server.acceptServer(transport))
      const { writePause, writeQueue } = config.limits
      const road = await openWire(server, config.domains, Math.min(writePause, writeQueue), wire)
      return { server, metrics, wire: road }
    }
    return new Stage(await start(), start, opened, clock, lines, seed, beside, ends)
  }

  actor(name: string, domain = this.domain): Actor {
    const key = `${name}@${domain}`
    let actor = this.#actors.get(key)
    if (!actor) this.#actors.set(key, (actor = new Actor(this, name, domain)))
    return actor
  }

  /** Another client with the account and the resource of this one. */
  twin(of: Actor): Actor {
    const twin = new Actor(this, of.name, of.domain)
    this.#actors.set(`twin ${this.#actors.size}`, twin)
    return twin
  }

  connect(actor: Actor): ClientEnd {
    return this.#running.wire.connect(actor.domain, this.pipe)
  }

  /** Streams of clients that the server has not seen the end of. */
  get streams(): number {
    return this.metrics.valueOf('c2s_streams') ?? 0
  }

  /** The server's end of the stream on which this actor has bound its resource. */
  streamOf({ full, domain }: Actor): { readonly open: boolean } | undefined {
    return this.server.hosts.get(domain)?.sessions.get(Jid.parse(full))?.stream
  }

  async account(local: string, domain: string, password: string): Promise<void> {
    if (await this.stores.accounts.get(domain, local)) return
    await this.stores.accounts.create(
      domain,
      local,
      await this.#passwords.deriveKeys(password),
      this.clock.now(),
    )
  }

  /** Everybody's stream has been served, and what that caused for others as well. */
  async settled(): Promise<void> {
    for (let round = 0; round < (this.far ? 4 : 2); round++) {
      const actors = [...this.#actors.values(), ...(this.far ? this.far.#actors.values() : [])]
      await Promise.all(actors.map((actor) => actor.settled()))
      await storesSettled()
    }
  }

  /** Time goes by, second after second, and what was due has happened. */
  async passes(ms: number): Promise<void> {
    await this.settled()
    for (let left = ms; left > 0; left -= 1000) {
      this.clock.advance(Math.min(left, 1000))
      for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    await this.settled()
  }

  /** Waits until what is read is what is expected: for what no fence is behind. Time goes on by `ms` at each look. */
  async becomes<T>(read: () => T | Promise<T>, expected: T, ms = 0): Promise<void> {
    const end = Date.now() + 20_000
    for (;;) {
      const found = await read()
      if (isDeepStrictEqual(found, expected)) return
      if (Date.now() > end) assert.deepEqual(found, expected, this.transcript())
      this.clock.advance(ms)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Gives an account a role; it is made when there is none. */
  async appoint(actor: Actor, role: AccountRole | undefined): Promise<void> {
    await this.account(actor.local, actor.domain, PASSWORD)
    const account = await this.stores.accounts.get(actor.domain, actor.local)
    await this.stores.accounts.setRole(account!.id, role)
  }

  note(line: string): void {
    this.#lines.push(line)
  }

  transcript(): string {
    return [`seed ${this.seed}`, ...this.#lines, ...this.logged.map((line) => `log: ${line}`)]
      .map((line) => `    ${line}`)
      .join('\n')
  }

  async close(): Promise<void> {
    await this.server.stop()
    await this.far?.close()
    this.#running.wire.close()
    await this.stores.close()
  }
}

/** Hooks of one phase run in the order of their modules' names; nothing may depend on it, so each scene has other names. */
function anyOrder(dice: Dice): (chosen: readonly Chosen[]) => readonly Chosen[] {
  return (chosen) => {
    const names = new Map(
      dice
        .shuffled(chosen)
        .map(({ module }, place) => [module.name, `${String(place).padStart(3, '0')} ${module.name}`]),
    )
    const renamed = (name: string): string => names.get(name) ?? name
    return chosen.map(({ module, options }) => ({
      options,
      module: { ...module, name: renamed(module.name), requires: (module.requires ?? []).map(renamed) },
    }))
  }
}

export type Name = 'romeo' | 'juliet' | 'nurse' | 'benvolio' | 'mercutio' | 'tybalt' | 'paris' | 'rosaline'
export type Device = 'phone' | 'laptop' | 'tablet' | 'watch' | 'robot' | 'silent'
type Actors = Readonly<Record<Name | `${Name}$${Device}`, Actor>>

/** Actors by name, `other` for those of the second domain, `far` for those of the second server, `stage` for the stage. */
export type Cast = Actors & { readonly stage: Stage; readonly other: Actors; readonly far: Actors }

/** A conversation. The cast comes from the names that `play` takes: each is a fresh account with a client. */
export function scene(name: string, play: (cast: Cast) => Promise<void>, options: StageOptions = {}): void {
  test(name, async () => {
    const stage = await Stage.open(options)
    const { far } = stage
    const several: Record<string, object | undefined> = {
      stage,
      other: new Proxy({}, { get: (_, name) => stage.actor(String(name), OTHER_DOMAIN) }),
      far: far && new Proxy({}, { get: (_, name) => far.actor(String(name)) }),
    }
    const cast = new Proxy(
      {},
      { get: (_, name) => several[String(name)] ?? stage.actor(String(name)) },
    ) as Cast
    try {
      await play(cast)
    } finally {
      await stage.close()
    }
  })
}
