/** What other modules may do with private XML (XEP-0049). */
import { serviceKey } from '../../host/module.js'
import type { Jid } from '../../stanza/jid.js'
import type { Element } from '../../xml/element.js'

/** Knows of what an element says from elsewhere, too. */
export interface PrivateKeeper {
  /** What the owner gets in place of the element that is kept; undefined: that there is none. Do not change `kept`. */
  show(kept: Element | undefined, account: Jid): Promise<Element | undefined>
  /** The owner has written `element` (by the session `by`): gives what is to be kept of it, or throws StanzaError. */
  take(element: Element, account: Jid, by: Jid): Promise<Element>
}

/** `account` is the bare address of an account of this host. Everything may reject with StorageUnavailable. */
export interface PrivateXml {
  /** As it is kept, whatever the owner gets. */
  kept(account: Jid, name: string, ns: string): Promise<Element | undefined>
  /** Whatever the quota of the account is. */
  keep(account: Jid, element: Element): Promise<void>
  /** From here on `keeper` is asked about elements of that name, and no other; the result ends it. */
  entrust(name: string, ns: string, keeper: PrivateKeeper): () => void
}

export const privateXmlKey = serviceKey<PrivateXml>('private-xml')
