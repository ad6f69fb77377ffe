/** Others act on no account but their own, and say nothing in the name of a server. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { friends } from '../support/friends.js'
import { scene } from '../support/stage.js'

/** All that an account may ask of itself; WHO stands for who asks. */
const requests: readonly (readonly ['get' | 'set', string])[] = [
  ['get', `<query xmlns='jabber:iq:roster'/>`],
  ['set', `<query xmlns='jabber:iq:roster'><item jid='tybalt@capulet.example'/></query>`],
  ['set', `<query xmlns='urn:xmpp:mam:2'/>`],
  ['get', `<metadata xmlns='urn:xmpp:mam:2'/>`],
  ['get', `<prefs xmlns='urn:xmpp:mam:2'/>`],
  ['set', `<prefs xmlns='urn:xmpp:mam:2' default='never'/>`],
  ['set', `<enable xmlns='urn:xmpp:carbons:2'/>`],
  ['set', `<disable xmlns='urn:xmpp:carbons:2'/>`],
  ['get', `<blocklist xmlns='urn:xmpp:blocking'/>`],
  ['set', `<block xmlns='urn:xmpp:blocking'><item jid='tybalt@capulet.example'/></block>`],
  ['set', `<unblock xmlns='urn:xmpp:blocking'/>`],
  ['set', `<enable xmlns='urn:xmpp:push:0' jid='push.example' node='1'/>`],
  ['set', `<disable xmlns='urn:xmpp:push:0' jid='push.example'/>`],
  [
    'set',
    `<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n'><item id='i'><a xmlns='b'/></item></publish></pubsub>`,
  ],
  ['set', `<pubsub xmlns='http://jabber.org/protocol/pubsub'><create node='n'/></pubsub>`],
  [
    'set',
    `<pubsub xmlns='http://jabber.org/protocol/pubsub'><retract node='secret'><item id='1'/></retract></pubsub>`,
  ],
  ['get', `<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='secret'/></pubsub>`],
  ['set', `<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='secret' jid='WHO'/></pubsub>`],
  ['get', `<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='secret'/></pubsub>`],
  ['get', `<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><affiliations node='secret'/></pubsub>`],
  ['set', `<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><delete node='secret'/></pubsub>`],
  ['set', `<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><purge node='secret'/></pubsub>`],
  ['set', `<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>`],
  ['get', `<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>`],
  ['set', `<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>`],
  [
    'set',
    `<command xmlns='http://jabber.org/protocol/commands' node='urn:x-parley:command:change-password'/>`,
  ],
  ['set', `<query xmlns='jabber:iq:register'><remove/></query>`],
  ['set', `<query xmlns='jabber:iq:register'><username>romeo</username><password>x</password></query>`],
  ['get', `<services xmlns='urn:xmpp:extdisco:2'/>`],
]

/** What becomes of each request, by its condition. */
async function refusals(actor: Actor, to: string): Promise<string[]> {
  const said: string[] = []
  for (const [type, payload] of requests) {
    const asked = payload.replace('WHO', actor.bare)
    const reply = type === 'get' ? await actor.gets(asked, to) : await actor.sets(asked, to)
    const error = reply.child('error', 'jabber:client')
    const [condition] = error?.childrenOf(undefined, 'urn:ietf:params:xml:ns:xmpp-stanzas') ?? []
    assert.ok(condition, reply.toString())
    said.push(`${condition.local} to ${payload}`)
  }
  return said
}

const own: readonly string[] = [
  `<query xmlns='jabber:iq:roster'/>`,
  `<prefs xmlns='urn:xmpp:mam:2'/>`,
  `<blocklist xmlns='urn:xmpp:blocking'/>`,
  `<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>`,
  `<vCard xmlns='vcard-temp'/>`,
  `<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='secret'/></pubsub>`,
  `<query xmlns='http://jabber.org/protocol/disco#items'/>`,
]

async function stateOf(actor: Actor): Promise<string[]> {
  const state: string[] = []
  for (const payload of own) {
    const reply = await actor.gets(payload)
    state.push(`${reply.attrs['type']} ${reply.childrenOf().join('')}`)
  }
  return state
}

scene(
  'limits §2: requests to another account act on nothing, whoever asks; strangers do not learn whether there is one',
  async ({ romeo, juliet, nurse, other, stage }) => {
    await romeo.online()
    await romeo.sets(
      `<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='secret'><item id='1'><a xmlns='b'/></item></publish><publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field><field var='pubsub#access_model'><value>whitelist</value></field></x></publish-options></pubsub>`,
    )
    await juliet.online()
    await friends(romeo, juliet)
    await nurse.online()
    await other.juliet.online()
    const people = [romeo, juliet, nurse, other.juliet]
    const before = await Promise.all(people.map(stateOf))
    await refusals(juliet, romeo.bare)
    const nobody = await refusals(nurse, `nobody@${nurse.domain}`)
    assert.deepEqual(await refusals(nurse, romeo.bare), nobody)
    assert.deepEqual(await refusals(other.juliet, romeo.bare), nobody)
    assert.deepEqual(await Promise.all(people.map(stateOf)), before)
    // They still exist, with their passwords.
    for (const actor of people) {
      await actor.leaves()
      await actor.isGone()
      await actor.connects()
    }
    await stage.settled()
  },
)

scene(
  'limits §2: results, events and pushes that only a server may send reach nobody from a person',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    await friends(romeo, juliet)
    const forwarded = `<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='nurse@capulet.example'><body>x</body></message></forwarded>`
    const forged = [
      `<result xmlns='urn:xmpp:mam:2' id='1' queryid='q'>${forwarded}</result>`,
      `<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:xmpp:bookmarks:1'><item id='x'/></items></event>`,
    ]
    for (const to of [romeo.bare, romeo.full])
      for (const element of forged)
        juliet.sends(`<message to='${to}' type='chat'><body>${to}</body>${element}</message>`)
    await juliet.settled()
    for (const to of [romeo.bare, romeo.bare, romeo.full, romeo.full]) {
      const message = await romeo.receives(`<message type='chat'><body>${to}</body></message>`)
      assert.equal(message.childrenOf().length, 2, message.toString())
    }
    for (const push of [
      `<query xmlns='jabber:iq:roster'><item jid='tybalt@capulet.example' subscription='both'/></query>`,
      `<block xmlns='urn:xmpp:blocking'><item jid='tybalt@capulet.example'/></block>`,
      `<unblock xmlns='urn:xmpp:blocking'/>`,
    ])
      await juliet.isRefused('service-unavailable', 'set', push, romeo.full)
    await stage.settled()
    await romeo.hearsNothingMore()
  },
)
