/** What is on its way to another server, against a model: each stanza ends once, in order, and is stored while it must be. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HandClock } from '../../../src/base/clock.js'
import { silentLog } from '../../../src/base/log.js'
import { Outbox, type Parcel } from '../../../src/s2s/outbox.js'
import { StanzaError } from '../../../src/stanza/errors.js'
import { Stanza } from '../../../src/stanza/stanza.js'
import { StorageUnavailable } from '../../../src/storage/errors.js'
import { memoryStores } from '../../../src/storage/memory.js'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const ending = new StanzaError('remote-server-timeout', 'This server is ending')

function opened(limits: { queue?: number; queueBytes?: number } = {}) {
  const clock = new HandClock()
  const store = memoryStores().outbound
  const bounced: string[] = []
  const state = { fails: false }
  const outbox = new Outbox({
    sender: 'capulet.example',
    target: 'verona.example',
    store: {
      append: async (message) => {
        if (state.fails) throw new StorageUnavailable('away')
        return store.append(message)
      },
      remove: async (id) => {
        if (state.fails) throw new StorageUnavailable('away')
        return store.remove(id)
      },
      read: (after, limit) => store.read(after, limit),
    },
    clock,
    log: silentLog,
    limits: () => ({
      queue: 1000,
      queueBytes: 1 << 22,
      messageTimeout: 300_000,
      iqTimeout: 60_000,
      ...limits,
    }),
    late: () => {},
    bounce: ({ id }, { condition }) => void bounced.push(`${id} ${condition}`),
    obstacle: () => 'away',
  })
  const stored = async () =>
    (await store.read(0, 1000)).map(({ stanza }) => / id='([^']*)'/.exec(stanza)![1]!)
  return { outbox, clock, store, bounced, stored, state }
}

const message = (id: number | string, more = '') =>
  Stanza.parse(
    `<message xmlns='jabber:client' from='a@capulet.example/b' to='c@verona.example' id='${id}'><body>${id}</body>${more}</message>`,
  )
const iq = (id: string) =>
  Stanza.parse(
    `<iq xmlns='jabber:client' type='get' from='a@capulet.example/b' to='c@verona.example' id='${id}'><ping xmlns='urn:xmpp:ping'/></iq>`,
  )
const idOf = ({ stanza }: Parcel) => Number(stanza.id)

test('streams that break anywhere: each message is sent in order on each, and confirmed or handed back once', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.constant('add' as const) },
    { weight: 5, arbitrary: fc.constant('send' as const) },
    { weight: 3, arbitrary: fc.constant('confirm' as const) },
    { weight: 1, arbitrary: fc.constant('break' as const) },
    { weight: 1, arbitrary: fc.constant('wait' as const) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 150 }), async (steps) => {
      const { outbox, clock, bounced, stored } = opened()
      let added = 0
      const open: Parcel[] = []
      const confirmed: number[] = []
      const settled = new Set<number>()
      for (const each of steps) {
        if (each === 'add') {
          const id = added++
          const pledge = outbox.add(message(id))
          assert.ok(pledge instanceof Promise)
          void pledge.then(() => settled.add(id))
        } else if (each === 'send') {
          const parcel = outbox.next(true)
          if (!parcel) continue
          // Behind those that went before it on this stream, and without a gap.
          assert.equal(idOf(parcel), open.length > 0 ? idOf(open.at(-1)!) + 1 : confirmed.length)
          open.push(parcel)
        } else if (each === 'confirm') {
          const parcel = open.shift()
          if (!parcel) continue
          parcel.confirm()
          confirmed.push(idOf(parcel))
        } else if (each === 'break') {
          outbox.broken()
          open.length = 0
        } else {
          clock.advance(1000)
          await turn()
        }
        assert.equal(outbox.unconfirmed, open.length)
        assert.equal(outbox.waiting, added - confirmed.length - open.length)
      }
      clock.advance(1000)
      await turn()
      // Every sender knows by now that its message is safe; those that are not confirmed are in the store, in order.
      assert.equal(settled.size, added)
      const rest = Array.from({ length: added - confirmed.length }, (_, i) => `${confirmed.length + i}`)
      assert.deepEqual(await stored(), rest)
      outbox.broken()
      clock.advance(300_000)
      await turn()
      assert.deepEqual(
        bounced,
        rest.map((id) => `${id} remote-server-timeout`),
      )
      assert.deepEqual(await stored(), [])
      assert.equal(outbox.isEmpty, true)
    }),
    { numRuns: 60 },
  )
})

test('only a message that went over a stream before is marked when it is sent again', () => {
  const { outbox } = opened()
  void outbox.add(message(1))
  void outbox.add(message(2))
  assert.doesNotMatch(outbox.next(true)!.xml, /delay/)
  outbox.broken()
  assert.match(outbox.next(true)!.xml, /id='1'.*<delay xmlns="urn:xmpp:delay" from="capulet.example"/)
  assert.doesNotMatch(outbox.next(true)!.xml, /delay/)
})

test('one that an earlier process stored comes first, is marked, and leaves the store when it is confirmed', async () => {
  const { outbox, store, stored } = opened()
  const id = await store.append({
    sender: 'capulet.example',
    target: 'verona.example',
    stanza: message('old').toStandaloneXml(),
    at: 5,
  })
  outbox.restore(message('old'), 5, id)
  void outbox.add(message('new'))
  const parcel = outbox.next(true)!
  assert.match(parcel.xml, /id='old'.*stamp="1970-01-01T00:00:00.005Z"/)
  assert.deepEqual(await stored(), ['old'])
  parcel.confirm()
  await turn()
  assert.deepEqual(await stored(), [])
})

test('the limits of what may wait hold, and those of what may be unconfirmed', () => {
  const { outbox } = opened({ queue: 3 })
  for (let id = 0; id < 3; id++) assert.ok(outbox.add(message(id)) instanceof Promise)
  assert.equal(outbox.add(message(3)), 's2s_queue')
  let first: Parcel | undefined
  for (let id = 3; id < 30; id++) {
    const next = outbox.next(true)
    assert.ok(next)
    first ??= next
    assert.ok(outbox.add(message(id)) instanceof Promise)
  }
  for (let left = 3; left > 0; left--) assert.ok(outbox.next(true))
  assert.equal(outbox.unconfirmed, 30)
  void outbox.add(message('late'))
  assert.equal(outbox.next(true), undefined)
  first!.confirm()
  assert.equal(outbox.next(true)?.stanza.id, 'late')
  assert.equal(opened({ queueBytes: 600 }).outbox.add(message(1, 'x'.repeat(100))), 's2s_queue_size')
})

test('an end stores messages, hands back requests, and says nothing of presence of those who wait', async () => {
  const { outbox, bounced, stored } = opened()
  void outbox.add(message(1))
  outbox.next(true)
  void outbox.add(message(2))
  assert.equal(outbox.add(iq('q')), undefined)
  assert.equal(outbox.add(message(3, `<no-store xmlns='urn:xmpp:hints'/>`)), undefined)
  await outbox.leave(ending)
  assert.deepEqual(await stored(), ['1', '2'])
  assert.deepEqual(bounced, ['q remote-server-timeout', '3 remote-server-timeout'])
})

test('a store that is away: senders wait, and hear of it when we end', async () => {
  const { outbox, clock, bounced, stored, state } = opened()
  state.fails = true
  let settled = false
  const pledge = outbox.add(message(1)) as Promise<void>
  void pledge.then(() => (settled = true))
  clock.advance(2000)
  await turn()
  assert.equal(settled, false)
  state.fails = false
  clock.advance(1000)
  await turn()
  assert.deepEqual([settled, await stored()], [true, ['1']])
  state.fails = true
  void outbox.add(message(2))
  await outbox.leave(ending)
  assert.deepEqual([await stored(), bounced], [['1'], ['2 remote-server-timeout']])
})

test('what was confirmed while the store was away is forgotten when it is back', async () => {
  const { outbox, clock, stored, state } = opened()
  void outbox.add(message(1))
  clock.advance(1000)
  await turn()
  state.fails = true
  outbox.next(true)!.confirm()
  await turn()
  clock.advance(10_000)
  await turn()
  assert.deepEqual(await stored(), ['1'])
  state.fails = false
  clock.advance(10_000)
  await turn()
  assert.deepEqual(await stored(), [])
})
