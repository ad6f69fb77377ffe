import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { verifyPeer } from '../../../src/tls/peer.js'
import { TrustError, TrustStore } from '../../../src/tls/trust.js'
import { newAuthority, selfSigned } from '../../support/test-ca.js'
import { Stage } from './stage.js'

const authority = newAuthority('Authority of our own')
const other = newAuthority('Another authority')
const friend = selfSigned({ dns: ['friend.example'] })

const verdict = (trust: TrustStore, of: 'authority' | 'other' | 'friend') => {
  if (of === 'friend') return verifyPeer([friend.der], 'friend.example', trust, Date.now()).ok
  const issuer = of === 'authority' ? authority : other
  return verifyPeer([issuer.issue({ dns: ['peer.example'] }).der], 'peer.example', trust, Date.now()).ok
}

test('s2s.ca_file holds authorities and certificates of single servers, besides the public ones', async (t) => {
  const stage = new Stage(t)
  const trust = await TrustStore.open(
    stage.file('ca.pem', 'words between\n', authority.pem, '\n', friend.pem),
  )
  assert.equal(verdict(trust, 'authority'), true)
  assert.equal(verdict(trust, 'friend'), true)
  assert.equal(verdict(trust, 'other'), false)
})

test('a reload takes up another file, and keeps all when that is no good', async (t) => {
  const stage = new Stage(t)
  const trust = await TrustStore.open(stage.file('ca.pem', authority.pem))
  await assert.rejects(trust.reload(stage.file('empty.pem', 'nothing')), TrustError)
  assert.equal(verdict(trust, 'authority'), true)
  await trust.reload(stage.file('ca.pem', other.pem))
  assert.equal(verdict(trust, 'authority'), false)
  assert.equal(verdict(trust, 'other'), true)
  await trust.reload()
  assert.equal(verdict(trust, 'other'), false)
})

test('a file that cannot be used is named, with what to do', async (t) => {
  const stage = new Stage(t)
  mkdirSync(join(stage.folder, 'folder'))
  const block = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
  const cut = authority.pem.replace(/^.{64}$/m, '')
  for (const [file, message] of [
    [join(stage.folder, 'none.pem'), 'there is no such file; correct s2s.ca_file, or remove it'],
    [join(stage.folder, 'folder'), 'this is a folder; s2s.ca_file must be a file'],
    [
      stage.file('key.pem', authority.keyPem),
      'there is no certificate in the file; it must hold text that begins with -----BEGIN CERTIFICATE-----',
    ],
    [stage.file('broken.pem', authority.pem, block), 'certificate 2 in it is damaged; copy the file again'],
    [stage.file('cut.pem', cut), 'certificate 1 in it is damaged; copy the file again'],
  ] as const)
    await assert.rejects(TrustStore.open(file), { name: 'TrustError', message: `${file}: ${message}` })
})
