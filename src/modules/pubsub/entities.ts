/** Who has to do with a node, as its owners manage it: affiliations and subscriptions (XEP-0060 §5.7, §8.8, §8.9). */
import { subscribeRefusal } from './access.js'
import { affiliations, subscriptionsOf, type Affiliation, type Node, type Subscription } from './node.js'
import type { Notices } from './notices.js'
import type { Service } from './service.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'

export class Entities {
  readonly #service: Service
  readonly #notices: Notices

  constructor(service: Service, notices: Notices) {
    this.#service = service
    this.#notices = notices
  }

  /** XEP-0060 §5.7: the affiliations of an entity with all nodes, or with one. */
  async affiliationsOf(
    address: Jid,
    by: Jid,
    name?: string,
  ): Promise<readonly { node: Node; affiliation: Affiliation }[]> {
    return (await this.#service.visits(address, by, name))
      .map(({ node, who }) => ({ node, affiliation: who.affiliation }))
      .filter(({ affiliation }) => affiliation !== 'none')
  }

  /**
   * XEP-0060 §8.9.1
   * @throws StanzaError as XEP-0060 §8.9.1.3
   */
  async affiliations(
    address: Jid,
    name: string,
    by: Jid,
  ): Promise<readonly (readonly [string, Affiliation])[]> {
    const node = await this.#service.requireOwner(address, name, by)
    const named = [...node.affiliations]
    return address.local === '' ? named : [[address.toString(), 'owner'], ...named]
  }

  /**
   * XEP-0060 §8.9.2. All or none: what cannot be done is told before anything is.
   * @throws StanzaError as XEP-0060 §8.9.2.3; `not-acceptable`
   */
  affiliate(
    address: Jid,
    name: string,
    by: Jid,
    changes: readonly (readonly [jid: Jid, affiliation: string])[],
  ): Promise<void> {
    return this.#service.nodes.inTurn(address, name, async () => {
      const node = await this.#service.requireOwner(address, name, by)
      const read = changes.map(([jid, text]) => {
        const affiliation = affiliations.find((known) => known === text)
        // XEP-0060 §4.1: of bare addresses; whose account it is stays its owner.
        if (!affiliation || !jid.isBare || jid.equals(address)) throw new StanzaError('not-acceptable')
        return [jid, affiliation] as const
      })
      const after = new Map([
        ...node.affiliations,
        ...read.map(([jid, has]) => [jid.toString(), has] as const),
      ])
      if (address.local === '' && ![...after.values()].includes('owner'))
        throw new StanzaError('not-acceptable', 'A node has an owner.')
      if (after.size > this.#service.rules.room.entities) {
        this.#service.rules.hit('entities')
        throw new StanzaError('resource-constraint', 'Too many have to do with this node.')
      }
      const changed = await this.#service.nodes.change(node, { affiliations: read })
      for (const [jid] of read) await this.#reconsider(changed.service, changed.name, jid)
    })
  }

  /**
   * XEP-0060 §8.8.1: those that are subscribed, without those that wait.
   * @throws StanzaError as XEP-0060 §8.8.1.3
   */
  async subscriptions(address: Jid, name: string, by: Jid): Promise<readonly Subscription[]> {
    const node = await this.#service.requireOwner(address, name, by)
    return [...node.subscriptions.values()].filter(({ state }) => state === 'subscribed')
  }

  /**
   * XEP-0060 §8.8.2: ends subscriptions, and grants those that wait. Nobody is subscribed who has not asked for it: that
   * would be a way to have others flooded. All or none.
   * @throws StanzaError as XEP-0060 §8.8.2.3; `not-acceptable`
   */
  subscribe(
    address: Jid,
    name: string,
    by: Jid,
    changes: readonly (readonly [jid: Jid, state: string | undefined])[],
  ): Promise<readonly Jid[]> {
    return this.#service.nodes.inTurn(address, name, async () => {
      const node = await this.#service.requireOwner(address, name, by)
      const read = changes.flatMap(([jid, state]) => {
        const before = node.subscriptions.get(jid.toString())
        if (!before || (state !== 'none' && state !== 'subscribed' && state !== undefined))
          throw new StanzaError('not-acceptable')
        if (state === undefined || state === before.state) return []
        return [[jid, state === 'none' ? undefined : { ...before, state: 'subscribed' as const }] as const]
      })
      const changed = await this.#service.nodes.change(node, { subscriptions: read })
      // XEP-0060 §8.8.4
      for (const [jid, after] of read) this.#notices.subscriptionChanged(changed, jid, after?.state ?? 'none')
      return read.flatMap(([jid, after]) => (after ? [jid] : []))
    })
  }

  /**
   * XEP-0163 §7.1: `who` may have lost what gave them access; subscriptions to nodes that they may no longer see end, and
   * they are told.
   */
  async reconsider(address: Jid, who: Jid): Promise<void> {
    const { nodes } = this.#service
    const concerned = [...(await nodes.of(address)).values()].filter(
      (node) => subscriptionsOf(node, who).length > 0,
    )
    for (const { name } of concerned)
      await nodes.inTurn(address, name, () => this.#reconsider(address, name, who))
  }

  /** The same for all subscribers of a node whose configuration has changed. In turn. */
  async reconsiderAll(node: Node): Promise<void> {
    const entities = new Map(
      [...node.subscriptions.values()].map(({ jid }) => [jid.bare.toString(), jid.bare]),
    )
    for (const who of entities.values()) await this.#reconsider(node.service, node.name, who)
  }

  async #reconsider(address: Jid, name: string, who: Jid): Promise<void> {
    const { nodes } = this.#service
    const node = (await nodes.of(address)).get(name)
    const ended = node ? subscriptionsOf(node, who) : []
    if (!node || ended.length === 0) return
    const standing = await this.#service.standing(node, who)
    if (!(subscribeRefusal(node, standing) instanceof StanzaError)) return
    const changed = await nodes.change(node, { subscriptions: ended.map(({ jid }) => [jid, undefined]) })
    for (const { jid } of ended) this.#notices.subscriptionChanged(changed, jid, 'none')
  }
}
