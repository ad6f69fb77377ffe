/** Bookmarks of rooms in their two forms: one list of all (XEP-0048), and an item each (XEP-0402). */
import { isTrue } from '../../stanza/forms.js'
import { Jid, JidError } from '../../stanza/jid.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { parseElement } from '../../xml/parser.js'
import type { PepItem } from '../pubsub/api.js'

/** What both forms say of a room. */
export interface Bookmark {
  readonly name: string | undefined
  readonly autojoin: boolean
  readonly nick: string | undefined
  readonly password: string | undefined
}

/** Bookmarks by the address of the room, in their order; and what else stands in the list. */
export interface Listed {
  readonly rooms: ReadonlyMap<string, Bookmark>
  /** Bookmarks of web pages (XEP-0048 §2.2), and what nobody knows. */
  readonly rest: readonly Element[]
}

/** Reads a `<storage/>`; of two bookmarks of a room the first counts. */
export function readStorage(storage: Element): Listed {
  const rooms = new Map<string, Bookmark>()
  const rest: Element[] = []
  for (const child of storage.childrenOf()) {
    const isRoom = child.local === 'conference' && child.ns === NS.storedBookmarks
    const room = isRoom ? addressOf(child.attrs['jid']) : undefined
    if (room === undefined) rest.push(child)
    else if (!rooms.has(room)) rooms.set(room, bookmarkOf(child, NS.storedBookmarks))
  }
  return { rooms, rest }
}

/** Reads the items of the node; those that name no room are left out. */
export function readItems(items: readonly PepItem[]): ReadonlyMap<string, PepItem> {
  const rooms = new Map<string, PepItem>()
  for (const item of items) {
    const room = addressOf(item.id)
    if (room !== undefined && item.payload.local === 'conference') rooms.set(room, item)
  }
  return rooms
}

function bookmarkOf(conference: Element, ns: string): Bookmark {
  const { name, autojoin } = conference.attrs
  return {
    name,
    autojoin: autojoin !== undefined && isTrue(autojoin),
    nick: conference.child('nick', ns)?.text,
    password: conference.child('password', ns)?.text,
  }
}

export function bookmarkOfItem({ payload }: PepItem): Bookmark {
  return bookmarkOf(payload, NS.bookmarks)
}

export function isSame(one: Bookmark, other: Bookmark): boolean {
  return (
    one.name === other.name &&
    one.autojoin === other.autojoin &&
    (one.nick ?? '') === (other.nick ?? '') &&
    (one.password ?? '') === (other.password ?? '')
  )
}

/** XEP-0402 §5.3.1: the list. */
export function storageOf(rooms: Iterable<readonly [string, Bookmark]>, rest: readonly Element[]): Element {
  const conferences = [...rooms].map(([jid, bookmark]) => {
    const { name, autojoin } = bookmark
    return el('conference', undefined, { jid, name, autojoin: String(autojoin) }, ...partsOf(bookmark))
  })
  return el('storage', NS.storedBookmarks, undefined, ...conferences, ...rest.map(copy))
}

/** The payload of an item. What old clients do not know of is taken over from the item `before` (XEP-0402 §3.4). */
export function conferenceOf(bookmark: Bookmark, before: PepItem | undefined): Element {
  const extensions = before?.payload.child('extensions', NS.bookmarks)
  return el(
    'conference',
    NS.bookmarks,
    { name: bookmark.name, autojoin: String(bookmark.autojoin) },
    ...partsOf(bookmark),
    extensions && copy(extensions),
  )
}

function partsOf({ nick, password }: Bookmark): (Element | undefined)[] {
  const part = (name: string, text: string | undefined) =>
    text === undefined ? undefined : el(name, undefined, undefined, text)
  return [part('nick', nick), part('password', password)]
}

/** What stands in another tree stays there. */
function copy(element: Element): Element {
  return parseElement(element.toString())
}

/** The room's address as we write it; undefined when it is none. */
function addressOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  try {
    return Jid.parse(text).bare.toString()
  } catch (error) {
    if (error instanceof JidError) return undefined
    throw error
  }
}
