/** XEP-0030: Service Discovery, with XEP-0128 forms and the hashes of XEP-0115 and XEP-0390 in the stream features. */
import { domain, list, options, required, text } from '../base/schema.js'
import type { Host, Tables } from '../host/host.js'
import { iq, type IqRequest } from '../host/iq-table.js'
import { defineModule, type DiscoBranch, type DiscoItem, type StreamFeature } from '../host/module.js'
import {
  capsHash,
  capsHashes,
  type CapsHash,
  capsHashNode,
  capsVersion,
  discoInfoElement,
  type DiscoInfo,
} from '../stanza/caps.js'
import { StanzaError } from '../stanza/errors.js'
import { el } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

/** XEP-0115 §4: names the software. */
const software = 'urn:x-parley:server'

export default defineModule({
  name: 'disco',
  summary: 'Tells what the server and its accounts are and can',
  xeps: [
    { number: 30, version: '2.5.0' },
    { number: 115, version: '1.6.0' },
    { number: 128, version: '1.0.1' },
    { number: 390, version: '0.3.2', note: 'of the server itself, in the stream features' },
  ],
  options: options({
    title: text('Parley', 'The name of the service that clients show.', { max: 200 }),
    items: list(domain(required, ''), [], 'Domains of further services, to be listed for clients.'),
  }),

  setup(host, { title, items }) {
    const ownInfo = remembered(host, (tables) => hostInfo(tables, title))

    function serverInfo(request: IqRequest) {
      const { node } = request.query.attrs
      // XEP-0115 §6.2, XEP-0390 §5.5: the nodes that the hashes stand for.
      const { info, nodes } = ownInfo()
      if (node === undefined || nodes.includes(node)) return discoInfoElement(info, node)
      return branchInfo('host', request, node)
    }

    async function serverItems(request: IqRequest) {
      const { node } = request.query.attrs
      const added = await branchItems('host', request, node)
      if (node !== undefined) return itemsElement(added, node)
      const services = new Set([...items, ...host.tables.serviceHosts.keys(), ...host.neighbours()])
      return itemsElement([...[...services].map((jid) => ({ jid })), ...added])
    }

    const branchesAt = (at: DiscoBranch['at']) => host.tables.branches.filter((branch) => branch.at === at)

    async function branchInfo(at: DiscoBranch['at'], request: IqRequest, node: string) {
      for (const branch of branchesAt(at)) {
        const info = await branch.info?.(request, node)
        if (info) return discoInfoElement(info, node)
      }
      throw new StanzaError('item-not-found')
    }

    /** Without a node: of all branches; below a node: of the one whose it is. */
    async function branchItems(at: DiscoBranch['at'], request: IqRequest, node: string | undefined) {
      const all: DiscoItem[] = []
      for (const branch of branchesAt(at)) {
        const items = await branch.items?.(request, node)
        if (items && node !== undefined) return items
        all.push(...(items ?? []))
      }
      if (node !== undefined) throw new StanzaError('item-not-found')
      return all
    }

    // XEP-0030 §8, rule 1: who may not see presence gets the answer of an account that does not exist. For items, rule
    // 2 would say the empty result, but RFC 6121 §8.5.1 gives *service-unavailable* to requests to no account.
    async function requireFriend({ from, to }: IqRequest) {
      if (!(await host.roster.sharesPresence(to, from))) throw new StanzaError('service-unavailable')
    }

    async function accountInfo(request: IqRequest) {
      await requireFriend(request)
      const { node } = request.query.attrs
      if (node !== undefined) return branchInfo('account', request, node)
      const type = (await host.account(request.to.local)) ? 'registered' : 'anonymous'
      return discoInfoElement({
        identities: [{ category: 'account', type }, ...host.tables.accountIdentities],
        features: [NS.discoInfo, NS.discoItems, ...host.tables.accountFeatures],
        forms: [],
      })
    }

    async function accountItems(request: IqRequest) {
      await requireFriend(request)
      const { node } = request.query.attrs
      const added = await branchItems('account', request, node)
      if (node !== undefined) return itemsElement(added, node)
      // XEP-0030 §4.1: the available resources; those without presence are nobody's business.
      const resources = host.sessions.available(request.to)
      return itemsElement([...resources.map(({ jid }) => ({ jid: jid.toString() })), ...added])
    }

    return {
      features: [NS.discoInfo, NS.discoItems, NS.caps, NS.caps2],
      streamFeatures: [caps(ownInfo), caps2(ownInfo)],
      iq: [
        iq('get', 'host', 'query', NS.discoInfo, serverInfo),
        iq('get', 'host', 'query', NS.discoItems, serverItems),
        iq('get', 'account', 'query', NS.discoInfo, accountInfo),
        iq('get', 'account', 'query', NS.discoItems, accountItems),
      ],
    }
  },
})

function itemsElement(items: readonly DiscoItem[], node?: string) {
  const one = ({ jid, node, name }: DiscoItem) => el('item', undefined, { jid, node, name })
  return el('query', NS.discoItems, { node }, ...items.map(one))
}

function hostInfo(tables: Tables, name: string): DiscoInfo {
  return {
    identities: [{ category: 'server', type: 'im', name }, ...tables.identities],
    features: tables.features,
    forms: tables.info,
  }
}

interface OwnInfo {
  readonly info: DiscoInfo
  /** XEP-0115's, in Base64. */
  readonly version: string
  /** Under these the information can be asked for. */
  readonly nodes: readonly string[]
  /** XEP-0390's, by the names of XEP-0300. */
  readonly hashes: readonly { readonly algo: CapsHash; readonly hash: string }[]
}

/** Hashing is for once: until the tables of the host are replaced, the answer stays the same. */
function remembered(host: Host, infoOf: (tables: Tables) => DiscoInfo): () => OwnInfo {
  let known: { tables: Tables; own: OwnInfo } | undefined
  return () => {
    const { tables } = host
    if (known?.tables !== tables) {
      const info = infoOf(tables)
      const version = capsVersion(info)
      const nodes = [`${software}#${version}`, ...capsHashes.map((hash) => capsHashNode(info, hash))]
      const hashes = capsHashes.map((algo) => ({ algo, hash: capsHash(info, algo) }))
      known = { tables, own: { info, version, nodes, hashes } }
    }
    return known.own
  }
}

/** XEP-0115 §6.3: a client that knows the hash need not ask. */
function caps(ownInfo: () => OwnInfo): StreamFeature {
  return {
    ns: NS.caps,
    reads: [],
    fits: ({ authenticated, bound }) => authenticated && !bound,
    offer: () => el('c', NS.caps, { hash: 'sha-1', node: software, ver: ownInfo().version }),
  }
}

/** XEP-0390 §5.2. */
function caps2(ownInfo: () => OwnInfo): StreamFeature {
  return {
    ns: NS.caps2,
    reads: [],
    fits: ({ authenticated, bound }) => authenticated && !bound,
    offer: () =>
      el(
        'c',
        NS.caps2,
        undefined,
        ...ownInfo().hashes.map(({ algo, hash }) => el('hash', NS.hashes, { algo }, hash)),
      ),
  }
}
