import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { matchTlsa } from '../../../src/tls/dane.js'
import { verifyPeer } from '../../../src/tls/peer.js'
import { TrustStore } from '../../../src/tls/trust.js'
import { Certificate } from '../../../src/tls/x509.js'
import type { Issued } from '../../support/test-ca.js'
import { chat, lower, middle, now } from './peer-cases.js'

function publicKey({ der }: Issued): Buffer {
  return new Certificate(der).publicKey
}

function hash(name: string, bytes: Buffer): Buffer {
  return createHash(name).update(bytes).digest()
}

test('TLSA records: the key of the server, or an authority of its chain', () => {
  const leaf = lower.issue(chat())
  const chain = [leaf.der, lower.der, middle.der]
  const match = (usage: number, selector: number, matching: number, data: Buffer) =>
    matchTlsa([{ usage, selector, matching, data }], chain)
  assert.deepEqual(match(3, 1, 1, hash('sha256', publicKey(leaf))), { usage: 3 })
  assert.deepEqual(match(3, 1, 2, hash('sha512', publicKey(leaf))), { usage: 3 })
  assert.deepEqual(match(3, 0, 1, hash('sha256', leaf.der)), { usage: 3 })
  assert.deepEqual(match(3, 0, 0, leaf.der), { usage: 3 })
  assert.deepEqual(match(2, 1, 1, hash('sha256', publicKey(middle))), { usage: 2, anchor: middle.der })
  assert.deepEqual(match(2, 0, 2, hash('sha512', lower.der)), { usage: 2, anchor: lower.der })
  assert.equal(match(2, 0, 0, leaf.der), undefined, 'the server is not its own authority')
  assert.equal(match(3, 0, 0, lower.der), undefined, 'an authority is not the server')
  assert.equal(match(3, 1, 1, hash('sha256', leaf.der)), undefined)
  for (const usage of [0, 1, 4]) assert.equal(match(usage, 0, 0, leaf.der), undefined, 'not of use here')
  assert.equal(match(3, 2, 0, leaf.der), undefined, 'an unknown selector')
  assert.equal(match(3, 0, 3, leaf.der), undefined, 'an unknown matching type')
  assert.equal(match(3, 0, 1, Buffer.alloc(0)), undefined)
  assert.equal(matchTlsa([], chain), undefined)
  assert.equal(matchTlsa([{ usage: 3, selector: 0, matching: 0, data: leaf.der }], []), undefined)
  const wrongAndRight = [
    { usage: 3, selector: 1, matching: 1, data: hash('sha256', publicKey(lower)) },
    { usage: 2, selector: 1, matching: 1, data: hash('sha256', publicKey(middle)) },
  ]
  const found = matchTlsa(wrongAndRight, chain)
  assert.ok(found?.usage === 2)
  assert.equal(verifyPeer(chain, 'chat.example.org', TrustStore.of(found.anchor), now).ok, true)
})
