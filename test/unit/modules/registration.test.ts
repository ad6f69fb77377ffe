import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Negotiation, StreamFeature } from '../../../src/host/module.js'
import disco from '../../../src/modules/disco.js'
import registration from '../../../src/modules/registration.js'
import { StanzaError } from '../../../src/stanza/errors.js'
import { Jid } from '../../../src/stanza/jid.js'
import type { Element } from '../../../src/xml/element.js'
import { NS } from '../../../src/xml/namespaces.js'
import { parseElement } from '../../../src/xml/parser.js'
import { conditionOf, fakeStream, keysOf, payloadOf, Stage, type Client } from './stage.js'

const juliet = 'juliet@capulet.example/balcony'
const query = (inner = '') => `<query xmlns='jabber:iq:register'>${inner}</query>`
const named = (name: string, password: string) =>
  query(`<username>${name}</username><password>${password}</password>`)
const submitted = (name: string, password: string, formType = 'jabber:iq:register') =>
  query(
    `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>${formType}</value></field>` +
      `<field var='username'><value>${name}</value></field>` +
      `<field var='password'><value>${password}</value></field></x>`,
  )

/** A connection that has not authenticated: what it asks of the feature, and the reply or condition it gets. */
function stranger(stage: Stage, remote = '192.0.2.1') {
  const got: string[] = []
  const at: Negotiation = stage.negotiation(
    {},
    fakeStream(got, () => {}, remote),
  )
  const [feature] = stage.host.tables.streamFeatures as [StreamFeature]
  return async (type: 'get' | 'set', payload: string): Promise<Element | string> => {
    const iq = parseElement(`<iq xmlns='jabber:client' type='${type}' id='r1'>${payload}</iq>`)
    try {
      assert.equal(await feature.receive!(iq, at), 'stay')
    } catch (error) {
      if (error instanceof StanzaError) return error.condition
      throw error
    }
    return parseElement(got.pop()!.replace('<iq', "<iq xmlns='jabber:client'"))
  }
}

const endOf = (client: Client) => client.ended?.condition
const typeOf = (reply: Element | string) => (typeof reply === 'string' ? reply : reply.attrs['type'])

test('XEP-0077 §8: offered to clients over TLS before they authenticate, and off by default', async () => {
  const stage = await Stage.with(registration)
  assert.equal(registration.enabled, false)
  const offered = (facts: object) => stage.offers(facts).has(NS.registrationFeature)
  assert.equal(offered({}), true)
  assert.equal(offered({ secure: false }), false)
  assert.equal(offered({ authenticated: true }), false)
  assert.equal(offered({ direction: 's2s' }), false)
})

test('XEP-0077 §3.1: the form says what is needed', async () => {
  const stage = await Stage.with([registration, { instructions: 'Enter <here>' }])
  const reply = (await stranger(stage)('get', query())) as Element
  assert.equal(reply.attrs['id'], 'r1')
  const form = payloadOf(reply)!
  assert.equal(form.child('instructions')?.text, 'Enter <here>')
  assert.ok(form.child('username'))
  assert.ok(form.child('password'))
  assert.equal(form.child('registered'), undefined)
  const fields = form.child('x', NS.dataForms)!.childrenOf('field')
  assert.deepEqual(
    fields.map((field) => field.attrs['var']),
    ['FORM_TYPE', 'username', 'password'],
  )
})

for (const fill of [named, submitted])
  test(`XEP-0077 §3.1: an account is made from ${fill === named ? 'fields' : 'a form'}`, async () => {
    const stage = await Stage.with(registration)
    const reply = (await stranger(stage)('set', fill('Juliet', 'R0m30'))) as Element
    assert.equal(reply.attrs['type'], 'result')
    assert.equal(reply.childrenOf().length, 0)
    const account = await stage.host.account('juliet')
    assert.deepEqual(account?.keys, { 'SHA-256': keysOf('R0m30') })
    assert.equal(stage.metrics.valueOf('registrations_total', 'in-band'), 1)
  })

test('XEP-0077 §3.1: what is refused, and how', async () => {
  const stage = await Stage.with([registration, { attempts: 'off' }])
  const asks = stranger(stage)
  await asks('set', named('juliet', 'x'))
  assert.equal(await asks('set', named('JULIET', 'y')), 'conflict')
  assert.deepEqual((await stage.host.account('juliet'))?.keys, { 'SHA-256': keysOf('x') })
  for (const incomplete of [named('', 'x'), named('romeo', ''), query(), query('<username>romeo</username>')])
    assert.equal(await asks('set', incomplete), 'not-acceptable')
  assert.equal(await asks('set', submitted('romeo', '')), 'not-acceptable')
  assert.equal(await asks('set', named('a b', 'x')), 'not-acceptable')
  assert.equal(await asks('set', named('a@b', 'x')), 'not-acceptable')
  assert.equal(await asks('set', named('romeo', 'unfit')), 'not-acceptable')
  assert.equal(await asks('set', query('<remove/>')), 'unexpected-request')
  assert.equal(await stage.stores.accounts.count('capulet.example'), 1)
})

test('registration: one network has so many attempts, others have their own', async () => {
  const stage = await Stage.with([registration, { attempts: '3/h' }])
  const asks = stranger(stage, '2001:db8:1:2::1')
  assert.equal(typeOf(await asks('set', named('a', 'x'))), 'result')
  assert.equal(typeOf(await asks('set', named('a', 'x'))), 'conflict')
  assert.equal(typeOf(await asks('set', named('b', 'x'))), 'result')
  assert.equal(await asks('set', named('c', 'x')), 'resource-constraint')
  assert.equal(await stranger(stage, '2001:db8:1:2:ffff::9')('set', named('c', 'x')), 'resource-constraint')
  assert.equal(typeOf(await stranger(stage, '2001:db8:1:3::1')('set', named('d', 'x'))), 'result')
  assert.equal(typeOf(await stranger(stage, '192.0.2.1')('set', named('e', 'x'))), 'result')
  // Asking for the form is free; time gives back.
  assert.equal(typeOf(await asks('get', query())), 'result')
  stage.clock.advance(20 * 60_000)
  assert.equal(typeOf(await asks('set', named('c', 'x'))), 'result')
  assert.equal(await asks('set', named('f', 'x')), 'resource-constraint')
})

test('registration: closed when the domain has enough accounts', async () => {
  const stage = await Stage.with([registration, { accounts: 2, attempts: 'off' }])
  const asks = stranger(stage)
  assert.equal(typeOf(await asks('set', named('a', 'x'))), 'result')
  assert.equal(typeOf(await asks('set', named('b', 'x'))), 'result')
  for (let i = 0; i < 200; i++) assert.equal(await asks('set', named(`c${i}`, 'x')), 'not-allowed')
  assert.equal(stage.metrics.valueOf('limit_hits_total', 'registered_accounts'), 200)
})

test('XEP-0077 §3.1: an account sees that it is registered, not its password', async () => {
  const stage = await Stage.with(registration)
  const client = await stage.client(juliet)
  for (const to of [undefined, 'capulet.example']) {
    const form = payloadOf(await client.asks('get', query(), to))
    assert.ok(form?.child('registered'))
    assert.equal(form?.child('username')?.text, 'juliet')
    assert.equal(form?.child('password')?.text, '')
  }
})

test('XEP-0077 §3.3: a password is changed, never to nothing, and only the own one', async () => {
  const stage = await Stage.with(registration)
  const client = await stage.client(juliet)
  await stage.client('nurse@capulet.example/kitchen')
  const keys = async (local: string) => (await stage.host.account(local))?.keys
  assert.equal((await client.asks('set', named('Juliet', 'new'), 'capulet.example')).attrs['type'], 'result')
  assert.deepEqual(await keys('juliet'), { 'SHA-256': keysOf('new') })
  assert.equal((await client.asks('set', submitted('juliet', 'newer'))).attrs['type'], 'result')
  assert.deepEqual(await keys('juliet'), { 'SHA-256': keysOf('newer') })

  for (const incomplete of [named('juliet', ''), query('<password>x</password>'), query()])
    assert.equal(conditionOf(await client.asks('set', incomplete)), 'bad-request')
  assert.equal(conditionOf(await client.asks('set', named('nurse', 'x'))), 'not-allowed')
  assert.equal(conditionOf(await client.asks('set', named('juliet', 'unfit'))), 'not-acceptable')
  assert.deepEqual(await keys('juliet'), { 'SHA-256': keysOf('newer') })
  assert.deepEqual(await keys('nurse'), {})
})

test('XEP-0077 §3.2: removal answers, ends all sessions with not-authorized, and leaves nothing', async () => {
  const stage = await Stage.with(registration)
  const client = await stage.client(juliet)
  const other = await stage.client('juliet@capulet.example/chamber')
  const nurse = await stage.client('nurse@capulet.example/kitchen')
  assert.equal(conditionOf(await client.asks('set', query('<remove/><username/>'))), 'bad-request')
  assert.equal(endOf(other), undefined)
  assert.equal((await client.asks('set', query('<remove/>'))).attrs['type'], 'result')
  assert.equal(endOf(client), 'not-authorized')
  assert.equal(endOf(other), 'not-authorized')
  assert.equal(endOf(nurse), undefined)
  assert.equal(await stage.host.account('juliet'), undefined)
  assert.equal(stage.host.sessions.of(Jid.parse(juliet)).length, 0)
})

test('XEP-0077 §3.2, RFC 6121 §2.5.2: contacts are told that the subscription is over', async () => {
  const stage = await Stage.with(registration)
  await stage.befriend('juliet', 'romeo@montague.example')
  const client = await stage.client(juliet)
  const sent: string[] = []
  stage.router.elsewhere = { send: (stanza) => void sent.push(stanza.toXml()) }
  await client.asks('set', query('<remove/>'))
  assert.equal(sent.length, 1)
  assert.match(
    sent[0]!,
    /^<presence to='romeo@montague.example' from='juliet@capulet.example' type='unsubscribed'/,
  )
})

test('XEP-0077 §3.2: nobody elsewhere and no guest has a say', async () => {
  const stage = await Stage.with(registration)
  await stage.client(juliet)
  for (const payload of [query('<remove/>'), named('juliet', 'x')])
    for (const to of ['capulet.example', 'juliet@capulet.example'])
      assert.notEqual(
        conditionOf(await stage.asked('juliet@montague.example/x', to, 'set', payload)),
        undefined,
      )
  assert.ok(await stage.host.account('juliet'))
  const guest = await stage.connected(Jid.parse('0815@capulet.example/x'), 0)
  assert.equal(conditionOf(await guest.asks('set', query('<remove/>'))), 'registration-required')
})

test('XEP-0077 §10: found by discovery', async () => {
  const stage = await Stage.with(disco, registration)
  const client = await stage.client(juliet)
  const info = await client.asks('get', `<query xmlns='${NS.discoInfo}'/>`, 'capulet.example')
  assert.ok(
    payloadOf(info)
      ?.childrenOf('feature')
      .some((feature) => feature.attrs['var'] === NS.registration),
  )
})
