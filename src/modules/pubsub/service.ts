/** What the services of one kind have in common: their nodes, who somebody is to them, and who hears of what happens. */
import { mayPublish, readRefusal, subscribeRefusal, type Standing } from './access.js'
import type { Bounds, Configuration } from './configuration.js'
import { affiliationOf, subscriptionsOf, type Node } from './node.js'
import type { Nodes } from './nodes.js'
import { notForStrangers, refusal } from './refusals.js'
import type { Clock } from '../../base/clock.js'
import type { Random } from '../../base/random.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'
import type { PubsubStore } from '../../storage/pubsub.js'

/** What somebody is to a service, before any node is looked at. */
export interface Relation {
  /** The owner of all its nodes. */
  readonly owner: boolean
  readonly sharesPresence: boolean
  readonly groups: readonly string[]
  /** Must not learn whether there is such a service. */
  readonly stranger: boolean
}

/** What tells one kind of service from another: those at accounts (XEP-0163), and that of a domain. */
export interface Rules {
  readonly bounds: Bounds
  readonly defaults: Configuration
  /** Nodes, and bytes of payloads, that a service may have; entities that may be subscribed to or affiliated with a node. */
  readonly room: { readonly nodes: number; readonly bytes: number; readonly entities: number }
  readonly autoCreate: boolean
  /** At once where it is known. */
  relation(service: Jid, who: Jid): Relation | Promise<Relation>
  /**
   * Row of the account that new nodes of the service go with.
   * @throws StanzaError when `who` may not make any
   */
  account(service: Jid, who: Jid | undefined): Promise<number | undefined>
  /** Resources that hear of the node without having subscribed to it (XEP-0060 §9). */
  audience(node: Node): readonly Jid[] | Promise<readonly Jid[]>
  /** Whether nothing is to be sent there on behalf of the service. */
  blocks(service: Jid, other: Jid): boolean | Promise<boolean>
  send(stanza: Stanza): void
  hit(bound: 'bytes' | 'entities' | 'items' | 'nodes'): void
}

/** A node, and who asks for something there. */
export interface Visit {
  readonly node: Node
  readonly who: Standing
}

export class Service {
  readonly rules: Rules
  readonly nodes: Nodes
  readonly store: PubsubStore
  readonly clock: Clock
  readonly random: Random

  constructor(
    rules: Rules,
    { nodes, store, clock, random }: { nodes: Nodes; store: PubsubStore; clock: Clock; random: Random },
  ) {
    this.rules = rules
    this.nodes = nodes
    this.store = store
    this.clock = clock
    this.random = random
  }

  /**
   * The node, and what `who` is there; undefined is the service itself, which owns all.
   * @throws StanzaError `item-not-found`, or what strangers are told
   */
  async visit(service: Jid, name: string, who: Jid | undefined): Promise<Visit> {
    const relation = who ? await this.rules.relation(service, who) : itself
    const node = (await this.nodes.of(service)).get(name)
    if (!node) throw relation.stranger ? notForStrangers() : new StanzaError('item-not-found')
    const standing = standingAt(node, who, relation)
    if (relation.stranger && !hasBusiness(node, standing)) throw notForStrangers()
    return { node, who: standing }
  }

  /** All nodes of a service by name, or one, as `who` finds them. @throws StanzaError as `visit`; strangers must have to do with one */
  async visits(service: Jid, who: Jid, name?: string): Promise<readonly Visit[]> {
    if (name !== undefined) return [await this.visit(service, name, who)]
    const relation = await this.rules.relation(service, who)
    const all = [...(await this.nodes.of(service)).values()].sort((a, b) => (a.name < b.name ? -1 : 1))
    const visits = all.map((node) => ({ node, who: standingAt(node, who, relation) }))
    const known = visits.some(({ who: { affiliation, subscriptions } }) => {
      return affiliation !== 'none' || subscriptions.length > 0
    })
    if (relation.stranger && !known) throw notForStrangers()
    return visits
  }

  /** @throws StanzaError what strangers are told */
  async requireAcquaintance(service: Jid, who: Jid): Promise<void> {
    if ((await this.rules.relation(service, who)).stranger) throw notForStrangers()
  }

  /** What somebody is at a node; `visit` without the errors. */
  async standing(node: Node, who: Jid): Promise<Standing> {
    return standingAt(node, who, await this.rules.relation(node.service, who))
  }

  /** @throws StanzaError as they may not */
  async requireRead(service: Jid, name: string, who: Jid | undefined): Promise<Node> {
    const visit = await this.visit(service, name, who)
    const refused = readRefusal(visit.node, visit.who)
    if (refused) throw refused
    return visit.node
  }

  /** @throws StanzaError `forbidden` */
  async requireOwner(service: Jid, name: string, who: Jid | undefined): Promise<Node> {
    const { node, who: standing } = await this.visit(service, name, who)
    if (standing.affiliation !== 'owner') throw new StanzaError('forbidden')
    return node
  }

  /**
   * Makes a node. In turn.
   * @throws StanzaError `conflict`, `resource-constraint`, and as the rules say
   */
  async make(service: Jid, name: string, who: Jid | undefined, config: Configuration): Promise<Node> {
    const account = await this.rules.account(service, who)
    const creator = who?.bare ?? service
    const made = await this.nodes.create(
      {
        service: service.toString(),
        account,
        name,
        creator: creator.toString(),
        createdAt: this.clock.now(),
        config,
        affiliations: creator.equals(service) ? [] : [[creator.toString(), 'owner']],
      },
      this.rules.room.nodes,
    )
    if (made === 'exists') throw new StanzaError('conflict')
    if (made === 'nobody') throw new StanzaError('service-unavailable')
    if (made === 'full') {
      this.rules.hit('nodes')
      const text = `There may be ${this.rules.room.nodes} nodes.`
      throw refusal('resource-constraint', 'max-nodes-exceeded', { text })
    }
    return made
  }
}

const itself: Relation = { owner: true, sharesPresence: true, groups: [], stranger: false }

function standingAt(node: Node, who: Jid | undefined, relation: Relation): Standing {
  return {
    affiliation: relation.owner || !who ? 'owner' : affiliationOf(node, who),
    sharesPresence: relation.sharesPresence,
    groups: relation.groups,
    subscriptions: who ? subscriptionsOf(node, who) : [],
  }
}

/** Whether there is anything at all that they may do at the node. */
function hasBusiness(node: Node, who: Standing): boolean {
  if (who.subscriptions.length > 0 || mayPublish(node, who) || !readRefusal(node, who)) return true
  const refused = subscribeRefusal(node, who)
  return refused === undefined || refused === 'ask'
}
