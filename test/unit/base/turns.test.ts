import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turns } from '../../../src/base/turns.js'

test('one thing at a time for a key, in the order of asking; other keys do not wait', async () => {
  const turns = new Turns()
  const seen: string[] = []
  let open = () => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const first = turns.take('a', async () => {
    seen.push('first begins')
    await gate
    seen.push('first ends')
    return 1
  })
  const second = turns.take('a', async () => seen.push('second'))
  await turns.take('b', async () => seen.push('other key'))
  assert.deepEqual(seen, ['first begins', 'other key'])
  open()
  assert.equal(await first, 1)
  await second
  assert.deepEqual(seen, ['first begins', 'other key', 'first ends', 'second'])
  assert.equal(turns.size, 0)
})

test('a failure is told to its own and does not stop the next', async () => {
  const turns = new Turns()
  const failed = turns.take('a', () => Promise.reject(new Error('no')))
  const next = turns.take('a', () => Promise.resolve('yes'))
  await assert.rejects(failed, /no/)
  assert.equal(await next, 'yes')
  assert.equal(turns.size, 0)
})
