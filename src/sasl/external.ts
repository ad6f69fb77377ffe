/** EXTERNAL (RFC 4422 appendix A, XEP-0178 §2): who has shown a certificate needs to prove nothing more. */
import { isUtf8 } from 'node:buffer'
import { failure, isOwnBareJid } from './mechanism.js'
import type { Exchange, Mechanism, SaslContext, Step } from './mechanism.js'

export const external: Mechanism = {
  name: 'EXTERNAL',
  plus: false,
  begin: (at) => new ExternalExchange(at),
}

/** RFC 7622 §3.1: no address is longer. */
const maximumBytes = 3071

class ExternalExchange implements Exchange {
  #begun = false

  constructor(private readonly at: SaslContext) {}

  async step(data: Buffer): Promise<Step> {
    if (this.#begun || data.length > maximumBytes || !isUtf8(data)) return failure('malformed-request')
    this.#begun = true
    const authzid = data.toString('utf8')
    const certified = this.at.certified ?? []
    // XEP-0178 §2: one of several must be named, the only one need not be.
    const local = authzid === '' ? certified[0] : certified.find((one) => isOwnBareJid(authzid, one, this.at))
    if (local === undefined || (authzid === '' && certified.length > 1)) return failure('invalid-authzid')
    try {
      const credentials = await this.at.credentials(local)
      if (!credentials) return failure('not-authorized')
      return credentials.disabled ? failure('account-disabled') : { outcome: 'success', local }
    } catch {
      return failure('temporary-auth-failure')
    }
  }
}
