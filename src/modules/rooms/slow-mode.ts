/** XEP-0500: where many talk at once, each waits a while between two messages. */
import type { RoomFeature } from './feature.js'
import { countField } from './fields.js'
import { RoomSlot } from './room.js'
import type { Speech } from './speech.js'
import { StanzaError } from '../../stanza/errors.js'

/** Seconds; 0: off. */
const wait = countField(
  'muc#roomconfig_slow_mode_duration',
  'Slow mode: seconds between two messages (0: off)',
  0,
  {
    max: 86_400,
  },
)

/** When somebody has spoken last, by bare real JID: nobody gets around it by another nick or device (§8). */
const spoke = new RoomSlot('slow mode', () => new Map<string, number>())
/** Entries after which those that do not count any more are taken out. */
const enough = 500

export const slowMode: RoomFeature = {
  name: 'slow-mode',
  fields: [wait],
  // §5.2
  info: (room) => ({ 'muc#roominfo_slow_mode_duration': room.get(wait) }),
  speaking(speech) {
    if (!counts(speech)) return
    const { room, occupant } = speech
    const seconds = room.get(wait)
    const last = room.peek(spoke)?.get(occupant.account.toString())
    const left = last === undefined ? 0 : last + seconds * 1000 - room.service.host.clock.now()
    // A clock that was set back makes nobody wait for longer.
    if (left <= 0 || left > seconds * 1000) return
    throw new StanzaError(
      'policy-violation',
      `This room is in slow mode: wait ${seconds} seconds between messages, now ${Math.ceil(left / 1000)} more.`,
      { type: 'wait' },
    )
  },
  spoken(speech) {
    if (!counts(speech)) return
    const { room, occupant } = speech
    const now = room.service.host.clock.now()
    const times = room.state(spoke)
    if (times.size >= enough)
      for (const [who, at] of times) if (at + room.get(wait) * 1000 <= now) times.delete(who)
    times.set(occupant.account.toString(), now)
  },
}

/** §6: what has a body; admins and owners never wait. */
function counts({ room, occupant, stanza }: Speech): boolean {
  const { affiliation } = occupant
  return room.get(wait) > 0 && stanza.has('body') && affiliation !== 'owner' && affiliation !== 'admin'
}
