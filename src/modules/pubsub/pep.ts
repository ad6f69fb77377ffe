/** XEP-0163: Personal Eventing Protocol. Each account is a pubsub service (XEP-0060), which its contacts hear of unasked. */
import { pepKey } from './api.js'
import { audienceOf, relationTo, resourcesOf } from './audience.js'
import { pepDefaults, type Bounds } from './configuration.js'
import { Discovery } from './discovery.js'
import { approvalIn, engineOn, featuresNamed, handlersOf, memoryKey, sweeping } from './engine.js'
import { ByName, pepOn } from './in-house.js'
import { accountsFor, sendLastItems } from './last-items.js'
import { portableNodes } from './moving.js'
import { notForStrangers } from './refusals.js'
import type { Rules } from './service.js'
import { number, options, size } from '../../base/schema.js'
import { handled, hook, type Verdict } from '../../host/hooks.js'
import type { Host } from '../../host/host.js'
import { defineModule } from '../../host/module.js'
import type { Contacts } from '../../session/contacts.js'
import type { ContactChange } from '../../session/roster.js'
import { Slot } from '../../session/slot.js'
import { hasFrom } from '../../session/subscription.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'
import { blockingKey } from '../blocking/api.js'
import { capabilitiesKey } from '../capabilities/api.js'

/** Accounts whose nodes are kept in memory. */
const accountsInMemory = 5_000

const memory = memoryKey('pep')

/** What an available session's client was known to ask for. */
const asked = new Slot<{ features: ReadonlySet<string> }>('pep', () => ({ features: new Set() }))

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
    const onlookers = new ByName(host)
    const engine = engineOn(host, rules, onlookers, {
      memory: host.provided(memory),
      services: accountsInMemory,
    })
    const { nodes, service, notices, entities, subscribing } = engine

    const endSweeping = sweeping(host)
    const unlisten = capabilities.onKnown((full, features, account) => {
      const session = host.sessions.get(full)
      // One from elsewhere concerns those whom it has shown presence.
      if (!session?.presence) return sendLastItems({ service, notices, host }, full, features, [account])
      // A resource of ours concerns its contacts here as well. XEP-0163 §4.3.3: only what it has not asked for before.
      const state = session.state(asked)
      const fresh = [...features].filter((feature) => !state.features.has(feature))
      state.features = features
      return sendLastItems({ service, notices, host }, full, fresh, accountsFor(host, full))
    })

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
      const x = approvalIn(stanza)
      if (!x) return undefined
      return subscribing.answered(stanza.to!, stanza.from, x).then(
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
      iq: handlersOf(engine, 'account'),
      hooks: [hook('received', 'stamp', ['message'], (stanza) => approval(stanza))],
      events: {
        contactChanged,
        presenceChanged({ session, now }) {
          if (!now) session.state(asked).features = new Set()
        },
        accountDeleted: (account) => nodes.forget(account),
      },
      branches: [new Discovery(service, 'account')],
      portable: portableNodes(service, host.domain),
      provides: [
        { key: pepKey, value: pepOn(engine, onlookers) },
        { key: memory, value: nodes },
      ],
      stop() {
        unlisten()
        endSweeping()
      },
    }
  },
})

const features = featuresNamed([
  '#access-presence',
  '#auto-create',
  '#auto-subscribe',
  '#filtered-notifications',
  '#last-published',
  '#presence-subscribe',
])

function rulesOf(host: Host, limits: Limits): Rules {
  const contactsOf = (account: Jid): Contacts | undefined | Promise<Contacts | undefined> =>
    host.roster.cached(account) ?? host.roster.load(account)
  const bounds: Bounds = {
    access: ['authorize', 'open', 'presence', 'roster', 'whitelist'],
    items: limits.items,
    payload: limits.payload,
  }
  const hits = {
    items: 'pep_items',
    nodes: 'pep_nodes',
    bytes: 'pep_size',
    entities: 'pubsub_entities',
  } as const
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
