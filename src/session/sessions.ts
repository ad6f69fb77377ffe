/** The registry of a host's sessions: by account, by full JID, available ones in order of priority. */
import type { Session } from './session.js'
import type { Jid } from '../stanza/jid.js'

const NONE: readonly Session[] = Object.freeze([])

interface Entry {
  /** In order of binding. Replaced, never changed: who walks one is not disturbed. */
  all: readonly Session[]
  /** Those with presence, highest priority first, then the latest to become available first. */
  available: readonly Session[]
}

export class Sessions {
  readonly #accounts = new Map<string, Entry>()
  #count = 0

  get size(): number {
    return this.#count
  }

  of(account: Jid): readonly Session[] {
    return this.#accounts.get(account.local)?.all ?? NONE
  }

  available(account: Jid): readonly Session[] {
    return this.#accounts.get(account.local)?.available ?? NONE
  }

  get(full: Jid): Session | undefined {
    const entry = this.#accounts.get(full.local)
    if (!entry) return undefined
    for (const session of entry.all) if (session.jid.resource === full.resource) return session
    return undefined
  }

  /** Every session of the host, while walking robust against changes. */
  *all(): Generator<Session> {
    for (const entry of this.#accounts.values()) yield* entry.all
  }

  add(session: Session): void {
    const { local } = session.jid
    const entry = this.#accounts.get(local)
    if (entry) entry.all = entry.all.concat(session)
    else this.#accounts.set(local, { all: [session], available: NONE })
    this.#count++
  }

  remove(session: Session): void {
    const entry = this.#accounts.get(session.jid.local)
    if (!entry?.all.includes(session)) return
    entry.all = entry.all.filter((other) => other !== session)
    entry.available = entry.available.filter((other) => other !== session)
    if (entry.all.length === 0) this.#accounts.delete(session.jid.local)
    this.#count--
  }

  /** After a session's presence or priority changed. */
  reorder(session: Session): void {
    const entry = this.#accounts.get(session.jid.local)
    if (!entry?.all.includes(session)) return
    const others = entry.available.filter((other) => other !== session)
    if (!session.presence) entry.available = others
    else {
      const place = others.findIndex((other) => other.priority <= session.priority)
      // Not by a spread, which leaves room for 16 more.
      entry.available = place < 0 ? others.concat(session) : others.toSpliced(place, 0, session)
    }
  }
}
