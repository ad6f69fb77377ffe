/** Commands for the log of a running server: a level for one component and for a while, and who stands behind a hash. */
import { components, levels } from '../base/log.js'
import type { LogControl } from '../base/log.js'
import { choice, duration, options, required, text } from '../base/schema.js'
import type { AnyCommand, Command } from '../host/command.js'

export interface LogServices {
  readonly log: LogControl
  /** The whole address of the account that somebody wrote; throws `CommandError`. */
  accountOf(written: string): string
}

export function logCommands(server: () => LogServices): readonly AnyCommand[] {
  return [
    declare({
      name: 'log',
      role: 'admin',
      about: 'server',
      summary: 'Log one component in more or less detail for a while',
      args: options({
        level: choice(levels, required, 'The least important lines written'),
        component: choice([...components, 'all'], required, 'The first word of its events, or all'),
        for: duration('10min', 'Until it is as configured again', { min: '1s', max: '24h' }),
      }),
      async run(args) {
        const { log } = server()
        log.focus(args.component, args.level, args.for)
        return shown(log)
      },
    }),
    declare({
      name: 'log show',
      role: 'operator',
      about: 'server',
      summary: 'The levels that hold now',
      reads: true,
      args: options({}),
      run: async () => shown(server().log),
    }),
    declare({
      name: 'log reset',
      role: 'admin',
      about: 'server',
      summary: 'Log everything as configured again',
      args: options({}),
      async run() {
        const { log } = server()
        log.unfocus()
        return shown(log)
      },
    }),
    declare({
      name: 'log who',
      role: 'operator',
      about: 'server',
      summary: 'How the log names an account when log.users is "hashed"',
      reads: true,
      args: options({ account: text(required, 'NAME or NAME@DOMAIN', { max: 3071 }) }),
      async run(args) {
        const account = server().accountOf(args.account)
        const hash = server().log.hashOf(account)
        return { data: { account, hash }, text: hash }
      },
    }),
  ]
}

function shown({ level, focuses }: LogControl) {
  const rows = [
    ['all', level, ''],
    ...focuses.map((focus) => [focus.component, focus.level, new Date(focus.until).toISOString()]),
  ]
  const data = {
    level,
    for_a_while: focuses.map(({ component, level, until }) => ({
      component,
      level,
      until: new Date(until).toISOString(),
    })),
  }
  return { data, table: { columns: ['COMPONENT', 'LEVEL', 'UNTIL'], rows } }
}

function declare<A>(command: Command<A>): Command<A> {
  return command
}
