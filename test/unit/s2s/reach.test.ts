/** From a domain to a transport: what DNS secures (RFC 7673), which server is next, and which step failed. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { realClock } from '../../../src/base/clock.js'
import { systemRandom } from '../../../src/base/random.js'
import { Resolver } from '../../../src/dns/resolver.js'
import { Failure } from '../../../src/s2s/facts.js'
import { Shared } from '../../../src/s2s/parts.js'
import { reachBy } from '../../../src/s2s/reach.js'
import type { ReachParts } from '../../../src/s2s/reach.js'
import { NameServer } from '../../support/name-server.js'
import type { Zone } from '../../support/name-server.js'

/** A server that takes connections and says nothing. */
async function listening(t: TestContext) {
  const server: Server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const open = new Set<Socket>()
  server.on('connection', (socket) => {
    open.add(socket)
    socket.on('error', () => {})
    // Nobody sees an end who does not read.
    socket.resume().on('close', () => open.delete(socket))
  })
  t.after(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return { port: (server.address() as { port: number }).port, open }
}

async function staged(t: TestContext, zone: Zone, direct?: (socket: Socket) => Promise<never>) {
  const names = await NameServer.start(zone)
  const resolver = new Resolver({
    servers: () => [names.address],
    timeout: () => 5000,
    clock: realClock,
    random: systemRandom,
    hostsFile: false,
  })
  t.after(() => {
    resolver.close()
    return names.stop()
  })
  const transports: Socket[] = []
  t.after(() => transports.forEach((socket) => socket.destroy()))
  /** What a transport would do next is of no interest here. */
  const transport = (socket: Socket) => {
    transports.push(socket)
    return {} as never
  }
  const tls: ReachParts['tls'] = {
    starttls: transport,
    direct: direct ?? (async (socket) => transport(socket)),
  }
  const reach = reachBy({
    resolver,
    tls,
    clock: realClock,
    random: systemRandom,
    timeout: () => 5000,
    override: () => undefined,
  })
  const steps: string[] = []
  const told = (stage: string, text?: string) =>
    void steps.push(text === undefined ? stage : `${stage}: ${text}`)
  return {
    steps,
    names,
    transports,
    reach: (remote: string) =>
      reach('ours.test', remote, {
        signal: new AbortController().signal,
        told,
        taken: (place) => place === 'taken.test:1',
      }),
  }
}

async function failure(reaching: Promise<unknown>): Promise<Failure> {
  try {
    await reaching
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
  throw new assert.AssertionError({ message: 'it was reached' })
}

const pin = { TLSA: [`3 1 1 ${'ab'.repeat(32)}`] }

test('records of a certificate count when all the way to them is secured (RFC 7673 §3)', async (t) => {
  const { port } = await listening(t)
  for (const [srv, address, tlsa, expected] of [
    [true, true, true, 1],
    // Unsigned addresses: the records are not even asked for.
    [true, false, true, 'not asked'],
    [false, true, true, 'not asked'],
    [true, true, false, 0],
  ] as const) {
    const { names, reach, steps } = await staged(t, {
      '_xmpp-server._tcp.a.test': { SRV: [`0 0 ${port} x.test`], ad: srv },
      'x.test': { A: ['127.0.0.1'], ad: address },
      [`_${port}._tcp.x.test`]: { ...pin, ad: tlsa },
    })
    const reached = await reach('a.test')
    const label = JSON.stringify([srv, address, tlsa])
    assert.equal(reached.tlsa?.length, expected === 'not asked' ? 0 : expected, label)
    assert.equal(names.count(`_${port}._tcp.x.test`), expected === 'not asked' ? 0 : 1, label)
    assert.deepEqual(steps, ['dns', `dns: x.test:${port} (starttls, srv)`, 'tcp', `tcp: 127.0.0.1:${port}`])
  }
})

test('where it cannot be known whether there are any, no TLS begins (RFC 7673 §3.4)', async (t) => {
  const { port, open } = await listening(t)
  const { reach, transports } = await staged(t, {
    '_xmpp-server._tcp.a.test': { SRV: [`0 0 ${port} x.test`], ad: true },
    'x.test': { A: ['127.0.0.1'], ad: true },
    [`_${port}._tcp.x.test`]: 'SERVFAIL',
  })
  const error = await failure(reach('a.test'))
  assert.deepEqual([error.stage, error.trouble], ['dns', 'dns failed'])
  assert.match(
    error.message,
    /whether x\.test has records of its certificate \(TLSA\) cannot be known: .*SERVFAIL/,
  )
  assert.equal(transports.length, 0)
  while (open.size > 0) await new Promise((resolve) => setImmediate(resolve))
})

test('after a server without TLS, or with broken records, comes the next', async (t) => {
  const first = await listening(t)
  const second = await listening(t)
  const third = await listening(t)
  const { reach, transports } = await staged(
    t,
    {
      '_xmpp-server._tcp.a.test': { SRV: [`1 0 ${first.port} x.test`, `3 0 ${third.port} x.test`], ad: true },
      '_xmpps-server._tcp.a.test': { SRV: [`2 0 ${second.port} x.test`], ad: true },
      'x.test': { A: ['127.0.0.1'], ad: true },
      [`_${first.port}._tcp.x.test`]: 'SERVFAIL',
      [`_${third.port}._tcp.x.test`]: { ...pin, ad: true },
    },
    () => Promise.reject(new Error('no TLS here')),
  )
  const reached = await reach('a.test')
  assert.equal(reached.tlsa?.length, 1)
  assert.equal(transports[0]?.remotePort, third.port)
  // Nothing stays open behind those that were given up.
  while (first.open.size + second.open.size > 0) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(third.open.size, 1)
})

test('an alias as the target of an SRV record works, and is told', async (t) => {
  const { port } = await listening(t)
  const { reach, steps } = await staged(t, {
    '_xmpp-server._tcp.a.test': { SRV: [`0 0 ${port} x.test`] },
    'x.test': { CNAME: 'y.test' },
    'y.test': { A: ['127.0.0.1'] },
  })
  await reach('a.test')
  assert.equal(
    steps.at(-1),
    `tcp: 127.0.0.1:${port} (SRV names x.test, an alias (CNAME) of y.test: RFC 2782 forbids that)`,
  )
})

test('a failed handshake of the last server is what is told', async (t) => {
  const { port } = await listening(t)
  const { reach } = await staged(
    t,
    {
      '_xmpps-server._tcp.a.test': { SRV: [`0 0 ${port} x.test`] },
      'x.test': { A: ['127.0.0.1'] },
    },
    () => Promise.reject(new Error('no TLS here')),
  )
  const error = await failure(reach('a.test'))
  assert.deepEqual([error.stage, error.trouble, error.side], ['tls', 'handshake', 'theirs'])
  assert.equal(error.message, 'the TLS handshake failed: no TLS here')
})

test('what DNS says, or does not say, is told as such', async (t) => {
  const { reach } = await staged(t, {
    '_xmpp-server._tcp.none.test': { SRV: ['0 0 0 .'] },
    '_xmpp-server._tcp.broken.test': 'SERVFAIL',
    '_xmpp-server._tcp.lost.test': { SRV: ['0 0 5269 gone.test'] },
  })
  for (const [domain, final, trouble] of [
    ['missing.test', 'no such server', 'no such domain'],
    ['none.test', 'no such server', 'no service'],
    ['broken.test', undefined, 'dns failed'],
    ['lost.test', undefined, 'unresolved'],
  ] as const) {
    const error = await failure(reach(domain))
    assert.deepEqual([error.stage, error.final, error.trouble], ['dns', final, trouble], domain)
  }
})

test('a place where there is a stream already is not connected to again (XEP-0220 §2.6.2)', async (t) => {
  const { reach, steps } = await staged(t, {
    '_xmpp-server._tcp.a.test': { SRV: ['0 0 1 taken.test'] },
    'taken.test': { A: ['127.0.0.1'] },
  })
  await assert.rejects(reach('a.test'), Shared)
  assert.deepEqual(steps, ['dns', 'dns: taken.test:1 (starttls, srv)'])
})
