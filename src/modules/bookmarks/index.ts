/** XEP-0402, XEP-0411: bookmarks of rooms are the same wherever a client keeps them. */
import {
  bookmarkOfItem,
  conferenceOf,
  isSame,
  readItems,
  readStorage,
  storageOf,
  type Bookmark,
} from './convert.js'
import { Lru } from '../../base/lru.js'
import { options } from '../../base/schema.js'
import { Turns } from '../../base/turns.js'
import { defineModule } from '../../host/module.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { type PrivateKeeper, type PrivateXml, privateXmlKey } from '../private-xml/api.js'
import { pepKey, type Pep, type PepEvent } from '../pubsub/api.js'

/** Accounts that are remembered to have nothing that must be converted. */
const remembered = 10_000

export default defineModule({
  name: 'bookmarks',
  summary: 'Lets old and new clients see the same bookmarks of rooms',
  xeps: [
    { number: 48, version: '1.2' },
    { number: 402, version: '1.2.0' },
    { number: 411, version: '1.1.0' },
  ],
  requires: ['pep', 'private-xml'],
  options: options({}),

  setup(host) {
    const pep = host.service(pepKey)
    const privateXml = host.service(privateXmlKey)
    const bookmarks = new Bookmarks(pep, privateXml)
    /** Accounts whose private XML was looked at; what comes into it later is converted at once. */
    const seen = new Lru<string, true>(remembered)
    /** A node's publisher must not wait for the other node, whose publisher may be waiting for this one. */
    const afterwards = (convert: (event: PepEvent) => Promise<void>) => (event: PepEvent) =>
      void convert(event).catch((error: unknown) =>
        host.log.warn('bookmarks.unconverted', { user: event.account.toString(), error }),
      )
    const ends = [
      privateXml.entrust('storage', NS.storedBookmarks, bookmarks),
      pep.guard(NS.storedBookmarks, ({ payload }) => bookmarks.requireRoom(payload)),
      pep.watch(
        NS.storedBookmarks,
        afterwards((event) => bookmarks.listChanged(event)),
      ),
      pep.watch(
        NS.bookmarks,
        afterwards((event) => bookmarks.itemsChanged(event)),
      ),
    ]
    return {
      // XEP-0402 §5.3, XEP-0411 §2
      accountFeatures: [NS.bookmarksCompat, NS.bookmarksCompatPep, NS.bookmarksConversion],
      events: {
        sessionBound({ account, jid }) {
          if (account === 0 || seen.get(jid.local)) return undefined
          // XEP-0411 §4: before the client looks.
          return bookmarks
            .bringsAlong(jid.bare)
            .then(() => void seen.set(jid.local, true))
            .catch((error: unknown) =>
              host.log.warn('bookmarks.unconverted', { user: jid.bare.toString(), error }),
            )
        },
        accountCreated: ({ local }) => void seen.delete(local),
        accountDeleted: ({ local }) => void seen.delete(local),
      },
      stop: () => {
        for (const end of ends) end()
      },
    }
  },
})

/** XEP-0402 §3.3: what a private node of many items is. */
const itemOptions = { access: 'whitelist', maxItems: 'max', persist: true, sendLast: 'never' } as const
/** XEP-0048 §3.1 */
const listOptions = { access: 'whitelist', persist: true } as const

/**
 * Rooms are kept as items (XEP-0402). The list that older clients know (XEP-0048) is made of them: with personal eventing
 * at each change, in private XML (XEP-0049) when it is asked for; there only the rest of the list is kept.
 */
class Bookmarks implements PrivateKeeper {
  readonly #pep: Pep
  readonly #privateXml: PrivateXml
  /** One change of an account at a time. Whoever waits for private XML must not hold one. */
  readonly #turns = new Turns()

  constructor(pep: Pep, privateXml: PrivateXml) {
    this.#pep = pep
    this.#privateXml = privateXml
  }

  /** Private XML is read. */
  async show(kept: Element | undefined, account: Jid): Promise<Element | undefined> {
    const items = readItems(await this.#pep.items(account, NS.bookmarks))
    if (items.size === 0) return kept
    const { rooms, rest } = kept ? readStorage(kept) : { rooms: new Map<string, Bookmark>(), rest: [] }
    // Rooms that are kept in both ways could not be converted.
    const all = new Map([
      ...rooms,
      ...[...items].map(([room, item]) => [room, bookmarkOfItem(item)] as const),
    ])
    return storageOf(all, rest)
  }

  /** Private XML is written. */
  async take(storage: Element, account: Jid): Promise<Element> {
    this.requireRoom(storage)
    const { rooms, rest } = readStorage(storage)
    return this.#turns.take(account.local, async () => {
      if (!(await this.#mayConvert(account, NS.bookmarks))) return storage
      await this.#replaceItems(account, rooms)
      await this.#writeList(account, rest)
      return storageOf([], rest)
    })
  }

  /** A list has more rooms than there may be items: some would be lost. Throws StanzaError. */
  requireRoom(storage: Element): void {
    if (readStorage(storage).rooms.size > this.#pep.mostItems)
      throw new StanzaError('not-acceptable', `There may be ${this.#pep.mostItems} bookmarks here.`)
  }

  /** A client has written the list of personal eventing; that it deletes it means nothing. */
  async listChanged({ account, item, by }: PepEvent): Promise<void> {
    if (!by || item?.payload.local !== 'storage') return
    const { rooms, rest } = readStorage(item.payload)
    const isConverted = await this.#turns.take(account.local, async () => {
      if (!(await this.#mayConvert(account, NS.bookmarks))) return false
      await this.#replaceItems(account, rooms)
      return true
    })
    if (isConverted) await this.#privateXml.keep(account, storageOf([], rest))
  }

  /** A client has written or removed items. */
  async itemsChanged({ account, by }: PepEvent): Promise<void> {
    if (!by) return
    const kept = await this.#privateXml.kept(account, 'storage', NS.storedBookmarks)
    const rest = kept ? readStorage(kept).rest : []
    await this.#turns.take(account.local, () => this.#writeList(account, rest))
  }

  /** Rooms in private XML from before this module, or from another server, become items. */
  async bringsAlong(account: Jid): Promise<void> {
    const kept = await this.#privateXml.kept(account, 'storage', NS.storedBookmarks)
    const listed = kept && readStorage(kept)
    if (!listed || listed.rooms.size === 0) return
    const isConverted = await this.#turns.take(account.local, async () => {
      if (!(await this.#mayConvert(account, NS.bookmarks))) return false
      const items = readItems(await this.#pep.items(account, NS.bookmarks))
      if (items.size + listed.rooms.size > this.#pep.mostItems) return false
      for (const [room, bookmark] of listed.rooms)
        if (!items.has(room)) await this.#publish(account, room, conferenceOf(bookmark, undefined))
      await this.#writeList(account, listed.rest)
      return true
    })
    if (isConverted) await this.#privateXml.keep(account, storageOf([], listed.rest))
  }

  /** XEP-0411 §5: not to where others may read. */
  async #mayConvert(account: Jid, node: string): Promise<boolean> {
    const access = await this.#pep.accessOf(account, node)
    return access === undefined || access === 'whitelist'
  }

  /** XEP-0402 §5.3.2: the items become these, and only changes are told. */
  async #replaceItems(account: Jid, rooms: ReadonlyMap<string, Bookmark>): Promise<void> {
    const items = readItems(await this.#pep.items(account, NS.bookmarks))
    // Removed first, so that there is room for the new ones.
    for (const [room, item] of items)
      if (!rooms.has(room)) await this.#pep.retract(account, NS.bookmarks, item.id, true)
    for (const [room, bookmark] of rooms) {
      const before = items.get(room)
      if (before && isSame(bookmarkOfItem(before), bookmark)) continue
      await this.#publish(account, before?.id ?? room, conferenceOf(bookmark, before))
    }
  }

  async #publish(account: Jid, id: string, payload: Element): Promise<void> {
    await this.#pep.publish(account, NS.bookmarks, { id, payload }, itemOptions)
  }

  /** XEP-0402 §5.3.1, XEP-0411 §3: the list as the items are now, if it is another one. */
  async #writeList(account: Jid, rest: readonly Element[]): Promise<void> {
    if (!(await this.#mayConvert(account, NS.storedBookmarks))) return
    const items = readItems(await this.#pep.items(account, NS.bookmarks))
    const rooms = [...items].map(([room, item]) => [room, bookmarkOfItem(item)] as const)
    const payload = storageOf(rooms, rest)
    const [before] = await this.#pep.items(account, NS.storedBookmarks, { max: 1 })
    if (!before && rooms.length === 0 && rest.length === 0) return
    if (before?.payload.toString() === payload.toString()) return
    await this.#pep.publish(account, NS.storedBookmarks, { id: 'current', payload }, listOptions)
  }
}
