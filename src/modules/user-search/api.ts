/** What other modules may do with the list of those who want to be found (XEP-0055). */
import { serviceKey } from '../../host/module.js'
import type { Jid } from '../../stanza/jid.js'

/** What somebody wants others to find them by; '' where they do not say. */
export interface Listing {
  readonly first: string
  readonly last: string
  readonly nick: string
}

export interface Directory {
  of(account: Jid): Listing | undefined
  /** Takes the account in, or out. Rejects with StanzaError `not-acceptable` or `resource-constraint`, or StorageUnavailable. */
  list(account: Jid, listing: Listing | undefined): Promise<void>
}

export const directoryKey = serviceKey<Directory>('directory')
