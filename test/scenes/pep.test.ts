/** XEP-0163: what accounts publish, and who hears of it. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { friends, subscribed } from '../support/friends.js'
import { Program } from '../support/programs.js'
import { scene } from '../support/stage.js'
import { NS } from '../../src/xml/namespaces.js'

const tune = 'http://jabber.org/protocol/tune'
const listener = new Program(NS.discoInfo, `${tune}+notify`)
const deaf = new Program(NS.discoInfo)

const song = (title: string) => `<tune xmlns='${tune}'><title>${title}</title></tune>`
const publishing = (title: string, { id = '', node = tune, options = '' } = {}) =>
  `<pubsub xmlns='${NS.pubsub}'><publish node='${node}'><item${id && ` id='${id}'`}>${song(title)}</item></publish>${options}</pubsub>`
const wanting = (node = tune, more = '') =>
  `<pubsub xmlns='${NS.pubsub}'><items node='${node}'${more}/></pubsub>`
const event = (from: Actor, to: Actor, title: string, more = '') =>
  `<message type='headline' from='${from.bare}' to='${to.full}'><event xmlns='${NS.pubsubEvent}'><items node='${tune}'><item id='{any}'>${song(title)}</item></items></event>${more}</message>`
const publishOptions = (fields: Record<string, string>) =>
  `<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>${NS.pubsub}#publish-options</value></field>${Object.entries(
    fields,
  )
    .map(([name, value]) => `<field var='pubsub#${name}'><value>${value}</value></field>`)
    .join('')}</x></publish-options>`

scene(
  'XEP-0163 §3, §4: publishing makes the node; who asks for it hears of it, at home and among contacts',
  async ({ juliet, juliet$phone, romeo, nurse, paris }) => {
    await listener.starts(juliet)
    await listener.starts(juliet$phone, true)
    await listener.starts(romeo, true)
    await deaf.starts(nurse)
    await listener.starts(paris, true)
    await subscribed(romeo, juliet)
    await subscribed(nurse, juliet)
    await juliet.ignoresSoFar()
    await juliet$phone.ignoresSoFar()

    const reply = await juliet.sets(publishing('Introduction', { id: 'current' }))
    assert.equal(reply.attrs['type'], 'result')
    for (const hearer of [juliet, juliet$phone, romeo])
      await hearer.receives(event(juliet, hearer, 'Introduction'))
    // One asks for nothing, the other may not hear of it.
    await nurse.hearsNothingMore()
    await paris.hearsNothingMore()

    const items = await romeo.gets(wanting(), juliet.bare)
    assert.match(items.toString(), /<item id="current"><tune .*Introduction/)
  },
)

scene(
  'XEP-0163 §4.3.4: the last item comes to whoever comes online and asks for it',
  async ({ stage, juliet, juliet$phone, romeo }) => {
    await deaf.starts(juliet)
    await listener.starts(romeo)
    await friends(juliet, romeo)
    await romeo.leaves()
    await juliet.ignoresSoFar()
    await juliet.sets(publishing('Prelude'))
    await juliet.sets(publishing('Nocturne'))
    const stamp = new Date(stage.clock.now()).toISOString()
    stage.clock.advance(60_000)
    const last = (to: Actor) =>
      event(juliet, to, 'Nocturne', `<delay xmlns='urn:xmpp:delay' from='${juliet.bare}' stamp='${stamp}'/>`)

    await listener.starts(romeo, true)
    await romeo.receives(`<presence from='${juliet.full}'>${deaf.c}</presence>`)
    await romeo.receives(last(romeo))
    // Later presence brings nothing new.
    romeo.sends(`<presence><show>away</show>${listener.c}</presence>`)
    await romeo.receives(`<presence from='${romeo.full}'><show>away</show>${listener.c}</presence>`)
    await romeo.hearsNothingMore()

    await listener.starts(juliet$phone, true)
    await juliet$phone.receivesInAnyOrder(
      ...[romeo, juliet].map(({ full }) => `<presence from='${full}'>{any}</presence>`),
    )
    await juliet$phone.receives(last(juliet$phone))
    await juliet$phone.hearsNothingMore()
  },
)

scene(
  'XEP-0060 §7.1.5: options are preconditions; a node that is made takes them as its configuration',
  async ({ juliet, romeo }) => {
    await juliet.online()
    await romeo.online()
    const open = publishOptions({ access_model: 'open', max_items: 'max' })
    await juliet.sets(publishing('Overture', { id: 'a', options: open }))
    // A stranger may read it.
    assert.match((await romeo.gets(wanting(), juliet.bare)).toString(), /Overture/)
    await juliet.sets(publishing('Finale', { id: 'b', options: publishOptions({ max_items: '256' }) }))

    // What is so at every node is met as well.
    const always = publishOptions({ node_type: 'leaf', purge_offline: '0', tempsub: 'false' })
    await juliet.sets(publishing('Finale', { id: 'b', options: always }))

    for (const fields of [
      { access_model: 'presence' },
      { purge_offline: '1' },
      { max_items: '1' },
      { unheard_of: '1' },
    ]) {
      const options = publishOptions(fields as Record<string, string>)
      const refused = await juliet.sets(publishing('Never', { options }))
      const error = refused.child('error')
      assert.ok(error?.child('conflict', NS.stanzaErrors), refused.toString())
      assert.ok(error?.child('precondition-not-met', NS.pubsubErrors), refused.toString())
    }
    const titles = (await romeo.gets(wanting(), juliet.bare)).toString().match(/<title>\w+/g)
    assert.deepEqual(titles, ['<title>Overture', '<title>Finale'])
    const unknown = { node: 'urn:other', options: publishOptions({ unheard_of: '1' }) }
    await juliet.isRefused('conflict', 'set', publishing('Never', unknown))
    await juliet.isRefused('item-not-found', 'get', wanting('urn:other'))
  },
)

scene(
  'modules.pep.items: the oldest makes room; a hundred times more than fit are as many as fit',
  async ({ stage, juliet }) => {
    await juliet.online()
    const options = publishOptions({ max_items: 'max' })
    for (const id of ['a', 'b']) await juliet.sets(publishing(id, { id, options }))
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'pep_items'), 0)
    for (let i = 1; i <= 200; i++)
      juliet.sends(`<iq type='set' id='p${i}'>${publishing('x', { id: `i${i}` })}</iq>`)
    await juliet.ignoresSoFar()
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'pep_items'), 200)
    const ids = (await juliet.gets(wanting())).toString().match(/id="i\d+"/g)
    assert.deepEqual(ids, ['id="i199"', 'id="i200"'])
    await juliet.isRefused(
      'not-acceptable',
      'set',
      publishing('x', { node: 'n', options: publishOptions({ max_items: '3' }) }),
    )
  },
  { set: ['modules.pep.items=2'] },
)

scene(
  'modules.pep.nodes: one more is refused, and so are a hundred times more',
  async ({ stage, juliet }) => {
    await juliet.online()
    for (const node of ['a', 'b'])
      assert.equal((await juliet.sets(publishing('x', { node }))).attrs['type'], 'result')
    for (let i = 0; i < 200; i++) {
      const refused = await juliet.sets(publishing('x', { node: `n${i}` }))
      assert.ok(refused.child('error')?.child('max-nodes-exceeded', NS.pubsubErrors), refused.toString())
    }
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'pep_nodes'), 200)
    assert.equal((await juliet.sets(publishing('x', { node: 'a' }))).attrs['type'], 'result')
  },
  { set: ['modules.pep.nodes=2'] },
)

scene(
  'modules.pep.size: what is over is refused, also a hundred times; room can be made',
  async ({ stage, juliet }) => {
    await juliet.online()
    const large = 'x'.repeat(60_000)
    assert.equal((await juliet.sets(publishing(large, { node: 'a' }))).attrs['type'], 'result')
    for (let i = 0; i < 100; i++)
      await juliet.isRefused('resource-constraint', 'set', publishing(large, { node: 'b' }))
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'pep_size'), 100)
    await juliet.sets(publishing('small', { node: 'a' }))
    assert.equal((await juliet.sets(publishing(large, { node: 'b' }))).attrs['type'], 'result')
  },
  { set: ['modules.pep.size=64KiB', 'limits.c2s_burst=16MiB'] },
)
