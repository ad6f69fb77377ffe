/** From the certificate of a server to an authority that is trusted (RFC 5280 §6), over what the server sent. */
import type { KeyObject } from 'node:crypto'
import { expect, membersOf, readElements, readOid, tags } from './der.js'
import { constraintFault } from './names.js'
import type { TrustStore } from './trust.js'
import { extensions, purposes, usages } from './x509.js'
import type { Certificate } from './x509.js'

export type PathFault =
  | 'self-signed'
  | 'unknown-authority'
  | 'expired'
  | 'not-yet-valid'
  /** Not for TLS. */
  | 'purpose'
  | 'bad-signature'
  | 'weak-signature'
  | 'weak-key'
  /** Issued by a certificate that may not issue, or not so deep. */
  | 'no-authority'
  | 'name-constraints'
  | 'unknown-extension'
  | 'malformed'

export interface Refusal {
  readonly reason: PathFault
  /** For the admin, without a full stop. */
  readonly text: string
}

/**
 * What is wrong at `now` (ms since 1970) with a certificate and those sent along, in any order; undefined: they lead to
 * an authority that is trusted. At most ten certificates must come: then those of authorities that certify each other
 * make some forty ways at most.
 */
export function pathFault(
  leaf: Certificate,
  sent: readonly Certificate[],
  trust: TrustStore,
  now: number,
): Refusal | undefined {
  return leafFault(leaf, now) ?? wayFault([leaf], sent, trust, now)
}

/** What is wrong with every way on from the last of `path`; undefined: one of them is good. */
function wayFault(
  path: readonly Certificate[],
  sent: readonly Certificate[],
  trust: TrustStore,
  now: number,
): Refusal | undefined {
  const last = path.at(-1)!
  // The admin may trust the certificate of a server itself.
  if (trust.holds(last)) return constraintsFault(path)
  // Also when an older one of the same name is trusted.
  if (path.length === 1 && last.issuer.equals(last.subject) && signed(last, last)) return unknownIssuer(path)
  const weakness = signatureWeakness(last)
  if (weakness) return weakness
  let worst: Refusal | undefined
  for (const anchor of trust.named(last.issuer)) {
    const fault = issuerFault(path, anchor, 'anchor', now) ?? constraintsFault([...path, anchor])
    if (!fault) return undefined
    worst ??= fault
  }
  for (const issuer of sent) {
    if (!issuer.subject.equals(last.issuer) || path.some((one) => sameEntity(one, issuer))) continue
    const fault = issuerFault(path, issuer, 'sent', now) ?? wayFault([...path, issuer], sent, trust, now)
    if (!fault) return undefined
    if (!worst || worst.reason === 'unknown-authority') worst = fault
  }
  return worst ?? unknownIssuer(path)
}

/** A certificate of the same entity and key leads nowhere new. */
function sameEntity(one: Certificate, other: Certificate): boolean {
  return one.subject.equals(other.subject) && one.publicKey.equals(other.publicKey)
}

function unknownIssuer(path: readonly Certificate[]): Refusal {
  const last = path.at(-1)!
  if (!last.issuer.equals(last.subject))
    return {
      reason: 'unknown-authority',
      text: `"${last.title}" was issued by "${last.issuerTitle}", which is no known authority and was not sent along`,
    }
  if (path.length === 1)
    return {
      reason: 'self-signed',
      text: `the certificate of "${last.title}" is self-signed; put it into the file of s2s.ca_file to trust it all the same`,
    }
  return {
    reason: 'unknown-authority',
    text: `the authority "${last.title}" is not known; put its certificate into the file of s2s.ca_file to trust it`,
  }
}

/** What holds for the server's own certificate, whoever issued it. */
function leafFault(leaf: Certificate, now: number): Refusal | undefined {
  const common = commonFault(leaf, now)
  if (common) return common
  // RFC 5280 §4.2.1.3: to sign in the handshake or to agree on a key there.
  const { digitalSignature, keyEncipherment, keyAgreement } = usages
  const usable = [digitalSignature, keyEncipherment, keyAgreement].some((usage) => leaf.allows(usage))
  return usable ? purposeFault(leaf) : wrongPurpose(leaf)
}

/** What holds for every certificate of the path. */
function commonFault(certificate: Certificate, now: number): Refusal | undefined {
  const { title } = certificate
  if (now > certificate.notAfter)
    return {
      reason: 'expired',
      text: `the certificate of "${title}" expired on ${day(certificate.notAfter)}`,
    }
  if (now < certificate.notBefore)
    return {
      reason: 'not-yet-valid',
      text: `the certificate of "${title}" is valid from ${day(certificate.notBefore)} only; is this machine's clock right?`,
    }
  for (const [oid, { critical }] of certificate.extensions)
    if (critical && !understood.has(oid))
      return {
        reason: 'unknown-extension',
        text: `the certificate of "${title}" says something critical that is not understood (${oid})`,
      }
  return keyFault(certificate)
}

const understood: ReadonlySet<string> = new Set(Object.values(extensions))

function issuerFault(
  path: readonly Certificate[],
  issuer: Certificate,
  from: 'anchor' | 'sent',
  now: number,
): Refusal | undefined {
  const child = path.at(-1)!
  const fault = commonFault(issuer, now) ?? authorityFault(path, issuer, from)
  if (fault) return fault
  if (signed(child, issuer)) return undefined
  return {
    reason: 'bad-signature',
    text: `the certificate of "${child.title}" is not really signed by "${issuer.title}"`,
  }
}

/** Looked at when all signatures are right and lead to an anchor: strangers cannot make us work on it. */
function constraintsFault(path: readonly Certificate[]): Refusal | undefined {
  for (const [place, issuer] of path.entries())
    for (const [index, below] of path.slice(0, place).entries()) {
      // RFC 5280 §6.1.4 (b): certificates that an authority gave itself are not held to it.
      if (index > 0 && below.issuer.equals(below.subject)) continue
      const against = constraintFault(issuer, below)
      if (against) return { reason: 'name-constraints', text: `the authority "${issuer.title}" ${against}` }
    }
  return undefined
}

/** RFC 5280 §6.1.4 (k) to (n). */
function authorityFault(
  path: readonly Certificate[],
  issuer: Certificate,
  from: 'anchor' | 'sent',
): Refusal | undefined {
  const { title, basicConstraints } = issuer
  // Roots of version 1 cannot say that they are authorities; that they are trusted says it.
  const authority = basicConstraints?.authority ?? (from === 'anchor' && issuer.version === 1)
  if (!authority || !issuer.allows(usages.keyCertSign))
    return { reason: 'no-authority', text: `"${title}" may not issue certificates` }
  const between = path.slice(1).filter((one) => !one.issuer.equals(one.subject)).length
  if (between > (basicConstraints?.pathLength ?? Infinity))
    return { reason: 'no-authority', text: `"${title}" may not have so many authorities below it` }
  return from === 'sent' ? purposeFault(issuer) : undefined
}

const tlsPurposes: ReadonlySet<string> = new Set(Object.values(purposes))

/**
 * A server is both client and server, and public authorities have stopped issuing certificates for clients: one purpose
 * is as good as the other in both directions.
 */
function purposeFault(certificate: Certificate): Refusal | undefined {
  const given = certificate.purposes
  return given === undefined || given.some((oid) => tlsPurposes.has(oid))
    ? undefined
    : wrongPurpose(certificate)
}

function wrongPurpose({ title }: Certificate): Refusal {
  return { reason: 'purpose', text: `the certificate of "${title}" is not for TLS servers or clients` }
}

function signed(child: Certificate, issuer: Certificate): boolean {
  try {
    return child.node.verify(issuer.node.publicKey)
  } catch {
    // OpenSSL knows the key but not this signature, or the other way round.
    return false
  }
}

const curves = new Set([
  'prime256v1',
  'secp384r1',
  'secp521r1',
  'brainpoolP256r1',
  'brainpoolP384r1',
  'brainpoolP512r1',
])

/** RFC 9325 §4.5: RSA with 2048 bits at least; elliptic curves with 224. */
function keyFault(certificate: Certificate): Refusal | undefined {
  let key: KeyObject
  try {
    key = certificate.node.publicKey
  } catch {
    return {
      reason: 'malformed',
      text: `the certificate of "${certificate.title}" has a key that is not understood`,
    }
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: { modulusLength = 0, namedCurve = '' } = {} } = key
  const rsa = type === 'rsa' || type === 'rsa-pss'
  const good = rsa
    ? modulusLength >= 2048 && modulusLength <= 8192
    : type === 'ec'
      ? curves.has(namedCurve)
      : type === 'ed25519' || type === 'ed448'
  const found = rsa ? `RSA, ${modulusLength} bits` : namedCurve || type
  return good
    ? undefined
    : { reason: 'weak-key', text: `the key of "${certificate.title}" is not taken (${found})` }
}

/** Signatures by SHA-256 or better (RFC 9155). */
const strong = new Set([
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112',
  '1.3.101.113',
])
const rsassaPss = '1.2.840.113549.1.1.10'
const strongHashes = new Set(['2.16.840.1.101.3.4.2.1', '2.16.840.1.101.3.4.2.2', '2.16.840.1.101.3.4.2.3'])

function signatureWeakness({ algorithm, title }: Certificate): Refusal | undefined {
  const [oid, parameters] = membersOf(algorithm)
  const name = readOid(oid)
  const good = name === rsassaPss ? strongHashes.has(pssHash(parameters?.content)) : strong.has(name)
  return good
    ? undefined
    : {
        reason: 'weak-signature',
        text: `the certificate of "${title}" is signed with an algorithm that is too weak (${name})`,
      }
}

/** RFC 4055 §3.1: [0] hashAlgorithm, SHA-1 when absent. */
function pssHash(parameters: Buffer = Buffer.alloc(0)): string {
  const hash = readElements(parameters).find(({ tag }) => tag === tags.explicit)
  if (!hash) return 'SHA-1'
  const [algorithm] = readElements(hash.content)
  const [oid] = readElements(expect(algorithm, tags.sequence).content)
  return readOid(oid)
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
