/** The service of `api.ts`: what other modules of this server do with the nodes of accounts. */
import type { Pep, PepDraft, PepEvent, PepItem, PepOptions } from './api.js'
import type { Configuration } from './configuration.js'
import type { Engine } from './engine.js'
import type { Event, Onlookers } from './publishing.js'
import { retrieveAll, type Wanted } from './retrieving.js'
import type { Host } from '../../host/host.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import { parseElement } from '../../xml/parser.js'

/** Onlookers by the name of the node they are interested in. */
export class ByName implements Onlookers {
  readonly watchers = new Map<string, Set<Parameters<Pep['watch']>[1]>>()
  readonly guards = new Map<string, Set<Parameters<Pep['guard']>[1]>>()
  readonly #host: Host

  constructor(host: Host) {
    this.#host = host
  }

  async check(draft: PepDraft): Promise<Pick<PepDraft, 'id' | 'payload'>> {
    for (const check of this.guards.get(draft.node) ?? []) draft = { ...draft, ...(await check(draft)) }
    return draft
  }

  async told(event: Event): Promise<void> {
    const watchers = this.watchers.get(event.node.name)
    if (!watchers) return
    for (const told of eventsOf(event))
      for (const watcher of watchers) {
        try {
          await watcher(told)
        } catch (error) {
          this.#host.log.error('module.crashed', { on: event.node.name, error })
        }
      }
  }
}

function eventsOf({ node, by, items = [], retracted = [], gone }: Event): readonly PepEvent[] {
  const about = { account: node.service, node: node.name, ...(by ? { by } : {}) }
  return [
    ...items.flatMap(({ record, payload }) =>
      payload ? [{ ...about, item: { id: record.id, payload, ...(by ? { publisher: by.bare } : {}) } }] : [],
    ),
    ...retracted.map((id) => ({ ...about, retracted: id })),
    ...(gone ? [{ ...about, gone }] : []),
  ]
}

export function pepOn({ service, publishing, managing }: Engine, { watchers, guards }: ByName): Pep {
  async function read(account: Jid, name: string, wanted: Wanted, reader?: Jid): Promise<readonly PepItem[]> {
    try {
      const node = await service.requireRead(account, name, reader)
      if (!node.config.persist) return []
      const items = await retrieveAll(service, node, wanted)
      return items.flatMap(({ id, payload }) => (payload ? [{ id, payload: parseElement(payload) }] : []))
    } catch (error) {
      if (error instanceof StanzaError) return []
      throw error
    }
  }

  async function ifThere(run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error
    }
  }

  return {
    mostItems: service.rules.bounds.items,
    async publish(account, node, { id, payload }, wanted = {}, by) {
      const preconditions = {
        over: (defaults: Configuration) => ({ ...defaults, ...configurationOf(wanted) }),
        check: () => undefined,
      }
      const [made] = await publishing.publish(account, node, [{ id, payload }], { by, preconditions })
      return made!
    },
    items: (account, node, which = {}) => read(account, node, which),
    readable: (account, node, reader, which = {}) => read(account, node, which, reader),
    retract: (account, node, id, notify) =>
      ifThere(() => publishing.retract(account, node, [id], { by: undefined, notify })),
    deleteNode: (account, node) => ifThere(() => managing.delete(account, node, undefined)),
    accessOf: async (account, node) => (await service.nodes.of(account)).get(node)?.config.access,
    nodes: async (account) => [...(await service.nodes.of(account)).keys()],
    watch: (node, on) => entered(watchers, node, on),
    guard: (node, check) => entered(guards, node, check),
  }
}

function configurationOf({
  access,
  maxItems,
  persist,
  sendLast,
  notifyRetract,
}: PepOptions): Partial<Configuration> {
  return {
    ...(access === undefined ? {} : { access }),
    ...(maxItems === undefined ? {} : { maxItems }),
    ...(persist === undefined ? {} : { persist }),
    ...(sendLast === undefined ? {} : { sendLast }),
    ...(notifyRetract === undefined ? {} : { notifyRetract }),
  }
}

/** Adds to the set of that name; the result takes it out again. */
function entered<T>(sets: Map<string, Set<T>>, name: string, one: T): () => void {
  const set = sets.get(name) ?? new Set<T>()
  sets.set(name, set.add(one))
  return () => {
    set.delete(one)
    if (set.size === 0 && sets.get(name) === set) sets.delete(name)
  }
}
