/** Whether a room outlives its last occupant (XEP-0045 §4.2). */
import type { RoomFeature } from './feature.js'
import { flagField } from './fields.js'

export const isLasting = flagField(
  'muc#roomconfig_persistentroom',
  'The room stays when everybody has left',
  false,
)

export const lasting: RoomFeature = {
  name: 'lasting',
  fields: [isLasting],
  discovered: (room) => [room.persistent ? 'muc_persistent' : 'muc_temporary'],
}
