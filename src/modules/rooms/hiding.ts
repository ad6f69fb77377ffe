/** Answers and errors of somebody whose address is not shown: what they would tell of it is taken off (XEP-0045 §17.4). */
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { parseElement } from '../../xml/parser.js'
import { CONTENT, type Stanza } from '../../stanza/stanza.js'

/** The answer of `account` (bare) as somebody may see it who does not see its address. */
export function withoutAddress(answer: Stanza, account: string): Stanza {
  const clean = withoutCardAddress(answer, account)
  const error = clean.child('error')
  if (!error) return clean
  // RFC 6120 §8.3.1: `by` names the server or the resource that noticed it.
  return clean.withoutChildren('error', CONTENT).withChild(plainError(error, account))
}

/** The type, the condition without a new address (RFC 6120 §8.3.3.5), and what else does not name it. */
function plainError(error: Element, account: string): Element {
  const parts = error.childrenOf().flatMap((part) => {
    const isCondition = part.ns === NS.stanzaErrors && part.local !== 'text'
    if (isCondition) return [el(part.local, NS.stanzaErrors)]
    const text = part.toString()
    return isNamed(text, account) ? [] : [parseElement(text)]
  })
  return el('error', undefined, { type: error.attrs['type'] }, ...parts)
}

/** XEP-0054 §2: a card has a place for an address, which others may fill in than its owner. */
function withoutCardAddress(answer: Stanza, account: string): Stanza {
  const card = answer.child('vCard', NS.vcard)
  if (!card || !isNamed(card.toString(), account)) return answer
  const kept = card.childrenOf().flatMap((part) => {
    const text = part.toString()
    return isNamed(text, account) ? [] : [parseElement(text)]
  })
  return answer.withoutChildren('vCard', NS.vcard).withChild(el('vCard', NS.vcard, undefined, ...kept))
}

function isNamed(text: string, account: string): boolean {
  return text.toLowerCase().includes(account.toLowerCase())
}
