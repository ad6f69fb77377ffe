/** Notifications: what is said to whom when something happens at a node (XEP-0060 §7.1.2, §8.4, §12; XEP-0163 §4.3). */
import { subscribeRefusal } from './access.js'
import { configurationResult } from './configuration.js'
import type { Node, Subscription } from './node.js'
import type { Service } from './service.js'
import { delay } from '../../stanza/delay.js'
import type { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import type { ItemRecord } from '../../storage/pubsub.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { escapeAttribute, escapeText } from '../../xml/write.js'

export class Notices {
  readonly #service: Service

  constructor(service: Service) {
    this.#service = service
  }

  /** XEP-0060 §7.1.2; `items` is empty for the event of a node that has none (§4.3). */
  async published(node: Node, items: readonly ItemRecord[]): Promise<void> {
    await this.#tell(node, itemsXml(node, items))
  }

  /** XEP-0060 §7.2.2.1 */
  async retracted(node: Node, ids: readonly string[]): Promise<void> {
    const retracts = ids.map((id) => `<retract id='${escapeAttribute(id)}'/>`).join('')
    await this.#tell(node, `<items node='${escapeAttribute(node.name)}'>${retracts}</items>`)
  }

  /** XEP-0060 §8.5.2: one for all items. */
  async purged(node: Node): Promise<void> {
    await this.#tell(node, `<purge node='${escapeAttribute(node.name)}'/>`)
  }

  /** XEP-0060 §8.4.2: those who wait for an answer hear of it, too. */
  async deleted(node: Node, redirect: string | undefined): Promise<void> {
    const uri = redirect === undefined ? '' : `<redirect uri='${escapeAttribute(redirect)}'/>`
    const name = escapeAttribute(node.name)
    await this.#tell(node, uri ? `<delete node='${name}'>${uri}</delete>` : `<delete node='${name}'/>`, {
      pending: true,
    })
  }

  /** XEP-0060 §8.2.5.3 */
  async configured(node: Node): Promise<void> {
    const inner = node.config.payloads ? configurationResult(node.config).toString() : ''
    await this.#tell(node, `<configuration node='${escapeAttribute(node.name)}'>${inner}</configuration>`)
  }

  /** XEP-0060 §12.14: to whom it concerns, or to somebody else who wants to know. */
  subscriptionChanged(node: Node, jid: Jid, state: 'none' | Subscription['state'], to = jid): void {
    this.#send(this.#event(node, subscriptionXml(node, jid, state)), to)
  }

  /** Something for a person, that may wait for them (XEP-0060 §8.6). */
  say(node: Node, to: Jid, payload: Element): void {
    const id = this.#service.random.id()
    this.#service.rules.send(Stanza.of({ kind: 'message', id, from: node.service, to }, payload))
  }

  /** XEP-0060 §6.1.7, XEP-0163 §4.3.4: the last item, marked as an old one. */
  async last(node: Node, item: ItemRecord, to: readonly Jid[]): Promise<void> {
    const event = this.#event(node, itemsXml(node, [item])).withChild(delay(node.service, item.at))
    for (const jid of to) if (!(await this.#service.rules.blocks(node.service, jid))) this.#send(event, jid)
  }

  async #tell(node: Node, inner: string, { pending = false } = {}): Promise<void> {
    if (!node.config.notify) return
    const event = this.#event(node, inner)
    const { rules } = this.#service
    const audience = await rules.audience(node)
    for (const jid of audience) {
      const blocked = rules.blocks(node.service, jid)
      if (blocked instanceof Promise ? await blocked : blocked) continue
      this.#send(event, jid)
    }
    if (node.subscriptions.size > 0)
      for (const jid of await this.#subscribers(node, audience, pending)) this.#send(event, jid)
  }

  /** Addresses that were subscribed and have not heard of it already (XEP-0163 §4.3.2). */
  async #subscribers(node: Node, told: readonly Jid[], pending: boolean): Promise<readonly Jid[]> {
    const { rules } = this.#service
    const heard = new Set(told.flatMap((jid) => [jid.toString(), jid.bare.toString()]))
    const waiting: Jid[] = []
    for (const { jid, state, deliver } of node.subscriptions.values()) {
      if (heard.has(jid.toString()) || !deliver || (state === 'pending' && !pending)) continue
      // What has been subscribed to may have been closed since.
      const who = await this.#service.standing(node, jid)
      if (subscribeRefusal(node, who) instanceof Error) continue
      if (!(await rules.blocks(node.service, jid))) waiting.push(jid)
    }
    return waiting
  }

  #event(node: Node, inner: string): Stanza {
    const from = escapeAttribute(node.service.toString())
    const id = escapeAttribute(this.#service.random.id())
    // XEP-0060 §12.7: a headline is never kept for later.
    const type = node.config.messages === 'headline' ? ` type='headline'` : ''
    return Stanza.parse(
      `<message xmlns='jabber:client' from='${from}'${type} id='${id}'><event xmlns='${NS.pubsubEvent}'>${inner}</event></message>`,
    )
  }

  #send(event: Stanza, to: Jid): void {
    this.#service.rules.send(event.readdressed({ to }))
  }
}

function itemsXml(node: Node, items: readonly ItemRecord[]): string {
  const inner = items.map((item) => itemXml(node, item)).join('')
  const name = escapeAttribute(node.name)
  return inner === '' ? `<items node='${name}'/>` : `<items node='${name}'>${inner}</items>`
}

function itemXml(node: Node, { id, publisher, payload }: ItemRecord): string {
  // XEP-0060 §7.1.2.3: named where it is not the service itself, as at an account.
  const by = publisher === node.service.toString() ? '' : ` publisher='${escapeAttribute(publisher)}'`
  const start = `<item id='${escapeAttribute(id)}'${by}`
  return node.config.payloads && payload !== '' ? `${start}>${payload}</item>` : `${start}/>`
}

function subscriptionXml(node: Node, jid: Jid, state: string): string {
  return `<subscription node='${escapeAttribute(node.name)}' jid='${escapeAttribute(jid.toString())}' subscription='${escapeText(state)}'/>`
}
