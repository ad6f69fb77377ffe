/**
 * Whether another server is who it says: its certificates against our trust and a domain (RFC 6120 §13.7.2). Pure and
 * synchronous. Node's own verdict is of no use: it tells one fault only, and a certificate from a public authority that
 * is for servers only looks like one that is self-signed.
 */
import { DerError } from './der.js'
import { isFor, namesIn } from './names.js'
import { pathFault } from './path.js'
import type { PathFault } from './path.js'
import type { TrustStore } from './trust.js'
import { Certificate } from './x509.js'

export type PeerFault = PathFault | 'no-certificate' | 'name-mismatch'

export type PeerVerdict =
  | {
      readonly ok: true
      /** Names in the certificate, for people. */
      readonly names: readonly string[]
      /** When the certificate of the server ends: milliseconds since 1970 UTC. */
      readonly expires: number
    }
  | {
      readonly ok: false
      readonly reason: PeerFault
      /** One line for the admin, without a full stop. */
      readonly text: string
    }

/** More is not read: no server needs so many. */
const maximumChain = 10

/**
 * `chain` in DER, the server's own certificate first and the others in any order; `domain` is the one that it claims
 * to serve, never the name of its machine; `now` in milliseconds since 1970 UTC. Revocation is not looked at.
 */
export function verifyPeer(
  chain: readonly Buffer[],
  domain: string,
  trust: TrustStore,
  now: number,
): PeerVerdict {
  return verifyChain(chain, trust, now)(domain)
}

/** The same for any number of domains: the chain, which takes milliseconds, is looked at once. */
export function verifyChain(
  chain: readonly Buffer[],
  trust: TrustStore,
  now: number,
): (domain: string) => PeerVerdict {
  const always = (verdict: PeerVerdict) => () => verdict
  if (chain.length === 0) return always(refused('no-certificate', 'it sent no certificate'))
  try {
    const leaf = new Certificate(chain[0]!)
    const fault = pathFault(leaf, readable(chain.slice(1, maximumChain)), trust, now)
    if (fault) return always({ ok: false, ...fault })
    const names = namesIn(leaf)
    return (domain) => nameVerdict(leaf, names, domain)
  } catch (error) {
    return always(malformed(error))
  }
}

function nameVerdict(leaf: Certificate, names: readonly string[], domain: string): PeerVerdict {
  try {
    if (isFor(leaf, domain)) return { ok: true, names, expires: leaf.notAfter }
    return refused('name-mismatch', `the certificate is for ${listed(names)}, not for ${domain}`)
  } catch (error) {
    return malformed(error)
  }
}

function malformed(error: unknown): PeerVerdict {
  if (!(error instanceof DerError)) throw error
  return refused('malformed', `a certificate cannot be read: ${error.message}`)
}

/** Of what comes along, what cannot be read is as good as not sent. */
export function readable(chain: readonly Buffer[]): Certificate[] {
  return chain.flatMap((der) => {
    try {
      return new Certificate(der)
    } catch {
      return []
    }
  })
}

function refused(reason: PeerFault, text: string): PeerVerdict {
  return { ok: false, reason, text }
}

function listed(names: readonly string[]): string {
  const unique = [...new Set(names)]
  if (unique.length === 0) return 'no domain at all'
  const more = unique.length - 5
  return unique.slice(0, 5).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
