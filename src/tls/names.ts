/** The names in a certificate: which domain they are for (RFC 9525, RFC 6120 §13.7.1.2), and which an authority may give. */
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { DerError, expect, membersOf, readElements, readOid, tags } from './der.js'
import type { Element } from './der.js'
import { attributesOf, extensions, printable } from './x509.js'
import type { Certificate } from './x509.js'

/** Names beyond these are not looked at. */
const maximumNames = 100
const maximumConstraints = 500

/** Kinds of GeneralName by their tag (RFC 5280 §4.2.1.6). */
const kinds = { other: 0xa0, dns: 0x82, directory: 0xa4, ip: 0x87 } as const

const srvName = '1.3.6.1.5.5.7.8.7'
const xmppAddr = '1.3.6.1.5.5.7.8.5'
const service = '_xmpp-server.'

/** One alternative name as it stands in the certificate. */
interface General {
  readonly tag: number
  readonly content: Buffer
}

/** What a name says of domains. */
type Presented =
  | { readonly kind: 'dns' | 'srv' | 'xmpp'; readonly domain: string }
  | { readonly kind: 'ip'; readonly address: Buffer }
  | { readonly kind: 'none' }

/**
 * Whether the certificate is for this domain of an XMPP server, which may be international or an address. The common
 * name does not count. Throws `DerError`.
 */
export function isFor(certificate: Certificate, domain: string): boolean {
  const address = addressOf(domain)
  if (address !== undefined) return certificate.node.checkIP(address) !== undefined
  const names = generalNames(certificate).map(presented)
  const ascii = asciiOf(domain)
  return (
    isHostName(ascii) && names.some((name) => name.kind !== 'none' && name.kind !== 'ip' && fits(name, ascii))
  )
}

/** The names for people, at most 100; others are told apart by a word before. Throws `DerError`. */
export function namesIn(certificate: Certificate): string[] {
  return generalNames(certificate).flatMap((general) => {
    const name = presented(general)
    if (name.kind === 'none') return []
    return [printable(name.kind === 'ip' ? shownAddress(name.address) : name.domain)]
  })
}

/** The bare addresses of accounts (id-on-xmppAddr), as they are written. Throws `DerError`. */
export function accountNames(certificate: Certificate): string[] {
  return generalNames(certificate).flatMap(({ tag, content }) => {
    if (tag !== kinds.other) return []
    const { oid, value } = otherName(content)
    if (oid !== xmppAddr || value.tag !== tags.utf8String) return []
    const text = value.content.toString('utf8')
    return /^[^@/\uFFFD]+@[^@/\uFFFD]+$/.test(text) ? [text] : []
  })
}

/** RFC 9525 §6.3: a wildcard is the whole of the left-most label and stands for one; not for a whole registry. */
function fits({ kind, domain }: { kind: 'dns' | 'srv' | 'xmpp'; domain: string }, wanted: string): boolean {
  if (kind === 'xmpp') return asciiOf(domain) === wanted
  const name = withoutDot(domain.toLowerCase())
  if (name === wanted) return true
  const parent = wanted.slice(wanted.indexOf('.') + 1)
  return name === `*.${parent}` && parent.includes('.') && wanted.includes('.')
}

function presented({ tag, content }: General): Presented {
  if (tag === kinds.dns) return { kind: 'dns', domain: content.toString('latin1') }
  if (tag === kinds.ip) return { kind: 'ip', address: content }
  if (tag !== kinds.other) return { kind: 'none' }
  const { oid, value } = otherName(content)
  if (oid === srvName && value.tag === tags.ia5String) {
    const text = value.content.toString('latin1').toLowerCase()
    return text.startsWith(service) ? { kind: 'srv', domain: text.slice(service.length) } : { kind: 'none' }
  }
  // Node tells these bytes as if they were Latin-1. An address of an account is no domain.
  if (oid === xmppAddr && value.tag === tags.utf8String) {
    const text = value.content.toString('utf8')
    return /[@/\uFFFD]/.test(text) ? { kind: 'none' } : { kind: 'xmpp', domain: text }
  }
  return { kind: 'none' }
}

function otherName(content: Buffer): { oid: string; value: Element } {
  const [oid, wrapped] = readElements(content)
  const [value] = readElements(expect(wrapped, tags.explicit).content)
  return { oid: readOid(oid), value: value! }
}

function generalNames(certificate: Certificate): readonly General[] {
  const value = certificate.extensions.get(extensions.alternativeNames)?.value
  return value ? membersOf(value).slice(0, maximumNames) : []
}

/**
 * What the name constraints of an authority have against a certificate below it (RFC 5280 §4.2.1.10), in words.
 * SRVName and XmppAddr are held to those for dNSName too: who is fenced in there must not get out by another form of
 * name. Throws `DerError`.
 */
export function constraintFault(authority: Certificate, certificate: Certificate): string | undefined {
  const value = authority.extensions.get(extensions.nameConstraints)?.value
  if (!value) return undefined
  const subtrees = membersOf(value)
  const permitted = subtreesOf(subtrees.find(({ tag }) => tag === tags.explicit))
  const excluded = subtreesOf(subtrees.find(({ tag }) => tag === tags.explicit + 1))
  if (permitted.length + excluded.length > maximumConstraints) return 'has too many constraints'
  for (const name of constrainedNames(certificate)) {
    const ofKind = ({ tag }: General) => tag === name.tag
    const allowed = permitted.filter(ofKind)
    const forbidden = excluded.filter(ofKind)
    if (allowed.length + forbidden.length === 0) continue
    if (!(name.tag in within)) return 'limits a kind of name that is not understood'
    const shown = printable(name.tag === kinds.dns ? name.content.toString('latin1') : 'the name in it')
    if (forbidden.some((base) => overlaps(name, base))) return `must not name ${shown}`
    if (allowed.length > 0 && !allowed.some((base) => within[name.tag]!(name.content, base.content)))
      return `may not name ${shown}`
  }
  return undefined
}

function constrainedNames(certificate: Certificate): General[] {
  const names = generalNames(certificate).flatMap((general) => {
    const name = presented(general)
    if (name.kind !== 'srv' && name.kind !== 'xmpp') return [general]
    return [general, { tag: kinds.dns, content: Buffer.from(asciiOf(name.domain) || name.domain, 'latin1') }]
  })
  return [...names, { tag: kinds.directory, content: certificate.subject }]
}

function subtreesOf(list: Element | undefined): General[] {
  if (!list) return []
  return readElements(list.content).map(({ whole }) => {
    const [base, ...more] = membersOf(whole)
    // RFC 5280 §4.2.1.10: minimum is zero, which is not written, and maximum absent.
    if (!base || more.length > 0) throw new DerError('a name constraint has a minimum or maximum')
    return base
  })
}

/** A wildcard is in a subtree also when one of the names that it stands for is. */
function overlaps(name: General, base: General): boolean {
  if (within[name.tag]!(name.content, base.content)) return true
  if (name.tag !== kinds.dns) return false
  const [text, tree] = [lower(name.content), lower(base.content)]
  return text.startsWith('*.') && tree.slice(tree.indexOf('.') + 1) === text.slice(2)
}

/** Whether a name lies in a subtree, for each kind that is understood. */
const within: Readonly<Record<number, (name: Buffer, base: Buffer) => boolean>> = {
  [kinds.dns](name, base) {
    const [text, tree] = [lower(name), lower(base)]
    if (tree === '') return true
    return tree.startsWith('.') ? text.endsWith(tree) : text === tree || text.endsWith(`.${tree}`)
  },
  [kinds.ip](address, base) {
    const { length } = address
    return (
      base.length === 2 * length &&
      address.every(
        (byte, index) => (byte & base[length + index]!) === (base[index]! & base[length + index]!),
      )
    )
  },
  [kinds.directory](name, base) {
    const [own, tree] = [name, base].map(directoryName)
    return tree!.every((attribute, index) => attribute === own![index])
  },
}

/** RFC 5280 §7.1: upper and lower case and the amount of space do not matter. */
function directoryName(name: Buffer): string[] {
  return attributesOf(name).map(({ oid, text }) => `${oid}=${text.trim().replace(/\s+/g, ' ').toLowerCase()}`)
}

function lower(bytes: Buffer): string {
  return withoutDot(bytes.toString('latin1').toLowerCase())
}

function asciiOf(domain: string): string {
  return withoutDot(domainToASCII(withoutDot(domain)).toLowerCase())
}

function withoutDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name
}

function isHostName(ascii: string): boolean {
  return /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(ascii)
}

/** IPv6 also in brackets, as domains of addresses are written (RFC 7622 §3.2). */
function addressOf(domain: string): string | undefined {
  const bare = domain.startsWith('[') && domain.endsWith(']') ? domain.slice(1, -1) : domain
  return isIP(bare) === 0 ? undefined : bare
}

function shownAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: bytes.length >> 1 }, (_, index) =>
    bytes.readUInt16BE(index * 2).toString(16),
  )
  return groups.join(':')
}
