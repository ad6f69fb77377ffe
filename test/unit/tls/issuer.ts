/** Certificates for tests: an authority and what it issues, signed with RSA by node-forge. */
import { generateKeyPairSync } from 'node:crypto'
import forge from 'node-forge'

const day = 86_400_000

export interface Issued {
  readonly certificate: string
  readonly key: string
}

export interface Wish {
  readonly names?: readonly string[]
  readonly commonName?: string
  readonly from?: number
  readonly to?: number
  readonly authority?: boolean
  /** Use this key instead of a new one. */
  readonly key?: string
  /** Digest of the signature, `sha256` unless told. */
  readonly digest?: 'sha1' | 'sha256' | 'sha384' | 'sha512'
}

export class Authority {
  readonly certificate: string
  readonly key: string

  constructor(name: string, issuer?: Authority) {
    const made = issue({ commonName: name, authority: true }, issuer)
    this.certificate = made.certificate
    this.key = made.key
  }

  issue(wish: Wish): Issued {
    return issue(wish, this)
  }
}

function issue(wish: Wish, issuer: Issued | undefined): Issued {
  const key = wish.key ?? newKey()
  const { names = [], commonName = names[0] ?? 'somebody' } = wish
  const privateKey = forge.pki.privateKeyFromPem(key)
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = forge.pki.rsa.setPublicKey(privateKey.n, privateKey.e)
  certificate.serialNumber = `01${forge.util.bytesToHex(forge.random.getBytesSync(8))}`
  certificate.validity.notBefore = new Date(wish.from ?? Date.now() - day)
  certificate.validity.notAfter = new Date(wish.to ?? Date.now() + 90 * day)
  const subject = [{ name: 'commonName', value: commonName }]
  certificate.setSubject(subject)
  const parent = issuer && forge.pki.certificateFromPem(issuer.certificate)
  certificate.setIssuer(parent ? parent.subject.attributes : subject)
  certificate.setExtensions([
    { name: 'basicConstraints', cA: wish.authority ?? false, critical: true },
    ...(names.length === 0
      ? []
      : [{ name: 'subjectAltName', altNames: names.map((value) => ({ type: 2, value })) }]),
  ])
  const signer = issuer ? forge.pki.privateKeyFromPem(issuer.key) : privateKey
  certificate.sign(signer, forge.md[wish.digest ?? 'sha256'].create())
  return { certificate: forge.pki.certificateToPem(certificate).replaceAll('\r', ''), key }
}

export function newKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
}
