import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { Lru } from '../../../src/base/lru.js'
import { Throttle, TokenBucket } from '../../../src/base/rate.js'

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

test('the twentieth failure closes the door for an hour', () => {
  const clock = new HandClock()
  const throttle = new Throttle(clock)
  for (let i = 0; i < 19; i++) throttle.failed('192.0.2.1 romeo')
  assert.equal(throttle.wait('192.0.2.1 romeo'), 0)
  throttle.failed('192.0.2.1 romeo')
  assert.equal(throttle.wait('192.0.2.1 romeo'), 3_600_000)
  assert.equal(throttle.wait('192.0.2.2 romeo'), 0, 'the owner elsewhere is not locked out')
  clock.advance(3_599_999)
  throttle.failed('192.0.2.1 romeo')
  assert.equal(throttle.wait('192.0.2.1 romeo'), 1, 'failures meanwhile do not prolong it')
  clock.advance(1)
  assert.equal(throttle.wait('192.0.2.1 romeo'), 0)
})

test('failures are forgotten on success, after an hour and beyond the bound', () => {
  const clock = new HandClock()
  const throttle = new Throttle(clock, { failures: 2, ms: 1000, keys: 2 })
  throttle.failed('a')
  throttle.forgive('a')
  throttle.failed('a')
  assert.equal(throttle.wait('a'), 0)
  clock.advance(1000)
  throttle.failed('a')
  assert.equal(throttle.wait('a'), 0)
  throttle.failed('a')
  assert.equal(throttle.wait('a'), 1000)
  throttle.failed('b')
  throttle.failed('c')
  assert.equal(throttle.wait('a'), 0)
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
