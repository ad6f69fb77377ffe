/** The last item of each node, for who has just come online and asks for it (XEP-0163 §4.3.3, §4.3.4). */
import { mayHear } from './audience.js'
import type { Node } from './node.js'
import type { Notices } from './notices.js'
import type { Service } from './service.js'
import type { Host } from '../../host/host.js'
import type { Jid } from '../../stanza/jid.js'

const suffix = '+notify'

/**
 * Sends a resource the last items of these accounts' nodes that it asks for by its `features` and may see. Rejects with
 * StorageUnavailable.
 */
export async function sendLastItems(
  { service, notices, host }: { service: Service; notices: Notices; host: Host },
  full: Jid,
  features: Iterable<string>,
  accounts: readonly Jid[],
): Promise<void> {
  const names = [...features]
    .filter((feature) => feature.endsWith(suffix))
    .map((feature) => feature.slice(0, -suffix.length))
  if (names.length === 0) return
  const visible: Node[] = []
  for (const [index, nodes] of (await service.nodes.ofAll(accounts)).entries()) {
    if (nodes.size === 0) continue
    const found = names.flatMap((name) => nodes.get(name) ?? []).filter(isSentOnPresence)
    if (found.length === 0) continue
    const account = accounts[index]!
    const contacts = host.roster.cached(account) ?? (await host.roster.load(account))
    visible.push(...found.filter((node) => mayHear(node, contacts, full)))
  }
  if (visible.length === 0) return
  const byId = new Map(visible.map((node) => [node.id, node]))
  const items = await service.store.newest([...byId.keys()], service.clock.now())
  for (const item of items) await notices.last(byId.get(item.node)!, item, [full])
}

function isSentOnPresence({ config }: Node): boolean {
  return config.sendLast === 'on_sub_and_presence' && config.persist && config.notify
}

/** The accounts whose nodes concern a resource of this host: its own, and those of contacts here it is subscribed to. */
export function accountsFor(host: Host, full: Jid): readonly Jid[] {
  const account = full.bare
  const contacts = host.roster.cached(account)?.subscriptions ?? []
  return [account, ...contacts.filter((contact) => contact.domain === account.domain)]
}
