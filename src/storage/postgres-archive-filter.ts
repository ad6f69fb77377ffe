/** Filters of the archive as SQL, and the windows in which its text is searched. */
import type { ArchiveFilter, ArchiveOwner, ArchiveSlice } from './archive.js'
import { firstOf, lastOf } from './archive-ids.js'
import type { Database } from './database.js'

export interface Where {
  /** Tells statements of different conditions apart. */
  readonly name: string
  readonly condition: string
  readonly values: readonly unknown[]
}

/** What the database checks: all but the sift. */
export function whereOf(owner: ArchiveOwner, filter: ArchiveFilter): Where {
  const { start, end, after, before, ids, with: other, groupchat } = filter
  const values: unknown[] = [owner]
  const conditions = ['owner = $1']
  let name = ''
  const add = (letter: string, value: unknown, condition: (place: string) => string) => {
    values.push(value)
    conditions.push(condition(`$${values.length}`))
    name += letter
  }
  // `firstOf` and `lastOf` give ids that no message has.
  const lower = highest(after, start === undefined ? undefined : firstOf(start))
  const upper = lowest(before, end === undefined ? undefined : lastOf(end))
  if (lower !== undefined) add('a', lower, (place) => `id > ${place}::uuid`)
  if (upper !== undefined) add('b', upper, (place) => `id < ${place}::uuid`)
  if (ids) add('i', ids, (place) => `id = ANY(${place}::uuid[])`)
  if (other) add('w', other.bare, (place) => `peer = ${place}`)
  if (other?.resource !== undefined) add('r', other.resource, (place) => `resource = ${place}`)
  if (groupchat === false) {
    conditions.push('NOT groupchat')
    name += 'g'
  }
  return { name: name === '' ? 'all' : name, condition: conditions.join(' AND '), values }
}

function highest(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return one > other ? one : other
}

function lowest(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return one < other ? one : other
}

/** Messages that one statement looks through, and that it brings. */
const window = 10_000
const brought = 100

export interface Found extends Record<string, unknown> {
  readonly id: string
  readonly peer: string
  readonly resource: string
  readonly stanza: string
}

/** What fits and has the words of the sift in it, in parts, from the given side. */
export async function* partsOf(
  database: Database,
  owner: ArchiveOwner,
  filter: ArchiveFilter,
  from: ArchiveSlice['from'],
): AsyncGenerator<readonly Found[], void, void> {
  const forward = from === 'start'
  const order = forward ? 'ASC' : 'DESC'
  const patterns = (filter.sift?.words ?? []).map((word) => `%${word.replace(/[\\%_]/g, '\\$&')}%`)
  const beyond = (rest: ArchiveFilter, id: string) => ({
    ...rest,
    ...(forward ? { after: id } : { before: id }),
  })
  for (let rest = filter; ;) {
    const { name, condition, values } = whereOf(owner, rest)
    const [edge] = await database.query<{ id: string }>(
      `archive.edge.${name}.${order}`,
      `SELECT id FROM archive WHERE ${condition} ORDER BY id ${order} OFFSET ${window - 1} LIMIT 1`,
      values,
    )
    for (let part = rest; ;) {
      const at = whereOf(owner, part)
      const [upto, words] = [1, 2].map((i) => `$${at.values.length + i}`)
      const found = await database.query<Found>(
        `archive.search.${at.name}.${order}`,
        `SELECT id, peer, resource, stanza FROM archive WHERE ${at.condition}
            AND (${upto}::uuid IS NULL OR id ${forward ? '<=' : '>='} ${upto})
            AND stanza ILIKE ALL(${words}::text[]) ORDER BY id ${order} LIMIT ${brought}`,
        [...at.values, edge?.id ?? null, patterns],
      )
      yield found
      const last = found.at(-1)
      if (!last || found.length < brought) break
      part = beyond(part, last.id)
    }
    if (!edge) return
    rest = beyond(rest, edge.id)
  }
}
