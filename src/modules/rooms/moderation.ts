/** XEP-0425: moderators take back what others have said. */
import { broadcast } from './fan-out.js'
import type { RoomFeature, RoomRequest } from './feature.js'
import { forgetPast } from './history.js'
import { archivedIn, isArchived, keep } from './keeping.js'
import { occupantId } from './occupant-ids.js'
import type { Occupant } from './occupant.js'
import { affiliations } from './privileges.js'
import { bury } from './retraction.js'
import type { Room } from './room.js'
import { StanzaError } from '../../stanza/errors.js'
import { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import { withId } from '../../stanza/stanza-id.js'
import type { Archived } from '../../storage/archive.js'
import { isArchiveId, momentOf } from '../../storage/archive-ids.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Characters of a reason. */
const longestReason = 1000

export const moderation: RoomFeature = {
  name: 'moderation',
  discovered: (room) => (isArchived(room) ? [NS.moderation] : []),
  iq: [{ type: 'set', at: 'room', name: 'moderate', ns: NS.moderation, answer: moderate }],
}

/** XEP-0425 §3 */
async function moderate({ room, sender, query }: RoomRequest): Promise<void> {
  const { id } = query.attrs
  if (!query.child('retract', NS.retraction) || id === undefined)
    throw new StanzaError('bad-request', 'Messages are moderated by retracting them.')
  if (!isArchived(room)) throw new StanzaError('service-unavailable')
  const reason = query.child('reason', NS.moderation)?.text.trim().slice(0, longestReason)
  const { durable } = await room.turn(async () => {
    if (room.over) throw new StanzaError('item-not-found')
    const moderator = moderatorOf(sender?.occupant)
    const found = isArchiveId(id) ? await archivedIn(room, id) : undefined
    if (!found || found.with === room.jid.toString())
      throw new StanzaError('item-not-found', 'The archive has no message of that id.')
    // As with kicks (XEP-0045 §8.2): not what somebody of a higher affiliation has said.
    const author = room.affiliationOf(Jid.parse(found.with))
    if (affiliations.indexOf(author) > affiliations.indexOf(moderator.affiliation))
      throw new StanzaError('not-allowed', 'That was said by somebody of a higher affiliation.')
    return announce(room, { moderator, found, reason })
  })
  await durable
}

function moderatorOf(occupant: Occupant | undefined): Occupant {
  if (occupant?.role === 'moderator') return occupant
  throw new StanzaError('forbidden', 'Only moderators take back what others have said.')
}

interface Moderated {
  readonly moderator: Occupant
  readonly found: Archived
  readonly reason: string | undefined
}

/** Tells everybody (XEP-0425 §3.1); gives what resolves when it is kept, and what was said is gone from the archive. */
async function announce(room: Room, moderated: Moderated): Promise<{ readonly durable: Promise<void> }> {
  const { random } = room.service.host
  const { found } = moderated
  const retract = el('retract', NS.retraction, { id: found.id }, ...contentOf(moderated))
  const message = Stanza.of({ kind: 'message', type: 'groupchat', id: random.id(), from: room.jid }, retract)
  const taken = keep(room, message, { account: room.jid, resource: '' })
  forgetPast(room, found.id)
  const retracted = { by: message.id, at: momentOf(taken.id) }
  const durable = taken.written.then(() => bury(room, found, retracted, ...contentOf(moderated)))
  durable.catch(() => undefined)
  const announced = withId(message, room.jid, taken.id)
  await broadcast(room, () => announced)
  return { durable }
}

/** By whom and why, in the announcement as in the tombstone. */
function contentOf({ moderator, reason }: Moderated): readonly Element[] {
  const id = occupantId(moderator.room, moderator.account)
  const by = el('occupant-id', NS.occupantId, { id })
  const moderated = el('moderated', NS.moderation, { by: moderator.jid.toString() }, by)
  return reason === undefined || reason === ''
    ? [moderated]
    : [moderated, el('reason', NS.retraction, undefined, reason)]
}
