// XEP-0424, XEP-0425 in rooms: what was said is taken back, by who said it or by moderators.
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { archiveOf, messageOf } from '../../support/archive.js'
import { moodyArchive, roomIdOf, stands } from '../../support/room-archive.js'
import { BALL, enters, gather, says } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'
import type { Element } from '../../../src/xml/element.js'

const RETRACT = 'urn:xmpp:message-retract:1'
const MODERATE = 'urn:xmpp:message-moderate:1'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const OCCUPANT = 'urn:xmpp:occupant-id:0'

/** What stands in the archive when that message is gone: a retraction is heard before it is kept. */
async function keptWithout(reader: Actor, gone: string): Promise<Map<string, Element>> {
  for (let tries = 0; ; tries++) {
    const kept = await keptOf(reader)
    if (kept.get(gone)?.child('retracted', RETRACT)) return kept
    assert.ok(tries < 1000, `${gone} is still there`)
  }
}

/** Says it; everybody of the cast has heard it. The id that the room gave to it. */
async function said(actor: Actor, body: string, everybody: readonly Actor[], more = ''): Promise<string> {
  actor.sends(`<message id='${body}' type='groupchat' to='${BALL}'><body>${body}</body>${more}</message>`)
  let id: string | undefined
  for (const one of everybody) id = roomIdOf(await one.next(body))
  return id!
}

function retracts(actor: Actor, id: string, more = ''): void {
  const retract = `<retract xmlns='${RETRACT}' id='${id}'/>`
  actor.sends(`<message id='back' type='groupchat' to='${BALL}'>${retract}${more}</message>`)
}

const moderation = (id: string, reason = '') =>
  `<moderate xmlns='${MODERATE}' id='${id}'><retract xmlns='${RETRACT}'/>${reason}</moderate>`

/** What stands in the archive, by the id of the message: a body, or what is left of it. */
async function keptOf(reader: Actor): Promise<Map<string, Element>> {
  const { results } = await archiveOf(reader, { to: BALL })
  return new Map(results.map((result) => [messageOf(result)!.attrs['id'] ?? '', messageOf(result)!]))
}

scene(
  'XEP-0424 §3 to §5: who said it takes it back, and a tombstone is left',
  async ({ romeo, juliet, nurse, stage }) => {
    const all = [romeo, juliet]
    await gather(all)
    const id = await said(juliet, 'wrong', all)
    await said(juliet, 'right', all)
    // XEP-0308 §4: what she put into its place goes with it; another one's does not.
    const correction = `<replace xmlns='urn:xmpp:message-correct:0' id='wrong'/>`
    await said(juliet, 'corrected', all, correction)
    await said(romeo, 'mine', all, correction)
    stage.clock.advance(5000)
    retracts(juliet, id, `<body>taken back</body>`)
    for (const actor of all)
      await actor.receives(
        `<message id='back' from='${BALL}/juliet'><retract xmlns='${RETRACT}' id='${id}'/><body>taken back</body></message>`,
      )
    const kept = await keptWithout(juliet, 'corrected')
    assert.deepEqual([...kept.keys()], ['wrong', 'right', 'corrected', 'mine', 'back'])
    for (const name of ['wrong', 'corrected']) {
      const grave = kept.get(name)!
      assert.deepEqual(
        grave
          .childrenOf()
          .map(({ local }) => local)
          .toSorted((a, b) => (a < b ? -1 : 1)),
        ['occupant-id', 'retracted'],
      )
      assert.equal(grave.attrs['from'], `${BALL}/juliet`)
      const { attrs } = grave.child('retracted', RETRACT)!
      assert.deepEqual([attrs['id'], attrs['stamp']], ['back', new Date(stage.clock.now()).toISOString()])
    }
    for (const name of ['right', 'mine']) assert.equal(kept.get(name)!.child('body')?.text, name)
    assert.ok(kept.get('back')!.child('retract', RETRACT))
    // §5: and is not shown to who comes in.
    const bodies = (await enters(nurse)).flatMap((stanza) => stanza.child('body')?.text ?? [])
    assert.deepEqual(bodies, ['right', 'mine'])
  },
)

scene('XEP-0424 §5: nobody takes back what another one said', async ({ romeo, juliet, nurse }) => {
  const all = [romeo, juliet, nurse]
  await gather(all)
  const id = await said(juliet, 'mine', all)
  for (const actor of [romeo, nurse]) {
    retracts(actor, id)
    await actor.receives(
      `<message type='error' id='back' from='${BALL}'><error><forbidden xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>{any}</text></error></message>`,
    )
  }
  await juliet.hearsNothingMore()
  assert.equal((await keptOf(juliet)).get('mine')!.child('body')?.text, 'mine')
  // Nor with her nick.
  juliet.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
  for (const actor of all) await actor.ignoresSoFar()
  nurse.sends(`<presence to='${BALL}/juliet'/>`)
  for (const actor of all) await actor.ignoresSoFar()
  retracts(nurse, id)
  await nurse.receives(
    `<message type='error'><error><forbidden xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>{any}</text></error></message>`,
  )
  // She does, also under another one.
  await enters(juliet, { nick: 'Jule' })
  for (const actor of all) await actor.ignoresSoFar()
  retracts(juliet, id)
  await romeo.receives(`<message from='${BALL}/Jule'><retract xmlns='${RETRACT}'/></message>`)
  await juliet.ignoresSoFar()
  await keptWithout(juliet, 'mine')
})

scene('XEP-0424 §4, §5: a tombstone stays as it is, and so does a retraction', async ({ romeo, juliet }) => {
  const all = [romeo, juliet]
  await gather(all)
  const id = await said(juliet, 'wrong', all)
  await romeo.sets(moderation(id), BALL)
  await juliet.ignoresSoFar()
  retracts(juliet, id)
  const retraction = roomIdOf(await juliet.next())!
  retracts(juliet, retraction)
  await juliet.ignoresSoFar()
  const kept = await keptOf(juliet)
  assert.ok(kept.get('wrong')!.child('retracted', RETRACT)!.child('moderated', MODERATE))
  const backs = (await archiveOf(juliet, { to: BALL })).results.filter(
    (result) => messageOf(result)!.attrs['id'] === 'back',
  )
  assert.deepEqual(
    backs.map((result) => messageOf(result)!.child('retract', RETRACT)?.attrs['id']),
    [id, retraction],
  )
})

scene(
  'XEP-0424 §5.1: what the archive does not know is the business of clients',
  async ({ romeo, juliet }) => {
    await gather([romeo, juliet])
    for (const id of ['an id of the sender', '01900000-0000-7000-8000-000000000000']) {
      retracts(juliet, id)
      await romeo.receives(`<message id='back'><retract xmlns='${RETRACT}' id='${id}'/></message>`)
      await juliet.ignoresSoFar()
    }
  },
)

scene(
  'XEP-0425 §3, §4: a moderator takes back what another one said',
  async ({ romeo, juliet, nurse, stage }) => {
    const all = [romeo, juliet]
    await gather(all)
    const id = await said(juliet, 'potions', all)
    await said(juliet, 'rest', all)
    stage.clock.advance(5000)
    const reason = `<reason>Not &lt;here&gt;</reason>`
    const reply = await romeo.sets(moderation(id, reason), BALL)
    assert.deepEqual([reply.attrs['type'], reply.childrenOf().length], ['result', 0])
    const by = `<moderated xmlns='${MODERATE}' by='${BALL}/romeo'><occupant-id xmlns='${OCCUPANT}' id='{any}'/></moderated>`
    let announced = ''
    for (const actor of all) {
      const message = await actor.receives(
        `<message type='groupchat' from='${BALL}'><retract xmlns='${RETRACT}' id='${id}'>${by}${reason}</retract></message>`,
      )
      announced = message.attrs['id']!
      assert.ok(announced && roomIdOf(message))
      await actor.hearsNothingMore()
    }
    const kept = await keptOf(juliet)
    assert.deepEqual([...kept.keys()], ['potions', 'rest', announced])
    const grave = kept.get('potions')!
    const retracted = grave.child('retracted', RETRACT)!
    assert.deepEqual(
      [grave.attrs['from'], retracted.attrs['id'], retracted.attrs['stamp'], retracted.child('reason')?.text],
      [`${BALL}/juliet`, announced, new Date(stage.clock.now()).toISOString(), 'Not <here>'],
    )
    const moderated = retracted.child('moderated', MODERATE)!
    assert.equal(moderated.attrs['by'], `${BALL}/romeo`)
    const [hers, his] = [grave.child('occupant-id', OCCUPANT), moderated.child('occupant-id', OCCUPANT)]
    assert.ok(hers && his && hers.attrs['id'] !== his.attrs['id'])
    assert.ok(!grave.toString().includes('potions</body>') && !grave.toString().includes(romeo.bare))
    const bodies = (await enters(nurse)).flatMap((stanza) => stanza.child('body')?.text ?? [])
    assert.deepEqual(bodies, ['rest'])
  },
)

scene('XEP-0425 §3.2: who may not, and what cannot be', async ({ romeo, juliet, nurse, paris, stage }) => {
  await stands(stage, {}, [
    [romeo, 'owner'],
    [juliet, 'admin'],
  ])
  const all = [romeo, juliet, nurse]
  await gather(all)
  const [his, hers] = [await said(romeo, 'owner', all), await said(nurse, 'none', all)]
  await paris.connects()
  const refused = (actor: Actor, condition: string, payload: string) =>
    actor.isRefused(condition, 'set', payload, BALL)
  await refused(nurse, 'forbidden', moderation(hers))
  await refused(nurse, 'forbidden', moderation('01900000-0000-7000-8000-000000000000'))
  await refused(paris, 'forbidden', moderation(hers))
  await refused(juliet, 'not-allowed', moderation(his))
  await refused(juliet, 'item-not-found', moderation('none'))
  await refused(juliet, 'item-not-found', moderation('01900000-0000-7000-8000-000000000000'))
  await refused(juliet, 'bad-request', `<moderate xmlns='${MODERATE}' id='${hers}'/>`)
  await refused(
    juliet,
    'bad-request',
    `<moderate xmlns='${MODERATE}'><retract xmlns='${RETRACT}'/></moderate>`,
  )
  for (const actor of all) await actor.hearsNothingMore()
  assert.deepEqual(
    [...(await keptOf(nurse)).values()].map((one) => one.child('body')?.text),
    ['owner', 'none'],
  )
  // What somebody of a lower affiliation said, or oneself.
  assert.equal((await juliet.sets(moderation(hers), BALL)).attrs['type'], 'result')
  const [announcement] = [await juliet.next()]
  await refused(juliet, 'item-not-found', moderation(roomIdOf(announcement)!))
})

const away = moodyArchive()
scene(
  'XEP-0425 §3.2: nothing is announced that could not be kept',
  async ({ romeo, juliet }) => {
    const all = [romeo, juliet]
    await gather(all)
    const id = await said(juliet, 'potions', all)
    away.away = true
    const reply = await romeo.sets(moderation(id), BALL)
    assert.equal(reply.child('error')?.attrs['type'], 'wait')
    await juliet.hearsNothingMore()
    away.away = false
    says(juliet, 'rest')
    await romeo.receives(`<message><body>rest</body></message>`)
  },
  { stores: away.stores },
)
