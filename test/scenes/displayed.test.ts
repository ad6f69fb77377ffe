/** XEP-0490: how far each chat was read. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { featuresOf } from '../support/friends.js'
import { Program } from '../support/programs.js'
import { scene } from '../support/stage.js'
import { NS } from '../../src/xml/namespaces.js'

const reader = new Program(NS.discoInfo, `${NS.displayed}+notify`)
const marker = (id = 'm1') => `<displayed xmlns='${NS.chatMarkers}' id='${id}'/>`
const displayed = (by: Actor, id: string) =>
  `<displayed xmlns='${NS.displayed}'><stanza-id xmlns='${NS.stanzaIds}' by='${by.bare}' id='${id}'/></displayed>`
const event = (of: Actor, to: Actor, chat: string, id: string) =>
  `<message type='headline' from='${of.bare}' to='${to.full}'><event xmlns='${NS.pubsubEvent}'><items node='${NS.displayed}'><item id='${chat}'>${displayed(of, id)}</item></items></event></message>`

scene('XEP-0490 §4.5.2: the account says that it assists', async ({ juliet }) => {
  await juliet.connects()
  const features = await featuresOf(juliet.bare, juliet)
  assert.ok(features.includes('urn:xmpp:mds:server-assist:0'))
})

scene(
  'XEP-0490 §4.5.3: the item is published to the own devices; the contact hears the marker only',
  async ({ juliet, juliet$phone, romeo, nurse }) => {
    await reader.starts(juliet$phone)
    await juliet.online()
    await romeo.online()
    await nurse.online()
    for (const actor of [juliet, juliet$phone]) await actor.ignoresSoFar()
    juliet.sends(`<message to='${romeo.bare}' id='d1'>${marker()}${displayed(juliet, 's1')}</message>`)
    const heard = await romeo.receives(`<message from='${juliet.full}' id='d1'>${marker()}{any}</message>`)
    assert.equal(heard.child('displayed', NS.displayed), undefined)
    await juliet$phone.receives(event(juliet, juliet$phone, romeo.bare, 's1'))

    // §5.2: the node that this has made is private, and keeps an item for each chat.
    juliet.sends(
      `<message to='room@rooms.example' type='groupchat'>${marker()}${displayed(juliet, 's2')}</message>`,
    )
    juliet.sends(`<message to='${romeo.bare}'>${marker('m2')}${displayed(juliet, 's3')}</message>`)
    await juliet$phone.receives(event(juliet, juliet$phone, 'room@rooms.example', 's2'))
    await juliet$phone.receives(event(juliet, juliet$phone, romeo.bare, 's3'))
    const asked = `<pubsub xmlns='${NS.pubsub}'><items node='${NS.displayed}'/></pubsub>`
    const items = (await juliet.gets(asked)).child('pubsub')!.child('items')!.childrenOf('item')
    assert.deepEqual(
      new Set(items.map(({ attrs }) => attrs['id'])),
      new Set(['room@rooms.example', romeo.bare]),
    )
    const refused = await nurse.gets(asked, juliet.bare)
    assert.equal(refused.attrs['type'], 'error')
  },
)

scene('XEP-0490 §4.1, §4.5.3: what is no item is stripped all the same', async ({ juliet, romeo }) => {
  await reader.starts(juliet)
  await romeo.online()
  await juliet.ignoresSoFar()
  const id = `<stanza-id xmlns='${NS.stanzaIds}' by='${juliet.bare}' id='s1'/>`
  for (const inner of ['', id + id, 'text']) {
    juliet.sends(
      `<message to='${romeo.bare}'>${marker()}<displayed xmlns='${NS.displayed}'>${inner}</displayed></message>`,
    )
    const heard = await romeo.next()
    assert.equal(heard.child('displayed', NS.displayed), undefined)
    assert.ok(heard.child('displayed', NS.chatMarkers))
  }
  await juliet.hearsNothingMore()
  assert.equal(juliet.stage.logged.length, 0)
})
