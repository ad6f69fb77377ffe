/** Stanza errors: the conditions of RFC 6120 §8.3.3, each with the type the RFC gives it. */
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

/** RFC 6120 §8.3.2: what the sender may do about the error. */
export type StanzaErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait'

/** The type used when a site names only the condition. Where the RFC allows two, the first is taken. */
const defaultTypes = {
  'bad-request': 'modify', // §8.3.3.1: the XML does not fit the schema or cannot be processed
  conflict: 'cancel', // §8.3.3.2: something of that name or address exists
  'feature-not-implemented': 'cancel', // §8.3.3.3: nobody here implements it
  forbidden: 'auth', // §8.3.3.4: the sender lacks the permission
  gone: 'cancel', // §8.3.3.5: moved for good; give the new address as `uri` if there is one
  'internal-server-error': 'cancel', // §8.3.3.6: our bug or our database
  'item-not-found': 'cancel', // §8.3.3.7: never to strangers when it gives presence away
  'jid-malformed': 'modify', // §8.3.3.8: an address that RFC 7622 refuses
  'not-acceptable': 'modify', // §8.3.3.9: understood, but against the recipient's criteria
  'not-allowed': 'cancel', // §8.3.3.10: nobody may do this
  'not-authorized': 'auth', // §8.3.3.11: credentials needed first
  'policy-violation': 'modify', // §8.3.3.12: against local policy
  'recipient-unavailable': 'wait', // §8.3.3.13: never when it gives presence away
  redirect: 'modify', // §8.3.3.14: elsewhere for now; the address as `uri`
  'registration-required': 'auth', // §8.3.3.15
  'remote-server-not-found': 'cancel', // §8.3.3.16: no such server, or not reachable
  'remote-server-timeout': 'wait', // §8.3.3.17
  'resource-constraint': 'wait', // §8.3.3.18: out of room, for now
  'service-unavailable': 'cancel', // §8.3.3.19: the answer to strangers
  'subscription-required': 'auth', // §8.3.3.20
  'undefined-condition': 'cancel', // §8.3.3.21: only with an application condition
  'unexpected-request': 'wait', // §8.3.3.22: out of order
} as const satisfies Record<string, StanzaErrorType>

export type StanzaCondition = keyof typeof defaultTypes

export const stanzaConditions = Object.keys(defaultTypes) as readonly StanzaCondition[]

export interface StanzaErrorDetails {
  /** Overrides the condition's default type. */
  readonly type?: StanzaErrorType | undefined
  /** RFC 6120 §8.3.4: one element of the application's own namespace that says more. */
  readonly application?: Element | undefined
  /** The new address of `gone` and `redirect`, as an XMPP URI; ignored for other conditions. */
  readonly uri?: string | undefined
}

/** The peer's stanza cannot be served. Throw it in request handlers, return it from hooks; the bounce makes it a stanza. */
export class StanzaError extends Error {
  override readonly name = 'StanzaError'
  readonly type: StanzaErrorType
  readonly application: Element | undefined
  readonly uri: string | undefined

  /** `text` is read by humans (English); it must not reveal whether an account exists. */
  constructor(
    readonly condition: StanzaCondition,
    readonly text?: string,
    { type, application, uri }: StanzaErrorDetails = {},
  ) {
    super(text === undefined ? condition : `${condition}: ${text}`)
    this.type = type ?? defaultTypes[condition]
    this.application = application
    this.uri = condition === 'gone' || condition === 'redirect' ? uri : undefined
  }

  /** The `<error/>` child, in the namespace of the stanza around it. `by` is the address of who noticed (RFC 6120 §8.3.1). */
  toElement(by?: string): Element {
    // RFC 6120 §8.3.2: the condition first, then the text, then at most one application condition.
    return el(
      'error',
      undefined,
      { by, type: this.type },
      el(this.condition, NS.stanzaErrors, undefined, this.uri),
      this.text === undefined ? undefined : el('text', NS.stanzaErrors, { 'xml:lang': 'en' }, this.text),
      this.application,
    )
  }
}
