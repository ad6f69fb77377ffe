/** Pubsub nodes and items in memory, for tests. */
import type {
  ItemRecord,
  NewNode,
  NodeChange,
  NodeRecord,
  Published,
  PubsubStore,
  Room,
  SubscriptionRecord,
} from './pubsub.js'

interface Kept {
  readonly id: number
  readonly node: NewNode
  /** As JSON, so that it reads as from a database. */
  config: string
  expire: number | undefined
  readonly affiliations: Map<string, string>
  readonly subscriptions: Map<string, SubscriptionRecord>
  /** Oldest first. */
  items: ItemRecord[]
}

export class MemoryPubsub implements PubsubStore {
  readonly #nodes = new Map<number, Kept>()
  readonly #hasAccount: (account: number) => boolean
  #lastId = 0

  constructor(hasAccount: (account: number) => boolean) {
    this.#hasAccount = hasAccount
  }

  /** The account was removed. */
  forget(account: number): void {
    for (const { id, node } of this.#nodes.values()) if (node.account === account) this.#nodes.delete(id)
  }

  async create(node: NewNode, most: number): Promise<number | 'exists' | 'full' | 'nobody'> {
    if (node.account !== undefined && !this.#hasAccount(node.account)) return 'nobody'
    const siblings = this.#of(node.service)
    if (siblings.some((kept) => kept.node.name === node.name)) return 'exists'
    if (siblings.length >= most) return 'full'
    const id = ++this.#lastId
    this.#nodes.set(id, {
      id,
      node,
      config: JSON.stringify(node.config),
      expire: node.expire,
      affiliations: new Map(node.affiliations),
      subscriptions: new Map(),
      items: [],
    })
    return id
  }

  async load(services: readonly string[], name?: string): Promise<NodeRecord[]> {
    return [...this.#nodes.values()]
      .filter(({ node }) => services.includes(node.service) && (name ?? node.name) === node.name)
      .sort((a, b) => byOctets(a.node.service, b.node.service) || byOctets(a.node.name, b.node.name))
      .map(({ id, node, config, affiliations, subscriptions }) => ({
        id,
        service: node.service,
        name: node.name,
        creator: node.creator,
        createdAt: node.createdAt,
        config: JSON.parse(config) as Record<string, unknown>,
        affiliations: [...affiliations].sort(([a], [b]) => byOctets(a, b)),
        subscriptions: [...subscriptions.values()].sort((a, b) => byOctets(a.jid, b.jid)),
      }))
  }

  async change(node: number, change: NodeChange): Promise<boolean> {
    const kept = this.#nodes.get(node)
    if (!kept) return false
    if (change.config) {
      kept.config = JSON.stringify(change.config)
      kept.expire = change.expire
    }
    for (const [jid, affiliation] of change.affiliations ?? [])
      if (affiliation === undefined) kept.affiliations.delete(jid)
      else kept.affiliations.set(jid, affiliation)
    for (const [jid, subscription] of change.subscriptions ?? [])
      if (subscription === undefined) kept.subscriptions.delete(jid)
      else kept.subscriptions.set(jid, { ...subscription })
    return true
  }

  async remove(node: number): Promise<boolean> {
    return this.#nodes.delete(node)
  }

  async publish(node: number, items: readonly ItemRecord[], room: Room): Promise<Published> {
    const kept = this.#nodes.get(node)
    if (!kept) return 'gone'
    const others = kept.items.filter(({ id }) => !items.some((item) => item.id === id))
    if (room.whenFull === 'refuse' && others.length + items.length > room.items) return 'items'
    const elsewhere = this.#of(kept.node.service).flatMap((one) => (one === kept ? others : one.items))
    if (bytesOf([...elsewhere, ...items]) > room.bytes) return 'bytes'
    const surplus = Math.max(0, others.length - Math.max(0, room.items - items.length))
    kept.items = [...others.slice(surplus), ...items.map((item) => ({ ...item }))]
    return { trimmed: others.slice(0, surplus).map(({ id }) => id) }
  }

  async retract(node: number, ids: readonly string[], publisher?: string): Promise<string[]> {
    const kept = this.#nodes.get(node)
    if (!kept) return []
    const gone = kept.items.filter(
      (item) => ids.includes(item.id) && (publisher === undefined || item.publisher === publisher),
    )
    kept.items = kept.items.filter((item) => !gone.includes(item))
    return gone.map(({ id }) => id)
  }

  async purge(node: number): Promise<void> {
    const kept = this.#nodes.get(node)
    if (kept) kept.items = []
  }

  async index(node: number, now: number): Promise<{ id: string; bytes: number }[]> {
    return this.#alive(node, now).map((item) => ({ id: item.id, bytes: bytesOf([item]) }))
  }

  async items(node: number, ids: readonly string[], now: number): Promise<ItemRecord[]> {
    return this.#alive(node, now)
      .filter(({ id }) => ids.includes(id))
      .map((item) => ({ ...item }))
  }

  async newest(nodes: readonly number[], now: number): Promise<(ItemRecord & { node: number })[]> {
    return [...nodes]
      .sort((a, b) => a - b)
      .flatMap((node) => {
        const last = this.#nodes.get(node)?.items.at(-1)
        return last && this.#alive(node, now).includes(last) ? [{ ...last, node }] : []
      })
  }

  async removeExpired(now: number): Promise<void> {
    for (const kept of this.#nodes.values()) kept.items = [...this.#alive(kept.id, now)]
  }

  #of(service: string): Kept[] {
    return [...this.#nodes.values()].filter(({ node }) => node.service === service)
  }

  #alive(node: number, now: number): readonly ItemRecord[] {
    const kept = this.#nodes.get(node)
    if (!kept) return []
    const { expire } = kept
    return expire === undefined ? kept.items : kept.items.filter(({ at }) => at + expire * 1000 > now)
  }
}

function bytesOf(items: readonly ItemRecord[]): number {
  return items.reduce((bytes, { payload }) => bytes + Buffer.byteLength(payload), 0)
}

/** As PostgreSQL's "C" collation compares. */
function byOctets(a: string, b: string): number {
  return Buffer.from(a).compare(Buffer.from(b))
}
