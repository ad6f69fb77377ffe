/** Looks at a certificate and its key before they are used, and says in one line each what is wrong with them. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { namesIn } from './names.js'
import { Certificate } from './x509.js'

export interface Examination {
  /** The certificates in the order of the file; the first is the server's own. */
  readonly chain: readonly X509Certificate[]
  /** With one of these the pair is of no use to anybody. */
  readonly faults: readonly string[]
  /** Too early or too late: clients refuse it, but it is the right one. */
  readonly dated: readonly string[]
  /** Works with some clients only. */
  readonly doubts: readonly string[]
}

/** `now` in milliseconds since 1970 UTC; `domain` is the one that clients will look for. */
export function examine(certificatePem: string, keyPem: string, domain: string, now: number): Examination {
  const faults: string[] = []
  const chain = readChain(certificatePem, faults)
  const key = readKey(keyPem, faults)
  const own = chain[0]
  if (!own) return { chain, faults, dated: [], doubts: [] }
  const place = key ? chain.findIndex((one) => one.checkPrivateKey(key)) : 0
  if (place > 0) faults.push(`the server's own certificate is number ${place + 1} in the file; put it first`)
  else if (place < 0)
    faults.push('the private key belongs to another certificate; give the two that were made together')
  else faults.push(...brokenLinks(chain))
  if (place <= 0 && !namesDomain(own, domain))
    faults.push(`the certificate is for ${names(own)}, not for ${domain}; get one that names ${domain}`)
  const alone = chain.length === 1 && own.issuer !== own.subject
  return {
    chain,
    faults,
    dated: chain.flatMap((one) => outOfDate(one, now)),
    doubts: alone
      ? [
          `only the certificate itself is in the file, not the chain up to "${commonName(own.issuer)}": clients that do not know it will refuse; use the file that is often called fullchain.pem`,
        ]
      : [],
  }
}

/** RFC 6125 §6.4: a dNSName of the certificate fits the domain; the common name does not count. */
export function namesDomain(certificate: X509Certificate, domain: string): boolean {
  if (isIP(domain)) return certificate.checkIP(domain) !== undefined
  const ascii = domainToASCII(domain)
  return ascii !== '' && certificate.checkHost(ascii, { subject: 'never' }) !== undefined
}

function readChain(pem: string, faults: string[]): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0)
    faults.push(
      'there is no certificate in the file; it must hold text that begins with -----BEGIN CERTIFICATE-----',
    )
  const chain: X509Certificate[] = []
  for (const [index, block] of blocks.entries()) {
    try {
      chain.push(new X509Certificate(block))
    } catch {
      faults.push(`certificate ${index + 1} of the file is damaged; copy the file again`)
      return []
    }
  }
  return chain
}

function readKey(pem: string, faults: string[]): KeyObject | undefined {
  const block = /-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----[\s\S]+?-----END \1PRIVATE KEY-----/.exec(pem)
  if (!block)
    faults.push(
      'there is no private key in the file; it must hold text that begins with -----BEGIN PRIVATE KEY-----',
    )
  else if (/ENCRYPTED/.test(block[0]))
    faults.push(
      'the private key is locked with a passphrase; store it without: openssl pkey -in OLD -out NEW',
    )
  else {
    try {
      return createPrivateKey(block[0])
    } catch {
      faults.push('the private key is damaged or of a kind that is not known; copy the file again')
    }
  }
  return undefined
}

/** RFC 8446 §4.4.2: each certificate certifies the one before it. */
function brokenLinks(chain: readonly X509Certificate[]): string[] {
  return chain.slice(1).flatMap((issuer, index) => {
    const subject = chain[index]!
    if (subject.checkIssued(issuer) && subject.verify(issuer.publicKey)) return []
    return [
      `certificate ${index + 2} of the file ("${commonName(issuer.subject)}") did not issue the one before it ("${commonName(subject.subject)}"); put the chain in order`,
    ]
  })
}

function outOfDate(certificate: X509Certificate, now: number): string[] {
  const name = `the certificate of "${commonName(certificate.subject)}"`
  if (Date.parse(certificate.validTo) <= now) return [`${name} expired on ${certificate.validTo}; renew it`]
  if (Date.parse(certificate.validFrom) > now)
    return [`${name} is valid from ${certificate.validFrom} only; look at this machine's clock`]
  return []
}

/** The names in a certificate, for people. */
export function namesOf(certificate: X509Certificate): readonly string[] {
  return namesIn(new Certificate(certificate.raw))
}

function names(certificate: X509Certificate): string {
  const found = namesOf(certificate).slice(0, 5)
  return found.length > 0 ? found.join(', ') : 'no name at all'
}

/** Subject and issuer come as lines of `CN=...`, `O=...`. */
function commonName(name: string | undefined): string {
  const lines = name?.split('\n') ?? []
  return (lines.find((line) => line.startsWith('CN=')) ?? lines[0] ?? '').replace(/^\w+=/, '')
}
