/** What `parley s2s test` says of servers that cannot be reached: each is broken in one way, and the fix must be true. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { FakeServer } from '../support/fake-server.js'
import type { Line, Script } from '../support/fake-server.js'
import { NameServer } from '../support/name-server.js'
import type { Entry, Fate } from '../support/name-server.js'
import { newAuthority } from '../support/test-ca.js'
import type { Issued, Wish } from '../support/test-ca.js'
import { Parley, temporaryFolder } from './support/server.js'

const authority = newAuthority('Verona test authority')
const closings: (() => Promise<unknown>)[] = []
const zone: Record<string, Entry | Fate> = { 'host.example': { A: ['127.0.0.1'] } }
let ours: Parley

before(async () => {
  const folder = await temporaryFolder()
  const names = await NameServer.start(zone)
  closings.push(
    () => folder.remove(),
    () => names.stop(),
  )
  const caFile = join(folder.path, 'ca.pem')
  await writeFile(caFile, authority.pem)
  // A table, not --set: names of domains have dots.
  const config = join(folder.path, 'parley.toml')
  const table = (domain: string, policy: string) => `[s2s.domain."${domain}"]\npolicy = "${policy}"\n`
  await writeFile(config, `${table('dialback.example', 'dialback-ok')}${table('blocked.example', 'blocked')}`)
  const set = [
    'domain=capulet.example',
    `dns.servers=["127.0.0.1:${names.address.port}"]`,
    `s2s.ca_file=${caFile}`,
    'limits.s2s_connect_timeout=3s',
  ]
  ours = await Parley.start({ folder: folder.path, config, set })
  closings.push(() => ours.stop())
})
after(async () => {
  for (const close of closings.splice(0).reverse()) await close()
})

interface Told {
  readonly ok: boolean
  readonly steps: readonly { readonly name: string; readonly ok: boolean; readonly text: string }[]
  readonly side: string | null
  readonly fix: string | null
}

/** Runs the command; checks that it ends at the expected step, with everything before it well. */
async function tells(
  domain: string,
  expected: { step: string; side: 'ours' | 'theirs' | 'path'; text: RegExp; fix: RegExp },
): Promise<void> {
  const { code, out, error } = await ours.cli(['s2s', 'test', domain, '--json'])
  assert.equal(code, 1, out + error)
  const { ok, steps, side, fix } = JSON.parse(out) as Told
  const last = steps.at(-1)
  assert.equal(ok, false)
  assert.ok(
    steps.slice(0, -1).every((step) => step.ok),
    out,
  )
  assert.deepEqual([last?.name, last?.ok, side], [expected.step, false, expected.side], out)
  assert.match(last!.text, expected.text)
  assert.match(fix ?? '', expected.fix)
}

/** A server for this domain, which DNS leads to. */
async function serves(
  domain: string,
  script: Script,
  tls: 'starttls' | 'direct' = 'starttls',
): Promise<void> {
  const server = await FakeServer.start(script)
  closings.push(() => server.stop())
  leads(domain, server.port, tls)
}

function leads(domain: string, port: number, tls: 'starttls' | 'direct' = 'starttls'): void {
  const service = tls === 'direct' ? '_xmpps-server' : '_xmpp-server'
  zone[`${service}._tcp.${domain}`] = { SRV: [`10 5 ${port} host.example`] }
}

const STREAM = `<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' version='1.0'`
const STARTTLS = `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>`
const EXTERNAL = `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>`
const DIALBACK = `<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>`
const CLOSING = '</stream:stream>'

const streamError = (condition: string) =>
  `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>${CLOSING}`

const features = (offers: string) => `<stream:features>${offers}</stream:features>`

/** Answers the header of a stream, and says more. */
async function opens(line: Line, domain: string, more: string): Promise<void> {
  await line.hears(/<stream:stream [^>]*>/)
  line.says(`${STREAM} id='i' from='${domain}' to='capulet.example'>${more}`)
}

/** Up to what follows its header under TLS. */
async function secures(line: Line, domain: string, certificate: Issued, more: string): Promise<void> {
  await opens(line, domain, features(STARTTLS))
  await line.hears(/<starttls [^>]*>/)
  line.says(`<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await line.secures({ cert: certificate.pem, key: certificate.keyPem })
  await opens(line, domain, more)
}

const certified = (domain: string, wish: Wish = {}) => authority.issue({ dns: [domain], ...wish })

test('nothing listens at the port', async () => {
  const gone = await FakeServer.start(async () => {})
  leads('closed.example', gone.port)
  await gone.stop()
  await tells('closed.example', {
    step: 'tcp',
    side: 'theirs',
    text: /127\.0\.0\.1:\d+ refused/,
    fix: /tell the admin of closed\.example: nothing listens there, so its SRV record names a wrong port or/,
  })
})

test('the SRV record names the port of clients', async () => {
  leads('port.example', ours.port('STARTTLS', 'clients'))
  await tells('port.example', {
    step: 'tls',
    side: 'theirs',
    text: /invalid-namespace/,
    fix: /its SRV record leads to a port that is not for servers/,
  })
})

test('the SRV record names a port of HTTP', async () => {
  leads('http.example', ours.port('HTTP'))
  await tells('http.example', {
    step: 'tls',
    side: 'theirs',
    text: /not-well-formed/,
    fix: /its SRV record leads to a port that is not for servers/,
  })
})

test('the certificate has expired', async () => {
  const domain = 'expired.example'
  const old = certified(domain, { to: Date.UTC(2020, 1, 29), from: Date.UTC(2019, 1, 1) })
  await serves(domain, (line) => secures(line, domain, old, features(EXTERNAL)))
  await tells(domain, {
    step: 'cert',
    side: 'theirs',
    text: /expired .*2020-02-29/,
    fix: /^tell the admin of expired\.example, or trust its DNS .*policy = "dialback-ok"$/,
  })
})

test('the certificate is one for another domain', async () => {
  const domain = 'other.example'
  const another = certified('montague.example')
  await serves(domain, (line) => secures(line, domain, another, features(EXTERNAL)))
  await tells(domain, {
    step: 'cert',
    side: 'theirs',
    text: /montague\.example.*other\.example|other\.example.*montague\.example/,
    fix: /^tell the admin of other\.example, or trust its DNS/,
  })
})

test('the server has no TLS', async () => {
  const domain = 'plain.example'
  await serves(domain, (line) => opens(line, domain, features(DIALBACK)))
  await tells(domain, {
    step: 'tls',
    side: 'theirs',
    text: /does not offer TLS/,
    fix: /tell the admin of plain\.example: its server must offer TLS/,
  })
})

test('the server does not take our certificate, and has no dialback', async () => {
  const domain = 'strict.example'
  await serves(domain, async (line) => {
    await secures(line, domain, certified(domain), features(EXTERNAL))
    await line.hears(/<auth [^>]*mechanism='EXTERNAL'[^>]*>=<\/auth>/)
    line.says(`<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>`)
    await line.hears(/<db:result /)
    line.ends(streamError('unsupported-stanza-type'))
  })
  await tells(domain, {
    step: 'auth',
    side: 'ours',
    text: /does not take our certificate \(not-authorized\)/,
    fix: /use one of a public authority/,
  })
})

test('the server ends the stream at the sight of our certificate', async () => {
  const domain = 'curt.example'
  await serves(domain, async (line) => {
    await secures(line, domain, certified(domain), streamError('not-authorized'))
  })
  await tells(domain, {
    step: 'auth',
    side: 'ours',
    text: /the server ended the stream: not-authorized/,
    fix: /use one of a public authority/,
  })
})

test('the server where DNS leads others denies our dialback key', async () => {
  const domain = 'dialback.example'
  await serves(domain, async (line) => {
    await secures(line, domain, certified('someone.example'), features(DIALBACK))
    await line.hears(/<db:result [^>]*>[^<]+<\/db:result>/)
    line.says(`<db:result from='${domain}' to='capulet.example' type='invalid'/>`)
  })
  await tells(domain, {
    step: 'auth',
    side: 'ours',
    text: /could not confirm our dialback key/,
    fix: /^see whether DNS leads other servers to this one: parley dns check$/,
  })
})

test('the server cannot call us back', async () => {
  const domain = 'callback.example'
  await serves(domain, async (line) => {
    await secures(line, domain, certified(domain), features(DIALBACK))
    await line.hears(/<db:result [^>]*>[^<]+<\/db:result>/)
    line.says(
      `<db:result from='${domain}' to='capulet.example' type='error'><error type='cancel'><remote-connection-failed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>`,
    )
  })
  await tells(domain, {
    step: 'auth',
    side: 'ours',
    text: /refused dialback: remote-server-timeout \(remote-connection-failed\)/,
    fix: /it cannot reach this server: parley dns check, and open TCP 5269/,
  })
})

test('the configuration blocks the domain', async () => {
  await tells('blocked.example', {
    step: 'policy',
    side: 'ours',
    text: /blocked\.example/,
    fix: /\[s2s\.domain\."blocked\.example"\] policy = "required"/,
  })
})

test('the DNS servers cannot find out', async () => {
  zone['_xmpp-server._tcp.servfail.example'] = 'SERVFAIL'
  zone['_xmpps-server._tcp.servfail.example'] = 'SERVFAIL'
  zone['servfail.example'] = 'SERVFAIL'
  await tells('servfail.example', {
    step: 'dns',
    side: 'path',
    text: /_xmpp-server\._tcp\.servfail\.example.*SERVFAIL|SERVFAIL.*_xmpp-server\._tcp\.servfail\.example/,
    fix: /^ask another resolver, \[dns\] servers .*tell the admin of servfail\.example$/,
  })
})

test('something takes the connection and says nothing', async () => {
  await serves('silent.example', async () => {})
  await tells('silent.example', {
    step: 'tls',
    side: 'theirs',
    text: /no answer within 3 s/,
    fix: /tell the admin of silent\.example: something takes connections there and says nothing/,
  })
})

test('something takes a connection for TLS and says nothing', async () => {
  await serves('mute.example', async () => {}, 'direct')
  await tells('mute.example', {
    step: 'tls',
    side: 'theirs',
    text: /no answer within 3 s/,
    fix: /tell the admin of mute\.example: something takes connections there and says nothing/,
  })
})
