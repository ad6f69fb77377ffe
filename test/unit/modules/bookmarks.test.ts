import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  bookmarkOfItem,
  conferenceOf,
  isSame,
  readItems,
  readStorage,
  storageOf,
} from '../../../src/modules/bookmarks/convert.js'
import { parseElement } from '../../../src/xml/parser.js'
import { Dice } from '../../support/dice.js'

const storage = (inner: string) => parseElement(`<storage xmlns='storage:bookmarks'>${inner}</storage>`)
const item = (id: string, inner: string) => ({ id, payload: parseElement(inner) })
const play = `<conference jid='Play@rooms.example' name='The Play' autojoin='1'><nick>JC</nick><password>x&amp;y</password></conference>`

test('XEP-0048 §2: rooms by their addresses, and all else as it is', () => {
  const url = `<url name='Works' url='https://play.example/'/>`
  const foreign = `<note xmlns='urn:x-test'>keep me</note>`
  const { rooms, rest } = readStorage(storage(`${play}${url}<conference name='nowhere'/>${foreign}`))
  assert.deepEqual(
    [...rooms],
    [['play@rooms.example', { name: 'The Play', autojoin: true, nick: 'JC', password: 'x&y' }]],
  )
  assert.deepEqual(
    rest.map(({ local }) => local),
    ['url', 'conference', 'note'],
  )
  const again = readStorage(parseElement(storageOf(rooms, rest).toString()))
  assert.deepEqual(again.rooms, rooms)
  assert.deepEqual(
    again.rest.map((one) => one.toString()),
    rest.map((one) => one.toString()),
  )
})

test('of two bookmarks of one room the first counts; a resource of a room is no other room', () => {
  const { rooms } = readStorage(
    storage(`<conference jid='a@rooms.example' name='1'/><conference jid='A@rooms.example/nick' name='2'/>`),
  )
  assert.deepEqual(
    [...rooms].map(([room, { name }]) => [room, name]),
    [['a@rooms.example', '1']],
  )
})

test('XEP-0402 §3.4: what old clients do not know of outlives their changes', () => {
  const before = item(
    'play@rooms.example',
    `<conference xmlns='urn:xmpp:bookmarks:1' name='Old'><nick>JC</nick><extensions><state xmlns='urn:x-test' minimized='true'/></extensions></conference>`,
  )
  const { rooms } = readStorage(storage(play))
  const after = conferenceOf(rooms.get('play@rooms.example')!, before)
  assert.equal(after.attrs['name'], 'The Play')
  assert.equal(
    after.child('extensions', 'urn:xmpp:bookmarks:1')?.child('state', 'urn:x-test')?.attrs['minimized'],
    'true',
  )
  assert.equal(parseElement(after.toString()).child('password', 'urn:xmpp:bookmarks:1')?.text, 'x&y')
  assert.ok(before.payload.child('extensions')?.child('state'), 'the item itself is not changed')
})

test('XML Schema has two ways to say true, and none is none', () => {
  const bookmark = (text: string) =>
    bookmarkOfItem(item('a@b', `<conference xmlns='urn:xmpp:bookmarks:1'${text}`))
  assert.ok(isSame(bookmark(` autojoin='1'/>`), bookmark(` autojoin='true'><nick/></conference>`)))
  assert.ok(isSame(bookmark(` autojoin='0'/>`), bookmark('/>')))
  for (const other of [
    ` name='x'/>`,
    ` autojoin='true'/>`,
    '><nick>x</nick></conference>',
    '><password>x</password></conference>',
  ])
    assert.equal(isSame(bookmark('/>'), bookmark(other)), false)
})

test('items that name no room are none', () => {
  const conference = `<conference xmlns='urn:xmpp:bookmarks:1'/>`
  const rooms = readItems([
    item('@', conference),
    item('A@rooms.example', conference),
    item('b@rooms.example', '<other/>'),
  ])
  assert.deepEqual([...rooms.keys()], ['a@rooms.example'])
})

test('lists of rubbish come back as they were when they are read again', () => {
  const dice = new Dice(48)
  const attribute = () =>
    dice.of([
      ` jid='a@rooms.example'`,
      ` jid='@@'`,
      ` name='&lt;'`,
      ` autojoin='yes'`,
      ` autojoin='1'`,
      ` url='x'`,
      '',
    ])
  const child = (): string => {
    const name = dice.of(['conference', 'url', 'nick', `conference xmlns='urn:xmpp:bookmarks:1'`, 'password'])
    const attributes = [
      ...new Set([attribute(), attribute()].map((one) => (one.split('=')[0] === '' ? '' : one))),
    ]
    const unlike = attributes.filter(
      (one, at) => attributes.findIndex((other) => other.split('=')[0] === one.split('=')[0]) === at,
    )
    return `<${name}${unlike.join('')}><nick>${dice.of(['', 'JC', '&amp;'])}</nick></${name.split(' ')[0]}>`
  }
  for (let round = 0; round < 300; round++) {
    const first = readStorage(storage(Array.from({ length: dice.below(6) }, child).join('')))
    const text = storageOf(first.rooms, first.rest).toString()
    const second = readStorage(parseElement(text))
    assert.equal(storageOf(second.rooms, second.rest).toString(), text)
    assert.deepEqual(second.rooms, first.rooms)
  }
})
