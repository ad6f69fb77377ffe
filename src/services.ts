/** What the admin's commands need of a running server, read from it at each request. */
import type { AdminServices, SessionFacts } from './admin/commands.js'
import { announce } from './host/announce.js'
import { lastLogin, lastSeen } from './host/module.js'
import type { Server } from './server.js'
import type { Session } from './session/session.js'
import type { Jid } from './stanza/jid.js'
import type { Stores } from './storage/stores.js'
import { StreamError } from './stream/errors.js'

/** What the server itself does not know. */
export type Surroundings = Pick<
  AdminServices,
  'version' | 'clock' | 'domains' | 'log' | 'isOverridden' | 'reload' | 'certificates' | 'readiness' | 'end'
> & { readonly server: Server; readonly stores: Stores }

export function adminServices({ server, stores, ...around }: Surroundings): AdminServices {
  return {
    ...around,
    startedAt: around.clock.now(),
    accounts: stores.accounts,
    tokens: stores.tokens,
    sessions: {
      list: (account) => sessionsOf(server, account).map(factsOf),
      end: (jid, reason) => endSessions(server, jid, reason),
    },
    keeper(domain) {
      const host = server.hosts.get(domain)!
      return {
        createAccount: (local, password, way) => host.createAccount(local, password, way),
        importAccount: (local, keys, at) => host.importAccount(local, keys, at),
        portable: () => host.tables.portable,
        setPassword: (account, password) => host.setPassword(account, password),
        removeAccount: (account, beforeEnding) => host.removeAccount(account, beforeEnding),
        contacts: async (account) => (await host.roster.load(account))?.listed ?? [],
        lastLogin: async (account) => host.provided(lastLogin)?.(account),
        lastSeen: async (account) => host.provided(lastSeen)?.(account),
      }
    },
    moduleCommands: (domain) => server.hosts.get(domain)!.tables.commands,
    blocks: server.blocks,
    federation: server.federation!,
    components: () => server.components,
    ping: (local, remote, ms) => server.ping(local, remote, ms),
    async announce(message) {
      let told = 0
      for (const host of server.hosts.values()) told += await announce(host, message, 'Announcement')
      return told
    },
  }
}

function sessionsOf(server: Server, account: Jid | undefined): Session[] {
  const hosts = account ? [server.hosts.get(account.domain)] : [...server.hosts.values()]
  return hosts.flatMap((host) =>
    host ? [...(account ? host.sessions.of(account) : host.sessions.all())] : [],
  )
}

function endSessions(server: Server, jid: Jid, reason: string): number {
  const sessions = sessionsOf(server, jid.bare).filter((session) => jid.isBare || session.jid.equals(jid))
  // RFC 6120 §4.9.3.12: the stream is not authorized any more.
  for (const session of sessions) session.close(new StreamError('not-authorized', reason))
  return sessions.length
}

function factsOf(session: Session): SessionFacts {
  const transport = session.stream?.transport
  const show = session.presence?.child('show')?.text
  return {
    jid: session.jid.toString(),
    ip: transport?.remote,
    tls: transport?.tls?.protocol,
    mechanism: session.mechanism,
    since: session.since,
    priority: session.presence ? session.priority : undefined,
    away: show === 'away' || show === 'xa',
  }
}
