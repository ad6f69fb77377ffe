/** `parley dns` and `parley dns check`, the latter against a name server of our own. */
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { ctl } from '../../../src/admin/ctl.js'
import { dnsCheck } from '../../../src/admin/dns.js'
import type { Finding } from '../../../src/admin/dns-check.js'
import { systemRandom } from '../../../src/base/random.js'
import pubsub from '../../../src/modules/pubsub/pubsub.js'
import { loadConfig } from '../../../src/config/load.js'
import type { ModuleDeclaration } from '../../../src/config/server.js'
import { NameServer } from '../../support/name-server.js'
import type { Zone } from '../../support/name-server.js'
import { Authority } from '../tls/issuer.js'
import { environment, FakeTerminal, inMemory } from './stage.js'

const issued = new Authority('test').issue({ names: ['a.test'] })
const { publicKey } = new X509Certificate(issued.certificate)
const keyHash = createHash('sha256')
  .update(publicKey.export({ type: 'spki', format: 'der' }))
  .digest('hex')

async function parley(
  line: string,
  config: string,
  interfaces: readonly string[] = [],
  modules: readonly ModuleDeclaration[] = [],
) {
  const terminal = new FakeTerminal()
  const files = inMemory({
    '/home/ana/parley.toml': config,
    '/home/ana/cert.pem': issued.certificate,
    '/home/ana/key.pem': issued.key,
    // What a server without files of its own has made.
    '/home/ana/data/tls/kept.test.crt': issued.certificate,
  })
  const code = await ctl(
    [...line.split(' '), '--config', '/home/ana/parley.toml'],
    environment({
      terminal,
      files,
      random: systemRandom,
      interfaces: () => interfaces,
      modules: async () => modules,
    }),
  )
  return { code, out: terminal.said.join('\n'), error: terminal.complaints.join('\n') }
}

/** What is said of one domain with this zone: `LEVEL about: text | fix`. */
async function checked(
  t: TestContext,
  zone: Zone,
  line = 'dns check',
  config = "domain = 'a.test'",
  interfaces: readonly string[] = [],
) {
  const server = await NameServer.start(zone)
  t.after(() => server.stop())
  const own = `${config}\n[dns]\nservers = ['127.0.0.1:${server.address.port}']\n`
  const { code, out, error } = await parley(`${line} --json`, own, interfaces)
  assert.equal(error, '')
  const { ok, findings } = JSON.parse(out) as { ok: boolean; findings: Finding[] }
  assert.equal(code, ok ? 0 : 1)
  return {
    ok,
    lines: findings.map(
      ({ level, about, text, fix }) => `${level} ${about}: ${text}${fix === undefined ? '' : ` | ${fix}`}`,
    ),
  }
}

function has(lines: readonly string[], line: string): void {
  assert.ok(lines.includes(line), `missing: ${line}\nin:\n${lines.join('\n')}`)
}

test('a domain that is its own host needs its address only', async () => {
  const { code, out } = await parley('dns --ipv4 192.0.2.1', "domain = 'a.test'")
  assert.equal(code, 0)
  const [needed = '', optional = ''] = out.split('\n\n')
  assert.equal(
    needed,
    `Set these DNS records:
  TYPE  NAME    PRIORITY  WEIGHT  PORT  VALUE
  A     a.test                          192.0.2.1`,
  )
  // With direct TLS alone nobody would find STARTTLS any more.
  assert.match(
    optional,
    /_xmpp-client.*5222.*\n.*_xmpp-server.*5269.*\n.*_xmpps-client.*5223.*\n.*_xmpps-server.*5270/,
  )
})

test('another host, or other ports, need SRV records', async () => {
  const { out } = await parley(
    'dns --zone --target XMPP.a.test --ipv4 192.0.2.1 --ipv6 2001:db8::1',
    "domain = 'a.test'\n[component.'irc.a.test']\nsecret = 'long enough to be one'\n[listen]\nc2s_tls = 'off'",
  )
  assert.equal(
    out,
    `; Set these DNS records
xmpp.a.test. 3600 IN A 192.0.2.1
xmpp.a.test. 3600 IN AAAA 2001:db8::1
_xmpp-client._tcp.a.test. 3600 IN SRV 5 5 5222 xmpp.a.test.
_xmpp-server._tcp.a.test. 3600 IN SRV 5 5 5269 xmpp.a.test.
_xmpp-server._tcp.irc.a.test. 3600 IN SRV 5 5 5269 xmpp.a.test.

; Optional: direct TLS, one round trip less, and through firewalls that let nothing else pass
_xmpps-server._tcp.a.test. 3600 IN SRV 5 5 5270 xmpp.a.test.
_xmpps-server._tcp.irc.a.test. 3600 IN SRV 5 5 5270 xmpp.a.test.

; Optional: no other authority may issue certificates
a.test. 3600 IN CAA 0 issue "letsencrypt.org"`,
  )
  const ports = await parley(
    'dns --zone',
    "domain = 'a.test'\n[listen]\nc2s = '192.0.2.5:15222'\ns2s = '127.0.0.1:6000'",
  )
  assert.match(ports.out, /^a\.test\. 3600 IN A 192\.0\.2\.5$/m)
  assert.match(ports.out, /^_xmpp-client\._tcp\.a\.test\. 3600 IN SRV 5 5 15222 a\.test\.$/m)
  // Behind a proxy the port that others see is the usual one.
  assert.match(ports.out, /^_xmpp-server\._tcp\.a\.test\. 3600 IN SRV 5 5 5269 a\.test\.$/m)
})

test('services at domains of their own need to be found by other servers', async () => {
  const settings = "domain = 'a.test'\n[modules.pubsub]\nenabled = true"
  const own = await parley('dns --zone --ipv4 192.0.2.1', settings, [], [pubsub])
  assert.match(own.out, /^a\.test\. 3600 IN A 192\.0\.2\.1\npubsub\.a\.test\. 3600 IN A 192\.0\.2\.1$/m)
  const { out } = await parley('dns --zone --target x.test --ipv4 192.0.2.1', settings, [], [pubsub])
  assert.match(out, /^_xmpp-server\._tcp\.pubsub\.a\.test\. 3600 IN SRV 5 5 5269 x\.test\.$/m)
  assert.doesNotMatch(out, /_client\._tcp\.pubsub/)
})

test('an unknown address is asked for, and is no record in a zone file', async () => {
  const table = await parley('dns', "domain = 'b\u00fccher.test'")
  assert.match(table.out, /A +xn--bcher-kva\.test +\(the IPv4 address of the server\)/)
  assert.match(table.out, /With --ipv4 ADDRESS and --ipv6 ADDRESS/)
  const { out } = await parley('dns --zone', "domain = 'a.test'")
  assert.ok(out.split('\n').some((line) => line.startsWith('; a.test. 3600 IN A (')))
})

test('for programs', async () => {
  const { out } = await parley('dns --json --target x.test --ipv4 192.0.2.1', "domain = 'a.test'")
  const records = JSON.parse(out) as { type: string; group: string; zone: string }[]
  assert.deepEqual(records[1], {
    type: 'SRV',
    name: '_xmpp-client._tcp.a.test',
    priority: 5,
    weight: 5,
    port: 5222,
    value: 'x.test',
    group: 'needed',
    zone: '_xmpp-client._tcp.a.test. 3600 IN SRV 5 5 5222 x.test.',
  })
  assert.deepEqual(new Set(records.map(({ group }) => group)), new Set(['needed', 'direct-tls', 'caa']))
})

test('TLSA records have the hash of the key, and need a certificate', async () => {
  const { out } = await parley(
    'dns --zone --tlsa --target x.test',
    "domain = 'a.test'\n[tls]\ncertificate = 'cert.pem'\nkey = 'key.pem'",
  )
  for (const port of [5222, 5223, 5269, 5270])
    assert.ok(out.includes(`_${port}._tcp.x.test. 3600 IN TLSA 3 1 1 ${keyHash}`), out)
  const kept = await parley('dns --zone --tlsa', "domain = 'kept.test'")
  assert.ok(kept.out.includes(`_5269._tcp.kept.test. 3600 IN TLSA 3 1 1 ${keyHash}`), kept.out)
  const without = await parley('dns --tlsa', "domain = 'a.test'")
  assert.equal(without.code, 1)
  assert.match(without.error, /no domain has a certificate yet/)
})

test('wrong words, and a server for this machine only', async () => {
  for (const [line, message] of [
    ['dns --ipv4 2001:db8::1', /is no IPv4 address/],
    ['dns --ipv6 x', /is no IPv6 address/],
    ['dns --target https://x.test', /is a URL/],
    ['dns check --zone', /unknown option --zone/],
  ] as const) {
    const { code, error } = await parley(line, "domain = 'a.test'")
    assert.equal(code, 2, line)
    assert.match(error, message)
  }
  for (const line of ['dns', 'dns check']) {
    const { code, error } = await parley(line, "domain = 'localhost'")
    assert.equal(code, 1)
    assert.match(error, /localhost needs no DNS records/)
  }
})

const right: Zone = {
  'x.test': { A: ['192.0.2.1'] },
  '_xmpp-client._tcp.a.test': { SRV: ['5 5 5222 x.test'] },
  '_xmpp-server._tcp.a.test': { SRV: ['5 5 5269 x.test'] },
  '_xmpps-client._tcp.a.test': { SRV: ['5 5 5223 x.test'] },
  '_xmpps-server._tcp.a.test': { SRV: ['5 5 5270 x.test'] },
  'a.test': { CAA: ['0 issue ca.test'] },
}
const known = 'dns check --target x.test --ipv4 192.0.2.1'

test('what is right is said to be', async (t) => {
  const { ok, lines } = await checked(t, right, known)
  assert.equal(ok, true)
  assert.deepEqual(lines, [
    'ok _xmpp-client._tcp: -> x.test port 5222 = 192.0.2.1',
    'ok _xmpp-server._tcp: -> x.test port 5269 = 192.0.2.1',
    'ok _xmpps-client._tcp: -> x.test port 5223 = 192.0.2.1',
    'ok _xmpps-server._tcp: -> x.test port 5270 = 192.0.2.1',
    'ok CAA: a.test: ca.test',
  ])
})

test('each fault of a record has its name and its fix', async (t) => {
  const line = '_xmpp-client._tcp.a.test. 3600 IN SRV 5 5 5222 x.test.'
  for (const [srv, expected] of [
    [
      '5 5 5223 x.test',
      'fail _xmpp-client._tcp: -> port 5223 is the direct TLS port of clients | set the port to 5222',
    ],
    [
      '5 5 5269 x.test',
      'fail _xmpp-client._tcp: -> port 5269 is the STARTTLS port of servers | set the port to 5222',
    ],
    [
      '5 5 9999 x.test',
      'warn _xmpp-client._tcp: -> port 9999: the server listens on 5222 | set the port to 5222',
    ],
    [
      '0 0 0 .',
      `fail _xmpp-client._tcp: says that there is none, the server listens on port 5222 | delete the record, or add ${line} instead`,
    ],
    [
      '5 5 5222 alias.test',
      'fail _xmpp-client._tcp: -> alias.test is an alias (CNAME) of x.test, which RFC 2782 forbids: some never arrive | set the target to x.test',
    ],
    [
      '5 5 5222 gone.test',
      'fail _xmpp-client._tcp: -> gone.test does not exist | add gone.test A or AAAA, the address of this server, or correct the target',
    ],
    [
      '5 5 5222 bare.test',
      'fail _xmpp-client._tcp: -> bare.test has no address | add bare.test A or AAAA, the address of this server, or correct the target',
    ],
    [
      '5 5 5222 old.test',
      `fail _xmpp-client._tcp: -> old.test = 198.51.100.9, but the server has 192.0.2.1: a former server? | delete the record, or add ${line} instead`,
    ],
    [
      '5 5 5222 192.0.2.1',
      'fail _xmpp-client._tcp: -> 192.0.2.1 is an address, not a name | give the address a name (A or AAAA record), and set it as the target',
    ],
    [
      '5 5 5222 broken.test',
      'fail _xmpp-client._tcp: broken.test A/AAAA: the DNS server could not find out, or the signatures are wrong (SERVFAIL) | look at the name servers of the zone and its DNSSEC (the DS record) at your DNS provider',
    ],
  ] as const) {
    const zone: Zone = {
      ...right,
      '_xmpp-client._tcp.a.test': { SRV: [srv] },
      'alias.test': { CNAME: 'x.test' },
      'bare.test': { CAA: ['0 issue ca.test'] },
      'old.test': { A: ['198.51.100.9'] },
      'broken.test': 'SERVFAIL',
    }
    const { ok, lines } = await checked(t, zone, known)
    has(lines, expected)
    assert.equal(ok, expected.startsWith('warn'))
  }
})

test('a record beside the right one that leads elsewhere is found', async (t) => {
  const { ok, lines } = await checked(
    t,
    {
      ...right,
      'old.test': { A: ['198.51.100.9'] },
      '_xmpp-server._tcp.a.test': { SRV: ['5 5 5269 x.test', '10 5 5269 old.test'] },
    },
    known,
  )
  assert.equal(ok, false)
  has(lines, 'ok _xmpp-server._tcp: -> x.test port 5269 = 192.0.2.1')
  assert.ok(lines.some((line) => line.startsWith('fail _xmpp-server._tcp: -> old.test')))
})

test('missing records: none are needed where the domain itself is the server', async (t) => {
  const zone: Zone = { 'a.test': { A: ['192.0.2.1'], CAA: ['0 issue ca.test'] } }
  const itself = await checked(t, zone, 'dns check --ipv4 192.0.2.1')
  assert.deepEqual(itself.lines, [
    'ok _xmpp-client._tcp: not needed: a.test = 192.0.2.1',
    'ok _xmpp-server._tcp: not needed: a.test = 192.0.2.1',
    'note _xmpps-client._tcp: not set (optional): direct TLS for clients',
    'note _xmpps-server._tcp: not set (optional): direct TLS for servers',
    'ok CAA: a.test: ca.test',
  ])
  assert.equal(itself.ok, true)

  const line = '_xmpp-server._tcp.a.test. 3600 IN SRV 5 5 5269 x.test.'
  const website = await checked(t, zone, 'dns check --target x.test --ipv4 192.0.2.2')
  has(
    website.lines,
    `fail _xmpp-server._tcp: missing: servers go to a.test = 192.0.2.1, but the server has 192.0.2.2 | add ${line}`,
  )
  const nothing = await checked(t, {}, 'dns check --target x.test')
  has(nothing.lines, `fail _xmpp-server._tcp: missing, and a.test does not exist | add ${line}`)
  const port = await checked(t, zone, 'dns check', "domain = 'a.test'\n[listen]\ns2s = '[::]:15269'")
  has(
    port.lines,
    'fail _xmpp-server._tcp: missing: servers try a.test port 5269, the server listens on 15269 | add _xmpp-server._tcp.a.test. 3600 IN SRV 5 5 15269 a.test.',
  )
})

test('without a given address the interfaces of this machine are a hint, private ones are none', async (t) => {
  const zone: Zone = { 'a.test': { A: ['192.0.2.1'], AAAA: ['2001:db8::1'], CAA: ['0 issue ca.test'] } }
  const config = "domain = 'a.test'"
  const elsewhere = await checked(t, zone, 'dns check', config, ['127.0.0.1', '198.51.100.1'])
  assert.equal(elsewhere.ok, true)
  has(
    elsewhere.lines,
    'warn _xmpp-client._tcp: missing: clients go to a.test = 2001:db8::1 192.0.2.1, and this machine does not have 192.0.2.1 | add _xmpp-client._tcp.a.test. 3600 IN SRV 5 5 5222 a.test.',
  )
  for (const interfaces of [
    ['10.0.0.5', 'fe80::1', '::1', 'fd00::1'],
    ['192.0.2.1'],
    ['192.0.2.1', '2001:DB8:0::1'],
  ]) {
    const { lines } = await checked(t, zone, 'dns check', config, interfaces)
    assert.ok(!lines.some((line) => line.startsWith('warn')), lines.join('\n'))
  }
})

test('a listener that is off has no record', async (t) => {
  const config = "domain = 'a.test'\n[listen]\ns2s_tls = 'off'\nc2s_tls = 'off'"
  const { lines } = await checked(
    t,
    { ...right, '_xmpps-client._tcp.a.test': { SRV: ['0 0 0 .'] } },
    known,
    config,
  )
  has(
    lines,
    'fail _xmpps-server._tcp: -> x.test port 5270: the server does not listen for this | delete the record, or set listen.s2s_tls',
  )
  has(lines, 'ok _xmpps-client._tcp: says that there is none')
})

test('DNS that does not answer is no proof, and no success', async (t) => {
  const { ok, lines } = await checked(
    t,
    { ...right, '_xmpp-server._tcp.a.test': 'REFUSED', 'a.test': 'SERVFAIL' },
    known,
  )
  assert.equal(ok, false)
  has(
    lines,
    'unknown _xmpp-server._tcp: _xmpp-server._tcp.a.test SRV: the DNS server refuses to answer (REFUSED) | name a DNS server that answers in dns.servers, and let UDP and TCP port 53 pass',
  )
  assert.ok(
    lines.some(
      (line) => line.startsWith('fail CAA: a.test CAA:') && line.includes('authorities will refuse'),
    ),
    lines.join('\n'),
  )
})

test('CAA records of the domain above hold, too; without any there is a warning', async (t) => {
  const config = "domain = 'chat.a.test'"
  const above = await checked(
    t,
    { 'chat.a.test': { A: ['192.0.2.1'] }, 'a.test': { CAA: ['0 issue ca.test'] } },
    'dns check',
    config,
  )
  has(above.lines, 'ok CAA: a.test: ca.test')
  const none = await checked(
    t,
    { 'chat.a.test': { A: ['192.0.2.1'] } },
    'dns check --authority ca.test',
    config,
  )
  has(
    none.lines,
    'warn CAA: not set: any authority may issue certificates for this domain | add chat.a.test. 3600 IN CAA 0 issue "ca.test"',
  )
  assert.equal(none.ok, true)
})

test('TLSA records must fit the certificate', async (t) => {
  const config = "domain = 'a.test'\n[tls]\ncertificate = 'cert.pem'\nkey = 'key.pem'"
  const { raw } = new X509Certificate(issued.certificate)
  const whole = createHash('sha512').update(raw).digest('hex')
  const { ok, lines } = await checked(
    t,
    {
      ...right,
      '_5222._tcp.x.test': { TLSA: [`3 1 1 ${keyHash}`], ad: true },
      '_5223._tcp.x.test': { TLSA: [`3 0 2 ${whole}`, '3 1 1 00'] },
      '_5269._tcp.x.test': { TLSA: [`3 1 1 ${'00'.repeat(32)}`], ad: true },
      '_5270._tcp.x.test': { TLSA: [`2 1 1 ${'00'.repeat(32)}`], ad: true },
    },
    known,
    config,
  )
  assert.equal(ok, false)
  assert.deepEqual(
    lines.filter((line) => line.includes('TLSA')),
    [
      'ok _5222._tcp.x.test TLSA: fits the certificate',
      `fail _5269._tcp.x.test TLSA: does not fit the certificate of a.test: servers that use DANE refuse it | set it to 3 1 1 ${keyHash}`,
      'warn _5223._tcp.x.test TLSA: fits the certificate, but is not validated by DNSSEC: nobody may use it | sign the zone; if it is signed, name a validating server in dns.servers',
      'ok _5270._tcp.x.test TLSA: fits the certificate',
    ],
  )
})

test('for people: what is wrong with its fix below, and the sum', async (t) => {
  const server = await NameServer.start({
    ...right,
    '_xmpps-client._tcp.a.test': { SRV: ['5 5 5222 x.test'] },
  })
  t.after(() => server.stop())
  const config = `domain = 'a.test'\n[dns]\nservers = ['127.0.0.1:${server.address.port}']\n`
  const { code, out } = await parley(known, config)
  assert.equal(code, 1)
  assert.equal(
    out,
    `a.test
  ok    _xmpp-client._tcp   -> x.test port 5222 = 192.0.2.1
  ok    _xmpp-server._tcp   -> x.test port 5269 = 192.0.2.1
  FAIL  _xmpps-client._tcp  -> port 5222 is the STARTTLS port of clients
           fix: set the port to 5223, or delete the record
  ok    _xmpps-server._tcp  -> x.test port 5270 = 192.0.2.1
  ok    CAA                 a.test: ca.test
4 ok  0 warnings  1 failed`,
  )
})

test('an IPv6 address at which nobody listens is found', async (t) => {
  const zone: Zone = { 'a.test': { A: ['192.0.2.1'], AAAA: ['2001:db8::1'], CAA: ['0 issue ca.test'] } }
  const config = "domain = 'a.test'\n[listen]\nc2s = '0.0.0.0:5222'\ns2s = '127.0.0.1:5269'"
  const { lines } = await checked(t, zone, 'dns check', config)
  has(
    lines,
    'fail _xmpp-client._tcp: -> a.test has the IPv6 address 2001:db8::1, the server listens on IPv4 only | set listen.c2s to "[::]:5222", or delete the AAAA record',
  )
  // A proxy stands before it.
  has(lines, 'ok _xmpp-server._tcp: not needed: a.test = 2001:db8::1 192.0.2.1')
})

test('older records that the DNS server here still has are told', async (t) => {
  const theirs = await NameServer.start({
    'chat.a.test': { A: ['192.0.2.2'] },
    '_xmpp-server._tcp.chat.a.test': { SRV: ['5 5 5269 chat.a.test'] },
    '_xmpp-client._tcp.chat.a.test': { SRV: ['5 5 5222 chat.a.test', '6 5 5222 chat.a.test'] },
    '_xmpps-client._tcp.chat.a.test': 'SERVFAIL',
  })
  t.after(() => theirs.stop())
  const here = await NameServer.start({
    'a.test': { NS: ['ns.a.test', 'gone.a.test'] },
    'ns.a.test': { A: ['127.0.0.1'] },
    'chat.a.test': { A: ['192.0.2.1'], ttl: 60, CAA: ['0 issue ca.test'] },
    // The same in another order is the same.
    '_xmpp-client._tcp.chat.a.test': { SRV: ['6 5 5222 chat.a.test', '5 5 5222 chat.a.test'] },
  })
  t.after(() => here.stop())
  const text = `domain = 'chat.a.test'\n[dns]\nservers = ['127.0.0.1:${here.address.port}']\n`
  const { config } = loadConfig({
    file: '/home/ana/x.toml',
    modules: [],
    files: inMemory({ '/home/ana/x.toml': text }),
  })
  const terminal = new FakeTerminal()
  const at = { ...environment({ terminal, random: systemRandom }), dnsPort: theirs.address.port }
  await dnsCheck(config, {}, true, at)
  const { findings } = JSON.parse(terminal.said.join('')) as { findings: Finding[] }
  assert.deepEqual(
    findings.filter(({ text: said }) => said.startsWith('the name servers')),
    [
      {
        domain: 'chat.a.test',
        level: 'warn',
        about: 'A/AAAA',
        text: 'the name servers of a.test say 192.0.2.2, the DNS server here 192.0.2.1',
        fix: 'wait 60 s: others may see the old records as long',
      },
      {
        domain: 'chat.a.test',
        level: 'warn',
        about: '_xmpp-server._tcp',
        text: 'the name servers of a.test say 5 5 5269 chat.a.test, the DNS server here that there is none',
        fix: 'wait: others may see the old records as long',
      },
    ],
  )
})
