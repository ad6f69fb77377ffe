/** XEP-0485: PubSub Server Information. With whom this domain federates, for maps of the network. */
import { Lru } from '../base/lru.js'
import { flag, options } from '../base/schema.js'
import { version } from '../base/version.js'
import type { Host } from '../host/host.js'
import { iq, type IqRequest } from '../host/iq-table.js'
import { defineModule } from '../host/module.js'
import { readDiscoInfo } from '../stanza/caps.js'
import { StanzaError } from '../stanza/errors.js'
import { resultForm } from '../stanza/forms.js'
import { Jid } from '../stanza/jid.js'
import { Stanza } from '../stanza/stanza.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

/** §3: of the node, when nothing else is said. */
const node = 'serverinfo'

export default defineModule({
  name: 'server-info',
  summary: 'Publishes with which servers this one federates, as far as they agree',
  xeps: [{ number: 485, version: '1.0.0', note: 'the node is read, not subscribed to' }],
  enabled: false,
  options: options({
    tellVersion: flag(true, 'Also tell the software and its version.'),
  }),

  setup(host, { tellVersion }) {
    const agreed = new Agreed(host)

    function retrieve({ query }: IqRequest): Element {
      const [asked] = query.childrenOf('items', NS.pubsub)
      // Creating, subscribing and the rest are not for this service.
      if (!asked) throw new StanzaError('feature-not-implemented')
      if (asked.attrs['node'] !== node) throw new StanzaError('item-not-found')
      const item = el('item', undefined, { id: 'current' }, information())
      return el('pubsub', NS.pubsub, undefined, el('items', undefined, { node }, item))
    }

    /** §4 */
    function information(): Element {
      const peers = new Map<string, Set<string>>()
      for (const { remote, dir } of host.links()) {
        const types = peers.get(remote) ?? new Set()
        peers.set(remote, types.add(dir === 'in' ? 'incoming' : 'outgoing'))
      }
      const remotes = [...peers].map(([remote, types]) => {
        const connections = [...types].map((type) => el('connection', undefined, { type }))
        // §7: the name only of those who publish theirs.
        const name = agreed.has(remote) ? remote : undefined
        return el('remote-domain', undefined, { name }, ...connections)
      })
      const federation = el('federation', undefined, undefined, ...remotes)
      const software = el(
        'query',
        NS.version,
        undefined,
        el('name', undefined, undefined, 'Parley'),
        el('version', undefined, undefined, version),
      )
      const domain = el('domain', undefined, { name: host.domain }, federation)
      return el('serverinfo', NS.serverInfo, undefined, domain, tellVersion ? software : undefined)
    }

    const uri = `xmpp:${host.domain}?;node=${node}`
    return {
      features: [NS.serverInfo],
      info: [resultForm('http://jabber.org/network/serverinfo', { 'serverinfo-pubsub-node': uri })],
      branches: [
        {
          at: 'host',
          info: (_, name) =>
            name === node
              ? { identities: [{ category: 'pubsub', type: 'leaf' }], features: [NS.pubsub], forms: [] }
              : undefined,
          items: (_, name) => (name === undefined ? [{ jid: host.domain, node }] : undefined),
        },
      ],
      iq: [iq('get', 'host', 'pubsub', NS.pubsub, retrieve)],
    }
  },
})

/** Milliseconds for which an answer counts; one that did not come counts as no. */
const lasting = 24 * 3_600_000
/** Domains whose answers are remembered. */
const remembered = 10_000
/** Domains that are asked at the same time. */
const atOnce = 10

/** Which domains say that they publish theirs (§3): asked once a day, when there is a link to them. */
class Agreed {
  readonly #host: Host
  readonly #answers = new Lru<string, { readonly agrees: boolean; readonly until: number }>(remembered)
  readonly #asking = new Set<string>()

  constructor(host: Host) {
    this.#host = host
  }

  /** As far as it is known now; what is not is asked for, and known the next time. */
  has(domain: string): boolean {
    const answer = this.#answers.get(domain)
    const isNew = answer && answer.until > this.#host.clock.now()
    if (!isNew && !this.#asking.has(domain) && this.#asking.size < atOnce) void this.#ask(domain)
    return answer?.agrees === true
  }

  async #ask(domain: string): Promise<void> {
    const { address: from, random, clock } = this.#host
    this.#asking.add(domain)
    let agrees = false
    try {
      const to = Jid.of('', domain)
      const query = el('query', NS.discoInfo)
      const answer = await this.#host.ask(
        Stanza.of({ kind: 'iq', type: 'get', id: random.id(), from, to }, query),
      )
      const found = answer.type === 'result' ? answer.child('query', NS.discoInfo) : undefined
      agrees = (found && readDiscoInfo(found)?.features.includes(NS.serverInfo)) === true
    } catch {
      // No answer in time: not asked again today.
    }
    this.#asking.delete(domain)
    this.#answers.set(domain, { agrees, until: clock.now() + lasting })
  }
}
