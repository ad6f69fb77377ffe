/** All stores of a server behind one door: on PostgreSQL (`openPostgresStores`) or in memory for tests (`memoryStores`). */
import type { Accounts } from './accounts.js'
import type { ArchiveStore } from './archive.js'
import type { BlockStore } from './blocks.js'
import type { MapStore } from './map.js'
import type { OfflineStore } from './offline.js'
import type { OutboundStore } from './outbound.js'
import type { ParkedStore } from './parked.js'
import type { PubsubStore } from './pubsub.js'
import type { RoomStore } from './rooms.js'
import type { RosterStore } from './rosters.js'
import type { TokenStore } from './tokens.js'

export type { MapStore } from './map.js'

export interface Stores {
  readonly accounts: Accounts
  readonly rosters: RosterStore
  readonly offline: OfflineStore
  readonly outbound: OutboundStore
  readonly archive: ArchiveStore
  readonly blocks: BlockStore
  readonly parked: ParkedStore
  readonly pubsub: PubsubStore
  readonly rooms: RoomStore
  readonly tokens: TokenStore
  /** Small values of the accounts of `domain`; `name` is the module's. */
  map<T>(domain: string, name: string): MapStore<T>
  /** Entries of what is remembered in front of the database, by name. */
  readonly cached: Readonly<Record<string, number>>
  /** Writes what still waits to be written. The stores refuse work afterwards; the database stays open. */
  close(): Promise<void>
}
