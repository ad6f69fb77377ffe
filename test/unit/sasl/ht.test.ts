import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { HashedToken } from '../../../src/sasl/ht.js'
import type { ChannelBindings, SaslContext, Step, Token } from '../../../src/sasl/mechanism.js'
import { offerableTokens } from '../../../src/sasl/mechanisms.js'
import { context, told } from './stage.js'

const secret = Buffer.from('a token of their own')
const exporter = Buffer.from('what both ends of this connection know')
const bindings: ChannelBindings = {
  types: ['tls-exporter', 'tls-server-end-point'],
  data: (type) => (type === 'tls-exporter' ? exporter : Buffer.from('the certificate')),
}

function proof(key = secret, binding = Buffer.alloc(0), who = 'Initiator'): Buffer {
  return createHmac('sha256', key).update(who).update(binding).digest()
}

function token(change: Partial<Token> = {}): Token {
  return { secret, mechanism: 'HT-SHA-256-NONE', expired: false, use: async () => true, ...change }
}

async function login(
  data: Buffer,
  tokens: readonly Token[] = [token()],
  at: Partial<SaslContext> = {},
  binding: 'NONE' | 'EXPR' | 'ENDP' = 'NONE',
): Promise<Step> {
  const whole = context({ tokens: async () => tokens, ...at })
  return new HashedToken(binding).begin(whole).step(data)
}

const message = (hash: Buffer, name = 'romeo') => Buffer.concat([Buffer.from(`${name}\0`), hash])

test('HT-SHA-256-NONE lets in who knows the token, and proves that the server does too', async () => {
  const step = await login(message(proof(), 'Romeo'))
  assert.equal(told(step), 'success romeo')
  assert.ok(step.outcome === 'success')
  assert.deepEqual(step.data, proof(secret, undefined, 'Responder'))
  assert.equal(step.token?.secret, secret)
})

for (const [binding, data] of [
  ['EXPR', exporter],
  ['ENDP', Buffer.from('the certificate')],
] as const) {
  test(`HT-SHA-256-${binding} binds to the connection`, async () => {
    const tokens = [token({ mechanism: `HT-SHA-256-${binding}` })]
    const step = await login(message(proof(secret, data)), tokens, { bindings }, binding)
    assert.equal(told(step), 'success romeo')
    assert.ok(step.outcome === 'success')
    assert.deepEqual(step.data, proof(secret, data, 'Responder'))
    const other = await login(message(proof(secret, Buffer.from('other'))), tokens, { bindings }, binding)
    assert.equal(told(other), 'failure not-authorized')
    const unbound = await login(message(proof()), tokens, { bindings }, binding)
    assert.equal(told(unbound), 'failure not-authorized')
    assert.equal(
      told(await login(message(proof(secret, data)), tokens, {}, binding)),
      'failure malformed-request',
    )
  })
}

test('XEP-0484 §3.4: a token is good for its mechanism alone', async () => {
  const bound = [token({ mechanism: 'HT-SHA-256-EXPR' })]
  assert.equal(told(await login(message(proof()), bound)), 'failure not-authorized')
})

test('the one in use and the next one are both good', async () => {
  const tokens = [token({ secret: Buffer.from('the next') }), token()]
  assert.equal(told(await login(message(proof()), tokens)), 'success romeo')
  assert.equal(told(await login(message(proof(Buffer.from('the next'))), tokens)), 'success romeo')
})

test('who has no token, a wrong one or none of the name is not authorized', async () => {
  assert.equal(told(await login(message(proof()), [])), 'failure not-authorized')
  assert.equal(told(await login(message(proof(Buffer.from('other'))))), 'failure not-authorized')
  assert.equal(told(await login(message(proof(), 'nobody'))), 'failure not-authorized')
  assert.equal(
    told(await login(message(proof(), 'romeo'), undefined, { tokens: undefined! })),
    'failure not-authorized',
  )
})

test('an account that is disabled, and a token that expired, are told to who proved it', async () => {
  assert.equal(told(await login(message(proof(), 'paris'))), 'failure account-disabled')
  assert.equal(told(await login(message(proof()), [token({ expired: true })])), 'failure credentials-expired')
  const wrong = message(proof(Buffer.from('other')))
  assert.equal(told(await login(wrong, [token({ expired: true })])), 'failure not-authorized')
})

test('a token that may not be used like this is not authorized, a store that fails is a passing failure', async () => {
  assert.equal(
    told(await login(message(proof()), [token({ use: async () => false })])),
    'failure not-authorized',
  )
  const gone = () => Promise.reject(new Error('gone'))
  assert.equal(told(await login(message(proof()), [token({ use: gone })])), 'failure temporary-auth-failure')
  assert.equal(
    told(await login(message(proof()), undefined, { tokens: gone })),
    'failure temporary-auth-failure',
  )
})

test('garbage is malformed', async () => {
  for (const data of [
    Buffer.alloc(0),
    Buffer.from('romeo'),
    Buffer.from('romeo\0'),
    Buffer.concat([Buffer.from('\0'), proof()]),
    message(proof().subarray(1)),
    message(Buffer.concat([proof(), Buffer.from('x')])),
    message(proof(), 'ro meo'),
    Buffer.concat([Buffer.from([0xff, 0]), proof()]),
    message(proof(), 'r'.repeat(9000)),
  ])
    assert.equal(told(await login(data)), 'failure malformed-request')
  const exchange = new HashedToken('NONE').begin(context({ tokens: async () => [token()] }))
  await exchange.step(message(proof()))
  assert.equal(told(await exchange.step(message(proof()))), 'failure malformed-request')
})

test('only mechanisms whose binding the connection has are offered', () => {
  const all = ['HT-SHA-256-NONE', 'HT-SHA-256-ENDP', 'HT-SHA-256-EXPR']
  const names = (enabled: readonly string[], has?: ChannelBindings) =>
    offerableTokens(enabled, has).map(({ name }) => name)
  assert.deepEqual(names(all), ['HT-SHA-256-NONE'])
  assert.deepEqual(names(all, bindings), ['HT-SHA-256-EXPR', 'HT-SHA-256-ENDP', 'HT-SHA-256-NONE'])
  assert.deepEqual(names(all.slice(1), { ...bindings, types: ['tls-server-end-point'] }), ['HT-SHA-256-ENDP'])
  assert.deepEqual(names(all.slice(1)), [])
})
