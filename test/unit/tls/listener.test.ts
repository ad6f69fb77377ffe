import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { endPointHash } from '../../../src/sasl/channel-binding.js'
import { ListenError } from '../../../src/tls/listener.js'
import type { TcpTransport } from '../../../src/tls/tcp-transport.js'
import { Authority } from './issuer.js'
import { closed, deferred, helloOf, readUntil, Stage, turn } from './stage.js'

const root = new Authority('Root of the tests')
const issued = root.issue({ names: ['example.org'], digest: 'sha384' })
const proceed = `<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`

/** Sends back what it gets. */
function echo(transport: TcpTransport): void {
  transport.onData = (chunk) => transport.write(chunk.toString())
}

/** Puts TLS on when it is asked to, then sends back what it gets. */
function echoAfterTls(transport: TcpTransport): void {
  transport.onData = (chunk) => {
    assert.equal(chunk.toString(), '<starttls/>')
    transport.onData = () => assert.fail('plain text was read as XML')
    const { secure } = transport as { secure?: (text: string) => Promise<void> }
    void secure!.call(transport, proceed).then(
      () => echo(transport),
      () => {},
    )
  }
}

async function bothDomains(stage: Stage) {
  const file = stage.file('bundle.pem', issued.key, issued.certificate)
  const files = { certificate: file, key: file }
  return stage.certificates({ domain: 'localhost' }, { domain: 'example.org', files })
}

test('direct TLS serves the certificate of the domain asked for', async (t) => {
  const stage = new Stage(t)
  const certificates = await bothDomains(stage)
  const { port } = await stage.listen('direct', certificates, echo)
  const one = await stage.tls(port, { servername: 'example.org', ca: root.certificate })
  assert.equal(one.authorized, true, 'RSA here and ECDSA there are kept apart')
  const ca = readFileSync(certificates.facts[0]!.file)
  const two = await stage.tls(port, { servername: 'localhost', ca })
  assert.equal(two.authorized, true, 'the self-signed one is good for a client that knows it')
  const three = await stage.tls(port, { checkServerIdentity: () => undefined, ca })
  assert.equal(three.authorized, true, 'the first domain is for clients that name none')
  for (const socket of [one, two, three]) {
    socket.write('hello')
    assert.equal(await readUntil(socket, 'hello'), 'hello')
  }
})

for (const asksClients of [true, false]) {
  test(`a client's certificate is ${asksClients ? 'asked for, and left to others to verify' : 'not asked for'}`, async (t) => {
    const stage = new Stage(t)
    const { certificate: cert, key } = new Authority('Nobody').issue({ names: ['romeo'] })
    const chains = deferred<readonly Buffer[]>()
    const look = (transport: TcpTransport) => chains.resolve(transport.tls!.peerChain)
    const { port } = await stage.listen('direct', await bothDomains(stage), look, { asksClients })
    await stage.tls(port, { servername: 'localhost', cert, key })
    const expected = asksClients ? [new X509Certificate(cert).raw] : []
    assert.deepEqual(await chains.promise, expected)
  })
}

test('direct TLS speaks xmpp-client or no application protocol, and refuses others', async (t) => {
  const stage = new Stage(t)
  const { port } = await stage.listen('direct', await bothDomains(stage), echo)
  const both = await stage.tls(port, { ALPNProtocols: ['h2', 'xmpp-client'] })
  assert.equal(both.alpnProtocol, 'xmpp-client')
  const none = await stage.tls(port)
  assert.equal(none.alpnProtocol, false)
  await assert.rejects(stage.tls(port, { ALPNProtocols: ['http/1.1'] }), /no.application.protocol/i)
})

test('TLS 1.2 is the oldest, and what a stream is told about TLS is true', async (t) => {
  const stage = new Stage(t)
  const told: string[] = []
  const { port } = await stage.listen('direct', await bothDomains(stage), (transport) => {
    const { protocol, cipher, serverName } = transport.tls!
    told.push(`${protocol} ${cipher} ${serverName}`)
    echo(transport)
  })
  for (const options of [
    { servername: 'example.org' },
    { servername: 'localhost', maxVersion: 'TLSv1.2' as const },
    {},
  ]) {
    const socket = await stage.tls(port, options)
    socket.write('x')
    await readUntil(socket, 'x')
  }
  assert.deepEqual(told, [
    'TLSv1.3 TLS_AES_128_GCM_SHA256 example.org',
    'TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 localhost',
    'TLSv1.3 TLS_AES_128_GCM_SHA256 undefined',
  ])
  const ciphers = 'DEFAULT@SECLEVEL=0'
  await assert.rejects(stage.tls(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers }))
  assert.equal(told.length, 3)
})

test('both ends compute the same channel bindings', async (t) => {
  const stage = new Stage(t)
  let transport: TcpTransport | undefined
  const { port } = await stage.listen('direct', await bothDomains(stage), (it) => {
    transport = it
    echo(it)
  })
  for (const [servername, hash] of [
    ['example.org', 'sha384'],
    ['localhost', 'sha256'],
  ] as const) {
    const client = await stage.tls(port, { servername })
    client.write('x')
    await readUntil(client, 'x')
    const bindings = transport!.tls!.bindings!
    assert.deepEqual(bindings.types, ['tls-exporter', 'tls-server-end-point'])
    assert.deepEqual(
      bindings.data('tls-exporter'),
      client.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)),
    )
    const seen = createHash(hash).update(client.getPeerCertificate().raw).digest()
    assert.deepEqual(bindings.data('tls-server-end-point'), seen)
    assert.equal(bindings.data('tls-unique'), undefined)
  }
  const client = await stage.tls(port, { servername: 'example.org', maxVersion: 'TLSv1.2' })
  client.write('x')
  await readUntil(client, 'x')
  assert.deepEqual(transport!.tls!.bindings!.types, ['tls-server-end-point'])
})

/** By which hash the certificate was hashed that an authority signed with `digest`. */
function hashOf(digest: 'sha1' | 'sha256' | 'sha384' | 'sha512'): string | undefined {
  const certificate = new X509Certificate(root.issue({ names: ['a'], digest, key: issued.key }).certificate)
  const found = endPointHash(certificate.raw)
  const hashed = (name: string) => createHash(name).update(certificate.raw).digest()
  return ['sha256', 'sha384', 'sha512'].find((name) => found?.equals(hashed(name)))
}

test('the end point is hashed as RFC 5929 wants it for each signature', () => {
  assert.equal(hashOf('sha1'), 'sha256')
  assert.equal(hashOf('sha256'), 'sha256')
  assert.equal(hashOf('sha384'), 'sha384')
  assert.equal(hashOf('sha512'), 'sha512')
})

test('STARTTLS puts TLS on the connection, with the certificate of the domain', async (t) => {
  const stage = new Stage(t)
  const certificates = await bothDomains(stage)
  const { port } = await stage.listen('starttls', certificates, echoAfterTls)
  const plain = await stage.tcp(port)
  plain.write('<starttls/>')
  assert.equal(await readUntil(plain, '/>'), proceed)
  const secure = await stage.tls(plain, { servername: 'example.org', ca: root.certificate })
  assert.equal(secure.authorized, true)
  secure.write('<stream/>')
  assert.equal(await readUntil(secure, '/>'), '<stream/>')
})

test('plain text sent before the handshake is not read as XML and ends the connection', async (t) => {
  const stage = new Stage(t)
  const gone = deferred<Error | undefined>()
  const { port } = await stage.listen('starttls', await bothDomains(stage), (transport) => {
    echoAfterTls(transport)
    transport.onClose = gone.resolve
  })
  const plain = await stage.tcp(port)
  plain.write('<starttls/>')
  await readUntil(plain, '/>')
  plain.write(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>`)
  await closed(plain)
  await gone.promise
  assert.equal(stage.metrics.valueOf('tls_handshake_failures_total', 'NOT_TLS'), 1)
})

function nobodyCame(): void {
  assert.fail('nobody was there')
}

test('a handshake that does not begin, or stops half way, is given up', async (t) => {
  const stage = new Stage(t)
  const listener = await stage.listen('direct', await bothDomains(stage), nobodyCame, { handshakeMs: 200 })
  const silent = await stage.tcp(listener.port)
  while (listener.connections === 0) await turn()
  stage.clock.advance(200)
  await closed(silent)
  const stalled = await stage.tcp(listener.port)
  stalled.write(helloOf('example.org'))
  await closed(stalled)
  while (listener.connections > 0) await turn()
  assert.equal(stage.metrics.valueOf('tls_handshake_failures_total', 'TIMEOUT'), 1)
  assert.equal(stage.metrics.valueOf('tls_handshake_failures_total', 'ERR_TLS_HANDSHAKE_TIMEOUT'), 1)
})

test('a client that leaves during the handshake is forgotten', async (t) => {
  const stage = new Stage(t)
  const failures: unknown[] = []
  const listener = await stage.listen('starttls', await bothDomains(stage), (transport) => {
    transport.onData = () => {
      const { secure } = transport as { secure?: (text: string) => Promise<void> }
      secure!.call(transport, proceed).then(
        () => assert.fail('no handshake came'),
        (error) => failures.push(error),
      )
    }
  })
  for (const begun of ['', helloOf('example.org').subarray(0, 50), helloOf('example.org')]) {
    const plain = await stage.tcp(listener.port)
    plain.write('<starttls/>')
    await readUntil(plain, '/>')
    plain.write(begun)
    plain.end()
    while (listener.connections > 0) await turn()
  }
  assert.equal(failures.length, 3)
  for (const error of failures) assert.ok(error instanceof Error)
})

test('a new certificate is served to new connections, the old ones stay', async (t) => {
  const stage = new Stage(t)
  const file = stage.file('bundle.pem', issued.key, issued.certificate)
  const source = { domain: 'example.org', files: { certificate: file, key: file } }
  const certificates = await stage.certificates(source)
  const { port } = await stage.listen('direct', certificates, echo)
  const before = await stage.tls(port, { servername: 'example.org' })
  const renewed = root.issue({ names: ['example.org'], key: issued.key })
  stage.file('bundle.pem', renewed.key, renewed.certificate)
  await certificates.check()
  const { fingerprint256 } = new X509Certificate(renewed.certificate)
  for (const options of [{ servername: 'example.org' }, {}]) {
    const socket = await stage.tls(port, options)
    assert.equal(socket.getPeerCertificate().fingerprint256, fingerprint256)
  }
  before.write('still here')
  assert.equal(await readUntil(before, 'here'), 'still here')
})

test('an address may have so many strangers; who has authenticated is none', async (t) => {
  const stage = new Stage(t)
  const transports: TcpTransport[] = []
  const accepted = (transport: TcpTransport) => {
    transports.push(transport)
    transport.write('welcome')
  }
  const { port } = await stage.listen('starttls', await bothDomains(stage), accepted, { limits: { open: 2 } })
  const one = await stage.tcp(port)
  const two = await stage.tcp(port)
  await readUntil(one, 'welcome')
  await readUntil(two, 'welcome')
  await closed(await stage.tcp(port))
  assert.equal(stage.metrics.valueOf('connections_refused_total', 'too many open'), 1)
  transports[0]!.authenticated()
  transports[0]!.authenticated()
  await readUntil(await stage.tcp(port), 'welcome')
  await closed(await stage.tcp(port))
  const left = deferred<unknown>()
  transports[1]!.onClose = left.resolve
  two.destroy()
  await left.promise
  await readUntil(await stage.tcp(port), 'welcome')
  assert.equal(transports.length, 4)
})

function welcome(transport: TcpTransport): void {
  transport.write('welcome')
}

test('an address may come so often', async (t) => {
  const stage = new Stage(t)
  const limits = { rate: 1, burst: 2 }
  const { port } = await stage.listen('starttls', await bothDomains(stage), welcome, { limits })
  await readUntil(await stage.tcp(port), 'welcome')
  await readUntil(await stage.tcp(port), 'welcome')
  await closed(await stage.tcp(port))
  assert.equal(stage.metrics.valueOf('connections_refused_total', 'too many new'), 1)
  stage.clock.advance(1000)
  await readUntil(await stage.tcp(port), 'welcome')
})

test('what is written in one turn arrives in one piece and in UTF-8', async (t) => {
  const stage = new Stage(t)
  const { port } = await stage.listen('plain', undefined, (transport) => {
    assert.equal(transport.trusted, true)
    assert.equal(transport.remote, '127.0.0.1')
    assert.equal('secure' in transport, false)
    transport.onData = () => {
      for (const text of ['<a>', 'grün', '</a>', '<b>\u{1f98a}</b>']) transport.write(text)
    }
  })
  const socket = await stage.tcp(port)
  const pieces: string[] = []
  socket.on('data', (chunk: Buffer) => pieces.push(chunk.toString()))
  socket.write('x')
  await readUntil(socket, '</b>')
  assert.deepEqual(pieces, ['<a>grün</a><b>\u{1f98a}</b>'])
})

test('a slow reader is told by write, by buffered, and once by onDrain when it has caught up', async (t) => {
  const stage = new Stage(t)
  const arrived = deferred<TcpTransport>()
  const { port } = await stage.listen('plain', undefined, arrived.resolve, { highWater: 100_000 })
  const socket = await stage.tcp(port)
  socket.pause()
  const transport = await arrived.promise
  let drained = 0
  const caughtUp = new Promise<void>((resolve) => {
    transport.onDrain = () => {
      drained++
      resolve()
    }
  })
  const piece = 'x'.repeat(50_000)
  let written = 0
  // What the kernel takes is not waiting; at some time it takes no more.
  while (transport.write(piece)) {
    written += piece.length
    assert.ok(written < 100_000_000)
    await turn()
  }
  written += piece.length
  assert.ok(transport.buffered > 100_000)
  let read = 0
  socket.on('data', (chunk: Buffer) => (read += chunk.length))
  socket.resume()
  await caughtUp
  transport.end()
  await closed(socket)
  assert.equal(read, written)
  assert.equal(drained, 1)
  assert.equal(transport.buffered, 0)
})

test('end sends what is left, then closes; a peer that does not close is cut off', async (t) => {
  const stage = new Stage(t)
  const arrived = deferred<TcpTransport>()
  const { port } = await stage.listen('plain', undefined, arrived.resolve)
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.after(() => socket.destroy())
  const transport = await arrived.promise
  const gone = new Promise<unknown>((resolve) => (transport.onClose = resolve))
  transport.write('</stream:stream>')
  transport.end()
  transport.write('too late')
  assert.equal(await readUntil(socket, '>'), '</stream:stream>')
  stage.clock.advance(10_000)
  assert.equal(await gone, undefined)
})

test('a peer that stops sending still gets its answer', async (t) => {
  const stage = new Stage(t)
  const gone = deferred<unknown>()
  const { port } = await stage.listen('plain', undefined, (transport) => {
    echo(transport)
    transport.onClose = gone.resolve
  })
  const socket = await stage.tcp(port)
  socket.end('</stream:stream>')
  assert.equal(await readUntil(socket, '>'), '</stream:stream>')
  await gone.promise
})

test('pause stops reading until resume', async (t) => {
  const stage = new Stage(t)
  const arrived = deferred<TcpTransport>()
  const { port } = await stage.listen('plain', undefined, arrived.resolve)
  const socket = await stage.tcp(port)
  const transport = await arrived.promise
  let read = 0
  transport.onData = (chunk) => {
    read += chunk.length
    transport.pause()
    transport.write('.')
  }
  socket.write('one')
  await readUntil(socket, '.')
  socket.write('two')
  await new Promise((resolve) => socket.write('three', resolve))
  for (let i = 0; i < 20; i++) await turn()
  assert.equal(read, 3)
  transport.resume()
  await readUntil(socket, '.')
  assert.ok(read > 3)
})

test('close ends what is open', async (t) => {
  const stage = new Stage(t)
  const listener = await stage.listen('plain', undefined, echo)
  const socket = await stage.tcp(listener.port)
  socket.write('x')
  await readUntil(socket, 'x')
  assert.equal(listener.connections, 1)
  const { port } = listener
  listener.close()
  await closed(socket)
  await assert.rejects(stage.tcp(port), { code: 'ECONNREFUSED' })
})

test('a port that is taken, forbidden or elsewhere is told with what to do', async (t) => {
  const stage = new Stage(t)
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  t.after(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const listen = (host: string, at: number) =>
    stage.listen('plain', undefined, echo, { address: { host, port: at } })
  await assert.rejects(listen('127.0.0.1', port), (error) => {
    assert.ok(error instanceof ListenError)
    assert.match(error.message, new RegExp(`^cannot listen on 127\\.0\\.0\\.1:${port}: another program uses`))
    return true
  })
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org'])
    await assert.rejects(listen(host, 0), /without TLS: passwords would be readable/)
  const address = { host: '192.0.2.1', port: 0 }
  const elsewhere = stage.listen('starttls', await bothDomains(stage), echo, { address })
  await assert.rejects(
    elsewhere,
    /^ListenError: cannot listen on 192\.0\.2\.1:0: this machine has no such address/,
  )
})

test('on every address, an IPv4 client is known by its IPv4 address, with IPv6 here or without', async (t) => {
  const stage = new Stage(t)
  const arrived = deferred<TcpTransport>()
  const address = { host: '::', port: 0 }
  const { port } = await stage.listen('starttls', await bothDomains(stage), arrived.resolve, { address })
  await stage.tcp(port)
  assert.equal((await arrived.promise).remote, '127.0.0.1')
})

test('nothing is written in plain while TLS is being put on, and end ends it', async (t) => {
  const stage = new Stage(t)
  const gone = deferred<unknown>()
  const { port } = await stage.listen('starttls', await bothDomains(stage), (transport) => {
    transport.onClose = gone.resolve
    transport.onData = () => {
      const { secure } = transport as { secure?: (text: string) => Promise<void> }
      secure!.call(transport, proceed).catch(() => {})
      transport.write('<message>secret</message>')
      stage.clock.after(1000, () => transport.end())
    }
  })
  const plain = await stage.tcp(port)
  let got = ''
  plain.on('data', (chunk: Buffer) => (got += chunk.toString()))
  plain.write('<starttls/>')
  await readUntil(plain, '/>')
  stage.clock.advance(1000)
  await gone.promise
  await closed(plain)
  assert.equal(got, proceed)
})
