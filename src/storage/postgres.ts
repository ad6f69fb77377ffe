/** All stores on PostgreSQL. */
import type { Clock } from '../base/clock.js'
import { realClock } from '../base/clock.js'
import type { Random } from '../base/random.js'
import { systemRandom } from '../base/random.js'
import { CachedAccounts } from './account-cache.js'
import type { Database } from './database.js'
import type { OfflineLimits } from './offline.js'
import { offlineLimits } from './offline.js'
import { PostgresAccounts } from './postgres-accounts.js'
import { PostgresArchive } from './postgres-archive.js'
import { PostgresBlocks } from './postgres-blocks.js'
import { PostgresMap } from './postgres-map.js'
import { PostgresOffline } from './postgres-offline.js'
import { PostgresOutbound } from './postgres-outbound.js'
import { PostgresParked } from './postgres-parked.js'
import { PostgresPubsub } from './postgres-pubsub.js'
import { PostgresRooms } from './postgres-rooms.js'
import { PostgresRosters } from './postgres-rosters.js'
import { PostgresTokens } from './postgres-tokens.js'
import { CachedTokens } from './token-cache.js'
import type { Stores } from './stores.js'

export interface PostgresStoresOptions {
  readonly clock?: Clock
  readonly random?: Random
  readonly offline?: OfflineLimits
}

/** The stores of a database that `migrate` has brought up to date. */
export function openPostgresStores(database: Database, options: PostgresStoresOptions = {}): Stores {
  const { clock = realClock, random = systemRandom, offline: limits = offlineLimits } = options
  const offline = new PostgresOffline(database, { clock, random, limits })
  const outbound = new PostgresOutbound(database, { clock, random })
  const archive = new PostgresArchive(database, { clock, random })
  const pubsub = new PostgresPubsub(database, { clock })
  const rooms = new PostgresRooms(database, { clock, removed: () => void archive.tend() })
  const tokens = new CachedTokens(new PostgresTokens(database))
  const accounts = new CachedAccounts(
    new PostgresAccounts(database, () => void archive.tend()),
    undefined,
    (account) => tokens.forget(account),
  )
  return {
    accounts,
    rosters: new PostgresRosters(database),
    offline,
    outbound,
    archive,
    blocks: new PostgresBlocks(database),
    tokens,
    parked: new PostgresParked(database),
    pubsub,
    rooms,
    map: <T>(domain: string, name: string) => new PostgresMap<T>(database, domain, name),
    get cached() {
      const { known, absent } = accounts.sizes
      return {
        accounts: known,
        absent_accounts: absent,
        offline_usage: offline.remembered,
        archive_origins: archive.remembered,
        tokens: tokens.size,
      }
    },
    close: async () => {
      await Promise.all([offline.close(), outbound.close(), archive.close(), pubsub.close(), rooms.close()])
    },
  }
}
