import { test } from 'node:test'
import assert from 'node:assert/strict'
import { HandClock, pause, realClock } from '../../src/base/clock.js'

test('timers fire in order of their moment and see that moment', () => {
  const clock = new HandClock(0)
  const seen: [string, number][] = []
  clock.after(20, () => seen.push(['b', clock.now()]))
  clock.after(10, () => seen.push(['a', clock.now()]))
  clock.after(10, () => seen.push(['a2', clock.now()]))
  clock.advance(15)
  assert.deepEqual(seen, [
    ['a', 10],
    ['a2', 10],
  ])
  clock.advance(5)
  assert.deepEqual(seen.at(-1), ['b', 20])
})

test('a refreshed timer waits its whole delay again, a cancelled one never fires', () => {
  const clock = new HandClock(0)
  let fired = 0
  const timer = clock.after(10, () => fired++)
  clock.advance(9)
  timer.refresh()
  clock.advance(9)
  assert.equal(fired, 0)
  clock.advance(1)
  assert.equal(fired, 1)
  timer.refresh()
  timer.cancel()
  clock.advance(100)
  assert.equal(fired, 1)
})

test('the real clock waits for ever when told so, where Node would fire at once', async () => {
  let fired = 0
  const timers = [Infinity, 2 ** 31].map((ms) => realClock.after(ms, () => fired++))
  await pause(realClock, 20)
  assert.equal(fired, 0)
  for (const timer of timers) {
    timer.refresh()
    timer.cancel()
  }
})
