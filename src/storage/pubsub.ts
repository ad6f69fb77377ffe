/** The contract of the pubsub store: nodes, their items, and who has to do with them (XEP-0060). */

/** Who has to do with a node is told by addresses in canonical form: affiliations by bare ones. */
export interface NodeRecord {
  readonly id: number
  /** Bare address of the service: an account's, or a domain. */
  readonly service: string
  readonly name: string
  readonly creator: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** What JSON can say; `undefined` members vanish. */
  readonly config: Readonly<Record<string, unknown>>
  readonly affiliations: readonly (readonly [jid: string, affiliation: string])[]
  readonly subscriptions: readonly SubscriptionRecord[]
}

/** One per node and address, bare or full. */
export interface SubscriptionRecord {
  readonly jid: string
  readonly state: 'pending' | 'subscribed'
  /** Whether notifications are wanted. */
  readonly deliver: boolean
}

export interface NewNode {
  readonly service: string
  /** Row of the account that the service belongs to, and goes with; undefined for a service of a domain. */
  readonly account: number | undefined
  readonly name: string
  readonly creator: string
  readonly createdAt: number
  readonly config: Readonly<Record<string, unknown>>
  /** Seconds after which items are gone. */
  readonly expire: number | undefined
  readonly affiliations: readonly (readonly [jid: string, affiliation: string])[]
}

/** What is not named stays. `undefined` in the lists: removed. */
export interface NodeChange {
  readonly config?: Readonly<Record<string, unknown>>
  /** With `config`. */
  readonly expire?: number | undefined
  readonly affiliations?: readonly (readonly [jid: string, affiliation: string | undefined])[]
  readonly subscriptions?: readonly (readonly [jid: string, subscription: SubscriptionRecord | undefined])[]
}

export interface ItemRecord {
  readonly id: string
  /** Bare address. */
  readonly publisher: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** XML that stands alone; '' when there is none. */
  readonly payload: string
}

export interface Room {
  /** Items that the node keeps at most, at least 1. */
  readonly items: number
  /** UTF-8 bytes of payloads that its service keeps at most. */
  readonly bytes: number
  /** When there are as many items: the oldest make room, or nothing is stored. */
  readonly whenFull: 'trim' | 'refuse'
}

export type Published = { readonly trimmed: readonly string[] } | 'items' | 'bytes' | 'gone'

export interface PubsubStore {
  /**
   * The node's id. 'exists': the service has one of that name. 'full': it has `most` nodes. 'nobody': there is no such
   * account any more.
   */
  create(node: NewNode, most: number): Promise<number | 'exists' | 'full' | 'nobody'>
  /** All nodes of each of these services, by name; with `name`, those of that name. */
  load(services: readonly string[], name?: string): Promise<NodeRecord[]>
  /** All or nothing; false when the node is gone. */
  change(node: number, change: NodeChange): Promise<boolean>
  /** With items, affiliations and subscriptions; false when it was gone before. */
  remove(node: number): Promise<boolean>
  /**
   * Stores items, in their order as the newest ones; those of the same id are replaced. Gives the ids of those that had
   * to go. Nothing is stored: 'items' when the node is full (`whenFull`), 'bytes' when the service is, 'gone' when there
   * is no such node.
   */
  publish(node: number, items: readonly ItemRecord[], room: Room): Promise<Published>
  /** Removes those of them that are there (and published by `publisher`, a bare address); gives their ids. */
  retract(node: number, ids: readonly string[], publisher?: string): Promise<string[]>
  /** Removes all items. */
  purge(node: number): Promise<void>
  /** Ids and sizes in UTF-8 bytes of all items that are not expired at `now`, oldest first. */
  index(node: number, now: number): Promise<{ readonly id: string; readonly bytes: number }[]>
  /** Those of these items that are there and not expired, oldest first. */
  items(node: number, ids: readonly string[], now: number): Promise<ItemRecord[]>
  /** The newest item of each of these nodes, as far as there is one that is not expired. */
  newest(nodes: readonly number[], now: number): Promise<(ItemRecord & { readonly node: number })[]>
  /** Removes what is expired, of all services. */
  removeExpired(now: number): Promise<void>
}
