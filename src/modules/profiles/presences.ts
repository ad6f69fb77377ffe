/** The hash of the avatar in an account's presences: put there by the server (XEP-0398 §4, XEP-0153 §4.1). */
import { Lru } from '../../base/lru.js'
import type { Host } from '../../host/host.js'
import type { Session } from '../../session/session.js'
import { Slot } from '../../session/slot.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'
import { el } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Accounts whose hash is remembered, with sessions or without. */
const remembered = 10_000

/** Whether the last broadcast of the client said that it shows no picture. */
const broadcast = Slot.plain('profiles', () => ({ shown: true }))

export class Presences {
  readonly #host: Host
  readonly #load: (account: Jid) => Promise<string | undefined>
  /** By localpart, as `Avatars.hashOf` gives them. */
  readonly #hashes = new Lru<string, { readonly hash: string | undefined }>(remembered)

  /** `load` reads the hash of an account that has just appeared. */
  constructor(host: Host, load: (account: Jid) => Promise<string | undefined>) {
    this.#host = host
    this.#load = load
  }

  /** A presence of the session as it is to go on. At once, but for the first one of an account. */
  stamped(stanza: Stanza, session: Session): Stanza | undefined | Promise<Stanza | undefined> {
    if (stanza.type !== undefined || session.account === 0) return undefined
    const shows = !isEmptied(stanza)
    if (!stanza.to) session.state(broadcast).shown = shows
    if (!shows) return undefined
    const known = this.#hashes.get(session.jid.local)
    if (known) return marked(stanza, known.hash)
    return this.#learn(session.jid.bare).then((hash) => marked(stanza, hash))
  }

  async #learn(account: Jid): Promise<string | undefined> {
    try {
      const hash = await this.#load(account)
      const known = this.#hashes.get(account.local)
      if (known) return known.hash
      this.#hashes.set(account.local, { hash })
      return hash
    } catch (error) {
      // Presence matters more than a picture; the next one is looked up again.
      this.#host.log.warn('avatar.unknown', { user: account.toString(), error })
      return undefined
    }
  }

  /** The account has another avatar: told to all who have its presence, as if its clients had said so. */
  changed(account: Jid, hash: string): void {
    const { sessions, roster } = this.#host
    if (this.#hashes.get(account.local)?.hash === hash) return
    this.#hashes.set(account.local, { hash })
    const available = sessions.available(account)
    let news = false
    for (const session of available) {
      const after = session.state(broadcast).shown && session.presence && marked(session.presence, hash)
      if (!after) continue
      session.presence = after
      news = true
      for (const each of available) each.deliver(after.readdressed({ to: account }))
    }
    if (!news) return
    for (const contact of roster.cached(account)?.subscribers ?? [])
      roster.showPresence(account, contact, 'available')
  }

  /** The account is new, or no more. */
  forget(account: Jid): void {
    this.#hashes.delete(account.local)
  }
}

/** XEP-0153 §4.1, rule 3: the client says that there is nothing to show, which is its right. */
function isEmptied(stanza: Stanza): boolean {
  return photoIn(stanza) === ''
}

/** The text of `<photo/>`, if there is one. */
function photoIn(stanza: Stanza): string | undefined {
  const x = stanza.child('x', NS.vcardUpdate)
  return x?.child('photo', NS.vcardUpdate)?.text.trim()
}

/** With the hash; undefined: it is right as it is. */
function marked(stanza: Stanza, hash: string | undefined): Stanza | undefined {
  if (hash === undefined || photoIn(stanza)?.toLowerCase() === hash) return undefined
  const photo = el('photo', undefined, undefined, hash)
  return stanza.withoutChildren('x', NS.vcardUpdate).withChild(el('x', NS.vcardUpdate, undefined, photo))
}
