// XEP-0045 §6: what is found out about rooms from outside.
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { BALL, configures, enters, gather, SERVICE } from '../../support/rooms.js'
import { DOMAIN, scene } from '../../support/stage.js'
import { readDiscoInfo } from '../../../src/stanza/caps.js'
import { formValues } from '../../../src/stanza/forms.js'
import { NS } from '../../../src/xml/namespaces.js'

const items = (inner = '', node = '') => `<query xmlns='${NS.discoItems}'${node}>${inner}</query>`
const info = (node = '') => `<query xmlns='${NS.discoInfo}'${node}/>`

async function told(actor: Actor, address: string) {
  const result = await actor.gets(info(), address)
  const found = readDiscoInfo(result.child('query', NS.discoInfo)!)
  assert.ok(found, 'well-formed by XEP-0115 §5.4')
  return found
}

async function list(actor: Actor, inner = '', address = SERVICE) {
  const result = await actor.gets(items(inner), address)
  const query = result.child('query', NS.discoItems)!
  const set = query.child('set', NS.resultSets)
  return {
    rooms: query.childrenOf('item').map(({ attrs }) => attrs['jid']!.replace(`@${SERVICE}`, '')),
    names: query.childrenOf('item').map(({ attrs }) => attrs['name']),
    set: set && {
      first: set.child('first')?.text,
      index: set.child('first')?.attrs['index'],
      last: set.child('last')?.text,
      count: set.child('count')?.text,
    },
  }
}

scene('XEP-0045 §6.1, §6.2: the service is listed, and says that it has rooms', async ({ romeo }) => {
  await romeo.connects()
  const result = await romeo.gets(items(), DOMAIN)
  assert.match(result.toString(), new RegExp(SERVICE))
  const { identities, features } = await told(romeo, SERVICE)
  assert.equal(identities[0]?.category, 'conference')
  assert.equal(identities[0]?.type, 'text')
  for (const feature of [NS.muc, NS.mucUnique, NS.discoInfo, NS.discoItems])
    assert.ok(features.includes(feature), feature)
})

scene('XEP-0045 §6.3: public rooms are listed by name, hidden ones are not', async ({ romeo, juliet }) => {
  await gather([romeo])
  assert.deepEqual((await list(romeo)).rooms, [])
  await configures(romeo, { publicroom: '1' })
  assert.deepEqual((await list(romeo)).names, ['ball'])
  await configures(romeo, { roomname: 'The ball' })
  await juliet.connects()
  const { rooms, names, set } = await list(juliet)
  assert.deepEqual([rooms, names, set], [['ball'], ['The ball'], undefined])
  await configures(romeo, { publicroom: '0' })
  assert.deepEqual((await list(juliet)).rooms, [])
})

scene('XEP-0045 §6.3: a long list comes in pages', async ({ romeo }) => {
  for (const name of ['a', 'b', 'c', 'd']) {
    const room = `${name}@${SERVICE}`
    await enters(romeo, { room })
    await configures(romeo, { publicroom: '1' }, room)
  }
  const page = (inner: string) => list(romeo, `<set xmlns='${NS.resultSets}'>${inner}</set>`)
  const at = (name: string) => `${name}@${SERVICE}`
  assert.deepEqual(await page('<max>2</max>'), {
    rooms: ['a', 'b'],
    names: ['a', 'b'],
    set: { first: at('a'), index: '0', last: at('b'), count: '4' },
  })
  const second = await page(`<max>2</max><after>${at('b')}</after>`)
  assert.deepEqual(second.set, { first: at('c'), index: '2', last: at('d'), count: '4' })
  assert.deepEqual((await page('<max>3</max><before/>')).rooms, ['b', 'c', 'd'])
  assert.deepEqual((await page(`<max>1</max><before>${at('c')}</before>`)).rooms, ['b'])
  assert.deepEqual((await page('<max>2</max><index>3</index>')).rooms, ['d'])
  assert.deepEqual((await page('<max>0</max>')).set, {
    first: undefined,
    index: undefined,
    last: undefined,
    count: '4',
  })
  await romeo.isRefused(
    'item-not-found',
    'get',
    items(`<set xmlns='${NS.resultSets}'><after>nowhere</after></set>`),
    SERVICE,
  )
})

scene('XEP-0045 §6.4: a room says what it is, as its configuration has it', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  const before = await told(juliet, BALL)
  assert.deepEqual(before.identities, [
    { category: 'conference', type: 'text', name: 'ball', lang: undefined },
  ])
  for (const feature of [NS.muc, 'muc_hidden', 'muc_temporary', 'muc_semianonymous'])
    assert.ok(before.features.includes(feature), feature)
  await configures(romeo, {
    roomname: 'The ball',
    roomdesc: 'At the house of Capulet',
    lang: 'it',
    pubsub: 'xmpp:pubsub.example?;node=ball',
    publicroom: '1',
    persistentroom: '1',
    whois: 'anyone',
    changesubject: '1',
  })
  const after = await told(juliet, BALL)
  assert.equal(after.identities[0]?.name, 'The ball')
  for (const feature of ['muc_public', 'muc_persistent', 'muc_nonanonymous'])
    assert.ok(after.features.includes(feature), feature)
  for (const feature of ['muc_hidden', 'muc_temporary', 'muc_semianonymous'])
    assert.ok(!after.features.includes(feature), feature)
  const [form] = after.forms
  const values = formValues(form!)
  assert.deepEqual(values.get('FORM_TYPE'), ['http://jabber.org/protocol/muc#roominfo'])
  assert.deepEqual(values.get('muc#roominfo_description'), ['At the house of Capulet'])
  assert.deepEqual(values.get('muc#roominfo_lang'), ['it'])
  assert.deepEqual(values.get('muc#roomconfig_pubsub'), ['xmpp:pubsub.example?;node=ball'])
  assert.deepEqual(values.get('muc#roominfo_occupants'), ['2'])
})

scene('XEP-0045 §6.4, §18.1.1: nodes of a room', async ({ romeo }) => {
  await gather([romeo])
  await romeo.isRefused('item-not-found', 'get', info(` node='nothing'`), BALL)
  await romeo.isRefused('item-not-found', 'get', items('', ` node='nothing'`), BALL)
  // It discards no namespaces.
  await romeo.isRefused('service-unavailable', 'get', info(` node='${NS.mucTraffic}'`), BALL)
  await romeo.isRefused('item-not-found', 'get', info(), `nowhere@${SERVICE}`)
})

scene('XEP-0045 §6.5: who is in is told to those who are in', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet])
  const inside = await romeo.gets(items(), BALL)
  assert.deepEqual(
    inside
      .child('query')!
      .childrenOf('item')
      .map(({ attrs }) => attrs['jid']),
    [`${BALL}/romeo`, `${BALL}/juliet`],
  )
  await nurse.connects()
  const outside = await nurse.gets(items(), BALL)
  assert.deepEqual(outside.child('query')!.childrenOf(), [])
})

scene('XEP-0045 §16.4: the rooms that one is in oneself', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  const own = `coven@${SERVICE}`
  await enters(juliet, { room: own, nick: 'witch' })
  const mine = async (actor: Actor) => {
    const result = await actor.gets(items('', ` node='${NS.mucRooms}'`), SERVICE)
    return result
      .child('query')!
      .childrenOf('item')
      .map(({ attrs }) => [attrs['jid'], attrs['name']])
  }
  assert.deepEqual(await mine(romeo), [[BALL, 'romeo']])
  assert.deepEqual(await mine(juliet), [
    [BALL, 'juliet'],
    [own, 'witch'],
  ])
})

scene('XEP-0045 §7.12: the nickname that is reserved for one', async ({ romeo, juliet }) => {
  await gather([romeo])
  const item = `<item affiliation='member' jid='${juliet.bare}' nick='Jule'/>`
  await romeo.sets(`<query xmlns='${NS.mucAdmin}'>${item}</query>`, BALL)
  await juliet.connects()
  const node = 'x-roomuser-item'
  const reserved = async (actor: Actor) => {
    const result = await actor.gets(info(` node='${node}'`), BALL)
    const query = result.child('query', NS.discoInfo)!
    assert.equal(query.attrs['node'], node)
    return query
      .childrenOf()
      .map(({ local, attrs }) => [local, attrs['category'], attrs['type'], attrs['name']])
  }
  assert.deepEqual(await reserved(juliet), [['identity', 'conference', 'text', 'Jule']])
  assert.deepEqual(await reserved(romeo), [])
})

scene('XEP-0045 §6.4: the subject is for those who could read it inside', async (cast) => {
  const { romeo, juliet } = cast
  await gather([romeo])
  romeo.sends(`<message type='groupchat' id='s' to='${BALL}'><subject>Masks</subject></message>`)
  await juliet.connects()
  await romeo.ignoresSoFar()
  const subject = async (actor: Actor) =>
    formValues((await told(actor, BALL)).forms[0]!).get('muc#roominfo_subject')
  assert.deepEqual(await subject(juliet), ['Masks'])
  await configures(romeo, { membersonly: '1' })
  assert.equal(await subject(juliet), undefined)
  assert.deepEqual(await subject(romeo), ['Masks'])
  await configures(romeo, { membersonly: '0', passwordprotectedroom: '1', roomsecret: 'x' })
  assert.equal(await subject(juliet), undefined)
})
