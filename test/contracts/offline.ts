/** What every offline store must do. `open` gives stores with the limits of `small`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OfflineLimits } from '../../src/storage/offline.js'
import type { Stores } from '../../src/storage/stores.js'
import { created } from './accounts.js'

export const small: OfflineLimits = { messages: 20, bytes: 1000 }
const at = Date.UTC(2030, 0, 1, 12, 30, 15, 123)
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `<message id='${i}'/>`)

export function offlineContract(open: () => Stores, domainOf: () => string): void {
  test('messages are read in the order in which they were given', async () => {
    const { offline } = open()
    const account = await created(open(), domainOf(), 'romeo')
    const stanzas = [
      ...numbered(5),
      `<message><body>"\\ {,} \u00e9 \u{1f339} NULL\n</body></message>`,
      'NULL',
    ]
    const outcomes = await Promise.all(stanzas.map((stanza, i) => offline.append(account, stanza, at + i)))
    assert.deepEqual(new Set(outcomes), new Set(['stored']))
    const read = await offline.read(account, 0, 100)
    assert.deepEqual(
      read.map(({ stanza, at }) => ({ stanza, at })),
      stanzas.map((stanza, i) => ({ stanza, at: at + i })),
    )
    assert.ok(read.every(({ id }, i) => i === 0 || id > read[i - 1]!.id))
    assert.equal(await offline.count(account), stanzas.length)
  })

  test('who has come back to nothing finds what is stored later', async () => {
    const { offline } = open()
    const account = await created(open(), domainOf(), 'romeo')
    for (const stanza of ['<message id="a"/>', '<message id="b"/>']) {
      assert.deepEqual(await offline.read(account, 0, 100), [])
      const stored = offline.append(account, stanza, at)
      await Promise.all([stored, offline.read(account, 0, 100)])
      const [message] = await offline.read(account, 0, 100)
      assert.equal(message?.stanza, stanza)
      await offline.removeThrough(account, message.id)
    }
    assert.deepEqual(await offline.read(account, 0, 100), [])
  })

  test('pages, and removal of what was read only', async () => {
    const { offline } = open()
    const account = await created(open(), domainOf(), 'romeo')
    const stanzas = numbered(7)
    for (const stanza of stanzas) await offline.append(account, stanza, at)
    const first = await offline.read(account, 0, 3)
    const second = await offline.read(account, first.at(-1)!.id, 3)
    assert.deepEqual(
      [...first, ...second].map(({ stanza }) => stanza),
      stanzas.slice(0, 6),
    )
    await offline.append(account, '<message id="late"/>', at)
    await offline.removeThrough(account, second.at(-1)!.id)
    const left = await offline.read(account, 0, 100)
    assert.deepEqual(
      left.map(({ stanza }) => stanza),
      [stanzas[6], '<message id="late"/>'],
    )
    await offline.clear(account)
    assert.equal(await offline.count(account), 0)
    assert.deepEqual(await offline.read(account, 0, 100), [])
  })

  test('the limit of messages holds for many at once, and those before it are stored in order', async () => {
    const { offline } = open()
    const account = await created(open(), domainOf(), 'romeo')
    const outcomes = await Promise.all(numbered(50).map((stanza) => offline.append(account, stanza, at)))
    const expected = numbered(50).map((_, i) => (i < small.messages ? 'stored' : 'full'))
    assert.deepEqual(outcomes, expected)
    const read = await offline.read(account, 0, 100)
    assert.deepEqual(
      read.map(({ stanza }) => stanza),
      numbered(small.messages),
    )
  })

  test('room that is made can be used', async () => {
    const { offline } = open()
    const account = await created(open(), domainOf(), 'romeo')
    for (const stanza of numbered(small.messages)) await offline.append(account, stanza, at)
    assert.equal(await offline.append(account, '<message/>', at), 'full')
    const [first] = await offline.read(account, 0, 1)
    await offline.removeThrough(account, first!.id)
    assert.equal(await offline.append(account, '<message/>', at), 'stored')
    assert.equal(await offline.append(account, '<message/>', at), 'full')
    await offline.clear(account)
    assert.equal(await offline.append(account, '<message/>', at), 'stored')
  })

  test('all that are kept are counted together', async () => {
    const { offline } = open()
    const [one, other] = [
      await created(open(), domainOf(), 'romeo'),
      await created(open(), domainOf(), 'juliet'),
    ]
    const before = offline.queued
    for (const account of [one, other])
      for (const stanza of numbered(small.messages)) await offline.append(account, stanza, at)
    assert.equal(offline.queued, before + 2 * small.messages)
    const [first] = await offline.read(one, 0, 1)
    await offline.removeThrough(one, first!.id)
    await offline.clear(other)
    assert.equal(offline.queued, before + small.messages - 1)
  })

  test('the limit of bytes counts UTF-8, to the byte', async () => {
    const { offline } = open()
    const account = await created(open(), domainOf(), 'romeo')
    assert.equal(await offline.append(account, '\u00e9'.repeat(small.bytes / 2 + 1), at), 'full')
    assert.equal(await offline.append(account, '\u00e9'.repeat(small.bytes / 2 - 5), at), 'stored')
    assert.equal(await offline.append(account, 'x'.repeat(11), at), 'full')
    assert.equal(await offline.append(account, 'x'.repeat(10), at), 'stored')
    assert.equal(await offline.append(account, 'x', at), 'full')
  })

  test('a message that cannot be stored harms none of the others', async () => {
    const { offline } = open()
    const domain = domainOf()
    const [one, two] = [await created(open(), domain, 'one'), await created(open(), domain, 'two')]
    const outcomes = await Promise.all([
      offline.append(one, 'first', at),
      offline.append(2 ** 40, 'nobody is there', at),
      offline.append(two, 'second', at),
      offline.append(one, 'third', at),
    ])
    assert.deepEqual(outcomes, ['stored', 'full', 'stored', 'stored'])
    assert.equal(await offline.count(one), 2)
    assert.equal(await offline.count(two), 1)
  })

  test('messages of many accounts at once keep the order within each', async () => {
    const { offline } = open()
    const domain = domainOf()
    const accounts: number[] = []
    for (let i = 0; i < 10; i++) accounts.push(await created(open(), domain, `user-${i}`))
    const stanzas = numbered(15)
    await Promise.all(
      stanzas.flatMap((stanza) => accounts.map((account) => offline.append(account, stanza, at))),
    )
    for (const account of accounts) {
      const read = await offline.read(account, 0, 100)
      assert.deepEqual(
        read.map(({ stanza }) => stanza),
        stanzas,
      )
    }
  })

  test('a message that another server sends again is kept once, within a day of its arrival', async () => {
    const { offline } = open()
    const account = await created(open(), domainOf(), 'romeo')
    const key = Buffer.from('0123456789abcdef')
    const first = { key, resent: false }
    const again = { key, resent: true }
    const day = 24 * 60 * 60 * 1000
    assert.equal(await offline.append(account, '<message id="a"/>', at, first), 'stored')
    assert.equal(await offline.append(account, '<message id="a"/>', at + 1, again), 'known')
    const [message] = await offline.read(account, 0, 1)
    await offline.removeThrough(account, message!.id)
    assert.equal(await offline.append(account, '<message id="a"/>', at + day - 1, again), 'known')
    assert.equal(await offline.count(account), 0)
    // Nobody said that it is the same.
    assert.equal(await offline.append(account, '<message id="a"/>', at + 2, first), 'stored')
    // That of another account is another message.
    const other = await created(open(), domainOf(), 'juliet')
    assert.equal(await offline.append(other, '<message id="a"/>', at, again), 'stored')
    assert.equal(await offline.append(other, '<message id="a"/>', at, again), 'known')
    assert.equal(await offline.count(other), 1)
    assert.equal((await offline.read(other, 0, 10)).length, 1)
  })

  test('first and repeated arrivals in any mixture leave each message once', async () => {
    const { offline } = open()
    const account = await created(open(), domainOf(), 'romeo')
    const sent = Array.from({ length: 10 }, (_, i) => ({
      text: `<message id='${i}'/>`,
      key: Buffer.alloc(16, i),
    }))
    const first = await Promise.all(
      sent.map(({ text, key }) => offline.append(account, text, at, { key, resent: false })),
    )
    assert.deepEqual(new Set(first), new Set(['stored']))
    const outcomes = await Promise.all([
      ...sent.slice(5).map(({ text, key }) => offline.append(account, text, at, { key, resent: true })),
      offline.append(account, 'new', at, { key: Buffer.alloc(16, 77), resent: true }),
      offline.append(account, 'new', at, { key: Buffer.alloc(16, 77), resent: true }),
      offline.append(account, 'local', at),
    ])
    assert.deepEqual(outcomes, [...sent.slice(5).map(() => 'known'), 'stored', 'known', 'stored'])
    const read = await offline.read(account, 0, 100)
    assert.deepEqual(
      read.map(({ stanza }) => stanza),
      [...sent.map(({ text }) => text), 'new', 'local'],
    )
  })
}
