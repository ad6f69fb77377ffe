/** A hundred times more than a client may: the named error for what is over, and no memory for it. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { memoryInUse } from '../support/memory.js'
import { scene, type Stage } from '../support/stage.js'

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const MB = 1_000_000
const hits = (stage: Stage, limit: string) => stage.metrics.valueOf('limit_hits_total', limit)
const turn = () => new Promise((resolve) => setImmediate(resolve))
const ping = (to: string, i: number) =>
  `<iq type='get' id='p${i}' to='${to}'><ping xmlns='urn:xmpp:ping'/></iq>`

/** Runs `flood` and answers how many bytes more are in use after it. */
async function cost(flood: () => void | Promise<void>): Promise<number> {
  const before = await memoryInUse()
  await flood()
  return (await memoryInUse()) - before
}

/** Answers to pings, whatever else came. */
const answered = ({ heard }: Actor) => heard.split(`type='result'`).length - 1

scene(
  'limits.preauth_size, limits.preauth_elements: a hundred strangers who say a hundred times too much',
  async ({ romeo, stage }) => {
    const huge = Buffer.from(`<auth xmlns='${SASL}' mechanism='X'>${'A'.repeat(MB)}</auth>`)
    const many = Buffer.from(`<auth xmlns='${SASL}' mechanism='X'/>`.repeat(6_400))
    for (const [piece, hit] of [
      [huge, 'preauth_size'],
      [many, 'preauth_elements'],
    ] as const) {
      const strangers = Array.from({ length: 100 }, () => stage.twin(romeo))
      for (const stranger of strangers) await stranger.opens()
      const used = await cost(async () => {
        for (const stranger of strangers) {
          stranger.floods().write(piece)
          await stranger.isGone()
          assert.ok(stranger.heard.split('<failure ').length <= 65, 'no more is looked at')
        }
      })
      assert.equal(hits(stage, hit), 100)
      assert.ok(used < 20 * MB, `${hit}: ${used} bytes`)
    }
  },
  { wire: 'tcp' },
)

scene(
  'limits.login_timeout: two thousand who never log in cost little, and nothing afterwards',
  async ({ romeo, stage }) => {
    const greeting = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${stage.domain}' version='1.0'>`
    const used = await cost(async () => {
      for (let i = 0; i < 2_000; i++) stage.connect(romeo).write(greeting)
      await turn()
      assert.equal(stage.streams, 2_000)
      stage.clock.advance(30_000)
      await turn()
      assert.equal(stage.streams, 0)
    })
    assert.equal(hits(stage, 'login_timeout'), 2_000)
    assert.ok(used < 5 * MB, `${used} bytes`)
  },
  { wire: 'pipe' },
)

scene(
  'limits.c2s_rate, limits.c2s_burst: the burst is taken at once, the rest as fast as it may',
  async ({ romeo, stage }) => {
    await romeo.connects()
    stage.clock.advance(60_000)
    const one = ping(stage.domain, 1000)
    const burst = Math.floor(20_000 / one.length)
    for (let i = 0; i < burst; i++) romeo.raw(ping(stage.domain, 1000 + i))
    for (let i = 0; i < burst; i++) await romeo.receives(`<iq type='result' id='p${1000 + i}'/>`)
    assert.equal(hits(stage, 'c2s_rate'), 0)
    romeo.raw(ping(stage.domain, 8000).padEnd(20_000, ' '))
    romeo.raw(ping(stage.domain, 8001))
    await turn()
    assert.equal(romeo.waiting, 0)
    assert.equal(hits(stage, 'c2s_rate'), 1)
    stage.clock.advance(1_900)
    await turn()
    assert.equal(romeo.waiting, 0, '10,000 bytes a second, and the debt is more than 19,000')
    stage.clock.advance(100)
    await romeo.receives(`<iq type='result' id='p8000'/>`)
  },
  { wire: 'pipe', set: ['limits.c2s_rate=10KB/s', 'limits.c2s_burst=20000B'] },
)

for (const [limit, set] of [
  ['c2s_rate', ['limits.c2s_burst=128KB', 'limits.c2s_stanza_rate=off']],
  ['c2s_stanza_rate', ['limits.c2s_stanza_burst=500', 'limits.c2s_rate=off']],
] as const)
  scene(
    `limits.${limit}: what comes a hundred times too fast is not read`,
    async ({ romeo, stage }) => {
      await romeo.connects()
      const piece = Buffer.from(ping(stage.domain, 1).repeat(1_000))
      const used = await cost(async () => {
        for (let i = 0; i < 200; i++) romeo.floods().write(piece)
        for (let i = 0; i < 2_000 && hits(stage, limit) === 0; i++) await turn()
        for (let i = 0; i < 50; i++) await turn()
      })
      assert.ok(answered(romeo) < 2_000, `${answered(romeo)} of 200,000 were served`)
      assert.equal(hits(stage, limit), 1)
      assert.ok(used < 5 * MB, `${used} bytes`)
    },
    { wire: 'tcp', set },
  )

scene(
  'limits.login_failures: four may be followed by a success, the fifth ends the stream, the rest is not read',
  async ({ romeo, juliet, stage }) => {
    const auth = (actor: Actor, password?: string) =>
      `<auth xmlns='${SASL}' mechanism='PLAIN'>${actor.plain(password)}</auth>`
    await stage.account('romeo', stage.domain, 'wherefore')
    await romeo.opens()
    for (let i = 0; i < 4; i++) {
      romeo.raw(auth(romeo, 'swordfish'))
      await romeo.next('failure')
    }
    romeo.raw(auth(romeo))
    await romeo.next('success')

    await juliet.opens()
    juliet.raw(auth(juliet, 'swordfish').repeat(500))
    for (let i = 0; i < 5; i++) await juliet.next('failure')
    await juliet.isDisconnected('policy-violation')
    assert.equal(hits(stage, 'login_failures'), 1)
  },
  { set: ['limits.preauth_elements=off', 'limits.preauth_size=100KB'] },
)

scene(
  'limits.lockout_failures, limits.lockout_time: four hundred guesses are four',
  async ({ romeo, stage }) => {
    await stage.account('romeo', stage.domain, 'wherefore')
    stage.pipe = { remote: '192.0.2.66' }
    await romeo.opens()
    const guess = (password?: string) => {
      romeo.raw(`<auth xmlns='${SASL}' mechanism='PLAIN'>${romeo.plain(password)}</auth>`)
      return romeo.next()
    }
    for (let i = 0; i < 400; i++) {
      const [condition] = (await guess(`guess ${i}`)).childrenOf()
      assert.equal(condition?.local, i < 4 ? 'not-authorized' : 'temporary-auth-failure')
    }
    assert.equal(hits(stage, 'lockout_failures'), 396)
    stage.clock.advance(59_999)
    assert.equal((await guess()).local, 'failure')
    stage.clock.advance(1)
    assert.equal((await guess()).local, 'success')
  },
  {
    set: ['limits.lockout_failures=4', 'limits.lockout_time=1min', 'limits.login_failures=off',
      'limits.login_timeout=off', 'limits.preauth_elements=off'],
  },
) // prettier-ignore

scene(
  'limits.sessions_per_account: two hundred more are refused, and none of them stays',
  async ({ juliet, juliet$phone, stage }) => {
    await juliet.connects()
    await juliet$phone.connects()
    for (let i = 0; i < 20; i++) {
      const more = stage.twin(juliet)
      await more.opens()
      more.raw(`<auth xmlns='${SASL}' mechanism='PLAIN'>${more.plain()}</auth>`)
      await more.next('success')
      more.startsStream()
      await more.next('features')
      for (let j = 0; j < 10; j++) {
        const bind = `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r${i}-${j}</resource></bind>`
        const refused = await more.asks(`<iq type='set' id='b${j}'>${bind}</iq>`)
        assert.ok(refused.child('error', 'jabber:client')?.child('resource-constraint'))
      }
      await more.vanishes()
    }
    assert.equal(hits(stage, 'sessions_per_account'), 200)
    assert.equal(stage.server.sessionCount, 2)
    await juliet.settled()
  },
  { set: ['limits.sessions_per_account=2'] },
)

scene(
  'limits.offline_size: up to it messages are kept; what is over comes back and takes no place',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    const send = (id: number) =>
      romeo.sends(
        `<message to='${juliet.bare}' type='chat' id='m${id}'><body>${'x'.repeat(9_500)}</body></message>`,
      )
    for (let id = 0; id < 2; id++) send(id)
    await romeo.hearsNothingMore()
    for (let id = 2; id < 200; id++) send(id)
    for (let id = 2; id < 200; id++)
      await romeo.receives(
        `<message type='error' id='m${id}'><error><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`,
      )
    assert.equal(hits(stage, 'offline_messages'), 198)
    const account = await stage.stores.accounts.get(juliet.domain, 'juliet')
    assert.equal(await stage.stores.offline.count(account!.id), 2)
  },
  { set: ['limits.offline_size=20000B', 'limits.c2s_stanza_rate=off', 'limits.c2s_rate=off'] },
)

scene(
  'limits.write_pause: who reads no answers is not asked for more questions',
  async ({ romeo, stage }) => {
    await romeo.connects()
    romeo.stopsReading()
    // Answers of 100 bytes and more: 10 MB of them, where 64 KiB may wait.
    const piece = Buffer.from(ping(stage.domain, 1).repeat(1_000))
    const used = await cost(async () => {
      for (let i = 0; i < 100; i++) romeo.floods().write(piece)
      for (let i = 0; i < 2_000 && hits(stage, 'write_pause') === 0; i++) await turn()
      for (let i = 0; i < 50; i++) await turn()
    })
    assert.ok((hits(stage, 'write_pause') ?? 0) >= 1)
    assert.equal(hits(stage, 'write_queue'), 0)
    assert.ok(used < 10 * MB, `${used} bytes`)
  },
  { wire: 'tcp', set: ['limits.write_pause=64KiB', 'limits.c2s_rate=off', 'limits.c2s_stanza_rate=off'] },
)

scene(
  'limits.write_queue: of a hundred times as much nothing stays',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    juliet.stopsReading()
    const piece = Buffer.from(
      `<message to='${juliet.full}' type='headline'><body>${'x'.repeat(20_000)}</body></message>`,
    )
    const used = await cost(async () => {
      for (let i = 0; i < 1_400; i++) romeo.floods().write(piece)
      await romeo.settled()
    })
    assert.equal(hits(stage, 'write_queue'), 1)
    assert.equal(stage.server.sessionCount, 1)
    assert.ok(used < 5 * MB, `${used} bytes`)
  },
  {
    wire: 'pipe',
    set: ['limits.write_queue=256KiB', 'limits.write_pause=256KiB', 'limits.c2s_rate=off',
      'limits.c2s_stanza_rate=off'],
  },
) // prettier-ignore

scene(
  'limits.sm_queue, limits.sm_queue_size: what is unacknowledged has a bound, and a hundred times as much is not kept',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    juliet.raw(`<enable xmlns='urn:xmpp:sm:3'/>`)
    await juliet.receives(`<enabled xmlns='urn:xmpp:sm:3'/>`)
    const one = `<message to='${juliet.full}' type='headline'><body>${'x'.repeat(20_000)}</body></message>`
    const fits = Math.floor((256 * 1024) / Buffer.byteLength(one))
    const piece = Buffer.from(one)
    const used = await cost(async () => {
      for (let i = 0; i < 20; i++) romeo.floods().write(piece)
      await romeo.settled()
      const got = juliet.waiting
      assert.ok(got >= fits - 1 && got <= fits + 2, `${got} of 20 came, with a request`)
      assert.equal(hits(stage, 'sm_queue'), 0)
      for (let i = 20; i < 1_400; i++) romeo.floods().write(piece)
      await romeo.settled()
      await juliet.isGone()
    })
    assert.equal(hits(stage, 'sm_queue'), 1)
    assert.equal(stage.server.sessionCount, 1)
    assert.ok(used < 5 * MB, `${used} bytes`)
  },
  {
    wire: 'pipe',
    set: ['limits.sm_queue_size=256KiB', 'limits.write_queue=512KiB', 'limits.c2s_rate=off',
      'limits.c2s_stanza_rate=off'],
  },
) // prettier-ignore

scene(
  'limits.write_timeout: a hundred who do not read at all are gone with what waited for them',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    const idlers = Array.from({ length: 100 }, () => stage.twin(juliet))
    for (const [i, idler] of idlers.entries()) {
      Object.assign(idler, { resource: `r${i}` })
      await idler.online()
    }
    for (const idler of idlers) await idler.ignoresSoFar()
    for (const idler of idlers) idler.stopsReading()
    const used = await cost(async () => {
      for (const idler of idlers) {
        const one = `<message to='${idler.full}' type='headline'><body>${'x'.repeat(100_000)}</body></message>`
        romeo.floods().write(Buffer.from(one))
      }
      await romeo.settled()
      assert.equal(stage.server.sessionCount, 101)
      stage.clock.advance(60_000)
      assert.equal(stage.server.sessionCount, 1)
      await romeo.ignoresSoFar()
    })
    assert.equal(hits(stage, 'write_timeout'), 100)
    assert.ok(used < 5 * MB, `${used} bytes`)
  },
  {
    wire: 'pipe',
    set: ['limits.write_pause=64KiB', 'limits.sessions_per_account=off', 'limits.idle_ping=off',
      'limits.c2s_rate=off'],
  },
) // prettier-ignore

scene(
  'limits.idle_ping: who falls silent is asked once; who answers stays, who does not is gone',
  async ({ romeo, juliet, stage }) => {
    await romeo.connects()
    await juliet.connects()
    stage.clock.advance(285_000)
    await turn()
    assert.equal(romeo.waiting, 0)
    stage.clock.advance(15_000)
    const asked = await romeo.receives(`<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>`)
    romeo.sends(`<iq type='result' id='${String(asked.attrs['id'])}' to='${stage.domain}'/>`)
    await juliet.next('a ping')
    await turn()
    stage.clock.advance(59_999)
    await turn()
    assert.equal(juliet.closed, false)
    stage.clock.advance(1)
    await juliet.isDisconnected('connection-timeout')
    assert.equal(romeo.closed, false)
    assert.equal(hits(stage, 'idle_ping'), 1)
    await romeo.settled()
  },
  { wire: 'pipe' },
)

scene('limits.idle_ping: a hundred who are gone without a word are forgotten', async ({ romeo, stage }) => {
  const silent = Array.from({ length: 100 }, () => stage.twin(romeo))
  const used = await cost(async () => {
    for (const [i, one] of silent.entries()) {
      Object.assign(one, { resource: `r${i}` })
      await one.connects()
    }
    stage.clock.advance(400_000)
    for (const one of silent) await one.isGone()
  })
  assert.equal(hits(stage, 'idle_ping'), 100)
  assert.equal(stage.server.sessionCount, 0)
  assert.equal(stage.streams, 0)
  assert.ok(used < 10 * MB, `${used} bytes`)
}, { wire: 'pipe', set: ['limits.sessions_per_account=off'] }) // prettier-ignore

let memory = 0

scene(
  'limits.memory_guard: of a hundred who come past it nobody comes in',
  async ({ romeo, juliet, stage }) => {
    memory = 0.8
    await romeo.online()
    memory = 0.9
    for (let i = 0; i < 100; i++) {
      const stranger = stage.twin(juliet)
      await stranger.opens()
      stranger.raw(`<auth xmlns='${SASL}' mechanism='PLAIN'>AA==</auth>`)
      await stranger.isDisconnected('resource-constraint')
    }
    assert.equal(hits(stage, 'memory_guard'), 100)
    assert.equal(stage.server.sessionCount, 1)
    await romeo.settled()
  },
  { memoryUse: () => memory },
)
