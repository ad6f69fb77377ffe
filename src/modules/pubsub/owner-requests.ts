/** Requests of owners: what is in `<pubsub/>` of the owner's namespace (XEP-0060 §8). */
import type { Managing } from './managing.js'
import type { Publishing } from './publishing.js'
import { actionOf, nameOf } from './requests.js'
import type { IqRequest } from '../../host/iq-table.js'
import { StanzaError } from '../../stanza/errors.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

export class OwnerRequests {
  readonly #managing: Managing
  readonly #publishing: Publishing

  constructor(managing: Managing, publishing: Publishing) {
    this.#managing = managing
    this.#publishing = publishing
  }

  async get({ to, from, query }: IqRequest): Promise<Element> {
    const asked = actionOf(query)
    switch (asked.local) {
      case 'configure': {
        const node = nameOf(asked)
        const form = await this.#managing.form(to, node, from)
        return answer(el('configure', undefined, { node }, form))
      }
      case 'default':
        return answer(el('default', undefined, undefined, await this.#managing.defaultForm(to, from)))
      default:
        throw new StanzaError('feature-not-implemented')
    }
  }

  async set({ to, from, query }: IqRequest): Promise<undefined> {
    const asked = actionOf(query)
    const name = nameOf(asked)
    switch (asked.local) {
      case 'configure':
        return this.#configure(asked, (form) => this.#managing.configure(to, name, from, form))
      case 'delete': {
        const uri = asked.child('redirect', NS.pubsubOwner)?.attrs['uri']
        await this.#managing.delete(to, name, from, uri)
        return undefined
      }
      case 'purge':
        await this.#publishing.purge(to, name, from)
        return undefined
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
}

function answer(child: Element): Element {
  return el('pubsub', NS.pubsubOwner, undefined, child)
}
