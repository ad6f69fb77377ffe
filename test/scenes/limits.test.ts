/** The limits of one client: just below passes, just above gets the named error, far above costs nothing. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { metricsIn } from '../metrics.js'
import { memoryInUse } from '../support/memory.js'
import { scene, type Stage } from '../support/stage.js'

const top = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const hits = (stage: Stage, limit: string) => stage.metrics.valueOf('limit_hits_total', limit)

/** A message of exactly so many bytes. */
function message(to: Actor, bytes: number): string {
  const empty = `<message to='${to.full}' type='chat' id='m'><body></body></message>`
  return empty.replace('</body>', `${'x'.repeat(bytes - empty.length)}</body>`)
}

scene(
  'limits.c2s_stanza_size: at the limit it passes, above comes a stanza error, far above the stream ends',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    romeo.sends(message(juliet, 20_000))
    await juliet.receives(`<message><body>{any}</body></message>`)
    romeo.sends(message(juliet, 20_001))
    await romeo.receives(
      `<message type='error' id='m'><error type='modify'><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text><stanza-too-big xmlns='urn:xmpp:errors'/></error></message>`,
    )
    assert.equal(hits(stage, 'c2s_stanza_size'), 1)
    romeo.sends(message(juliet, 40_001))
    await romeo.isDisconnected('policy-violation')
    assert.equal(hits(stage, 'c2s_stanza_size'), 2)
    await juliet.hearsNothingMore()
  },
  { set: ['limits.c2s_stanza_size=20000B', 'limits.c2s_rate=off'] },
)

scene(
  'limits.c2s_stanza_size, limits.c2s_rate: a hundred times too much is neither read nor kept',
  async ({ romeo, stage }) => {
    await romeo.online()
    const flood = romeo.floods()
    flood.write(`<message to='${romeo.full}'><body>`)
    const before = await memoryInUse()
    const piece = Buffer.alloc(64 * 1024, 'x')
    for (let sent = 0; sent < 26_214_400; sent += piece.length) flood.write(piece)
    await romeo.isDisconnected('policy-violation')
    assert.ok((await memoryInUse()) - before < 30_000_000, 'what the client itself holds, and no more')
    assert.equal(hits(stage, 'c2s_stanza_size'), 1)
  },
  { wire: 'tcp', set: ['limits.c2s_rate=off'] },
)

scene(
  'limits.preauth_size, limits.preauth_elements: strangers get less',
  async ({ romeo, juliet, stage }) => {
    await romeo.opens()
    romeo.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X'>${'A'.repeat(9_000)}</auth>`)
    await romeo.receives(`<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><invalid-mechanism/></failure>`)
    romeo.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X'>${'A'.repeat(10_000)}</auth>`)
    await romeo.isDisconnected('policy-violation')
    assert.equal(hits(stage, 'preauth_size'), 1)

    await juliet.opens()
    const auth = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X'/>`
    juliet.raw(auth.repeat(64))
    for (let i = 0; i < 64; i++) await juliet.next('failure')
    juliet.raw(auth)
    await juliet.isDisconnected('policy-violation')
    assert.equal(hits(stage, 'preauth_elements'), 1)
  },
)

scene(
  'limits.depth, limits.elements, limits.attributes, limits.namespaces: up to the limit and not beyond',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const to = `to='${juliet.full}' type='headline'`
    const many = (count: number, make: (i: number) => string) =>
      Array.from({ length: count }, (_, i) => make(i)).join('')
    const before = await memoryInUse()
    const shapes = {
      depth: (n: number) =>
        `<message ${to}>${'<a xmlns="x">'.repeat(n - 1)}${'</a>'.repeat(n - 1)}</message>`,
      elements: (n: number) => `<message ${to}>${'<a xmlns="x"/>'.repeat(n - 1)}</message>`,
      attributes: (n: number) => `<message ${to}><a xmlns='x' ${many(n - 1, (i) => ` a${i}=''`)}/></message>`,
      // Three hundred on each element, so that it is no matter of attributes.
      namespaces: (n: number) => {
        const elements = Math.ceil(n / 300)
        const declared = (at: number) =>
          many(Math.min(300, n - 1 - at * 300), (i) => ` xmlns:p${at}-${i}='p'`)
        return `<message ${to}>${many(elements, (at) => `<a xmlns='x'${declared(at)}>`)}${'</a>'.repeat(elements)}</message>`
      },
    }
    const limits = { depth: 20, elements: 200, attributes: 400, namespaces: 30 }
    for (const [name, limit] of Object.entries(limits)) {
      const shape = shapes[name as keyof typeof shapes]
      romeo.sends(shape(limit))
      await juliet.receives(shape(limit))
      romeo.sends(shape(limit + 1))
      const error = await romeo.next(`an error for ${name}`)
      assert.equal(error.child('error', 'jabber:client')?.child('text')?.text, `Over the limit of ${name}`)
      romeo.sends(shape(limit * 100))
      assert.equal((await romeo.next(`an error for ${name}`)).attrs['type'], 'error')
      assert.equal(hits(stage, name), 2)
    }
    assert.ok((await memoryInUse()) - before < 10_000_000, 'the transcript, and no more')
    await juliet.hearsNothingMore()
  },
  {
    set: [
      'limits.depth=20',
      'limits.elements=200',
      'limits.attributes=400',
      'limits.namespaces=30',
      'limits.c2s_stanza_size=1MiB',
      'limits.c2s_rate=off',
    ],
  },
)

scene('limits.login_timeout: in time or not at all', async ({ romeo, juliet, stage }) => {
  await romeo.opens()
  await juliet.connects()
  stage.clock.advance(29_999)
  assert.equal(romeo.closed, false)
  stage.clock.advance(1)
  await romeo.isDisconnected('connection-timeout')
  assert.equal(hits(stage, 'login_timeout'), 1)
  await juliet.settled()
})

scene('limits.c2s_stanza_rate: the burst is served at once, the rest as fast as it may', async (cast) => {
  const { romeo, stage } = cast
  await romeo.connects()
  stage.clock.advance(60_000)
  const ping = (i: number) =>
    `<iq type='get' id='p${i}' to='${stage.domain}'><ping xmlns='urn:xmpp:ping'/></iq>`
  romeo.raw(Array.from({ length: 560 }, (_, i) => ping(i)).join(''))
  for (let i = 0; i <= 500; i++) await romeo.receives(`<iq type='result' id='p${i}'/>`)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(romeo.waiting, 0)
  assert.equal(hits(stage, 'c2s_stanza_rate'), 1)
  for (let i = 501; i < 560; i++) {
    stage.clock.advance(20)
    await romeo.receives(`<iq type='result' id='p${i}'/>`)
  }
})

scene(
  'limits.sessions_per_account: RFC 6120 §7.6.2.1, the one too many is refused',
  async (cast) => {
    const { juliet, juliet$phone, juliet$tablet, stage } = cast
    await juliet.connects()
    await juliet$phone.connects()
    await juliet$tablet.opens()
    juliet$tablet.raw(
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${juliet$tablet.plain()}</auth>`,
    )
    await juliet$tablet.next('success')
    juliet$tablet.startsStream()
    await juliet$tablet.next('features')
    const bind = `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`
    const refused = await juliet$tablet.asks(`<iq type='set' id='b'>${bind}</iq>`)
    assert.ok(refused.child('error', 'jabber:client')?.child('resource-constraint'))
    assert.equal(hits(stage, 'sessions_per_account'), 1)
    await juliet$phone.leaves()
    assert.equal((await juliet$tablet.asks(`<iq type='set' id='c'>${bind}</iq>`)).attrs['type'], 'result')
    await juliet.settled()
  },
  { set: ['limits.sessions_per_account=2'] },
)

scene(
  'limits: off is off',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    romeo.sends(message(juliet, 1_000_000))
    await juliet.receives(`<message><body>{any}</body></message>`)
    for (let i = 0; i < 1000; i++) romeo.sends(message(juliet, 1000))
    for (let i = 0; i < 1000; i++) await juliet.next()
    stage.clock.advance(400 * 86_400_000)
    await romeo.settled()
    await juliet.settled()
  },
  {
    set: [
      'c2s_stanza_size', 'preauth_size', 'preauth_elements', 'elements', 'attributes', 'namespaces', 'login_timeout',
      'c2s_rate', 'c2s_stanza_rate', 'login_failures', 'lockout_failures', 'sessions_per_account',
      'offline_messages', 'offline_size', 'roster_size', 'write_pause', 'write_queue', 'write_timeout', 'idle_ping',
      'memory_guard',
    ].map((name) => `limits.${name}=off`),
  },
) // prettier-ignore

let memory = 0

scene(
  'limits.memory_guard: past it nobody new comes in, and the longest queues go',
  async ({ romeo, juliet, juliet$phone, stage }) => {
    memory = 0.79
    await romeo.online()
    await juliet.online()
    juliet.stopsReading()
    for (let i = 0; i < 30; i++) romeo.sends(message(juliet, 50_000))
    await romeo.settled()
    memory = 0.81
    await juliet$phone.opens()
    juliet$phone.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AA==</auth>`)
    await juliet$phone.isDisconnected('resource-constraint')
    stage.clock.advance(15_000)
    await juliet.isDisconnected()
    await romeo.settled()
    assert.equal(hits(stage, 'memory_guard'), 2)
  },
  { memoryUse: () => memory, set: ['limits.c2s_rate=off'], wire: 'pipe' },
)

scene('metrics: what there is has a name and a figure', async ({ romeo, juliet, stage }) => {
  await romeo.online()
  await juliet.connects()
  assert.equal(stage.metrics.valueOf('c2s_sessions', 'available'), 1)
  assert.equal(stage.metrics.valueOf('c2s_sessions', 'connected'), 1)
  const text = await stage.metrics.text()
  for (const name of [
    'auth_total',
    'auth_ratelimited_total',
    'stanzas_total',
    'stanza_dropped_total',
    'stanza_duration_seconds_count',
    'message_delivery_total',
    'offline_queued',
    'registrations_total',
    'cache_entries',
    'limit_hits_total',
    'c2s_streams',
  ])
    assert.match(text, new RegExp(`^parley_${name}[ {]`, 'm'))
  const listed = new Set(metricsIn(join(top, 'src')).map(({ name }) => `parley_${name}`))
  const unlisted = [...text.matchAll(/^# TYPE (\S+)/gm)].filter(([, name = '']) => !listed.has(name))
  assert.deepEqual(unlisted, [], 'config/metrics.md has them all')
  assert.doesNotMatch(text, /capulet|romeo|juliet/, 'no address is a label')
})

scene(
  'limits.offline_messages: what is over comes back, and takes no place',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    const send = (id: number) =>
      romeo.sends(`<message to='${juliet.bare}' type='chat' id='m${id}'><body>{any}</body></message>`)
    for (let id = 0; id < 3; id++) send(id)
    await romeo.hearsNothingMore()
    for (let id = 3; id < 300; id++) send(id)
    for (let id = 3; id < 300; id++)
      await romeo.receives(
        `<message type='error' id='m${id}'><error><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`,
      )
    assert.equal(hits(stage, 'offline_messages'), 297)
    const account = await stage.stores.accounts.get(juliet.domain, 'juliet')
    assert.equal(await stage.stores.offline.count(account!.id), 3)
  },
  { set: ['limits.offline_messages=3', 'limits.c2s_stanza_rate=off'] },
)

scene(
  'limits.roster_size, registration attempts: what is over is refused and counted',
  async ({ romeo, paris, stage }) => {
    await romeo.online()
    const item = (id: number) => `<query xmlns='jabber:iq:roster'><item jid='c${id}@x.example'/></query>`
    for (let id = 0; id < 5; id++) assert.equal((await romeo.sets(item(id))).attrs['type'], 'result')
    for (let id = 5; id < 505; id++) await romeo.isRefused('resource-constraint', 'set', item(id))
    assert.equal(hits(stage, 'roster_size'), 500)

    await paris.opens()
    const account = (id: number) =>
      `<iq type='set' id='r${id}'><query xmlns='jabber:iq:register'><username>p${id}</username><password>x</password></query></iq>`
    for (let id = 0; id < 3; id++) assert.equal((await paris.asks(account(id))).attrs['type'], 'result')
    for (let id = 3; id < 303; id++) {
      const reply = await paris.asks(account(id))
      assert.ok(reply.child('error', 'jabber:client')?.child('resource-constraint'))
    }
    assert.equal(hits(stage, 'registration'), 300)
  },
  {
    set: [
      'limits.roster_size=5',
      'limits.c2s_stanza_rate=off',
      'limits.preauth_elements=off',
      'modules.registration.enabled=true',
      'modules.registration.attempts=3/h',
    ],
  },
)
