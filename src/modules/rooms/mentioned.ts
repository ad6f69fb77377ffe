/** Whom a message names by a reference (XEP-0372 §3.2). */
import { readJid, type Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'
import { NS } from '../../xml/namespaces.js'

/** Of one message; more are not looked at. */
export const mostMentioned = 20

/** The addresses, each once, in the order of the message: bare ones of people, or those of occupants. */
export function mentionedIn(message: Stanza): readonly Jid[] {
  if (!message.has('reference', NS.references)) return []
  const found = new Map<string, Jid>()
  for (const { local, ns, attrs } of message.children) {
    if (local !== 'reference' || ns !== NS.references || attrs['type'] !== 'mention') continue
    const jid = addressIn(attrs['uri'])
    if (jid) found.set(jid.toString(), jid)
    if (found.size === mostMentioned) break
  }
  return [...found.values()]
}

/** RFC 5122 §2.2: the path of an XMPP URI, percent-encoded; a query or fragment says nothing about whom. */
function addressIn(uri: string | undefined): Jid | undefined {
  const path = /^xmpp:(?!\/\/)([^?#]+)/i.exec(uri ?? '')?.[1]
  if (path === undefined) return undefined
  try {
    const jid = readJid(decodeURIComponent(path))
    return jid?.local === '' ? undefined : jid
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}
