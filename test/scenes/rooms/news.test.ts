/** XEP-0437: something was said where one is not. */
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { BALL, gather, says, SERVICE } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

const RAI = 'urn:xmpp:rai:0'
const rai = `<presence to='${SERVICE}'><rai xmlns='${RAI}'/></presence>`
const news = (...rooms: string[]) =>
  `<message from='${SERVICE}'><rai xmlns='${RAI}'>${rooms.map((room) => `<activity>${room}</activity>`).join('')}</rai></message>`
const become = (actor: Actor, jid: string, affiliation: string, room = BALL) =>
  actor.sets(
    `<query xmlns='http://jabber.org/protocol/muc#admin'><item jid='${jid}' affiliation='${affiliation}'/></query>`,
    room,
  )
const leaves = (actor: Actor, room = BALL) =>
  actor.sends(`<presence type='unavailable' to='${room}/${actor.local}'/>`)

scene('XEP-0437 §3.1, §4: once for each room of hers, until she has been there', async (cast) => {
  const { romeo, juliet, nurse } = cast
  const other = `tomb@${SERVICE}`
  for (const room of [BALL, other]) {
    await gather([romeo, juliet], room)
    await become(romeo, juliet.bare, 'member', room)
    await become(romeo, nurse.bare, 'outcast', room)
  }
  await nurse.online()
  for (const actor of [juliet, nurse]) actor.sends(rai)
  await juliet.online()
  await juliet.ignoresSoFar()
  await nurse.ignoresSoFar()
  // She is in both: she hears it anyway.
  says(romeo, 'x')
  await juliet.next()
  await juliet.hearsNothingMore()
  leaves(juliet)
  await juliet.ignoresSoFar()
  const silence = `<message type='groupchat' to='${BALL}'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`
  romeo.sends(silence)
  await juliet.hearsNothingMore()
  for (let i = 0; i < 3; i++) says(romeo, 'x')
  await juliet.receives(news(BALL))
  await juliet.hearsNothingMore()
  says(romeo, 'x', { room: other })
  await juliet.next()
  await gather([juliet])
  leaves(juliet)
  leaves(juliet, other)
  await juliet.ignoresSoFar()
  says(romeo, 'x')
  await juliet.receives(news(BALL))
  says(romeo, 'x', { room: other })
  await juliet.receives(news(other))
  // §3.2
  juliet.sends(`<presence type='unavailable' to='${SERVICE}'/>`)
  await gather([juliet])
  leaves(juliet)
  await juliet.ignoresSoFar()
  says(romeo, 'x')
  await juliet.hearsNothingMore()
  await nurse.hearsNothingMore()
})

scene('XEP-0437 §4: what was said in between is told at once, together', async ({ romeo, juliet, stage }) => {
  const [tomb, quiet] = [`tomb@${SERVICE}`, `quiet@${SERVICE}`]
  for (const room of [BALL, tomb, quiet]) {
    await gather([romeo, juliet], room)
    await become(romeo, juliet.bare, 'member', room)
    says(romeo, 'before', { room })
  }
  await juliet.ignoresSoFar()
  await juliet.ignoresSoFar()
  await juliet.leaves()
  await romeo.settled()
  stage.clock.advance(1000)
  for (const room of [BALL, tomb]) says(romeo, 'after', { room })
  await romeo.settled()
  await juliet.online()
  juliet.sends(rai)
  const got = await juliet.next()
  const rooms = got
    .child('rai', RAI)!
    .childrenOf('activity')
    .map(({ text }) => text)
  assert.deepEqual(rooms.toSorted(), [BALL, tomb])
  // Told is told.
  says(romeo, 'x')
  await juliet.hearsNothingMore()
  says(romeo, 'x', { room: quiet })
  await juliet.receives(news(quiet))
  // §4: who is put out hears nothing of it.
  juliet.sends(rai)
  await juliet.ignoresSoFar()
  stage.clock.advance(1000)
  await become(romeo, juliet.bare, 'none', quiet)
  await juliet.ignoresSoFar()
  juliet.sends(rai)
  await juliet.ignoresSoFar()
  says(romeo, 'x', { room: quiet })
  await juliet.hearsNothingMore()
})
