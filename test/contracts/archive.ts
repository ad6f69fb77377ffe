/** What every archive store must do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { realClock } from '../../src/base/clock.js'
import type { ArchiveFilter, ArchiveStore, NewArchived, Sift } from '../../src/storage/archive.js'
import { firstOf, isArchiveId, momentOf } from '../../src/storage/archive-ids.js'
import type { Stores } from '../../src/storage/stores.js'
import { Dice } from '../support/dice.js'
import { created } from './accounts.js'

const plenty = { count: 1000, bytes: 1 << 20 }
const all = { from: 'start', ...plenty } as const

/** An entry with something about it that tells it from others. */
function entry(owner: number, body: string, more: Partial<NewArchived> = {}): NewArchived {
  return {
    owner,
    with: 'juliet@capulet.example',
    resource: 'balcony',
    groupchat: false,
    stanza: `<message xmlns='jabber:client'><body>${body}</body></message>`,
    origin: undefined,
    ...more,
  }
}

/** Adds one message to one archive and waits until it is durable. */
async function add(archive: ArchiveStore, one: NewArchived): Promise<string> {
  const { id, written } = archive.add(one, {})
  await written
  return id
}

function sift(...words: string[]): Sift {
  const test = (stanza: string) => words.every((word) => stanza.toLowerCase().includes(word))
  return { words, test }
}

export function archiveContract(open: () => Stores, domainOf: () => string): void {
  const owner = () => created(open(), domainOf(), 'romeo')

  test('messages of the past are put into their places, once', async () => {
    const { archive } = open()
    const one = await owner()
    const now = await add(archive, entry(one, 'now'))
    const past = (at: string, body: string) => ({
      ...entry(one, body),
      id: `${firstOf(Date.parse(at)).slice(0, 13)}-7000-8000-00000000000${body}`,
    })
    const [first, second, third] = [
      past('2009-03-01T12:00:00Z', '1'),
      past('2011-07-31T23:59:59.999Z', '2'),
      past('2011-08-01T00:00:00Z', '3'),
    ]
    await archive.restore([third, first])
    await archive.restore([first, second, third])
    await archive.restore([])
    const { messages } = await archive.page(one, {}, all)
    assert.deepEqual(
      messages.map(({ id }) => id),
      [first.id, second.id, third.id, now],
    )
    assert.equal(messages[0]!.at, Date.parse('2009-03-01T12:00:00Z'))
    assert.equal((await archive.page(one, { end: messages[1]!.at }, all)).messages.length, 2)
  })

  test('messages are read in the order in which they were added, with their moments', async () => {
    const { archive } = open()
    const [one, other] = [await owner(), await owner()]
    const began = realClock.now()
    const texts = ['a', 'b', `"\\ {,} \u00e9 \u{1f339} NULL\n`, 'NULL', 'c']
    const taken = texts.map((text) => archive.add(entry(one, text), {}))
    archive.add(entry(other, 'elsewhere'), {})
    await archive.settled()
    const { messages, complete } = await archive.page(one, {}, all)
    assert.equal(complete, true)
    assert.deepEqual(
      messages.map(({ id, stanza }) => ({ id, stanza })),
      texts.map((text, i) => ({ id: taken[i]!.id, stanza: entry(one, text).stanza })),
    )
    assert.ok(messages.every(({ id }, i) => isArchiveId(id) && (i === 0 || id > messages[i - 1]!.id)))
    assert.ok(messages.every(({ at }) => at >= began && at <= realClock.now()))
    assert.ok(taken.every(({ again }) => !again))
    assert.equal((await archive.page(other, {}, all)).messages.length, 1)
  })

  test('one message in two archives is in both or in none', async () => {
    const { archive } = open()
    const [one, other] = [await owner(), await owner()]
    const message = {}
    const [sent, received] = [
      archive.add(entry(one, 'both'), message),
      archive.add(entry(other, 'both'), message),
    ]
    assert.notEqual(sent.id, received.id)
    await sent.written
    assert.deepEqual([...(await archive.find(other, [received.id])).keys()], [received.id])
    await received.written
  })

  test('a page ends at its count or at its bytes, and knows whether it is complete', async () => {
    const { archive } = open()
    const one = await owner()
    const ids: string[] = []
    for (let i = 0; i < 7; i++) ids.push(await add(archive, entry(one, `m${i}`)))
    const bytes = entry(one, 'm0').stanza.length
    const page = async (slice: { from: 'start' | 'end'; count?: number; bytes?: number; skip?: number }) => {
      const { messages, complete } = await archive.page(one, {}, { ...plenty, ...slice })
      return [messages.map(({ id }) => ids.indexOf(id)), complete]
    }
    assert.deepEqual(await page({ from: 'start', count: 3 }), [[0, 1, 2], false])
    assert.deepEqual(await page({ from: 'end', count: 3 }), [[4, 5, 6], false])
    assert.deepEqual(await page({ from: 'start', count: 7 }), [[0, 1, 2, 3, 4, 5, 6], true])
    assert.deepEqual(await page({ from: 'end', count: 7 }), [[0, 1, 2, 3, 4, 5, 6], true])
    assert.deepEqual(await page({ from: 'start', count: 0 }), [[], false])
    assert.deepEqual(await page({ from: 'start', bytes: 2 * bytes }), [[0, 1], false])
    assert.deepEqual(await page({ from: 'end', bytes: 2 * bytes }), [[5, 6], false])
    assert.deepEqual(await page({ from: 'start', bytes: 1 }), [[0], false])
    assert.deepEqual(await page({ from: 'start', bytes: 7 * bytes }), [[0, 1, 2, 3, 4, 5, 6], true])
    assert.deepEqual(await page({ from: 'start', skip: 2, count: 2 }), [[2, 3], false])
    assert.deepEqual(await page({ from: 'start', skip: 5, count: 2 }), [[5, 6], true])
    assert.deepEqual(await page({ from: 'start', skip: 8 }), [[], true])
    const nobody = await archive.page(await owner(), {}, all)
    assert.deepEqual(nobody, { messages: [], complete: true })
  })

  test('a message that is sent again is the same one', async () => {
    const { archive } = open()
    const [one, other] = [await owner(), await owner()]
    const origin = -(2n ** 62n) + 5n
    const first = archive.add(entry(one, 'hi', { origin }), {})
    const again = archive.add(entry(one, 'hi', { origin }), {})
    assert.deepEqual([again.id, again.again], [first.id, true])
    await Promise.all([first.written, again.written])
    assert.equal(archive.add(entry(one, 'hi', { origin }), {}).again, true)
    assert.equal(archive.add(entry(one, 'hi', { origin: origin + 1n }), {}).again, false)
    assert.equal(archive.add(entry(other, 'hi', { origin }), {}).again, false)
    const another = archive.add(entry(one, 'hi', { origin: origin + 7n }), {})
    const alike = archive.add(entry(one, 'hi', { origin: origin + 7n, isNew: true }), {})
    assert.equal(alike.again, false)
    assert.notEqual(alike.id, another.id)
    await archive.settled()
    assert.equal((await archive.page(one, {}, all)).messages.length, 4)
    assert.equal(await archive.recall(one, origin), first.id)
    assert.equal(await archive.recall(one, origin + 2n), undefined)
  })

  test('which ids there are', async () => {
    const { archive } = open()
    const [one, other] = [await owner(), await owner()]
    const id = await add(archive, entry(one, 'here'))
    assert.deepEqual([...(await archive.find(one, [id, firstOf(realClock.now())]))], [[id, id]])
    assert.equal((await archive.find(other, [id])).size, 0)
    assert.equal((await archive.find(one, [])).size, 0)
  })

  test('a replaced message keeps its place', async () => {
    const { archive } = open()
    const one = await owner()
    const ids = [await add(archive, entry(one, 'a')), await add(archive, entry(one, 'b'))]
    await archive.replace(one, ids[0]!, '<message/>')
    const { messages } = await archive.page(one, {}, all)
    assert.deepEqual(
      messages.map(({ id, stanza }) => [id, stanza]),
      [
        [ids[0], '<message/>'],
        [ids[1], entry(one, 'b').stanza],
      ],
    )
  })

  test('what is removed is gone, the rest stays', async () => {
    const { archive } = open()
    const [one, other] = [await owner(), await owner()]
    const ids = [await add(archive, entry(one, 'a')), await add(archive, entry(one, 'b'))]
    await add(archive, entry(other, 'c'))
    assert.equal(await archive.remove(one, momentOf(ids[0]!)), 0)
    assert.equal(await archive.remove(one, momentOf(ids[1]!) + 1), 2)
    const late = await add(archive, entry(one, 'late'))
    assert.deepEqual(
      (await archive.page(one, {}, all)).messages.map(({ id }) => id),
      [late],
    )
    assert.equal(await archive.remove(one), 1)
    assert.equal((await archive.page(other, {}, all)).messages.length, 1)
  })

  test('a removed account leaves no archive', async () => {
    const { archive, accounts } = open()
    const one = await owner()
    await add(archive, entry(one, 'secret'))
    await accounts.remove(one)
    for (let tries = 0; (await archive.page(one, {}, all)).messages.length > 0; tries++) {
      assert.ok(tries < 1000, 'the archive is still there')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })

  test('a room has an archive of its own, and says who spoke; removed, it leaves none', async () => {
    const { archive, rooms } = open()
    const account = await owner()
    const local = `room${account}`
    const room = await roomOf(open(), domainOf(), local)
    const spoken = { with: 'juliet@capulet.example', resource: 'balcony', groupchat: true }
    const silent = { with: 'hall@chat.example', resource: '', groupchat: true }
    const ids = [
      await add(archive, entry(account, 'account')),
      await add(archive, entry(-room, 'one', spoken)),
      await add(archive, entry(-room, 'two', silent)),
      await add(archive, entry(room === account ? room + 1 : room, 'another account')),
    ]
    const { messages } = await archive.page(-room, {}, all)
    assert.deepEqual(
      messages.map(({ id, with: who, resource }) => [id, who, resource]),
      [
        [ids[1], 'juliet@capulet.example', 'balcony'],
        [ids[2], 'hall@chat.example', ''],
      ],
    )
    const found = await archive.page(-room, { sift: sift('two') }, all)
    assert.deepEqual(
      found.messages.map(({ with: who }) => who),
      ['hall@chat.example'],
    )
    assert.equal((await archive.find(-room, ids)).size, 2)
    await archive.keepOf(-room, 86_400_000)
    await archive.keepOf(-room, Infinity)
    assert.equal((await archive.page(-room, { with: { bare: spoken.with } }, all)).messages.length, 1)
    await rooms.remove(room)
    for (let tries = 0; (await archive.page(-room, {}, all)).messages.length > 0; tries++) {
      assert.ok(tries < 1000, 'the archive is still there')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.equal((await archive.page(account, {}, all)).messages.length, 1)
  })

  test('searches look into the text, without regard to case', async () => {
    const { archive } = open()
    const one = await owner()
    const texts = ['Wherefore art thou', 'the ART of 100%', 'nothing', 'art_ful', 'under_score', 'bad\\slash']
    const ids: string[] = []
    for (const text of texts) ids.push(await add(archive, entry(one, text)))
    const found = async (filter: ArchiveFilter, count = 100, from: 'start' | 'end' = 'start') => {
      const { messages, complete } = await archive.page(one, filter, { ...plenty, from, count })
      return [messages.map(({ id }) => ids.indexOf(id)), complete]
    }
    assert.deepEqual(await found({ sift: sift('art') }), [[0, 1, 3], true])
    assert.deepEqual(await found({ sift: sift('art') }, 2), [[0, 1], false])
    assert.deepEqual(await found({ sift: sift('art') }, 2, 'end'), [[1, 3], false])
    assert.deepEqual(await found({ sift: sift('art', '100%') }), [[1], true])
    assert.deepEqual(await found({ sift: sift('_') }), [[3, 4], true])
    assert.deepEqual(await found({ sift: sift('\\') }), [[5], true])
    assert.deepEqual(await found({ sift: { words: ['art'], test: (text) => text.includes('ful') } }), [
      [3],
      true,
    ])
    assert.deepEqual(await archive.count(one, { sift: sift('art') }, { first: ids[1]! }), {
      count: 3,
      index: 1,
    })
  })

  test('pages and counts of random filters are those of a plain list', async () => {
    const { archive } = open()
    const dice = new Dice(313)
    const one = await owner()
    const peers = ['a@x.example', 'b@x.example', 'a@y.example']
    const resources = ['', 'r1', 'r2']
    const model: (NewArchived & { id: string })[] = []
    for (let i = 0; i < 120; i++) {
      const next = entry(one, `word${dice.below(5)} ${i}`, {
        with: dice.of(peers),
        resource: dice.of(resources),
        groupchat: dice.below(6) === 0,
      })
      const { id, written } = archive.add(next, {})
      model.push({ ...next, id })
      if (dice.below(4) === 0) await written
      if (dice.below(15) === 0) await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await archive.settled()
    const anId = () => dice.of(model).id
    const sometimes = <T>(make: () => T): T | undefined => (dice.below(4) === 0 ? make() : undefined)
    for (let round = 0; round < 300; round++) {
      const filter: ArchiveFilter = {
        start: sometimes(() => momentOf(anId()) + dice.below(3) - 1),
        end: sometimes(() => momentOf(anId()) + dice.below(3) - 1),
        after: sometimes(anId),
        before: sometimes(anId),
        ids: sometimes(() => [anId(), anId(), anId(), anId()]),
        with: sometimes(() => ({ bare: dice.of(peers), resource: sometimes(() => dice.of(resources)) })),
        groupchat: sometimes(() => dice.below(2) === 0),
        sift: sometimes(() => sift(`word${dice.below(5)}`)),
      }
      const slice = {
        from: dice.of(['start', 'end'] as const),
        skip: sometimes(() => dice.below(10)),
        count: 1 + dice.below(30),
        bytes: 1 << 20,
      }
      const label = JSON.stringify({ filter, slice })
      const fits = model.filter((row) => isWanted(row, filter))
      const skip = slice.skip ?? 0
      const end = fits.length - skip
      const expected =
        slice.from === 'start'
          ? fits.slice(skip, skip + slice.count)
          : fits.slice(Math.max(0, end - slice.count), Math.max(0, end))
      const { messages, complete } = await archive.page(one, filter, slice)
      assert.deepEqual(
        messages.map(({ id, with: peer, resource, stanza }) => [id, peer, resource, stanza]),
        expected.map(({ id, with: peer, resource, stanza }) => [id, peer, resource, stanza]),
        label,
      )
      assert.equal(complete, skip + expected.length >= fits.length, label)
      const first = anId()
      const counted = { count: fits.length, index: fits.filter(({ id }) => id < first).length }
      assert.deepEqual({ ...(await archive.count(one, filter, { first })) }, counted, label)
      const most = dice.below(40)
      const counts = await archive.count(one, filter, { most })
      assert.equal(counts?.count, fits.length <= most ? fits.length : undefined, label)
    }
  })
}

/** A room of that address; its number. */
export async function roomOf({ rooms }: Stores, domain: string, local: string): Promise<number> {
  const room = {
    domain,
    local,
    creator: '',
    createdAt: 0,
    persistent: true,
    locked: false,
    config: {},
    subject: undefined,
    affiliations: [],
    version: 0,
    listing: { public: false, name: '', description: '' },
  }
  const id = await rooms.create(room, Infinity)
  assert.ok(typeof id === 'number')
  return id
}

/** The filter in other words than the stores': what each field says of one message. */
function isWanted(row: NewArchived & { id: string }, filter: ArchiveFilter): boolean {
  const at = momentOf(row.id)
  if (filter.start !== undefined && at < filter.start) return false
  if (filter.end !== undefined && at > filter.end) return false
  if (filter.after !== undefined && row.id <= filter.after) return false
  if (filter.before !== undefined && row.id >= filter.before) return false
  if (filter.ids && !filter.ids.some((id) => id === row.id)) return false
  if (filter.with) {
    const { bare, resource } = filter.with
    if (row.with !== bare) return false
    if (resource !== undefined && resource !== row.resource) return false
  }
  if (filter.groupchat === false && row.groupchat) return false
  return !filter.sift || filter.sift.words.every((word) => row.stanza.includes(word))
}
