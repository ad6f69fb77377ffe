// limits §1: how much one may say in a room, and how often.
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { BALL, enters, entrance, gather, says, SERVICE, x, codes } from '../../support/rooms.js'
import { FAR_DOMAIN, scene, type Stage } from '../../support/stage.js'

const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const refused = (kind: string, type: string, condition: string) =>
  `<${kind} type='error'><error type='${type}'><${condition} xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>{any}</text></error></${kind}>`
const hits = (stage: Stage, bound: string) => stage.metrics.valueOf('limit_hits_total', bound)

/** A message whose payload takes so many bytes. */
function speech(bytes: number): string {
  const frame = '<body></body>'.length
  return `<message type='groupchat' to='${BALL}'><body>${'ü'.repeat((bytes - frame - 1) / 2)}.</body></message>`
}

scene(
  'modules.rooms.message_size: so much may be said at once, and no more',
  async ({ romeo, juliet, stage }) => {
    await gather([romeo, juliet])
    romeo.sends(speech(4096))
    await romeo.receives(`<message type='groupchat' from='${BALL}/romeo'><body>{any}</body></message>`)
    await juliet.receives(`<message type='groupchat' from='${BALL}/romeo'><body>{any}</body></message>`)
    for (const bytes of [4098, 200_000]) {
      romeo.sends(speech(bytes))
      await romeo.receives(refused('message', 'modify', 'policy-violation'))
    }
    await juliet.hearsNothingMore()
    assert.equal(hits(stage, 'room_message_size'), 2)
  },
  { set: ['modules.rooms.message_size=4KiB'] },
)

scene(
  'modules.rooms.presence_size: what is shown of an occupant is short',
  async ({ romeo, juliet, stage }) => {
    const status = (bytes: number) => `<status>${'.'.repeat(bytes - '<status></status>'.length)}</status>`
    await gather([romeo, juliet])
    juliet.sends(`<presence to='${BALL}/juliet'>${status(2048)}</presence>`)
    for (const who of [romeo, juliet])
      await who.receives(`<presence from='${BALL}/juliet'><status>{any}</status>{any}</presence>`)
    for (const bytes of [2049, 204_800]) {
      juliet.sends(`<presence to='${BALL}/juliet'>${status(bytes)}</presence>`)
      const answer = await juliet.next()
      assert.equal(answer.child('error')?.childrenOf()[0]?.local, 'policy-violation')
    }
    // Nor does one come in with it, or under another nick.
    juliet.sends(`<presence to='${BALL}/julia'>${status(2049)}</presence>`)
    assert.equal((await juliet.next()).attrs['type'], 'error')
    await romeo.hearsNothingMore()
    assert.equal(hits(stage, 'room_presence_size'), 3)
  },
  { set: ['modules.rooms.presence_size=2KiB'] },
)

/** Says so many messages; gives how many were heard, and how many came back. */
async function talks(who: Actor, count: number): Promise<[number, number]> {
  for (let i = 0; i < count; i++) says(who, `${i}`)
  let heard = 0
  let back = 0
  for (let i = 0; i < count; i++) {
    const { attrs } = await who.next()
    if (attrs['type'] === 'error') back++
    else heard++
  }
  return [heard, back]
}

scene(
  'modules.rooms.occupant_rate: who speaks too fast waits; the others do not',
  async ({ romeo, juliet, stage }) => {
    await gather([romeo, juliet])
    assert.deepEqual(await talks(romeo, 20), [20, 0])
    assert.deepEqual(await talks(romeo, 1), [0, 1])
    // As often as one likes to try, and by whatever way: in private, or by coming in again.
    romeo.sends(`<message type='chat' to='${BALL}/juliet'><body>Hist!</body></message>`)
    assert.equal((await romeo.next()).attrs['type'], 'error')
    romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
    await romeo.ignoresSoFar()
    await enters(romeo)
    await romeo.ignoresSoFar()
    assert.deepEqual(await talks(romeo, 400), [0, 400])
    await juliet.ignoresSoFar()
    assert.deepEqual(await talks(juliet, 1), [1, 0])
    await romeo.ignoresSoFar()
    await stage.passes(1_000)
    assert.deepEqual(await talks(romeo, 3), [2, 1])
    assert.equal(hits(stage, 'room_occupant_rate'), 403)
  },
  { set: ['modules.rooms.occupant_rate=2/s'] },
)

scene(
  'modules.rooms.rate: a room where all speak at once',
  async ({ romeo, juliet, stage }) => {
    await gather([romeo, juliet])
    assert.deepEqual(await talks(romeo, 10), [10, 0])
    await juliet.ignoresSoFar()
    assert.deepEqual(await talks(juliet, 5), [0, 5])
    await stage.passes(2_000)
    await romeo.ignoresSoFar()
    assert.deepEqual(await talks(juliet, 4), [2, 2])
    await romeo.ignoresSoFar()
    assert.deepEqual(await talks(romeo, 200), [0, 200])
    assert.equal(hits(stage, 'room_rate'), 207)
  },
  { set: ['modules.rooms.rate=1/s', 'modules.rooms.occupant_rate=off'] },
)

scene(
  'modules.rooms.presence_rate: who comes and goes, or changes, too often',
  async ({ romeo, juliet, stage }) => {
    await gather([romeo, juliet])
    for (let i = 1; i < 10; i++)
      juliet.sends(`<presence to='${BALL}/juliet'><status>${i}</status></presence>`)
    await juliet.ignoresSoFar()
    await romeo.ignoresSoFar()
    for (const again of [`<presence to='${BALL}/juliet'/>`, entrance(juliet)]) {
      juliet.sends(again)
      await juliet.receives(refused('presence', 'wait', 'resource-constraint'))
    }
    juliet.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
    await juliet.ignoresSoFar()
    await romeo.receives(`<presence type='unavailable' from='${BALL}/juliet'>${x('<item/>')}</presence>`)
    for (let i = 0; i < 200; i++) juliet.sends(entrance(juliet))
    await juliet.ignoresSoFar()
    await romeo.hearsNothingMore()
    assert.equal(hits(stage, 'room_presence_rate'), 202)
    await stage.passes(1_000)
    await enters(juliet)
  },
  { set: ['modules.rooms.presence_rate=1/s'] },
)

scene(
  'modules.rooms.nick_rate: who is somebody else each moment',
  async ({ romeo, juliet, stage }) => {
    await gather([romeo, juliet])
    for (const nick of ['a', 'b', 'c']) juliet.sends(`<presence to='${BALL}/${nick}'/>`)
    await juliet.ignoresSoFar()
    await romeo.ignoresSoFar()
    for (let i = 0; i < 300; i++) juliet.sends(`<presence to='${BALL}/n${i}'/>`)
    await juliet.receives(refused('presence', 'wait', 'resource-constraint'))
    await juliet.ignoresSoFar()
    await romeo.hearsNothingMore()
    assert.equal(hits(stage, 'room_nick_rate'), 300)
    await stage.passes(20_000)
    juliet.sends(`<presence to='${BALL}/d'/>`)
    await romeo.receives(
      `<presence type='unavailable' from='${BALL}/c'>${x(`<item nick='d'/>`, codes(303))}</presence>`,
    )
  },
  { set: ['modules.rooms.nick_rate=3/min', 'modules.rooms.presence_rate=off'] },
)

scene(
  'operator: a domain that is blocked is out of all rooms at once, and stays out',
  async ({ romeo, far, stage }) => {
    for (const domain of [stage.domain, SERVICE, FAR_DOMAIN]) stage.network.certificates.add(domain)
    await gather([romeo])
    await enters(far.juliet)
    await romeo.ignoresSoFar()
    await stage.server.blocks.add(FAR_DOMAIN, { reason: 'spam', expires: undefined })
    stage.server.federation!.drop(FAR_DOMAIN, 'spam')
    await romeo.receives(
      `<presence type='unavailable' from='${BALL}/juliet'>${x('<item/>', codes(333))}</presence>`,
    )
    far.juliet.sends(entrance(far.juliet))
    await stage.settled()
    await romeo.hearsNothingMore()
  },
  { far: {} },
)
