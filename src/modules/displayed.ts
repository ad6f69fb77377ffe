/** XEP-0490: how far each chat was read, for all devices of an account; a message may bring it along. */
import { options } from '../base/schema.js'
import { hook } from '../host/hooks.js'
import { defineModule } from '../host/module.js'
import type { Session } from '../session/session.js'
import type { Stanza } from '../stanza/stanza.js'
import { NS } from '../xml/namespaces.js'
import { pepKey } from './pubsub/api.js'

/** §4.2: private, and an item for each chat. */
const nodeOptions = { access: 'whitelist', maxItems: 'max', persist: true, sendLast: 'never' } as const

export default defineModule({
  name: 'displayed',
  summary: 'Tells the other devices of an account how far a chat was read',
  xeps: [{ number: 490, version: '1.0.1' }],
  requires: ['pep'],
  options: options({}),

  setup(host) {
    const pep = host.service(pepKey)

    /** §4.5.3: the item is published, and nobody else hears of it. Before archive and copies see the message (§5.2). */
    function assist(stanza: Stanza, session: Session): Stanza | undefined {
      const displayed = stanza.child('displayed', NS.displayed)
      if (!displayed) return undefined
      const stripped = stanza.withoutChildren('displayed', NS.displayed)
      const { to } = stanza
      // §4.1: exactly one; anything else is no more than noise.
      const { length } = displayed.childrenOf('stanza-id', NS.stanzaIds)
      if (!to || session.account === 0 || stanza.type === 'error' || length !== 1) return stripped
      const account = session.jid.bare
      const failed = (error: unknown) =>
        host.log.warn('displayed.unpublished', { user: account.toString(), error })
      pep
        .publish(account, NS.displayed, { id: to.toString(), payload: displayed }, nodeOptions, session.jid)
        .catch(failed)
      return stripped
    }

    return {
      accountFeatures: [NS.displayedAssist],
      hooks: [hook('sent', 'stamp', ['message'], (stanza, { session }) => assist(stanza, session))],
    }
  },
})
