import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics } from '../../../src/base/metrics.js'

test('counters, gauges and histograms in the text form', async () => {
  const metrics = new Metrics()
  metrics.counter('stanzas_total', 'Stanzas\nseen').add()
  metrics.counter('stanzas_total', 'Stanzas\nseen').add(2)
  metrics.counters('auth_total', 'Logins', ['mechanism', 'result']).of('PLAIN', 'say "no"').add()
  metrics.gauge('queue_bytes', 'Waiting').set(5)
  metrics.watch('sessions', 'Sessions by state', () => [[['live'], 3]], ['state'])
  const seconds = metrics.histogram('stanza_seconds', 'Time', [0.001, 0.01])
  for (const value of [0.001, 0.002, 5]) seconds.observe(value)
  assert.equal(
    await metrics.text(),
    `# HELP parley_stanzas_total Stanzas\\nseen
# TYPE parley_stanzas_total counter
parley_stanzas_total 3
# HELP parley_auth_total Logins
# TYPE parley_auth_total counter
parley_auth_total{mechanism="PLAIN",result="say \\"no\\""} 1
# HELP parley_queue_bytes Waiting
# TYPE parley_queue_bytes gauge
parley_queue_bytes 5
# HELP parley_sessions Sessions by state
# TYPE parley_sessions gauge
parley_sessions{state="live"} 3
# HELP parley_stanza_seconds Time
# TYPE parley_stanza_seconds histogram
parley_stanza_seconds_bucket{le="0.001"} 1
parley_stanza_seconds_bucket{le="0.01"} 2
parley_stanza_seconds_bucket{le="+Inf"} 3
parley_stanza_seconds_sum 5.003
parley_stanza_seconds_count 3
`,
  )
  assert.equal(metrics.valueOf('sessions', 'live'), 3)
  assert.equal(metrics.valueOf('sessions', 'parked'), undefined)
})

test('label values are bounded: what comes after a thousand is "other"', () => {
  const metrics = new Metrics()
  const seen = metrics.counters('peers_total', 'Peers', ['name'])
  for (let index = 0; index < 5000; index++) seen.of(`peer-${index}`).add()
  assert.equal(metrics.valueOf('peers_total', 'peer-999'), 1)
  assert.equal(metrics.valueOf('peers_total', 'peer-1000'), undefined)
  assert.equal(metrics.valueOf('peers_total', 'other'), 4000)
})

test('a name has one kind and one set of labels', () => {
  const metrics = new Metrics()
  metrics.counter('things', 'Things')
  assert.throws(() => metrics.gauge('things', 'Things'), /already a counter/)
  assert.throws(() => metrics.counters('things', 'Things', ['kind']), /already a counter/)
  assert.throws(() => metrics.counter('Bad name', ''), /not a metric name/)
})

test('the metrics of Node itself are there on demand', async () => {
  assert.match(await new Metrics({ node: true }).text(), /nodejs_eventloop_lag_p99_seconds/)
})

test('a histogram per value of a label', async () => {
  const metrics = new Metrics()
  const took = metrics.histograms('took_seconds', 'Time', [0.1, 1], 'op')
  took.of('read').observe(0.05)
  took.of('read').observe(5)
  took.of('write').observe(0.5)
  const lines = (await metrics.text()).split('\n')
  for (const line of [
    '# TYPE parley_took_seconds histogram',
    'parley_took_seconds_bucket{op="read",le="0.1"} 1',
    'parley_took_seconds_bucket{op="read",le="1"} 1',
    'parley_took_seconds_bucket{op="read",le="+Inf"} 2',
    'parley_took_seconds_sum{op="read"} 5.05',
    'parley_took_seconds_count{op="read"} 2',
    'parley_took_seconds_count{op="write"} 1',
  ])
    assert.ok(lines.includes(line), line)
  for (let i = 0; i < 2000; i++) took.of(`op${i}`).observe(1)
  const count = (await metrics.text()).match(/took_seconds_count/g)?.length
  assert.equal(count, 1001)
})
