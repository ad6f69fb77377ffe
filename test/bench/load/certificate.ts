/** A self-signed P-256 certificate, written as DER by hand, so that every server under load has the same kind. */
import { createSign, generateKeyPairSync } from 'node:crypto'

export interface Certificate {
  readonly certificate: string
  readonly key: string
}

/** Valid from yesterday for a month; the first domain is the subject, all are alternative names. PEM texts. */
export function makeCertificate(domains: readonly string[]): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signature = sequence(oid('1.2.840.10045.4.3.2'))
  const name = sequence(
    der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(domains[0] ?? 'localhost')))),
  )
  const day = 86_400_000
  const validity = sequence(utcTime(Date.now() - day), utcTime(Date.now() + 30 * day))
  const names = sequence(...domains.map((domain) => der(0x82, Buffer.from(domain))))
  const extensions = der(0xa3, sequence(sequence(oid('2.5.29.17'), der(0x04, names))))
  const version = der(0xa0, der(0x02, Buffer.from([2])))
  const serial = der(0x02, Buffer.from([1, 2, 3, 4]))
  const key = publicKey.export({ type: 'spki', format: 'der' })
  const body = sequence(version, serial, signature, name, validity, name, key, extensions)
  const signed = createSign('sha256').update(body).sign(privateKey)
  const bits = der(0x03, Buffer.concat([Buffer.of(0), signed]))
  const text = sequence(body, signature, bits).toString('base64').replace(/.{64}/g, '$&\n')
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 128) return Buffer.concat([Buffer.of(tag, length), content])
  if (length < 256) return Buffer.concat([Buffer.of(tag, 0x81, length), content])
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 255), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const part of rest) {
    const groups = [part & 127]
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 127) | 128)
    bytes.push(...groups)
  }
  return der(0x06, Buffer.from(bytes))
}

function utcTime(when: number): Buffer {
  const digits = new Date(when).toISOString().replace(/[-:T]/g, '')
  return der(0x17, Buffer.from(`${digits.slice(2, 14)}Z`))
}
