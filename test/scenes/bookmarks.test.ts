/** XEP-0402 §5.3, XEP-0411: bookmarks are the same wherever a client keeps them. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { featuresOf } from '../support/friends.js'
import { Dice } from '../support/dice.js'
import { Program } from '../support/programs.js'
import { scene } from '../support/stage.js'
import type { Element } from '../../src/xml/element.js'
import { NS } from '../../src/xml/namespaces.js'

const play = 'theplay@rooms.shakespeare.example'
const orchard = 'orchard@rooms.shakespeare.example'

const field = (name: string, value: string) => `<field var='pubsub#${name}'><value>${value}</value></field>`
const options = (fields: string) =>
  `<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>${NS.pubsub}#publish-options</value></field>${fields}</x></publish-options>`
/** XEP-0402 §3.3 */
const itemOptions = options(
  [
    ['persist_items', 'true'],
    ['max_items', 'max'],
    ['send_last_published_item', 'never'],
    ['access_model', 'whitelist'],
  ]
    .map(([name, value]) => field(name!, value!))
    .join(''),
)
const listOptions = options(field('persist_items', 'true') + field('access_model', 'whitelist'))

const publishing = (node: string, id: string, payload: string, more: string) =>
  `<pubsub xmlns='${NS.pubsub}'><publish node='${node}'><item id='${id}'>${payload}</item></publish>${more}</pubsub>`
const adding = (room: string, attributes = '', inner = '') =>
  publishing(
    NS.bookmarks,
    room,
    `<conference xmlns='${NS.bookmarks}'${attributes}>${inner}</conference>`,
    itemOptions,
  )
const removing = (room: string) =>
  `<pubsub xmlns='${NS.pubsub}'><retract node='${NS.bookmarks}' notify='true'><item id='${room}'/></retract></pubsub>`
const storage = (inner: string) => `<storage xmlns='${NS.storedBookmarks}'>${inner}</storage>`
const listing = (inner: string, more = listOptions) =>
  publishing(NS.storedBookmarks, 'current', storage(inner), more)
const keeping = (inner: string) => `<query xmlns='${NS.privateXml}'>${storage(inner)}</query>`
const url = `<url name='Works' url='https://shakespeare.example/'/>`

async function done(actor: Actor, payload: string): Promise<void> {
  const reply = await actor.sets(payload)
  assert.equal(reply.attrs['type'], 'result', reply.toString())
  await actor.stage.settled()
}

async function itemsOf(actor: Actor, node: string): Promise<readonly Element[]> {
  const reply = await actor.gets(`<pubsub xmlns='${NS.pubsub}'><items node='${node}'/></pubsub>`)
  return reply.child('pubsub', NS.pubsub)?.child('items')?.childrenOf('item') ?? []
}

const shown = (conference: Element, jid: string | undefined) =>
  [jid, conference.attrs['name'], conference.attrs['autojoin'], conference.child('nick')?.text].join(' ')
const ofList = (list: Element | undefined) =>
  list
    ?.childrenOf('conference')
    .map((conference) => shown(conference, conference.attrs['jid']))
    .sort()

/** The rooms as each of the three protocols shows them. */
async function rooms(actor: Actor) {
  const items = await itemsOf(actor, NS.bookmarks)
  const [list] = await itemsOf(actor, NS.storedBookmarks)
  const kept = await actor.gets(`<query xmlns='${NS.privateXml}'>${storage('')}</query>`)
  return {
    items: items.map((item) => shown(item.child('conference')!, item.attrs['id'])).sort(),
    list: ofList(list?.child('storage')),
    kept: ofList(kept.child('query')?.child('storage')),
  }
}

async function everywhere(actor: Actor, ...expected: string[]): Promise<void> {
  assert.deepEqual(await rooms(actor), { items: expected, list: expected, kept: expected })
}

scene('XEP-0402 §5.3, XEP-0411 §2: the account says what is converted', async ({ juliet }) => {
  await juliet.connects()
  const features = await featuresOf(juliet.bare, juliet)
  for (const feature of [
    `${NS.bookmarks}#compat`,
    `${NS.bookmarks}#compat-pep`,
    'urn:xmpp:bookmarks-conversion:0',
  ])
    assert.ok(features.includes(feature), feature)
})

scene('XEP-0402 §5.3.1: items are in both lists, until they are retracted', async ({ juliet }) => {
  await juliet.online()
  await done(juliet, adding(play, ` name='The Play' autojoin='1'`, '<nick>JC</nick>'))
  await done(juliet, adding(orchard, ` name='The Orchard'`))
  const { items, list, kept } = await rooms(juliet)
  assert.deepEqual(items, [`${orchard} The Orchard  `, `${play} The Play 1 JC`])
  assert.deepEqual(list, [`${orchard} The Orchard false `, `${play} The Play true JC`])
  assert.deepEqual(kept, list)
  await done(juliet, removing(play))
  assert.deepEqual((await rooms(juliet)).list, [`${orchard} The Orchard false `])
  await done(juliet, removing(orchard))
  await everywhere(juliet)
})

scene(
  'XEP-0402 §5.3.2: a list in private XML becomes items, and only changes are told',
  async ({ juliet, juliet$phone, juliet$tablet }) => {
    const modern = new Program(NS.discoInfo, `${NS.bookmarks}+notify`)
    const middle = new Program(NS.discoInfo, `${NS.storedBookmarks}+notify`)
    await juliet.connects()
    await modern.starts(juliet$phone)
    await juliet$tablet.connects()
    juliet$tablet.sends(`<presence>${middle.c}</presence>`)
    for (let stanza = 0; stanza < 2; stanza++) assert.equal((await juliet$tablet.next()).local, 'presence')
    await middle.isAsked(juliet$tablet)
    await juliet$phone.ignoresSoFar()
    const first = `<conference jid='${play}' name='The Play' autojoin='true'><nick>JC</nick></conference>`
    const second = `<conference jid='${orchard}'/>`
    const told = (node: string, inner: string) =>
      `<message type='headline' from='${juliet.bare}'><event xmlns='${NS.pubsubEvent}'><items node='${node}'>${inner}</items></event></message>`
    const item = (room: string, attributes: string, inner = '') =>
      told(
        NS.bookmarks,
        `<item id='${room}'><conference xmlns='${NS.bookmarks}'${attributes}>${inner}</conference></item>`,
      )
    const list = (inner: string) => told(NS.storedBookmarks, `<item id='current'>${storage(inner)}</item>`)

    await done(juliet, keeping(first + url))
    await juliet$phone.receives(item(play, ` name='The Play' autojoin='true'`, '<nick>JC</nick>'))
    await juliet$tablet.receives(list(first + url))
    await done(juliet, keeping(first + second + url))
    await juliet$phone.receives(item(orchard, ` autojoin='false'`))
    await juliet$tablet.receives(list(first + second + url))
    await done(juliet, keeping(second + first + url))
    await juliet$phone.hearsNothingMore()
    await juliet$tablet.hearsNothingMore()
    await done(juliet, keeping(second + url))
    await juliet$phone.receives(told(NS.bookmarks, `<retract id='${play}'/>`))
    await juliet$phone.hearsNothingMore()
    await everywhere(juliet, `${orchard}  false `)
    // What is no room stays with the list.
    const kept = await juliet.gets(`<query xmlns='${NS.privateXml}'>${storage('')}</query>`)
    assert.equal(kept.child('query')?.child('storage')?.child('url')?.attrs['name'], 'Works')
    await juliet.hearsNothingMore()
  },
)

scene(
  'XEP-0411 §3: a list of personal eventing is in private XML, and its rooms are items',
  async ({ juliet }) => {
    await juliet.online()
    await done(
      juliet,
      listing(`<conference jid='${play}' name='The Play' autojoin='1'/>${url}<conference jid='@'/>`),
    )
    const { items, list, kept } = await rooms(juliet)
    assert.deepEqual(items, [`${play} The Play true `])
    assert.deepEqual(list, ['@   ', `${play} The Play 1 `])
    assert.deepEqual(kept, ['@   ', `${play} The Play true `])
    const text = (await juliet.gets(`<query xmlns='${NS.privateXml}'>${storage('')}</query>`)).toString()
    assert.match(text, /Works/)
    // What the list does not say of a room is not lost.
    await done(
      juliet,
      adding(play, ` name='The Play' autojoin='true'`, `<extensions><pin xmlns='urn:x-test'/></extensions>`),
    )
    await done(juliet, listing(`<conference jid='${play}' name='Another Play' autojoin='1'/>`))
    const [item] = await itemsOf(juliet, NS.bookmarks)
    assert.match(item!.toString(), /Another Play.*<pin xmlns="urn:x-test"\/>/)
    await done(juliet, listing(''))
    await everywhere(juliet)
  },
)

scene(
  'XEP-0411 §4: what was in private XML before is there when the client comes',
  async ({ stage, juliet }) => {
    await stage.account('juliet', stage.domain, 'wherefore')
    const kept = storage(
      `<conference jid='${play}' name='The Play' autojoin='true'><nick>JC</nick></conference>${url}`,
    )
    await stage.stores.map<Record<string, string>>(stage.domain, 'private-xml').set('juliet', {
      '{storage:bookmarks}storage': kept,
      '{urn:x-test}prefs': `<prefs xmlns='urn:x-test'/>`,
    })
    await juliet.connects()
    await everywhere(juliet, `${play} The Play true JC`)
    const prefs = await juliet.gets(`<query xmlns='${NS.privateXml}'><prefs xmlns='urn:x-test'/></query>`)
    assert.equal(prefs.attrs['type'], 'result')
    // Not once more: what is removed stays away.
    await done(juliet, removing(play))
    await juliet.leaves()
    await juliet.connects()
    await everywhere(juliet)
  },
)

scene('XEP-0411 §5: nothing goes where others may read it', async ({ juliet }) => {
  await juliet.online()
  const open = options(field('access_model', 'open'))
  await done(juliet, listing(url, open))
  await done(juliet, adding(play, ` autojoin='true'`))
  const [list] = await itemsOf(juliet, NS.storedBookmarks)
  assert.deepEqual(ofList(list?.child('storage')), [])
  assert.deepEqual((await rooms(juliet)).kept, [`${play}  true `])
})

scene('XEP-0411 §5: items that others may read take nothing from private XML', async ({ juliet }) => {
  await juliet.online()
  const open = options(field('access_model', 'open') + field('max_items', 'max'))
  await done(juliet, publishing(NS.bookmarks, orchard, `<conference xmlns='${NS.bookmarks}'/>`, open))
  await done(juliet, keeping(`<conference jid='${play}' autojoin='true'/>`))
  const { items, kept } = await rooms(juliet)
  assert.deepEqual(items, [`${orchard}   `])
  assert.deepEqual(kept, [`${orchard}  false `, `${play}  true `])
})

scene(
  'more rooms than there may be items are refused, and none is lost',
  async ({ juliet }) => {
    await juliet.online()
    const conferences = (count: number) =>
      Array.from({ length: count }, (_, room) => `<conference jid='r${room}@rooms.example'/>`).join('')
    await done(juliet, keeping(conferences(3)))
    await juliet.isRefused('not-acceptable', 'set', keeping(conferences(4)))
    await juliet.isRefused('not-acceptable', 'set', listing(conferences(4)))
    assert.equal((await rooms(juliet)).items.length, 3)
  },
  { set: ['modules.pep.items=3'] },
)

scene(
  'many devices that change bookmarks in all ways at the same time block nobody',
  async ({ juliet, juliet$phone, juliet$tablet }) => {
    const devices = [juliet, juliet$phone, juliet$tablet]
    for (const device of devices) await device.connects()
    const replies: Promise<Element>[] = []
    for (let round = 0; round < 10; round++) {
      const conference = `<conference jid='r${round}@rooms.example' name='${round}'/>`
      replies.push(juliet.sets(keeping(conference)))
      replies.push(juliet$phone.sets(adding(`s${round}@rooms.example`)))
      replies.push(juliet$tablet.sets(listing(conference)))
    }
    for (const reply of await Promise.all(replies)) assert.equal(reply.attrs['type'], 'result')
    await juliet.stage.settled()
    await done(juliet, keeping(`<conference jid='${play}' name='The Play'/>`))
    await everywhere(juliet, `${play} The Play false `)
  },
)

scene('whatever clients do one after the other, in the end all see the same', async ({ stage, juliet }) => {
  await juliet.connects()
  const dice = new Dice(stage.seed)
  const model = new Map<string, string>()
  const room = () => `r${dice.below(5)}@rooms.example`
  const says = () => {
    const [name, autojoin, nick] = [
      dice.of(['', 'Hall', '&lt;']),
      dice.of(['true', 'false']),
      dice.of(['', 'JC']),
    ]
    const attributes = `${name && ` name='${name}'`} autojoin='${autojoin}'`
    const text = [name && name.replace('&lt;', '<'), autojoin, nick].join(' ')
    return { attributes, inner: nick && `<nick>${nick}</nick>`, text }
  }
  const wholeList = () => {
    model.clear()
    const conferences = Array.from({ length: dice.below(4) }, () => {
      const [jid, { attributes, inner, text }] = [room(), says()]
      if (model.has(jid)) return ''
      model.set(jid, text)
      return `<conference jid='${jid}'${attributes}>${inner}</conference>`
    })
    return conferences.join('') + dice.of(['', url])
  }
  for (let step = 0; step < 60; step++) {
    switch (dice.below(4)) {
      case 0: {
        const [jid, { attributes, inner, text }] = [room(), says()]
        model.set(jid, text)
        await done(juliet, adding(jid, attributes, inner))
        break
      }
      case 1: {
        const [jid] = model.keys()
        if (jid === undefined) continue
        model.delete(jid)
        await done(juliet, removing(jid))
        break
      }
      case 2:
        await done(juliet, keeping(wholeList()))
        break
      default:
        await done(juliet, listing(wholeList()))
    }
    const shownAs = [...model].map(([jid, text]) => `${jid} ${text}`).sort()
    const { items, list, kept } = await rooms(juliet)
    const trimmed = (all: readonly string[] | undefined) => all?.map((one) => one.trimEnd())
    const expected = trimmed(shownAs)
    assert.deepEqual(
      [trimmed(items), trimmed(list), trimmed(kept)],
      [expected, expected, expected],
      stage.transcript(),
    )
  }
})
