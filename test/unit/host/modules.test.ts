/** Loading modules: in order of need, all or none, on every domain of a server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { silentLog } from '../../../src/base/log.js'
import { Metrics } from '../../../src/base/metrics.js'
import { systemRandom } from '../../../src/base/random.js'
import { options } from '../../../src/base/schema.js'
import { loadConfig } from '../../../src/config/load.js'
import { defineModule } from '../../../src/host/module.js'
import { modules } from '../../../src/modules/index.js'
import { Server } from '../../../src/server.js'
import { memoryStores } from '../../../src/storage/memory.js'

/** A server of two domains with modules that keep a diary, and fail where they are told to. */
async function stage() {
  const diary: string[] = []
  let failing = ''
  let generation = 1
  const diarist = (name: string) =>
    defineModule({
      name,
      summary: '',
      xeps: [],
      options: options({}),
      setup(host) {
        const me = `${name} ${generation} on ${host.domain}`
        if (failing === `${name} ${host.domain}`) throw new Error(`${me} cannot be set up`)
        diary.push(`+ ${me}`)
        return {
          features: [`urn:${name}:${generation}`],
          stop: () => void diary.push(`- ${me}`),
        }
      },
    })
  const { config } = loadConfig({ modules, env: {}, set: ['domain=a.example', 'domains=["b.example"]'] })
  const server = await Server.create({
    config,
    clock: new HandClock(),
    random: systemRandom,
    log: silentLog,
    metrics: new Metrics(),
    stores: memoryStores(),
    secret: Buffer.alloc(32, 7),
    memoryUse: () => 0,
    arrange: () => ['x', 'y'].map((name) => ({ module: diarist(name), options: {} })),
  })
  return {
    server,
    /** What was written since the last look. */
    diary: () => diary.splice(0),
    features: () => [...server.hosts.values()].map(({ tables }) => tables.features.join(' ')),
    reload: (fails = '') => {
      failing = fails
      generation++
      return server.reload(config)
    },
  }
}

test('a reload sets all modules up, then swaps, then stops the old ones', async () => {
  const { server, diary, features, reload } = await stage()
  assert.deepEqual(diary(), [
    '+ x 1 on a.example',
    '+ y 1 on a.example',
    '+ x 1 on b.example',
    '+ y 1 on b.example',
  ])
  await reload()
  const written = diary()
  assert.deepEqual(written.slice(0, 4), [
    '+ x 2 on a.example',
    '+ y 2 on a.example',
    '+ x 2 on b.example',
    '+ y 2 on b.example',
  ])
  assert.deepEqual(written.slice(4).sort(), [
    '- x 1 on a.example',
    '- x 1 on b.example',
    '- y 1 on a.example',
    '- y 1 on b.example',
  ])
  assert.deepEqual(features(), ['urn:x:2 urn:y:2', 'urn:x:2 urn:y:2'])
  await server.stop()
})

for (const fails of ['x b.example', 'y b.example', 'y a.example'])
  test(`a module that fails on reload (${fails}) leaves all domains as they were`, async () => {
    const { server, diary, features, reload } = await stage()
    diary()
    await assert.rejects(reload(fails), { message: new RegExp(`^${fails.replace(' ', ' 2 on ')} cannot`) })
    // What was set up is stopped again, and nothing else.
    const written = diary()
    const begun = written.filter((line) => line.startsWith('+')).map((line) => line.slice(2))
    const ended = written.filter((line) => line.startsWith('-')).map((line) => line.slice(2))
    assert.deepEqual(ended.sort(), begun.sort())
    assert.ok(begun.every((line) => line.includes(' 2 ')))
    assert.deepEqual(features(), ['urn:x:1 urn:y:1', 'urn:x:1 urn:y:1'])
    await reload()
    assert.deepEqual(features(), ['urn:x:3 urn:y:3', 'urn:x:3 urn:y:3'])
    await server.stop()
  })
