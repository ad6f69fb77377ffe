/** What one occupant says to another alone (XEP-0045 §7.5). It goes to the other's clients, and into no archive of the room. */
import { send } from './fan-out.js'
import type { FeatureSource, Letter } from './feature.js'
import { choiceField } from './fields.js'
import { withoutAddress } from './hiding.js'
import { withOccupantId } from './occupant-ids.js'
import type { Client, Role } from './occupant.js'
import { cleaned } from './presence.js'
import { ServiceSlot } from './service.js'
import { Lru } from '../../base/lru.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'
import { NS } from '../../xml/namespaces.js'

/** XEP-0045 §16.5.3 */
const allowed = choiceField('muc#roomconfig_allowpm', 'Who may write to one occupant alone', 'anyone', [
  ['anyone', 'Everybody in the room'],
  ['participants', 'Participants and moderators'],
  ['moderators', 'Moderators'],
  ['none', 'Nobody'],
])

const mark = `<x xmlns='${NS.mucUser}'/>`
/** Messages of a service whose errors find back to who said them. */
const mostRecent = 5_000

/** By the full JID of who got it and its id. */
const recently = new ServiceSlot('private messages', () => new Lru<string, Client>(mostRecent))

export const privateMessages: FeatureSource = (service) => {
  const recent = service.state(recently)

  function whisper({ room, stanza, sender, to }: Letter): boolean {
    if (!sender) throw new StanzaError('not-acceptable', 'You are not in the room.')
    if (!to) throw new StanzaError('item-not-found', 'Nobody in the room has that nickname.')
    if (!may(sender.occupant.role, room.get(allowed)))
      throw new StanzaError('forbidden', 'Private messages are not allowed to you here.')
    const { occupant } = sender
    const said = cleaned(room, stanza).readdressed({ from: occupant.jid })
    const message = withOccupantId(said, occupant).withWritten('x', NS.mucUser, mark)
    for (const client of to.clients) {
      if (stanza.id !== undefined) void recent.set(keyOf(client.jid, stanza.id), sender)
      send(room, client, message)
    }
    return true
  }

  /** What could not be delivered: to who said it, when that is still in. */
  function returned(client: Client, error: Stanza): void {
    if (error.kind !== 'message' || error.id === undefined) return
    const key = keyOf(client.jid, error.id)
    const sender = recent.get(key)
    const { room, jid, account } = client.occupant
    if (!sender || room.client(sender.jid) !== sender) return
    recent.delete(key)
    send(room, sender, withoutAddress(error, account.toString()).readdressed({ from: jid }))
  }

  return { name: 'private-messages', fields: [allowed], whisper, returned }
}

function may(role: Role, least: 'anyone' | 'participants' | 'moderators' | 'none'): boolean {
  if (least === 'anyone') return true
  return least === 'moderators' || least === 'none'
    ? least === 'moderators' && role === 'moderator'
    : role !== 'visitor'
}

function keyOf(jid: Jid, id: string): string {
  return `${jid.toString()}\n${id}`
}
