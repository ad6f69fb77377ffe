/** What other modules may ask about blocking (XEP-0191). */
import { serviceKey } from '../../host/module.js'
import type { Jid } from '../../stanza/jid.js'

export interface Blocking {
  /**
   * Whether the account of this host has blocked `other`, bare or full. At once while the account has a session, else
   * when its list is read. The road needs no help: what the gates refuse reaches nobody. This is for who sends on behalf
   * of the account, or decides what to show whom. Rejects with StorageUnavailable.
   */
  isBlocked(account: Jid, other: Jid): boolean | Promise<boolean>
}

export const blockingKey = serviceKey<Blocking>('blocking')
