/** A self-signed certificate for a server that was given none: a P-256 key and an X.509 v3 certificate (RFC 5280). */
import { generateKeyPairSync, sign } from 'node:crypto'
import type forge from 'node-forge'
import type { Random } from '../base/random.js'

type Asn1 = forge.asn1.Asn1
type Forge = typeof forge

const day = 86_400_000
const lifetime = 3650 * day

/**
 * The key and the certificate as one PEM text. `names` are domains in ASCII or IP addresses, at least one. Valid for ten years from
 * a day before `now`, so that a client whose clock is slow takes it too.
 */
export async function makeSelfSigned(names: readonly string[], now: number, random: Random): Promise<string> {
  // Most servers never make one, so the library is loaded by those that do.
  const { default: library } = await import('node-forge')
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const make = new Maker(library)
  const toBeSigned = make.toBeSigned(names, now, random, publicKey.export({ type: 'spki', format: 'der' }))
  // node-forge knows no elliptic curves: it writes the structures, Node signs them.
  const signature = sign('sha256', make.bytes(toBeSigned), { key: privateKey, dsaEncoding: 'der' })
  const body = make.bytes(make.sequence(toBeSigned, make.ecdsaWithSha256(), make.bitString(signature)))
  const certificate = library.pem.encode({
    type: 'CERTIFICATE',
    body: body.toString('latin1'),
  } as forge.pem.ObjectPEM)
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() + certificate.replaceAll('\r\n', '\n')
}

/** The structures of RFC 5280 §4.1 in the terms of node-forge's ASN.1. */
class Maker {
  readonly #forge: Forge

  constructor(library: Forge) {
    this.#forge = library
  }

  toBeSigned(names: readonly string[], now: number, random: Random, publicKey: Buffer): Asn1 {
    const { asn1 } = this.#forge
    const serial = random.bytes(16)
    // RFC 5280 §4.1.2.2: positive, and the first byte not superfluous.
    serial[0] = (serial[0]! & 0x7f) | 0x40
    const subject = this.#subject(names[0]!)
    return this.sequence(
      this.#tagged(0, this.#universal(asn1.Type.INTEGER, '\x02')),
      this.#universal(asn1.Type.INTEGER, serial.toString('latin1')),
      this.ecdsaWithSha256(),
      subject,
      this.sequence(this.#time(now - day), this.#time(now - day + lifetime)),
      subject,
      asn1.fromDer(publicKey.toString('latin1')),
      this.#tagged(3, this.sequence(...this.#extensions(names))),
    )
  }

  sequence(...parts: Asn1[]): Asn1 {
    const { asn1 } = this.#forge
    return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, parts)
  }

  bitString(content: Buffer): Asn1 {
    return this.#universal(this.#forge.asn1.Type.BITSTRING, `\0${content.toString('latin1')}`)
  }

  ecdsaWithSha256(): Asn1 {
    return this.sequence(this.#identifier('1.2.840.10045.4.3.2'))
  }

  bytes(structure: Asn1): Buffer {
    return Buffer.from(this.#forge.asn1.toDer(structure).getBytes(), 'latin1')
  }

  #extensions(names: readonly string[]): Asn1[] {
    const { oids } = this.#forge.pki
    return [
      // RFC 5280 §4.2.1.9: no certificates of others can be hung on this one.
      this.#extension(oids['basicConstraints']!, this.sequence(), 'critical'),
      // RFC 5280 §4.2.1.12: for servers.
      this.#extension(oids['extKeyUsage']!, this.sequence(this.#identifier(oids['serverAuth']!))),
      // RFC 6120 §13.7.1.2: the domains as dNSName.
      this.#extension(
        oids['subjectAltName']!,
        this.sequence(...names.map((name) => this.#alternativeName(name))),
      ),
    ]
  }

  #alternativeName(name: string): Asn1 {
    const { asn1 } = this.#forge
    const util = this.#forge.util as Forge['util'] & { bytesFromIP(text: string): string | null }
    const address = util.bytesFromIP(name)
    const [tag, value] = address ? [7, address] : [2, name]
    return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, false, value)
  }

  /** The common name, for people; programs read the alternative name. RFC 5280 A.1: at most 64 characters. */
  #subject(name: string): Asn1 {
    const { asn1, pki } = this.#forge
    const value = this.#universal(asn1.Type.UTF8, name.slice(0, 64))
    const pair = this.sequence(this.#identifier(pki.oids['commonName']!), value)
    return this.sequence(asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SET, true, [pair]))
  }

  #extension(oid: string, value: Asn1, critical?: 'critical'): Asn1 {
    const { asn1 } = this.#forge
    const flag = critical ? [this.#universal(asn1.Type.BOOLEAN, '\xff')] : []
    const content = this.#universal(asn1.Type.OCTETSTRING, asn1.toDer(value).getBytes())
    return this.sequence(this.#identifier(oid), ...flag, content)
  }

  /** RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime from then on. */
  #time(ms: number): Asn1 {
    const { asn1 } = this.#forge
    const date = new Date(ms)
    return date.getUTCFullYear() < 2050
      ? this.#universal(asn1.Type.UTCTIME, asn1.dateToUtcTime(date))
      : this.#universal(asn1.Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date))
  }

  #tagged(tag: number, content: Asn1): Asn1 {
    const { asn1 } = this.#forge
    return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, true, [content])
  }

  #identifier(oid: string): Asn1 {
    const { asn1 } = this.#forge
    return this.#universal(asn1.Type.OID, asn1.oidToDer(oid).getBytes())
  }

  #universal(type: forge.asn1.Type, value: string): Asn1 {
    const { asn1 } = this.#forge
    return asn1.create(asn1.Class.UNIVERSAL, type, false, value)
  }
}
