/** The rooms elsewhere that a session is in, as far as what it says and hears tells that (XEP-0045 §7.2, §7.14). */
import { Slot } from '../../session/slot.js'
import { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'
import { NS } from '../../xml/namespaces.js'

export interface Membership {
  readonly room: Jid
  /** As the room has confirmed it; before that, as the client wants it. */
  nick: string
  /** The room has let it in. */
  isIn: boolean
}

export type Memberships = Map<string, Membership>

/** By the bare JID of the room. They outlive a restart with their session: the rooms may have noticed that. */
export const memberships = new Slot<Memberships>('remote-rooms', () => new Map(), {
  save: (all) =>
    all.size === 0 ? undefined : [...all].map(([room, { nick, isIn }]) => [room, nick, isIn] as const),
  restore(saved) {
    const all = saved as readonly (readonly [string, string, boolean])[]
    return new Map(all.map(([room, nick, isIn]) => [room, { room: Jid.parse(room), nick, isIn }]))
  },
})

/** XEP-0045 §7.2.1: a client's presence that asks to be let into a room. */
export function isEntry(stanza: Stanza): boolean {
  return stanza.type === undefined && stanza.to?.isBare === false && stanza.has('x', NS.muc)
}

/** What presence from the room says of a membership: what it is from now on, or that it is over. */
export function heard(member: Membership, stanza: Stanza): 'changed' | 'over' | undefined {
  const { type } = stanza
  const nick = stanza.from.resource
  if (type === 'error') return member.isIn ? undefined : 'over' // §7.2: it was not let in
  const isOwn = nick === member.nick
  // The presence of others need not be read, once it is known which is its own.
  if (member.isIn && !isOwn) return undefined
  const x = stanza.child('x', NS.mucUser)
  const codes = new Set((x?.childrenOf('status') ?? []).map(({ attrs }) => attrs['code']))
  // §7.2.2: 110 is on the own presence; services of before 2008 leave it out.
  if (!isOwn && !codes.has('110')) return undefined
  if (type === undefined) {
    member.nick = nick
    member.isIn = true
    return 'changed'
  }
  if (type !== 'unavailable') return undefined
  // §7.6: unavailable under the old nick, and available under the new one.
  const renamed = codes.has('303') ? x?.child('item')?.attrs['nick'] : undefined
  if (renamed === undefined) return 'over'
  member.nick = renamed
  return 'changed'
}
