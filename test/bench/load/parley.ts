/** Parley itself. */
import type { Server } from './server.js'
export const parley: Server = {
  name: 'Parley',
  framing: 'xmpp',
  version: () => undefined,
  does: () => true,
  start: () => {
    throw new Error('not yet')
  },
}
