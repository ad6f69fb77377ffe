import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountsOf } from '../../../src/tls/accounts.js'
import { TrustStore } from '../../../src/tls/trust.js'
import { newAuthority, purposes, selfSigned, type Wish } from '../../support/test-ca.js'

const day = 86_400_000
const now = Date.now()
const root = newAuthority('The house of Montague')
const middle = root.issue({ commonName: 'Middle', authority: true, keyUsage: [5, 6] })
const trust = TrustStore.of(root.der)
const romeo = { xmpp: 'romeo@example.org' }

function accounts(wish: Wish, issuer = root, ...more: Buffer[]): readonly string[] {
  return accountsOf([issuer.issue(wish).der, ...more], trust, now)
}

test('RFC 6120 §13.7.1.4: the accounts in a certificate of an authority of the admin', () => {
  assert.deepEqual(accounts({ names: [romeo] }), ['romeo@example.org'])
  assert.deepEqual(accounts({ names: [romeo], extendedKeyUsage: [purposes.client] }), ['romeo@example.org'])
  assert.deepEqual(accounts({ names: [romeo] }, middle, middle.der), ['romeo@example.org'])
  const several = [romeo, { xmpp: 'Rómeo@example.org' }, { xmpp: 'romeo@example.net' }]
  assert.deepEqual(accounts({ names: several }), [
    'romeo@example.org',
    'Rómeo@example.org',
    'romeo@example.net',
  ])
})

test('names that are none of an account count for nothing', () => {
  const names = [
    { xmpp: 'example.org' },
    { xmpp: 'romeo@example.org/orchard' },
    { xmpp: 'romeo@@example.org' },
    { xmpp: '@example.org' },
    { email: 'romeo@example.org' },
    { dns: 'romeo.example.org' },
  ]
  assert.deepEqual(accounts({ names, commonName: 'romeo@example.org' }), [])
})

test('nobody else vouches: strangers, self-signed, expired, not for clients, cut chains, rubbish', () => {
  assert.deepEqual(accounts({ names: [romeo] }, newAuthority('The house of Montague')), [])
  assert.deepEqual(accountsOf([selfSigned({ names: [romeo] }).der], trust, now), [])
  assert.deepEqual(accounts({ names: [romeo], to: now - day, from: now - 2 * day }), [])
  assert.deepEqual(accounts({ names: [romeo], extendedKeyUsage: [purposes.server] }), [])
  assert.deepEqual(accounts({ names: [romeo] }, middle), [])
  assert.deepEqual(accounts({ names: [romeo] }, root.issue({ commonName: 'nobody', authority: false })), [])
  assert.deepEqual(accountsOf([], trust, now), [])
  assert.deepEqual(accountsOf([Buffer.from('rubbish')], trust, now), [])
})
