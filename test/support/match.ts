/** Matching of elements: what a pattern names must be there, further children may not, further attributes may. */
import { isArchiveId } from '../../src/storage/archive-ids.js'
import { NS } from '../../src/xml/namespaces.js'
import { parseElement } from '../../src/xml/parser.js'
import type { Element } from '../../src/xml/element.js'

/** A pattern or stanza written without its content namespace, as it would stand in a stream. */
export function xml(text: string, content = 'jabber:client'): Element {
  const trimmed = text.trim()
  const root = parseElement(
    `<wrap xmlns='${content}' xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'>${trimmed}</wrap>`,
  )
  const [first] = root.childrenOf()
  if (!first) throw new Error(`no element in ${text}`)
  return first
}

/**
 * Why `actual` does not fit, or undefined when it does. `{any}` stands for any text or attribute value. The one id that
 * an archive gives to each message (XEP-0313 §3.5), and that of an occupant (XEP-0421), may be there where the pattern
 * names none; likewise what warns of an archive where one enters a room, and the version of a change of affiliations
 * (XEP-0463).
 */
export function mismatch(pattern: Element, actual: Element, path = pattern.local): string | undefined {
  if (pattern.local !== actual.local) return `${path}: is <${actual.local}>`
  if (pattern.ns !== actual.ns) return `${path}: namespace is ${actual.ns}, not ${pattern.ns}`
  for (const [name, wanted] of Object.entries(pattern.attrs as Record<string, string>)) {
    if (name === 'xmlns' || name.startsWith('xmlns:')) continue
    const found = (actual.attrs as Record<string, string | undefined>)[name]
    if (
      wanted === '{none}'
        ? found !== undefined
        : found === undefined || (wanted !== '{any}' && wanted !== found)
    ) {
      return `${path}: ${name} is ${found === undefined ? 'missing' : `'${found}'`}, not '${wanted}'`
    }
  }
  const wantedText = ownText(pattern)
  if (wantedText === '{any}') return undefined
  if (wantedText !== '' && wantedText !== ownText(actual))
    return `${path}: text is '${ownText(actual)}', not '${wantedText}'`
  return childMismatch(pattern, actual, path)
}

function childMismatch(pattern: Element, actual: Element, path: string): string | undefined {
  const left = actual.childrenOf()
  for (const isFree of freeChildren(pattern, actual, path)) {
    const index = left.findIndex(isFree)
    if (index >= 0) left.splice(index, 1)
  }
  for (const wanted of pattern.childrenOf()) {
    const reasons = left.map((child) => mismatch(wanted, child, `${path}/${wanted.local}`))
    const index = reasons.indexOf(undefined)
    if (index < 0)
      return (
        reasons.find((reason) => reason && !/: (is <|namespace)/.test(reason)) ??
        `${path}: no <${wanted.local}>`
      )
    left.splice(index, 1)
  }
  return left.length > 0 ? `${path}: unexpected <${left[0]!.local} xmlns='${left[0]!.ns}'>` : undefined
}

/** What archives and rooms add, where the pattern names nothing of the kind: one of each. */
function freeChildren(pattern: Element, actual: Element, path: string): ((child: Element) => boolean)[] {
  const isMessage = actual.local === 'message'
  const free: ((child: Element) => boolean)[] = []
  if (actual.local === 'x' && actual.ns === NS.mucUser && !pattern.childrenOf('status').some(saysLogged))
    free.push(saysLogged)
  if (isMessage && pattern.childrenOf('stanza-id').length === 0) {
    const room = actual.attrs['from']?.replace(/\/.*$/, '')
    free.push((child) => isArchiveIdFor(child, ownerOf(actual, path)))
    free.push((child) => isArchiveIdFor(child, room))
  }
  // XEP-0463 §5.2.2
  if (actual.local === 'x' && actual.ns === NS.mucUser && pattern.childrenOf('mav').length === 0)
    free.push(({ local, ns }) => local === 'mav' && ns === NS.mucAffiliations)
  if ((isMessage || actual.local === 'presence') && pattern.childrenOf('occupant-id').length === 0)
    free.push(({ local, ns }) => local === 'occupant-id' && ns === NS.occupantId)
  return free
}

/** XEP-0045 §7.2.12: of a room that has an archive. */
function saysLogged({ local, attrs }: Element): boolean {
  return local === 'status' && attrs['code'] === '170'
}

/** Whose archive a message is from: its reader's, or its sender's when it is copied as sent (XEP-0280 §8). */
function ownerOf({ attrs }: Element, path: string): string | undefined {
  const isSent = path.endsWith('/sent/forwarded/message')
  return attrs[isSent ? 'from' : 'to']?.replace(/\/.*$/, '')
}

function isArchiveIdFor({ local, ns, attrs }: Element, owner: string | undefined): boolean {
  return (
    local === 'stanza-id' && ns === NS.stanzaIds && attrs['by'] === owner && isArchiveId(attrs['id'] ?? '')
  )
}

function ownText(element: Element): string {
  return element.children
    .filter((child): child is string => typeof child === 'string')
    .join('')
    .trim()
}
