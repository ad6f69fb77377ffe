/** Which bytes and characters may stand where (XML 1.0 §2.2, §2.3, §4.1). */
import { isAscii, isUtf8 } from 'node:buffer'
import { malformed, XmlFault } from './limits.js'

/** May stand in a name; bytes of non-ASCII characters count as such until the whole name is looked at. No colon. */
export const NAME = 1
/** May begin a name. */
export const NAME_START = 2
export const SPACE = 4
/** Needs no second look in character data. */
export const TEXT = 8
/** Needs no second look in an attribute value. */
export const VALUE = 16
/** An ASCII character of a name. */
export const PLAIN_NAME = 32

/** The classes of each byte. */
export const CLASS = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte)
  if (byte >= 0x80) return NAME | NAME_START | TEXT | VALUE
  let classes = 0
  if (/[A-Za-z0-9._-]/.test(character)) classes |= NAME | PLAIN_NAME
  if (/[A-Za-z_]/.test(character)) classes |= NAME_START
  if (/[ \t\r\n]/.test(character)) classes |= SPACE
  if (/[\t\n -~\x7f]/.test(character) && !/[<&>\]]/.test(character)) classes |= TEXT
  if (/[ -~\x7f]/.test(character) && !/[<&"']/.test(character)) classes |= VALUE
  return classes
})

/** The first place from `pos` on whose byte is not of the class; `stop` if there is none before. */
export function skip(bytes: Buffer, from: number, stop: number, kind: number): number {
  let pos = from
  // Four at a time: a branch costs more than a look at a byte.
  while (
    pos + 4 <= stop &&
    (CLASS[bytes[pos]!]! &
      CLASS[bytes[pos + 1]!]! &
      CLASS[bytes[pos + 2]!]! &
      CLASS[bytes[pos + 3]!]! &
      kind) !==
      0
  )
    pos += 4
  while (pos < stop && (CLASS[bytes[pos]!]! & kind) !== 0) pos++
  return pos
}

const START_CHARACTERS =
  'A-Z_a-z\\u{C0}-\\u{D6}\\u{D8}-\\u{F6}\\u{F8}-\\u{2FF}\\u{370}-\\u{37D}\\u{37F}-\\u{1FFF}\\u{200C}-\\u{200D}' +
  '\\u{2070}-\\u{218F}\\u{2C00}-\\u{2FEF}\\u{3001}-\\u{D7FF}\\u{F900}-\\u{FDCF}\\u{FDF0}-\\u{FFFD}\\u{10000}-\\u{EFFFF}'
const NAME_CHARACTERS = `${START_CHARACTERS}\\-.0-9\\u{B7}\\u{300}-\\u{36F}\\u{203F}-\\u{2040}`
const NC_NAME = `[${START_CHARACTERS}][${NAME_CHARACTERS}]*`
const Q_NAME = new RegExp(`^${NC_NAME}(?::${NC_NAME})?$`, 'u')

/** Whether `name` is a qualified name (Namespaces in XML 1.0 §4). */
export function isQualifiedName(name: string): boolean {
  return Q_NAME.test(name)
}

/** Whether the number stands for a character that XML allows (XML 1.0 §2.2). */
export function isXmlCharacter(code: number): boolean {
  return (
    code === 0x9 ||
    code === 0xa ||
    code === 0xd ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff)
  )
}

/**
 * Looks at a reference, given without `&` and `;`.
 * @returns whether it is one of the five names; else it is a sound character reference
 * @throws XmlFault
 */
export function checkReference(reference: string): boolean {
  if (Object.hasOwn(PREDEFINED, reference)) return true
  if (reference.startsWith('#')) {
    if (!isXmlCharacter(codeOf(reference))) throw malformed('A character reference to no allowed character')
    return false
  }
  // RFC 6120 §11.1: references to other than the predefined entities are restricted.
  if (isQualifiedName(reference)) throw new XmlFault('restricted-xml', 'A reference to an undeclared entity')
  throw malformed('An ampersand that begins no reference')
}

const PREDEFINED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function codeOf(reference: string): number {
  if (/^#x[0-9a-fA-F]+$/.test(reference)) return Number.parseInt(reference.slice(2), 16)
  if (/^#[0-9]+$/.test(reference)) return Number.parseInt(reference.slice(1), 10)
  return -1
}

/** Character data of checked source text as the text it stands for. */
export function decodeText(source: string): string {
  return decodeReferences(normaliseLines(source))
}

/** A checked attribute value as the text it stands for (XML 1.0 §3.3.3). */
export function decodeValue(source: string): string {
  return decodeReferences(/[\t\n\r]/.test(source) ? source.replace(/\r\n|[\t\n\r]/g, ' ') : source)
}

/** Line ends as XML 1.0 §2.11 wants them. */
export function normaliseLines(source: string): string {
  return source.includes('\r') ? source.replace(/\r\n?/g, '\n') : source
}

function decodeReferences(source: string): string {
  if (!source.includes('&')) return source
  return source.replace(/&([^;]*);/g, (_, name: string) =>
    name.startsWith('#') ? String.fromCodePoint(codeOf(name)) : PREDEFINED[name]!,
  )
}

/**
 * Whether all bytes are ASCII.
 * @throws XmlFault when they are not even UTF-8, or hold U+FFFE or U+FFFF
 */
export function checkEncoding(bytes: Buffer): boolean {
  if (isAscii(bytes)) return true
  // RFC 6120 §11.6: UTF-8 and nothing else.
  if (!isUtf8(bytes)) throw malformed('Bytes that are no UTF-8')
  for (let at = bytes.indexOf(0xef); at >= 0; at = bytes.indexOf(0xef, at + 1)) {
    if (bytes[at + 1] === 0xbf && bytes[at + 2]! >= 0xbe)
      throw malformed('A character that XML does not allow')
  }
  return false
}

const XML_DECL =
  /^<\?xml\s+version\s*=\s*(["'])(.*?)\1(?:\s+encoding\s*=\s*(["'])([A-Za-z][A-Za-z0-9._-]*)\3)?(?:\s+standalone\s*=\s*(["'])(?:yes|no)\5)?\s*\?>$/

/** RFC 6120 §11.5, §11.6, §11.8: XML 1.0 in UTF-8; `standalone` says nothing to us. */
export function checkDeclaration(text: string): void {
  if (!/^<\?xml[\s?]/.test(text)) throw new XmlFault('restricted-xml', 'A processing instruction')
  const match = XML_DECL.exec(text)
  if (!match) throw malformed('An XML declaration that is none')
  if (match[2] !== '1.0') throw malformed('Only XML 1.0 is spoken here')
  if (match[4] !== undefined && match[4].toUpperCase() !== 'UTF-8')
    throw new XmlFault('unsupported-encoding', 'Only UTF-8 is spoken here')
}
