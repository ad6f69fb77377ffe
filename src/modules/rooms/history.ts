/** What was said last, for whoever comes in (XEP-0045 §7.2.13, §7.2.14). */
import { send } from './fan-out.js'
import type { Entry } from './entry.js'
import type { FeatureSource } from './feature.js'
import { countField } from './fields.js'
import { isArchived, keptSince, ownerOf } from './keeping.js'
import type { Client } from './occupant.js'
import { RoomSlot, type Room } from './room.js'
import { isRetraction } from '../../archive/tombstones.js'
import { delay, parseMoment } from '../../stanza/delay.js'
import { Stanza } from '../../stanza/stanza.js'
import { withId } from '../../stanza/stanza-id.js'
import { momentOf } from '../../storage/archive-ids.js'
import { StorageUnavailable } from '../../storage/errors.js'
import { NS } from '../../xml/namespaces.js'

/** Messages that a room can show at most to whoever comes in; bytes of them that are held in memory. */
export const longestHistory = 100
const heldBytes = 256 * 1024

const shown = countField('muc#maxhistoryfetch', 'Messages shown to those who come in', 20, {
  max: longestHistory,
})

interface PastMessage {
  /** In the archive. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** As it is sent, without addressee. */
  readonly stanza: Stanza
}

interface Past {
  /** Oldest first. */
  messages: PastMessage[]
  /** What the archive has is among them. */
  isRead: boolean
}

const pasts = new RoomSlot<Past>('history', () => ({ messages: [], isRead: false }))

export const history: FeatureSource = ({ host }) => ({
  name: 'history',
  fields: [shown],
  info: (room) => ({ 'muc#maxhistoryfetch': String(room.get(shown)) }),

  entered(client, entry) {
    const { room } = entry
    const wanted = wantedBy(entry, host.clock.now())
    if (wanted.stanzas === 0 || wanted.characters === 0) return undefined
    const past = room.state(pasts)
    if (past.isRead || !isArchived(room)) return show(client, past, wanted)
    return read(room, past).then(
      () => show(client, past, wanted),
      (error: unknown) => {
        // Rather in without history than not in.
        if (!(error instanceof StorageUnavailable)) throw error
        host.log.warn('rooms.no-history', { room: room.jid.toString(), error })
        show(client, past, wanted)
      },
    )
  },

  spoken(speech) {
    const { room, id, stanza } = speech
    if (id === undefined || !isPast(stanza)) return
    const past = room.state(pasts)
    // Nobody has asked for it yet: it is read from the archive with all the rest.
    if (!past.isRead && isArchived(room)) return
    const at = isArchived(room) ? momentOf(id) : host.clock.now()
    past.messages.push(pastOf(room, stanza, id, at))
    shorten(room, past)
  },

  configured(room, before) {
    if (before.get(shown) === room.get(shown)) return
    const past = room.state(pasts)
    if (room.get(shown) > before.get(shown) && isArchived(room)) past.isRead = false
    shorten(room, past)
  },

  emptied(room) {
    // It is in the archive, and costs no memory while nobody is in.
    const past = room.peek(pasts)
    if (past && isArchived(room)) Object.assign(past, { messages: [], isRead: false })
  },
})

/** That message is not shown any more. */
export function forgetPast(room: Room, id: string): void {
  const past = room.peek(pasts)
  if (past) past.messages = past.messages.filter((message) => message.id !== id)
}

/**
 * Removes what was said, or what was said before `end`, in milliseconds since 1970; how many messages there were.
 * Rejects with StorageUnavailable.
 */
export async function purge(room: Room, end?: number): Promise<number> {
  const { archive } = room.service.host.stores
  const removed = await archive.remove(ownerOf(room), end)
  const past = room.peek(pasts)
  if (past) past.messages = past.messages.filter(({ at }) => end !== undefined && at >= end)
  return removed
}

/** How much of it somebody wants, and may have. */
interface Wanted {
  readonly stanzas: number
  readonly characters: number
  /** Milliseconds since 1970. */
  readonly since: number
}

/** XEP-0045 §7.2.14: all limits hold at once. One that cannot be read is none. */
function wantedBy({ room, x }: Entry, now: number): Wanted {
  const asked = x.child('history', NS.muc)
  const attribute = (name: string): string => (asked?.attrs[name] as string | undefined)?.trim() ?? ''
  const number = (name: string) => {
    const text = attribute(name)
    return /^\d+$/.test(text) ? Number(text) : Infinity
  }
  const since = parseMoment(attribute('since')) ?? 0
  return {
    stanzas: Math.min(number('maxstanzas'), room.get(shown)),
    characters: number('maxchars'),
    since: Math.max(since, now - number('seconds') * 1000, keptSince(room)),
  }
}

/** The newest ones that fit, oldest first. */
function show(client: Client, { messages }: Past, { stanzas, characters, since }: Wanted): void {
  const { room } = client.occupant
  let first = messages.length
  for (let left = characters; first > 0 && messages.length - first < stanzas; first--) {
    const { at, stanza } = messages[first - 1]!
    if (at < since) break
    // §7.2.14: of the complete stanza.
    left -= characters === Infinity ? 0 : stanza.readdressed({ to: client.jid }).toXml().length
    if (left < 0) break
  }
  for (const { stanza } of messages.slice(first)) send(room, client, stanza.apart())
}

/** Puts the newest messages of the archive into memory. In turn. Rejects with StorageUnavailable. */
async function read(room: Room, past: Past): Promise<void> {
  const { archive } = room.service.host.stores
  const most = room.get(shown)
  const found: PastMessage[] = []
  // What was added a moment ago is there.
  await archive.settled()
  let before: string | undefined
  for (let pages = 0; pages < 5 && found.length < most; pages++) {
    const { messages, complete } = await archive.page(
      ownerOf(room),
      { start: keptSince(room), before },
      { from: 'end', count: 2 * most, bytes: 2 * heldBytes },
    )
    found.unshift(...messages.flatMap(({ id, at, stanza }) => restored(room, id, at, stanza)))
    before = messages[0]?.id
    if (complete) break
  }
  past.messages = found
  past.isRead = true
  shorten(room, past)
}

/** XEP-0424 §5: nothing that was taken back. */
function restored(room: Room, id: string, at: number, text: string): PastMessage[] {
  let stanza: Stanza
  try {
    stanza = Stanza.parse(text)
  } catch {
    return []
  }
  return isPast(stanza) ? [pastOf(room, withId(stanza, room.jid, id), id, at)] : []
}

/** XEP-0045 §7.2.13: what was said, and no former subject. */
function isPast(stanza: Stanza): boolean {
  return stanza.has('body') && !isRetraction(stanza)
}

/** §7.2.13: with the moment at which it was said, by the room. */
function pastOf(room: Room, stanza: Stanza, id: string, at: number): PastMessage {
  return { id, at, stanza: stanza.withChild(delay(room.jid, at)) }
}

function shorten(room: Room, past: Past): void {
  let bytes = 0
  let first = past.messages.length
  while (first > 0 && past.messages.length - first < room.get(shown)) {
    bytes += past.messages[first - 1]!.stanza.payload.text.length
    if (bytes > heldBytes) break
    first--
  }
  if (first > 0) past.messages.splice(0, first)
}
