/** Which stanzas can wait until somebody looks at the client (XEP-0352 §3.2), and which of them replace each other. */
import { isActivity } from '../../stanza/content.js'
import type { Jid } from '../../stanza/jid.js'
import { isOwnInRoom } from '../../stanza/occupants.js'
import type { Stanza } from '../../stanza/stanza.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/**
 * What makes an earlier stanza of the same word needless; '' for one that can wait and replaces none; undefined for one
 * that cannot wait. Those that can are presence of others, what somebody is just doing, and news of contacts.
 */
export function whatWaits(stanza: Stanza, account: Jid): string | undefined {
  const { kind, type, from } = stanza
  if (kind === 'iq' || type === 'error') return undefined
  // RFC 6121 §3: requests and their answers are for somebody to read.
  if (kind === 'presence') {
    const waits = (type === undefined || type === 'unavailable') && !isOwnInRoom(stanza)
    return waits ? `presence ${from.toString()}` : undefined
  }
  if (isActivity(stanza.payload.spans)) return type === 'groupchat' ? '' : `activity ${from.toString()}`
  const own = from.isBare && from.equals(account)
  if (own) return isActivity(copiedChildren(stanza)) ? '' : undefined
  return stanza.has('event', NS.pubsubEvent) && !stanza.has('body') ? newsOf(stanza) : undefined
}

/** The children of the message in a carbon copy (XEP-0280 §7, §8). */
function copiedChildren(stanza: Stanza): readonly { name: string; ns: string | undefined }[] {
  const wrapper = stanza.child('received', NS.carbons) ?? stanza.child('sent', NS.carbons)
  const message = wrapper?.child('forwarded', NS.forward)?.child('message', NS.client)
  return message?.childrenOf().map(({ local, ns }) => ({ name: local, ns })) ?? []
}

/** XEP-0060 §7.1.2.1: an item that is published again takes the place of the one before. */
function newsOf(stanza: Stanza): string {
  const items = stanza.child('event', NS.pubsubEvent)?.child('items', NS.pubsubEvent)
  const [item, ...more]: readonly Element[] = items?.childrenOf() ?? []
  const id = item?.attrs['id']
  if (!items || item?.local !== 'item' || id === undefined || more.length > 0) return ''
  return `item ${stanza.from.toString()} ${items.attrs['node'] ?? ''} ${id}`
}
