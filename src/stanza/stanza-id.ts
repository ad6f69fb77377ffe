/** XEP-0359: the id that an account or a service has given to a stanza. */
import { readJid, type Jid } from './jid.js'
import type { Stanza } from './stanza.js'
import { NS } from '../xml/namespaces.js'
import { escapeAttribute } from '../xml/write.js'

/** The stanza with the id that `by` gives to it; the id is written by us, and needs no escaping. */
export function withId(stanza: Stanza, by: Jid, id: string): Stanza {
  const address = escapeAttribute(by.toString())
  const xml = `<stanza-id xmlns='${NS.stanzaIds}' by='${address}' id='${id}'/>`
  return stanza.withWritten('stanza-id', NS.stanzaIds, xml)
}

/** XEP-0359 §3: without the ids that say that one of `whose` has given them, in whatever spelling. */
export function withoutIdsBy(stanza: Stanza, ...whose: readonly Jid[]): Stanza {
  return stanza.withoutChildren('stanza-id', NS.stanzaIds, ({ attrs }) => {
    const by = readJid(attrs['by'] ?? '')
    return by !== undefined && whose.some((one) => one.equals(by))
  })
}
