/** The parts of a kind of service, put together. */
import { Entities } from './entities.js'
import { Managing } from './managing.js'
import { Nodes } from './nodes.js'
import { Notices } from './notices.js'
import { OwnerRequests } from './owner-requests.js'
import { Publishing, type Onlookers } from './publishing.js'
import { Requests, type Doings } from './requests.js'
import { Service, type Rules } from './service.js'
import { FORM_AUTHORIZATION, Subscribing } from './subscribing.js'
import type { Host } from '../../host/host.js'
import { iq, type IqHandler, type Place } from '../../host/iq-table.js'
import { serviceKey, type ServiceKey } from '../../host/module.js'
import { formTypeOf } from '../../stanza/forms.js'
import type { Stanza } from '../../stanza/stanza.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

export interface Engine extends Doings {
  readonly nodes: Nodes
  readonly notices: Notices
}

/** What a reload leaves to the next set-up: whoever changes a node there still must find it changed here. */
export function memoryKey(name: string): ServiceKey<Nodes> {
  return serviceKey<Nodes>(`${name}.memory`)
}

/** `services` is how many are kept in memory, unless `memory` has been kept from before. */
export function engineOn(
  host: Host,
  rules: Rules,
  onlookers: Onlookers,
  { memory, services }: { readonly memory: Nodes | undefined; readonly services: number },
): Engine {
  const { pubsub: store } = host.stores
  const nodes = memory ?? new Nodes(store, rules.defaults, services)
  const service = new Service(rules, { nodes, store, clock: host.clock, random: host.random })
  const notices = new Notices(service)
  const entities = new Entities(service, notices)
  return {
    nodes,
    service,
    notices,
    entities,
    publishing: new Publishing(service, notices, onlookers),
    managing: new Managing(service, notices, entities, onlookers),
    subscribing: new Subscribing(service, notices),
  }
}

/** All requests that pubsub knows, at accounts or at a domain. */
export function handlersOf(engine: Engine, at: Place): readonly IqHandler[] {
  const requests = new Requests(engine)
  const ownerRequests = new OwnerRequests(engine)
  return [
    iq('get', at, 'pubsub', NS.pubsub, (request) => requests.get(request)),
    iq('set', at, 'pubsub', NS.pubsub, (request) => requests.set(request)),
    iq('get', at, 'pubsub', NS.pubsubOwner, (request) => ownerRequests.get(request)),
    iq('set', at, 'pubsub', NS.pubsubOwner, (request) => ownerRequests.set(request)),
  ]
}

/** XEP-0060 §8.6: the form in which an owner answers who wants to subscribe, if this is one. */
export function approvalIn(stanza: Stanza): Element | undefined {
  if (stanza.kind !== 'message' || !stanza.to?.isBare) return undefined
  const x = stanza.child('x', NS.dataForms)
  if (x?.attrs['type'] !== 'submit' && x?.attrs['type'] !== 'cancel') return undefined
  return formTypeOf(x) === FORM_AUTHORIZATION ? x : undefined
}

/** Milliseconds between looks for items that have expired: until then they only take room. */
const sweepEvery = 3_600_000

/** Removes what has expired, now and then, of all services; the result ends it. */
export function sweeping({ stores, clock, log }: Host): () => void {
  const sweep = (): void => {
    stores.pubsub
      .removeExpired(clock.now())
      .catch((error: unknown) => log.warn('pep.sweep.failed', { error }))
    timer = clock.after(sweepEvery, sweep)
  }
  let timer = clock.after(sweepEvery, sweep)
  return () => timer.cancel()
}

/** XEP-0060 §16.3: what every service of ours can do; the name of each without `http://jabber.org/protocol/pubsub`. */
export const commonFeatures: readonly string[] = [
  '',
  '#config-node',
  '#config-node-max',
  '#create-and-configure',
  '#create-nodes',
  '#delete-items',
  '#delete-nodes',
  '#instant-nodes',
  '#item-ids',
  '#manage-subscriptions',
  '#member-affiliation',
  '#meta-data',
  '#modify-affiliations',
  '#multi-items',
  '#outcast-affiliation',
  '#persistent-items',
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
]

export function featuresNamed(names: readonly string[]): readonly string[] {
  return [...new Set([...commonFeatures, ...names])].sort().map((name) => `${NS.pubsub}${name}`)
}
