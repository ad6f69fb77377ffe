/** Puts the parts together: hosts, rosters, modules, the road and the client streams, on stores that are already open. */
import { createHmac } from 'node:crypto'
import type { Clock } from './base/clock.js'
import { LimitHits } from './base/limit-hits.js'
import type { Log } from './base/log.js'
import type { Metrics } from './base/metrics.js'
import type { Random } from './base/random.js'
import { Throttle, type ThrottleLimits } from './base/rate.js'
import { formatAddress } from './base/units.js'
import { C2s } from './c2s/c2s.js'
import type { C2sSettings } from './c2s/parts.js'
import type { ServerConfig } from './config/server.js'
import type { Desk } from './host/desk.js'
import { Host } from './host/host.js'
import { Modules, type Chosen, type Prepared } from './host/modules.js'
import { modules } from './modules/index.js'
import { roomFigures, type RoomFigures } from './modules/rooms/api.js'
import { Presence } from './router/presence.js'
import type { Elsewhere } from './router/roads.js'
import { Router } from './router/router.js'
import { PasswordError, Passwords, PasswordsBusy } from './sasl/password.js'
import { BlockList } from './s2s/blocks.js'
import { Components, type ComponentFacts, type ComponentSettings } from './s2s/component.js'
import { StanzaError } from './stanza/errors.js'
import type { AccountKeys } from './storage/accounts.js'
import { DialbackKeys } from './s2s/dialback.js'
import type { Federation } from './s2s/facts.js'
import { Lanes } from './s2s/lanes.js'
import { Managing } from './s2s/management.js'
import type { Certify, Reach, S2sSettings } from './s2s/parts.js'
import { S2s } from './s2s/s2s.js'
import { Roster } from './session/roster.js'
import type { StreamError } from './stream/errors.js'
import type { StreamLimits } from './stream/stream.js'
import type { Transport } from './stream/transport.js'
import { Jid } from './stanza/jid.js'
import { Stanza } from './stanza/stanza.js'
import type { Stores } from './storage/stores.js'
import { el } from './xml/element.js'
import { NS } from './xml/namespaces.js'

export interface ServerParts {
  readonly config: ServerConfig
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly stores: Stores
  /** At least 32 bytes, the same after every restart. */
  readonly secret: Buffer
  /** Bytes of heap in use by the limit of the process, 0 to 1. */
  readonly memoryUse: () => number
  /** How other servers are reached and known; without it there is no federation. */
  readonly peers?: Peers | undefined
  /** The bare addresses that the certificates of a client vouch for; without it none are asked for. */
  readonly identify?: ((chain: readonly Buffer[]) => readonly string[]) | undefined
  /** The modules to run, under other names for instance: what no order among them should depend on. */
  readonly arrange?: (chosen: readonly Chosen[]) => readonly Chosen[]
}

/** The way to other servers. */
export interface Peers {
  readonly reach: Reach
  readonly certify: Certify
}

export class Server {
  readonly hosts: ReadonlyMap<string, Host>
  readonly passwords: Passwords
  readonly throttle: Throttle
  /** Domains that nothing is exchanged with. */
  readonly blocks: BlockList
  readonly #router: Router
  readonly #c2s: C2s
  readonly #s2s: S2s | undefined
  readonly #components: Components
  readonly #modules = new Map<string, Modules>()
  readonly #arrange: NonNullable<ServerParts['arrange']>
  readonly #openDesks = new Map<string, Desk>()
  #desks: ((domain: string) => Desk) | undefined = undefined
  #config: ServerConfig
  #settings: C2sSettings
  #s2sSettings: S2sSettings
  #componentSettings: ComponentSettings

  private constructor(parts: ServerParts, blocks: BlockList) {
    this.blocks = blocks
    const { config, clock, random, log, metrics, stores } = parts
    this.#config = config
    this.#arrange = parts.arrange ?? ((chosen) => chosen)
    this.#settings = c2sSettings(config)
    this.#s2sSettings = s2sSettings(config)
    this.#componentSettings = componentSettings(config)
    this.#router = new Router(log, metrics)
    const hits = new LimitHits(metrics)
    const hosts = new Map<string, Host>()
    for (const domain of config.domains) {
      const host = new Host({
        domain,
        clock,
        random,
        log: log.child({ host: domain }),
        metrics,
        stores,
        roster: (of) => new Roster(of, stores.rosters, () => this.#config.limits.rosterSize),
        route: (stanza) => this.#router.route(stanza),
        ended: (session) => this.#router.sessionGone(session),
        sessionsPerAccount: () => this.#config.limits.sessionsPerAccount,
        deriveKeys: (password) => keysFor(password, this.passwords),
        neighbours: () => neighboursOf(domain, config.domains, this.#components.connected),
        links: () =>
          this.#s2s?.links().filter(({ local, state }) => local === domain && state === 'open') ?? [],
        refusal: (remote) => this.blocks.refusal(remote),
        desk: () => this.#desk(domain),
      })
      hosts.set(domain, host)
      this.#modules.set(domain, new Modules(host))
      const road = {
        onward: (stanza: Stanza) => this.#router.onward(stanza),
        say: (stanza: Stanza) => this.#router.route(stanza),
      }
      this.#router.addHost(host, new Presence(host, road))
    }
    this.hosts = hosts
    this.passwords = new Passwords(random, {
      iterations: config.auth.iterations,
      onBusy: () => hits.add('password_queue'),
    })
    this.throttle = new Throttle(clock, throttleLimits(config))
    this.#c2s = new C2s({
      hosts,
      router: this.#router,
      clock,
      random,
      log,
      authResults: metrics.counters('auth_total', 'Logins by mechanism and result', ['mechanism', 'result']),
      store: stores.parked,
      resumptions: metrics.counters(
        'resumptions_total',
        'Attempts to resume a session (XEP-0198), by result',
        ['result'],
      ),
      metrics,
      hits,
      tokens: metrics.counter('auth_tokens_total', 'Tokens given to clients to log in with'),
      ratelimited: metrics.counter('auth_ratelimited_total', 'Logins refused after too many failures'),
      settings: () => this.#settings,
      secret: parts.secret,
      passwords: this.passwords,
      identify: parts.identify,
      throttle: this.throttle,
      overloaded: () => this.#isOverloaded(parts),
    })
    this.#components = new Components({
      domain: config.domains[0]!,
      router: this.#router,
      clock,
      random,
      log,
      metrics,
      hits,
      settings: () => this.#componentSettings,
      opened: (remote) => this.#tellOfLink('linkOpened', remote),
      broke: (remote) => this.#tellOfLink('linkBroken', remote),
    })
    this.#router.neighbours = this.#components
    this.#s2s = parts.peers && this.#federate(parts, parts.peers, hits)
    this.#router.elsewhere = this.#s2s
    metrics.watch('c2s_sessions', 'Sessions of clients', () => this.#sessionsByState(), ['state'])
    const cached = () => Object.entries(this.#cached(stores)).map(([name, size]) => [[name], size] as const)
    metrics.watch('cache_entries', 'Entries of caches, each of them bounded', cached, ['cache'])
    metrics.watch('offline_queued', 'Messages kept for accounts to return', () => stores.offline.queued)
    metrics.watch('archive_rows', 'Messages in archives, roughly', () => stores.archive.size)
    metrics.watch('archive_waiting', 'Messages that wait to be written', () => stores.archive.waiting)
    metrics.watch(
      'purge_last_success_timestamp',
      'When expired messages were last removed from the archives, in seconds since 1970',
      () => stores.archive.purgedAt / 1000,
    )
    metrics.watch('rooms', 'Rooms in memory, with somebody in and without', () => this.#rooms().states, [
      'state',
    ])
    metrics.watch(
      'room_occupants',
      'People in rooms, each once for every room',
      () => this.#rooms().occupants,
    )
    metrics.watch(
      'rooms_waiting',
      'Comings and goings in rooms that wait to be written',
      () => stores.rooms.waiting,
    )
    metrics.watch('c2s_streams', 'Streams of clients, bound or not', () => this.#c2s.size)
  }

  /** @throws Error when a module cannot be set up; StorageUnavailable */
  static async create(parts: ServerParts): Promise<Server> {
    const { stores, clock, metrics } = parts
    const server = new Server(parts, await BlockList.open({ store: stores.blocks, clock, metrics }))
    await server.#loadModules(parts.config)
    await server.#c2s.parking.restore()
    await server.#s2s?.restore()
    for (const host of server.hosts.values()) void host.tell('started')
    return server
  }

  #rooms(): {
    readonly states: readonly (readonly [readonly string[], number])[]
    readonly occupants: number
  } {
    const all = [...this.hosts.values()].flatMap((host) => host.provided(roomFigures)?.() ?? [])
    const sum = (of: (figures: RoomFigures) => number) =>
      all.reduce((total, figures) => total + of(figures), 0)
    return {
      states: [
        [['used'], sum(({ used }) => used)],
        [['idle'], sum(({ idle }) => idle)],
      ],
      occupants: sum(({ occupants }) => occupants),
    }
  }

  /** `available` with presence, `connected` without. */
  #sessionsByState(): [string[], number][] {
    let available = 0
    for (const host of this.hosts.values())
      for (const session of host.sessions.all()) if (session.presence) available++
    return [
      [['available'], available],
      [['connected'], this.sessionCount - available],
    ]
  }

  #cached(stores: Stores): Record<string, number> {
    let rosters = 0
    for (const host of this.hosts.values()) rosters += host.roster.size
    return { ...stores.cached, rosters, lockouts: this.throttle.size }
  }

  get sessionCount(): number {
    let count = 0
    for (const host of this.hosts.values()) count += host.sessions.size
    return count
  }

  /** Takes stanzas for domains that are not ours; without one they bounce. */
  set elsewhere(elsewhere: Elsewhere | undefined) {
    this.#router.elsewhere = elsewhere
  }

  /** Makes the desks where admins ask for commands over XMPP; without them there are none. */
  set desks(open: (domain: string) => Desk) {
    this.#desks = open
  }

  #desk(domain: string): Desk | undefined {
    if (!this.#openDesks.has(domain) && this.#desks) this.#openDesks.set(domain, this.#desks(domain))
    return this.#openDesks.get(domain)
  }

  /** A client's connection, from a listener or from a test. */
  accept(transport: Transport): void {
    this.#c2s.accept(transport)
  }

  /** Another server's connection. */
  acceptServer(transport: Transport): void {
    if (this.#s2s) this.#s2s.accept(transport)
    else transport.destroy()
  }

  /** An external component's connection. */
  acceptComponent(transport: Transport): void {
    this.#components.accept(transport)
  }

  /** The external components that are configured. */
  get components(): readonly ComponentFacts[] {
    return this.#components.facts
  }

  /** The links to other servers. */
  get federation(): Federation | undefined {
    return this.#s2s
  }

  /**
   * Asks the server of another domain in the name of one of ours, over the streams that stanzas take. Gives the condition
   * of an error, `answered` for all else. Rejects with StanzaError `remote-server-timeout` when nothing comes back.
   */
  async ping(local: string, remote: string, ms: number): Promise<string> {
    const host = this.hosts.get(local)!
    const envelope = { kind: 'iq', type: 'get', id: host.random.id(), from: host.address } as const
    const answer = await host.ask(Stanza.of({ ...envelope, to: Jid.of('', remote) }, el('ping', NS.ping)), ms)
    if (answer.type !== 'error') return 'answered'
    const condition = answer.child('error')?.childrenOf(undefined, NS.stanzaErrors)[0]?.local
    return condition ?? 'an error without a condition'
  }

  /** Takes over what can change while running; the caller has refused what cannot. */
  async reload(config: ServerConfig): Promise<void> {
    await this.#loadModules(config)
    this.#config = config
    this.#settings = c2sSettings(config)
    this.#s2sSettings = s2sSettings(config)
    this.#componentSettings = componentSettings(config)
    this.#components.review()
    this.throttle.limits = throttleLimits(config)
    this.passwords.iterations = config.auth.iterations
  }

  /** Ends every session of an account, for instance because it was disabled. */
  endSessions(domain: string, local: string, error: StreamError): number {
    const host = this.hosts.get(domain)
    const sessions = host?.sessions.of(Jid.of(local, domain)) ?? []
    for (const session of sessions) session.close(error)
    return sessions.length
  }

  /** Asks clients what they have handled, before the end: the rest is kept for them. Gives how many have yet to say so. */
  ask(): number {
    return this.#c2s.ask()
  }

  /** Tells every stream `system-shutdown` and stops the modules. Stores stay open. */
  async stop(): Promise<void> {
    for (const host of this.hosts.values()) await host.tell('stopping')
    await this.#s2s?.drain()
    this.#c2s.stop()
    await this.#router.settled()
    // What sessions said when they ended is on its way.
    await this.#s2s?.stop()
    this.#components.stop()
    await this.#c2s.parking.save()
    for (const loaded of this.#modules.values()) await loaded.stop()
  }

  #federate(parts: ServerParts, peers: Peers, hits: LimitHits): S2s {
    const { clock, random, log, metrics, secret, stores } = parts
    return new S2s({
      ...peers,
      blocked: (remote) => this.blocks.refusal(remote),
      domain: this.#config.domains[0]!,
      serves: (domain) => this.#router.serves(domain) || this.#components.serves(domain),
      router: this.#router,
      clock,
      random,
      log,
      metrics,
      hits,
      hosts: this.hosts,
      outbound: stores.outbound,
      managing: new Managing(clock, random),
      lanes: new Lanes(),
      keys: new DialbackKeys(createHmac('sha256', secret).update('dialback').digest()),
      settings: () => this.#s2sSettings,
      broke: (local, remote) => this.#tellOfLink('linkBroken', remote, local),
      opened: (local, remote) => this.#tellOfLink('linkOpened', remote, local),
      overloaded: () => this.#isOverloaded(parts),
    })
  }

  /** To the host of our domain; a component, which is no server, is everybody's. */
  #tellOfLink(event: 'linkBroken' | 'linkOpened', remote: string, local?: string): void {
    for (const host of this.hosts.values()) {
      const isConcerned = local === undefined || local === host.domain || host.tables.serviceHosts.has(local)
      if (isConcerned) void host.tell(event, remote, local ?? host.domain)
    }
  }

  /** The memory guard: no new logins, and no new streams of servers. */
  #isOverloaded({ memoryUse }: Pick<ServerParts, 'memoryUse'>): boolean {
    return memoryUse() * 100 > this.#config.limits.memoryGuard
  }

  /** On all domains or on none. */
  async #loadModules(config: ServerConfig): Promise<void> {
    const prepared: Prepared[] = []
    try {
      for (const [domain, loaded] of this.#modules)
        prepared.push(await loaded.prepare(this.#arrange(chosen(config, domain))))
    } catch (error) {
      for (const each of prepared) await each.drop()
      throw error
    }
    await Promise.all(prepared.map((each) => each.take()))
  }
}

function chosen(config: ServerConfig, domain: string): readonly Chosen[] {
  const settings = config.hosts.get(domain)?.modules
  return modules.flatMap((module) => {
    const setting = settings?.get(module.name)
    return setting?.enabled ? [{ module, options: setting.options }] : []
  })
}

/** What goes wrong with a new password, in words for a client. */
async function keysFor(password: string, passwords: Passwords): Promise<AccountKeys> {
  try {
    return await passwords.deriveKeys(password)
  } catch (error) {
    if (error instanceof PasswordError) throw new StanzaError('not-acceptable', error.message)
    if (error instanceof PasswordsBusy) throw new StanzaError('resource-constraint')
    throw error
  }
}

function throttleLimits({ limits }: ServerConfig): ThrottleLimits {
  return { failures: limits.lockoutFailures, ms: limits.lockoutTime }
}

/** Of streams whose peers may send stanzas of so many bytes. */
function streamLimits({ limits }: ServerConfig, bytes: number): StreamLimits {
  const { depth, elements, attributes, namespaces } = limits
  const shared = { depth, elements, attributes, namespaces }
  return {
    before: { ...shared, bytes: limits.preauthSize },
    after: { ...shared, bytes },
    elementsBefore: limits.preauthElements,
    loginTimeout: limits.loginTimeout,
    writeMax: limits.writeQueue,
    writeStall: limits.writeTimeout,
  }
}

function s2sSettings(config: ServerConfig): S2sSettings {
  const { limits, s2s } = config
  return {
    limits: streamLimits(config, limits.s2sStanzaSize),
    pace: Number.isFinite(limits.s2sRate.count)
      ? { rate: perSecond(limits.s2sRate), burst: limits.s2sBurst }
      : undefined,
    domains: limits.s2sDomains,
    dialbacks: limits.s2sDialbacks,
    streams: limits.s2sStreams,
    queue: limits.s2sQueue,
    queueBytes: limits.s2sQueueSize,
    retryMax: limits.s2sRetryMax,
    messageTimeout: limits.s2sMessageTimeout,
    iqTimeout: limits.s2sIqTimeout,
    connectTimeout: limits.s2sConnectTimeout,
    idle: limits.s2sIdle,
    policy(remote) {
      const own = s2s.domain.get(remote)?.policy ?? 'default'
      return own === 'default' ? s2s.policy : own
    },
  }
}

function componentSettings(config: ServerConfig): ComponentSettings {
  const { limits, component } = config
  return {
    secrets: new Map([...component].map(([domain, { secret }]) => [domain, secret])),
    limits: streamLimits(config, limits.s2sStanzaSize),
    pingAfter: limits.idlePing,
    pingTimeout: 60_000,
  }
}

/** The components that a domain lists as its own: those below it, and those below none of our domains. */
function neighboursOf(own: string, domains: readonly string[], components: readonly string[]): string[] {
  return components.filter((component) => {
    const above = domains.filter((domain) => component.endsWith(`.${domain}`))
    return above.length === 0 || above.includes(own)
  })
}

function c2sSettings(config: ServerConfig): C2sSettings {
  const { limits, auth } = config
  return {
    limits: streamLimits(config, limits.c2sStanzaSize),
    bytePace: Number.isFinite(limits.c2sRate.count)
      ? { rate: perSecond(limits.c2sRate), burst: limits.c2sBurst }
      : undefined,
    stanzaPace: Number.isFinite(limits.c2sStanzaRate.count)
      ? { rate: perSecond(limits.c2sStanzaRate), burst: limits.c2sStanzaBurst }
      : undefined,
    failuresPerStream: limits.loginFailures,
    window: { count: limits.smQueue, bytes: limits.smQueueSize },
    parking: { time: limits.smTime, maxTime: limits.smTimeMax, perAccount: limits.parkedSessions },
    location: config.c2s.location && formatAddress(config.c2s.location),
    tokenMechanisms: auth.tokenMechanisms,
    tokenLifetime: auth.tokenLifetime,
    mechanisms: auth.anonymous ? [...auth.mechanisms, 'ANONYMOUS'] : auth.mechanisms,
    pingAfter: limits.idlePing,
    pingTimeout: 60_000,
  }
}

function perSecond({ count, per }: { count: number; per: number }): number {
  return (count * 1000) / per
}
