import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerTo } from '../../../src/admin/answer.js'
import { createLog } from '../../../src/base/log.js'
import { HandClock } from '../../../src/base/clock.js'
import { flag, number, options, required, secret, text } from '../../../src/base/schema.js'
import { command } from '../../../src/host/command.js'

const args = options({
  name: text(required, ''),
  times: number(1, ''),
  loud: flag(false, ''),
  password: secret(undefined, ''),
})
const told: unknown[] = []
const commands = [
  command('say', 'admin', '', args, async (given) => {
    told.push(given)
    return 'said'
  }),
  command('look', 'operator', '', options({}), async () => 'seen'),
  command(
    'wipe',
    'admin',
    '',
    options({}),
    async () => 'wiped',
    () => 'everything',
  ),
]

function stage() {
  const lines: string[] = []
  const log = createLog(
    { level: 'info', format: 'json', addresses: 'full', users: 'full' },
    { write: (line) => lines.push(line) },
    new HandClock(),
  )
  return { lines, log }
}

test('texts become the values they stand for; secrets stay text and out of the log', async () => {
  const { lines, log } = stage()
  const request = { command: 'say', args: { name: '7', times: '3', loud: 'yes', password: 'true' } }
  const answer = await answerTo(request, { by: 'a test', role: 'admin' }, commands, log)
  assert.deepEqual(answer, { ok: true, data: 'said', text: 'said' })
  assert.deepEqual(told.at(-1), { name: '7', times: 3, loud: true, password: 'true' })
  assert.equal(lines.length, 1)
  const line = JSON.parse(lines[0]!) as Record<string, unknown>
  assert.deepEqual([line['command'], line['by']], ['say', 'a test'])
  assert.deepEqual(line['args'], { name: '7', times: '3', loud: 'yes' })
})

test('operators read, admins change', async () => {
  const { lines, log } = stage()
  const operator = { by: 'a test', role: 'operator' } as const
  assert.equal((await answerTo({ command: 'look' }, operator, commands, log)).ok, true)
  const refused = await answerTo({ command: 'say', args: { name: 'x' } }, operator, commands, log)
  assert.deepEqual(refused, { ok: false, kind: 'refused', message: 'say is for admins only' })
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { event: string; needed: string }).needed),
    ['admins'],
  )
})

test('nothing is destroyed that was not confirmed', async () => {
  const { log } = stage()
  const admin = { by: 'a test', role: 'admin' } as const
  const asked = await answerTo({ command: 'wipe' }, admin, commands, log)
  assert.deepEqual(asked, { ok: false, kind: 'confirm', message: 'everything' })
  assert.equal((await answerTo({ command: 'wipe', confirmed: true }, admin, commands, log)).ok, true)
})
