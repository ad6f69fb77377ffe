/** Whether a connection is to, or from, the server of a domain: by its certificates, or by what secured DNS says of them. */
import type { Certified, Certify } from './parts.js'
import type { Clock } from '../base/clock.js'
import { matchTlsa, type TlsaRecord } from '../tls/dane.js'
import { verifyPeer } from '../tls/peer.js'
import { TrustStore } from '../tls/trust.js'

export function certifyBy(trust: TrustStore, clock: Clock): Certify {
  return (transport, domain, tlsa = []) => {
    const chain = transport.tls?.peerChain ?? []
    const usable = tlsa.filter(isUsable)
    // RFC 7673 §5: with records that can be used, nothing else counts.
    return usable.length > 0
      ? byDane(usable, chain, domain, clock.now())
      : verifyPeer(chain, domain, trust, clock.now())
  }
}

/** RFC 7671 §4.1, §5: on trusted authorities of DNS, or on the key itself, in a form that we know. */
function isUsable({ usage, selector, matching }: TlsaRecord): boolean {
  return (usage === 2 || usage === 3) && selector <= 1 && matching <= 2
}

function byDane(
  records: readonly TlsaRecord[],
  chain: readonly Buffer[],
  domain: string,
  now: number,
): Certified {
  const match = matchTlsa(records, chain)
  if (match?.usage === 3) return { ok: true }
  if (match) return verifyPeer(chain, domain, TrustStore.of(match.anchor), now)
  return { ok: false, text: 'its certificate is not one that DNS names (DANE)' }
}
