import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { classify, isRefusal, reasonOf } from '../../../src/storage/failure.js'

const sqlError = (code: string, message = 'message') =>
  Object.assign(new pg.DatabaseError(message, 1, 'error'), { code })
const systemError = (code: string) => Object.assign(new Error(`connect ${code} 127.0.0.1:5432`), { code })

const table: [string, Error, string][] = [
  ['serialization failure', sqlError('40001'), 'conflict'],
  ['deadlock', sqlError('40P01'), 'conflict'],
  ['plan of a changed table', sqlError('0A000', 'cached plan must not change result type'), 'stale'],
  ['other unsupported feature', sqlError('0A000'), 'ours'],
  ['statement forgotten by a pooler', sqlError('26000'), 'stale'],
  ['server shut down', sqlError('57P01'), 'lost'],
  ['server starting', sqlError('57P03'), 'lost'],
  ['connection failure', sqlError('08006'), 'lost'],
  ['refused', systemError('ECONNREFUSED'), 'lost'],
  ['no socket', systemError('ENOENT'), 'lost'],
  ['cut', new Error('Connection terminated unexpectedly'), 'lost'],
  ['silent', new Error('Query read timeout'), 'lost'],
  ['statement timeout', sqlError('57014'), 'busy'],
  ['disk full', sqlError('53100'), 'busy'],
  ['standby', sqlError('25006'), 'busy'],
  ['unique violation', sqlError('23505'), 'ours'],
  ['syntax error', sqlError('42601'), 'ours'],
  ['our own bug', new TypeError('x is not a function'), 'ours'],
]
for (const [name, error, expected] of table) {
  test(`${name} is ${expected}`, () => assert.equal(classify(error), expected))
}

test('waiting does not mend a wrong password or a missing database', () => {
  for (const code of ['28P01', '28000', '3D000']) assert.ok(isRefusal(sqlError(code)))
  for (const error of [sqlError('57P03'), systemError('ECONNREFUSED'), new Error('x')])
    assert.ok(!isRefusal(error))
})

test('reasons are in words', () => {
  assert.equal(reasonOf(systemError('ECONNREFUSED')), 'connection refused')
  assert.equal(
    reasonOf(sqlError('28P01', 'password authentication failed for user "parley"')),
    'password authentication failed for user "parley"',
  )
  assert.equal(reasonOf(new Error('Connection terminated due to connection timeout')), 'no answer')
})
