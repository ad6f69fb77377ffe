/** The stores in memory, for tests: the same contracts, gone with the process. */
import { realClock, type Clock } from '../base/clock.js'
import { hasKeys } from './accounts.js'
import type { Account, AccountKeys, AccountKind, AccountPage, AccountRole, Accounts } from './accounts.js'
import { MemoryPubsub } from './memory-pubsub.js'
import type { Block, BlockStore } from './blocks.js'
import { MemoryRooms } from './memory-rooms.js'
import { MemoryTokens } from './memory-tokens.js'
import { MemoryArchive } from './memory-archive.js'
import type { MapStore } from './map.js'
import { splitKey } from './map.js'
import type { OfflineLimits, OfflineMessage, OfflineStore } from './offline.js'
import { arrivalsKept, offlineLimits } from './offline.js'
import type { OutboundMessage, OutboundStore, StoredOutbound } from './outbound.js'
import type { ParkedSession, ParkedStore, StoredParked } from './parked.js'
import type { RosterItem, RosterStore } from './rosters.js'
import type { Stores } from './stores.js'
import type { Arrival } from '../stanza/arrival.js'

interface Shelf {
  account: Account
  rosterVersion: number
  readonly roster: Map<string, RosterItem>
  offline: (OfflineMessage & { readonly bytes: number })[]
  /** When messages of other servers arrived, by their keys. */
  readonly arrivals: Map<string, number>
}

export function memoryStores(options: { offline?: OfflineLimits; clock?: Clock } = {}): Stores {
  const shelves = new Map<number, Shelf>()
  const maps = new MemoryMaps()
  const pubsub = new MemoryPubsub((account) => shelves.has(account))
  const archive = new MemoryArchive(options.clock ?? realClock)
  const tokens = new MemoryTokens((account) => shelves.has(account))
  return {
    accounts: new MemoryAccounts(shelves, maps, pubsub, archive, tokens),
    tokens,
    pubsub,
    rooms: new MemoryRooms((room) => archive.remove(-room)),
    rosters: new MemoryRosters(shelves),
    offline: new MemoryOffline(shelves, options.offline ?? offlineLimits),
    blocks: new MemoryBlocks(),
    parked: new MemoryParked(),
    outbound: new MemoryOutbound(),
    archive,
    map: <T>(domain: string, name: string) => maps.map<T>(domain, name),
    cached: {},
    close: async () => {},
  }
}

class MemoryAccounts implements Accounts {
  readonly #shelves: Map<number, Shelf>
  readonly #maps: MemoryMaps
  readonly #pubsub: MemoryPubsub
  readonly #archive: MemoryArchive
  readonly #tokens: MemoryTokens
  readonly #ids = new Map<string, number>()
  #lastId = 0

  constructor(
    shelves: Map<number, Shelf>,
    maps: MemoryMaps,
    pubsub: MemoryPubsub,
    archive: MemoryArchive,
    tokens: MemoryTokens,
  ) {
    this.#shelves = shelves
    this.#maps = maps
    this.#pubsub = pubsub
    this.#archive = archive
    this.#tokens = tokens
  }

  get(domain: string, local: string): Account | undefined {
    const id = this.#ids.get(`${local}@${domain}`)
    return id === undefined ? undefined : this.#shelves.get(id)?.account
  }

  async create(domain: string, local: string, keys: AccountKeys, at: number): Promise<Account | 'exists'> {
    if (this.#ids.has(`${local}@${domain}`)) return 'exists'
    this.#maps.forget(domain, local)
    const id = ++this.#lastId
    const account: Account = {
      id,
      domain,
      local,
      keys: { ...keys },
      disabled: undefined,
      role: undefined,
      createdAt: at,
    }
    this.#ids.set(`${local}@${domain}`, id)
    this.#shelves.set(id, { account, rosterVersion: 0, roster: new Map(), offline: [], arrivals: new Map() })
    return account
  }

  async setKeys(id: number, keys: AccountKeys): Promise<void> {
    this.#change(id, { keys: { ...keys } })
    await this.#tokens.revoke(id)
  }

  async addKeys(id: number, keys: AccountKeys, known: AccountKeys): Promise<boolean> {
    const account = this.#shelves.get(id)?.account
    if (!account || !hasKeys(account.keys, known)) return false
    this.#change(id, { keys: { ...keys, ...account.keys } })
    return true
  }

  async disable(id: number, reason: string, at: number): Promise<void> {
    this.#change(id, { disabled: { reason, at } })
  }

  async enable(id: number): Promise<void> {
    this.#change(id, { disabled: undefined })
  }

  async setRole(id: number, role: AccountRole | undefined): Promise<void> {
    this.#change(id, { role })
  }

  async remove(id: number): Promise<void> {
    const shelf = this.#shelves.get(id)
    if (!shelf) return
    const { domain, local } = shelf.account
    this.#shelves.delete(id)
    this.#pubsub.forget(id)
    this.#ids.delete(`${local}@${domain}`)
    this.#maps.forget(domain, local)
    await this.#tokens.revoke(id)
    await this.#archive.remove(id)
  }

  async list(domain: string, { after, limit, which }: AccountPage): Promise<Account[]> {
    return this.#of(domain, which)
      .filter(({ local }) => after === undefined || byCodePoint(local, after) > 0)
      .sort((a, b) => byCodePoint(a.local, b.local))
      .slice(0, limit)
  }

  async count(domain: string, which?: AccountKind): Promise<number> {
    return this.#of(domain, which).length
  }

  #of(domain: string, which: AccountKind = 'all'): Account[] {
    return [...this.#shelves.values()]
      .map(({ account }) => account)
      .filter((account) => account.domain === domain)
      .filter(
        ({ disabled, role }) => which === 'all' || (which === 'disabled' ? disabled : role) !== undefined,
      )
  }

  #change(id: number, change: Partial<Account>): void {
    const shelf = this.#shelves.get(id)
    if (shelf) shelf.account = { ...shelf.account, ...change }
  }
}

class MemoryRosters implements RosterStore {
  readonly #shelves: Map<number, Shelf>

  constructor(shelves: Map<number, Shelf>) {
    this.#shelves = shelves
  }

  async load(account: number): Promise<{ version: number; items: RosterItem[] }> {
    const shelf = this.#shelves.get(account)
    if (!shelf) return { version: 0, items: [] }
    const items = [...shelf.roster.values()].sort((a, b) => byCodePoint(a.jid, b.jid))
    return { version: shelf.rosterVersion, items }
  }

  async put(account: number, item: RosterItem): Promise<number> {
    const shelf = this.#shelves.get(account)
    if (!shelf) throw new Error(`account ${account} does not exist`)
    shelf.roster.set(item.jid, { ...item, groups: [...item.groups] })
    return ++shelf.rosterVersion
  }

  async remove(account: number, jid: string): Promise<number> {
    const shelf = this.#shelves.get(account)
    if (!shelf) return 0
    if (shelf.roster.delete(jid)) shelf.rosterVersion++
    return shelf.rosterVersion
  }
}

class MemoryOffline implements OfflineStore {
  readonly #shelves: Map<number, Shelf>
  readonly #limits: OfflineLimits
  #lastId = 0

  constructor(shelves: Map<number, Shelf>, limits: OfflineLimits) {
    this.#shelves = shelves
    this.#limits = limits
  }

  get queued(): number {
    let all = 0
    for (const { offline } of this.#shelves.values()) all += offline.length
    return all
  }

  async append(
    account: number,
    stanza: string,
    at: number,
    arrival?: Arrival,
  ): Promise<'stored' | 'full' | 'known'> {
    const shelf = this.#shelves.get(account)
    if (!shelf) return 'full'
    const key = arrival?.key.toString('hex')
    const known = key === undefined ? undefined : shelf.arrivals.get(key)
    if (arrival?.resent && known !== undefined && at - known < arrivalsKept) return 'known'
    const bytes = Buffer.byteLength(stanza)
    const used = shelf.offline.reduce((sum, message) => sum + message.bytes, 0)
    if (shelf.offline.length >= this.#limits.messages || used + bytes > this.#limits.bytes) return 'full'
    shelf.offline.push({ id: ++this.#lastId, stanza, at, bytes })
    if (key !== undefined) shelf.arrivals.set(key, at)
    return 'stored'
  }

  async read(account: number, after: number, limit: number): Promise<OfflineMessage[]> {
    return this.#of(account)
      .filter(({ id }) => id > after)
      .slice(0, limit)
      .map(({ id, stanza, at }) => ({ id, stanza, at }))
  }

  async removeThrough(account: number, id: number): Promise<void> {
    const shelf = this.#shelves.get(account)
    if (shelf) shelf.offline = shelf.offline.filter((message) => message.id > id)
  }

  async count(account: number): Promise<number> {
    return this.#of(account).length
  }

  async clear(account: number): Promise<void> {
    const shelf = this.#shelves.get(account)
    if (shelf) shelf.offline = []
  }

  #of(account: number): readonly OfflineMessage[] {
    return this.#shelves.get(account)?.offline ?? []
  }
}

class MemoryBlocks implements BlockStore {
  readonly #blocks = new Map<string, Block>()

  async all(): Promise<Block[]> {
    return [...this.#blocks.values()].sort((a, b) => byCodePoint(a.domain, b.domain))
  }

  async put(block: Block): Promise<void> {
    this.#blocks.set(block.domain, { ...block })
  }

  async remove(domain: string): Promise<boolean> {
    return this.#blocks.delete(domain)
  }

  async removeExpired(now: number): Promise<void> {
    for (const { domain, expires } of this.#blocks.values())
      if (expires !== undefined && expires <= now) this.#blocks.delete(domain)
  }
}

class MemoryOutbound implements OutboundStore {
  readonly #messages = new Map<number, StoredOutbound>()
  #lastId = 0

  async append(message: OutboundMessage): Promise<number> {
    const id = ++this.#lastId
    this.#messages.set(id, { ...message, id })
    return id
  }

  async remove(id: number): Promise<void> {
    this.#messages.delete(id)
  }

  async read(after: number, limit: number): Promise<StoredOutbound[]> {
    return [...this.#messages.values()].filter(({ id }) => id > after).slice(0, limit)
  }
}

class MemoryParked implements ParkedStore {
  #sessions = new Map<string, StoredParked>()

  async save(sessions: readonly ParkedSession[]): Promise<void> {
    for (const session of sessions) this.#sessions.set(session.id, { ...session, stale: false })
  }

  async read(after: string, limit: number): Promise<StoredParked[]> {
    const behind = [...this.#sessions.values()].filter(({ id }) => id > after)
    return behind.sort((one, other) => (one.id < other.id ? -1 : 1)).slice(0, limit)
  }

  async claim(): Promise<void> {
    for (const [id, session] of this.#sessions) this.#sessions.set(id, { ...session, stale: true })
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#sessions.delete(id)
  }
}

/** Values are kept as JSON text, so that nobody can change them from outside and they read as from a database. */
class MemoryMaps {
  /** By domain and local, then by module and rest of the key. */
  readonly #values = new Map<string, Map<string, string>>()

  map<T>(domain: string, name: string): MapStore<T> {
    const place = (key: string) => {
      const { local, rest } = splitKey(key)
      return { owner: `${local}@${domain}`, slot: JSON.stringify([name, rest]) }
    }
    const set = (key: string, value: T) => {
      const { owner, slot } = place(key)
      const values = this.#values.get(owner) ?? new Map<string, string>()
      this.#values.set(owner, values.set(slot, JSON.stringify(value)))
    }
    return {
      get: async (key) => {
        const { owner, slot } = place(key)
        const text = this.#values.get(owner)?.get(slot)
        return text === undefined ? undefined : (JSON.parse(text) as T)
      },
      set: async (key, value) => set(key, value),
      keep: async (key, value) => {
        const { owner, slot } = place(key)
        if (!this.#values.get(owner)?.has(slot)) set(key, value)
        return JSON.parse(this.#values.get(owner)!.get(slot)!) as T
      },
      setMany: async (values) => {
        for (const [key, value] of values) set(key, value)
      },
      delete: async (key) => {
        const { owner, slot } = place(key)
        const values = this.#values.get(owner)
        if (values?.delete(slot) && values.size === 0) this.#values.delete(owner)
      },
    }
  }

  forget(domain: string, local: string): void {
    this.#values.delete(`${local}@${domain}`)
  }
}

/** UTF-8 bytes compare as code points do, and as PostgreSQL's "C" collation does. */
function byCodePoint(a: string, b: string): number {
  return Buffer.from(a).compare(Buffer.from(b))
}
