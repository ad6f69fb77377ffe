import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../../src/config/load.js'
import { optionsOf } from '../../../src/config/layers.js'
import { takeUp } from '../../../src/config/reload.js'
import { serverSchema } from '../../../src/config/server.js'
import { modules } from '../../../src/modules/index.js'

const load = (...set: string[]) => loadConfig({ set, modules })

test('what needs a restart stays, the rest is taken up, and every difference is told', () => {
  const running = load('domains=a.example,b.example')
  const fresh = load(
    'domains=a.example,c.example',
    'listen.c2s=127.0.0.1:1',
    'log.level=debug',
    'limits.depth=20',
  )
  const { next, changes } = takeUp(running, fresh)
  assert.deepEqual(
    changes.map(({ name, reload }) => [name, reload]),
    [
      ['domains', 'restart'],
      ['listen.c2s', 'restart'],
      ['limits.depth', 'new connections'],
      ['log.level', 'applied'],
    ],
  )
  assert.deepEqual(next.config.domains, ['a.example', 'b.example'])
  assert.deepEqual([...next.config.hosts.keys()], ['a.example', 'b.example'])
  assert.deepEqual(next.config.listen, running.config.listen)
  assert.deepEqual([next.config.log.level, next.config.limits.depth], ['debug', 20])
  // A further reload of the same files still tells what waits for a restart, and nothing else.
  assert.deepEqual(
    takeUp(next, fresh).changes.map(({ name }) => name),
    ['domains', 'listen.c2s'],
  )
})

test('every option that needs a restart is one that a reload keeps', () => {
  const kept = new Set(['domain', 'domains', 'data_dir', 'listen', 'tls', 'database'])
  for (const [path, option] of optionsOf(serverSchema(modules)))
    assert.equal(option.reload === 'restart', kept.has(path[0] ?? ''), path.join('.'))
})
