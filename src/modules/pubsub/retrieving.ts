/** Retrieving items (XEP-0060 §6.5): all, some, the newest, and how many fit into an answer. */
import type { Node } from './node.js'
import { unsupported } from './refusals.js'
import type { Service } from './service.js'
import type { ItemRecord } from '../../storage/pubsub.js'

/** Bytes of payloads in one answer; at least one item is in it. */
const answerBytes = 1 << 20

export interface Wanted {
  readonly ids?: readonly string[] | undefined
  /** So many of the newest. */
  readonly max?: number | undefined
}

/** Part of what a node has, oldest first. */
export interface Page {
  readonly items: readonly ItemRecord[]
  /** Place of the first of them among all. */
  readonly index: number
  /** Items of the node. */
  readonly count: number
  /** Some of what was wanted did not fit. */
  readonly cut: boolean
}

/** Chooses among all ids of a node, oldest first; gives the place of the first one and how many from there. */
export type Choose = (ids: readonly string[]) => { readonly from: number; readonly count: number }

export async function retrieve(service: Service, node: Node, wanted: Wanted, choose?: Choose): Promise<Page> {
  if (!node.config.persist) throw unsupported('persistent-items')
  const now = service.clock.now()
  if (wanted.ids) {
    const items = await service.store.items(node.id, wanted.ids, now)
    const shown = fitting(items.map(({ payload }) => payload.length))
    return { items: items.slice(0, shown), index: 0, count: items.length, cut: shown < items.length }
  }
  if (wanted.max === 1 && !choose) {
    const items = await service.store.newest([node.id], now)
    return { items, index: 0, count: items.length, cut: false }
  }
  const all = await service.store.index(node.id, now)
  const chosen = choose?.(all.map(({ id }) => id)) ?? newest(all.length, wanted.max)
  const part = all.slice(chosen.from, chosen.from + chosen.count)
  // What does not fit is left out where a further request would begin: with the newest, the oldest of them.
  const backwards = !choose
  const sizes = part.map(({ bytes }) => bytes)
  const shown = fitting(backwards ? sizes.toReversed() : sizes)
  const from = backwards ? part.length - shown : 0
  const ids = part.slice(from, from + shown).map(({ id }) => id)
  const items = ids.length > 0 ? await service.store.items(node.id, ids, now) : []
  return { items, index: chosen.from + from, count: all.length, cut: shown < part.length }
}

function newest(count: number, max = count): { from: number; count: number } {
  const shown = Math.min(count, max)
  return { from: count - shown, count: shown }
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
