/** What every token store must do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keysOf } from './accounts.js'
import type { Stores } from '../../src/storage/stores.js'
import { tokenClients } from '../../src/storage/tokens.js'

const day = 86_400_000
const at = Date.UTC(2030, 0, 1, 12, 30, 15, 123)
const phone = { id: 'd4565fa7-4d72-4749-b3d3-740edbf87770', software: 'Quill', device: 'Phone' }
const laptop = { id: '9c5b94b1-35ad-49bb-b118-8e8fc24abf80', software: undefined, device: undefined }

function token(name: string, issuedAt = at) {
  const seed = Buffer.from(`${name}\0\xff`, 'latin1')
  return { seed, mechanism: 'HT-SHA-256-NONE', issuedAt, expiresAt: issuedAt + 21 * day }
}

async function account(stores: Stores, domain: string, local = 'romeo'): Promise<number> {
  const made = await stores.accounts.create(domain, local, keysOf(local), at)
  assert.ok(made !== 'exists')
  return made.id
}

async function seeds(stores: Stores, id: number, client = phone.id): Promise<string[]> {
  return (await stores.tokens.of(id, client)).map(({ seed }) => seed.toString('latin1').split('\0')[0]!)
}

export function tokensContract(open: () => Stores, domainOf: () => string): void {
  test('a token is found as it was issued, by its client', async () => {
    const { tokens } = open()
    const id = await account(open(), domainOf())
    assert.deepEqual(await tokens.of(id, phone.id), [])
    assert.equal(await tokens.issue(id, phone, token('one')), true)
    const stored = { ...token('one'), used: false, count: 0 }
    assert.deepEqual(await tokens.of(id, phone.id), [stored])
    assert.deepEqual(await tokens.of(id, laptop.id), [])
    assert.equal(await tokens.issue(id, laptop, token('two', at + 1)), true)
    assert.deepEqual(await tokens.list(id), [
      { ...laptop, ...token('two', at + 1), used: false, count: 0 },
      { ...phone, ...stored },
    ])
    assert.deepEqual(await tokens.of(await account(open(), domainOf()), phone.id), [])
  })

  test('XEP-0484 §3.5: the one in use stays until the next is used, one never used gives way', async () => {
    const { tokens } = open()
    const id = await account(open(), domainOf())
    await tokens.issue(id, phone, token('one'))
    assert.equal(await tokens.use(id, phone.id, token('one').seed), true)
    await tokens.issue(id, phone, token('two', at + day))
    assert.deepEqual(await seeds(open(), id), ['two', 'one'])
    await tokens.issue(id, phone, token('three', at + 2 * day))
    assert.deepEqual(await seeds(open(), id), ['three', 'one'])
    assert.equal(await tokens.use(id, phone.id, token('two').seed), false)
    assert.equal(await tokens.use(id, phone.id, token('one').seed), true)
    assert.deepEqual(await seeds(open(), id), ['three', 'one'])
    assert.equal(await tokens.use(id, phone.id, token('three').seed), true)
    assert.deepEqual(await seeds(open(), id), ['three'])
    assert.equal(await tokens.use(id, laptop.id, token('three').seed), false)
  })

  test('XEP-0484 §3.4: a counter only grows, also for two who show it at once', async () => {
    const { tokens } = open()
    const id = await account(open(), domainOf())
    const { seed } = token('one')
    await tokens.issue(id, phone, token('one'))
    const both = await Promise.all([1, 2].map(() => tokens.use(id, phone.id, seed, 7)))
    assert.equal(both.filter((used) => used).length, 1)
    for (const [count, fits] of [
      [6, false],
      [7, false],
      [8, true],
      [0x7fffffff, true],
    ] as const)
      assert.equal(await tokens.use(id, phone.id, seed, count), fits)
    assert.equal(await tokens.use(id, phone.id, seed), true)
    const [stored] = await tokens.of(id, phone.id)
    assert.deepEqual([stored?.count, stored?.used], [0x7fffffff, true])
  })

  test('tokens are taken away by client or all', async () => {
    const { tokens } = open()
    const id = await account(open(), domainOf())
    for (const client of [phone, laptop]) await tokens.issue(id, client, token(client.id))
    await tokens.use(id, phone.id, token(phone.id).seed)
    await tokens.issue(id, phone, token('next', at + 1))
    assert.equal(await tokens.revoke(id, phone.id), 1)
    assert.equal(await tokens.revoke(id, phone.id), 0)
    assert.deepEqual(await seeds(open(), id, laptop.id), [laptop.id])
    await tokens.issue(id, phone, token('again'))
    assert.equal(await tokens.revoke(id), 2)
    assert.deepEqual(await tokens.list(id), [])
  })

  test('they go with new keys and with the account, not with keys that are added', async () => {
    const { tokens, accounts } = open()
    const domain = domainOf()
    const id = await account(open(), domain)
    await tokens.issue(id, phone, token('one'))
    await accounts.addKeys(id, { 'SHA-512': keysOf('more')['SHA-1']! }, keysOf('romeo'))
    assert.deepEqual(await seeds(open(), id), ['one'])
    await accounts.setKeys(id, keysOf('new'))
    assert.deepEqual(await seeds(open(), id), [])
    await tokens.issue(id, phone, token('two'))
    await accounts.remove(id)
    assert.deepEqual(await tokens.list(id), [])
    assert.equal(await tokens.issue(id, phone, token('three')), false)
    assert.deepEqual(await tokens.list(id), [])
  })

  test('an account has so many clients with tokens and no more; expired ones make room', async () => {
    const { tokens } = open()
    const id = await account(open(), domainOf())
    const other = await account(open(), domainOf())
    await tokens.issue(other, phone, token('other'))
    for (let i = 0; i < tokenClients + 5; i++)
      await tokens.issue(id, { ...laptop, id: `client ${i}` }, token(`${i}`, at + i))
    const left = (await tokens.list(id)).map((one) => one.id)
    assert.equal(left.length, tokenClients)
    assert.deepEqual([left[0], left.at(-1)], [`client ${tokenClients + 4}`, 'client 5'])
    await tokens.issue(id, phone, token('late', at + 21 * day + 20))
    const later = (await tokens.list(id)).map((one) => one.id)
    assert.deepEqual([later[0], later.at(-1)], [phone.id, 'client 21'])
    assert.deepEqual(await seeds(open(), other), ['other'])
  })
}
