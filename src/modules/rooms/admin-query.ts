/** Requests of muc#admin (XEP-0045 §8 to §10, schema in §19.3): which list is asked for, what is to be changed. */
import { isAffiliation, isRole, type Affiliation, type Role } from './privileges.js'
import { StanzaError } from '../../stanza/errors.js'
import { readJid, type Jid } from '../../stanza/jid.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Which list a request of type get asks for. */
export type ListAsked =
  | { readonly of: 'role'; readonly role: Role }
  | { readonly of: 'affiliation'; readonly affiliation: Affiliation }

/** A role for whoever has the nick. */
export interface RoleItem {
  readonly of: 'role'
  /** As it was sent: not prepared. */
  readonly nick: string
  readonly role: Role
  readonly reason: string | undefined
}

/** An affiliation for an address: a bare JID, or a domain (§9.2). */
export interface AffiliationItem {
  readonly of: 'affiliation'
  /** Undefined: the occupant with the nick is meant. */
  readonly jid: Jid | undefined
  readonly affiliation: Affiliation
  /** §9.3, §9.5: the nick to be reserved; '' takes it away; undefined leaves it. Of an item without address: the occupant's. */
  readonly nick: string | undefined
  readonly reason: string | undefined
}

/** The bounds of one request; what is beyond them is answered with *policy-violation*. */
export interface AdminQueryLimits {
  readonly items: number
  /** Characters of a reason. */
  readonly reason: number
}

/** @throws StanzaError *bad-request* */
export function listAsked(query: Element): ListAsked {
  const items = query.childrenOf('item', NS.mucAdmin)
  const [item] = items
  if (item === undefined || items.length > 1) throw bad('A list is asked for by one item.')
  const { role, affiliation } = item.attrs
  if ((role === undefined) === (affiliation === undefined))
    throw bad('The item has to name either a role or an affiliation.')
  return role === undefined
    ? { of: 'affiliation', affiliation: affiliationOf(affiliation!) }
    : { of: 'role', role: roleOf(role) }
}

/** All items, in their order; one or more. Throws StanzaError *bad-request*, *jid-malformed*, *policy-violation*. */
export function itemsToSet(
  query: Element,
  limits: AdminQueryLimits,
): readonly (RoleItem | AffiliationItem)[] {
  const elements = query.childrenOf('item', NS.mucAdmin)
  if (elements.length === 0) throw bad('There is no item.')
  if (elements.length > limits.items)
    throw new StanzaError('policy-violation', `At most ${limits.items} items are taken at once.`)
  const items = elements.map((element) => readItem(element, limits))
  const targets = new Set(items.map(targetOf))
  if (targets.size < items.length) throw bad('Two items are about the same occupant or address.')
  return items
}

function readItem(element: Element, limits: AdminQueryLimits): RoleItem | AffiliationItem {
  const { role, affiliation, nick, jid } = element.attrs
  const reason = element.child('reason', NS.mucAdmin)?.text
  if (reason !== undefined && reason.length > limits.reason)
    throw new StanzaError('policy-violation', `A reason has at most ${limits.reason} characters.`)
  if (role !== undefined) {
    // §8.5, §9.8: it MUST NOT have an affiliation; §9.2, §9.5, §10.5, §10.8: nor a role here.
    if (affiliation !== undefined) throw bad('An item changes either a role or an affiliation.')
    if (nick === undefined || nick === '') throw bad('A role is given to a nick.')
    return { of: 'role', nick, role: roleOf(role), reason }
  }
  if (affiliation === undefined) throw bad('The item names neither a role nor an affiliation.')
  const address = jid === undefined ? undefined : addressOf(jid)
  if (address === undefined && (nick === undefined || nick === ''))
    throw bad('An affiliation is given to an address.')
  return { of: 'affiliation', jid: address, affiliation: affiliationOf(affiliation), nick, reason }
}

/** §10.3: the bare address is what counts, though a full one is sent. */
function addressOf(text: string): Jid {
  const jid = readJid(text)
  if (!jid) throw new StanzaError('jid-malformed')
  return jid.bare
}

function roleOf(text: string): Role {
  if (!isRole(text)) throw bad('There is no such role.')
  return text
}

function affiliationOf(text: string): Affiliation {
  if (!isAffiliation(text)) throw bad('There is no such affiliation.')
  return text
}

function targetOf(item: RoleItem | AffiliationItem): string {
  return item.of === 'role' || item.jid === undefined
    ? `${item.of} ${item.nick}`
    : `jid ${item.jid.toString()}`
}

function bad(text: string): StanzaError {
  return new StanzaError('bad-request', text)
}
