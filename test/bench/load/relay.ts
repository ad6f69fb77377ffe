/** The bare TLS relay on Node.js, in its own process: what the sockets alone cost, and of a login the handshake. */
import { join } from 'node:path'
import { end, freePort, launch, ready, type Server } from './server.js'

export const relay: Server = {
  name: 'TLS relay',
  framing: 'lines',
  version: () => process.versions.node,
  does: (load) => ['login-sha1', 'closed', 'windowed', 'open', 'crowd', 'room100', 'room500'].includes(load),
  start: async (setup) => {
    const { directory, certificate, key } = setup
    const port = await freePort()
    const log = join(directory, 'relay.log')
    const program = join(import.meta.dirname, 'relay-server.js')
    const child = launch(process.execPath, [program, String(port), certificate, key], log)
    await ready(child, port, setup, log)
    return { port, processes: [child.pid ?? 0], stop: () => end(child) }
  },
}
