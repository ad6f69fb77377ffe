import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountTable } from '../../../src/storage/account-cache.js'
import { CachedAccounts } from '../../../src/storage/account-cache.js'
import type { Account } from '../../../src/storage/accounts.js'
import { StorageUnavailable } from '../../../src/storage/errors.js'
import { memoryStores } from '../../../src/storage/memory.js'

const domain = 'localhost'

/** A table that counts questions, and whose answers can be held back. */
function stage(bounds?: { known: number; absent: number }) {
  const { accounts } = memoryStores()
  const asked: string[] = []
  let broken = false
  let held: Promise<void> | undefined
  const named = async (id: number, work: Promise<void>) => {
    const [account] = (await accounts.list(domain, { limit: 100 })).filter((one) => one.id === id)
    await work
    if (broken) throw new StorageUnavailable('gone')
    return account
  }
  const table: AccountTable = {
    get: async (domain, local) => {
      asked.push(local)
      const account = await accounts.get(domain, local)
      await held
      return account
    },
    create: (domain, local, keys, at) => accounts.create(domain, local, keys, at),
    setKeys: (id, keys) => named(id, accounts.setKeys(id, keys)),
    addKeys: (id, keys, known) =>
      named(
        id,
        accounts.addKeys(id, keys, known).then(() => {}),
      ),
    disable: (id, reason, at) => named(id, accounts.disable(id, reason, at)),
    enable: (id) => named(id, accounts.enable(id)),
    setRole: (id, role) => named(id, accounts.setRole(id, role)),
    remove: (id) => named(id, accounts.remove(id)),
    list: (domain, page) => accounts.list(domain, page),
    count: (domain, which) => accounts.count(domain, which),
  }
  const cached = new CachedAccounts(table, bounds)
  const create = async (local: string) => {
    const account = await cached.create(domain, local, {}, 0)
    assert.ok(account !== 'exists')
    return account.id
  }
  const hold = () => {
    let release = () => {}
    held = new Promise((resolve) => (release = resolve))
    return () => {
      held = undefined
      release()
    }
  }
  return { asked, cached, create, hold, breakNow: () => (broken = true) }
}

test('questions for one name at the same time are one question', async () => {
  const { asked, cached, create } = stage()
  await create('romeo')
  const answers = await Promise.all([1, 2, 3].map(async () => cached.get(domain, 'romeo')))
  assert.equal(asked.length, 1)
  assert.equal(new Set(answers).size, 1)
})

test('an answer that was under way during a change is not kept, and nobody joins it afterwards', async () => {
  const { asked, cached, create, hold } = stage()
  const id = await create('romeo')
  const release = hold()
  const early = cached.get(domain, 'romeo')
  await cached.disable(id, 'spam', 1)
  const late = cached.get(domain, 'romeo')
  release()
  assert.equal((await early)?.disabled, undefined)
  assert.equal((await late)?.disabled?.reason, 'spam')
  assert.equal((await cached.get(domain, 'romeo'))?.disabled?.reason, 'spam')
  assert.equal(asked.length, 2)
})

test('a slow answer from before a change takes nothing from the answer after it', async () => {
  const { asked, cached, create, hold } = stage()
  const id = await create('romeo')
  const release = hold()
  const early = cached.get(domain, 'romeo')
  await cached.enable(id)
  release()
  await early
  const both = await Promise.all([1, 2].map(async () => cached.get(domain, 'romeo')))
  assert.equal(both[0], both[1])
  assert.equal(asked.length, 2)
})

test('names that nobody has push out no account', async () => {
  const { asked, cached, create } = stage({ known: 2, absent: 2 })
  await create('romeo')
  await cached.get(domain, 'romeo')
  for (let i = 0; i < 10; i++) await cached.get(domain, `guess-${i}`)
  asked.length = 0
  assert.equal((cached.get(domain, 'romeo') as Account).local, 'romeo')
  assert.equal(await cached.get(domain, 'guess-9'), undefined)
  assert.deepEqual(asked, [])
  await cached.get(domain, 'guess-0')
  assert.deepEqual(asked, ['guess-0'])
})

test('after a change that perhaps happened, everything is asked again', async () => {
  const { asked, cached, create, breakNow } = stage()
  const id = await create('romeo')
  await cached.get(domain, 'romeo')
  breakNow()
  await assert.rejects(cached.disable(id, 'spam', 1), StorageUnavailable)
  assert.equal((await cached.get(domain, 'romeo'))?.disabled?.reason, 'spam')
  assert.equal(asked.length, 2)
})
