/** XEP-0433: searches for rooms that are listed, by words or all of them: the form, the questions and the answers. */
import { StanzaError } from '../../stanza/errors.js'
import { form, formTypeOf, Submission, type Field } from '../../stanza/forms.js'
import type { Jid } from '../../stanza/jid.js'
import { pageInfo, pageRequestOf, type PageRequest } from '../../stanza/rsm.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** A room that everybody may find. */
export interface Channel {
  readonly address: Jid
  readonly name: string
  readonly description: string
  readonly language: string
  readonly occupants: number
  /** Whoever comes is let in: it wants no password, and others than members. */
  readonly isOpen: boolean
  /** Its occupants see each other's addresses. */
  readonly isNonAnonymous: boolean
}

/** What somebody wants to find. */
export interface Search {
  /** All of these, in lower case; none: everything. */
  readonly terms: readonly string[]
  readonly within: { readonly name: boolean; readonly description: boolean; readonly address: boolean }
  /** Occupants. */
  readonly atLeast: number
  /** Rooms are wanted, and not only channels of another kind. */
  readonly rooms: boolean
  readonly order: Order
  readonly page: PageRequest
}

const orders = { address: `${NS.channelOrder}address`, nusers: `${NS.channelOrder}nusers` } as const
type Order = keyof typeof orders

/** Characters that a word to search for has. */
const shortest = 2
/** Words of one question. */
const mostTerms = 10
/** Rooms of one answer, and how many there are when nobody says. */
const mostAtOnce = 100
const usually = 50

const paramsType = 'urn:xmpp:channel-search:0:search-params'
const kind = 'xep-0045'

/** XEP-0433 §6.1 calls the field `sinaddress`, and `sinaddr` in the form of §4.2.1: both are understood. */
const fields: readonly Field[] = [
  { name: 'q', type: 'text-single', label: 'Search for' },
  { name: 'all', type: 'boolean', label: 'All rooms', value: false },
  { name: 'sinname', type: 'boolean', label: 'Search in names', value: true },
  { name: 'sindescription', type: 'boolean', label: 'Search in descriptions', value: true },
  { name: 'sinaddress', type: 'boolean', label: 'Search in addresses', value: true },
  { name: 'min_users', type: 'text-single', label: 'Occupants, at least', value: 0 },
  {
    name: 'types',
    type: 'list-multi',
    label: 'Kinds of channels',
    value: [kind],
    options: [[kind, 'Rooms (XEP-0045)']],
    open: true,
  },
  {
    name: 'key',
    type: 'list-single',
    label: 'Order',
    value: orders.nusers,
    options: [
      [orders.nusers, 'Most occupants first'],
      [orders.address, 'By address'],
    ],
    open: true,
  },
]
const readable: readonly Field[] = [...fields, { name: 'sinaddr', type: 'boolean' }]

/** XEP-0433 §4.2.1: the answer to an empty request. */
export function searchForm(): Element {
  return el('search', NS.channelSearch, undefined, form(paramsType, fields))
}

/** XEP-0433 §4.2.2. Undefined when nothing is asked for: then the form is. Throws StanzaError. */
export function readSearch(search: Element): Search | undefined {
  const x = search.child('x', NS.dataForms)
  if (!x) return undefined
  // §4.2.2: the form has to say what it is.
  if (formTypeOf(x) !== paramsType)
    throw new StanzaError('bad-request', `The FORM_TYPE is not ${paramsType}.`)
  const submission = new Submission(x, paramsType, readable)
  const order = orderOf(submission.text('key'))
  const words = submission.text('q')?.trim() ?? ''
  const isAll = submission.flag('all') === true
  // §4.2.2.6
  if (isAll && words !== '')
    throw refusal('bad-request', 'conflicting-fields', 'All rooms, or those with these words: not both.', [
      el('var', undefined, undefined, 'all'),
      el('var', undefined, undefined, 'q'),
    ])
  const within = {
    name: submission.flag('sinname') ?? true,
    description: submission.flag('sindescription') ?? true,
    address: submission.flag('sinaddress') ?? submission.flag('sinaddr') ?? true,
  }
  // §4.2.2.7
  if (!isAll && (words === '' || !Object.values(within).includes(true)))
    throw new StanzaError('bad-request', 'Say what to search for, and where.', {
      type: 'cancel',
      application: el('no-search-conditions', NS.channelErrors),
    })
  const types = submission.texts('types')
  return {
    terms: isAll ? [] : termsOf(words),
    within,
    atLeast: numberOf(submission.text('min_users') ?? ''),
    rooms: types === undefined || types.length === 0 || types.includes(kind),
    order,
    page: pageRequestOf(search),
  }
}

/** XEP-0433 §4.2.2.1: a page of those that fit. Throws StanzaError *item-not-found* for a place that is none. */
export function foundAmong(channels: Iterable<Channel>, search: Search): Element {
  const { order, page } = search
  const found = search.rooms ? [...channels].filter((channel) => fits(channel, search)) : []
  const places = found.map((channel) => placeOf(channel, order)).toSorted(compare)
  const byAddress = new Map(found.map((channel) => [channel.address.toString(), channel]))
  const [start, end] = span(places, page, (text) => readPlace(text, order))
  const taken = places.slice(start, end)
  const [first, last] = [taken[0], taken.at(-1)]
  const info = pageInfo({
    first: first && writePlace(first, order),
    last: last && writePlace(last, order),
    index: first && start,
    count: places.length,
  })
  const items = taken.map(({ address }) => item(byAddress.get(address)!))
  return el('result', NS.channelSearch, undefined, ...items, info)
}

/** XEP-0433 §6.2 */
function item(channel: Channel): Element {
  const { address, name, description, language, occupants, isOpen, isNonAnonymous } = channel
  const part = (local: string, text: string) =>
    text === '' ? undefined : el(local, undefined, undefined, text)
  return el(
    'item',
    undefined,
    { address: address.toString() },
    part('name', name),
    part('description', description),
    part('language', language),
    part('nusers', String(occupants)),
    part('service-type', kind),
    // Some read the text, and some whether it is there.
    isOpen ? el('is-open', undefined, undefined, 'true') : undefined,
    part('anonymity-mode', isNonAnonymous ? `{${NS.channelAnonymity}}none` : 'muc_semianonymous'),
  )
}

/** Every word stands somewhere that is looked at. */
function fits(channel: Channel, { terms, within, atLeast }: Search): boolean {
  if (channel.occupants < atLeast) return false
  if (terms.length === 0) return true
  const places = [
    within.name ? channel.name : '',
    within.description ? channel.description : '',
    within.address ? channel.address.toString() : '',
  ]
  const text = comparable(places.join('\n'))
  return terms.every((term) => text.includes(term))
}

/** XEP-0433 §4.2.2.3. Throws StanzaError when none is left. */
function termsOf(words: string): readonly string[] {
  const terms = comparable(words)
    .split(/\s+/u)
    .filter((term) => term.length >= shortest)
  if (terms.length > 0 && terms.length <= mostTerms) return terms
  const text =
    terms.length === 0
      ? `A word has at least ${shortest} characters.`
      : `There are more than ${mostTerms} words.`
  throw refusal('bad-request', 'invalid-search-terms', text)
}

function comparable(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

function orderOf(key: string | undefined): Order {
  if (key === undefined || key === '' || key === orders.nusers) return 'nusers'
  if (key === orders.address) return 'address'
  // §4.2.2.2
  throw refusal('feature-not-implemented', 'invalid-sort-key', 'There is no such order.')
}

function numberOf(text: string): number {
  if (text === '') return 0
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new StanzaError('not-acceptable', 'The field min_users is no number.')
}

function refusal(
  condition: 'bad-request' | 'feature-not-implemented',
  name: string,
  text: string,
  children: readonly Element[] = [],
): StanzaError {
  const application = el(name, NS.channelErrors, undefined, ...children)
  return new StanzaError(condition, text, { type: 'modify', application })
}

/** Where a room stands in an order, whether or not others come and go. */
interface Place {
  readonly occupants: number
  readonly address: string
}

function placeOf({ occupants, address }: Channel, order: Order): Place {
  return { occupants: order === 'nusers' ? occupants : 0, address: address.toString() }
}

function compare(a: Place, b: Place): number {
  if (a.occupants !== b.occupants) return b.occupants - a.occupants
  return a.address < b.address ? -1 : Number(a.address > b.address)
}

function writePlace({ occupants, address }: Place, order: Order): string {
  return order === 'nusers' ? `${occupants} ${address}` : address
}

function readPlace(text: string, order: Order): Place {
  if (order === 'address') return { occupants: 0, address: text }
  const [, occupants, address] = /^(\d{1,9}) (.+)$/su.exec(text) ?? []
  // XEP-0059 §2.2
  if (occupants === undefined || address === undefined) throw new StanzaError('item-not-found')
  return { occupants: Number(occupants), address }
}

/** XEP-0059 §2: from which to before which a page goes. */
function span(places: readonly Place[], page: PageRequest, read: (text: string) => Place): [number, number] {
  const most = Math.min(page.max ?? usually, mostAtOnce)
  const { after, before, index } = page
  const low = after === undefined ? (index ?? 0) : reaching(places, read(after), 1)
  const high = before ? reaching(places, read(before), 0) : places.length
  if (before === undefined) return [low, Math.min(high, low + most)]
  return [Math.max(low, high - most), high]
}

/** How many come before the place (`least` 0), and it as well (1). */
function reaching(places: readonly Place[], place: Place, least: 0 | 1): number {
  const found = places.findIndex((one) => compare(one, place) >= least)
  return found < 0 ? places.length : found
}
