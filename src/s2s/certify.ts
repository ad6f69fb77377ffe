/** Whether a connection is to, or from, the server of a domain: by its certificates, or by what secured DNS says of them. */
import type { Certified, Certify } from './parts.js'
import type { Clock } from '../base/clock.js'
import type { Transport } from '../stream/transport.js'
import { matchTlsa, type TlsaRecord } from '../tls/dane.js'
import { verifyChain, verifyPeer } from '../tls/peer.js'
import { TrustStore } from '../tls/trust.js'

export function certifyBy(trust: TrustStore, clock: Clock): Certify {
  /** The chain is looked at once for each connection, however many domains its peer claims. */
  const chains = new WeakMap<Transport, (domain: string) => Certified>()
  return (transport, domain, tlsa = []) => {
    const known = chains.get(transport)
    if (known) return known(domain)
    const chain = transport.tls?.peerChain ?? []
    const usable = tlsa.filter(isUsable)
    // RFC 7673 §5: with records that can be used, nothing else counts.
    if (usable.length > 0) return byDane(usable, chain, domain, clock.now())
    const verdict = verifyChain(chain, trust, clock.now())
    if (transport.tls) chains.set(transport, verdict)
    return verdict(domain)
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
