/** Archives of rooms (XEP-0313 §6.1.2): what is said is kept, once, in the order in which everybody hears it. */
import { archiveRequests } from './archive-queries.js'
import type { FeatureSource } from './feature.js'
import { forgetPast } from './history.js'
import {
  archiveDays,
  archiving,
  isArchived,
  keep,
  keepAsSet,
  ownerOf,
  unavailable,
  type Named,
} from './keeping.js'
import { retractable, type Retracting } from './retraction.js'
import type { Speech } from './speech.js'
import { status } from './status.js'
import { isSubject } from './subject.js'
import { originOf } from '../../archive/origin.js'
import { isWorthArchiving } from '../../archive/worth.js'
import { arrivalOf } from '../../stanza/arrival.js'
import { Stanza } from '../../stanza/stanza.js'
import { withId } from '../../stanza/stanza-id.js'
import { momentOf } from '../../storage/archive-ids.js'
import { StorageUnavailable } from '../../storage/errors.js'
import { NS } from '../../xml/namespaces.js'

/** Milliseconds from its beginning in which a session may send again what its client did not hear of before. */
const sendsAgain = 60_000

/** To be the last that hears what is spoken: what it keeps is what everybody gets. */
export const archive: FeatureSource = (service) => {
  const { host } = service
  const kept = host.counter('room_archive_kept_total', 'Messages put into archives of rooms')
  const repeated = host.counter(
    'room_archive_repeated_total',
    'Messages to rooms that were sent again and had been archived before',
  )
  host.stores.archive.keep(service.address.domain, service.settings.keep)

  function speaking(speech: Speech): void | Promise<void> {
    const { room } = speech
    if (!isWorthArchiving(speech.stanza, true) && !isSubject(speech.stanza)) return
    if (!isArchived(room)) return identify(speech, host.random.id())
    const retracting = retractable(speech)
    const { origin, isNew, recalled } = recall(speech)
    if (!retracting && !recalled) return take(speech, { origin, isNew })
    return Promise.all([retracting, recalled]).then(
      ([target]) => take(speech, { origin, isNew }, target),
      (error: unknown) => {
        throw error instanceof StorageUnavailable ? unavailable() : error
      },
    )
  }

  function take(speech: Speech, named: Named, target?: Retracting): void {
    const { room, said, occupant, stanza } = speech
    const taken = keep(room, stanza, { account: occupant.account, resource: said.from.resource, ...named })
    if (taken.again) {
      // Everybody has had it; who sent it has not heard so.
      speech.only = speech.client
      repeated.add()
    } else kept.add()
    identify(speech, taken.id)
    const durable = target ? taken.written.then(() => target.bury(momentOf(taken.id))) : taken.written
    durable.catch((error: unknown) => {
      forgetPast(room, taken.id)
      failed(said, error)
    })
    speech.pledge(durable)
  }

  /** It went on before it could be kept: its sender must know that it is in no archive. */
  function failed({ id, from, to }: Stanza, error: unknown): void {
    host.log.warn('archive.failed', { error })
    const answer = { kind: 'message', type: 'error', id, from: to!, to: from } as const
    host.send(Stanza.of(answer, unavailable().toElement()))
  }

  return {
    name: 'archive',
    fields: [archiving, archiveDays],
    discovered: (room) =>
      isArchived(room) ? [NS.stanzaIds, NS.archive, `${NS.archive}#extended`, NS.fullText] : [NS.stanzaIds],
    iq: archiveRequests(service),
    entering({ room, codes }) {
      // XEP-0045 §7.2.12
      if (isArchived(room)) codes.add(status.logged)
    },
    speaking,
    async configured(room, before) {
      if (before.get(archiveDays) !== room.get(archiveDays)) await keepAsSet(room)
      if (!service.settings.archive || before.get(archiving) === room.get(archiving)) return []
      // XEP-0045 §10.2.1
      return [isArchived(room) ? status.logged : status.notLogged]
    },
  }
}

function identify(speech: Speech, id: string): void {
  speech.id = id
  speech.stanza = withId(speech.stanza, speech.room.jid, id)
}

/** What its sender calls it, and whether that is looked for in the store because it may have been sent before. */
function recall({ room, said }: Speech): Named & { readonly recalled: Promise<unknown> | undefined } {
  const { host } = room.service
  const named = originOf(said, said.from.bare, room.jid)
  const session = host.sessions.get(said.from)
  // A message of another server without a name is known only when its server says that it may have been sent before.
  const arrival = named === undefined && !session ? arrivalOf(said) : undefined
  const origin = named ?? arrival?.key.readBigInt64BE(0)
  const isNew = arrival?.resent === false
  const mayBeAgain = session
    ? host.clock.now() - session.since < sendsAgain
    : (arrival?.resent ?? said.has('delay', NS.delay))
  const recalled =
    mayBeAgain && origin !== undefined ? host.stores.archive.recall(ownerOf(room), origin) : undefined
  return { origin, isNew, recalled }
}
