/** XEP-0054: vcard-temp. Each account's business card, for everybody to read. */
import { cardsKey, type CardKeeper, type Cards } from './api.js'
import { options } from '../../base/schema.js'
import { Turns } from '../../base/turns.js'
import { iq, type IqRequest } from '../../host/iq-table.js'
import { defineModule, each, type Portable } from '../../host/module.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import { NS } from '../../xml/namespaces.js'
import { parseElement } from '../../xml/parser.js'

/** Bytes of a card that comes from another server; a client's is bounded by what a stanza may be. */
const largest = 1 << 20

export default defineModule({
  name: 'vcard',
  summary: 'Keeps a business card for each account',
  xeps: [{ number: 54, version: '1.3.0' }],
  options: options({}),

  setup(host) {
    /** As XML text; bounded by what a stanza may be. */
    const texts = host.map<string>('vcard')
    const turns = new Turns()
    let keeper: CardKeeper | undefined

    async function kept(account: Jid) {
      const text = await texts.get(account.local)
      return text === undefined ? undefined : parseElement(text)
    }

    async function get({ from, to }: IqRequest) {
      const card = await kept(to)
      const shown = keeper ? await keeper.show(card, to, from) : card
      if (shown) return shown
      // XEP-0054 §3.1 and §3.3: others must not learn that the account exists, only that there is no card.
      throw new StanzaError(from.bare.equals(to) ? 'item-not-found' : 'service-unavailable')
    }

    async function set({ from, query, session }: IqRequest) {
      // What guests leave would never be deleted.
      if (!session?.account) throw new StanzaError('registration-required', 'Guests have no account.')
      const account = from.bare
      await turns.take(account.local, async () => {
        const card = keeper ? await keeper.take(query, account, from) : query
        await texts.set(account.local, card.toString())
      })
    }

    const cards: Cards = {
      kept,
      keep: (account, card) =>
        card ? texts.set(account.local, card.toString()) : texts.delete(account.local),
      entrust(one) {
        keeper = one
        return () => {
          if (keeper === one) keeper = undefined
        }
      },
    }

    /** XEP-0227 §4.7. A card that is there stays. */
    const portable: Portable = {
      name: 'vCard',
      ns: NS.vcard,
      depth: 0,
      async *export({ local }) {
        const text = await texts.get(local)
        if (text !== undefined) yield parseElement(text)
      },
      import: ({ local }, elements) =>
        each(elements, async (card) => {
          const text = card.toString()
          if (Buffer.byteLength(text) > largest) return 'the card is too large'
          await texts.keep(local, text)
          return undefined
        }),
    }

    // Setting somebody else's card finds no handler: *service-unavailable*, which tells nothing about the account.
    return {
      features: [NS.vcard],
      accountFeatures: [NS.vcard],
      portable: [portable],
      provides: [{ key: cardsKey, value: cards }],
      iq: [iq('get', 'account', 'vCard', NS.vcard, get), iq('set', 'self', 'vCard', NS.vcard, set)],
    }
  },
})
