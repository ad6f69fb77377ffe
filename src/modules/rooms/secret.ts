/** A secret of the host, with which a room makes names that nobody can guess and nobody can read anything from. */
import { createHmac } from 'node:crypto'
import type { FeatureSource } from './feature.js'
import { RoomSlot, type Room } from './room.js'

/** Key among the values of the host; it is no localpart, so no account owns it. */
const key = ' rooms'

const slot = new RoomSlot<{ secret: string | undefined }>('secret', () => ({ secret: undefined }))

export const secret: FeatureSource = ({ host }) => {
  // Made once, the same on all that serve the host.
  const kept = () => host.map<string>('room-secrets').keep(key, host.random.bytes(32).toString('base64url'))
  let known: Promise<string> | undefined
  return {
    name: 'secret',
    async opened(room) {
      known ??= kept()
      try {
        room.state(slot).secret = await known
      } catch (error) {
        known = undefined
        throw error
      }
    },
  }
}

/** The same for the same text in the same room, in base64url. */
export function roomHash(room: Room, text: string): string {
  const { secret: own } = room.state(slot)
  if (own === undefined) throw new Error('the room was not opened')
  return createHmac('sha256', own).update(`${room.id}\0${text}`).digest('base64url')
}
