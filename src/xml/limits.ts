/** What a parser refuses: its limits, and the fault it throws. */

/** Bounds of one first-level element (and of the stream header), enforced while its bytes come in. */
export interface ParserLimits {
  /** Bytes on the wire, from `<` of the start tag to `>` of the end tag. */
  readonly bytes: number
  /** Elements open at once; the first-level element is 1. */
  readonly depth: number
  /** Elements in all, the first-level element included. */
  readonly elements: number
  /** Attributes of one start tag, namespace declarations included. */
  readonly attributes: number
  /** Prefixes declared at once, those of the stream header included. */
  readonly namespaces: number
}

export type LimitName = keyof ParserLimits

/** The limits of an authenticated client's stream. */
export const defaultLimits: ParserLimits = {
  bytes: 262_144,
  depth: 128,
  elements: 10_000,
  attributes: 512,
  namespaces: 512,
}

/** The limits of a text that is in memory already: its length bounds all of it but the depth that walks over its tree bear. */
export const textLimits: ParserLimits = {
  bytes: Infinity,
  depth: 1_000,
  elements: Infinity,
  attributes: Infinity,
  namespaces: Infinity,
}

/** Stream error conditions (RFC 6120 §4.9.3) that XML alone can cause. */
export type XmlCondition =
  | 'not-well-formed'
  | 'restricted-xml'
  | 'unsupported-encoding'
  | 'invalid-namespace'
  | 'bad-namespace-prefix'
  | 'policy-violation'
  | 'bad-format'

/** The bytes cannot be accepted; the parser that threw it is dead. */
export class XmlFault extends Error {
  readonly condition: XmlCondition
  /** Which one was exceeded, of a `policy-violation`. */
  readonly limit: LimitName | undefined
  constructor(condition: XmlCondition, message: string, limit?: LimitName) {
    super(message)
    this.name = 'XmlFault'
    this.condition = condition
    this.limit = limit
  }
}

/** The fault of bytes that are no XML, or not namespace-well-formed (RFC 6120 §11.3). */
export function malformed(message: string): XmlFault {
  return new XmlFault('not-well-formed', message)
}
