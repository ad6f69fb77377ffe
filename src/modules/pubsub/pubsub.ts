/** XEP-0060: a publish-subscribe service at a domain of its own, for what belongs to no account. */
import { serviceDefaults } from './configuration.js'
import { Discovery } from './discovery.js'
import { approvalIn, engineOn, featuresNamed, handlersOf, memoryKey, sweeping } from './engine.js'
import type { Onlookers } from './publishing.js'
import type { Relation, Rules } from './service.js'
import { choice, domain, list, jid, number, options, required, size } from '../../base/schema.js'
import type { Host } from '../../host/host.js'
import { defineModule } from '../../host/module.js'
import { StanzaError } from '../../stanza/errors.js'
import { Jid } from '../../stanza/jid.js'

const memory = memoryKey('pubsub')

/** Nobody else has a word in it. */
const unwatched: Onlookers = { check: async (draft) => draft, told: async () => {} }

/** There is no presence here, and the service is no secret. */
const anybody: Relation = { owner: false, sharesPresence: false, groups: [], stranger: false }

export default defineModule({
  name: 'pubsub',
  summary: 'A publish-subscribe service at a domain of its own',
  xeps: [{ number: 60, version: '1.30.0', status: 'partial', note: 'leaf nodes only' }],
  enabled: false,
  options: options({
    domain: domain(undefined, 'Where the service is; without it pubsub.DOMAIN.'),
    creators: choice(
      ['local', 'anyone', 'listed'],
      'local',
      'Who may create nodes: users of this domain, everybody, or only those who are listed.',
    ),
    listed: list(jid(required, ''), [], 'Addresses that may create nodes whatever creators says.'),
    items: number(1_000, 'Items that a node keeps at most.', { min: 1, max: 100_000, unit: 'items' }),
    nodes: number(1_000, 'Nodes that there are at most.', { min: 1, max: 100_000, unit: 'nodes' }),
    size: size('1GiB', 'What all items may take.', { min: '64KiB', max: '1000GiB' }),
    payload: size('256KiB', 'What one item may take.', { min: '16KiB', max: '4MiB' }),
  }),

  serviceDomains: (domain, settings) => [serviceDomain(domain, settings)],

  setup(host, settings) {
    const address = Jid.of('', serviceDomain(host.domain, settings))
    const engine = engineOn(host, rulesOf(host, settings), unwatched, {
      memory: host.provided(memory),
      services: 1,
    })
    const { service, subscribing } = engine
    return {
      hosts: [
        {
          domain: address.domain,
          identities: [{ category: 'pubsub', type: 'service' }],
          features,
          iq: handlersOf(engine, 'host'),
          branch: new Discovery(service, 'host'),
          async receive(stanza) {
            const x = approvalIn(stanza)
            if (!x || !stanza.to?.equals(address)) throw new StanzaError('service-unavailable')
            await subscribing.answered(address, stanza.from, x)
          },
        },
      ],
      provides: [{ key: memory, value: engine.nodes }],
      stop: sweeping(host),
    }
  },
})

function serviceDomain(host: string, { domain }: { readonly domain: string | undefined }): string {
  return domain ?? `pubsub.${host}`
}

const features = featuresNamed(['#access-open'])

interface Settings {
  readonly creators: 'anyone' | 'listed' | 'local'
  readonly listed: readonly string[]
  readonly items: number
  readonly nodes: number
  readonly size: number
  readonly payload: number
}

function rulesOf(host: Host, { creators, listed, items, nodes, size: bytes, payload }: Settings): Rules {
  const hits = {
    items: 'pubsub_items',
    nodes: 'pubsub_nodes',
    bytes: 'pubsub_size',
    entities: 'pubsub_entities',
  } as const
  const mayCreate = async (who: Jid): Promise<boolean> => {
    if (creators === 'anyone' || listed.includes(who.bare.toString())) return true
    // What guests make would never be deleted.
    return creators === 'local' && who.domain === host.domain && !!(await host.account(who.local))
  }
  return {
    bounds: { access: ['authorize', 'open', 'whitelist'], items, payload },
    defaults: { ...serviceDefaults, maxPayload: payload },
    room: { nodes, bytes, entities: 10_000 },
    autoCreate: false,
    relation: () => anybody,
    async account(_service, who) {
      if (!who || !(await mayCreate(who))) throw new StanzaError('forbidden')
      return undefined
    },
    audience: () => [],
    blocks: () => false,
    send: (stanza) => host.send(stanza),
    hit: (bound) => host.hits.add(hits[bound]),
  }
}
