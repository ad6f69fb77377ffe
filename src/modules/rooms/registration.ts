/** Registering with a room (XEP-0045 §7.10, §9.9): membership and a nick of one's own, at once or when an admin says yes. */
import { changeAffiliations } from './affiliations.js'
import { isBanned } from './bans.js'
import type { Letter, RoomFeature, RoomRequest } from './feature.js'
import { choiceField } from './fields.js'
import { requireVisible } from './locked.js'
import { nickKey, preparedNick, rename } from './nicks.js'
import { affiliationMay } from './privileges.js'
import { lockedNick, reservedBy, reservedNickOf } from './reserved-nicks.js'
import { RoomSlot, type Room } from './room.js'
import { Lru } from '../../base/lru.js'
import { StanzaError } from '../../stanza/errors.js'
import { form, formTypeOf, formValues, isTrue, Submission, type Field } from '../../stanza/forms.js'
import { readJid, type Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

const registerForm = 'http://jabber.org/protocol/muc#register'

const whoMayRegister = choiceField(
  'muc#roomconfig_registration',
  'Who may register with the room',
  'approved',
  [
    ['everybody', 'Everybody, at once'],
    ['approved', 'Who is approved by an admin'],
    ['nobody', 'Nobody'],
  ],
)

/** Milliseconds until the same account may ask admins again. */
export const requestInterval = 10 * 60_000
/** Requests to admins in such a time, of all accounts. */
export const requestsAtOnce = 20
/** Characters of a field. */
const longest = 500

const fields: readonly Field[] = [
  { name: 'muc#register_roomnick', type: 'text-single', label: 'Nickname', required: true },
  { name: 'muc#register_first', type: 'text-single', label: 'Given name' },
  { name: 'muc#register_last', type: 'text-single', label: 'Family name' },
  { name: 'muc#register_url', type: 'text-single', label: 'Web page' },
  { name: 'muc#register_email', type: 'text-single', label: 'Email address' },
  { name: 'muc#register_faqentry', type: 'text-multi', label: 'About you' },
]

export const registration: RoomFeature = {
  name: 'registration',
  fields: [whoMayRegister],
  serviceFeatures: [registerForm],
  discovered: (room) => (room.get(whoMayRegister) === 'nobody' ? [] : [registerForm, NS.registration]),
  iq: [
    { type: 'get', at: 'room', name: 'query', ns: NS.registration, answer: requirements },
    {
      type: 'set',
      at: 'room',
      name: 'query',
      ns: NS.registration,
      answer: (request) => request.room.turn(() => register(request)),
    },
  ],
  mail(letter) {
    const x = letter.stanza.child('x', NS.dataForms)
    if (x?.attrs['type'] !== 'submit' || formTypeOf(x) !== registerForm) return false
    return decide(letter, x)
  },
}

function requirements({ room, from }: RoomRequest): Element {
  requireVisible(room, from)
  const nick = reservedNickOf(room, from)
  if (affiliationMay(room.affiliationOf(from), 'enter when closed'))
    return el(
      'query',
      NS.registration,
      undefined,
      el('registered'),
      nick === undefined ? undefined : el('username', undefined, undefined, nick),
    )
  requireLeave(room, from)
  const texts = {
    title: 'Registration',
    instructions: 'Choose the nickname that shall be yours in this room.',
  }
  return el('query', NS.registration, undefined, form(registerForm, fields, texts))
}

/** In turn. */
async function register(request: RoomRequest): Promise<void> {
  const { room, from, query } = request
  requireVisible(room, from)
  if (query.child('remove', NS.registration)) return unregister(request)
  const own = room.affiliationOf(from)
  // Who is a member already may have another nick.
  if (!affiliationMay(own, 'enter when closed')) requireLeave(room, from)
  const x = query.child('x', NS.dataForms)
  if (!x) throw new StanzaError('bad-request', 'The form is missing.')
  const filled = readForm(x)
  requireFree(room, from, filled.nick)
  if (own === 'none' && room.get(whoMayRegister) === 'approved') return askAdmins(room, from, filled)
  await admit(room, from, filled)
}

/** XEP-0077 §3.2: a member goes; what admins and owners are is not theirs to give up here (§10.7). */
async function unregister({ room, from }: RoomRequest): Promise<void> {
  const own = room.affiliationOf(from)
  if (own === 'none' || own === 'outcast') throw new StanzaError('registration-required')
  if (own !== 'member') throw new StanzaError('not-allowed', 'Admins and owners are removed by an owner.')
  await changeAffiliations(room, [{ jid: from.bare, affiliation: 'none' }])
}

interface Filled {
  readonly nick: string
  /** By field. */
  readonly answers: Readonly<Record<string, string>>
}

/** @throws StanzaError `bad-request` when it is no such form, filled in (§7.10), `jid-malformed` */
function readForm(x: Element): Filled {
  let filled
  try {
    filled = new Submission(x, registerForm, fields)
  } catch (error) {
    if (error instanceof StanzaError) throw new StanzaError('bad-request', error.text)
    throw error
  }
  const answers: Record<string, string> = {}
  for (const { name } of fields) {
    const text = filled.text(name)
    if (text === undefined || text === '') continue
    if (text.length > longest)
      throw new StanzaError('bad-request', `A field of the form has at most ${longest} characters.`)
    answers[name] = text
  }
  return { nick: preparedNick(answers['muc#register_roomnick']!), answers }
}

/** §7.10: not everybody may. */
function requireLeave(room: Room, from: Jid): void {
  if (room.get(whoMayRegister) === 'nobody' || isBanned(room, from))
    throw new StanzaError('not-allowed', 'Nobody registers with this room.')
}

function requireFree(room: Room, from: Jid, nick: string): void {
  const owner = reservedBy(room, nickKey(nick))
  const holder = room.holder(nick)
  if (
    (owner !== undefined && owner !== from.bare.toString()) ||
    (holder && !holder.account.equals(from.bare))
  )
    throw new StanzaError('conflict', 'That nickname is somebody else’s.')
}

async function admit(room: Room, jid: Jid, { nick, answers }: Filled, actor?: string): Promise<void> {
  const own = room.affiliationOf(jid)
  const affiliation = own === 'none' ? 'member' : own
  await changeAffiliations(room, [{ jid: jid.bare, affiliation, nick, registration: answers }], { actor })
  if (lockedNick(room, jid) === undefined) return
  // §7.10: who is in goes on under the nick that is its own now, with 210.
  for (const client of room.clients.values())
    if (client.jid.bare.equals(jid.bare) && client.occupant.nick !== nick)
      await rename(client, client.presence, client.occupant.nick)
}

// Approval ------------------------------------------------------------------------------------------------------

/** When accounts asked last, by bare JID: milliseconds since 1970. */
const asked = new RoomSlot('registrations', () => new Lru<string, number>(requestsAtOnce))

/** §9.9: by a message to each admin and owner, in the room or not. */
function askAdmins(room: Room, from: Jid, { answers }: Filled): void {
  const now = room.service.host.clock.now()
  const recent = [...room.state(asked).values()].filter((at) => now - at < requestInterval)
  const last = room.state(asked).get(from.bare.toString())
  if (recent.length >= requestsAtOnce || (last !== undefined && now - last < requestInterval))
    throw new StanzaError('policy-violation', 'The admins have been asked a short while ago.', {
      type: 'wait',
    })
  room.state(asked).set(from.bare.toString(), now)
  const x = form(
    registerForm,
    [
      { name: 'muc#jid', type: 'jid-single', label: 'Address', value: from.bare },
      ...fields.map((field) => ({ ...field, value: answers[field.name] })),
      { name: 'muc#register_allow', type: 'boolean', label: 'Let this person register?', value: false },
    ],
    {
      title: 'Somebody wants to register',
      instructions: 'Say yes and submit to make this person a member; cancel to leave it.',
    },
  )
  for (const { jid, affiliation } of room.affiliations.values()) {
    const admin = readJid(jid)
    if (!admin || !affiliationMay(affiliation, 'set members')) continue
    const id = room.service.host.random.id()
    room.service.send(Stanza.of({ kind: 'message', id, from: room.jid, to: admin }).withChild(x))
  }
}

/** An admin has answered. @throws StanzaError */
async function decide({ room, stanza }: Letter, x: Element): Promise<true> {
  const { from } = stanza
  if (!affiliationMay(room.affiliationOf(from), 'set members')) throw new StanzaError('forbidden')
  const values = formValues(x)
  if (!isTrue(values.get('muc#register_allow')?.[0] ?? '')) return true
  const jid = readJid(values.get('muc#jid')?.[0] ?? '')
  if (!jid) throw new StanzaError('bad-request', 'The form does not say whose registration it is.')
  await room.turn(async () => {
    if (room.over) throw new StanzaError('item-not-found')
    // Another admin was faster.
    if (room.affiliationOf(jid) !== 'none') return
    const filled = readForm(x)
    requireFree(room, jid, filled.nick)
    await admit(room, jid, filled, room.client(from)?.occupant.nick)
  })
  return true
}
