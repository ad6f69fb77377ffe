import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { memoryInUse } from '../../support/memory.js'
import { Admission, Visitor } from '../../../src/tls/admission.js'

test('fifty strangers of one address may be open, twenty a second and a hundred at once may come', () => {
  const clock = new HandClock()
  const admission = new Admission(clock)
  for (let i = 0; i < 50; i++) assert.ok(admission.admit('192.0.2.1') instanceof Visitor)
  assert.equal(admission.admit('192.0.2.1'), 'too many open')
  assert.ok(admission.admit('192.0.2.2') instanceof Visitor)

  for (let i = 0; i < 100; i++) {
    const visitor = admission.admit('198.51.100.1')
    assert.ok(visitor instanceof Visitor)
    visitor.open--
  }
  assert.equal(admission.admit('198.51.100.1'), 'too many new')
  clock.advance(1000)
  for (let i = 0; i < 20; i++) assert.ok(admission.admit('198.51.100.1') instanceof Visitor)
  assert.equal(admission.admit('198.51.100.1'), 'too many new')
})

test('a hundred times too many change nothing, and a million networks cost no more than those remembered', async () => {
  const admission = new Admission(new HandClock(), { open: 50, rate: 20, burst: 100 })
  let refused = 0
  for (let i = 0; i < 5_000; i++) if (!(admission.admit('192.0.2.1') instanceof Visitor)) refused++
  assert.equal(refused, 4_950)
  for (let i = 0; i < 100_000; i++) admission.admit(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
  const before = await memoryInUse()
  for (let i = 0; i < 1_000_000; i++) admission.admit(`11.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
  assert.ok((await memoryInUse()) - before < 10_000_000)
})

test('the addresses of one IPv6 network count as one', () => {
  const admission = new Admission(new HandClock(), { open: 1 })
  assert.ok(admission.admit('2001:db8:1:2::1') instanceof Visitor)
  for (const address of ['2001:db8:1:2::2', '2001:db8:1:2:ffff::', '2001:db8:1:2:3:4:5:6'])
    assert.equal(admission.admit(address), 'too many open')
  assert.ok(admission.admit('2001:db8:1:3::1') instanceof Visitor)
  assert.ok(admission.admit('2001:db8::1') instanceof Visitor)
  assert.equal(admission.admit('2001:db8:0:0:5::'), 'too many open')
  assert.ok(admission.admit('::1') instanceof Visitor)
})
