/** XEP-0163: Personal Eventing Protocol. Each account is a pubsub service (XEP-0060), which its contacts hear of unasked. */
import { pepKey, type Pep, type PepDraft, type PepEvent, type PepItem, type PepOptions } from './api.js'
import { audienceOf, relationTo, resourcesOf } from './audience.js'
import { pepDefaults, type Bounds, type Configuration } from './configuration.js'
import { Discovery } from './discovery.js'
import { Entities } from './entities.js'
import { accountsFor, sendLastItems } from './last-items.js'
import { Managing } from './managing.js'
import { portableNodes } from './moving.js'
import { Nodes } from './nodes.js'
import { Notices } from './notices.js'
import { OwnerRequests } from './owner-requests.js'
import { Publishing, type Event, type Onlookers } from './publishing.js'
import { notForStrangers } from './refusals.js'
import { Requests } from './requests.js'
import { retrieveAll, type Wanted } from './retrieving.js'
import { Service, type Rules } from './service.js'
import { FORM_AUTHORIZATION, Subscribing } from './subscribing.js'
import { number, options, size } from '../../base/schema.js'
import { handled, hook, type Verdict } from '../../host/hooks.js'
import type { Host } from '../../host/host.js'
import { iq } from '../../host/iq-table.js'
import { defineModule, serviceKey } from '../../host/module.js'
import type { Contacts } from '../../session/contacts.js'
import type { ContactChange } from '../../session/roster.js'
import { hasFrom } from '../../session/subscription.js'
import { StanzaError } from '../../stanza/errors.js'
import { formTypeOf } from '../../stanza/forms.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'
import { NS } from '../../xml/namespaces.js'
import { parseElement } from '../../xml/parser.js'
import { blockingKey } from '../blocking/api.js'
import { capabilitiesKey } from '../capabilities/api.js'

/** Accounts whose nodes are kept in memory. */
const accountsInMemory = 5_000

/** Milliseconds between looks for items that have expired: until then they only take room. */
const sweepEvery = 3_600_000

/** What a reload leaves to the next set-up: whoever changes a node there still must find it changed here. */
const memory = serviceKey<Nodes>('pep.memory')

interface Limits {
  readonly items: number
  readonly nodes: number
  readonly size: number
  readonly payload: number
}

export default defineModule({
  name: 'pep',
  summary: 'Publishes what contacts and other devices want to know: avatars, bookmarks, keys',
  xeps: [
    { number: 60, version: '1.30.0', status: 'partial', note: 'at accounts; leaf nodes only' },
    { number: 163, version: '1.2.2' },
    { number: 222, version: '1.0' },
    { number: 223, version: '1.1.1' },
  ],
  requires: ['capabilities'],
  options: options({
    items: number(256, 'Items that a node keeps at most.', { min: 1, max: 10_000, unit: 'items' }),
    nodes: number(500, 'Nodes that an account has at most.', { min: 1, max: 10_000, unit: 'nodes' }),
    size: size('32MiB', 'What the items of one account may take in all.', { min: '64KiB', max: '4GiB' }),
    payload: size('256KiB', 'What one item may take.', { min: '16KiB', max: '4MiB' }),
  }),

  setup(host, limits) {
    const capabilities = host.service(capabilitiesKey)
    const rules = rulesOf(host, limits)
    const { pubsub: store } = host.stores
    const nodes = host.provided(memory) ?? new Nodes(store, rules.defaults, accountsInMemory)
    const service = new Service(rules, { nodes, store, clock: host.clock, random: host.random })
    const notices = new Notices(service)
    const onlookers = new ByName(host)
    const publishing = new Publishing(service, notices, onlookers)
    const entities = new Entities(service, notices)
    const managing = new Managing(service, notices, entities, onlookers)
    const subscribing = new Subscribing(service, notices)
    const doings = { service, publishing, managing, entities, subscribing }
    const requests = new Requests(doings)
    const ownerRequests = new OwnerRequests(doings)

    const unlisten = capabilities.onKnown((full, features, account) => {
      // A resource of ours concerns its contacts here as well; one from elsewhere those whom it has shown presence.
      const accounts = host.sessions.get(full)?.presence ? accountsFor(host, full) : [account]
      return sendLastItems({ service, notices, host }, full, features, accounts)
    })

    let sweeping = host.clock.after(sweepEvery, sweep)
    function sweep(): void {
      store
        .removeExpired(host.clock.now())
        .catch((error: unknown) => host.log.warn('pep.sweep.failed', { error }))
      sweeping = host.clock.after(sweepEvery, sweep)
    }

    /** XEP-0163 §7.1: who gains access hears what there is; who loses it hears no more. */
    async function contactChanged({ account, before, now }: ContactChange): Promise<void> {
      const [had, has] = [hasFrom(before), now !== undefined && hasFrom(now)]
      if (had) await entities.reconsider(account, before.jid)
      if (had || !has) return
      for (const full of resourcesOf(host, capabilities, account, before.jid))
        await sendLastItems({ service, notices, host }, full, capabilities.of(full) ?? [], [account])
    }

    /** XEP-0060 §8.6: the answer of an owner to who wants to subscribe. */
    function approval(stanza: Stanza): Promise<Verdict> | undefined {
      const { to, from } = stanza
      if (!to?.isBare || !stanza.has('x', NS.dataForms)) return undefined
      const x = stanza.child('x', NS.dataForms)!
      const { type } = x.attrs
      if ((type !== 'submit' && type !== 'cancel') || formTypeOf(x) !== FORM_AUTHORIZATION) return undefined
      return subscribing.answered(to, from, x).then(
        () => handled,
        (error: unknown) => {
          if (error instanceof StanzaError) return error
          throw error
        },
      )
    }

    return {
      accountFeatures: features,
      // XEP-0163 §6.1
      accountIdentities: [{ category: 'pubsub', type: 'pep' }],
      iq: [
        iq('get', 'account', 'pubsub', NS.pubsub, (request) => requests.get(request)),
        iq('set', 'account', 'pubsub', NS.pubsub, (request) => requests.set(request)),
        iq('get', 'account', 'pubsub', NS.pubsubOwner, (request) => ownerRequests.get(request)),
        iq('set', 'account', 'pubsub', NS.pubsubOwner, (request) => ownerRequests.set(request)),
      ],
      hooks: [hook('received', 'stamp', ['message'], (stanza) => approval(stanza))],
      events: { contactChanged, accountDeleted: (account) => nodes.forget(account) },
      branches: [new Discovery(service)],
      portable: portableNodes(service, host.domain),
      provides: [
        { key: pepKey, value: pepOn(service, publishing, managing, onlookers) },
        { key: memory, value: nodes },
      ],
      stop() {
        unlisten()
        sweeping.cancel()
      },
    }
  },
})

const features = [
  '',
  '#access-presence',
  '#auto-create',
  '#auto-subscribe',
  '#config-node',
  '#config-node-max',
  '#create-and-configure',
  '#create-nodes',
  '#delete-items',
  '#delete-nodes',
  '#filtered-notifications',
  '#instant-nodes',
  '#item-ids',
  '#last-published',
  '#manage-subscriptions',
  '#member-affiliation',
  '#meta-data',
  '#modify-affiliations',
  '#multi-items',
  '#outcast-affiliation',
  '#persistent-items',
  '#presence-subscribe',
  '#publish',
  '#publish-node-full',
  '#publish-only-affiliation',
  '#publish-options',
  '#publisher-affiliation',
  '#purge-nodes',
  '#retract-items',
  '#retrieve-affiliations',
  '#retrieve-default',
  '#retrieve-default-sub',
  '#retrieve-items',
  '#retrieve-subscriptions',
  '#rsm',
  '#subscribe',
  '#subscription-notifications',
  '#subscription-options',
].map((name) => `${NS.pubsub}${name}`)

function rulesOf(host: Host, limits: Limits): Rules {
  const contactsOf = (account: Jid): Contacts | undefined | Promise<Contacts | undefined> =>
    host.roster.cached(account) ?? host.roster.load(account)
  const bounds: Bounds = {
    access: ['authorize', 'open', 'presence', 'roster', 'whitelist'],
    items: limits.items,
    payload: limits.payload,
  }
  const hits = { items: 'pep_items', nodes: 'pep_nodes', bytes: 'pep_size' } as const
  return {
    bounds,
    defaults: { ...pepDefaults, maxPayload: limits.payload },
    room: { nodes: limits.nodes, bytes: limits.size, entities: 1_000 },
    autoCreate: true,
    relation(service, who) {
      const contacts = contactsOf(service)
      if (contacts instanceof Promise) return contacts.then((loaded) => relationTo(service, loaded, who))
      return relationTo(service, contacts, who)
    },
    async account(service, who) {
      if (who && !who.bare.equals(service)) {
        throw relationTo(service, await contactsOf(service), who).stranger
          ? notForStrangers()
          : new StanzaError('forbidden')
      }
      const account = await host.account(service.local)
      // What guests leave would never be deleted.
      if (!account) throw new StanzaError('registration-required', 'Guests have no account.')
      return account.id
    },
    audience(node) {
      const capabilities = host.provided(capabilitiesKey)
      if (!capabilities) return []
      const contacts = contactsOf(node.service)
      if (contacts instanceof Promise)
        return contacts.then((loaded) => audienceOf(node, host, loaded, capabilities))
      return audienceOf(node, host, contacts, capabilities)
    },
    blocks: (service, other) => host.provided(blockingKey)?.isBlocked(service, other) ?? false,
    send: (stanza) => host.send(stanza),
    hit: (bound) => host.hits.add(hits[bound]),
  }
}

/** Onlookers by the name of the node they are interested in. */
class ByName implements Onlookers {
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

function pepOn(
  service: Service,
  publishing: Publishing,
  managing: Managing,
  { watchers, guards }: ByName,
): Pep {
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
