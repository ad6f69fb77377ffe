// XEP-0421: who is the same in a room, whatever the nick.
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { archiveOf, messageOf } from '../../support/archive.js'
import { stands } from '../../support/room-archive.js'
import { BALL, enters, gather, says, SERVICE } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'
import type { Element } from '../../../src/xml/element.js'

const NS = 'urn:xmpp:occupant-id:0'

/** The one id that a stanza says. */
function idOf(stanza: Element): string {
  const ids = stanza.childrenOf('occupant-id', NS)
  assert.equal(ids.length, 1, stanza.toString())
  const { id } = ids[0]!.attrs
  assert.ok(id && id.length <= 128, stanza.toString())
  return id
}

async function leaves(actor: Actor, room = BALL): Promise<void> {
  actor.sends(`<presence type='unavailable' to='${room}/${actor.local}'/>`)
  await actor.ignoresSoFar()
}

scene('XEP-0421 §3, §4: in every presence and message, one only, whatever was sent', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet])
  await nurse.connects()
  const forged = `<occupant-id xmlns='${NS}' id='forged'/>`
  const heard = await enters(nurse, { with: forged })
  const [his, hers, own] = heard.filter(({ local }) => local === 'presence').map(idOf)
  assert.equal(new Set([his, hers, own, 'forged']).size, 4)
  assert.equal(idOf(await juliet.next()), own)
  await romeo.ignoresSoFar()
  nurse.sends(`<message type='groupchat' id='a' to='${BALL}'><body>a</body>${forged}${forged}</message>`)
  for (const actor of [romeo, juliet, nurse]) assert.equal(idOf(await actor.next()), own)
  nurse.sends(`<presence to='${BALL}/nurse'><show>away</show>${forged}</presence>`)
  for (const actor of [romeo, juliet, nurse]) assert.equal(idOf(await actor.next()), own)
  nurse.sends(`<presence to='${BALL}/Angelica'/>`)
  for (const actor of [romeo, juliet, nurse])
    for (const _ of ['gone', 'here']) assert.equal(idOf(await actor.next()), own)
  nurse.sends(`<presence type='unavailable' to='${BALL}/Angelica'>${forged}</presence>`)
  for (const actor of [romeo, juliet, nurse]) assert.equal(idOf(await actor.next()), own)
  const { results } = await archiveOf(juliet, { to: BALL })
  assert.equal(idOf(messageOf(results[0]!)!), own)
  const again = await enters(nurse, { nick: 'Angelica' })
  assert.ok(again.filter(({ local }) => local === 'presence').some((presence) => idOf(presence) === own))
  const [past] = again.filter((message) => message.child('body'))
  assert.equal(idOf(past!), own, 'in the history')
})

scene(
  'XEP-0421 §4.1: stable for the account, over devices and restarts; another one in another room',
  async (cast) => {
    const { romeo, romeo$phone: phone, romeo$laptop: laptop, stage } = cast
    const ownId = async (actor: Actor, room = BALL) => {
      const heard = await enters(actor, { room, nick: actor.name })
      const id = idOf(heard.find(({ attrs }) => attrs['from'] === `${room}/${actor.name}`)!)
      await actor.ignoresSoFar()
      actor.sends(`<presence type='unavailable' to='${room}/${actor.name}'/>`)
      await actor.ignoresSoFar()
      return id
    }
    const id = await ownId(romeo)
    assert.equal(await ownId(phone), id)
    assert.notEqual(await ownId(romeo, `tomb@${SERVICE}`), id)
    await stage.isSucceeded()
    assert.equal(await ownId(laptop), id)
  },
)

scene('XEP-0421 §3: what comes late says who said it', async ({ romeo, juliet, nurse, stage }) => {
  await stands(stage, { 'muc#roomconfig_changesubject': true })
  await gather([romeo, juliet])
  says(juliet, 'a')
  const id = idOf(await juliet.next())
  romeo.sends(`<message type='groupchat' to='${BALL}'><subject>Masks</subject></message>`)
  await romeo.next()
  const his = idOf(await romeo.next())
  await leaves(juliet)
  await leaves(romeo)
  const heard = await enters(nurse)
  const [past] = heard.filter((message) => message.child('body'))
  assert.equal(idOf(past!), id)
  assert.equal(idOf(heard.at(-1)!), his, 'the subject')
})
