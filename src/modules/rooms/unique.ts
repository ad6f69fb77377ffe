/** XEP-0307: a name for a room that nobody has and nobody guesses. */
import { requireCreator } from './creation.js'
import type { RoomFeature } from './feature.js'
import type { RoomService } from './service.js'
import { iq } from '../../host/iq-table.js'
import { el } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

export function unique({ host, settings }: RoomService): RoomFeature {
  return {
    name: 'unique',
    serviceFeatures: [NS.mucUnique],
    serviceIq: [
      iq('get', 'host', 'unique', NS.mucUnique, async ({ from }) => {
        // §2: who may not make a room needs no name for it.
        await requireCreator(host, settings, from)
        return el('unique', NS.mucUnique, undefined, host.random.bytes(16).toString('hex'))
      }),
    ],
  }
}
