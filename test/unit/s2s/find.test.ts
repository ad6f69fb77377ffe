/** Finding the servers of a domain: RFC 6120 §3.2, RFC 2782 and XEP-0368, against a name server of our own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { systemRandom } from '../../../src/base/random.js'
import type { Random } from '../../../src/base/random.js'
import { Resolver } from '../../../src/dns/resolver.js'
import { FindError, findPeer, inOrder } from '../../../src/s2s/find.js'
import type { FindUsing, Target } from '../../../src/s2s/find.js'
import { NameServer } from '../../support/name-server.js'
import type { Zone } from '../../support/name-server.js'

/** Draws the numbers given, then zeros. */
function drawing(...numbers: number[]): Random {
  return {
    id: () => 'id',
    bytes: (length) => {
      const bytes = Buffer.alloc(length)
      bytes.writeUInt32BE(numbers.shift() ?? 0)
      return bytes
    },
  }
}

async function staged(t: TestContext, zone: Zone) {
  const server = await NameServer.start(zone)
  const clock = new HandClock()
  const resolver = new Resolver({
    servers: () => [server.address],
    timeout: () => 5000,
    clock,
    random: systemRandom,
    hostsFile: '/nonexistent',
  })
  t.after(() => {
    resolver.close()
    return server.stop()
  })
  const find = (domain: string, more: Partial<FindUsing> = {}) =>
    findPeer(domain, { resolver, random: drawing(), ...more })
  return { server, clock, find }
}

/** `xmpp.a.test:5269 starttls`, and what else is worth a word. */
const shown = (targets: readonly Target[]) =>
  targets.map(({ host, port, tls, source, secure }) =>
    [`${host}:${port}`, tls, source === 'srv' ? '' : source, secure ? 'secure' : '']
      .filter(Boolean)
      .join(' '),
  )

async function failure(finding: Promise<unknown>): Promise<FindError> {
  try {
    await finding
  } catch (error) {
    if (error instanceof FindError) return error
    throw error
  }
  throw new assert.AssertionError({ message: 'it was found' })
}

test('both kinds of SRV records are one list by priority (XEP-0368 §3)', async (t) => {
  const { find } = await staged(t, {
    '_xmpp-server._tcp.a.test': { SRV: ['20 0 5269 two.a.test', '5 0 5269 one.a.test'], ad: true },
    '_xmpps-server._tcp.a.test': { SRV: ['10 0 443 direct.a.test', '30 0 5270 last.a.test'] },
  })
  assert.deepEqual(shown(await find('a.test')), [
    'one.a.test:5269 starttls secure',
    'direct.a.test:443 direct',
    'two.a.test:5269 starttls secure',
    'last.a.test:5270 direct',
  ])
})

test('direct TLS alone is enough', async (t) => {
  const { find } = await staged(t, { '_xmpps-server._tcp.a.test': { SRV: ['0 0 5270 x.test'] } })
  assert.deepEqual(shown(await find('a.test')), ['x.test:5270 direct'])
})

test('one kind is used although the other could not be asked for', async (t) => {
  const { find } = await staged(t, {
    '_xmpp-server._tcp.a.test': 'SERVFAIL',
    '_xmpps-server._tcp.a.test': { SRV: ['0 0 5270 x.test'] },
  })
  assert.deepEqual(shown(await find('a.test')), ['x.test:5270 direct'])
})

test('weights decide by chance, in proportion (RFC 2782)', () => {
  const records = [
    { priority: 1, weight: 0, name: 'zero' },
    { priority: 1, weight: 10, name: 'ten' },
    { priority: 1, weight: 90, name: 'ninety' },
    { priority: 0, weight: 1, name: 'first' },
  ]
  const order = (...draws: number[]) => inOrder(records, drawing(0, ...draws)).map(({ name }) => name)
  // The running sums are 0, 10 and 100: the first that reaches the number drawn.
  assert.deepEqual(order(0), ['first', 'zero', 'ten', 'ninety'])
  assert.deepEqual(order(1), ['first', 'ten', 'zero', 'ninety'])
  assert.deepEqual(order(10), ['first', 'ten', 'zero', 'ninety'])
  assert.deepEqual(order(11), ['first', 'ninety', 'zero', 'ten'])
  assert.deepEqual(order(100, 1), ['first', 'ninety', 'ten', 'zero'])

  let ninety = 0
  for (let i = 0; i < 1000; i++) if (inOrder(records, systemRandom)[1]?.name === 'ninety') ninety++
  assert.ok(ninety > 820 && ninety < 960, String(ninety))
})

test('without SRV records the domain itself at 5269 (RFC 6120 §3.2.2)', async (t) => {
  const { find } = await staged(t, {
    'a.test': { A: ['192.0.2.1'] },
    'six.test': { AAAA: ['2001:db8::1'] },
    'alias.test': { CNAME: 'a.test' },
    '_xmpp-server._tcp.sure.test': { SRV: 'NODATA', ad: true },
    'sure.test': { A: ['192.0.2.1'] },
  })
  assert.deepEqual(shown(await find('a.test')), ['a.test:5269 starttls fallback'])
  assert.deepEqual(shown(await find('six.test')), ['six.test:5269 starttls fallback'])
  assert.deepEqual(shown(await find('alias.test')), ['alias.test:5269 starttls fallback'])
  // DNSSEC proves that there are no records.
  assert.deepEqual(shown(await find('sure.test')), ['sure.test:5269 starttls fallback secure'])
})

test('a target of "." is a refusal, and ends the search (RFC 2782, XEP-0368 §5)', async (t) => {
  const { find } = await staged(t, {
    'both.test': { A: ['192.0.2.1'] },
    '_xmpp-server._tcp.both.test': { SRV: ['0 0 0 .'] },
    '_xmpps-server._tcp.both.test': { SRV: ['0 0 0 .'] },
    'one.test': { A: ['192.0.2.1'] },
    '_xmpp-server._tcp.one.test': { SRV: ['0 0 0 .'] },
    'direct.test': { A: ['192.0.2.1'] },
    '_xmpps-server._tcp.direct.test': { SRV: ['0 0 0 .'] },
    '_xmpp-server._tcp.half.test': { SRV: ['0 0 5269 x.test'] },
    '_xmpps-server._tcp.half.test': { SRV: ['0 0 0 .'] },
  })
  for (const domain of ['both.test', 'one.test', 'direct.test']) {
    const error = await failure(find(domain))
    assert.equal(error.condition, 'remote-server-not-found', domain)
    assert.equal(error.reason, 'no-service')
    assert.equal(error.stage, 'dns')
    assert.equal(
      error.question,
      domain === 'direct.test' ? '_xmpps-server._tcp.direct.test SRV' : `_xmpp-server._tcp.${domain} SRV`,
    )
    assert.match(error.message, new RegExp(`${domain} has no XMPP server`))
  }
  assert.deepEqual(shown(await find('half.test')), ['x.test:5269 starttls'])
})

test('a refusal of one kind says nothing of the other, which could not be asked for', async (t) => {
  const { find } = await staged(t, {
    '_xmpp-server._tcp.a.test': 'SERVFAIL',
    '_xmpps-server._tcp.a.test': { SRV: ['0 0 0 .'] },
    '_xmpp-server._tcp.b.test': { SRV: ['0 0 0 .'] },
    '_xmpps-server._tcp.b.test': 'SERVFAIL',
  })
  for (const [domain, question] of [
    ['a.test', '_xmpp-server._tcp.a.test SRV'],
    ['b.test', '_xmpps-server._tcp.b.test SRV'],
  ] as const) {
    const error = await failure(find(domain))
    assert.deepEqual([error.condition, error.question], ['remote-server-timeout', question])
  }
})

test('each failure names its question, and whether it may pass', async (t) => {
  const { find } = await staged(t, {
    'bare.test': { CAA: ['0 issue ca.test'] },
    '_xmpp-server._tcp.broken.test': 'SERVFAIL',
    'broken.test': { A: ['192.0.2.1'] },
    '_xmpp-server._tcp.closed.test': 'REFUSED',
    'half.test': 'SERVFAIL',
  })
  for (const [domain, condition, reason, question] of [
    ['missing.test', 'remote-server-not-found', 'NXDOMAIN', 'missing.test A/AAAA'],
    ['bare.test', 'remote-server-not-found', 'NODATA', 'bare.test A/AAAA'],
    ['broken.test', 'remote-server-timeout', 'SERVFAIL', '_xmpp-server._tcp.broken.test SRV'],
    ['closed.test', 'remote-server-timeout', 'REFUSED', '_xmpp-server._tcp.closed.test SRV'],
    ['half.test', 'remote-server-timeout', 'SERVFAIL', 'half.test A/AAAA'],
  ] as const) {
    const error = await failure(find(domain))
    assert.deepEqual(
      [error.domain, error.condition, error.reason, error.question],
      [domain, condition, reason, question],
    )
  }
})

test('without any response to the SRV question the domain itself is tried (RFC 6120 §3.2.1)', async (t) => {
  const { server, clock, find } = await staged(t, {
    '_xmpp-server._tcp.a.test': 'silent',
    'a.test': { A: ['192.0.2.1'] },
    '_xmpp-server._tcp.dead.test': 'silent',
    'dead.test': 'silent',
  })
  const found = find('a.test')
  await server.heard(2)
  clock.advance(5000)
  assert.deepEqual(shown(await found), ['a.test:5269 starttls fallback'])

  const lost = failure(find('dead.test'))
  await server.heard(server.asked.length + 2)
  clock.advance(5000)
  await server.heard(server.asked.length + 2)
  clock.advance(5000)
  const error = await lost
  assert.deepEqual(
    [error.condition, error.reason, error.question],
    ['remote-server-timeout', 'TIMEOUT', 'dead.test A/AAAA'],
  )
})

test('IP addresses as domains are asked of nobody', async (t) => {
  const { server, find } = await staged(t, {})
  assert.deepEqual(shown(await find('192.0.2.1')), ['192.0.2.1:5269 starttls fallback'])
  assert.deepEqual(shown(await find('[2001:db8::1]')), ['2001:db8::1:5269 starttls fallback'])
  assert.equal(server.asked.length, 0)
})

test('what the configuration says goes before DNS', async (t) => {
  const { server, find } = await staged(t, {})
  const address = { host: '192.0.2.9', port: 15269 }
  assert.deepEqual(shown(await find('a.test', { override: { address, tls: 'direct' } })), [
    '192.0.2.9:15269 direct override',
  ])
  assert.equal(server.asked.length, 0)
})

test('internationalized domains are asked for in A-labels', async (t) => {
  const { server, find } = await staged(t, {
    '_xmpp-server._tcp.xn--bcher-kva.test': { SRV: ['0 0 5269 x.test'] },
    'xn--mnchen-3ya.test': { A: ['192.0.2.1'] },
  })
  assert.deepEqual(shown(await find('b\u00fccher.test')), ['x.test:5269 starttls'])
  assert.deepEqual(shown(await find('m\u00fcnchen.test')), ['xn--mnchen-3ya.test:5269 starttls fallback'])
  assert.ok(server.asked.every(({ name }) => /^[\x21-\x7e]+$/.test(name)))
})

test('what makes no sense in a record is left out, and there is an end to them', async (t) => {
  const many = Array.from({ length: 50 }, (_, i) => `${i} 0 5269 n${i}.test`)
  const { find } = await staged(t, {
    '_xmpp-server._tcp.many.test': { SRV: many },
    '_xmpp-server._tcp.odd.test': { SRV: ['0 0 0 zero.test', '1 0 5269 good.test', '2 0 5269 .'] },
  })
  assert.equal((await find('many.test')).length, 16)
  assert.deepEqual(shown(await find('odd.test')), ['good.test:5269 starttls'])
})
