/** Whose the certificate of a client is: the accounts that an authority of the admin put into it (RFC 6120 §13.7.1.4). */
import { DerError } from './der.js'
import { accountNames } from './names.js'
import { pathFault } from './path.js'
import { readable } from './peer.js'
import type { TrustStore } from './trust.js'
import { Certificate, purposes } from './x509.js'

/** More is not read: nobody's certificate is so far from its authority. */
const maximumChain = 10

/**
 * The bare addresses in the first certificate of `chain`, in DER, as they are written there; none unless it leads to
 * an authority of `trust` at `now` (milliseconds since 1970) and may be used by a client.
 */
export function accountsOf(chain: readonly Buffer[], trust: TrustStore, now: number): readonly string[] {
  try {
    const [first, ...others] = chain.slice(0, maximumChain)
    if (!first) return []
    const leaf = new Certificate(first)
    const isForClients = leaf.purposes?.some((oid) => oid === purposes.client || oid === purposes.any) ?? true
    if (!isForClients || pathFault(leaf, readable(others), trust, now)) return []
    return accountNames(leaf)
  } catch (error) {
    if (error instanceof DerError) return []
    throw error
  }
}
