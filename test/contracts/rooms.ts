/** What every room store must do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NewRoom, RoomAffiliation, RoomListing } from '../../src/storage/rooms.js'
import { removalsKept } from '../../src/storage/rooms.js'
import type { Stores } from '../../src/storage/stores.js'

const at = Date.UTC(2030, 0, 1, 0, 0, 0, 123)
const listing: RoomListing = { public: true, name: '', description: '' }

export function roomsContract(open: () => Stores, domainOf: () => string): void {
  const roomOf = (domain: string, local: string, more: Partial<NewRoom> = {}): NewRoom => ({
    domain,
    local,
    creator: `juliet@${domain}`,
    createdAt: at,
    persistent: true,
    locked: false,
    config: {},
    subject: undefined,
    affiliations: [],
    version: 0,
    listing,
    ...more,
  })
  const create = async (domain: string, local = 'hall', more: Partial<NewRoom> = {}): Promise<number> => {
    const id = await open().rooms.create(roomOf(domain, local, more), 1000)
    assert.ok(typeof id === 'number', String(id))
    return id
  }

  test('a room is found as it was made, at its domain only', async () => {
    const { rooms } = open()
    const domain = domainOf()
    const config = {
      'muc#roomconfig_roomname': 'a "\u{1f339}" \\ NULL',
      lists: ['x', ''],
      n: 3,
      yes: true,
      __proto: null,
    }
    const affiliations: RoomAffiliation[] = [
      { jid: 'b.example', affiliation: 'outcast', reason: '' },
      { jid: 'juliet@b.example', affiliation: 'owner' },
      {
        jid: 'nurse@b.example',
        affiliation: 'member',
        reason: "it's \\ she",
        nick: 'Nurse {"',
        registration: { email: 'nurse@b.example', faq: ['a', 'b"'] },
      },
    ]
    const subject = { xml: '<subject>O \u{1f319}</subject>', by: 'juliet@b.example', nick: 'J', at: at + 1 }
    const room = roomOf(domain, '__proto__', {
      config,
      affiliations,
      subject,
      persistent: false,
      locked: true,
      version: 7,
    })
    const id = await rooms.create(room, 1)
    assert.ok(typeof id === 'number' && id > 0)
    const { listing: _, ...record } = room
    assert.deepEqual(await rooms.load(domain, '__proto__'), { id, ...record })
    assert.equal(await rooms.load(domain, 'proto'), undefined)
    assert.equal(await rooms.load(domainOf(), '__proto__'), undefined)
  })

  test('a second room of the address is not made, nor one more than may be', async () => {
    const { rooms } = open()
    const domain = domainOf()
    await create(domain, 'a')
    assert.equal(await rooms.create(roomOf(domain, 'a'), 9), 'exists')
    assert.equal(await rooms.create(roomOf(domain, 'a'), 1), 'exists')
    await create(domain, 'b')
    assert.equal(await rooms.create(roomOf(domain, 'c'), 2), 'full')
    assert.equal(await rooms.countOf(`juliet@${domain}`), 2)
    assert.equal(typeof (await rooms.create(roomOf(domain, 'c', { creator: '' }), Infinity)), 'number')
    assert.equal(await rooms.countOf(`romeo@${domain}`), 0)
  })

  test('what is not named in a change stays', async () => {
    const { rooms } = open()
    const domain = domainOf()
    const owner: RoomAffiliation = { jid: 'a@x.example', affiliation: 'owner', reason: 'made it', nick: 'A' }
    const room = await create(domain, 'hall', { config: { a: 1 }, affiliations: [owner] })
    const subject = { xml: '<subject/>', by: 'a@x.example', nick: 'A', at }
    assert.equal(await rooms.change(room, { subject }), true)
    assert.equal(await rooms.change(room, { persistent: false, locked: true }), true)
    const member: RoomAffiliation = { jid: 'b@x.example', affiliation: 'member' }
    await rooms.change(room, {
      config: { b: undefined, c: [] },
      affiliations: { version: 1, entries: [member] },
    })
    const loaded = await rooms.load(domain, 'hall')
    assert.deepEqual(loaded, {
      id: room,
      domain,
      local: 'hall',
      creator: `juliet@${domain}`,
      createdAt: at,
      persistent: false,
      locked: true,
      config: { c: [] },
      subject,
      affiliations: [owner, member],
      version: 1,
    })
    const now: RoomAffiliation = { jid: 'a@x.example', affiliation: 'admin' }
    await rooms.change(room, { affiliations: { version: 2, entries: [now] } })
    assert.deepEqual((await rooms.load(domain, 'hall'))?.affiliations, [now, member])
    assert.equal(await rooms.change(room + 1_000_000, { persistent: true }), false)
  })

  test('changes of affiliations are told from a version on, removed ones too', async () => {
    const { rooms } = open()
    const domain = domainOf()
    const of = (name: string, affiliation: RoomAffiliation['affiliation'] = 'member') => ({
      jid: `${name}@${domain}`,
      affiliation,
    })
    const room = await create(domain, 'hall', { affiliations: [of('a', 'owner')], version: 4 })
    assert.deepEqual(await rooms.changes(room, 4), [])
    await rooms.change(room, { affiliations: { version: 5, entries: [of('c'), of('b')] } })
    await rooms.change(room, { affiliations: { version: 6, entries: [of('c', 'none')] } })
    assert.deepEqual(await rooms.changes(room, 4), [of('b'), of('c', 'none')])
    assert.deepEqual(await rooms.changes(room, 5), [of('c', 'none')])
    assert.deepEqual(await rooms.changes(room, 6), [])
    assert.deepEqual((await rooms.load(domain, 'hall'))?.affiliations, [of('a', 'owner'), of('b')])
    assert.deepEqual(await rooms.standings(`c@${domain}`), [])
    assert.deepEqual(await rooms.standings(`b@${domain}`), [{ domain, local: 'hall', affiliation: 'member' }])
    assert.equal(await rooms.changes(room + 1_000_000, 0), undefined)
  })

  test('only so many removed standings are remembered', async () => {
    const { rooms } = open()
    const room = await create(domainOf())
    const gone = (n: number): RoomAffiliation => ({ jid: `${n}@x.example`, affiliation: 'none' })
    const entries = Array.from({ length: removalsKept }, (_, n) => gone(n))
    await rooms.change(room, { affiliations: { version: 1, entries: entries.slice(0, 2) } })
    await rooms.change(room, { affiliations: { version: 2, entries: entries.slice(2) } })
    assert.equal((await rooms.changes(room, 0))?.length, removalsKept)
    await rooms.change(room, { affiliations: { version: 3, entries: [gone(removalsKept)] } })
    assert.equal(await rooms.changes(room, 0), undefined)
    assert.equal((await rooms.changes(room, 1))?.length, removalsKept - 1)
    assert.deepEqual(await rooms.changes(room, 2), [gone(removalsKept)])
  })

  test('rooms are listed in pages from either end', async () => {
    const { rooms } = open()
    const domain = domainOf()
    for (const local of ['c', '\u{10000}', 'a', '\uffee', 'b']) await create(domain, local)
    await create(domainOf(), 'aa')
    const list = async (page: object) =>
      (await rooms.list(domain, { limit: 100, ...page })).map(({ local }) => local)
    const all = ['a', 'b', 'c', '\uffee', '\u{10000}']
    assert.deepEqual(await list({}), all)
    assert.deepEqual(await list({ limit: 2, after: 'a' }), ['b', 'c'])
    assert.deepEqual(await list({ limit: 2, from: 'end' }), all.slice(3))
    assert.deepEqual(await list({ limit: 2, before: 'c', from: 'end' }), ['a', 'b'])
    assert.deepEqual(await list({ after: 'aa', before: '\uffee' }), ['b', 'c'])
    assert.deepEqual(await list({ skip: 3, limit: 9 }), all.slice(3))
    assert.deepEqual(await list({ skip: 1, limit: 2, from: 'end' }), all.slice(2, 4))
    assert.deepEqual(await list({ skip: 9 }), [])
    assert.equal(await rooms.count(domain), 5)
    assert.equal(await rooms.count(domain, {}, 'c'), 2)
    const [first] = await rooms.list(domain, { limit: 1 })
    const { affiliations: _, subject: __, ...summary } = roomOf(domain, 'a')
    assert.deepEqual(first, { id: first?.id, ...summary })
  })

  test('rooms are filtered by what they show', async () => {
    const { rooms } = open()
    const domain = domainOf()
    const a = await create(domain, 'a', {
      listing: { public: true, name: 'Große Halle', description: 'of VERONA' },
    })
    await create(domain, 'b', {
      listing: { public: false, name: 'Halle 100%', description: '' },
      persistent: false,
    })
    const list = async (filter: object) =>
      (await rooms.list(domain, { limit: 9, ...filter })).map(({ local }) => local)
    assert.deepEqual(await list({ public: true }), ['a'])
    assert.deepEqual(await list({ public: false }), ['b'])
    assert.deepEqual(await list({ persistent: false }), ['b'])
    assert.deepEqual(await list({ words: ['HALLE'] }), ['a', 'b'])
    assert.deepEqual(await list({ words: ['halle', 'verona'] }), ['a'])
    assert.deepEqual(await list({ words: ['%'] }), ['b'])
    assert.deepEqual(await list({ words: ['_'] }), [])
    assert.equal(await rooms.count(domain, { words: ['große'], public: true }), 1)
    await rooms.change(a, { config: {}, listing: { public: false, name: 'Keller', description: '' } })
    assert.deepEqual(await list({ words: ['halle'] }), ['b'])
    assert.deepEqual(await list({ words: ['KELLER', 'a'] }), ['a'])
    assert.equal(await rooms.count(domain, { public: true }), 0)
  })

  test('values of features come and go with the room', async () => {
    const { rooms } = open()
    const domain = domainOf()
    const room = await create(domain)
    assert.equal(await rooms.value(room, 'vcard'), undefined)
    await rooms.setValue(room, 'vcard', { xml: '<vCard/>' })
    await rooms.setValue(room, 'hats', ['h'])
    await rooms.setValue(room, 'vcard', 'other')
    assert.equal(await rooms.value(room, 'vcard'), 'other')
    await rooms.setValue(room, 'vcard', undefined)
    assert.equal(await rooms.value(room, 'vcard'), undefined)
    assert.deepEqual(await rooms.value(room, 'hats'), ['h'])
    assert.equal(await rooms.remove(room), true)
    await rooms.setValue(room, 'hats', ['again'])
    assert.equal(await rooms.value(room, 'hats'), undefined)
  })

  test('a removed room leaves nothing, and another of its address is another one', async () => {
    const { rooms, archive } = open()
    const domain = domainOf()
    const room = await create(domain, 'hall', { affiliations: [{ jid: domain, affiliation: 'member' }] })
    rooms.occupies(room, `juliet@${domain}/x`, 'J')
    const taken = archive.add(
      { owner: -room, with: domain, resource: '', groupchat: true, stanza: '<message/>', origin: undefined },
      {},
    )
    await taken.written
    assert.equal(await rooms.remove(room), true)
    assert.equal(await rooms.remove(room), false)
    assert.equal(await rooms.load(domain, 'hall'), undefined)
    assert.equal(await rooms.change(room, { config: {} }), false)
    assert.equal(await rooms.countOf(`juliet@${domain}`), 0)
    assert.deepEqual(await rooms.standings(domain), [])
    assert.deepEqual(await rooms.occupants(domain, { limit: 9 }), [])
    rooms.occupies(room, `juliet@${domain}/x`, 'J')
    const other = await create(domain)
    assert.ok(other > room)
    assert.deepEqual(await rooms.occupants(domain, { limit: 9 }), [])
    const slice = { from: 'start', count: 10, bytes: 1 << 20 } as const
    // In small steps, afterwards.
    for (let left = 1; left > 0; await new Promise(setImmediate))
      left = (await archive.page(-room, {}, slice)).messages.length
  })

  test('who is in is told in pages', async () => {
    const { rooms } = open()
    const domain = domainOf()
    const [hall, attic] = [await create(domain, 'hall'), await create(domain, 'attic')]
    const elsewhere = await create(domainOf())
    rooms.occupies(elsewhere, `a@${domain}/1`, 'A')
    rooms.occupies(hall, `b@${domain}/1`, 'B')
    rooms.occupies(hall, `a@${domain}/1`, 'A')
    rooms.occupies(hall, `a@${domain}/1`, 'AA')
    rooms.occupies(attic, `c@${domain}/1`, 'C')
    rooms.occupies(attic, `d@${domain}/1`, 'D')
    rooms.occupies(attic, `d@${domain}/1`, undefined)
    const a = { room: hall, local: 'hall', jid: `a@${domain}/1`, nick: 'AA' }
    const b = { room: hall, local: 'hall', jid: `b@${domain}/1`, nick: 'B' }
    const c = { room: attic, local: 'attic', jid: `c@${domain}/1`, nick: 'C' }
    assert.deepEqual(await rooms.occupants(domain, { limit: 9 }), [a, b, c])
    assert.deepEqual(await rooms.occupants(domain, { after: a, limit: 1 }), [b])
    assert.deepEqual(await rooms.occupants(domain, { after: b, limit: 9 }), [c])
    rooms.occupies(hall, a.jid, undefined)
    rooms.occupies(hall, b.jid, 'BB')
    assert.deepEqual(await rooms.occupants(domain, { limit: 9 }), [{ ...b, nick: 'BB' }, c])
    assert.equal(rooms.waiting, 0)
  })
}
