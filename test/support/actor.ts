/** An actor: an account with a real client on one end of a duplex pair. */
import assert from 'node:assert/strict'
import { mismatch, xml } from './match.js'
import type { ClientEnd } from './pipe.js'
import type { Stage } from './stage.js'
import type { Element } from '../../src/xml/element.js'
import { NS } from '../../src/xml/namespaces.js'
import { Parser, type StreamHeader } from '../../src/xml/parser.js'

const LIMITS = { bytes: 10_000_000, depth: 1000, elements: 100_000, attributes: 1000, namespaces: 1000 }
const STREAMS = 'http://etherx.jabber.org/streams'
export const PASSWORD = 'wherefore'
/** Real milliseconds after which something that should have arrived is called missing. */
const PATIENCE = 20_000

export class Actor {
  readonly stage: Stage
  /** As the scene calls it: `juliet$phone` is the account juliet with the resource phone. */
  readonly name: string
  readonly local: string
  readonly resource: string
  readonly domain: string
  /** Content namespace of its streams. */
  readonly content: string = 'jabber:client'
  /** xml:lang of its stream headers. */
  language = ''
  isOnline = false
  isConnected = false
  closed = false
  /** XEP-0198 §4: stanzas that came since stream management was enabled. */
  handled = 0
  /** All bytes of the present stream, as text. */
  heard = ''
  #pipe: ClientEnd | undefined
  #parser = new Parser(LIMITS)
  #header: StreamHeader | undefined
  #inbox: Element[] = []
  #replies = new Map<string, (reply: Element) => void>()
  #waiters: (() => void)[] = []
  #count = 0

  constructor(stage: Stage, name: string, domain: string) {
    const [local = '', resource = 'balcony'] = name.split('$')
    this.stage = stage
    this.name = name
    this.local = local
    this.resource = resource
    this.domain = domain
  }

  /** Elements that have arrived and were not looked at. */
  get waiting(): number {
    return this.#inbox.length
  }

  get bare(): string {
    return `${this.local}@${this.domain}`
  }
  get full(): string {
    return `${this.bare}/${this.resource}`
  }

  /** Opens a stream and reads the features, nothing more. */
  async opens(attributes = this.greeting()): Promise<Element> {
    this.dials()
    this.startsStream(attributes)
    return this.next('features')
  }

  dials(): void {
    this.attach(this.stage.connect(this))
  }

  /** Speaks and hears through this end of a connection from here on. */
  protected attach(pipe: ClientEnd): void {
    this.#parser = new Parser(LIMITS)
    this.closed = false
    this.#pipe = pipe
    pipe.onData = (chunk) => {
      if (this.#pipe === pipe) this.#read(chunk)
    }
    pipe.onClose = () => {
      if (this.#pipe === pipe) this.#ended()
    }
  }

  startsStream(attributes = this.greeting()): void {
    this.restarts()
    this.header(attributes)
  }

  /** What comes from here on is another stream. */
  restarts(): void {
    this.#parser = new Parser(LIMITS)
    this.heard = ''
  }

  /** Says a stream header. */
  protected header(attributes: string): void {
    this.raw(
      `<?xml version='1.0'?><stream:stream xmlns='${this.content}' xmlns:stream='http://etherx.jabber.org/streams'${this.content === 'jabber:server' ? " xmlns:db='jabber:server:dialback'" : ''} ${attributes}>`,
    )
  }

  /** The other side's next header. */
  async hearsHeader(): Promise<StreamHeader> {
    const end = Date.now() + PATIENCE
    while (!this.#header) {
      if (Date.now() > end) this.#fail(`${this.name} heard no header`, 'a header', '(nothing)')
      await this.#somethingHappens(end - Date.now())
    }
    const header = this.#header
    this.#header = undefined
    return header
  }

  /** Logs in; nothing is bound. */
  async authenticates(): Promise<void> {
    await this.stage.account(this.local, this.domain, PASSWORD)
    await this.opens()
    this.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${this.plain()}</auth>`)
    await this.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
    this.startsStream()
    await this.next('features')
  }

  /** Logs in and binds; no presence, no roster. */
  async connects(): Promise<void> {
    await this.authenticates()
    await this.asks(
      `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${this.resource}</resource></bind></iq>`,
    )
    this.isConnected = true
  }

  /** Connects, asks for the roster and sends initial presence; its own echo is taken. */
  async online(presence = '<presence/>'): Promise<void> {
    if (!this.isConnected) await this.connects()
    await this.gets(`<query xmlns='jabber:iq:roster'/>`)
    this.sends(presence)
    await this.settled()
    this.#inbox = this.#inbox.filter(
      (stanza) => stanza.attrs['from'] !== this.full || stanza.local !== 'presence',
    )
    this.isOnline = true
  }

  plain(password = PASSWORD): string {
    return Buffer.from(`\0${this.local}\0${password}`).toString('base64')
  }

  /** Writes bytes as they are. */
  raw(text: string | Buffer): void {
    this.stage.note(`${this.name} > ${text.toString().trim()}`)
    this.#pipe?.write(text)
  }

  /** The connection itself, for more than a transcript should hold. */
  floods(): ClientEnd {
    return this.#pipe!
  }

  sends(stanza: string): void {
    this.raw(stanza.trim())
  }

  /** The next stanza in the order of arrival must fit the pattern. */
  async receives(pattern: string): Promise<Element> {
    const actual = await this.next(pattern)
    const reason = mismatch(xml(pattern, this.content), actual)
    if (reason) this.#fail(`${this.name} received something else: ${reason}`, pattern, actual.toString())
    return actual
  }

  /** The next stanzas fit these patterns, in whatever order. */
  async receivesInAnyOrder(...patterns: string[]): Promise<void> {
    const left = patterns.map((pattern) => ({ pattern, element: xml(pattern, this.content) }))
    while (left.length > 0) {
      const actual = await this.next(left.map(({ pattern }) => pattern.trim()).join('\n   or '))
      const index = left.findIndex(({ element }) => mismatch(element, actual) === undefined)
      if (index < 0) {
        this.#fail(
          `${this.name} received what was not expected`,
          left.map(({ pattern, element }) => `${pattern}  (${mismatch(element, actual)})`).join('\n'),
          actual.toString(),
        )
      }
      left.splice(index, 1)
    }
  }

  /** The next element, whatever it is. */
  async next(expected = 'anything'): Promise<Element> {
    const end = Date.now() + PATIENCE
    while (this.#inbox.length === 0) {
      if (this.closed || Date.now() > end) {
        this.#fail(
          `${this.name} ${this.closed ? 'was disconnected' : 'received nothing'}`,
          expected,
          '(nothing)',
        )
      }
      await this.#somethingHappens(end - Date.now())
    }
    return this.#inbox.shift()!
  }

  /** Sends an iq and hands back the reply with its id, wherever in the order it comes. */
  asks(iq: string): Promise<Element> {
    const id = xml(iq).attrs['id'] as string | undefined
    if (!id) throw new Error('asks needs an id')
    return new Promise((resolve, reject) => {
      const watch = setTimeout(() => {
        this.#replies.delete(id)
        reject(this.#failure(`${this.name} got no reply`, iq, '(nothing)'))
      }, PATIENCE)
      this.#replies.set(id, (reply) => {
        clearTimeout(watch)
        resolve(reply)
      })
      this.sends(iq)
    })
  }

  gets(payload: string, to?: string): Promise<Element> {
    return this.asks(this.#iq('get', payload, to))
  }
  sets(payload: string, to?: string): Promise<Element> {
    return this.asks(this.#iq('set', payload, to))
  }

  /** An iq get or set that must be answered by an error of this condition. */
  async isRefused(condition: string, type: 'get' | 'set', payload: string, to?: string): Promise<void> {
    const reply = await this.asks(this.#iq(type, payload, to))
    const error = reply.child('error', 'jabber:client')
    assert.equal(
      reply.attrs['type'],
      'error',
      `${this.stage.transcript()}\nexpected ${condition}, got ${reply.toString()}`,
    )
    assert.ok(
      error?.child(condition, 'urn:ietf:params:xml:ns:xmpp-stanzas'),
      `expected ${condition}, got ${reply.toString()}`,
    )
  }

  /** A fence, not a sleep: whatever was going to arrive has arrived, and it was nothing. */
  async hearsNothingMore(): Promise<void> {
    await this.stage.settled()
    const [first] = this.#inbox
    if (first) this.#fail(`${this.name} heard more`, '(nothing)', first.toString())
  }

  /** Forgets what has arrived so far. */
  async ignoresSoFar(): Promise<void> {
    await this.stage.settled()
    this.#inbox = []
  }

  /** This stream has handled all that was sent on it, and all that it caused has been sent; or it has ended. */
  async settled(): Promise<void> {
    if (!this.isConnected || this.closed) return
    let answered = false
    const iq = this.#iq('get', `<ping xmlns='urn:xmpp:ping'/>`, this.domain)
    this.#replies.set(xml(iq).attrs['id'] as string, () => (answered = true))
    this.sends(iq)
    const end = Date.now() + PATIENCE
    while (!answered && !this.closed) {
      if (Date.now() > end) this.#fail(`${this.name} got no reply`, iq, '(nothing)')
      await this.#somethingHappens(end - Date.now())
    }
  }

  /** The stream must end with this error. */
  async isDisconnected(condition?: string): Promise<void> {
    if (condition) {
      const error = await this.next(`a stream error ${condition}`)
      const [found] = error.childrenOf()
      if (error.ns !== STREAMS || found?.local !== condition) {
        this.#fail(`${this.name} was told something else`, condition, error.toString())
      }
    }
    const end = Date.now() + PATIENCE
    while (!this.closed) {
      if (Date.now() > end) this.#fail(`${this.name} is still connected`, condition ?? 'the end', '(nothing)')
      await this.#somethingHappens(end - Date.now())
    }
  }

  /** The connection is over; what was said before is forgotten. */
  async isGone(): Promise<void> {
    const end = Date.now() + PATIENCE
    while (!this.closed && Date.now() < end) await this.#somethingHappens(end - Date.now())
    assert.equal(this.closed, true, `${this.name} is still connected`)
    this.#inbox = []
  }

  /** Ends the stream as it should be. */
  async leaves(): Promise<void> {
    this.raw('</stream:stream>')
    await this.isDisconnected()
  }

  /** Leaves unread what comes from here on. */
  stopsReading(): void {
    this.#pipe?.stopReading()
  }
  readsAgain(): void {
    this.#pipe?.readOn()
  }

  /** The network fails, and the server has noticed. */
  async vanishes(): Promise<void> {
    const { streams } = this.stage
    const bound = this.isConnected ? this.stage.streamOf(this) : undefined
    this.#pipe?.cut()
    await this.isDisconnected()
    const isThere = () => (bound ? bound.open : this.stage.streams >= streams)
    const end = Date.now() + PATIENCE
    while (isThere()) {
      if (Date.now() > end) this.#fail(`${this.name} is still there for the server`, 'the end', '(nothing)')
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** The attributes of its stream headers. */
  protected greeting(): string {
    return `to='${this.domain}' version='1.0'${this.language ? ` xml:lang='${this.language}'` : ''}`
  }

  #iq(type: string, payload: string, to?: string): string {
    return `<iq type='${type}' id='${this.name.replace('$', '-')}-${++this.#count}'${to ? ` to='${to}'` : ''}>${payload}</iq>`
  }

  #read(chunk: Buffer): void {
    this.heard += chunk.toString()
    // The other side begins anew, whether the scene meant it to or not.
    if (chunk.subarray(0, 5).toString() === '<?xml') this.#parser = new Parser(LIMITS)
    this.#parser.push(chunk)
    for (let parsed = this.#parser.next(); parsed; parsed = this.#parser.next()) {
      if (parsed.what === 'header') this.#header = parsed.header
      if (parsed.what !== 'element') continue
      const element = parsed.element.toElement()
      this.stage.note(`${this.name} < ${element.toString()}`)
      if (/^(?:message|presence|iq)$/.test(element.local)) this.handled++
      else if (element.local === 'enabled') this.handled = 0
      const reply =
        element.local === 'iq' &&
        /^(result|error)$/.test(element.attrs['type'] as string) &&
        this.#replies.get(element.attrs['id'] as string)
      if (reply) {
        this.#replies.delete(element.attrs['id'] as string)
        reply(element)
      } else this.#inbox.push(element)
      // RFC 6120 §6.4.6, §5.4.3.3: what comes after success, or under TLS, belongs to a new stream (not so XEP-0388 §2.6.1).
      if ((element.local === 'success' && element.ns !== NS.sasl2) || element.local === 'proceed') {
        const rest = this.#parser.rest()
        this.#parser = new Parser(LIMITS)
        this.#parser.push(rest)
      }
    }
    this.#wake()
  }

  #ended(): void {
    this.stage.note(`${this.name} | disconnected`)
    this.closed = true
    this.isOnline = false
    this.isConnected = false
    this.#wake()
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter()
  }

  #somethingHappens(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const watch = setTimeout(resolve, Math.max(1, ms))
      this.#waiters.push(() => {
        clearTimeout(watch)
        resolve()
      })
    })
  }

  #failure(what: string, expected: string, actual: string): Error {
    return new assert.AssertionError({
      message: `${what}\n${this.stage.transcript()}\nexpected: ${expected.trim()}\n  actual: ${actual}`,
    })
  }
  #fail(what: string, expected: string, actual: string): never {
    throw this.#failure(what, expected, actual)
  }
}
