/** Requests of publishers and subscribers: what is in `<pubsub/>` of the namespace that all may use (XEP-0060 §5 to §7). */
import { Preconditions } from './configuration.js'
import type { Managing } from './managing.js'
import type { Draft, Publishing } from './publishing.js'
import { refusal } from './refusals.js'
import { retrieve } from './retrieving.js'
import type { Service } from './service.js'
import type { IqRequest } from '../../host/iq-table.js'
import { isTrue } from '../../stanza/forms.js'
import { StanzaError } from '../../stanza/errors.js'
import type { ItemRecord } from '../../storage/pubsub.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { parseElement } from '../../xml/parser.js'

/** Characters of a node's name. */
export const longestName = 512

export class Requests {
  readonly #service: Service
  readonly #publishing: Publishing
  readonly #managing: Managing

  constructor(service: Service, publishing: Publishing, managing: Managing) {
    this.#service = service
    this.#publishing = publishing
    this.#managing = managing
  }

  async get(request: IqRequest): Promise<Element> {
    const asked = actionOf(request.query)
    switch (asked.local) {
      case 'items':
        return this.#items(request, asked)
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
      case 'create':
        return this.#create(request, asked)
      default:
        throw new StanzaError('feature-not-implemented')
    }
  }

  /** XEP-0060 §6.5 */
  async #items({ to, from }: IqRequest, asked: Element): Promise<Element> {
    const name = nameOf(asked)
    const node = await this.#service.requireRead(to, name, from)
    const ids = asked.childrenOf('item', NS.pubsub).map(({ attrs }) => attrs['id'] ?? '')
    const max = countOf(asked.attrs['max_items'])
    const page = await retrieve(this.#service, node, { ids: ids.length > 0 ? ids : undefined, max })
    const items = page.items.map((item) => itemElement(item, to.toString()))
    return el('pubsub', NS.pubsub, undefined, el('items', undefined, { node: name }, ...items))
  }

  /** XEP-0060 §7.1 */
  async #publish({ to, from, query }: IqRequest, asked: Element): Promise<Element> {
    const name = nameOf(asked)
    const options = query.child('publish-options', NS.pubsub)?.child('x', NS.dataForms)
    const ids = await this.#publishing.publish(to, name, draftsOf(asked), {
      by: from,
      preconditions: options && new Preconditions(options),
    })
    const items = ids.map((id) => el('item', undefined, { id }))
    return el('pubsub', NS.pubsub, undefined, el('publish', undefined, { node: name }, ...items))
  }

  /** XEP-0060 §7.2 */
  async #retract({ to, from }: IqRequest, asked: Element): Promise<undefined> {
    const name = nameOf(asked)
    const items = asked.childrenOf('item', NS.pubsub)
    const ids = items.map(({ attrs }) => attrs['id'] ?? '')
    if (ids.length === 0 || ids.includes('')) throw refusal('bad-request', 'item-required')
    const { notify } = asked.attrs
    await this.#publishing.retract(to, name, ids, {
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
    const node = await this.#managing.create(to, name, from, form)
    return el('pubsub', NS.pubsub, undefined, el('create', undefined, { node: node.name }))
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
