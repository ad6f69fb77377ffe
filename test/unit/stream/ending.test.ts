/** How a stream ends: what has arrived by then is handled first. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { LimitHits } from '../../../src/base/limit-hits.js'
import { silentLog } from '../../../src/base/log.js'
import { Metrics } from '../../../src/base/metrics.js'
import { systemRandom } from '../../../src/base/random.js'
import { TokenBucket } from '../../../src/base/rate.js'
import type { Client } from '../../../src/c2s/client.js'
import { starttls } from '../../../src/c2s/starttls.js'
import { Stream } from '../../../src/stream/stream.js'
import type { Transport } from '../../../src/stream/transport.js'
import { el } from '../../../src/xml/element.js'
import { defaultLimits } from '../../../src/xml/limits.js'

const header = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a.example' version='1.0'>`

/** A stream whose owner notes the elements, and waits for `gate` at each when there is one. */
function opened({ gate, perSecond }: { gate?: () => Promise<void>; perSecond?: number } = {}) {
  const clock = new HandClock()
  const handled: string[] = []
  const logged: string[] = []
  let written = ''
  const transport: Transport = {
    tls: undefined,
    trusted: true,
    remote: '192.0.2.1',
    buffered: 0,
    onData: () => {},
    onEnd: () => {},
    onClose: () => {},
    onDrain: () => {},
    write: (text) => ((written += text), true),
    pause: () => {},
    resume: () => {},
    end: () => void handled.push('end'),
    destroy: () => {},
    authenticated: () => {},
  }
  const limits = {
    before: defaultLimits,
    after: defaultLimits,
    elementsBefore: Infinity,
    loginTimeout: Infinity,
    writeMax: Infinity,
    writeStall: 60_000,
  }
  const log = { ...silentLog, error: (event: string) => void logged.push(event) }
  const stream: Stream = new Stream(
    transport,
    {
      header: () => stream.answer('a.example'),
      async element({ name }) {
        await gate?.()
        handled.push(name)
      },
      oversize: () => {},
      drained: () => {},
      closed: () => void handled.push('closed'),
    },
    {
      limits,
      clock,
      random: systemRandom,
      log,
      hits: new LimitHits(new Metrics()),
      contentNs: 'jabber:client',
      domain: 'a.example',
      stanzaRate: perSecond === undefined ? undefined : new TokenBucket(perSecond, 1, clock),
    },
  )
  transport.onData(Buffer.from(header))
  return { stream, transport, clock, handled, logged, written: () => written }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('RFC 6120 §4.4: a peer that sends and hangs up is heard to its end, though each stanza takes its time', async () => {
  const waiting: (() => void)[] = []
  const { transport, handled, written } = opened({ gate: () => new Promise((go) => waiting.push(go)) })
  transport.onData(Buffer.from('<one/><two/><three/>'))
  transport.onEnd()
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(handled, ['one', 'two', 'three'].slice(0, i))
    waiting.shift()!()
    await turn()
  }
  assert.deepEqual(handled, ['one', 'two', 'three', 'end', 'closed'])
  assert.match(written(), /<\/stream:stream>$/)
})

test('RFC 6120 §4.4: a peer over its rate that hangs up is heard to its end, at its rate', async () => {
  const { transport, clock, handled } = opened({ perSecond: 1 })
  transport.onData(Buffer.from('<one/><two/><three/></stream:stream>'))
  transport.onEnd()
  await turn()
  assert.deepEqual(handled, ['one', 'two'])
  clock.advance(1_000)
  await turn()
  clock.advance(10_000)
  await turn()
  assert.deepEqual(handled, ['one', 'two', 'three', 'end', 'closed'])
})

test('a peer that hangs up in the middle of a stanza, or of nothing, ends the stream at once', () => {
  for (const rest of ['', '<one', '<one><two/>']) {
    const { transport, handled } = opened()
    transport.onData(Buffer.from(rest))
    transport.onEnd()
    assert.deepEqual(handled, ['end', 'closed'], rest)
  }
})

test('RFC 6120 §5.4.3.2: a TLS handshake that fails ends the stream and is no crash', async () => {
  const { stream, transport, handled, logged } = opened()
  transport.secure = () => Promise.reject(new Error('not TLS'))
  await starttls.receive!(el('starttls'), { stream } as Client)
  assert.deepEqual(handled, ['end', 'closed'])
  assert.deepEqual(logged, [])
})
