/** XEP-0502: how many messages an hour a room has, for those who look for one that is alive. */
import type { FeatureSource } from './feature.js'
import { Hourly } from './hourly.js'
import { isPublic } from './listing.js'
import { isMembersOnly } from './members-only.js'
import { passwordOf } from './passwords.js'
import type { Room } from './room.js'
import { ServiceSlot } from './service.js'
import { Lru } from '../../base/lru.js'
import type { Stanza } from '../../stanza/stanza.js'
import { NS } from '../../xml/namespaces.js'

/** Rooms of a service that are counted, about 200 bytes each, whether they are in memory or not. */
const mostRooms = 10_000

/** By row of the room. */
const hours = new ServiceSlot('activity', () => new Lru<number, Hourly>(mostRooms))

export const activity: FeatureSource = (service) => {
  const { host } = service
  const counts = service.state(hours)

  function countOf({ id }: Room): Hourly {
    const known = counts.get(id)
    if (known) return known
    const made = new Hourly(host.clock.now())
    void counts.set(id, made)
    return made
  }

  return {
    name: 'activity',
    // §3.1: left out where it is not to be told, or not known.
    info(room) {
      const rate = isTold(room) ? countOf(room).rate(host.clock.now()) : undefined
      return { '{urn:xmpp:muc-activity}message-activity': rate?.toFixed(2) }
    },
    spoken({ room, stanza }) {
      if (isTold(room) && isMessage(stanza)) countOf(room).add(host.clock.now())
    },
    ended: ({ id }) => void counts.delete(id),
  }
}

/** §3.1, §9: of rooms that stay, are listed, and let in whoever comes. */
function isTold(room: Room): boolean {
  return room.persistent && room.get(isPublic) && !isMembersOnly(room) && passwordOf(room) === undefined
}

/** §4: words, and no correction of earlier ones. */
function isMessage(stanza: Stanza): boolean {
  return stanza.has('body') && !stanza.has('replace', NS.correction)
}
