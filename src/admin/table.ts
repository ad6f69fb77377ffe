/** The one table of commands of a running server: its own, those of its modules, and `help`, which describes them all. */
import { domain, Misfit, option, options, required } from '../base/schema.js'
import type { Node, Option, Schema } from '../base/schema.js'
import { argumentsOf, CommandError } from '../host/command.js'
import type { AnyCommand, Role } from '../host/command.js'
import type { Jid } from '../stanza/jid.js'
import { adminCommands } from './commands.js'
import type { AdminServices } from './commands.js'

/** What one must know of a command to type it; JSON can hold it. */
export interface CommandFacts {
  readonly name: string
  readonly role: Role
  readonly summary: string
  readonly reads: boolean
  readonly args: readonly {
    /** In snake_case. */
    readonly key: string
    readonly kind: string
    readonly doc: string
    readonly required: boolean
  }[]
  readonly places: readonly string[]
  readonly slow: boolean
}

/** Gives the commands as they are at each moment: a reload changes those of modules. */
export function commandTable(server: () => AdminServices): () => readonly AnyCommand[] {
  const own = adminCommands(server)
  const names = new Set(own.map(({ name }) => name))
  let known:
    | { readonly from: readonly (readonly AnyCommand[])[]; readonly all: readonly AnyCommand[] }
    | undefined
  return () => {
    const now = server()
    const from = now.domains.map((served) => now.moduleCommands(served))
    // Until a reload they are the same.
    if (known && from.every((one, i) => one === known!.from[i])) return known.all
    const ofModules = moduleCommands(now).filter(({ name }) => !names.has(name))
    known = { from, all: [...own, ...ofModules, helpOn([...own, ...ofModules])] }
    return known.all
  }
}

/** The name of the command that tells `CommandFacts` of all others. */
export const HELP = 'help'

function helpOn(commands: readonly AnyCommand[]): AnyCommand {
  return {
    name: HELP,
    role: 'operator',
    summary: 'What the commands are',
    args: options({}),
    reads: true,
    run: async () => ({ data: commands.map(factsOf) }),
  }
}

function factsOf(command: AnyCommand): CommandFacts {
  const { name, role, summary, reads = false, slow = false, places = [] } = command
  return {
    name,
    role,
    summary,
    reads,
    slow,
    places,
    args: argumentsOf(command).map(({ key, option, required: needed }) => ({
      key,
      kind: option.kind,
      doc: option.doc,
      required: needed,
    })),
  }
}

/** A command for whoever types it: the words are sorted by it, and checked where it runs. */
export function commandOf({ args, ...facts }: CommandFacts): AnyCommand {
  const fields = args.map(({ key, kind, doc, required: needed }): [string, Option<unknown>] => [
    key,
    option({
      kind,
      doc,
      fallback: needed ? required : undefined,
      reload: 'applied',
      expects: doc,
      parse: (raw) => raw,
    }),
  ])
  return {
    ...facts,
    args: options(Object.fromEntries(fields)),
    run: () => Promise.reject(new Error('commands run in the server')),
  }
}

/** The commands of the modules, one for all domains on which there is one of that name. */
function moduleCommands(server: AdminServices): AnyCommand[] {
  const byName = new Map<string, Map<string, AnyCommand>>()
  for (const served of server.domains)
    for (const command of server.moduleCommands(served)) {
      const places = byName.get(command.name) ?? new Map<string, AnyCommand>()
      byName.set(command.name, places.set(served, command))
    }
  const named = [...byName].sort(([a], [b]) => (a < b ? -1 : 1))
  return named.map(([, places]) => onEveryDomain(places, server.domains[0] ?? ''))
}

/** `places` by domain, all of one name. */
function onEveryDomain(places: ReadonlyMap<string, AnyCommand>, first: string): AnyCommand {
  const [command] = [...places.values()] as [AnyCommand]
  const args = command.args as Schema<Readonly<Record<string, unknown>>>
  const account = Object.entries(args.fields).find(([, node]) => (node as Option<unknown>).kind === 'account')
  const at = (place: string) => {
    const found = places.get(place)
    if (!found)
      throw new CommandError(
        `there is no ${command.name} on ${place}`,
        `domains: ${[...places.keys()].join(', ')}`,
      )
    return found
  }
  const { concerns } = command
  if (concerns && !account) {
    const isMeant = (given: unknown) => (one: AnyCommand) => one.concerns!(given)
    return {
      ...command,
      run: (given, context) => ([...places.values()].find(isMeant(given)) ?? command).run(given, context),
    }
  }
  if (!account) {
    const which: Node<string | undefined> = domain(undefined, `On which domain; default: ${first}`)
    const { domain: _own, ...fields } = args.fields
    return {
      ...command,
      args: options({ ...fields, domain: which }),
      run: ({ domain: place = first, ...given }, context) => at(place).run(given, context),
    }
  }
  const [field] = account
  return {
    ...command,
    args: { ...args, parse: (raw) => args.parse(completed(raw, field, first)) },
    run: (given, context) => at((given[field] as Jid).domain).run(given, context),
  }
}

/** `ana` is one of the first domain. */
function completed(raw: unknown, field: string, first: string): unknown {
  if (typeof raw !== 'object' || raw === null) throw new Misfit('is no table of arguments')
  const name: unknown = (raw as Record<string, unknown>)[field]
  return typeof name === 'string' && !name.includes('@') ? { ...raw, [field]: `${name}@${first}` } : raw
}
