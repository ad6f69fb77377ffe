// XEP-0045 §5.1.2, §7.13, §8.6: moderated rooms, and asking for voice.
import assert from 'node:assert/strict'
import { BALL, codes, configures, enters, gather, says, x } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'
import type { Actor } from '../../support/actor.js'
import type { Element } from '../../../src/xml/element.js'
import { NS } from '../../../src/xml/namespaces.js'

const REQUEST = 'http://jabber.org/protocol/muc#request'

const form = (fields: Record<string, string>, type = 'submit') =>
  `<x xmlns='${NS.dataForms}' type='${type}'>${Object.entries({ FORM_TYPE: REQUEST, ...fields })
    .map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`)
    .join('')}</x>`

const asks = (actor: Actor, role = 'participant') =>
  actor.sends(`<message id='ask' to='${BALL}'>${form({ 'muc#role': role })}</message>`)

const refused = (condition: string, type: string, id = 'ask') =>
  `<message type='error' id='${id}' from='${BALL}'><error type='${type}'><${condition} xmlns='${NS.stanzaErrors}'/><text xmlns='${NS.stanzaErrors}'>{any}</text></error></message>`

async function approval(actor: Actor): Promise<Record<string, string>> {
  const stanza = await actor.next('the form')
  const fields = stanza.child('x', NS.dataForms)?.childrenOf('field')
  assert.ok(fields, stanza.toString())
  return Object.fromEntries(fields.map((one) => [one.attrs['var']!, one.child('value')?.text ?? '']))
}

async function admin(actor: Actor, item: string): Promise<Element> {
  return actor.sets(`<query xmlns='${NS.mucAdmin}'>${item}</query>`, BALL)
}

const own = (actor: Actor, role: string) =>
  `<presence from='${BALL}/${actor.local}'>${x(`<item role='${role}'/>`, codes(110))}</presence>`

const ownBy = (actor: Actor, role: string) =>
  `<presence from='${BALL}/${actor.local}'>${x(`<item role='${role}'><actor nick='romeo'/></item>`, codes(110))}</presence>`

scene('XEP-0045 §5.1.2: roles with which one enters a moderated room', async ({ romeo, juliet, nurse }) => {
  await gather([romeo])
  await configures(romeo, { moderatedroom: '1' })
  await admin(romeo, `<item affiliation='member' jid='${nurse.bare}'/>`)
  const roleOf = (heard: readonly Element[]) =>
    heard.flatMap((one) => {
      const mine = one.child('x', NS.mucUser)
      const isOwn = mine?.childrenOf('status').some(({ attrs }) => attrs['code'] === '110')
      return isOwn ? [mine?.child('item')?.attrs['role']] : []
    })
  assert.deepEqual(roleOf(await enters(juliet)), ['visitor'])
  assert.deepEqual(roleOf(await enters(nurse)), ['participant'])
  await juliet.ignoresSoFar()
  says(juliet, 'May I?')
  await juliet.receives(refused('forbidden', 'auth', 'said'))
  // A member is a participant by that (§5.1.3), and is none any more when that is lost.
  for (const [affiliation, role] of [
    ['member', 'participant'],
    ['none', 'visitor'],
  ]) {
    await admin(romeo, `<item affiliation='${affiliation}' jid='${juliet.bare}'/>`)
    await juliet.receives(ownBy(juliet, role!))
  }
  await romeo.ignoresSoFar()
  await configures(romeo, { moderatedroom: '0' })
  await juliet.receives(own(juliet, 'participant'))
  await juliet.receives(`<message type='groupchat' from='${BALL}'>${x(codes(104))}</message>`)
})

scene('XEP-0045 §5.1: who was given voice has it when it comes again', async ({ romeo, juliet }) => {
  await gather([romeo])
  await configures(romeo, { moderatedroom: '1' })
  await enters(juliet)
  await admin(romeo, `<item nick='juliet' role='participant'/>`)
  await juliet.receives(ownBy(juliet, 'participant'))
  juliet.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
  await juliet.settled()
  await juliet.ignoresSoFar()
  const heard = await enters(juliet)
  assert.ok(
    heard.some(
      (one) =>
        one.attrs['from'] === `${BALL}/juliet` &&
        one.child('x', NS.mucUser)?.child('item')?.attrs['role'] === 'participant',
    ),
  )
})

scene('XEP-0045 §7.13, §8.6: a visitor asks for voice, and a moderator grants it', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo])
  await configures(romeo, { moderatedroom: '1' })
  await enters(juliet)
  await enters(nurse)
  for (const actor of [romeo, juliet, nurse]) await actor.ignoresSoFar()
  asks(juliet)
  const fields = await approval(romeo)
  assert.deepEqual(fields, {
    FORM_TYPE: REQUEST,
    'muc#role': 'participant',
    'muc#jid': juliet.full,
    'muc#roomnick': 'juliet',
    'muc#request_allow': '0',
  })
  await nurse.hearsNothingMore()
  // Nobody else says yes.
  nurse.sends(`<message id='yes' to='${BALL}'>${form({ ...fields, 'muc#request_allow': '1' })}</message>`)
  await nurse.receives(
    `<message type='error' id='yes' from='${BALL}'><error type='auth'><forbidden xmlns='${NS.stanzaErrors}'/></error></message>`,
  )
  romeo.sends(`<message to='${BALL}'>${form({ ...fields, 'muc#request_allow': '0' })}</message>`)
  await romeo.settled()
  await juliet.hearsNothingMore()
  romeo.sends(`<message to='${BALL}'>${form({ ...fields, 'muc#request_allow': 'true' })}</message>`)
  await juliet.receives(ownBy(juliet, 'participant'))
  await nurse.receives(
    `<presence from='${BALL}/juliet'>${x(`<item role='participant' jid='{none}'><actor nick='romeo'/></item>`)}</presence>`,
  )
  says(juliet, 'Thanks')
  await nurse.receives(`<message type='groupchat' from='${BALL}/juliet'><body>Thanks</body></message>`)
})

scene(
  'XEP-0045 §7.13: who may not ask, and how often one may',
  async ({ romeo, juliet, nurse, stage }) => {
    await gather([romeo])
    await configures(romeo, { moderatedroom: '1' })
    await enters(juliet)
    await romeo.ignoresSoFar()
    await nurse.connects()
    asks(nurse)
    await nurse.receives(refused('not-acceptable', 'modify'))
    asks(juliet, 'moderator')
    await juliet.receives(refused('bad-request', 'modify'))
    asks(romeo)
    await romeo.receives(refused('not-acceptable', 'modify'))
    asks(juliet)
    await approval(romeo)
    asks(juliet)
    await juliet.receives(refused('policy-violation', 'wait'))
    await romeo.hearsNothingMore()
    stage.clock.advance(5 * 60_000)
    asks(juliet)
    await approval(romeo)
    await configures(romeo, { voicerequests: 'nobody' })
    await juliet.ignoresSoFar()
    stage.clock.advance(5 * 60_000)
    asks(juliet)
    await juliet.receives(refused('not-allowed', 'cancel'))
    await configures(romeo, { voicerequests: 'members' })
    await juliet.ignoresSoFar()
    asks(juliet)
    await juliet.receives(refused('not-allowed', 'cancel'))
    await configures(romeo, { voicerequests: 'everybody' })
    romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
    await romeo.settled()
    await juliet.ignoresSoFar()
    asks(juliet)
    await juliet.receives(refused('recipient-unavailable', 'wait'))
  },
  { set: ['limits.idle_ping=off'] },
)
