// XEP-0313 in rooms: how long they keep what is said, who decides it, and whose archive it is.
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { archiveOf, queryXml } from '../../support/archive.js'
import { moodyArchive, roomIdOf, stands } from '../../support/room-archive.js'
import { BALL, codes, configures, enters, gather, says, SERVICE, x } from '../../support/rooms.js'
import { FAR_DOMAIN, scene, type Stage } from '../../support/stage.js'
import { firstOf } from '../../../src/storage/archive-ids.js'

const day = 86_400_000
const inRoom = async (actor: Actor) => (await archiveOf(actor, { to: BALL })).bodies

/** Puts messages into the archive as if they had been said so many days ago. */
async function saidBefore(stage: Stage, room: number, daysAgo: readonly number[]): Promise<string[]> {
  const messages = daysAgo.map((days) => ({
    owner: -room,
    with: 'paris@capulet.example',
    resource: 'x',
    groupchat: true,
    stanza: `<message xmlns='jabber:client' from='${BALL}/paris' type='groupchat'><body>${days}</body></message>`,
    id: `${firstOf(stage.clock.now() - days * day).slice(0, 13)}-7000-8000-000000000001`,
  }))
  await stage.stores.archive.restore(messages)
  return messages.map(({ id }) => id)
}

scene(
  'modules.rooms.keep, and the days that owners want: what is older is not shown',
  async ({ romeo, juliet, stage }) => {
    const room = await stands(stage, {}, [[romeo, 'owner']])
    const [ancient, old] = await saidBefore(stage, room, [20, 5, 1])
    await enters(romeo)
    await juliet.connects()
    const historyOf = async () => {
      const heard = await enters(juliet)
      const bodies = heard.flatMap((stanza) => stanza.child('body')?.text ?? [])
      juliet.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
      await juliet.ignoresSoFar()
      await romeo.ignoresSoFar()
      return bodies
    }
    const startOf = async () => {
      const reply = await romeo.gets(`<metadata xmlns='urn:xmpp:mam:2'/>`, BALL)
      return reply.child('metadata', 'urn:xmpp:mam:2')?.child('start')?.attrs['id']
    }
    assert.deepEqual(await inRoom(romeo), ['5', '1'])
    assert.deepEqual(await historyOf(), ['5', '1'])
    assert.equal(await startOf(), old)
    await romeo.isRefused('item-not-found', 'set', queryXml({ set: `<after>${ancient}</after>` }), BALL)
    await romeo.isRefused('item-not-found', 'set', queryXml({ form: { ids: [ancient!] } }), BALL)
    await configures(romeo, { archivedays: '2' })
    await romeo.ignoresSoFar()
    assert.deepEqual(await inRoom(romeo), ['1'])
    assert.deepEqual(await historyOf(), ['1'])
    // Owners cannot want more than there is.
    await configures(romeo, { archivedays: '100' })
    await romeo.ignoresSoFar()
    assert.deepEqual(await inRoom(romeo), ['5', '1'])
  },
  { set: ['modules.rooms.keep=10d'] },
)

const noted = moodyArchive()
scene(
  'The store keeps as long as the owners want, until they want something else',
  async ({ romeo, stage }) => {
    const room = await stands(stage, {}, [[romeo, 'owner']])
    await enters(romeo)
    for (const days of ['7', '7', '0', '1']) await configures(romeo, { archivedays: days })
    assert.deepEqual(noted.terms, [
      [-room, 7 * day],
      [-room, Infinity],
      [-room, day],
    ])
  },
  { stores: noted.stores },
)

scene('XEP-0045 §10.2.1: everybody hears when what is said is kept, and when it is not', async (cast) => {
  const { romeo, juliet } = cast
  await gather([romeo, juliet])
  for (const [value, code] of [
    ['0', 171],
    ['1', 170],
  ] as const) {
    await configures(romeo, { enablearchiving: value })
    await juliet.receives(`<message type='groupchat' from='${BALL}'>${x(codes(code))}</message>`)
    says(juliet, value)
    await juliet.ignoresSoFar()
    await romeo.ignoresSoFar()
  }
  assert.deepEqual(await inRoom(juliet), ['1'])
})

scene(
  'modules.rooms.archive: without it no room keeps anything',
  async ({ romeo, juliet }) => {
    await gather([romeo])
    says(romeo, 'hi')
    assert.ok(roomIdOf(await romeo.next()))
    await romeo.isRefused('service-unavailable', 'set', queryXml({}), BALL)
    // While somebody is in there is history all the same.
    assert.ok((await enters(juliet)).some((stanza) => stanza.child('body')?.text === 'hi'))
  },
  { set: ['modules.rooms.archive=false'] },
)

scene(
  'XEP-0045 §10.9: the archive ends with its room; the next one of that name has its own',
  async (cast) => {
    const { romeo, juliet } = cast
    await gather([romeo])
    says(romeo, 'old')
    const id = roomIdOf(await romeo.next())
    await romeo.sets(`<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>`, BALL)
    await romeo.ignoresSoFar()
    await enters(juliet)
    assert.deepEqual(await inRoom(juliet), [])
    await juliet.isRefused('item-not-found', 'set', queryXml({ set: `<after>${id}</after>` }), BALL)
  },
)

scene(
  'XEP-0313 §6.1.2: people of other servers read the archive as those here do',
  async ({ romeo, far, stage }) => {
    for (const domain of [stage.domain, SERVICE, FAR_DOMAIN]) stage.network.certificates.add(domain)
    await gather([romeo])
    await enters(far.juliet)
    await romeo.ignoresSoFar()
    says(far.juliet, 'from afar')
    const heard = await romeo.next()
    assert.equal(roomIdOf(await far.juliet.next()), roomIdOf(heard))
    assert.deepEqual((await archiveOf(romeo, { to: BALL })).ids, [roomIdOf(heard)])
    const { results, bodies } = await archiveOf(far.juliet, { to: BALL })
    assert.deepEqual(bodies, ['from afar'])
    assert.ok(!results[0]!.toString().includes(far.juliet.full))
    await far.nurse.connects()
    assert.deepEqual((await archiveOf(far.nurse, { to: BALL })).bodies, ['from afar'])
    const ban = `<item affiliation='outcast' jid='${far.nurse.bare}'/>`
    await romeo.sets(`<query xmlns='http://jabber.org/protocol/muc#admin'>${ban}</query>`, BALL)
    await far.nurse.isRefused('forbidden', 'set', queryXml({}), BALL)
  },
  { far: {} },
)
