/** XEP-0492: which chats an account wants to be told of, as far as a server can tell, from its bookmarks (XEP-0402). */
import { Lru } from '../../base/lru.js'
import type { Host } from '../../host/host.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { pepKey, type Pep } from '../pubsub/api.js'

type Setting = 'always' | 'on-mention' | 'never'

/** What the bookmark of a chat says. */
interface Chat {
  readonly setting: Setting | undefined
  /** The account's name in the room. */
  readonly nick: string | undefined
}

type Chats = ReadonlyMap<string, Chat>

/** Devices that are woken are taken for these (XEP-0492 §2.2): what they really are is known only while they are here. */
const identity = { category: 'client', type: 'phone' }

/** Accounts whose settings are in memory. */
const mostAccounts = 10_000

const nobodys: Chats = new Map()

export class Settings {
  readonly #host: Host
  readonly #chats = new Lru<string, Promise<Chats>>(mostAccounts)
  #watched: Pep | undefined = undefined
  #unwatch: (() => void) | undefined = undefined

  constructor(host: Host) {
    this.#host = host
  }

  /** Whether the owner of `account` wants to be told of what is worth telling. Settings that cannot be read forbid nothing. */
  async allow(account: Jid, stanza: Stanza): Promise<boolean> {
    const chats = await this.#of(account)
    const chat = chats.get(stanza.from.bare.toString())
    const isRoom = stanza.effectiveType === 'groupchat'
    // XEP-0045 §7.4: what one says in a room comes back from there.
    if (isRoom && chat?.nick !== undefined && chat.nick === stanza.from.resource) return false
    // XEP-0492 §3: a room without a setting may be private, and then all of it counts: the server cannot tell.
    if (chat?.setting === 'never') return false
    if (chat?.setting !== 'on-mention' || !isRoom) return true
    return isMentioned(stanza, account, chat.nick ?? account.local)
  }

  stop(): void {
    this.#unwatch?.()
  }

  forget(local: string): void {
    this.#chats.delete(local)
  }

  #of(account: Jid): Promise<Chats> {
    const pep = this.#host.provided(pepKey)
    if (!pep) return Promise.resolve(nobodys)
    this.#watch(pep)
    const { local } = account
    const known = this.#chats.get(local)
    if (known) return known
    const read = pep.items(account, NS.bookmarks).then(
      (items) => new Map(items.flatMap(({ id, payload }) => chatOf(id, payload))),
      (error: unknown) => {
        this.#host.log.warn('push.settings.failed', { user: account.toString(), error })
        this.#chats.delete(local)
        return nobodys
      },
    )
    void this.#chats.set(local, read)
    return read
  }

  /** What is read is true until the account changes it. */
  #watch(pep: Pep): void {
    if (this.#watched === pep) return
    this.#unwatch?.()
    this.#chats.clear()
    this.#watched = pep
    this.#unwatch = pep.watch(NS.bookmarks, ({ account }) => this.forget(account.local))
  }
}

/** The chat of a bookmark, if that says anything of interest. */
function chatOf(id: string, conference: Element): readonly (readonly [string, Chat])[] {
  const notify = conference.child('extensions', NS.bookmarks)?.child('notify', NS.notificationSettings)
  const chat = { setting: notify && settingOf(notify), nick: conference.child('nick', NS.bookmarks)?.text }
  return chat.setting === undefined && chat.nick === undefined ? [] : [[id, chat]]
}

/** XEP-0492 §3: the most specific one of our identity. */
function settingOf(notify: Element): Setting | undefined {
  let best: Setting | undefined
  let bestRank = 0
  for (const one of notify.childrenOf(undefined, NS.notificationSettings)) {
    const setting = one.local
    if (setting !== 'always' && setting !== 'on-mention' && setting !== 'never') continue
    const rank = rankOf(one.attrs['identity-category'], one.attrs['identity-type'])
    if (rank <= bestRank) continue
    best = setting
    bestRank = rank
  }
  return best
}

function rankOf(category: string | undefined, type: string | undefined): number {
  if (category === undefined) return type === undefined ? 1 : 0
  if (category !== identity.category) return 0
  if (type === undefined) return 2
  return type === identity.type ? 3 : 0
}

/** XEP-0492 §3: by XEP-0461, by XEP-0372, or by the name in the words. */
function isMentioned(stanza: Stanza, account: Jid, nick: string): boolean {
  if (stanza.child('reply', NS.replies)?.attrs['to'] === `${stanza.from.bare.toString()}/${nick}`) return true
  const isReference = ({ local, ns, attrs }: Element) =>
    local === 'reference' &&
    ns === NS.references &&
    attrs['type'] === 'mention' &&
    /^xmpp:([^?]*)/.exec(attrs['uri'] ?? '')?.[1] === account.toString()
  if (stanza.has('reference', NS.references) && stanza.children.some(isReference)) return true
  const words = (stanza.child('body')?.text ?? '').toLowerCase()
  return isAmong(nick.toLowerCase(), words)
}

/** Whether the name stands in the words, and not in the middle of one. */
function isAmong(name: string, words: string): boolean {
  const isLetter = (letter: string | undefined) => letter !== undefined && /[\p{L}\p{N}_]/u.test(letter)
  if (name === '') return false
  for (let at = words.indexOf(name); at >= 0; at = words.indexOf(name, at + 1))
    if (!isLetter(words[at - 1]) && !isLetter(words[at + name.length])) return true
  return false
}
