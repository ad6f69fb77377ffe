// XEP-0313 §6.1.2, XEP-0359: what rooms keep, and who reads it.
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { archiveOf, messageOf, queryXml, type Asked } from '../../support/archive.js'
import { featuresOf } from '../../support/friends.js'
import { handledOf, SM } from '../../support/managed.js'
import { moodyArchive, roomIdOf, stands } from '../../support/room-archive.js'
import { BALL, enters, gather, says, SERVICE, x } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'
import type { Element } from '../../../src/xml/element.js'

const inRoom = (actor: Actor, asked: Asked = {}, room = BALL) => archiveOf(actor, { ...asked, to: room })
const item = (result: Element) =>
  messageOf(result)?.child('x', 'http://jabber.org/protocol/muc#user')?.child('item')?.attrs
const WAIT = `<error type='wait'><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`

scene(
  'XEP-0313 §3.5, XEP-0359 §3: the room names each message once, for all and in its archive',
  async (cast) => {
    const { romeo, juliet, nurse } = cast
    await gather([romeo, juliet, nurse])
    const forged = `<stanza-id xmlns='urn:xmpp:sid:0' by='${BALL.toUpperCase()}' id='forged'/>`
    const other = `<stanza-id xmlns='urn:xmpp:sid:0' by='elsewhere.example' id='e'/>`
    juliet.sends(`<message id='a' type='groupchat' to='${BALL}'><body>a</body>${forged}${other}</message>`)
    romeo.sends(`<message id='b' type='groupchat' to='${BALL}'><body>b</body></message>`)
    const told: (string | undefined)[][] = []
    for (const actor of [romeo, juliet, nurse]) {
      const [a, b] = [await actor.next(), await actor.next()]
      told.push([a, b].map((message) => roomIdOf(message)))
      const ids = [a, b].flatMap((message) => message.childrenOf('stanza-id', 'urn:xmpp:sid:0'))
      const whose = ids.map(({ attrs }) => String(attrs['by']))
      assert.deepEqual(whose.toSorted(), [BALL, BALL, 'elsewhere.example'].toSorted())
    }
    const { ids, complete, bodies } = await inRoom(nurse)
    assert.deepEqual(bodies.toSorted(), ['a', 'b'])
    for (const one of told) assert.deepEqual(one, ids)
    assert.equal(complete, true)
  },
)

scene('XEP-0313 §6.1.2: what rooms keep, and what they do not', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  const hint = (name: string) => `<${name} xmlns='urn:xmpp:hints'/>`
  const kept = [
    `<message id='1' type='groupchat' to='${BALL}'><body>x</body></message>`,
    `<message id='2' type='groupchat' to='${BALL}'><subject>Masks</subject></message>`,
    `<message id='3' type='groupchat' to='${BALL}'><x xmlns='urn:example'/>${hint('store')}</message>`,
    `<message id='4' type='groupchat' to='${BALL}'><reactions id='1' xmlns='urn:xmpp:reactions:0'/></message>`,
  ]
  const passed = [
    `<message id='5' type='groupchat' to='${BALL}'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
    `<message id='6' type='groupchat' to='${BALL}'><body>x</body>${hint('no-store')}</message>`,
    `<message id='7' type='groupchat' to='${BALL}'><body>x</body>${hint('no-permanent-store')}</message>`,
  ]
  for (const message of [...kept, ...passed]) romeo.sends(message)
  const named: string[] = []
  for (const _ of [...kept, ...passed]) {
    const message = await juliet.next('what was said')
    if (roomIdOf(message) !== undefined) named.push(message.attrs['id']!)
  }
  assert.deepEqual(named, ['1', '2', '3', '4'])
  const { results } = await inRoom(juliet)
  assert.deepEqual(
    results.map((result) => messageOf(result)?.attrs['id']),
    ['1', '2', '3', '4'],
  )
  // XEP-0313 §6.1.2: comings and goings are none.
  assert.ok(results.every((result) => messageOf(result)?.attrs['type'] === 'groupchat'))
})

scene('XEP-0313 §6.1.2, §8.4: from the occupant; who that was sees who could see it then', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet, nurse])
  const forged = x(`<item jid='paris@capulet.example/x'/>`)
  juliet.sends(`<message id='a' type='groupchat' to='${BALL}'><body>a</body>${forged}</message>`)
  for (const actor of [romeo, juliet, nurse]) await actor.next()
  for (const reader of [juliet, nurse]) {
    const { results } = await inRoom(reader)
    const message = messageOf(results[0]!)
    assert.deepEqual(
      [message?.attrs['from'], message?.attrs['to'], message?.attrs['id'], message?.attrs['type']],
      [`${BALL}/juliet`, undefined, 'a', 'groupchat'],
    )
    assert.equal(item(results[0]!), undefined)
    assert.ok(!results[0]!.toString().includes(juliet.bare), results[0]!.toString())
  }
  const { results } = await inRoom(romeo)
  assert.equal(item(results[0]!)?.['jid'], juliet.full)
  assert.ok(!results[0]!.toString().includes('paris'))
  // It is decided when it is read: who is no moderator any more does not see it.
  romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
  await romeo.ignoresSoFar()
  await juliet.ignoresSoFar()
  assert.equal(item((await inRoom(romeo)).results[0]!)?.['jid'], juliet.full, 'an owner, in or not')
})

scene('XEP-0313 §4.1.1: who spoke is asked for by nick, or by an address that one may know', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet, nurse])
  for (const [actor, body] of [
    [juliet, 'j1'],
    [nurse, 'n1'],
    [juliet, 'j2'],
  ] as const) {
    says(actor, body)
    for (const one of [romeo, juliet, nurse]) await one.next()
  }
  const asks = async (reader: Actor, other: string) =>
    (await inRoom(reader, { form: { with: other } })).bodies.join(' ')
  assert.equal(await asks(nurse, `${BALL}/juliet`), 'j1 j2')
  assert.equal(await asks(nurse, `${BALL}/nobody`), '')
  assert.equal(await asks(nurse, BALL), 'j1 n1 j2')
  assert.equal(await asks(nurse, nurse.bare), 'n1')
  assert.equal(await asks(romeo, juliet.bare), 'j1 j2')
  assert.equal(await asks(romeo, juliet.full), 'j1 j2')
  assert.equal(await asks(romeo, `${juliet.bare}/elsewhere`), '')
  for (const other of [juliet.bare, 'nobody@nowhere.example'])
    await nurse.isRefused('forbidden', 'set', queryXml({ form: { with: other } }), BALL)
})

scene('XEP-0313 §4.3, XEP-0059, XEP-0431: pages in both directions, and searches', async ({ romeo }) => {
  await gather([romeo])
  for (let i = 0; i < 7; i++) says(romeo, i % 2 === 0 ? `even ${i}` : `odd ${i}`)
  await romeo.ignoresSoFar()
  const first = await inRoom(romeo, { set: '<max>3</max>' })
  assert.deepEqual([first.bodies.join(), first.complete, first.count], ['even 0,odd 1,even 2', false, 7])
  const next = await inRoom(romeo, { set: `<max>3</max><after>${first.last}</after>` })
  assert.deepEqual([next.bodies.join(), next.index], ['odd 3,even 4,odd 5', 3])
  const last = await inRoom(romeo, { set: '<max>2</max><before/>', flip: true })
  assert.deepEqual(last.bodies, ['even 6', 'odd 5'])
  const found = await inRoom(romeo, { form: { '{urn:xmpp:fulltext:0}fulltext': 'ODD' } })
  assert.deepEqual(found.bodies, ['odd 1', 'odd 3', 'odd 5'])
  const ids = await inRoom(romeo, { form: { ids: [first.ids[1]!] } })
  assert.deepEqual(ids.bodies, ['odd 1'])
  await romeo.isRefused('item-not-found', 'set', queryXml({ set: '<after>none</after>' }), BALL)
})

scene('XEP-0313 §4.1.5, §5, XEP-0441: form and metadata of a room; it has no preferences', async (cast) => {
  const { romeo } = cast
  await gather([romeo])
  const form = await romeo.gets(`<query xmlns='urn:xmpp:mam:2'/>`, BALL)
  const fields = form.child('query', 'urn:xmpp:mam:2')!.child('x', 'jabber:x:data')!.childrenOf('field')
  const names = fields.map(({ attrs }) => attrs['var'])
  assert.ok(
    names.includes('with') && names.includes('ids') && !names.includes('include-groupchat'),
    String(names),
  )
  await romeo.isRefused(
    'feature-not-implemented',
    'set',
    queryXml({ form: { 'include-groupchat': 'true' } }),
    BALL,
  )
  const ends = async () =>
    (await romeo.gets(`<metadata xmlns='urn:xmpp:mam:2'/>`, BALL)).child('metadata', 'urn:xmpp:mam:2')!
  assert.equal((await ends()).childrenOf().length, 0)
  says(romeo, 'a')
  const message = await romeo.next()
  for (const end of (await ends()).childrenOf()) assert.equal(end.attrs['id'], roomIdOf(message))
  for (const type of ['get', 'set'] as const)
    await romeo.isRefused(
      'service-unavailable',
      type,
      `<prefs xmlns='urn:xmpp:mam:2' default='always'/>`,
      BALL,
    )
})

scene(
  'XEP-0313 §6.1.2, §8.1: whoever could come in reads an archive; outcasts and others do not',
  async (cast) => {
    const { romeo, juliet, tybalt, stage } = cast
    await stands(stage, {}, [
      [romeo, 'owner'],
      [tybalt, 'outcast'],
    ])
    await gather([romeo])
    says(romeo, 'hi')
    await romeo.next()
    await juliet.connects()
    await tybalt.connects()
    assert.deepEqual((await inRoom(juliet)).bodies, ['hi'])
    for (const [type, payload] of [
      ['set', queryXml({})],
      ['get', `<query xmlns='urn:xmpp:mam:2'/>`],
      ['get', `<metadata xmlns='urn:xmpp:mam:2'/>`],
    ] as const)
      await tybalt.isRefused('forbidden', type, payload, BALL)
    await juliet.isRefused('item-not-found', 'set', queryXml({}), `tomb@${SERVICE}`)
  },
)

scene('XEP-0313 §6.1.2: closed rooms are read by those in their lists, and by who is in', async (cast) => {
  const { romeo, juliet, nurse, paris, stage } = cast
  const lists = [
    [romeo, 'owner'],
    [juliet, 'member'],
  ] as const
  const [club, vault, gate] = ['club', 'vault', 'gate'].map((local) => `${local}@${SERVICE}`)
  await stands(stage, { 'muc#roomconfig_membersonly': true }, lists, club)
  const password = { 'muc#roomconfig_passwordprotectedroom': true, 'muc#roomconfig_roomsecret': 'key' }
  await stands(stage, password, lists, vault)
  await stands(stage, {}, [...lists, [stage.domain, 'outcast']], gate)
  await nurse.connects()
  await paris.connects()
  await juliet.connects()
  for (const room of [club!, vault!, gate!]) {
    await enters(romeo, { room, x: '<password>key</password>' })
    says(romeo, 'hi', { room })
    await romeo.ignoresSoFar()
    // A domain that is kept out: who is in the list is no stranger of it.
    assert.deepEqual((await inRoom(juliet, {}, room)).bodies, ['hi'])
    await paris.isRefused('forbidden', 'set', queryXml({}), room)
    await paris.isRefused('forbidden', 'get', `<metadata xmlns='urn:xmpp:mam:2'/>`, room)
  }
  await enters(nurse, { room: vault!, x: '<password>key</password>' })
  assert.deepEqual((await inRoom(nurse, {}, vault)).bodies, ['hi'])
  nurse.sends(`<presence type='unavailable' to='${vault}/nurse'/>`)
  await nurse.ignoresSoFar()
  await nurse.isRefused('forbidden', 'set', queryXml({}), vault)
})

scene('XEP-0313 §7, XEP-0421 §2, XEP-0424 §2, XEP-0425 §2: what rooms say that they can', async (cast) => {
  const { romeo, stage } = cast
  await stands(stage)
  const tomb = `tomb@${SERVICE}`
  await stands(stage, { 'muc#roomconfig_enablearchiving': false }, [], tomb)
  await romeo.connects()
  const always = ['urn:xmpp:sid:0', 'urn:xmpp:occupant-id:0']
  const archived = [
    'urn:xmpp:mam:2',
    'urn:xmpp:mam:2#extended',
    'urn:xmpp:fulltext:0',
    'urn:xmpp:message-retract:1',
    'urn:xmpp:message-retract:1#tombstone',
    'urn:xmpp:message-moderate:1',
  ]
  const [open, silent] = [await featuresOf(BALL, romeo), await featuresOf(tomb, romeo)]
  for (const feature of [...always, ...archived]) assert.ok(open.includes(feature), feature)
  for (const feature of always) assert.ok(silent.includes(feature), feature)
  for (const feature of archived) assert.ok(!silent.includes(feature), feature)
  assert.ok((await featuresOf(SERVICE, romeo)).includes('urn:xmpp:occupant-id:0'))
})

scene(
  'XEP-0313 §6.1.2: in an open room everybody sees who spoke',
  async ({ romeo, juliet, nurse, stage }) => {
    await stands(stage, { 'muc#roomconfig_whois': 'anyone' }, [[romeo, 'owner']])
    await gather([romeo, juliet])
    says(juliet, 'hi')
    await juliet.ignoresSoFar()
    await nurse.connects()
    const { results } = await inRoom(nurse, { form: { with: juliet.bare } })
    assert.equal(item(results[0]!)?.['jid'], juliet.full)
  },
)

scene(
  'XEP-0313 §6.1.2, XEP-0045 §7.2.12: a room without archive, and a warning of one with it',
  async (cast) => {
    const { romeo, stage } = cast
    await stands(stage, { 'muc#roomconfig_enablearchiving': false }, [[romeo, 'owner']])
    const self = (heard: Element[]) => heard[0]!.toString()
    assert.doesNotMatch(self(await enters(romeo)), /170/)
    says(romeo, 'hi')
    assert.ok(roomIdOf(await romeo.next()), 'it has a name all the same')
    await romeo.isRefused('service-unavailable', 'set', queryXml({}), BALL)
    assert.match(
      self(await enters(romeo, { room: `tomb@${SERVICE}` })),
      /<status code='170'\/>|<status code="170"\/>/,
    )
  },
)

scene('P3: what is sent again is in the archive once, and heard by nobody else', async (cast) => {
  const { romeo, juliet, stage } = cast
  await stands(stage)
  await gather([romeo, juliet])
  const message = `<message id='a' type='groupchat' to='${BALL}'><body>a</body><origin-id xmlns='urn:xmpp:sid:0' id='a'/></message>`
  juliet.sends(message)
  const [first] = [await juliet.next(), await romeo.next()]
  await juliet.vanishes()
  await juliet.connects()
  await enters(juliet, { x: `<history maxchars='0'/>` })
  await romeo.ignoresSoFar()
  juliet.sends(message)
  const again = await juliet.next()
  assert.equal(again.child('body')?.text, 'a')
  assert.equal(roomIdOf(again), roomIdOf(first))
  await romeo.hearsNothingMore()
  assert.equal((await inRoom(romeo)).ids.length, 1)
  // Somebody else may call something the same.
  romeo.sends(message)
  assert.notEqual(roomIdOf(await juliet.next()), roomIdOf(first))
})

const away = moodyArchive()
scene(
  'P8: while the archive is away nothing is said, and its sender may try again',
  async ({ romeo, juliet }) => {
    await gather([romeo, juliet])
    away.away = true
    says(romeo, 'lost')
    await romeo.receives(`<message type='error' id='said' from='${BALL}'>${WAIT}</message>`)
    await juliet.hearsNothingMore()
    // What is not kept goes on.
    romeo.sends(
      `<message type='groupchat' to='${BALL}'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
    )
    await juliet.receives(`<message><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`)
    away.away = false
    says(romeo, 'here')
    await juliet.receives(`<message><body>here</body></message>`)
    await romeo.ignoresSoFar()
    assert.deepEqual((await inRoom(romeo)).bodies, ['here'])
  },
  { stores: away.stores },
)

const slow = moodyArchive()
scene(
  'P1: everybody hears at once, and its sender is told that we have it when it is kept',
  async ({ romeo, juliet }) => {
    await gather([romeo, juliet])
    romeo.raw(`<enable xmlns='${SM}'/>`)
    await romeo.receives(`<enabled xmlns='${SM}'/>`)
    const before = await handledOf(romeo)
    slow.slow = true
    says(romeo, 'a')
    await juliet.receives(`<message><body>a</body></message>`)
    await romeo.receives(`<message><body>a</body></message>`)
    assert.equal(await handledOf(romeo), before)
    slow.settles()
    await romeo.receives(`<a xmlns='${SM}' h='${before + 1}'/>`)
    // And when it could not be, after all: it must know.
    says(romeo, 'b')
    await romeo.receives(`<message><body>b</body></message>`)
    slow.breaks()
    await romeo.receives(`<message type='error' id='said' from='${BALL}'>${WAIT}</message>`)
  },
  { stores: slow.stores },
)
