/** The block lists of a host's accounts: stored, and in memory while they are needed. */
import { Blocklist } from './blocklist.js'
import { Lru } from '../../base/lru.js'
import { Turns } from '../../base/turns.js'
import type { Sessions } from '../../session/sessions.js'
import { readJid, type Jid } from '../../stanza/jid.js'
import type { MapStore } from '../../storage/stores.js'

/** Lists in memory besides those of connected accounts; nearly all are empty. */
const mostOthers = 10_000

export class Lists {
  readonly #store: MapStore<readonly string[]>
  readonly #sessions: Sessions
  /** By localpart: of accounts that have a session, and of others that were asked for. */
  readonly #connected = new Map<string, Blocklist>()
  readonly #others = new Lru<string, Blocklist>(mostOthers)
  readonly #turns = new Turns()

  constructor(store: MapStore<readonly string[]>, sessions: Sessions) {
    this.#store = store
    this.#sessions = sessions
  }

  /** Lists of connected accounts in memory. */
  get size(): number {
    return this.#connected.size
  }

  /** The list when it is in memory, as it is while the account has a session. */
  known({ local }: Jid): Blocklist | undefined {
    return this.#connected.get(local) ?? this.#others.get(local)
  }

  /** Rejects with StorageUnavailable. */
  of(account: Jid): Blocklist | Promise<Blocklist> {
    return this.known(account) ?? this.#turns.take(account.local, () => this.#read(account))
  }

  /** A session of the account was bound: its list stays in memory. Guests have none. */
  opened(account: Jid, isGuest: boolean): void | Promise<void> {
    const list = isGuest ? Blocklist.empty : this.of(account)
    const keep = (known: Blocklist) => this.#remember(account, known)
    return list instanceof Promise ? list.then(keep) : keep(list)
  }

  /** A session of the account has ended. */
  closed(account: Jid): void {
    const list = this.#connected.get(account.local)
    if (list) this.#remember(account, list)
  }

  forget({ local }: Jid): void {
    this.#connected.delete(local)
    this.#others.delete(local)
  }

  /**
   * Replaces the list by what `next` makes of it, after all changes asked for earlier. `leaving` runs when that is
   * stored and not in force yet. Rejects with what `next` throws, or StorageUnavailable; then nothing has changed.
   */
  change(
    account: Jid,
    next: (list: Blocklist) => Blocklist,
    leaving: (before: Blocklist, after: Blocklist) => void,
  ): Promise<{ readonly before: Blocklist; readonly after: Blocklist }> {
    return this.#turns.take(account.local, async () => {
      const before = this.known(account) ?? (await this.#read(account))
      const after = next(before)
      if (after.size === 0) await this.#store.delete(account.local)
      else await this.#store.set(account.local, after.toJSON())
      leaving(before, after)
      this.#remember(account, after)
      return { before, after }
    })
  }

  async #read(account: Jid): Promise<Blocklist> {
    const known = this.known(account)
    if (known) return known
    const stored = await this.#store.get(account.local)
    // What is no address any more costs nobody the rest of the list.
    const list = stored ? Blocklist.of(stored.flatMap((text) => readJid(text) ?? [])) : Blocklist.empty
    this.#remember(account, list)
    return list
  }

  #remember(account: Jid, list: Blocklist): void {
    const { local } = account
    this.forget(account)
    if (this.#sessions.of(account).length > 0) this.#connected.set(local, list)
    else this.#others.set(local, list)
  }
}
