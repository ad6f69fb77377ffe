/** What can be found out about a service of rooms (XEP-0045 §6.3): which rooms there are, in pages, and where one is in. */
import type { RoomService } from './service.js'
import type { IqRequest } from '../../host/iq-table.js'
import type { DiscoItem } from '../../host/module.js'
import { StanzaError } from '../../stanza/errors.js'
import { Jid, JidError } from '../../stanza/jid.js'
import { pageInfo, pageRequestOf, type PageRequest } from '../../stanza/rsm.js'
import type { RoomPage } from '../../storage/rooms.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Rooms in one answer: as many as usual, and at most. */
const usually = 100
const mostAtOnce = 250

/** The rooms that everybody may know of, by address, with a `<set/>` where these are not all or one is asked for. */
export async function publicRooms(service: RoomService, { query }: IqRequest): Promise<Element> {
  const { domain } = service.address
  const page = pageRequestOf(query)
  const limit = Math.min(page.max ?? usually, mostAtOnce)
  const count = await service.store.count(domain, { public: true })
  const rooms =
    limit === 0 ? [] : await service.store.list(domain, { public: true, ...sliceOf(page, domain), limit })
  const items = rooms.map(({ local, listing }) => {
    const name = listing.name === '' ? local : listing.name
    return el('item', undefined, { jid: Jid.of(local, domain).toString(), name })
  })
  const isPart = rooms.length < count || query.child('set', NS.resultSets) !== undefined
  const [first, last] = [rooms[0], rooms.at(-1)]
  const address = (room: typeof first) => room && Jid.of(room.local, domain).toString()
  const index = first && (await service.store.count(domain, { public: true }, first.local))
  const set = isPart ? pageInfo({ first: address(first), last: address(last), index, count }) : undefined
  return el('query', NS.discoItems, undefined, ...items, set)
}

/** §16.4: the rooms of the service that the asker is in, with its nicks; nobody learns those of others. */
export function roomsOf(service: RoomService, asker: Jid): readonly DiscoItem[] {
  return [...service.registry.loaded].flatMap((room) => {
    const client = room.client(asker)
    return client ? [{ jid: room.jid.toString(), name: client.occupant.nick }] : []
  })
}

function sliceOf({ after, before, index }: PageRequest, domain: string): Omit<RoomPage, 'limit'> {
  return {
    after: after === undefined ? undefined : localOf(after, domain),
    // XEP-0059 §2.5: empty for the last page.
    before: before === undefined || before === '' ? undefined : localOf(before, domain),
    from: before === undefined ? 'start' : 'end',
    ...(index !== undefined && { skip: index }),
  }
}

function localOf(item: string, domain: string): string {
  try {
    const jid = Jid.parse(item)
    if (jid.domain === domain && jid.local !== '') return jid.local
  } catch (error) {
    if (!(error instanceof JidError)) throw error
  }
  // XEP-0059 §2.2
  throw new StanzaError('item-not-found', 'There is no such place in the list.')
}
