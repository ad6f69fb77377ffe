import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { Metrics } from '../../../src/base/metrics.js'
import { BlockList } from '../../../src/s2s/blocks.js'
import type { BlockStore } from '../../../src/storage/blocks.js'
import { StorageUnavailable } from '../../../src/storage/errors.js'
import { memoryStores } from '../../../src/storage/memory.js'

async function stage(store: BlockStore = memoryStores().blocks) {
  const clock = new HandClock()
  const metrics = new Metrics()
  return { clock, store, metrics, blocks: await BlockList.open({ store, clock, metrics }) }
}

const forever = { reason: '', expires: undefined }

test('a block holds for its domain alone, one with *. for all below it as well', async () => {
  const { blocks } = await stage()
  await blocks.add('spam.example', forever)
  await blocks.add('*.bots.example', forever)
  const blocked = (domain: string) => blocks.of(domain)?.domain
  for (const [domain, by] of [
    ['spam.example', 'spam.example'],
    ['chat.spam.example', undefined],
    ['notspam.example', undefined],
    ['bots.example', '*.bots.example'],
    ['a.bots.example', '*.bots.example'],
    ['a.b.bots.example', '*.bots.example'],
    ['notbots.example', undefined],
    ['example', undefined],
    ['[::1]', undefined],
  ] as const)
    assert.equal(blocked(domain), by, domain)
  assert.deepEqual(
    blocks.all().map(({ domain }) => domain),
    ['*.bots.example', 'spam.example'],
  )
})

test('the refusal gives the reason, and is counted', async () => {
  const { blocks, metrics } = await stage()
  await blocks.add('spam.example', { reason: 'a wave of invitations', expires: undefined })
  await blocks.add('*.bots.example', forever)
  assert.equal(blocks.refusal('good.example'), undefined)
  assert.equal(
    blocks.refusal('spam.example'),
    'spam.example is blocked by this server: a wave of invitations',
  )
  assert.equal(blocks.refusal('a.bots.example'), 'a.bots.example is blocked by this server')
  assert.equal(metrics.valueOf('blocked_total', 'domains'), 2)
})

test('a block ends when its time is over, also one that lies before a wider one', async () => {
  const { blocks, clock } = await stage()
  await blocks.add('spam.example', { reason: '', expires: clock.now() + 1000 })
  assert.ok(blocks.of('spam.example'))
  clock.advance(999)
  assert.ok(blocks.of('spam.example'))
  clock.advance(1)
  assert.equal(blocks.of('spam.example'), undefined)
  assert.deepEqual(blocks.all(), [])
  await blocks.add('*.spam.example', forever)
  assert.equal(blocks.of('spam.example')?.domain, '*.spam.example')
})

test('blocks outlive the process, expired ones do not', async () => {
  const { blocks, store, clock } = await stage()
  await blocks.add('spam.example', { reason: 'spam', expires: undefined })
  await blocks.add('short.example', { reason: '', expires: clock.now() })
  await blocks.add('gone.example', forever)
  assert.equal(await blocks.remove('gone.example'), true)
  assert.equal(await blocks.remove('gone.example'), false)
  const again = await stage(store)
  assert.deepEqual(again.blocks.all(), [
    { domain: 'spam.example', reason: 'spam', since: clock.now(), expires: undefined },
  ])
  assert.equal((await store.all()).length, 1)
})

test('what could not be stored does not hold, what could not be removed still does', async () => {
  const { store } = memoryStoreThatFails()
  const { blocks } = await stage(store)
  await blocks.add('spam.example', forever)
  store.down = true
  await assert.rejects(blocks.add('bots.example', forever), StorageUnavailable)
  await assert.rejects(blocks.remove('spam.example'), StorageUnavailable)
  assert.deepEqual(
    [blocks.of('bots.example'), blocks.of('spam.example')?.domain],
    [undefined, 'spam.example'],
  )
})

function memoryStoreThatFails() {
  const inner = memoryStores().blocks
  const store = {
    down: false,
    all: () => inner.all(),
    put: (...args: Parameters<BlockStore['put']>) => store.check() ?? inner.put(...args),
    remove: (...args: Parameters<BlockStore['remove']>) => store.check() ?? inner.remove(...args),
    removeExpired: (...args: Parameters<BlockStore['removeExpired']>) =>
      store.check() ?? inner.removeExpired(...args),
    check: () => (store.down ? Promise.reject(new StorageUnavailable('down')) : undefined),
  }
  return { store }
}
