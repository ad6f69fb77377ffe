/** What every roster store must do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RosterItem } from '../../src/storage/rosters.js'
import type { Stores } from '../../src/storage/stores.js'
import { contact, created } from './accounts.js'

const juliet: RosterItem = {
  jid: 'juliet@example.org',
  name: 'Juliet \u{1f339} "the" \\ {fair}, NULL',
  subscription: 'both',
  ask: true,
  approved: true,
  groups: ['Friends', 'NULL', '', 'a,b', 'quote " and \\', '{}'],
  request: "<presence type='subscribe'><status>O, \u00e9</status></presence>",
  hidden: true,
}

export function rostersContract(open: () => Stores, domainOf: () => string): void {
  test('a roster that nobody touched is empty and of version 0', async () => {
    const account = await created(open(), domainOf(), 'romeo')
    assert.deepEqual(await open().rosters.load(account), { version: 0, items: [] })
  })

  test('items are found as they were put, sorted, and the version grows', async () => {
    const { rosters } = open()
    const account = await created(open(), domainOf(), 'romeo')
    const versions = [
      await rosters.put(account, juliet),
      await rosters.put(account, contact('benvolio@example.org')),
      await rosters.put(account, {
        ...juliet,
        name: 'J',
        subscription: 'to',
        groups: [],
        request: undefined,
      }),
    ]
    assert.deepEqual(versions, [1, 2, 3])
    assert.deepEqual(await rosters.load(account), {
      version: 3,
      items: [
        contact('benvolio@example.org'),
        { ...juliet, name: 'J', subscription: 'to', groups: [], request: undefined },
      ],
    })
    await rosters.put(account, juliet)
    assert.deepEqual((await rosters.load(account)).items[1], juliet)
  })

  test('removing an item grows the version, removing none does not', async () => {
    const { rosters } = open()
    const account = await created(open(), domainOf(), 'romeo')
    assert.equal(await rosters.remove(account, juliet.jid), 0)
    await rosters.put(account, juliet)
    assert.equal(await rosters.remove(account, 'nurse@example.org'), 1)
    assert.equal(await rosters.remove(account, juliet.jid), 2)
    assert.deepEqual(await rosters.load(account), { version: 2, items: [] })
    assert.equal(await rosters.remove(account, juliet.jid), 2)
  })

  test('puts at the same time all count', async () => {
    const { rosters } = open()
    const account = await created(open(), domainOf(), 'romeo')
    const jids = Array.from({ length: 20 }, (_, i) => `contact-${String(i).padStart(2, '0')}@example.org`)
    const versions = await Promise.all(jids.map((jid) => rosters.put(account, contact(jid))))
    assert.deepEqual(
      [...versions].sort((a, b) => a - b),
      Array.from(jids, (_, i) => i + 1),
    )
    const { version, items } = await rosters.load(account)
    assert.equal(version, 20)
    assert.deepEqual(
      items.map(({ jid }) => jid),
      jids,
    )
  })

  test('rosters of two accounts know nothing of each other', async () => {
    const { rosters } = open()
    const domain = domainOf()
    const [one, two] = [await created(open(), domain, 'one'), await created(open(), domain, 'two')]
    await rosters.put(one, juliet)
    assert.deepEqual(await rosters.load(two), { version: 0, items: [] })
    assert.equal(await rosters.remove(two, juliet.jid), 0)
    assert.equal((await rosters.load(one)).items.length, 1)
  })

  test('an account that is gone gets no items', async () => {
    await assert.rejects(open().rosters.put(2 ** 40, juliet))
  })
}
