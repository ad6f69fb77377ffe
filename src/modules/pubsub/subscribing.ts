/** Subscribing to nodes, the options of subscriptions, and what owners say to those who ask (XEP-0060 §6.1 to §6.4, §8.6). */
import { subscribeRefusal } from './access.js'
import { affiliated, type Node, type Subscription } from './node.js'
import type { Notices } from './notices.js'
import { refusal, unsupported } from './refusals.js'
import type { Service, Visit } from './service.js'
import { form, Submission, type Field } from '../../stanza/forms.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Addresses of one entity that may be subscribed to a node. */
const addressesPerEntity = 10
/** Characters of an address that may be subscribed. */
const longestAddress = 2_047

const FORM_OPTIONS = `${NS.pubsub}#subscribe_options`
export const FORM_AUTHORIZATION = `${NS.pubsub}#subscribe_authorization`

export class Subscribing {
  readonly #service: Service
  readonly #notices: Notices

  constructor(service: Service, notices: Notices) {
    this.#service = service
    this.#notices = notices
  }

  /**
   * XEP-0060 §6.1, §6.3.7: gives the subscription as it is then; it may wait for an owner.
   * @throws StanzaError as XEP-0060 §6.1.3, and `bad-request` with `invalid-options`
   */
  subscribe(
    address: Jid,
    name: string,
    by: Jid,
    jid: Jid,
    options: Element | undefined,
  ): Promise<Subscription> {
    return this.#service.nodes.inTurn(address, name, async () => {
      const { node, who } = await this.#service.visit(address, name, by)
      if (!jid.bare.equals(by.bare) || jid.toString().length > longestAddress)
        throw refusal('bad-request', 'invalid-jid')
      if (!node.config.subscribe) throw unsupported('subscribe')
      if (who.subscriptions.some(({ state }) => state === 'pending'))
        throw refusal('not-authorized', 'pending-subscription')
      const refused = subscribeRefusal(node, who)
      if (refused instanceof StanzaError) throw refused
      const before = node.subscriptions.get(jid.toString())
      const deliver = options ? deliverOf(options) : (before?.deliver ?? true)
      if (!before) this.#requireRoom({ node, who })
      const known = who.subscriptions.length > 0
      const state = refused === 'ask' && !known ? 'pending' : 'subscribed'
      const subscription: Subscription = { jid, state, deliver }
      const after = await this.#service.nodes.change(node, { subscriptions: [[jid, subscription]] })
      if (state === 'pending') this.#ask(after, jid)
      else if (!before) this.#tellOwners(after, jid, state)
      return subscription
    })
  }

  /**
   * XEP-0060 §6.2
   * @throws StanzaError as XEP-0060 §6.2.3
   */
  unsubscribe(address: Jid, name: string, by: Jid, jid: Jid): Promise<void> {
    return this.#service.nodes.inTurn(address, name, async () => {
      const node = await this.#own(address, name, by, jid)
      const after = await this.#service.nodes.change(node, { subscriptions: [[jid, undefined]] })
      this.#tellOwners(after, jid, 'none')
    })
  }

  /**
   * XEP-0060 §6.3.2
   * @throws StanzaError as XEP-0060 §6.3.4
   */
  async optionsForm(address: Jid, name: string, by: Jid, jid: Jid): Promise<Element> {
    const node = await this.#own(address, name, by, jid)
    return optionsForm(node.subscriptions.get(jid.toString())!)
  }

  /** XEP-0060 §6.4; without a name, of the service. */
  async defaultOptionsForm(address: Jid, name: string | undefined, by: Jid): Promise<Element> {
    if (name !== undefined) await this.#service.visit(address, name, by)
    else await this.#service.requireAcquaintance(address, by)
    return optionsForm({ deliver: true })
  }

  /**
   * XEP-0060 §6.3.5
   * @throws StanzaError as XEP-0060 §6.3.4, and `bad-request` with `invalid-options`
   */
  setOptions(address: Jid, name: string, by: Jid, jid: Jid, options: Element): Promise<void> {
    return this.#service.nodes.inTurn(address, name, async () => {
      const node = await this.#own(address, name, by, jid)
      const before = node.subscriptions.get(jid.toString())!
      const after = { ...before, deliver: deliverOf(options) }
      await this.#service.nodes.change(node, { subscriptions: [[jid, after]] })
    })
  }

  /** XEP-0060 §5.6: all subscriptions of an entity at the service, or at one node. */
  async subscriptionsOf(
    address: Jid,
    by: Jid,
    name?: string,
  ): Promise<readonly { node: Node; subscription: Subscription }[]> {
    return (await this.#service.visits(address, by, name)).flatMap(({ node, who }) =>
      who.subscriptions.map((subscription) => ({ node, subscription })),
    )
  }

  /** Sends the last item to an address that has just been subscribed (XEP-0060 §6.1.7). */
  async sendLast(address: Jid, name: string, jid: Jid): Promise<void> {
    const { nodes, store, clock } = this.#service
    const node = (await nodes.of(address)).get(name)
    if (!node?.config.persist || node.config.sendLast === 'never' || !node.config.notify) return
    const [item] = await store.newest([node.id], clock.now())
    if (item) await this.#notices.last(node, item, [jid])
  }

  /**
   * XEP-0060 §8.6: an owner has answered. A form that was cancelled changes nothing.
   * @throws StanzaError when it cannot be read, or who sends it is no owner
   */
  async answered(address: Jid, by: Jid, x: Element): Promise<void> {
    if (x.attrs['type'] === 'cancel') return
    const submission = new Submission(x, FORM_AUTHORIZATION, authorizationFields)
    const name = submission.text('pubsub#node') ?? ''
    const [jid] = submission.jids('pubsub#subscriber_jid') ?? []
    const allow = submission.flag('pubsub#allow')
    if (!jid || allow === undefined) throw new StanzaError('bad-request', 'The form says too little.')
    await this.#service.nodes.inTurn(address, name, async () => {
      const node = await this.#service.requireOwner(address, name, by)
      const before = node.subscriptions.get(jid.toString())
      // Another owner was faster, or who asked has given up.
      if (before?.state !== 'pending') return
      const after = allow ? { ...before, state: 'subscribed' as const } : undefined
      const changed = await this.#service.nodes.change(node, { subscriptions: [[jid, after]] })
      this.#notices.subscriptionChanged(changed, jid, after?.state ?? 'none')
    })
    if (allow) await this.sendLast(address, name, jid)
  }

  /**
   * The node with a subscription of that address, which is `by`'s own.
   * @throws StanzaError as XEP-0060 §6.2.3, §6.3.4
   */
  async #own(address: Jid, name: string, by: Jid, jid: Jid): Promise<Node> {
    const { node } = await this.#service.visit(address, name, by)
    if (!jid.bare.equals(by.bare)) throw new StanzaError('forbidden')
    if (!node.subscriptions.has(jid.toString()))
      throw refusal('unexpected-request', 'not-subscribed', { type: 'cancel' })
    return node
  }

  /** XEP-0060 §6.1.3.9 */
  #requireRoom({ node, who }: Visit): void {
    const { entities } = this.#service.rules.room
    if (node.subscriptions.size < entities && who.subscriptions.length < addressesPerEntity) return
    this.#service.rules.hit('entities')
    throw refusal('policy-violation', 'too-many-subscriptions', { type: 'wait' })
  }

  /** XEP-0060 §8.6: the form for the owners. */
  #ask(node: Node, jid: Jid): void {
    const filled = authorizationFields.map((field) => ({ ...field, value: answerTo(field.name, node, jid) }))
    const x = form(FORM_AUTHORIZATION, filled, {
      title: 'Somebody wants to subscribe',
      instructions:
        'To approve this request, submit the form with the box checked; without it, it is denied.',
    })
    for (const owner of this.#ownersOf(node)) this.#notices.say(node, owner, x)
  }

  /** XEP-0060 §16.4.4, `pubsub#notify_sub`. */
  #tellOwners(node: Node, jid: Jid, state: 'none' | Subscription['state']): void {
    if (!node.config.notifySub) return
    for (const owner of this.#ownersOf(node))
      if (!owner.equals(jid.bare)) this.#notices.subscriptionChanged(node, jid, state, owner)
  }

  /** An account owns what is published at it; at a domain owners are named. */
  #ownersOf(node: Node): readonly Jid[] {
    const named = affiliated(node, 'owner')
    return node.service.local === '' ? named : [node.service, ...named]
  }
}

const authorizationFields: readonly Field[] = [
  { name: 'pubsub#node', type: 'text-single', label: 'Node' },
  { name: 'pubsub#subscriber_jid', type: 'jid-single', label: 'Who' },
  { name: 'pubsub#allow', type: 'boolean', label: 'Let them in' },
]

function answerTo(field: string, node: Node, jid: Jid): string | boolean {
  if (field === 'pubsub#node') return node.name
  return field === 'pubsub#subscriber_jid' ? jid.toString() : false
}

const optionsFields: readonly Field[] = [
  { name: 'pubsub#deliver', type: 'boolean', label: 'Whether an entity wants to receive notifications' },
]

function optionsForm({ deliver }: Pick<Subscription, 'deliver'>): Element {
  return form(
    FORM_OPTIONS,
    optionsFields.map((field) => ({ ...field, value: deliver })),
  )
}

/** XEP-0060 §6.3.6.2 */
function deliverOf(x: Element): boolean {
  try {
    const submission = new Submission(x, FORM_OPTIONS, optionsFields)
    if (submission.unknown.length === 0) return submission.flag('pubsub#deliver') ?? true
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error
  }
  throw refusal('bad-request', 'invalid-options')
}
