/** One stream that another server opened to us: what it proves, and the stanzas that it may then bring. */
import { domainOf } from './addresses.js'
import { Arrivals } from './arrivals.js'
import {
  dialbackFeature,
  resultAnswer,
  verdictOf,
  verifyAnswer,
  type Pair,
  type Verdict,
} from './dialback.js'
import { Failure, type LinkAuth } from './facts.js'
import { enabled, failed, resumed } from './management.js'
import { refusalOf, type Certified, type S2sParts, type S2sSettings } from './parts.js'
import { WayBack } from './way-back.js'
import type { Timer } from '../base/clock.js'
import { TokenBucket } from '../base/rate.js'
import { decodeBase64 } from '../sasl/base64.js'
import { StanzaError } from '../stanza/errors.js'
import { StreamError } from '../stream/errors.js'
import { Stream, type StreamOwner } from '../stream/stream.js'
import type { Transport } from '../stream/transport.js'
import { el } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import type { RawElement, StreamHeader } from '../xml/parser.js'
import { serialise } from '../xml/write.js'

/** Milliseconds that a peer has to enable stream management before we send stanzas on a stream of its. */
const undecidedFor = 1000
const PROCEED = `<proceed xmlns='${NS.tls}'/>`

/** What an incoming stream needs of the side that opens streams. */
export interface CallBack {
  /**
   * Asks the server of the sender's domain whether the key is its own. `certified`: it showed a certificate for that
   * domain. Rejects with `Failure`.
   */
  verify(pair: Pair, id: string, key: string): Promise<{ verdict: Verdict; certified: boolean }>
  /** A stream of this domain was proved: its server is there. */
  heard(remote: string): void
  /** The stream may be used the other way. */
  carries(way: WayBack): void
  /** It has ended. */
  gone(way: WayBack): void
}

export class Incoming implements StreamOwner {
  readonly stream: Stream
  readonly since: number
  /** Who it says it is, and to whom, in the header. */
  remote: string | undefined = undefined
  local: string | undefined = undefined
  readonly #parts: S2sParts
  readonly #settings: S2sSettings
  readonly #callBack: CallBack
  readonly #gone: (incoming: Incoming) => void
  /** Sender domains that were proved, and for which targets. */
  readonly #proved = new Map<string, Map<string, LinkAuth>>()
  /** Pairs that are proved or being proved. */
  #pairs = 0
  /** Pairs that could not be proved. */
  #doubts = 0
  /** Call backs under way, and those that wait for their turn. */
  #calling = 0
  readonly #waiting: (() => void)[] = []
  readonly #certified = new Map<string, Certified>()
  /** SASL: `offered`, then `asked` when the client's first words are still to come. */
  #external: 'no' | 'offered' | 'asked' = 'no'
  readonly #arrivals: Arrivals
  /** XEP-0288: the peer wants our stanzas on this stream too. */
  #isBidirectional = false
  readonly #waysBack: WayBack[] = []
  /** Whether stanzas of ours may go on it; until when we wait for that. */
  #isSettled = false
  #undecided: Timer | undefined = undefined
  /** To resume by (XEP-0198 §5). */
  #resumeId = ''

  constructor(parts: S2sParts, transport: Transport, callBack: CallBack, gone: (incoming: Incoming) => void) {
    const { clock, random, log, hits } = parts
    this.#parts = parts
    this.#settings = parts.settings()
    this.#callBack = callBack
    this.#gone = gone
    this.since = clock.now()
    const { limits, pace } = this.#settings
    this.stream = new Stream(transport, this, {
      limits,
      clock,
      random,
      log,
      hits,
      contentNs: NS.server,
      domain: parts.domain,
      byteRate: pace && new TokenBucket(pace.rate, pace.burst, clock),
    })
    this.#arrivals = new Arrivals(parts, this.stream, this.#proved)
  }

  /** The pairs that were proved. */
  *pairs(): Iterable<Pair & { readonly auth: LinkAuth }> {
    for (const [sender, targets] of this.#proved)
      for (const [target, auth] of targets) yield { sender, target, auth }
  }

  /** Whether this stream is proved, or is being proved, to be of that domain. */
  concerns(remote: string): boolean {
    return this.remote === remote || this.#proved.has(remote)
  }

  /**
   * Silent for twice the time after which we would close a stream of ours, and not in use by us: it is closed in order.
   * The peer may be gone without a word; if it is not, it opens another one when it needs it.
   */
  sweep(now: number): void {
    const { stream } = this
    if (this.#waysBack.some(({ owner }) => owner)) return
    if (!stream.authenticated || now - stream.lastHeard < 2 * this.#settings.idle) return
    this.#parts.hits.add('s2s_idle')
    stream.close()
  }

  header({ attrs }: StreamHeader): void {
    const remote = attrs['from'] === undefined ? undefined : domainOf(attrs['from'])
    const local = attrs['to'] === undefined ? undefined : domainOf(attrs['to'])
    const served = local !== undefined && this.#parts.serves(local)
    this.stream.answer(this.local ?? (served ? local : this.stream.options.domain), remote)
    // RFC 6120 §4.9.3.6, §4.9.3.7: between servers both must be there, but old ones leave `from` out before TLS.
    if (!served) throw new StreamError(attrs['to'] === undefined ? 'improper-addressing' : 'host-unknown')
    if (attrs['from'] !== undefined && remote === undefined) throw new StreamError('improper-addressing')
    if (attrs['version'] === undefined || !/^0*[1-9][0-9]*\.[0-9]+$/.test(attrs['version']))
      throw new StreamError('unsupported-version')
    // Who a stream is of and for does not change on the way.
    if (this.local !== undefined && (this.local !== local || (this.remote ?? remote) !== remote))
      throw new StreamError('invalid-from', 'Another domain than before')
    if (remote !== undefined) this.#admit(remote)
    this.local = local
    this.remote = remote
    this.stream.send(this.#features())
    // RFC 6120 §6.4.6: after SASL nothing goes before the new header.
    if (this.#waysBack.length > 0) this.#settleSoon()
  }

  element(raw: RawElement): void | Promise<void> {
    if (this.#arrivals.isStanza(raw)) {
      if (this.#proved.size > 0) this.#settle()
      return this.#arrivals.take(raw)
    }
    switch (raw.ns) {
      case NS.dialback:
        return this.#dialback(raw)
      case NS.tls:
        return this.#starttls(raw.name)
      case NS.sasl:
        return this.#sasl(raw)
      case NS.streamManagement:
        return this.#manage(raw)
      case NS.bidi:
        return this.#bidi(raw.name)
      default:
        throw new StreamError('unsupported-stanza-type')
    }
  }

  oversize(raw: RawElement, limit: string): void | Promise<void> {
    return this.#arrivals.oversize(raw, limit)
  }

  drained(): void {
    for (const { owner } of this.#waysBack) owner?.drained()
  }

  closed(): void {
    this.#gone(this)
    this.#undecided?.cancel()
    for (const way of this.#waysBack.splice(0)) this.#callBack.gone(way)
    if (this.#resumeId) this.#parts.managing.left(this.#resumeId, this.stream)
    for (const go of this.#waiting.splice(0)) go()
  }

  /** RFC 6120 §4.9.3.14 */
  #admit(remote: string): void {
    if (this.#parts.serves(remote)) throw new StreamError('invalid-from', 'This domain is served here')
    const refusal = refusalOf(this.#parts, remote)
    if (refusal === undefined) return
    this.#parts.log.info('s2s.in.refused', {
      peer: remote,
      ip: this.stream.transport.remote,
      reason: refusal,
    })
    throw new StreamError('policy-violation', refusal)
  }

  /** RFC 6120 §4.3.2, §5.3.1: nothing before TLS but TLS. */
  #features(): string {
    const { transport } = this.stream
    const features = el('stream:features')
    if (!transport.tls && transport.secure)
      features.cnode(el('starttls', NS.tls, {}, transport.trusted ? undefined : el('required')))
    if (transport.tls || transport.trusted) {
      this.#external = 'no'
      if (this.#proved.size === 0 && this.remote !== undefined && this.#isCertified(this.remote).ok) {
        // XEP-0178 §3: only to whom it will help.
        this.#external = 'offered'
        features.cnode(el('mechanisms', NS.sasl, {}, el('mechanism', undefined, {}, 'EXTERNAL')))
      }
      features.cnode(dialbackFeature)
      features.cnode(el('bidi', NS.bidiFeature))
      // Before authentication as well: after dialback there are no features any more.
      features.cnode(el('sm', NS.streamManagement))
    }
    return serialise(features, NS.server)
  }

  #isCertified(domain: string): Certified {
    let known = this.#certified.get(domain)
    if (!known) {
      known = this.#parts.certify(this.stream.transport, domain)
      if (this.#certified.size < this.#settings.domains) this.#certified.set(domain, known)
    }
    return known
  }

  async #starttls(name: string): Promise<void> {
    const { stream } = this
    const { transport } = stream
    if (name !== 'starttls' || transport.tls || !transport.secure)
      throw new StreamError('unsupported-stanza-type')
    // Plain text behind the request is not ours to read as either (RFC 6120 §5.3.3).
    if (stream.hasUnread) throw new StreamError('policy-violation', 'Wait for <proceed/>')
    const handshake = transport.secure(PROCEED)
    stream.restart('new layer')
    // RFC 6120 §5.4.3.3: all that was learnt in plain text is forgotten.
    this.remote = undefined
    this.local = undefined
    try {
      await handshake
    } catch {
      // RFC 6120 §5.4.3.2: the transport has counted the failure and closed the connection.
      stream.close()
    }
  }

  // SASL EXTERNAL (RFC 6120 §6, XEP-0178 §3) -------------------------------------------------------------------

  #sasl(raw: RawElement): void {
    if (raw.name === 'abort' && this.#external === 'asked') {
      this.#external = 'offered'
      return this.#saslFails('aborted')
    }
    const isFirst = raw.name === 'auth' && this.#external === 'offered'
    if (!isFirst && !(raw.name === 'response' && this.#external === 'asked'))
      throw new StreamError('unsupported-stanza-type')
    const { attrs, text } = raw.toElement()
    if (isFirst && attrs['mechanism'] !== 'EXTERNAL') return this.#saslFails('invalid-mechanism')
    if (isFirst && text === '') {
      // RFC 6120 §6.4.2: no initial response, so an empty challenge asks for one.
      this.#external = 'asked'
      this.stream.send(`<challenge xmlns='${NS.sasl}'/>`)
      return
    }
    this.#external = 'offered'
    const bytes = text === '=' || text === '' ? Buffer.alloc(0) : decodeBase64(text)
    if (!bytes) return this.#saslFails('incorrect-encoding')
    // RFC 6120 §6.3.8: who it wants to act as can only be who it said to be.
    const authzid = bytes.toString()
    if (authzid !== '' && domainOf(authzid) !== this.remote) return this.#saslFails('invalid-authzid')
    this.#external = 'no'
    this.stream.send(`<success xmlns='${NS.sasl}'/>`)
    this.#pairs++
    this.#believe({ sender: this.remote!, target: this.local! }, 'external')
    this.stream.restart('same layer')
  }

  #saslFails(condition: string): void {
    this.stream.send(`<failure xmlns='${NS.sasl}'><${condition}/></failure>`)
  }

  // Dialback (XEP-0220 §2.2) ------------------------------------------------------------------------------------

  #dialback(raw: RawElement): void {
    const { transport } = this.stream
    const element = raw.toElement()
    const { from, to, id } = element.attrs
    const remote = from === undefined ? undefined : domainOf(from)
    const local = to === undefined ? undefined : domainOf(to)
    if (remote === undefined || local === undefined) throw new StreamError('improper-addressing')
    // XEP-0220 §3.1: answers come on streams of ours, where the question went.
    if (verdictOf(element) !== undefined) throw new StreamError('policy-violation', 'Nobody has asked')
    const pair = { sender: remote, target: local }
    const key = element.text
    if (raw.name === 'verify' && id !== undefined) return this.#answerFor(remote, local, id, key)
    if (raw.name !== 'result') throw new StreamError('unsupported-stanza-type')
    const refusal = new StanzaError('policy-violation', 'TLS comes first')
    if (!transport.tls && !transport.trusted) this.stream.send(resultAnswer(pair, refusal))
    else void this.#decide(pair, key)
  }

  /** XEP-0220 §2.2.2: as the server of `sender`, about a key that somebody showed to `target`. */
  #answerFor(target: string, sender: string, id: string, key: string): void {
    const pair = { sender, target }
    const { keys } = this.#parts
    const unknown = new StanzaError('item-not-found')
    const verdict = this.#parts.serves(sender) ? (keys.isOurs(pair, id, key) ? 'valid' : 'invalid') : unknown
    this.stream.send(verifyAnswer(pair, id, verdict))
  }

  /** XEP-0220 §2.2.1: others' requests and stanzas go on meanwhile. */
  async #decide(pair: Pair, key: string): Promise<void> {
    const { id } = this.stream
    if (this.#proved.get(pair.sender)?.has(pair.target)) {
      this.stream.send(resultAnswer(pair, 'valid'))
      return
    }
    let verdict: Verdict
    try {
      verdict = await this.#judge(pair, id, key)
    } catch (error) {
      if (!(error instanceof Failure))
        this.#parts.log.error('s2s.dialback.failed', { peer: pair.sender, error })
      verdict = errorOf(error)
    }
    // The proof was of a stream that is no more.
    if (!this.stream.open || this.stream.id !== id) return
    // The peer hears it before any stanza of ours that it allows.
    this.stream.send(resultAnswer(pair, verdict))
    if (verdict === 'valid') this.#believe(pair, 'dialback')
    else this.#doubt(pair, verdict)
  }

  /** Domains that cannot be proved cost look-ups and call backs: a stream may ask for as many as may be proved on it. */
  #doubt({ sender, target }: Pair, verdict: Exclude<Verdict, 'valid'>): void {
    const { log, hits } = this.#parts
    const reason = verdict === 'invalid' ? 'the key is not of that domain' : verdict.message
    log.info('s2s.in.refused', { peer: sender, host: target, ip: this.stream.transport.remote, reason })
    if (++this.#doubts <= this.#settings.domains) return
    hits.add('s2s_domains')
    this.stream.fail(new StreamError('policy-violation', 'Too many domains that could not be proved'))
  }

  async #judge(pair: Pair, id: string, key: string): Promise<Verdict> {
    const { hits } = this.#parts
    if (!this.#parts.serves(pair.target)) return new StanzaError('item-not-found')
    if (this.#parts.serves(pair.sender))
      return new StanzaError('not-acceptable', 'This domain is served here')
    const refusal = refusalOf(this.#parts, pair.sender)
    if (refusal !== undefined) return new StanzaError('policy-violation', refusal)
    if (this.#pairs >= this.#settings.domains) {
      hits.add('s2s_domains')
      return new StanzaError('resource-constraint', 'Too many domains on one stream')
    }
    this.#pairs++
    let verdict: Verdict = 'invalid'
    try {
      // XEP-0344 §2.4: what the certificate proves needs no call back.
      verdict = this.#isCertified(pair.sender).ok ? 'valid' : await this.#callBackFor(pair, id, key)
    } finally {
      if (verdict !== 'valid') this.#pairs--
    }
    return verdict
  }

  async #callBackFor(pair: Pair, id: string, key: string): Promise<Verdict> {
    if (this.#calling >= this.#settings.dialbacks) {
      this.#parts.hits.add('s2s_dialbacks')
      await new Promise<void>((go) => this.#waiting.push(go))
    }
    if (!this.stream.open) return 'invalid'
    this.#calling++
    try {
      const { verdict, certified } = await this.#callBack.verify(pair, id, key)
      if (verdict === 'valid' && !certified && this.#settings.policy(pair.sender) === 'required')
        return new StanzaError('not-authorized', `No certificate for ${pair.sender}`)
      return verdict
    } finally {
      this.#calling--
      this.#waiting.shift()?.()
    }
  }

  #believe(pair: Pair, auth: LinkAuth): void {
    const { log } = this.#parts
    const { transport } = this.stream
    let targets = this.#proved.get(pair.sender)
    if (!targets) this.#proved.set(pair.sender, (targets = new Map()))
    // Asked twice at a time.
    if (targets.has(pair.target)) {
      this.#pairs--
      return
    }
    targets.set(pair.target, auth)
    if (!this.stream.authenticated) {
      this.stream.authenticate()
      this.stream.ready()
    }
    log.info('s2s.in.open', { peer: pair.sender, host: pair.target, ip: transport.remote, auth })
    if (this.#isBidirectional) this.#openWayBack(pair, auth)
    else this.#callBack.heard(pair.sender)
    this.#parts.opened(pair.target, pair.sender)
  }

  /** XEP-0288 §2.2: from where to where it has proved a pair, the other way round. */
  #openWayBack({ sender: remote, target: local }: Pair, auth: LinkAuth): void {
    const { stream, since } = this
    const way = new WayBack({ local, remote }, { stream, auth, since }, () => this.#arrivals.acks)
    this.#waysBack.push(way)
    if (this.#isSettled) this.#carries(way)
    else if (auth === 'dialback') this.#settleSoon()
  }

  #settleSoon(): void {
    this.#undecided ??= this.#parts.clock.after(undecidedFor, () => this.#settle())
  }

  /** Negotiation is over: the peer has begun to count stanzas (XEP-0198), or to send them, or does neither for a while. */
  #settle(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#undecided?.cancel()
    for (const way of this.#waysBack) this.#carries(way)
  }

  #carries(way: WayBack): void {
    this.#callBack.carries(way)
    this.#callBack.heard(way.remote)
  }

  /** XEP-0288 §2.2: under TLS, before anything is proved. */
  #bidi(name: string): void {
    const { transport, authenticated } = this.stream
    if (name !== 'bidi' || authenticated || !(transport.tls || transport.trusted))
      throw new StreamError('unsupported-stanza-type')
    this.#isBidirectional = true
  }

  // Stream management (XEP-0198) --------------------------------------------------------------------------------

  #manage(raw: RawElement): void | Promise<void> {
    switch (raw.name) {
      case 'enable':
        return this.#enable(/^(?:true|1)$/.test(raw.attrs['resume'] ?? ''))
      case 'resume':
        return this.#resume(raw.attrs['previd'] ?? '', raw.attrs['h'])
    }
    if (!this.#arrivals.acks) throw new StreamError('unsupported-stanza-type')
    if (raw.name === 'r') this.#arrivals.acks.requested()
    else if (raw.name === 'a') {
      this.#arrivals.acks.acknowledge(raw.attrs['h'], (parcel) => parcel.confirm())
      this.drained()
    } else throw new StreamError('unsupported-stanza-type')
  }

  #enable(resumable: boolean): void {
    const { managing } = this.#parts
    const [sender] = this.#proved.keys()
    if (sender === undefined || this.#arrivals.acks) {
      this.stream.send(failed('unexpected-request'))
      return
    }
    this.#arrivals.acks = managing.count(this.stream)
    if (resumable) this.#resumeId = managing.keep(sender, this.#arrivals.acks, this.stream)
    this.stream.send(resumable ? enabled(this.#resumeId) : `<enabled xmlns='${NS.streamManagement}'/>`)
    this.#settle()
  }

  async #resume(id: string, h: string | undefined): Promise<void> {
    const { managing } = this.#parts
    const isAllowed = this.#proved.size > 0 && !this.#arrivals.acks
    const acks = isAllowed
      ? managing.resume(id, (domain) => this.#proved.has(domain), this.stream)
      : undefined
    if (!acks) {
      this.stream.send(failed(isAllowed ? 'item-not-found' : 'unexpected-request'))
      return
    }
    this.#resumeId = id
    // What is on its way to the store is counted as well: it would come again otherwise.
    await acks.settled()
    if (acks.hasFailed) {
      this.stream.send(failed('item-not-found'))
      return
    }
    acks.acknowledge(h, (parcel) => parcel.confirm())
    acks.take()
    acks.continueOn(this.stream)
    this.#arrivals.acks = acks
    this.stream.send(resumed(id, acks))
    this.#settle()
  }
}

/** XEP-0220 §2.5, as the one who could not find out. */
function errorOf(error: unknown): StanzaError {
  if (!(error instanceof Failure)) return new StanzaError('internal-server-error')
  const { stage, message, final } = error
  if (stage === 'certificate') return new StanzaError('not-authorized', message)
  if (stage === 'policy' || final === 'not allowed') return new StanzaError('policy-violation', message)
  if (stage === 'dns' || stage === 'tcp') return new StanzaError('remote-server-not-found', message)
  return new StanzaError('remote-server-timeout', message)
}
