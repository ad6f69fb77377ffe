import assert from 'node:assert/strict'
import { test } from 'node:test'
import { version as running } from '../../../src/base/version.js'
import contactAddresses from '../../../src/modules/contact-addresses.js'
import disco from '../../../src/modules/disco.js'
import ping from '../../../src/modules/ping.js'
import session from '../../../src/modules/session.js'
import streamLimits from '../../../src/modules/stream-limits.js'
import time from '../../../src/modules/time.js'
import version from '../../../src/modules/version.js'
import { parseMoment } from '../../../src/stanza/delay.js'
import { formTypeOf, formValues } from '../../../src/stanza/forms.js'
import { conditionOf, payloadOf, Stage } from './stage.js'

const juliet = 'juliet@capulet.example/balcony'
const pingXml = "<ping xmlns='urn:xmpp:ping'/>"
const infoXml = "<query xmlns='http://jabber.org/protocol/disco#info'/>"

test('XEP-0199 §4.2: a ping to the server, to the own account or to nobody is answered', async () => {
  const stage = await Stage.with(ping)
  const client = await stage.client(juliet)
  for (const to of ['capulet.example', 'juliet@capulet.example', undefined]) {
    const pong = await client.asks('get', pingXml, to)
    assert.equal(pong.attrs['type'], 'result')
    assert.equal(pong.attrs['id'], 'q1')
    assert.deepEqual(pong.childrenOf(), [])
  }
  const pong = await stage.asked('romeo@montague.example/x', 'capulet.example', 'get', pingXml)
  assert.equal(pong.attrs['type'], 'result')
})

test('XEP-0199: a ping to the account of somebody else tells nothing', async () => {
  const stage = await Stage.with(ping)
  const client = await stage.client(juliet)
  await stage.client('nurse@capulet.example/kitchen')
  for (const to of ['nurse@capulet.example', 'nobody@capulet.example'])
    assert.equal(conditionOf(await client.asks('get', pingXml, to)), 'service-unavailable')
})

test('XEP-0199 §4.2: a server without the module says service-unavailable', async () => {
  const client = await (await Stage.with(time)).client(juliet)
  for (const to of [undefined, 'capulet.example'])
    assert.equal(conditionOf(await client.asks('get', pingXml, to)), 'service-unavailable')
})

test('XEP-0092 §2: name and version, and the system only when allowed', async () => {
  const stage = await Stage.with(version)
  const client = await stage.client(juliet)
  const ask = async () =>
    payloadOf(await client.asks('get', "<query xmlns='jabber:iq:version'/>", 'capulet.example'))
  assert.deepEqual(
    (await ask())?.childrenOf().map((child) => [child.local, child.text]),
    [
      ['name', 'Parley'],
      ['version', running],
    ],
  )
  assert.match(running, /^\d+\.\d+\.\d+/)
  await stage.load([version, { tell_os: true }])
  assert.notEqual((await ask())?.child('os')?.text ?? '', '')
})

test("XEP-0202 §2: the server's time in UTC", async () => {
  const stage = await Stage.with(time)
  const client = await stage.client(juliet)
  const answer = payloadOf(await client.asks('get', "<time xmlns='urn:xmpp:time'/>", 'capulet.example'))
  assert.equal(answer?.child('tzo')?.text, '+00:00')
  assert.equal(parseMoment(answer?.child('utc')?.text ?? ''), stage.clock.now())
})

test('XEP-0157 §3: contact addresses are a form in the information about the server', async () => {
  const addresses = {
    abuse: ['mailto:abuse@capulet.example', 'xmpp:abuse@capulet.example'],
    admin: 'xmpp:a@b.example',
  }
  const stage = await Stage.with(disco, [contactAddresses, addresses])
  const client = await stage.client(juliet)
  const info = await client.asks('get', infoXml, 'capulet.example')
  const form = payloadOf(info)!.child('x', 'jabber:x:data')!
  assert.equal(formTypeOf(form), 'http://jabber.org/network/serverinfo')
  assert.deepEqual(formValues(form).get('abuse-addresses'), addresses.abuse)
  assert.deepEqual(formValues(form).get('admin-addresses'), [addresses.admin])
  assert.equal(formValues(form).has('sales-addresses'), false)
})

test('XEP-0157: no address, no form; an address is a URI', async () => {
  const stage = await Stage.with(disco, contactAddresses)
  const client = await stage.client(juliet)
  const info = await client.asks('get', infoXml, 'capulet.example')
  assert.equal(payloadOf(info)?.child('x', 'jabber:x:data'), undefined)
  assert.throws(() => contactAddresses.options.parse({ abuse: 'abuse@capulet.example' }), /URI/)
})

test('XEP-0478 §3.1: the limits that hold now are in the stream features', async () => {
  const stage = await Stage.with(streamLimits)
  const limits = (authenticated: boolean) =>
    stage
      .offers({ authenticated })
      .get('urn:xmpp:stream-limits:0')
      ?.childrenOf()
      .map((limit) => [limit.local, limit.text])
  assert.deepEqual(limits(false), [['max-bytes', '10000']])
  assert.deepEqual(limits(true), [
    ['max-bytes', '262144'],
    ['idle-seconds', '300'],
  ])
})

test('RFC 6121 appendix E: the session of old clients is offered as optional and gets its result', async () => {
  const stage = await Stage.with(session)
  const ns = 'urn:ietf:params:xml:ns:xmpp-session'
  assert.ok(stage.offers({ authenticated: true }).get(ns)?.child('optional'))
  assert.equal(stage.offers({ authenticated: false }).has(ns), false)
  assert.equal(stage.offers({ authenticated: true, bound: true }).has(ns), false)
  const client = await stage.client(juliet)
  for (const to of [undefined, 'capulet.example'])
    assert.equal((await client.asks('set', `<session xmlns='${ns}'/>`, to)).attrs['type'], 'result')
})
