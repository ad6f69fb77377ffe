/** Nodes of an account that move between servers (XEP-0227 §4.10): how they are configured, and what is in them. */
import { configurationForm, configured, itemsKept, type Bounds, type Configuration } from './configuration.js'
import { affiliations, type Affiliation, type Node, type Subscription } from './node.js'
import { longestId } from './publishing.js'
import { itemElement } from './requests.js'
import type { Service } from './service.js'
import { each, type Portable } from '../../host/module.js'
import { StanzaError } from '../../stanza/errors.js'
import { formValues } from '../../stanza/forms.js'
import { Jid, readJid } from '../../stanza/jid.js'
import type { Account } from '../../storage/accounts.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Items read from the store at a time. */
const PAGE = 50

/** Nodes that are there already stay as they are, as do their items; nobody is told of what is imported. */
export function portableNodes(service: Service, domain: string): readonly Portable[] {
  const ownerOf = ({ local }: Account) => Jid.of(local, domain)
  return [
    {
      name: 'pubsub',
      ns: NS.pubsubOwner,
      depth: 1,
      export: (account) => declarationsOf(service, ownerOf(account)),
      import: (account, elements) =>
        each(elements, (element) => takeDeclaration(service, ownerOf(account), element)),
    },
    {
      name: 'pubsub',
      ns: NS.pubsub,
      depth: 2,
      export: (account) => contentsOf(service, ownerOf(account)),
      import: (account, elements) =>
        each(elements, (element) => takeItem(service, ownerOf(account), element)),
    },
  ]
}

async function nodesByName(service: Service, owner: Jid): Promise<readonly Node[]> {
  const nodes = [...(await service.nodes.of(owner)).values()]
  return nodes.sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function* declarationsOf(service: Service, owner: Jid): AsyncIterable<Element> {
  for (const { name: node, config, affiliations, subscriptions } of await nodesByName(service, owner)) {
    yield el('configure', NS.pubsubOwner, { node }, configurationForm(config, service.rules.bounds))
    const affiliated = [...affiliations].map(([jid, affiliation]) =>
      el('affiliation', undefined, { jid, affiliation }),
    )
    if (affiliated.length > 0) yield el('affiliations', NS.pubsubOwner, { node }, ...affiliated)
    const subscribed = [...subscriptions].map(([jid, { state }]) =>
      el('subscription', undefined, { jid, subscription: state }),
    )
    if (subscribed.length > 0) yield el('subscriptions', NS.pubsubOwner, { node }, ...subscribed)
  }
}

async function* contentsOf(service: Service, owner: Jid): AsyncIterable<Element> {
  const now = service.clock.now()
  for (const node of await nodesByName(service, owner)) {
    const ids = (await service.store.index(node.id, now)).map(({ id }) => id)
    for (let at = 0; at < ids.length; at += PAGE) {
      const items = await service.store.items(node.id, ids.slice(at, at + PAGE), now)
      for (const item of items)
        yield el('items', NS.pubsub, { node: node.name }, itemElement(item, owner.toString()))
    }
  }
}

async function takeDeclaration(service: Service, owner: Jid, element: Element): Promise<string | undefined> {
  const name = element.attrs['node'] as string | undefined
  if (name === undefined || name === '') return `the <${element.local}/> has no node`
  return service.nodes.inTurn(owner, name, async () => {
    const node = (await service.nodes.of(owner)).get(name)
    if (element.local === 'configure') {
      if (node) return undefined
      const x = element.child('x', NS.dataForms)
      const config = x ? readable(service.rules.defaults, x, service.rules.bounds) : service.rules.defaults
      return reasonOf(async () => void (await service.make(owner, name, undefined, config)))
    }
    if (!node) return `the node ${name} has no configuration`
    if (element.local === 'affiliations')
      return reasonOf(
        async () => void (await service.nodes.change(node, { affiliations: affiliated(node, element) })),
      )
    if (element.local !== 'subscriptions') return `<${element.local}/> is not understood here`
    return reasonOf(
      async () => void (await service.nodes.change(node, { subscriptions: subscribed(node, element) })),
    )
  })
}

/** XEP-0227 §4.10.1: what is not known here is left out. Who may read is never guessed in favour of others. */
function readable(before: Configuration, x: Element, bounds: Bounds): Configuration {
  let config = before
  for (const [name, values] of formValues(x)) {
    if (name === 'FORM_TYPE') continue
    const field = el(
      'field',
      undefined,
      { var: name },
      ...values.map((text) => el('value', undefined, undefined, text)),
    )
    try {
      config = configured(config, el('x', NS.dataForms, { type: 'submit' }, field), bounds)
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error
      if (name === 'pubsub#access_model') config = { ...config, access: 'whitelist' }
      if (name === 'pubsub#max_items') config = { ...config, maxItems: 'max' }
    }
  }
  return config
}

function affiliated(node: Node, element: Element): [Jid, Affiliation][] {
  return element.childrenOf('affiliation', NS.pubsubOwner).flatMap(({ attrs }): [Jid, Affiliation][] => {
    const jid = readJid((attrs['jid'] as string | undefined) ?? '')?.bare
    const affiliation = affiliations.find((known) => known === attrs['affiliation'])
    return jid && affiliation && !node.affiliations.has(jid.toString()) ? [[jid, affiliation]] : []
  })
}

function subscribed(node: Node, element: Element): [Jid, Subscription][] {
  return element.childrenOf('subscription', NS.pubsubOwner).flatMap(({ attrs }): [Jid, Subscription][] => {
    const jid = readJid((attrs['jid'] as string | undefined) ?? '')
    const state = attrs['subscription'] as string | undefined
    if (!jid || node.subscriptions.has(jid.toString()) || (state !== 'subscribed' && state !== 'pending'))
      return []
    return [[jid, { jid, state, deliver: true }]]
  })
}

/** An `<items/>` with one item of the node, or without one. */
async function takeItem(service: Service, owner: Jid, items: Element): Promise<string | undefined> {
  const name = (items.attrs['node'] as string | undefined) ?? ''
  const [item] = items.childrenOf('item', NS.pubsub)
  if (!item) return items.childrenOf().length > 0 ? 'what stands in <items/> is no item' : undefined
  const id = item.attrs['id'] as string | undefined
  if (id === undefined || id === '' || Buffer.byteLength(id) > longestId) return 'the id of the item is none'
  const [payload] = item.childrenOf()
  const text = payload ? payload.toString() : ''
  const { bounds, room } = service.rules
  if (Buffer.byteLength(text) > bounds.payload) return `the item ${id} is too large`
  return service.nodes.inTurn(owner, name, async () => {
    const node = (await service.nodes.of(owner)).get(name)
    if (!node) return `the node ${name} has no configuration`
    const kept = itemsKept(node.config, bounds)
    if (kept === 0) return `the node ${name} keeps no items`
    const now = service.clock.now()
    if ((await service.store.items(node.id, [id], now)).length > 0) return undefined
    const by = readJid((item.attrs['publisher'] as string | undefined) ?? '')?.bare ?? owner
    const record = { id, publisher: by.toString(), at: now, payload: text }
    const done = await service.store.publish(node.id, [record], {
      items: kept,
      bytes: room.bytes,
      whenFull: 'refuse',
    })
    if (done === 'items') return `the node ${name} has no room for more items`
    if (done === 'bytes') return 'the account has no room for more items'
    return undefined
  })
}

async function reasonOf(make: () => Promise<void>): Promise<string | undefined> {
  try {
    await make()
    return undefined
  } catch (error) {
    if (error instanceof StanzaError) return error.text ?? error.condition
    throw error
  }
}
