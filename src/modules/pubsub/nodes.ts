/** Nodes in memory, as they were last stored: all of a service at once, the services used last. */
import type { Configuration } from './configuration.js'
import { expiryOf } from './configuration.js'
import { nodeOf, type Affiliation, type Node, type Subscription } from './node.js'
import { Lru } from '../../base/lru.js'
import { Turns } from '../../base/turns.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import type { NewNode, NodeRecord, PubsubStore } from '../../storage/pubsub.js'

/** What becomes of a node. What is not named stays; `undefined` and `none`: removed. */
export interface Change {
  readonly config?: Configuration
  readonly affiliations?: readonly (readonly [bare: Jid, affiliation: Affiliation])[]
  readonly subscriptions?: readonly (readonly [jid: Jid, subscription: Subscription | undefined])[]
}

interface Loading {
  readonly nodes: Promise<Map<string, Node>>
  /** Something changed while it was read. */
  stale: boolean
}

export class Nodes {
  readonly #store: PubsubStore
  readonly #defaults: Configuration
  /** By service, then by name. */
  readonly #kept: Lru<string, Map<string, Node>>
  readonly #loading = new Map<string, Loading>()
  readonly #turns = new Turns()
  /** Configurations are alike: each is kept once. */
  readonly #configurations = new Lru<string, Configuration>(1_000)

  /** `services` is how many are kept in memory; `defaults` fill in what a stored configuration does not say. */
  constructor(store: PubsubStore, defaults: Configuration, services: number) {
    this.#store = store
    this.#defaults = defaults
    this.#kept = new Lru(services)
  }

  /** Services whose nodes are in memory. */
  get size(): number {
    return this.#kept.size
  }

  /** The nodes of a service by name; at once when they are in memory. Do not keep the map: it changes. */
  of(service: Jid): ReadonlyMap<string, Node> | Promise<ReadonlyMap<string, Node>> {
    return this.#kept.get(service.toString()) ?? this.#load(service.toString())
  }

  /** Those of several services, with one look into the store at most. */
  async ofAll(services: readonly Jid[]): Promise<readonly ReadonlyMap<string, Node>[]> {
    const unknown = services.filter((service) => {
      const key = service.toString()
      return !this.#kept.get(key) && !this.#loading.has(key)
    })
    if (unknown.length > 1) this.#loadTogether(unknown.map(String))
    return Promise.all(services.map(async (service) => this.of(service)))
  }

  /** One thing at a time for each node, in the order of asking. */
  inTurn<T>(service: Jid, name: string, run: () => Promise<T>): Promise<T> {
    return this.#turns.take(`${service.toString()} ${name}`, run)
  }

  /** As the store's. In turn. */
  async create(
    node: Omit<NewNode, 'config' | 'expire'> & { readonly config: Configuration },
    most: number,
  ): Promise<Node | 'exists' | 'full' | 'nobody'> {
    const { config, ...rest } = node
    const made = { ...rest, config: keptOf(config), expire: expiryOf(config) }
    const id = await this.#store.create(made, most)
    if (typeof id !== 'number') return id
    return this.#put(this.#read({ ...made, id, subscriptions: [] }))
  }

  /**
   * Resolves with the node as it is when that is stored. In turn.
   * @throws StanzaError `item-not-found` when it is gone
   */
  async change(node: Node, change: Change): Promise<Node> {
    const { config, affiliations = [], subscriptions = [] } = change
    const there = await this.#store.change(node.id, {
      ...(config ? { config: keptOf(config), expire: expiryOf(config) } : {}),
      affiliations: affiliations.map(([jid, has]) => [jid.toString(), has === 'none' ? undefined : has]),
      subscriptions: subscriptions.map(([jid, one]) => [
        jid.toString(),
        one && { ...one, jid: jid.toString() },
      ]),
    })
    if (!there) {
      this.#drop(node)
      throw new StanzaError('item-not-found')
    }
    return this.#put({
      ...node,
      config: config ? this.#shared(config) : node.config,
      affiliations: changed(
        node.affiliations,
        affiliations.map(([jid, has]) => [jid, has === 'none' ? undefined : has]),
      ),
      subscriptions: changed(node.subscriptions, subscriptions),
    })
  }

  /** In turn. */
  async remove(node: Node): Promise<void> {
    await this.#store.remove(node.id)
    this.#drop(node)
  }

  /** The service is gone, with all its nodes. */
  forget(service: Jid): void {
    this.#invalidate(service.toString())
    this.#kept.delete(service.toString())
  }

  #put(node: Node): Node {
    const service = node.service.toString()
    this.#invalidate(service)
    this.#kept.get(service)?.set(node.name, node)
    return node
  }

  #drop(node: Node): void {
    const service = node.service.toString()
    this.#invalidate(service)
    this.#kept.get(service)?.delete(node.name)
  }

  #invalidate(service: string): void {
    const loading = this.#loading.get(service)
    if (loading) loading.stale = true
  }

  #load(service: string): Promise<ReadonlyMap<string, Node>> {
    const loading = this.#loading.get(service)
    if (loading) return loading.nodes
    return this.#remember(service, async () => this.#store.load([service]))
  }

  #loadTogether(services: readonly string[]): void {
    const all = this.#store.load(services)
    for (const service of services)
      this.#remember(service, async () => (await all).filter((record) => record.service === service))
        // Whoever asks for it waits for it; the others need not know.
        .catch(() => undefined)
  }

  #remember(service: string, read: () => Promise<NodeRecord[]>): Promise<Map<string, Node>> {
    const nodes = (async () => {
      try {
        let records = await read()
        for (const loading = this.#loading.get(service)!; loading.stale;) {
          loading.stale = false
          records = await this.#store.load([service])
        }
        const found = new Map(records.map((record) => [record.name, this.#read(record)]))
        this.#kept.set(service, found)
        return found
      } finally {
        this.#loading.delete(service)
      }
    })()
    this.#loading.set(service, { nodes, stale: false })
    return nodes
  }

  #read(record: NodeRecord): Node {
    const node = nodeOf(record, this.#defaults)
    return { ...node, config: this.#shared(node.config) }
  }

  #shared(config: Configuration): Configuration {
    const key = JSON.stringify(config)
    const known = this.#configurations.get(key)
    if (known) return known
    this.#configurations.set(key, config)
    return config
  }
}

function keptOf(config: Configuration): Readonly<Record<string, unknown>> {
  return { ...config }
}

function changed<V>(
  before: ReadonlyMap<string, V>,
  changes: readonly (readonly [Jid, V | undefined])[],
): ReadonlyMap<string, V> {
  if (changes.length === 0) return before
  const after = new Map(before)
  for (const [jid, value] of changes)
    if (value === undefined) after.delete(jid.toString())
    else after.set(jid.toString(), value)
  return after
}
