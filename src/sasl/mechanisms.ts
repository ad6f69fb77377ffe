/** The mechanisms this server speaks, and which of them a stream can be offered. */
import { anonymous } from './anonymous.js'
import { HashedToken } from './ht.js'
import type { ChannelBindings, Mechanism } from './mechanism.js'
import { plain } from './plain.js'
import { Scram } from './scram.js'

/** All of them, strongest first, as RFC 6120 §6.3.3 wants them listed. */
export const mechanisms: readonly Mechanism[] = [
  new Scram('SHA-512', true),
  new Scram('SHA-256', true),
  new Scram('SHA-1', true),
  new Scram('SHA-512', false),
  new Scram('SHA-256', false),
  new Scram('SHA-1', false),
  plain,
  anonymous,
]

/** Those that take a token instead of a password (XEP-0484), strongest first. */
const tokenMechanisms = [new HashedToken('EXPR'), new HashedToken('ENDP'), new HashedToken('NONE')] as const

/** Those of the `enabled` names that a stream has the binding for. */
export function offerableTokens(
  enabled: readonly string[],
  bindings: ChannelBindings | undefined,
): readonly Mechanism[] {
  const has = (type: string | undefined) => type === undefined || bindings?.types.includes(type)
  return tokenMechanisms.filter(({ name, bindingType }) => enabled.includes(name) && has(bindingType))
}

/** Those of the `enabled` names that fit a stream: -PLUS needs channel binding (RFC 5802 §6). */
export function offerable(
  enabled: readonly string[],
  bindings: ChannelBindings | undefined,
): readonly Mechanism[] {
  return mechanisms.filter((one) => enabled.includes(one.name) && (!one.plus || bindings))
}
