/** XEP-0280: Message Carbons. All devices of an account see both sides of its conversations. */
import { archiveKey } from './archive/api.js'
import { options } from '../base/schema.js'
import { hook, type Arrival, type Verdict } from '../host/hooks.js'
import { iq, type IqRequest } from '../host/iq-table.js'
import { defineModule } from '../host/module.js'
import type { Session } from '../session/session.js'
import { Slot } from '../session/slot.js'
import { StanzaError } from '../stanza/errors.js'
import { forwarding } from '../stanza/forward.js'
import type { Jid } from '../stanza/jid.js'
import { isInvitation } from '../stanza/occupants.js'
import type { Stanza } from '../stanza/stanza.js'
import { withId, withoutIdsBy } from '../stanza/stanza-id.js'
import { NS } from '../xml/namespaces.js'

/** Rooms that one session may have joined, as far as they are known to be rooms. */
const mostRooms = 1_000
/** Messages per session whose errors are copied as they were. */
const mostCopied = 32

/** What carbons know of a session. */
class Copying {
  enabled = false
  /** Bare JIDs of rooms it has entered (XEP-0045 §7.2). */
  rooms: Set<string> | undefined = undefined
  /** The last messages of which others got copies, by id and the other side. */
  #copied: string[] | undefined = undefined

  remember(id: string | undefined, other: Jid): void {
    if (id === undefined) return
    const copied = (this.#copied ??= [])
    if (copied.length === mostCopied) copied.shift()
    copied.push(`${other.bare.toString()} ${id}`)
  }

  /** Whether an error from or to `other` is about one of these. */
  remembers(id: string | undefined, other: Jid): boolean {
    return id !== undefined && this.#copied?.includes(`${other.bare.toString()} ${id}`) === true
  }
}

const copying = new Slot('carbons', () => new Copying(), {
  save: ({ enabled, rooms }) => ({ enabled, rooms: [...(rooms ?? [])] }),
  restore: (saved) => {
    const { enabled, rooms } = saved as { enabled: boolean; rooms: readonly string[] }
    return Object.assign(new Copying(), { enabled, rooms: rooms.length > 0 ? new Set(rooms) : undefined })
  },
})

export default defineModule({
  name: 'carbons',
  summary: 'Copies messages to all devices of an account',
  xeps: [
    { number: 280, version: '1.0.1' },
    { number: 297, version: '1.0' },
  ],
  options: options({}),

  setup(host) {
    const copies = host.counter(
      'carbons_total',
      'Copies of messages to other devices of their sender or reader',
    )

    const isEnabled = (session: Session) => session.peek(copying)?.enabled === true
    const hasJoined = (session: Session, room: string) => session.peek(copying)?.rooms?.has(room) === true

    function enable({ session }: IqRequest): void {
      if (session) session.state(copying).enabled = true
    }

    function disable({ session }: IqRequest): void {
      if (session) session.state(copying).enabled = false
    }

    /** XEP-0280 §8: what a device says, to the others. */
    function copySent(stanza: Stanza, { session }: { session: Session }): void {
      const { to, id } = stanza
      const own = session.jid.bare
      const all = host.sessions.of(own)
      // What one says to oneself is copied where it arrives.
      if (all.length < 2 || !to || to.bare.equals(own)) return
      const others = all.filter((one) => one !== session && isEnabled(one))
      if (others.length === 0) return
      const said = session.state(copying)
      if (stanza.effectiveType === 'error') {
        if (!said.remembers(id, to)) return
      } else if (!isEligible(stanza)) return
      said.remember(id, to)
      const room = to.bare.toString()
      // XEP-0280 §6.1: what is said in private in a room, to those that are in it.
      const isPrivate = !to.isBare && hasJoined(session, room)
      const takers = isPrivate ? others.filter((one) => hasJoined(one, room)) : others
      const carbon = carbonOf('sent', asArchived(stanza, own), own)
      for (const taker of takers) taker.deliver(carbon.readdressed({ to: taker.jid }))
      copies.add(takers.length)
    }

    /** With the id in the account's own archive, as the devices find it there. */
    function asArchived(stanza: Stanza, own: Jid): Stanza {
      const id = host.provided(archiveKey)?.idOf(stanza, own)
      const honest = withoutIdsBy(stanza, own)
      return id === undefined ? honest : withId(honest, own, id)
    }

    /** XEP-0280 §7: what one device gets, to the others. */
    function copyReceived(stanza: Stanza, at: Arrival): void {
      const { from, to, id } = stanza
      const all = host.sessions.of(to!)
      if (!all.some(isEnabled)) return
      const recipients = at.recipients(stanza)
      if (!recipients) return
      // RFC 6120 §8.1.1.1: who says something to its own account needs no copy of that.
      const isOther = (one: Session) => !recipients.includes(one) && !one.jid.equals(from) && isEnabled(one)
      const others = all.filter(isOther)
      if (others.length === 0) return
      if (stanza.effectiveType === 'error') {
        if (!recipients.some((one) => one.peek(copying)?.remembers(id, from))) return
      } else if (!isEligible(stanza) || isFromOccupant(stanza, all)) return
      for (const one of recipients) one.state(copying).remember(id, from)
      at.copied = others
      const carbon = carbonOf('received', stanza, to!.bare)
      const among = [...recipients, ...others]
      // When nobody is left of them it is kept for whoever comes.
      const original = stanza.readdressed({ to: to!.bare })
      for (const taker of others) taker.deliver(carbon.readdressed({ to: taker.jid }), among, { original })
      copies.add(others.length)
    }

    /** XEP-0280 §6.1: a room sends what is said in private to all that are in it. */
    function isFromOccupant(stanza: Stanza, sessions: readonly Session[]): boolean {
      const { from } = stanza
      if (from.isBare || isInvitation(stanza)) return false
      const room = from.bare.toString()
      return stanza.has('x', NS.mucUser) || sessions.some((one) => hasJoined(one, room))
    }

    /** XEP-0280 §6.1: rooms are told from people by who enters them. */
    function noteRooms(stanza: Stanza, { session }: { session: Session }): void {
      const { to, type } = stanza
      if (!to || to.isBare) return
      const state = session.state(copying)
      const room = to.bare.toString()
      if (type === 'unavailable') state.rooms?.delete(room)
      else if (type === undefined && stanza.has('x', NS.muc)) {
        const rooms = (state.rooms ??= new Set())
        if (rooms.size < mostRooms) rooms.add(room)
      }
    }

    /** XEP-0280 §11: copies are made by the server; what looks like one is none. */
    function refuseForged(stanza: Stanza): Verdict {
      if (isForged(stanza)) return new StanzaError('not-acceptable', 'Only the server makes carbon copies.')
    }

    function withoutForged(stanza: Stanza): Verdict {
      if (!isForged(stanza)) return undefined
      return stanza.withoutChildren('received', NS.carbons).withoutChildren('sent', NS.carbons)
    }

    const notYours = () => {
      throw new StanzaError('not-allowed')
    }

    return {
      features: [NS.carbons, NS.carbonsRules],
      iq: [
        iq('set', 'self', 'enable', NS.carbons, enable),
        iq('set', 'self', 'disable', NS.carbons, disable),
        // XEP-0280 §4.1, §5.1
        iq('set', 'account', 'enable', NS.carbons, notYours),
        iq('set', 'account', 'disable', NS.carbons, notYours),
      ],
      hooks: [
        hook('sent', 'guard', ['message'], refuseForged),
        hook('sent', 'copy', ['message'], copySent),
        hook('sent', 'copy', ['presence'], noteRooms),
        hook('received', 'stamp', ['message'], withoutForged),
        hook('received', 'copy', ['message'], copyReceived),
      ],
      bindFeatures: [
        {
          ns: NS.carbons,
          reads: ['enable'],
          enable(_, session) {
            session.state(copying).enabled = true
            return undefined
          },
        },
      ],
    }
  },
})

function carbonOf(name: 'sent' | 'received', stanza: Stanza, account: Jid): Stanza {
  const envelope = { kind: 'message', type: stanza.type, from: account } as const
  return forwarding(envelope, { name, ns: NS.carbons }, stanza)
}

/** XEP-0280 §6.1, §9; XEP-0334 §4.3. Of all messages but errors. */
function isEligible(stanza: Stanza): boolean {
  if (stanza.has('private', NS.carbons) || stanza.has('no-copy', NS.hints)) return false
  const type = stanza.effectiveType
  if (type === 'groupchat') return false
  if (type === 'chat') return true
  if (type === 'normal' && stanza.has('body')) return true
  return stanza.payload.spans.some(({ ns }) => conversational.has(ns)) || isInvitation(stanza)
}

/** XEP-0280 §6.1: namespaces of what instant messaging says besides words. */
const conversational: ReadonlySet<string | undefined> = new Set([NS.receipts, NS.chatStates, NS.chatMarkers])

function isForged(stanza: Stanza): boolean {
  for (const { name, ns } of stanza.payload.spans)
    if (ns === NS.carbons && (name === 'received' || name === 'sent')) return true
  return false
}
