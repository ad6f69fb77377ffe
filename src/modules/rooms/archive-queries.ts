/** Questions to the archive of a room (XEP-0313 §4, §5): who may ask, and what they may see of who spoke. */
import { mayKnow } from './access.js'
import { isOpen, seesJids } from './anonymity.js'
import type { RoomIqHandler, RoomRequest } from './feature.js'
import { isArchived, keptSince, ownerOf } from './keeping.js'
import { requireVisible } from './locked.js'
import type { Room } from './room.js'
import type { RoomService } from './service.js'
import { endsOf, metadataElement } from '../../archive/metadata.js'
import { answer } from '../../archive/pages.js'
import { queryForm, readQuery } from '../../archive/query.js'
import { Results } from '../../archive/results.js'
import { StanzaError } from '../../stanza/errors.js'
import { pageInfo } from '../../stanza/rsm.js'
import type { Archived } from '../../storage/archive.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { escapeAttribute } from '../../xml/write.js'

export function archiveRequests(service: RoomService): readonly RoomIqHandler[] {
  const { host, settings } = service
  const store = host.stores.archive
  const queries = host.counter(
    'room_archive_queries_total',
    'Questions to archives of rooms that were answered',
  )

  async function query(request: RoomRequest): Promise<Element> {
    admit(request)
    const { room, from, session, query: asked } = request
    const read = readQuery(asked, room.jid, 'room')
    const isShown = seesWhoSpoke(request)
    // XEP-0313 §4.1.1: by real address only for who may know it, or for what they said themselves.
    const { with: other } = read.filter
    if (other && !isShown && other.bare !== from.bare.toString())
      throw new StanzaError('forbidden', 'Whose address that is is not told.')
    const limits = { most: settings.page, since: keptSince(room) }
    const { messages, complete, info } = await answer(store, ownerOf(room), read, limits)
    queries.add()
    const results = new Results(room.jid, from, read.queryId, host.log)
    for (const message of read.isFlipped ? messages.toReversed() : messages) {
      const result = results.of(isShown ? withSpeaker(room, message) : message)
      if (!session) host.send(result)
      else {
        // A page can be large: only as much of it waits as the client can take.
        await session.ready
        if (!session.deliver(result)) break
      }
    }
    return el('fin', NS.archive, { complete: complete ? 'true' : undefined }, pageInfo(await info))
  }

  function form(request: RoomRequest): Element {
    admit(request)
    return queryForm('room')
  }

  async function metadata(request: RoomRequest): Promise<Element> {
    admit(request)
    return metadataElement(await endsOf(store, ownerOf(request.room), keptSince(request.room)))
  }

  return [
    { type: 'set', at: 'room', name: 'query', ns: NS.archive, answer: query },
    { type: 'get', at: 'room', name: 'query', ns: NS.archive, answer: form },
    { type: 'get', at: 'room', name: 'metadata', ns: NS.archive, answer: metadata },
  ]
}

/**
 * XEP-0313 §6.1.2: whoever could come in now. Who is in could.
 * @throws StanzaError `forbidden` (§8.1)
 */
function admit({ room, from }: RoomRequest): void {
  requireVisible(room, from)
  if (!isArchived(room)) throw new StanzaError('service-unavailable', 'The room has no archive.')
  if (!mayKnow(room, from)) throw new StanzaError('forbidden')
}

/** XEP-0313 §6.1.2: at the time of the query, whatever it was when it was said. */
function seesWhoSpoke({ room, sender, from }: RoomRequest): boolean {
  if (sender) return seesJids(sender.occupant)
  const affiliation = room.affiliationOf(from)
  return isOpen(room) || affiliation === 'owner' || affiliation === 'admin'
}

/** XEP-0313 §6.1.2: with the full JID of who spoke, as in presence; what was kept does not say it. */
function withSpeaker(room: Room, message: Archived): Archived {
  if (message.with === room.jid.toString()) return message
  const jid = message.resource === '' ? message.with : `${message.with}/${message.resource}`
  const x = `<x xmlns='${NS.mucUser}'><item jid='${escapeAttribute(jid)}'/></x>`
  // As we wrote it; what cannot be read any more is dealt with by who sends it.
  const end = '</message>'
  if (!message.stanza.endsWith(end)) return message
  return { ...message, stanza: message.stanza.slice(0, -end.length) + x + end }
}
