import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { Metrics } from '../../../src/base/metrics.js'
import { startManagement } from '../../../src/http/server.js'
import type { ManagementSettings } from '../../../src/http/server.js'

async function listening(change: Partial<ManagementSettings> = {}) {
  const metrics = new Metrics()
  metrics.counter('stanzas_total', 'Stanzas').add(3)
  const server = await startManagement({
    addresses: [{ host: '127.0.0.1', port: 0 }],
    metrics,
    readiness: () => ({ ready: true, reasons: [] }),
    ...change,
  })
  const url = `http://127.0.0.1:${server.addresses[0]?.port}`
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(url + path, { method })
    return { status: response.status, text: await response.text(), headers: response.headers }
  }
  return { server, get }
}

test('metrics, health and readiness', async () => {
  const { server, get } = await listening()
  const metrics = await get('/metrics')
  assert.equal(metrics.status, 200)
  assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
  assert.match(metrics.text, /^parley_stanzas_total 3$/m)
  const health = await get('/healthz')
  assert.deepEqual([health.status, health.text], [200, 'ok\n'])
  const ready = await get('/readyz?verbose')
  assert.deepEqual([ready.status, ready.text], [200, 'ready\n'])
  const head = await get('/readyz', 'HEAD')
  assert.deepEqual([head.status, head.text], [200, ''])
  await server.close()
})

test('not ready: 503 and why', async () => {
  const { server, get } = await listening({
    readiness: () => ({ ready: false, reasons: ['no database', 'starting'] }),
  })
  const { status, text } = await get('/readyz')
  assert.deepEqual([status, text], [503, 'not ready\nno database\nstarting\n'])
  assert.equal((await get('/healthz')).status, 200)
  await server.close()
})

test('other paths and methods are refused, failures tell nothing', async () => {
  const { server, get } = await listening({ readiness: () => Promise.reject(new Error('postgres://secret')) })
  for (const path of ['/', '/metrics/', '/__proto__', '/../etc/passwd'])
    assert.equal((await get(path)).status, 404, path)
  const post = await get('/metrics', 'POST')
  assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD'])
  const broken = await get('/readyz')
  assert.deepEqual([broken.status, broken.text], [500, 'internal error\n'])
  await server.close()
})

test('a taken port is an error, and what was listening already is released', async () => {
  const { server } = await listening()
  const taken = server.addresses[0] ?? { host: '', port: 0 }
  await assert.rejects(listening({ addresses: [{ host: '127.0.0.1', port: 0 }, taken] }), {
    code: 'EADDRINUSE',
  })
  await server.close()
  await assert.rejects(new Promise((_done, failed) => connect(taken.port, '127.0.0.1').on('error', failed)), {
    code: 'ECONNREFUSED',
  })
})
