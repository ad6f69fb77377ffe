/** A host with some modules on stores in memory, and clients that are only addresses and what reached them. */
import { HandClock } from '../../../src/base/clock.js'
import { silentLog } from '../../../src/base/log.js'
import { Metrics } from '../../../src/base/metrics.js'
import { CountingRandom } from '../../../src/base/random.js'
import { Host } from '../../../src/host/host.js'
import type { AnyModule, StreamFacts } from '../../../src/host/module.js'
import { Modules } from '../../../src/host/modules.js'
import { Router } from '../../../src/router/router.js'
import { Roster } from '../../../src/session/roster.js'
import type { Session } from '../../../src/session/session.js'
import { StanzaError } from '../../../src/stanza/errors.js'
import { Jid } from '../../../src/stanza/jid.js'
import { Stanza } from '../../../src/stanza/stanza.js'
import { memoryStores } from '../../../src/storage/memory.js'
import type { Stores } from '../../../src/storage/stores.js'
import type { StreamError } from '../../../src/stream/errors.js'
import type { Stream } from '../../../src/stream/stream.js'
import type { Element } from '../../../src/xml/element.js'
import { parseElement } from '../../../src/xml/parser.js'

/** A module, or a module with options as the admin writes them. */
export type Wanted = AnyModule | readonly [AnyModule, Record<string, unknown>]

export class Stage {
  readonly clock = new HandClock()
  readonly stores: Stores = memoryStores()
  readonly metrics = new Metrics()
  readonly router = new Router(silentLog, this.metrics)
  readonly host: Host
  readonly #modules: Modules

  private constructor() {
    this.host = new Host({
      domain: 'capulet.example',
      clock: this.clock,
      random: new CountingRandom(),
      log: silentLog,
      metrics: this.metrics,
      stores: this.stores,
      roster: (host) => new Roster(host, this.stores.rosters, () => 100),
      route: (stanza) => this.router.route(stanza),
      ended: (session) => this.router.sessionGone(session),
      sessionsPerAccount: () => 10,
      deriveKeys: (password) =>
        password === 'unfit'
          ? Promise.reject(new StanzaError('not-acceptable', 'not this one'))
          : Promise.resolve({ 'SHA-256': keysOf(password) }),
    })
    const nothing = () => {}
    const dropped = () => 'no_change' as const
    this.router.addHost(this.host, {
      sent: dropped,
      arrived: dropped,
      toHost: dropped,
      binding: nothing,
      gone: nothing,
    })
    this.#modules = new Modules(this.host)
  }

  static async with(...wanted: Wanted[]): Promise<Stage> {
    const stage = new Stage()
    await stage.load(...wanted)
    return stage
  }

  /** Replaces all modules, as a reload does. */
  async load(...wanted: Wanted[]): Promise<void> {
    await this.#modules.load(
      wanted.map((one) => {
        const [module, raw] = 'setup' in one ? [one, {}] : one
        return { module, options: module.options.parse(raw) as unknown }
      }),
    )
  }

  /** A connected client of this host; its account is made when there is none. */
  async client(address: string): Promise<Client> {
    const jid = Jid.parse(address)
    const made = await this.stores.accounts.create(this.host.domain, jid.local, {}, this.clock.now())
    const account = made === 'exists' ? await this.host.account(jid.local) : made
    return this.connected(jid, account!.id)
  }

  /** A client without more ado; guests have the account 0. */
  async connected(jid: Jid, account: number): Promise<Client> {
    const client = new Client(this, jid, account)
    await this.router.sessionBound(client.session)
    return client
  }

  /** Lets `friend` see the presence of this account, which is made when there is none. */
  async befriend(local: string, friend: string): Promise<void> {
    await this.stores.accounts.create(this.host.domain, local, {}, this.clock.now())
    const account = await this.host.account(local)
    await this.stores.rosters.put(account!.id, {
      jid: friend,
      name: '',
      subscription: 'from',
      ask: false,
      approved: false,
      groups: [],
      request: undefined,
      hidden: false,
    })
    this.host.roster.forget(Jid.of(local, this.host.domain))
  }

  /** What somebody elsewhere gets when they ask. */
  async asked(from: string, to: string, type: 'get' | 'set', payload: string): Promise<Element> {
    const replies: Stanza[] = []
    this.router.elsewhere = { send: (stanza) => void replies.push(stanza) }
    await this.router.route(request(Jid.parse(from), to, type, payload))
    return onlyOne(replies)
  }

  /** What a stream in this state is offered, by namespace. */
  offers(facts: Partial<StreamFacts>): Map<string, Element> {
    const at = this.negotiation(facts)
    const offers = new Map<string, Element>()
    for (const feature of this.host.tables.streamFeatures) {
      const offer = feature.fits(at.facts) ? feature.offer(at) : undefined
      if (offer) offers.set(feature.ns, offer)
    }
    return offers
  }

  negotiation(facts: Partial<StreamFacts>, stream: Stream = fakeStream([], () => {})) {
    const all: StreamFacts = { secure: true, authenticated: false, bound: false, direction: 'c2s', ...facts }
    return { stream, host: this.host, session: undefined, facts: all, idleAfter: 300_000 }
  }
}

export class Client {
  readonly session: Session
  readonly got: string[] = []
  ended: StreamError | undefined

  constructor(
    readonly stage: Stage,
    readonly jid: Jid,
    account: number,
  ) {
    const stream = fakeStream(this.got, (error) => {
      this.ended = error
      stage.router.sessionGone(this.session)
    })
    this.session = stage.host.session(jid, account, stream, 'PLAIN')
  }

  /** The one reply to a request: a result, or an error stanza. */
  async asks(type: 'get' | 'set', payload: string, to?: string): Promise<Element> {
    this.got.length = 0
    await this.stage.router.send(request(this.jid, to, type, payload), this.session)
    return onlyOne(this.got)
  }

  async sends(xml: string): Promise<void> {
    const text = xml.replace(/^<(\w+)/, `<$1 xmlns='jabber:client' from='${this.jid.toString()}'`)
    await this.stage.router.send(Stanza.parse(text), this.session)
  }

  /** Becomes available, as the presence road does it. */
  available(): void {
    this.session.presence = Stanza.of({ kind: 'presence', from: this.jid })
    this.stage.host.sessions.reorder(this.session)
  }

  /** The stream is gone, and what follows from it has happened. */
  async leaves(): Promise<void> {
    this.session.close()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** The condition of an error reply. */
export function conditionOf(reply: Element): string | undefined {
  return reply.attrs['type'] === 'error' ? reply.child('error')?.childrenOf()[0]?.local : undefined
}

/** The payload of a result. */
export function payloadOf(reply: Element): Element | undefined {
  return reply.attrs['type'] === 'result' ? reply.childrenOf()[0] : undefined
}

export function fakeStream(
  got: string[],
  ended: (error?: StreamError) => void,
  remote = '192.0.2.1',
): Stream {
  let open = true
  const end = (error?: StreamError) => {
    if (!open) return
    open = false
    ended(error)
  }
  return {
    send(xml: string) {
      if (open) got.push(xml)
      return true
    },
    fail: end,
    close: () => end(),
    transport: { remote },
    options: { limits: { before: { bytes: 10_000 }, after: { bytes: 262_144 } } },
  } as unknown as Stream
}

export function keysOf(password: string) {
  const text = Buffer.from(password)
  return { salt: text, iterations: 1, storedKey: text, serverKey: text }
}

function request(from: Jid, to: string | undefined, type: 'get' | 'set', payload: string): Stanza {
  const address = to === undefined ? '' : ` to='${to}'`
  return Stanza.parse(
    `<iq xmlns='jabber:client' from='${from.toString()}'${address} type='${type}' id='q1'>${payload}</iq>`,
  )
}

function onlyOne(replies: readonly (string | Stanza)[]): Element {
  const [reply, ...more] = replies.map((one) => (typeof one === 'string' ? one : one.toXml()))
  if (reply === undefined || more.length > 0)
    throw new Error(`expected one reply: ${[reply, ...more].join('\n')}`)
  return parseElement(reply.replace(/^<iq/, "<iq xmlns='jabber:client'"))
}
