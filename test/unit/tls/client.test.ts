import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import type { TlsOptions, TLSSocket } from 'node:tls'
import { TlsClient } from '../../../src/tls/client.js'
import { HandshakeError } from '../../../src/tls/tcp-transport.js'
import type { TcpTransport } from '../../../src/tls/tcp-transport.js'
import { Authority } from './issuer.js'
import { deferred, Stage, turn } from './stage.js'

const root = new Authority('Root of the tests')
const middle = new Authority('Middle of the tests', root)
const ours = root.issue({ names: ['ours.example'] })
const theirs = middle.issue({ names: ['xn--bcher-kva.example'] })
const proceed = `<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`
const ends = { from: 'ours.example', to: 'bücher.example' }

const der = (pem: string) => new X509Certificate(pem).raw

/** A listener for servers and a client with certificates of their own. */
async function between(
  t: TestContext,
  kind: 'starttls' | 'direct',
  onConnection: (it: TcpTransport) => void,
) {
  const stage = new Stage(t)
  const source = (domain: string, ...texts: string[]) => {
    const file = stage.file(`${domain}.pem`, ...texts)
    return { domain, files: { certificate: file, key: file } }
  }
  const here = source('ours.example', ours.certificate, ours.key)
  const there = source('bücher.example', theirs.certificate, middle.certificate, theirs.key)
  const listener = await stage.listen(kind, await stage.certificates(there), onConnection, { side: 'server' })
  const certificates = await stage.certificates({ domain: 'other.example' }, here)
  const client = new TlsClient({ certificates, clock: stage.clock, metrics: stage.metrics })
  t.after(() => client.close())
  return { stage, listener, client }
}

/** Resolves with what comes, when it ends with `end`. */
function heard(transport: TcpTransport, end: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    transport.onData = (chunk) => {
      text += chunk.toString()
      if (text.endsWith(end)) resolve(text)
    }
    transport.onClose = (error) => reject(new Error(`closed after ${text}`, { cause: error }))
  })
}

/** The server's side of STARTTLS: answers `<starttls/>`, then says hello under TLS. */
function negotiate(transport: TcpTransport): void {
  transport.onData = () => {
    const { secure } = transport as { secure?: (text: string) => Promise<void> }
    void secure!.call(transport, proceed).then(
      () => transport.write('hello'),
      () => {},
    )
  }
}

test('direct TLS: both servers see the chain of the other, the name asked for and xmpp-server', async (t) => {
  const arrived = deferred<TcpTransport>()
  const { stage, listener, client } = await between(t, 'direct', arrived.resolve)
  const out = await client.direct(await stage.tcp(listener.port), ends)
  const incoming = await arrived.promise
  assert.deepEqual(incoming.tls!.peerChain, [der(ours.certificate)])
  assert.deepEqual(out.tls!.peerChain, [der(theirs.certificate), der(middle.certificate)])
  assert.equal(incoming.tls!.serverName, 'xn--bcher-kva.example')
  assert.equal(incoming.tls!.protocol, 'TLSv1.3')
  assert.equal(client.connections, 1)
  incoming.write('welcome')
  assert.equal(await heard(out, 'welcome'), 'welcome')
  out.onClose = () => {}
  out.destroy()
  assert.equal(
    (await stage.metrics.text()).match(/parley_s2s_connections_total\{.*direct.*ipv4.*\} 1/)?.length,
    1,
  )
})

test('STARTTLS: nothing is written between <proceed/> and the handshake, then TLS both ways', async (t) => {
  const arrived = deferred<TcpTransport>()
  const { stage, listener, client } = await between(t, 'starttls', (it) => {
    negotiate(it)
    arrived.resolve(it)
  })
  const out = client.starttls(await stage.tcp(listener.port), ends)
  out.write('<starttls/>')
  assert.equal(await heard(out, '/>'), proceed)
  assert.equal(out.tls, undefined)
  const hello = heard(out, 'hello')
  await out.secure()
  assert.equal(await hello, 'hello')
  assert.equal(out.tls!.peerChain.length, 2)
  const incoming = await arrived.promise
  const again = heard(incoming, 'world')
  out.write('wor')
  out.write('ld')
  assert.equal(await again, 'world')
  assert.deepEqual(incoming.tls!.peerChain, [der(ours.certificate)])
})

/** A TLS server of Node's own, as strict or as lax as wanted. */
async function foreignServer(
  t: TestContext,
  options: TlsOptions,
  onSecure: (socket: TLSSocket) => void = () => {},
) {
  const server = createTlsServer({ cert: theirs.certificate, key: theirs.key, ...options }, onSecure)
  server.on('tlsClientError', () => {}).on('connection', (socket) => t.after(() => socket.destroy()))
  t.after(() => server.close())
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return (server.address() as AddressInfo).port
}

test('an answer without ALPN is fine, another protocol is not', async (t) => {
  const { stage, client } = await between(t, 'direct', () => {})
  const without = await client.direct(await stage.tcp(await foreignServer(t, {})), ends)
  assert.equal(without.tls!.peerChain.length, 1)
  // A server that answers with what nobody asked for.
  const other = await stage.tcp(await foreignServer(t, { ALPNCallback: () => 'http/1.1' }))
  await assert.rejects(client.direct(other, ends), HandshakeError)
  assert.equal(other.destroyed, true)
  const refusing = await stage.tcp(await foreignServer(t, { ALPNProtocols: ['http/1.1'] }))
  await assert.rejects(client.direct(refusing, ends), (error: HandshakeError) =>
    /ALPN|alert/i.test(error.message),
  )
})

test('no server name is asked for at an address, and STARTTLS offers no application protocol', async (t) => {
  const seen: unknown[] = []
  const port = await foreignServer(t, { ALPNProtocols: ['xmpp-server'] }, (socket) => {
    seen.push((socket as { servername?: unknown }).servername, socket.alpnProtocol)
    socket.write('seen')
  })
  const { stage, client } = await between(t, 'direct', () => {})
  for (const to of ['127.0.0.1', '[::1]', 'example.org.']) {
    const out = client.starttls(await stage.tcp(port), { from: 'ours.example', to })
    const told = heard(out, 'seen')
    await out.secure()
    await told
    out.onClose = () => {}
  }
  assert.deepEqual(seen, [false, false, false, false, 'example.org', false])
})

test('the certificate of our domain is presented, whatever the server thinks of it', async (t) => {
  const sent: string[] = []
  const port = await foreignServer(t, { requestCert: true, rejectUnauthorized: false }, (socket) => {
    sent.push(socket.getPeerX509Certificate()!.subjectAltName!)
    socket.write('seen')
  })
  const { stage, client } = await between(t, 'direct', () => {})
  for (const from of ['ours.example', 'other.example']) {
    const out = await client.direct(await stage.tcp(port), { from, to: 'example.org' })
    await heard(out, 'seen')
    out.onClose = () => {}
  }
  assert.deepEqual(sent, ['DNS:ours.example', 'DNS:other.example'])
})

test('plain text behind <proceed/> breaks the handshake', async (t) => {
  const { stage, client } = await between(t, 'starttls', () => {})
  const server = createServer((socket) => {
    t.after(() => socket.destroy())
    socket.on('error', () => {}).once('data', () => socket.write(proceed))
    socket.once('data', () => socket.once('data', () => socket.write('<stream:features/>')))
  })
  t.after(() => server.close())
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const out = client.starttls(await stage.tcp((server.address() as AddressInfo).port), ends)
  out.write('<starttls/>')
  const closed = deferred<void>()
  out.onClose = () => closed.resolve()
  const secured = new Promise<void>((resolve, reject) => {
    out.onData = (chunk) => {
      assert.equal(chunk.toString(), proceed)
      out.secure().then(resolve, reject)
    }
  })
  await assert.rejects(secured, HandshakeError)
  await closed.promise
  assert.equal(client.connections, 0)
})

test('a server that does not shake hands is given up after a time', async (t) => {
  const { stage, client } = await between(t, 'direct', () => {})
  const server = createServer((socket) => t.after(() => socket.destroy()))
  t.after(() => server.close())
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const attempt = client.direct(await stage.tcp(port), ends)
  await turn()
  stage.clock.advance(10_000)
  await assert.rejects(attempt, { code: 'TIMEOUT' })
  const cut = client.direct(await stage.tcp(port), ends)
  client.close()
  await assert.rejects(cut, { code: 'CLOSED' })
  assert.equal(client.connections, 0)
})

test('a server is let in without a certificate, with a strange one, and no authority is named to it', async (t) => {
  const chains: number[] = []
  const { stage, listener } = await between(t, 'direct', (it) => {
    chains.push(it.tls!.peerChain.length)
    it.write('x')
  })
  const strange = new Authority('Nobody knows').issue({ names: ['evil.example'] })
  const { certificate: cert, key } = strange
  for (const options of [{}, { cert, key }, { cert: cert + root.certificate, key }]) {
    const socket = await stage.tls(listener.port, { ALPNProtocols: ['xmpp-server'], ...options })
    assert.equal(socket.alpnProtocol, 'xmpp-server')
    await new Promise((read) => socket.once('data', read))
  }
  assert.deepEqual(chains, [0, 1, 2])
  await assert.rejects(stage.tls(listener.port, { ALPNProtocols: ['xmpp-client'] }), /application.protocol/i)
})

test('hundreds of certificates end the handshake, both ways', async (t) => {
  const { stage, listener, client } = await between(t, 'direct', () => assert.fail('let in'))
  const { certificate, key } = middle.issue({ names: ['peer.example'] })
  const flood = { cert: certificate + middle.certificate.repeat(50), key }
  const socket = await stage.tls(listener.port, flood)
  await new Promise((ended) => socket.on('error', ended).on('close', ended))
  const port = await foreignServer(t, flood)
  await assert.rejects(client.direct(await stage.tcp(port), ends), { code: 'TOO_LARGE' })
  assert.equal(stage.metrics.valueOf('tls_handshake_failures_total', 'TOO_LARGE'), 2)
})

test('the chain can be asked for again, and is what was sent in its order', async (t) => {
  const arrived = deferred<TcpTransport>()
  const { stage, listener } = await between(t, 'direct', arrived.resolve)
  const { certificate, key } = middle.issue({ names: ['peer.example'] })
  await stage.tls(listener.port, { cert: certificate + root.certificate + middle.certificate, key })
  const { tls } = await arrived.promise
  const sent = [certificate, root.certificate, middle.certificate].map(der)
  assert.deepEqual(tls!.peerChain, sent)
  assert.deepEqual(tls!.peerChain, sent)
})

test('a session is not resumed: the chain would be missing', async (t) => {
  const chains: number[] = []
  const { stage, listener } = await between(t, 'direct', (it) => {
    chains.push(it.tls!.peerChain.length)
    it.write('x')
  })
  const { certificate, key } = middle.issue({ names: ['peer.example'] })
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    let session: Buffer | undefined
    for (let round = 0; round < 2; round++) {
      const options = {
        cert: certificate + middle.certificate,
        key,
        maxVersion,
        ...(session ? { session } : {}),
      }
      const socket = await stage.tls(listener.port, options)
      socket.on('session', (it: Buffer) => (session = it))
      await new Promise((read) => socket.once('data', read))
      session ??= socket.getSession()
      assert.equal(socket.isSessionReused(), false)
      socket.destroy()
    }
  }
  assert.deepEqual(chains, [2, 2, 2, 2])
})
