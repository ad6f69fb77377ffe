/** XEP-0437: who belongs to rooms and is not in them is told, once for each, that something was said there. */
import type { FeatureSource } from './feature.js'
import type { Affiliation } from './privileges.js'
import { ServiceSlot } from './service.js'
import { Lru } from '../../base/lru.js'
import type { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import { el } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Rooms that one session is told of. */
const mostRooms = 500
/** Rooms in which something was said, and visits, that are remembered: since the start, since these are hints. */
const mostRemembered = 20_000

/** A session that wants to know. */
interface Subscription {
  /** Full. */
  readonly jid: Jid
  /** Localparts of rooms that it has to be told of when something is said there. */
  readonly waits: Set<string>
}

const memory = new ServiceSlot('news', () => ({
  /** By full JID; at most the sessions of this server. */
  subscriptions: new Map<string, Subscription>(),
  /** By localpart of the room. */
  waiting: new Map<string, Set<Subscription>>(),
  /** When something was said last, by localpart of the room. */
  said: new Lru<string, number>(mostRemembered),
  /** When somebody was last in a room, by both. */
  visits: new Lru<string, number>(mostRemembered),
}))

export const news: FeatureSource = (service) => {
  const { host, address } = service
  const { subscriptions, waiting, said, visits } = service.state(memory)

  /** §4: tells at once what has happened meanwhile, and from then on what happens. */
  async function subscribe(jid: Jid): Promise<void> {
    unsubscribe(jid)
    const subscription: Subscription = { jid, waits: new Set() }
    subscriptions.set(jid.toString(), subscription)
    const standings = await service.store.standings(jid.bare.toString())
    if (subscriptions.get(jid.toString()) !== subscription) return
    const own = standings.filter(
      ({ domain, affiliation }) => domain === address.domain && belongs(affiliation),
    )
    const entered = new Set(
      [...service.registry.loaded].filter((room) => room.client(jid)).map((room) => room.jid.local),
    )
    const fresh: string[] = []
    for (const { local } of own.slice(0, mostRooms)) {
      if (entered.has(local)) continue
      if ((said.get(local) ?? -1) > (visits.get(visitOf(jid, local)) ?? 0)) fresh.push(local)
      else wait(subscription, local)
    }
    if (fresh.length > 0) tell(jid, fresh)
  }

  function unsubscribe(jid: Jid): void {
    const subscription = subscriptions.get(jid.toString())
    if (!subscription) return
    subscriptions.delete(jid.toString())
    for (const local of subscription.waits) waitNoMore(subscription, local)
  }

  function wait(subscription: Subscription, local: string): void {
    const others = waiting.get(local) ?? new Set()
    waiting.set(local, others.add(subscription))
    subscription.waits.add(local)
  }

  function waitNoMore(subscription: Subscription, local: string): void {
    subscription.waits.delete(local)
    const others = waiting.get(local)
    others?.delete(subscription)
    if (others?.size === 0) waiting.delete(local)
  }

  /** §3.1 */
  function tell(jid: Jid, rooms: readonly string[]): void {
    const each = rooms.map((local) => el('activity', undefined, undefined, `${local}@${address.domain}`))
    const envelope = { kind: 'message', id: host.random.id(), from: address, to: jid } as const
    host.send(Stanza.of(envelope, el('rai', NS.roomActivity, undefined, ...each)))
  }

  return {
    name: 'news',
    /** §6: people of this server only, whose presence ends with their sessions. */
    greeted(presence) {
      const { from, type } = presence
      if (type === 'unavailable') return unsubscribe(from)
      const isOurs = from.domain === host.domain && host.sessions.get(from) !== undefined
      if (type === undefined && isOurs && presence.has('rai', NS.roomActivity)) return subscribe(from)
    },
    entered({ jid, occupant }) {
      const subscription = subscriptions.get(jid.toString())
      if (subscription) waitNoMore(subscription, occupant.room.jid.local)
    },
    left({ jid, occupant }) {
      const { local } = occupant.room.jid
      if (!belongs(occupant.affiliation)) return
      void visits.set(visitOf(jid, local), host.clock.now())
      const subscription = subscriptions.get(jid.toString())
      if (subscription) wait(subscription, local)
    },
    spoken({ room, stanza }) {
      if (!stanza.has('body')) return
      const { local } = room.jid
      void said.set(local, host.clock.now())
      for (const subscription of waiting.get(local) ?? []) {
        waitNoMore(subscription, local)
        // §4: nobody hears of a room that would not let them in.
        if (belongs(room.affiliationOf(subscription.jid))) tell(subscription.jid, [local])
      }
    },
    ended({ jid }) {
      const { local } = jid
      said.delete(local)
      for (const subscription of waiting.get(local) ?? []) waitNoMore(subscription, local)
    },
  }
}

function belongs(affiliation: Affiliation): boolean {
  return affiliation !== 'none' && affiliation !== 'outcast'
}

function visitOf({ bare }: Jid, local: string): string {
  return `${bare.toString()} ${local}`
}
