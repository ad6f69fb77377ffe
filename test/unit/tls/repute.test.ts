import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateFacts } from '../../../src/tls/certificates.js'
import { reputeOf } from '../../../src/tls/repute.js'
import { TrustStore } from '../../../src/tls/trust.js'
import { newAuthority, purposes, selfSigned } from '../../support/test-ca.js'
import type { Issued, Wish } from '../../support/test-ca.js'

const root = newAuthority('Root')
const now = Date.now()

function repute(issued: Issued): readonly string[] {
  const facts = { domain: 'example.org', chain: [issued.der] } as unknown as CertificateFacts
  return reputeOf(facts, TrustStore.of(root.der), now)
}

const issue = (wish: Wish = {}) => root.issue({ dns: ['example.org'], ...wish })

test('a certificate that everybody takes is not worth a word', () => {
  assert.deepEqual(repute(issue()), [])
  assert.deepEqual(repute(issue({ extendedKeyUsage: [purposes.server, purposes.client] })), [])
  assert.deepEqual(repute(issue({ extendedKeyUsage: [purposes.any] })), [])
})

test('what other servers may have against a certificate is told with what to do', () => {
  const [own] = repute(selfSigned({ dns: ['example.org'] }))
  assert.match(own!, /^it is self-signed: other servers refuse it, or want a call back.*authority/)
  const [strange] = repute(newAuthority('Ours').issue({ dns: ['example.org'] }))
  assert.match(strange!, /^other servers may refuse it: "example\.org" was issued by "Ours".*authority/)
  const [expired] = repute(issue({ from: now - 2e9, to: now - 1e9 }))
  assert.match(expired!, /expired on/)
  const [weak] = repute(issue({ signature: 'sha1' }))
  assert.match(weak!, /too weak/)
  const [servers] = repute(issue({ extendedKeyUsage: [purposes.server] }))
  assert.match(servers!, /for TLS servers only.*call back/)
  const [clients] = repute(issue({ extendedKeyUsage: [purposes.client] }))
  assert.match(clients!, /for TLS clients only/)
})
