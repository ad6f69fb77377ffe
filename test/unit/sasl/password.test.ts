import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { systemRandom } from '../../../src/base/random.js'
import { decodeBase64 } from '../../../src/sasl/base64.js'
import {
  hashToCompare,
  PasswordError,
  Passwords,
  PasswordsBusy,
  preparePassword,
} from '../../../src/sasl/password.js'

/** The salts of the RFCs' examples instead of chance. */
function saltedWith(base64: string) {
  return { id: () => 'id', bytes: () => Buffer.from(base64, 'base64') }
}

test('keys are those of RFC 5802 §5', async () => {
  const passwords = new Passwords(saltedWith('QSXCR+Q6sek8bf92'), { iterations: 4096 })
  const { 'SHA-1': keys } = await passwords.deriveKeys('pencil')
  assert.equal(keys.storedKey.toString('hex'), 'e9d94660c39d65c38fbad91c358f14da0eef2bd6')
  assert.equal(keys.serverKey.toString('hex'), '0fe09258b3ac852ba502cc62ba903eaacdbf7d31')
})

test('keys are those of RFC 7677 §3', async () => {
  const passwords = new Passwords(saltedWith('W22ZaJ0SNY7soEsUEjb6gQ=='), { iterations: 4096 })
  const { 'SHA-256': keys } = await passwords.deriveKeys('pencil')
  const said =
    'n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
  const server = createHmac('sha256', keys.serverKey).update(said).digest('base64')
  assert.equal(server, '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
  const clientKey = createHmac('sha256', keys.storedKey).update(said).digest()
  const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64')
  for (let i = 0; i < proof.length; i++) clientKey[i]! ^= proof[i]!
  assert.deepEqual(createHash('sha256').update(clientKey).digest(), keys.storedKey)
})

test('keys are made with 10,000 iterations and fresh salts', async () => {
  const keys = await new Passwords(systemRandom).deriveKeys('pencil')
  const salts = new Set(Object.values(keys).map((one) => one.salt.toString('hex')))
  assert.equal(salts.size, 3)
  for (const one of Object.values(keys)) {
    assert.equal(one.iterations, 10_000)
    assert.equal(one.salt.length, 16)
  }
})

test('any one set of keys is enough to verify a password', async () => {
  const passwords = new Passwords(systemRandom, { iterations: 16 })
  const keys = await passwords.deriveKeys('pencil')
  for (const hash of ['SHA-1', 'SHA-256', 'SHA-512'] as const) {
    assert.equal(await passwords.verify('pencil', { [hash]: keys[hash] }), true)
    assert.equal(await passwords.verify('pencils', { [hash]: keys[hash] }), false)
  }
  assert.equal(await passwords.verify('pencil', {}), false)
  assert.equal(await passwords.verify('', keys), false)
})

test('an account that does not exist costs the hash of one that does, so that time tells nothing', async () => {
  const keys = await new Passwords(systemRandom, { iterations: 16 }).deriveKeys('pencil')
  assert.equal(hashToCompare({}), hashToCompare(keys))
})

test('SASLprep as in the examples of RFC 4013 §3', () => {
  assert.equal(preparePassword('I\u00adX'), 'IX')
  assert.equal(preparePassword('user'), 'user')
  assert.equal(preparePassword('USER'), 'USER')
  assert.equal(preparePassword('\u00aa'), 'a')
  assert.equal(preparePassword('\u2168'), 'IX')
  assert.equal(preparePassword('\u0007'), undefined)
  assert.equal(preparePassword('\u0627\u0031'), undefined)
  assert.equal(preparePassword(''), undefined)
  assert.equal(preparePassword('\u00ad'), undefined)
  assert.equal(preparePassword('x'.repeat(1024)), 'x'.repeat(1024))
  assert.equal(preparePassword('x'.repeat(1025)), undefined)
})

test('a forbidden password is refused with a reason', async () => {
  await assert.rejects(new Passwords(systemRandom).deriveKeys('\u0007'), PasswordError)
})

test('no more derivations wait than may, the others are refused at once', async () => {
  let told = 0
  const settings = { iterations: 16, inFlight: 1, waiting: 2, onBusy: () => told++ }
  const passwords = new Passwords(systemRandom, settings)
  const answers = await Promise.allSettled(Array.from({ length: 300 }, () => passwords.verify('pencil', {})))
  const refused = answers.filter((one) => one.status === 'rejected')
  assert.equal(refused.length, 297)
  assert.equal(told, 297)
  for (const one of refused) assert.ok(one.reason instanceof PasswordsBusy)
  assert.equal(await passwords.verify('pencil', {}), false, 'all places are free again')
})

test('base64 is read strictly', () => {
  assert.deepEqual(decodeBase64('cGVuY2ls'), Buffer.from('pencil'))
  assert.deepEqual(decodeBase64('YQ=='), Buffer.from('a'))
  assert.deepEqual(decodeBase64(''), Buffer.alloc(0))
  const wrong = ['YQ', 'YQ=', 'YQ===', 'YR==', 'Y Q==', 'YQ==\n', 'Y\u00e1==', '-_-_', '=', '====']
  for (const text of [...wrong, 'YQ==YQ==']) assert.equal(decodeBase64(text), undefined, JSON.stringify(text))
})
