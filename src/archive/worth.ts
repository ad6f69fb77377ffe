/** Which messages go into an archive (XEP-0313 §6.1.1), and what the hints of their senders say about it (XEP-0334). */
import type { Stanza } from '../stanza/stanza.js'
import { NS } from '../xml/namespaces.js'

/** Payloads that make a message part of a conversation even without a body; every name of the namespace, or some. */
const meaningful: Readonly<Record<string, readonly string[] | undefined>> = {
  [NS.encryption]: [],
  [NS.retraction]: ['retract'],
  [NS.reactions]: ['reactions'],
  [NS.receipts]: ['received'],
  [NS.chatMarkers]: ['received', 'displayed', 'acknowledged'],
  [NS.conference]: ['x'],
  [NS.jingleMessages]: [],
  [NS.callInvites]: [],
}

/**
 * Whether a message is to be archived, preferences apart. Not headlines, nor errors: an error tells its one resource what
 * became of a message, and says nothing without it. `groupchat` says whether messages of rooms are.
 */
export function isWorthArchiving(stanza: Stanza, groupchat: boolean): boolean {
  const type = stanza.effectiveType
  if (type !== 'chat' && type !== 'normal' && !(groupchat && type === 'groupchat')) return false
  let isMeant = false
  for (const { name, ns } of stanza.payload.spans) {
    if (ns === NS.client) isMeant ||= name === 'body'
    else if (ns === NS.hints) {
      // XEP-0334 §4.1, §4.2: these count more than any wish to store.
      if (name === 'no-store' || name === 'no-permanent-store') return false
      isMeant ||= name === 'store'
    } else if (ns === NS.mucUser) isMeant ||= stanza.child('x', NS.mucUser)?.child('invite') !== undefined
    else if (!isMeant) {
      const names = meaningful[ns]
      isMeant = names !== undefined && (names.length === 0 || names.includes(name))
    }
  }
  return isMeant
}
