import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { isTrusted, SystemServers } from '../../../src/dns/servers.js'

test('the servers of the system are read in every form, three at most, and again after a while', () => {
  const clock = new HandClock()
  let written = ['192.0.2.1', '2001:db8::1', '[2001:db8::2]:54', '192.0.2.9']
  const servers = new SystemServers(clock, () => written)
  const three = [
    { host: '192.0.2.1', port: 53 },
    { host: '2001:db8::1', port: 53 },
    { host: '2001:db8::2', port: 54 },
  ]
  assert.deepEqual(servers.get(), three)
  written = ['192.0.2.2:5353']
  assert.deepEqual(servers.get(), three)
  clock.advance(10_000)
  assert.deepEqual(servers.get(), [{ host: '192.0.2.2', port: 5353 }])
  written = ['192.0.2.3']
  servers.refresh()
  assert.deepEqual(servers.get(), [{ host: '192.0.2.3', port: 53 }])
})

test('validation counts from servers that the configuration names, and from this machine', () => {
  const trusted = (host: string, configured: boolean) => isTrusted({ host, port: 53 }, configured)
  assert.equal(trusted('192.0.2.1', true), true)
  assert.equal(trusted('192.0.2.1', false), false)
  assert.equal(trusted('127.0.0.1', false), true)
  assert.equal(trusted('127.0.0.53', false), true)
  assert.equal(trusted('::1', false), true)
  assert.equal(trusted('2001:db8::1', false), false)
  // Docker's passes on what anybody upstream says.
  assert.equal(trusted('127.0.0.11', false), false)
  assert.equal(trusted('127.0.0.11', true), true)
})
