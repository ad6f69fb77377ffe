/** The desk of a domain: the commands of the one table for who comes over XMPP, narrowed to what they may look after. */
import type { Log } from '../base/log.js'
import { mayRun } from '../host/desk.js'
import type { Caller, Desk } from '../host/desk.js'
import { Jid } from '../stanza/jid.js'
import { answerTo } from './answer.js'
import type { AdminServices } from './commands.js'
import { commandTable, HELP } from './table.js'

export function openDesk(domain: string, services: () => AdminServices, log: Log): Desk {
  const whole = commandTable(() => ({ ...services(), domains: domainsFrom(domain, services().domains) }))
  const own = commandTable(() => narrowed(services(), domain))
  const commandsFor = (caller: Caller) =>
    (caller.domain === undefined ? whole() : own()).filter(
      (command) => command.name !== HELP && mayRun(caller, command),
    )
  return {
    commandsFor,
    run: (request, caller) => {
      // Whoever looks after another domain has no business here.
      if (caller.domain !== undefined && caller.domain !== domain)
        return Promise.resolve({ ok: false, kind: 'refused', message: `not an admin of ${domain}` })
      return answerTo(request, caller, caller.domain === undefined ? whole() : own(), log)
    },
  }
}

/** All of them; names without a domain are of the first. */
function domainsFrom(first: string, all: readonly string[]): readonly string[] {
  return [first, ...all.filter((domain) => domain !== first)]
}

/** What the commands see of a server whose other domains are nobody's business. */
function narrowed(services: AdminServices, domain: string): AdminServices {
  const { sessions } = services
  return {
    ...services,
    domains: [domain],
    sessions: {
      list: (account) => sessions.list(account).filter(({ jid }) => Jid.parse(jid).domain === domain),
      end: (jid, reason) => (jid.domain === domain ? sessions.end(jid, reason) : 0),
    },
  }
}
