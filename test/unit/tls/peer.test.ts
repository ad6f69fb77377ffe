import assert from 'node:assert/strict'
import { rootCertificates } from 'node:tls'
import { test } from 'node:test'
import fc from 'fast-check'
import { verifyPeer } from '../../../src/tls/peer.js'
import { TrustStore } from '../../../src/tls/trust.js'
import { Certificate } from '../../../src/tls/x509.js'
import { selfSigned } from '../../support/test-ca.js'
import { chat, day, middle, now, root, rows } from './peer-cases.js'

for (const { title, chain, domain = 'chat.example.org', trust = [root], want, text } of rows) {
  test(`${title}: ${want}`, () => {
    const anchors = TrustStore.of(...trust.map((one) => one.der))
    const verdict = verifyPeer(
      chain.map((one) => one.der),
      domain,
      anchors,
      now,
    )
    if (verdict.ok) return assert.equal('ok', want)
    assert.equal(verdict.reason, want, verdict.text)
    assert.match(verdict.text, /^[^\p{C}]+[^.]$/u)
    if (text) assert.match(verdict.text, text)
  })
}

test('without a certificate nobody is trusted', () => {
  const verdict = verifyPeer([], 'example.org', TrustStore.of(root.der), now)
  assert.deepEqual(verdict, { ok: false, reason: 'no-certificate', text: 'it sent no certificate' })
})

test('a good verdict tells the names and the end', () => {
  const to = Math.floor(now / 1000) * 1000 + day
  const leaf = root.issue({
    to,
    names: [
      { dns: 'a.example' },
      { srv: '_xmpp-server.b.example' },
      { xmpp: 'ç.example' },
      { ip: [192, 0, 2, 1] },
      { email: 'a@c.example' },
    ],
  })
  assert.deepEqual(verifyPeer([leaf.der], 'b.example', TrustStore.of(root.der), now), {
    ok: true,
    names: ['a.example', 'b.example', 'ç.example', '192.0.2.1'],
    expires: to,
  })
})

test('a bush of authorities that certify each other is left after a while', () => {
  const shared = Array.from({ length: 9 }, (_, index) =>
    selfSigned({ commonName: `Bush ${index}`, authority: true }),
  )
  const leaf = shared[0]!.issue(chat())
  const bush = shared
    .slice(1)
    .map((one, index) => one.issue({ commonName: `Bush ${index}`, authority: true, key: shared[index]!.key }))
  const before = performance.now()
  const verdict = verifyPeer(
    [leaf, ...bush, ...bush].map((one) => one.der),
    'chat.example.org',
    TrustStore.of(root.der),
    now,
  )
  assert.equal(verdict.ok, false)
  assert.ok(performance.now() - before < 1000)
})

test('what is no certificate is refused, whatever it is, and never throws', () => {
  const good = middle.issue(chat())
  const trust = TrustStore.of(root.der)
  const refused = (leaf: Buffer) => {
    const verdict = verifyPeer([leaf, middle.der], 'chat.example.org', trust, now)
    assert.ok(!verdict.ok)
    return verdict.reason
  }
  assert.equal(refused(Buffer.alloc(0)), 'malformed')
  assert.equal(refused(Buffer.from('hello')), 'malformed')
  assert.equal(refused(Buffer.concat([good.der, Buffer.of(0)])), 'malformed')
  // ecdsa-with-SHA384 where it is signed, ecdsa-with-SHA256 outside.
  const twoAlgorithms = Buffer.from(good.der)
  twoAlgorithms[good.der.indexOf('2a8648ce3d040302', 'hex') + 7] = 3
  assert.equal(refused(twoAlgorithms), 'malformed')
  fc.assert(
    fc.property(fc.nat(good.der.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const broken = Buffer.from(good.der)
      broken[at]! ^= change
      refused(broken)
    }),
    { numRuns: 300 },
  )
})

test('the public authorities are trusted, and can all be read', async () => {
  const trust = await TrustStore.open()
  for (const pem of rootCertificates) {
    const certificate = new Certificate(Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64'))
    assert.ok(trust.holds(certificate))
    assert.ok(certificate.basicConstraints?.authority ?? certificate.version === 1, certificate.title)
    assert.ok(certificate.allows(5))
  }
})
