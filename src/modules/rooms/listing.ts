/** Whether a room stands in lists for everybody (XEP-0045 §6.3), and what of it is listed. */
import { description, roomName } from './details.js'
import type { RoomFeature } from './feature.js'
import { flagField, type RoomConfig } from './fields.js'
import type { RoomListing } from '../../storage/rooms.js'

export const isPublic = flagField(
  'muc#roomconfig_publicroom',
  'The room stands in lists, for everybody',
  false,
)

export const listing: RoomFeature = {
  name: 'listing',
  fields: [isPublic],
  discovered: (room) => [room.get(isPublic) ? 'muc_public' : 'muc_hidden'],
}

/** Of a room with this configuration. Nobody can enter one that is `locked`, so it is not listed. */
export function listingOf(config: RoomConfig, locked: boolean): RoomListing {
  return {
    public: config.get(isPublic) && !locked,
    name: config.get(roomName),
    description: config.get(description),
  }
}
