/** XEP-0055: Jabber Search. People find each other by name, where the admin wants that, and only those who want it too. */
import { directoryKey, type Directory, type Listing } from './api.js'
import { number, options } from '../../base/schema.js'
import { Turns } from '../../base/turns.js'
import { iq, type IqRequest } from '../../host/iq-table.js'
import { defineModule } from '../../host/module.js'
import { StanzaError } from '../../stanza/errors.js'
import { form, Submission, typedTable, type Field } from '../../stanza/forms.js'
import { Jid } from '../../stanza/jid.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** One value, of no account: who is in it is a handful among those who could be. */
const KEY = ' directory'
/** Characters of a name. */
const longest = 100
/** Characters to search for, so that nobody lists all by searching for "a". */
const shortest = 2

const fields: readonly Field[] = [
  { name: 'first', type: 'text-single', label: 'Given name' },
  { name: 'last', type: 'text-single', label: 'Family name' },
  { name: 'nick', type: 'text-single', label: 'Nickname' },
]
const names = ['first', 'last', 'nick'] as const
const instructions = `Fill in what you know, ${shortest} letters or more. Only people who want to be found are.`

/** With the row of the account, which tells it from a later one of that name; not in what was written before it was kept. */
type Listed = Listing & { readonly account?: number | undefined }

export default defineModule({
  name: 'user-search',
  summary: 'Lets people find those who want to be found',
  xeps: [{ number: 55, version: '1.3' }],
  enabled: false,
  options: options({
    listed: number(5_000, 'People who may be listed at most.', { min: 1, max: 100_000 }),
    results: number(50, 'People that one search finds at most.', { min: 1, max: 200 }),
  }),

  async setup(host, settings) {
    const stored = host.map<Readonly<Record<string, Listed>>>('user-search')
    const turns = new Turns()
    let listings = new Map(Object.entries((await stored.get(KEY)) ?? {}))

    const directory: Directory = {
      of: ({ local }) => listings.get(local),
      list: ({ local }, listing) =>
        turns.take('', async () => {
          const next = new Map(listings)
          if (!listing) next.delete(local)
          else next.set(local, { ...checked(listing), account: (await host.account(local))?.id })
          if (next.size > Math.max(settings.listed, listings.size)) {
            host.hits.add('listed_users')
            throw new StanzaError('resource-constraint', 'The list is full.', { type: 'cancel' })
          }
          await stored.set(KEY, Object.fromEntries(next))
          listings = next
        }),
    }

    async function forget(account: Jid): Promise<void> {
      if (listings.has(account.local)) await directory.list(account, undefined)
    }

    /** §2.1: the form, and the fields of old beside it. */
    function ask(request: IqRequest): Element {
      requireAccount(request)
      return el(
        'query',
        NS.search,
        undefined,
        el('instructions', undefined, undefined, instructions),
        ...names.map((name) => el(name)),
        form(NS.search, fields, { title: 'Search', instructions }),
      )
    }

    /** §2.2: all that is filled in must be there, in whatever case, at any place in the name. */
    async function search(request: IqRequest): Promise<Element> {
      requireAccount(request)
      const { query } = request
      const x = query.child('x', NS.dataForms)
      const wanted = x ? fromForm(x) : fromFields(query)
      const given = names.filter((name) => wanted[name] !== '')
      if (given.length === 0 || given.some((name) => wanted[name].length < shortest))
        throw new StanzaError('not-acceptable', instructions)
      const found: [string, Listing][] = []
      for (const [local, listing] of listings) {
        if (!given.every((name) => folded(listing[name]).includes(wanted[name]))) continue
        const account = await host.account(local)
        const isSame = listing.account === undefined || listing.account === account?.id
        if (account && isSame && !account.disabled)
          found.push([Jid.of(local, host.domain).toString(), listing])
        if (found.length === settings.results) break
      }
      const rows = found.sort(([a], [b]) => (a < b ? -1 : 1))
      return x ? resultsAsForm(rows) : resultsAsItems(rows)
    }

    return {
      features: [NS.search],
      identities: [{ category: 'directory', type: 'user', name: 'People' }],
      iq: [iq('get', 'host', 'query', NS.search, ask), iq('set', 'host', 'query', NS.search, search)],
      events: {
        accountDeleted: forget,
        // It may have been removed while this was switched off.
        accountCreated: forget,
      },
      provides: [{ key: directoryKey, value: directory }],
    }
  },
})

/** What is here is for each other, not for the world. */
function requireAccount({ session }: IqRequest): void {
  if (!session?.account) throw new StanzaError('forbidden')
}

function checked(listing: Listing): Listing {
  const trimmed = { first: listing.first.trim(), last: listing.last.trim(), nick: listing.nick.trim() }
  if (names.every((name) => trimmed[name] === ''))
    throw new StanzaError('not-acceptable', 'There is nothing to be found by.')
  if (names.some((name) => trimmed[name].length > longest))
    throw new StanzaError('not-acceptable', `A name has at most ${longest} characters.`)
  return trimmed
}

function fromForm(x: Element): Listing {
  const given = new Submission(x, NS.search, fields)
  const text = (name: string) => folded(given.text(name) ?? '')
  return { first: text('first'), last: text('last'), nick: text('nick') }
}

function fromFields(query: Element): Listing {
  const text = (name: string) => folded(query.child(name, NS.search)?.text ?? '')
  return { first: text('first'), last: text('last'), nick: text('nick') }
}

function folded(text: string): string {
  return text.normalize('NFC').trim().toLowerCase()
}

function resultsAsItems(rows: readonly (readonly [string, Listing])[]): Element {
  const items = rows.map(([jid, listing]) =>
    el('item', undefined, { jid }, ...names.map((name) => el(name, undefined, undefined, listing[name]))),
  )
  return el('query', NS.search, undefined, ...items)
}

function resultsAsForm(rows: readonly (readonly [string, Listing])[]): Element {
  const columns: readonly Field[] = [{ name: 'jid', type: 'jid-single', label: 'Address' }, ...fields]
  const cells = rows.map(([jid, { first, last, nick }]) => [jid, first, last, nick])
  return el('query', NS.search, undefined, typedTable(NS.search, columns, cells))
}
