/** What can be found out about nodes and their items (XEP-0060 §5.2 to §5.5). */
import { readRefusal, subscribeRefusal } from './access.js'
import { FORM_META, metaDataOf } from './configuration.js'
import { affiliated, type Node } from './node.js'
import type { Service, Visit } from './service.js'
import type { IqRequest } from '../../host/iq-table.js'
import type { DiscoBranch, DiscoItem } from '../../host/module.js'
import type { DiscoInfo } from '../../stanza/caps.js'
import { formatMoment } from '../../stanza/delay.js'
import { StanzaError } from '../../stanza/errors.js'
import { resultForm } from '../../stanza/forms.js'
import type { Jid } from '../../stanza/jid.js'
import { NS } from '../../xml/namespaces.js'

export class Discovery implements DiscoBranch {
  readonly at: DiscoBranch['at']
  readonly #service: Service

  constructor(service: Service, at: DiscoBranch['at']) {
    this.at = at
    this.#service = service
  }

  /** XEP-0060 §5.3, §5.4 */
  async info({ to, from }: IqRequest, name: string): Promise<DiscoInfo | undefined> {
    const node = await this.#visible(to, name, from)
    if (!node) return undefined
    return {
      identities: [{ category: 'pubsub', type: 'leaf', name: node.config.title || undefined }],
      features: [NS.discoInfo, NS.discoItems, NS.pubsub],
      forms: [resultForm(FORM_META, metaData(node))],
    }
  }

  /** XEP-0060 §5.2, XEP-0163 §6.2: nodes that they may see; §5.5: items of one that they may read. */
  async items({ to, from }: IqRequest, name: string | undefined): Promise<readonly DiscoItem[] | undefined> {
    const jid = to.toString()
    if (name === undefined) {
      const visits = await this.#service.visits(to, from)
      return visits
        .filter(isVisible)
        .map(({ node }) => ({ jid, node: node.name, name: node.config.title || undefined }))
        .sort((a, b) => (a.node < b.node ? -1 : 1))
    }
    const node = await this.#visible(to, name, from)
    if (!node || readRefusal(node, await this.#service.standing(node, from))) return undefined
    const items = await this.#service.store.index(node.id, this.#service.clock.now())
    return items.map(({ id }) => ({ jid, name: id }))
  }

  async #visible(address: Jid, name: string, who: Jid): Promise<Node | undefined> {
    try {
      const visit = await this.#service.visit(address, name, who)
      return isVisible(visit) ? visit.node : undefined
    } catch (error) {
      if (error instanceof StanzaError) return undefined
      throw error
    }
  }
}

function isVisible({ node, who }: Visit): boolean {
  if (!readRefusal(node, who)) return true
  return !(subscribeRefusal(node, who) instanceof StanzaError)
}

/** XEP-0060 §16.4.3 */
function metaData(node: Node): Record<string, string | readonly string[]> {
  const owners = affiliated(node, 'owner').map(String)
  const publishers = affiliated(node, 'publisher').map(String)
  const subscribers = [...node.subscriptions.values()].filter(({ state }) => state === 'subscribed')
  return {
    ...metaDataOf(node.config),
    'pubsub#creator': node.creator.toString(),
    'pubsub#creation_date': formatMoment(node.createdAt),
    'pubsub#owner': node.service.local === '' ? owners : [node.service.toString(), ...owners],
    ...(publishers.length > 0 ? { 'pubsub#publisher': publishers } : {}),
    'pubsub#num_subscribers': String(subscribers.length),
  }
}
