/** XEP-0424 in rooms: who said something takes it back; that it was there stays in the archive. */
import type { RoomFeature } from './feature.js'
import { forgetPast } from './history.js'
import { archivedIn, isArchived, keptSince, ownerOf } from './keeping.js'
import type { Room } from './room.js'
import type { Speech } from './speech.js'
import { isRetraction, retractedBy, tombstone } from '../../archive/tombstones.js'
import { StanzaError } from '../../stanza/errors.js'
import { Stanza } from '../../stanza/stanza.js'
import type { Archived } from '../../storage/archive.js'
import { isArchiveId } from '../../storage/archive-ids.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { escapeAttribute } from '../../xml/write.js'

/** Corrections of one message that are taken back with it. */
const mostCorrections = 100

export const retraction: RoomFeature = {
  name: 'retraction',
  discovered: (room) => (isArchived(room) ? [NS.retraction, `${NS.retraction}#tombstone`] : []),
}

/** A message that is taken back. */
export interface Retracting {
  /** Leaves tombstones of it and of its corrections. Rejects with StorageUnavailable. */
  bury(at: number): Promise<void>
}

/**
 * What a message takes back, if it does and the archive has it. Undefined at once for messages that are no retraction.
 * Rejects with StanzaError `forbidden` when somebody else has said it (XEP-0424 §5); StorageUnavailable.
 */
export function retractable({ room, occupant, stanza }: Speech): Promise<Retracting | undefined> | undefined {
  if (!isRetraction(stanza)) return undefined
  // XEP-0424 §5.1: by the id that the room gave to it. Any other is the business of clients.
  const target = retractedBy(stanza)
  if (target === undefined || !isArchiveId(target)) return undefined
  return archivedIn(room, target).then((found) => {
    if (!found) return undefined
    if (found.with !== occupant.account.toString())
      throw new StanzaError('forbidden', 'Somebody else has said that.')
    const message = readable(found.stanza)
    // XEP-0424 §4, §5: what is gone is gone as it was, and retractions stay.
    if (!message || isRetraction(message) || message.has('retracted', NS.retraction)) return undefined
    // Who comes in from now on does not see it any more.
    forgetPast(room, found.id)
    return { bury: (at) => bury(room, found, { by: stanza.id, at }) }
  })
}

/**
 * Takes away a message and its corrections, here and from the history; that they were there stays (XEP-0424 §4). `by` is
 * the id of the message that says so, `content` what else is to be said. Rejects with StorageUnavailable.
 */
export async function bury(
  room: Room,
  found: Archived,
  { by, at }: { readonly by: string | undefined; readonly at: number },
  ...content: readonly Element[]
): Promise<void> {
  const { archive } = room.service.host.stores
  for (const { id, stanza } of [found, ...(await correctionsOf(room, found))]) {
    forgetPast(room, id)
    await archive.replace(ownerOf(room), id, tombstone(stanza, by, at, ...content))
  }
}

/** What the same person has put into its place (XEP-0308 §4): of the id that the sender gave to it. */
async function correctionsOf(room: Room, found: Archived): Promise<readonly Archived[]> {
  const original = readable(found.stanza)?.id
  if (original === undefined) return []
  const sift = {
    words: [escapeAttribute(original), NS.correction],
    test: (text: string) => readable(text)?.child('replace', NS.correction)?.attrs['id'] === original,
  }
  const { messages } = await room.service.host.stores.archive.page(
    ownerOf(room),
    { with: { bare: found.with }, start: keptSince(room), after: found.id, sift },
    { from: 'start', count: mostCorrections, bytes: Infinity },
  )
  return messages
}

function readable(text: string): Stanza | undefined {
  try {
    return Stanza.parse(text)
  } catch {
    return undefined
  }
}
