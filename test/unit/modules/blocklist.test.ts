import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Blocklist } from '../../../src/modules/blocking/blocklist.js'
import { Jid } from '../../../src/stanza/jid.js'

const jids = (...texts: string[]) => texts.map((text) => Jid.parse(text))

test('XEP-0191 §6: what an item matches', () => {
  const addresses = [
    'user@domain/res',
    'user@domain/other',
    'user@domain',
    'else@domain/res',
    'domain/res',
    'domain',
    'sub.domain',
  ]
  const matches: Record<string, readonly string[]> = {
    'user@domain/res': ['user@domain/res'],
    'user@domain': ['user@domain/res', 'user@domain/other', 'user@domain'],
    'domain/res': ['domain/res'],
    domain: addresses.slice(0, 6),
  }
  for (const [item, expected] of Object.entries(matches)) {
    const list = Blocklist.of(jids(item))
    assert.deepEqual(
      addresses.filter((address) => list.blocks(Jid.parse(address))),
      expected,
      item,
    )
  }
})

test('a block list is a set in the order of blocking, and never changes', () => {
  const list = Blocklist.of(jids('b@x', 'a@x', 'b@x'))
  assert.deepEqual(list.toJSON(), ['b@x', 'a@x'])
  assert.deepEqual(list.with(jids('a@x', 'c@x')).toJSON(), ['b@x', 'a@x', 'c@x'])
  assert.deepEqual(list.without(jids('b@x', 'd@x')).toJSON(), ['a@x'])
  assert.equal(list.without(jids('a@x', 'b@x')), Blocklist.empty)
  assert.equal(list.size, 2)
  assert.equal(Blocklist.empty.blocks(Jid.parse('a@x')), false)
})
