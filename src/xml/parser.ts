/** Bytes in, first-level elements out: strict as RFC 6120 §11 wants it, bounded, resumable at every byte. */
import { checkEncoding, decodeValue, isQualifiedName } from './characters.js'
import { emptyAttributes, type Element } from './element.js'
import { defaultLimits, XmlFault, type LimitName, type ParserLimits } from './limits.js'
import { NS } from './namespaces.js'
import { RawElement, rewrite, StreamHeader, type ChildSpan } from './raw-element.js'
import {
  ENTRY,
  NAME_COLON,
  NAME_FROM,
  NAME_TO,
  Scanner,
  VALUE_CODED,
  VALUE_FROM,
  VALUE_TO,
} from './scanner.js'
import { Scope } from './scope.js'

export { defaultLimits, RawElement, StreamHeader, XmlFault }
export type { ChildSpan, LimitName, ParserLimits }
export type { XmlCondition } from './limits.js'

export type Parsed =
  | { readonly what: 'header'; readonly header: StreamHeader }
  | { readonly what: 'element'; readonly element: RawElement }
  /** Over a limit, but its end came within twice the allowed bytes: start tag facts only, `inner` is empty. */
  | { readonly what: 'oversize'; readonly element: RawElement; readonly limit: LimitName }
  /** White space between elements, a keep-alive (RFC 6120 §4.6.1); several may come as one. */
  | { readonly what: 'whitespace' }
  | { readonly what: 'end' }

/** What is parsed: a stream with its header, or documents of one element each (RFC 7395 §3.3.3; storage, imports). */
export type Framing = 'stream' | 'document'

type Span = { -readonly [key in keyof ChildSpan]: ChildSpan[key] }

const XMLNS = Buffer.from('xmlns')
const WHITESPACE: Parsed = { what: 'whitespace' }
const END: Parsed = { what: 'end' }

/**
 * Feed it with `push` and call `next` until it returns undefined. A stream restart (RFC 6120 §4.3.3) is a new parser;
 * in `document` framing each top-level element comes as an `element`.
 */
export class Parser extends Scanner {
  readonly #scope = new Scope()
  #fault: XmlFault | undefined = undefined
  #events: Parsed[] = []
  #contentNs: string | undefined = undefined

  // The first-level element at hand.
  #name = ''
  #ns = ''
  #attrs = emptyAttributes()
  #defaultNs = ''
  #innerFrom = 0
  #spans: Span[] = []

  constructor(limits: ParserLimits, framing: Framing = 'stream') {
    super(limits, framing === 'stream' ? 1 : 0)
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
    if (this.#events.length > 0) return this.#events.shift()
    this.ready = false
    try {
      this.scan()
    } catch (error) {
      if (error instanceof XmlFault) {
        this.#fault = error
        this.release()
      }
      throw error
    }
    return this.#events.shift()
  }

  protected override spaced(): void {
    this.#emit(WHITESPACE)
  }

  protected override started(empty: boolean): void {
    const level = this.depth - this.top
    if (level > 0 && this.over) return
    const ownNs = this.attributeCount > 0 ? this.#declare(this.depth + 1) : undefined
    if (level > 1) {
      if (this.tagColon >= 0) this.#lookUp(this.#string(this.tagFrom, this.tagColon))
      if (!this.ascii) this.#nameAt(this.tagFrom, this.tagTo)
      if (this.attributeCount > 0) this.#checkAttributes()
      return
    }
    const name = this.#nameAt(this.tagFrom, this.tagTo)
    const colon = name.indexOf(':')
    const local = name.slice(colon + 1)
    const inherited = level === 1 ? this.#defaultNs : level === 0 ? (this.#contentNs ?? '') : ''
    const ns = colon < 0 ? (ownNs ?? inherited) : this.#lookUp(name.slice(0, colon))
    if (this.attributeCount > 0) this.#checkAttributes()
    if (level === 1) this.#spans.push({ name: local, ns, start: this.tagFrom - 1, end: 0 })
    else if (level === 0) {
      this.#name = local
      this.#ns = ns
      this.#attrs = this.#decodeAttributes(true)
      this.#defaultNs = ownNs ?? inherited
      this.#innerFrom = this.pos - this.base
      // The content of a prefixed element stood under another default namespace than it is to stand under.
      this.canonical = this.#defaultNs === ns
    } else {
      const prefix = colon < 0 ? '' : name.slice(0, colon)
      this.#header(name, new StreamHeader(prefix, local, ns, ownNs, this.#decodeAttributes(false)), empty)
    }
  }

  protected override ended(): void {
    const level = this.depth - this.top
    if (level === 1) {
      if (!this.over) this.#spans.at(-1)!.end = this.pos - this.base
    } else if (level === 0) this.#element()
    else if (level < 0) {
      this.forget()
      this.#emit(END)
    }
    this.#scope.leave(this.depth)
  }

  #header(name: string, header: StreamHeader, empty: boolean): void {
    checkEncoding(this.buffer.subarray(this.base, this.pos))
    this.streamName = Buffer.from(name)
    this.#contentNs = header.contentNs
    this.#emit({ what: 'header', header })
    if (!empty) this.forget()
  }

  #element(): void {
    const bytes = this.pos - this.base
    const ascii = this.ascii || checkEncoding(this.buffer.subarray(this.base, this.pos))
    const { over } = this
    if (over) {
      const element = new RawElement(this.#name, this.#ns, this.#attrs, '', [], bytes)
      this.#emit({ what: 'oversize', element, limit: over })
    } else {
      const { inner, children } = this.#content(ascii)
      const element = new RawElement(this.#name, this.#ns, this.#attrs, inner, children, bytes)
      this.#emit({ what: 'element', element })
    }
    this.#spans = []
    this.forget()
  }

  #content(ascii: boolean): { inner: string; children: ChildSpan[] } {
    const start = this.base + this.#innerFrom
    const inner = this.buffer.toString(ascii ? 'latin1' : 'utf8', start, this.base + this.endTagFrom)
    if (!this.canonical) {
      const outer = this.#scope.declarations(this.top + 1)
      outer['xmlns'] = this.#defaultNs
      return rewrite(inner, outer, this.#ns)
    }
    let bytes = start
    let characters = 0
    const offset = (of: number) => {
      const to = this.base + of
      characters += ascii ? to - bytes : utf16Length(this.buffer, bytes, to)
      bytes = to
      return characters
    }
    for (const span of this.#spans) {
      span.start = offset(span.start)
      span.end = offset(span.end)
    }
    return { inner, children: this.#spans }
  }

  /** Takes the namespace declarations of the tag at hand; returns the default namespace, if it declares one. */
  #declare(depth: number): string | undefined {
    const { attributes } = this
    let ownNs: string | undefined
    for (let at = 0; at < this.attributeCount * ENTRY; at += ENTRY) {
      const from = attributes[at + NAME_FROM]!
      const colon = attributes[at + NAME_COLON]!
      if (!this.#isXmlns(from, colon < 0 ? attributes[at + NAME_TO]! : colon)) continue
      const ns = this.#value(at)
      if (colon < 0) {
        if (ns === NS.xml || ns === NS.xmlns)
          throw new XmlFault('not-well-formed', 'A reserved namespace as the default one')
        ownNs = ns
      } else if (this.#scope.size >= this.limits.namespaces) this.exceed('namespaces')
      else this.#scope.declare(this.#nameAt(colon + 1, attributes[at + NAME_TO]!), ns, depth)
    }
    return ownNs
  }

  /** Looks up the prefixes of attributes and refuses two of the same name (Namespaces in XML 1.0 §6.3). */
  #checkAttributes(): void {
    const { attributes } = this
    const seen = new Set<string>()
    for (let at = 0; at < this.attributeCount * ENTRY; at += ENTRY) {
      const from = attributes[at + NAME_FROM]!
      const colon = attributes[at + NAME_COLON]!
      let name = this.#nameAt(from, attributes[at + NAME_TO]!)
      if (colon >= 0 && !this.#isXmlns(from, colon)) {
        const local = name.indexOf(':')
        name = `${this.#lookUp(name.slice(0, local))} ${name.slice(local + 1)}`
      }
      if (seen.size === seen.add(name).size && !this.over)
        throw new XmlFault('not-well-formed', 'Two attributes of the same name')
    }
  }

  #decodeAttributes(withDeclarations: boolean): Record<string, string> {
    const { attributes } = this
    const attrs = emptyAttributes()
    for (let at = 0; at < this.attributeCount * ENTRY; at += ENTRY) {
      const from = attributes[at + NAME_FROM]!
      const colon = attributes[at + NAME_COLON]!
      if (this.#isXmlns(from, colon < 0 ? attributes[at + NAME_TO]! : colon)) continue
      const name = this.#nameAt(from, attributes[at + NAME_TO]!)
      if (withDeclarations && colon >= 0) {
        const prefix = name.slice(0, name.indexOf(':'))
        if (prefix !== 'xml') attrs[`xmlns:${prefix}`] = this.#lookUp(prefix)
      }
      attrs[name] = this.#value(at)
    }
    return attrs
  }

  #lookUp(prefix: string): string {
    if (prefix === 'xml') return NS.xml
    const index = this.#scope.find(prefix)
    if (index < 0) {
      // Past a limit the declaration may be among what was not kept.
      if (this.over) return ''
      throw new XmlFault('not-well-formed', 'A prefix that is not declared')
    }
    if (this.#scope.depth(index) <= this.top + 1) this.canonical = false
    return this.#scope.ns(index)
  }

  #isXmlns(from: number, to: number): boolean {
    if (to - from !== XMLNS.length) return false
    for (let i = 0; i < XMLNS.length; i++) {
      if (this.buffer[this.base + from + i] !== XMLNS[i]) return false
    }
    return true
  }

  #nameAt(from: number, to: number): string {
    const name = this.#string(from, to)
    if (!this.ascii && /[^\0-\x7f]/.test(name)) {
      if (!isQualifiedName(name))
        throw new XmlFault('not-well-formed', 'A character that may not stand in a name')
      this.canonical = false
    }
    return name
  }

  #value(at: number): string {
    const source = this.#string(this.attributes[at + VALUE_FROM]!, this.attributes[at + VALUE_TO]!)
    return this.attributes[at + VALUE_CODED] === 0 ? source : decodeValue(source)
  }

  #string(from: number, to: number): string {
    return this.buffer.toString(this.ascii ? 'latin1' : 'utf8', this.base + from, this.base + to)
  }

  #emit(event: Parsed): void {
    this.#events.push(event)
    this.ready = true
  }
}

/**
 * A document of one element: from storage, an import, a test.
 * @param limits only those given are enforced, and the depth and elements a stream allows
 * @throws XmlFault
 */
export function parseElement(text: string | Buffer, limits: Partial<ParserLimits> = {}): Element {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  const parser = new Parser({ ...defaultLimits, bytes: bytes.length, ...limits }, 'document')
  parser.push(bytes)
  const parsed = parser.next()
  if (parsed?.what === 'oversize') throw new XmlFault('policy-violation', `Over the limit of ${parsed.limit}`)
  if (parsed?.what !== 'element') throw new XmlFault('not-well-formed', 'An element without end')
  if (parser.next() !== undefined || parser.pending > 0)
    throw new XmlFault('not-well-formed', 'Something after the end of the element')
  return parsed.element.toElement()
}

/** How many UTF-16 units the UTF-8 bytes stand for. */
function utf16Length(bytes: Buffer, from: number, to: number): number {
  let length = 0
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!
    if ((byte & 0xc0) !== 0x80) length += byte >= 0xf0 ? 2 : 1
  }
  return length
}
