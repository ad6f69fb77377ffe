/** How the account of somebody who is in a room recognises what comes from there (XEP-0045): its server is not the room. */
import type { Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import type { Stanza } from './stanza.js'

/** The first `<invite/>` by which a room invites somebody, or somebody asks a room to (XEP-0045 §7.8.2). */
export function mediatedInvitation(stanza: Stanza): Element | undefined {
  return stanza.child('x', NS.mucUser)?.child('invite', NS.mucUser)
}

/** To a room: directly (XEP-0249) or by the room. */
export function isInvitation(stanza: Stanza): boolean {
  return stanza.has('x', NS.conference) || mediatedInvitation(stanza) !== undefined
}

/** XEP-0045 §7.5: what one occupant says to another alone. Rooms of today mark it, and send it to each device that is in. */
export function isPrivateInRoom(stanza: Stanza): boolean {
  if (stanza.kind !== 'message' || stanza.from.isBare || !stanza.has('x', NS.mucUser)) return false
  const type = stanza.effectiveType
  return (type === 'chat' || type === 'normal') && !isInvitation(stanza)
}

/** XEP-0045 §7.2.2: what a room says to a client of itself: that it is in, under another nick, or out, and why. */
export function isOwnInRoom(presence: Stanza): boolean {
  if (!presence.has('x', NS.mucUser) || !presence.payload.text.includes('110')) return false
  const codes = presence.child('x', NS.mucUser)?.childrenOf('status', NS.mucUser) ?? []
  return codes.some(({ attrs }) => attrs['code'] === '110')
}
