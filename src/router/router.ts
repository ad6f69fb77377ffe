/** The road: sent, routed, arrived. The router does not know modules; it sees gates and tables. */
import { Arriving } from './arriving.js'
import { bounced, stanzaErrorOf } from './bounce.js'
import { choose } from './delivery.js'
import { Endings, type Ending, type Fate } from './endings.js'
import type { Elsewhere, Neighbours, PresenceRoad } from './roads.js'
import type { Log } from '../base/log.js'
import type { Counter, Histogram, Metrics } from '../base/metrics.js'
import { handled, pass, silenced, unkept, type Bringer, type Outcome } from '../host/hooks.js'
import type { Host } from '../host/host.js'
import type { IqRequest } from '../host/iq-table.js'
import { relayed, serviceAt, type Answered, type Serving } from '../host/service.js'
import type { Session } from '../session/session.js'
import { StanzaError } from '../stanza/errors.js'
import { delayed } from '../stanza/delay.js'
import type { Jid } from '../stanza/jid.js'
import { Stanza, type Kind } from '../stanza/stanza.js'
import type { Account } from '../storage/accounts.js'

/** Stanzas that came onto the road: what clients and peers said, and what the server says of itself. */
type Origin = 'in' | 'own'

export class Router {
  readonly #hosts = new Map<string, Host>()
  readonly #presence = new Map<string, PresenceRoad>()
  readonly #log: Log
  readonly #endings: Endings
  readonly #durations: Histogram
  readonly #taken: Record<Origin, Record<Kind, Counter>>
  readonly #ending = new Set<Promise<void>>()
  #elsewhere: Elsewhere | undefined
  #neighbours: Neighbours | undefined

  constructor(log: Log, metrics: Metrics) {
    this.#log = log
    this.#endings = new Endings(metrics)
    this.#durations = metrics.histogram(
      'stanza_duration_seconds',
      'Time to serve a stanza of a client, to the millisecond',
      [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    )
    const taken = metrics.counters('stanzas_total', 'Stanzas taken in, made here, and sent out', [
      'dir',
      'kind',
    ])
    const byKind = (dir: Origin) => ({
      message: taken.of(dir, 'message'),
      presence: taken.of(dir, 'presence'),
      iq: taken.of(dir, 'iq'),
    })
    this.#taken = { in: byKind('in'), own: byKind('own') }
  }

  addHost(host: Host, presence: PresenceRoad): void {
    this.#hosts.set(host.domain, host)
    this.#presence.set(host.domain, presence)
  }

  set elsewhere(elsewhere: Elsewhere | undefined) {
    this.#elsewhere = elsewhere
  }

  set neighbours(neighbours: Neighbours) {
    this.#neighbours = neighbours
  }

  /** Resolves when the sessions that have ended so far have taken leave, and what they held is on its way. */
  async settled(): Promise<void> {
    await Promise.all(this.#ending)
  }

  /** Loads what the session's stanzas will need. Nothing knows of it yet; rejects when the store cannot tell. */
  sessionBinding(session: Session): void | Promise<void> {
    return this.#presence.get(session.jid.domain)?.binding(session)
  }

  /** Registers a session that was just bound. Stanzas reach it from here on. */
  sessionBound(session: Session): void | Promise<void> {
    const host = this.#hosts.get(session.jid.domain)
    if (!host) return
    host.sessions.add(session)
    return host.tell('sessionBound', session)
  }

  /** The session's stream broke, and it waits to be resumed: for the others it is there. */
  sessionParked(session: Session): void {
    session.park()
    void this.#hosts.get(session.jid.domain)?.tell('sessionParked', session)
  }

  /** It goes on, on a new stream. */
  sessionResumed(session: Session): void {
    void this.#hosts.get(session.jid.domain)?.tell('sessionResumed', session)
  }

  /** A session from before a restart is there again, parked. Rejects when the store cannot tell what it needs. */
  async sessionRestored(session: Session): Promise<void> {
    await this.sessionBinding(session)
    const host = this.#hosts.get(session.jid.domain)!
    host.sessions.add(session)
    host.sessions.reorder(session)
    await host.tell('sessionRestored', session)
  }

  /** A session's content is kept for the next start: nobody is told that it is gone. */
  sessionStored(session: Session): void {
    this.#hosts.get(session.jid.domain)?.sessions.remove(session)
    session.handOver()
  }

  /** What a session of this domain had that did not outlive a crash, in order. */
  async redeliver(
    held: readonly { readonly stanza: Stanza; readonly at: number }[],
    domain: string,
  ): Promise<void> {
    const host = this.#hosts.get(domain)!
    const lasting = held.filter(({ stanza }) => stanza.kind !== 'presence')
    await Promise.all(
      lasting.map(async ({ stanza, at }) =>
        this.#redeliver(stanza.kind === 'message' ? delayed(stanza, host.address, at) : stanza, host),
      ),
    )
  }

  /** The session is over: unavailable to whom it concerns, and what it held goes other ways. */
  sessionGone(session: Session): void {
    const host = this.#hosts.get(session.jid.domain)
    if (!host || !session.live) return
    const farewell = session.presence
    session.live = false
    session.resumable?.keeper.ended(session)
    host.sessions.remove(session)
    const failed = (error: unknown) => this.#log.error('session.end.failed', { error })
    const ended = async (): Promise<void> => {
      // Before anything that comes later: the order of sending stays the order of delivery.
      const held = session.takeHeld().filter(({ kind }) => kind !== 'presence')
      const rerouted = held
        .map(async (stanza) => this.#redeliver(stanza, host))
        .map((each) => each.catch(failed))
      session.drained()
      await this.#presence.get(host.domain)?.gone(session)
      await Promise.all(rerouted)
      session.resumable?.keeper.left(session)
      await host.tell('sessionGone', session, farewell)
    }
    const ending: Promise<void> = ended()
      .catch(failed)
      .finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
  }

  /** A local session says this; `from` is stamped. */
  send(stanza: Stanza, session: Session): void | Promise<void> {
    const host = this.#hosts.get(session.jid.domain)
    if (!host) return
    this.#taken.in[stanza.kind].add()
    // RFC 6120 §10.3.1: a message without `to` is for the sender's own account.
    if (stanza.kind === 'message' && !stanza.to) stanza = stanza.readdressed({ to: session.jid.bare })
    const hooks = host.tables.gates.sent[stanza.kind]
    const outcome = hooks.length === 0 ? stanza : pass(hooks, stanza, { host, session })
    const served =
      outcome instanceof Promise
        ? outcome.then((settled) => this.#sent(settled, stanza, session, host))
        : this.#sent(outcome, stanza, session, host)
    if (served instanceof Promise) this.#time(served, host)
    else this.#durations.observe(0)
    return served
  }

  /** What is served at once takes less than a millisecond; only what waits is worth a look at the clock. */
  #time(served: Promise<void>, { clock }: Host): void {
    const began = clock.now()
    const ended = () => this.#durations.observe((clock.now() - began) / 1000)
    served.then(ended, ended)
  }

  /** Another server or a component says this, of a domain that it has proved to be its own. */
  receive(stanza: Stanza, bringer?: Bringer): void | Promise<void> {
    this.#taken.in[stanza.kind].add()
    return this.onward(stanza, undefined, bringer)
  }

  /**
   * A local session, another server or a component said something that is not to go on; `stanza` is what could be read of it.
   */
  refused(stanza: Stanza, error: StanzaError, session?: Session): void | Promise<void> {
    this.#taken.in[stanza.kind].add()
    return this.#refuse(stanza, error, session)
  }

  #sent(outcome: Outcome, stanza: Stanza, session: Session, host: Host): void | Promise<void> {
    if (outcome === handled) return this.#end('kept')
    if (outcome === unkept) return this.#end('not_kept')
    if (outcome === silenced) return this.#end('silenced')
    if (outcome instanceof StanzaError) return this.#refuse(stanza, outcome, session)
    if (outcome.kind === 'presence')
      return this.#ends(this.#presence.get(host.domain)!.sent(outcome, session))
    if (outcome.kind === 'iq' && !outcome.to) {
      // RFC 6120 §10.3.3: a request without `to` is for the server, on behalf of the account.
      return this.#request(outcome, session.jid.bare, host, session)
    }
    return this.onward(outcome, session)
  }

  /** A host or a module says this. */
  route(stanza: Stanza): void | Promise<void> {
    this.#taken.own[stanza.kind].add()
    return this.onward(stanza)
  }

  /** A stanza that is on the road already goes on to where it is addressed; `session` when it is a local one's own. */
  onward(stanza: Stanza, session?: Session, bringer: Bringer | undefined = session): void | Promise<void> {
    const { to } = stanza
    if (!to) return this.#end('no_address')
    const host = this.#hosts.get(to.domain)
    if (host) return this.#arrive(stanza, to, host, session, bringer)
    const serving = serviceAt(to.domain, this.#hosts.values())
    if (serving) return this.#toService(stanza, serving, session, bringer)
    const taker = this.#neighbours?.serves(to.domain) ? this.#neighbours : this.#elsewhere
    if (!taker) return this.#bounce(stanza, new StanzaError('remote-server-not-found'))
    this.#end('elsewhere')
    const pledge = taker.send(stanza)
    if (pledge) bringer?.pledge(pledge)
  }

  /** Whether it is one of our domains, or of a service below one. */
  serves(domain: string): boolean {
    return this.#hosts.has(domain) || serviceAt(domain, this.#hosts.values()) !== undefined
  }

  #toService(
    stanza: Stanza,
    { address, host, service }: Serving,
    session: Session | undefined,
    bringer: Bringer | undefined,
  ): void | Promise<void> {
    const { receive, answer } = service
    if (stanza.kind === 'iq' && stanza.to!.equals(address))
      return this.#request(stanza, address, host, session, service.iq)
    if (answer && isRequest(stanza))
      return this.#answer(stanza, session, ({ query }) => answer(stanza, query, session, bringer))
    try {
      if (!receive) throw new StanzaError('service-unavailable')
      const pending = receive(stanza, session, bringer)
      if (!pending) return this.#end('answered')
      return pending.then(
        () => this.#end('answered'),
        (error: unknown) => this.#failed(stanza, error, session),
      )
    } catch (error) {
      return this.#failed(stanza, error, session)
    }
  }

  #arrive(
    stanza: Stanza,
    to: Jid,
    host: Host,
    session: Session | undefined,
    bringer: Bringer | undefined,
  ): void | Promise<void> {
    if (to.local === '') return this.#toHost(stanza, to, host, session)
    if (host.sessions.of(to).length > 0) return this.#toAccount(stanza, to, host, session, bringer)
    let account: Account | undefined | Promise<Account | undefined>
    try {
      account = host.account(to.local)
    } catch (error) {
      return this.#failed(stanza, error)
    }
    if (account instanceof Promise) {
      return account.then(
        (found) =>
          found
            ? this.#toAccount(stanza, to, host, session, bringer)
            : this.#toNobody(stanza, to, host, session),
        (error: unknown) => this.#failed(stanza, error),
      )
    }
    if (account) return this.#toAccount(stanza, to, host, session, bringer)
    return this.#toNobody(stanza, to, host, session)
  }

  /**
   * What a session had and its client did not get (XEP-0198 §4), as if that resource had not been there (RFC 6121
   * §8.5.3.2). It was counted, marked and stored when it came; it only takes another way.
   */
  #redeliver(stanza: Stanza, host: Host): void | Promise<void> {
    this.#taken.own[stanza.kind].add()
    // What the account itself told this resource (a carbon copy, a notification) is of no use to another.
    if (
      stanza.kind === 'message' &&
      stanza.from.isBare &&
      stanza.from.equals(stanza.to?.bare ?? host.address)
    )
      return this.#end('no_resource')
    return this.#deliver(stanza, host)
  }

  #toHost(stanza: Stanza, to: Jid, host: Host, session: Session | undefined): void | Promise<void> {
    if (stanza.kind === 'iq') {
      if (to.isBare) return this.#request(stanza, to, host, session)
      return this.#bounce(stanza, new StanzaError('service-unavailable'))
    }
    if (stanza.kind === 'message') return this.#bounce(stanza, new StanzaError('service-unavailable'))
    return this.#ends(this.#presence.get(host.domain)!.toHost(stanza))
  }

  /**
   * RFC 6121 §8.5.1: no such account. Presence is ignored, which tells nothing; probes and requests are answered by those
   * who answer for the accounts there are, so that strangers get the same from both (§4.3.2's `unsubscribed`, §2.3.3's
   * `forbidden`).
   */
  #toNobody(stanza: Stanza, to: Jid, host: Host, session: Session | undefined): void | Promise<void> {
    if (stanza.kind === 'presence') {
      if (stanza.type !== 'probe') return this.#end('no_account')
      return this.#ends(this.#presence.get(host.domain)!.arrived(stanza))
    }
    if (stanza.kind === 'iq' && to.isBare) return this.#request(stanza, to, host, session)
    return this.#bounce(stanza, new StanzaError('service-unavailable'))
  }

  #toAccount(
    stanza: Stanza,
    to: Jid,
    host: Host,
    session: Session | undefined,
    bringer: Bringer | undefined,
  ): void | Promise<void> {
    const hooks = host.tables.gates.received[stanza.kind]
    const at = new Arriving(host, bringer)
    const outcome = pass(hooks, stanza, at)
    if (outcome instanceof Promise) {
      return outcome.then((settled) => this.#received(settled, stanza, to, at, session))
    }
    return this.#received(outcome, stanza, to, at, session)
  }

  #received(
    outcome: Outcome,
    before: Stanza,
    to: Jid,
    { host, copied }: Arriving,
    session: Session | undefined,
  ): void | Promise<void> {
    if (outcome === handled) return this.#end('kept')
    if (outcome === unkept) return this.#end('not_kept')
    if (outcome === silenced) return this.#end('silenced')
    // A refusal for now is news of the server for the one who spoke, by no way that may be closed as well.
    if (outcome instanceof StanzaError)
      return outcome.type === 'wait' ? this.#refuse(before, outcome, session) : this.#bounce(before, outcome)
    if (outcome.kind === 'presence') return this.#ends(this.#presence.get(host.domain)!.arrived(outcome))
    if (outcome.kind === 'iq' && to.isBare) return this.#request(outcome, to, host, session)
    return this.#deliver(outcome, host, copied)
  }

  #deliver(stanza: Stanza, host: Host, copied?: readonly Session[]): void | Promise<void> {
    const choice = choose(stanza, host.sessions)
    if (choice === 'drop') return this.#end('no_resource')
    if (choice === 'undelivered') return this.#undelivered(stanza, host)
    if (choice instanceof StanzaError) return this.#bounce(stanza, choice)
    const among = copied ? [...choice, ...copied] : choice
    let taken = false
    for (const session of choice) if (session.deliver(stanza, among)) taken = true
    if (taken) {
      this.#endings.went(stanza.kind, 'live')
      return this.#end('delivered')
    }
    return this.#undelivered(stanza, host)
  }

  #undelivered(stanza: Stanza, host: Host): void | Promise<void> {
    const outcome = pass(host.tables.gates.undelivered[stanza.kind], stanza, { host })
    if (outcome instanceof Promise) return outcome.then((settled) => this.#neverDelivered(settled, stanza))
    return this.#neverDelivered(outcome, stanza)
  }

  #neverDelivered(outcome: Outcome, stanza: Stanza): void | Promise<void> {
    if (outcome === unkept) return this.#end('not_kept')
    if (outcome === silenced) return this.#end('silenced')
    if (outcome === handled) {
      this.#endings.went(stanza.kind, 'offline')
      return this.#end('kept')
    }
    return this.#bounce(
      stanza,
      outcome instanceof StanzaError ? outcome : new StanzaError('service-unavailable'),
    )
  }

  /** An iq for the domain or for a bare account: the server answers itself (RFC 6121 §8.5.2.1.3). */
  #request(
    stanza: Stanza,
    to: Jid,
    host: Host,
    session: Session | undefined,
    table = host.tables.iq,
  ): void | Promise<void> {
    if (!isRequest(stanza)) return this.#end(host.answered(stanza) ? 'answered' : 'not_asked')
    const own = to.local !== '' && stanza.from.local === to.local && stanza.from.domain === to.domain
    const place = to.local === '' ? 'host' : 'account'
    return this.#answer(stanza, session, (request) => {
      const { query } = request
      const answer = table.find(stanza.type, place, own, query.local, query.ns ?? '')
      // RFC 6120 §8.4: exactly one reply, also to what we do not know.
      if (!answer) throw new StanzaError('service-unavailable')
      return answer(request)
    })
  }

  #answer(
    stanza: Stanza,
    session: Session | undefined,
    answer: (request: IqRequest) => Answered | Promise<Answered>,
  ): void | Promise<void> {
    const query = stanza.children[0]
    if (!query) return this.#bounce(stanza, new StanzaError('bad-request'))
    const request: IqRequest = {
      from: stanza.from,
      to: stanza.to ?? stanza.from.bare,
      query,
      stanza,
      session,
    }
    try {
      const result = answer(request)
      if (result instanceof Promise) {
        return result.then(
          (payload) => this.#reply(request, payload),
          (error: unknown) => this.#requestFailed(stanza, error, session),
        )
      }
      return this.#reply(request, result)
    } catch (error) {
      return this.#requestFailed(stanza, error, session)
    }
  }

  #reply(request: IqRequest, payload: Answered): void | Promise<void> {
    const { stanza, to: from, session } = request
    this.#end('answered')
    if (payload === relayed) return undefined
    const reply = Stanza.of(
      { kind: 'iq', type: 'result', id: stanza.id, from, to: stanza.from },
      payload ?? undefined,
    )
    if (!session) return this.route(reply)
    // RFC 6120 §10.1: replies to a session go the straight way, in the order of its requests.
    session.deliver(reply)
    request.afterwards?.()
  }

  #requestFailed(stanza: Stanza, error: unknown, session: Session | undefined): void | Promise<void> {
    if (!(error instanceof StanzaError)) this.#log.error('request.failed', { error })
    return this.#refuse(stanza, stanzaErrorOf(error), session)
  }

  #refuse(stanza: Stanza, error: StanzaError, session: Session | undefined): void | Promise<void> {
    if (!session) return this.#bounce(stanza, error)
    const reply = bounced(stanza, error)
    if (!reply) return this.#end('unanswerable')
    // Past what is held: the acknowledgement that counts a refused message must not reach the client before the refusal.
    if (stanza.kind === 'message') session.deliverNow(reply)
    else session.deliver(reply)
    this.#endings.went(stanza.kind, 'error')
    return this.#end('bounced')
  }

  #failed(stanza: Stanza, error: unknown, session?: Session): void | Promise<void> {
    if (!(error instanceof StanzaError)) this.#log.error('stanza.failed', { error })
    return this.#refuse(stanza, stanzaErrorOf(error), session)
  }

  #bounce(stanza: Stanza, error: StanzaError): void | Promise<void> {
    const reply = bounced(stanza, error)
    if (!reply) return this.#end('unanswerable')
    this.#endings.went(stanza.kind, 'error')
    this.#end('bounced')
    return this.route(reply)
  }

  #ends(fate: Fate | Promise<Fate>): void | Promise<void> {
    if (fate instanceof Promise) return fate.then((settled) => this.#ends(settled))
    if (fate !== 'onward') this.#end(fate)
  }

  #end(ending: Ending): void {
    this.#endings.add(ending)
  }
}

function isRequest(stanza: Stanza): stanza is Stanza & { readonly type: 'get' | 'set' } {
  return stanza.kind === 'iq' && (stanza.type === 'get' || stanza.type === 'set')
}
