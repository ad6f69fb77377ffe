import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { createLog, maskAddress } from '../../../src/base/log.js'
import type { LogSettings } from '../../../src/base/log.js'

const settings: LogSettings = { level: 'info', format: 'json', addresses: 'full', users: 'full' }

function recorded(change: Partial<LogSettings> = {}) {
  const lines: string[] = []
  const clock = new HandClock()
  const log = createLog({ ...settings, ...change }, { write: (line) => lines.push(line) }, clock)
  return { lines, log, clock }
}

test('a line is one JSON object with time, level, event and fields', () => {
  const { lines, log } = recorded()
  log.child({ host: 'example.org', conn: 'id-1' }).info('c2s.bound', { user: 'ana@example.org' }, 'ready')
  assert.equal(lines.length, 1)
  assert.deepEqual(JSON.parse(lines[0] ?? ''), {
    level: 'info',
    ts: '2030-01-01T00:00:00.000Z',
    host: 'example.org',
    conn: 'id-1',
    event: 'c2s.bound',
    user: 'ana@example.org',
    msg: 'ready',
  })
})

test('the level may change while running, for children made before too', () => {
  const { lines, log } = recorded()
  const child = log.child({ conn: 'id-1' })
  child.debug('one')
  assert.equal(child.writes('debug'), false)
  log.apply({ ...settings, level: 'debug' })
  child.debug('two')
  log.apply({ ...settings, level: 'error' })
  child.warn('three')
  child.error('four')
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { event: string }).event),
    ['two', 'four'],
  )
})

test('text lines are short, and hostile words stay on their line', () => {
  const { lines, log } = recorded({ format: 'text' })
  log.warn('c2s.auth.failed', { ip: '192.0.2.7', reason: 'no such\nthing' }, 'from \u001b[2Jafar')
  assert.deepEqual(lines, [
    '00:00:00.000 warn  c2s.auth.failed  ip=192.0.2.7 reason="no such\\nthing"  from \\x1b[2Jafar\n',
  ])
})

test('an exception is logged with its stack and cause', () => {
  const { lines, log } = recorded()
  log.error('oops', { error: new Error('broken', { cause: new Error('deeper') }) })
  const { error } = JSON.parse(lines[0] ?? '') as {
    error: { message: string; stack: string; cause: { message: string } }
  }
  assert.equal(error.message, 'broken')
  assert.match(error.stack, /log\.test/)
  assert.equal(error.cause.message, 'deeper')
  const text = recorded({ format: 'text' })
  text.log.error('oops', { error: new Error('broken') })
  assert.match(text.lines[0] ?? '', /error oops\n {4}Error: broken\n {4}at /)
})

test('fields named like secrets are never written', () => {
  const { lines, log } = recorded()
  log.info('login', { password: 'pencil', sasl: { token: 'abc' } })
  assert.doesNotMatch(lines.join(''), /pencil|abc/)
})

test('addresses are masked down to their network', () => {
  const { lines, log } = recorded({ addresses: 'masked' })
  log.child({ ip: '192.0.2.77' }).info('one')
  log.info('two', { ip: '2001:db8:1:2::7' })
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { ip: string }).ip),
    ['192.0.2.0', '2001:db8:1::'],
  )
  assert.equal(maskAddress('::ffff:192.0.2.77'), '192.0.2.0')
  assert.equal(maskAddress('::1'), '::')
})

test('one component is heard in detail for a while, the others as before', () => {
  const { lines, log, clock } = recorded()
  const events = () => lines.splice(0).map((line) => (JSON.parse(line) as { event: string }).event)
  const child = log.child({ conn: 'id-1' })
  const all = () => {
    for (const event of ['s2s.out.tried', 'c2s.bound', 'database']) child.debug(event)
    child.info('c2s.auth.failed')
    return events()
  }
  assert.deepEqual(all(), ['c2s.auth.failed'])
  assert.equal(child.writes('debug'), false)
  log.focus('s2s', 'debug', 600_000)
  log.focus('database', 'debug', 1_000)
  assert.equal(child.writes('debug'), true)
  assert.deepEqual(all(), ['s2s.out.tried', 'database', 'c2s.auth.failed'])
  clock.advance(1_000)
  assert.deepEqual(all(), ['s2s.out.tried', 'c2s.auth.failed'])
  // Once more begins anew; all others may be made silent meanwhile.
  log.focus('s2s', 'debug', 600_000)
  log.focus('all', 'error', 500_000)
  assert.deepEqual(log.focuses, [
    { component: 's2s', level: 'debug', until: clock.now() + 600_000 },
    { component: 'all', level: 'error', until: clock.now() + 500_000 },
  ])
  assert.deepEqual(all(), ['s2s.out.tried'])
  clock.advance(599_999)
  assert.deepEqual(all(), ['s2s.out.tried', 'c2s.auth.failed'])
  clock.advance(1)
  assert.deepEqual(all(), ['c2s.auth.failed'])
  log.focus('all', 'trace', 600_000)
  log.unfocus()
  assert.deepEqual(all(), ['c2s.auth.failed'])
  assert.deepEqual(log.focuses, [])
})

test('accounts are named by a hash that needs the secret of the server', () => {
  const { lines, log } = recorded({ users: 'hashed' })
  log.pepper(Buffer.from('pepper'))
  log.info('c2s.bound', { user: 'ana@example.org' })
  log.child({ user: 'ana@example.org' }).info('c2s.bound', { jid: 'ana@example.org/phone' })
  log.info('admin.command', { args: { account: 'ana@example.org', limit: 3 } })
  assert.doesNotMatch(lines.join(''), /ana/)
  const hash = log.hashOf('ana@example.org')
  assert.match(hash, /^[0-9a-f]{16}$/)
  const [bound, child, command] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.deepEqual(
    [bound?.['user'], child?.['user'], child?.['jid'], command?.['args']],
    [hash, hash, hash, { account: hash, limit: 3 }],
  )
  log.pepper(Buffer.from('another'))
  assert.notEqual(log.hashOf('ana@example.org'), hash)
})
