/** Who hears of an account's nodes without subscribing to each: contacts whose clients ask for it (XEP-0163 §4). */
import { readRefusal, type Standing } from './access.js'
import { affiliationOf, subscriptionsOf, type Node } from './node.js'
import type { Relation } from './service.js'
import type { Host } from '../../host/host.js'
import type { Capabilities } from '../capabilities/api.js'
import type { Contacts } from '../../session/contacts.js'
import type { Jid } from '../../stanza/jid.js'

/** What `who` is to the service at an account. */
export function relationTo(account: Jid, contacts: Contacts | undefined, who: Jid): Relation {
  if (who.bare.equals(account)) return own
  const sharesPresence = contacts?.shares(who) ?? false
  if (!sharesPresence) return stranger
  const { groups } = contacts!.get(who)
  return { owner: false, sharesPresence, groups, stranger: false }
}

const own: Relation = { owner: true, sharesPresence: true, groups: [], stranger: false }
const stranger: Relation = { owner: false, sharesPresence: false, groups: [], stranger: true }

/** Resources that ask to be told of this node, and may be. */
export function audienceOf(
  node: Node,
  host: Host,
  contacts: Contacts | undefined,
  capabilities: Capabilities,
): readonly Jid[] {
  const { service: account } = node
  const wanted = `${node.name}+notify`
  const asks = (full: Jid) => capabilities.of(full)?.has(wanted) === true
  const hearers: Jid[] = []
  for (const { jid } of host.sessions.available(account)) if (asks(jid)) hearers.push(jid)
  for (const contact of contacts?.subscribers ?? []) {
    if (contact.domain !== account.domain || contact.equals(account)) continue
    let may: boolean | undefined
    for (const { jid } of host.sessions.available(contact))
      if (asks(jid) && (may ??= mayHear(node, contacts, jid))) hearers.push(jid)
  }
  // XEP-0060 §9.1.3: whoever shows presence hears of open nodes.
  for (const jid of capabilities.heardBy(account))
    if (asks(jid) && mayHear(node, contacts, jid)) hearers.push(jid)
  return hearers
}

/** Available resources of a contact, as far as the account knows of them. */
export function resourcesOf(
  host: Host,
  capabilities: Capabilities,
  account: Jid,
  contact: Jid,
): readonly Jid[] {
  if (contact.domain === account.domain) return host.sessions.available(contact).map(({ jid }) => jid)
  return [...capabilities.heardBy(account)].filter((full) => full.bare.equals(contact))
}

/** Whether the access model lets them hear of it. */
export function mayHear(node: Node, contacts: Contacts | undefined, who: Jid): boolean {
  const relation = relationTo(node.service, contacts, who)
  const standing: Standing = {
    affiliation: relation.owner ? 'owner' : affiliationOf(node, who),
    sharesPresence: relation.sharesPresence,
    groups: relation.groups,
    subscriptions: subscriptionsOf(node, who),
  }
  return readRefusal(node, standing) === undefined
}
