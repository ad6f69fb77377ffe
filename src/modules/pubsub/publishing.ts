/** Publishing, retracting, purging and retrieving items (XEP-0060 §6.5, §7, §8.5). */
import { mayPublish, mayRetract } from './access.js'
import type { PepDraft } from './api.js'
import { itemsKept, type Preconditions } from './configuration.js'
import type { Node } from './node.js'
import type { Notices } from './notices.js'
import { notForStrangers, refusal, unsupported } from './refusals.js'
import type { Service } from './service.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import type { ItemRecord } from '../../storage/pubsub.js'
import type { Element } from '../../xml/element.js'

/** Characters of an item's id. */
export const longestId = 1_023

export interface Draft {
  readonly id: string | undefined
  readonly payload: Element | undefined
}

/** What has happened at a node; for who watches. */
export interface Event {
  readonly node: Node
  readonly by: Jid | undefined
  readonly items?: readonly { readonly record: ItemRecord; readonly payload: Element | undefined }[]
  readonly retracted?: readonly string[]
  readonly gone?: 'deleted' | 'purged'
}

/** Asked before an item is stored, told after; for what other modules want to know. */
export interface Onlookers {
  /** @throws StanzaError to refuse */
  check(draft: PepDraft): Promise<Pick<PepDraft, 'id' | 'payload'>>
  told(event: Event): Promise<void>
}

export class Publishing {
  readonly #service: Service
  readonly #notices: Notices
  readonly #onlookers: Onlookers

  constructor(service: Service, notices: Notices, onlookers: Onlookers) {
    this.#service = service
    this.#notices = notices
    this.#onlookers = onlookers
  }

  /**
   * XEP-0060 §7.1: stores the items and tells of them; gives their ids. `by` undefined: the service itself does it.
   * @throws StanzaError as XEP-0060 §7.1.3
   */
  publish(
    address: Jid,
    name: string,
    drafts: readonly Draft[],
    {
      by,
      preconditions,
    }: { by: Jid | undefined; preconditions?: Pick<Preconditions, 'check' | 'over'> | undefined },
  ): Promise<readonly string[]> {
    return this.#service.nodes.inTurn(address, name, async () => {
      const node = await this.#target(address, name, by, preconditions)
      this.#requireFit(node, drafts)
      const items: { record: ItemRecord; payload: Element | undefined }[] = []
      for (const draft of drafts) items.push(await this.#item(node, draft, by))
      if (new Set(items.map(({ record }) => record.id)).size < items.length)
        throw new StanzaError('bad-request', 'Two items have the same id.')
      const records = items.map(({ record }) => record)
      const trimmed = await this.#store(node, records)
      await this.#notices.published(node, records)
      if (trimmed.length > 0) await this.#notices.retracted(node, trimmed)
      await this.#onlookers.told({ node, by, items })
      return records.map(({ id }) => id)
    })
  }

  /**
   * XEP-0060 §7.2. `notify` undefined: as the node says.
   * @throws StanzaError as XEP-0060 §7.2.3
   */
  retract(
    address: Jid,
    name: string,
    ids: readonly string[],
    { by, notify }: { by: Jid | undefined; notify: boolean | undefined },
  ): Promise<void> {
    return this.#service.nodes.inTurn(address, name, async () => {
      const { node, who } = await this.#service.visit(address, name, by)
      const may = mayRetract(node, who)
      if (may === 'none') throw new StanzaError('forbidden')
      if (!node.config.persist) throw unsupported('persistent-items')
      const { store, clock } = this.#service
      const there = await store.items(node.id, ids, clock.now())
      // XEP-0060 §12.11: all or none.
      if (there.length < new Set(ids).size) throw new StanzaError('item-not-found')
      const own = by?.bare.toString()
      if (may === 'own' && there.some(({ publisher }) => publisher !== own))
        throw new StanzaError('forbidden')
      const gone = await store.retract(node.id, ids)
      // XEP-0060 §7.2.2.1, §16.4.4: asked for here, or once for all.
      if (notify || node.config.notifyRetract) await this.#notices.retracted(node, gone)
      await this.#onlookers.told({ node, by, retracted: gone })
    })
  }

  /**
   * XEP-0060 §8.5.
   * @throws StanzaError as XEP-0060 §8.5.3
   */
  purge(address: Jid, name: string, by: Jid | undefined): Promise<void> {
    return this.#service.nodes.inTurn(address, name, async () => {
      const node = await this.#service.requireOwner(address, name, by)
      if (!node.config.persist) throw unsupported('persistent-items')
      await this.#service.store.purge(node.id)
      await this.#notices.purged(node)
      await this.#onlookers.told({ node, by, gone: 'purged' })
    })
  }

  /** The node to publish to, which is made when there is none (XEP-0060 §7.1.4, §7.1.5). In turn. */
  async #target(
    address: Jid,
    name: string,
    by: Jid | undefined,
    preconditions: Pick<Preconditions, 'check' | 'over'> | undefined,
  ): Promise<Node> {
    const { rules, nodes } = this.#service
    if (!(await nodes.of(address)).has(name)) {
      if (!rules.autoCreate) throw new StanzaError('item-not-found')
      const relation = by && (await rules.relation(address, by))
      if (relation?.stranger) throw notForStrangers()
      const config = preconditions?.over(rules.defaults, rules.bounds) ?? rules.defaults
      return this.#service.make(address, name, by, config)
    }
    const { node, who } = await this.#service.visit(address, name, by)
    if (!mayPublish(node, who)) throw new StanzaError('forbidden')
    preconditions?.check(node.config, rules.bounds)
    return node
  }

  /** XEP-0060 §7.1.3.7, §4.3, §12.11 */
  #requireFit({ config }: Node, drafts: readonly Draft[]): void {
    if (!config.persist && !config.payloads) {
      if (drafts.length > 0) throw refusal('bad-request', 'item-forbidden')
      return
    }
    if (drafts.length === 0) throw refusal('bad-request', 'item-required')
    if (config.payloads && drafts.some(({ payload }) => !payload))
      throw refusal('bad-request', 'payload-required')
    if (config.persist && drafts.length > itemsKept(config, this.#service.rules.bounds))
      throw refusal('not-allowed', 'max-items-exceeded')
  }

  async #item(
    node: Node,
    draft: Draft,
    by: Jid | undefined,
  ): Promise<{ record: ItemRecord; payload: Element | undefined }> {
    const { random, clock } = this.#service
    let { id = random.id(), payload } = draft
    if (payload && by) {
      const about = { account: node.service, node: node.name, by }
      ;({ id, payload } = await this.#onlookers.check({ ...about, id, payload }))
    }
    if (id === '' || id.length > longestId)
      throw new StanzaError('bad-request', `An id has up to ${longestId} characters.`)
    const text = payload?.toString() ?? ''
    if (Buffer.byteLength(text) > node.config.maxPayload) throw refusal('not-acceptable', 'payload-too-big')
    const publisher = (by?.bare ?? node.service).toString()
    return { record: { id, publisher, at: clock.now(), payload: text }, payload }
  }

  /** Ids of items that had to go, if that is to be told. */
  async #store(node: Node, records: readonly ItemRecord[]): Promise<readonly string[]> {
    const { rules, store } = this.#service
    const { config } = node
    if (!config.persist) return []
    const items = itemsKept(config, rules.bounds)
    const whenFull = config.whenFull === 'reject' ? 'refuse' : 'trim'
    const outcome = await store.publish(node.id, records, { items, bytes: rules.room.bytes, whenFull })
    if (outcome === 'gone') throw new StanzaError('item-not-found')
    if (outcome === 'items') {
      rules.hit('items')
      throw refusal('conflict', 'node-full')
    }
    if (outcome === 'bytes') {
      rules.hit('bytes')
      throw new StanzaError('resource-constraint', 'There is no more room for items here.')
    }
    if (outcome.trimmed.length > 0 && items === rules.bounds.items) rules.hit('items')
    // XEP-0060 §12.21: what takes the place of the only item has said all there is to say.
    const told = config.notifyRetract && config.whenFull === 'retract-oldest' && items > 1
    return told ? outcome.trimmed : []
  }
}
