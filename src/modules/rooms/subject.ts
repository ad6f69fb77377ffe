/** The subject of a room (XEP-0045 §7.2.15, §8.1). */
import { mayKnow } from './access.js'
import { send } from './fan-out.js'
import type { RoomFeature } from './feature.js'
import { flagField } from './fields.js'
import { occupantId, occupantIdElement } from './occupant-ids.js'
import type { Client } from './occupant.js'
import type { Room } from './room.js'
import type { Speech } from './speech.js'
import { delay } from '../../stanza/delay.js'
import { StanzaError } from '../../stanza/errors.js'
import { Jid } from '../../stanza/jid.js'
import { CONTENT, Stanza } from '../../stanza/stanza.js'
import { NS } from '../../xml/namespaces.js'

/** XEP-0045 §8.1: mere occupants may, or moderators only. */
const changeSubject = flagField('muc#roomconfig_changesubject', 'Everybody may change the subject', false)

export const subject: RoomFeature = {
  name: 'subject',
  fields: [changeSubject],
  info: (room, asker) => ({
    'muc#roominfo_subject': room.subject && mayKnow(room, asker) ? textOf(room) : undefined,
    'muc#roominfo_subjectmod': room.get(changeSubject),
  }),
  entered: tell,
  speaking({ room, occupant, stanza }) {
    if (!isSubject(stanza)) return
    const may = occupant.role === 'moderator' || (occupant.role === 'participant' && room.get(changeSubject))
    if (!may) throw new StanzaError('forbidden', 'You may not change the subject.')
  },
  spoken(speech) {
    if (isSubject(speech.stanza)) keep(speech)
  },
}

/** XEP-0045 §8.1: a `<subject/>`, and neither body nor thread. */
export function isSubject(stanza: Stanza): boolean {
  return stanza.has('subject') && !stanza.has('body') && !stanza.has('thread')
}

/** Told to everybody like any message, and to its sender when it is stored. */
function keep(speech: Speech): void {
  const { room, occupant, stanza } = speech
  const { text, spans } = stanza.payload
  const xml = spans
    .filter(({ name, ns }) => name === 'subject' && ns === CONTENT)
    .map(({ start, end }) => text.slice(start, end))
    .join('')
  const at = room.service.host.clock.now()
  speech.pledge(
    room.changeAtOnce({ subject: { xml, by: occupant.account.toString(), nick: occupant.nick, at } }),
  )
}

/** XEP-0045 §7.2.15: also when there is none. */
function tell(client: Client): void {
  const { room } = client.occupant
  const { subject: now } = room
  const from = now ? room.jid.withResource(now.nick) : room.jid
  let message = Stanza.of({ kind: 'message', type: 'groupchat', id: room.service.host.random.id(), from })
  message = message.withWritten('subject', CONTENT, now?.xml ?? '<subject/>')
  if (now?.by) {
    // XEP-0421 §4: whoever set it, in or not.
    const id = occupantId(room, Jid.parse(now.by))
    message = message.withWritten('occupant-id', NS.occupantId, occupantIdElement(id))
  }
  if (now) message = message.withChild(delay(room.jid, now.at))
  send(room, client, message)
}

function textOf(room: Room): string {
  const message = Stanza.of({ kind: 'message', from: room.jid })
  return message.withWritten('subject', CONTENT, room.subject!.xml).child('subject')?.text ?? ''
}
