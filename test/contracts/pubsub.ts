/** What every pubsub store must do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ItemRecord, NewNode, Room } from '../../src/storage/pubsub.js'
import type { Stores } from '../../src/storage/stores.js'

const at = Date.UTC(2030, 0, 1, 0, 0, 0, 123)
const plenty: Room = { items: 1000, bytes: 1_000_000, whenFull: 'trim' }

export function pubsubContract(open: () => Stores, domainOf: () => string): void {
  const nodeOf = (service: string, name: string, more: Partial<NewNode> = {}): NewNode => ({
    service,
    account: undefined,
    name,
    creator: service,
    createdAt: at,
    config: { access: 'open' },
    expire: undefined,
    affiliations: [],
    ...more,
  })
  const item = (id: string, more: Partial<ItemRecord> = {}): ItemRecord => ({
    id,
    publisher: 'juliet@capulet.example',
    at,
    payload: `<a xmlns="urn:a">${id}</a>`,
    ...more,
  })
  const create = async (service: string, name = 'n', more: Partial<NewNode> = {}): Promise<number> => {
    const id = await open().pubsub.create(nodeOf(service, name, more), 100)
    assert.ok(typeof id === 'number', String(id))
    return id
  }
  const namesOf = async (service: string) => (await open().pubsub.load([service])).map(({ name }) => name)
  const idsOf = async (node: number, now = at) => (await open().pubsub.index(node, now)).map(({ id }) => id)

  test('a node is found as it was made, of its service only', async () => {
    const { pubsub } = open()
    const [one, other] = [domainOf(), domainOf()]
    const config = { title: 'a "\u{1f339}" \\ NULL', groups: ['x', ''], access: 'roster', n: 3, yes: true }
    const affiliations = [
      ['a@b.example', 'owner'],
      ['c@d.example', 'outcast'],
    ] as const
    const id = await create(one, '__proto__', { config, affiliations, creator: 'a@b.example' })
    await create(other, '__proto__')
    const expected = {
      id,
      service: one,
      name: '__proto__',
      creator: 'a@b.example',
      createdAt: at,
      config,
      affiliations,
      subscriptions: [],
    }
    assert.deepEqual(await pubsub.load([one]), [expected])
    assert.deepEqual(await pubsub.load([one], 'proto'), [])
    const both = await pubsub.load([other, one], '__proto__')
    assert.deepEqual(
      both.map(({ service }) => service),
      [one, other].sort(),
    )
  })

  test('a second node of the name is not made, nor one more than may be', async () => {
    const { pubsub } = open()
    const service = domainOf()
    await create(service, 'a')
    assert.equal(await pubsub.create(nodeOf(service, 'a'), 2), 'exists')
    await create(service, 'b')
    assert.equal(await pubsub.create(nodeOf(service, 'b'), 2), 'exists')
    assert.equal(await pubsub.create(nodeOf(service, 'c'), 2), 'full')
    assert.deepEqual(await namesOf(service), ['a', 'b'])
  })

  test('nodes go with their account, and none is made for one that is gone', async () => {
    const { pubsub, accounts } = open()
    const domain = domainOf()
    const account = await accounts.create(domain, 'juliet', {}, at)
    assert.ok(account !== 'exists')
    const service = `juliet@${domain}`
    const node = await create(service, 'n', { account: account.id })
    await pubsub.publish(node, [item('a')], plenty)
    const kept = await create(domain, 'of the domain')
    await accounts.remove(account.id)
    assert.deepEqual(await namesOf(service), [])
    assert.deepEqual(await pubsub.publish(node, [item('b')], plenty), 'gone')
    assert.deepEqual(await idsOf(node), [])
    assert.equal(await pubsub.create(nodeOf(service, 'm', { account: account.id }), 9), 'nobody')
    assert.equal(await pubsub.change(kept, { config: {} }), true)
  })

  test('configuration, affiliations and subscriptions change together', async () => {
    const { pubsub } = open()
    const service = domainOf()
    const node = await create(service, 'n', { affiliations: [['a@x.example', 'owner']] })
    const subscription = { jid: 'c@x.example/home', state: 'pending', deliver: true } as const
    assert.equal(
      await pubsub.change(node, {
        affiliations: [
          ['b@x.example', 'member'],
          ['a@x.example', 'publisher'],
        ],
        subscriptions: [[subscription.jid, subscription]],
      }),
      true,
    )
    const [first] = await pubsub.load([service], 'n')
    assert.deepEqual(first?.config, { access: 'open' })
    assert.deepEqual(first.affiliations, [
      ['a@x.example', 'publisher'],
      ['b@x.example', 'member'],
    ])
    assert.deepEqual(first.subscriptions, [subscription])
    const later = { ...subscription, state: 'subscribed', deliver: false } as const
    await pubsub.change(node, {
      config: { access: 'whitelist' },
      affiliations: [['b@x.example', undefined]],
      subscriptions: [
        [later.jid, later],
        ['nobody@x.example', undefined],
      ],
    })
    const [second] = await pubsub.load([service], 'n')
    assert.deepEqual(second?.config, { access: 'whitelist' })
    assert.deepEqual(second.affiliations, [['a@x.example', 'publisher']])
    assert.deepEqual(second.subscriptions, [later])
    await pubsub.change(node, { subscriptions: [[later.jid, undefined]] })
    assert.deepEqual((await pubsub.load([service], 'n'))[0]?.subscriptions, [])
    assert.equal(await pubsub.remove(node), true)
    assert.equal(await pubsub.remove(node), false)
    assert.equal(await pubsub.change(node, { config: {} }), false)
  })

  test('items keep the order of their last publication', async () => {
    const { pubsub } = open()
    const node = await create(domainOf())
    await pubsub.publish(node, [item('c'), item('a'), item('b')], plenty)
    await pubsub.publish(node, [item('d', { payload: '' })], plenty)
    assert.deepEqual(await idsOf(node), ['c', 'a', 'b', 'd'])
    const replaced = item('a', { payload: '<b/>', at: at + 1, publisher: 'x.example' })
    assert.deepEqual(await pubsub.publish(node, [replaced], plenty), { trimmed: [] })
    assert.deepEqual(await idsOf(node), ['c', 'b', 'd', 'a'])
    assert.deepEqual(await pubsub.items(node, ['a', 'c', 'none'], at), [item('c'), replaced])
    assert.deepEqual(await pubsub.newest([node], at), [{ ...replaced, node }])
    assert.deepEqual((await pubsub.index(node, at)).at(2), { id: 'd', bytes: 0 })
  })

  test('the oldest items make room', async () => {
    const { pubsub } = open()
    const node = await create(domainOf())
    const three: Room = { ...plenty, items: 3 }
    for (const id of ['a', 'b', 'c'])
      assert.deepEqual(await pubsub.publish(node, [item(id)], three), { trimmed: [] })
    assert.deepEqual(await pubsub.publish(node, [item('d')], three), { trimmed: ['a'] })
    // What is published again is the newest, and takes no other's place.
    assert.deepEqual(await pubsub.publish(node, [item('b')], three), { trimmed: [] })
    assert.deepEqual(await pubsub.publish(node, [item('e')], three), { trimmed: ['c'] })
    assert.deepEqual(await idsOf(node), ['d', 'b', 'e'])
    assert.deepEqual(await pubsub.publish(node, [item('f')], { ...three, items: 1 }), {
      trimmed: ['d', 'b', 'e'],
    })
    assert.deepEqual(await idsOf(node), ['f'])
  })

  test('a full node or service refuses, and nothing has changed', async () => {
    const { pubsub } = open()
    const service = domainOf()
    const node = await create(service, 'n')
    const other = await create(service, 'm')
    const two: Room = { items: 2, bytes: 100, whenFull: 'refuse' }
    const bytes = (count: number) => 'x'.repeat(count - 1)
    await pubsub.publish(node, [item('a', { payload: bytes(20) })], two)
    await pubsub.publish(node, [item('b', { payload: bytes(20) })], two)
    assert.equal(await pubsub.publish(node, [item('c')], two), 'items')
    assert.deepEqual(await pubsub.publish(node, [item('b', { payload: 'new' })], two), { trimmed: [] })
    // 19 and 3 bytes are there.
    const fits = item('d', { payload: 'é'.repeat(39) })
    assert.equal(await pubsub.publish(other, [{ ...fits, payload: `${fits.payload}x` }], two), 'bytes')
    assert.deepEqual(await pubsub.publish(other, [fits], two), { trimmed: [] })
    assert.equal(await pubsub.publish(node, [item('b', { payload: 'newer' })], two), 'bytes')
    assert.deepEqual(await pubsub.publish(other, [{ ...fits, payload: 'é'.repeat(38) }], two), {
      trimmed: [],
    })
    assert.deepEqual(await idsOf(node), ['a', 'b'])
    assert.deepEqual(await idsOf(other), ['d'])
  })

  test('publications at the same time do not know of each other, but those at one node do', async () => {
    const { pubsub } = open()
    const service = domainOf()
    const nodes = await Promise.all(['a', 'b', 'c', 'gone'].map((name) => create(service, name)))
    await pubsub.remove(nodes[3]!)
    const two: Room = { ...plenty, items: 2 }
    const outcomes = await Promise.all(
      [1, 2, 3].flatMap((round) =>
        nodes.map((node, index) =>
          pubsub.publish(
            node,
            [item(`${index}.${round}`)],
            index === 1 ? { ...two, whenFull: 'refuse' } : two,
          ),
        ),
      ),
    )
    const kept = { trimmed: [] }
    assert.deepEqual(outcomes, [
      kept, kept, kept, 'gone',
      kept, kept, kept, 'gone',
      { trimmed: ['0.1'] }, 'items', { trimmed: ['2.1'] }, 'gone',
    ]) // prettier-ignore
    assert.deepEqual(await Promise.all(nodes.map((node) => idsOf(node))), [
      ['0.2', '0.3'],
      ['1.1', '1.2'],
      ['2.2', '2.3'],
      [],
    ])
  })

  test('retracting tells what was there, and of whom', async () => {
    const { pubsub } = open()
    const node = await create(domainOf())
    await pubsub.publish(node, [item('a'), item('b', { publisher: 'x.example' }), item('c')], plenty)
    assert.deepEqual(await pubsub.retract(node, ['b'], 'y.example'), [])
    assert.deepEqual(await pubsub.retract(node, ['b', 'none'], 'x.example'), ['b'])
    assert.deepEqual(await pubsub.retract(node, ['b']), [])
    assert.deepEqual(await pubsub.retract(node, ['a']), ['a'])
    assert.deepEqual(await idsOf(node), ['c'])
    await pubsub.purge(node)
    assert.deepEqual(await idsOf(node), [])
  })

  test('expired items are not there, and are removed', async () => {
    const { pubsub } = open()
    const service = domainOf()
    const node = await create(service, 'n', { expire: 60 })
    const ever = await create(service, 'm')
    await pubsub.publish(ever, [item('x', { at: 0 })], plenty)
    await pubsub.publish(node, [item('a'), item('b', { at: at + 1000 })], plenty)
    const now = at + 60_000
    assert.deepEqual(await idsOf(node, now - 1), ['a', 'b'])
    assert.deepEqual(await idsOf(node, now), ['b'])
    assert.deepEqual(await pubsub.items(node, ['a'], now), [])
    assert.deepEqual(
      (await pubsub.newest([node, ever], now)).map(({ id }) => id),
      ['b', 'x'],
    )
    assert.deepEqual(
      (await pubsub.newest([node, ever], now + 1000)).map(({ id }) => id),
      ['x'],
    )
    await pubsub.removeExpired(now)
    assert.deepEqual(await idsOf(node, at), ['b'])
    assert.deepEqual(await idsOf(ever, at), ['x'])
    // A configuration without expiry brings nothing back, but keeps the rest.
    await pubsub.change(node, { config: {}, expire: undefined })
    assert.deepEqual(await idsOf(node, now + 1e9), ['b'])
  })
}
