/** PLAIN (RFC 4616): name and password in clear, for clients that know nothing better. To be offered under TLS only. */
import { isUtf8 } from 'node:buffer'
import { failure, isOwnBareJid } from './mechanism.js'
import type { Exchange, Mechanism, SaslContext, Step } from './mechanism.js'

export const plain: Mechanism = {
  name: 'PLAIN',
  plus: false,
  begin: (at) => new PlainExchange(at),
}

const maximumBytes = 8192

class PlainExchange implements Exchange {
  #begun = false

  constructor(private readonly at: SaslContext) {}

  async step(data: Buffer): Promise<Step> {
    if (this.#begun || data.length > maximumBytes || !isUtf8(data)) return failure('malformed-request')
    this.#begun = true
    // RFC 4616 §2: message = [authzid] NUL authcid NUL passwd
    const [authzid, name, password, ...rest] = data.toString('utf8').split('\0')
    if (authzid === undefined || !name || !password || rest.length > 0) return failure('malformed-request')
    const local = this.at.prepare(name)
    if (!local) return failure('malformed-request')
    if (authzid !== '' && !isOwnBareJid(authzid, local, this.at)) return failure('invalid-authzid')
    try {
      const credentials = await this.at.credentials(local)
      const right = await this.at.passwords.verify(password, credentials?.keys ?? {})
      if (!credentials || !right) return failure('not-authorized')
      return credentials.disabled ? failure('account-disabled') : { outcome: 'success', local, password }
    } catch {
      return failure('temporary-auth-failure')
    }
  }
}
