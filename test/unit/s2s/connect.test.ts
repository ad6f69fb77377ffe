/** Connecting to a peer: addresses raced as in RFC 8305, targets in turn, and no socket left behind. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, Socket } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { HandClock, realClock } from '../../../src/base/clock.js'
import { DnsError } from '../../../src/dns/records.js'
import type { AddressRecord, Answer, DnsCode } from '../../../src/dns/records.js'
import { ConnectError, connectPeer } from '../../../src/s2s/connect.js'
import type { Attempt, ConnectUsing } from '../../../src/s2s/connect.js'
import type { Target } from '../../../src/s2s/find.js'

const target = (host: string, port = 5269): Target => ({
  host,
  port,
  tls: 'starttls',
  source: 'srv',
  secure: false,
})

const record = (address: string): AddressRecord => ({ address, family: address.includes(':') ? 6 : 4 })

/** Hosts with their addresses, or why they have none. */
type Hosts = Readonly<Record<string, readonly string[] | DnsCode>>

/** A network in which nothing happens unless the test says so. */
class Network {
  readonly clock = new HandClock()
  readonly opened: { readonly to: string; readonly at: number; readonly socket: Socket }[] = []
  readonly attempts: Attempt[] = []
  readonly #start = this.clock.now()

  constructor(
    readonly hosts: Hosts,
    readonly aliases: Readonly<Record<string, string>> = {},
  ) {}

  using(more: Partial<ConnectUsing> = {}): ConnectUsing {
    return {
      resolver: { addresses: (host) => this.#addresses(host) },
      clock: this.clock,
      timeout: 30_000,
      onAttempt: (attempt) => this.attempts.push(attempt),
      open: ({ host, port }) => {
        const socket = new Socket()
        this.opened.push({ to: `${host}:${port}`, at: this.clock.now() - this.#start, socket })
        return socket
      },
      ...more,
    }
  }

  /** What was started, and when. */
  get starts(): string[] {
    return this.opened.map(({ to, at }) => `${to} at ${at}`)
  }

  get outcomes(): string[] {
    return this.attempts.map(({ address, outcome, ms }) => `${address ?? 'none'} ${outcome} ${ms}`)
  }

  get left(): string[] {
    return this.opened.filter(({ socket }) => !socket.destroyed).map(({ to }) => to)
  }

  socket(to: string): Socket {
    const found = this.opened.find((one) => one.to === to)
    assert.ok(found, `${to} was not tried: ${this.starts.join(', ')}`)
    return found.socket
  }

  async connects(to: string): Promise<void> {
    this.socket(to).emit('connect')
    await settle()
  }

  async fails(to: string, code: string): Promise<void> {
    this.socket(to).emit('error', Object.assign(new Error(`connect ${code}`), { code }))
    await settle()
  }

  async passes(ms: number): Promise<void> {
    this.clock.advance(ms)
    await settle()
  }

  async #addresses(host: string): Promise<Answer<AddressRecord>> {
    const found = this.hosts[host] ?? 'NXDOMAIN'
    if (typeof found === 'string') throw new DnsError(found, host, 'A/AAAA')
    return { records: found.map(record), ttl: 60, secure: false, canonical: this.aliases[host] ?? host }
  }
}

/** Everything that promises alone bring about has happened. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

async function failure(connecting: Promise<unknown>): Promise<ConnectError> {
  try {
    await connecting
  } catch (error) {
    if (error instanceof ConnectError) return error
    throw error
  }
  throw new assert.AssertionError({ message: 'it connected' })
}

test('families take turns, IPv6 first, 250 ms apart; the first to connect wins (RFC 8305 §4, §5)', async () => {
  const network = new Network({ 'a.test': ['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2'] })
  const connecting = connectPeer([target('a.test')], network.using())
  await network.passes(0)
  await network.passes(249)
  assert.deepEqual(network.starts, ['2001:db8::1:5269 at 0'])
  await network.passes(1)
  await network.passes(250)
  assert.deepEqual(network.starts, [
    '2001:db8::1:5269 at 0',
    '192.0.2.1:5269 at 250',
    '2001:db8::2:5269 at 500',
  ])
  await network.passes(100)
  await network.connects('192.0.2.1:5269')
  const { socket, address, attempts, target: reached } = await connecting
  assert.equal(address, '192.0.2.1')
  assert.equal(reached.host, 'a.test')
  assert.equal(socket, network.socket('192.0.2.1:5269'))
  assert.deepEqual(attempts, network.attempts)
  assert.deepEqual(network.outcomes, [
    '192.0.2.1 connected 350',
    '2001:db8::1 cancelled 600',
    '2001:db8::2 cancelled 100',
  ])
  assert.deepEqual(network.left, ['192.0.2.1:5269'])
  await network.passes(60_000)
  assert.equal(network.opened.length, 3)
})

test('after a failure the next address is tried at once, then the next target', async () => {
  const network = new Network({ 'a.test': ['192.0.2.1', '2001:db8::1'], 'b.test': ['192.0.2.9'] })
  const connecting = connectPeer([target('a.test'), target('b.test', 15269)], network.using())
  await settle()
  await network.passes(10)
  await network.fails('2001:db8::1:5269', 'ENETUNREACH')
  await network.passes(5)
  await network.fails('192.0.2.1:5269', 'ECONNREFUSED')
  await network.connects('192.0.2.9:15269')
  const { address, target: reached, attempts } = await connecting
  assert.deepEqual([reached.host, reached.port, address], ['b.test', 15269, '192.0.2.9'])
  assert.deepEqual(network.outcomes, [
    '2001:db8::1 unreachable 10',
    '192.0.2.1 refused 5',
    '192.0.2.9 connected 0',
  ])
  assert.equal(attempts[0]?.text, 'connect ENETUNREACH')
  assert.deepEqual(network.left, ['192.0.2.9:15269'])
})

test('after a failure the delay begins anew', async () => {
  const network = new Network({ 'a.test': ['192.0.2.1', '192.0.2.2', '192.0.2.3'] })
  const connecting = connectPeer([target('a.test')], network.using())
  await settle()
  await network.passes(100)
  await network.fails('192.0.2.1:5269', 'ECONNREFUSED')
  await network.passes(249)
  assert.equal(network.opened.length, 2)
  await network.passes(1)
  assert.deepEqual(network.starts.slice(1), ['192.0.2.2:5269 at 100', '192.0.2.3:5269 at 350'])
  await network.connects('192.0.2.2:5269')
  await connecting
})

test('what the system says has a name each', async () => {
  for (const [code, outcome] of [
    ['ECONNREFUSED', 'refused'],
    ['ECONNRESET', 'refused'],
    ['ETIMEDOUT', 'timeout'],
    ['EHOSTUNREACH', 'unreachable'],
    ['EADDRNOTAVAIL', 'unreachable'],
  ] as const) {
    const network = new Network({ 'a.test': ['192.0.2.1'] })
    const failing = failure(connectPeer([target('a.test')], network.using()))
    await settle()
    await network.fails('192.0.2.1:5269', code)
    const error = await failing
    assert.deepEqual([error.stage, error.condition], ['tcp', 'remote-server-timeout'])
    assert.equal(error.attempts[0]?.outcome, outcome)
    assert.equal(error.message, `192.0.2.1:5269 ${outcome}`)
  }
})

test('no address is waited for longer than 10 seconds while others are left', async () => {
  const network = new Network({ 'a.test': ['192.0.2.1'], 'b.test': ['192.0.2.2'] })
  const connecting = connectPeer([target('a.test'), target('b.test')], network.using())
  await settle()
  await network.passes(9999)
  assert.equal(network.opened.length, 1)
  await network.passes(1)
  assert.deepEqual(network.starts, ['192.0.2.1:5269 at 0', '192.0.2.2:5269 at 10000'])
  await network.connects('192.0.2.2:5269')
  await connecting
  assert.deepEqual(network.outcomes, ['192.0.2.1 timeout 10000', '192.0.2.2 connected 0'])
})

test('many silent targets share the time', async () => {
  const hosts = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`n${i}.test`, [`192.0.2.${i}`]]))
  const network = new Network(hosts)
  const targets = Object.keys(hosts).map((host) => target(host))
  const failing = failure(connectPeer(targets, network.using()))
  await settle()
  for (let second = 0; second < 30; second++) await network.passes(1000)
  const error = await failing
  assert.equal(error.attempts.length, 10)
  assert.ok(error.attempts.every(({ outcome, ms }) => outcome === 'timeout' && ms === 3000))
  assert.deepEqual(network.left, [])
})

test('the time for everything together is kept, and says what was under way', async () => {
  const network = new Network({ 'a.test': ['192.0.2.1', '192.0.2.2'] })
  const failing = failure(connectPeer([target('a.test')], network.using({ timeout: 1000 })))
  await settle()
  await network.passes(1000)
  const error = await failing
  assert.deepEqual([error.stage, error.condition], ['tcp', 'remote-server-timeout'])
  assert.deepEqual(network.outcomes, ['192.0.2.1 timeout 1000', '192.0.2.2 timeout 750'])
  assert.deepEqual(network.left, [])
})

test('giving up closes everything at once', async () => {
  const network = new Network({ 'a.test': ['192.0.2.1', '192.0.2.2'], 'b.test': ['192.0.2.3'] })
  const controller = new AbortController()
  const failing = failure(
    connectPeer([target('a.test'), target('b.test')], network.using({ signal: controller.signal })),
  )
  await settle()
  await network.passes(300)
  controller.abort()
  const error = await failing
  assert.match(error.message, /^the attempt was given up; /)
  assert.deepEqual(network.outcomes, ['192.0.2.1 cancelled 300', '192.0.2.2 cancelled 50'])
  assert.deepEqual(network.left, [])
  await network.passes(60_000)
  assert.equal(network.opened.length, 2)
})

test('giving up before or during the DNS question opens nothing', async () => {
  const network = new Network({ 'a.test': ['192.0.2.1'] })
  const before = await failure(
    connectPeer([target('a.test')], network.using({ signal: AbortSignal.abort() })),
  )
  assert.deepEqual(before.attempts, [])

  const controller = new AbortController()
  const resolver = { addresses: () => new Promise<never>(() => {}) }
  const during = failure(
    connectPeer([target('a.test')], network.using({ resolver, signal: controller.signal })),
  )
  await settle()
  controller.abort()
  assert.deepEqual((await during).attempts, [])

  const late = failure(connectPeer([target('a.test')], network.using({ resolver })))
  await settle()
  await network.passes(30_000)
  assert.equal((await late).message, 'no answer in time')
  assert.equal(network.opened.length, 0)
})

test('a host that is an alias, which RFC 2782 forbids, is connected to and noted', async () => {
  const network = new Network({ 'a.test': ['192.0.2.1'], 'b.test': ['192.0.2.2'] }, { 'a.test': 'x.test' })
  const connecting = connectPeer([target('a.test'), target('b.test')], network.using())
  await settle()
  await network.fails('192.0.2.1:5269', 'ECONNREFUSED')
  await network.connects('192.0.2.2:5269')
  const { attempts } = await connecting
  assert.deepEqual(
    attempts.map(({ alias }) => alias),
    ['x.test', undefined],
  )
})

test('a host without an address is recorded, and the next target tried', async () => {
  const network = new Network({ 'b.test': ['192.0.2.1'] })
  const connecting = connectPeer([target('missing.test'), target('b.test')], network.using())
  await settle()
  await network.connects('192.0.2.1:5269')
  const { attempts } = await connecting
  assert.deepEqual(network.outcomes, ['none unresolved 0', '192.0.2.1 connected 0'])
  assert.equal(attempts[0]?.text, 'missing.test A/AAAA: there is no such name (NXDOMAIN)')
})

test('when no host has an address, it is the fault of DNS, and final when DNS is certain', async () => {
  for (const [hosts, condition] of [
    [{ 'b.test': 'NODATA' }, 'remote-server-not-found'],
    [{ 'b.test': 'SERVFAIL' }, 'remote-server-timeout'],
    [{ 'b.test': 'TIMEOUT' }, 'remote-server-timeout'],
  ] as const) {
    const network = new Network(hosts)
    const error = await failure(connectPeer([target('missing.test'), target('b.test')], network.using()))
    assert.deepEqual([error.stage, error.condition], ['dns', condition])
    assert.match(error.message, /^missing\.test A\/AAAA: .*; b\.test A\/AAAA: /)
  }
})

test('at most eight addresses of a host are tried', async () => {
  const network = new Network({ 'a.test': Array.from({ length: 50 }, (_, i) => `192.0.2.${i}`) })
  const failing = failure(connectPeer([target('a.test')], network.using()))
  await settle()
  for (let second = 0; second < 30; second++) await network.passes(1000)
  await failing
  assert.equal(network.opened.length, 8)
})

async function listening(t: TestContext) {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets: Socket[] = []
  server.on('connection', (socket) => {
    socket.on('error', () => {})
    sockets.push(socket)
  })
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as { port: number }).port, sockets, server }
}

test('real sockets: the one that listens is found, and what it sends is not lost', async (t) => {
  const { port, server } = await listening(t)
  server.on('connection', (socket: Socket) => socket.write('hello'))
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const dead = (gone.address() as { port: number }).port
  await new Promise((resolve) => gone.close(resolve))

  const { socket, attempts } = await connectPeer([target('127.0.0.1', dead), target('127.0.0.1', port)], {
    resolver: { addresses: () => Promise.reject(new Error('nobody should ask')) },
    clock: realClock,
    timeout: 5000,
  })
  assert.deepEqual(
    attempts.map(({ outcome }) => outcome),
    ['refused', 'connected'],
  )
  await settle()
  const [data] = (await once(socket, 'data')) as [Buffer]
  assert.equal(data.toString(), 'hello')
  // An error before anybody listens must not end the process.
  socket.destroy(new Error('too early'))
  await new Promise((resolve) => socket.once('close', resolve))
})
