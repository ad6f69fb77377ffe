/** Services at domains of their own below a host: what a module answers there. */
import type { Bringer } from './hooks.js'
import type { Host } from './host.js'
import { iq, IqTable, type IqHandler, type IqRequest } from './iq-table.js'
import type { DiscoBranch, Identity } from './module.js'
import type { Session } from '../session/session.js'
import { discoInfoElement } from '../stanza/caps.js'
import { StanzaError } from '../stanza/errors.js'
import { Jid } from '../stanza/jid.js'
import type { Stanza } from '../stanza/stanza.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

/** As a module contributes it. The host lists the domain to clients, and other servers find it like one of ours. */
export interface ServiceHost {
  /** Below the host's own, and nobody else's. */
  readonly domain: string
  readonly identities: readonly Identity[]
  /** Without those of discovery. */
  readonly features: readonly string[]
  /** Requests to the domain itself, at `host`; discovery is answered without them. */
  readonly iq: readonly IqHandler[]
  /** disco#items of the domain itself, when there are too many for `branch`. @throws StanzaError */
  list?(request: IqRequest): Element | Promise<Element>
  /** At `host`: what is discovered below the domain. */
  readonly branch?: DiscoBranch
  /**
   * All else that is sent to the domain or to addresses there. A StanzaError thrown goes back to the sender. Without it
   * nothing is taken.
   */
  receive?(stanza: Stanza, session: Session | undefined, bringer: Bringer | undefined): void | Promise<void>
  /**
   * Requests to addresses there. Without it they are received like all else.
   * @throws StanzaError, which is the answer
   */
  answer?(
    stanza: Stanza,
    query: Element,
    session: Session | undefined,
    bringer: Bringer | undefined,
  ): Answered | Promise<Answered>
}

/** Who answers for a service has passed the request on, and the answer will come by itself. */
export const relayed: unique symbol = Symbol('relayed')

/** What the result holds. */
export type Answered = Element | void | typeof relayed

/** As the road uses it. */
export interface CompiledService {
  readonly address: Jid
  readonly iq: IqTable
  readonly receive: ServiceHost['receive']
  readonly answer: ServiceHost['answer']
}

/** Where a service is answered for. */
export interface Serving {
  readonly address: Jid
  readonly host: Host
  readonly service: CompiledService
}

/** The service at that domain, of whichever host. */
export function serviceAt(domain: string, hosts: Iterable<Host>): Serving | undefined {
  for (const host of hosts) {
    const service = host.tables.serviceHosts.get(domain)
    if (service) return { address: service.address, host, service }
  }
  return undefined
}

/** @throws Error when two services have the same domain: a mistake of the configuration */
export function compileServices(services: readonly ServiceHost[]): ReadonlyMap<string, CompiledService> {
  const compiled = new Map<string, CompiledService>()
  for (const service of services) {
    const { domain } = service
    if (compiled.has(domain))
      throw new Error(`two modules answer at ${domain}: give one of them another domain`)
    const table = new IqTable([...discovery(service), ...service.iq])
    compiled.set(domain, {
      address: Jid.of('', domain),
      iq: table,
      receive: service.receive?.bind(service),
      answer: service.answer?.bind(service),
    })
  }
  return compiled
}

/** XEP-0030 */
function discovery(service: ServiceHost): readonly IqHandler[] {
  const { identities, features, branch } = service

  async function info(request: IqRequest): Promise<Element> {
    const { node } = request.query.attrs
    if (node === undefined) {
      const all = [NS.discoInfo, NS.discoItems, ...features]
      return discoInfoElement({ identities, features: all, forms: [] })
    }
    const found = await branch?.info?.(request, node)
    if (!found) throw new StanzaError('item-not-found')
    return discoInfoElement(found, node)
  }

  async function items(request: IqRequest): Promise<Element> {
    const { node } = request.query.attrs
    if (service.list && node === undefined) return service.list(request)
    const found = await branch?.items?.(request, node)
    if (!found && node !== undefined) throw new StanzaError('item-not-found')
    const each = (found ?? []).map((item) => el('item', undefined, { ...item }))
    return el('query', NS.discoItems, { node }, ...each)
  }

  return [iq('get', 'host', 'query', NS.discoInfo, info), iq('get', 'host', 'query', NS.discoItems, items)]
}
