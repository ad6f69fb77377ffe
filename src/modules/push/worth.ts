/** What is worth waking a device for: words of other people and calls, not the signs that clients exchange. */
import type { Jid } from '../../stanza/jid.js'
import { isInvitation } from '../../stanza/occupants.js'
import type { Stanza } from '../../stanza/stanza.js'
import { NS } from '../../xml/namespaces.js'

/** A call rings now or never; a message can wait a little. */
export type Worth = 'call' | 'message'

/** Encryption whose envelope may be empty, which is then about keys (XEP-0384 §4.6 and its older form). */
const omemo: readonly string[] = ['urn:xmpp:omemo:2', 'urn:xmpp:omemo:1', 'eu.siacs.conversations.axolotl']

/** Encrypted words (XEP-0373 §3.1, XEP-0027 §3). */
const encrypted = [
  ['openpgp', 'urn:xmpp:openpgp:0'],
  ['x', 'jabber:x:encrypted'],
] as const

/** Changes of an earlier message, which its reader has been told of: XEP-0308, XEP-0424, XEP-0425, XEP-0444. */
const changes = [
  ['replace', NS.correction],
  ['retract', 'urn:xmpp:message-retract:1'],
  ['apply-to', 'urn:xmpp:fasten:0'],
  ['reactions', NS.reactions],
] as const

/** Why the owner of `account` would want to know of the stanza now; undefined when it can wait until a client looks. */
export function worthOf(stanza: Stanza, account: Jid): Worth | undefined {
  // What own devices say, carbons of it included, is no news.
  if (stanza.from.bare.equals(account)) return undefined
  if (stanza.kind === 'iq') return isRinging(stanza) ? 'call' : undefined
  if (stanza.kind === 'presence') return undefined
  return worthOfMessage(stanza)
}

/** XEP-0166 §6.2 */
function isRinging(iq: Stanza): boolean {
  return iq.type === 'set' && iq.child('jingle', NS.jingle)?.attrs['action'] === 'session-initiate'
}

function worthOfMessage(message: Stanza): Worth | undefined {
  const type = message.effectiveType
  if (type === 'error' || type === 'headline') return undefined
  // XEP-0353 §3: a proposal is what rings; what follows goes to the devices that have heard it.
  if (message.has('propose', NS.jingleMessages) || message.has('invite', NS.callInvites)) return 'call'
  // XEP-0334 §4.2: a device could fetch it from nowhere.
  if (message.has('no-store', NS.hints)) return undefined
  // XEP-0045 §7.2.13: the history of a room, while joining it.
  if (type === 'groupchat' && message.has('delay', NS.delay)) return undefined
  if (changes.some(([name, ns]) => message.has(name, ns))) return undefined
  return speaks(message) ? 'message' : undefined
}

function speaks(message: Stanza): boolean {
  if (message.has('body')) return message.child('body')?.text !== ''
  for (const ns of omemo) if (message.child('encrypted', ns)?.child('payload', ns)) return true
  if (encrypted.some(([name, ns]) => message.has(name, ns))) return true
  // XEP-0452 §3.2: somebody has been named in a room while away; XEP-0224 §2.
  if (message.has('mentions', NS.mentions) || message.has('attention', NS.attention)) return true
  return isInvitation(message)
}

/** Whether the text of the body is no words but tells that they are encrypted (XEP-0380 §3). */
export function isEncrypted(message: Stanza): boolean {
  return (
    message.has('encryption', NS.encryption) ||
    omemo.some((ns) => message.has('encrypted', ns)) ||
    encrypted.some(([name, ns]) => message.has(name, ns))
  )
}
