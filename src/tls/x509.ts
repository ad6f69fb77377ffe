/** A certificate as RFC 5280 §4 describes it: the fields that Node does not tell, read from its DER. */
import { X509Certificate } from 'node:crypto'
import {
  contentOf,
  DerError,
  expect,
  membersOf,
  readBoolean,
  readElements,
  readNumber,
  readOid,
  readTime,
  tags,
} from './der.js'
import type { Element } from './der.js'

export interface Extension {
  readonly critical: boolean
  readonly value: Buffer
}

/** Names of the extensions that are understood here (RFC 5280 §4.2.1). */
export const extensions = {
  keyUsage: '2.5.29.15',
  alternativeNames: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  inhibitAnyPolicy: '2.5.29.54',
} as const

/** Bits of the key usage (RFC 5280 §4.2.1.3). */
export const usages = { digitalSignature: 0, keyEncipherment: 2, keyAgreement: 4, keyCertSign: 5 } as const

/** Extended key usages (RFC 5280 §4.2.1.12) that are for TLS. */
export const purposes = {
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
  any: '2.5.29.37.0',
} as const

export class Certificate {
  readonly version: number
  /** The distinguished names, in DER. */
  readonly issuer: Buffer
  readonly subject: Buffer
  /** Milliseconds since 1970 UTC. */
  readonly notBefore: number
  readonly notAfter: number
  /** SubjectPublicKeyInfo, in DER. */
  readonly publicKey: Buffer
  /** AlgorithmIdentifier of the signature, in DER. */
  readonly algorithm: Buffer
  readonly extensions = new Map<string, Extension>()
  #node: X509Certificate | undefined

  /** Throws `DerError` for what is no certificate. */
  constructor(readonly der: Buffer) {
    const [body, algorithm, signature, more] = membersOf(der)
    expect(signature, tags.bitString)
    if (more) throw new DerError('a certificate has three parts')
    this.algorithm = expect(algorithm, tags.sequence).whole
    const parts = readElements(expect(body, tags.sequence).content)
    const version = parts[0]?.tag === tags.explicit ? contentOf(parts.shift()!.content, tags.integer)[0] : 0
    this.version = (version ?? 0) + 1
    const [serial, inner, issuer, validity, subject, publicKey, ...rest] = parts
    expect(serial, tags.integer)
    // RFC 5280 §4.1.1.2: what is signed names the same algorithm.
    if (!expect(inner, tags.sequence).whole.equals(this.algorithm))
      throw new DerError('two signature algorithms')
    this.issuer = expect(issuer, tags.sequence).whole
    this.subject = expect(subject, tags.sequence).whole
    const [from, to] = readElements(expect(validity, tags.sequence).content)
    this.notBefore = readTime(from)
    this.notAfter = readTime(to)
    this.publicKey = expect(publicKey, tags.sequence).whole
    const list = rest.find(({ tag }) => tag === tags.explicit + 3)
    if (list) this.#readExtensions(list)
  }

  /** The same for OpenSSL. Throws what it has against it. */
  get node(): X509Certificate {
    this.#node ??= new X509Certificate(this.der)
    return this.#node
  }

  /** For people: the common name, or what else the subject has first. */
  get title(): string {
    return titleOf(this.subject)
  }

  get issuerTitle(): string {
    return titleOf(this.issuer)
  }

  /** RFC 5280 §4.2.1.9; undefined: nothing is said. */
  get basicConstraints(): { readonly authority: boolean; readonly pathLength: number } | undefined {
    const value = this.extensions.get(extensions.basicConstraints)?.value
    if (!value) return undefined
    const [first, second] = membersOf(value)
    const authority = first?.tag === tags.boolean ? readBoolean(first) : false
    const length = first?.tag === tags.boolean ? second : first
    return { authority, pathLength: length ? readNumber(length) : Infinity }
  }

  /** Whether the key may be used so; true when nothing is said. */
  allows(usage: number): boolean {
    const value = this.extensions.get(extensions.keyUsage)?.value
    if (!value) return true
    const [, ...bytes] = contentOf(value, tags.bitString)
    return ((bytes[usage >> 3] ?? 0) & (0x80 >> (usage & 7))) !== 0
  }

  /** RFC 5280 §4.2.1.12: object identifiers; undefined: nothing is said. */
  get purposes(): readonly string[] | undefined {
    const value = this.extensions.get(extensions.extendedKeyUsage)?.value
    return value && membersOf(value).map(readOid)
  }

  #readExtensions(list: Element): void {
    for (const { whole } of membersOf(list.content)) {
      const [id, second, third] = membersOf(whole)
      const oid = readOid(id)
      const critical = second?.tag === tags.boolean && readBoolean(second)
      const { content } = expect(second?.tag === tags.boolean ? third : second, tags.octetString)
      // RFC 5280 §4.2: each at most once.
      if (this.extensions.has(oid)) throw new DerError('an extension comes twice')
      this.extensions.set(oid, { critical, value: content })
    }
  }
}

/** The attributes of a distinguished name, in order. */
export function attributesOf(name: Buffer): { readonly oid: string; readonly text: string }[] {
  return membersOf(name).flatMap(({ whole }) =>
    membersOf(whole, tags.set).map((attribute) => {
      const [oid, value] = membersOf(attribute.whole)
      const encoding = value?.tag === tags.utf8String ? 'utf8' : 'latin1'
      return { oid: readOid(oid), text: value?.content.toString(encoding) ?? '' }
    }),
  )
}

const commonName = '2.5.4.3'

function titleOf(name: Buffer): string {
  const attributes = attributesOf(name)
  const best = attributes.find(({ oid }) => oid === commonName) ?? attributes[0]
  return printable(best?.text ?? 'nobody')
}

/** What strangers wrote into a certificate, fit for a line of a log. */
export function printable(text: string): string {
  const clean = text.replace(/[\p{C}\p{Z}]/gu, (character) => (character === ' ' ? ' ' : '?'))
  return clean.length > 100 ? `${clean.slice(0, 100)}…` : clean
}
