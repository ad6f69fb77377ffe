/** HT-SHA-256 (draft-schmaus-kitten-sasl-ht-09): both sides prove in one step that they know a token. Server side. */
import { isUtf8 } from 'node:buffer'
import { createHmac } from 'node:crypto'
import { failure } from './mechanism.js'
import type { Exchange, Mechanism, SaslContext, Step, Token } from './mechanism.js'
import { equal } from './password.js'

/** What the proof of a mechanism is bound to. */
const bindingTypes = {
  EXPR: 'tls-exporter',
  ENDP: 'tls-server-end-point',
  NONE: undefined,
} as const

export class HashedToken implements Mechanism {
  readonly name: string
  readonly plus: boolean
  /** Type of channel binding that it needs. */
  readonly bindingType: string | undefined

  constructor(binding: keyof typeof bindingTypes) {
    this.name = `HT-SHA-256-${binding}`
    this.bindingType = bindingTypes[binding]
    this.plus = this.bindingType !== undefined
  }

  begin(at: SaslContext): Exchange {
    return new HashedTokenExchange(this, at)
  }
}

const hashBytes = 32
const maximumBytes = 8192
/** Tokens that a client can have: as many are always compared with. */
const mostTokens = 2
const noBinding = Buffer.alloc(0)

class HashedTokenExchange implements Exchange {
  #begun = false

  constructor(
    private readonly mechanism: HashedToken,
    private readonly at: SaslContext,
  ) {}

  async step(data: Buffer): Promise<Step> {
    // §3.1: authcid NUL initiator-hashed-token
    const cut = data.indexOf(0)
    const name = data.subarray(0, Math.max(0, cut))
    const proof = data.subarray(cut + 1)
    const { bindingType } = this.mechanism
    const binding = bindingType === undefined ? noBinding : this.at.bindings?.data(bindingType)
    if (this.#begun || cut < 1 || proof.length !== hashBytes || data.length > maximumBytes || !isUtf8(name))
      return failure('malformed-request')
    this.#begun = true
    const local = this.at.prepare(name.toString('utf8'))
    if (!local || !binding) return failure('malformed-request')
    try {
      const credentials = await this.at.credentials(local)
      const token = proved(await this.#tokens(local), proof, binding)
      if (!credentials || !token) return failure('not-authorized')
      if (credentials.disabled) return failure('account-disabled')
      // XEP-0484 §4.2: it was right once; now the client needs its password.
      if (token.expired) return failure('credentials-expired')
      if (!(await token.use())) return failure('not-authorized')
      return { outcome: 'success', local, token, data: hmac(token.secret, 'Responder', binding) }
    } catch {
      return failure('temporary-auth-failure')
    }
  }

  /** XEP-0484 §3.4: a token is good for the mechanism that it was asked for, and no other. */
  async #tokens(local: string): Promise<readonly Token[]> {
    const tokens = (await this.at.tokens?.(local)) ?? []
    return tokens.filter(({ mechanism }) => mechanism === this.mechanism.name)
  }
}

/** The token that `proof` is of. Takes the same time whether there are tokens and whether one fits. */
function proved(tokens: readonly Token[], proof: Buffer, binding: Buffer): Token | undefined {
  let found: Token | undefined
  for (let i = 0; i < mostTokens; i++) {
    const token = tokens[i]
    const fits = equal(hmac(token?.secret ?? proof, 'Initiator', binding), proof)
    if (fits && token && !found) found = token
  }
  return found
}

function hmac(secret: Buffer, who: 'Initiator' | 'Responder', binding: Buffer): Buffer {
  return createHmac('sha256', secret).update(who).update(binding).digest()
}
