/** XEP-0463: who comes in learns what has changed in the lists of affiliations since it last knew them. */
import { send } from './fan-out.js'
import type { RoomFeature } from './feature.js'
import { mayRead } from './lists.js'
import type { Client } from './occupant.js'
import type { Affiliation } from './privileges.js'
import { RoomSlot, type Room } from './room.js'
import { roomHash } from './secret.js'
import { mucUser } from './status.js'
import { StanzaError } from '../../stanza/errors.js'
import { Stanza } from '../../stanza/stanza.js'
import type { RoomAffiliation } from '../../storage/rooms.js'
import { NS } from '../../xml/namespaces.js'
import { el } from '../../xml/element.js'
import { escapeAttribute } from '../../xml/write.js'

/** Of one message; longer lists come in several. */
const itemsAtOnce = 500

export const versions: RoomFeature = {
  name: 'versions',
  discovered: () => [NS.mucAffiliations],
  async welcoming(client, { x }) {
    const asked = x.child('mav', NS.mucAffiliations)
    if (!asked) return
    client.occupant.room.state(followers).add(client)
    await tellChanges(client, asked.attrs['since'])
  },
  selfShows(client) {
    const { room } = client.occupant
    return room.peek(followers)?.has(client) ? mav(undefined, versionName(room, room.version)) : ''
  },
}

/** Who has asked for changes, and is told the version with each presence of its own. */
const followers = new RoomSlot('versions', () => new WeakSet<Client>())

/** §5.2.2: for the `<x/>` of what tells a change. */
export function versionChange(room: Room, since: number, until: number): string {
  return mav(versionName(room, since), versionName(room, until))
}

/** §5.2.1 */
async function tellChanges(client: Client, asked: string | undefined): Promise<void> {
  const { room } = client.occupant
  const readable = new Set<Affiliation>(
    (['owner', 'admin', 'member', 'outcast'] as const).filter((one) => mayRead(room, client.jid, one)),
  )
  if (readable.size === 0) return tellForbidden(client)
  const since = asked === undefined ? undefined : versionNamed(room, asked)
  if (since === room.version) return undefined
  const changes = since === undefined ? undefined : await room.service.store.changes(room.id, since)
  if (changes && changes.length > 0) {
    const shown = changes.map(({ jid, affiliation }) => ({
      jid,
      // Whoever is on none of the lists that this one may see has left those that it knows.
      affiliation: readable.has(affiliation) ? affiliation : ('none' as const),
    }))
    return tellItems(client, shown, asked)
  }
  tellItems(
    client,
    [...room.affiliations.values()].filter(({ affiliation }) => readable.has(affiliation)),
    undefined,
  )
}

/** In one message, or in several of which each begins where the one before ended. */
function tellItems(
  client: Client,
  items: readonly Pick<RoomAffiliation, 'jid' | 'affiliation'>[],
  first: string | undefined,
): void {
  const { room } = client.occupant
  const last = versionName(room, room.version)
  let since = first
  for (let i = 0; i === 0 || i < items.length; i += itemsAtOnce) {
    const part = items.slice(i, i + itemsAtOnce)
    // A version between is none that the room knows: who gets no further is told everything the next time.
    const until = i + itemsAtOnce < items.length ? `${last}+${i + itemsAtOnce}` : last
    const written = part
      .map(({ jid, affiliation }) => `<item jid='${escapeAttribute(jid)}' affiliation='${affiliation}'/>`)
      .join('')
    const message = Stanza.of({ kind: 'message', from: room.jid }).withWritten(
      'x',
      NS.mucUser,
      mucUser(undefined, [], mav(since, until) + written),
    )
    send(room, client, message)
    since = until
  }
}

/** §5.2.3 */
function tellForbidden(client: Client): void {
  const { room } = client.occupant
  const error = new StanzaError('forbidden').toElement(room.jid.toString())
  send(room, client, Stanza.of({ kind: 'message', type: 'error', from: room.jid }).withChild(error))
}

/** §6: who was not told a version cannot know its name. */
function versionName(room: Room, version: number): string {
  return `${version.toString(36)}.${roomHash(room, `version ${version}`).slice(0, 10)}`
}

function versionNamed(room: Room, name: string): number | undefined {
  const version = Number.parseInt(name.split('.')[0]!, 36)
  return Number.isSafeInteger(version) && version <= room.version && versionName(room, version) === name
    ? version
    : undefined
}

function mav(since: string | undefined, until: string): string {
  return el('mav', NS.mucAffiliations, { since, until }).toString()
}
