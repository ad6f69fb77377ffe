/** What the sender of a message calls it (XEP-0359 §2.2): what is sent again is the same message. */
import { hash } from 'node:crypto'
import type { Jid } from '../stanza/jid.js'
import type { Stanza } from '../stanza/stanza.js'
import { NS } from '../xml/namespaces.js'
import { parseElement } from '../xml/parser.js'

/** As `NewArchived.origin`: what `sender` calls what it said to `to`. Undefined when it gives it no name. */
export function originOf(stanza: Stanza, sender: Jid, to: Jid | undefined): bigint | undefined {
  if (!stanza.has('origin-id', NS.stanzaIds)) return undefined
  const { text, spans } = stanza.payload
  const span = spans.find(({ name, ns }) => name === 'origin-id' && ns === NS.stanzaIds)!
  const { id } = parseElement(text.slice(span.start, span.end)).attrs
  if (id === undefined || id === '') return undefined
  const named = `${sender.toString()}\n${to?.toString()}\n${id}`
  return hash('sha256', named, 'buffer').readBigInt64BE(0)
}
