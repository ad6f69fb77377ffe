/** Result Set Management (XEP-0059): what part of a result is asked for, and what is said of the part that is given. */
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { StanzaError } from './errors.js'

export interface PageRequest {
  /** How many at most; undefined: as many as the server likes. 0: only their number is wanted (§2.7). */
  readonly max: number | undefined
  /** Those behind this item (§2.2). */
  readonly after: string | undefined
  /** Those just before this item; '' is the last page (§2.3, §2.5). */
  readonly before: string | undefined
  /** Those from this place on, from 0 (§2.6). */
  readonly index: number | undefined
}

export interface PageInfo {
  /** Of the page, not of the whole; both or neither. */
  readonly first?: string | undefined
  readonly last?: string | undefined
  /** The place of `first` in the whole, from 0. */
  readonly index?: number | undefined
  /** Of the whole. */
  readonly count?: number | undefined
}

/** Nothing is asked for in particular. */
const whole: PageRequest = { max: undefined, after: undefined, before: undefined, index: undefined }

/** What the `<set/>` in a request asks for. Throws StanzaError `bad-request` for what cannot be meant. */
export function pageRequestOf(request: Element): PageRequest {
  const set = request.child('set', NS.resultSets)
  if (!set) return whole
  const text = (name: string) => set.child(name, NS.resultSets)?.text.trim()
  const after = text('after')
  const page = {
    max: numberOf('max', text('max')),
    // §2.2: without an item it begins at the first one.
    after: after === '' ? undefined : after,
    before: text('before'),
    index: numberOf('index', text('index')),
  }
  if (page.index !== undefined && (page.after !== undefined || page.before !== undefined))
    throw new StanzaError('bad-request', 'A page has an index, or an item that it lies beside.')
  return page
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw new StanzaError('bad-request', `${name} is not a number.`)
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER)
}

/** The `<set/>` of an answer. */
export function pageInfo({ first, last, index, count }: PageInfo): Element {
  return el(
    'set',
    NS.resultSets,
    undefined,
    first === undefined ? undefined : el('first', undefined, { index }, first),
    last === undefined ? undefined : el('last', undefined, undefined, last),
    count === undefined ? undefined : el('count', undefined, undefined, String(count)),
  )
}
