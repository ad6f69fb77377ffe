/** Domainparts (RFC 7622 §3.2): host names as IDNA2008 U-labels, and IP addresses, in one form. */
import { isIPv6 } from 'node:net'
import { domainToASCII, domainToUnicode } from 'node:url'
import {
  exceptionallyAllowed,
  isLeftToRightLabel,
  isRightToLeftLabel,
  letterDigits,
  mapCase,
  mapWidth,
  neverAllowed,
  PrecisError,
  requireContexts,
  rightToLeft,
} from './precis.js'

/** The one form of a domainpart under which it is compared: lower case, U-labels, no final dot. Throws PrecisError. */
export function canonicalDomain(text: string): string {
  // RFC 7622 §3.2: the final dot goes before anything else happens.
  const given = text.endsWith('.') ? text.slice(0, -1) : text
  if (given.startsWith('[')) return canonicalIpv6(given)
  const labels = mapDomain(given).split('.').map(canonicalLabel)
  // RFC 5893 §1.4 and §2: one right-to-left label makes it a Bidi domain name, where every label is tested.
  if (labels.some((label) => rightToLeft.test(label.unicode)))
    for (const { unicode } of labels)
      if (!isRightToLeftLabel(unicode) && !isLeftToRightLabel(unicode))
        throw new PrecisError('mixes writing directions against the Bidi rule')
  // RFC 1034 §3.1: 255 octets on the wire, which are 253 as text.
  if (labels.reduce((length, label) => length + label.ascii.length + 1, -1) > 253)
    throw new PrecisError('is longer than 253 characters')
  return labels.map((label) => label.unicode).join('.')
}

/** A canonical domain as DNS and certificates have it: in A-labels (RFC 5890 §2.3.2.1). */
export function asciiDomain(domain: string): string {
  return domain
    .split('.')
    .map((label) => (/[^\x00-\x7f]/.test(label) ? domainToASCII(label) : label))
    .join('.')
}

/** RFC 5895 §2: case, width, composition, and the ideographic full stop. Cherokee alone folds to its capitals. */
function mapDomain(text: string): string {
  return mapCase(mapWidth(text))
    .replace(/[\uab70-\uabbf\u13f8-\u13fd]/g, (small) => small.toUpperCase())
    .normalize('NFC')
    .replaceAll('\u3002', '.')
}

interface Label {
  readonly unicode: string
  readonly ascii: string
}

const letterDigitHyphen = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/

function canonicalLabel(label: string): Label {
  if (label === '') throw new PrecisError('has an empty label')
  // WHATWG's functions take a whole host (1.2.3 becomes 1.2.0.3), so they only ever see what can be no number.
  if (/[^\x00-\x7f]/.test(label)) {
    requireUnicodeLabel(label)
    const ascii = domainToASCII(label)
    if (ascii.length > 63) throw new PrecisError('has a label of more than 63 characters')
    if (!ascii.startsWith('xn--')) throw new PrecisError('has a label that is no host name')
    return { unicode: label, ascii }
  }
  if (!letterDigitHyphen.test(label)) throw new PrecisError('has a label that is no host name')
  if (!label.startsWith('xn--')) return { unicode: label, ascii: label }
  // RFC 7622 §3.2.1: each A-label is converted; one that is not what its U-label becomes is a fake.
  const unicode = domainToUnicode(label)
  if (unicode === '' || mapDomain(unicode) !== unicode || domainToASCII(unicode) !== label)
    throw new PrecisError('has a label that only looks like an internationalized one')
  requireUnicodeLabel(unicode)
  return { unicode, ascii: label }
}

/**
 * RFC 5892 §3: letters and digits that folding leaves alone, without those of the blocks of §2.4;
 * `Changes_When_NFKC_Casefolded` is the category Unstable of §2.2.
 */
const unicodeLabel = new RegExp(
  `^(?:[a-z0-9\\-${exceptionallyAllowed}]|` +
    `(?![${neverAllowed}\\p{Changes_When_NFKC_Casefolded}\\u20d0-\\u20ff\\u{1d100}-\\u{1d24f}])[${letterDigits}])+$`,
  'u',
)

function requireUnicodeLabel(label: string): void {
  if (!unicodeLabel.test(label)) throw new PrecisError('holds a character that host names cannot have')
  // RFC 5891 §4.2.3.1 and §4.2.3.2.
  if (/^(?:-|\p{M}|.{2}--)|-$/u.test(label)) throw new PrecisError('has a label that is no host name')
  requireContexts(label)
}

/** RFC 3986 §3.2.2, written as RFC 5952 does. A zone (RFC 6874) means something on one machine only and is refused. */
function canonicalIpv6(text: string): string {
  if (!text.endsWith(']') || text.includes('%') || !isIPv6(text.slice(1, -1)))
    throw new PrecisError('is no IPv6 address in brackets')
  return new URL(`http://${text}`).hostname
}
