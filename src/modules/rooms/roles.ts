/** Roles of who is in (XEP-0045 §5.1, §8.2 to §8.4, §9.6, §9.7): how they change, and who is told. */
import { putOutAll, type PutOut } from './exit.js'
import type { Occupant } from './occupant.js'
import { announce } from './presence.js'
import type { Role } from './privileges.js'
import type { Room } from './room.js'
import { status } from './status.js'

/** Who did something to others, as far as it is told. */
export interface Deed {
  /** Nick of who did it. */
  readonly actor?: string | undefined
  /** What is to be said when those who go know it, before all others do (§8.2, §9.1). */
  readonly between?: (() => void) | undefined
}

export interface RoleChange {
  readonly occupant: Occupant
  /** `none`: out of the room. */
  readonly role: Role
  readonly reason?: string | undefined
}

/** Those who go are told first, then everybody. In turn. */
export async function changeRoles(
  room: Room,
  changes: readonly RoleChange[],
  { actor, between }: Deed = {},
): Promise<void> {
  const leaving: PutOut[] = []
  const changed: RoleChange[] = []
  for (const change of changes) {
    const { occupant, role, reason } = change
    // §8.2
    if (role === 'none') leaving.push({ occupant, farewell: { reason, actor, codes: [status.kicked] } })
    else if (role !== occupant.role) {
      occupant.role = role
      changed.push(change)
    }
  }
  await putOutAll(room, leaving, between)
  for (const { occupant, reason } of changed) await announce(occupant, { reason, actor })
}
