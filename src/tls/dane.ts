/** TLSA records against the certificates of a server (RFC 6698, RFC 7671, RFC 7673). */
import { createHash } from 'node:crypto'
import { DerError } from './der.js'
import { Certificate } from './x509.js'

export interface TlsaRecord {
  /** 2: an authority for this server. 3: the certificate of the server itself. Others do not count. */
  readonly usage: number
  /** 0: of the certificate. 1: of its public key. */
  readonly selector: number
  /** 0: the bytes. 1: their SHA-256. 2: their SHA-512. */
  readonly matching: number
  readonly data: Buffer
}

export type DaneMatch =
  /** The key is right; names and dates of the certificate do not matter any more (RFC 7671 §5.1). */
  | { readonly usage: 3 }
  /** This certificate, in DER, is the authority to trust; the rest is for `verifyPeer` with it alone (RFC 7671 §5.2). */
  | { readonly usage: 2; readonly anchor: Buffer }

/**
 * What the records say for these certificates (in DER, the server's own first); undefined: nothing, though there may be
 * records that make it wrong. The records must come from a resolver that validates, and be secure.
 */
export function matchTlsa(records: readonly TlsaRecord[], chain: readonly Buffer[]): DaneMatch | undefined {
  const [leaf, ...others] = chain
  if (!leaf) return undefined
  if (records.some((record) => record.usage === 3 && matches(record, leaf))) return { usage: 3 }
  const anchor = others.find((der) => records.some((record) => record.usage === 2 && matches(record, der)))
  return anchor && { usage: 2, anchor }
}

/** Records whose kind we do not know, or that are empty, count for nothing (RFC 7671 §4.1). */
function matches({ selector, matching, data }: TlsaRecord, der: Buffer): boolean {
  const selected = selector === 0 ? der : selector === 1 ? publicKeyOf(der) : undefined
  if (!selected) return false
  const shown =
    matching === 0
      ? selected
      : matching === 1
        ? createHash('sha256').update(selected).digest()
        : matching === 2
          ? createHash('sha512').update(selected).digest()
          : undefined
  return shown?.equals(data) ?? false
}

function publicKeyOf(der: Buffer): Buffer | undefined {
  try {
    return new Certificate(der).publicKey
  } catch (error) {
    if (error instanceof DerError) return undefined
    throw error
  }
}
