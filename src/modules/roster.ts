/** RFC 6121 §2 and §3.4: clients read and change their rosters, and learn what this server can do with them. */
import { options } from '../base/schema.js'
import { iq } from '../host/iq-table.js'
import { defineModule, each, type Portable, type StreamFeature } from '../host/module.js'
import { itemsOf, requestsOf, takeItem, takeRequest } from '../session/roster-moving.js'
import { StanzaError } from '../stanza/errors.js'
import { Jid } from '../stanza/jid.js'
import type { Account } from '../storage/accounts.js'
import { el } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

export default defineModule({
  name: 'roster',
  summary: 'Lets clients read and change their contact lists',
  xeps: [{ number: 237, version: '1.3' }],
  options: options({}),

  setup({ roster, domain }) {
    const ownerOf = ({ local }: Account) => Jid.of(local, domain)
    const items: Portable = {
      name: 'query',
      ns: NS.roster,
      depth: 1,
      export: (account) => itemsOf(roster, ownerOf(account)),
      import: (account, elements) => each(elements, (item) => takeItem(roster, ownerOf(account), item)),
    }
    const requests: Portable = {
      name: 'presence',
      ns: NS.client,
      depth: 0,
      export: (account) => requestsOf(roster, ownerOf(account)),
      import: (account, elements) =>
        each(elements, (presence) => takeRequest(roster, ownerOf(account), presence)),
    }

    return {
      portable: [items, requests],
      iq: [
        iq('get', 'self', 'query', NS.roster, (request) => roster.get(request)),
        iq('set', 'self', 'query', NS.roster, (request) => roster.set(request)),
        iq('get', 'account', 'query', NS.roster, forbidden),
        iq('set', 'account', 'query', NS.roster, forbidden),
      ],
      streamFeatures: [informative('ver', NS.rosterVersioning), informative('sub', NS.preApproval)],
    }
  },
})

/** RFC 6121 §2.1.5, §2.3.3: a roster is its owner's. */
function forbidden(): never {
  throw new StanzaError('forbidden')
}

/** RFC 6121 §2.6.1, §3.4: never negotiated, only told. */
function informative(name: string, ns: string): StreamFeature {
  return {
    ns,
    reads: [],
    fits: ({ authenticated, bound, direction }) => direction === 'c2s' && authenticated && !bound,
    offer: () => el(name, ns),
  }
}
