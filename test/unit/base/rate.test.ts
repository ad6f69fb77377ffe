import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { memoryInUse } from '../../support/memory.js'
import { Lru } from '../../../src/base/lru.js'
import { Throttle, TokenBucket, type Attempt } from '../../../src/base/rate.js'

test('a bucket lets a burst pass, then tells how long to wait', () => {
  const clock = new HandClock()
  const bucket = new TokenBucket(20, 100, clock)
  assert.equal(bucket.take(100), 0)
  assert.equal(bucket.take(1), 50)
  assert.equal(bucket.take(19), 1000)
  clock.advance(1000)
  assert.equal(bucket.take(0), 0)
  clock.advance(3_600_000)
  assert.equal(bucket.take(100), 0, 'no more than the burst is ever saved')
  assert.equal(bucket.take(20), 1000)
})

test('a bucket admits what it has and takes nothing otherwise', () => {
  const clock = new HandClock()
  const bucket = new TokenBucket(1, 2, clock)
  assert.deepEqual([bucket.admit(1), bucket.admit(1), bucket.admit(1)], [true, true, false])
  clock.advance(1000)
  assert.deepEqual([bucket.admit(1), bucket.admit(1)], [true, false])
})

test('a clock that is set back takes nothing away', () => {
  let now = 10_000
  const bucket = new TokenBucket(1, 2, {
    now: () => now,
    after: () => {
      throw new Error('no timers here')
    },
  })
  assert.equal(bucket.take(2), 0)
  now = 5000
  assert.equal(bucket.admit(1), false)
  now = 6000
  assert.equal(bucket.admit(1), true)
})

/** An attempt that may begin at once. */
function begun(throttle: Throttle, key: string): Attempt {
  const attempt = throttle.attempt(key)
  assert.ok(attempt && !(attempt instanceof Promise))
  return attempt
}

test('the twentieth failure closes the door for an hour', () => {
  const clock = new HandClock()
  const throttle = new Throttle(clock)
  for (let i = 0; i < 20; i++) begun(throttle, '192.0.2.1 romeo').failed()
  assert.equal(throttle.attempt('192.0.2.1 romeo'), undefined)
  begun(throttle, '192.0.2.2 romeo').failed()
  clock.advance(3_599_999)
  assert.equal(throttle.attempt('192.0.2.1 romeo'), undefined)
  clock.advance(1)
  begun(throttle, '192.0.2.1 romeo').failed()
})

test('attempts at the same time are no more than could all fail; the others wait', async () => {
  const throttle = new Throttle(new HandClock(), { failures: 3 })
  const attempts = [1, 2, 3].map(() => begun(throttle, 'a'))
  const late: (Attempt | undefined)[] = []
  const fail = (attempt: Attempt | undefined) => attempt?.failed()
  const waiting = [4, 5, 6, 7].map(async () => late.push(await throttle.attempt('a')))
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  await turn()
  assert.deepEqual(late, [])
  // One without an answer gives its place back, once.
  attempts[0]!.withdrawn()
  attempts[0]!.withdrawn()
  attempts[0]!.failed()
  await turn()
  assert.equal(late.length, 1)
  // What fails gives no place, and what succeeds gives those back that had failed.
  attempts[1]!.failed()
  await turn()
  assert.equal(late.length, 1)
  attempts[2]!.succeeded()
  await turn()
  assert.equal(late.length, 3)
  // The door closes for those who wait, too.
  for (const attempt of late.splice(0)) fail(attempt)
  await turn()
  assert.equal(late.length, 1)
  fail(late[0])
  await Promise.all(waiting)
  assert.equal(throttle.attempt('a'), undefined)
})

test('a door that closes is closed for those who wait; no more wait than may', async () => {
  const throttle = new Throttle(new HandClock(), { failures: 1 })
  const first = begun(throttle, 'a')
  const waiting = Array.from({ length: 1000 }, async () => throttle.attempt('a'))
  assert.equal(throttle.attempt('a'), undefined)
  first.failed()
  assert.deepEqual(await Promise.all(waiting), Array(1000).fill(undefined))
})

test('failures are forgotten on success, after an hour and beyond the bound', () => {
  const clock = new HandClock()
  const throttle = new Throttle(clock, { failures: 2, ms: 1000, keys: 2 })
  begun(throttle, 'a').failed()
  begun(throttle, 'a').succeeded()
  begun(throttle, 'a').failed()
  clock.advance(1000)
  begun(throttle, 'a').failed()
  const late = begun(throttle, 'a')
  begun(throttle, 'b').failed()
  begun(throttle, 'c').failed()
  late.failed()
  begun(throttle, 'a').failed()
  begun(throttle, 'a').failed()
  assert.equal(throttle.attempt('a'), undefined)
})

test('a hundred times more keys than are remembered cost no more memory', async () => {
  const throttle = new Throttle(new HandClock(), { keys: 10_000 })
  const guess = (from: number, to: number) => {
    for (let i = from; i < to; i++) begun(throttle, `192.0.2.1 guess${i}`).failed()
  }
  guess(0, 10_000)
  const before = await memoryInUse()
  guess(10_000, 1_000_000)
  assert.ok((await memoryInUse()) - before < 2_000_000)
})

test('the entry unused for longest is dropped', () => {
  const map = new Lru<string, number>(2)
  assert.equal(map.set('a', 1), undefined)
  map.set('b', 2)
  assert.equal(map.get('a'), 1)
  assert.equal(map.set('c', 3), 2)
  assert.deepEqual([map.get('a'), map.get('b'), map.get('c'), map.size], [1, undefined, 3, 2])
  assert.equal(map.delete('a'), true)
  map.clear()
  assert.equal(map.size, 0)
})
