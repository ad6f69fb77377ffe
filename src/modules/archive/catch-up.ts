/** What a session's client gets from the archive by itself, and so need not get offline (XEP-0313 §6.1.1). */
import type { ArchiveQuery } from '../../archive/query.js'
import type { Answer } from '../../archive/pages.js'
import type { Session } from '../../session/session.js'
import { Slot } from '../../session/slot.js'
import { firstOf } from '../../storage/archive-ids.js'

interface Reach {
  /** All from this id on; undefined: nothing. */
  from: string | undefined
  /** And up to this one. */
  until: string
}

const reach = new Slot<Reach>('archive', () => ({ from: undefined, until: '' }))

const everything = firstOf(0)
/** Past all ids: what comes until it is done, too. */
const noEnd = '~'

/** It catches up with all that there is (XEP-0386 §3.2), of which `newest` is the last; nothing without. */
export function catchesUp(session: Session, newest: string | undefined): void {
  Object.assign(session.state(reach), { from: everything, until: newest ?? '' })
}

/** Whether its client uses the archive to catch up. */
export function isCatchingUp(session: Session): boolean {
  return session.state(reach).from !== undefined
}

/** Whether its client gets the message of that id from the archive, if it is there. */
export function reaches(session: Session, id: string): boolean {
  const { from, until } = session.state(reach)
  return from !== undefined && id >= from && id <= until
}

/**
 * Looks at a query that was answered. One before the session takes messages, for all that there is from some point on,
 * is how a client catches up: it goes on until it has the newest, and what comes after that it does not look for.
 * Backwards it begins with the newest and may stop where it likes, so there it counts only as far as it has come.
 */
export function noteQuery(
  session: Session,
  { filter, page }: ArchiveQuery,
  { messages, complete }: Answer,
): void {
  if (session.takesMessages || page.max === 0 || page.index !== undefined) return
  const { with: other, sift, ids, end, before } = filter
  if (other || sift || ids || end !== undefined || before !== undefined) return
  const state = session.state(reach)
  const bound = lowerBound(filter.start, filter.after, page.after)
  const oldest = messages[0]?.id
  const newest = messages.at(-1)?.id ?? page.after ?? filter.after ?? ''
  if (page.before === undefined) {
    lower(state, bound)
    if (complete) conclude(state, newest)
    else state.until = noEnd
  } else if (page.before === '' || page.before === state.from) {
    lower(state, complete ? bound : oldest)
    if (page.before === '') conclude(state, newest)
  }
}

function lower(state: Reach, id: string | undefined): void {
  if (id !== undefined && (state.from === undefined || id < state.from)) state.from = id
}

/** It has seen the newest that there is. */
function conclude(state: Reach, newest: string): void {
  if (state.until === noEnd || newest > state.until) state.until = newest
}

/** `after` are ids that are known already: just above them it begins. */
function lowerBound(start: number | undefined, ...after: (string | undefined)[]): string {
  const bounds = after.filter((id) => id !== undefined).map((id) => `${id}~`)
  return [firstOf(start ?? 0), ...bounds].reduce((highest, bound) => (bound > highest ? bound : highest))
}
