/** What the archive of a room is to the store: whose, for how long, and how something is put into it. */
import { countField, flagField } from './fields.js'
import type { Room } from './room.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'
import type { Archived, NewArchived, Taken } from '../../storage/archive.js'
import { StorageUnavailable } from '../../storage/errors.js'

export const archiving = flagField('muc#roomconfig_enablearchiving', 'Keep what is said', true)
export const archiveDays = countField(
  'muc#roomconfig_archivedays',
  'Days for which it is kept (0: as long as the server does)',
  0,
  { max: 36_500 },
)

const day = 86_400_000

/** Whether what is said in the room is kept. */
export function isArchived(room: Room): boolean {
  return room.service.settings.archive && room.get(archiving)
}

/** Who owns the archive of a room, to the store. */
export function ownerOf(room: Room): number {
  return -room.id
}

/** What is older is not shown any more, whether it is still there or not; in milliseconds since 1970. */
export function keptSince(room: Room): number {
  const { host, settings } = room.service
  const ms = Math.min(settings.keep, termOf(room))
  return ms === Infinity ? 0 : Math.max(0, host.clock.now() - ms)
}

interface Speaker {
  /** The room's own bare JID for what it says itself. */
  readonly account: Jid
  readonly resource: string
}

export interface Named {
  readonly origin: bigint | undefined
  readonly isNew: boolean
}

/**
 * Puts what is about to be said into the archive; its id is known at once. In turn.
 * @throws StanzaError when the store is away
 */
export function keep(room: Room, stanza: Stanza, speaker: Speaker & Partial<Named>): Taken {
  const { archive: store } = room.service.host.stores
  if (!store.available) throw unavailable()
  const entry: NewArchived = {
    owner: ownerOf(room),
    with: speaker.account.toString(),
    resource: speaker.resource,
    groupchat: true,
    stanza: stanza.readdressed({ to: undefined }).toStandaloneXml(),
    origin: speaker.origin,
    isNew: speaker.isNew ?? false,
  }
  try {
    return store.add(entry, entry)
  } catch (error) {
    throw error instanceof StorageUnavailable ? unavailable() : error
  }
}

/** The message of that id, if it is still shown. Rejects with StorageUnavailable. */
export async function archivedIn(room: Room, id: string): Promise<Archived | undefined> {
  const { archive: store } = room.service.host.stores
  await store.settled()
  const { messages } = await store.page(
    ownerOf(room),
    { ids: [id], start: keptSince(room) },
    { from: 'start', count: 1, bytes: 0 },
  )
  return messages[0]
}

/** The store keeps it for as long as the owners want now. Rejects with StorageUnavailable. */
export function keepAsSet(room: Room): Promise<void> {
  return room.service.host.stores.archive.keepOf(ownerOf(room), termOf(room))
}

function termOf(room: Room): number {
  const days = room.get(archiveDays)
  return days === 0 ? Infinity : days * day
}

/** RFC 6120 §8.3.3.6: the store comes back, so the sender may try again. */
export function unavailable(): StanzaError {
  return new StanzaError('internal-server-error', undefined, { type: 'wait' })
}
