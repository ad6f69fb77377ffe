/** What other modules may do with business cards (XEP-0054). */
import { serviceKey } from '../../host/module.js'
import type { Jid } from '../../stanza/jid.js'
import type { Element } from '../../xml/element.js'

/** Knows of what a card says from elsewhere, too: of avatars and of cards in another format. */
export interface CardKeeper {
  /**
   * What `reader`, bare or full, is shown in place of the `card` that is kept (undefined: none); undefined: that there
   * is none. Do not change `card`.
   */
  show(card: Element | undefined, account: Jid, reader: Jid): Promise<Element | undefined>
  /** The owner has written `card` (by the session `by`): gives what is to be kept of it, or throws StanzaError. */
  take(card: Element, account: Jid, by: Jid): Promise<Element>
}

/** `account` is the bare address of an account of this host. Everything may reject with StorageUnavailable. */
export interface Cards {
  /** As it is kept, whatever it shows. */
  kept(account: Jid): Promise<Element | undefined>
  /** Undefined: nothing is kept any more. */
  keep(account: Jid, card: Element | undefined): Promise<void>
  /** From here on `keeper` is asked, and no other; the result ends it. */
  entrust(keeper: CardKeeper): () => void
}

export const cardsKey = serviceKey<Cards>('cards')
