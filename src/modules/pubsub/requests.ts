/** Requests of publishers and subscribers: what is in `<pubsub/>` of the namespace that all may use (XEP-0060 §5 to §7). */
import { Preconditions } from './configuration.js'
import type { Entities } from './entities.js'
import type { Managing } from './managing.js'
import type { Draft, Publishing } from './publishing.js'
import { refusal } from './refusals.js'
import { retrieve, type Page } from './retrieving.js'
import type { Service } from './service.js'
import type { Subscribing } from './subscribing.js'
import type { IqRequest } from '../../host/iq-table.js'
import { isTrue } from '../../stanza/forms.js'
import { StanzaError } from '../../stanza/errors.js'
import { Jid, JidError } from '../../stanza/jid.js'
import { pageInfo, pageRequestOf } from '../../stanza/rsm.js'
import type { ItemRecord } from '../../storage/pubsub.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { parseElement } from '../../xml/parser.js'

/** Characters of a node's name. */
export const longestName = 512

/** What a service can do, as requests ask for it. */
export interface Doings {
  readonly service: Service
  readonly publishing: Publishing
  readonly managing: Managing
  readonly subscribing: Subscribing
  readonly entities: Entities
}

export class Requests {
  readonly #doings: Doings

  constructor(doings: Doings) {
    this.#doings = doings
  }

  async get(request: IqRequest): Promise<Element> {
    const asked = actionOf(request.query)
    switch (asked.local) {
      case 'items':
        return this.#items(request, asked)
      case 'subscriptions':
        return this.#subscriptions(request, asked)
      case 'affiliations':
        return this.#affiliations(request, asked)
      case 'options':
        return this.#options(request, asked)
      case 'default':
        return this.#default(request, asked)
      default:
        throw new StanzaError('feature-not-implemented')
    }
  }

  async set(request: IqRequest): Promise<Element | undefined> {
    const asked = actionOf(request.query)
    switch (asked.local) {
      case 'publish':
        return this.#publish(request, asked)
      case 'retract':
        return this.#retract(request, asked)
      case 'subscribe':
        return this.#subscribe(request, asked)
      case 'unsubscribe':
        return this.#unsubscribe(request, asked)
      case 'options':
        return this.#setOptions(request, asked)
      case 'create':
        return this.#create(request, asked)
      default:
        throw new StanzaError('feature-not-implemented')
    }
  }

  /** XEP-0060 §6.5 */
  async #items({ to, from, query }: IqRequest, asked: Element): Promise<Element> {
    const { service } = this.#doings
    const name = nameOf(asked)
    const node = await service.requireRead(to, name, from)
    const ids = asked.childrenOf('item', NS.pubsub).map(({ attrs }) => attrs['id'] ?? '')
    const page = query.child('set', NS.resultSets) && pageRequestOf(query)
    const found = await retrieve(service, node, {
      ids: ids.length > 0 ? ids : undefined,
      max: countOf(asked.attrs['max_items']),
      page,
    })
    const items = found.items.map((item) => itemElement(item, to.toString()))
    const answered = answer(el('items', undefined, { node: name }, ...items))
    // XEP-0060 §6.5.4: also unasked, when some were left out.
    if (page || found.cut) answered.cnode(infoOf(found))
    return answered
  }

  /** XEP-0060 §7.1 */
  async #publish({ to, from, query }: IqRequest, asked: Element): Promise<Element> {
    const name = nameOf(asked)
    const options = query.child('publish-options', NS.pubsub)?.child('x', NS.dataForms)
    const ids = await this.#doings.publishing.publish(to, name, draftsOf(asked), {
      by: from,
      preconditions: options && new Preconditions(options),
    })
    const items = ids.map((id) => el('item', undefined, { id }))
    return answer(el('publish', undefined, { node: name }, ...items))
  }

  /** XEP-0060 §7.2 */
  async #retract({ to, from }: IqRequest, asked: Element): Promise<undefined> {
    const name = nameOf(asked)
    const items = asked.childrenOf('item', NS.pubsub)
    const ids = items.map(({ attrs }) => attrs['id'] ?? '')
    if (ids.length === 0 || ids.includes('')) throw refusal('bad-request', 'item-required')
    const { notify } = asked.attrs
    await this.#doings.publishing.retract(to, name, ids, {
      by: from,
      notify: notify === undefined ? undefined : isTrue(notify),
    })
    return undefined
  }

  /** XEP-0060 §8.1 */
  async #create({ to, from, query }: IqRequest, asked: Element): Promise<Element> {
    const configure = query.child('configure', NS.pubsub)
    // XEP-0060 §8.1.3: the node is named once.
    if (configure?.attrs['node'] !== undefined) throw new StanzaError('bad-request')
    const name = asked.attrs['node'] ? nameOf(asked) : undefined
    const form = configure?.child('x', NS.dataForms)
    const node = await this.#doings.managing.create(to, name, from, form)
    return answer(el('create', undefined, { node: node.name }))
  }

  /** XEP-0060 §6.1, §6.3.7 */
  async #subscribe(request: IqRequest, asked: Element): Promise<Element> {
    const { to, from, query } = request
    const { subscribing } = this.#doings
    const name = nameOf(asked)
    const jid = jidOf(asked, 'invalid-jid')
    const options = query.child('options', NS.pubsub)?.child('x', NS.dataForms)
    const subscription = await subscribing.subscribe(to, name, from, jid, options)
    if (subscription.state === 'subscribed') {
      // Behind the result where that can be known.
      if (request.session) request.afterwards = () => void subscribing.sendLast(to, name, jid).catch(ignored)
      else await subscribing.sendLast(to, name, jid)
    }
    return answer(subscriptionElement(name, subscription))
  }

  /** XEP-0060 §6.2 */
  async #unsubscribe({ to, from }: IqRequest, asked: Element): Promise<Element> {
    const name = nameOf(asked)
    const jid = jidOf(asked, 'invalid-jid')
    await this.#doings.subscribing.unsubscribe(to, name, from, jid)
    return answer(subscriptionElement(name, { jid, state: 'none' }))
  }

  /** XEP-0060 §6.3.2, §6.3.3 */
  async #options({ to, from }: IqRequest, asked: Element): Promise<Element> {
    const node = nameOf(asked)
    const jid = jidOf(asked, 'jid-required')
    const form = await this.#doings.subscribing.optionsForm(to, node, from, jid)
    return answer(el('options', undefined, { node, jid: jid.toString() }, form))
  }

  /** XEP-0060 §6.3.5 */
  async #setOptions({ to, from }: IqRequest, asked: Element): Promise<undefined> {
    const name = nameOf(asked)
    const jid = jidOf(asked, 'jid-required')
    const form = asked.child('x', NS.dataForms)
    if (!form) throw refusal('bad-request', 'invalid-options')
    if (form.attrs['type'] !== 'cancel') await this.#doings.subscribing.setOptions(to, name, from, jid, form)
    return undefined
  }

  /** XEP-0060 §6.4 */
  async #default({ to, from }: IqRequest, asked: Element): Promise<Element> {
    const node = asked.attrs['node'] ? nameOf(asked) : undefined
    const form = await this.#doings.subscribing.defaultOptionsForm(to, node, from)
    return answer(el('default', undefined, { node }, form))
  }

  /** XEP-0060 §5.6 */
  async #subscriptions({ to, from }: IqRequest, asked: Element): Promise<Element> {
    const name = asked.attrs['node'] === undefined ? undefined : nameOf(asked)
    const found = await this.#doings.subscribing.subscriptionsOf(to, from, name)
    const elements = found.map(({ node, subscription }) => subscriptionElement(node.name, subscription))
    return answer(el('subscriptions', undefined, { node: name }, ...elements))
  }

  /** XEP-0060 §5.7 */
  async #affiliations({ to, from }: IqRequest, asked: Element): Promise<Element> {
    const name = asked.attrs['node'] === undefined ? undefined : nameOf(asked)
    const found = await this.#doings.entities.affiliationsOf(to, from, name)
    const elements = found.map(({ node, affiliation }) =>
      el('affiliation', undefined, { node: node.name, affiliation }),
    )
    return answer(el('affiliations', undefined, { node: name }, ...elements))
  }
}

function infoOf({ items, index, count }: Page): Element {
  const first = items[0]?.id
  return pageInfo({ first, last: items.at(-1)?.id, index: first === undefined ? undefined : index, count })
}

/** What is sent along fails as if it had been lost on its way. */
const ignored = (): void => undefined

function answer(child: Element): Element {
  return el('pubsub', NS.pubsub, undefined, child)
}

function subscriptionElement(
  node: string,
  { jid, state }: { readonly jid: Jid; readonly state: 'none' | 'pending' | 'subscribed' },
): Element {
  return el('subscription', undefined, { node, jid: jid.toString(), subscription: state })
}

/** @throws StanzaError `bad-request` with that detail */
export function jidOf(asked: Element, detail: 'invalid-jid' | 'jid-required'): Jid {
  try {
    return Jid.parse(asked.attrs['jid'] ?? '')
  } catch (error) {
    if (error instanceof JidError) throw refusal('bad-request', detail)
    throw error
  }
}

/** The one child that says what is asked; what goes with it stands behind. */
export function actionOf(query: Element): Element {
  const [asked] = query.childrenOf()
  if (!asked || asked.ns !== query.ns) throw new StanzaError('bad-request', 'Nothing is asked for.')
  return asked
}

/** @throws StanzaError `bad-request` with `nodeid-required` */
export function nameOf(asked: Element): string {
  const name = asked.attrs['node'] ?? ''
  if (name === '') throw refusal('bad-request', 'nodeid-required')
  if (name.length > longestName)
    throw new StanzaError('bad-request', `The name of a node has up to ${longestName} characters.`)
  return name
}

function countOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new StanzaError('bad-request', 'max_items is a number from 1.')
  return Number(text)
}

/** XEP-0060 §7.1.3.6: one payload at most. */
function draftsOf(asked: Element): readonly Draft[] {
  return asked.childrenOf('item', NS.pubsub).map((item) => {
    const [payload, ...more] = item.childrenOf()
    if (more.length > 0) throw refusal('bad-request', 'invalid-payload')
    return { id: item.attrs['id'] === '' ? undefined : item.attrs['id'], payload }
  })
}

/** `service` is not named as publisher. */
export function itemElement({ id, publisher, payload }: ItemRecord, service: string): Element {
  return el(
    'item',
    undefined,
    { id, publisher: publisher === service ? undefined : publisher },
    payload === '' ? undefined : parseElement(payload),
  )
}
