import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LinkFacts, ProbeStep } from '../../../src/s2s/facts.js'
import { StanzaError } from '../../../src/stanza/errors.js'
import { serving } from './line.js'

const link = (change: Partial<LinkFacts>): LinkFacts => ({
  local: 'example.org',
  remote: 'far.example',
  dir: 'out',
  state: 'open',
  auth: 'external',
  tls: 'TLSv1.3',
  ip: '192.0.2.7',
  since: Date.UTC(2029, 11, 31, 23, 0, 0),
  queue: { stanzas: 0, bytes: 0, oldest: undefined },
  failure: undefined,
  ...change,
})

test('block add: holds at once, ends the links there are, and is listed', async () => {
  const { parley, services, federation, clock, close } = await serving()
  federation.all.push(link({ remote: 'spam.example' }), link({ remote: 'a.bots.example' }), link({}))
  assert.equal(
    (await parley('block add Spam.Example --reason advertising --expires 30d')).out,
    'spam.example is blocked until 2030-01-31T00:00:00Z. Links ended: 1.',
  )
  assert.equal((await parley('block add *.bots.example')).out, '*.bots.example is blocked. Links ended: 1.')
  assert.deepEqual(federation.done, [
    'drop spam.example: spam.example is blocked by this server: advertising',
    'drop a.bots.example: a.bots.example is blocked by this server',
  ])
  assert.equal(
    (await parley('block list')).out,
    `DOMAIN          SINCE                 EXPIRES               REASON
*.bots.example  2030-01-01T00:00:00Z  never
spam.example    2030-01-01T00:00:00Z  2030-01-31T00:00:00Z  advertising
2 blocks`,
  )
  assert.deepEqual(JSON.parse((await parley('block list --json')).out), [
    { domain: '*.bots.example', reason: '', since: '2030-01-01T00:00:00Z', expires: null },
    {
      domain: 'spam.example',
      reason: 'advertising',
      since: '2030-01-01T00:00:00Z',
      expires: '2030-01-31T00:00:00Z',
    },
  ])
  clock.advance(30 * 86_400_000)
  assert.equal(services.blocks.of('spam.example'), undefined)
  assert.match((await parley('block list')).out, /\n1 block$/)
  await close()
})

test('block remove: what it was, or where it stands', async () => {
  const { parley, close } = await serving()
  await parley('block add spam.example')
  assert.equal((await parley('block remove SPAM.example')).out, 'spam.example is no longer blocked.')
  await parley('block add spam.example')
  await parley('block add *.example')
  assert.equal(
    (await parley('block remove spam.example')).out,
    'spam.example is no longer blocked, but it falls under *.example still.',
  )
  for (const [line, complaint] of [
    ['block remove spam.example', /there is no block of spam\.example\n {3}it falls under \*\.example$/],
    ['block remove spam.test', /there is no block of spam\.test\n {3}parley block list/],
    ['block add spam@example.org', /"spam@example\.org" is not a domain/],
    ['block add *', /"\*" is not a domain/],
    ['block add example.org', /example\.org is served here/],
  ] as const) {
    const { code, error } = await parley(line)
    assert.match(error, complaint)
    assert.equal(code, 1)
  }
  assert.equal((await parley('block add a.example --expires never')).code, 2)
  await close()
})

test('s2s list: all links in order, or those that fail and why', async () => {
  const { parley, federation, clock, close } = await serving()
  assert.deepEqual((await parley('s2s list')).out, '0 links')
  assert.deepEqual(await parley('s2s list --failing'), {
    code: 0,
    out: 'nothing fails',
    error: '',
    questions: [],
  })
  const failure = {
    stage: 'tcp',
    side: 'theirs',
    reason: '192.0.2.9:5269 refused',
    at: clock.now() - 10_000,
    nextTry: clock.now() + 25_000,
  } as const
  federation.all.push(
    link({
      remote: 'gone.example',
      state: 'waiting',
      auth: undefined,
      tls: undefined,
      ip: undefined,
      queue: { stanzas: 3, bytes: 900, oldest: clock.now() - 60_000 },
      failure,
    }),
    link({ dir: 'in', auth: 'dialback' }),
    link({ dir: 'in', remote: '', state: 'unproven', auth: undefined, since: clock.now() }),
    link({}),
  )
  assert.equal(
    (await parley('s2s list')).out,
    `DOMAIN        DIR   OURS         STATE     PROOF     TLS      ADDRESS    WAITING  SINCE
?             from  example.org  unproven            TLSv1.3  192.0.2.7           0 s
far.example   from  example.org  open      dialback  TLSv1.3  192.0.2.7           1 h 0 min
far.example   to    example.org  open      external  TLSv1.3  192.0.2.7           1 h 0 min
gone.example  to    example.org  waiting                                 3        1 h 0 min
4 links`,
  )
  const failing = await parley('s2s list --failing')
  assert.deepEqual(
    [failing.code, failing.out],
    [
      1,
      `DOMAIN        OURS         WAITING  NEXT TRY  FAILED AT
gone.example  example.org  3        in 25 s   tcp, their side: 192.0.2.9:5269 refused
parley s2s test DOMAIN says what to do`,
    ],
  )
  const [shown] = JSON.parse((await parley('s2s list --failing --json')).out) as Record<string, unknown>[]
  assert.deepEqual(
    [shown?.['remote'], shown?.['queue'], shown?.['failure']],
    [
      'gone.example',
      { stanzas: 3, bytes: 900, oldest: '2029-12-31T23:59:00Z' },
      { ...failure, at: '2029-12-31T23:59:50Z', nextTry: '2030-01-01T00:00:25Z' },
    ],
  )
  await close()
})

test('s2s retry: one domain or all', async () => {
  const { parley, federation, close } = await serving()
  federation.all.push(
    link({ remote: 'a.example', state: 'waiting' }),
    link({ remote: 'a.example', local: 'chat.example', state: 'waiting' }),
    link({ remote: 'b.example', state: 'waiting' }),
    link({}),
  )
  assert.equal((await parley('s2s retry A.example')).out, 'Trying again: 2 links.')
  assert.equal((await parley('s2s retry --all')).out, 'Trying again: 3 links.')
  assert.deepEqual(federation.done, ['retry a.example', 'retry a.example', 'retry b.example'])
  for (const [line, complaint] of [
    ['s2s retry', /name one domain, or --all/],
    ['s2s retry a.example --all', /name one domain, or --all/],
    ['s2s retry far.example', /nothing waits for far\.example\n {3}parley s2s test far\.example/],
  ] as const)
    assert.match((await parley(line)).error, complaint)
  assert.match((await parley('help s2s retry')).out, /^parley s2s retry \[DOMAIN\] \[--all\]\n/)
  await close()
})

const way: ProbeStep[] = [
  { stage: 'dns', ok: true, text: 'xmpp.far.example:5269 (starttls, srv)', ms: 12 },
  { stage: 'tcp', ok: true, text: '192.0.2.7:5269', ms: 53 },
  { stage: 'tls', ok: true, text: 'TLSv1.3 TLS_AES_256_GCM_SHA384', ms: 90 },
  { stage: 'certificate', ok: true, text: 'verified', ms: 90 },
  { stage: 'auth', ok: true, text: 'by certificate (SASL EXTERNAL)', ms: 130 },
  { stage: 'stream', ok: true, text: 'stanzas can flow', ms: 130 },
]

test('s2s test: each step with its time, then the answer to a ping', async () => {
  const pings: string[] = []
  const { parley, federation, clock, close } = await serving({
    async ping(local, remote) {
      pings.push(`${local} ${remote}`)
      clock.advance(88)
      return 'service-unavailable'
    },
  })
  federation.steps = way
  federation.all.push(link({ dir: 'in', local: 'chat.example' }))
  assert.deepEqual(await parley('s2s test Far.example --from chat.example'), {
    code: 0,
    out: ` 1 dns   ok  12 ms  xmpp.far.example:5269 (starttls, srv)
 2 tcp   ok  41 ms  192.0.2.7:5269
 3 tls   ok  37 ms  TLSv1.3 TLS_AES_256_GCM_SHA384
 4 cert  ok  0 ms   verified
 5 auth  ok  40 ms  by certificate (SASL EXTERNAL)
 6 ping  ok  88 ms  answered (service-unavailable)
 result  both directions work`,
    error: '',
    questions: [],
  })
  assert.deepEqual(
    [federation.done, pings],
    [['probe chat.example far.example', 'retry far.example'], ['chat.example far.example']],
  )
  await close()
})

test('s2s test: an answer on our own stream does not show that they can reach us, a call back does', async () => {
  const { parley, federation } = await serving()
  federation.steps = way
  const answer = async () =>
    / 6 ping +ok +\d+ ms +(.*)$/m.exec((await parley('s2s test far.example')).out)?.[1]
  federation.all.push(link({}))
  assert.equal(await answer(), 'answered, on the stream that we opened: none of theirs was seen yet')
  federation.all.push(link({ auth: 'dialback' }))
  assert.equal(await answer(), 'answered')
})

test('s2s test: where the way ends, whose business that is, and one fix', async () => {
  const { parley, federation, close } = await serving()
  federation.steps = [
    ...way.slice(0, 1),
    { stage: 'tcp', ok: false, text: '192.0.2.7:5269 refused', side: 'theirs', trouble: 'refused', ms: 20 },
  ]
  const { code, out } = await parley('s2s test far.example')
  assert.deepEqual(
    [code, out],
    [
      1,
      ` 1 dns  ok    12 ms  xmpp.far.example:5269 (starttls, srv)
 2 tcp  FAIL  8 ms   192.0.2.7:5269 refused
 result  THEIR SIDE: 192.0.2.7:5269 refused
 fix     tell the admin of far.example: nothing listens there, so its SRV record names a wrong port or its server is down`,
    ],
  )
  const json = await parley('s2s test far.example --json')
  assert.equal(json.code, 1)
  const data = JSON.parse(json.out) as Record<string, unknown>
  assert.deepEqual(
    [data['ok'], data['side'], data['domain'], data['from'], (data['steps'] as unknown[]).length],
    [false, 'theirs', 'far.example', 'example.org', 2],
  )
  await close()
})

test('s2s test: no answer to the ping, and what that says of the way back', async () => {
  const { parley, federation, close } = await serving({
    ping: () => Promise.reject(new StanzaError('remote-server-timeout')),
  })
  federation.steps = way
  const back = async () => (await parley('s2s test far.example')).out
  assert.match(
    await back(),
    / 6 ping +FAIL .*no stream of theirs reaches us\n result +OUR SIDE: .*\n fix +.*parley dns check/,
  )
  federation.all.push(link({ dir: 'in', state: 'unproven', auth: undefined }))
  assert.match(await back(), /their stream to us is open and proves nothing\n result +THEIR SIDE/)
  federation.all.push(link({ dir: 'in' }))
  assert.match(await back(), /though a stream of theirs is open\n result +THEIR SIDE/)
  await close()
})

test('s2s test: a ping that comes back was never answered by them', async () => {
  const { parley, federation } = await serving({ ping: () => Promise.resolve('remote-server-timeout') })
  federation.steps = way
  const { code, out } = await parley('s2s test far.example')
  assert.equal(code, 1)
  assert.match(out, / 6 ping +FAIL .*the ping came back: remote-server-timeout\n result +THE WAY BETWEEN/)
})

test('s2s test: not of ourselves, and not from elsewhere', async () => {
  const { parley, close } = await serving()
  for (const [line, complaint] of [
    ['s2s test example.org', /example\.org is served here/],
    ['s2s test far.example --from other.example', /other\.example is not served here/],
    ['s2s test ana@far.example', /"ana@far\.example" is not a domain/],
  ] as const)
    assert.match((await parley(line)).error, complaint)
  await close()
})

test('component list: those that are connected and those that are away', async () => {
  const since = Date.UTC(2029, 11, 31, 22, 0, 0)
  const { parley } = await serving({
    components: () => [
      { domain: 'irc.example.org', connected: { ip: '127.0.0.1', since } },
      { domain: 'plays.example', connected: undefined },
    ],
  })
  assert.equal(
    (await parley('component list')).out,
    `COMPONENT        STATE      ADDRESS    SINCE
irc.example.org  connected  127.0.0.1  2 h 0 min
plays.example    away
2 components`,
  )
  assert.deepEqual(JSON.parse((await parley('component list --json')).out), [
    { domain: 'irc.example.org', connected: { ip: '127.0.0.1', since: '2029-12-31T22:00:00Z' } },
    { domain: 'plays.example', connected: null },
  ])
})

test('s2s flush: what waits for one domain or for all is given up, once that is confirmed', async () => {
  const { parley, federation, close } = await serving()
  const queue = (stanzas: number) => ({ queue: { stanzas, bytes: 100, oldest: 0 } })
  federation.all.push(
    link({ remote: 'away.example', ...queue(3) }),
    link({ remote: 'far.example', ...queue(1) }),
    link({}),
  )
  assert.equal((await parley('s2s flush away.example')).code, 2)
  assert.deepEqual(federation.done, [])
  assert.equal((await parley('s2s flush Away.Example --yes')).out, 'Given up: 3 stanzas.')
  assert.equal((await parley('s2s flush --all --yes')).out, 'Given up: 4 stanzas.')
  assert.deepEqual(federation.done, ['flush away.example', 'flush away.example', 'flush far.example'])
  assert.match((await parley('s2s flush nobody.example --yes')).error, /nothing waits for nobody\.example/)
  assert.match((await parley('s2s flush --yes')).error, /name one domain, or --all/)
  await close()
})
