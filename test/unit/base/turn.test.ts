import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turn } from '../../../src/base/turn.js'

/** A promise to be settled by hand. */
function pending<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

test('what can be done at once is done when nobody waits', () => {
  const turn = new Turn()
  assert.equal(
    turn.take(() => 1),
    1,
  )
  assert.throws(() => turn.take(() => assert.fail('no')), /no/)
  assert.equal(
    turn.take(() => 2),
    2,
  )
  assert.equal(turn.busy, false)
})

test('others wait for what takes its time, in the order of asking, however it ends', async () => {
  const turn = new Turn()
  const done: string[] = []
  const slow = pending<void>()
  const failing = pending<void>()
  const first = turn.take(() => slow.promise.then(() => void done.push('slow')))
  const second = turn.take(() => failing.promise)
  const third = turn.take(() => void done.push('third'))
  const fourth = turn.take(() => {
    throw new Error('fourth')
  })
  const fifth = turn.take(() => done.push('fifth'))
  assert.equal(turn.busy, true)
  assert.deepEqual(done, [])
  failing.reject(new Error('second'))
  slow.resolve()
  await first
  await assert.rejects(async () => second, /second/)
  await third
  await assert.rejects(async () => fourth, /fourth/)
  assert.equal(await fifth, 3)
  assert.deepEqual(done, ['slow', 'third', 'fifth'])
  assert.equal(turn.busy, false)
})

test('what is asked for in the middle of something comes after it', async () => {
  const turn = new Turn()
  const done: string[] = []
  let inner: unknown
  void turn.take(() => {
    inner = turn.take(() => void done.push('inner'))
    done.push('outer')
  })
  assert.deepEqual(done, ['outer', 'inner'])
  await inner
})

test('a hundred thousand that wait cost no stack', async () => {
  const turn = new Turn()
  const slow = pending<void>()
  void turn.take(() => slow.promise)
  let count = 0
  const all = Array.from({ length: 100_000 }, async () => turn.take(() => void count++))
  slow.resolve()
  await Promise.all(all)
  assert.equal(count, 100_000)
})
