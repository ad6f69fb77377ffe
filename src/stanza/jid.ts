/** Addresses (RFC 7622): prepared once, kept in their canonical form, and cheap to compare. */
import { canonicalDomain } from './domain.js'
import { opaqueString, PrecisError, usernameCaseMapped } from './precis.js'

/** The text is no address. The message is a sentence that may be shown to who sent it; it does not repeat the text. */
export class JidError extends Error {
  override readonly name = 'JidError'
}

/** An address in canonical form. Make one with `Jid.parse` or `Jid.of`; two equal addresses have equal `toString()`. */
export class Jid {
  /** '' when absent. */
  readonly local: string
  readonly domain: string
  /** '' when absent. */
  readonly resource: string
  readonly #text: string
  #bare: Jid | undefined

  private constructor(local: string, domain: string, resource: string, text: string) {
    this.local = local
    this.domain = domain
    this.resource = resource
    this.#text = text
    this.#bare = undefined
  }

  /** Reads an address as it came over the wire. Throws JidError. */
  static parse(text: string): Jid {
    const known = parsed.get(text)
    if (known) return known
    const own = copied(text)
    const jid = Jid.#read(own)
    if (own.length <= longestRemembered) parsed.set(own, jid)
    return jid
  }

  /** Puts an address together from parts that are still to be prepared. '' means absent. Throws JidError. */
  static of(local: string, domain: string, resource = ''): Jid {
    return Jid.#canonical(
      local === '' ? '' : prepareLocal(local),
      prepareDomain(domain),
      resource === '' ? '' : prepareResource(resource),
    )
  }

  static #read(text: string): Jid {
    // RFC 7622 §3.2: first cut at the first '/', then at the first '@', both before any mapping.
    const slash = text.indexOf('/')
    const address = slash === -1 ? text : text.slice(0, slash)
    const at = address.indexOf('@')
    const local = at === -1 ? '' : prepareLocal(address.slice(0, at))
    const domain = prepareDomain(address.slice(at + 1))
    const resource = slash === -1 ? '' : prepareResource(text.slice(slash + 1))
    return Jid.#canonical(local, domain, resource, text)
  }

  /** `text`, when it happens to be the canonical form already, is kept instead of a second copy. */
  static #canonical(local: string, domain: string, resource: string, text?: string): Jid {
    const canonical = (local && `${local}@`) + domain + (resource && `/${resource}`)
    return new Jid(local, shared(domain), resource, canonical === text ? text : canonical)
  }

  get isBare(): boolean {
    return this.resource === ''
  }

  /** The address without its resource; the same object when there is none. */
  get bare(): Jid {
    if (this.resource === '') return this
    this.#bare ??= Jid.parse(this.#text.slice(0, this.#text.indexOf('/')))
    return this.#bare
  }

  /** The same account or host with this resource, which is prepared. Throws JidError. */
  withResource(resource: string): Jid {
    return Jid.#canonical(this.local, this.domain, prepareResource(resource))
  }

  equals(other: Jid): boolean {
    return this === other || this.#text === other.#text
  }

  /** The canonical form. */
  toString(): string {
    return this.#text
  }

  toJSON(): string {
    return this.#text
  }
}

/** An address from a peer; undefined when it is none. */
export function readJid(text: string): Jid | undefined {
  try {
    return Jid.parse(text)
  } catch (error) {
    if (error instanceof JidError) return undefined
    throw error
  }
}

const plainLocal = /^[!#$%()*+,\-.0-9;=?[\]\\^_`a-z{|}~]+$/
const plainDomain = /^(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*$/
const plainResource = /^[!-~][ -~]*$/

/** A localpart in canonical form (RFC 7622 §3.3). Throws JidError. */
export function prepareLocal(text: string): string {
  if (plainLocal.test(text)) return withinLimit('localpart', text)
  return prepared('localpart', text, (given) => {
    const local = usernameCaseMapped(given)
    // RFC 7622 §3.3.1: asked after the mappings, which turn fullwidth forms into these.
    if (/["&'/:<>@]/.test(local)) throw new PrecisError('holds one of the characters " & \' / : < > @')
    return local
  })
}

/** A domainpart in canonical form (RFC 7622 §3.2): U-labels in lower case without a final dot, or an address. Throws JidError. */
export function prepareDomain(text: string): string {
  if (text.length <= 253 && plainDomain.test(text) && !text.includes('xn--')) return text
  return prepared('domainpart', text, canonicalDomain)
}

/** A resourcepart in canonical form (RFC 7622 §3.4). Throws JidError. */
export function prepareResource(text: string): string {
  if (plainResource.test(text)) return withinLimit('resourcepart', text)
  return prepared('resourcepart', text, (given) => {
    const resource = opaqueString(given)
    // RFC 7622 §3.5, example 18: OpaqueString would let a leading space pass, the table of violations does not.
    if (resource.startsWith(' ')) throw new PrecisError('begins with a space')
    return resource
  })
}

type Part = 'localpart' | 'domainpart' | 'resourcepart'

/** RFC 7622 §3.2 to §3.4: 1 to 1023 octets of UTF-8, after all mappings. */
const longestPart = 1023

function withinLimit(part: Part, text: string): string {
  if (text.length > longestPart || Buffer.byteLength(text) > longestPart)
    throw new JidError(`The ${part} is longer than ${longestPart} bytes.`)
  return text
}

function prepared(part: Part, text: string, prepare: (text: string) => string): string {
  if (text === '') throw new JidError(`The ${part} is empty.`)
  // Composition shortens a text, but not to a quarter; longer ones are not worth the work.
  if (text.length > 4 * longestPart) return withinLimit(part, text)
  try {
    return withinLimit(part, prepare(text))
  } catch (error) {
    if (error instanceof PrecisError) throw new JidError(`The ${part} ${error.message}.`)
    throw error
  }
}

/** A text of its own: a slice would keep the whole read buffer's text alive as long as the address lives. */
function copied(text: string): string {
  return text.length < 13 ? text : ` ${text}`.slice(1)
}

/** The same text for all addresses of a domain: few take memory, and most comparisons are one of places in memory. */
function shared(domain: string): string {
  const known = domains.get(domain)
  if (known !== undefined) return known
  const own = copied(domain)
  domains.set(own, own)
  return own
}

/** Two generations of at most `size` entries: when the young one is full it becomes the old one, and the old one goes. */
class Memory<V> {
  #young = new Map<string, V>()
  #old = new Map<string, V>()
  constructor(readonly size: number) {}

  get(text: string): V | undefined {
    const young = this.#young.get(text)
    if (young !== undefined) return young
    const old = this.#old.get(text)
    if (old !== undefined) this.set(text, old)
    return old
  }

  set(text: string, value: V): void {
    if (this.#young.size >= this.size) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(text, value)
  }
}

const longestRemembered = 256
/** Wire text to address. It only saves work: dropping all of it changes nothing that anybody can see. */
const parsed = new Memory<Jid>(5_000)
/** Likewise. */
const domains = new Memory<string>(1_000)
