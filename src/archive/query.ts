/** Questions to an archive (XEP-0313 §4): what a query asks for, read from its form and its `<set/>`. */
import { parseMoment } from '../stanza/delay.js'
import { StanzaError } from '../stanza/errors.js'
import { form, formTypeOf, formValues, type Field } from '../stanza/forms.js'
import { Jid, JidError } from '../stanza/jid.js'
import { pageRequestOf, type PageRequest } from '../stanza/rsm.js'
import { Stanza } from '../stanza/stanza.js'
import type { ArchiveFilter, Sift } from '../storage/archive.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { escapeAttribute } from '../xml/write.js'

const fullText = `{${NS.fullText}}fulltext`

/** XEP-0313 §4.1, XEP-0431. */
const common: readonly Field[] = [
  { name: 'with', type: 'jid-single', label: 'With whom' },
  { name: 'start', type: 'text-single', label: 'Not before' },
  { name: 'end', type: 'text-single', label: 'Not after' },
  { name: 'before-id', type: 'text-single', label: 'Before this message' },
  { name: 'after-id', type: 'text-single', label: 'After this message' },
  { name: 'ids', type: 'list-multi', label: 'These messages', open: true },
  { name: fullText, type: 'text-single', label: 'These words' },
]

/** What can be asked for by kind of archive: only those of accounts have messages of rooms among others (§4.1.4). */
const fields = {
  account: [...common, { name: 'include-groupchat', type: 'boolean', label: 'Messages of rooms too' }],
  room: common,
} as const satisfies Record<string, readonly Field[]>

/** XEP-0313 §4.1.5: what can be asked for. */
export function queryForm(kind: keyof typeof fields): Element {
  return el('query', NS.archive, undefined, form(NS.archive, fields[kind]))
}

/** Messages that one query may name. */
const mostIds = 1000
/** Words and characters of a search. */
const mostWords = 20
const longestSearch = 1000

export interface ArchiveQuery {
  /** The form; its ids are as the client gave them. */
  readonly filter: ArchiveFilter
  readonly page: PageRequest
  /** XEP-0313 §4.3.4: the page comes in reverse. */
  readonly isFlipped: boolean
  readonly queryId: string | undefined
}

/**
 * What a client asks the archive at the bare address `own` for. Of a room, `with` is as in `ArchiveFilter` whom it asked
 * for by a real address, which not everybody may (§4.1.1).
 * @throws StanzaError `bad-request`, `jid-malformed`, `feature-not-implemented` for an unknown field (§4.1.5)
 */
export function readQuery(query: Element, own: Jid, kind: keyof typeof fields): ArchiveQuery {
  // XEP-0442: archives of nodes are asked for at their services.
  if (query.attrs['node'] !== undefined) throw new StanzaError('item-not-found')
  const x = query.child('x', NS.dataForms)
  return {
    filter: x ? filterOf(x, own, kind) : {},
    page: pageRequestOf(query),
    isFlipped: query.child('flip-page', NS.archive) !== undefined,
    queryId: query.attrs['queryid'],
  }
}

function filterOf(x: Element, own: Jid, kind: keyof typeof fields): ArchiveFilter {
  if (x.attrs['type'] !== 'submit' || (formTypeOf(x) ?? NS.archive) !== NS.archive)
    throw new StanzaError('bad-request', `Submit a form of ${NS.archive}.`)
  const values = formValues(x)
  for (const name of values.keys())
    if (name !== 'FORM_TYPE' && !fields[kind].some((field) => field.name === name))
      throw new StanzaError('feature-not-implemented', `Unknown field: ${name}`)
  const value = (name: string): string | undefined => values.get(name)?.[0]
  const other = addressed(value('with'))
  const words = wordsOf(value(fullText))
  // Its own resources are no other side: they are looked for in the stanzas.
  const isOwn = other?.bare.equals(own) === true
  const isOfOwn = isOwn && !other?.isBare
  const sifts = [isOfOwn ? resourceSift(other!) : undefined, words.length > 0 ? textSift(words) : undefined]
  return {
    with: other && !isOfOwn && !(isOwn && kind === 'room') ? partner(other) : undefined,
    start: moment('start', value('start')),
    end: moment('end', value('end')),
    after: value('after-id'),
    before: value('before-id'),
    ids: idsOf(values.get('ids')),
    groupchat: truth(value('include-groupchat')),
    sift: both(sifts.filter((sift) => sift !== undefined)),
  }
}

/**
 * XEP-0313 §4.1.1: a bare JID stands for all its resources: that of the account itself for what it says to itself, that
 * of a room for all that was said there.
 */
function partner(other: Jid): { bare: string; resource?: string } {
  const bare = other.bare.toString()
  return other.isBare ? { bare } : { bare, resource: other.resource }
}

function addressed(text: string | undefined): Jid | undefined {
  if (text === undefined) return undefined
  try {
    return Jid.parse(text.trim())
  } catch (error) {
    throw error instanceof JidError ? new StanzaError('jid-malformed', error.message) : error
  }
}

function moment(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const at = parseMoment(text.trim())
  if (at === undefined) throw new StanzaError('bad-request', `${name} is no moment as in XEP-0082.`)
  return at
}

function truth(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw new StanzaError('bad-request', 'include-groupchat is true or false.')
}

function idsOf(ids: readonly string[] | undefined): readonly string[] | undefined {
  if (ids === undefined || ids.length === 0) return undefined
  if (ids.length > mostIds) throw new StanzaError('bad-request', `At most ${mostIds} ids.`)
  return ids
}

/** XEP-0431: all words have to be there, in any order. */
function wordsOf(text: string | undefined): readonly string[] {
  if (text === undefined) return []
  const words = [...new Set(folded(text).split(/\s+/))].filter((word) => word !== '')
  if (text.length > longestSearch || words.length > mostWords)
    throw new StanzaError('bad-request', `At most ${mostWords} words.`)
  return words
}

function folded(text: string): string {
  return text.normalize('NFC').toLowerCase()
}

/** In bodies and subjects, in whatever language. */
function textSift(words: readonly string[]): Sift {
  return {
    words: words.map(plainPart).filter((part) => part !== ''),
    test: (stanza) => {
      const message = readable(stanza)
      if (!message) return false
      const text = message.children
        .filter(({ local, ns }) => ns === NS.client && (local === 'body' || local === 'subject'))
        .map((child) => folded(child.text))
      return words.every((word) => text.some((one) => one.includes(word)))
    },
  }
}

/** What of a word stands in XML as it is, in whatever case: letters and digits of ASCII that follow each other. */
function plainPart(word: string): string {
  const parts = word.match(/[a-z0-9]+/g) ?? []
  return parts.reduce((longest, part) => (part.length > longest.length ? part : longest), '')
}

/** From or to that address. */
function resourceSift(address: Jid): Sift {
  return {
    words: [escapeAttribute(address.toString())],
    test: (stanza) => {
      const message = readable(stanza)
      return message?.from.equals(address) === true || message?.to?.equals(address) === true
    },
  }
}

function both(sifts: readonly Sift[]): Sift | undefined {
  if (sifts.length < 2) return sifts[0]
  return {
    words: sifts.flatMap(({ words }) => words),
    test: (stanza) => sifts.every((sift) => sift.test(stanza)),
  }
}

function readable(text: string): Stanza | undefined {
  try {
    return Stanza.parse(text)
  } catch {
    return undefined
  }
}
