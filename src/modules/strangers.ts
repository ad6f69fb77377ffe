/** RFC 6121 §8.5.3.1: requests of strangers do not reach clients, whose answers would tell that they are online. */
import { options } from '../base/schema.js'
import { hook } from '../host/hooks.js'
import { defineModule } from '../host/module.js'
import { StanzaError } from '../stanza/errors.js'
import type { Stanza } from '../stanza/stanza.js'

export default defineModule({
  name: 'strangers',
  summary: 'Keeps requests of those who may not see presence away from clients',
  xeps: [],
  options: options({}),

  setup({ roster, sessions, domain }) {
    async function requireFriend(stanza: Stanza): Promise<StanzaError | undefined> {
      const { from, to } = stanza
      const session = sessions.get(to!)
      if (!session || (await roster.sharesPresence(to!, from))) return undefined
      // Whoever was told of this resource may ask it: a room, for its occupants too.
      if (session.hasMet(from)) return undefined
      // As if there were no such resource (§8.5.3.2.3).
      return new StanzaError('service-unavailable')
    }

    return {
      hooks: [
        hook('received', 'guard', ['iq'], (stanza) => {
          const { type, from, to } = stanza
          const asksClient = (type === 'get' || type === 'set') && !to!.isBare
          // The host itself is no stranger to its accounts.
          const own = from.domain === domain && (from.local === '' || from.local === to!.local)
          return asksClient && !own ? requireFriend(stanza) : undefined
        }),
      ],
    }
  },
})
