/** Bytes in, first-level elements out: strict as RFC 6120 §11 wants it, bounded, resumable at every byte. */
import { checkEncoding, decodeValue, isQualifiedName } from './characters.js'
import { emptyAttributes, type Element } from './element.js'
import {
  defaultLimits,
  malformed,
  textLimits,
  XmlFault,
  type LimitName,
  type ParserLimits,
} from './limits.js'
import { NS } from './namespaces.js'
import { RawElement, rewrite, StreamHeader, type ChildSpan } from './raw-element.js'
import { Scanner } from './scanner.js'
import { Scope } from './scope.js'
import { ENTRY, NAME_COLON, NAME_FROM, NAME_TO, VALUE_CODED, VALUE_FROM, VALUE_TO } from './tag.js'
import { wordAt } from './words.js'

export { defaultLimits, RawElement, StreamHeader, XmlFault }
export type { ChildSpan, LimitName, ParserLimits }
export type { XmlCondition } from './limits.js'

export type Parsed =
  | { readonly what: 'header'; readonly header: StreamHeader }
  | { readonly what: 'element'; readonly element: RawElement }
  /** Over a limit, but its end came within twice the allowed bytes: start tag facts only, `inner` is empty. */
  | { readonly what: 'oversize'; readonly element: RawElement; readonly limit: LimitName }
  /** A container begins, and what is in it comes next. */
  | { readonly what: 'open'; readonly header: StreamHeader }
  /** It ends. */
  | { readonly what: 'close' }
  /** White space between elements, a keep-alive (RFC 6120 §4.6.1); several may come as one. */
  | { readonly what: 'whitespace' }
  | { readonly what: 'end' }

/** What is parsed: a stream with its header, or documents of one element each (RFC 7395 §3.3.3; storage, imports). */
export type Framing = 'stream' | 'document'

/**
 * Whether an element is a container, whose children are to come one by one as if they were first-level ones; `level` is
 * 0 for a first-level element, 1 for a child of a container, and so on. White space alone may stand between them.
 */
export type Descend = (header: StreamHeader, level: number) => boolean

type Span = { -readonly [key in keyof ChildSpan]: ChildSpan[key] }

const XMLNS = Buffer.from('xmlns')
const STREAM_NAME = Buffer.from('stream:stream')
const X = 0x78
const M = 0x6d
const L = 0x6c
/** From so many attributes on a set finds twins faster than comparing each with each. */
const MANY = 8
const SMALL_TAG = 1024
const NO_CONTENT = { inner: '', children: [] }
const CLOSE: Parsed = { what: 'close' }
const WHITESPACE: Parsed = { what: 'whitespace' }
const END: Parsed = { what: 'end' }

/**
 * Feed it with `push` and call `next` until it returns undefined. A stream restart (RFC 6120 §4.3.3) is a new parser;
 * in `document` framing each top-level element comes as an `element`. Files larger than memory are read with `descend`.
 */
export class Parser extends Scanner {
  readonly #scope = new Scope()
  #fault: XmlFault | undefined = undefined
  #event: Parsed | undefined = undefined
  /** The end that follows a header at once. */
  #later: Parsed | undefined = undefined
  #contentNs: string | undefined = undefined
  readonly #descend: Descend | undefined
  /** What holds around each container that is open. */
  readonly #around: { readonly name: Buffer; readonly contentNs: string | undefined }[] = []
  #unread = 0

  // The first-level element at hand.
  #local = ''
  #ns = ''
  #attrs = emptyAttributes()
  #defaultNs = ''
  #innerFrom = 0
  #spans: Span[] = []

  constructor(limits: ParserLimits, framing: Framing = 'stream', descend?: Descend) {
    super(limits, framing === 'stream' ? 1 : 0)
    this.#descend = descend
  }

  /** Bytes that were pushed and lie behind what has come out: an event, or the fault. */
  get unread(): number {
    return this.#fault ? this.#unread : this.pending
  }

  override push(chunk: Buffer): void {
    if (!this.#fault) super.push(chunk)
  }

  /**
   * The next event, or undefined when more bytes are needed.
   * @throws XmlFault always the same one from then on
   */
  next(): Parsed | undefined {
    if (this.#fault) throw this.#fault
    if (!this.#event) {
      this.ready = false
      try {
        this.scan()
      } catch (error) {
        if (error instanceof XmlFault) {
          this.#fault = error
          this.#unread = this.end - this.pos
          this.release()
        }
        throw error
      }
    }
    const event = this.#event
    this.#event = this.#later
    this.#later = undefined
    return event
  }

  protected override spaced(): void {
    this.#emit(WHITESPACE)
  }

  protected override started(empty: boolean): void {
    const level = this.depth - this.top
    if (level > 0 && this.over) return
    const ownNs = this.tag.count > 0 ? this.#declare(level) : undefined
    if (level > 1) {
      if (this.tag.foreign) this.#name(this.tag.from, this.tag.to)
      if (this.tag.colon >= 0) this.#lookUp(this.#string(this.tag.from, this.tag.colon))
      return
    }
    const colon = this.tag.colon
    const local = this.#name(colon < 0 ? this.tag.from : colon + 1, this.tag.to)
    const prefix = colon < 0 ? '' : this.#name(this.tag.from, colon)
    const inherited = level === 1 ? this.#defaultNs : level === 0 ? (this.#contentNs ?? '') : ''
    const ns = colon < 0 ? (ownNs ?? inherited) : this.#lookUp(prefix)
    if (level === 1) this.#spans.push({ name: local, ns, start: this.tag.from - 1, end: 0 })
    else if (level === 0) {
      this.#local = local
      this.#ns = ns
      this.#attrs = this.#decodeAttributes(true)
      this.#defaultNs = ownNs ?? inherited
      if (this.#descend && !empty && !this.over) {
        const header = new StreamHeader(prefix, local, ns, this.#defaultNs, this.#attrs)
        if (this.#descend(header, this.top - 1)) return this.#enter(header)
      }
      this.#innerFrom = this.pos - this.base
      // The content of a prefixed element stood under another default namespace than it is to stand under.
      this.canonical = this.#defaultNs === ns
    } else this.#header(new StreamHeader(prefix, local, ns, ownNs, this.#decodeAttributes(false)), empty)
  }

  protected override ended(): void {
    const level = this.depth - this.top
    if (level === 1) {
      if (!this.over) this.#spans[this.#spans.length - 1]!.end = this.pos - this.base
    } else if (level === 0) this.#element()
    else if (level < 0) this.#leave()
    if (this.#scope.deepest > this.depth) this.#scope.leave(this.depth)
  }

  #header(header: StreamHeader, empty: boolean): void {
    checkEncoding(this.buffer.subarray(this.base, this.pos))
    this.streamName = nameOf(header)
    this.#contentNs = header.contentNs
    this.#emit({ what: 'header', header })
    if (!empty) this.forget()
  }

  /** What follows are the children of this container. */
  #enter(header: StreamHeader): void {
    checkEncoding(this.buffer.subarray(this.base, this.pos))
    this.#around.push({ name: this.streamName, contentNs: this.#contentNs })
    this.streamName = nameOf(header)
    this.#contentNs = this.#defaultNs
    this.top++
    this.#emit({ what: 'open', header })
    this.forget()
  }

  /** The end of a container, or of the stream. */
  #leave(): void {
    this.forget()
    const around = this.#around.pop()
    if (!around) return this.#emit(END)
    this.streamName = around.name
    this.#contentNs = around.contentNs
    this.top--
    this.#emit(CLOSE)
  }

  #element(): void {
    const ascii = this.ascii || checkEncoding(this.buffer.subarray(this.base, this.pos))
    const content = this.over ? undefined : this.#content(ascii)
    const { inner, children } = content ?? NO_CONTENT
    const bytes = this.pos - this.base
    const element = new RawElement(this.#local, this.#ns, this.#attrs, inner, children, bytes)
    this.#emit(
      content ? { what: 'element', element } : { what: 'oversize', element, limit: this.over ?? 'bytes' },
    )
    this.#spans = []
    this.forget()
  }

  /** The text of the content and where its children are; undefined when it is too large once it stands on its own. */
  #content(ascii: boolean): { inner: string; children: ChildSpan[] } | undefined {
    const start = this.base + this.#innerFrom
    const inner = this.buffer.toString(ascii ? 'latin1' : 'utf8', start, this.base + this.endTagFrom)
    if (!this.canonical) {
      const outer = this.#scope.declarations(this.top + 1)
      outer['xmlns'] = this.#defaultNs
      return rewrite(inner, outer, this.#ns, 2 * this.limits.bytes)
    }
    const spans = this.#spans
    if (ascii) {
      for (let i = 0; i < spans.length; i++) {
        spans[i]!.start -= this.#innerFrom
        spans[i]!.end -= this.#innerFrom
      }
    } else countCharacters(spans, this.buffer, this.base, this.#innerFrom)
    return { inner, children: spans }
  }

  /**
   * Takes the namespace declarations of the tag at hand and looks after its other attributes.
   * @returns the default namespace, if the tag declares one and it matters
   */
  #declare(level: number): string | undefined {
    const { buffer } = this
    const { attributes } = this.tag
    const end = this.tag.count * ENTRY
    let ownNs: string | undefined
    let prefixed = 0
    for (let at = 0; at < end; at += ENTRY) {
      const from = attributes[at + NAME_FROM]!
      const colon = attributes[at + NAME_COLON]!
      if (
        buffer[this.base + from] !== X ||
        !this.#isXmlns(from, colon < 0 ? attributes[at + NAME_TO]! : colon)
      ) {
        // Only the prefix `xml` stands for its namespace, so its attributes are told apart by their bytes.
        if (colon >= 0 && !this.#isXml(from, colon)) prefixed++
      } else if (colon < 0) ownNs = this.#defaultDeclaration(at, level)
      else if (this.#scope.size >= this.limits.namespaces) this.exceed('namespaces')
      else
        this.#scope.declare(this.#name(colon + 1, attributes[at + NAME_TO]!), this.#value(at), this.depth + 1)
    }
    if (this.tag.count > 1 && !this.over) this.#refuseTwins()
    if (prefixed > 0 || this.tag.foreign) this.#checkNames(prefixed)
    return ownNs
  }

  /** Below the first-level children only the two namespaces matter that may not be the default one. */
  #defaultDeclaration(at: number, level: number): string {
    const { attributes } = this.tag
    const length = attributes[at + VALUE_TO]! - attributes[at + VALUE_FROM]!
    const suspect =
      length === NS.xml.length || length === NS.xmlns.length || attributes[at + VALUE_CODED] !== 0
    if (level > 1 && !suspect) return ''
    const ns = this.#value(at)
    if (suspect && (ns === NS.xml || ns === NS.xmlns))
      throw malformed('A reserved namespace as the default one')
    return ns
  }

  /** XML 1.0 §3.1, unique att spec: names are compared as bytes. */
  #refuseTwins(): void {
    const { attributes, count } = this.tag
    if (count > MANY) {
      const names = new Set<string>()
      for (let at = 0; at < count * ENTRY; at += ENTRY)
        names.add(this.#string(attributes[at + NAME_FROM]!, attributes[at + NAME_TO]!))
      if (names.size < count) throw twins()
      return
    }
    for (let at = ENTRY; at < count * ENTRY; at += ENTRY) {
      const from = attributes[at + NAME_FROM]!
      const to = attributes[at + NAME_TO]!
      for (let other = 0; other < at; other += ENTRY) {
        const otherFrom = attributes[other + NAME_FROM]!
        if (to - from === attributes[other + NAME_TO]! - otherFrom && this.#areSame(from, to, otherFrom))
          throw twins()
      }
    }
  }

  #areSame(from: number, to: number, otherFrom: number): boolean {
    const { buffer, base } = this
    for (let at = from, other = otherFrom; at < to; at++, other++) {
      if (buffer[base + at] !== buffer[base + other]) return false
    }
    return true
  }

  /** Looks up the prefixes of attributes and refuses two of the same namespace and name (Namespaces in XML 1.0 §6.3). */
  #checkNames(prefixed: number): void {
    const { attributes } = this.tag
    const seen = prefixed > 1 ? new Set<string>() : undefined
    for (let at = 0; at < this.tag.count * ENTRY; at += ENTRY) {
      const from = attributes[at + NAME_FROM]!
      const colon = attributes[at + NAME_COLON]!
      const name = this.#name(from, attributes[at + NAME_TO]!)
      if (colon < 0 || this.#isXmlns(from, colon)) continue
      const end = name.indexOf(':')
      const ns = this.#lookUp(name.slice(0, end))
      if (seen && seen.size === seen.add(`${ns} ${name.slice(end + 1)}`).size && !this.over) throw twins()
    }
  }

  #decodeAttributes(withDeclarations: boolean): Record<string, string> {
    const { attributes } = this.tag
    const attrs = emptyAttributes()
    const head = this.tag.count > 0 ? this.#head() : undefined
    for (let at = 0; at < this.tag.count * ENTRY; at += ENTRY) {
      const from = attributes[at + NAME_FROM]!
      const colon = attributes[at + NAME_COLON]!
      if (this.#isXmlns(from, colon < 0 ? attributes[at + NAME_TO]! : colon)) continue
      const name = this.#name(from, attributes[at + NAME_TO]!)
      if (withDeclarations && colon >= 0 && name !== 'xml:lang') {
        const prefix = name.slice(0, name.indexOf(':'))
        if (prefix !== 'xml') attrs[`xmlns:${prefix}`] = this.#lookUp(prefix)
      }
      attrs[name] =
        head === undefined || attributes[at + VALUE_CODED] !== 0
          ? this.#value(at)
          : head.slice(attributes[at + VALUE_FROM], attributes[at + VALUE_TO])
    }
    return attrs
  }

  /**
   * The start tag as one string that values can be cut from, which is faster than to decode each. Not when it is large:
   * a value kept for long keeps the whole string. Not when characters and bytes are not the same.
   */
  #head(): string | undefined {
    if (this.pos - this.base > SMALL_TAG) return undefined
    const head = this.buffer.toString('latin1', this.base, this.pos)
    return this.ascii || !/[\x80-\xff]/.test(head) ? head : undefined
  }

  #lookUp(prefix: string): string {
    if (prefix === 'xml') return NS.xml
    const found = this.#scope.find(prefix)
    if (!found) {
      // Past a limit the declaration may be among what was not kept.
      if (this.over) return ''
      throw malformed('A prefix that is not declared')
    }
    const { ns, depth } = found
    // RFC 6120 §4.8.5: a prefix of the content namespace is corrected before it goes on.
    if (depth <= this.top + 1 || ns === this.#contentNs) this.canonical = false
    return ns
  }

  #isXml(from: number, to: number): boolean {
    const { buffer, base } = this
    return (
      to - from === 3 &&
      buffer[base + from] === X &&
      buffer[base + from + 1] === M &&
      buffer[base + from + 2] === L
    )
  }

  #isXmlns(from: number, to: number): boolean {
    if (to - from !== XMLNS.length) return false
    for (let i = 0; i < XMLNS.length; i++) {
      if (this.buffer[this.base + from + i] !== XMLNS[i]) return false
    }
    return true
  }

  /** A name, or one side of its colon. */
  #name(from: number, to: number): string {
    const known = wordAt(this.buffer, this.base + from, this.base + to)
    if (known !== undefined) return known
    const name = this.#string(from, to)
    if (this.tag.foreign && /[^\0-\x7f]/.test(name)) {
      if (!isQualifiedName(name)) throw malformed('A character that may not stand in a name')
      this.canonical = false
    }
    return name
  }

  #value(at: number): string {
    const from = this.tag.attributes[at + VALUE_FROM]!
    const to = this.tag.attributes[at + VALUE_TO]!
    const known = wordAt(this.buffer, this.base + from, this.base + to)
    if (known !== undefined) return known
    const source = this.#string(from, to)
    return this.tag.attributes[at + VALUE_CODED] === 0 ? source : decodeValue(source)
  }

  #string(from: number, to: number): string {
    return this.buffer.toString(this.ascii ? 'latin1' : 'utf8', this.base + from, this.base + to)
  }

  #emit(event: Parsed): void {
    if (this.#event) this.#later = event
    else this.#event = event
    this.ready = true
  }
}

/**
 * A document of one element: from storage, an import, a test. Whatever a stream may let in can be read by default.
 * @param limits those given replace `textLimits`
 * @throws XmlFault
 */
export function parseElement(text: string | Buffer, limits: Partial<ParserLimits> = {}): Element {
  return parseDocument(text, limits).toElement()
}

/**
 * The same without building a tree: its content stays as it was written.
 * @throws XmlFault
 */
export function parseDocument(text: string | Buffer, limits: Partial<ParserLimits> = {}): RawElement {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  const parser = new Parser({ ...textLimits, bytes: bytes.length, ...limits }, 'document')
  parser.push(bytes)
  const parsed = parser.next()
  if (parsed?.what === 'oversize') throw new XmlFault('policy-violation', `Over the limit of ${parsed.limit}`)
  if (parsed?.what !== 'element') throw malformed('An element without end')
  if (parser.next() !== undefined || parser.pending > 0)
    throw malformed('Something after the end of the element')
  return parsed.element
}

/** As it stands in the tags; one for all streams, which keep it for as long as they are open. */
function nameOf({ prefix, local }: StreamHeader): Buffer {
  if (prefix === 'stream' && local === 'stream') return STREAM_NAME
  return Buffer.from(prefix === '' ? local : `${prefix}:${local}`)
}

function twins(): XmlFault {
  return malformed('Two attributes of the same name')
}

/** Turns offsets in bytes from `base` into offsets in UTF-16 units from `origin`, which is behind `base` by that much. */
function countCharacters(spans: readonly Span[], bytes: Buffer, base: number, origin: number): void {
  let at = base + origin
  let units = 0
  const count = (offset: number): number => {
    for (; at < base + offset; at++) {
      const byte = bytes[at]!
      if ((byte & 0xc0) !== 0x80) units += byte >= 0xf0 ? 2 : 1
    }
    return units
  }
  for (const span of spans) {
    span.start = count(span.start)
    span.end = count(span.end)
  }
}
