/** XEP-0215: where calls find their servers, and what lets clients in for a while. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { conditionOf, payloadOf, Stage } from './stage.js'
import disco from '../../../src/modules/disco.js'
import externalServices from '../../../src/modules/external-services.js'
import type { Element } from '../../../src/xml/element.js'
import { parseElement } from '../../../src/xml/parser.js'

const NS = 'urn:xmpp:extdisco:2'
const turn = { type: 'turn', host: 'turn.example.org', secret: 'north' }
const stun = { type: 'stun', host: '192.0.2.1', port: 9998 }
const ftp = {
  type: 'ftp',
  host: 'ftp.example.org',
  transport: 'tcp',
  name: 'Files',
  username: 'guest',
  password: 'guest',
}

const all = `<services xmlns='${NS}'/>`
const of = (type: string) => `<services xmlns='${NS}' type='${type}'/>`
const credentials = (attrs: string) => `<credentials xmlns='${NS}'><service ${attrs}/></credentials>`

const withServices = (service: Record<string, unknown>, more = {}) =>
  [externalServices, { service, ...more }] as const

function attributes(reply: Element): Record<string, string>[] {
  const payload = payloadOf(reply)
  assert.ok(payload, reply.toString())
  return payload.childrenOf('service', NS).map(({ attrs }) => ({ ...attrs }))
}

/** The pushes that reached a client. */
function pushes(got: readonly string[]): Element[] {
  return got.map((text) => parseElement(text.replace(/^<iq/, "<iq xmlns='jabber:client'")))
}

test('XEP-0215 §3.1: all services, with credentials that the TURN server can check, for so long', async () => {
  const stage = await Stage.with(withServices({ turn, stun, ftp }, { last: '1h' }))
  const client = await stage.client('juliet@capulet.example/balcony')
  const [relay, plain, files, ...more] = attributes(await client.asks('get', all, 'capulet.example'))
  assert.equal(more.length, 0)
  assert.deepEqual(plain, { host: '192.0.2.1', port: '9998', transport: 'udp', type: 'stun' })
  assert.deepEqual(files, {
    host: 'ftp.example.org',
    name: 'Files',
    transport: 'tcp',
    type: 'ftp',
    username: 'guest',
    password: 'guest',
    restricted: 'true',
  })
  const { username, password, expires, ...rest } = relay!
  assert.deepEqual(rest, {
    host: 'turn.example.org',
    port: '3478',
    transport: 'udp',
    type: 'turn',
    restricted: 'true',
  })
  const [until, person] = username!.split(':')
  const end = stage.clock.now() + 3_600_000
  assert.deepEqual([Number(until) * 1000, Date.parse(expires!)], [end, end])
  assert.equal(password, createHmac('sha1', 'north').update(username!).digest('base64'))
  // The TURN server learns nothing about who calls, but that it is the same person.
  assert.match(person!, /^[0-9a-f]{16}$/)
  const other = await stage.client('juliet@capulet.example/phone')
  const romeo = await stage.client('romeo@capulet.example/a')
  const tag = async (one: typeof client) =>
    attributes(await one.asks('get', of('turn'), 'capulet.example'))[0]!['username']!.split(':')[1]
  assert.equal(await tag(other), person)
  assert.notEqual(await tag(romeo), person)
})

test('XEP-0215 §3.2: services of one type', async () => {
  const stage = await Stage.with(withServices({ turn, stun }))
  const client = await stage.client('juliet@capulet.example/balcony')
  const reply = await client.asks('get', of('stun'), 'capulet.example')
  assert.equal(payloadOf(reply)!.attrs['type'], 'stun')
  assert.deepEqual(
    attributes(reply).map(({ type }) => type),
    ['stun'],
  )
  assert.deepEqual(attributes(await client.asks('get', of('sip'), 'capulet.example')), [])
})

test('XEP-0215 §3.3: credentials for a service that the client knows', async () => {
  const stage = await Stage.with(
    withServices({
      turn,
      tls: { ...turn, type: 'turns', port: 443, transport: 'tcp' },
      other: { ...turn, port: 4000 },
      stun,
    }),
  )
  const client = await stage.client('juliet@capulet.example/balcony')
  const ask = (attrs: string) => client.asks('get', credentials(attrs), 'capulet.example')
  const ports = async (attrs: string) => attributes(await ask(attrs)).map(({ port }) => port)
  assert.deepEqual(await ports(`host='turn.example.org' type='turn'`), ['3478', '4000'])
  assert.deepEqual(await ports(`host='TURN.example.org' type='turn' port='4000'`), ['4000'])
  assert.deepEqual(await ports(`host='turn.example.org' type='turns'`), ['443'])
  for (const attrs of [
    `host='turn.example.org' type='turn' port='1'`,
    `host='192.0.2.1' type='stun'`,
    `host='x' type='turn'`,
  ])
    assert.equal(conditionOf(await ask(attrs)), 'item-not-found', attrs)
  for (const attrs of [`host='turn.example.org'`, `type='turn'`])
    assert.equal(conditionOf(await ask(attrs)), 'bad-request', attrs)
})

test('who is elsewhere gets nothing, guests do', async () => {
  const stage = await Stage.with(withServices({ turn }))
  for (const asked of [all, credentials(`host='turn.example.org' type='turn'`)])
    assert.equal(
      conditionOf(await stage.asked('romeo@montague.example/a', 'capulet.example', 'get', asked)),
      'forbidden',
    )
  const guest = await stage.connected((await stage.client('x@capulet.example/a')).jid, 0)
  assert.equal(attributes(await guest.asks('get', all, 'capulet.example')).length, 1)
})

test('XEP-0215 §5: claimed when there is something to tell', async () => {
  const features = async (stage: Stage) => {
    const client = await stage.client('juliet@capulet.example/balcony')
    const info = payloadOf(
      await client.asks('get', `<query xmlns='http://jabber.org/protocol/disco#info'/>`, 'capulet.example'),
    )
    return info!.childrenOf('feature').map(({ attrs }) => attrs['var'] as string)
  }
  assert.ok((await features(await Stage.with(disco, withServices({ turn })))).includes(NS))
  const without = await Stage.with(disco, externalServices)
  assert.ok(!(await features(without)).includes(NS))
  const client = await without.client('juliet@capulet.example/b')
  assert.equal(conditionOf(await client.asks('get', all, 'capulet.example')), 'service-unavailable')
})

test('XEP-0215 §3.2: who asked is told what a reload has changed, and nobody else', async () => {
  const stage = await Stage.with(withServices({ turn, stun }))
  const [juliet, nurse, romeo] = [
    await stage.client('juliet@capulet.example/balcony'),
    await stage.client('nurse@capulet.example/a'),
    await stage.client('romeo@capulet.example/a'),
  ]
  await juliet.asks('get', all, 'capulet.example')
  await nurse.asks('get', of('stun'), 'capulet.example')
  for (const client of [juliet, nurse, romeo]) client.got.length = 0
  const changes = (element: Element) =>
    element
      .child('services', NS)!
      .childrenOf('service')
      .map(({ attrs }) => `${attrs['action']} ${attrs['type']} ${attrs['host']}:${attrs['port']}`)

  await stage.load(withServices({ turn: { ...turn, secret: 'south' }, new: { ...turn, port: 443 } }))
  const [push, ...more] = pushes(juliet.got)
  assert.equal(more.length, 0)
  assert.deepEqual(
    [push!.attrs['type'], push!.attrs['from'], push!.child('services', NS)!.attrs['type']],
    ['set', 'capulet.example', undefined],
  )
  assert.deepEqual(changes(push!), [
    'add turn turn.example.org:443',
    'modify turn turn.example.org:3478',
    'delete stun 192.0.2.1:9998',
  ])
  const [, modified] = push!.child('services', NS)!.childrenOf('service')
  const { username, password } = modified!.attrs as Record<string, string>
  assert.equal(password, createHmac('sha1', 'south').update(username!).digest('base64'))
  const [ofStun] = pushes(nurse.got)
  assert.equal(ofStun!.child('services', NS)!.attrs['type'], 'stun')
  assert.deepEqual(changes(ofStun!), ['delete stun 192.0.2.1:9998'])
  assert.deepEqual(romeo.got, [])

  for (const client of [juliet, nurse]) client.got.length = 0
  await stage.load(withServices({ turn: { ...turn, secret: 'south' }, new: { ...turn, port: 443 } }))
  assert.deepEqual([juliet.got, nurse.got], [[], []])
  await stage.load(externalServices)
  assert.deepEqual(changes(pushes(juliet.got)[0]!), [
    'delete turn turn.example.org:3478',
    'delete turn turn.example.org:443',
  ])
})

test('XEP-0215 §3.2: of ten types a session hears changes, of more and of long ones it asks each time', async () => {
  const stage = await Stage.with(withServices({ stun }))
  const client = await stage.client('juliet@capulet.example/balcony')
  const hits = () => stage.metrics.valueOf('limit_hits_total', 'external_services')
  const ask = (type: string) => client.asks('get', of(type), 'capulet.example')
  for (let i = 0; i < 10; i++) await ask(`kind-${i}`)
  assert.equal(hits(), 0)
  await ask('turn')
  await ask('t'.repeat(10_000))
  for (let i = 0; i < 1000; i++) await ask(`more-${i}`)
  await ask('kind-1')
  assert.equal(hits(), 1002)
  client.got.length = 0
  await stage.load(withServices({ stun, turn, mine: { ...turn, type: 'kind-1' } }))
  assert.deepEqual(
    pushes(client.got).map((push) => push.child('services', NS)!.attrs['type']),
    ['kind-1'],
  )
})
