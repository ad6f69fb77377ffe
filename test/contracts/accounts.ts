/** What every account store must do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountKeys } from '../../src/storage/accounts.js'
import type { Stores } from '../../src/storage/stores.js'

const at = Date.UTC(2030, 0, 1, 12, 30, 15, 123)

export function keysOf(seed: string): AccountKeys {
  const bytes = (word: string) => Buffer.from(`${seed} ${word}\0\xff`, 'latin1')
  const keys = {
    salt: bytes('salt'),
    iterations: 10_000,
    storedKey: bytes('stored'),
    serverKey: bytes('server'),
  }
  return { 'SHA-1': keys, 'SHA-256': { ...keys, iterations: 20_000 } }
}

export function accountsContract(open: () => Stores, domainOf: () => string): void {
  test('an account is found as it was created', async () => {
    const { accounts } = open()
    const domain = domainOf()
    assert.equal(await accounts.get(domain, 'romeo'), undefined)
    const created = await accounts.create(domain, 'romeo', keysOf('r'), at)
    assert.notEqual(created, 'exists')
    const expected = {
      domain,
      local: 'romeo',
      keys: keysOf('r'),
      disabled: undefined,
      role: undefined,
      createdAt: at,
    }
    for (const found of [
      created,
      await accounts.get(domain, 'romeo'),
      await open().accounts.get(domain, 'romeo'),
    ]) {
      assert.ok(found && found !== 'exists')
      const { id, ...rest } = found
      assert.deepEqual(rest, expected)
      assert.ok(Number.isSafeInteger(id))
    }
  })

  test('a name is taken once in a domain, also by two who ask at once', async () => {
    const { accounts } = open()
    const domain = domainOf()
    const both = await Promise.all([1, 2].map((i) => accounts.create(domain, 'romeo', keysOf(`${i}`), at)))
    assert.equal(both.filter((account) => account === 'exists').length, 1)
    assert.equal(await accounts.create(domain, 'romeo', keysOf('3'), at), 'exists')
    assert.notEqual(await accounts.create(domainOf(), 'romeo', {}, at), 'exists')
    assert.equal(await accounts.count(domain), 1)
  })

  test('a second look is answered without waiting, absence too', async () => {
    const { accounts } = open()
    const domain = domainOf()
    await accounts.create(domain, 'romeo', {}, at)
    await accounts.get(domain, 'romeo')
    await accounts.get(domain, 'nobody')
    assert.ok(!(accounts.get(domain, 'romeo') instanceof Promise))
    assert.equal(accounts.get(domain, 'nobody'), undefined)
  })

  test('keys are replaced whole', async () => {
    const { accounts } = open()
    const domain = domainOf()
    const account = await created(open(), domain, 'romeo')
    await accounts.get(domain, 'romeo')
    const only = { 'SHA-512': keysOf('new')['SHA-1']! }
    await accounts.setKeys(account, only)
    assert.deepEqual((await accounts.get(domain, 'romeo'))?.keys, only)
    await accounts.setKeys(account, {})
    assert.deepEqual((await accounts.get(domain, 'romeo'))?.keys, {})
  })

  test('keys are added beside those that are still there', async () => {
    const { accounts } = open()
    const domain = domainOf()
    const account = await created(open(), domain, 'romeo')
    const { 'SHA-1': first, 'SHA-256': second } = keysOf('r')
    await accounts.setKeys(account, { 'SHA-1': first! })
    const third = keysOf('new')['SHA-1']!
    const known = { 'SHA-1': first! }
    assert.equal(await accounts.addKeys(account, { 'SHA-256': second!, 'SHA-1': third }, known), true)
    assert.deepEqual((await accounts.get(domain, 'romeo'))?.keys, { 'SHA-1': first, 'SHA-256': second })
    assert.equal(await accounts.addKeys(account, { 'SHA-512': third }, known), true)
    // Of another password, or of nobody.
    assert.equal(await accounts.addKeys(account, { 'SHA-512': third }, { 'SHA-1': third }), false)
    await accounts.setKeys(account, {})
    assert.equal(await accounts.addKeys(account, { 'SHA-512': third }, known), false)
    assert.deepEqual((await accounts.get(domain, 'romeo'))?.keys, {})
    await accounts.remove(account)
    assert.equal(await accounts.addKeys(account, { 'SHA-512': third }, {}), false)
  })

  test('disabled and enabled again', async () => {
    const { accounts } = open()
    const domain = domainOf()
    const account = await created(open(), domain, 'romeo')
    await accounts.get(domain, 'romeo')
    await accounts.disable(account, 'spam', at + 1)
    assert.deepEqual((await accounts.get(domain, 'romeo'))?.disabled, { reason: 'spam', at: at + 1 })
    await accounts.enable(account)
    assert.equal((await accounts.get(domain, 'romeo'))?.disabled, undefined)
  })

  test('a role is given, seen, listed and taken away', async () => {
    const { accounts } = open()
    const domain = domainOf()
    const names = async (which: 'all' | 'disabled' | 'with-role', limit = 10) =>
      (await accounts.list(domain, { limit, which })).map(({ local }) => local)
    const romeo = await created(open(), domain, 'romeo')
    const juliet = await created(open(), domain, 'juliet')
    await created(open(), domain, 'nurse')
    await accounts.get(domain, 'romeo')
    await accounts.setRole(romeo, 'admin')
    assert.equal((await accounts.get(domain, 'romeo'))?.role, 'admin')
    await accounts.setRole(juliet, 'operator')
    await accounts.disable(juliet, '', at)
    assert.deepEqual(await names('with-role'), ['juliet', 'romeo'])
    assert.deepEqual(await names('with-role', 1), ['juliet'])
    assert.deepEqual(await names('disabled'), ['juliet'])
    assert.deepEqual(await names('all'), ['juliet', 'nurse', 'romeo'])
    assert.equal(await accounts.count(domain, 'with-role'), 2)
    assert.equal(await accounts.count(domain, 'disabled'), 1)
    assert.equal(await accounts.count(domain), 3)
    await accounts.setRole(romeo, undefined)
    assert.equal((await accounts.get(domain, 'romeo'))?.role, undefined)
    await accounts.remove(juliet)
    await created(open(), domain, 'juliet')
    assert.deepEqual(await names('with-role'), [])
  })

  test('changes to an account that does not exist change nothing', async () => {
    const { accounts } = open()
    const gone = 2 ** 40
    await accounts.setKeys(gone, keysOf('x'))
    await accounts.disable(gone, 'x', at)
    await accounts.enable(gone)
    await accounts.setRole(gone, 'admin')
    await accounts.remove(gone)
  })

  test('everything of an account goes with it, and a new one of its name begins empty', async () => {
    const { accounts, rosters, offline, ...stores } = open()
    const domain = domainOf()
    const id = await created(open(), domain, 'romeo')
    const other = await created(open(), domain, 'romeo2')
    const notes = stores.map<string>(domain, 'notes')
    for (const [account, local] of [
      [id, 'romeo'],
      [other, 'romeo2'],
    ] as const) {
      await rosters.put(account, contact('juliet@example.org'))
      assert.equal(await offline.append(account, '<message/>', at), 'stored')
      await notes.set(local, 'of the account')
      await notes.set(`${local} a:namespace`, 'of a namespace')
    }
    await accounts.remove(id)
    assert.equal(await accounts.get(domain, 'romeo'), undefined)
    assert.deepEqual(await rosters.load(id), { version: 0, items: [] })
    assert.equal(await offline.count(id), 0)
    assert.equal(await offline.append(id, '<message/>', at), 'full')
    assert.equal(await notes.get('romeo'), undefined)
    assert.equal(await notes.get('romeo a:namespace'), undefined)
    assert.equal((await rosters.load(other)).items.length, 1)
    assert.equal(await offline.count(other), 1)
    assert.equal(await notes.get('romeo2 a:namespace'), 'of a namespace')

    await notes.set('romeo', 'written too late')
    const again = await created(open(), domain, 'romeo')
    assert.notEqual(again, id)
    assert.equal(await notes.get('romeo'), undefined)
    assert.deepEqual((await accounts.get(domain, 'romeo'))?.keys, keysOf('romeo'))
  })

  test('pages are in the order of code points', async () => {
    const { accounts } = open()
    const domain = domainOf()
    const locals = ['a', 'a-b', 'ab', 'z', 'ä', '\ufffd', '\u{10000}']
    for (const local of locals.toReversed()) await created(open(), domain, local)
    const first = await accounts.list(domain, { limit: 3 })
    const rest = await accounts.list(domain, { after: first.at(-1)!.local, limit: 100 })
    assert.deepEqual(
      [...first, ...rest].map(({ local }) => local),
      locals,
    )
    assert.deepEqual(rest.at(-1)?.keys, keysOf('\u{10000}'))
    assert.equal(await accounts.count(domain), locals.length)
    assert.deepEqual(await accounts.list(domainOf(), { limit: 3 }), [])
  })
}

export async function created({ accounts }: Stores, domain: string, local: string): Promise<number> {
  const account = await accounts.create(domain, local, keysOf(local), at)
  assert.ok(account !== 'exists')
  return account.id
}

export function contact(jid: string) {
  return {
    jid,
    name: '',
    subscription: 'none' as const,
    ask: false,
    approved: false,
    groups: [],
    request: undefined,
    hidden: false,
  }
}
