/** XEP-0012: Last Activity. How long an account has been away, and how long this host has been up. */
import type { Timer } from '../base/clock.js'
import { flag, options } from '../base/schema.js'
import { accountArg, command } from '../host/command.js'
import { hook } from '../host/hooks.js'
import { iq, type IqRequest } from '../host/iq-table.js'
import { defineModule, lastLogin as lastLoginKey, lastSeen as lastSeenKey } from '../host/module.js'
import type { Session } from '../session/session.js'
import { StanzaError } from '../stanza/errors.js'
import type { Jid } from '../stanza/jid.js'
import { Slot } from '../session/slot.js'
import type { Stanza } from '../stanza/stanza.js'
import { el } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

interface Departure {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly status: string
  /** When the session that left had begun; not in what was written before it was kept. */
  readonly login?: number
}

/** Characters of a status that are kept. */
const longestStatus = 1024

/** Departures are written together: a server that crashes forgets those of the last second. */
const writeEvery = 1000

/** What the session said when it became unavailable. */
const goodbye = Slot.plain('last-activity', () => ({ status: '' }))

export default defineModule({
  name: 'last-activity',
  summary: 'Tells contacts how long an account has been away',
  xeps: [{ number: 12, version: '2.0' }],
  options: options({ tellStatus: flag(true, 'Also tell the last status text.') }),

  setup(host, { tellStatus }) {
    const departures = host.map<Departure>('last-activity')
    /** Not written yet. */
    const leaving = new Map<string, Departure>()
    /** The last login of accounts that are connected. */
    const logins = new Map<string, number>()
    let timer: Timer | undefined
    let stopping = false
    const secondsSince = (at: number) => Math.max(0, Math.floor((host.clock.now() - at) / 1000))
    const last = (seconds: number, status = '') => el('query', NS.lastActivity, { seconds }, status)

    // XEP-0012 §8 forbids to tell others than those who may see presence. They get what a stranger gets for an account
    // that does not exist: *forbidden*, as §3 has it, would tell that it does.
    const strangersAnswer = () => new StanzaError('service-unavailable')

    const departureOf = async ({ local }: Jid) => leaving.get(local) ?? departures.get(local)

    async function accountLast({ from, to }: IqRequest) {
      if (!(await host.roster.sharesPresence(to, from))) throw strangersAnswer()
      // XEP-0012 §3: zero while there is a connected resource.
      if (host.sessions.of(to).length > 0) return last(0)
      const left = await departureOf(to)
      if (!left) throw new StanzaError('item-not-found')
      return last(secondsSince(left.at), tellStatus ? left.status : '')
    }

    /** XEP-0012 §4: requests to a resource reach it only from those who may see its presence. */
    async function mayAsk(stanza: Stanza) {
      if (await host.roster.sharesPresence(stanza.to!.bare, stanza.from)) return undefined
      return strangersAnswer()
    }

    async function lastSeen({ account }: { account: Jid }) {
      if (host.sessions.of(account).length > 0) return 'connected now'
      const left = await departureOf(account)
      return left ? new Date(left.at).toISOString() : 'never seen'
    }

    async function loginOf(account: Jid): Promise<number | undefined> {
      const sessions = host.sessions.of(account)
      if (sessions.length > 0)
        return logins.get(account.local) ?? Math.max(...sessions.map(({ since }) => since))
      return (await departureOf(account))?.login
    }

    function noteStatus(stanza: Stanza, { session }: { session: Session }) {
      if (stanza.to) return
      const status = stanza.type === 'unavailable' ? (stanza.child('status')?.text ?? '') : ''
      session.state(goodbye).status = status.slice(0, longestStatus)
    }

    function remember(session: Session): void | Promise<void> {
      // Guests have no account that could be asked about.
      if (session.account === 0) return
      const { status } = session.state(goodbye)
      const login = logins.get(session.jid.local) ?? session.since
      if (host.sessions.of(session.jid).length === 0) logins.delete(session.jid.local)
      leaving.set(session.jid.local, { at: host.clock.now(), status, login })
      if (stopping) return write()
      timer ??= host.clock.after(writeEvery, () => void write())
    }

    async function write() {
      timer?.cancel()
      timer = undefined
      const written = new Map(leaving)
      try {
        await departures.setMany(written)
      } catch (error) {
        host.log.warn('last-activity.failed', { error })
      }
      for (const [local, departure] of written) if (leaving.get(local) === departure) leaving.delete(local)
    }

    return {
      provides: [
        { key: lastSeenKey, value: async (account: Jid) => (await departureOf(account))?.at },
        { key: lastLoginKey, value: loginOf },
      ],
      features: [NS.lastActivity],
      accountFeatures: [NS.lastActivity],
      iq: [
        iq('get', 'account', 'query', NS.lastActivity, accountLast),
        iq('get', 'host', 'query', NS.lastActivity, () => last(secondsSince(host.startedAt))),
      ],
      hooks: [
        hook('sent', 'store', ['presence'], noteStatus),
        hook('received', 'guard', ['iq'], (stanza) =>
          stanza.type === 'get' && !stanza.to!.isBare && stanza.has('query', NS.lastActivity)
            ? mayAsk(stanza)
            : undefined,
        ),
      ],
      commands: [
        command(
          'last-seen',
          'operator',
          'When an account was last connected',
          options({ account: accountArg('NAME, or NAME@DOMAIN when there are several domains') }),
          lastSeen,
        ),
      ],
      events: {
        sessionBound: ({ jid, since, account }) => {
          if (account !== 0) logins.set(jid.local, since)
        },
        sessionRestored: ({ jid, since, account }) => {
          if (account !== 0) logins.set(jid.local, since)
        },
        sessionGone: remember,
        accountDeleted: ({ local }) => {
          leaving.delete(local)
          logins.delete(local)
        },
      },
      stop: () => {
        stopping = true
        return write()
      },
    }
  },
})
