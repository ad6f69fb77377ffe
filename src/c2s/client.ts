/** A client's stream, from header to bound session and to its end. */
import { authentication, channelBindingTypes } from './authenticate.js'
import { binding } from './bind.js'
import { Login } from './login.js'
import { manage, management, Patience, type Managing } from './management.js'
import type { Parking } from './parking.js'
import { configFeature, configVersion } from './pipelining.js'
import { authentication2, requireSilence, type Request } from './sasl2.js'
import { starttls } from './starttls.js'
import { TokenBucket } from '../base/rate.js'
import type { Host } from '../host/host.js'
import {
  anything,
  type Negotiation,
  type Next,
  type StreamFacts,
  type StreamFeature,
} from '../host/module.js'
import { stanzaErrorOf } from '../router/bounce.js'
import type { Session, UserAgent } from '../session/session.js'
import { StanzaError } from '../stanza/errors.js'
import { readJid, type Jid } from '../stanza/jid.js'
import { CONTENT, Stanza, type Kind } from '../stanza/stanza.js'
import type { Asker } from '../stream/acks.js'
import { StreamError } from '../stream/errors.js'
import { Stream, type StreamOwner } from '../stream/stream.js'
import type { Transport } from '../stream/transport.js'
import { el } from '../xml/element.js'
import type { RawElement, StreamHeader } from '../xml/parser.js'
import { NS } from '../xml/namespaces.js'
import { serialise } from '../xml/write.js'
import type { C2sParts, C2sSettings } from './parts.js'

const FEATURES: readonly StreamFeature<Client>[] = [
  starttls,
  authentication,
  authentication2,
  channelBindingTypes,
  binding,
  management,
]
const STANZAS = new Set(['message', 'presence', 'iq'])
/** What ends a stream by no fault of its client: it may come back to its session (XEP-0198 §7). */
const survivable = new Set([
  'connection-timeout',
  'resource-constraint',
  'system-shutdown',
  'internal-server-error',
])

/** What all connections of clients share. */
export interface Shared {
  readonly asker: Asker
  readonly parking: Parking
  gone(client: Client): void
}

/** One connection of a client. */
export class Client implements StreamOwner, Negotiation {
  readonly parts: C2sParts
  readonly settings: C2sSettings
  readonly stream: Stream
  session: Session | undefined = undefined
  /** Localpart that authenticated, before and after binding. */
  local: string | undefined = undefined
  readonly login = new Login(this)
  /** The bare JID that it called itself in the header of its stream; nothing is proved by it. */
  from: Jid | undefined = undefined
  /** What it said of its installation (XEP-0388). */
  agent: UserAgent | undefined = undefined
  /** What it asks for in one step with its authentication, while that is under way (XEP-0388). */
  request: Request | undefined = undefined
  /** Of the features it was offered last (XEP-0509). */
  configVersion = ''
  /** Bindings that were refused so far. */
  refusals = 0
  #host: Host | undefined = undefined
  #features: readonly StreamFeature<Client>[] = []
  #probedAt = 0
  /** The session ends with this stream, whatever ends it. */
  #isLast = false
  readonly #patience = new Patience()
  readonly #shared: Shared

  constructor(parts: C2sParts, transport: Transport, shared: Shared) {
    this.parts = parts
    this.#shared = shared
    this.settings = parts.settings()
    const { limits, bytePace, stanzaPace } = this.settings
    const { clock, random, log, hits } = parts
    this.stream = new Stream(transport, this, {
      limits,
      clock,
      random,
      log,
      hits,
      contentNs: CONTENT,
      domain: parts.hosts.keys().next().value ?? '',
      byteRate: bytePace && new TokenBucket(bytePace.rate, bytePace.burst, clock),
      stanzaRate: stanzaPace && new TokenBucket(stanzaPace.rate, stanzaPace.burst, clock),
    })
  }

  get host(): Host {
    if (!this.#host) throw new StreamError('host-unknown')
    return this.#host
  }

  /** Name of the mechanism that authenticated it. */
  get mechanism(): string {
    return this.login.mechanism
  }

  /** Row of the account that has authenticated, 0 of a guest. */
  get account(): number {
    return this.login.account?.id ?? 0
  }

  get managing(): Managing {
    const { window, location } = this.settings
    return { window, location, asker: this.#shared.asker }
  }

  get parking(): Parking {
    return this.#shared.parking
  }

  get idleAfter(): number {
    return this.settings.pingAfter
  }

  get facts(): StreamFacts {
    const { transport } = this.stream
    return {
      secure: transport.tls !== undefined || transport.trusted,
      authenticated: this.local !== undefined,
      bound: this.session !== undefined,
      direction: 'c2s',
    }
  }

  header(header: StreamHeader): void {
    const { to, version, from } = header.attrs
    const host = this.#hostOf(to)
    // RFC 6120 §4.7.2: named by the bare JID that it calls itself.
    this.from = from === undefined ? undefined : readJid(from)?.bare
    this.stream.answer((this.#host ?? host)?.domain ?? this.stream.options.domain, this.from?.toString())
    // Who a stream is for does not change on the way.
    if (!host || (this.#host && this.#host !== host)) {
      throw new StreamError(
        'host-unknown',
        to === undefined ? 'Name the domain in the "to" of the stream' : undefined,
      )
    }
    this.#host = host
    // RFC 6120 §4.7.5: compared as numbers, zeros in front do not count.
    if (version === undefined || !/^0*[1-9][0-9]*\.[0-9]+$/.test(version)) {
      throw new StreamError('unsupported-version')
    }
    // XEP-0388 §2.1: who calls itself a user of another domain is in the wrong place.
    if (this.from && this.from.domain !== host.domain) throw new StreamError('invalid-from')
    this.offerFeatures()
  }

  element(raw: RawElement): void | Promise<void> {
    const { session } = this
    requireSilence(this, raw)
    if (session && raw.ns === CONTENT && STANZAS.has(raw.name))
      return this.#counted(this.#stanza(raw, session), session)
    if (raw.ns === NS.streamManagement) return manage(raw, this)
    return this.#negotiate(raw)
  }

  oversize(raw: RawElement, limit: string): void | Promise<void> {
    if (!this.session || raw.ns !== CONTENT || !STANZAS.has(raw.name)) {
      throw new StreamError('policy-violation', `Over the limit of ${limit}`)
    }
    const application = el('stanza-too-big', 'urn:xmpp:errors')
    const error = new StanzaError('policy-violation', `Over the limit of ${limit}`, { application })
    return this.#counted(this.#refuse(raw, error, this.session), this.session)
  }

  drained(): void {
    this.session?.drained()
  }

  /** RFC 6120 §4.9.1.1: a client that ends the stream with an error ends it as with its end tag. */
  error(): void {
    this.#isLast = true
  }

  /** XEP-0198 §7: a stream that the client did not close is unfinished; one that we closed for its faults is over. */
  closed(clean: boolean, error?: StreamError): void {
    this.#shared.gone(this)
    this.login.abandon()
    const { session } = this
    // It may go on on another stream.
    if (!session?.live || session.stream !== this.stream) return
    const isUnfinished = !clean && !this.#isLast && (!error || survivable.has(error.condition))
    if (isUnfinished && session.survives) this.parking.park(session)
    else this.parts.router.sessionGone(session)
  }

  /** Bytes that wait for it to read. */
  get waiting(): number {
    return this.stream.transport.buffered + (this.session?.heldBytes ?? 0)
  }

  /** The memory is needed: nothing is kept for it. */
  shed(): void {
    this.#isLast = true
    this.stream.drop('memory_guard')
  }

  /** The account has proved itself; the stream is opened anew, with more to be offered. */
  authenticated(local: string): void {
    this.local = local
    this.stream.authenticate()
  }

  /** Silent for too long: ask whether it is still there, then give it up. */
  probe(): void {
    const { pingAfter, pingTimeout } = this.settings
    const { session, stream } = this
    if (!session) return
    const now = this.parts.clock.now()
    if (this.#patience.isOver(this, now, this.settings.limits.writeStall)) return stream.drop('sm_queue')
    if (now - stream.lastHeard < pingAfter) {
      this.#probedAt = 0
    } else if (this.#probedAt === 0) {
      this.#probedAt = now
      const id = this.parts.random.id()
      const ping = el('ping', 'urn:xmpp:ping')
      // It counts as what it is, a stanza (XEP-0198 §4).
      session.deliverNow(
        Stanza.of({ kind: 'iq', type: 'get', id, from: this.host.address, to: session.jid }, ping),
      )
    } else if (now - this.#probedAt >= pingTimeout) {
      this.parts.hits.add('idle_ping')
      stream.fail(new StreamError('connection-timeout', 'No answer to a ping'))
    }
  }

  #hostOf(to: string | undefined): Host | undefined {
    const jid = to === undefined ? undefined : readJid(to)
    // RFC 6120 §4.7.2: a domain and nothing more.
    return jid?.local === '' && jid.isBare ? this.parts.hosts.get(jid.domain) : undefined
  }

  /** Offers what is there to be negotiated as things stand; whatever was offered before is not any more. */
  offerFeatures(): void {
    const facts = this.facts
    const candidates = [...FEATURES, ...this.host.tables.streamFeatures] as readonly StreamFeature<Client>[]
    const offers = el('stream:features')
    const offered: StreamFeature<Client>[] = []
    for (const feature of candidates) {
      const offer = feature.fits(facts) ? feature.offer(this) : undefined
      if (!offer) continue
      offers.cnode(offer)
      offered.push(feature)
    }
    // As long as it is, not as long as it could grow.
    this.#features = offered.slice()
    if (offered.includes(authentication2)) {
      this.configVersion = configVersion(offers)
      offers.cnode(configFeature(this.configVersion))
    }
    this.stream.send(serialise(offers, CONTENT))
  }

  /** An element that is no stanza of a bound session: hand it to what was offered for it, refuse all else. */
  #negotiate(raw: RawElement): void | Promise<void> {
    const isIq = raw.ns === CONTENT && raw.name === 'iq'
    const payload = raw.children[0]?.ns
    const feature = this.#features.find((one) =>
      isIq
        ? one.iqPayload !== undefined && one.iqPayload === payload
        : one.ns === raw.ns && (one.reads.includes(raw.name) || one.reads === anything),
    )
    if (!feature?.receive) {
      // RFC 6120 §6.3, §7.1: nothing but negotiation before it is done.
      if (raw.ns === CONTENT && STANZAS.has(raw.name)) throw new StreamError('not-authorized')
      if (raw.ns === NS.sasl && raw.name === 'auth' && !this.facts.secure) return this.#needsTls()
      throw new StreamError('unsupported-stanza-type')
    }
    try {
      const next = feature.receive(raw.toElement(), this)
      if (next instanceof Promise) {
        return next.then(
          (settled) => this.#continue(settled),
          (error: unknown) => this.#negotiationFailed(error, raw, isIq),
        )
      }
      this.#continue(next)
    } catch (error) {
      this.#negotiationFailed(error, raw, isIq)
    }
  }

  /** RFC 6120 §6.5.4: a login that was sent in plain text is not even looked at. */
  #needsTls(): void {
    this.stream.send(serialise(el('failure', NS.sasl, {}, el('encryption-required', NS.sasl)), CONTENT))
  }

  #continue(next: Next): void {
    if (next === 'ready') this.stream.ready()
  }

  #negotiationFailed(error: unknown, raw: RawElement, isIq: boolean): void {
    if (error instanceof StreamError || !isIq) throw error
    if (!(error instanceof StanzaError)) this.parts.log.error('c2s.negotiation.failed', { error })
    const id = raw.attrs['id']
    const reply = el('iq', undefined, { type: 'error', id }, stanzaErrorOf(error).toElement())
    this.stream.send(serialise(reply, CONTENT))
  }

  #stanza(raw: RawElement, session: Session): void | Promise<void> {
    this.#checkFrom(raw.attrs['from'], session)
    // RFC 6120 §7.6.2.2: one resource for one stream.
    if (raw.has('bind', NS.bind) && raw.name === 'iq' && raw.attrs['to'] === undefined) {
      return this.#refuse(raw, new StanzaError('not-allowed', 'A resource is bound already'), session)
    }
    let stanza: Stanza
    try {
      stanza = Stanza.received(raw, session.jid, Stanza.addressee(raw), this.stream.lang)
    } catch (error) {
      return this.#refuse(raw, stanzaErrorOf(error), session)
    }
    return this.parts.router.send(stanza, session)
  }

  /** A stanza counts as handled when the road is done with it and what it was promised is kept (XEP-0198 §4). */
  #counted(handling: void | Promise<void>, session: Session): void | Promise<void> {
    const { acks } = session
    if (!acks) return handling
    if (!handling) return acks.received(this.#pledged(session))
    const received = acks.receiving()
    return handling.then(
      () => received(this.#pledged(session)),
      (error: unknown) => {
        void session.takePledge()
        received(Promise.reject(error as Error))
        throw error
      },
    )
  }

  /** What is promised and not kept never counts: the client had better come back and say it again. */
  #pledged(session: Session): Promise<unknown> | undefined {
    const pledge = session.takePledge()
    pledge?.catch(() =>
      session.stream?.fail(new StreamError('internal-server-error', 'Not everything was kept')),
    )
    return pledge
  }

  /** RFC 6120 §8.1.2.1: its own full or bare JID or none; anything else ends the stream. */
  #checkFrom(from: string | undefined, session: Session): void {
    if (from === undefined || from === session.jid.toString() || from === session.jid.bare.toString()) return
    const claimed = readJid(from)
    if (claimed?.equals(session.jid) || claimed?.equals(session.jid.bare)) return
    throw new StreamError('invalid-from')
  }

  /** Answers a stanza that never became one. */
  #refuse(raw: RawElement, error: StanzaError, session: Session): void | Promise<void> {
    const kind = raw.name as Kind
    const { type, id } = raw.attrs
    let to: Jid | undefined
    try {
      to = Stanza.addressee(raw)
    } catch {
      to = this.host.address // RFC 6120 §8.3.3.8: what cannot be parsed cannot be answered from
    }
    const refused = Stanza.of({ kind, type, id, from: session.jid, to })
    return this.parts.router.refused(refused, error, session)
  }
}
