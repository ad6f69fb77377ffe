import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { systemRandom } from '../../../src/base/random.js'
import { Watch, type Finding } from '../../../src/base/watch.js'

/** A watch whose questions are answered by the test. */
function watching(giveUp = 60_000) {
  const clock = new HandClock()
  const open = new Map<string, (finding: Finding) => void>()
  const lost: string[] = []
  let most = 0
  let asked = 0
  const watch = new Watch<string>({
    clock,
    random: systemRandom,
    giveUp,
    ask(subject) {
      asked++
      return new Promise((resolve) => {
        open.set(subject, resolve)
        most = Math.max(most, open.size)
      })
    },
    lost: (subject) => lost.push(subject),
  })
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  return {
    clock,
    watch,
    lost,
    open,
    get most() {
      return most
    },
    get asked() {
      return asked
    },
    async passes(ms: number) {
      for (let left = ms; left > 0; left -= 1000) {
        clock.advance(Math.min(1000, left))
        await settled()
      }
    },
    async answers(subject: string, finding: Finding) {
      const answer = open.get(subject)
      assert.ok(answer, `${subject} was not asked about`)
      open.delete(subject)
      answer(finding)
      await settled()
    },
  }
}

test('what is in doubt is asked about, a few at a time, until all is known', async () => {
  const at = watching()
  const names = Array.from({ length: 100 }, (_, i) => `s${i}`)
  for (const name of names) at.watch.add(name)
  at.watch.doubtAll()
  assert.equal(at.asked, 0)
  await at.passes(7_000)
  for (const name of names) await at.answers(name, name === 's7' ? 'gone' : 'here')
  assert.equal(at.most, 20)
  assert.deepEqual(at.lost, ['s7'])
  await at.passes(3_600_000)
  assert.equal(at.asked, 100)
})

test('what looks gone is gone when it looks so again', async () => {
  const at = watching()
  at.watch.add('a')
  at.watch.doubt('a')
  await at.passes(7_000)
  await at.answers('a', 'dubious')
  assert.deepEqual(at.lost, [])
  await at.passes(7_000)
  await at.answers('a', 'dubious')
  assert.deepEqual(at.lost, ['a'])
  assert.equal(at.watch.isEmpty, true)
})

test('a doubt that comes while one is asked about makes the answer void', async () => {
  const at = watching()
  at.watch.add('a')
  at.watch.doubt('a')
  await at.passes(7_000)
  at.watch.doubt('a')
  await at.answers('a', 'here')
  await at.passes(7_000)
  assert.equal(at.asked, 2)
  await at.answers('a', 'gone')
  assert.deepEqual(at.lost, ['a'])
})

test('what has shown itself is not lost by an answer of before', async () => {
  const at = watching()
  at.watch.add('a')
  at.watch.doubt('a')
  await at.passes(7_000)
  at.watch.isSure('a')
  await at.answers('a', 'gone')
  assert.deepEqual(at.lost, [])
})

test('out of reach it is asked more and more rarely, and lost after its time', async () => {
  const at = watching(3_600_000)
  at.watch.add('a')
  at.watch.add('b')
  at.watch.doubtAll()
  let rounds = 0
  for (let s = 0; s < 3_590; s++) {
    await at.passes(1_000)
    if (at.open.size === 0) continue
    rounds++
    for (const name of at.open.keys()) await at.answers(name, 'unreached')
  }
  assert.ok(rounds >= 8 && rounds <= 14, `${rounds} rounds in an hour`)
  assert.deepEqual(at.lost, [])
  // As soon as it is there again it is asked at once.
  at.watch.reached()
  await at.passes(7_000)
  for (const name of at.open.keys()) await at.answers(name, 'here')
  await at.passes(60_000)
  assert.deepEqual(at.lost, [])
  at.watch.doubt('b')
  for (let s = 0; s < 4_800; s++) {
    await at.passes(1_000)
    for (const name of at.open.keys()) await at.answers(name, 'unreached')
  }
  assert.deepEqual(at.lost, ['b'])
})

test('a peer with many is not given up while it answers, however long that takes', async () => {
  const at = watching(60_000)
  const names = Array.from({ length: 50 }, (_, i) => `s${i}`)
  for (const name of names) at.watch.add(name)
  at.watch.doubtAll()
  await at.passes(7_000)
  for (const name of names) {
    await at.passes(5_000)
    if (name === 's25') at.watch.doubtAll()
    if (at.open.has(name)) await at.answers(name, 'here')
  }
  for (let i = 0; i < 200 && at.asked < 100; i++) {
    await at.passes(1_000)
    for (const name of at.open.keys()) await at.answers(name, 'here')
  }
  assert.deepEqual(at.lost, [])
})
