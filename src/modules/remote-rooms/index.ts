/** XEP-0410 on behalf of clients: who is in a room of another server hears of it when that room has lost them. */
import { heard, isEntry, memberships, type Membership } from './memberships.js'
import { SelfPings } from './self-ping.js'
import type { Timer } from '../../base/clock.js'
import { duration, number, options } from '../../base/schema.js'
import { Watch, type WatchParts } from '../../base/watch.js'
import { handled, hook } from '../../host/hooks.js'
import { defineModule } from '../../host/module.js'
import type { Session } from '../../session/session.js'
import { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import { el } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Milliseconds between looks for domains that have fallen silent. */
const lookEvery = 60_000

/** What a room, or the way to it, says to a message of somebody whom it does not know (XEP-0045 §7.4, RFC 6120 §8.3.3). */
const doubtful: ReadonlySet<string> = new Set([
  'gone',
  'item-not-found',
  'not-acceptable',
  'recipient-unavailable',
  'remote-server-not-found',
  'remote-server-timeout',
  'service-unavailable',
])

export default defineModule({
  name: 'remote-rooms',
  summary: 'Tells clients when a room on another server has lost them, so that they come back',
  xeps: [{ number: 410, version: '1.1.0', note: 'asked for clients when a link breaks' }],
  options: options({
    rooms: number(200, 'Rooms elsewhere that are watched for one client.', { min: 1, max: 1000 }),
    silence: duration('15min', 'After so long without a word of a server it is asked. Off: never.', {
      min: '1min',
      off: true,
    }),
    giveUp: duration('1h', 'How long a room may be out of reach until those in it are told.', {
      min: '1min',
    }),
  }),

  setup(host, settings) {
    const pings = new SelfPings(host)
    /** By domain. */
    const watches = new Map<string, Watch<Membership>>()
    const holders = new Map<Membership, Session>()
    const asked = host.counters(
      'remote_rooms_pings_total',
      'Questions whether an account is still in a room elsewhere',
      ['result'],
    )
    const losses = host.counter('remote_rooms_lost_total', 'Clients told that a room elsewhere has lost them')
    let look: Timer | undefined

    const parts: WatchParts<Membership> = {
      clock: host.clock,
      random: host.random,
      giveUp: settings.giveUp,
      async ask(member) {
        const finding = await pings.ask(holders.get(member)!.jid, occupantOf(member))
        asked.of(finding).add()
        return finding
      },
      lost(member) {
        const session = holders.get(member)!
        forget(session, member)
        losses.add()
        host.log.info('rooms.remote.lost', { room: member.room.toString(), user: session.jid.toString() })
        host.send(kick(session, member))
      },
    }

    function watchOf(domain: string): Watch<Membership> {
      let watch = watches.get(domain)
      if (!watch) watches.set(domain, (watch = new Watch(parts)))
      return watch
    }

    function watch(session: Session, member: Membership): void {
      holders.set(member, session)
      watchOf(member.room.domain).add(member)
    }

    function forget(session: Session, member: Membership): void {
      const { room } = member
      holders.delete(member)
      session.peek(memberships)?.delete(room.toString())
      const watch = watches.get(room.domain)
      watch?.remove(member)
      if (watch?.isEmpty) watches.delete(room.domain)
    }

    function forgetAll(session: Session): void {
      for (const member of session.peek(memberships)?.values() ?? []) forget(session, member)
    }

    function entering(stanza: Stanza, { session }: { session: Session }): void {
      const { type, to } = stanza
      // RFC 6121 §4.5.2: it leaves all of them.
      if (!to && type === 'unavailable') return forgetAll(session)
      if (!to || isOurs(to)) return
      const room = to.bare
      const key = room.toString()
      const before = session.peek(memberships)?.get(key)
      if (type === 'unavailable' && before) return forget(session, before)
      if (!isEntry(stanza)) return
      if (before) forget(session, before)
      const all = session.state(memberships)
      if (all.size >= settings.rooms) return host.hits.add('remote_rooms')
      const member = { room, nick: to.resource, isIn: false }
      all.set(key, member)
      watch(session, member)
    }

    const isOurs = ({ domain }: Jid) => domain === host.domain || host.tables.serviceHosts.has(domain)

    function hear(stanza: Stanza): void {
      const watch = watches.get(stanza.from.domain)
      if (!watch) return
      watch.lastHeard = host.clock.now()
      const session = host.sessions.get(stanza.to!)
      const member = session?.peek(memberships)?.get(stanza.from.bare.toString())
      if (!session || !member) return
      if (stanza.kind === 'presence') {
        const word = heard(member, stanza)
        if (word === 'over') forget(session, member)
        else if (word === 'changed') watch.isSure(member)
      } else if (stanza.kind === 'message' && stanza.type === 'error' && doubtful.has(conditionOf(stanza)))
        watch.doubt(member)
    }

    function listen(): void {
      look = host.clock.after(lookEvery, () => {
        const since = host.clock.now() - settings.silence
        for (const watch of watches.values()) if (watch.lastHeard <= since) watch.doubtOne()
        listen()
      })
    }

    /** Of a session that was there before this module, or before this process. */
    function takeOver(session: Session): void {
      for (const member of session.peek(memberships)?.values() ?? []) watch(session, member)
    }

    for (const session of host.sessions.all()) takeOver(session)
    if (settings.silence !== Infinity) listen()

    return {
      hooks: [
        hook('sent', 'store', ['presence'], entering),
        hook('received', 'guard', ['iq'], (stanza) =>
          pings.takes(stanza) || pings.answers(stanza) ? handled : undefined,
        ),
        hook('received', 'store', ['message', 'presence', 'iq'], hear),
      ],
      events: {
        sessionGone: forgetAll,
        // Our end of the link was away: the room may have lost who did not answer.
        sessionRestored: (session) => {
          takeOver(session)
          for (const member of session.peek(memberships)?.values() ?? [])
            watchOf(member.room.domain).doubt(member)
        },
        linkBroken: (remote) => watches.get(remote)?.doubtAll(),
        linkOpened: (remote) => watches.get(remote)?.reached(),
      },
      stop() {
        look?.cancel()
        for (const watch of watches.values()) watch.stop()
      },
    }
  },
})

function conditionOf(stanza: Stanza): string {
  return stanza.child('error')?.childrenOf(undefined, NS.stanzaErrors)[0]?.local ?? ''
}

function occupantOf({ room, nick }: Membership): Jid {
  return Jid.of(room.local, room.domain, nick)
}

/** XEP-0045 §11.1: 333 is for technical problems, and makes clients enter again. */
function kick({ jid: to }: Session, member: Membership): Stanza {
  const from = occupantOf(member)
  return Stanza.of(
    { kind: 'presence', type: 'unavailable', from, to },
    el(
      'x',
      NS.mucUser,
      {},
      el('item', undefined, { affiliation: 'none', role: 'none' }),
      el('status', undefined, { code: '110' }),
      el('status', undefined, { code: '333' }),
    ),
  )
}
