/** Requests of owners: what is in `<pubsub/>` of the owner's namespace (XEP-0060 §8). */
import { actionOf, jidOf, nameOf, type Doings } from './requests.js'
import type { IqRequest } from '../../host/iq-table.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

export class OwnerRequests {
  readonly #doings: Doings

  constructor(doings: Doings) {
    this.#doings = doings
  }

  async get({ to, from, query }: IqRequest): Promise<Element> {
    const { managing, entities } = this.#doings
    const asked = actionOf(query)
    if (asked.local === 'default')
      return answer(el('default', undefined, undefined, await managing.defaultForm(to, from)))
    const node = nameOf(asked)
    switch (asked.local) {
      case 'configure':
        return answer(el('configure', undefined, { node }, await managing.form(to, node, from)))
      case 'affiliations': {
        const found = await entities.affiliations(to, node, from)
        const each = found.map(([jid, affiliation]) => el('affiliation', undefined, { jid, affiliation }))
        return answer(el('affiliations', undefined, { node }, ...each))
      }
      case 'subscriptions': {
        const found = await entities.subscriptions(to, node, from)
        const each = found.map(({ jid, state: subscription }) =>
          el('subscription', undefined, { jid: jid.toString(), subscription }),
        )
        return answer(el('subscriptions', undefined, { node }, ...each))
      }
      default:
        throw new StanzaError('feature-not-implemented')
    }
  }

  async set({ to, from, query }: IqRequest): Promise<undefined> {
    const { managing, entities, publishing } = this.#doings
    const asked = actionOf(query)
    const name = nameOf(asked)
    switch (asked.local) {
      case 'configure':
        return this.#configure(asked, (form) => managing.configure(to, name, from, form))
      case 'delete': {
        const uri = asked.child('redirect', NS.pubsubOwner)?.attrs['uri']
        await managing.delete(to, name, from, uri)
        return undefined
      }
      case 'purge':
        await publishing.purge(to, name, from)
        return undefined
      case 'affiliations':
        await entities.affiliate(to, name, from, entriesOf(asked, 'affiliation'))
        return undefined
      case 'subscriptions':
        return this.#subscriptions(to, name, from, asked)
      default:
        throw new StanzaError('feature-not-implemented')
    }
  }

  async #configure(asked: Element, configure: (form: Element) => Promise<void>): Promise<undefined> {
    const form = asked.child('x', NS.dataForms)
    if (!form) throw new StanzaError('bad-request', 'There is no form.')
    // XEP-0060 §8.2.4: who cancels leaves it as it is.
    if (form.attrs['type'] !== 'cancel') await configure(form)
    return undefined
  }

  /** XEP-0060 §8.8.2 */
  async #subscriptions(to: Jid, name: string, from: Jid, asked: Element): Promise<undefined> {
    const { entities, subscribing } = this.#doings
    const changes = asked
      .childrenOf('subscription', NS.pubsubOwner)
      .map((one) => [jidOf(one, 'invalid-jid'), one.attrs['subscription']] as const)
    for (const jid of await entities.subscribe(to, name, from, changes))
      await subscribing.sendLast(to, name, jid)
    return undefined
  }
}

function entriesOf(asked: Element, name: string): readonly (readonly [Jid, string])[] {
  return asked
    .childrenOf(name, NS.pubsubOwner)
    .map((one) => [jidOf(one, 'invalid-jid'), one.attrs[name] ?? ''])
}

function answer(child: Element): Element {
  return el('pubsub', NS.pubsubOwner, undefined, child)
}
