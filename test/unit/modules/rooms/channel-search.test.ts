/** XEP-0433: what a question means, and which rooms answer it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  foundAmong,
  readSearch,
  searchForm,
  type Channel,
  type Search,
} from '../../../../src/modules/rooms/channel-search.js'
import { StanzaError } from '../../../../src/stanza/errors.js'
import { Jid } from '../../../../src/stanza/jid.js'
import { parseElement } from '../../../../src/xml/parser.js'

const SEARCH = 'urn:xmpp:channel-search:0:search'
const ADDRESS = '{urn:xmpp:channel-search:0:order}address'
const NUSERS = '{urn:xmpp:channel-search:0:order}nusers'

const field = (name: string, ...values: string[]) =>
  `<field var='${name}'>${values.map((value) => `<value>${value}</value>`).join('')}</field>`

function asked(fields: Readonly<Record<string, string | readonly string[]>>, set = '') {
  const all = { FORM_TYPE: 'urn:xmpp:channel-search:0:search-params', ...fields }
  const written = Object.entries(all).map(([name, value]) => field(name, ...[value].flat()))
  const x = `<x xmlns='jabber:x:data' type='submit'>${written.join('')}</x>`
  return parseElement(
    `<search xmlns='${SEARCH}'>${set && `<set xmlns='http://jabber.org/protocol/rsm'>${set}</set>`}${x}</search>`,
  )
}

function channel(local: string, occupants: number, more: Partial<Channel> = {}): Channel {
  const address = Jid.of(local, 'rooms.example')
  const texts = { name: local, description: '', language: '' }
  return { address, ...texts, occupants, isOpen: true, isNonAnonymous: false, ...more }
}

const channels = [
  channel('tea', 3, { name: 'Tea House', description: 'Grüne Blätter', language: 'de' }),
  channel('coffee', 5, { name: 'Espresso', isOpen: false }),
  channel('milk', 5, { description: 'for tea and coffee', isNonAnonymous: true }),
  channel('empty', 0, { name: 'Nobody here' }),
]

function found(fields: Readonly<Record<string, string | readonly string[]>>, set?: string): string[] {
  const result = foundAmong(channels, readSearch(asked(fields, set))!)
  return result.childrenOf('item').map((item) => Jid.parse(item.attrs['address']!).local)
}

/** The condition, the type and the application's condition of what it is refused with. */
function refused(fields: Readonly<Record<string, string | readonly string[]>>, set?: string) {
  try {
    foundAmong(channels, readSearch(asked(fields, set))!)
  } catch (error) {
    assert.ok(error instanceof StanzaError)
    return [error.condition, error.type, error.application?.local]
  }
  return assert.fail('it is not refused')
}

test('§4.2.1: without a form it is the form that is asked for, with all fields and their defaults', () => {
  assert.equal(readSearch(parseElement(`<search xmlns='${SEARCH}'/>`)), undefined)
  const [x] = searchForm().childrenOf('x', 'jabber:x:data')
  const names = x!.childrenOf('field').map(({ attrs }) => attrs['var'])
  assert.deepEqual(names, [
    'FORM_TYPE', 'q', 'all', 'sinname', 'sindescription', 'sinaddress', 'min_users', 'types', 'key',
  ]) // prettier-ignore
})

test('§4.2.2: every word must stand somewhere; case and width of letters do not matter', () => {
  assert.deepEqual(found({ q: 'tea' }), ['milk', 'tea'])
  assert.deepEqual(found({ q: 'TEA ｃｏｆｆｅｅ' }), ['milk'])
  assert.deepEqual(found({ q: 'GRÜNE' }), ['tea'])
  assert.deepEqual(found({ q: 'nothing' }), [])
  assert.deepEqual(found({ q: 'tea', sindescription: '0' }), ['tea'])
  assert.deepEqual(found({ q: 'coffee', sinaddress: '0' }), ['milk'])
  assert.deepEqual(found({ q: 'coffee', sinaddr: 'false' }), ['milk'])
  assert.deepEqual(found({ q: 'house', sinname: 'false' }), [])
})

test('§5: all are all, by their number of occupants or by address', () => {
  assert.deepEqual(found({ all: 'true' }), ['coffee', 'milk', 'tea', 'empty'])
  assert.deepEqual(found({ all: '1', key: ADDRESS }), ['coffee', 'empty', 'milk', 'tea'])
  assert.deepEqual(found({ all: '1', min_users: '4' }), ['coffee', 'milk'])
  // §5: what it does not know it ignores.
  assert.deepEqual(found({ all: '1', '{urn:other}x': 'y', min_users: '4' }), ['coffee', 'milk'])
  // §6.2: nobody gets rooms who asks for something else.
  assert.deepEqual(found({ all: '1', types: 'xep-0369' }), [])
  assert.deepEqual(found({ all: '1', types: ['xep-0369', 'xep-0045'], min_users: '5' }), ['coffee', 'milk'])
})

test('§6.2: what is said of a room, and nothing where nothing is known', () => {
  const result = foundAmong(channels, readSearch(asked({ all: '1', key: ADDRESS }))!)
  const items = result.childrenOf('item').map((item) => ({
    address: item.attrs['address'],
    ...Object.fromEntries(item.childrenOf().map((child) => [child.local, child.text])),
  }))
  const common = { 'service-type': 'xep-0045', 'anonymity-mode': 'muc_semianonymous' }
  assert.deepEqual(items, [
    { address: 'coffee@rooms.example', name: 'Espresso', nusers: '5', ...common },
    { address: 'empty@rooms.example', name: 'Nobody here', nusers: '0', ...common, 'is-open': 'true' },
    {
      address: 'milk@rooms.example',
      name: 'milk',
      description: 'for tea and coffee',
      nusers: '5',
      ...common,
      'is-open': 'true',
      'anonymity-mode': '{urn:xmpp:channel-search:0:anonymity}none',
    },
    {
      address: 'tea@rooms.example',
      name: 'Tea House',
      description: 'Grüne Blätter',
      language: 'de',
      nusers: '3',
      ...common,
      'is-open': 'true',
    },
  ])
})

test('XEP-0059: pages in both directions, one after the other, whatever comes and goes between them', () => {
  for (const key of [ADDRESS, NUSERS]) {
    const all = found({ all: '1', key })
    const forwards: string[] = []
    const backwards: string[] = []
    for (const [way, list] of [
      ['after', forwards],
      ['before', backwards],
    ] as const) {
      let edge = ''
      for (;;) {
        const search = readSearch(asked({ all: '1', key }, `<max>1</max><${way}>${edge}</${way}>`))
        const result = foundAmong(channels, search as Search)
        const [one] = result.childrenOf('item')
        const set = result.child('set')!
        assert.equal(set.child('count')!.text, '4')
        if (!one) break
        list.push(Jid.parse(one.attrs['address']!).local)
        assert.equal(set.child('first')!.attrs['index'], String(all.indexOf(list.at(-1)!)))
        edge = set.child(way === 'after' ? 'last' : 'first')!.text
      }
    }
    assert.deepEqual(forwards, all)
    assert.deepEqual(backwards, all.toReversed())
  }
  assert.deepEqual(found({ all: '1' }, '<max>0</max>'), [])
  assert.deepEqual(found({ all: '1' }, '<max>2</max><index>1</index>'), ['milk', 'tea'])
  // A place where no room stands any more is one still.
  assert.deepEqual(found({ all: '1' }, '<after>4 gone@rooms.example</after>'), ['tea', 'empty'])
  assert.deepEqual(refused({ all: '1' }, '<after>gone</after>'), ['item-not-found', 'cancel', undefined])
})

test('no answer has more than a hundred rooms, and usually it has fifty', () => {
  const many = Array.from({ length: 120 }, (_, i) => channel(`r${i}`, i))
  const count = (set: string) =>
    foundAmong(many, readSearch(asked({ all: '1' }, set))!).childrenOf('item').length
  assert.equal(count(''), 50)
  assert.equal(count('<max>100</max>'), 100)
  assert.equal(count('<max>5000</max>'), 100)
})

test('§4.2.2.2 to §4.2.2.7: what cannot be answered, and why', () => {
  assert.deepEqual(refused({ q: 'tea', key: 'x' }), ['feature-not-implemented', 'modify', 'invalid-sort-key'])
  assert.deepEqual(refused({ q: 'a b' }), ['bad-request', 'modify', 'invalid-search-terms'])
  const eleven = Array.from({ length: 11 }, (_, i) => `word${i}`).join(' ')
  assert.deepEqual(refused({ q: eleven }), ['bad-request', 'modify', 'invalid-search-terms'])
  assert.deepEqual(found({ q: eleven.slice(0, -7) }), [])
  assert.deepEqual(refused({ q: 'tea', all: '1' }), ['bad-request', 'modify', 'conflicting-fields'])
  assert.deepEqual(refused({}), ['bad-request', 'cancel', 'no-search-conditions'])
  assert.deepEqual(refused({ all: '0', q: ' ' }), ['bad-request', 'cancel', 'no-search-conditions'])
  const nowhere = { q: 'tea', sinname: '0', sindescription: '0', sinaddress: '0' }
  assert.deepEqual(refused(nowhere), ['bad-request', 'cancel', 'no-search-conditions'])
  assert.deepEqual(refused({ all: '1', min_users: '-1' }), ['not-acceptable', 'modify', undefined])
  assert.deepEqual(refused({ all: '1', FORM_TYPE: 'x' }), ['bad-request', 'modify', undefined])
})
