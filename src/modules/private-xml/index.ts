/** XEP-0049: Private XML Storage. What a client wants to find again from everywhere, and nobody else. */
import { privateXmlKey, type PrivateKeeper, type PrivateXml } from './api.js'
import { options, size } from '../../base/schema.js'
import { Turns } from '../../base/turns.js'
import { iq, type IqRequest } from '../../host/iq-table.js'
import { defineModule, each, type Portable } from '../../host/module.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { parseElement } from '../../xml/parser.js'

/** Elements as XML text, by `{namespace}name`. */
type Stored = Readonly<Record<string, string>>

export default defineModule({
  name: 'private-xml',
  summary: 'Keeps private data of clients on the server',
  xeps: [{ number: 49, version: '1.2' }],
  options: options({
    quota: size('256KiB', 'What one account may keep in all.', { min: '1KiB', max: '16MiB' }),
  }),

  setup(host, { quota }) {
    const stored = host.map<Stored>('private-xml')
    const turns = new Turns()
    const keepers = new Map<string, PrivateKeeper>()

    async function keptAt(account: Jid, key: string) {
      const text = (await stored.get(account.local))?.[key]
      return text === undefined ? undefined : parseElement(text)
    }

    async function get({ from, query }: IqRequest) {
      const [asked, ...more] = elementsOf(query)
      if (!asked || more.length > 0) throw new StanzaError('bad-request', 'Ask for exactly one element.')
      const key = keyOf(asked)
      const kept = await keptAt(from, key)
      const keeper = keepers.get(key)
      const shown = keeper ? await keeper.show(kept, from.bare) : kept
      // What is not there is returned empty, as if it had been kept so.
      return el('query', NS.privateXml, undefined, shown ?? el(asked.local, asked.ns))
    }

    async function set({ from, query, session }: IqRequest) {
      // What guests leave would never be deleted.
      if (!session?.account) throw new StanzaError('registration-required', 'Guests have no account.')
      const given = elementsOf(query)
      if (given.length === 0) throw new StanzaError('bad-request', 'There is no element to keep.')
      // One account's changes wait for each other, or the second would undo the first.
      await turns.take(from.local, async () => {
        const before = await stored.get(from.local)
        const after: Record<string, string> = {
          ...before,
          ...Object.fromEntries(given.map((one) => [keyOf(one), one.toString()])),
        }
        if (bytesOf(after) > quota && bytesOf(after) > bytesOf(before ?? {})) {
          host.hits.add('private_xml')
          throw new StanzaError('resource-constraint', 'The private storage of this account is full.')
        }
        for (const one of given) {
          const keeper = keepers.get(keyOf(one))
          if (keeper) after[keyOf(one)] = (await keeper.take(one, from.bare, from)).toString()
        }
        await stored.set(from.local, after)
      })
    }

    const provided: PrivateXml = {
      kept: (account, name, ns) => keptAt(account, `{${ns}}${name}`),
      keep: (account, element) =>
        turns.take(account.local, async () => {
          const before = await stored.get(account.local)
          await stored.set(account.local, { ...before, [keyOf(element)]: element.toString() })
        }),
      entrust(name, ns, keeper) {
        const key = `{${ns}}${name}`
        keepers.set(key, keeper)
        return () => {
          if (keepers.get(key) === keeper) keepers.delete(key)
        }
      },
    }

    /** XEP-0227 §4.6. What is kept already stays. */
    const portable: Portable = {
      name: 'query',
      ns: NS.privateXml,
      depth: 1,
      async *export({ local }) {
        const kept = (await stored.get(local)) ?? {}
        for (const key of Object.keys(kept).sort()) yield parseElement(kept[key]!)
      },
      import: ({ local }, elements) =>
        each(elements, (element) =>
          turns.take(local, async () => {
            const before = (await stored.get(local)) ?? {}
            const key = keyOf(element)
            if (Object.hasOwn(before, key)) return undefined
            const after = { ...before, [key]: element.toString() }
            if (bytesOf(after) > quota) return 'the private storage of the account is full'
            await stored.set(local, after)
            return undefined
          }),
        ),
    }

    // Requests about other accounts find no handler: *service-unavailable* tells less than the *forbidden* of §3.
    return {
      portable: [portable],
      features: [NS.privateXml],
      provides: [{ key: privateXmlKey, value: provided }],
      iq: [iq('get', 'self', 'query', NS.privateXml, get), iq('set', 'self', 'query', NS.privateXml, set)],
    }
  },
})

/** The payload; XEP-0049 §2: elements of namespaces that belong to XMPP itself are not acceptable. */
function elementsOf(query: Element): readonly Element[] {
  const elements = query.childrenOf()
  for (const { ns = '' } of elements)
    if (ns === NS.vcard || ns.startsWith('jabber:') || ns.startsWith('http://jabber.org/'))
      throw new StanzaError('not-acceptable', 'The namespace is reserved.')
  return elements
}

function keyOf(element: Element): string {
  return `{${element.ns ?? ''}}${element.local}`
}

function bytesOf(stored: Stored): number {
  return Object.entries(stored).reduce(
    (bytes, [key, text]) => bytes + Buffer.byteLength(key) + Buffer.byteLength(text),
    0,
  )
}
