/** `jabber:iq:roster` on the wire (RFC 6121 §2.1): reading what a client sets, writing what it gets. */
import type { Contact } from './contacts.js'
import { StanzaError } from '../stanza/errors.js'
import { Jid, JidError } from '../stanza/jid.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

export interface ItemLimits {
  /** Bytes of a contact's name as UTF-8. */
  readonly nameBytes: number
  /** Groups of one item. */
  readonly groups: number
  /** Bytes of a group's name as UTF-8. */
  readonly groupBytes: number
}

/** What a roster set asks for: an item as it is to be, or its removal. */
export type RosterSet =
  | {
      readonly what: 'update'
      readonly contact: Jid
      readonly name: string
      readonly groups: readonly string[]
    }
  | { readonly what: 'remove'; readonly contact: Jid }

/**
 * Reads a roster set of `owner`. Values of `subscription` other than `remove`, `ask` and `approved` are not the
 * client's to set and are ignored (RFC 6121 §2.1.2.1, §2.1.2.2, §2.1.2.5).
 * @throws StanzaError as RFC 6121 §2.3.3 demands
 */
export function readRosterSet(query: Element, owner: Jid, limits: ItemLimits): RosterSet {
  const [item, ...more] = query.childrenOf('item', NS.roster)
  // RFC 6121 §2.1.5: one and only one item.
  if (!item || more.length > 0) throw new StanzaError('bad-request', 'A roster set has exactly one item')
  const contact = readContact(item)
  // RFC 6121 §2.3.3, interoperability note.
  if (contact.equals(owner.bare))
    throw new StanzaError('not-allowed', 'Your own address cannot be in your roster')
  if (item.attrs['subscription'] === 'remove') return { what: 'remove', contact }
  // RFC 6121 §2.4.1: an empty name is no name.
  const name = item.attrs['name'] ?? ''
  if (Buffer.byteLength(name) > limits.nameBytes)
    throw new StanzaError('not-acceptable', 'The name is too long')
  return { what: 'update', contact, name, groups: readGroups(item, limits) }
}

function readContact(item: Element): Jid {
  const text: unknown = item.attrs['jid']
  // RFC 6121 §2.1.2.3
  if (typeof text !== 'string' || text === '') throw new StanzaError('bad-request', 'An item needs a jid')
  try {
    return Jid.parse(text).bare
  } catch (error) {
    if (error instanceof JidError) throw new StanzaError('jid-malformed', error.message)
    throw error
  }
}

function readGroups(item: Element, limits: ItemLimits): readonly string[] {
  const groups = item.childrenOf('group', NS.roster).map((group) => group.text)
  if (groups.length > limits.groups) throw new StanzaError('not-acceptable', 'The item is in too many groups')
  for (const group of groups) {
    if (group === '') throw new StanzaError('not-acceptable', 'A group needs a name')
    if (Buffer.byteLength(group) > limits.groupBytes) {
      throw new StanzaError('not-acceptable', 'The name of a group is too long')
    }
  }
  if (new Set(groups.map((group) => group.normalize('NFC'))).size < groups.length) {
    throw new StanzaError('bad-request', 'A group is named twice')
  }
  return groups
}

/** A roster result or push with these items (RFC 6121 §2.1.4, §2.1.6). */
export function rosterQuery(version: string, items: readonly Element[]): Element {
  return el('query', NS.roster, { ver: version }, ...items)
}

/** RFC 6121 §2.1.2. A request of the contact that is still open is nobody's business here (§A.1, state 3). */
export function rosterItem({ jid, name, groups, subscription, ask, approved }: Contact): Element {
  const attrs = {
    approved: approved ? 'true' : undefined,
    ask: ask ? 'subscribe' : undefined,
    jid: jid.toString(),
    name: name === '' ? undefined : name,
    subscription,
  }
  return el('item', NS.roster, attrs, ...groups.map((group) => el('group', NS.roster, undefined, group)))
}

/** RFC 6121 §2.5.2 */
export function removedItem(contact: Jid): Element {
  return el('item', NS.roster, { jid: contact.toString(), subscription: 'remove' })
}
