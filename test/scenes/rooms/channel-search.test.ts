/** XEP-0433: searching the rooms of a service. */
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { configures, gather, SERVICE } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

const SEARCH = 'urn:xmpp:channel-search:0:search'
const field = ([name, value]: readonly [string, string]) =>
  `<field var='${name}'><value>${value}</value></field>`
const asking = (fields: Readonly<Record<string, string>>) =>
  `<search xmlns='${SEARCH}'><x xmlns='jabber:x:data' type='submit'>${Object.entries({
    FORM_TYPE: 'urn:xmpp:channel-search:0:search-params',
    ...fields,
  })
    .map(field)
    .join('')}</x></search>`

async function found(actor: Actor, fields: Readonly<Record<string, string>>) {
  const reply = await actor.gets(asking(fields), SERVICE)
  const result = reply.child('result', SEARCH)
  assert.ok(result, reply.toString())
  return result
    .childrenOf('item')
    .map((item) => [
      item.attrs['address']!.split('@')[0],
      ...['name', 'nusers', 'is-open'].map((name) => item.child(name)?.text),
    ])
}

scene(
  '§4: rooms that stand in lists are found, with who is in now',
  async ({ romeo, juliet, nurse, stage }) => {
    const at = (local: string) => `${local}@${SERVICE}`
    await gather([romeo, juliet], at('ball'))
    await configures(romeo, { publicroom: '1', roomname: 'The Ball', roomdesc: 'Masks' }, at('ball'))
    await gather([romeo], at('hidden'))
    await configures(romeo, { publicroom: '0', roomname: 'A ball, too' }, at('hidden'))
    await gather([romeo], at('members'))
    await configures(romeo, { publicroom: '1', membersonly: '1', roomdesc: 'no ball' }, at('members'))
    await nurse.online()
    const info = await nurse.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, SERVICE)
    assert.ok(
      info
        .child('query')!
        .childrenOf('feature')
        .some(({ attrs }) => attrs['var'] === SEARCH),
    )
    const form = (await nurse.gets(`<search xmlns='${SEARCH}'/>`, SERVICE)).child('search', SEARCH)
    assert.equal(form?.child('x')?.attrs['type'], 'form')
    const both = [
      ['ball', 'The Ball', '2', 'true'],
      ['members', undefined, '1', undefined],
    ]
    assert.deepEqual(await found(nurse, { all: '1' }), both)
    assert.deepEqual(await found(nurse, { q: 'BALL' }), both)
    assert.deepEqual(await found(nurse, { q: 'masks' }), [both[0]])
    // Who comes and goes counts at once, what the rooms are called within a minute.
    juliet.sends(`<presence type='unavailable' to='${at('ball')}/juliet'/>`)
    await configures(romeo, { roomname: 'Over' }, at('ball'))
    await juliet.settled()
    assert.deepEqual((await found(nurse, { q: 'ball' }))[0], ['ball', 'The Ball', '1', 'true'])
    stage.clock.advance(60_000)
    assert.deepEqual((await found(nurse, { q: 'over' }))[0], ['ball', 'Over', '1', 'true'])
    await nurse.isRefused('bad-request', 'get', asking({}), SERVICE)
  },
)

scene('§4.2.2.4: so many searches at once, and no more', async ({ romeo, stage }) => {
  await romeo.online()
  for (let i = 0; i < 50; i++) assert.deepEqual(await found(romeo, { all: '1' }), [])
  for (let i = 0; i < 3; i++) {
    const reply = await romeo.gets(asking({ all: '1' }), SERVICE)
    const error = reply.child('error')!
    assert.equal(error.attrs['type'], 'wait')
    assert.ok(error.child('resource-constraint'))
    assert.equal(error.child('rate-limit', 'urn:xmpp:channel-search:0:error')?.attrs['retry-after'], '1')
  }
  assert.equal(stage.metrics.valueOf('limit_hits_total', 'room_searches'), 3)
  stage.clock.advance(1000)
  assert.deepEqual(await found(romeo, { all: '1' }), [])
})
