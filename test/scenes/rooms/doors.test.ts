// XEP-0045 §7.2.5 to §7.2.7, §9.4, §9.5, §10.2.1: passwords, members only, and who is banned by the form.
import assert from 'node:assert/strict'
import { BALL, codes, configures, entrance, enters, gather, submission, x } from '../../support/rooms.js'
import { DOMAIN, scene } from '../../support/stage.js'
import type { Actor } from '../../support/actor.js'
import { NS } from '../../../src/xml/namespaces.js'

async function sets(actor: Actor, ...items: string[]): Promise<void> {
  const reply = await actor.sets(`<query xmlns='${NS.mucAdmin}'>${items.join('')}</query>`, BALL)
  assert.equal(reply.attrs['type'], 'result', reply.toString())
}

async function isKeptOut(actor: Actor, condition: string, withIn = ''): Promise<void> {
  if (!actor.isConnected) await actor.connects()
  actor.sends(entrance(actor, { x: withIn }))
  await actor.receives(
    `<presence type='error' id='enter' from='${BALL}/${actor.local}'><error type='auth'><${condition} xmlns='${NS.stanzaErrors}'/><text xmlns='${NS.stanzaErrors}'>{any}</text></error></presence>`,
  )
}

async function features(actor: Actor): Promise<string[]> {
  const reply = await actor.gets(`<query xmlns='${NS.discoInfo}'/>`, BALL)
  return reply
    .child('query')!
    .childrenOf('feature')
    .map(({ attrs }) => attrs['var']!)
}

const passwordIs = (text: string) => `<password>${text}</password>`

scene('XEP-0045 §7.2.5: a room that takes a password', async ({ romeo, juliet }) => {
  await gather([romeo])
  assert.ok((await features(romeo)).includes('muc_unsecured'))
  await configures(romeo, { passwordprotectedroom: '1', roomsecret: 'sésame' })
  await romeo.ignoresSoFar()
  assert.ok((await features(romeo)).includes('muc_passwordprotected'))
  await isKeptOut(juliet, 'not-authorized')
  await isKeptOut(juliet, 'not-authorized', passwordIs('sesame'))
  await romeo.hearsNothingMore()
  const heard = await enters(juliet, { x: passwordIs('sésame') })
  // Nobody else reads it.
  assert.ok(heard.every((one) => !one.toString().includes('sésame')))
  const shown = await romeo.receives(`<presence from='${BALL}/juliet'>${x('<item/>')}</presence>`)
  assert.ok(!shown.toString().includes('sésame'))
  // Protected by nothing is not protected: that cannot be set.
  romeo.sends(submission({ 'muc#roomconfig_roomsecret': '' }))
  await romeo.receives(
    `<iq type='error' id='config'><error type='modify'><not-acceptable xmlns='${NS.stanzaErrors}'/><text xmlns='${NS.stanzaErrors}'>{any}</text></error></iq>`,
  )
  await configures(romeo, { passwordprotectedroom: '0' })
  juliet.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
  await juliet.settled()
  await juliet.ignoresSoFar()
  await enters(juliet)
})

scene('XEP-0045 §7.2.6: a members-only room', async ({ romeo, juliet, nurse }) => {
  await gather([romeo])
  assert.ok((await features(romeo)).includes('muc_open'))
  await configures(romeo, { membersonly: '1' })
  await romeo.ignoresSoFar()
  assert.ok((await features(romeo)).includes('muc_membersonly'))
  await isKeptOut(juliet, 'registration-required')
  await juliet.online()
  await sets(romeo, `<item affiliation='member' jid='${juliet.bare}'/>`)
  // §9.5: who has become a member is invited.
  await juliet.receives(`<message from='${BALL}'>${x(`<invite from='${BALL}/romeo'/>`)}</message>`)
  await enters(juliet)
  await isKeptOut(nurse, 'registration-required')
  // Where addresses are shown, the invitation shows one.
  await configures(romeo, { whois: 'anyone', passwordprotectedroom: '1', roomsecret: 'key' })
  await nurse.online()
  await sets(romeo, `<item affiliation='member' jid='${nurse.bare}'/>`)
  await nurse.receives(
    `<message from='${BALL}'>${x(`<invite from='${romeo.bare}'/>`, '<password>key</password>')}</message>`,
  )
})

scene('XEP-0045 §9.4: who is no member any more leaves a members-only room', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo])
  await sets(
    romeo,
    `<item affiliation='member' jid='${juliet.bare}'/>`,
    `<item affiliation='admin' jid='${nurse.bare}'/>`,
  )
  await configures(romeo, { membersonly: '1' })
  await enters(juliet)
  await enters(nurse)
  for (const actor of [romeo, juliet, nurse]) await actor.ignoresSoFar()
  romeo.sends(
    `<iq type='set' id='gone' to='${BALL}'><query xmlns='${NS.mucAdmin}'><item affiliation='none' jid='${juliet.bare}'/></query></iq>`,
  )
  // Only that: no presence with the new affiliation before.
  const gone = (...numbers: number[]) =>
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item affiliation='none' role='none'><actor nick='romeo'/></item>`, codes(...numbers))}</presence>`
  await juliet.receives(gone(321, 110))
  await romeo.receives(`<iq type='result' id='gone'/>`)
  await romeo.receives(gone(321))
  await nurse.receives(gone(321))
  for (const actor of [romeo, juliet, nurse]) await actor.hearsNothingMore()
  await isKeptOut(juliet, 'registration-required')
})

scene('XEP-0045 §10.2.1: when a room becomes members-only who is none has to go', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet, nurse])
  await sets(romeo, `<item affiliation='member' jid='${nurse.bare}'/>`)
  for (const actor of [romeo, juliet, nurse]) await actor.ignoresSoFar()
  await configures(romeo, { membersonly: '1' })
  const gone = (...numbers: number[]) =>
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item affiliation='none' role='none'/>`, codes(...numbers))}</presence>`
  await juliet.receives(gone(322, 110))
  await juliet.hearsNothingMore()
  await nurse.receives(gone(322))
  await nurse.receives(`<message type='groupchat' from='${BALL}'>${x(codes(104))}</message>`)
  await nurse.hearsNothingMore()
})

scene('domains that are banned by the form: with all below them or alone, members excepted', async (cast) => {
  const { romeo, juliet, nurse, other } = cast
  await gather([romeo, juliet, nurse])
  await sets(romeo, `<item affiliation='member' jid='${nurse.bare}'/>`)
  for (const actor of [romeo, juliet, nurse]) await actor.ignoresSoFar()
  await configures(romeo, { banneddomains: `*.${DOMAIN}\nSPAM.example` })
  // Those below, and not itself.
  await juliet.receives(`<message type='groupchat' from='${BALL}'>${x(codes(104))}</message>`)
  await configures(romeo, { banneddomains: `*.example` })
  await juliet.receives(
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item role='none'/>`, codes(301, 110))}</presence>`,
  )
  await isKeptOut(juliet, 'forbidden')
  await isKeptOut(other.paris, 'forbidden')
  await nurse.ignoresSoFar()
  await nurse.hearsNothingMore()
  romeo.sends(submission({ 'muc#roomconfig_banneddomains': 'no domain' }))
  await romeo.ignoresSoFar()
  await configures(romeo, { banneddomains: '' })
  await enters(juliet)
})

scene('XEP-0045 §7.2.1, §7.2.8: without a nickname, or under that of another', async ({ romeo, juliet }) => {
  await gather([romeo])
  await juliet.connects()
  const asks = (to: string) =>
    juliet.sends(`<presence id='enter' to='${to}'><x xmlns='${NS.muc}'/></presence>`)
  const refused = (from: string, condition: string, type: string) =>
    `<presence type='error' id='enter' from='${from}'><error type='${type}'><${condition} xmlns='${NS.stanzaErrors}'/><text xmlns='${NS.stanzaErrors}'>{any}</text></error></presence>`
  asks(BALL)
  await juliet.receives(refused(BALL, 'jid-malformed', 'modify'))
  asks(`${BALL}/Romeo`)
  await juliet.receives(refused(`${BALL}/Romeo`, 'conflict', 'cancel'))
  await romeo.hearsNothingMore()
})
