/** Accounts that are removed leave the lists of rooms: the next one of that name is somebody else. */
import { changeAffiliations, ownersOf } from './affiliations.js'
import type { RoomFeature } from './feature.js'
import type { Room } from './room.js'
import type { RoomService } from './service.js'
import type { Jid } from '../../stanza/jid.js'

export function removals(service: RoomService): RoomFeature {
  const { host, address } = service

  async function accountDeleted(account: Jid): Promise<void> {
    for (const { domain, local, affiliation } of await service.store.standings(account.toString())) {
      // Who was banned stays banned: an account is soon made.
      if (domain !== address.domain || affiliation === 'outcast') continue
      try {
        const room = await service.registry.get(local)
        await room?.turn(() => (room.over ? undefined : forget(room, account)))
      } catch (error) {
        host.log.error('rooms.removal.failed', {
          room: `${local}@${domain}`,
          user: account.toString(),
          error,
        })
      }
    }
  }

  /** In turn. */
  async function forget(room: Room, account: Jid): Promise<void> {
    const jid = account.toString()
    const owners = ownersOf(room)
    if (owners.length !== 1 || owners[0] !== jid)
      return changeAffiliations(room, [{ jid: account, affiliation: 'none' }])
    // XEP-0045 §10.4 wants an owner; the room is the others' all the same, so the server's admins find one.
    const version = room.version + 1
    await room.change({ affiliations: { version, entries: [{ jid, affiliation: 'none' }] } })
    host.log.warn('rooms.ownerless', { room: room.jid.toString(), user: jid })
  }

  return { name: 'removals', accountDeleted }
}
