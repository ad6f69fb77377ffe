/** A served domain: its sessions, stores, tables, and all that a module is given. */
import type { AnyCommand } from './command.js'
import type { Desk } from './desk.js'
import { compile, pass, type Crash, type GateTable, type OwnedHook } from './hooks.js'
import { IqTable } from './iq-table.js'
import type {
  BindFeature,
  Contribution,
  DiscoBranch,
  Events,
  Identity,
  Portable,
  ServiceKey,
  StreamFeature,
} from './module.js'
import { hidesFrom } from './module.js'
import { compileServices, type CompiledService } from './service.js'
import type { Clock } from '../base/clock.js'
import type { Log } from '../base/log.js'
import { LimitHits } from '../base/limit-hits.js'
import type { Counter, Counters, Metrics } from '../base/metrics.js'
import type { Random } from '../base/random.js'
import type { Roster } from '../session/roster.js'
import { Session, type SessionHost } from '../session/session.js'
import { Sessions } from '../session/sessions.js'
import { StanzaError } from '../stanza/errors.js'
import { joinedForms } from '../stanza/forms.js'
import { Jid } from '../stanza/jid.js'
import { Stanza, type Kind } from '../stanza/stanza.js'
import type { Account, AccountKeys, Accounts } from '../storage/accounts.js'
import type { MapStore, Stores } from '../storage/stores.js'
import { StreamError } from '../stream/errors.js'
import type { Stream } from '../stream/stream.js'
import type { Element } from '../xml/element.js'

/** What the modules of a host contribute, compiled; replaced whole on reload. */
export interface Tables {
  readonly gates: GateTable
  readonly iq: IqTable
  readonly features: readonly string[]
  readonly accountFeatures: readonly string[]
  readonly accountIdentities: readonly Identity[]
  readonly identities: readonly Identity[]
  readonly info: readonly Element[]
  readonly streamFeatures: readonly StreamFeature[]
  readonly bindFeatures: readonly BindFeature[]
  readonly bound: readonly NonNullable<Contribution['bound']>[]
  readonly events: { readonly [E in keyof Events]: readonly Events[E][] }
  readonly commands: readonly AnyCommand[]
  readonly branches: readonly DiscoBranch[]
  /** By domain. */
  readonly serviceHosts: ReadonlyMap<string, CompiledService>
  readonly portable: readonly Portable[]
  readonly services: ReadonlyMap<string, unknown>
}

export interface Contributed {
  readonly name: string
  readonly contribution: Contribution
}

export interface HostParts {
  readonly domain: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly stores: Stores
  /** Made by the host's maker, since a roster sends pushes through its host. */
  readonly roster: (host: Host) => Roster
  /** The road: set by the router. */
  readonly route: (stanza: Stanza) => void | Promise<void>
  /** Ends a session that has no stream: set by the router. */
  readonly ended: (session: Session) => void
  /** Asked at each binding, so that a reload counts at once. */
  readonly sessionsPerAccount: () => number
  /** Rejects with StanzaError: `not-acceptable` says why it cannot be a password, `resource-constraint` is for later. */
  readonly deriveKeys: (password: string) => Promise<AccountKeys>
  /** External components that are connected now and belong to this domain. */
  readonly neighbours?: () => readonly string[]
  /** Pairs of this domain and one of another server, one for each authenticated direction of a stream. */
  readonly links?: () => readonly Link[]
  /** Why nothing is exchanged with a domain, in words for both sides; undefined when it may be. */
  readonly refusal?: (domain: string) => string | undefined
  /** Where admins of this domain ask for commands. */
  readonly desk?: () => Desk | undefined
}

/** A stream between this domain and another one. */
export interface Link {
  readonly remote: string
  readonly dir: 'in' | 'out'
}

/** How an account came to be: by a client (XEP-0077), by the admin, or from another server (XEP-0227). */
export type Way = 'in-band' | 'admin' | 'import'

interface Waiting {
  readonly from: string
  readonly answered: (stanza: Stanza) => void
}

/** Requests of the host itself that may wait for an answer at once. */
const MAX_ASKING = 10_000

export class Host {
  readonly domain: string
  readonly address: Jid
  readonly startedAt: number
  readonly sessions = new Sessions()
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly stores: Stores
  readonly roster: Roster
  readonly sessionsPerAccount: () => number
  /** The domains of external components that are connected now, for clients that look for services. */
  readonly neighbours: () => readonly string[]
  /** Streams from and to other servers that are authenticated now. */
  readonly links: () => readonly Link[]
  /** Why nothing is exchanged with a domain, in words for both sides; undefined when it may be. */
  readonly refusal: (domain: string) => string | undefined
  /** Counts a limit that was met. */
  readonly hits: LimitHits
  tables: Tables
  readonly #desk: () => Desk | undefined
  readonly #metrics: Metrics
  readonly #route: (stanza: Stanza) => void | Promise<void>
  readonly #asking = new Map<string, Waiting>()
  readonly #deriveKeys: HostParts['deriveKeys']
  readonly #sessionHost: SessionHost
  readonly #out: Readonly<Record<Kind, Counter>>
  readonly #registrations: Readonly<Record<Way, Counter>>

  constructor(parts: HostParts) {
    this.address = Jid.of('', parts.domain)
    this.domain = this.address.domain
    this.startedAt = parts.clock.now()
    this.clock = parts.clock
    this.random = parts.random
    this.log = parts.log
    this.#metrics = parts.metrics
    this.hits = new LimitHits(parts.metrics)
    this.stores = parts.stores
    this.#route = parts.route
    this.sessionsPerAccount = parts.sessionsPerAccount
    this.neighbours = parts.neighbours ?? (() => [])
    this.links = parts.links ?? (() => [])
    this.refusal = parts.refusal ?? (() => undefined)
    this.#desk = parts.desk ?? (() => undefined)
    this.#deriveKeys = parts.deriveKeys
    const counted = parts.metrics.counters('stanzas_total', 'Stanzas taken in, made here, and sent out', [
      'dir',
      'kind',
    ])
    this.#out = {
      message: counted.of('out', 'message'),
      presence: counted.of('out', 'presence'),
      iq: counted.of('out', 'iq'),
    }
    const made = parts.metrics.counters('registrations_total', 'Accounts made', ['way'])
    this.#registrations = {
      'in-band': made.of('in-band'),
      admin: made.of('admin'),
      import: made.of('import'),
    }
    this.tables = tablesOf([], () => undefined)
    this.roster = parts.roster(this)
    this.#sessionHost = {
      address: this.address,
      now: () => this.clock.now(),
      leaving: (stanza, session) => this.#leaving(stanza, session),
      queued: (session, stanza) => void this.tell('queuedForParked', session, stanza),
      over: (session, full) => {
        if (full) this.hits.add('sm_queue')
        parts.ended(session)
      },
    }
  }

  /** Where admins ask for commands; undefined while there is none. */
  get desk(): Desk | undefined {
    return this.#desk()
  }

  get accounts(): Accounts {
    return this.stores.accounts
  }

  /** Synchronous when the account is known already. Rejects with StorageUnavailable. */
  account(local: string): Account | undefined | Promise<Account | undefined> {
    return this.stores.accounts.get(this.domain, local)
  }

  /**
   * `local` is prepared by the caller; `way` is how it came to be.
   * @throws StanzaError as `deriveKeys` does; StorageUnavailable
   */
  async createAccount(local: string, password: string, way: Way): Promise<Account | 'exists'> {
    const keys = await this.#deriveKeys(password)
    const account = await this.accounts.create(this.domain, local, keys, this.clock.now())
    if (account === 'exists') return account
    this.#registrations[way].add()
    await this.tell('accountCreated', Jid.of(local, this.domain), way)
    return account
  }

  /**
   * An account that comes from elsewhere, or the one of that name that is there. `at`: made then, in milliseconds since 1970.
   * Rejects with StorageUnavailable.
   */
  async importAccount(
    local: string,
    keys: AccountKeys,
    at = this.clock.now(),
  ): Promise<{ readonly account: Account; readonly isNew: boolean }> {
    const made = await this.accounts.create(this.domain, local, keys, at)
    if (made !== 'exists') {
      this.#registrations.import.add()
      await this.tell('accountCreated', Jid.of(local, this.domain), 'import')
      return { account: made, isNew: true }
    }
    const account = await this.account(local)
    if (!account) throw new Error(`the account ${local} was removed while it was imported`)
    return { account, isNew: false }
  }

  /** @throws StanzaError as `deriveKeys` does; StorageUnavailable */
  async setPassword(account: Account, password: string): Promise<void> {
    await this.accounts.setKeys(account.id, await this.#deriveKeys(password))
  }

  /**
   * Removes an account with all that is stored of it, ends its sessions and tells its contacts. `beforeEnding` runs when
   * it is gone and its sessions still stand.
   * @throws StorageUnavailable; then nothing has changed
   */
  async removeAccount(account: Account, beforeEnding?: () => void): Promise<void> {
    const jid = Jid.of(account.local, this.domain)
    const contacts = await this.roster.load(jid)
    await this.accounts.remove(account.id)
    if (contacts) this.roster.dissolve(contacts)
    beforeEnding?.()
    for (const session of this.sessions.of(jid))
      session.close(new StreamError('not-authorized', 'The account was removed'))
    await this.tell('accountDeleted', jid)
  }

  /** Small values, kept per localpart and deleted with the account. */
  map<T>(name: string): MapStore<T> {
    return this.stores.map<T>(this.domain, name)
  }

  counter(name: string, help: string): Counter {
    return this.#metrics.counter(name, help)
  }

  counters(name: string, help: string, labels: readonly string[]): Counters {
    return this.#metrics.counters(name, help, labels)
  }

  /** What a module provides, if one does. */
  provided<T>(key: ServiceKey<T>): T | undefined {
    return this.tables.services.get(key.name) as T | undefined
  }

  service<T>(key: ServiceKey<T>): T {
    const service = this.provided(key)
    if (service === undefined) throw new Error(`nobody provides ${key.name} on ${this.domain}`)
    return service
  }

  /** Sends from this host or one of its accounts. Not waited for: a failure is logged by the road. */
  send(stanza: Stanza): void {
    void this.sendThrough(stanza)
  }

  /** The same; resolves when what it leads to here has happened, or it is on its way elsewhere. Never rejects. */
  sendThrough(stanza: Stanza): void | Promise<void> {
    if (this.#isHidden(stanza)) return
    return this.#route(stanza)?.catch((error: unknown) => this.log.error('route.crashed', { error }))
  }

  /**
   * Sends a request and waits for its answer, a result or an error stanza.
   * @throws StanzaError `remote-server-timeout` after `timeoutMs`, `resource-constraint` when too many wait
   */
  ask(stanza: Stanza, timeoutMs = 30_000): Promise<Stanza> {
    const { id, to } = stanza
    if (id === undefined || to === undefined) throw new Error('a request needs id and to')
    if (this.#asking.size >= MAX_ASKING) return Promise.reject(new StanzaError('resource-constraint'))
    return new Promise((resolve, reject) => {
      const timer = this.clock.after(timeoutMs, () => {
        this.#asking.delete(id)
        reject(new StanzaError('remote-server-timeout'))
      })
      const answered = (answer: Stanza) => {
        timer.cancel()
        this.#asking.delete(id)
        resolve(answer)
      }
      this.#asking.set(id, { from: to.toString(), answered })
      this.send(stanza)
    })
  }

  /** What an account does not want its addressee to know; that a subscription has ended is no news of the account. */
  #isHidden({ kind, type, from, to }: Stanza): boolean {
    if (kind === 'iq' || !to || from.local === '' || from.domain !== this.domain) return false
    if (type === 'unsubscribe' || type === 'unsubscribed') return false
    return this.provided(hidesFrom)?.(from, to) ?? false
  }

  /** Whether a result or error was waited for; only the address that was asked may answer (RFC 6120 §8.2.3). */
  answered(stanza: Stanza): boolean {
    const waiting = stanza.id === undefined ? undefined : this.#asking.get(stanza.id)
    if (waiting?.from !== stanza.from.toString()) return false
    waiting.answered(stanza)
    return true
  }

  /** A session of this host; the caller registers it. */
  session(
    jid: Jid,
    account: number,
    stream: Stream | undefined,
    mechanism: string,
    since = this.clock.now(),
  ): Session {
    return new Session(jid, account, stream, this.#sessionHost, since, mechanism)
  }

  /** Tells the modules; a crash is logged and concerns nobody else. Waits for those that hand back a promise, in order. */
  tell<E extends keyof Events>(event: E, ...args: Parameters<Events[E]>): void | Promise<void> {
    return this.#tellFrom(event, args, 0)
  }

  #tellFrom<E extends keyof Events>(
    event: E,
    args: Parameters<Events[E]>,
    from: number,
  ): void | Promise<void> {
    const listeners = this.tables.events[event]
    const crashed = (error: unknown) => this.log.error('module.crashed', { on: event, error })
    for (let i = from; i < listeners.length; i++) {
      try {
        const pending = (listeners[i] as (...args: Parameters<Events[E]>) => void | Promise<void>)(...args)
        if (pending instanceof Promise)
          return pending.catch(crashed).then(() => this.#tellFrom(event, args, i + 1))
      } catch (error) {
        crashed(error)
      }
    }
  }

  #leaving(stanza: Stanza, session: Session): Stanza | undefined {
    const hooks = this.tables.gates.outbound[stanza.kind]
    const outcome = hooks.length === 0 ? stanza : pass(hooks, stanza, { host: this, session })
    if (!(outcome instanceof Stanza)) return undefined
    this.#out[stanza.kind].add()
    return outcome
  }
}

/** Compiles contributions, in the order of need they come in. */
export function tablesOf(parts: readonly Contributed[], crash: Crash): Tables {
  const all = <T>(pick: (contribution: Contribution) => readonly T[] | undefined): T[] =>
    parts.flatMap(({ contribution }) => pick(contribution) ?? [])
  const hooks: OwnedHook[] = parts.flatMap(({ name, contribution }) =>
    (contribution.hooks ?? []).map((one) => ({ owner: name, hook: one })),
  )
  const listeners = <E extends keyof Events>(event: E): readonly Events[E][] =>
    Object.freeze(all((c) => (c.events?.[event] ? [c.events[event]] : [])))
  return Object.freeze({
    gates: compile(hooks, crash),
    iq: new IqTable(all((c) => c.iq)),
    features: Object.freeze([...new Set(all((c) => c.features))].sort()),
    accountFeatures: Object.freeze([...new Set(all((c) => c.accountFeatures))].sort()),
    accountIdentities: Object.freeze(all((c) => c.accountIdentities)),
    identities: Object.freeze(all((c) => c.identities)),
    info: Object.freeze(joinedForms(all((c) => c.info))),
    streamFeatures: Object.freeze(all((c) => c.streamFeatures)),
    bindFeatures: Object.freeze(all((c) => c.bindFeatures)),
    bound: Object.freeze(all((c) => c.bound && [c.bound])),
    events: Object.freeze({
      sessionBound: listeners('sessionBound'),
      presenceChanged: listeners('presenceChanged'),
      sessionGone: listeners('sessionGone'),
      sessionRestored: listeners('sessionRestored'),
      sessionParked: listeners('sessionParked'),
      sessionResumed: listeners('sessionResumed'),
      queuedForParked: listeners('queuedForParked'),
      contactChanged: listeners('contactChanged'),
      accountCreated: listeners('accountCreated'),
      accountDeleted: listeners('accountDeleted'),
      linkBroken: listeners('linkBroken'),
      linkOpened: listeners('linkOpened'),
      started: listeners('started'),
      stopping: listeners('stopping'),
    }),
    commands: Object.freeze(all((c) => c.commands)),
    branches: Object.freeze(all((c) => c.branches)),
    serviceHosts: compileServices(all((c) => c.hosts)),
    portable: Object.freeze(portableOf(parts)),
    services: new Map(all((c) => c.provides).map(({ key, value }) => [key.name, value])),
  })
}

/** By what the first one of each module is called, so that a file looks the same every time. */
function portableOf(parts: readonly Contributed[]): Portable[] {
  const groups = parts.flatMap(({ contribution }) => (contribution.portable ? [contribution.portable] : []))
  const keyOf = ([first]: readonly Portable[]) => `${first?.ns} ${first?.name}`
  return groups.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)).flat()
}
