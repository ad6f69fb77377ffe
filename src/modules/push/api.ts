/** What other modules may ask of push notifications. */
import { serviceKey } from '../../host/module.js'
import type { Session } from '../../session/session.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'

export interface Push {
  /**
   * A stanza for the account waits where a device will not see it by itself: the devices of `account` that are away, or
   * the one of `session`, are woken if the stanza is worth it. Returns at once, never throws; the same stanza told twice
   * wakes a device once.
   */
  notify(account: Jid, stanza: Stanza, session?: Session): void
}

export const pushKey = serviceKey<Push>('push')
