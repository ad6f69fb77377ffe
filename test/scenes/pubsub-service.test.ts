/** XEP-0060 at a domain of its own: who may create nodes there, and what the world sees of it. */
import assert from 'node:assert/strict'
import {
  affiliates,
  creates,
  notified,
  owner,
  publishes,
  pubsub,
  reads,
  reasonOf,
  stateOf,
  submitted,
  subscribes,
  succeeds,
  told,
  word,
} from '../support/pubsub.js'
import { DOMAIN, scene, type StageOptions } from '../support/stage.js'
import { NS } from '../../src/xml/namespaces.js'

const service = `pubsub.${DOMAIN}`
const on: StageOptions = { set: [`host."${DOMAIN}".modules.pubsub.enabled=true`] }
const withSettings = (...settings: string[]): StageOptions => ({
  set: [...on.set!, ...settings.map((setting) => `host."${DOMAIN}".modules.pubsub.${setting}`)],
})

scene(
  'XEP-0060 §5.1, §5.2: the service is listed, tells what it can, and lists its open nodes',
  async ({ juliet, romeo }) => {
    await juliet.online()
    await romeo.online()
    const services = await juliet.gets(`<query xmlns='${NS.discoItems}'/>`, juliet.domain)
    assert.match(services.toString(), new RegExp(`<item jid="${service}"/>`))
    const info = (await juliet.gets(`<query xmlns='${NS.discoInfo}'/>`, service)).toString()
    assert.match(info, /<identity category="pubsub" type="service"\/>/)
    assert.match(info, /pubsub#access-open"/)
    assert.doesNotMatch(info, /pubsub#auto-create"/)
    await creates(juliet, 'open', { title: 'Open' }, service)
    await creates(juliet, 'closed', { access_model: 'whitelist' }, service)
    const items = await romeo.gets(`<query xmlns='${NS.discoItems}'/>`, service)
    const shown = items
      .child('query')!
      .childrenOf('item')
      .map(({ attrs }) => `${attrs['jid']} ${attrs['node']} ${attrs['name']}`)
    assert.deepEqual(shown, [`${service} open Open`])
    const node = await romeo.gets(`<query xmlns='${NS.discoInfo}' node='open'/>`, service)
    assert.match(node.toString(), new RegExp(`pubsub#owner"><value>${juliet.bare}<`))
    await romeo.isRefused('item-not-found', 'get', `<query xmlns='${NS.discoInfo}' node='closed'/>`, service)
    await romeo.isRefused('service-unavailable', 'get', `<query xmlns='${NS.version}'/>`, service)
  },
  on,
)

scene(
  'XEP-0060 §8.1, §7.1, §6.1: a node, its owner, its publishers and its subscribers',
  async ({ juliet, romeo, nurse }) => {
    for (const actor of [juliet, romeo, nurse]) await actor.online()
    assert.equal(reasonOf(await publishes(juliet, 'n', 'x', { to: service })), 'item-not-found')
    await creates(juliet, 'n', {}, service)
    for (const model of ['presence', 'roster'])
      assert.equal(
        reasonOf(
          await juliet.sets(
            owner(`<configure node='n'>${submitted('node_config', { access_model: model })}</configure>`),
            service,
          ),
        ),
        'not-acceptable/unsupported-access-model',
      )
    assert.equal(stateOf(await subscribes(nurse, 'n', service)), 'subscribed')
    assert.equal(reasonOf(await publishes(romeo, 'n', 'x', { to: service })), 'forbidden')
    await succeeds(affiliates(juliet, 'n', { [romeo.bare]: 'publisher' }, service))
    await succeeds(publishes(romeo, 'n', 'news', { to: service, id: 'one' }))
    // Whose it is can be seen, since it is not the service's own.
    const item = `<item id='one' publisher='${romeo.bare}'>${word('news')}</item>`
    await nurse.receives(told(service, nurse.bare, `<items node='n'>${item}</items>`))
    assert.equal(await reads(nurse, 'n', service), 'news')
    assert.equal(
      reasonOf(await affiliates(juliet, 'n', { [juliet.bare]: 'none' }, service)),
      'not-acceptable',
    )
    await succeeds(affiliates(juliet, 'n', { [romeo.bare]: 'owner', [juliet.bare]: 'none' }, service))
    assert.equal(reasonOf(await juliet.sets(owner(`<delete node='n'/>`), service)), 'forbidden')
    await succeeds(romeo.sets(owner(`<delete node='n'/>`), service))
    await nurse.receives(told(service, nurse.bare, `<delete node='n'/>`))
  },
  on,
)

scene(
  'XEP-0060 §8.6: requests to subscribe go to the owners, whose answers come to the service',
  async ({ juliet, romeo }) => {
    await juliet.online()
    await romeo.online()
    await creates(juliet, 'n', { access_model: 'authorize' }, service)
    assert.equal(stateOf(await subscribes(romeo, 'n', service)), 'pending')
    const request = await juliet.next()
    assert.equal(request.attrs['from'], service)
    const answer = (allow: string) =>
      `<message to='${service}' id='${request.attrs['id']}'>${submitted('subscribe_authorization', { node: 'n', subscriber_jid: romeo.bare, allow })}</message>`
    romeo.sends(answer('1'))
    await romeo.receives(
      `<message type='error' from='${service}'><error><forbidden xmlns='${NS.stanzaErrors}'/></error></message>`,
    )
    juliet.sends(answer('1'))
    const state = `<subscription node='n' jid='${romeo.bare}' subscription='subscribed'/>`
    await romeo.receives(told(service, romeo.bare, state))
    romeo.sends(`<message to='${service}' id='m'><body>Hello?</body></message>`)
    await romeo.receives(
      `<message type='error' id='m'><error><service-unavailable xmlns='${NS.stanzaErrors}'/></error></message>`,
    )
    romeo.sends(`<presence to='${service}'/>`)
    romeo.sends(`<iq to='${service}/x' type='get' id='i'><query xmlns='${NS.discoInfo}'/></iq>`)
    await romeo.receivesInAnyOrder(
      `<presence type='error'><error><service-unavailable xmlns='${NS.stanzaErrors}'/></error></presence>`,
      `<iq type='error' id='i'><error><service-unavailable xmlns='${NS.stanzaErrors}'/></error></iq>`,
    )
  },
  on,
)

scene(
  'modules.pubsub.creators, modules.pubsub.listed: who may create nodes, and where the service is',
  async ({ juliet, romeo, other: { nurse } }) => {
    for (const actor of [juliet, romeo, nurse]) await actor.online()
    const to = 'news.capulet.example'
    const create = async (actor: typeof juliet) =>
      reasonOf(await actor.sets(pubsub(`<create node='${actor.local}'/>`), to))
    assert.deepEqual(
      [await create(juliet), await create(romeo), await create(nurse)],
      ['ok', 'forbidden', 'ok'],
    )
    await succeeds(publishes(nurse, 'nurse', 'x', { to }))
  },
  withSettings(
    'creators=listed',
    'domain=news.capulet.example',
    'listed=["juliet@capulet.example", "nurse@montague.example"]',
  ),
)

scene(
  'modules.pubsub.nodes, modules.pubsub.items, modules.pubsub.size: at the limit, above it, and far above',
  async ({ stage, juliet, other: { romeo } }) => {
    await juliet.online()
    await romeo.online()
    assert.equal(reasonOf(await romeo.sets(pubsub(`<create node='n'/>`), service)), 'forbidden')
    const hits = (limit: string) => stage.metrics.valueOf('limit_hits_total', limit)
    for (const node of ['a', 'b']) await creates(juliet, node, { max_items: 'max' }, service)
    for (let i = 0; i < 200; i++)
      assert.equal(
        reasonOf(await juliet.sets(pubsub(`<create node='n${i}'/>`), service)),
        'resource-constraint/max-nodes-exceeded',
      )
    for (let i = 0; i < 203; i++) await publishes(juliet, 'a', `w${i}`, { to: service })
    assert.equal(await reads(juliet, 'a', service), 'w200 w201 w202')
    const large = 'x'.repeat(60_000)
    await succeeds(publishes(juliet, 'b', large, { to: service, id: 'large' }))
    for (let i = 0; i < 100; i++)
      assert.equal(reasonOf(await publishes(juliet, 'b', large, { to: service })), 'resource-constraint')
    assert.deepEqual(['pubsub_nodes', 'pubsub_items', 'pubsub_size'].map(hits), [200, 200, 100])
  },
  {
    set: [
      ...withSettings('nodes=2', 'items=3', 'size=64KiB').set!,
      'limits.c2s_burst=16MiB',
      'limits.c2s_stanza_burst=2000',
    ],
  },
)

scene(
  'the service is there for other servers',
  async ({ stage, juliet, far: { romeo } }) => {
    stage.network.add(service, (transport) => stage.server.acceptServer(transport))
    await juliet.online()
    await romeo.online()
    await creates(juliet, 'n', {}, service)
    assert.equal(stateOf(await subscribes(romeo, 'n', service)), 'subscribed')
    await succeeds(publishes(juliet, 'n', 'afar', { to: service }))
    await stage.settled()
    const event = await romeo.receives(
      notified(service, romeo.bare, 'n', 'afar').replace(`<item `, `<item publisher='${juliet.bare}' `),
    )
    assert.equal(event.attrs['type'], 'headline')
  },
  {
    set: [...on.set!, 's2s.policy=dialback-ok'],
    far: { set: ['s2s.policy=dialback-ok'] },
  },
)
