/** XEP-0115, XEP-0390: what clients can, here and elsewhere, learned from their presence for modules that ask. */
import { capabilitiesKey } from './api.js'
import { Clients } from './clients.js'
import { number, options } from '../../base/schema.js'
import { hook } from '../../host/hooks.js'
import { defineModule, serviceKey } from '../../host/module.js'

/** What a reload leaves to the next set-up. */
const memory = serviceKey<Clients>('capabilities.memory')

export default defineModule({
  name: 'capabilities',
  summary: 'Learns what clients can from their presence, so that they get the events they want',
  xeps: [
    { number: 115, version: '1.6.0', note: 'of clients' },
    { number: 390, version: '0.3.2', note: 'of clients' },
  ],
  options: options({
    hashes: number(5_000, 'Programs whose features are remembered.', { min: 1, max: 1_000_000 }),
    resources: number(100_000, 'Resources of other servers that are remembered with an account.', {
      min: 1,
      max: 10_000_000,
    }),
  }),

  setup(host, bounds) {
    let clients = host.provided(memory)
    if (clients?.bounds.hashes !== bounds.hashes || clients.bounds.resources !== bounds.resources) {
      clients = new Clients(host, bounds)
      for (const session of host.sessions.all()) if (session.presence) clients.own(session, session.presence)
    }
    const known = clients
    return {
      provides: [
        { key: capabilitiesKey, value: known },
        { key: memory, value: known },
      ],
      hooks: [hook('received', 'copy', ['presence'], (stanza) => known.arrived(stanza))],
      events: {
        presenceChanged: ({ session, now }) => known.own(session, now),
        sessionRestored: (session) => known.own(session, session.presence),
        sessionResumed: (session) => known.resumed(session),
        sessionGone: (session) => known.own(session, undefined),
        accountDeleted: (account) => known.forget(account),
      },
    }
  },
})
