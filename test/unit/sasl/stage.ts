/** A SASL context over accounts held in a map, for the tests of the mechanisms. */
import { systemRandom } from '../../../src/base/random.js'
import type { Credentials, Mechanism, SaslContext, Step } from '../../../src/sasl/mechanism.js'
import { mechanisms } from '../../../src/sasl/mechanisms.js'
import { Passwords } from '../../../src/sasl/password.js'

/** Few rounds keep the tests quick; the real number is tested where it matters. */
export const passwords = new Passwords(systemRandom, { iterations: 64 })

export const accounts = new Map<string, Credentials>([
  ['romeo', { keys: await passwords.deriveKeys('pencil'), disabled: false }],
  ['a=b,c', { keys: await passwords.deriveKeys('pencil'), disabled: false }],
  ['paris', { keys: await passwords.deriveKeys('pencil'), disabled: true }],
])

export function context(change: Partial<SaslContext> = {}): SaslContext {
  return {
    domain: 'example.org',
    offered: ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'],
    bindings: undefined,
    tls: undefined,
    random: systemRandom,
    secret: Buffer.alloc(32, 7),
    passwords,
    prepare: (local) => (/["&'/:<>@\s\0]/.test(local) ? undefined : local.toLowerCase() || undefined),
    credentials: (local) => Promise.resolve(accounts.get(local)),
    ...change,
  }
}

export function mechanism(name: string): Mechanism {
  const found = mechanisms.find((one) => one.name === name)
  if (!found) throw new Error(`no mechanism ${name}`)
  return found
}

/** `failure not-authorized`, `success romeo` or `continue`. */
export function told(step: Step): string {
  if (step.outcome === 'failure') return `failure ${step.condition}`
  return step.outcome === 'success' ? `success ${step.local}` : 'continue'
}
