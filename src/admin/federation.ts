/** The commands about links to other servers: which there are, trying again, and a walk of the whole way. */
import { flag, options, required, text } from '../base/schema.js'
import { CommandError, declare } from '../host/command.js'
import type { AnyCommand, CommandResult } from '../host/command.js'
import type { LinkFacts } from '../s2s/facts.js'
import { JidError, prepareDomain } from '../stanza/jid.js'
import type { AdminServices } from './commands.js'
import { counted, span, time } from './print.js'
import { walk } from './walk.js'

export function federationCommands(server: () => AdminServices): AnyCommand[] {
  return [
    declare({
      name: 's2s list',
      role: 'operator',
      about: 'server',
      summary: 'The links to other servers',
      reads: true,
      args: options({
        failing: flag(false, 'Only those that cannot be had, and why; exit code 1 when there are any'),
      }),
      run: async ({ failing }) =>
        failing
          ? failingLinks(server())
          : allLinks(sorted(server().federation.links()), server().clock.now()),
    }),
    declare({
      name: 's2s retry',
      role: 'admin',
      about: 'server',
      summary: 'Try to reach a domain again at once',
      args: options({
        domain: text(undefined, 'One that stanzas wait for', { max: 255 }),
        all: flag(false, 'All that stanzas wait for'),
      }),
      places: ['domain'],
      run: async ({ domain, all }) => retried(server(), domain, all),
    }),
    declare({
      name: 's2s flush',
      role: 'admin',
      about: 'server',
      summary: 'Give up what waits for a domain: its senders get it back',
      args: options({
        domain: text(undefined, 'One that stanzas wait for', { max: 255 }),
        all: flag(false, 'All that stanzas wait for'),
      }),
      places: ['domain'],
      destroys: ({ domain, all }) =>
        `what waits for ${all ? 'all other servers' : domain}; its senders are told`,
      run: async ({ domain, all }) => flushed(server(), domain, all),
    }),
    declare({
      name: 's2s test',
      role: 'operator',
      about: 'server',
      summary: 'Walk the whole way to another server, and say what is wrong',
      reads: true,
      slow: true,
      args: options({
        domain: text(required, 'The domain of the other server', { max: 255 }),
        from: text(undefined, 'As which of our domains; default: the first', { max: 255 }),
      }),
      async run({ domain, from }) {
        const { domains } = server()
        const local = from === undefined ? domains[0]! : domainOf(from)
        if (!domains.includes(local))
          throw new CommandError(`${local} is not served here`, `domains: ${domains.join(', ')}`)
        const remote = domainOf(domain)
        if (domains.includes(remote))
          throw new CommandError(`${remote} is served here`, 'name the domain of another server')
        return walk(server(), local, remote)
      },
    }),
    declare({
      name: 'component list',
      role: 'operator',
      about: 'server',
      summary: 'The external components, and whether they are connected',
      reads: true,
      args: options({}),
      run: async () => listComponents(server()),
    }),
  ]
}

function allLinks(links: readonly LinkFacts[], now: number): CommandResult {
  const rows = links.map(({ remote, local, dir, state, auth, tls, ip, queue, since }) => [
    remote === '' ? '?' : remote,
    dir === 'in' ? 'from' : 'to',
    local === '' ? '?' : local,
    state,
    auth ?? '',
    tls ?? '',
    ip ?? '',
    queue.stanzas === 0 ? '' : String(queue.stanzas),
    span(now - since),
  ])
  const columns = ['DOMAIN', 'DIR', 'OURS', 'STATE', 'PROOF', 'TLS', 'ADDRESS', 'WAITING', 'SINCE']
  return { data: links.map(shown), table: { columns, rows }, text: counted(links.length, 'link') }
}

function failingLinks({ federation, clock }: AdminServices): CommandResult {
  const now = clock.now()
  const links = sorted(federation.links()).filter(({ failure }) => failure)
  const rows = links.map(({ remote, local, queue, failure }) => [
    remote,
    local,
    String(queue.stanzas),
    failure?.nextTry === undefined ? '' : `in ${span(failure.nextTry - now)}`,
    `${failure?.stage}, ${whose[failure?.side ?? 'path']}: ${failure?.reason}`,
  ])
  const columns = ['DOMAIN', 'OURS', 'WAITING', 'NEXT TRY', 'FAILED AT']
  return {
    data: links.map(shown),
    table: { columns, rows },
    text: links.length === 0 ? 'nothing fails' : 'parley s2s test DOMAIN says what to do',
    problem: links.length > 0,
  }
}

const whose = { ours: 'our side', theirs: 'their side', path: 'the way between' } as const

function retried({ federation }: AdminServices, domain: string | undefined, all: boolean): CommandResult {
  if ((domain === undefined) === !all) throw new CommandError('name one domain, or --all')
  const waiting = federation.links().filter(({ state }) => state === 'waiting')
  const remotes =
    domain === undefined ? [...new Set(waiting.map(({ remote }) => remote))] : [domainOf(domain)]
  let tried = 0
  for (const remote of remotes) tried += federation.retry(remote)
  if (tried === 0 && domain !== undefined)
    throw new CommandError(
      `nothing waits for ${remotes[0]}`,
      `parley s2s test ${remotes[0]} tries the way there`,
    )
  return { data: { tried }, text: `Trying again: ${counted(tried, 'link')}.` }
}

function flushed({ federation }: AdminServices, domain: string | undefined, all: boolean): CommandResult {
  if ((domain === undefined) === !all) throw new CommandError('name one domain, or --all')
  const waiting = federation.links().filter(({ queue }) => queue.stanzas > 0)
  const remotes = domain === undefined ? new Set(waiting.map(({ remote }) => remote)) : [domainOf(domain)]
  let stanzas = 0
  for (const remote of remotes) stanzas += federation.flush(remote)
  if (stanzas === 0 && domain !== undefined)
    throw new CommandError(`nothing waits for ${domainOf(domain)}`, 'parley s2s list shows what waits')
  return { data: { stanzas }, text: `Given up: ${counted(stanzas, 'stanza')}.` }
}

function listComponents(server: AdminServices): CommandResult {
  const all = server.components()
  const now = server.clock.now()
  const rows = all.map(({ domain, connected }) =>
    connected ? [domain, 'connected', connected.ip, span(now - connected.since)] : [domain, 'away', '', ''],
  )
  const data = all.map(({ domain, connected }) => ({
    domain,
    connected: connected ? { ip: connected.ip, since: time(connected.since) } : null,
  }))
  const columns = ['COMPONENT', 'STATE', 'ADDRESS', 'SINCE']
  return { data, table: { columns, rows }, text: counted(all.length, 'component') }
}

function sorted(links: readonly LinkFacts[]): LinkFacts[] {
  const key = ({ remote, local, dir }: LinkFacts) => `${remote} ${local} ${dir}`
  return [...links].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** For programs: times as RFC 3339 has them. */
function shown({ since, queue, failure, ...link }: LinkFacts) {
  const orNull = (at: number | undefined) => (at === undefined ? null : time(at))
  return {
    ...link,
    since: time(since),
    queue: { ...queue, oldest: orNull(queue.oldest) },
    failure: failure ? { ...failure, at: time(failure.at), nextTry: orNull(failure.nextTry) } : null,
  }
}

function domainOf(written: string): string {
  try {
    return prepareDomain(written)
  } catch (error) {
    if (!(error instanceof JidError)) throw error
    throw new CommandError(`"${written}" is not a domain`, 'write example.net')
  }
}
