/** The parts of the load generator that figures depend on. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { makeCertificate } from '../../bench/load/certificate.js'
import { Latencies } from '../../bench/load/job.js'
import { costOf, memoryOf, tree } from '../../bench/load/meter.js'
import { markdown, median } from '../../bench/load/report.js'

test('the certificate is a P-256 one, valid now, for all its domains', () => {
  const { certificate, key } = makeCertificate(['bench.localhost', 'sha256.localhost'])
  const read = new X509Certificate(certificate)
  assert.equal(read.subjectAltName, 'DNS:bench.localhost, DNS:sha256.localhost')
  assert.equal(read.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
  assert.ok(read.checkPrivateKey(createPrivateKey(key)))
  assert.ok(read.verify(read.publicKey))
  assert.ok(Date.parse(read.validFrom) < Date.now() && Date.now() < Date.parse(read.validTo))
})

test(
  'CPU and memory of a process count those below it',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const burn =
      'const end = Date.now() + 300; while (Date.now() < end); process.stdout.write("done"); setInterval(() => {}, 1e6)'
    const child = spawn('sh', ['-c', `"${process.execPath}" -e '${burn}'; true`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => {
      for (const { id } of tree([child.pid!])) process.kill(id)
    })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    assert.deepEqual(new Set(tree([child.pid!]).map(({ name }) => name)), new Set(['sh', 'node']))
    const { cpu, database } = costOf([child.pid!])
    assert.ok(cpu >= 50_000, `${cpu} us`)
    assert.equal(database, 0)
    assert.ok(memoryOf([child.pid!]) > 4096)
  },
)

test('quantiles and medians', () => {
  const latencies = new Latencies()
  for (let i = 100; i > 0; i--) latencies.add(i)
  assert.equal(latencies.quantile(0.5), 51)
  assert.equal(latencies.quantile(0.99), 100)
  latencies.reset()
  latencies.add(7)
  assert.equal(latencies.quantile(0.99), 7)
  assert.equal(median([9, 1, 5]), 5)
})

test("the table tells how many times Parley's figure another server's is", () => {
  const table = markdown({
    Parley: { version: '1', loads: { closed: { cpu: [20, 10, 30] } } },
    Prosody: { version: '2', loads: { closed: { cpu: [50] } } },
  })
  assert.match(table, /\| Parley 1 \| Prosody 2 \|/)
  assert.match(table, /CPU \| 20 µs \| 50 µs \(2\.5 x\) \|/)
})
