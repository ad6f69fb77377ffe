/** Escaping and serialising: what goes on the wire is well-formed whatever the tree holds. */
import type LtxElement from 'ltx/lib/Element.js'
import { NS } from './namespaces.js'

// XML 1.0 §2.2: characters that no document may contain, and halves of surrogate pairs.
const FORBIDDEN = '\\0-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff'
const LONE = '[\\ud800-\\udbff](?![\\udc00-\\udfff])|(?<![\\ud800-\\udbff])[\\udc00-\\udfff]'
const IN_TEXT = new RegExp(`[&<>\\r${FORBIDDEN}]|${LONE}`)
const ALL_IN_TEXT = new RegExp(IN_TEXT, 'g')
const IN_ATTRIBUTE = new RegExp(`[&<>"'\\t\\n\\r${FORBIDDEN}]|${LONE}`)
const ALL_IN_ATTRIBUTE = new RegExp(IN_ATTRIBUTE, 'g')

/** Text as character data. A raw CR would be read as LF, so it is written as a reference (XML 1.0 §2.11). */
export function escapeText(text: string): string {
  return IN_TEXT.test(text) ? text.replace(ALL_IN_TEXT, escapeOne) : text
}

/** Text as an attribute value between either kind of quotes; white space survives normalisation (XML 1.0 §3.3.3). */
export function escapeAttribute(value: string): string {
  return IN_ATTRIBUTE.test(value) ? value.replace(ALL_IN_ATTRIBUTE, escapeOne) : value
}

function escapeOne(character: string): string {
  switch (character) {
    case '&':
      return '&amp;'
    case '<':
      return '&lt;'
    case '>':
      return '&gt;'
    case '"':
      return '&quot;'
    case "'":
      return '&apos;'
    case '\t':
      return '&#x9;'
    case '\n':
      return '&#xA;'
    case '\r':
      return '&#xD;'
    default:
      return '\ufffd'
  }
}

/**
 * The element as XML text for a place where `inheritedNs` is the default namespace: `xmlns` is left out where it says
 * the same. Declarations of its parents that it uses are written in. Forbidden characters become U+FFFD.
 */
export function serialise(element: LtxElement, inheritedNs: string): string {
  if (!element.parent) return write(element, inheritedNs, '', inheritedNs)
  let declarations = ''
  for (const prefix of undeclaredPrefixes(element)) {
    const ns = element.parent.findNS(prefix)
    if (ns !== undefined) declarations += ` xmlns:${prefix}="${escapeAttribute(ns)}"`
  }
  return write(element, inheritedNs, declarations, element.parent.findNS() ?? inheritedNs)
}

/**
 * Numbers that untyped builders left among attributes and children are written as text.
 * @param ns the default namespace the tree gives to this element, unless it declares one
 */
function write(element: LtxElement, inheritedNs: string, declarations: string, ns: string): string {
  const { attrs, children } = element
  const inner = attrs['xmlns'] ?? ns
  const prefixed = element.name.includes(':') ? element.getNS() : undefined
  // RFC 6120 §4.8.5: no prefixes for elements of the content namespace.
  const isContent = prefixed === NS.client || prefixed === NS.server
  const name = isContent ? element.getName() : element.name
  const own = isContent ? prefixed : inner
  let text = own === inheritedNs ? `<${name}` : `<${name} xmlns="${escapeAttribute(own)}"`
  text += declarations
  for (const key in attrs) {
    const value = attrs[key]
    if (key === 'xmlns' || value === undefined || value === null) continue
    text += ` ${key}="${escapeAttribute(asText(value))}"`
  }
  if (children.length === 0) return text + '/>'
  text += '>'
  for (const child of children) {
    text += typeof child === 'object' ? write(child, own, '', inner) : escapeText(asText(child))
  }
  return `${text}</${name}>`
}

function asText(value: string | number): string {
  return typeof value === 'string' ? value : value.toString()
}

/** Prefixes used in the tree below and including `element` that no element on the way declares. */
function undeclaredPrefixes(
  element: LtxElement,
  declared: readonly string[] = [],
  found = new Set<string>(),
) {
  const names = Object.keys(element.attrs)
  const known = [
    ...declared,
    ...names.filter((name) => name.startsWith('xmlns:')).map((name) => name.slice(6)),
  ]
  for (const name of [element.name, ...names]) {
    const colon = name.indexOf(':')
    const prefix = name.slice(0, colon)
    if (colon > 0 && prefix !== 'xml' && prefix !== 'xmlns' && !known.includes(prefix)) found.add(prefix)
  }
  for (const child of element.children) {
    if (typeof child === 'object') undeclaredPrefixes(child, known, found)
  }
  return found
}
