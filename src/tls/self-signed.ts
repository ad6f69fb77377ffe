/** A self-signed certificate for a server that was given none: a P-256 key and an X.509 v3 certificate (RFC 5280). */
import { generateKeyPairSync, sign } from 'node:crypto'
import { isIP } from 'node:net'
import type { Random } from '../base/random.js'

const day = 86_400_000
const lifetime = 3650 * day

/**
 * The key and the certificate as one PEM text. `name` is a domain in ASCII or an IP address. Valid for ten years from
 * a day before `now`, so that a client whose clock is slow takes it too. Takes under a millisecond.
 */
export function makeSelfSigned(name: string, now: number, random: Random): string {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const serial = random.bytes(16)
  // RFC 5280 §4.1.2.2: positive, and the first byte not superfluous.
  serial[0] = (serial[0]! & 0x7f) | 0x40
  const subject = distinguishedName(name)
  const toBeSigned = sequence(
    tagged(0, integer(Buffer.of(2))),
    integer(serial),
    ecdsaWithSha256,
    subject,
    sequence(time(now - day), time(now - day + lifetime)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, sequence(...extensions(name))),
  )
  const signature = sign('sha256', toBeSigned, { key: privateKey, dsaEncoding: 'der' })
  const certificate = sequence(toBeSigned, ecdsaWithSha256, bitString(signature))
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() + pem(certificate)
}

function extensions(name: string): Buffer[] {
  return [
    // RFC 5280 §4.2.1.9: no certificates of others can be hung on this one.
    extension('551d13', sequence(), 'critical'),
    // RFC 5280 §4.2.1.12: for servers.
    extension('551d25', sequence(objectIdentifier('2b06010505070301'))),
    // RFC 6120 §13.7.1.2: the domain as dNSName.
    extension('551d11', sequence(isIP(name) ? der(0x87, addressBytes(name)) : der(0x82, Buffer.from(name)))),
  ]
}

/** The common name, for people; programs read the alternative name. RFC 5280 A.1: at most 64 characters. */
function distinguishedName(name: string): Buffer {
  const commonName = sequence(objectIdentifier('550403'), der(0x0c, Buffer.from(name.slice(0, 64))))
  return sequence(der(0x31, commonName))
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail ? tail.split(':') : []
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  const all = [...before, ...zeros, ...after].map((group) => group.padStart(4, '0'))
  return Buffer.from(all.join(''), 'hex')
}

// The few pieces of DER (X.690) that a certificate is made of.

const ecdsaWithSha256 = sequence(objectIdentifier('2a8648ce3d040302'))

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const lengthBytes =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...lengthBytes), content])
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, ...parts)
}

function tagged(number: number, content: Buffer): Buffer {
  return der(0xa0 + number, content)
}

function integer(bytes: Buffer): Buffer {
  return der(0x02, bytes)
}

function bitString(bytes: Buffer): Buffer {
  return der(0x03, Buffer.of(0), bytes)
}

/** The identifier as its encoded content in hexadecimal. */
function objectIdentifier(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

function extension(oid: string, value: Buffer, critical?: 'critical'): Buffer {
  const flag = critical ? [der(0x01, Buffer.of(0xff))] : []
  return sequence(objectIdentifier(oid), ...flag, der(0x04, value))
}

/** RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime from then on. */
function time(ms: number): Buffer {
  const digits = `${new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`
  return digits < '2050' ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits))
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g)!
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
