/** Each module is switched off, all others on: the server starts, and clients find their way. */
import assert from 'node:assert/strict'
import { modules } from '../../src/modules/index.js'
import type { Actor } from '../support/actor.js'
import { logsIn, bind } from '../support/modern.js'
import { scene } from '../support/stage.js'

/** What clients ask at some time, of their account or of the server. */
const requests: readonly (readonly ['get' | 'set', string, 'account' | 'domain'])[] = [
  ['get', `<query xmlns='jabber:iq:roster'/>`, 'account'],
  ['get', `<query xmlns='http://jabber.org/protocol/disco#info'/>`, 'account'],
  ['get', `<query xmlns='http://jabber.org/protocol/disco#items'/>`, 'account'],
  ['get', `<query xmlns='http://jabber.org/protocol/disco#info'/>`, 'domain'],
  ['get', `<query xmlns='http://jabber.org/protocol/disco#items'/>`, 'domain'],
  ['set', `<query xmlns='urn:xmpp:mam:2'/>`, 'account'],
  ['get', `<prefs xmlns='urn:xmpp:mam:2'/>`, 'account'],
  ['set', `<enable xmlns='urn:xmpp:carbons:2'/>`, 'account'],
  ['get', `<blocklist xmlns='urn:xmpp:blocking'/>`, 'account'],
  ['set', `<block xmlns='urn:xmpp:blocking'><item jid='tybalt@capulet.example'/></block>`, 'account'],
  ['set', `<enable xmlns='urn:xmpp:push:0' jid='push.example' node='1'/>`, 'account'],
  [
    'set',
    `<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:bookmarks:1'><item id='room@rooms.example'><conference xmlns='urn:xmpp:bookmarks:1'/></item></publish></pubsub>`,
    'account',
  ],
  [
    'get',
    `<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:bookmarks:1'/></pubsub>`,
    'account',
  ],
  ['set', `<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>`, 'account'],
  ['get', `<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>`, 'account'],
  ['set', `<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>`, 'account'],
  ['get', `<vCard xmlns='vcard-temp'/>`, 'account'],
  ['get', `<query xmlns='jabber:iq:last'/>`, 'domain'],
  ['get', `<ping xmlns='urn:xmpp:ping'/>`, 'domain'],
  ['get', `<query xmlns='jabber:iq:version'/>`, 'domain'],
  ['get', `<time xmlns='urn:xmpp:time'/>`, 'domain'],
  ['get', `<query xmlns='jabber:iq:register'/>`, 'domain'],
  ['get', `<services xmlns='urn:xmpp:extdisco:2'/>`, 'domain'],
  ['set', `<command xmlns='http://jabber.org/protocol/commands' node='none'/>`, 'domain'],
]

/** How many of them are answered by results; the others are by errors that are no fault of the server. */
async function answered(actor: Actor): Promise<number> {
  let results = 0
  for (const [type, payload, where] of requests) {
    const reply =
      type === 'get'
        ? await actor.gets(payload, where === 'domain' ? actor.domain : undefined)
        : await actor.sets(payload, where === 'domain' ? actor.domain : undefined)
    if (reply.attrs['type'] === 'result') results++
    else {
      const error = reply.child('error', 'jabber:client')
      const [condition] = error?.childrenOf(undefined, 'urn:ietf:params:xml:ns:xmpp-stanzas') ?? []
      assert.notEqual(condition?.local, 'internal-server-error', reply.toString())
    }
  }
  return results
}

for (const { name } of modules) {
  scene(
    `modules.${name}.enabled: off, and all else goes on`,
    async ({ juliet, romeo, stage }) => {
      const success = await logsIn(
        juliet,
        bind(`<enable xmlns='urn:xmpp:carbons:2'/><inactive xmlns='urn:xmpp:csi:0'/>`),
      )
      assert.ok(success.child('bound', 'urn:xmpp:bind:0'))
      juliet.sends(`<presence><x xmlns='vcard-temp:x:update'/></presence>`)
      await romeo.connects()
      romeo.sends('<presence/>')
      await stage.settled()
      await romeo.ignoresSoFar()
      assert.ok((await answered(juliet)) > requests.length / 2)
      romeo.sends(`<message to='${juliet.bare}' type='chat'><body>Soft!</body></message>`)
      await romeo.settled()
      assert.match(juliet.heard, /Soft!/)
      romeo.raw('</stream:stream>')
      await romeo.isDisconnected()
      juliet.sends(`<message to='${romeo.bare}' type='chat' id='away'><body>Ay me</body></message>`)
      await juliet.settled()
      await romeo.connects()
      romeo.sends('<presence/>')
      await stage.settled()
      if (name !== 'offline') assert.match(romeo.heard, /Ay me/)
      else assert.match(juliet.heard, /type=['"]error['"] id=['"]away|id=['"]away['"][^>]*type=['"]error/)
      assert.deepEqual(
        stage.logged.filter((line) => !line.includes('module.left-out')),
        [],
      )
    },
    { set: [`modules.${name}.enabled=false`] },
  )
}
