/** A start tag as the scanner hands it up: offsets of its name and attributes, and how a usual one is read at once. */
import { APOSTROPHE, BLANK, COLON, EQUAL, GT, QUOTATION, SLASH } from './bytes.js'
import { CLASS, NAME_START, PLAIN_NAME, skip, VALUE } from './characters.js'

// Layout of an entry in `attributes`: offsets from `base`, and what decoding needs.
export const NAME_FROM = 0
export const NAME_TO = 1
export const NAME_COLON = 2
export const VALUE_FROM = 3
export const VALUE_TO = 4
/** 0 when the bytes of the value are its text, else 1. */
export const VALUE_CODED = 5
export const ENTRY = 6

const ROOM = 16 * ENTRY
const LARGE = 256 * ENTRY

export class Tag {
  from = 0
  to = 0
  /** The colon in the name, or -1. */
  colon = -1
  /** Whether a name in the tag has characters beyond ASCII. */
  foreign = false
  /** How many attributes there are; each has `ENTRY` numbers in `attributes`. */
  count = 0
  attributes: Int32Array<ArrayBuffer> = new Int32Array(ROOM)

  /** Forgets the room that an unusual tag took. */
  shrink(): void {
    if (this.attributes.length > LARGE) this.attributes = new Int32Array(ROOM)
  }
}

/**
 * Reads a whole start tag from its `<` at `lt`.
 * @param most how many attributes there may be
 * @returns the place behind its `>`; -1 when it is cut off at `stop`, ill-formed or unusual: white space other than
 *   single blanks, references, names beyond ASCII
 */
export function readTag(
  tag: Tag,
  buffer: Buffer,
  base: number,
  lt: number,
  stop: number,
  most: number,
): number {
  let pos = lt + 1
  if ((CLASS[buffer[pos]!]! & NAME_START) === 0) return -1
  let colon = -1
  pos = skip(buffer, pos, stop, PLAIN_NAME)
  if (pos + 1 < stop && buffer[pos] === COLON) {
    colon = pos++ - base
    if ((CLASS[buffer[pos]!]! & NAME_START) === 0) return -1
    pos = skip(buffer, pos, stop, PLAIN_NAME)
  }
  const to = pos - base
  let count = 0
  while (pos + 1 < stop && buffer[pos] === BLANK && (CLASS[buffer[pos + 1]!]! & NAME_START) !== 0) {
    const entry = count * ENTRY
    if (count === most || entry === tag.attributes.length) return -1
    pos = readAttribute(tag.attributes, entry, buffer, base, pos + 1, stop)
    if (pos < 0) return -1
    count++
  }
  if (pos < stop && buffer[pos] === BLANK) pos++
  if (pos < stop && buffer[pos] === SLASH) pos++
  if (pos >= stop || buffer[pos] !== GT) return -1
  tag.from = lt + 1 - base
  tag.to = to
  tag.colon = colon
  tag.foreign = false
  tag.count = count
  return pos + 1
}

/** Reads `name='value'` into the entry; returns the place behind it, or -1. */
function readAttribute(
  attributes: Int32Array,
  entry: number,
  buffer: Buffer,
  base: number,
  from: number,
  stop: number,
): number {
  let pos = from
  let colon = -1
  pos = skip(buffer, pos, stop, PLAIN_NAME)
  if (pos + 1 < stop && buffer[pos] === COLON) {
    colon = pos++ - base
    if ((CLASS[buffer[pos]!]! & NAME_START) === 0) return -1
    pos = skip(buffer, pos, stop, PLAIN_NAME)
  }
  if (pos + 2 >= stop || buffer[pos] !== EQUAL) return -1
  const quote = buffer[pos + 1]!
  if (quote !== APOSTROPHE && quote !== QUOTATION) return -1
  attributes[entry + NAME_FROM] = from - base
  attributes[entry + NAME_TO] = pos - base
  attributes[entry + NAME_COLON] = colon
  pos += 2
  attributes[entry + VALUE_FROM] = pos - base
  attributes[entry + VALUE_CODED] = 0
  pos = skip(buffer, pos, stop, VALUE)
  if (pos >= stop || buffer[pos] !== quote) return -1
  attributes[entry + VALUE_TO] = pos - base
  return pos + 1
}

/** The same numbers with twice the room. */
export function grown(list: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(list.length * 2)
  larger.set(list)
  return larger
}
