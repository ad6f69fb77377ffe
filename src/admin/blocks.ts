/** The commands about domains that nothing is exchanged with. */
import { duration, options, required, text } from '../base/schema.js'
import { CommandError, declare } from '../host/command.js'
import type { AnyCommand } from '../host/command.js'
import { JidError, prepareDomain } from '../stanza/jid.js'
import type { Block } from '../storage/blocks.js'
import type { AdminServices } from './commands.js'
import { counted, time } from './print.js'

const domain = text(required, 'DOMAIN, or "*.DOMAIN" for it and all below it', { max: 255 })

export function blockCommands(server: () => AdminServices): AnyCommand[] {
  return [
    declare({
      name: 'block add',
      role: 'admin',
      about: 'server',
      summary: 'Exchange nothing with a domain any more',
      args: options({
        domain,
        reason: text('', 'Told to those whose stanzas are refused, on both sides'),
        expires: duration(undefined, 'After so long the block ends by itself, "30d"; default: never', {
          min: '1s',
        }),
      }),
      async run({ domain, reason, expires }) {
        const { blocks, clock, domains, federation } = server()
        const pattern = patternOf(domain)
        if (domains.includes(pattern))
          throw new CommandError(`${pattern} is served here`, 'parley user disable keeps an account out')
        const until = expires === undefined ? undefined : clock.now() + expires
        const block = await blocks.add(pattern, { reason: reason.replaceAll('\0', ''), expires: until })
        const remotes = new Set(federation.links().map(({ remote }) => remote))
        let ended = 0
        for (const remote of remotes)
          if (blocks.of(remote)?.domain === pattern)
            ended += federation.drop(remote, blocks.refusal(remote) ?? '')
        return {
          data: { ...shown(block), ended },
          text: `${block.domain} is blocked${until === undefined ? '' : ` until ${time(until)}`}. Links ended: ${ended}.`,
        }
      },
    }),
    declare({
      name: 'block list',
      role: 'operator',
      about: 'server',
      summary: 'The blocked domains',
      reads: true,
      args: options({}),
      async run() {
        const blocks = server().blocks.all()
        const rows = blocks.map(({ domain, since, expires, reason }) => [
          domain,
          time(since),
          expires === undefined ? 'never' : time(expires),
          reason,
        ])
        const columns = ['DOMAIN', 'SINCE', 'EXPIRES', 'REASON']
        return { data: blocks.map(shown), table: { columns, rows }, text: counted(blocks.length, 'block') }
      },
    }),
    declare({
      name: 'block remove',
      role: 'admin',
      about: 'server',
      summary: 'Let a domain in again',
      args: options({ domain }),
      async run({ domain }) {
        const { blocks } = server()
        const pattern = patternOf(domain)
        const removed = await blocks.remove(pattern)
        const left = pattern.startsWith('*.') ? undefined : blocks.of(pattern)
        if (!removed)
          throw new CommandError(
            `there is no block of ${pattern}`,
            left ? `it falls under ${left.domain}` : 'parley block list shows those there are',
          )
        const still = left ? `, but it falls under ${left.domain} still` : ''
        return { data: { domain: pattern }, text: `${pattern} is no longer blocked${still}.` }
      },
    }),
  ]
}

/** A domain as it is compared, with `*.` before it when that was written. */
function patternOf(written: string): string {
  const [, below = '', name = ''] = /^(\*\.)?(.*)$/s.exec(written) ?? []
  try {
    return below + prepareDomain(name)
  } catch (error) {
    if (!(error instanceof JidError)) throw error
    throw new CommandError(
      `"${written}" is not a domain`,
      'write spam.example, or "*.spam.example" for all below it as well',
    )
  }
}

function shown({ domain, reason, since, expires }: Block) {
  return { domain, reason, since: time(since), expires: expires === undefined ? null : time(expires) }
}
