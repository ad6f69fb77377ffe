/** Errors of pubsub: a condition of RFC 6120 with the one of its own namespace that says more (XEP-0060 §11, §17.2). */
import { StanzaError, type StanzaCondition, type StanzaErrorType } from '../../stanza/errors.js'
import { el } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** XEP-0060 §17.2, as far as they are used here. */
export type Detail =
  | 'closed-node'
  | 'invalid-jid'
  | 'invalid-options'
  | 'invalid-payload'
  | 'item-forbidden'
  | 'item-required'
  | 'jid-required'
  | 'max-items-exceeded'
  | 'max-nodes-exceeded'
  | 'node-full'
  | 'nodeid-required'
  | 'not-in-roster-group'
  | 'not-subscribed'
  | 'payload-required'
  | 'payload-too-big'
  | 'pending-subscription'
  | 'precondition-not-met'
  | 'presence-subscription-required'
  | 'too-many-subscriptions'
  | 'unsupported-access-model'

export function refusal(
  condition: StanzaCondition,
  detail: Detail,
  { text, type }: { text?: string; type?: StanzaErrorType } = {},
): StanzaError {
  return new StanzaError(condition, text, { type, application: el(detail, NS.pubsubErrors) })
}

/** XEP-0060: `feature` is one of those of §16.3, without its prefix. */
export function unsupported(feature: string): StanzaError {
  const application = el('unsupported', NS.pubsubErrors, { feature })
  return new StanzaError('feature-not-implemented', undefined, { application })
}

/**
 * What a stranger is told by the service at an account: nodes that are not open, nodes that are not there and accounts
 * that are not there look the same.
 */
export function notForStrangers(): StanzaError {
  return refusal('not-authorized', 'presence-subscription-required')
}
