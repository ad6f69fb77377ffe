/** Moderated rooms, in which not everybody may speak; and voice that outlasts a visit (XEP-0045 §5.1, §7.4). */
import type { FeatureSource } from './feature.js'
import { flagField } from './fields.js'
import { isMembersOnly } from './members-only.js'
import type { Occupant } from './occupant.js'
import { announce } from './presence.js'
import { initialRole, roleMay } from './privileges.js'
import { RoomSlot, type Room } from './room.js'
import { Turns } from '../../base/turns.js'
import { StanzaError } from '../../stanza/errors.js'

const moderatedField = flagField('muc#roomconfig_moderatedroom', 'Only who has voice may speak', false)

/** Accounts whose role a room remembers; the one that left first is forgotten first. */
const maxRemembered = 500

/** Name of the value in which they are stored. */
const stored = 'roles'

type Known = Pick<Occupant, 'role' | 'affiliation'>

export const moderated: FeatureSource = ({ host, store }) => {
  /** By room: what is written later is newer. */
  const writing = new Turns()

  /** What the room remembers, read when it is first asked for. */
  async function remembered(room: Room): Promise<ReadonlyMap<string, Known>> {
    const memory = room.state(slot)
    if (!memory.isRead && room.persistent) {
      const entries = ((await store.value(room.id, stored)) ?? []) as readonly [string, Known][]
      // Who has left meanwhile is known better.
      memory.roles = new Map([...entries, ...memory.roles])
    }
    memory.isRead = true
    return memory.roles
  }

  function keep(room: Room, account: string, known: Known | undefined): void {
    const { roles } = room.state(slot)
    if (!roles.delete(account) && !known) return
    if (known) roles.set(account, known)
    for (const [oldest] of roles) {
      if (roles.size <= maxRemembered) break
      roles.delete(oldest)
    }
    save(room)
  }

  function save(room: Room): void {
    if (!room.persistent) return
    const entries = [...room.state(slot).roles]
    writing
      .take(String(room.id), () => store.setValue(room.id, stored, entries))
      .catch((error: unknown) => {
        host.log.error('rooms.roles.failed', { room: room.jid.toString(), error })
      })
  }

  return {
    name: 'moderated',
    fields: [moderatedField],
    discovered: (room) => [isModerated(room) ? 'muc_moderated' : 'muc_unmoderated'],
    async entering(entry) {
      const { room, affiliation, from } = entry
      const role = initialRole(affiliation, kindOf(room))
      // Who may not come in at all was refused by the features for that.
      if (role === undefined) throw new StanzaError('forbidden')
      // §5.1: who was given voice or lost it finds it so; another client of somebody who is in has the same.
      const last = room.occupantsOf(from)[0] ?? (await remembered(room)).get(from.bare.toString())
      entry.role = last?.affiliation === affiliation ? last.role : role
    },
    speaking({ occupant }) {
      // §7.4, §5.1.1: also in a room that is not moderated, where a moderator has taken somebody's voice.
      if (!roleMay(occupant.role, 'speak'))
        throw new StanzaError('forbidden', 'You have no voice in this room.')
    },
    left({ occupant }, isLast) {
      if (!isLast) return
      const { room, role, affiliation, account } = occupant
      const initial = initialRole(affiliation, kindOf(room))
      // A moderator is made for one visit (§5.1).
      const isUsual = initial === undefined || role === 'moderator' || role === initial
      keep(room, account.toString(), isUsual ? undefined : { role, affiliation })
    },
    async configured(room, before) {
      if (!before.get(moderatedField) || isModerated(room)) return
      // Everybody may speak from now on.
      room.state(slot).roles = new Map()
      room.state(slot).isRead = true
      save(room)
      for (const occupant of room.occupants.values()) {
        if (occupant.role !== 'visitor') continue
        occupant.role = 'participant'
        await announce(occupant)
      }
    },
  }
}

export function isModerated(room: Room): boolean {
  return room.get(moderatedField)
}

function kindOf(room: Room): { readonly moderated: boolean; readonly membersOnly: boolean } {
  return { moderated: isModerated(room), membersOnly: isMembersOnly(room) }
}

/** Roles that are not those that the account would have anyway, by bare JID; the one that left last comes last. */
const slot = new RoomSlot('roles', () => ({ roles: new Map<string, Known>(), isRead: false }))
