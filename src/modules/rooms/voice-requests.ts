/** Asking for voice, and having it granted by form (XEP-0045 §7.13, §8.6). */
import { seesJids } from './anonymity.js'
import { send } from './fan-out.js'
import type { Letter, RoomFeature } from './feature.js'
import { choiceField } from './fields.js'
import { standingOf } from './lists.js'
import type { Client } from './occupant.js'
import { roleChangeRefused, roleMay } from './privileges.js'
import { changeRoles } from './roles.js'
import { RoomSlot } from './room.js'
import { Lru } from '../../base/lru.js'
import { StanzaError } from '../../stanza/errors.js'
import { form, formTypeOf, formValues, isTrue } from '../../stanza/forms.js'
import { readJid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

const requestForm = 'http://jabber.org/protocol/muc#request'

const whoMayAsk = choiceField(
  'muc#roomconfig_voicerequests',
  'Who may ask moderators for voice',
  'everybody',
  [
    ['everybody', 'Everybody without it'],
    ['members', 'Members'],
    ['nobody', 'Nobody'],
  ],
)

/** Milliseconds until the same account may ask again. */
export const requestInterval = 5 * 60_000

export const voiceRequests: RoomFeature = {
  name: 'voice-requests',
  fields: [whoMayAsk],
  serviceFeatures: ['http://jabber.org/protocol/muc#request'],
  mail(letter) {
    const x = formOf(letter.stanza)
    if (!x) return false
    const values = formValues(x)
    if (values.has('muc#request_allow')) return decide(letter, values)
    ask(letter, values)
    return true
  },
}

/** When accounts asked last, by bare JID: milliseconds since 1970. */
const asked = new RoomSlot('voice-requests', () => new Lru<string, number>(500))

type Values = ReadonlyMap<string, readonly string[]>

function formOf(stanza: Stanza): Element | undefined {
  const x = stanza.child('x', NS.dataForms)
  return x?.attrs['type'] === 'submit' && formTypeOf(x) === requestForm ? x : undefined
}

/** §7.13. @throws StanzaError */
function ask({ room, sender, stanza }: Letter, values: Values): void {
  if (!sender) throw new StanzaError('not-acceptable', 'You are not in the room.')
  const { occupant } = sender
  if (values.get('muc#role')?.[0] !== 'participant')
    throw new StanzaError('bad-request', 'Voice is the role of a participant.')
  if (roleMay(occupant.role, 'speak')) throw new StanzaError('not-acceptable', 'You have voice already.')
  const who = room.get(whoMayAsk)
  if (who === 'nobody' || (who === 'members' && occupant.affiliation === 'none'))
    throw new StanzaError('not-allowed', 'Voice is not to be asked for in this room.')
  const moderators = [...room.clients.values()].filter((one) => roleMay(one.occupant.role, 'give voice'))
  if (moderators.length === 0) throw new StanzaError('recipient-unavailable', 'No moderator is in the room.')
  const now = room.service.host.clock.now()
  const account = stanza.from.bare.toString()
  const last = room.state(asked).get(account)
  if (last !== undefined && now - last < requestInterval)
    throw new StanzaError('policy-violation', 'You have asked a short while ago.', { type: 'wait' })
  room.state(asked).set(account, now)
  for (const moderator of moderators) send(room, moderator, approvalForm(sender, moderator))
}

/** §8.6 */
function approvalForm({ jid, occupant }: Client, to: Client): Stanza {
  const { room, nick } = occupant
  const fields = [
    {
      name: 'muc#role',
      type: 'list-single',
      label: 'Requested role',
      value: 'participant',
      options: ['participant'],
    },
    // Moderators see addresses in any room (§8).
    ...(seesJids(to.occupant)
      ? [{ name: 'muc#jid', type: 'jid-single', label: 'Address', value: jid } as const]
      : []),
    { name: 'muc#roomnick', type: 'text-single', label: 'Nickname', value: nick },
    { name: 'muc#request_allow', type: 'boolean', label: 'Give voice to this person?', value: false },
  ] as const
  const x = form(requestForm, fields, {
    title: 'Somebody asks for voice',
    instructions: 'Say yes and submit to give voice to this person; cancel to leave it as it is.',
  })
  const id = room.service.host.random.id()
  return Stanza.of({ kind: 'message', id, from: room.jid }).withChild(x)
}

/** A moderator has answered. @throws StanzaError */
async function decide({ room, stanza }: Letter, values: Values): Promise<true> {
  const actor = standingOf(room, stanza.from)
  if (!roleMay(actor.role, 'give voice')) throw new StanzaError('forbidden')
  if (!isTrue(values.get('muc#request_allow')?.[0] ?? '')) return true
  await room.turn(async () => {
    const jid = readJid(values.get('muc#jid')?.[0] ?? '')
    // By the address, as nicks are passed on; a nick alone will do.
    const occupant = jid ? room.client(jid)?.occupant : room.holder(values.get('muc#roomnick')?.[0] ?? '')
    if (!occupant) throw new StanzaError('item-not-found', 'Who asked has left.')
    if (roleMay(occupant.role, 'speak')) return
    const refused = roleChangeRefused(actor, occupant, 'participant', false)
    if (refused) throw new StanzaError(refused)
    await changeRoles(room, [{ occupant, role: 'participant' }], { actor: actor.occupant?.nick })
  })
  return true
}
