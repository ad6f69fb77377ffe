/** ANONYMOUS (RFC 4505): a passing account under a name that nobody can guess. */
import { isUtf8 } from 'node:buffer'
import { failure } from './mechanism.js'
import type { Exchange, Mechanism, SaslContext, Step } from './mechanism.js'

export const anonymous: Mechanism = {
  name: 'ANONYMOUS',
  plus: false,
  begin: (at) => new AnonymousExchange(at),
}

class AnonymousExchange implements Exchange {
  #begun = false

  constructor(private readonly at: SaslContext) {}

  step(trace: Buffer): Step {
    // RFC 4505 §2: trace information is at most 255 characters of UTF-8. We take no notice of it (§3: it may be forged).
    if (
      this.#begun ||
      trace.length > 1020 ||
      !isUtf8(trace) ||
      Array.from(trace.toString('utf8')).length > 255
    )
      return failure('malformed-request')
    this.#begun = true
    return { outcome: 'success', local: this.at.random.bytes(16).toString('hex') }
  }
}
