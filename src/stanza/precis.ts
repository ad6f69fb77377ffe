/** PRECIS (RFC 8264): the string classes and profiles that addresses are made of, from the Unicode tables of the runtime. */

/** Why a string is no member of its class; a clause without a subject, such as "holds a space". */
export class PrecisError extends Error {
  override readonly name = 'PrecisError'
}

/**
 * UsernameCaseMapped (RFC 8265 §3.3): the one form of a user name under which it is compared and stored.
 * Throws PrecisError.
 */
export function usernameCaseMapped(text: string): string {
  return untilStable(text, (given) => {
    const wide = mapWidth(given)
    if (!identifierCodePoints.test(wide) || hasCompatibilityForm(wide))
      throw new PrecisError('holds a character that user names cannot have')
    const mapped = mapCase(wide).normalize('NFC')
    requireContexts(mapped)
    // RFC 8265 §3.3.1, rule 5: only strings with right-to-left code points have to satisfy the rule.
    if (rightToLeft.test(mapped) && !isRightToLeftLabel(mapped))
      throw new PrecisError('mixes writing directions against the Bidi rule')
    return mapped
  })
}

/** OpaqueString (RFC 8265 §4.2): nearly any text, in one form. Throws PrecisError. */
export function opaqueString(text: string): string {
  return untilStable(text, (given) => {
    if (!freeformCodePoints.test(given)) throw new PrecisError('holds a character that is not allowed')
    requireContexts(given)
    return given.replace(/\p{Zs}/gu, ' ').normalize('NFC')
  })
}

/** RFC 8264 §7: applying the rules once is not always enough; what does not settle is refused. */
function untilStable(text: string, apply: (text: string) => string): string {
  let before = text
  for (let round = 0; round < 4; round++) {
    const after = apply(before)
    if (after === before) return after
    before = after
  }
  throw new PrecisError('has no stable form')
}

/** Fullwidth and halfwidth code points become their usual forms (RFC 8265 §3.3.1, rule 1). */
export function mapWidth(text: string): string {
  return text.replace(/[\u3000\uff01-\uffee]/g, (wide) => wide.normalize('NFKC'))
}

/** Lower case, one code point at a time: a sigma that ends a word stays U+03C3 (RFC 7622 §3.5, examples 9 to 11). */
export function mapCase(text: string): string {
  return text.replaceAll('\u03a3', '\u03c3').toLowerCase()
}

/** Every code point that needs a context (RFC 5892 appendix A) has it; else throws PrecisError. */
export function requireContexts(text: string): void {
  if (!needsContext.test(text)) return
  // A.1 to A.6: joiners, middle dot, keraia, geresh and gershayim look at their neighbours.
  if (needsNeighbour.test(text.replace(neighboursFit, '')))
    throw new PrecisError('holds a joiner or sign outside the letters that it needs')
  // A.7: the katakana middle dot needs Japanese around it.
  if (text.includes('\u30fb') && !/[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u.test(text))
    throw new PrecisError('holds a katakana middle dot outside Japanese text')
  // A.8, A.9: the two sets of Arabic digits are not mixed.
  if (/[\u0660-\u0669]/.test(text) && /[\u06f0-\u06f9]/.test(text))
    throw new PrecisError('mixes two sets of Arabic digits')
}

/** RFC 8264 §9.17, HasCompat. A normalised text has only normalised parts, so the whole is asked before its characters. */
function hasCompatibilityForm(text: string): boolean {
  if (text.normalize('NFKC') === text) return false
  for (const character of text) if (character.normalize('NFKC') !== character) return true
  return false
}

// ---------------------------------------------------------------------------------------------------------------
// Code points. RFC 8264 §8 asks the categories in this order: exceptions, unassigned, ASCII, joiners, old jamo,
// ignorable, controls, compatibility forms, letters and digits, and the rest. A code point without a category below
// (unassigned, private, surrogate, control) is disallowed.

/** RFC 5892 §2.6 and §2.8: allowed by name, or where the contexts fit. */
export const exceptionallyAllowed =
  '\\u00df\\u03c2\\u06fd\\u06fe\\u0f0b\\u3007' + // always
  '\\u00b7\\u0375\\u05f3\\u05f4\\u30fb\\u0660-\\u0669\\u06f0-\\u06f9\\u200c\\u200d' // in context
/** RFC 5892 §2.6 and §2.9, RFC 8264 §9.13: refused by name, old Hangul jamo, and what is meant to be invisible. */
export const neverAllowed =
  '\\u0640\\u07fa\\u302e\\u302f\\u3031-\\u3035\\u303b' +
  '\\u1100-\\u11ff\\ua960-\\ua97c\\ud7b0-\\ud7c6\\ud7cb-\\ud7fb' +
  '\\p{Default_Ignorable_Code_Point}'
/** RFC 5892 §2.1. */
export const letterDigits = '\\p{Ll}\\p{Lu}\\p{Lo}\\p{Nd}\\p{Lm}\\p{Mn}\\p{Mc}'
/** RFC 8264 §9.14 to §9.18: what the FreeformClass has besides. */
const freeformOnly = '\\p{Lt}\\p{Nl}\\p{No}\\p{Me}\\p{Zs}\\p{S}\\p{P}'

const identifierCodePoints = new RegExp(
  `^(?:[!-~${exceptionallyAllowed}]|(?![${neverAllowed}])[${letterDigits}])+$`,
  'u',
)
const freeformCodePoints = new RegExp(
  `^(?:[ -~${exceptionallyAllowed}]|(?![${neverAllowed}])[${letterDigits}${freeformOnly}])+$`,
  'u',
)

// ---------------------------------------------------------------------------------------------------------------
// Contexts.

const needsContext = /[\u00b7\u0375\u05f3\u05f4\u30fb\u0660-\u0669\u06f0-\u06f9\u200c\u200d]/
const needsNeighbour = /[\u00b7\u0375\u05f3\u05f4\u200c\u200d]/

/** Canonical_Combining_Class 9. */
const virama =
  '\\u094d\\u09cd\\u0a4d\\u0acd\\u0b4d\\u0bcd\\u0c4d\\u0ccd\\u0d3b\\u0d3c\\u0d4d\\u0dca\\u0e3a\\u0eba\\u0f84\\u1039' +
  '\\u103a\\u1714\\u1715\\u1734\\u17d2\\u1a60\\u1b44\\u1baa\\u1bab\\u1bf2\\u1bf3\\u2d7f\\ua806\\ua82c\\ua8c4\\ua953' +
  '\\ua9c0\\uaaf6\\uabed\\u{10a3f}\\u{11046}\\u{11070}\\u{1107f}\\u{110b9}\\u{11133}\\u{11134}\\u{111c0}\\u{11235}' +
  '\\u{112ea}\\u{1134d}\\u{113ce}-\\u{113d0}\\u{11442}\\u{114c2}\\u{115bf}\\u{1163f}\\u{116b6}\\u{1172b}\\u{11839}' +
  '\\u{1193d}\\u{1193e}\\u{119e0}\\u{11a34}\\u{11a47}\\u{11a99}\\u{11c3f}\\u{11d44}\\u{11d45}\\u{11d97}\\u{11f41}' +
  '\\u{11f42}\\u{1612f}'
/** Joining_Type L. */
const joinsLeft = '\\ua872\\u{10acd}\\u{10ad7}\\u{10d00}\\u{10ed9}-\\u{10eee}'
/** Joining_Type D. */
const joinsBoth =
  '\\u0620\\u0626\\u0628\\u062a-\\u062e\\u0633-\\u063f\\u0641-\\u0647\\u0649\\u064a\\u066e\\u066f\\u0679-\\u0687' +
  '\\u069a-\\u06bf\\u06c1\\u06c2\\u06cc\\u06ce\\u06d0\\u06d1\\u06fa-\\u06fc\\u06ff\\u0712-\\u0714\\u071a-\\u071d' +
  '\\u071f-\\u0727\\u0729\\u072b\\u072d\\u072e\\u074e-\\u0758\\u075c-\\u076a\\u076d-\\u0770\\u0772\\u0775-\\u0777' +
  '\\u077a-\\u077f\\u07ca-\\u07ea\\u0841-\\u0845\\u0848\\u084a-\\u0853\\u0855\\u0860\\u0862-\\u0865\\u0868\\u0886' +
  '\\u0889-\\u088d\\u088f\\u08a0-\\u08a9\\u08af\\u08b0\\u08b3-\\u08b8\\u08ba-\\u08c8\\u1820-\\u1878\\u1887-\\u18a8' +
  '\\u18aa\\ua840-\\ua871\\u{10ac0}-\\u{10ac4}\\u{10ad3}-\\u{10ad6}\\u{10ad8}-\\u{10adc}\\u{10ade}-\\u{10ae0}' +
  '\\u{10b80}\\u{10b82}\\u{10b86}-\\u{10b88}\\u{10b8a}\\u{10b8b}\\u{10b8d}\\u{10b90}\\u{10d01}-\\u{10d21}\\u{10d23}' +
  '\\u{10ec3}\\u{10ec4}\\u{10ec6}\\u{10ec7}\\u{10f30}-\\u{10f32}\\u{10f34}-\\u{10f44}\\u{10f70}-\\u{10f73}' +
  '\\u{10f76}-\\u{10f81}\\u{10fb0}\\u{10fb2}\\u{10fb3}\\u{10fb8}\\u{10fbb}\\u{10fbc}\\u{10fbe}\\u{10fbf}\\u{10fc1}' +
  '\\u{10fc4}\\u{1e900}-\\u{1e943}'
/** Joining_Type R. */
const joinsRight =
  '\\u0622-\\u0625\\u0627\\u0629\\u062f-\\u0632\\u0648\\u0671-\\u0673\\u0688-\\u0699\\u06c0\\u06c3-\\u06cb\\u06cd' +
  '\\u06cf\\u06d2\\u06d3\\u06d5\\u06ee\\u06ef\\u0710\\u0715-\\u0719\\u071e\\u0728\\u072a\\u072c\\u072f\\u074d' +
  '\\u0759-\\u075b\\u076b\\u076c\\u0771\\u0773\\u0774\\u0778\\u0779\\u0840\\u0846\\u0847\\u0849\\u0854' +
  '\\u0856-\\u0858\\u0867\\u0869\\u086a\\u0870-\\u0882\\u088e\\u08aa-\\u08ac\\u08ae\\u08b1\\u08b2\\u08b9\\u{10ac5}' +
  '\\u{10ac7}\\u{10ac9}\\u{10aca}\\u{10ace}-\\u{10ad2}\\u{10add}\\u{10ae1}\\u{10ae4}\\u{10b81}\\u{10b83}-\\u{10b85}' +
  '\\u{10b89}\\u{10b8c}\\u{10b8e}\\u{10b8f}\\u{10b91}\\u{10d22}\\u{10ec2}\\u{10f33}\\u{10f74}\\u{10f75}' +
  '\\u{10fb4}-\\u{10fb6}\\u{10fb9}\\u{10fba}\\u{10fbd}\\u{10fc2}\\u{10fc3}'
/** Joining_Type T, as far as it may stand in an address. */
const joinsThrough = '\\p{Mn}\\p{Me}\\u{1e94b}'

const neighboursFit = new RegExp(
  [
    `(?<=[${virama}])[\\u200c\\u200d]`,
    `(?<=[${joinsLeft}${joinsBoth}][${joinsThrough}]*)\\u200c(?=[${joinsThrough}]*[${joinsRight}${joinsBoth}])`,
    '(?<=l)\\u00b7(?=l)',
    '\\u0375(?=\\p{Script=Greek})',
    '(?<=\\p{Script=Hebrew})[\\u05f3\\u05f4]',
  ].join('|'),
  'gu',
)

// ---------------------------------------------------------------------------------------------------------------
// Directions (RFC 5893). The runtime knows no Bidi_Class; for the code points that pass the classes above it follows
// from blocks and categories, with the few exceptions named here.

/** Bidi_Class AN. */
const arabicNumber = '\\u0660-\\u0669\\u{10d30}-\\u{10d39}\\u{10d40}-\\u{10d49}'
/** Bidi_Class EN. */
const europeanNumber = '0-9\\u06f0-\\u06f9'
/** Bidi_Class NSM: the non-spacing marks, except eight vowel signs of class L. */
const nonSpacing = '(?![\\u0cbf\\u0cc6\\u1b3a\\u1b3c\\u1b42\\u{11a07}\\u{11a08}\\u{11c3f}])\\p{Mn}'
/** Bidi_Class ES, CS, ET, ON and BN. */
const neutral =
  '!-\\/:-@\\x5b-`\\x7b-~\\u00b7\\u02b9\\u02ba\\u02c6-\\u02cf\\u02ec\\u0374\\u0375\\u208f\\u2e2f\\u30fb\\ua67f' +
  '\\ua717-\\ua71f\\ua788\\u200c\\u200d'
/** Bidi_Class R and AL: the blocks of those scripts without their marks and numbers. */
const rightToLeftLetter =
  `(?![${arabicNumber}${europeanNumber}\\p{Mn}])` +
  '[\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufeff\\u{10800}-\\u{10fff}\\u{1e800}-\\u{1efff}]'

/** Matches a text with any code point of class R, AL or AN. */
export const rightToLeft = new RegExp(`${rightToLeftLetter}|[${arabicNumber}]`, 'u')

const rightToLeftLabel = new RegExp(
  `^(?=${rightToLeftLetter})` +
    `(?:${rightToLeftLetter}|[${arabicNumber}${europeanNumber}${neutral}]|${nonSpacing})*?` +
    `(?:${rightToLeftLetter}|[${arabicNumber}${europeanNumber}])(?:${nonSpacing})*$`,
  'u',
)
const leftToRightEnd = new RegExp(`[^${neutral}](?:${nonSpacing})*$`, 'u')
const leftToRightStart = new RegExp(`^(?![${neutral}${europeanNumber}])(?!${nonSpacing})`, 'u')
const anyArabicNumber = new RegExp(`[${arabicNumber}]`, 'u')
const anyEuropeanNumber = new RegExp(`[${europeanNumber}]`, 'u')

/** RFC 5893 §2, rules 1 to 4. */
export function isRightToLeftLabel(text: string): boolean {
  return rightToLeftLabel.test(text) && !(anyArabicNumber.test(text) && anyEuropeanNumber.test(text))
}

/** RFC 5893 §2, rules 1, 5 and 6. */
export function isLeftToRightLabel(text: string): boolean {
  return !rightToLeft.test(text) && leftToRightStart.test(text) && leftToRightEnd.test(text)
}
