/** XEP-0357 and XEP-0492: who is woken, of what, how often, and when that ends. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { AppServer, PUSHES, read, withPushes } from '../support/app-server.js'
import { Component, known } from '../support/component.js'
import { friends } from '../support/friends.js'
import { Peer } from '../support/peer.js'
import { FAR_DOMAIN, scene, type StageOptions } from '../support/stage.js'

const PUSH = 'urn:xmpp:push:0'
const withApp: StageOptions = { set: [withPushes] }
const notice = 'New message!'
const ROOMS = 'rooms.capulet.example'

const enable = (node: string, jid = PUSHES, form = '') =>
  `<enable xmlns='${PUSH}' jid='${jid}' node='${node}'>${form}</enable>`
const disable = (node?: string) =>
  `<disable xmlns='${PUSH}' jid='${PUSHES}'${node === undefined ? '' : ` node='${node}'`}/>`
const chat = (to: string, body: string, more = '') =>
  `<message to='${to}' type='chat' id='${body}'><body>${body}</body>${more}</message>`

/** A device has enabled notifications and is gone. */
async function leftBehind(device: Actor, node = 'n1', form = ''): Promise<void> {
  await device.online()
  await device.sets(enable(node, PUSHES, form))
  await device.leaves()
}

scene(
  'XEP-0357 §4.1: accounts tell that they can push, the domain does not',
  async ({ juliet }) => {
    await juliet.online()
    const info = `<query xmlns='http://jabber.org/protocol/disco#info'/>`
    assert.match((await juliet.gets(info, juliet.bare)).toString(), /<feature var="urn:xmpp:push:0"/)
    assert.doesNotMatch((await juliet.gets(info, juliet.domain)).toString(), /urn:xmpp:push:0/)
  },
  withApp,
)

scene(
  'XEP-0357 §5, §7: who is away is told of, with the publish-options of the app server',
  async ({ romeo, juliet, stage }) => {
    const app = await AppServer.ready(stage)
    const form = `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field><field var='secret'><value>eruio234vzxc2kla-91</value></field></x>`
    await leftBehind(juliet, 'yxs32uqsflafdk3iuqo', form)
    await romeo.online()
    romeo.sends(chat(juliet.bare, 'Wherefore'))
    const { id, node, summary, options } = await app.hears()
    assert.equal(node, 'yxs32uqsflafdk3iuqo')
    // §9: neither who wrote nor what, unless the admin wants it.
    assert.deepEqual(summary, { 'message-count': '1', 'last-message-body': notice })
    assert.equal(options?.toString(), form.replaceAll("'", '"'))
    app.accepts(id)
    await app.hearsNothing()
    assert.equal(stage.metrics.valueOf('push_total', 'accepted'), 1)
    // The message itself waits as ever.
    await juliet.online()
    assert.equal((await juliet.next()).attrs['id'], 'Wherefore')
  },
  withApp,
)

scene(
  'XEP-0357 §9: sender and body are told where the admin wants it, encrypted words never',
  async ({ romeo, juliet, stage }) => {
    const app = await AppServer.ready(stage)
    await leftBehind(juliet)
    await romeo.online()
    romeo.sends(chat(juliet.bare, 'Wherefore'))
    assert.deepEqual(await app.takes(), {
      'message-count': '1',
      'last-message-sender': romeo.full,
      'last-message-body': 'Wherefore',
    })
    await stage.passes(60_000)
    romeo.sends(chat(juliet.bare, `${'🌹'.repeat(600)}`))
    assert.equal((await app.takes())['last-message-body'], '🌹'.repeat(500))
    await stage.passes(60_000)
    romeo.sends(
      chat(juliet.bare, 'fallback', `<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>`),
    )
    assert.equal((await app.takes())['last-message-body'], notice)
  },
  { set: [withPushes, 'modules.push.sender=true', 'modules.push.body=true'] },
)

scene(
  'XEP-0357 §5: enabling again counts last; another node is another device; guests and rubbish are refused',
  async ({ romeo, juliet, stage }) => {
    const app = await AppServer.ready(stage)
    const form = (secret: string) =>
      `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field><field var='secret'><value>${secret}</value></field></x>`
    await juliet.online()
    await juliet.sets(enable('n1', PUSHES, form('old')))
    await juliet.sets(enable('n1', PUSHES, form('new')))
    await juliet.sets(enable('n2'))
    await juliet.isRefused('bad-request', 'set', `<enable xmlns='${PUSH}' node='n3'/>`)
    await juliet.isRefused('jid-malformed', 'set', enable('n3', '@'))
    await juliet.isRefused(
      'bad-request',
      'set',
      enable('n3', PUSHES, `<x xmlns='jabber:x:data' type='submit'/>`),
    )
    await juliet.isRefused('not-acceptable', 'set', enable('n'.repeat(9000)))
    await juliet.isRefused('service-unavailable', 'set', enable('n3'), romeo.bare)
    await juliet.leaves()
    await romeo.online()
    romeo.sends(chat(juliet.bare, 'Hist!'))
    const heard = [await app.hears(), await app.hears()].map(({ node, options }) => [
      node,
      /<field var="secret"><value>([^<]*)/.exec(options?.toString() ?? '')?.[1],
    ])
    assert.deepEqual(Object.fromEntries(heard), { n1: 'new', n2: undefined })
    await app.hearsNothing()
  },
  withApp,
)

scene(
  'XEP-0357 §6: disabling one node leaves the others, disabling the service none',
  async ({ romeo, juliet, stage }) => {
    const app = await AppServer.ready(stage)
    await juliet.online()
    for (const node of ['n1', 'n2', 'n3']) await juliet.sets(enable(node))
    await juliet.sets(disable('n2'))
    await juliet.sets(disable('unknown'))
    await juliet.leaves()
    await romeo.online()
    romeo.sends(chat(juliet.bare, 'one'))
    const first = [await app.hears(), await app.hears()]
    assert.deepEqual(new Set(first.map(({ node }) => node)), new Set(['n1', 'n3']))
    for (const { id } of first) app.accepts(id)
    await app.hearsNothing()
    // Something waits for its time: it is not sent once the service is disabled.
    romeo.sends(chat(juliet.bare, 'two'))
    await app.hearsNothing()
    await juliet.connects()
    await juliet.sets(disable())
    await juliet.leaves()
    romeo.sends(chat(juliet.bare, 'three'))
    await stage.passes(60_000)
    await app.hearsNothing()
  },
  withApp,
)

scene(
  'XEP-0357 §7: a device that is here is not woken, one of the same account that is away is',
  async ({ romeo, juliet, juliet$phone, juliet$tablet, stage }) => {
    const app = await AppServer.ready(stage)
    await juliet$tablet.online()
    await juliet$tablet.sets(enable('tablet'))
    await leftBehind(juliet$phone, 'phone')
    await juliet.online()
    await romeo.online()
    romeo.sends(chat(juliet.bare, 'one'))
    const { id, node } = await app.hears()
    assert.equal(node, 'phone')
    app.accepts(id)
    await app.hearsNothing()
    // Full addresses too, while somebody is there to get them.
    await stage.passes(60_000)
    romeo.sends(chat(juliet.full, 'two'))
    assert.equal((await app.takes())['message-count'], '2')
    await stage.passes(60_000)
    romeo.sends(`<message to='${juliet.bare}/nowhere' type='normal'><body>comes back</body></message>`)
    await app.hearsNothing()
  },
  withApp,
)

scene(
  'XEP-0357 §7: words and calls wake, signs between clients and own messages do not',
  async ({ romeo, juliet, juliet$phone, stage }) => {
    const app = await AppServer.ready(stage)
    await leftBehind(juliet$phone)
    await juliet.online()
    await romeo.online()
    const silent = [
      `<composing xmlns='http://jabber.org/protocol/chatstates'/>`,
      `<received xmlns='urn:xmpp:receipts' id='1'/>`,
      `<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>`,
      `<body/>`,
      `<subject>only that</subject>`,
      `<body>later</body><no-store xmlns='urn:xmpp:hints'/>`,
      `<body>better</body><replace xmlns='urn:xmpp:message-correct:0' id='1'/>`,
      `<body>/me took it back</body><retract xmlns='urn:xmpp:message-retract:1' id='1'/>`,
      `<body>+1</body><reactions xmlns='urn:xmpp:reactions:0' id='1'/>`,
      `<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted><store xmlns='urn:xmpp:hints'/>`,
      `<ringing xmlns='urn:xmpp:jingle-message:0' id='1'/>`,
    ]
    for (const payload of silent) romeo.sends(`<message to='${juliet.bare}' type='chat'>${payload}</message>`)
    for (const type of ['headline', 'error'])
      romeo.sends(`<message to='${juliet.bare}' type='${type}'><body>x</body></message>`)
    juliet.sends(chat(juliet.bare, 'to myself'))
    juliet.sends(chat(romeo.bare, 'to somebody else'))
    await stage.passes(60_000)
    await app.hearsNothing()
    let count = 0
    for (const payload of [
      `<body>Hist!</body>`,
      `<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>AA==</payload></encrypted>`,
      `<openpgp xmlns='urn:xmpp:openpgp:0'>AA==</openpgp>`,
      `<x xmlns='jabber:x:conference' jid='vault@rooms.example'/>`,
      `<x xmlns='http://jabber.org/protocol/muc#user'><invite from='${romeo.bare}'/></x>`,
      `<attention xmlns='urn:xmpp:attention:0'/>`,
      `<mentions xmlns='urn:xmpp:mmn:0'><forwarded xmlns='urn:xmpp:forward:0'/></mentions>`,
    ]) {
      romeo.sends(`<message to='${juliet.bare}'>${payload}</message>`)
      assert.equal((await app.takes())['message-count'], String(++count), payload)
      await stage.passes(60_000)
    }
    romeo.sends(
      `<message to='${juliet.bare}' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='1'/><store xmlns='urn:xmpp:hints'/></message>`,
    )
    assert.equal((await app.takes())['message-count'], String(count))
  },
  withApp,
)

scene(
  'modules.push.interval: what comes too soon is told together, a call at once',
  async ({ romeo, juliet, stage }) => {
    const app = await AppServer.ready(stage)
    await leftBehind(juliet)
    await romeo.online()
    romeo.sends(chat(juliet.bare, 'm1'))
    assert.equal((await app.takes())['message-count'], '1')
    for (let i = 2; i <= 100; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await stage.passes(9_000)
    await app.hearsNothing()
    romeo.sends(
      `<message to='${juliet.bare}' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='1'/></message>`,
    )
    assert.equal((await app.takes())['message-count'], '100')
    assert.equal(stage.metrics.valueOf('push_merged_total'), 99)
    // A caller who cannot wait rings once a second at most.
    for (let i = 2; i <= 100; i++)
      romeo.sends(
        `<message to='${juliet.bare}' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='${i}'/></message>`,
      )
    await stage.passes(900)
    await app.hearsNothing()
    await stage.passes(100)
    await app.takes()
    await stage.passes(60_000)
    await app.hearsNothing()
    // Back for a moment: the count begins anew.
    await juliet.online()
    await juliet.ignoresSoFar()
    await juliet.leaves()
    romeo.sends(chat(juliet.bare, 'm101'))
    assert.equal((await app.takes())['message-count'], '1')
    // To come and go is no way around it.
    juliet.isConnected = false
    await juliet.online()
    await juliet.ignoresSoFar()
    await juliet.leaves()
    romeo.sends(chat(juliet.bare, 'm102'))
    await stage.passes(9_000)
    await app.hearsNothing()
    await stage.passes(1_000)
    assert.equal((await app.takes())['message-count'], '1')
  },
  { set: [withPushes, 'modules.push.interval=10s'] },
)

scene(
  'XEP-0357 §7: while an app server does not answer, a device is told nothing more',
  async ({ romeo, juliet, stage }) => {
    const app = await AppServer.ready(stage)
    await leftBehind(juliet)
    await romeo.online()
    romeo.sends(chat(juliet.bare, 'one'))
    const { id } = await app.hears()
    romeo.sends(chat(juliet.bare, 'two'))
    await stage.passes(30_000)
    await app.hearsNothing()
    app.accepts(id)
    assert.equal((await app.takes())['message-count'], '2')
    await app.hearsNothing()
  },
  withApp,
)

for (const condition of ['item-not-found', 'gone', 'not-authorized', 'forbidden', 'not-allowed'])
  scene(
    `XEP-0357 §7.1: ${condition} ends a registration, and only that`,
    async ({ romeo, juliet, stage }) => {
      const app = await AppServer.ready(stage)
      await juliet.online()
      await juliet.sets(enable('n1'))
      await juliet.sets(enable('n2'))
      await juliet.leaves()
      await romeo.online()
      romeo.sends(chat(juliet.bare, 'one'))
      for (const { id, node } of [await app.hears(), await app.hears()])
        if (node === 'n1') await app.refuses(id, condition)
        else app.accepts(id)
      await app.hearsNothing()
      await stage.passes(10_000)
      romeo.sends(chat(juliet.bare, 'two'))
      const { id, node } = await app.hears()
      assert.equal(node, 'n2')
      app.accepts(id)
      await app.hearsNothing()
      assert.equal(stage.metrics.valueOf('push_total', 'refused'), 1)
    },
    withApp,
  )

scene(
  'XEP-0357 §7.1: what may pass is tried again later, less and less often, and in the end no more',
  async ({ romeo, juliet, stage }) => {
    const app = await AppServer.ready(stage)
    await leftBehind(juliet)
    await romeo.online()
    romeo.sends(chat(juliet.bare, 'one'))
    await app.refuses((await app.hears()).id, 'resource-constraint', 'wait')
    romeo.sends(chat(juliet.bare, 'two'))
    await stage.passes(59_000)
    await app.hearsNothing()
    await stage.passes(1000)
    await app.refuses((await app.hears()).id, 'remote-server-timeout', 'wait')
    await stage.passes(119_000)
    await app.hearsNothing()
    await stage.passes(1000)
    // Of both, and then all is well again.
    assert.equal((await app.takes())['message-count'], '2')
    await stage.passes(60_000)
    await app.hearsNothing()
    romeo.sends(chat(juliet.bare, 'three'))
    for (let failures = 1; failures < 20; failures++) {
      await app.refuses((await app.hears()).id, 'internal-server-error')
      stage.clock.advance(Math.min(60_000 * 2 ** (failures - 1), 21_600_000))
    }
    await app.refuses((await app.hears()).id, 'internal-server-error')
    romeo.sends(chat(juliet.bare, 'four'))
    stage.clock.advance(86_400_000)
    await app.hearsNothing()
    assert.equal(stage.metrics.valueOf('push_total', 'failed'), 22)
  },
  { set: [withPushes, 'limits.idle_ping=off'] },
)

scene(
  'XEP-0357 §7.1: an app server that is away is tried again when it is back',
  async ({ romeo, juliet, stage }) => {
    await leftBehind(juliet)
    await romeo.online()
    romeo.sends(chat(juliet.bare, 'one'))
    await stage.settled()
    const app = await AppServer.ready(stage)
    await stage.passes(60_000)
    assert.equal((await app.takes())['message-count'], '1')
  },
  withApp,
)

scene(
  'XEP-0357 §8: an app server ends a registration by itself, others do not',
  async ({ romeo, juliet, stage }) => {
    const app = await AppServer.ready(stage)
    await leftBehind(juliet)
    await romeo.online()
    const over = (node: string, affiliation: string) =>
      `<pubsub xmlns='http://jabber.org/protocol/pubsub' node='${node}'><affiliation jid='${juliet.bare}' affiliation='${affiliation}'/></pubsub>`
    romeo.sends(`<message to='${juliet.bare}'>${over('n1', 'none')}</message>`)
    for (const payload of [over('n2', 'none'), over('n1', 'publish-only')])
      app.sends(`<message from='${PUSHES}' to='${juliet.bare}'>${payload}</message>`)
    await app.hearsNothing()
    romeo.sends(chat(juliet.bare, 'one'))
    await app.takes()
    app.sends(`<message from='${PUSHES}' to='${juliet.bare}'>${over('n1', 'none')}</message>`)
    await app.hearsNothing()
    await stage.passes(60_000)
    romeo.sends(chat(juliet.bare, 'two'))
    await app.hearsNothing()
  },
  withApp,
)

scene('XEP-0357 §3: an app server on another server', async ({ romeo, juliet, stage }) => {
  const peer = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
  peer.serves()
  await juliet.online()
  await juliet.sets(enable('n1', `push@${FAR_DOMAIN}`))
  await juliet.leaves()
  await romeo.online()
  romeo.sends(chat(juliet.bare, 'one'))
  await peer.believes()
  const request = await peer.receives(
    `<iq type='set' from='${stage.domain}' to='push@${FAR_DOMAIN}'><pubsub xmlns='http://jabber.org/protocol/pubsub'>{any}</pubsub></iq>`,
  )
  assert.deepEqual(read(request).summary, { 'message-count': '1', 'last-message-body': notice })
})

scene(
  'modules.push.devices: the registration enabled least recently goes for a further one',
  async ({ romeo, juliet, stage }) => {
    const app = await AppServer.ready(stage)
    await juliet.online()
    for (const node of ['n1', 'n2', 'n3', 'n1']) await juliet.sets(enable(node))
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'push_registrations'), 0)
    for (let i = 4; i <= 300; i++) await juliet.sets(enable(`n${i}`))
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'push_registrations'), 297)
    await juliet.leaves()
    await romeo.online()
    romeo.sends(chat(juliet.bare, 'one'))
    const heard = [await app.hears(), await app.hears(), await app.hears()].map(({ node }) => node)
    assert.deepEqual(new Set(heard), new Set(['n298', 'n299', 'n300']))
    await app.hearsNothing()
  },
  { set: [withPushes, 'modules.push.devices=3'] },
)

scene(
  'an account that is removed takes its registrations along',
  async ({ romeo, juliet, stage }) => {
    const app = await AppServer.ready(stage)
    await leftBehind(juliet)
    await romeo.online()
    romeo.sends(chat(juliet.bare, 'one'))
    await app.takes()
    romeo.sends(chat(juliet.bare, 'waits'))
    await juliet.connects()
    await juliet.sets(`<query xmlns='jabber:iq:register'><remove/></query>`)
    await juliet.isDisconnected('not-authorized')
    await juliet.connects()
    await juliet.leaves()
    romeo.sends(chat(juliet.bare, 'two'))
    await stage.passes(60_000)
    await app.hearsNothing()
  },
  { set: [withPushes, 'modules.registration.enabled=true'] },
)

const manages = async (device: Actor): Promise<string> => {
  device.raw(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`)
  return (await device.receives(`<enabled xmlns='urn:xmpp:sm:3' resume='true'/>`)).attrs['id']!
}

scene(
  'XEP-0357 §7: a device whose stream broke is told of what waits for it, once, and not when it is back',
  async ({ romeo, juliet, juliet$phone, stage }) => {
    const app = await AppServer.ready(stage)
    await juliet$phone.online()
    await juliet$phone.sets(enable('phone'))
    const id = await manages(juliet$phone)
    await juliet.online()
    await romeo.online()
    await friends(romeo, juliet)
    // Sent, not acknowledged, and then the network is gone: nobody knows whether it came.
    romeo.sends(chat(juliet.bare, 'm1'))
    await app.hearsNothing()
    await juliet$phone.vanishes()
    assert.equal((await app.takes())['message-count'], '1')
    romeo.sends(chat(juliet.bare, 'm2'))
    romeo.sends(
      `<message to='${juliet.bare}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
    )
    await stage.passes(5000)
    assert.equal((await app.takes())['message-count'], '2')
    romeo.sends(
      `<iq to='${juliet$phone.full}' type='set' id='call'><jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='1'/></iq>`,
    )
    await app.takes()
    romeo.sends(chat(juliet.bare, 'm3'))
    await app.hearsNothing()
    // It is back before it is time.
    await juliet$phone.ignoresSoFar()
    await juliet$phone.authenticates()
    juliet$phone.raw(`<resume xmlns='urn:xmpp:sm:3' previd='${id}' h='${juliet$phone.handled}'/>`)
    await juliet$phone.receives(`<resumed xmlns='urn:xmpp:sm:3'/>`)
    juliet$phone.isConnected = true
    await stage.passes(60_000)
    await app.hearsNothing()
  },
  withApp,
)

scene(
  'XEP-0357 §7: what waited for a session that is over wakes its device once, and others not at all',
  async ({ romeo, juliet$phone, juliet$tablet, stage }) => {
    const app = await AppServer.ready(stage)
    await leftBehind(juliet$tablet, 'tablet')
    await juliet$phone.online()
    await juliet$phone.sets(enable('phone'))
    await manages(juliet$phone)
    await romeo.online()
    await juliet$phone.vanishes()
    romeo.sends(chat(juliet$phone.bare, 'm1'))
    const heard = [await app.hears(), await app.hears()]
    assert.deepEqual(new Set(heard.map(({ node }) => node)), new Set(['phone', 'tablet']))
    for (const { id } of heard) app.accepts(id)
    await app.hearsNothing()
    await stage.passes(600_000)
    assert.equal(stage.metrics.valueOf('sessions_parked'), 0)
    await app.hearsNothing()
    await juliet$phone.online()
    assert.equal((await juliet$phone.next()).attrs['id'], 'm1')
  },
  { set: [withPushes, 'limits.idle_ping=off'] },
)

scene(
  'XEP-0357 §7: what a session without resumption left behind wakes its device',
  async ({ romeo, juliet$phone, stage }) => {
    const app = await AppServer.ready(stage)
    await juliet$phone.online()
    await juliet$phone.sets(enable('phone'))
    juliet$phone.raw(`<enable xmlns='urn:xmpp:sm:3'/>`)
    await juliet$phone.receives(`<enabled xmlns='urn:xmpp:sm:3'/>`)
    await romeo.online()
    for (const id of ['m1', 'm2']) romeo.sends(chat(juliet$phone.bare, id))
    await app.hearsNothing()
    await juliet$phone.vanishes()
    await app.takes()
    await stage.passes(60_000)
    await app.hearsNothing()
  },
  withApp,
)

scene(
  'XEP-0492 §2, §3: muted chats wake nobody, a room does when it speaks of the account',
  async ({ romeo, other, juliet, juliet$phone, stage }) => {
    const app = await AppServer.ready(stage)
    const rooms = new Component(stage, ROOMS)
    await rooms.connects()
    const settings = (chat: string, setting: string, nick = '') =>
      juliet.sets(
        `<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:bookmarks:1'><item id='${chat}'><conference xmlns='urn:xmpp:bookmarks:1'>${nick}<extensions><notify xmlns='urn:xmpp:notification-settings:1'><${setting}/></notify></extensions></conference></item></publish><publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#publish-options</value></field><field var='pubsub#max_items'><value>max</value></field><field var='pubsub#access_model'><value>whitelist</value></field></x></publish-options></pubsub>`,
      )
    await juliet$phone.online()
    await juliet$phone.sets(enable('phone'))
    await manages(juliet$phone)
    await juliet$phone.vanishes()
    await juliet.online()
    await romeo.online()
    await other.tybalt.online()
    await settings(other.tybalt.bare, 'never')
    await settings(`vault@${ROOMS}`, 'on-mention', '<nick>JuliC</nick>')
    const room = (words: string) =>
      rooms.sends(
        `<message from='vault@${ROOMS}/romeo' to='${juliet$phone.full}' type='groupchat'><body>${words}</body></message>`,
      )
    other.tybalt.sends(chat(juliet.bare, 'villain'))
    room('nobody in particular')
    await app.hearsNothing()
    await stage.passes(5000)
    room('JuliC, wake up')
    await app.takes()
    await stage.passes(5000)
    romeo.sends(chat(juliet.bare, 'hist'))
    await app.takes()
    // As soon as it is changed, on whatever device.
    await stage.passes(5000)
    await settings(other.tybalt.bare, 'always')
    await settings(`vault@${ROOMS}`, 'never')
    room('JuliC, wake up')
    await app.hearsNothing()
    other.tybalt.sends(chat(juliet.bare, 'peace'))
    await app.takes()
  },
  { set: [withPushes, known(ROOMS)] },
)
