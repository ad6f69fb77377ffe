/** A stream: bytes in, elements out, one at a time; open, restart, close (RFC 6120 §4). It knows nothing of users. */
import { StreamError } from './errors.js'
import type { Transport } from './transport.js'
import type { Clock, Timer } from '../base/clock.js'
import type { LimitHits } from '../base/limit-hits.js'
import type { Log } from '../base/log.js'
import type { Random } from '../base/random.js'
import type { TokenBucket } from '../base/rate.js'
import {
  Parser,
  XmlFault,
  type LimitName,
  type ParserLimits,
  type RawElement,
  type StreamHeader,
} from '../xml/parser.js'
import { NS } from '../xml/namespaces.js'
import { escapeAttribute } from '../xml/write.js'

const EMPTY = Buffer.alloc(0)
export const STREAMS = 'http://etherx.jabber.org/streams'

/** Bytes that may wait in the parser while an element is being handled before reading is paused. */
const READ_AHEAD = 65_536

export interface StreamLimits {
  /** Parser limits before and after authentication. */
  readonly before: ParserLimits
  readonly after: ParserLimits
  /** First-level elements before authentication. */
  readonly elementsBefore: number
  /** Milliseconds until authentication and binding must be done. */
  readonly loginTimeout: number
  /** Bytes that may wait for a slow reader until it is closed. At the transport's high water its input is no longer read. */
  readonly writeMax: number
  /** Milliseconds without progress of a slow reader until it is closed. */
  readonly writeStall: number
}

/** What the stream tells its owner; the owner answers by what it calls on the stream. */
export interface StreamOwner {
  /** A stream header, first or after a restart. Throw StreamError to refuse it. */
  header(header: StreamHeader): void
  /** One complete first-level element. While a returned promise is pending no further element is handled. */
  element(element: RawElement): void | Promise<void>
  /** The peer ends the stream with an error (RFC 6120 §4.9), which then is closed. */
  error?(element: RawElement): void
  /** An element whose end was found but that is over a limit; by default the stream ends with `policy-violation`. */
  oversize(element: RawElement, limit: string): void | Promise<void>
  /** A slow reader has caught up: `send` returns true again. */
  drained(): void
  /**
   * The connection is gone or the stream closed; told once. `clean` when the peer said `</stream:stream>`; `error`: what
   * we ended it for.
   */
  closed(clean: boolean, error?: StreamError): void
}

export interface StreamOptions {
  readonly limits: StreamLimits
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly hits: LimitHits
  readonly contentNs: 'jabber:client' | 'jabber:server' | 'jabber:component:accept'
  /** We opened the connection: our header comes first (`begin`), and the id of the stream is the peer's to give. */
  readonly initiates?: boolean
  /** What our header is from until the peer has named a domain of ours (RFC 6120 §4.9.1.3). */
  readonly domain: string
  readonly byteRate?: TokenBucket | undefined
  readonly stanzaRate?: TokenBucket | undefined
}

const clientBounds = {
  rate: 'c2s_rate',
  stanza_rate: 'c2s_stanza_rate',
  stanza_size: 'c2s_stanza_size',
} as const
const serverBounds = { rate: 's2s_rate', stanza_rate: 's2s_rate', stanza_size: 's2s_stanza_size' } as const

type State = 'awaiting header' | 'open' | 'closing' | 'closed'

export class Stream {
  readonly transport: Transport
  readonly options: StreamOptions
  owner: StreamOwner
  /** Of the receiving side's last header; fresh at each restart (RFC 6120 §4.7.3). */
  id = ''
  /** xml:lang of the peer's header: the default of its stanzas (RFC 6120 §4.7.4). */
  lang: string | undefined = undefined
  authenticated = false
  /** When the last bytes came, in ms of the clock. */
  lastHeard: number
  #state: State = 'awaiting header'
  /** Somebody has said `</stream:stream>`, and no error. */
  #inOrder = false
  #answered = false
  #parser: Parser
  #busy = false
  #paused = false
  /** Over its rate until this fires. */
  #throttled: Timer | undefined
  #slow: Slow | undefined
  /** The peer sends no more. */
  #ended = false
  #elements = 0
  /** Restarted, and nothing but white space has come since. */
  #blank = false
  #login: Timer | undefined

  constructor(transport: Transport, owner: StreamOwner, options: StreamOptions) {
    this.transport = transport
    this.owner = owner
    this.options = options
    this.#parser = new Parser(options.limits.before)
    this.lastHeard = options.clock.now()
    this.#login = options.clock.after(options.limits.loginTimeout, () => this.#late())
    transport.onData = (chunk) => this.#read(chunk)
    transport.onEnd = () => this.#hushed()
    transport.onClose = () => this.#gone(false)
    transport.onDrain = () => this.#drained()
  }

  get open(): boolean {
    return this.#state === 'open' || this.#state === 'awaiting header'
  }

  /** It is over, and nobody closed it in order: what was on its way may be lost. */
  get broke(): boolean {
    return !this.open && !this.#inOrder
  }

  /** Whether anything but white space came after the element being handled. */
  get hasUnread(): boolean {
    return this.#parser.pending > 0 && withoutLeadingSpace(this.#parser.rest()).length > 0
  }

  /** Answers the peer's header with ours (RFC 6120 §4.7): `from` is the domain it reached, `to` what it called itself. */
  answer(from: string, to?: string): void {
    this.#answered = true
    this.id = this.options.random.id()
    this.transport.write(this.#header(from, to, ` id='${this.id}'`))
  }

  /** Opens the stream, anew after each restart, as the initiating side (RFC 6120 §4.7). */
  begin(from: string, to: string): void {
    if (!this.open) return
    this.#answered = true
    this.transport.write(this.#header(from, to, ''))
  }

  /** More waits for the peer than it should: `send` is still taken, but better kept back until `drained`. */
  get slow(): boolean {
    return this.#slow !== undefined
  }

  /** False: the peer is slow, stop feeding it until the owner hears `drained`. */
  send(xml: string): boolean {
    if (this.#state === 'closing' || this.#state === 'closed') return false
    const swift = this.transport.write(xml)
    if (this.#slow) this.#slow.written += Buffer.byteLength(xml)
    if (swift) return true
    if (!this.fits(0)) this.drop('write_queue')
    else if (!this.#slow) this.#slowDown()
    return false
  }

  /** Whether so many bytes more may wait for the peer. */
  fits(bytes: number): boolean {
    return this.transport.buffered + bytes <= this.options.limits.writeMax
  }

  /** Ends a stream whose peer does not read. It cannot be told: the error is queued for form and the connection cut. */
  drop(bound: 'write_queue' | 'write_timeout' | 'sm_queue' | 'memory_guard'): void {
    if (!this.open) return
    const { hits, log } = this.options
    hits.add(bound)
    log.info('stream.slow', { waiting: this.transport.buffered, ip: this.transport.remote, reason: bound })
    this.fail(new StreamError('resource-constraint', 'Too much is waiting to be read'))
    this.transport.destroy()
  }

  /** After a successful negotiation step the peer opens the stream anew over the same connection (RFC 6120 §4.3.3). */
  restart(over: 'same layer' | 'new layer'): void {
    if (!this.open) return
    const rest = over === 'same layer' ? this.#parser.rest() : EMPTY
    this.#parser = new Parser(this.#limits())
    this.#blank = true
    this.#push(rest)
    this.#answered = false
    this.#state = 'awaiting header'
  }

  /** Larger limits from here on; the login timer goes on until `ready`. */
  authenticate(): void {
    this.authenticated = true
    this.#parser.limits = this.#limits()
    this.transport.authenticated()
  }

  /** Negotiation is over. */
  ready(): void {
    this.#login?.cancel()
    this.#login = undefined
  }

  /** The one way to end with an error (RFC 6120 §4.9): our header first when the peer has not seen it. */
  fail(error: StreamError): void {
    if (this.#state === 'closed' || this.#state === 'closing') return
    this.#introduce()
    this.options.log.debug('stream.error', { condition: error.condition, reason: error.text ?? '' })
    if (this.#answered) this.transport.write(error.toXml())
    this.#finish(false, error)
  }

  /** Ends without an error (RFC 6120 §4.4). */
  close(): void {
    if (!this.open) return
    this.#inOrder = true
    this.#leave()
  }

  #leave(): void {
    this.#introduce()
    this.#finish(false)
  }

  /** RFC 6120 §4.9.1.2: our header goes before our last words. A stream that we opened has begun with it, or has not begun. */
  #introduce(): void {
    if (!this.#answered && !this.options.initiates) this.answer(this.options.domain)
  }

  /** What the limits are called that differ between clients and servers. */
  get #bounds(): typeof clientBounds | typeof serverBounds {
    return this.options.contentNs === NS.client ? clientBounds : serverBounds
  }

  #limits(): ParserLimits {
    return this.authenticated ? this.options.limits.after : this.options.limits.before
  }

  #header(from: string, to: string | undefined, id: string): string {
    const receiver = to === undefined ? '' : ` to='${escapeAttribute(to)}'`
    // XEP-0220 §2.4.1: what an older server looks for.
    const dialback = this.options.contentNs === NS.server ? ` xmlns:db='${NS.dialback}'` : ''
    // XEP-0114 §3: no version, or features would be waited for. RFC 6120 §4.7.4: the language of our own words.
    const since10 = this.options.contentNs === NS.componentAccept ? '' : " version='1.0' xml:lang='en'"
    return (
      `<?xml version='1.0'?><stream:stream xmlns='${this.options.contentNs}' xmlns:stream='${STREAMS}'${dialback}` +
      `${id} from='${escapeAttribute(from)}'${receiver}${since10}>`
    )
  }

  #finish(clean: boolean, error?: StreamError): void {
    this.#state = 'closing'
    if (this.#answered) this.transport.write('</stream:stream>')
    this.transport.end()
    this.#gone(clean, error)
  }

  #gone(clean: boolean, error?: StreamError): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.ready()
    this.#throttled?.cancel()
    this.#slow?.timer.cancel()
    this.owner.closed(clean, error)
  }

  #read(chunk: Buffer): void {
    if (!this.open) return
    this.lastHeard = this.options.clock.now()
    this.#push(chunk)
    const { byteRate } = this.options
    if (byteRate) this.#throttle(byteRate.take(chunk.length), 'rate')
    if (!this.#busy) this.#pump()
    else this.#regulate()
  }

  /** RFC 6120 §4.4: what came before the peer fell silent is handled still, then we close too. */
  #hushed(): void {
    this.#ended = true
    if (this.open && !this.#busy) this.#pump()
  }

  /** White space behind the last element of the stream before a restart is no part of the next one (RFC 6120 §4.6.1). */
  #push(chunk: Buffer): void {
    if (this.#blank) {
      chunk = withoutLeadingSpace(chunk)
      if (chunk.length > 0) this.#blank = false
    }
    this.#parser.push(chunk)
  }

  /** Handles what has arrived, one element at a time; synchronous until a handler hands back a promise. */
  #pump(): void {
    try {
      while (this.open && !this.#throttled && !this.#slow) {
        const parsed = this.#parser.next()
        if (parsed === undefined) {
          if (this.#ended) this.#finish(false)
          break
        }
        const pending = this.#handle(parsed)
        if (pending) {
          this.#wait(pending)
          break
        }
      }
    } catch (error) {
      this.#broken(error)
    }
    this.#regulate()
  }

  #handle(parsed: NonNullable<ReturnType<Parser['next']>>): void | Promise<void> {
    switch (parsed.what) {
      case 'element':
        this.#count()
        if (parsed.element.ns === STREAMS && parsed.element.name === 'error')
          return this.#told(parsed.element)
        return this.owner.element(parsed.element)
      case 'header':
        return this.#opened(parsed.header)
      case 'oversize':
        this.#count()
        this.#over(parsed.limit)
        return this.owner.oversize(parsed.element, parsed.limit)
      case 'end':
        // RFC 6120 §4.4: what came before is processed by now; answer and close.
        this.#inOrder = true
        return this.#finish(true)
      case 'whitespace':
      // A stream has no containers.
      case 'open':
      case 'close':
        return undefined
    }
  }

  /** RFC 6120 §4.9.1.1: an error is not answered by another; both sides close. */
  #told(element: RawElement): void {
    const conditions = element.toElement().childrenOf()
    this.options.log.debug('stream.ended', { condition: conditions[0]?.local, ip: this.transport.remote })
    this.owner.error?.(element)
    if (this.open) this.#leave()
  }

  #wait(pending: Promise<void>): void {
    this.#busy = true
    pending.then(
      () => {
        this.#busy = false
        if (this.open) this.#pump()
      },
      (error: unknown) => {
        this.#busy = false
        this.#broken(error)
        if (this.open) this.#pump()
      },
    )
  }

  #opened(header: StreamHeader): void {
    this.lang = languageOf(header)
    this.#state = 'open'
    // RFC 6120 §4.8: namespaces first, before anything is believed.
    if (header.ns !== STREAMS)
      throw new StreamError('invalid-namespace', `The stream namespace is ${STREAMS}`)
    if (header.local !== 'stream') throw new StreamError('bad-format', 'A stream begins with <stream:stream>')
    if (header.prefix !== 'stream') throw new StreamError('bad-namespace-prefix', 'Use the prefix "stream"')
    if (header.contentNs !== this.options.contentNs) {
      throw new StreamError('invalid-namespace', `The content namespace is ${this.options.contentNs}`)
    }
    if (this.options.initiates) this.id = header.attrs['id'] ?? ''
    this.owner.header(header)
  }

  #count(): void {
    const { stanzaRate, limits } = this.options
    if (!this.authenticated && ++this.#elements > limits.elementsBefore) {
      this.options.hits.add('preauth_elements')
      throw new StreamError('policy-violation', 'Too many elements before authentication')
    }
    if (stanzaRate) this.#throttle(stanzaRate.take(1), 'stanza_rate')
  }

  #broken(error: unknown): void {
    if (error instanceof StreamError) this.fail(error)
    else if (error instanceof XmlFault) {
      if (error.limit) this.#over(error.limit)
      this.fail(new StreamError(error.condition, error.message))
    } else {
      this.options.log.error('stream.crashed', { error })
      this.fail(new StreamError('internal-server-error'))
    }
  }

  #over(limit: LimitName): void {
    const bytes = this.authenticated ? this.#bounds.stanza_size : 'preauth_size'
    this.options.hits.add(limit === 'bytes' ? bytes : limit)
  }

  #late(): void {
    this.options.hits.add('login_timeout')
    this.fail(new StreamError('connection-timeout', 'Login took too long'))
  }

  /** Over its rate: nothing more is read for `ms`; the peer's TCP window fills. */
  #throttle(ms: number, bound: 'rate' | 'stanza_rate'): void {
    if (ms <= 0 || this.#throttled) return
    this.options.hits.add(this.#bounds[bound])
    this.#throttled = this.options.clock.after(ms, () => {
      this.#throttled = undefined
      if (this.open && !this.#busy) this.#pump()
    })
  }

  /** Nothing is read or handled until the peer has read what waits for it; when it reads nothing at all it is dropped. */
  #slowDown(): void {
    const { limits, clock, hits } = this.options
    hits.add('write_pause')
    const slow: Slow = {
      waiting: this.transport.buffered,
      written: 0,
      timer: clock.after(limits.writeStall, () => {
        // What waits now is what waited then and was written since, less what the peer has taken.
        if (this.transport.buffered >= slow.waiting + slow.written) return this.drop('write_timeout')
        slow.waiting = this.transport.buffered
        slow.written = 0
        slow.timer.refresh()
      }),
    }
    this.#slow = slow
    this.#regulate()
  }

  #drained(): void {
    this.#slow?.timer.cancel()
    this.#slow = undefined
    if (!this.open) return
    this.owner.drained()
    if (this.open && !this.#busy) this.#pump()
  }

  /** Reads on or stops reading, as things stand. */
  #regulate(): void {
    if (!this.open) return
    const full = this.#busy && this.#parser.pending > READ_AHEAD
    const pause = full || this.#throttled !== undefined || this.#slow !== undefined
    if (pause === this.#paused) return
    this.#paused = pause
    if (pause) this.transport.pause()
    else this.transport.resume()
  }
}

/** A peer that does not keep up: bytes that waited for it when last looked at, bytes written since. */
interface Slow {
  waiting: number
  written: number
  readonly timer: Timer
}

/** RFC 6120 §4.7.4, RFC 5646 §2.1: whatever else it says is passed over, for the language is written onto every stanza. */
function languageOf({ attrs }: StreamHeader): string | undefined {
  const tag = attrs['xml:lang']
  return tag !== undefined && tag.length <= longestLanguage && languageTag.test(tag) ? tag : undefined
}

const languageTag = /^[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*$/
/** RFC 5646 §4.4.1: 35 characters are enough for every registered tag. */
const longestLanguage = 64

function withoutLeadingSpace(bytes: Buffer): Buffer {
  const from = bytes.findIndex((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)
  return from < 0 ? EMPTY : bytes.subarray(from)
}
