/** Creating, configuring and deleting nodes (XEP-0060 §8.1 to §8.4). */
import { configurationForm, configured, type Configuration } from './configuration.js'
import type { Entities } from './entities.js'
import type { Node } from './node.js'
import type { Notices } from './notices.js'
import type { Onlookers } from './publishing.js'
import type { Service } from './service.js'
import type { Jid } from '../../stanza/jid.js'
import type { Element } from '../../xml/element.js'

export class Managing {
  readonly #service: Service
  readonly #notices: Notices
  readonly #entities: Entities
  readonly #onlookers: Onlookers

  constructor(service: Service, notices: Notices, entities: Entities, onlookers: Onlookers) {
    this.#service = service
    this.#notices = notices
    this.#entities = entities
    this.#onlookers = onlookers
  }

  /**
   * XEP-0060 §8.1: makes a node, configured by `form` if there is one. Without a name it gets one (instant nodes).
   * @throws StanzaError as XEP-0060 §8.1
   */
  async create(address: Jid, name: string | undefined, by: Jid, form: Element | undefined): Promise<Node> {
    const { rules, random, nodes } = this.#service
    await this.#service.requireAcquaintance(address, by)
    const config = form ? configured(rules.defaults, form, rules.bounds) : rules.defaults
    const chosen = name ?? random.id()
    return nodes.inTurn(address, chosen, () => this.#service.make(address, chosen, by, config))
  }

  /**
   * XEP-0060 §8.2.2
   * @throws StanzaError as XEP-0060 §8.2.3
   */
  async form(address: Jid, name: string, by: Jid): Promise<Element> {
    const { config } = await this.#service.requireOwner(address, name, by)
    return configurationForm(config, this.#service.rules.bounds)
  }

  /** XEP-0060 §8.3 */
  async defaultForm(address: Jid, by: Jid): Promise<Element> {
    const { rules } = this.#service
    await this.#service.requireAcquaintance(address, by)
    return configurationForm(rules.defaults, rules.bounds)
  }

  /**
   * XEP-0060 §8.2.4, §8.2.5
   * @throws StanzaError as XEP-0060 §8.2.3; `bad-request`, `not-acceptable` when the form is not as it should be
   */
  configure(address: Jid, name: string, by: Jid, form: Element): Promise<void> {
    const { nodes, rules } = this.#service
    return nodes.inTurn(address, name, async () => {
      const before = await this.#service.requireOwner(address, name, by)
      const config = configured(before.config, form, rules.bounds)
      const node = await nodes.change(before, { config })
      await this.#makeRoom(before.config, node)
      if (config.access !== before.config.access || config.groups !== before.config.groups)
        await this.#entities.reconsiderAll(node)
      if (config.notifyConfig) await this.#notices.configured(node)
    })
  }

  /** What the new configuration has no place for. */
  async #makeRoom(before: Configuration, node: Node): Promise<void> {
    const { store, clock, rules } = this.#service
    const { config } = node
    if (!config.persist) {
      if (before.persist) await store.purge(node.id)
      return
    }
    const most = config.maxItems === 'max' ? rules.bounds.items : config.maxItems
    if (before.maxItems !== 'max' && most >= before.maxItems) return
    const all = await store.index(node.id, clock.now())
    const surplus = all.slice(0, Math.max(0, all.length - most)).map(({ id }) => id)
    if (surplus.length === 0) return
    await store.retract(node.id, surplus)
    if (config.notifyRetract) await this.#notices.retracted(node, surplus)
  }

  /**
   * XEP-0060 §8.4. `redirect` is the URI of a node that takes its place.
   * @throws StanzaError as XEP-0060 §8.4.3
   */
  delete(address: Jid, name: string, by: Jid | undefined, redirect?: string): Promise<void> {
    const { nodes } = this.#service
    return nodes.inTurn(address, name, async () => {
      const node = await this.#service.requireOwner(address, name, by)
      await nodes.remove(node)
      await this.#notices.deleted(node, redirect)
      await this.#onlookers.told({ node, by, gone: 'deleted' })
    })
  }
}
