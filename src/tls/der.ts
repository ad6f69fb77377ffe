/** Reads DER (X.690 §8 and §10): what X.509 needs of it, strictly, one level at a time. */

/** One element: its tag as the byte that it is, its content, and both with the length between. */
export interface Element {
  readonly tag: number
  readonly content: Buffer
  readonly whole: Buffer
}

/** What was read is no DER, or not the structure that it should be. */
export class DerError extends Error {
  override readonly name = 'DerError'
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  /** Context-specific and constructed, [0]; add the number for others. */
  explicit: 0xa0,
  /** Context-specific and primitive, [0]. */
  implicit: 0x80,
} as const

/** The elements that follow each other in `bytes`. Throws `DerError` unless they fill it. */
export function readElements(bytes: Buffer): Element[] {
  const found: Element[] = []
  for (let at = 0; at < bytes.length;) {
    const element = readElement(bytes, at)
    found.push(element)
    at += element.whole.length
  }
  return found
}

/** The members of the one element that `bytes` is, which must have this tag. */
export function membersOf(bytes: Buffer, tag: number = tags.sequence): Element[] {
  return readElements(contentOf(bytes, tag))
}

/** The content of the one element that `bytes` is, which must have this tag. */
export function contentOf(bytes: Buffer, tag: number): Buffer {
  const element = readElement(bytes, 0)
  if (element.whole.length !== bytes.length) throw new DerError('bytes are left over')
  return expect(element, tag).content
}

/** The element, when there is one and it has this tag. */
export function expect(element: Element | undefined, tag: number): Element {
  if (element?.tag !== tag) throw new DerError(`tag ${element?.tag} where ${tag} should be`)
  return element
}

/** An object identifier as people write it. */
export function readOid(element: Element | undefined): string {
  const { content } = expect(element, tags.oid)
  const arcs: number[] = []
  let arc = 0
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER / 128) throw new DerError('an object identifier is too large')
    if (byte >= 0x80) continue
    arcs.push(arc)
    arc = 0
  }
  const last = content.at(-1)
  if (last === undefined || last >= 0x80) throw new DerError('an object identifier is cut short')
  const first = Math.min(2, Math.floor(arcs[0]! / 40))
  return [first, arcs[0]! - first * 40, ...arcs.slice(1)].join('.')
}

/** X.690 §11.1: true is all ones. */
export function readBoolean(element: Element | undefined): boolean {
  const { content } = expect(element, tags.boolean)
  if (content.length !== 1 || (content[0] !== 0xff && content[0] !== 0))
    throw new DerError('a boolean is neither')
  return content[0] === 0xff
}

/** A number that is not negative; beyond what fits it is infinite. */
export function readNumber(element: Element | undefined): number {
  const { content } = expect(element, tags.integer)
  if (content.length === 0 || content[0]! >= 0x80) throw new DerError('a number is negative or missing')
  return content.length > 6 ? Infinity : content.readUIntBE(0, content.length)
}

/** RFC 5280 §4.1.2.5: to the second and in UTC. Milliseconds since 1970. */
export function readTime(element: Element | undefined): number {
  const text = element?.content.toString('latin1') ?? ''
  const short = element?.tag === tags.utcTime
  if (!short) expect(element, tags.generalizedTime)
  const fields = /^(\d\d|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  const year = fields?.[1] ?? ''
  if (!fields || year.length !== (short ? 2 : 4)) throw new DerError('a time is not as it should be')
  const century = short ? (Number(year) >= 50 ? '19' : '20') : ''
  const [, , month, date, hour, minute, second] = fields
  const ms = Date.parse(`${century}${year}-${month}-${date}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(ms)) throw new DerError('a time is on no calendar')
  return ms
}

function readElement(bytes: Buffer, at: number): Element {
  const tag = bytes[at]
  let length = bytes[at + 1]
  if (tag === undefined || length === undefined) throw new DerError('an element is cut short')
  // No tag of X.509 takes more than one byte.
  if ((tag & 0x1f) === 0x1f) throw new DerError('a long tag')
  let start = at + 2
  if (length >= 0x80) {
    const size = length - 0x80
    // X.690 §10.1: the definite form, and the shortest.
    if (size === 0 || size > 4 || start + size > bytes.length)
      throw new DerError('a length is not as it should be')
    length = bytes.readUIntBE(start, size)
    if (length < 0x80 || bytes[start] === 0) throw new DerError('a length is longer than it need be')
    start += size
  }
  const end = start + length
  if (end > bytes.length) throw new DerError('an element is cut short')
  return { tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) }
}
