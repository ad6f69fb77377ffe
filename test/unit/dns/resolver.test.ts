/** The resolver against a name server that misbehaves in every way; time is wound by hand. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { Metrics } from '../../../src/base/metrics.js'
import { systemRandom } from '../../../src/base/random.js'
import type { Address } from '../../../src/base/units.js'
import { DnsError, Resolver } from '../../../src/dns/resolver.js'
import type { ResolverOptions } from '../../../src/dns/resolver.js'
import { NameServer } from '../../support/name-server.js'
import type { Zone } from '../../support/name-server.js'

const timeout = 5000

async function staged(t: TestContext, zone: Zone, more: Partial<ResolverOptions> = {}) {
  const server = await NameServer.start(zone)
  const clock = new HandClock()
  const resolver = new Resolver({
    servers: () => [server.address],
    timeout: () => timeout,
    clock,
    random: systemRandom,
    hostsFile: '/nonexistent',
    ...more,
  })
  t.after(() => {
    resolver.close()
    return server.stop()
  })
  return { server, clock, resolver }
}

async function code(question: Promise<unknown>): Promise<string> {
  try {
    await question
  } catch (error) {
    assert.ok(error instanceof DnsError, String(error))
    return error.code
  }
  return 'found'
}

/** An address where nobody listens. */
async function nobody(): Promise<Address> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return { host: '127.0.0.1', port }
}

test('every type of record', async (t) => {
  const { resolver } = await staged(t, {
    'a.test': { A: ['192.0.2.1', '192.0.2.2'], AAAA: ['2001:db8::1'], CAA: ['128 issue ca.example'] },
    '_xmpp-server._tcp.a.test': { SRV: ['10 5 5269 XMPP.A.test', '20 0 5270 .'], ttl: 77 },
    '_5269._tcp.xmpp.a.test': { TLSA: ['3 1 1 00ff'] },
  })
  assert.deepEqual(await resolver.addresses('a.test'), {
    records: [
      { address: '2001:db8::1', family: 6 },
      { address: '192.0.2.1', family: 4 },
      { address: '192.0.2.2', family: 4 },
    ],
    ttl: 300,
    secure: false,
    canonical: 'a.test',
  })
  assert.deepEqual(await resolver.srv('_XMPP-server._tcp.A.test.'), {
    records: [
      { priority: 10, weight: 5, port: 5269, target: 'xmpp.a.test' },
      { priority: 20, weight: 0, port: 5270, target: '.' },
    ],
    ttl: 77,
    secure: false,
    canonical: '_xmpp-server._tcp.a.test',
  })
  const [tlsa] = (await resolver.tlsa('_5269._tcp.xmpp.a.test')).records
  assert.deepEqual(tlsa, { usage: 3, selector: 1, matching: 1, data: Buffer.of(0, 255) })
  assert.deepEqual((await resolver.caa('a.test')).records, [
    { critical: true, tag: 'issue', value: 'ca.example' },
  ])
})

test('an answer is remembered as long as its TTL says, between 5 seconds and a day', async (t) => {
  const { server, clock, resolver } = await staged(t, {
    'a.test': { SRV: ['1 1 1 b.test'], ttl: 60 },
    'short.test': { SRV: ['1 1 1 b.test'], ttl: 0 },
    'long.test': { SRV: ['1 1 1 b.test'], ttl: 0x7fffffff },
    'absurd.test': { SRV: ['1 1 1 b.test'], ttl: 0xffffffff },
  })
  for (const [name, seconds] of [
    ['a.test', 60],
    ['short.test', 5],
    ['long.test', 86_400],
    // RFC 2181 §8: the highest bit makes it zero.
    ['absurd.test', 5],
  ] as const) {
    assert.equal((await resolver.srv(name)).ttl, seconds, name)
    clock.advance(seconds * 1000 - 1000)
    assert.equal((await resolver.srv(name)).ttl, 1, name)
    assert.equal(server.count(name), 1, name)
    clock.advance(1000)
    await resolver.srv(name)
    assert.equal(server.count(name), 2, name)
  }
})

test('absence is remembered as the SOA record says, failure is not', async (t) => {
  const { server, clock, resolver } = await staged(t, {
    'broken.test': 'SERVFAIL',
    'closed.test': 'REFUSED',
    'empty.test': { A: ['192.0.2.1'] },
  })
  for (const [name, expected, remembered] of [
    ['missing.test', 'NXDOMAIN', true],
    ['empty.test', 'NODATA', true],
    ['broken.test', 'SERVFAIL', false],
    ['closed.test', 'REFUSED', false],
  ] as const) {
    assert.equal(await code(resolver.srv(name)), expected)
    clock.advance(59_000)
    assert.equal(await code(resolver.srv(name)), expected)
    assert.equal(server.count(name), remembered ? 1 : 2, name)
    clock.advance(1000)
    assert.equal(await code(resolver.srv(name)), expected)
    assert.equal(server.count(name), remembered ? 2 : 3, name)
  }
})

test('certainty and failure are told apart', async (t) => {
  const { resolver } = await staged(t, { 'broken.test': 'SERVFAIL' })
  await assert.rejects(resolver.srv('Missing.test'), {
    code: 'NXDOMAIN',
    asked: 'missing.test',
    type: 'SRV',
    temporary: false,
  })
  await assert.rejects(resolver.addresses('broken.test'), {
    code: 'SERVFAIL',
    asked: 'broken.test',
    type: 'A/AAAA',
    temporary: true,
    message: 'broken.test A/AAAA: the DNS server could not find out, or the signatures are wrong (SERVFAIL)',
  })
})

test('a reload forgets everything', async (t) => {
  const { server, resolver } = await staged(t, { 'a.test': { SRV: ['1 1 1 b.test'] } })
  await resolver.srv('a.test')
  resolver.clear()
  await resolver.srv('a.test')
  assert.equal(server.count('a.test'), 2)
})

test('equal questions at the same time are one', async (t) => {
  const { server, resolver } = await staged(t, { 'a.test': { SRV: ['1 1 1 b.test'], held: true } })
  const questions = [resolver.srv('a.test'), resolver.srv('A.test.'), resolver.srv('a.TEST')]
  await server.heard(1)
  server.release()
  for (const { records } of await Promise.all(questions)) assert.equal(records[0]?.target, 'b.test')
  assert.equal(server.asked.length, 1)
})

test('ids and source ports cannot be guessed (RFC 5452)', async (t) => {
  const { server, resolver } = await staged(t, {})
  await Promise.all(Array.from({ length: 64 }, (_, i) => code(resolver.srv(`n${i}.test`))))
  assert.equal(server.asked.length, 64)
  assert.ok(new Set(server.asked.map(({ id }) => id)).size > 60)
  assert.ok(new Set(server.asked.map(({ port }) => port)).size > 60)
})

test('what answers another question, has another id or comes from elsewhere is no answer', async (t) => {
  for (const lie of ['id', 'question', 'garbage', 'port'] as const) {
    const { server, resolver } = await staged(t, { 'a.test': { SRV: ['1 1 1 b.test'], lies: [lie] } })
    assert.equal(await code(resolver.srv('a.test')), 'found', lie)
    assert.deepEqual(
      server.asked.map(({ over }) => over),
      ['udp'],
    )
  }
})

test('many wrong answers are an attack: the question goes over TCP', async (t) => {
  const { server, resolver } = await staged(t, {
    'a.test': { SRV: ['1 1 1 b.test'], lies: Array.from({ length: 20 }, () => 'id' as const) },
  })
  assert.equal((await resolver.srv('a.test')).records[0]?.target, 'b.test')
  assert.deepEqual(
    server.asked.map(({ over }) => over),
    ['udp', 'tcp'],
  )
})

test('what is cut off over UDP is asked for again over TCP', async (t) => {
  const many = Array.from({ length: 90 }, (_, i) => `192.0.2.${i}`)
  const { server, resolver } = await staged(t, {
    'cut.test': { SRV: ['1 1 1 b.test'], truncated: true },
    'many.test': { A: many },
  })
  assert.equal((await resolver.srv('cut.test')).records.length, 1)
  assert.equal((await resolver.addresses('many.test')).records.length, 90)
  assert.deepEqual(
    server.asked.filter(({ type }) => type !== 'AAAA').map(({ name, over }) => `${name} ${over}`),
    ['cut.test udp', 'cut.test tcp', 'many.test udp', 'many.test tcp'],
  )
})

test('a server that does not know EDNS is asked without', async (t) => {
  const { server, resolver } = await staged(t, { 'a.test': { SRV: ['1 1 1 b.test'], old: true } })
  assert.equal((await resolver.srv('a.test')).records.length, 1)
  assert.equal(server.asked.length, 2)
})

test('servers are asked in turn, each with its part of the time', async (t) => {
  const { server: silent, clock } = await staged(t, { 'a.test': 'silent' })
  const second = await NameServer.start({ 'a.test': { SRV: ['1 1 1 b.test'] } })
  t.after(() => second.stop())
  const resolver = new Resolver({
    servers: () => [silent.address, second.address],
    timeout: () => timeout,
    clock,
    random: systemRandom,
  })
  const question = resolver.srv('a.test')
  await silent.heard(1)
  assert.equal(second.asked.length, 0)
  clock.advance(timeout / 4)
  assert.equal((await question).records.length, 1)
})

test('a late answer of an earlier server still counts', async (t) => {
  const { server: slow, clock } = await staged(t, { 'a.test': { SRV: ['1 1 1 b.test'], held: true } })
  const second = await NameServer.start({ 'a.test': 'silent' })
  t.after(() => second.stop())
  const resolver = new Resolver({
    servers: () => [slow.address, second.address],
    timeout: () => timeout,
    clock,
    random: systemRandom,
  })
  const question = resolver.srv('a.test')
  await slow.heard(1)
  clock.advance(timeout / 4)
  await second.heard(1)
  slow.release()
  assert.equal((await question).records.length, 1)
})

test('a lost question is asked again', async (t) => {
  const { server, clock, resolver } = await staged(t, { 'a.test': { SRV: ['1 1 1 b.test'], lost: 1 } })
  const question = resolver.srv('a.test')
  await server.heard(1)
  clock.advance(timeout / 2)
  assert.equal((await question).records.length, 1)
  assert.equal(server.asked.length, 2)
})

test('after one that fails, or where nobody listens, the next is asked at once', async (t) => {
  for (const first of ['SERVFAIL', 'REFUSED', 'nobody'] as const) {
    const { server: broken, clock } = await staged(t, first === 'nobody' ? {} : { 'a.test': first })
    const second = await NameServer.start({ 'a.test': { SRV: ['1 1 1 b.test'] } })
    t.after(() => second.stop())
    const at = first === 'nobody' ? await nobody() : broken.address
    const resolver = new Resolver({
      servers: () => [at, second.address],
      timeout: () => timeout,
      clock,
      random: systemRandom,
    })
    assert.equal((await resolver.srv('a.test')).records.length, 1, first)
  }
})

test('a server that has failed is not asked again', async (t) => {
  const { server: broken, clock } = await staged(t, { 'a.test': 'SERVFAIL' })
  const silent = await NameServer.start({ 'a.test': 'silent' })
  t.after(() => silent.stop())
  const resolver = new Resolver({
    servers: () => [broken.address, silent.address],
    timeout: () => timeout,
    clock,
    random: systemRandom,
  })
  const question = code(resolver.srv('a.test'))
  await silent.heard(1)
  clock.advance(timeout / 2)
  await silent.heard(2)
  clock.advance(timeout / 2)
  assert.equal(await question, 'SERVFAIL')
  // Whatever was sent to it before has arrived when this has.
  const fence = new Resolver({
    servers: () => [broken.address],
    timeout: () => timeout,
    clock,
    random: systemRandom,
  })
  assert.equal(await code(fence.srv('fence.test')), 'NXDOMAIN')
  assert.equal(broken.count('a.test'), 1)
})

test('a server that cannot even be sent to is passed over at once', async (t) => {
  const { server, clock } = await staged(t, { 'a.test': { SRV: ['1 1 1 b.test'] } })
  for (const broken of [
    { host: '127.0.0.1', port: 0 },
    { host: 'no such name', port: 53 },
    // Reserved (RFC 1112 §4): the system refuses to send there.
    { host: '255.255.255.255', port: 53 },
  ]) {
    const asking = (...servers: Address[]) =>
      new Resolver({ servers: () => servers, timeout: () => timeout, clock, random: systemRandom })
    assert.equal((await asking(broken, server.address).srv('a.test')).records.length, 1, broken.host)
    assert.equal(await code(asking(broken).srv('a.test')), 'TIMEOUT', broken.host)
  }
})

test('when all fail, what a server said is told; when nobody answers, the time is kept', async (t) => {
  const { server, clock, resolver } = await staged(t, { 'a.test': 'silent', 'b.test': 'SERVFAIL' })
  const question = code(resolver.srv('a.test'))
  await server.heard(1)
  clock.advance(timeout - 1)
  assert.equal(await Promise.race([question, Promise.resolve('waiting')]), 'waiting')
  clock.advance(1)
  assert.equal(await question, 'TIMEOUT')

  const dead = await nobody()
  const both = new Resolver({
    servers: () => [server.address, dead],
    timeout: () => timeout,
    clock,
    random: systemRandom,
  })
  assert.equal(await code(both.srv('b.test')), 'SERVFAIL')
  const alone = new Resolver({ servers: () => [dead], timeout: () => timeout, clock, random: systemRandom })
  await assert.rejects(alone.srv('b.test'), { code: 'TIMEOUT', message: /ECONNREFUSED/ })
})

test('aliases are followed, in one answer and by further questions', async (t) => {
  const { resolver } = await staged(t, {
    'one.test': { CNAME: 'two.test', ttl: 30 },
    'two.test': { CNAME: 'three.test' },
    'three.test': { SRV: ['1 1 1 b.test'] },
    'part.test': { CNAME: 'one.test', partial: true },
    'lost.test': { CNAME: 'gone.test' },
  })
  assert.deepEqual(await resolver.srv('part.test'), {
    records: [{ priority: 1, weight: 1, port: 1, target: 'b.test' }],
    ttl: 30,
    secure: false,
    canonical: 'three.test',
  })
  assert.equal((await resolver.srv('one.test')).canonical, 'three.test')
  assert.equal(await code(resolver.srv('lost.test')), 'NXDOMAIN')
})

test('aliases that never end are given up', async (t) => {
  const { server, resolver } = await staged(t, {
    'a.test': { CNAME: 'b.test' },
    'b.test': { CNAME: 'a.test' },
    'c.test': { CNAME: 'd.test', partial: true },
    'd.test': { CNAME: 'c.test', partial: true },
  })
  assert.equal(await code(resolver.srv('a.test')), 'MALFORMED')
  assert.equal(await code(resolver.srv('c.test')), 'MALFORMED')
  assert.ok(server.asked.length < 15, String(server.asked.length))
})

test('what cannot be a name is not asked for', async (t) => {
  const { server, resolver } = await staged(t, {})
  const label = 'a'.repeat(63)
  for (const name of [
    '',
    '.',
    'a..test',
    '.test',
    `${label}a.test`,
    'b\u00fccher.test',
    'a b.test',
    'a\0.test',
    [label, label, label, label].join('.'),
  ])
    for (const question of [resolver.srv(name), resolver.addresses(name)])
      assert.equal(await code(question), 'MALFORMED', name)
  assert.equal(server.asked.length, 0)
  assert.equal(await code(resolver.srv(`${label}.test`)), 'NXDOMAIN')
  assert.equal(server.asked[0]?.name, `${label}.test`)
})

test('an answer is secure when everything that led to it was validated', async (t) => {
  const { resolver } = await staged(t, {
    'good.test': { SRV: ['1 1 1 b.test'], ad: true },
    'plain.test': { SRV: ['1 1 1 b.test'] },
    'from.test': { CNAME: 'good.test', partial: true },
    'safe.test': { CNAME: 'good.test', partial: true, ad: true },
    'none.test': { SRV: 'NODATA', ad: true },
    'half.test': { A: ['192.0.2.1'], AAAA: ['2001:db8::1'] },
    'both.test': { A: ['192.0.2.1'], AAAA: ['2001:db8::1'], ad: true },
  })
  assert.equal((await resolver.srv('good.test')).secure, true)
  assert.equal((await resolver.srv('good.test')).secure, true)
  assert.equal((await resolver.srv('plain.test')).secure, false)
  assert.equal((await resolver.srv('from.test')).secure, false)
  assert.equal((await resolver.srv('safe.test')).secure, true)
  assert.equal((await resolver.addresses('half.test')).secure, false)
  assert.equal((await resolver.addresses('both.test')).secure, true)
  await assert.rejects(resolver.srv('none.test'), { code: 'NODATA', more: { secure: true } })
  await assert.rejects(resolver.srv('missing.test'), { code: 'NXDOMAIN', more: { secure: false } })
})

test('the hosts file goes before DNS, and is read again when it changes', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-hosts-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const hostsFile = join(folder, 'hosts')
  writeFileSync(hostsFile, '192.0.2.7 peer.test Alias.test # mine\n2001:db8::7 peer.test\nnonsense here\n')
  const { server, clock, resolver } = await staged(t, {}, { hostsFile })
  const addresses = async (host: string) =>
    (await resolver.addresses(host)).records.map(({ address }) => address)
  assert.deepEqual(await addresses('Peer.test.'), ['192.0.2.7', '2001:db8::7'])
  assert.deepEqual(await addresses('alias.test'), ['192.0.2.7'])
  writeFileSync(hostsFile, '192.0.2.8 peer.test\n')
  clock.advance(5000)
  assert.deepEqual(await addresses('peer.test'), ['192.0.2.8'])
  rmSync(hostsFile)
  clock.advance(5000)
  assert.equal(await code(resolver.addresses('peer.test')), 'NXDOMAIN')
  assert.equal(server.count('peer.test'), 2)
})

test('addresses and localhost need no DNS', async (t) => {
  const { server, resolver } = await staged(t, {})
  for (const [host, expected] of [
    ['192.0.2.1', ['192.0.2.1']],
    ['2001:db8::1', ['2001:db8::1']],
    ['localhost', ['::1', '127.0.0.1']],
    ['x.localhost.', ['::1', '127.0.0.1']],
  ] as const)
    assert.deepEqual(
      (await resolver.addresses(host)).records.map(({ address }) => address),
      expected,
    )
  assert.equal(server.asked.length, 0)
})

test('one family is enough, and its fellow is waited for half a second only', async (t) => {
  const { server, clock, resolver } = await staged(t, {
    'four.test': { A: ['192.0.2.1'], AAAA: 'NODATA' },
    'broken.test': { A: ['192.0.2.1'], AAAA: 'SERVFAIL' },
    'slow.test': { A: ['192.0.2.1'], AAAA: 'silent' },
    'unsure.test': { A: 'SERVFAIL' },
  })
  assert.equal((await resolver.addresses('four.test')).records.length, 1)
  assert.equal((await resolver.addresses('broken.test')).records.length, 1)
  const question = resolver.addresses('slow.test')
  await server.heard(6)
  // Both questions have arrived and one answer is on its way; the other never comes.
  let done = false
  void question.then(() => (done = true))
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(10)
  }
  assert.equal((await question).records.length, 1)
  assert.equal(await code(resolver.addresses('unsure.test')), 'SERVFAIL')
})

test('questions under way and waiting are bounded', async (t) => {
  const zone = Object.fromEntries(Array.from({ length: 1200 }, (_, i) => [`n${i}.test`, 'silent' as const]))
  const { server, clock, resolver } = await staged(t, zone)
  const questions = Array.from({ length: 1101 }, (_, i) => code(resolver.srv(`n${i}.test`)))
  assert.equal(await questions.at(-1), 'TIMEOUT')
  await server.heard(100)
  assert.equal(server.asked.length, 100)
  clock.advance(timeout)
  assert.deepEqual(new Set(await Promise.all(questions)), new Set(['TIMEOUT']))
  assert.ok(server.asked.length <= 200)
})

test('who waits is served when another question ends', async (t) => {
  const zone: Record<string, Zone[string]> = { 'last.test': { SRV: ['1 1 1 b.test'] } }
  for (let i = 0; i < 100; i++) zone[`n${i}.test`] = { SRV: ['1 1 1 b.test'], held: true }
  const { server, resolver } = await staged(t, zone)
  const held = Array.from({ length: 100 }, (_, i) => resolver.srv(`n${i}.test`))
  const last = resolver.srv('last.test')
  await server.heard(100)
  assert.equal(server.count('last.test'), 0)
  server.release()
  assert.equal((await last).records.length, 1)
  await Promise.all(held)
  resolver.clear()
  assert.equal((await resolver.srv('last.test')).records.length, 1)
})

test('closing ends what is under way', async (t) => {
  const { server, resolver } = await staged(t, { 'a.test': 'silent' })
  const question = code(resolver.srv('a.test'))
  await server.heard(1)
  resolver.close()
  assert.equal(await question, 'TIMEOUT')
})

test('without a server there is no answer, and outcomes are counted', async (t) => {
  const metrics = new Metrics()
  const { resolver } = await staged(t, { 'a.test': { SRV: ['1 1 1 b.test'] } }, { metrics })
  await resolver.srv('a.test')
  await resolver.srv('a.test')
  assert.equal(await code(resolver.srv('b.test')), 'NXDOMAIN')
  assert.equal(metrics.valueOf('dns_answers_total', 'found'), 1)
  assert.equal(metrics.valueOf('dns_answers_total', 'NXDOMAIN'), 1)
})
