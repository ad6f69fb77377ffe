/** Stream errors: the conditions of RFC 6120 §4.9.3. Every one of them ends the stream. */
import type { Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { escapeText, serialise } from '../xml/write.js'

export const streamConditions = [
  'bad-format', // §4.9.3.1: XML that cannot be processed; prefer the more exact conditions
  'bad-namespace-prefix', // §4.9.3.2
  'conflict', // §4.9.3.3: replaced by a newer stream of the same resource
  'connection-timeout', // §4.9.3.4: the peer no longer answers
  'host-gone', // §4.9.3.5: the domain is no longer served here
  'host-unknown', // §4.9.3.6: the domain of 'to' is not served here
  'improper-addressing', // §4.9.3.7: between servers, 'to' or 'from' missing or malformed
  'internal-server-error', // §4.9.3.8
  'invalid-from', // §4.9.3.9: 'from' is not what was authenticated
  'invalid-namespace', // §4.9.3.10
  'invalid-xml', // §4.9.3.11
  'not-authorized', // §4.9.3.12: too early, or no longer allowed
  'not-well-formed', // §4.9.3.13
  'policy-violation', // §4.9.3.14: limits and local rules
  'remote-connection-failed', // §4.9.3.15
  'reset', // §4.9.3.16: start again, for new features or keys
  'resource-constraint', // §4.9.3.17
  'restricted-xml', // §4.9.3.18: comment, processing instruction, DTD, entity
  'see-other-host', // §4.9.3.19: the other address is required
  'system-shutdown', // §4.9.3.20
  'undefined-condition', // §4.9.3.21: only with an application condition
  'unsupported-encoding', // §4.9.3.22
  'unsupported-feature', // §4.9.3.23
  'unsupported-stanza-type', // §4.9.3.24: a first-level child that nobody knows
  'unsupported-version', // §4.9.3.25
] as const

export type StreamCondition = (typeof streamConditions)[number]

/** The peer broke the stream, or we must end it. `stream.fail` writes it and closes. */
export class StreamError extends Error {
  override readonly name = 'StreamError'

  /**
   * `text` is read by humans (English). `application` is one element of another namespace (RFC 6120 §4.9.4).
   * `host` is the content of `see-other-host`, as `domain`, `domain:port` or `[address]:port`; ignored otherwise.
   */
  constructor(
    readonly condition: StreamCondition,
    readonly text?: string,
    readonly application?: Element,
    readonly host?: string,
  ) {
    super(text === undefined ? condition : `${condition}: ${text}`)
  }

  /** The `<stream:error/>` element, for a stream whose header bound the prefix `stream`. */
  toXml(): string {
    const host = this.condition === 'see-other-host' && this.host !== undefined ? escapeText(this.host) : ''
    const condition = host
      ? `<${this.condition} xmlns='${NS.streamErrors}'>${host}</${this.condition}>`
      : `<${this.condition} xmlns='${NS.streamErrors}'/>`
    const text =
      this.text === undefined
        ? ''
        : `<text xmlns='${NS.streamErrors}' xml:lang='en'>${escapeText(this.text)}</text>`
    // RFC 6120 §4.9.2: condition, then text, then the application's condition.
    const application = this.application ? serialise(this.application, '') : ''
    return `<stream:error>${condition}${text}${application}</stream:error>`
  }
}
