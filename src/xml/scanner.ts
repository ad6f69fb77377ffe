/** Bytes in, tags out: the states of a well-formed XML stream, resumable at every byte and bounded. */
// prettier-ignore
import {
  LT, GT, AMPERSAND, QUOTATION, APOSTROPHE, SLASH, EQUAL, COLON,
  SEMICOLON, HASH, CLOSE_BRACKET, QUESTION, BANG, CR, LF, TAB,
} from './bytes.js'
import {
  checkDeclaration,
  checkReference,
  CLASS,
  NAME,
  NAME_START,
  skip,
  SPACE,
  TEXT,
  VALUE,
} from './characters.js'
import { Intake } from './intake.js'
import { malformed, XmlFault } from './limits.js'
// prettier-ignore
import { ENTRY, grown, NAME_COLON, NAME_FROM, NAME_TO, readTag, Tag, VALUE_CODED, VALUE_FROM, VALUE_TO } from './tag.js'

// What is expected at the current byte.
const CONTENT = 0
const AFTER_LT = 1
const TAG_NAME = 2
const AFTER_NAME = 3
const IN_TAG = 4
const ATTRIBUTE_NAME = 5
const EQUALS = 6
const QUOTE = 7
const IN_VALUE = 8
const EMPTY_TAG = 9
const END_TAG_NAME = 10
const END_TAG = 11
const TEXT_REFERENCE = 12
const VALUE_REFERENCE = 13
const DECLARATION_OPEN = 14
const CDATA = 15
const XML_DECLARATION = 16
const CLOSED = 17

const CDATA_OPEN = Buffer.from('[CDATA[')
const DECLARATION_BYTES = 256
const EMPTY_BUFFER = Buffer.alloc(0)
const SMALL = 4096

/**
 * The lower half of the parser: the states. The upper half is told of each tag and decides what it means. All
 * offsets are counted from `base`.
 */
export abstract class Scanner extends Intake {
  /** Whether the content of the element at hand can be passed on as it came. */
  protected canonical = true
  /** Names of the open elements below the stream: offset, length. */
  protected open = new Int32Array(64)
  protected readonly tag = new Tag()
  protected endTagFrom = 0
  protected streamName: Buffer = EMPTY_BUFFER
  protected ready = false

  #state = CONTENT
  #elements = 0
  #brackets = 0
  #matched = 0
  #quote = 0
  #referenceFrom = 0
  #atStart = true

  /** A start tag is complete; `pos` is behind it. */
  protected abstract started(empty: boolean): void
  /** An end tag is complete, or a tag that is both; `pos` is behind it and `depth` counted down. */
  protected abstract ended(): void
  /** White space stood between first-level elements. */
  protected abstract spaced(): void

  /** Scans until something is ready or bytes are needed. */
  protected scan(): void {
    if (this.pos === this.end) return
    this.setStop()
    for (;;) {
      while (this.pos < this.stop && !this.ready) this.#step()
      if (this.ready || this.stop === this.end) break
      this.overrun()
    }
    if (this.ready) {
      if (this.pending === 0) this.release()
    } else this.settle()
  }

  /** The element or header at hand is done with. */
  protected forget(): void {
    this.finish()
    this.#elements = 0
    if (this.open.length > SMALL) this.open = new Int32Array(64)
    this.tag.shrink()
  }

  #step(): void {
    switch (this.#state) {
      case CONTENT:
        return this.depth > this.top ? this.#content() : this.#between()
      case AFTER_LT:
        return this.#afterLt()
      case TAG_NAME:
        return this.#tagName()
      case AFTER_NAME:
        return this.#afterName()
      case IN_TAG:
        return this.#inTag()
      case ATTRIBUTE_NAME:
        return this.#attributeName()
      case EQUALS:
        return this.#equals()
      case QUOTE:
        return this.#openQuote()
      case IN_VALUE:
        return this.#value()
      case EMPTY_TAG:
        return this.#emptyTag()
      case END_TAG_NAME:
        return this.#endTagName()
      case END_TAG:
        return this.#endTag()
      case TEXT_REFERENCE:
        return this.#reference(CONTENT)
      case VALUE_REFERENCE:
        return this.#reference(IN_VALUE)
      case DECLARATION_OPEN:
        return this.#declarationOpen()
      case CDATA:
        return this.#cdata()
      case XML_DECLARATION:
        return this.#xmlDeclaration()
      default:
        return this.#closed()
    }
  }

  #content(): void {
    const { buffer } = this
    const stop = this.stop
    while (this.pos < stop) {
      const pos = skip(buffer, this.pos, stop, TEXT)
      if (pos > this.pos) this.#brackets = 0
      if (pos < stop && buffer[pos] === LT) {
        this.#brackets = 0
        if (this.#quickTag(pos)) {
          if (this.depth <= this.top) return
          continue
        }
      }
      this.pos = pos
      if (pos < stop) return this.#markup(buffer[pos]!)
    }
  }

  /** A byte of content that is not plain text. */
  #markup(byte: number): void {
    this.pos++
    if (byte === CLOSE_BRACKET) {
      this.#brackets++
      return
    }
    // XML 1.0 §2.4: `]]>` must not appear in content.
    if (byte === GT && this.#brackets >= 2) throw malformed('"]]>" in text')
    this.#brackets = 0
    if (byte === LT) this.#state = AFTER_LT
    else if (byte === AMPERSAND) {
      this.#referenceFrom = this.pos - this.base
      this.#state = TEXT_REFERENCE
    } else if (byte === CR) this.canonical = false
    else if (byte !== GT) throw malformed('A control character')
  }

  /** Between first-level elements, before the header, or around a document's element. */
  #between(): void {
    const { buffer } = this
    const stop = this.stop
    let pos = this.pos
    while (pos < stop && (CLASS[buffer[pos]!]! & SPACE) !== 0) pos++
    if (pos > this.pos) {
      this.pos = pos
      this.#atStart = false
      if (this.depth > 0) this.spaced()
      return
    }
    const byte = buffer[pos]!
    if (byte !== LT) throw this.#stray(byte)
    this.begin(pos)
    if (!this.#atStart && this.#quickTag(pos)) return
    this.pos = pos + 1
    this.#state = AFTER_LT
  }

  /** A tag at once that is all here and of the usual kind. False, and nothing done, when the states must look at it. */
  #quickTag(lt: number): boolean {
    if (lt + 2 >= this.stop) return false
    if (this.buffer[lt + 1] === SLASH) return this.#quickEndTag(lt)
    const end = readTag(this.tag, this.buffer, this.base, lt, this.stop, this.limits.attributes)
    if (end < 0) return false
    this.pos = end
    this.#start(this.buffer[end - 2] === SLASH)
    return true
  }

  #quickEndTag(lt: number): boolean {
    const { buffer } = this
    const level = this.depth - 1 - this.top
    if (level < 0) return false
    const length = this.open[2 * level + 1]!
    const from = lt + 2
    if (from + length >= this.stop || buffer[from + length] !== GT) return false
    const name = this.base + this.open[2 * level]!
    for (let i = 0; i < length; i++) {
      if (buffer[from + i] !== buffer[name + i]) return false
    }
    this.endTagFrom = lt - this.base
    this.pos = from + length + 1
    this.depth--
    this.ended()
    return true
  }

  #stray(byte: number): XmlFault {
    // RFC 6120 §11.6; a byte order mark or a zero byte tells UTF-16.
    if (this.#atStart && (byte === 0 || byte >= 0xfe))
      return new XmlFault('unsupported-encoding', 'Only UTF-8 is spoken here')
    const character = (CLASS[byte]! & TEXT) !== 0 && byte < 0x80
    // RFC 6120 §11.7: only white space may stand between first-level elements.
    return this.depth > 0 && character
      ? new XmlFault('bad-format', 'Text between elements')
      : malformed('Text outside the root')
  }

  #afterLt(): void {
    const byte = this.buffer[this.pos]!
    const atStart = this.#atStart
    this.#atStart = false
    if ((CLASS[byte]! & NAME_START) !== 0) {
      this.tag.from = this.pos - this.base
      this.tag.colon = -1
      this.tag.foreign = false
      this.tag.count = 0
      this.#state = TAG_NAME
      return
    }
    this.pos++
    if (byte === SLASH && this.depth > 0) {
      this.endTagFrom = this.pos - this.base - 2
      this.#matched = 0
      this.#state = END_TAG_NAME
    } else if (byte === BANG) {
      this.#matched = 0
      this.#state = DECLARATION_OPEN
    } else if (byte === QUESTION) {
      // RFC 6120 §11.1, §11.5: no processing instructions; the XML declaration can only come first.
      if (!atStart) throw new XmlFault('restricted-xml', 'A processing instruction')
      this.#state = XML_DECLARATION
    } else if (byte === 0 && atStart) throw new XmlFault('unsupported-encoding', 'Only UTF-8 is spoken here')
    else throw malformed('"<" that begins no tag')
  }

  #tagName(): void {
    const { buffer } = this
    const stop = this.stop
    let pos = this.pos
    for (; pos < stop; pos++) {
      const byte = buffer[pos]!
      if (byte >= 0x80) this.tag.foreign = true
      if ((CLASS[byte]! & NAME) !== 0) continue
      if (byte !== COLON) break
      if (this.tag.colon >= 0) throw malformed('A name with two colons')
      this.tag.colon = pos - this.base
    }
    this.pos = pos
    if (pos === stop) return
    this.tag.to = pos - this.base
    this.#checkColon(this.tag.from, this.tag.to, this.tag.colon)
    this.#state = AFTER_NAME
  }

  /** Namespaces in XML 1.0 §4: what precedes and follows the colon is a name. */
  #checkColon(from: number, to: number, colon: number): void {
    if (colon < 0) return
    if (
      colon === from ||
      colon + 1 === to ||
      (CLASS[this.buffer[this.base + colon + 1]!]! & NAME_START) === 0
    )
      throw malformed('A colon that separates no names')
  }

  /** After a name or a value: white space must come before an attribute. */
  #afterName(): void {
    const byte = this.buffer[this.pos++]!
    if (byte === GT) this.#start(false)
    else if (byte === SLASH) this.#state = EMPTY_TAG
    else if ((CLASS[byte]! & SPACE) !== 0) this.#state = IN_TAG
    else throw malformed('A character that may not stand in a tag')
  }

  #inTag(): void {
    const byte = this.buffer[this.pos]!
    if ((CLASS[byte]! & NAME_START) === 0) return this.#afterName()
    if (this.tag.count === this.limits.attributes) {
      this.exceed('attributes')
      this.tag.count--
    }
    const entry = this.tag.count * ENTRY
    if (entry === this.tag.attributes.length) this.tag.attributes = grown(this.tag.attributes)
    this.tag.attributes[entry + NAME_FROM] = this.pos - this.base
    this.tag.attributes[entry + NAME_COLON] = -1
    this.#state = ATTRIBUTE_NAME
  }

  #attributeName(): void {
    const { buffer, tag } = this
    const stop = this.stop
    const entry = tag.count * ENTRY
    let pos = this.pos
    for (; pos < stop; pos++) {
      const byte = buffer[pos]!
      if (byte >= 0x80) tag.foreign = true
      if ((CLASS[byte]! & NAME) !== 0) continue
      if (byte !== COLON) break
      if (tag.attributes[entry + NAME_COLON]! >= 0) throw malformed('A name with two colons')
      tag.attributes[entry + NAME_COLON] = pos - this.base
    }
    this.pos = pos
    if (pos === stop) return
    tag.attributes[entry + NAME_TO] = pos - this.base
    this.#checkColon(tag.attributes[entry + NAME_FROM]!, pos - this.base, tag.attributes[entry + NAME_COLON]!)
    this.#state = EQUALS
  }

  #equals(): void {
    const byte = this.buffer[this.pos++]!
    if (byte === EQUAL) this.#state = QUOTE
    else if ((CLASS[byte]! & SPACE) === 0) throw malformed('An attribute without value')
  }

  #openQuote(): void {
    const byte = this.buffer[this.pos++]!
    if (byte === QUOTATION || byte === APOSTROPHE) {
      const entry = this.tag.count * ENTRY
      this.tag.attributes[entry + VALUE_FROM] = this.pos - this.base
      this.tag.attributes[entry + VALUE_CODED] = 0
      this.#quote = byte
      this.#state = IN_VALUE
    } else if ((CLASS[byte]! & SPACE) === 0) throw malformed('An attribute value without quotes')
  }

  #value(): void {
    const { buffer } = this
    const stop = this.stop
    const pos = skip(buffer, this.pos, stop, VALUE)
    this.pos = pos
    if (pos === stop) return
    const byte = buffer[pos]!
    const entry = this.tag.count * ENTRY
    this.pos = pos + 1
    if (byte === this.#quote) {
      this.tag.attributes[entry + VALUE_TO] = pos - this.base
      this.tag.count++
      this.#state = AFTER_NAME
    } else if (byte === AMPERSAND) {
      this.tag.attributes[entry + VALUE_CODED] = 1
      this.#referenceFrom = this.pos - this.base
      this.#state = VALUE_REFERENCE
    } else if (byte === CR || byte === LF || byte === TAB) {
      this.tag.attributes[entry + VALUE_CODED] = 1
      if (byte === CR) this.canonical = false
    } else if (byte !== QUOTATION && byte !== APOSTROPHE)
      throw malformed('A character that may not stand in a value')
  }

  #emptyTag(): void {
    if (this.buffer[this.pos++] !== GT) throw malformed('A slash that ends no tag')
    this.#start(true)
  }

  #start(empty: boolean): void {
    this.#state = empty && this.depth < this.top ? CLOSED : CONTENT
    if (this.depth >= this.top) {
      const level = this.depth - this.top
      if (++this.#elements > this.limits.elements) this.exceed('elements')
      if (level >= this.limits.depth) this.exceed('depth')
      if (2 * level === this.open.length) this.open = grown(this.open)
      this.open[2 * level] = this.tag.from
      this.open[2 * level + 1] = this.tag.to - this.tag.from
    }
    this.started(empty)
    if (!empty) this.depth++
    else {
      this.endTagFrom = this.pos - this.base
      this.ended()
    }
  }

  /** XML 1.0 §3, element type match: compared as bytes. */
  #endTagName(): void {
    const { buffer } = this
    const level = this.depth - 1 - this.top
    const expected = level < 0 ? this.streamName : buffer
    const from = level < 0 ? 0 : this.base + this.open[2 * level]!
    const length = level < 0 ? expected.length : this.open[2 * level + 1]!
    const stop = this.stop
    let pos = this.pos
    let matched = this.#matched
    for (; pos < stop && matched < length; pos++, matched++) {
      if (buffer[pos] !== expected[from + matched]) throw malformed('An end tag of another element')
    }
    this.pos = pos
    this.#matched = matched
    if (matched === length) this.#state = END_TAG
  }

  #endTag(): void {
    const byte = this.buffer[this.pos++]!
    if (byte === GT) {
      this.depth--
      this.#state = this.depth === 0 && this.top === 1 ? CLOSED : CONTENT
      this.ended()
    } else if ((CLASS[byte]! & SPACE) === 0) throw malformed('An end tag of another element')
  }

  #reference(back: number): void {
    const { buffer } = this
    const stop = this.stop
    for (let pos = this.pos; pos < stop; pos++) {
      const byte = buffer[pos]!
      if (byte === SEMICOLON) {
        const named = checkReference(buffer.toString('utf8', this.base + this.#referenceFrom, pos))
        if (!named) this.canonical = false
        this.pos = pos + 1
        this.#state = back
        return
      }
      if ((CLASS[byte]! & NAME) === 0 && byte !== HASH && byte !== COLON)
        throw malformed('An ampersand that begins no reference')
    }
    this.pos = stop
  }

  /** After `<!`: nothing but a CDATA section, and that only in content. */
  #declarationOpen(): void {
    const byte = this.buffer[this.pos++]!
    if (byte !== CDATA_OPEN[this.#matched]) {
      // RFC 6120 §11.1: no comments, no document type declarations.
      if (this.#matched === 0 && (byte === 0x2d || (CLASS[byte]! & NAME_START) !== 0))
        throw new XmlFault('restricted-xml', 'A comment or a document type declaration')
      throw malformed('"<!" that begins nothing')
    }
    if (++this.#matched < CDATA_OPEN.length) return
    if (this.depth <= this.top) throw malformed('A CDATA section outside elements')
    this.canonical = false
    this.#brackets = 0
    this.#state = CDATA
  }

  #cdata(): void {
    const { buffer } = this
    const stop = this.stop
    for (let pos = this.pos; pos < stop; pos++) {
      const byte = buffer[pos]!
      if (byte === CLOSE_BRACKET) {
        this.#brackets++
        continue
      }
      if (byte === GT && this.#brackets >= 2) {
        this.#brackets = 0
        this.pos = pos + 1
        this.#state = CONTENT
        return
      }
      this.#brackets = 0
      if ((CLASS[byte]! & TEXT) === 0 && byte !== LT && byte !== AMPERSAND && byte !== GT && byte !== CR)
        throw malformed('A control character')
    }
    this.pos = stop
  }

  #xmlDeclaration(): void {
    const byte = this.buffer[this.pos++]!
    const length = this.pos - this.base
    if (length > DECLARATION_BYTES) throw malformed('An XML declaration without end')
    if (byte !== GT) return
    checkDeclaration(this.buffer.toString('latin1', this.base, this.pos))
    this.finish()
    this.#state = CONTENT
  }

  /** XML 1.0 §2.1: after the root element only white space. */
  #closed(): void {
    if ((CLASS[this.buffer[this.pos++]!]! & SPACE) === 0)
      throw malformed('Something after the end of the stream')
  }
}
