/** What other modules may ask about the capabilities of clients (XEP-0115, XEP-0390). */
import { serviceKey } from '../../host/module.js'
import type { Jid } from '../../stanza/jid.js'

/**
 * A resource's features became known to concern an account of this host, or have changed: `full` is available, and the
 * bare `account` has its presence. Told once for each of both and not at every presence. For a session of this host
 * `account` is its own; which other accounts of the host it concerns is in the rosters.
 */
export type Known = (full: Jid, features: ReadonlySet<string>, account: Jid) => void | Promise<void>

export interface Capabilities {
  /**
   * The disco features of an available resource: a session of ours, or one of another server whose presence has
   * reached an account here. Undefined while they are not known, and for those that do not tell (no +notify then).
   */
  of(full: Jid): ReadonlySet<string> | undefined
  /**
   * Available resources of its contacts elsewhere whose presence has reached the bare `account` and not been taken back,
   * whichever of both is subscribed to the other; and those of this host that direct presence to it and broadcast none.
   * For the account's own sessions and for other contacts of this host ask `host.sessions`.
   */
  heardBy(account: Jid): Iterable<Jid>
  /** Tells `listen` of what becomes known from now on; a crash of it is logged. Gives a function that ends it. */
  onKnown(listen: Known): () => void
}

export const capabilitiesKey = serviceKey<Capabilities>('capabilities')
