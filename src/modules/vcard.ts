/** XEP-0054: vcard-temp. Each account's business card, for everybody to read. */
import { options } from '../base/schema.js'
import { iq, type IqRequest } from '../host/iq-table.js'
import { defineModule } from '../host/module.js'
import { StanzaError } from '../stanza/errors.js'
import { NS } from '../xml/namespaces.js'
import { parseElement } from '../xml/parser.js'

export default defineModule({
  name: 'vcard',
  summary: 'Keeps a business card for each account',
  xeps: [{ number: 54, version: '1.3.0' }],
  options: options({}),

  setup(host) {
    /** As XML text; bounded by what a stanza may be. */
    const cards = host.map<string>('vcard')

    async function get({ from, to }: IqRequest) {
      const card = await cards.get(to.local)
      if (card !== undefined) return parseElement(card)
      // XEP-0054 §3.1 and §3.3: others must not learn that the account exists, only that there is no card.
      throw new StanzaError(from.bare.equals(to) ? 'item-not-found' : 'service-unavailable')
    }

    async function set({ from, query, session }: IqRequest) {
      // What guests leave would never be deleted.
      if (!session?.account) throw new StanzaError('registration-required', 'Guests have no account.')
      await cards.set(from.local, query.toString())
    }

    // Setting somebody else's card finds no handler: *service-unavailable*, which tells nothing about the account.
    return {
      features: [NS.vcard],
      accountFeatures: [NS.vcard],
      iq: [iq('get', 'account', 'vCard', NS.vcard, get), iq('set', 'self', 'vCard', NS.vcard, set)],
    }
  },
})
