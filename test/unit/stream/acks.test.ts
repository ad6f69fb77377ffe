/** The counters and the queue of XEP-0198 against a model that counts without end. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HandClock } from '../../../src/base/clock.js'
import { Acks, Asker } from '../../../src/stream/acks.js'
import { StreamError } from '../../../src/stream/errors.js'

const modulus = 2n ** 32n

function opened({ count = 1000, bytes = 1 << 20, from = 0 } = {}) {
  const clock = new HandClock()
  const written: string[] = []
  const acks = new Acks<string>(
    {
      stream: { send: (xml) => void written.push(xml) },
      window: { count, bytes },
      sizeOf: (item) => item.length,
      asker: new Asker(clock, 1000),
    },
    { sent: from, handled: from },
  )
  return { acks, clock, written }
}

/** Something that settles when the test says so. */
function promised() {
  let resolve = (): void => undefined
  let reject = (_error: Error): void => undefined
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

type Step =
  | { readonly do: 'send'; readonly size: number }
  | { readonly do: 'acknowledge'; readonly part: number }

const sending: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('send' as const),
  size: fc.integer({ min: 0, max: 50 }),
})
const acknowledging: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('acknowledge' as const),
  part: fc.double({ min: 0, max: 1, noNaN: true }),
})

test('what is acknowledged is released once and in order, what is not is kept, also where the count begins anew', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 300 }),
      fc.array(fc.oneof({ weight: 4, arbitrary: sending }, acknowledging), { maxLength: 600 }),
      (before, steps) => {
        const from = modulus - BigInt(before)
        const { acks } = opened({ from: Number(from % modulus) })
        const released: string[] = []
        const sent: string[] = []
        for (const step of steps) {
          if (step.do === 'send') {
            const item = `${sent.length}`.padEnd(step.size)
            sent.push(item)
            acks.sent(item)
          } else {
            const upTo = released.length + Math.floor(step.part * (sent.length - released.length))
            acks.acknowledge(String((from + BigInt(upTo)) % modulus), (item) => released.push(item))
            assert.equal(released.length, upTo)
          }
          const left = sent.slice(released.length)
          assert.equal(acks.length, left.length)
          assert.equal(acks.bytes, left.join('').length)
          assert.equal(acks.sentCount, Number((from + BigInt(sent.length)) % modulus))
        }
        assert.deepEqual([...released, ...acks.take()], sent)
        assert.deepEqual([acks.length, acks.bytes], [0, 0])
      },
    ),
  )
})

test('the handled count never passes a stanza that is not settled, and reaches all when all are', async () => {
  const kinds = fc.array(fc.oneof(fc.constant('now'), fc.constant('later')), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(
      kinds,
      fc.integer({ min: 0, max: 50 }),
      fc.infiniteStream(fc.nat()),
      async (stanzas, before, dice) => {
        const from = (2 ** 32 - before) % 2 ** 32
        const { acks } = opened({ from })
        const open = stanzas.map((kind) => {
          const pledge = kind === 'later' ? promised() : undefined
          acks.received(pledge?.promise)
          return { settled: kind === 'now', pledge }
        })
        const expected = () => {
          const gap = open.findIndex(({ settled }) => !settled)
          return (from + (gap < 0 ? open.length : gap)) % 2 ** 32
        }
        assert.equal(acks.handled, expected())
        const waiting = open.filter(({ settled }) => !settled)
        while (waiting.length > 0) {
          const [next] = waiting.splice(dice.next().value! % waiting.length, 1)
          next!.settled = true
          next!.pledge!.resolve()
          await turn()
          assert.equal(acks.handled, expected())
        }
      },
    ),
    { numRuns: 50 },
  )
})

test('what can never be kept is never counted, nor what came behind it', async () => {
  const { acks } = opened()
  const lost = promised()
  acks.received()
  acks.received(lost.promise)
  acks.received()
  lost.reject(new Error('lost'))
  await turn()
  assert.deepEqual([acks.handled, acks.hasFailed], [1, true])
  await acks.settled()
})

test('a request is answered at once, and once more when all before it is settled', async () => {
  const { acks, written } = opened()
  const [first, second, third] = [promised(), promised(), promised()]
  acks.received()
  acks.received(first.promise)
  acks.received(second.promise)
  acks.requested()
  assert.deepEqual(written, [`<a xmlns='urn:xmpp:sm:3' h='1'/>`])
  acks.received(third.promise)
  second.resolve()
  await turn()
  assert.equal(written.length, 1)
  first.resolve()
  await turn()
  assert.deepEqual(written.slice(1), [`<a xmlns='urn:xmpp:sm:3' h='3'/>`])
  third.resolve()
  await turn()
  assert.equal(written.length, 2)
  assert.equal(acks.handled, 4)
})

test('an acknowledgement of more than was sent names both numbers', () => {
  for (const h of ['3', '4294967295']) {
    const { acks } = opened()
    acks.sent('one')
    acks.sent('two')
    assert.throws(
      () => acks.acknowledge(h),
      (error) => {
        assert.ok(error instanceof StreamError)
        assert.equal(error.condition, 'undefined-condition')
        assert.match(
          error.toXml(),
          new RegExp(`<handled-count-too-high xmlns="urn:xmpp:sm:3" h="${h}" send-count="2"/>`),
        )
        return true
      },
    )
    assert.equal(acks.length, 2)
  }
})

test('an acknowledgement without a number below 2^32 is none', () => {
  for (const h of [undefined, '', '-1', '1.0', ' 1', '0x1', '4294967296', '99999999999']) {
    const { acks } = opened()
    assert.throws(() => acks.acknowledge(h), { condition: 'bad-format' }, String(h))
  }
})

test('the peer is asked after twenty stanzas, when the stream falls quiet, and when the window is full', () => {
  const r = `<r xmlns='urn:xmpp:sm:3'/>`
  const { acks, clock, written } = opened({ count: 30 })
  for (let i = 0; i < 19; i++) acks.sent('x')
  assert.deepEqual(written, [])
  acks.sent('x')
  assert.deepEqual(written, [r])
  for (let i = 0; i < 9; i++) acks.sent('x')
  assert.deepEqual([written, acks.full], [[r], false])
  acks.sent('x')
  assert.deepEqual([written, acks.full], [[r, r], true])
  acks.acknowledge('30')
  acks.sent('x')
  clock.advance(999)
  assert.equal(written.length, 2)
  clock.advance(1)
  assert.equal(written.length, 3)
  // Nothing new: nothing to ask.
  clock.advance(10_000)
  assert.equal(written.length, 3)
  acks.sent('x')
  acks.acknowledge('32')
  clock.advance(10_000)
  assert.equal(written.length, 3)
  acks.sent('x')
  clock.advance(1000)
  assert.equal(written.length, 4)
})

test('a window of bytes is full with one large stanza', () => {
  const { acks } = opened({ bytes: 100 })
  acks.sent('x'.repeat(99))
  assert.equal(acks.full, false)
  acks.sent('x')
  assert.equal(acks.full, true)
  acks.acknowledge('1')
  assert.equal(acks.full, false)
})
