/**
 * Certificates for tests, right ones and wrong ones: every field can be wished for. Keys are P-256, so a certificate
 * takes less than a millisecond. As a program: `node dist/test/support/test-ca.js DIR NAME...` writes an authority and
 * a certificate for each NAME (or `NAME,NAME` for one with several) into a folder.
 */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
} from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const day = 86_400_000

/** One alternative name (RFC 5280 §4.2.1.6). */
export type Name =
  | { readonly dns: string }
  | { readonly ip: readonly number[] }
  /** id-on-dnsSRV (RFC 4985), such as `_xmpp-server.example.org`. */
  | { readonly srv: string }
  /** id-on-xmppAddr (RFC 6120 §13.7.1.4). */
  | { readonly xmpp: string }
  | { readonly email: string }
  | { readonly uri: string }
  /** Raw content under a context tag. */
  | { readonly raw: Buffer; readonly tag: number }

export interface Extension {
  readonly oid: string
  readonly critical?: boolean
  readonly value: Buffer
}

export type Signature = 'sha256' | 'sha384' | 'sha512' | 'sha1' | 'md5' | 'pss' | 'pss-sha1' | 'ed25519'

export interface Wish {
  /** Names of the DNS, for short. */
  readonly dns?: readonly string[]
  /** More alternative names. */
  readonly names?: readonly Name[]
  readonly commonName?: string
  readonly organization?: string
  /** Milliseconds since 1970. Default: since yesterday, for 90 days. */
  readonly from?: number
  readonly to?: number
  /** CA:TRUE, with how many authorities may follow; false writes CA:FALSE, undefined nothing. */
  readonly authority?: boolean | { readonly pathLength: number }
  /** Bits of RFC 5280 §4.2.1.3 by number: 0 digitalSignature, 2 keyEncipherment, 5 keyCertSign. */
  readonly keyUsage?: readonly number[]
  /** Object identifiers; see `purposes`. */
  readonly extendedKeyUsage?: readonly string[]
  readonly permitted?: readonly Name[]
  readonly excluded?: readonly Name[]
  readonly extensions?: readonly Extension[]
  readonly signature?: Signature
  readonly key?: KeyObject
  /** Without extensions, as certificates of version 1 are. */
  readonly version1?: boolean
}

export const purposes = {
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
  code: '1.3.6.1.5.5.7.3.3',
  email: '1.3.6.1.5.5.7.3.4',
  any: '2.5.29.37.0',
} as const

/** A certificate with its key; it can issue others, whether it should or not. */
export class Issued {
  constructor(
    readonly der: Buffer,
    readonly key: KeyObject,
    private readonly subject: Buffer,
  ) {}

  get pem(): string {
    return pemOf(this.der)
  }

  get keyPem(): string {
    return this.key.export({ type: 'pkcs8', format: 'pem' }).toString()
  }

  issue(wish: Wish): Issued {
    return make(wish, this.subject, this.key)
  }
}

export function selfSigned(wish: Wish): Issued {
  return make(wish)
}

/** A root authority as they are. */
export function newAuthority(commonName: string, wish: Wish = {}): Issued {
  return selfSigned({ commonName, authority: true, keyUsage: [5, 6], ...wish })
}

export function newKey(kind: 'P-256' | 'P-384' | 'secp256k1' | 'ed25519' | 1024 | 2048 = 'P-256'): KeyObject {
  if (kind === 'ed25519') return generateKeyPairSync('ed25519').privateKey
  if (typeof kind === 'number') return generateKeyPairSync('rsa', { modulusLength: kind }).privateKey
  return generateKeyPairSync('ec', { namedCurve: kind }).privateKey
}

export function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

function make(wish: Wish, issuer?: Buffer, issuerKey?: KeyObject): Issued {
  const key = wish.key ?? newKey()
  const signer = issuerKey ?? key
  const algorithm = algorithmOf(wish.signature ?? defaultSignature(signer), signer)
  const subject = distinguishedName(wish)
  const publicKey = createPublic(key)
  const body = sequence(
    wish.version1 ? Buffer.alloc(0) : tagged(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.concat([Buffer.of(0x01), randomBytes(12)])),
    algorithm.identifier,
    issuer ?? subject,
    sequence(time(wish.from ?? Date.now() - day), time(wish.to ?? Date.now() + 90 * day)),
    subject,
    publicKey,
    wish.version1 ? Buffer.alloc(0) : tagged(0xa3, sequence(...extensionsOf(wish))),
  )
  return new Issued(sequence(body, algorithm.identifier, bitString(algorithm.sign(body))), key, subject)
}

function createPublic(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' })
}

function defaultSignature({ asymmetricKeyType }: KeyObject): Signature {
  return asymmetricKeyType === 'ed25519' ? 'ed25519' : 'sha256'
}

interface Algorithm {
  readonly identifier: Buffer
  sign(body: Buffer): Buffer
}

function algorithmOf(signature: Signature, key: KeyObject): Algorithm {
  if (signature === 'ed25519')
    return { identifier: sequence(oid('1.3.101.112')), sign: (body) => sign(null, body, key) }
  if (signature === 'pss' || signature === 'pss-sha1')
    return pss(signature === 'pss' ? 'sha256' : 'sha1', key)
  const rsa = key.asymmetricKeyType === 'rsa'
  const known = rsa ? rsaSignatures[signature] : ecSignatures[signature]
  if (known === undefined) throw new Error(`no ${signature} with this key`)
  const identifier = rsa ? sequence(oid(known), der(0x05, Buffer.alloc(0))) : sequence(oid(known))
  return { identifier, sign: (body) => sign(signature, body, key) }
}

const rsaSignatures: Readonly<Record<string, string>> = {
  md5: '1.2.840.113549.1.1.4',
  sha1: '1.2.840.113549.1.1.5',
  sha256: '1.2.840.113549.1.1.11',
  sha384: '1.2.840.113549.1.1.12',
  sha512: '1.2.840.113549.1.1.13',
}

const ecSignatures: Readonly<Record<string, string>> = {
  sha1: '1.2.840.10045.4.1',
  sha256: '1.2.840.10045.4.3.2',
  sha384: '1.2.840.10045.4.3.3',
  sha512: '1.2.840.10045.4.3.4',
}

/** RFC 4055 §3.1; SHA-1 everywhere is what stands for nothing being said. */
function pss(hash: 'sha256' | 'sha1', key: KeyObject): Algorithm {
  const digest = sequence(oid('2.16.840.1.101.3.4.2.1'))
  const parameters =
    hash === 'sha1'
      ? sequence()
      : sequence(
          tagged(0xa0, digest),
          tagged(0xa1, sequence(oid('1.2.840.113549.1.1.8'), digest)),
          tagged(0xa2, der(0x02, Buffer.of(32))),
        )
  return {
    identifier: sequence(oid('1.2.840.113549.1.1.10'), parameters),
    sign: (body) =>
      sign(hash, body, {
        key,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: hash === 'sha1' ? 20 : 32,
      }),
  }
}

function extensionsOf(wish: Wish): Buffer[] {
  const { authority, keyUsage, extendedKeyUsage, dns = [], names = [], permitted = [], excluded = [] } = wish
  const list: Extension[] = []
  if (authority !== undefined)
    list.push({ oid: '2.5.29.19', critical: true, value: basicConstraints(authority) })
  if (keyUsage) list.push({ oid: '2.5.29.15', critical: true, value: usageBits(keyUsage) })
  if (extendedKeyUsage) list.push({ oid: '2.5.29.37', value: sequence(...extendedKeyUsage.map(oid)) })
  const all: readonly Name[] = [...dns.map((one) => ({ dns: one })), ...names]
  if (all.length > 0) list.push({ oid: '2.5.29.17', value: sequence(...all.map(generalName)) })
  if (permitted.length + excluded.length > 0) {
    const subtrees = (tag: number, trees: readonly Name[]) =>
      trees.length > 0 ? tagged(tag, ...trees.map((one) => sequence(generalName(one)))) : Buffer.alloc(0)
    const value = sequence(subtrees(0xa0, permitted), subtrees(0xa1, excluded))
    list.push({ oid: '2.5.29.30', critical: true, value })
  }
  return [...list, ...(wish.extensions ?? [])].map(({ oid: id, critical, value }) =>
    sequence(oid(id), critical ? der(0x01, Buffer.of(0xff)) : Buffer.alloc(0), der(0x04, value)),
  )
}

function basicConstraints(authority: NonNullable<Wish['authority']>): Buffer {
  if (authority === false) return sequence()
  const length = authority === true ? Buffer.alloc(0) : der(0x02, Buffer.of(authority.pathLength))
  return sequence(der(0x01, Buffer.of(0xff)), length)
}

function usageBits(bits: readonly number[]): Buffer {
  const highest = Math.max(...bits)
  let value = 0
  for (const bit of bits) value |= 0x80 >> bit
  return der(0x03, Buffer.of(7 - highest, value))
}

function generalName(name: Name): Buffer {
  if ('dns' in name) return der(0x82, Buffer.from(name.dns, 'utf8'))
  if ('ip' in name) return der(0x87, Buffer.from(name.ip))
  if ('email' in name) return der(0x81, Buffer.from(name.email))
  if ('uri' in name) return der(0x86, Buffer.from(name.uri))
  if ('srv' in name) return otherName('1.3.6.1.5.5.7.8.7', der(0x16, Buffer.from(name.srv)))
  if ('xmpp' in name) return otherName('1.3.6.1.5.5.7.8.5', der(0x0c, Buffer.from(name.xmpp)))
  return der(name.tag, name.raw)
}

function otherName(type: string, value: Buffer): Buffer {
  return tagged(0xa0, oid(type), tagged(0xa0, value))
}

/** The subject of a certificate, or what name constraints say of one. */
export function distinguishedName({ commonName, organization, dns }: Wish): Buffer {
  const attribute = (id: string, text: string) => der(0x31, sequence(oid(id), der(0x0c, Buffer.from(text))))
  const common = commonName ?? dns?.[0]?.slice(0, 64)
  return sequence(
    ...(organization === undefined ? [] : [attribute('2.5.4.10', organization)]),
    ...(common === undefined ? [] : [attribute('2.5.4.3', common)]),
  )
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')
  return new Date(ms).getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(digits.slice(2)))
    : der(0x18, Buffer.from(digits))
}

export function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content])
  const bytes = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...bytes), content])
}

export function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  return der(tag, Buffer.concat(parts))
}

function bitString(content: Buffer): Buffer {
  return der(0x03, Buffer.concat([Buffer.of(0), content]))
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80)
    return groups
  })
  return der(0x06, Buffer.from(bytes))
}

/** `ca.crt`, `ca.key`, and `NAME.crt`, `NAME.key` for each; the authority that is there already is used again. */
function writeFolder(folder: string, domains: readonly string[]): void {
  mkdirSync(folder, { recursive: true })
  const subject = { commonName: 'Authority of the tests' }
  const [crt, key] = [join(folder, 'ca.crt'), join(folder, 'ca.key')]
  const known = existsSync(key)
    ? new Issued(
        Buffer.from(readFileSync(crt, 'utf8').replace(/-----[^-]+-----|\s/g, ''), 'base64'),
        createPrivateKey(readFileSync(key)),
        distinguishedName(subject),
      )
    : newAuthority(subject.commonName, { to: Date.now() + 3650 * day })
  const write = (name: string, { pem, keyPem }: Issued) => {
    writeFileSync(join(folder, `${name}.crt`), pem)
    writeFileSync(join(folder, `${name}.key`), keyPem, { mode: 0o600 })
  }
  write('ca', known)
  for (const list of domains) {
    const dns = list.split(',')
    const extendedKeyUsage = [purposes.server, purposes.client]
    write(
      dns[0]!,
      known.issue({ dns, authority: false, keyUsage: [0], extendedKeyUsage, to: Date.now() + 365 * day }),
    )
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [folder, ...domains] = process.argv.slice(2)
  if (folder === undefined || domains.length === 0) {
    console.error('usage: node dist/test/support/test-ca.js DIR NAME...')
    process.exit(2)
  }
  writeFolder(folder, domains)
}
