/** Channel binding: what a TLS connection of ours can prove about itself (RFC 9266, RFC 5929). */
import { createHash } from 'node:crypto'
import type { ChannelBindings } from './mechanism.js'

/** The part of `tls.TLSSocket` that is needed here. */
export interface BindingSource {
  getProtocol(): string | null
  exportKeyingMaterial(length: number, label: string, context: Buffer): Buffer
}

/**
 * The bindings of a server-side connection after its handshake; undefined when it has none to offer. `endPoint` is the
 * `endPointHash` of the certificate that was sent: kept with it, since to ask the connection for it costs 16 us.
 */
export function channelBindings(
  socket: BindingSource,
  endPoint: Buffer | undefined,
): ChannelBindings | undefined {
  const types: string[] = []
  // RFC 9266 §4.2: under TLS 1.2 it needs the extended master secret, which Node does not tell of.
  if (socket.getProtocol() === 'TLSv1.3') types.push('tls-exporter')
  // XEP-0440 §3: servers must have this one, and do unless the certificate is signed with EdDSA.
  if (endPoint) types.push('tls-server-end-point')
  return types.length === 0 ? undefined : new SocketBindings(socket, types, endPoint)
}

class SocketBindings implements ChannelBindings {
  constructor(
    private readonly socket: BindingSource,
    readonly types: readonly string[],
    private readonly endPoint: Buffer | undefined,
  ) {}

  data(type: string): Buffer | undefined {
    if (!this.types.includes(type)) return undefined
    if (type === 'tls-server-end-point') return this.endPoint
    // RFC 9266 §2: an empty context, not an absent one.
    return this.socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
  }
}

/**
 * RFC 5929 §4.1: the hash of the certificate by the hash function of its signature, SHA-256 in place of MD5 and SHA-1;
 * undefined when the signature uses none (EdDSA) or one we do not know.
 */
export function endPointHash(certificate: Buffer | undefined): Buffer | undefined {
  const hash = certificate && signatureHash(certificate)
  return hash ? createHash(hash).update(certificate).digest() : undefined
}

/** Hash functions by the object identifier of the signature, in hexadecimal of its DER content. */
const bySignature: Readonly<Record<string, string>> = {
  '2a864886f70d010104': 'sha256', // md5WithRSAEncryption
  '2a864886f70d010105': 'sha256', // sha1WithRSAEncryption
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a864886f70d01010e': 'sha224',
  '2a8648ce3d0401': 'sha256', // ecdsa-with-SHA1
  '2a8648ce3d040301': 'sha224',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
}

/** Hash functions by their own object identifier, as RSASSA-PSS names them in its parameters. */
const byDigest: Readonly<Record<string, string>> = {
  '2b0e03021a': 'sha256', // SHA-1
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
  '608648016503040204': 'sha224',
}

const rsassaPss = '2a864886f70d01010a'

/** RFC 5280 §4.1: Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, parameters }, signature }. */
function signatureHash(der: Buffer): string | undefined {
  const [, algorithm] = members(members(der)[0])
  const [oid, parameters] = members(algorithm)
  const name = oid?.toString('hex')
  if (name === undefined) return undefined
  if (name !== rsassaPss) return bySignature[name]
  // RFC 4055 §3.1: [0] hashAlgorithm, SHA-1 when absent; the salt length and the rest do not matter here.
  const [digest] = members(members(tagged(parameters, 0xa0))[0])
  return digest ? byDigest[digest.toString('hex')] : 'sha256'
}

/** The contents of the elements that follow each other in `der`; stops at the first that is cut off. */
function members(der: Buffer | undefined): Buffer[] {
  return elements(der).map((one) => one.content)
}

/** The content of the first element with this tag. */
function tagged(der: Buffer | undefined, tag: number): Buffer | undefined {
  return elements(der).find((one) => one.tag === tag)?.content
}

function elements(der: Buffer = Buffer.alloc(0)): { tag: number; content: Buffer }[] {
  const found: { tag: number; content: Buffer }[] = []
  for (let at = 0; at + 2 <= der.length;) {
    const tag = der[at]!
    let length = der[at + 1]!
    let start = at + 2
    if (length > 0x80) {
      const bytes = length - 0x80
      if (bytes > 4 || start + bytes > der.length) break
      length = der.readUIntBE(start, bytes)
      start += bytes
    }
    if (start + length > der.length) break
    found.push({ tag, content: der.subarray(start, start + length) })
    at = start + length
  }
  return found
}
