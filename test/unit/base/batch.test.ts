import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BatchOptions } from '../../../src/base/batch.js'
import { Batcher } from '../../../src/base/batch.js'
import { HandClock } from '../../../src/base/clock.js'

interface Row {
  readonly key: string
  readonly n: number
  readonly bytes?: number
}

/** A batcher whose writes end when the test says so. */
function stage(options: Partial<BatchOptions<Row, number>> = {}) {
  const clock = new HandClock()
  const writes: { rows: readonly Row[]; again: boolean; end(error?: Error): Promise<void> }[] = []
  const batcher = new Batcher<Row, number>({
    clock,
    keyOf: ({ key }) => key,
    bytesOf: ({ bytes }) => bytes ?? 1,
    mayRepeat: (error) => error instanceof Error && error.message === 'lost',
    write: (rows, again) =>
      new Promise((resolve, reject) => {
        const end = async (error?: Error) => {
          if (error) reject(error)
          else resolve(rows.map(({ n }) => n * 10))
          await settled()
        }
        writes.push({ rows, again, end })
      }),
    ...options,
  })
  const add = (...rows: Row[]) =>
    rows.map((row) => {
      const added = batcher.add(row)
      assert.notEqual(added, 'full')
      return added as Promise<number>
    })
  const numbers = () => writes.map(({ rows }) => rows.map(({ n }) => n))
  return { clock, writes, batcher, add, numbers }
}

/** All promises that can settle without time going on have settled. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

const rows = (key: string, ...numbers: number[]): Row[] => numbers.map((n) => ({ key, n }))

test('rows wait for company, and each gets its own result', async () => {
  const { clock, writes, add, numbers } = stage()
  const results = add(...rows('a', 1, 2), ...rows('b', 3))
  clock.advance(2)
  assert.deepEqual(numbers(), [])
  clock.advance(1)
  assert.deepEqual(numbers(), [[1, 2, 3]])
  await writes[0]!.end()
  assert.deepEqual(await Promise.all(results), [10, 20, 30])
})

test('a full batch does not wait', () => {
  const { add, numbers } = stage({ rows: 3 })
  void add(...rows('a', 1, 2))
  assert.deepEqual(numbers(), [])
  void add(...rows('b', 3, 4))
  assert.deepEqual(numbers(), [[1, 2, 3]])
})

test('a batch ends before it grows too large, and one large row goes alone', () => {
  const { clock, add, numbers } = stage({ bytes: 10 })
  void add({ key: 'a', n: 1, bytes: 4 }, { key: 'b', n: 2, bytes: 6 }, { key: 'c', n: 3, bytes: 100 })
  clock.advance(3)
  assert.deepEqual(numbers(), [[1, 2], [3]])
})

test('at most two batches are written at the same time', async () => {
  const { clock, writes, add, numbers } = stage({ rows: 2 })
  void add(...rows('a', 1, 2), ...rows('b', 3, 4), ...rows('c', 5, 6), ...rows('d', 7))
  clock.advance(3)
  assert.deepEqual(numbers(), [
    [1, 2],
    [3, 4],
  ])
  await writes[1]!.end()
  assert.deepEqual(numbers().slice(2), [[5, 6]])
  await writes[0]!.end()
  assert.deepEqual(numbers().slice(3), [[7]])
})

test('rows of one key are never in two batches at the same time', async () => {
  const { clock, writes, add, numbers } = stage({ rows: 2 })
  void add(...rows('a', 1, 2, 3), ...rows('b', 4), ...rows('a', 5))
  clock.advance(3)
  assert.deepEqual(numbers(), [[1, 2], [4]])
  await writes[1]!.end()
  assert.deepEqual(numbers().length, 2)
  await writes[0]!.end()
  assert.deepEqual(numbers().slice(2), [[3, 5]])
})

test('random traffic: every row is written once, in the order of its key', async () => {
  const { clock, writes, add } = stage({ rows: 4, bytes: 20 })
  let seed = 7
  const random = (below: number) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % below
  const results: Promise<number>[] = []
  for (let n = 0, ended = 0; n < 500; n++) {
    results.push(...add({ key: `k${random(5)}`, n, bytes: 1 + random(8) }))
    if (random(3) === 0) clock.advance(random(4))
    while (ended < writes.length && random(2) === 0) await writes[ended++]!.end()
  }
  for (let i = 0; i < writes.length; clock.advance(5)) await writes[i++]!.end()
  assert.deepEqual(
    await Promise.all(results),
    results.map((_, n) => n * 10),
  )
  const written = writes.flatMap((write) => write.rows)
  assert.equal(written.length, 500)
  for (const key of new Set(written.map((row) => row.key))) {
    const order = written.filter((row) => row.key === key).map(({ n }) => n)
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    )
  }
})

test('above its bounds it takes no more rows until some are written', async () => {
  const { clock, writes, batcher, add } = stage({ queueRows: 3, queueBytes: 100 })
  void add(...rows('a', 1, 2, 3))
  assert.equal(batcher.add({ key: 'a', n: 4 }), 'full')
  clock.advance(3)
  assert.equal(batcher.add({ key: 'a', n: 4 }), 'full')
  await writes[0]!.end()
  assert.deepEqual(batcher.load, { rows: 0, bytes: 0 })
  void add({ key: 'a', n: 5, bytes: 1000 })
  assert.equal(batcher.add({ key: 'a', n: 6 }), 'full')
  assert.deepEqual(batcher.load, { rows: 1, bytes: 1000 })
})

test('a lost connection is forgiven once', async () => {
  const { clock, writes, add } = stage()
  const [result] = add(...rows('a', 1))
  clock.advance(3)
  await writes[0]!.end(new Error('lost'))
  assert.deepEqual(
    writes.map(({ again }) => again),
    [false, true],
  )
  await writes[1]!.end()
  assert.equal(await result, 10)

  const failed = assert.rejects(add(...rows('a', 2))[0]!, { message: 'lost' })
  clock.advance(3)
  await writes[2]!.end(new Error('lost'))
  await writes[3]!.end(new Error('lost'))
  await failed
  assert.equal(writes.length, 4)
})

test('a failed batch rejects its rows, and only those', async () => {
  const { clock, writes, batcher, add } = stage({ rows: 2 })
  const [one, two, three] = add(...rows('a', 1, 2), ...rows('b', 3))
  const failures = Promise.all([one, two].map((row) => assert.rejects(row!, { message: 'wrong' })))
  clock.advance(3)
  await writes[0]!.end(new Error('wrong'))
  await failures
  assert.equal(writes[0]!.again, false)
  await writes[1]!.end()
  assert.equal(await three, 30)
  assert.deepEqual(batcher.load, { rows: 0, bytes: 0 })
})

test('draining writes at once, what is added meanwhile too, and waits for all of it', async () => {
  const { writes, batcher, add, numbers } = stage()
  await batcher.drain()
  void add(...rows('a', 1))
  let drained = false
  const draining = batcher.drain().then(() => (drained = true))
  assert.deepEqual(numbers(), [[1]])
  void add(...rows('b', 2))
  assert.deepEqual(numbers(), [[1], [2]])
  await writes[0]!.end()
  assert.equal(drained, false)
  await writes[1]!.end()
  await draining
})
