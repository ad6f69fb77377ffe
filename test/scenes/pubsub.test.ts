/** XEP-0060 at accounts: access, subscriptions, configuration, and what is told of each. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { friends, subscribed } from '../support/friends.js'
import {
  affiliates,
  configures,
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
  unsubscribes,
} from '../support/pubsub.js'
import { scene } from '../support/stage.js'
import { pepKey } from '../../src/modules/pubsub/api.js'
import { Jid } from '../../src/stanza/jid.js'
import { NS } from '../../src/xml/namespaces.js'

/** Puts a contact into a group. */
async function groups(actor: Actor, contact: Actor, ...names: string[]): Promise<void> {
  const inner = names.map((name) => `<group>${name}</group>`).join('')
  await actor.sets(`<query xmlns='jabber:iq:roster'><item jid='${contact.bare}'>${inner}</item></query>`)
  await actor.ignoresSoFar()
}

scene(
  'XEP-0060 §4.5, §6.1.3, §6.5.9: what each access model says to friends and strangers',
  async ({ juliet, romeo, nurse, paris }) => {
    for (const actor of [juliet, romeo, nurse, paris]) await actor.online()
    await subscribed(romeo, juliet)
    await subscribed(nurse, juliet)
    await groups(juliet, nurse, 'Family', 'Servants')
    const models = ['open', 'presence', 'roster', 'whitelist', 'authorize']
    for (const model of models) {
      await creates(juliet, model, { access_model: model, roster_groups_allowed: ['Servants', 'Friends'] })
      await publishes(juliet, model, model)
    }
    const answers = async (actor: Actor) => {
      const found: Record<string, string> = {}
      for (const model of [...models, 'none'])
        found[model] =
          `${await reads(actor, model, juliet.bare)}, ${stateOf(await subscribes(actor, model, juliet.bare))}`
      return found
    }
    const closed = 'not-allowed/closed-node'
    const pending = 'not-authorized/not-subscribed, pending'
    const friend = { open: 'open, subscribed', presence: 'presence, subscribed', authorize: pending }
    const none = 'item-not-found, item-not-found'
    assert.deepEqual(await answers(nurse), {
      ...friend,
      roster: 'roster, subscribed',
      whitelist: `${closed}, ${closed}`,
      none,
    })
    const outside = 'not-authorized/not-in-roster-group'
    assert.deepEqual(await answers(romeo), {
      ...friend,
      roster: `${outside}, ${outside}`,
      whitelist: `${closed}, ${closed}`,
      none,
    })
    // What a stranger may not see looks the same whatever it is, and whether it is.
    const stranger = 'not-authorized/presence-subscription-required'
    const hidden = `${stranger}, ${stranger}`
    assert.deepEqual(await answers(paris), {
      open: 'open, subscribed',
      presence: hidden,
      roster: hidden,
      whitelist: hidden,
      authorize: pending,
      none: hidden,
    })
    const nobody = `nobody@${juliet.domain}`
    assert.equal(await reads(paris, 'open', nobody), stranger)
    assert.equal(stateOf(await subscribes(paris, 'open', nobody)), stranger)
    for (const request of [`<subscriptions/>`, `<affiliations/>`])
      for (const to of [nobody, romeo.bare])
        assert.equal(reasonOf(await paris.gets(pubsub(request), to)), stranger)
    for (const to of [nobody, romeo.bare]) {
      assert.equal(reasonOf(await publishes(paris, 'open', 'x', { to })), stranger)
      assert.equal(reasonOf(await paris.sets(owner(`<delete node='open'/>`), to)), stranger)
      assert.equal(reasonOf(await paris.gets(owner(`<default/>`), to)), stranger)
      assert.equal(reasonOf(await paris.sets(pubsub(`<create node='x'/>`), to)), stranger)
    }
  },
)

scene('XEP-0060 §4.1: what each affiliation may', async ({ juliet, romeo }) => {
  await juliet.online()
  await romeo.online()
  await creates(juliet, 'n', { access_model: 'whitelist', max_items: '10' })
  await publishes(juliet, 'n', 'hers', { id: 'hers' })
  const found: Record<string, string> = {}
  for (const affiliation of ['member', 'publisher', 'publish-only', 'outcast', 'owner', 'none']) {
    await succeeds(affiliates(juliet, 'n', { [romeo.bare]: affiliation }))
    const retract = (id: string) =>
      romeo.sets(pubsub(`<retract node='n'><item id='${id}'/></retract>`), juliet.bare)
    found[affiliation] = [
      stateOf(await subscribes(romeo, 'n', juliet.bare)),
      await reads(romeo, 'n', juliet.bare, { ids: ['hers'] }),
      reasonOf(await publishes(romeo, 'n', 'his', { to: juliet.bare, id: 'his' })),
      reasonOf(await retract('hers')),
      reasonOf(await retract('his')),
      reasonOf(await romeo.gets(owner(`<configure node='n'/>`), juliet.bare)),
    ].join(', ')
    await publishes(juliet, 'n', 'hers', { id: 'hers' })
  }
  const stranger = 'not-authorized/presence-subscription-required'
  const not = 'forbidden'
  assert.deepEqual(found, {
    member: `subscribed, hers, ${not}, ${not}, ${not}, ${not}`,
    publisher: `subscribed, hers, ok, ok, ok, ${not}`,
    'publish-only': `${not}, ${not}, ok, ${not}, ok, ${not}`,
    outcast: Array(6).fill(stranger).join(', '),
    owner: 'subscribed, hers, ok, ok, ok, ok',
    none: Array(6).fill(stranger).join(', '),
  })
})

scene(
  'XEP-0060 §8.9: the list of affiliations, and what cannot be set changes nothing',
  async ({ juliet, romeo }) => {
    await juliet.online()
    await romeo.online()
    await creates(juliet, 'n', { access_model: 'open' })
    for (const wrong of [{ [romeo.full]: 'member' }, { [romeo.bare]: 'king' }, { [juliet.bare]: 'none' }])
      assert.equal(
        reasonOf(await affiliates(juliet, 'n', { 'x@y.example': 'member', ...wrong })),
        'not-acceptable',
      )
    const list = async (actor: Actor) => {
      const reply = await actor.gets(owner(`<affiliations node='n'/>`), juliet.bare)
      const all = reply.child('pubsub')?.child('affiliations')?.childrenOf('affiliation') ?? []
      return all.map(({ attrs }) => `${attrs['jid']} ${attrs['affiliation']}`)
    }
    assert.deepEqual(await list(juliet), [`${juliet.bare} owner`])
    await succeeds(affiliates(juliet, 'n', { [romeo.bare]: 'publisher', 'x@y.example': 'outcast' }))
    assert.deepEqual(await list(juliet), [
      `${juliet.bare} owner`,
      `${romeo.bare} publisher`,
      'x@y.example outcast',
    ])
    assert.equal(reasonOf(await romeo.gets(owner(`<affiliations node='n'/>`), juliet.bare)), 'forbidden')
    // XEP-0060 §5.7
    const own = await romeo.gets(pubsub(`<affiliations/>`), juliet.bare)
    assert.deepEqual(
      own
        .child('pubsub')!
        .child('affiliations')!
        .childrenOf()
        .map(({ attrs }) => [attrs['node'], attrs['affiliation']]),
      [['n', 'publisher']],
    )
  },
)

scene(
  'XEP-0060 §8.6: who wants to subscribe waits for the owner; approval, denial, and no answer',
  async ({ juliet, romeo, nurse, paris }) => {
    for (const actor of [juliet, romeo, nurse, paris]) await actor.online()
    await creates(juliet, 'n', { access_model: 'authorize', send_last_published_item: 'on_sub' })
    await publishes(juliet, 'n', 'secret')
    const asks = async (actor: Actor) => {
      assert.equal(stateOf(await subscribes(actor, 'n', juliet.bare)), 'pending')
      const request = await juliet.next('a request')
      const form = request.child('x', NS.dataForms)!
      assert.equal(request.attrs['from'], juliet.bare)
      assert.match(form.toString(), /pubsub#subscribe_authorization/)
      assert.match(form.toString(), new RegExp(`pubsub#subscriber_jid.*${actor.bare}`))
      return (allow: string) =>
        `<message to='${juliet.bare}' id='${request.attrs['id']}'>${submitted('subscribe_authorization', { node: 'n', subscriber_jid: actor.bare, allow })}</message>`
    }
    const [answerRomeo, answerNurse, answerParis] = [await asks(romeo), await asks(nurse), await asks(paris)]
    assert.equal(stateOf(await subscribes(romeo, 'n', juliet.bare)), 'not-authorized/pending-subscription')
    await publishes(juliet, 'n', 'still secret')
    await romeo.hearsNothingMore()
    // Who is asked for may not answer in the owner's place.
    romeo.sends(answerRomeo('1'))
    await romeo.receives(
      `<message type='error'><error><forbidden xmlns='${NS.stanzaErrors}'/></error></message>`,
    )

    juliet.sends(answerRomeo('1'))
    const state = (to: Actor, subscription: string) =>
      told(juliet.bare, to.bare, `<subscription node='n' jid='${to.bare}' subscription='${subscription}'/>`)
    await romeo.receives(state(romeo, 'subscribed'))
    const delayed = `<items node='n'><item id='{any}'><word xmlns='urn:word'>still secret</word></item></items>`
    await romeo.receives(told(juliet.bare, romeo.bare, delayed, `<delay xmlns='${NS.delay}'/>`))
    assert.equal(await reads(romeo, 'n', juliet.bare), 'still secret')

    juliet.sends(answerNurse('0'))
    await nurse.receives(state(nurse, 'none'))
    assert.equal(await reads(nurse, 'n', juliet.bare), 'not-authorized/not-subscribed')
    juliet.sends(answerParis('1').replace(`type='submit'`, `type='cancel'`))
    await paris.hearsNothingMore()
    assert.equal(stateOf(await subscribes(paris, 'n', juliet.bare)), 'not-authorized/pending-subscription')
    // XEP-0060 §8.8: those who wait are granted by the list, too.
    const grant = `<subscriptions node='n'><subscription jid='${paris.bare}' subscription='subscribed'/></subscriptions>`
    await succeeds(juliet.sets(owner(grant)))
    await paris.receives(state(paris, 'subscribed'))
    await paris.ignoresSoFar()
    await publishes(juliet, 'n', 'news')
    for (const hearer of [romeo, paris])
      await hearer.receives(notified(juliet.bare, hearer.bare, 'n', 'news'))
    await nurse.hearsNothingMore()
    await juliet.hearsNothingMore()
  },
)

scene(
  'XEP-0060 §6.1, §6.2: subscribing for oneself, once for each address, and no more',
  async ({ juliet, romeo, nurse }) => {
    for (const actor of [juliet, romeo, nurse]) await actor.online()
    await creates(juliet, 'n', { access_model: 'open', send_last_published_item: 'never' })
    await publishes(juliet, 'n', 'first')
    assert.equal(stateOf(await subscribes(romeo, 'n', juliet.bare, nurse.bare)), 'bad-request/invalid-jid')
    assert.equal(stateOf(await subscribes(romeo, 'n', juliet.bare, '@')), 'bad-request/invalid-jid')
    assert.equal(stateOf(await unsubscribes(romeo, 'n', juliet.bare)), 'unexpected-request/not-subscribed')
    assert.equal(stateOf(await subscribes(romeo, 'n', juliet.bare)), 'subscribed')
    assert.equal(stateOf(await subscribes(romeo, 'n', juliet.bare)), 'subscribed')
    assert.equal(stateOf(await subscribes(romeo, 'n', juliet.bare, romeo.full)), 'subscribed')
    assert.equal(stateOf(await unsubscribes(nurse, 'n', juliet.bare, romeo.bare)), 'forbidden')
    const own = await romeo.gets(pubsub('<subscriptions/>'), juliet.bare)
    assert.deepEqual(
      own
        .child('pubsub')!
        .child('subscriptions')!
        .childrenOf()
        .map(({ attrs }) => attrs['jid']),
      [romeo.bare, romeo.full],
    )
    await publishes(juliet, 'n', 'second')
    await romeo.receivesInAnyOrder(
      notified(juliet.bare, romeo.bare, 'n', 'second'),
      notified(juliet.bare, romeo.full, 'n', 'second'),
    )
    assert.equal(stateOf(await unsubscribes(romeo, 'n', juliet.bare, romeo.full)), 'none')
    await publishes(juliet, 'n', 'third')
    await romeo.receives(notified(juliet.bare, romeo.bare, 'n', 'third'))
    await romeo.hearsNothingMore()

    await configures(juliet, 'n', { subscribe: '0' })
    assert.equal(
      stateOf(await subscribes(nurse, 'n', juliet.bare)),
      'feature-not-implemented/unsupported subscribe',
    )
    await configures(juliet, 'n', { subscribe: '1', send_last_published_item: 'on_sub' })
    assert.equal(stateOf(await subscribes(nurse, 'n', juliet.bare)), 'subscribed')
    await nurse.receives(
      told(
        juliet.bare,
        nurse.bare,
        `<items node='n'><item id='{any}'><word xmlns='urn:word'>third</word></item></items>`,
        `<delay xmlns='${NS.delay}'/>`,
      ),
    )
    for (let i = 0; i < 9; i++)
      assert.equal(stateOf(await subscribes(nurse, 'n', juliet.bare, `${nurse.bare}/${i}`)), 'subscribed')
    assert.equal(
      stateOf(await subscribes(nurse, 'n', juliet.bare, `${nurse.bare}/9`)),
      'policy-violation/too-many-subscriptions',
    )
  },
)

scene('XEP-0060 §6.3, §6.4: options of a subscription', async ({ juliet, romeo }) => {
  await juliet.online()
  await romeo.online()
  await creates(juliet, 'n', { access_model: 'open', send_last_published_item: 'never' })
  const quiet = `<options>${submitted('subscribe_options', { deliver: '0' })}</options>`
  assert.equal(stateOf(await subscribes(romeo, 'n', juliet.bare, romeo.bare, quiet)), 'subscribed')
  await publishes(juliet, 'n', 'unheard')
  await romeo.hearsNothingMore()
  const options = (inner = '', jid = romeo.bare) =>
    pubsub(`<options node='n' jid='${jid}'>${inner}</options>`)
  const form = await romeo.gets(options(), juliet.bare)
  assert.match(form.toString(), /var="pubsub#deliver"[^>]*><value>0</)
  await succeeds(romeo.sets(options(submitted('subscribe_options', { deliver: 'true' })), juliet.bare))
  await publishes(juliet, 'n', 'heard')
  await romeo.receives(notified(juliet.bare, romeo.bare, 'n', 'heard'))
  const refused = async (request: string, to = juliet.bare) => reasonOf(await romeo.sets(request, to))
  const digest = submitted('subscribe_options', { digest: '1' })
  assert.equal(await refused(options(digest)), 'bad-request/invalid-options')
  assert.equal(await refused(options('', romeo.bare)), 'bad-request/invalid-options')
  assert.equal(await refused(options(digest, romeo.full)), 'unexpected-request/not-subscribed')
  assert.equal(await refused(options(digest, juliet.bare)), 'forbidden')
  assert.equal(
    reasonOf(await romeo.gets(pubsub(`<options node='n'/>`), juliet.bare)),
    'bad-request/jid-required',
  )
  const fallback = await romeo.gets(pubsub(`<default node='n'/>`), juliet.bare)
  assert.match(fallback.toString(), /var="pubsub#deliver"[^>]*><value>1</)
})

scene(
  'XEP-0163 §7.1: who loses what gave access loses the subscription, and is told',
  async ({ juliet, romeo, nurse }) => {
    for (const actor of [juliet, romeo, nurse]) await actor.online()
    await friends(juliet, romeo)
    await friends(juliet, nurse)
    await groups(juliet, nurse, 'Servants')
    await creates(juliet, 'seen', { send_last_published_item: 'never' })
    await creates(juliet, 'grouped', {
      access_model: 'roster',
      roster_groups_allowed: 'Servants',
      send_last_published_item: 'never',
    })
    assert.equal(stateOf(await subscribes(romeo, 'seen', juliet.bare)), 'subscribed')
    assert.equal(stateOf(await subscribes(nurse, 'grouped', juliet.bare)), 'subscribed')
    const ended = (to: Actor, node: string) =>
      told(juliet.bare, to.bare, `<subscription node='${node}' jid='${to.bare}' subscription='none'/>`)
    await groups(juliet, nurse, 'Former')
    await nurse.receives(ended(nurse, 'grouped'))
    juliet.sends(`<presence type='unsubscribed' to='${romeo.bare}'/>`)
    await juliet.settled()
    await romeo.settled()
    let last
    while (romeo.waiting > 0) last = await romeo.next()
    assert.match(last?.toString() ?? '', /subscription="none"/)
    await publishes(juliet, 'seen', 'unheard')
    await publishes(juliet, 'grouped', 'unheard')
    await romeo.hearsNothingMore()
    await nurse.hearsNothingMore()
    // A configuration that shuts somebody out does the same, and so does an affiliation.
    await configures(juliet, 'seen', { access_model: 'open' })
    for (const actor of [romeo, nurse]) await subscribes(actor, 'seen', juliet.bare)
    await affiliates(juliet, 'seen', { [romeo.bare]: 'outcast' })
    await romeo.receives(ended(romeo, 'seen'))
    await configures(juliet, 'seen', { access_model: 'whitelist' })
    await nurse.receives(ended(nurse, 'seen'))
  },
)

scene(
  'XEP-0060 §7.2, §8.4, §8.5, §8.2.5: retractions, purging, deletion and configuration, told or not',
  async ({ juliet, romeo }) => {
    await juliet.online()
    await romeo.online()
    const config = { access_model: 'open', max_items: '10', send_last_published_item: 'never' }
    await creates(juliet, 'n', config)
    await subscribes(romeo, 'n', juliet.bare)
    for (const id of ['a', 'b', 'c', 'd']) {
      await publishes(juliet, 'n', id, { id })
      await romeo.receives(notified(juliet.bare, romeo.bare, 'n', id))
    }
    const retract = (more: string, id: string) =>
      juliet.sets(pubsub(`<retract node='n'${more}><item id='${id}'/></retract>`))
    const hears = (inner: string) => romeo.receives(told(juliet.bare, romeo.bare, inner))
    const retracted = (...ids: string[]) =>
      `<items node='n'>${ids.map((id) => `<retract id='${id}'/>`).join('')}</items>`
    await succeeds(retract('', 'a'))
    await romeo.hearsNothingMore()
    await succeeds(retract(` notify='true'`, 'b'))
    await hears(retracted('b'))
    await configures(juliet, 'n', { notify_retract: '1' })
    await succeeds(retract('', 'c'))
    await hears(retracted('c'))
    assert.equal(reasonOf(await retract('', 'c')), 'item-not-found')
    assert.equal(
      reasonOf(await juliet.sets(pubsub(`<retract node='n'><item/></retract>`))),
      'bad-request/item-required',
    )
    // What has no room any more has been retracted, too.
    await publishes(juliet, 'n', 'e', { id: 'e' })
    await romeo.receives(notified(juliet.bare, romeo.bare, 'n', 'e'))
    await configures(juliet, 'n', { max_items: '1' })
    await hears(retracted('d'))
    await succeeds(juliet.sets(owner(`<purge node='n'/>`)))
    await hears(`<purge node='n'/>`)
    assert.equal(await reads(juliet, 'n'), '')
    await configures(juliet, 'n', { notify_config: '1', title: 'News' })
    const news = await romeo.next()
    assert.match(news.toString(), /<configuration node="n"><x .*<field var="pubsub#title"><value>News</)
    const redirect = `<redirect uri='xmpp:${juliet.bare}?;node=m'/>`
    await succeeds(juliet.sets(owner(`<delete node='n'>${redirect}</delete>`)))
    await hears(`<delete node='n'>${redirect}</delete>`)
    assert.equal(await reads(juliet, 'n'), 'item-not-found')
    assert.equal(reasonOf(await juliet.sets(owner(`<delete node='n'/>`))), 'item-not-found')
  },
)

scene('XEP-0060 §8.1: creating nodes', async ({ juliet }) => {
  await juliet.online()
  const create = (attributes: string, configure = '') =>
    juliet.sets(pubsub(`<create${attributes}/>${configure}`))
  await succeeds(create(` node='n'`))
  assert.equal(reasonOf(await create(` node='n'`)), 'conflict')
  assert.equal(await reads(juliet, 'n'), '')
  const instant = await succeeds(create(''))
  const name = instant.child('pubsub')!.child('create')!.attrs['node']!
  assert.equal(await reads(juliet, name), '')
  const configured = (fields: Record<string, string>) =>
    create(` node='m'`, `<configure>${submitted('node_config', fields)}</configure>`)
  assert.equal(
    reasonOf(await configured({ access_model: 'secret' })),
    'not-acceptable/unsupported-access-model',
  )
  assert.equal(reasonOf(await configured({ node_type: 'collection' })), 'not-acceptable')
  for (const wrong of [
    { max_items: '257' },
    { max_items: '0' },
    { max_items: 'many' },
    { persist_items: 'yes' },
  ])
    assert.equal(reasonOf(await configured(wrong as Record<string, string>)), 'not-acceptable')
  assert.equal(
    reasonOf(await create(` node='m'`, `<configure node='m'>${submitted('node_config', {})}</configure>`)),
    'bad-request',
  )
  assert.equal(reasonOf(await create(` node='${'x'.repeat(513)}'`)), 'bad-request')
  assert.equal(await reads(juliet, 'm'), 'item-not-found')
})

scene('XEP-0060 §8.2, §8.3: the form shows what is, and what is submitted counts', async ({ juliet }) => {
  await juliet.online()
  await publishes(juliet, 'n', 'x')
  const shown = async () => {
    const reply = await juliet.gets(owner(`<configure node='n'/>`))
    const fields = reply.child('pubsub')!.child('configure')!.child('x')!.childrenOf('field')
    return Object.fromEntries(
      fields.map((field) => [
        field.attrs['var']!,
        field
          .childrenOf('value')
          .map(({ text }) => text)
          .join('|'),
      ]),
    )
  }
  const before = await shown()
  assert.equal(before['pubsub#access_model'], 'presence')
  assert.equal(before['pubsub#max_items'], '1')
  assert.equal(before['pubsub#send_last_published_item'], 'on_sub_and_presence')
  const fallback = await juliet.gets(owner('<default/>'))
  assert.match(fallback.toString(), /pubsub#access_model.*<value>presence</)
  const change = {
    title: 'A &amp; B',
    contact: ['a@b.example', 'c.example'],
    max_items: 'max',
    item_expire: '60',
  }
  await succeeds(configures(juliet, 'n', change))
  assert.deepEqual(await shown(), {
    ...before,
    'pubsub#title': 'A & B',
    'pubsub#contact': 'a@b.example|c.example',
    'pubsub#max_items': 'max',
    'pubsub#item_expire': '60',
  })
  assert.equal(reasonOf(await configures(juliet, 'n', { title: ['a', 'b'] })), 'not-acceptable')
  const cancelled = `<x xmlns='jabber:x:data' type='cancel'/>`
  await succeeds(juliet.sets(owner(`<configure node='n'>${cancelled}</configure>`)))
  assert.equal(reasonOf(await juliet.sets(owner(`<configure node='n'/>`))), 'bad-request')
  assert.equal(reasonOf(await juliet.gets(owner(`<configure/>`))), 'bad-request/nodeid-required')
  assert.equal((await shown())['pubsub#title'], 'A & B')
})

scene('XEP-0060 §16.4.4: items expire', async ({ stage, juliet }) => {
  await juliet.online()
  await creates(juliet, 'n', { item_expire: '60', max_items: '5' })
  await publishes(juliet, 'n', 'old')
  stage.clock.advance(30_000)
  await publishes(juliet, 'n', 'new')
  assert.equal(await reads(juliet, 'n'), 'old new')
  stage.clock.advance(30_000)
  assert.equal(await reads(juliet, 'n'), 'new')
  stage.clock.advance(30_000)
  assert.equal(await reads(juliet, 'n', undefined, { max: 1 }), '')
})

scene('XEP-0060 §7.1.3: what cannot be published, and why', async ({ juliet }) => {
  await juliet.online()
  const publish = async (node: string, inner: string) =>
    reasonOf(await juliet.sets(pubsub(`<publish node='${node}'>${inner}</publish>`)))
  const word = `<word xmlns='urn:word'>x</word>`
  assert.equal(await publish('', `<item>${word}</item>`), 'bad-request/nodeid-required')
  assert.equal(await publish('n', ''), 'bad-request/item-required')
  assert.equal(await publish('n', '<item/>'), 'bad-request/payload-required')
  assert.equal(await publish('n', `<item>${word}${word}</item>`), 'bad-request/invalid-payload')
  assert.equal(await publish('n', `<item id='${'x'.repeat(1024)}'>${word}</item>`), 'bad-request')
  await creates(juliet, 'small', { max_payload_size: '20' })
  assert.equal(await publish('small', `<item>${word}</item>`), 'not-acceptable/payload-too-big')
  await creates(juliet, 'two', { max_items: '2', publish_node_full: 'reject' })
  const item = (id: string) => `<item id='${id}'>${word}</item>`
  assert.equal(await publish('two', `${item('a')}${item('b')}${item('c')}`), 'not-allowed/max-items-exceeded')
  assert.equal(await publish('two', `${item('a')}${item('a')}`), 'bad-request')
  assert.equal(await publish('two', `${item('a')}${item('b')}`), 'ok')
  assert.equal(await publish('two', item('c')), 'conflict/node-full')
  assert.equal(await publish('two', item('b')), 'ok')
  await creates(juliet, 'bell', { persist_items: '0', deliver_payloads: '0' })
  assert.equal(await publish('bell', item('a')), 'bad-request/item-forbidden')
  assert.equal(await publish('bell', ''), 'ok')
  assert.equal(await reads(juliet, 'bell'), 'feature-not-implemented/unsupported persistent-items')
  assert.equal(
    reasonOf(await juliet.sets(owner(`<purge node='bell'/>`))),
    'feature-not-implemented/unsupported persistent-items',
  )
})

scene('XEP-0060 §6.5: all items, the newest, some by id, and pages of them', async ({ juliet, romeo }) => {
  await juliet.online()
  await romeo.online()
  await creates(juliet, 'n', { access_model: 'open', max_items: 'max' })
  for (const id of ['a', 'b', 'c', 'd', 'e']) await publishes(juliet, 'n', id, { id })
  const read = (how: Parameters<typeof reads>[3]) => reads(romeo, 'n', juliet.bare, how)
  const page = (inner: string) => read({ set: `<set xmlns='${NS.resultSets}'>${inner}</set>` })
  assert.equal(await read({}), 'a b c d e')
  assert.equal(await read({ max: 2 }), 'd e')
  assert.equal(await read({ max: 1 }), 'e')
  assert.equal(await read({ max: 9 }), 'a b c d e')
  assert.equal(await read({ ids: ['d', 'b', 'x'] }), 'b d')
  assert.equal(await read({ ids: ['x'] }), '')
  assert.equal(await page('<max>2</max>'), 'a b')
  assert.equal(await page('<max>2</max><after>b</after>'), 'c d')
  assert.equal(await page('<max>2</max><after>e</after>'), '')
  assert.equal(await page('<max>2</max><before/>'), 'd e')
  assert.equal(await page('<max>2</max><before>d</before>'), 'b c')
  assert.equal(await page('<max>2</max><index>3</index>'), 'd e')
  assert.equal(await page('<max>2</max><after>x</after>'), 'item-not-found')
  assert.equal(await page('<max>2</max><index>5</index>'), 'item-not-found')
  assert.equal(await read({ max: 0 }), 'bad-request')
  const set = `<set xmlns='${NS.resultSets}'><max>2</max><after>a</after></set>`
  const reply = await romeo.gets(pubsub(`<items node='n'/>${set}`), juliet.bare)
  assert.match(reply.toString(), /<first index="1">b<\/first><last>c<\/last><count>5<\/count>/)
  const counted = await romeo.gets(
    pubsub(`<items node='n'/><set xmlns='${NS.resultSets}'><max>0</max></set>`),
    juliet.bare,
  )
  assert.match(counted.toString(), /<set [^>]*><count>5<\/count><\/set>/)
  // XEP-0060 §7.1.3: what is published again takes the place of what was there, as the newest.
  await publishes(juliet, 'n', 'B', { id: 'b' })
  assert.equal(await read({}), 'a c d e B')
})

scene(
  'XEP-0060 §6.5.4: what does not fit into an answer is left to the next page',
  async ({ juliet }) => {
    await juliet.online()
    await creates(juliet, 'n', { max_items: 'max' })
    for (const id of ['a', 'b', 'c']) await publishes(juliet, 'n', id + 'x'.repeat(200_000), { id })
    await juliet.ignoresSoFar()
    for (const id of ['d', 'e', 'f']) await publishes(juliet, 'n', id + 'x'.repeat(200_000), { id })
    const reply = await juliet.gets(pubsub(`<items node='n'/>`))
    const ids = (element: typeof reply) =>
      element
        .toString()
        .match(/<item id="."/g)
        ?.map((text) => text.at(-2))
        .join('')
    assert.equal(ids(reply), 'bcdef')
    assert.match(reply.toString(), /<first index="1">b<\/first><last>f<\/last><count>6<\/count>/)
    const before = `<set xmlns='${NS.resultSets}'><before>b</before></set>`
    assert.equal(ids(await juliet.gets(pubsub(`<items node='n'/>${before}`))), 'a')
    // Modules of the server work on all of them.
    const pep = juliet.stage.server.hosts.get(juliet.domain)!.service(pepKey)
    const own = async (which?: { max?: number; ids?: string[] }) =>
      (await pep.items(Jid.parse(juliet.bare), 'n', which)).map(({ id }) => id).join('')
    const all = ['a', 'b', 'c', 'd', 'e', 'f']
    assert.deepEqual(
      [await own(), await own({ ids: all }), await own({ max: 2 })],
      ['abcdef', 'abcdef', 'ef'],
    )
  },
  { set: ['limits.c2s_burst=16MiB'] },
)

scene(
  'XEP-0060 §5: nodes and items are discovered by those who may see them',
  async ({ juliet, romeo, paris }) => {
    for (const actor of [juliet, romeo, paris]) await actor.online()
    await subscribed(romeo, juliet)
    await creates(juliet, 'seen', { title: 'Seen' })
    await creates(juliet, 'hidden', { access_model: 'whitelist' })
    await publishes(juliet, 'seen', 'x', { id: 'one' })
    const items = async (actor: Actor, node = '') => {
      const reply = await actor.gets(
        `<query xmlns='${NS.discoItems}'${node && ` node='${node}'`}/>`,
        juliet.bare,
      )
      if (reply.attrs['type'] === 'error') return reasonOf(reply)
      const found = reply
        .child('query')!
        .childrenOf('item')
        .filter(({ attrs }) => attrs['jid'] === juliet.bare)
      return found.map(({ attrs }) => `${attrs['node'] ?? ''}:${attrs['name'] ?? ''}`).join(' ')
    }
    const info = async (actor: Actor, node: string) => {
      const reply = await actor.gets(`<query xmlns='${NS.discoInfo}' node='${node}'/>`, juliet.bare)
      return reply.attrs['type'] === 'error' ? reasonOf(reply) : reply.toString()
    }
    assert.equal(await items(juliet), 'hidden: seen:Seen')
    assert.equal(await items(romeo), 'seen:Seen')
    assert.equal(await items(paris), 'service-unavailable')
    assert.equal(await items(romeo, 'seen'), ':one')
    assert.equal(await items(romeo, 'hidden'), 'item-not-found')
    assert.equal(await info(romeo, 'hidden'), 'item-not-found')
    assert.equal(await info(paris, 'seen'), 'service-unavailable')
    const seen = await info(romeo, 'seen')
    assert.match(seen, /<identity category="pubsub" type="leaf" name="Seen"\/>/)
    assert.match(seen, /pubsub#meta-data/)
    assert.match(seen, /<field var="pubsub#access_model"><value>presence</)
    assert.match(seen, new RegExp(`<field var="pubsub#owner"><value>${juliet.bare}<`))
    const account = await romeo.gets(`<query xmlns='${NS.discoInfo}'/>`, juliet.bare)
    assert.match(account.toString(), /<identity category="pubsub" type="pep"\/>/)
    assert.match(
      account.toString(),
      /<feature var="http:\/\/jabber.org\/protocol\/pubsub#publish-options"\/>/,
    )
  },
)

scene(
  'XEP-0060 §16.4.4: what has expired is removed for good within two hours',
  async ({ stage, juliet }) => {
    await juliet.online()
    await creates(juliet, 'n', { item_expire: '60', max_items: '5' })
    await publishes(juliet, 'n', 'old')
    const [node] = await stage.stores.pubsub.load([juliet.bare])
    const kept = () => stage.stores.pubsub.index(node!.id, 0)
    assert.equal((await kept()).length, 1)
    await stage.passes(3_600_000)
    assert.equal((await kept()).length, 0)
  },
)

scene(
  'a thousand may have to do with a node, and ten addresses of each be subscribed',
  async ({ stage, juliet, romeo }) => {
    await juliet.online()
    await romeo.online()
    await creates(juliet, 'n', { access_model: 'open' })
    const members = (from: number, to: number) =>
      Object.fromEntries(
        Array.from({ length: to - from }, (_, index) => [`m${from + index}@x.example`, 'member']),
      )
    await succeeds(affiliates(juliet, 'n', members(0, 1_000)))
    const hits = () => stage.metrics.valueOf('limit_hits_total', 'pubsub_entities')
    assert.equal(hits(), 0)
    for (let i = 0; i < 100; i++)
      assert.equal(
        reasonOf(await affiliates(juliet, 'n', members(1_000 + i, 1_001 + i))),
        'resource-constraint',
      )
    for (let i = 0; i < 110; i++) {
      const outcome = i < 10 ? 'subscribed' : 'policy-violation/too-many-subscriptions'
      assert.equal(stateOf(await subscribes(romeo, 'n', juliet.bare, `${romeo.bare}/${i}`)), outcome)
    }
    assert.equal(hits(), 200)
    const list = await juliet.gets(owner(`<affiliations node='n'/>`))
    assert.equal(list.child('pubsub')?.child('affiliations')?.childrenOf().length, 1_001)
  },
)
