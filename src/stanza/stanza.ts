/** Stanza: an immutable envelope around a shared payload (RFC 6120 §8). Passing it on never copies the payload. */
import { StanzaError } from './errors.js'
import { Jid, JidError } from './jid.js'
import type { Element } from '../xml/element.js'
import { parseDocument, parseElement, type ChildSpan, type RawElement } from '../xml/parser.js'
import { escapeAttribute, serialise } from '../xml/write.js'

export type Kind = 'message' | 'presence' | 'iq'

/** Content namespace of the stanzas we hold in memory; on the wire it is whatever the stream's header declared. */
export const CONTENT = 'jabber:client'

const IQ_TYPES = new Set(['get', 'set', 'result', 'error'])
const PRESENCE_TYPES = new Set([
  'error', 'probe', 'subscribe', 'subscribed', 'unavailable', 'unsubscribe', 'unsubscribed',
]) // prettier-ignore
const MESSAGE_TYPES = new Set(['chat', 'error', 'groupchat', 'headline', 'normal'])

/** What stands between the tags: XML that stands alone under the content namespace, and where its children are. */
export interface Payload {
  readonly text: string
  readonly spans: readonly ChildSpan[]
  /** Its children as trees, read when somebody asks; they hang in an element of the content namespace. */
  tree?: Element
}

const EMPTY: Payload = Object.freeze({ text: '', spans: Object.freeze([]) })

export interface Envelope {
  readonly kind: Kind
  readonly from: Jid
  readonly to?: Jid | undefined
  readonly type?: string | undefined
  readonly id?: string | undefined
  readonly lang?: string | undefined
}

export class Stanza {
  readonly kind: Kind
  /** As on the wire; undefined when absent. Unknown message types are treated as `normal` (RFC 6121 §5.2.2). */
  readonly type: string | undefined
  readonly id: string | undefined
  readonly lang: string | undefined
  /** Stamped at the edge, never missing after it. */
  readonly from: Jid
  readonly to: Jid | undefined
  readonly payload: Payload
  /** Other attributes of the start tag, already written; they travel unchanged (RFC 6120 §8.4). */
  readonly extra: string
  #xml: string | undefined
  /** What is written behind `to`; it is the same for all to whom the stanza is addressed in turn. */
  #rest: string | undefined
  /** The stanza that this one is but for `to`. */
  #original: Stanza | undefined

  private constructor(envelope: Envelope, payload: Payload, extra: string) {
    this.kind = envelope.kind
    this.type = envelope.type
    this.id = envelope.id
    this.lang = envelope.lang
    this.from = envelope.from
    this.to = envelope.to
    this.payload = payload
    this.extra = extra
    this.#xml = undefined
    this.#rest = undefined
    this.#original = undefined
  }

  /** A stanza of our own making. */
  static of(envelope: Envelope, ...children: (Element | undefined)[]): Stanza {
    let payload = EMPTY
    for (const child of children) if (child) payload = appended(payload, child)
    return new Stanza(envelope, payload, '')
  }

  /** A stanza of our own making around one child whose text is written already, and stands on its own. */
  static around(envelope: Envelope, child: { name: string; ns: string; text: string }): Stanza {
    const { name, ns, text } = child
    return new Stanza(envelope, { text, spans: [{ name, ns, start: 0, end: text.length }] }, '')
  }

  /**
   * A stanza as a stream brought it, `from` stamped by the caller (RFC 6120 §8.1.2.1).
   * @throws StanzaError `bad-request` (§8.1.3, §8.2.3, RFC 6121 §4.7.1) or `jid-malformed` (§8.3.3.8)
   */
  static received(raw: RawElement, from: Jid, to: Jid | undefined, defaultLang?: string): Stanza {
    const kind = raw.name as Kind
    const { type, id } = raw.attrs
    if (kind === 'iq') {
      if (id === undefined || id === '') throw new StanzaError('bad-request', 'An iq needs an id')
      if (type === undefined || !IQ_TYPES.has(type))
        throw new StanzaError('bad-request', 'Unknown type of iq')
      const count = raw.children.length
      if ((type === 'get' || type === 'set') && count !== 1) {
        throw new StanzaError('bad-request', 'A request has exactly one child element')
      }
      if (type === 'result' && count > 1)
        throw new StanzaError('bad-request', 'A result has at most one child element')
    } else if (kind === 'presence' && type !== undefined && !PRESENCE_TYPES.has(type)) {
      throw new StanzaError('bad-request', 'Unknown type of presence')
    }
    const lang = raw.attrs['xml:lang'] ?? defaultLang
    return new Stanza({ kind, type, id, lang, from, to }, payloadOf(raw), extraOf(raw.attrs))
  }

  /**
   * The `to` of a received element, prepared.
   * @throws StanzaError `jid-malformed`
   */
  static addressee(raw: RawElement): Jid | undefined {
    const to = raw.attrs['to']
    if (to === undefined) return undefined
    try {
      return Jid.parse(to)
    } catch (error) {
      if (error instanceof JidError) throw new StanzaError('jid-malformed', error.message)
      throw error
    }
  }

  /**
   * A stanza kept as text by a store; its payload is the same text again.
   * @throws XmlFault or StanzaError when the text is no stanza any more
   */
  static parse(text: string): Stanza {
    const raw = parseDocument(text)
    if (raw.name !== 'message' && raw.name !== 'presence' && raw.name !== 'iq')
      throw new StanzaError('bad-request')
    const from = raw.attrs['from']
    if (from === undefined) throw new StanzaError('bad-request', 'A kept stanza needs its sender')
    const to = raw.attrs['to']
    const { type, id } = raw.attrs
    const lang = raw.attrs['xml:lang']
    const envelope = {
      kind: raw.name as Kind,
      from: Jid.parse(from),
      to: to === undefined ? undefined : Jid.parse(to),
    }
    return new Stanza({ ...envelope, type, id, lang }, payloadOf(raw), extraOf(raw.attrs))
  }

  /** The type that rules of delivery go by: `normal` for a message without or with an unknown one. */
  get effectiveType(): string {
    if (this.kind !== 'message') return this.type ?? ''
    return this.type !== undefined && MESSAGE_TYPES.has(this.type) ? this.type : 'normal'
  }

  /** Whether there is such a child; answered from the index. Without `ns`: in the content namespace. */
  has(name: string, ns: string = CONTENT): boolean {
    for (const span of this.payload.spans) if (span.name === name && span.ns === ns) return true
    return false
  }

  /** The first such child as a tree; without `ns`: of the content namespace. */
  child(name: string, ns: string = CONTENT): Element | undefined {
    return this.has(name, ns) ? this.#whole().childrenOf(name, ns)[0] : undefined
  }

  /** All child elements as trees. Do not change them: they are shared. */
  get children(): readonly Element[] {
    return this.payload.spans.length === 0 ? [] : this.#whole().childrenOf()
  }

  /** The same payload under another address or id; `to: undefined` takes it away. */
  readdressed(change: { from?: Jid; to?: Jid | undefined; id?: string }): Stanza {
    const { kind, type, lang } = this
    const { from = this.from, id = this.id } = change
    const to = 'to' in change ? change.to : this.to
    const readdressed = new Stanza({ kind, type, id, lang, from, to }, this.payload, this.extra)
    if (from === this.from && id === this.id) readdressed.#original = this.#original ?? this
    return readdressed
  }

  /** The same with a payload of its own: what is read of it goes with it, while this one is kept for long. */
  apart(): Stanza {
    const { text, spans } = this.payload
    return new Stanza(this, { text, spans }, this.extra)
  }

  withChild(child: Element): Stanza {
    return new Stanza(this, appended(this.payload, child), this.extra)
  }

  /** With a child that is written already: XML that stands alone in the content namespace. */
  withWritten(name: string, ns: string, xml: string): Stanza {
    return new Stanza(this, joined(this.payload, { name, ns, start: 0, end: 0 }, xml), this.extra)
  }

  /** Without the children of that name and namespace that `which` accepts (default: all of them). */
  withoutChildren(name: string, ns: string, which: (child: Element) => boolean = () => true): Stanza {
    if (!this.has(name, ns)) return this
    const { text, spans } = this.payload
    const trees = this.#whole().childrenOf()
    const left = spans.filter((span, index) => {
      const tree = trees[index]
      return !(tree && span.name === name && span.ns === ns && which(tree))
    })
    // Mostly it is no forgery: the text stays the one that others share.
    if (left.length === spans.length) return this
    let payload = EMPTY
    for (const span of left) payload = joined(payload, span, text.slice(span.start, span.end))
    return new Stanza(this, payload, this.extra)
  }

  /** Start tag and the payload's kept text; the content namespace is left to the stream. */
  toXml(): string {
    return (this.#xml ??= this.#write(''))
  }

  /** The same with its namespace declared: for WebSocket frames, stores and forwarding (RFC 7395 §3.3.3). */
  toStandaloneXml(): string {
    return this.#write(` xmlns='${CONTENT}'`)
  }

  #write(declared: string): string {
    const to = this.to === undefined ? '' : ` to='${escapeAttribute(this.to.toString())}'`
    return `<${this.kind}${declared}${to}${(this.#original ?? this).#behind()}`
  }

  #behind(): string {
    if (this.#rest !== undefined) return this.#rest
    let tag = ` from='${escapeAttribute(this.from.toString())}'`
    if (this.type !== undefined) tag += ` type='${escapeAttribute(this.type)}'`
    if (this.id !== undefined) tag += ` id='${escapeAttribute(this.id)}'`
    if (this.lang !== undefined) tag += ` xml:lang='${escapeAttribute(this.lang)}'`
    tag += this.extra
    const { text } = this.payload
    return (this.#rest = text === '' ? `${tag}/>` : `${tag}>${text}</${this.kind}>`)
  }

  /** Shared by all stanzas with this payload. */
  #whole(): Element {
    const { payload, kind } = this
    return (payload.tree ??= parseElement(`<${kind} xmlns='${CONTENT}'>${payload.text}</${kind}>`))
  }
}

function payloadOf(raw: RawElement): Payload {
  if (raw.inner === '') return EMPTY
  if (raw.ns === CONTENT) return { text: raw.inner, spans: raw.children }
  // jabber:server: what is in the content namespace there is in it here.
  const spans = raw.children.map((span) => (span.ns === raw.ns ? { ...span, ns: CONTENT } : span))
  return { text: raw.inner, spans }
}

function appended(payload: Payload, child: Element): Payload {
  const span = { name: child.local, ns: child.ns ?? CONTENT, start: 0, end: 0 }
  return joined(payload, span, serialise(child, CONTENT))
}

function joined(payload: Payload, span: ChildSpan, text: string): Payload {
  const start = payload.text.length
  const placed = { name: span.name, ns: span.ns, start, end: start + text.length }
  return { text: payload.text + text, spans: [...payload.spans, placed] }
}

/** Attributes that RFC 6120 does not define travel on unread (§8.4), with the declarations that their prefixes need. */
function extraOf(attrs: Record<string, string>): string {
  let text = ''
  for (const name in attrs) {
    if (
      name === 'to' ||
      name === 'from' ||
      name === 'type' ||
      name === 'id' ||
      name === 'xml:lang' ||
      name === 'xmlns'
    )
      continue
    text += ` ${name}='${escapeAttribute(attrs[name] ?? '')}'`
  }
  return text
}
