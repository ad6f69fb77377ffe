/** XEP-0359: the id that an account or a service has given to a stanza. */
import { readJid, type Jid } from './jid.js'
import type { Stanza } from './stanza.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

export function stanzaId(by: Jid, id: string): Element {
  return el('stanza-id', NS.stanzaIds, { by: by.toString(), id })
}

/** XEP-0359 §3: without the ids that say that one of `whose` has given them, in whatever spelling. */
export function withoutIdsBy(stanza: Stanza, ...whose: readonly Jid[]): Stanza {
  return stanza.withoutChildren('stanza-id', NS.stanzaIds, ({ attrs }) => {
    const by = readJid(attrs['by'] ?? '')
    return by !== undefined && whose.some((one) => one.equals(by))
  })
}
