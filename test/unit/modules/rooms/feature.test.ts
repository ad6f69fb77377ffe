import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Features, inOrder, type RoomFeature } from '../../../../src/modules/rooms/feature.js'
import { flagField } from '../../../../src/modules/rooms/fields.js'
import { nickKey } from '../../../../src/modules/rooms/nicks.js'
import { mucUser } from '../../../../src/modules/rooms/status.js'
import type { Room } from '../../../../src/modules/rooms/room.js'

const answer = { type: 'get', at: 'room', name: 'query', ns: 'urn:x', answer: () => undefined } as const

test('what two features claim is a fault at start', () => {
  const field = flagField('muc#roomconfig_thing', 'A thing', false)
  const one: RoomFeature = { name: 'one', fields: [field], iq: [answer] }
  assert.throws(() => new Features([one, { name: 'two', fields: [field] }]), /muc#roomconfig_thing/)
  assert.throws(() => new Features([one, { name: 'two', iq: [answer] }]), /get of \{urn:x\}query at room/)
  const features = new Features([one, { name: 'two', iq: [{ ...answer, at: 'occupant' }] }])
  assert.equal(features.request('get', 'room', 'query', 'urn:x')?.at, 'room')
  assert.equal(features.request('get', 'occupant', 'query', 'urn:x')?.at, 'occupant')
  assert.equal(features.request('set', 'room', 'query', 'urn:x'), undefined)
})

test('hooks are those of the features that have them, in order and bound', () => {
  class Counting implements RoomFeature {
    rooms: Room[] = []
    constructor(readonly name: string) {}
    adopted(room: Room): void {
      this.rooms.push(room)
    }
  }
  const [first, last] = [new Counting('first'), new Counting('last')]
  const room = {} as Room
  const hooks = new Features([first, { name: 'idle' }, last]).with('adopted')
  assert.equal(hooks.length, 2)
  for (const adopted of hooks) adopted(room)
  assert.deepEqual([first.rooms, last.rooms], [[room], [room]])
})

test('hooks wait for those that take their time, and for no others', async () => {
  const done: string[] = []
  const say = (word: string) => () => void done.push(word)
  assert.equal(inOrder([say('one'), say('two')]), undefined)
  let goOn: () => void = () => undefined
  const slow = () => new Promise<void>((resolve) => (goOn = resolve))
  const all = inOrder([slow, say('three')])
  assert.deepEqual(done, ['one', 'two'])
  goOn()
  await all
  assert.deepEqual(done, ['one', 'two', 'three'])
  // Whoever refuses keeps the others from acting.
  const refuse = () => {
    throw new Error('no')
  }
  assert.throws(() => inOrder([say('four'), refuse, say('five')]), /no/)
  assert.deepEqual(done.at(-1), 'four')
})

test('RFC 8266 §2.4: nicknames that look the same have one key', () => {
  for (const [one, other] of [
    ['Romeo', 'romeo'],
    ['ＲＯＭＥＯ', 'romeo'],
    ['ﬁend', 'FIEND'],
    ['Ångström', 'A\u030angstro\u0308m'],
  ] as const)
    assert.equal(nickKey(one), nickKey(other))
  assert.notEqual(nickKey('romeo'), nickKey('rorneo'))
})

test('what people say stands escaped in muc#user', () => {
  const item = { affiliation: 'none', role: 'none', nick: `<'"&`, reason: '<b>&', actor: `O'Nurse` }
  assert.equal(
    mucUser(item, [307, 110], '<more/>'),
    `<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='none' nick='&lt;&apos;&quot;&amp;'>` +
      `<actor nick='O&apos;Nurse'/><reason>&lt;b&gt;&amp;</reason></item><more/><status code='307'/><status code='110'/></x>`,
  )
})
