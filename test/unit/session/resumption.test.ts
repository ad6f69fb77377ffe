/** A session and its client through cuts, resumptions and restarts, against a model: everything arrives, once, in order (XEP-0198 §4, §5). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HandClock } from '../../../src/base/clock.js'
import { Session, sizeOfHeld, type Held, type SessionHost } from '../../../src/session/session.js'
import { remembered, snapshotOf } from '../../../src/session/snapshot.js'
import { Jid } from '../../../src/stanza/jid.js'
import { Stanza } from '../../../src/stanza/stanza.js'
import { Acks, Asker } from '../../../src/stream/acks.js'
import type { Stream } from '../../../src/stream/stream.js'
import { parseElement } from '../../../src/xml/parser.js'

const modulus = 2 ** 32
const jid = Jid.parse('juliet@capulet.example/balcony')
const romeo = Jid.parse('romeo@montague.example/garden')

const message = (number: number) =>
  Stanza.of({ kind: 'message', type: 'chat', id: `m${number}`, from: romeo, to: jid })

/** One stream: what was written on it, of which the client has read the first `read`. */
class Wire {
  readonly written: string[] = []
  read = 0
  slow = false
  readonly stream = {
    send: (xml: string) => this.written.push(xml) > 0,
    fits: () => true,
    drop: () => assert.fail('nothing is dropped'),
    get slow() {
      return wires.get(this)?.slow === true
    },
  } as unknown as Stream

  constructor() {
    wires.set(this.stream, this)
  }
}
const wires = new WeakMap<object, Wire>()

/** The client of the model: counts what it reads, and keeps the messages. */
class Reader {
  handled: number
  readonly got: string[] = []

  constructor(handled: number) {
    this.handled = handled
  }

  /** Reads so many of what is there. */
  reads(wire: Wire, count: number): void {
    for (const xml of wire.written.slice(wire.read, wire.read + count)) {
      wire.read++
      const element = parseElement(xml)
      if (element.local !== 'message') continue
      this.handled = (this.handled + 1) % modulus
      this.got.push(element.attrs['id']!)
    }
  }
}

interface Model {
  session: Session
  wire: Wire | undefined
  readonly client: Reader
  readonly host: SessionHost
  readonly options: { window: { count: number; bytes: number }; asker: Asker; sizeOf: (held: Held) => number }
  sent: number
  over: boolean
}

function opened(before: number, count: number): Model {
  const from = (modulus - before) % modulus
  const wire = new Wire()
  const options = {
    window: { count, bytes: 1 << 20 },
    asker: new Asker(new HandClock(), 1000),
    sizeOf: sizeOfHeld,
  }
  const model = { wire, client: new Reader(from), options, sent: 0, over: false } as unknown as Model
  const host: SessionHost = {
    address: Jid.of('', 'capulet.example'),
    now: () => 0,
    leaving: (stanza) => stanza,
    queued: () => undefined,
    over: () => (model.over = true),
  }
  const session = new Session(jid, 1, wire.stream, host, 0, 'PLAIN')
  session.acks = new Acks({ ...options, stream: wire.stream }, { sent: from, handled: from })
  session.resumable = { id: 'id', ms: 300_000, keeper: { ended: () => undefined, left: () => undefined } }
  return Object.assign(model, { session, host })
}

type Step = 'send' | 'past hold' | 'read' | 'slow' | 'fast' | 'hold' | 'answer' | 'cut' | 'resume' | 'restart'

const steps: Record<Step, (model: Model, part: number) => void> = {
  send(model) {
    if (model.session.deliver(message(model.sent))) model.sent++
  },
  // A question of the server: it waits behind nothing but what is sent again.
  'past hold'(model) {
    if (model.session.queued.held.length > 0) return
    if (model.session.deliverNow(message(model.sent))) model.sent++
  },
  read({ wire, client }, part) {
    if (wire) client.reads(wire, Math.ceil((wire.written.length - wire.read) * part))
  },
  slow({ wire }) {
    if (wire) wire.slow = true
  },
  fast({ wire, session }) {
    if (!wire?.slow) return
    wire.slow = false
    session.drained()
  },
  hold({ session }) {
    session.hold()
    session.release()
  },
  answer({ wire, session, client }) {
    if (wire) session.acknowledge(String(client.handled))
  },
  cut(model, part) {
    if (!model.wire) return
    // Of what was under way a part still arrives.
    steps.read(model, part)
    model.wire = undefined
    model.session.park()
  },
  resume(model, part) {
    if (model.wire) steps.cut(model, 0)
    model.wire = new Wire()
    model.session.resume(model.wire.stream, String(model.client.handled))
    assert.deepEqual(model.wire.written, [])
    // One that does not read at once gets the rest later.
    model.wire.slow = part > 0.5
    model.session.goOn()
  },
  restart(model, part) {
    if (model.wire) steps.cut(model, part)
    const memory = remembered(
      JSON.parse(JSON.stringify(snapshotOf(model.session))) as ReturnType<typeof snapshotOf>,
    )
    const session = new Session(memory.jid, 1, undefined, model.host, memory.since, memory.mechanism)
    memory.fill(session, model.options)
    memory.connect(() => undefined)
    session.resumable = { ...model.session.resumable!, ms: memory.ms }
    assert.equal(session.acks!.handled, model.session.acks!.handled)
    model.session = session
  },
}

const walk = fc.array(
  fc.record({
    step: fc.oneof(
      { weight: 8, arbitrary: fc.constant<Step>('send') },
      { weight: 4, arbitrary: fc.constant<Step>('read') },
      { weight: 3, arbitrary: fc.constant<Step>('past hold') },
      fc.constantFrom<Step>(
        'answer',
        'answer',
        'cut',
        'resume',
        'resume',
        'restart',
        'slow',
        'fast',
        'hold',
        'past hold',
      ),
    ),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  { maxLength: 150 },
)

test('through cuts, resumptions and restarts a client gets everything, once and in order, also where the count begins anew', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60 }), fc.constantFrom(5, 1000), walk, (before, count, path) => {
      const model = opened(before, count)
      for (const { step, part } of path) {
        steps[step](model, part)
        if (model.over) return // More waits than may, and the session is over: told below.
      }
      // At last the client comes back if it must, and reads and answers until nothing is left.
      if (!model.wire) steps.resume(model, 0)
      for (let round = 0; round <= model.sent && model.session.waiting.length > 0; round++) {
        steps.fast(model, 0)
        steps.read(model, 1)
        steps.answer(model, 0)
      }
      const expected = Array.from({ length: model.sent }, (_, number) => `m${number}`)
      assert.deepEqual(model.client.got, expected)
      assert.deepEqual(model.session.waiting, [])
      const counted = (model.sent - before + modulus) % modulus
      assert.equal(model.session.acks!.acknowledgedCount, counted)
    }),
    { numRuns: 1000 },
  )
})

test('a session that ends leaves what its client did not acknowledge, in order, whatever happened before', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60 }), fc.constantFrom(5, 1000), walk, (before, count, path) => {
      const model = opened(before, count)
      for (const { step, part } of path) {
        steps[step](model, part)
        if (model.over) break
      }
      const acknowledged = (model.session.acks!.acknowledgedCount + before) % modulus
      model.session.live = false
      const left = model.session.takeHeld().map(({ id }) => id)
      const expected = Array.from({ length: model.sent - acknowledged }, (_, i) => `m${acknowledged + i}`)
      assert.deepEqual(left, expected)
      // What was not acknowledged may have arrived; what was acknowledged did.
      assert.ok(model.client.got.length >= acknowledged)
    }),
    { numRuns: 300 },
  )
})

test('nothing more is taken by a session that waits with all that it may hold', () => {
  const model = opened(0, 5)
  steps.cut(model, 0)
  for (let i = 0; i < 6; i++) steps.send(model, 0)
  assert.deepEqual([model.sent, model.over], [5, true])
})

test('what must go at once waits behind what is sent again to a client that does not read', () => {
  const model = opened(0, 1000)
  for (let i = 0; i < 3; i++) steps.send(model, 0)
  steps.resume(model, 1)
  steps['past hold'](model, 0)
  assert.deepEqual(model.wire!.written, [])
  steps.fast(model, 0)
  steps.read(model, 1)
  assert.deepEqual(model.client.got, ['m0', 'm1', 'm2', 'm3'])
})
