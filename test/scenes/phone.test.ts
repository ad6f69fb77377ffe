/** What a phone of today does when it logs in, one after the other, and what its owner's contacts and devices hear of it. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { AppServer, PUSHES, withPushes } from '../support/app-server.js'
import { friends } from '../support/friends.js'
import { agent, bind, logsIn, PHONE } from '../support/modern.js'
import { Program } from '../support/programs.js'
import { scene } from '../support/stage.js'
import { readDiscoInfo } from '../../src/stanza/caps.js'
import { formValues } from '../../src/stanza/forms.js'
import type { Element } from '../../src/xml/element.js'
import { NS } from '../../src/xml/namespaces.js'

const AXOLOTL = 'eu.siacs.conversations.axolotl'
const DEVICES = `${AXOLOTL}.devicelist`
const BUNDLE = `${AXOLOTL}.bundles:31415`
const NICK = 'http://jabber.org/protocol/nick'
const program = new Program(
  NS.discoInfo,
  NICK,
  `${NICK}+notify`,
  `${NS.avatarMetadata}+notify`,
  `${DEVICES}+notify`,
  `${NS.bookmarks}+notify`,
  `${NS.displayed}+notify`,
)

const field = ([name, value]: readonly [string, string]) =>
  `<field var='pubsub#${name}'><value>${value}</value></field>`
const form = (type: string, fields: Readonly<Record<string, string>>) =>
  `<x xmlns='${NS.dataForms}' type='submit'><field var='FORM_TYPE' type='hidden'><value>${NS.pubsub}#${type}</value></field>${Object.entries(fields).map(field).join('')}</x>`
const publishing = (node: string, id: string, payload: string, options?: Readonly<Record<string, string>>) =>
  `<pubsub xmlns='${NS.pubsub}'><publish node='${node}'><item id='${id}'>${payload}</item></publish>${options ? `<publish-options>${form('publish-options', options)}</publish-options>` : ''}</pubsub>`
const wanting = (node: string) => `<pubsub xmlns='${NS.pubsub}'><items node='${node}'/></pubsub>`

const open = { access_model: 'open', persist_items: 'true' }
const mine = {
  access_model: 'whitelist',
  persist_items: 'true',
  max_items: 'max',
  send_last_published_item: 'never',
}
const devices = (...ids: number[]) =>
  `<list xmlns='${AXOLOTL}'>${ids.map((id) => `<device id='${id}'/>`).join('')}</list>`
const bundle = `<bundle xmlns='${AXOLOTL}'><signedPreKeyPublic signedPreKeyId='1'>AAAA</signedPreKeyPublic></bundle>`

async function done(actor: Actor, payload: string, to?: string): Promise<Element> {
  const reply = await actor.sets(payload, to)
  assert.equal(reply.attrs['type'], 'result', reply.toString())
  return reply
}

async function featuresOf(actor: Actor, to: string): Promise<readonly string[]> {
  const reply = await actor.gets(`<query xmlns='${NS.discoInfo}'/>`, to)
  return readDiscoInfo(reply.child('query', NS.discoInfo)!)!.features
}

/** The items of a node, their ids and payloads as text; nothing when there is no such node. */
async function itemsOf(
  actor: Actor,
  node: string,
  of?: Actor,
): Promise<readonly (readonly [string, string])[]> {
  const reply = await actor.gets(wanting(node), of?.bare)
  if (reply.attrs['type'] === 'error') {
    assert.ok(reply.child('error')?.child('item-not-found', NS.stanzaErrors), reply.toString())
    return []
  }
  const items = reply.child('pubsub', NS.pubsub)!.child('items')!.childrenOf('item')
  return items.map((item) => [item.attrs['id']!, item.childrenOf()[0]!.toString()] as const)
}

/** Ids of what the archive holds, all on one page. */
async function missedSince(actor: Actor): Promise<readonly (string | undefined)[]> {
  const query = `<query xmlns='${NS.archive}' queryid='q'><set xmlns='${NS.resultSets}'><max>50</max></set></query>`
  const waiting = actor.sets(query)
  const fin = (await waiting).child('fin', NS.archive)
  assert.equal(fin?.attrs['complete'], 'true')
  const ids: (string | undefined)[] = []
  while (actor.waiting > 0) {
    const result = (await actor.next()).child('result', NS.archive)
    const message = result?.child('forwarded', NS.forward)?.child('message')
    if (message) ids.push(message.attrs['id'])
  }
  return ids
}

const event = (node: string, id: string, payload: string) =>
  `<message type='headline'><event xmlns='${NS.pubsubEvent}'><items node='${node}'><item id='${id}'>${payload}</item></items></event></message>`

scene(
  'a phone logs in, finds what it looks for, and shows itself',
  async ({ stage, juliet$phone: phone, juliet$laptop: laptop, romeo }) => {
    const app = await AppServer.ready(stage)
    await program.starts(laptop)
    await program.starts(romeo, true)
    await friends(romeo, laptop)
    for (const actor of [laptop, romeo]) await actor.ignoresSoFar()

    // One step: authentication, resource, carbons, stream management.
    const inline = `<tag>Quill</tag><enable xmlns='${NS.carbons}'/><enable xmlns='${NS.streamManagement}' resume='true'/>`
    const success = await logsIn(phone, agent(PHONE) + bind(inline))
    const bound = success.child('bound', NS.bind2)!
    assert.ok(bound.child('enabled', NS.streamManagement))
    assert.ok(bound.child('metadata', NS.archive))
    const full = success.child('authorization-identifier', NS.sasl2)!.text
    assert.match(full, /^juliet@capulet\.example\/Quill/)

    const server = await featuresOf(phone, phone.domain)
    for (const feature of [NS.blocking, NS.carbons, NS.ping, NS.vcard, NS.reporting])
      assert.ok(server.includes(feature), feature)
    const account = await featuresOf(phone, phone.bare)
    for (const feature of [
      `${NS.pubsub}#publish-options`,
      `${NS.pubsub}#config-node-max`,
      NS.bookmarksCompat,
      NS.avatarConversion,
      NS.displayedAssist,
      NS.archive,
      NS.stanzaIds,
      NS.push,
    ])
      assert.ok(account.includes(feature), feature)
    assert.equal(
      (await phone.gets(`<query xmlns='${NS.discoItems}'/>`, phone.domain)).attrs['type'],
      'result',
    )

    const roster = await phone.gets(`<query xmlns='${NS.roster}' ver=''/>`)
    assert.equal(roster.child('query', NS.roster)?.child('item')?.attrs['jid'], romeo.bare)
    assert.ok((await phone.gets(`<blocklist xmlns='${NS.blocking}'/>`)).child('blocklist', NS.blocking))
    assert.deepEqual(await itemsOf(phone, NS.bookmarks), [])
    assert.deepEqual(await itemsOf(phone, NS.displayed), [])
    assert.deepEqual(await missedSince(phone), [])

    // Its capabilities are known already: nothing is asked, and the other devices and the friend see it come.
    phone.sends(`<presence>${program.c}</presence>`)
    for (const actor of [laptop, romeo])
      await actor.receives(`<presence from='${full}'>${program.c}</presence>`)
    await phone.ignoresSoFar()

    await done(phone, `<enable xmlns='${NS.push}' jid='${PUSHES}' node='phone'/>`, phone.bare)
    await done(phone, publishing(NICK, 'current', `<nick xmlns='${NICK}'>Jule</nick>`))
    for (const actor of [laptop, romeo])
      await actor.receives(event(NICK, 'current', `<nick xmlns='${NICK}'>Jule</nick>`))
    await done(
      phone,
      publishing(
        NS.bookmarks,
        'hall@rooms.example',
        `<conference xmlns='${NS.bookmarks}' autojoin='true'/>`,
        mine,
      ),
    )
    await laptop.receives(
      event(NS.bookmarks, 'hall@rooms.example', `<conference xmlns='${NS.bookmarks}' autojoin='true'/>`),
    )
    await romeo.hearsNothingMore()

    // What comes while it is away wakes it.
    await phone.vanishes()
    await laptop.leaves()
    for (const id of ['m1', 'm2']) {
      romeo.sends(`<message to='${phone.bare}' type='chat' id='${id}'><body>Wherefore</body></message>`)
      await romeo.settled()
    }
    await app.takes()

    // Too late to resume: it logs in anew, and has the rest from the archive, each message once.
    await stage.passes(301_000)
    await phone.ignoresSoFar()
    await logsIn(phone, agent(PHONE) + bind(inline))
    assert.deepEqual(await missedSince(phone), ['m1', 'm2'])
    phone.sends(`<presence>${program.c}</presence>`)
    await phone.receives(`<presence to='${phone.bare}'>${program.c}</presence>`)
    await phone.receives(`<presence from='${romeo.full}'>${program.c}</presence>`)
    const nick = `<item id='current'><nick xmlns='${NICK}'>Jule</nick></item>`
    await phone.receives(
      `<message type='headline'><event xmlns='${NS.pubsubEvent}'><items node='${NICK}'>${nick}</items></event>{any}</message>`,
    )
    await phone.hearsNothingMore()
  },
  { set: [withPushes] },
)

scene(
  'XEP-0384 §5.3: devices and keys for end-to-end encryption are there for all, and are told',
  async ({ juliet, juliet$phone: phone, romeo, nurse }) => {
    await program.starts(romeo)
    await program.starts(juliet, true)
    await friends(romeo, juliet)
    await phone.connects()
    await nurse.connects()
    for (const actor of [juliet, romeo]) await actor.ignoresSoFar()

    assert.deepEqual(await itemsOf(phone, DEVICES), [])
    await done(phone, publishing(BUNDLE, 'current', bundle, open))
    await done(phone, publishing(DEVICES, 'current', devices(31415), open))
    for (const actor of [juliet, romeo]) await actor.receives(event(DEVICES, 'current', devices(31415)))
    // Strangers need them as well, to write the first message.
    for (const actor of [romeo, nurse]) {
      assert.equal((await itemsOf(actor, DEVICES, juliet)).length, 1)
      assert.match((await itemsOf(actor, BUNDLE, juliet))[0]![1], /signedPreKeyPublic/)
    }
    // Another device adds itself to the list: one item, the newest.
    await done(juliet, publishing(DEVICES, 'current', devices(31415, 27182), open))
    await romeo.receives(event(DEVICES, 'current', devices(31415, 27182)))
    assert.equal((await itemsOf(nurse, DEVICES, juliet)).length, 1)
    // Whoever comes online hears of it without asking.
    await romeo.leaves()
    await program.starts(romeo, true)
    await romeo.receivesInAnyOrder(
      `<presence from='${juliet.full}'>{any}</presence>`,
      `<message type='headline' from='${juliet.bare}'><event xmlns='${NS.pubsubEvent}'><items node='${DEVICES}'><item id='current'>${devices(31415, 27182)}</item></items></event>{any}</message>`,
    )
  },
)

scene('a node that was made too narrow is opened, and publishing goes on', async ({ juliet, nurse }) => {
  await juliet.connects()
  await nurse.connects()
  // Made by a client that knows no options: for contacts only.
  await done(juliet, publishing(DEVICES, 'current', devices(1)))
  assert.equal((await nurse.gets(wanting(DEVICES), juliet.bare)).attrs['type'], 'error')
  const refused = await juliet.sets(publishing(DEVICES, 'current', devices(1, 2), open))
  assert.ok(refused.child('error')?.child('precondition-not-met', NS.pubsubErrors), refused.toString())

  const configure = `<configure node='${DEVICES}'>`
  const asked = await juliet.gets(`<pubsub xmlns='${NS.pubsubOwner}'>${configure}</configure></pubsub>`)
  const shown = asked.child('pubsub', NS.pubsubOwner)!.child('configure')!.child('x', NS.dataForms)!
  assert.deepEqual(formValues(shown).get('pubsub#access_model'), ['presence'])
  await done(
    juliet,
    `<pubsub xmlns='${NS.pubsubOwner}'>${configure}${form('node_config', open)}</configure></pubsub>`,
  )
  await done(juliet, publishing(DEVICES, 'current', devices(1, 2), open))
  assert.equal((await itemsOf(nurse, DEVICES, juliet)).length, 1)
})

scene(
  'XEP-0172 §4.1: a request to subscribe brings a nickname along, also to who is away',
  async ({ juliet, romeo }) => {
    await juliet.connects()
    await juliet.leaves()
    await romeo.online()
    romeo.sends(`<presence type='subscribe' to='${juliet.bare}'><nick xmlns='${NICK}'>Ro</nick></presence>`)
    await romeo.settled()
    await juliet.connects()
    juliet.sends('<presence/>')
    await juliet.receives(`<presence from='${juliet.full}'/>`)
    await juliet.receives(
      `<presence type='subscribe' from='${romeo.bare}'><nick xmlns='${NICK}'>Ro</nick></presence>`,
    )
  },
)
