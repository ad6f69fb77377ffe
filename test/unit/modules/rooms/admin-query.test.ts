/** What is read from requests of muc#admin, and what is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { itemsToSet, listAsked } from '../../../../src/modules/rooms/admin-query.js'
import { StanzaError } from '../../../../src/stanza/errors.js'
import { Jid } from '../../../../src/stanza/jid.js'
import { el, type Element } from '../../../../src/xml/element.js'
import { NS } from '../../../../src/xml/namespaces.js'

const limits = { items: 3, reason: 10 }

function query(...items: (Record<string, string> & { reason?: string })[]): Element {
  const children = items.map(({ reason, ...attrs }) =>
    el(
      'item',
      undefined,
      attrs,
      reason === undefined ? undefined : el('reason', undefined, undefined, reason),
    ),
  )
  return el('query', NS.mucAdmin, undefined, ...children)
}

function refused(condition: string, read: () => unknown): void {
  assert.throws(read, (error) => error instanceof StanzaError && error.condition === condition)
}

test('XEP-0045 §8.5, §9.2: a list is asked for by a role or an affiliation', () => {
  assert.deepEqual(listAsked(query({ role: 'participant' })), { of: 'role', role: 'participant' })
  assert.deepEqual(listAsked(query({ affiliation: 'outcast' })), {
    of: 'affiliation',
    affiliation: 'outcast',
  })
  for (const asked of [
    query(),
    query({}),
    query({ role: 'participant', affiliation: 'member' }),
    query({ role: 'visitor' }, { role: 'participant' }),
    query({ role: 'king' }),
    query({ affiliation: 'toString' }),
  ])
    refused('bad-request', () => listAsked(asked))
})

test('XEP-0045 §8.5, §9.5, §10.3: items to set', () => {
  const items = itemsToSet(
    query(
      { nick: 'Hecate', role: 'visitor', reason: 'Hush.' },
      { jid: 'HAG66@shakespeare.lit/pda', affiliation: 'member', nick: '' },
      { nick: 'pistol', affiliation: 'outcast' },
    ),
    limits,
  )
  assert.deepEqual(items, [
    { of: 'role', nick: 'Hecate', role: 'visitor', reason: 'Hush.' },
    {
      of: 'affiliation',
      jid: Jid.parse('hag66@shakespeare.lit'),
      affiliation: 'member',
      nick: '',
      reason: undefined,
    },
    { of: 'affiliation', jid: undefined, affiliation: 'outcast', nick: 'pistol', reason: undefined },
  ])
})

test('XEP-0045 §8.5, §9.2: what is no item to set', () => {
  for (const asked of [
    query(),
    query({ nick: 'a' }),
    query({ role: 'visitor' }),
    query({ role: 'visitor', nick: '' }),
    query({ role: 'king', nick: 'a' }),
    query({ affiliation: 'king', jid: 'a@b.example' }),
    query({ affiliation: 'member', role: 'visitor', nick: 'a', jid: 'a@b.example' }),
    query({ affiliation: 'member' }),
    query({ affiliation: 'member', nick: '' }),
    query({ affiliation: 'member', jid: 'a@b.example' }, { affiliation: 'none', jid: 'a@b.example/c' }),
    query({ role: 'visitor', nick: 'a' }, { role: 'none', nick: 'a' }),
  ])
    refused('bad-request', () => itemsToSet(asked, limits))
  refused('jid-malformed', () => itemsToSet(query({ affiliation: 'member', jid: '@' }), limits))
})

test('an item too many, a character too many', () => {
  const items = ['a', 'b', 'c'].map((nick) => ({ nick, role: 'visitor', reason: '0123456789' }))
  assert.equal(itemsToSet(query(...items), limits).length, 3)
  refused('policy-violation', () => itemsToSet(query(...items, { nick: 'd', role: 'visitor' }), limits))
  refused('policy-violation', () =>
    itemsToSet(query({ nick: 'a', role: 'visitor', reason: '0123456789+' }), limits),
  )
})
