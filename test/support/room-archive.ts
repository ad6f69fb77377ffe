/** Rooms that stand in the store before anybody enters, and stores that fail: for scenes about what rooms remember. */
import type { Actor } from './actor.js'
import { BALL } from './rooms.js'
import { Jid } from '../../src/stanza/jid.js'
import type { ArchiveStore, Taken } from '../../src/storage/archive.js'
import { StorageUnavailable } from '../../src/storage/errors.js'
import { memoryStores } from '../../src/storage/memory.js'
import type { RoomAffiliation } from '../../src/storage/rooms.js'
import type { Stores } from '../../src/storage/stores.js'
import type { Element } from '../../src/xml/element.js'
import type { Stage } from './stage.js'

/** A room that is in the store, as its owners have set it. */
export async function stands(
  stage: Stage,
  config: Readonly<Record<string, unknown>> = {},
  affiliations: readonly (readonly [Actor | string, RoomAffiliation['affiliation']])[] = [],
  address = BALL,
): Promise<number> {
  const { domain, local } = Jid.parse(address)
  const id = await stage.stores.rooms.create(
    {
      domain,
      local,
      creator: '',
      createdAt: stage.clock.now(),
      persistent: true,
      locked: false,
      config,
      subject: undefined,
      affiliations: affiliations.map(([who, affiliation]) => ({
        jid: typeof who === 'string' ? who : who.bare,
        affiliation,
      })),
      version: 1,
      listing: { public: true, name: '', description: '' },
    },
    Infinity,
  )
  if (typeof id !== 'number') throw new Error(`the room ${address} was not made: ${id}`)
  return id
}

/** The id that the room has given to a message, if it has. */
export function roomIdOf(message: Element, room = BALL): string | undefined {
  const ids = message.childrenOf('stanza-id', 'urn:xmpp:sid:0').filter(({ attrs }) => attrs['by'] === room)
  return ids[0]?.attrs['id']
}

/** An archive in memory that takes its time, or is away. */
export interface Moody {
  readonly stores: () => Stores
  /** Nothing can be written. */
  away: boolean
  /** Nothing can be read. */
  unreadable: boolean
  /** What is added waits until `settles`, or until `breaks`. */
  slow: boolean
  /** Whose archives were said to be kept for how long. */
  readonly terms: readonly (readonly [owner: number, ms: number])[]
  settles(): void
  breaks(): void
}

export function moodyArchive(): Moody {
  let waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  const over = (end: (one: (typeof waiting)[number]) => void) => {
    waiting.forEach(end)
    waiting = []
  }
  const written = (taken: Taken): Taken => {
    if (!moody.slow) return taken
    const promise = new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }))
    promise.catch(() => undefined)
    return { ...taken, written: promise }
  }
  const terms: [number, number][] = []
  const moody: Moody = {
    terms,
    stores: () => {
      const stores = memoryStores({})
      const archive = new Proxy(stores.archive, {
        get(target, name) {
          if (name === 'available') return !moody.away
          if (name === 'page' && moody.unreadable) return () => Promise.reject(new StorageUnavailable('away'))
          if (name === 'keepOf') return async (owner: number, ms: number) => void terms.push([owner, ms])
          if (name === 'add')
            return (...args: Parameters<ArchiveStore['add']>) => written(target.add(...args))
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? (value.bind(target) as unknown) : value
        },
      })
      return { ...stores, archive }
    },
    away: false,
    unreadable: false,
    slow: false,
    settles: () => over(({ resolve }) => resolve()),
    breaks: () => over(({ reject }) => reject(new StorageUnavailable('broken'))),
  }
  return moody
}
