import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { createLog } from '../../../src/base/log.js'
import { logCommands } from '../../../src/admin/log-commands.js'

function stage() {
  const clock = new HandClock()
  const lines: string[] = []
  const settings = { level: 'info', format: 'json', addresses: 'full', users: 'hashed' } as const
  const log = createLog(settings, { write: (line) => lines.push(line) }, clock)
  const commands = logCommands(() => ({ log, accountOf: (written) => `${written}@example.org` }))
  const runs = async (name: string, args: Record<string, unknown> = {}) => {
    const command = commands.find((each) => each.name === name)!
    return command.run(command.args.parse(args), { by: 'test' })
  }
  return { clock, lines, log, runs }
}

test('log debug s2s --for 10m', async () => {
  const { clock, lines, log, runs } = stage()
  const { table } = await runs('log', { level: 'debug', component: 's2s', for: '10m' })
  assert.deepEqual(table?.rows, [
    ['all', 'info', ''],
    ['s2s', 'debug', new Date(clock.now() + 600_000).toISOString()],
  ])
  log.debug('s2s.out.tried')
  log.debug('c2s.bound')
  assert.equal(lines.length, 1)
  clock.advance(600_000)
  log.debug('s2s.out.tried')
  assert.equal(lines.length, 1)
  assert.deepEqual((await runs('log show')).data, { level: 'info', for_a_while: [] })
})

test('log reset', async () => {
  const { lines, log, runs } = stage()
  await runs('log', { level: 'trace', component: 'all' })
  assert.deepEqual((await runs('log reset')).table?.rows, [['all', 'info', '']])
  log.debug('c2s.bound')
  assert.deepEqual(lines, [])
})

test('a component that there is not, and a day too long, are refused', async () => {
  const { runs } = stage()
  await assert.rejects(runs('log', { level: 'debug', component: 's2' }), /did you mean "s2s"/)
  await assert.rejects(runs('log', { level: 'debug', component: 's2s', for: '25h' }), /24h/)
})

test('log who', async () => {
  const { lines, log, runs } = stage()
  log.info('c2s.bound', { user: 'ana@example.org' })
  const { text } = await runs('log who', { account: 'ana' })
  assert.ok(text && lines[0]?.includes(text))
})
