/** The archive in memory, for tests: simple, and the measure for the one in PostgreSQL. */
import { realClock, type Clock } from '../base/clock.js'
import { systemRandom } from '../base/random.js'
import type {
  Archived,
  ArchiveFilter,
  ArchiveOwner,
  ArchivePage,
  ArchiveSlice,
  ArchiveStore,
  NewArchived,
  RestoredMessage,
  Taken,
} from './archive.js'
import { originsKept } from './archive.js'
import { ArchiveIds, firstOf, lastOf, momentOf } from './archive-ids.js'
import { Origins } from './archive-origins.js'

interface Row extends NewArchived {
  readonly id: string
  stanza: string
}

export class MemoryArchive implements ArchiveStore {
  readonly available = true
  readonly waiting = 0
  readonly purgedAt = 0
  readonly #clock: Clock
  readonly #ids: ArchiveIds
  readonly #rows = new Map<ArchiveOwner, Row[]>()
  readonly #origins = new Origins()

  constructor(clock: Clock = realClock) {
    this.#clock = clock
    this.#ids = new ArchiveIds(clock, systemRandom)
  }

  get size(): number {
    return [...this.#rows.values()].reduce((sum, rows) => sum + rows.length, 0)
  }

  add(entry: NewArchived): Taken {
    const { owner, origin, isNew } = entry
    const mayBeKnown = origin !== undefined && !isNew
    const known = mayBeKnown ? this.#origins.find(owner, origin, this.#clock.now()) : undefined
    if (known) return known
    const id = this.#ids.next()
    this.#of(owner).push({ ...entry, id })
    if (origin !== undefined) this.#origins.set(owner, origin, id)
    return { id, again: false, written: Promise.resolve() }
  }

  async recall(owner: ArchiveOwner, origin: bigint): Promise<string | undefined> {
    const since = firstOf(this.#clock.now() - originsKept)
    return this.#of(owner).find((row) => row.origin === origin && row.id > since)?.id
  }

  async settled(): Promise<void> {}

  async page(owner: ArchiveOwner, filter: ArchiveFilter, slice: ArchiveSlice): Promise<ArchivePage> {
    const found = this.#of(owner).filter((row) => fits(row, filter))
    if (slice.from === 'end') found.reverse()
    const { skip = 0 } = slice
    let bytes = 0
    const taken = found.slice(skip, skip + slice.count).filter(({ stanza }, i) => {
      bytes += Buffer.byteLength(stanza)
      return i === 0 || bytes <= slice.bytes
    })
    const complete = found.length <= skip + taken.length
    if (slice.from === 'end') taken.reverse()
    return { messages: taken.map(archived), complete }
  }

  async count(
    owner: ArchiveOwner,
    filter: ArchiveFilter,
    { first, most = Infinity }: { readonly first?: string; readonly most?: number } = {},
  ): Promise<{ count: number; index: number } | undefined> {
    const found = this.#of(owner).filter((row) => fits(row, filter))
    if (found.length > most) return undefined
    const index = first === undefined ? 0 : found.filter(({ id }) => id < first).length
    return { count: found.length, index }
  }

  async find(owner: ArchiveOwner, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const there = new Set(this.#of(owner).map(({ id }) => id))
    return new Map(ids.filter((id) => there.has(id)).map((id) => [id, id]))
  }

  async replace(owner: ArchiveOwner, id: string, stanza: string): Promise<void> {
    const row = this.#of(owner).find((one) => one.id === id)
    if (row) row.stanza = stanza
  }

  async remove(owner: ArchiveOwner, before = Infinity): Promise<number> {
    const rows = this.#of(owner)
    const left = rows.filter(({ id }) => momentOf(id) >= before)
    this.#rows.set(owner, left)
    return rows.length - left.length
  }

  async restore(messages: readonly RestoredMessage[]): Promise<void> {
    for (const message of messages) {
      const rows = this.#of(message.owner)
      if (rows.some(({ id }) => id === message.id)) continue
      rows.push({ ...message, origin: undefined })
      rows.sort((a, b) => (a.id < b.id ? -1 : 1))
    }
  }

  keep(): void {}

  async keepOf(): Promise<void> {}

  #of(owner: ArchiveOwner): Row[] {
    const rows = this.#rows.get(owner) ?? []
    this.#rows.set(owner, rows)
    return rows
  }
}

function archived({ id, with: other, resource, stanza }: Row): Archived {
  return { id, with: other, resource, stanza, at: momentOf(id) }
}

function fits(
  row: Row,
  { start, end, after, before, ids, with: other, groupchat, sift }: ArchiveFilter,
): boolean {
  return (
    (start === undefined || row.id >= firstOf(start)) &&
    (end === undefined || row.id <= lastOf(end)) &&
    (after === undefined || row.id > after) &&
    (before === undefined || row.id < before) &&
    (ids === undefined || ids.includes(row.id)) &&
    (other === undefined || row.with === other.bare) &&
    (other?.resource === undefined || row.resource === other.resource) &&
    (groupchat !== false || !row.groupchat) &&
    (sift === undefined || sift.test(row.stanza))
  )
}
