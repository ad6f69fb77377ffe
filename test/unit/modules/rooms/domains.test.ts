import assert from 'node:assert/strict'
import { test } from 'node:test'
import rooms from '../../../../src/modules/rooms/index.js'

/** Where rooms are on the host of that domain, with these `domains` in the configuration. */
function domainsOf(own: string, domains: readonly string[] = []): readonly string[] {
  const settings: unknown = { domains }
  return rooms.serviceDomains!(own, settings as Parameters<NonNullable<typeof rooms.serviceDomains>>[1])
}

test('rooms are below the domain, or where the configuration says', () => {
  assert.deepEqual(domainsOf('example.org'), ['conference.example.org'])
  assert.deepEqual(domainsOf('example.org', ['chat.example.org', 'rooms.example.net']), [
    'chat.example.org',
    'rooms.example.net',
  ])
  assert.deepEqual(domainsOf('example.org', ['a.example', 'a.example']), ['a.example'])
})

test('there are no names below an address, so there are no rooms unless they are given a domain', () => {
  for (const address of ['192.0.2.7', '[2001:db8::7]']) assert.deepEqual(domainsOf(address), [])
  assert.deepEqual(domainsOf('192.0.2.7', ['rooms.example.org']), ['rooms.example.org'])
})
