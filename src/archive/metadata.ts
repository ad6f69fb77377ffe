/** Both ends of an archive (XEP-0313 §5): what a client compares with what it has. */
import { formatMoment } from '../stanza/delay.js'
import type { Archived, ArchiveOwner, ArchiveStore } from '../storage/archive.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

export interface ArchiveEnd {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** The first and the last message; neither when the archive is empty. */
export interface ArchiveEnds {
  readonly start?: ArchiveEnd
  readonly end?: ArchiveEnd
}

/** Of what has come since the moment `since`, in milliseconds since 1970. Rejects with StorageUnavailable. */
export async function endsOf(store: ArchiveStore, owner: ArchiveOwner, since: number): Promise<ArchiveEnds> {
  await store.settled()
  const one = { count: 1, bytes: 0 }
  const filter = { start: since }
  const [first, last] = await Promise.all([
    store.page(owner, filter, { from: 'start', ...one }),
    store.page(owner, filter, { from: 'end', ...one }),
  ])
  const [start, end] = [first.messages[0], last.messages[0]]
  return start && end ? { start: endOf(start), end: endOf(end) } : {}
}

export function metadataElement({ start, end }: ArchiveEnds): Element {
  const one = (name: string, at: ArchiveEnd | undefined) =>
    at && el(name, undefined, { id: at.id, timestamp: formatMoment(at.at) })
  return el('metadata', NS.archive, undefined, one('start', start), one('end', end))
}

function endOf({ id, at }: Archived): ArchiveEnd {
  return { id, at }
}
