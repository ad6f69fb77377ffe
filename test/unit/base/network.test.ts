import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networkOf } from '../../../src/base/network.js'

for (const [address, network] of [
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:0db8:0001:0002::', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['pipe', 'pipe'],
] as const)
  test(`${address} belongs to ${network}`, () => {
    assert.equal(networkOf(address), network)
  })
