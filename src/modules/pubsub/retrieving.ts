/** Retrieving items (XEP-0060 §6.5): all, some, the newest, a page of them, and as many as fit into an answer. */
import type { Node } from './node.js'
import { unsupported } from './refusals.js'
import type { Service } from './service.js'
import { StanzaError } from '../../stanza/errors.js'
import type { PageRequest } from '../../stanza/rsm.js'
import type { ItemRecord } from '../../storage/pubsub.js'

/** Bytes of payloads in one answer; at least one item is in it. */
const answerBytes = 1 << 20

export interface Wanted {
  readonly ids?: readonly string[] | undefined
  /** So many of the newest. */
  readonly max?: number | undefined
  /** XEP-0059; with `max`: of those. */
  readonly page?: PageRequest | undefined
}

/** Part of what a node has, oldest first. */
export interface Page {
  readonly items: readonly ItemRecord[]
  /** Place of the first of them among all that were wanted. */
  readonly index: number
  /** How many were wanted. */
  readonly count: number
  /** Some of what was wanted did not fit. */
  readonly cut: boolean
}

interface Part {
  readonly from: number
  readonly count: number
  /** What does not fit is left out at the beginning and not at the end. */
  readonly backwards: boolean
}

/** @throws StanzaError `item-not-found` when there is no such page, `feature-not-implemented` when nothing is kept */
export async function retrieve(service: Service, node: Node, wanted: Wanted): Promise<Page> {
  if (!node.config.persist) throw unsupported('persistent-items')
  const now = service.clock.now()
  const { ids, max, page } = wanted
  if (ids) {
    const items = await service.store.items(node.id, ids, now)
    const shown = fitting(items.map(({ payload }) => payload.length))
    return { items: items.slice(0, shown), index: 0, count: items.length, cut: shown < items.length }
  }
  if (max === 1 && !page) {
    const items = await service.store.newest([node.id], now)
    return { items, index: 0, count: items.length, cut: false }
  }
  const index = await service.store.index(node.id, now)
  const all = max === undefined ? index : index.slice(Math.max(0, index.length - max))
  const { from, count, backwards } = page
    ? partOf(
        all.map(({ id }) => id),
        page,
      )
    : { from: 0, count: all.length, backwards: true }
  const part = all.slice(from, from + count)
  const sizes = part.map(({ bytes }) => bytes)
  const shown = fitting(backwards ? sizes.toReversed() : sizes)
  const skipped = backwards ? part.length - shown : 0
  const found = part.slice(skipped, skipped + shown).map(({ id }) => id)
  const items = found.length > 0 ? await service.store.items(node.id, found, now) : []
  return { items, index: from + skipped, count: all.length, cut: shown < part.length }
}

/** All that was wanted, however large: for other modules. @throws StanzaError as `retrieve` */
export async function retrieveAll(
  service: Service,
  node: Node,
  wanted: Pick<Wanted, 'ids' | 'max'>,
): Promise<readonly ItemRecord[]> {
  const { items, cut } = await retrieve(service, node, wanted)
  if (!cut) return items
  const now = service.clock.now()
  const index = (await service.store.index(node.id, now)).map(({ id }) => id)
  return service.store.items(node.id, wanted.ids ?? index.slice(-(wanted.max ?? index.length)), now)
}

/**
 * XEP-0059 §2: which part of these ids a page is.
 * @throws StanzaError `item-not-found`
 */
export function partOf(
  ids: readonly string[],
  { max = ids.length, after, before, index }: PageRequest,
): Part {
  if (index !== undefined) {
    // XEP-0059 §2.6
    if (index > 0 && index >= ids.length) throw new StanzaError('item-not-found')
    return { from: index, count: Math.min(max, ids.length - index), backwards: false }
  }
  const from = after === undefined ? 0 : placeOf(ids, after) + 1
  const to = before === undefined || before === '' ? ids.length : placeOf(ids, before)
  const count = Math.min(max, Math.max(0, to - from))
  if (before === undefined) return { from, count, backwards: false }
  return { from: Math.max(from, to - count), count, backwards: true }
}

/** XEP-0059 §2.2: an item that is not there has no place. */
function placeOf(ids: readonly string[], id: string): number {
  const place = ids.indexOf(id)
  if (place < 0) throw new StanzaError('item-not-found')
  return place
}

/** How many of the first of them fit into an answer. */
function fitting(sizes: readonly number[]): number {
  let bytes = 0
  for (const [index, size] of sizes.entries()) {
    bytes += size
    if (bytes > answerBytes && index > 0) return index
  }
  return sizes.length
}
