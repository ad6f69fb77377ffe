/** XEP-0433: the rooms of a service, for those who search: what is listed, and who is in. */
import { isOpen } from './anonymity.js'
import { foundAmong, readSearch, searchForm, type Channel } from './channel-search.js'
import { language } from './details.js'
import type { FeatureSource } from './feature.js'
import { RoomConfig } from './fields.js'
import { isMembersOnly } from './members-only.js'
import { passwordOf } from './passwords.js'
import { TokenBucket } from '../../base/rate.js'
import { iq, type IqRequest } from '../../host/iq-table.js'
import { Jid } from '../../stanza/jid.js'
import { StanzaError } from '../../stanza/errors.js'
import type { RoomSummary } from '../../storage/rooms.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Milliseconds for which an answer may be behind (§6.2): so often the list is read anew at most. */
const freshFor = 60_000
/** Rooms that are searched at most, and read from the store at once. */
const mostRooms = 10_000
const page = 500
/** Searches of all together: each looks at every room. */
const perSecond = 5
const atOnce = 50

export const channels: FeatureSource = (service) => {
  const { host, address } = service
  const pace = new TokenBucket(perSecond, atOnce, host.clock)
  let known: { readonly since: number; readonly listed: Promise<readonly RoomSummary[]> } | undefined

  async function search({ query }: IqRequest): Promise<Element> {
    const asked = readSearch(query)
    if (!asked) return searchForm()
    if (!pace.admit(1)) {
      host.hits.add('room_searches')
      throw tooMany(1)
    }
    const present = new Map([...service.registry.loaded].map((room) => [room.jid.local, room.occupants.size]))
    const listed = await recentList()
    return foundAmong(
      listed.map((summary) => channelOf(summary, present.get(summary.local) ?? 0)),
      asked,
    )
  }

  function recentList(): Promise<readonly RoomSummary[]> {
    const now = host.clock.now()
    if (known && now - known.since < freshFor && now >= known.since) return known.listed
    const listed = list()
    known = { since: now, listed }
    listed.catch(() => (known = undefined))
    return listed
  }

  async function list(): Promise<readonly RoomSummary[]> {
    const all: RoomSummary[] = []
    for (let more = true; more && all.length < mostRooms;) {
      const after = all.at(-1)?.local
      const read = await service.store.list(address.domain, { public: true, after, limit: page })
      all.push(...read)
      more = read.length === page
    }
    return all
  }

  return {
    name: 'channels',
    // §4.1
    serviceFeatures: [NS.channelSearch],
    serviceIq: [iq('get', 'host', 'search', NS.channelSearch, search)],
  }
}

/** §4.2.2.4 */
function tooMany(seconds: number): StanzaError {
  const application = el('rate-limit', NS.channelErrors, { 'retry-after': seconds })
  return new StanzaError('resource-constraint', 'Too many are searching: try again in a moment.', {
    application,
  })
}

function channelOf({ domain, local, config: values, listing }: RoomSummary, occupants: number): Channel {
  const config = new RoomConfig(values)
  return {
    address: Jid.of(local, domain),
    name: listing.name,
    description: listing.description,
    language: config.get(language),
    occupants,
    isOpen: !isMembersOnly({ config }) && passwordOf({ config }) === undefined,
    isNonAnonymous: isOpen({ config }),
  }
}
