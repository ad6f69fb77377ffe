/** One stream that we opened to another server, from finding it to the stanzas that it takes. */
import { Arrivals } from './arrivals.js'
import type { Carrier, CarrierOwner } from './carrier.js'
import { Confirmations } from './confirmations.js'
import { resultRequest, verdictOf, type Pair, type Verdict } from './dialback.js'
import { Failure, type LinkAuth, type Stage, type Trouble } from './facts.js'
import { lastWords, notBelieved, strange, tooLate } from './failures.js'
import { Inquiries } from './inquiries.js'
import type { Resumable } from './management.js'
import type { Parcel } from './outbox.js'
import { Shared, type Certified, type Reached, type S2sParts } from './parts.js'
import { question, type Question } from './question.js'
import type { Seat } from './seat.js'
import type { Timer } from '../base/clock.js'
import { TokenBucket } from '../base/rate.js'
import { StreamError } from '../stream/errors.js'
import { Stream, STREAMS, type StreamOwner } from '../stream/stream.js'
import type { Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import type { RawElement, StreamHeader } from '../xml/parser.js'

/** Between which domains. */
export interface Ends {
  /** Ours. */
  readonly local: string
  readonly remote: string
}

export interface OutgoingOwner extends CarrierOwner {
  /** A stanza went for another pair, or came the other way (XEP-0288); without this none is wanted. */
  used?(): void
  /** Whether a stream to that place is there already, which will do. */
  shares?(place: string): boolean
  /** What is left of a stream of these domains that broke; it is given once. */
  takeResumable?(): Resumable | undefined
  /** A step is under way, or done when there is a text to it. */
  step?(stage: Stage, text?: string): void
}

/**
 * `reaching`: until there is a connection. `greeting`: until the features of a stream under TLS are known. `open`: may
 * be asked to verify keys. `proving`: our domain is being authenticated. `resuming`: going on where another stream broke.
 * `ready`: takes stanzas.
 */
type Phase = 'reaching' | 'greeting' | 'open' | 'proving' | 'resuming' | 'ready' | 'ended'

export class Outgoing implements Carrier, StreamOwner, Ends {
  readonly local: string
  readonly remote: string
  readonly since: number
  owner: OutgoingOwner
  stream: Stream | undefined = undefined
  auth: LinkAuth | undefined = undefined
  /** Host and port that it is connected to. */
  place: string | undefined = undefined
  certified: Certified = { ok: false, text: 'no certificate was seen' }
  readonly #parts: S2sParts
  readonly #abort = new AbortController()
  readonly #opened = question<void>()
  #phase: Phase = 'reaching'
  #stage: Stage = 'dns'
  #tlsa: Reached['tlsa']
  #deadline: Timer
  #features: ReadonlySet<string> = new Set()
  #authenticated: Question<LinkAuth> | undefined
  #proof: LinkAuth | undefined
  #confirmations: Confirmations | undefined
  /** What comes the other way (XEP-0288), if both sides want that. */
  #arrivals: Arrivals | undefined
  /** The peer's domain, once it has believed us. */
  readonly #proofs = new Map<string, Set<string>>()
  /** Further pairs on this stream. */
  readonly #seats = new Map<string, Seat>()
  /** The peer tells what is wrong with a dialback request without ending the stream (XEP-0220 §2.4.2). */
  #tellsErrors = false
  readonly #inquiries: Inquiries
  /** The last error of the peer's stream, for the reason of the end. */
  #said: string | undefined
  /** Its condition. */
  #condition: string | undefined
  /** The condition with which the peer refused our certificate. */
  #uncertain: string | undefined

  /** Begins at once. */
  constructor(parts: S2sParts, { local, remote }: Ends, owner: OutgoingOwner) {
    this.#parts = parts
    this.local = local
    this.remote = remote
    this.owner = owner
    this.since = parts.clock.now()
    this.#inquiries = new Inquiries(parts.clock)
    this.#deadline = this.#within()
    void this.#begin()
  }

  get phase(): Phase {
    return this.#phase
  }

  /** Whether it has taken stanzas, at least until it ended. */
  get wasReady(): boolean {
    return this.auth !== undefined
  }

  /** Whether it brings stanzas too (XEP-0288). */
  get isBidirectional(): boolean {
    return this.#arrivals !== undefined && this.#phase === 'ready'
  }

  get isReady(): boolean {
    return this.#phase === 'ready'
  }

  get confirms(): boolean {
    return this.#confirmations?.acks !== undefined
  }

  get resumable(): Resumable | undefined {
    return this.#confirmations?.resumable
  }

  get progress(): number | undefined {
    return this.#confirmations?.progress
  }

  /** Whether further pairs may be proved on it (XEP-0220 §2.6.2). */
  get takesPairs(): boolean {
    return this.#phase === 'ready' && this.#tellsErrors
  }

  /** Whether keys can be verified on it, at once or soon. */
  get isAlive(): boolean {
    return this.#phase !== 'ended'
  }

  /** The features under TLS are known. Rejects with `Failure`. */
  get opened(): Promise<void> {
    return this.#opened.promise
  }

  /** Proves our domain: by certificate where the peer offers that, else by dialback. Rejects with `Failure`. */
  authenticate(): Promise<LinkAuth> {
    if (!this.#authenticated) {
      this.#authenticated = question()
      if (this.#phase === 'open') this.#deadline = this.#within()
      void this.opened.then(() => this.#prove()).catch(ignore)
    }
    return this.#authenticated.promise
  }

  /**
   * Asks the peer, as the server of `sender`, whether the key is one of its own, and waits so many milliseconds for the
   * answer. Rejects with `Failure`.
   */
  async verify(
    pair: Pair,
    id: string,
    key: string,
    within = this.#parts.settings().connectTimeout,
  ): Promise<Verdict> {
    await this.opened
    if (!this.stream?.open) throw this.#failure('the stream has ended')
    return this.#inquiries.ask(this.stream, pair, id, key, within)
  }

  send(parcel: Parcel): boolean {
    const isSwift = this.stream!.send(parcel.xml)
    this.#confirmations?.acks?.sent(parcel)
    return isSwift
  }

  ask(): void {
    this.#confirmations?.acks?.ask()
  }

  /** Asks the peer to believe a further pair. */
  seat(seat: Seat, request: string): void {
    this.#seats.set(`${seat.local} ${seat.remote}`, seat)
    this.stream!.send(request)
  }

  leave({ local, remote }: Seat): void {
    this.#seats.delete(`${local} ${remote}`)
    if (local !== this.local || remote !== this.remote) this.#proofs.get(remote)?.delete(local)
  }

  /** Ends it in order. */
  close(error?: StreamError): void {
    if (error) this.stream?.fail(error)
    else this.stream?.close()
    this.#end(this.#phase === 'ready' ? undefined : this.#failure('given up'))
  }

  header({ attrs }: StreamHeader): void {
    // RFC 6120 §4.7.5: without a version there are no features, so no TLS either.
    if (attrs['version'] === undefined)
      this.#fail(this.#failure('the server speaks XMPP of before 2004', 'theirs', 'no tls'))
  }

  /** RFC 6120 §4.9: the peer ends the stream, and says why. */
  error(element: RawElement): void {
    const { said, condition } = lastWords(element.toElement())
    this.#said = said
    this.#condition = condition
  }

  element(raw: RawElement): void | Promise<void> {
    if (this.#arrivals?.isStanza(raw)) {
      this.owner.used?.()
      return this.#arrivals.take(raw)
    }
    switch (raw.ns) {
      case STREAMS:
        if (raw.name === 'features') return this.#featuresCame(raw.toElement())
        break
      case NS.tls:
        return this.#tlsAnswered(raw.name)
      case NS.sasl:
        return this.#saslAnswered(raw)
      case NS.dialback:
        return this.#dialbackAnswered(raw)
      case NS.streamManagement:
        if (!this.#confirmations) throw new StreamError('unsupported-stanza-type')
        return this.#confirmations.take(raw)
    }
    // XEP-0220 §2.3: a stream carries stanzas one way, unless both want more.
    throw new StreamError('not-authorized', 'Open a stream of your own')
  }

  oversize(raw: RawElement, limit: string): void | Promise<void> {
    if (this.#arrivals) return this.#arrivals.oversize(raw, limit)
    throw new StreamError('policy-violation', `Over the limit of ${limit}`)
  }

  drained(): void {
    this.owner.drained()
    for (const seat of this.#seats.values()) seat.drained()
  }

  closed(_clean: boolean, error?: StreamError): void {
    if (this.#phase === 'ready') return this.#end(undefined)
    if (error) return this.#end(strange(this.#stage, error, this.#phase === 'greeting'))
    const said = this.#said ?? 'the server closed the connection'
    if (this.#phase === 'proving' && this.#uncertain !== undefined) {
      const reason = `the server does not take our certificate (${this.#uncertain}), nor dialback: ${said}`
      return this.#end(this.#failure(reason, 'ours', 'not taken', 'not-authorized'))
    }
    // RFC 6120 §4.9.3.12, once it has seen our certificate: some offer nothing to those whom they cannot verify.
    if (this.#condition === 'not-authorized' && this.stream?.transport.tls)
      return this.#end(new Failure('auth', said, 'ours', undefined, 'not taken', 'not-authorized'))
    this.#end(this.#failure(said, 'theirs', 'ended', this.#condition))
  }

  async #begin(): Promise<void> {
    const { reach } = this.#parts
    const told = (stage: Stage, text?: string) => this.#step(stage, text)
    const taken = (place: string) => this.owner.shares?.(place) ?? false
    let reached: Reached
    try {
      reached = await reach(this.local, this.remote, { signal: this.#abort.signal, told, taken })
    } catch (error) {
      if (error instanceof Shared) return this.#end(undefined)
      if (!(error instanceof Failure)) this.#parts.log.error('s2s.reach.failed', { peer: this.remote, error })
      return this.#fail(
        error instanceof Failure ? error : this.#failure('a fault of this server', 'ours', 'ours'),
      )
    }
    if (this.#phase === 'ended') return reached.transport.destroy()
    this.#greet(reached)
  }

  #greet({ transport, tlsa, place }: Reached): void {
    this.#tlsa = tlsa
    this.place = place
    const { clock, random, log, hits, settings } = this.#parts
    const { limits, pace } = settings()
    this.#phase = 'greeting'
    this.#step(transport.tls ? 'certificate' : 'tls')
    this.stream = new Stream(transport, this, {
      // The time of the whole attempt is ours to keep, and elements that nobody asked for end the stream.
      limits: { ...limits, loginTimeout: Infinity, elementsBefore: Infinity },
      clock,
      random,
      log,
      hits,
      contentNs: NS.server,
      initiates: true,
      domain: this.local,
      byteRate: pace && new TokenBucket(pace.rate, pace.burst, clock),
    })
    this.stream.begin(this.local, this.remote)
  }

  #featuresCame(features: Element): void {
    const { transport } = this.stream!
    this.#tellsErrors ||= features.child('dialback', NS.dialbackFeature)?.child('errors') !== undefined
    if (this.#proof === 'external') {
      if (this.#phase !== 'proving') return
      this.#features = new Set(offersOf(features))
      return this.#ready('external')
    }
    if (!transport.tls) {
      if (!features.child('starttls', NS.tls) || !transport.secure)
        return this.#fail(this.#failure('the server does not offer TLS', 'theirs', 'no tls'))
      this.stream!.send(`<starttls xmlns='${NS.tls}'/>`)
      return
    }
    if (this.#phase !== 'greeting') return
    this.#step('tls', `${transport.tls.protocol} ${transport.tls.cipher}`)
    this.#step('certificate')
    this.certified = this.#parts.certify(transport, this.remote, this.#tlsa)
    if (!this.certified.ok && this.#parts.settings().policy(this.remote) === 'required')
      return this.#fail(this.#failure(this.certified.text, 'theirs', 'certificate'))
    this.#step('certificate', this.certified.ok ? 'verified' : `not verified: ${this.certified.text}`)
    this.#step('auth')
    this.#features = new Set(offersOf(features))
    this.#phase = 'open'
    if (!this.#authenticated) this.#deadline.cancel()
    this.#opened.resolve()
  }

  async #tlsAnswered(name: string): Promise<void> {
    const stream = this.stream!
    if (this.#phase !== 'greeting' || stream.transport.tls) throw new StreamError('unsupported-stanza-type')
    if (name !== 'proceed')
      return this.#fail(this.#failure('the server refused to begin TLS', 'theirs', 'no tls'))
    // RFC 6120 §5.4.3.3: nothing but TLS may follow.
    if (stream.hasUnread) throw new StreamError('policy-violation', 'Plain text behind <proceed/>')
    stream.restart('new layer')
    try {
      await stream.transport.secure!('')
    } catch (error) {
      return this.#fail(this.#failure(`the TLS handshake failed: ${messageOf(error)}`, 'theirs', 'handshake'))
    }
    if (this.#phase === 'greeting') stream.begin(this.local, this.remote)
  }

  #prove(): void {
    if (this.#phase !== 'open') return
    this.#phase = 'proving'
    if (this.owner.used && this.#features.has(NS.bidiFeature)) {
      // XEP-0288 §2.2: the peer is who we called, as much as it is for the stanzas that it gets.
      this.#arrivals = new Arrivals(this.#parts, this.stream!, this.#proofs)
      this.stream!.send(`<bidi xmlns='${NS.bidi}'/>`)
    }
    if (!this.#features.has('EXTERNAL')) return this.#dialBack()
    this.#proof = undefined
    // XEP-0178 §3, RFC 6120 §6.3.8: who we are is in our certificate and in the `from` of the stream.
    this.stream!.send(`<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'>=</auth>`)
  }

  #saslAnswered(raw: RawElement): void {
    if (this.#phase !== 'proving' || this.#proof || !this.#features.has('EXTERNAL'))
      throw new StreamError('unsupported-stanza-type')
    if (raw.name === 'success') {
      this.#proof = 'external'
      this.stream!.authenticate()
      this.stream!.restart('same layer')
      this.stream!.begin(this.local, this.remote)
    } else if (raw.name === 'failure') {
      const condition = raw.children[0]?.name ?? 'no reason'
      this.#uncertain = condition
      this.#step('auth', `the server does not take our certificate (${condition}); trying dialback`)
      this.#dialBack()
    } else throw new StreamError('unsupported-stanza-type')
  }

  #dialBack(): void {
    this.#proof = 'dialback'
    const pair = { sender: this.local, target: this.remote }
    this.stream!.send(resultRequest(pair, this.#parts.keys.key(pair, this.stream!.id)))
  }

  /** XEP-0220 §3.1: only what was asked on this stream is an answer. */
  #dialbackAnswered(raw: RawElement): void {
    const element = raw.toElement()
    const { from = '', to = '', id = '' } = element.attrs
    const verdict = verdictOf(element)
    if (verdict !== undefined && raw.name === 'verify') {
      if (this.#inquiries.answer({ sender: from, target: to }, id, verdict)) return
    } else if (verdict !== undefined && raw.name === 'result') {
      const isOurs = from === this.remote && to === this.local
      if (isOurs && this.#phase === 'proving' && this.#proof === 'dialback') return this.#proved(verdict)
      if (isOurs && this.#phase === 'ready' && verdict === 'valid') return
      const seat = this.#seats.get(`${to} ${from}`)
      if (seat) return this.#seated(seat, verdict)
    }
    throw new StreamError('policy-violation', 'An answer that nobody waits for')
  }

  #seated(seat: Seat, verdict: Verdict): void {
    const { local, remote } = seat
    if (verdict === 'valid') this.#proofs.set(remote, (this.#proofs.get(remote) ?? new Set()).add(local))
    seat.answered(verdict)
  }

  #proved(verdict: Verdict): void {
    if (verdict === 'valid') {
      this.stream!.authenticate()
      return this.#ready('dialback')
    }
    this.#fail(notBelieved(verdict))
  }

  #ready(auth: LinkAuth): void {
    this.auth = auth
    this.#step('auth', auth === 'external' ? 'by certificate (SASL EXTERNAL)' : 'by dialback')
    this.#stage = 'stream'
    this.stream!.ready()
    this.#proofs.set(this.remote, new Set([this.local]))
    if (!this.#features.has(NS.streamManagement)) return this.#takesStanzas()
    const former = this.owner.takeResumable?.()
    if (former) this.#phase = 'resuming'
    this.#confirmations = new Confirmations(this.#parts.managing, this.stream!, {
      begun: () => this.#takesStanzas(),
      counts: (acks) => {
        if (this.#arrivals) this.#arrivals.acks = acks
      },
      moved: () => this.drained(),
    })
    this.#confirmations.begin(former)
  }

  #takesStanzas(): void {
    this.#deadline.cancel()
    this.#phase = 'ready'
    this.#authenticated?.resolve(this.auth!)
  }

  #within(): Timer {
    const { clock, settings, hits } = this.#parts
    const { connectTimeout } = settings()
    return clock.after(connectTimeout, () => {
      hits.add('s2s_connect_timeout')
      this.#fail(tooLate(this.#stage, connectTimeout))
    })
  }

  #step(stage: Stage, text?: string): void {
    this.#stage = stage
    this.owner.step?.(stage, text)
  }

  #failure(
    reason: string,
    side: Failure['side'] = 'path',
    trouble: Trouble = 'ended',
    condition?: string,
  ): Failure {
    return new Failure(this.#stage, reason, side, undefined, trouble, condition)
  }

  #fail(failure: Failure): void {
    if (this.#phase === 'ended') return
    this.#end(failure)
    this.stream?.close()
  }

  #end(failure: Failure | undefined): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    this.#abort.abort()
    this.#deadline.cancel()
    const reason = failure ?? this.#failure('the stream has ended', 'theirs')
    this.#opened.reject(reason)
    this.#authenticated?.reject(reason)
    this.#inquiries.end(reason)
    this.owner.ended(failure)
    for (const seat of this.#seats.values()) seat.ended()
  }
}

/** The names of the SASL mechanisms, and the namespaces of all that is offered. */
function* offersOf(features: Element): Iterable<string> {
  for (const feature of features.childrenOf()) yield feature.ns ?? ''
  for (const mechanism of features.child('mechanisms', NS.sasl)?.childrenOf('mechanism') ?? [])
    yield mechanism.text.trim()
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function ignore(): void {}
