import assert from 'node:assert/strict'
import { test } from 'node:test'
import lastActivity from '../../../src/modules/last-activity.js'
import privateXml from '../../../src/modules/private-xml/index.js'
import vcard from '../../../src/modules/vcard/index.js'
import { Jid } from '../../../src/stanza/jid.js'
import type { Element } from '../../../src/xml/element.js'
import { conditionOf, payloadOf, Stage, type Client } from './stage.js'

const juliet = 'juliet@capulet.example/balcony'
const romeo = 'romeo@montague.example/orchard'
const last = "<query xmlns='jabber:iq:last'/>"

test('XEP-0012 §5: the server tells how long it has been up', async () => {
  const stage = await Stage.with(lastActivity)
  const client = await stage.client(juliet)
  stage.clock.advance(123_456)
  const answer = payloadOf(await client.asks('get', last, 'capulet.example'))
  assert.equal(answer?.attrs['seconds'], '123')
})

test('XEP-0012 §3: a friend learns how long the account has been away, and what it said', async () => {
  const stage = await Stage.with(lastActivity)
  await stage.befriend('juliet', 'romeo@montague.example')
  const ask = () => stage.asked(romeo, 'juliet@capulet.example', 'get', last)
  const client = await stage.client(juliet)
  assert.equal(payloadOf(await ask())?.attrs['seconds'], '0')

  await client.sends("<presence type='unavailable'><status>Heading Home</status></presence>")
  await client.leaves()
  stage.clock.advance(903_999)
  const answer = payloadOf(await ask())
  assert.equal(answer?.attrs['seconds'], '903')
  assert.equal(answer?.text, 'Heading Home')

  await stage.load([lastActivity, { tell_status: false }])
  assert.equal(payloadOf(await ask())?.text, '')
  await stage.client(juliet)
  assert.equal(payloadOf(await ask())?.attrs['seconds'], '0')
})

test('last-seen tells the admin when an account was last connected', async () => {
  const stage = await Stage.with(lastActivity)
  const [lastSeen] = stage.host.tables.commands
  const ask = async () =>
    (await lastSeen!.run(lastSeen!.args.parse({ account: 'juliet@capulet.example' }), { by: 'a test' })).text
  assert.deepEqual([lastSeen!.name, lastSeen!.role, lastSeen!.reads], ['last-seen', 'operator', true])
  assert.equal(await ask(), 'never seen')
  const client = await stage.client(juliet)
  assert.equal(await ask(), 'connected now')
  const left = stage.clock.now()
  await client.leaves()
  stage.clock.advance(5_000)
  assert.equal(await ask(), new Date(left).toISOString())
})

test('XEP-0012: who has just left is remembered when the module ends', async () => {
  const stage = await Stage.with(lastActivity)
  await stage.befriend('juliet', 'romeo@montague.example')
  const client = await stage.client(juliet)
  await client.sends("<presence type='unavailable'><status>Heading Home</status></presence>")
  await client.leaves()
  const ask = () => stage.asked(romeo, 'juliet@capulet.example', 'get', last)
  assert.equal(payloadOf(await ask())?.text, 'Heading Home')
  await stage.load(lastActivity)
  assert.equal(payloadOf(await ask())?.text, 'Heading Home')
})

test('XEP-0012 §3: a status of directed or earlier presence is not the last one', async () => {
  const stage = await Stage.with(lastActivity)
  const client = await stage.client(juliet)
  await client.sends("<presence type='unavailable'><status>old</status></presence>")
  await client.sends('<presence><status>here again</status></presence>')
  await client.sends(`<presence to='${romeo}' type='unavailable'><status>bye Romeo</status></presence>`)
  await client.leaves()
  await stage.befriend('juliet', 'romeo@montague.example')
  assert.equal(payloadOf(await stage.asked(romeo, 'juliet@capulet.example', 'get', last))?.text, '')
})

test('XEP-0012: an account that never logged in', async () => {
  const stage = await Stage.with(lastActivity)
  await stage.befriend('nurse', 'romeo@montague.example')
  const answer = await stage.asked(romeo, 'nurse@capulet.example', 'get', last)
  assert.equal(conditionOf(answer), 'item-not-found')
})

test('XEP-0012 §8: strangers learn nothing, and do not reach a resource', async () => {
  const stage = await Stage.with(lastActivity)
  const client = await stage.client(juliet)
  client.available()
  const answers = new Set<string>()
  for (const to of ['juliet@capulet.example', juliet, 'nobody@capulet.example', 'nobody@capulet.example/x'])
    answers.add((await stage.asked(romeo, to, 'get', last)).child('error')!.toString())
  assert.equal(answers.size, 1)
  assert.match([...answers][0]!, /service-unavailable/)
  assert.deepEqual(client.got, [])
})

test('XEP-0012 §4: the request of a friend is delivered to the resource', async () => {
  const stage = await Stage.with(lastActivity)
  const client = await stage.client(juliet)
  const other = await stage.client('juliet@capulet.example/chamber')
  await other.sends(`<iq to='${juliet}' type='get' id='a'>${last}</iq>`)
  assert.equal(client.got.length, 1)
})

const exodus = "<exodus xmlns='exodus:prefs'><defaultnick>Hamlet</defaultnick></exodus>"
const wrapped = (...elements: string[]) => `<query xmlns='jabber:iq:private'>${elements.join('')}</query>`
const kept = async (client: Client, asked = "<exodus xmlns='exodus:prefs'/>"): Promise<Element> =>
  payloadOf(await client.asks('get', wrapped(asked)))!.childrenOf()[0]!

test('XEP-0049 §2: what was kept is found again from every resource, and elsewhere by nobody', async () => {
  const stage = await Stage.with(privateXml)
  const client = await stage.client(juliet)
  const done = await client.asks('set', wrapped(exodus))
  assert.equal(done.attrs['type'], 'result')
  const other = await stage.client('juliet@capulet.example/chamber')
  assert.equal((await kept(other)).child('defaultnick', 'exodus:prefs')?.text, 'Hamlet')
  for (const type of ['get', 'set'] as const) {
    const answer = await stage.asked(romeo, 'juliet@capulet.example', type, wrapped(exodus))
    assert.equal(conditionOf(answer), 'service-unavailable')
  }
  const nurse = await stage.client('nurse@capulet.example/kitchen')
  assert.equal((await kept(nurse)).childrenOf().length, 0)
})

test('XEP-0049: what was never kept comes back empty, whatever its name', async () => {
  const stage = await Stage.with(privateXml)
  const client = await stage.client(juliet)
  await client.asks('set', wrapped(exodus))
  for (const asked of [
    "<other xmlns='exodus:prefs'/>",
    "<exodus xmlns='other'/>",
    "<__proto__ xmlns='x'/>",
  ]) {
    const answer = await kept(client, asked)
    assert.equal(answer.childrenOf().length, 0)
    assert.match(asked, new RegExp(`<${answer.local} xmlns='${answer.ns}'`))
  }
})

test('XEP-0049: elements replace one of their name and leave the others, also when set at the same time', async () => {
  const stage = await Stage.with(privateXml)
  const client = await stage.client(juliet)
  const sets = ['a', 'b', 'c', 'd'].map((name) =>
    client.sends(`<iq type='set' id='${name}'>${wrapped(`<${name} xmlns='x'>1</${name}>`)}</iq>`),
  )
  await Promise.all(sets)
  await client.asks('set', wrapped("<a xmlns='x'>2</a>", "<e xmlns='x'>2</e>"))
  const texts = []
  for (const name of ['a', 'b', 'c', 'd', 'e']) texts.push((await kept(client, `<${name} xmlns='x'/>`)).text)
  assert.deepEqual(texts, ['2', '1', '1', '1', '2'])
})

test('XEP-0049 §3: no element, reserved namespaces', async () => {
  const stage = await Stage.with(privateXml)
  const client = await stage.client(juliet)
  assert.equal(conditionOf(await client.asks('get', wrapped())), 'bad-request')
  assert.equal(conditionOf(await client.asks('set', wrapped())), 'bad-request')
  assert.equal(conditionOf(await client.asks('get', wrapped(exodus, "<x xmlns='x'/>"))), 'bad-request')
  for (const ns of ['vcard-temp', 'jabber:iq:roster', 'http://jabber.org/protocol/x', 'jabber:iq:private'])
    for (const type of ['get', 'set'] as const)
      assert.equal(conditionOf(await client.asks(type, wrapped(`<x xmlns='${ns}'/>`))), 'not-acceptable')
})

test('private XML over the quota is refused; making room is not', async () => {
  const stage = await Stage.with([privateXml, { quota: '1KiB' }])
  const client = await stage.client(juliet)
  const big = (name: string, length: number) => wrapped(`<${name} xmlns='x'>${'y'.repeat(length)}</${name}>`)
  assert.equal((await client.asks('set', big('a', 900))).attrs['type'], 'result')
  assert.equal(conditionOf(await client.asks('set', big('b', 200))), 'resource-constraint')
  assert.equal((await kept(client, "<b xmlns='x'/>")).text, '')
  assert.equal((await client.asks('set', big('a', 10))).attrs['type'], 'result')
  assert.equal((await client.asks('set', big('b', 200))).attrs['type'], 'result')
  for (let i = 0; i < 100; i++)
    assert.equal(conditionOf(await client.asks('set', big(`c${i}`, 1024))), 'resource-constraint')
  assert.equal(stage.metrics.valueOf('limit_hits_total', 'private_xml'), 101)
})

const card = "<vCard xmlns='vcard-temp'><FN>Juliet</FN><PHOTO><BINVAL>AA==</BINVAL></PHOTO></vCard>"
const noCard = "<vCard xmlns='vcard-temp'/>"

test('XEP-0054 §3: the owner sets the card, everybody reads it', async () => {
  const stage = await Stage.with(vcard)
  const client = await stage.client(juliet)
  assert.equal((await client.asks('set', card)).attrs['type'], 'result')
  const answers = [
    await client.asks('get', noCard),
    await client.asks('get', noCard, 'juliet@capulet.example'),
    await stage.asked(romeo, 'juliet@capulet.example', 'get', noCard),
  ]
  for (const answer of answers) assert.equal(payloadOf(answer)?.child('FN')?.text, 'Juliet')
  assert.equal(payloadOf(answers[0]!)?.ns, 'vcard-temp')
})

test('XEP-0054 §3.1, §3.3: without a card the owner is told so, and others nothing about the account', async () => {
  const stage = await Stage.with(vcard)
  const client = await stage.client(juliet)
  assert.equal(conditionOf(await client.asks('get', noCard)), 'item-not-found')
  for (const local of ['juliet', 'nobody']) {
    const answer = await stage.asked(romeo, `${local}@capulet.example`, 'get', noCard)
    assert.equal(conditionOf(answer), 'service-unavailable')
  }
})

test("XEP-0054 §3.2: nobody sets somebody else's card", async () => {
  const stage = await Stage.with(vcard)
  const client = await stage.client(juliet)
  await client.asks('set', card)
  const nurse = await stage.client('nurse@capulet.example/kitchen')
  const fake = card.replace('Juliet', 'Fake')
  assert.notEqual(conditionOf(await nurse.asks('set', fake, 'juliet@capulet.example')), undefined)
  assert.notEqual(conditionOf(await stage.asked(romeo, 'juliet@capulet.example', 'set', fake)), undefined)
  assert.equal(payloadOf(await client.asks('get', noCard))?.child('FN')?.text, 'Juliet')
})

test('what is kept of an account goes with it', async () => {
  const stage = await Stage.with(vcard, privateXml)
  const client = await stage.client(juliet)
  await client.asks('set', card)
  await client.asks('set', wrapped(exodus))
  await stage.host.removeAccount((await stage.host.account(Jid.parse(juliet).local))!)
  const again = await stage.client(juliet)
  assert.equal(conditionOf(await again.asks('get', noCard)), 'item-not-found')
  assert.equal((await kept(again)).childrenOf().length, 0)
})
