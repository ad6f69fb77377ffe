/** How many may be in a room (XEP-0045 §7.2.9): what its owners say, and never more than the service lets in. */
import type { RoomFeature } from './feature.js'
import type { ConfigField } from './fields.js'
import type { Occupant } from './occupant.js'
import type { RoomService } from './service.js'
import { StanzaError } from '../../stanza/errors.js'

/** XEP-0045 §7.2.9: owners and admins that still get into a room that is full. */
const spare = 20
/** Clients of one account under one nick. */
const mostClients = 20

const numbers = ['10', '20', '30', '50', '100', '200', '300', '500', '1000', '2000', '5000'] as const

export function capacity({ settings, host }: RoomService): RoomFeature {
  const most = settings.occupants
  const fitting = numbers.filter((count) => Number(count) < most)
  const maxUsers: ConfigField<string> = {
    name: 'muc#roomconfig_maxusers',
    type: 'list-single',
    label: 'How many may be in the room',
    initial: 'none',
    options: [...fitting.map((count) => [count, count] as const), ['none', `As many as here: ${most}`]],
    // XEP-0122 §3.2.2: other numbers than those that are offered.
    open: true,
    read([value = 'none']) {
      if (value === 'none' || /^[1-9]\d{0,5}$/.test(value)) return value
      throw new StanzaError('not-acceptable', 'How many may be in the room is a number, or "none".')
    },
    write: (value) => value,
  }
  return {
    name: 'capacity',
    fields: [maxUsers],
    info: (room) => ({ 'muc#roominfo_occupants': room.occupants.size }),
    entering({ room, nick, affiliation }) {
      const holder = room.holder(nick)
      if (holder) return requireSpace(holder)
      const chosen = room.get(maxUsers)
      const limit = chosen === 'none' ? most : Math.min(Number(chosen), most)
      const allowed = affiliation === 'owner' || affiliation === 'admin' ? limit + spare : limit
      if (room.occupants.size < allowed) return
      if (limit === most) host.hits.add('room_occupants')
      throw new StanzaError('service-unavailable', 'The room is full.', { type: 'wait' })
    },
    renaming({ room, nick, client }) {
      const holder = room.holder(nick)
      if (holder && holder !== client.occupant) requireSpace(holder)
    },
  }

  function requireSpace({ clients }: Occupant): void {
    if (clients.length < mostClients) return
    host.hits.add('room_clients')
    throw new StanzaError('resource-constraint', `${mostClients} of your clients are in the room.`)
  }
}
