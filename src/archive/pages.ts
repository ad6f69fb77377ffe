/** Pages of an archive (XEP-0313 §4.3): what a query is answered with, and where that lies in all that fits. */
import type { ArchiveQuery } from './query.js'
import { StanzaError } from '../stanza/errors.js'
import type { PageInfo } from '../stanza/rsm.js'
import type { Archived, ArchiveFilter, ArchiveOwner, ArchiveStore } from '../storage/archive.js'
import { firstOf, isArchiveId } from '../storage/archive-ids.js'

/** Bytes of stanzas in one page: the rest comes with the next one. */
const pageBytes = 2 << 20
/** Above so many nobody is told how many there are, unless that is the question (XEP-0059 §2.2). */
const mostCounted = 10_000

export interface Answer {
  readonly messages: readonly Archived[]
  /** XEP-0313 §4.3.2: nothing lies beyond the page. */
  readonly complete: boolean
  /** Resolves with what is said of the page; the counting goes on while it is sent. */
  readonly info: Promise<PageInfo>
}

export interface PageLimits {
  /** Messages of a page. */
  readonly most: number
  /** Messages from before that moment are not shown any longer; in milliseconds since 1970. */
  readonly since: number
  /** Ids that need not be looked for: they were on the page before. */
  readonly known?: ReadonlySet<string> | undefined
}

/**
 * Answers a query.
 * @throws StanzaError `item-not-found` for an id that is not in the archive (§4.1.3, §4.3.2); StorageUnavailable
 */
export async function answer(
  store: ArchiveStore,
  owner: ArchiveOwner,
  { filter: asked, page }: ArchiveQuery,
  { most, since, known }: PageLimits,
): Promise<Answer> {
  // A client may know an id that is not written yet.
  await store.settled()
  const named = [page.after, page.before === '' ? undefined : page.before, asked.after, asked.before]
  const isUnknown = (id: string | undefined) => id !== undefined && !known?.has(id)
  const ids = await found(store, owner, [...named.filter(isUnknown), ...(asked.ids ?? [])], since)
  const real = (id: string | undefined) => (id === undefined ? undefined : (ids.get(id) ?? id))
  const filter: ArchiveFilter = {
    ...asked,
    start: Math.max(since, asked.start ?? since),
    after: real(asked.after),
    before: real(asked.before),
    ids: asked.ids?.map((id) => ids.get(id)!),
  }
  const after = real(page.after)
  const before = page.before === '' ? undefined : real(page.before)
  const counted = (first?: string, limit = mostCounted) =>
    store.count(owner, filter, { ...(first === undefined ? {} : { first }), most: limit })
  if (page.max === 0) {
    const all = await counted(undefined, Number.MAX_SAFE_INTEGER - 1)
    return { messages: [], complete: all?.count === 0, info: Promise.resolve({ count: all?.count }) }
  }
  const { messages, complete } = await store.page(
    owner,
    { ...filter, after: later(filter.after, after), before: earlier(filter.before, before) },
    {
      from: page.before === undefined ? 'start' : 'end',
      skip: page.index,
      count: Math.min(page.max ?? most, most),
      bytes: pageBytes,
    },
  )
  const first = messages[0]?.id
  const isAll = complete && after === undefined && before === undefined && (page.index ?? 0) === 0
  const whole = isAll ? Promise.resolve({ count: messages.length, index: 0 }) : counted(first)
  const info = whole.then((all) => ({
    first,
    last: messages.at(-1)?.id,
    index: first === undefined ? undefined : all?.index,
    count: all?.count,
  }))
  // Whoever sends the page waits for it, if it can be sent.
  info.catch(() => undefined)
  return { messages, complete, info }
}

/** The ids of these messages, each of which must be there. */
async function found(
  store: ArchiveStore,
  owner: ArchiveOwner,
  ids: readonly (string | undefined)[],
  since: number,
): Promise<ReadonlyMap<string, string>> {
  const wanted = [...new Set(ids.filter((id) => id !== undefined))]
  if (wanted.length === 0) return new Map()
  const missing = () => new StanzaError('item-not-found', 'The archive has no message of that id.')
  if (!wanted.every(isArchiveId)) throw missing()
  const there = await store.find(owner, wanted)
  const oldest = firstOf(since)
  if (!wanted.every((id) => (there.get(id) ?? '') > oldest)) throw missing()
  return there
}

function later(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return one > other ? one : other
}

function earlier(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return one < other ? one : other
}
