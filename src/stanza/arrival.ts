/** Recognising a message that another server sends again because it did not hear that it had arrived. */
import { createHash } from 'node:crypto'
import type { Jid } from './jid.js'
import { delay } from './delay.js'
import type { Stanza } from './stanza.js'
import { NS } from '../xml/namespaces.js'

export interface Arrival {
  /** 16 bytes: of sender, id and payload, without what sending again adds to it. */
  readonly key: Buffer
  /** Its server says that it may have been sent before. Only then is an equal one the same message. */
  readonly resent: boolean
}

/** Undefined for a message without id: two of these cannot be told from one that came twice. */
export function arrivalOf(stanza: Stanza): Arrival | undefined {
  if (stanza.id === undefined) return undefined
  const { text, spans } = stanza.payload
  const children = spans.some((span) => isDelay(span) || isStanzaId(span)) ? stanza.children : []
  const account = stanza.to?.bare.toString()
  let payload = text
  let resent = false
  for (let i = spans.length - 1; i >= 0; i--) {
    const { attrs } = children[i] ?? {}
    const isSign = isDelay(spans[i]!) && attrs?.['from'] === stanza.from.domain
    // Nor what our archive calls it, each time anew.
    if (!isSign && !(isStanzaId(spans[i]!) && attrs?.['by'] === account)) continue
    payload = payload.slice(0, spans[i]!.start) + payload.slice(spans[i]!.end)
    resent ||= isSign
  }
  const hash = createHash('sha256').update(
    `${stanza.from.toString()}\n${stanza.id.length} ${stanza.id}\n${payload}`,
  )
  return { key: hash.digest().subarray(0, 16), resent }
}

/** The message as it is sent again: marked by our domain with the time at which it came (XEP-0198 §4, XEP-0203). */
export function sentAgain(stanza: Stanza, by: Jid, at: number): Stanza {
  return stanza.kind === 'message' && !isMarked(stanza, by) ? stanza.withChild(delay(by, at)) : stanza
}

function isMarked(stanza: Stanza, by: Jid): boolean {
  const { spans } = stanza.payload
  return (
    spans.some(isDelay) &&
    stanza.children.some((child, i) => isDelay(spans[i]!) && child.attrs['from'] === by.domain)
  )
}

function isDelay({ name, ns }: { name: string; ns: string }): boolean {
  return name === 'delay' && ns === NS.delay
}

function isStanzaId({ name, ns }: { name: string; ns: string }): boolean {
  return name === 'stanza-id' && ns === NS.stanzaIds
}
