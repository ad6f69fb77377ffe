/** Pages of an archive as clients ask for them (XEP-0313 §4.3, XEP-0059), against a plain list. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer } from '../../src/archive/pages.js'
import type { ArchiveQuery } from '../../src/archive/query.js'
import { StanzaError } from '../../src/stanza/errors.js'
import type { PageRequest } from '../../src/stanza/rsm.js'
import type { ArchiveFilter, ArchiveStore } from '../../src/storage/archive.js'
import { momentOf } from '../../src/storage/archive-ids.js'
import type { Stores } from '../../src/storage/stores.js'
import { Dice } from '../support/dice.js'
import { created } from './accounts.js'

const peers = ['a@x.example', 'b@x.example', 'c@y.example']

interface Kept {
  readonly id: string
  readonly with: string
}

const nothing: PageRequest = { max: undefined, after: undefined, before: undefined, index: undefined }

export function archivePagesContract(open: () => Stores, domainOf: () => string): void {
  test('pages of random queries are those of a plain list', async () => {
    const { archive } = open()
    const dice = new Dice(59)
    const owner = await created(open(), domainOf(), 'romeo')
    const list: Kept[] = []
    for (let i = 0; i < 90; i++) list.push(add(archive, owner, dice))
    await archive.settled()
    const unknown = '00000000-0000-7000-8000-000000000000'
    const anId = () => (dice.below(40) === 0 ? dice.of([unknown, 'nonsense']) : dice.of(list).id)
    const sometimes = <T>(of: number, make: () => T): T | undefined =>
      dice.below(of) === 0 ? make() : undefined
    let [pages, refusals] = [0, 0]
    for (let round = 0; round < 500; round++) {
      const filter: ArchiveFilter = {
        start: sometimes(8, () => momentOf(dice.of(list).id)),
        end: sometimes(8, () => momentOf(dice.of(list).id)),
        after: sometimes(6, anId),
        before: sometimes(6, anId),
        ids: sometimes(10, () => [anId(), anId(), anId()]),
        with: sometimes(2, () => ({ bare: dice.of(peers) })),
      }
      const way = dice.below(5)
      const page: PageRequest = {
        ...nothing,
        max: sometimes(2, () => dice.below(12)),
        ...(way === 0 ? { after: anId() } : {}),
        ...(way === 1 ? { before: anId() } : {}),
        ...(way === 2 ? { before: '' } : {}),
        ...(way === 3 && dice.below(3) === 0 ? { index: dice.below(100) } : {}),
      }
      const most = 1 + dice.below(40)
      const label = JSON.stringify({ filter, page, most })
      const expected = pageOf(list, filter, page, most)
      const asked = { filter, page, isFlipped: false, queryId: undefined }
      if (expected === undefined) {
        const isNotFound = (error: unknown) =>
          error instanceof StanzaError && error.condition === 'item-not-found'
        await assert.rejects(answer(archive, owner, asked, { most, since: 0 }), isNotFound, label)
        refusals++
      } else {
        assert.deepEqual(await told(archive, owner, asked, most), expected, label)
        pages++
      }
    }
    assert.ok(pages > 200 && refusals > 10, `${pages} ${refusals}`)
  })

  test('paging through gives every message once, in order, whatever comes meanwhile', async () => {
    const { archive } = open()
    const dice = new Dice(60)
    const owner = await created(open(), domainOf(), 'romeo')
    const list: Kept[] = []
    for (let i = 0; i < 40; i++) list.push(add(archive, owner, dice))
    const filter = { with: { bare: peers[0]! } }
    const next = async (page: Partial<PageRequest>) => {
      const query = { filter, page: { ...nothing, ...page }, isFlipped: false, queryId: undefined }
      return told(archive, owner, query, 50)
    }
    const wanted = () => list.filter((kept) => kept.with === peers[0]).map(({ id }) => id)
    const before = wanted()
    const backwards: string[] = []
    for (let first: string | undefined = ''; ;) {
      const page = await next({ before: first, max: 1 + dice.below(5) })
      backwards.unshift(...page.ids)
      if (page.complete) break
      first = page.first
      list.push(add(archive, owner, dice))
    }
    assert.deepEqual(backwards, before)
    const forwards: string[] = []
    for (let last: string | undefined; ;) {
      const page = await next({ after: last, max: 1 + dice.below(5) })
      forwards.push(...page.ids)
      if (page.complete) break
      last = page.last
      if (list.length < 80) list.push(add(archive, owner, dice))
    }
    assert.deepEqual(forwards, wanted())
  })
}

function add(archive: ArchiveStore, owner: number, dice: Dice): Kept {
  const other = dice.of(peers)
  const stanza = `<message xmlns='jabber:client' from='${other}'><body>x</body></message>`
  const entry = { owner, with: other, resource: '', groupchat: false, stanza, origin: undefined }
  return { id: archive.add(entry, {}).id, with: other }
}

/** What a client hears. */
async function told(archive: ArchiveStore, owner: number, asked: ArchiveQuery, most: number) {
  const { messages, complete, info } = await answer(archive, owner, asked, { most, since: 0 })
  const { first, last, index, count } = await info
  return { ids: messages.map(({ id }) => id), complete, first, last, index, count }
}

/** The same from the list; undefined when an id is not in it. */
function pageOf(list: readonly Kept[], filter: ArchiveFilter, page: PageRequest, most: number) {
  const placeOf = (id: string) => list.findIndex((kept) => kept.id === id)
  const named = [filter.after, filter.before, page.after, page.before, ...(filter.ids ?? [])]
  if (named.some((id) => id !== undefined && id !== '' && placeOf(id) < 0)) return undefined
  const whole = list.filter((kept, place) => {
    const at = momentOf(kept.id)
    return (
      (filter.start === undefined || at >= filter.start) &&
      (filter.end === undefined || at <= filter.end) &&
      (filter.after === undefined || place > placeOf(filter.after)) &&
      (filter.before === undefined || place < placeOf(filter.before)) &&
      (filter.ids?.includes(kept.id) ?? true) &&
      (filter.with === undefined || kept.with === filter.with.bare)
    )
  })
  const count = whole.length
  const none = { first: undefined, last: undefined, index: undefined }
  if (page.max === 0) return { ids: [], complete: count === 0, ...none, count }
  const size = Math.min(page.max ?? most, most)
  const { after, before, index: from = 0 } = page
  const left = whole.filter(
    (kept) =>
      (after === undefined || placeOf(kept.id) > placeOf(after)) &&
      (before === undefined || before === '' || placeOf(kept.id) < placeOf(before)),
  )
  const shown = before === undefined ? left.slice(from, from + size) : left.slice(-size)
  const complete = before === undefined ? from + shown.length >= left.length : shown.length === left.length
  const [first, last] = [shown[0], shown.at(-1)]
  if (!first || !last) return { ids: [], complete, ...none, count }
  return {
    ids: shown.map(({ id }) => id),
    complete,
    first: first.id,
    last: last.id,
    index: whole.indexOf(first),
    count,
  }
}
