import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SaslContext } from '../../../src/sasl/mechanism.js'
import { PasswordsBusy } from '../../../src/sasl/password.js'
import { plainMessage } from './client.js'
import { context, mechanism, told } from './stage.js'

async function say(message: Buffer, at: SaslContext = context()): Promise<string> {
  return told(await mechanism('PLAIN').begin(at).step(message))
}

test('PLAIN lets in who knows the password, under the prepared name', async () => {
  assert.equal(await say(plainMessage('romeo', 'pencil')), 'success romeo')
  assert.equal(await say(plainMessage('ROMEO', 'pencil')), 'success romeo')
  // SASLprep (RFC 4013): a soft hyphen is mapped to nothing.
  assert.equal(await say(plainMessage('romeo', 'pen\u00adcil')), 'success romeo')
})

test('PLAIN refuses a wrong password and an unknown account alike', async () => {
  for (const [user, password] of [
    ['romeo', 'Pencil'],
    ['romeo', 'pencil '],
    ['romeo', '\u0007'],
    ['nobody', 'pencil'],
    ['paris', 'wrong'],
  ] as const)
    assert.equal(await say(plainMessage(user, password)), 'failure not-authorized')
})

test('PLAIN tells a disabled account', async () => {
  assert.equal(await say(plainMessage('paris', 'pencil')), 'failure account-disabled')
})

test('PLAIN takes the own bare JID as authorization identity and no other', async () => {
  const own = plainMessage('romeo', 'pencil', 'romeo@example.org')
  assert.equal(await say(own), 'success romeo')
  for (const other of ['juliet@example.org', 'romeo@example.org/x', 'romeo'])
    assert.equal(await say(plainMessage('romeo', 'pencil', other)), 'failure invalid-authzid')
})

test('PLAIN refuses what is not two NULs between three texts', async () => {
  for (const text of [
    '',
    'romeo',
    'romeo\0pencil',
    '\0romeo\0',
    '\0\0pencil',
    '\0romeo\0pen\0cil',
    '\0romeo@example.org\0pencil',
    `\0romeo\0${'x'.repeat(8192)}`,
  ])
    assert.equal(await say(Buffer.from(text)), 'failure malformed-request', JSON.stringify(text))
  assert.equal(await say(Buffer.from([0, 0x72, 0, 0xff])), 'failure malformed-request')
})

test('PLAIN is over after its message', async () => {
  const exchange = mechanism('PLAIN').begin(context())
  const wrong = await exchange.step(plainMessage('romeo', 'wrong'))
  assert.equal(told(wrong), 'failure not-authorized')
  const right = await exchange.step(plainMessage('romeo', 'pencil'))
  assert.equal(told(right), 'failure malformed-request')
})

test('PLAIN asks to come again when the store is down or too many are waiting', async () => {
  const down = context({ credentials: () => Promise.reject(new Error('down')) })
  assert.equal(await say(plainMessage('romeo', 'pencil'), down), 'failure temporary-auth-failure')
  const busy = context({
    passwords: { iterations: 1, verify: () => Promise.reject(new PasswordsBusy('busy')) },
  })
  assert.equal(await say(plainMessage('romeo', 'pencil'), busy), 'failure temporary-auth-failure')
})

test('ANONYMOUS gives a new unguessable name each time', async () => {
  const names = new Set<string>()
  for (let i = 0; i < 10; i++) {
    const step = await mechanism('ANONYMOUS').begin(context()).step(Buffer.from('sirhc'))
    assert.ok(step.outcome === 'success')
    assert.match(step.local, /^[0-9a-f]{32}$/)
    names.add(step.local)
  }
  assert.equal(names.size, 10)
})

async function outcome(trace: Buffer): Promise<string> {
  const step = await mechanism('ANONYMOUS').begin(context()).step(trace)
  return step.outcome
}

test('ANONYMOUS takes no more trace information than the RFC allows, and one message', async () => {
  assert.equal(await outcome(Buffer.alloc(0)), 'success')
  assert.equal(await outcome(Buffer.from('é'.repeat(255))), 'success')
  assert.equal(await outcome(Buffer.from('é'.repeat(256))), 'failure')
  assert.equal(await outcome(Buffer.from([0xc3])), 'failure')
  const exchange = mechanism('ANONYMOUS').begin(context())
  await exchange.step(Buffer.alloc(0))
  assert.equal(told(await exchange.step(Buffer.alloc(0))), 'failure malformed-request')
})
