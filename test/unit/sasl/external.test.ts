import assert from 'node:assert/strict'
import { test } from 'node:test'
import { external } from '../../../src/sasl/external.js'
import { context, told } from './stage.js'

async function login(authzid: string | Buffer, certified?: readonly string[]): Promise<string> {
  const at = context(certified ? { certified } : {})
  return told(await external.begin(at).step(Buffer.from(authzid)))
}

test('XEP-0178 §2: the only account of a certificate needs no name, and may have one', async () => {
  assert.equal(await login('', ['romeo']), 'success romeo')
  assert.equal(await login('Romeo@Example.org', ['romeo']), 'success romeo')
})

test('XEP-0178 §2: one of several must be named', async () => {
  assert.equal(await login('', ['romeo', 'a=b,c']), 'failure invalid-authzid')
  assert.equal(await login('a=b,c@example.org', ['romeo', 'a=b,c']), 'success a=b,c')
})

test('nobody gets in as somebody else, or without a certificate', async () => {
  for (const authzid of ['juliet@example.org', 'romeo@example.net', 'romeo', 'romeo@example.org/orchard'])
    assert.equal(await login(authzid, ['romeo']), 'failure invalid-authzid')
  assert.equal(await login('', []), 'failure invalid-authzid')
  assert.equal(await login('romeo@example.org'), 'failure invalid-authzid')
})

test('an account that is gone or disabled, a store that fails, and garbage', async () => {
  assert.equal(await login('', ['nobody']), 'failure not-authorized')
  assert.equal(await login('', ['paris']), 'failure account-disabled')
  assert.equal(await login(Buffer.from([0xff]), ['romeo']), 'failure malformed-request')
  assert.equal(await login('x'.repeat(4000), ['romeo']), 'failure malformed-request')
  const gone = context({ certified: ['romeo'], credentials: () => Promise.reject(new Error('gone')) })
  const exchange = external.begin(gone)
  assert.equal(told(await exchange.step(Buffer.alloc(0))), 'failure temporary-auth-failure')
  assert.equal(told(await exchange.step(Buffer.alloc(0))), 'failure malformed-request')
})
