import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryTokens } from '../../../src/storage/memory-tokens.js'
import { CachedTokens } from '../../../src/storage/token-cache.js'
import type { TokenStore } from '../../../src/storage/tokens.js'

const client = { id: 'd4565fa7-4d72-4749-b3d3-740edbf87770', software: undefined, device: undefined }
const token = { seed: Buffer.from('seed'), mechanism: 'HT-SHA-256-NONE', issuedAt: 1, expiresAt: 9 }

/** Stores whose reads are counted, and held while a promise says so. */
function stage(accounts?: number) {
  const table = new MemoryTokens(() => true)
  const reads: number[] = []
  const at = { held: Promise.resolve() }
  const counting = new Proxy<TokenStore>(table, {
    get: (of, name) =>
      name === 'of'
        ? async (account: number, id: string) => {
            reads.push(account)
            const found = await table.of(account, id)
            await at.held
            return found
          }
        : (...args: unknown[]) => (Reflect.get(of, name) as (...args: unknown[]) => unknown).apply(of, args),
  })
  return { table, reads, at, cached: new CachedTokens(counting, accounts) }
}

test('the second login of a client asks nobody, one without tokens asks again', async () => {
  const { cached, reads } = stage()
  await cached.issue(1, client, token)
  const first = await cached.of(1, client.id)
  assert.equal(await cached.of(1, client.id), first)
  assert.equal(reads.length, 1)
  for (let i = 0; i < 2; i++) assert.deepEqual(await cached.of(1, 'another'), [])
  assert.equal(reads.length, 3)
})

test('every change is seen at once', async () => {
  const { cached } = stage()
  await cached.issue(1, client, token)
  assert.equal((await cached.of(1, client.id))[0]?.used, false)
  await cached.use(1, client.id, token.seed, 3)
  assert.deepEqual(
    (await cached.of(1, client.id)).map(({ used, count }) => [used, count]),
    [[true, 3]],
  )
  await cached.issue(1, client, { ...token, seed: Buffer.from('next'), expiresAt: 10 })
  assert.equal((await cached.of(1, client.id)).length, 2)
  await cached.revoke(1)
  assert.deepEqual(await cached.of(1, client.id), [])
})

test('an answer that a change overtakes is not kept', async () => {
  const { cached, at } = stage()
  await cached.issue(1, client, token)
  let go = (): void => undefined
  at.held = new Promise((resolve) => (go = resolve))
  const asked = cached.of(1, client.id)
  await cached.revoke(1, client.id)
  go()
  assert.equal((await asked).length, 1)
  assert.deepEqual(await cached.of(1, client.id), [])
})

test('what others take away is forgotten, and so is the account unused for longest', async () => {
  const { cached, table } = stage(2)
  for (const account of [1, 2, 3]) {
    await cached.issue(account, client, token)
    await cached.of(account, client.id)
  }
  assert.equal(cached.size, 2)
  await table.revoke(3)
  assert.equal((await cached.of(3, client.id)).length, 1)
  cached.forget(3)
  assert.deepEqual(await cached.of(3, client.id), [])
})
