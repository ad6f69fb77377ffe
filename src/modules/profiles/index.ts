/** XEP-0398, XEP-0153, XEP-0292: old cards and new ones, old avatars and new ones, are the same to every client. */
import { Avatars } from './avatars.js'
import { infoOf, photoElement, photoOfCard } from '../../stanza/photo.js'
import { Presences } from './presences.js'
import { vcard4Of, vcardTempOf } from './vcard4.js'
import { options, size } from '../../base/schema.js'
import type { Host } from '../../host/host.js'
import { hook } from '../../host/hooks.js'
import { defineModule } from '../../host/module.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { parseElement } from '../../xml/parser.js'
import { pepKey, type Pep, type PepEvent } from '../pubsub/api.js'
import { type CardKeeper, type Cards, cardsKey } from '../vcard/api.js'

export default defineModule({
  name: 'profiles',
  summary: 'Lets old and new clients see the same avatars and business cards',
  xeps: [
    { number: 84, version: '1.1.4' },
    { number: 153, version: '1.1.1' },
    { number: 172, version: '1.1', note: 'published, and kept in requests to subscribe' },
    { number: 292, version: '0.12.0' },
    { number: 398, version: '1.0.0' },
  ],
  requires: ['pep', 'vcard'],
  options: options({
    photoSize: size('128KiB', 'The largest picture that a card may have.', { min: '1KiB', max: '1MiB' }),
  }),

  setup(host, { photoSize: largest }) {
    const pep = host.service(pepKey)
    const avatars = new Avatars(pep, largest)
    const cards = host.service(cardsKey)
    const profiles = new Profiles(host, pep, cards, avatars, largest)
    const presences = new Presences(host, async (account) => {
      const hash = await avatars.hashOf(account)
      return hash ?? (await profiles.bringsAlong(account))
    })
    const ends = [
      cards.entrust(profiles),
      pep.watch(NS.vcard4Node, (event) => profiles.newCard(event)),
      pep.watch(NS.avatarMetadata, ({ account, item }) =>
        presences.changed(account, (item && infoOf(item.payload)?.id.toLowerCase()) ?? ''),
      ),
    ]
    return {
      // XEP-0398 §2, XEP-0292 §7
      accountFeatures: [NS.avatarConversion, NS.vcard4],
      hooks: [
        hook('sent', 'stamp', ['presence'], (stanza, { session }) => presences.stamped(stanza, session)),
      ],
      events: {
        accountCreated: (account) => presences.forget(account),
        accountDeleted: (account) => presences.forget(account),
      },
      stop: () => {
        for (const end of ends) end()
      },
    }
  },
})

/** What a card says is kept in two places: the picture with personal eventing alone, the rest in both formats. */
class Profiles implements CardKeeper {
  readonly #host: Host
  readonly #pep: Pep
  readonly #cards: Cards
  readonly #avatars: Avatars
  readonly #largest: number

  constructor(host: Host, pep: Pep, cards: Cards, avatars: Avatars, largest: number) {
    this.#host = host
    this.#pep = pep
    this.#cards = cards
    this.#avatars = avatars
    this.#largest = largest
  }

  async show(kept: Element | undefined, account: Jid, reader: Jid): Promise<Element | undefined> {
    const card = kept ?? (await this.#newCardFor(reader, account))
    const photo = await this.#avatars.photoFor(reader, account)
    return photo ? withPhoto(card, photoElement(photo)) : card
  }

  /** The vCard4 as far as `reader` may see it, in the old format. */
  async #newCardFor(reader: Jid, account: Jid): Promise<Element | undefined> {
    const [item] = await this.#pep.readable(account, NS.vcard4Node, reader, { max: 1 })
    return item && vcardTempOf(item.payload)
  }

  async take(card: Element, account: Jid): Promise<Element> {
    const rest = await this.#takePhoto(card, account)
    const after = vcard4Of(rest)
    const [before] = await this.#pep.items(account, NS.vcard4Node, { max: 1 })
    if (after && after.toString() !== before?.payload.toString())
      await this.#pep.publish(account, NS.vcard4Node, { id: 'current', payload: after }, { access: 'open' })
    else if (!after && before) await this.#pep.deleteNode(account, NS.vcard4Node)
    return rest
  }

  /** The card without the picture, which is published; what is no picture stays. */
  async #takePhoto(card: Element, account: Jid): Promise<Element> {
    const photo = photoOfCard(card)
    if (photo === 'unfit') return card
    if (photo === 'absent') await this.#avatars.disable(account)
    else if (photo.bytes.length > this.#largest) {
      this.#host.hits.add('photo_size')
      throw new StanzaError('not-acceptable', `A picture may have ${this.#largest} bytes here.`)
    } else await this.#avatars.publish(account, photo)
    return withPhoto(card, undefined)
  }

  /** The picture of a card that was kept before there was personal eventing, or comes from another server: its hash. */
  async bringsAlong(account: Jid): Promise<string | undefined> {
    const card = await this.#cards.kept(account)
    const photo = card && photoOfCard(card)
    if (!card || typeof photo !== 'object' || photo.bytes.length > this.#largest) return undefined
    await this.#avatars.publish(account, photo)
    await this.#cards.keep(account, withPhoto(card, undefined))
    return photo.id
  }

  /** A client has written the vCard4: what was kept of an older card would be shown in its place. */
  async newCard({ account, by }: PepEvent): Promise<void> {
    if (by) await this.#cards.keep(account, undefined)
  }
}

/** The card with this picture, or without one. */
function withPhoto(card: Element | undefined, photo: Element | undefined): Element {
  // Copies, since what came or is kept is shared.
  const others =
    card
      ?.childrenOf()
      .filter(({ local }) => local !== 'PHOTO')
      .map((one) => parseElement(one.toString())) ?? []
  const { xmlns: _, ...attributes } = { ...card?.attrs } as Record<string, string>
  return el('vCard', NS.vcard, attributes, ...others, photo)
}
