import assert from 'node:assert/strict'
import { test } from 'node:test'
import disco from '../../../src/modules/disco.js'
import lastActivity from '../../../src/modules/last-activity.js'
import ping from '../../../src/modules/ping.js'
import { capsHash, capsVersion, readDiscoInfo } from '../../../src/stanza/caps.js'
import { Jid } from '../../../src/stanza/jid.js'
import { NS } from '../../../src/xml/namespaces.js'
import { conditionOf, payloadOf, Stage } from './stage.js'

const juliet = 'juliet@capulet.example/balcony'
const ask = (what: 'info' | 'items', node?: string) =>
  `<query xmlns='http://jabber.org/protocol/disco#${what}'${node === undefined ? '' : ` node='${node}'`}/>`

test('XEP-0030 §3.1: the server tells what it is and can', async () => {
  const stage = await Stage.with([disco, { title: 'Verona' }], ping)
  const client = await stage.client(juliet)
  const info = readDiscoInfo(payloadOf(await client.asks('get', ask('info'), 'capulet.example'))!)
  assert.deepEqual(info?.identities, [{ category: 'server', type: 'im', name: 'Verona', lang: undefined }])
  for (const feature of [NS.discoInfo, NS.discoItems, NS.caps, NS.ping])
    assert.ok(info?.features.includes(feature), feature)
  assert.equal(info?.features.includes(NS.lastActivity), false)
})

test('XEP-0030 §4.1: the server lists the services that the admin names, or nothing', async () => {
  const stage = await Stage.with(disco)
  const client = await stage.client(juliet)
  const items = async () =>
    payloadOf(await client.asks('get', ask('items'), 'capulet.example'))!
      .childrenOf('item')
      .map((item) => item.attrs['jid'])
  assert.deepEqual(await items(), [])
  await stage.load([disco, { items: ['rooms.capulet.example', 'upload.capulet.example'] }])
  assert.deepEqual(await items(), ['rooms.capulet.example', 'upload.capulet.example'])
})

test('XEP-0115 §6.3: the hash in the stream features is that of the answer, and its node can be asked', async () => {
  const stage = await Stage.with(disco, ping)
  const client = await stage.client(juliet)
  const caps = stage.offers({ authenticated: true }).get(NS.caps)!
  assert.equal(caps.attrs['hash'], 'sha-1')
  const node = `${caps.attrs['node']}#${caps.attrs['ver']}`
  const answer = payloadOf(await client.asks('get', ask('info', node), 'capulet.example'))!
  assert.equal(answer.attrs['node'], node)
  assert.equal(capsVersion(readDiscoInfo(answer)!), caps.attrs['ver'])

  await stage.load(disco, ping, lastActivity)
  const after = stage.offers({ authenticated: true }).get(NS.caps)!
  assert.notEqual(after.attrs['ver'], caps.attrs['ver'])
  const gone = await client.asks('get', ask('info', node), 'capulet.example')
  assert.equal(conditionOf(gone), 'item-not-found')
})

test('XEP-0390 §5.2, §5.5: the same for its two hashes', async () => {
  const stage = await Stage.with(disco, ping)
  const client = await stage.client(juliet)
  const hashes = stage.offers({ authenticated: true }).get(NS.caps2)!.childrenOf('hash', NS.hashes)
  assert.deepEqual(
    hashes.map((hash) => hash.attrs['algo']),
    ['sha-256', 'sha3-256'],
  )
  for (const hash of hashes) {
    const algo = hash.attrs['algo'] as 'sha-256' | 'sha3-256'
    const node = `urn:xmpp:caps#${algo}.${hash.text}`
    const answer = payloadOf(await client.asks('get', ask('info', node), 'capulet.example'))!
    assert.equal(capsHash(readDiscoInfo(answer)!, algo), hash.text)
  }
})

test('the hashes are told once it is known who asks, and not again', async () => {
  const stage = await Stage.with(disco)
  assert.equal(stage.offers({ authenticated: false }).size, 0)
  assert.equal(stage.offers({ authenticated: true, bound: true }).size, 0)
})

test('XEP-0030 §3.2: an unknown node is not found', async () => {
  const stage = await Stage.with(disco)
  const client = await stage.client(juliet)
  for (const what of ['info', 'items'] as const)
    for (const to of ['capulet.example', 'juliet@capulet.example'])
      assert.equal(conditionOf(await client.asks('get', ask(what, 'x'), to)), 'item-not-found')
})

test('XEP-0030 §3.1, §4.1: an account tells its owner and friends what it is and where it is available', async () => {
  const stage = await Stage.with(disco, lastActivity)
  const balcony = await stage.client(juliet)
  await stage.client('juliet@capulet.example/connected-only')
  balcony.available()
  await stage.befriend('juliet', 'romeo@montague.example')
  for (const asks of [
    (what: 'info' | 'items') => balcony.asks('get', ask(what), 'juliet@capulet.example'),
    (what: 'info' | 'items') => balcony.asks('get', ask(what)),
    (what: 'info' | 'items') =>
      stage.asked('romeo@montague.example/x', 'juliet@capulet.example', 'get', ask(what)),
  ]) {
    const info = readDiscoInfo(payloadOf(await asks('info'))!)
    assert.deepEqual(
      info?.identities.map(({ category, type }) => [category, type]),
      [['account', 'registered']],
    )
    assert.ok(info?.features.includes(NS.discoInfo))
    assert.ok(info?.features.includes(NS.lastActivity))
    const items = payloadOf(await asks('items'))!.childrenOf('item')
    assert.deepEqual(
      items.map((item) => item.attrs['jid']),
      ['juliet@capulet.example/balcony'],
    )
  }
})

test('XEP-0030 §8: a stranger gets the same for an account that exists and one that does not', async () => {
  const stage = await Stage.with(disco)
  const client = await stage.client(juliet)
  client.available()
  const answers = new Set<string>()
  for (const what of ['info', 'items'] as const)
    for (const node of [undefined, 'some node'])
      for (const local of ['juliet', 'nobody']) {
        const answer = await stage.asked(
          'tybalt@montague.example/x',
          `${local}@capulet.example`,
          'get',
          ask(what, node),
        )
        answers.add(answer.child('error')!.toString())
      }
  assert.equal(answers.size, 1)
  assert.match([...answers][0]!, /service-unavailable/)
})

test('a guest of the server is no registered account', async () => {
  const stage = await Stage.with(disco)
  const guest = await stage.connected(Jid.parse('0815@capulet.example/x'), 0)
  const info = payloadOf(await guest.asks('get', ask('info')))
  assert.equal(info?.child('identity')?.attrs['type'], 'anonymous')
})
