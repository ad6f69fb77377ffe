import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { chmodSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemRandom } from '../../../src/base/random.js'
import { CertificateError } from '../../../src/tls/certificates.js'
import { examine } from '../../../src/tls/examine.js'
import { makeSelfSigned } from '../../../src/tls/self-signed.js'
import { Authority, newKey } from './issuer.js'
import { Stage } from './stage.js'

const day = 86_400_000
const root = new Authority('Root of the tests')
const middle = new Authority('Middle of the tests', root)
const pair = middle.issue({ names: ['example.org', '*.example.org'] })
const otherKey = newKey()
const chain = pair.certificate + middle.certificate
const now = Date.now()

test('a good pair with its chain has no faults', () => {
  const found = examine(chain, pair.key, 'example.org', now)
  assert.deepEqual([found.faults, found.dated, found.doubts], [[], [], []])
  const whole = examine(chain + root.certificate, pair.key, 'example.org', now)
  assert.deepEqual([whole.faults, whole.dated, whole.doubts], [[], [], []])
})

const lateFrom = Date.now() + 5 * day
const late = middle.issue({ names: ['example.org'], from: lateFrom, key: otherKey })
const old = middle.issue({ names: ['example.org'], to: now - day, key: otherKey })
const foreign = middle.issue({ names: ['example.net'], commonName: 'example.org', key: otherKey })
const nameless = middle.issue({ commonName: 'example.org', key: otherKey })

const faulty: [string, string, string, RegExp][] = [
  ['no certificate', 'hello', pair.key, /no certificate in the file/],
  ['no key', chain, 'hello', /no private key in the file/],
  ['a damaged certificate', chain.replace(/.{40}\n/, '\n'), pair.key, /certificate 1 of the file is damaged/],
  ['a damaged key', chain, pair.key.replace(/\n.{60}/, '\n'), /private key is damaged/],
  ['the key of another', chain, otherKey, /belongs to another certificate/],
  ['the chain first', middle.certificate + pair.certificate, pair.key, /number 2 in the file; put it first/],
  [
    'a hole in the chain',
    pair.certificate + root.certificate,
    pair.key,
    /certificate 2 .*did not issue the one before/,
  ],
  [
    'another domain, whatever the CN says',
    foreign.certificate + middle.certificate,
    otherKey,
    /is for example\.net, not for example\.org/,
  ],
  ['no name', nameless.certificate + middle.certificate, otherKey, /is for no name at all/],
]

for (const [what, certificate, key, expected] of faulty)
  test(`${what}: told in one line`, () => {
    const { faults } = examine(certificate, key, 'example.org', now)
    assert.equal(faults.length, 1, faults.join('\n'))
    assert.match(faults[0]!, expected)
    assert.doesNotMatch(faults[0]!, /\n/)
  })

test('a key with a passphrase is told with the way out', () => {
  const locked = '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n'
  const { faults } = examine(chain, locked, 'example.org', now)
  assert.match(faults.join('\n'), /^the private key is locked with a passphrase; .*openssl pkey/)
})

test('dates are told apart from faults, a missing chain is a doubt', () => {
  const expired = examine(old.certificate + middle.certificate, otherKey, 'example.org', now)
  assert.deepEqual(expired.faults, [])
  assert.match(expired.dated.join('\n'), /^the certificate of "example.org" expired on .*; renew it$/)
  const early = examine(late.certificate + middle.certificate, otherKey, 'example.org', now)
  assert.match(early.dated.join('\n'), /^the certificate of "example.org" is valid from .* only/)
  const alone = examine(pair.certificate, pair.key, 'example.org', now)
  assert.deepEqual(alone.faults, [])
  assert.match(alone.doubts.join('\n'), /the chain up to "Middle of the tests"/)
})

test('a wildcard covers a domain one level below', () => {
  assert.deepEqual(examine(chain, pair.key, 'chat.example.org', now).faults, [])
  assert.equal(examine(chain, pair.key, 'a.chat.example.org', now).faults.length, 1)
})

test('a self-signed certificate names its domain, whatever kind of name that is', async () => {
  for (const name of ['example.org', 'localhost', 'xn--mller-kva.example', '192.0.2.1', '2001:db8::1']) {
    const pem = await makeSelfSigned([name], now, systemRandom)
    const { faults, dated, doubts, chain } = examine(pem, pem, name, now)
    assert.deepEqual([faults, dated, doubts], [[], [], []], name)
    const [certificate] = chain
    assert.ok(certificate)
    assert.ok(certificate.verify(certificate.publicKey))
    assert.equal(certificate.ca, false)
    assert.equal(Math.round((Date.parse(certificate.validTo) - now) / day), 3649)
    assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
  }
})

test('a self-signed certificate can outlive the year 2050', async () => {
  const pem = await makeSelfSigned(['example.org'], Date.UTC(2045, 5, 1), systemRandom)
  const certificate = new X509Certificate(pem)
  assert.equal(new Date(certificate.validTo).toISOString(), '2055-05-29T00:00:00.000Z')
  assert.equal(new Date(certificate.validFrom).toISOString(), '2045-05-31T00:00:00.000Z')
})

test('without files a certificate is made, kept for ourselves only, and used again', async (t) => {
  const stage = new Stage(t)
  const first = await stage.certificates({ domain: 'example.org' })
  const [facts] = first.facts
  assert.equal(facts?.selfSigned, true)
  assert.match(facts.fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
  assert.equal(facts.file, join(stage.folder, 'tls', 'example.org.crt'))
  assert.equal(statSync(facts.file).mode & 0o777, 0o644)
  assert.doesNotMatch(readFileSync(facts.file, 'utf8'), /PRIVATE/, 'people are given this file')
  const withKey = join(stage.folder, 'tls', 'example.org.pem')
  assert.match(readFileSync(withKey, 'utf8'), /PRIVATE/)
  assert.equal(statSync(withKey).mode & 0o777, 0o600)
  const second = await stage.certificates({ domain: 'example.org' })
  assert.equal(second.facts[0]?.fingerprint, facts.fingerprint)
  first.close()
  second.close()
  rmSync(facts.file)
  const third = await stage.certificates({ domain: 'example.org' })
  assert.equal(
    new X509Certificate(readFileSync(facts.file)).fingerprint256,
    facts.fingerprint,
    'made when missing',
  )
  assert.equal(third.facts[0]?.fingerprint, facts.fingerprint)
  const seconds = stage.metrics.valueOf('tls_certificate_expiry_timestamp', 'example.org')
  assert.equal(seconds, facts.expires / 1000)
})

test('a kept certificate that is damaged, or about to expire, is replaced', async (t) => {
  const stage = new Stage(t)
  const certificates = await stage.certificates({ domain: 'example.org' })
  const [facts] = certificates.facts
  certificates.close()
  writeFileSync(join(stage.folder, 'tls', 'example.org.pem'), 'nonsense')
  const again = await stage.certificates({ domain: 'example.org' })
  assert.notEqual(again.facts[0]?.fingerprint, facts?.fingerprint)
  stage.clock.advance(facts!.expires - stage.clock.now() - 31 * day)
  await again.check()
  assert.equal(again.facts[0]?.expires, facts?.expires, 'a month before there is time')
  stage.clock.advance(2 * day)
  await again.check()
  assert.ok(again.facts[0]!.expires > facts!.expires + 3000 * day)
  const onDisk = new X509Certificate(readFileSync(facts!.file))
  assert.equal(onDisk.fingerprint256, again.facts[0]!.fingerprint)
})

test('a self-signed certificate is for the domains of services too', async (t) => {
  const stage = new Stage(t)
  const before = await stage.certificates({ domain: 'example.org' })
  const source = { domain: 'example.org', services: ['conference.example.org', 'b\u00fccher.example.org'] }
  const first = await stage.certificates(source)
  assert.deepEqual(first.facts[0]?.names, [
    'example.org',
    'conference.example.org',
    'xn--bcher-kva.example.org',
  ])
  assert.notEqual(first.facts[0]?.fingerprint, before.facts[0]?.fingerprint)
  const second = await stage.certificates(source)
  assert.equal(second.facts[0]?.fingerprint, first.facts[0]?.fingerprint, 'made once')
  const fewer = await stage.certificates({ domain: 'example.org' })
  assert.equal(fewer.facts[0]?.fingerprint, first.facts[0]?.fingerprint, 'good for less, too')
})

test('a service has the certificate of its domain, with a warning when that does not name it', async (t) => {
  const stage = new Stage(t)
  const both = middle.issue({ names: ['example.net', 'conference.example.net'], key: otherKey })
  const bundle = (name: string, ...texts: string[]) => {
    const certificate = stage.file(name, ...texts)
    return { certificate, key: certificate }
  }
  const certificates = await stage.certificates(
    {
      domain: 'example.org',
      services: ['conference.example.org', 'a.b.example.org'],
      files: bundle('org.pem', pair.key, chain),
    },
    {
      domain: 'example.net',
      services: ['conference.example.net', 'pubsub.example.net'],
      files: bundle('net.pem', otherKey, both.certificate, middle.certificate),
    },
  )
  assert.deepEqual(
    stage.lines.map((line) => line.replace(/^.*: the certificate/, 'the certificate')),
    [
      'the certificate does not name a.b.example.org, where a service answers',
      'the certificate does not name pubsub.example.net, where a service answers',
    ],
  )
  const [org, net] = [certificates.pairFor('example.org'), certificates.pairFor('example.net')]
  assert.notEqual(org, net)
  assert.equal(certificates.pairFor('a.b.example.org'), org)
  assert.equal(certificates.pairFor('conference.example.net'), net)
  assert.equal(certificates.pairFor('Pubsub.Example.net'), net)
})

test('files are loaded, one bundle or two', async (t) => {
  const stage = new Stage(t)
  const two = { certificate: stage.file('cert.pem', chain), key: stage.file('key.pem', pair.key) }
  const bundle = stage.file('bundle.pem', pair.key, chain)
  const certificates = await stage.certificates(
    { domain: 'example.org', files: two },
    { domain: 'chat.example.org', files: { certificate: bundle, key: bundle } },
  )
  const own = new X509Certificate(pair.certificate).fingerprint256
  assert.deepEqual(
    certificates.facts.map(({ fingerprint, selfSigned }) => [fingerprint, selfSigned]),
    [
      [own, false],
      [own, false],
    ],
  )
})

test('at the start every fault of every domain is told at once', async (t) => {
  const stage = new Stage(t)
  const certificate = stage.file('cert.pem', chain)
  const wrong = stage.file('other.pem', otherKey)
  const missing = join(stage.folder, 'missing.pem')
  await assert.rejects(
    stage.certificates(
      { domain: 'example.org', files: { certificate, key: wrong } },
      { domain: 'example.net', files: { certificate: missing, key: wrong } },
    ),
    (error) => {
      assert.ok(error instanceof CertificateError)
      const [first, second, ...rest] = error.message.split('\n')
      assert.match(first!, /^example\.org: .*cert\.pem and .*other\.pem: the private key belongs to another/)
      assert.match(second!, /^example\.net: .*missing\.pem: there is no such file; correct its name$/)
      assert.deepEqual(rest, [])
      return true
    },
  )
})

test('an unreadable file is told', { skip: process.getuid?.() === 0 }, async (t) => {
  const stage = new Stage(t)
  const certificate = stage.file('cert.pem', chain)
  chmodSync(certificate, 0)
  await assert.rejects(
    stage.certificates({ domain: 'example.org', files: { certificate, key: certificate } }),
    /may not read it/,
  )
})

test('an expired certificate does not keep the server from starting', async (t) => {
  const stage = new Stage(t)
  const file = stage.file('old.pem', otherKey, old.certificate, middle.certificate)
  await stage.certificates({ domain: 'example.org', files: { certificate: file, key: file } })
  assert.match(stage.lines.join('\n'), /expired on/)
})

test('changed files are taken up; broken ones are refused, told once and counted', async (t) => {
  const stage = new Stage(t)
  const file = stage.file('bundle.pem', pair.key, chain)
  const source = { domain: 'example.org', files: { certificate: file, key: file } }
  const certificates = await stage.certificates(source)
  const before = certificates.facts[0]!.fingerprint
  const served = certificates.pairFor(undefined)

  stage.file('bundle.pem', otherKey, chain)
  await certificates.check()
  await certificates.check()
  assert.equal(certificates.facts[0]!.fingerprint, before)
  assert.equal(stage.metrics.valueOf('tls_certificate_reload_failures_total'), 1)
  const refused = stage.lines.filter((line) => line.startsWith('tls.certificate.refused'))
  assert.equal(refused.length, 1)
  assert.match(refused[0]!, /belongs to another certificate.*\(the old one stays in use\)$/)

  stage.file('bundle.pem', otherKey, old.certificate, middle.certificate)
  await certificates.check()
  assert.equal(certificates.facts[0]!.fingerprint, before, 'an expired one does not replace a good one')
  assert.equal(stage.metrics.valueOf('tls_certificate_reload_failures_total'), 2)
  assert.equal(certificates.pairFor(undefined), served)

  const renewed = middle.issue({ names: ['example.org'], key: otherKey })
  stage.file('bundle.pem', otherKey, renewed.certificate, middle.certificate)
  await certificates.check()
  assert.equal(certificates.facts[0]!.fingerprint, new X509Certificate(renewed.certificate).fingerprint256)
  assert.notEqual(certificates.pairFor(undefined), served)
})

test('a link that is turned over is found by the look every minute', async (t) => {
  const stage = new Stage(t)
  stage.file('old.pem', pair.key, chain)
  const renewed = middle.issue({ names: ['example.org'], key: otherKey })
  stage.file('new.pem', otherKey, renewed.certificate, middle.certificate)
  const link = join(stage.folder, 'live.pem')
  symlinkSync('old.pem', link)
  const certificates = await stage.certificates({
    domain: 'example.org',
    files: { certificate: link, key: link },
  })
  rmSync(link)
  symlinkSync('new.pem', link)
  const reloaded = stage.logged(/^tls\.certificate\.reloaded/)
  stage.clock.advance(60_000)
  await reloaded
  assert.equal(certificates.facts[0]!.fingerprint, new X509Certificate(renewed.certificate).fingerprint256)
})

test('a file that is replaced is noticed without waiting for the minute', async (t) => {
  const stage = new Stage(t)
  const file = stage.file('bundle.pem', pair.key, chain)
  await stage.certificates({ domain: 'example.org', files: { certificate: file, key: file } })
  const renewed = middle.issue({ names: ['example.org'], key: otherKey })
  const draft = stage.file('draft.pem', otherKey, renewed.certificate, middle.certificate)
  // The watcher tells in its own time; half a second of ours after that, the files are read.
  const after = stage.clock.after.bind(stage.clock)
  const noticed = new Promise<void>((resolve) => {
    stage.clock.after = (ms, run) => {
      if (ms === 500) resolve()
      return after(ms, run)
    }
  })
  renameSync(draft, file)
  // Watching keeps no process alive, this does.
  const alive = setInterval(() => {}, 1000)
  await noticed
  clearInterval(alive)
  const reloaded = stage.logged(/^tls\.certificate\.reloaded/)
  stage.clock.advance(500)
  await reloaded
})

test('the certificate is chosen by the name the client asks for', async (t) => {
  const stage = new Stage(t)
  const bundle = stage.file('bundle.pem', pair.key, chain)
  const certificates = await stage.certificates(
    { domain: 'first.example' },
    { domain: 'example.org', files: { certificate: bundle, key: bundle } },
    { domain: 'müller.example' },
  )
  const first = certificates.pairFor(undefined)
  const second = certificates.pairFor('example.org')
  assert.notEqual(first, second)
  assert.equal(certificates.pairFor('first.example'), first)
  assert.equal(certificates.pairFor('EXAMPLE.org'), second)
  assert.equal(certificates.pairFor('xmpp.example.org'), second, 'one that its certificate names')
  assert.equal(certificates.pairFor('unknown.example'), first)
  const third = certificates.pairFor('xn--mller-kva.example')
  assert.ok(third !== first && third !== second)
})
