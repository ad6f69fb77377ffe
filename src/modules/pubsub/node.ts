/** A node as the engine sees it: never changed, only replaced (XEP-0060 §4). */
import { readConfiguration, type Configuration } from './configuration.js'
import { Jid } from '../../stanza/jid.js'
import type { NodeRecord } from '../../storage/pubsub.js'

/** XEP-0060 §4.1; who is not named has none. */
export type Affiliation = 'member' | 'none' | 'outcast' | 'owner' | 'publish-only' | 'publisher'
export const affiliations: readonly Affiliation[] = [
  'member',
  'none',
  'outcast',
  'owner',
  'publish-only',
  'publisher',
]

/** One for each address that was subscribed, bare or full: there are no SubIDs (XEP-0060 §6.1.6 leaves them open). */
export interface Subscription {
  readonly jid: Jid
  readonly state: 'pending' | 'subscribed'
  /** XEP-0060 §16.4.2, `pubsub#deliver`. */
  readonly deliver: boolean
}

export interface Node {
  readonly id: number
  /** Bare address of the service. */
  readonly service: Jid
  readonly name: string
  readonly creator: Jid
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly config: Configuration
  /** By bare address. */
  readonly affiliations: ReadonlyMap<string, Affiliation>
  /** By address. */
  readonly subscriptions: ReadonlyMap<string, Subscription>
}

export function nodeOf(record: NodeRecord, defaults: Configuration): Node {
  return {
    id: record.id,
    service: Jid.parse(record.service),
    name: record.name,
    creator: Jid.parse(record.creator),
    createdAt: record.createdAt,
    config: readConfiguration(record.config, defaults),
    affiliations: new Map(
      record.affiliations.map(([jid, affiliation]) => [
        jid,
        affiliations.find((known) => known === affiliation) ?? 'none',
      ]),
    ),
    subscriptions: new Map(
      record.subscriptions.map(({ jid, state, deliver }) => [jid, { jid: Jid.parse(jid), state, deliver }]),
    ),
  }
}

/** The affiliation of an address, bare or full. */
export function affiliationOf(node: Node, jid: Jid): Affiliation {
  return node.affiliations.get(jid.bare.toString()) ?? 'none'
}

/** All subscriptions of an entity, whichever resource they are for. */
export function subscriptionsOf(node: Node, jid: Jid): readonly Subscription[] {
  if (node.subscriptions.size === 0) return none
  const { bare } = jid
  return [...node.subscriptions.values()].filter((one) => one.jid.bare.equals(bare))
}

const none: readonly Subscription[] = Object.freeze([])

/** Addresses of that affiliation. */
export function affiliated(node: Node, affiliation: Affiliation): readonly Jid[] {
  return [...node.affiliations].flatMap(([jid, has]) => (has === affiliation ? [Jid.parse(jid)] : []))
}
