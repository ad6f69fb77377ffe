/** What other servers will think of a certificate of ours, before one of them refuses it. */
import type { CertificateFacts } from './certificates.js'
import { verifyPeer } from './peer.js'
import type { TrustStore } from './trust.js'
import { Certificate, purposes } from './x509.js'

/**
 * One line for the admin each; none when every server should take the certificate in both directions. `now` in
 * milliseconds since 1970 UTC.
 */
export function reputeOf(
  { domain, chain }: CertificateFacts,
  trust: TrustStore,
  now: number,
): readonly string[] {
  const verdict = verifyPeer(chain, domain, trust, now)
  if (verdict.ok) return serverOnly(chain[0]!)
  const fix = 'a public authority (by any ACME client) gives one that they take'
  if (verdict.reason === 'self-signed')
    return [`it is self-signed: other servers refuse it, or want a call back by DNS (dialback); ${fix}`]
  return [`other servers may refuse it: ${verdict.text}; ${fix}`]
}

function serverOnly(der: Buffer): readonly string[] {
  const allowed = new Certificate(der).purposes
  if (!allowed || allowed.includes(purposes.any)) return []
  if (allowed.includes(purposes.server) && allowed.includes(purposes.client)) return []
  return allowed.includes(purposes.server)
    ? ['it is for TLS servers only, as all public ones are: some servers want a call back by DNS from us']
    : ['it is for TLS clients only: clients and other servers refuse it; get one for servers']
}
