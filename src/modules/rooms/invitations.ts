/** Invitations by a room on behalf of somebody who is in (XEP-0045 §7.8.2). Direct ones (XEP-0249) do not come by here. */
import { changeAffiliations } from './affiliations.js'
import { isOpen } from './anonymity.js'
import { send } from './fan-out.js'
import type { FeatureSource, Letter } from './feature.js'
import { flagField } from './fields.js'
import { isMembersOnly } from './members-only.js'
import type { Client } from './occupant.js'
import { passwordOf } from './passwords.js'
import { affiliationMay } from './privileges.js'
import type { Room } from './room.js'
import { ServiceSlot } from './service.js'
import { Lru } from '../../base/lru.js'
import { StanzaError } from '../../stanza/errors.js'
import { readJid, type Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** XEP-0045 §16.5.3. Into a members-only room only those invite who may make members (§7.8.2). */
const allowed = flagField('muc#roomconfig_allowinvites', 'Everybody in the room may invite others', true)

/** What somebody asked for. */
interface Asked {
  readonly inviter: Client
  /** Of the message with which it was asked for. */
  readonly id: string | undefined
}

/** In one message (§7.9). */
const mostAtOnce = 10
/** Invitations of a service that can be declined. */
const mostOpen = 10_000

/** By room and bare address of who is invited. */
const invited = new ServiceSlot('invitations', () => new Lru<string, Asked>(mostOpen))

export const invitations: FeatureSource = (service) => {
  const open = service.state(invited)

  async function mail(letter: Letter): Promise<boolean> {
    const { stanza } = letter
    if (stanza.effectiveType !== 'normal') return false
    const x = stanza.child('x', NS.mucUser)
    const invites = x?.childrenOf('invite', NS.mucUser) ?? []
    if (invites.length > 0) await invite(letter, invites)
    const declined = x?.child('decline', NS.mucUser)
    if (declined) decline(letter, declined)
    return invites.length > 0 || declined !== undefined
  }

  /** All of them or none. */
  async function invite({ room, sender, stanza }: Letter, invites: readonly Element[]): Promise<void> {
    if (!sender) throw new StanzaError('not-acceptable', 'You are not in the room.')
    if (invites.length > mostAtOnce)
      throw new StanzaError('policy-violation', `One message invites ${mostAtOnce} at most.`)
    const invitees = invites.map((one) => ({ invite: one, jid: inviteeOf(one) }))
    for (const { jid } of invitees) requireMay(sender, jid)
    await room.turn(() =>
      admit(
        sender,
        invitees.map(({ jid }) => jid),
      ),
    )
    for (const { invite: asked, jid } of invitees) {
      void open.set(keyOf(room, jid), { inviter: sender, id: stanza.id })
      service.send(invitation(sender, jid, asked))
    }
  }

  /** §7.8.2: goes to who has invited, and to nobody else: not everybody may say something to others through the room. */
  function decline({ room, stanza }: Letter, declined: Element): void {
    const key = keyOf(room, stanza.from)
    const inviter = open.get(key)?.inviter
    // Whether anybody has that address here is not told.
    if (!inviter || !isMeant(declined.attrs['to'], inviter)) return
    open.delete(key)
    const x = el(
      'x',
      NS.mucUser,
      undefined,
      el('decline', undefined, { from: stanza.from.bare.toString() }, textOf(declined, 'reason')),
    )
    const answer = Stanza.of({ kind: 'message', id: stanza.id, from: room.jid }, x)
    if (room.client(inviter.jid) === inviter) send(room, inviter, answer)
    else service.send(answer.readdressed({ to: inviter.jid.bare }))
  }

  /** §7.8.2: to nobody. */
  function undelivered(room: Room, { kind, from }: Stanza): void {
    const key = keyOf(room, from)
    const asked = kind === 'message' ? open.get(key) : undefined
    if (!asked || room.client(asked.inviter.jid) !== asked.inviter) return
    open.delete(key)
    const error = new StanzaError('item-not-found', 'The invitation could not be delivered.')
    const envelope = { kind: 'message', type: 'error', id: asked.id, from: room.jid } as const
    send(room, asked.inviter, Stanza.of(envelope, error.toElement()))
  }

  return { name: 'invitations', fields: [allowed], mail, undelivered }
}

/** @throws StanzaError */
function inviteeOf({ attrs }: Element): Jid {
  const jid = readJid(attrs['to'] ?? '')
  if (!jid || jid.local === '')
    throw new StanzaError('jid-malformed', 'An invitation goes to the address of somebody.')
  return jid
}

/** §7.8.2, §9.3. @throws StanzaError */
function requireMay({ occupant }: Client, invitee: Jid): void {
  const { room, role, affiliation } = occupant
  const theirs = room.affiliationOf(invitee)
  if (theirs === 'outcast') throw new StanzaError('forbidden', 'That address is banned from the room.')
  const mayAdmit = affiliationMay(affiliation, 'set members')
  if (!mayAdmit && role !== 'moderator' && !room.get(allowed))
    throw new StanzaError('forbidden', 'You may not invite others to this room.')
  if (!mayAdmit && theirs === 'none' && isMembersOnly(room))
    throw new StanzaError('forbidden', 'Only admins of the room invite those who are no members.')
}

/** §7.8.2: who is invited into a members-only room becomes a member. In turn. */
async function admit({ occupant }: Client, invitees: readonly Jid[]): Promise<void> {
  const { room, nick } = occupant
  if (!isMembersOnly(room)) return
  const unknown = invitees.map(({ bare }) => bare).filter((jid) => room.affiliationOf(jid) === 'none')
  const changes = [...new Set(unknown)].map((jid) => ({ jid, affiliation: 'member' }) as const)
  if (changes.length > 0) await changeAffiliations(room, changes, { actor: nick })
}

function invitation({ occupant }: Client, to: Jid, asked: Element): Stanza {
  const { room, account, jid } = occupant
  // §7.2.4: where addresses are not shown, the invitation shows none either.
  const from = isOpen(room) ? account : jid
  const thread = asked.child('continue', NS.mucUser)
  const password = passwordOf(room)
  const x = el(
    'x',
    NS.mucUser,
    undefined,
    el(
      'invite',
      undefined,
      { from: from.toString() },
      textOf(asked, 'reason'),
      // §7.9
      thread && el('continue', undefined, { thread: thread.attrs['thread'] }),
    ),
    password === undefined ? undefined : el('password', undefined, undefined, password),
  )
  return Stanza.of({ kind: 'message', id: room.service.host.random.id(), from: room.jid, to }, x)
}

function textOf(element: Element, name: string): Element | undefined {
  const child = element.child(name, NS.mucUser)
  return child && el(name, undefined, undefined, child.text)
}

/** The inviter as the invitation named it, or as people know it. */
function isMeant(to: string | undefined, { jid, occupant }: Client): boolean {
  const named = readJid(to ?? '')
  return named !== undefined && (named.equals(occupant.jid) || named.bare.equals(jid.bare))
}

function keyOf(room: Room, { bare }: Jid): string {
  return `${room.jid.toString()} ${bare.toString()}`
}
