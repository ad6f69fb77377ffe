/** The mechanisms this server speaks, and which of them a stream can be offered. */
import { anonymous } from './anonymous.js'
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

/** Those of the `enabled` names that fit a stream: -PLUS needs channel binding (RFC 5802 §6). */
export function offerable(
  enabled: readonly string[],
  bindings: ChannelBindings | undefined,
): readonly Mechanism[] {
  return mechanisms.filter((one) => enabled.includes(one.name) && (!one.plus || bindings))
}
