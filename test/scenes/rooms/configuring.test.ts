// XEP-0045 §10.1, §10.2: making a room and setting it up.
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import {
  BALL,
  codes,
  configures,
  enters,
  entrance,
  gather,
  opens,
  submission,
  x,
} from '../../support/rooms.js'
import { scene } from '../../support/stage.js'
import { formValues } from '../../../src/stanza/forms.js'
import { NS } from '../../../src/xml/namespaces.js'

const stanzas = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const owner = `<query xmlns='${NS.mucOwner}'/>`

function refusal(condition: string, type: string): string {
  return `<error type='${type}'><${condition} xmlns='${stanzas}'/><text xmlns='${stanzas}'>{any}</text></error>`
}

async function refused(
  actor: Actor,
  fields: Record<string, string>,
  condition: string,
  type: string,
): Promise<void> {
  actor.sends(submission(fields))
  await actor.receives(`<iq type='error' id='config' from='${BALL}'>${refusal(condition, type)}</iq>`)
}

/** The owner's form, by field. */
async function form(actor: Actor, room = BALL): Promise<ReadonlyMap<string, readonly string[]>> {
  const result = await actor.gets(owner, room)
  return formValues(result.child('query', NS.mucOwner)!.child('x', NS.dataForms)!)
}

scene(
  'XEP-0045 §10.1.1: a new room is locked until its creator takes it as it is',
  async ({ romeo, juliet }) => {
    await enters(romeo, { stayLocked: true })
    await juliet.connects()
    juliet.sends(entrance(juliet))
    await juliet.receives(
      `<presence type='error' id='enter' from='${BALL}/juliet'>${refusal('item-not-found', 'cancel')}</presence>`,
    )
    await juliet.isRefused('item-not-found', 'get', `<query xmlns='${NS.discoInfo}'/>`, BALL)
    await juliet.isRefused('item-not-found', 'get', owner, BALL)
    await romeo.hearsNothingMore()
    await opens(romeo)
    await enters(juliet)
  },
)

scene('XEP-0045 §10.1.1: the creator may enter a locked room with another client', async (cast) => {
  const { romeo, romeo$phone: phone } = cast
  await enters(romeo, { stayLocked: true })
  await enters(phone, { nick: 'romeo' })
})

scene('XEP-0045 §10.1.3: a reserved room is opened by its form, and is what the form says', async (cast) => {
  const { romeo, juliet } = cast
  await enters(romeo, { stayLocked: true })
  const offered = await form(romeo)
  assert.deepEqual(offered.get('FORM_TYPE'), ['http://jabber.org/protocol/muc#roomconfig'])
  assert.deepEqual(offered.get('muc#roomconfig_persistentroom'), ['0'])
  assert.deepEqual(offered.get('muc#roomconfig_publicroom'), ['0'])
  romeo.sends(
    submission({
      FORM_TYPE: NS.mucRoomConfig,
      'muc#roomconfig_roomname': 'The ball',
      'muc#roomconfig_persistentroom': 'true',
      'muc#roomconfig_lang': 'it',
      'unknown#field': 'x',
    }),
  )
  await romeo.receives(`<iq type='result' id='config' from='${BALL}'/>`)
  // Nobody else was in: there is nothing to announce.
  await romeo.hearsNothingMore()
  await enters(juliet)
  const now = await form(romeo)
  assert.deepEqual(now.get('muc#roomconfig_roomname'), ['The ball'])
  assert.deepEqual(now.get('muc#roomconfig_persistentroom'), ['1'])
  assert.deepEqual(now.get('muc#roomconfig_lang'), ['it'])
})

scene('XEP-0045 §10.1.3: cancelling the first form destroys the room', async ({ romeo, juliet }) => {
  await enters(romeo, { stayLocked: true })
  romeo.sends(
    `<iq type='set' id='no' to='${BALL}'><query xmlns='${NS.mucOwner}'><x xmlns='jabber:x:data' type='cancel'/></query></iq>`,
  )
  await romeo.receives(
    `<presence type='unavailable' from='${BALL}/romeo' to='${romeo.full}'>
      <x xmlns='${NS.mucUser}'><item affiliation='none' role='none'/><destroy><reason>{any}</reason></destroy><status code='110'/></x>
    </presence>`,
  )
  await romeo.receives(`<iq type='result' id='no' from='${BALL}'/>`)
  const heard = await enters(juliet, { stayLocked: true })
  assert.match(heard.join(''), /code="201"|code='201'/)
})

scene('XEP-0045 §10.1.3: so does going before the form is sent', async ({ romeo, juliet }) => {
  await enters(romeo, { stayLocked: true })
  await romeo.vanishes()
  const heard = await enters(juliet, { stayLocked: true })
  assert.match(heard.join(''), /201/)
})

scene('XEP-0045 §10.2: only owners see the form and send it', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  await juliet.isRefused('forbidden', 'get', owner, BALL)
  await refused(juliet, { 'muc#roomconfig_roomname': 'Mine' }, 'forbidden', 'auth')
  assert.deepEqual((await form(romeo)).get('muc#roomconfig_roomname'), [''])
  await romeo.hearsNothingMore()
})

scene('XEP-0045 §10.2: cancelling later changes nothing', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  const x = `<x xmlns='jabber:x:data' type='cancel'><field var='muc#roomconfig_roomname'><value>No</value></field></x>`
  await romeo.sets(`<query xmlns='${NS.mucOwner}'>${x}</query>`, BALL)
  assert.deepEqual((await form(romeo)).get('muc#roomconfig_roomname'), [''])
  await juliet.hearsNothingMore()
})

scene(
  'XEP-0045 §10.2.1: everybody is told that something changed, and what it is about privacy',
  async (cast) => {
    const { romeo, juliet } = cast
    await gather([romeo, juliet])
    const told = (code: number) =>
      `<message type='groupchat' id='{any}' from='${BALL}'>${x(codes(code))}</message>`
    romeo.sends(submission({ 'muc#roomconfig_roomname': 'The ball' }))
    for (const actor of [romeo, juliet]) await actor.receives(told(104))
    await romeo.receives(`<iq type='result' id='config'/>`)
    romeo.sends(submission({ 'muc#roomconfig_whois': 'anyone' }))
    for (const actor of [romeo, juliet]) await actor.receives(told(172))
    await romeo.receives(`<iq type='result' id='config'/>`)
    romeo.sends(submission({ 'muc#roomconfig_whois': 'moderators', 'muc#roomconfig_roomdesc': 'For all' }))
    for (const actor of [romeo, juliet]) await actor.receivesInAnyOrder(told(104), told(173))
    await romeo.receives(`<iq type='result' id='config'/>`)
    // The same again is no change.
    await configures(romeo, { whois: 'moderators', roomdesc: 'For all' })
    await juliet.hearsNothingMore()
  },
)

scene('XEP-0045 §10.2: all or nothing, with a word about what is wrong', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  const wrong = [
    ['muc#roomconfig_lang', 'Italian, of course'],
    ['muc#roomconfig_persistentroom', 'perhaps'],
    ['muc#roomconfig_whois', 'nobody'],
    ['muc#roomconfig_roomname', 'x'.repeat(201)],
    ['muc#roomconfig_pubsub', 'somewhere'],
  ] as const
  for (const [name, value] of wrong)
    await refused(romeo, { 'muc#roomconfig_roomdesc': 'new', [name]: value }, 'not-acceptable', 'modify')
  await refused(romeo, { FORM_TYPE: NS.mucUser }, 'bad-request', 'modify')
  assert.deepEqual((await form(romeo)).get('muc#roomconfig_roomdesc'), [''])
  await juliet.hearsNothingMore()
})

scene('XEP-0045 §4.2: a room ends with its last occupant, unless it is persistent', async (cast) => {
  const { romeo, juliet } = cast
  await gather([romeo])
  romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
  await romeo.ignoresSoFar()
  await enters(juliet)
  await configures(juliet, { persistentroom: '1' })
  juliet.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
  await juliet.ignoresSoFar()
  const heard = await enters(romeo)
  assert.doesNotMatch(heard.join(''), /201/)
  // Nobody is in any more, and its owner lets it go.
  romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
  await romeo.ignoresSoFar()
  await configures(juliet, { persistentroom: '0' })
  await juliet.isRefused('item-not-found', 'get', `<query xmlns='${NS.discoInfo}'/>`, BALL)
})

scene('XEP-0045 §10.2: owners and admins are set by their lists in the form', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet, nurse])
  assert.deepEqual((await form(romeo)).get('muc#roomconfig_roomowners'), [romeo.bare])
  await configures(romeo, {
    roomadmins: `${juliet.bare}\n${nurse.bare}`,
    roomowners: `${romeo.bare}\ncapulet@capulet.example/study`,
  })
  await juliet.receives(
    `<presence from='${BALL}/juliet' to='${juliet.full}'>${x(`<item affiliation='admin' role='moderator'/>`, codes(110))}</presence>`,
  )
  const now = await form(romeo)
  assert.deepEqual(now.get('muc#roomconfig_roomadmins')?.toSorted(), [juliet.bare, nurse.bare].toSorted())
  assert.deepEqual(now.get('muc#roomconfig_roomowners')?.toSorted(), ['capulet@capulet.example', romeo.bare])
  await juliet.ignoresSoFar()
  // An admin that is left out is one no more; in a room for members it stays in as one.
  await configures(romeo, { roomadmins: juliet.bare, membersonly: '1' })
  await juliet.receives(
    `<presence from='${BALL}/nurse'>${x(`<item affiliation='member' role='participant' jid='${nurse.full}'/>`)}</presence>`,
  )
  // §10.2: who is no owner any more is an admin.
  await configures(romeo, { roomowners: 'capulet@capulet.example' })
  await romeo.isRefused('forbidden', 'get', owner, BALL)
  await romeo.ignoresSoFar()
  await romeo.isRefused(
    'forbidden',
    'set',
    `<query xmlns='${NS.mucOwner}'><x xmlns='jabber:x:data' type='submit'/></query>`,
    BALL,
  )
})

scene('XEP-0045 §10.2: a room keeps an owner, and then nothing else of the form counts', async (cast) => {
  const { romeo, juliet } = cast
  await gather([romeo, juliet])
  const fields = { 'muc#roomconfig_roomname': 'Nobody’s', 'muc#roomconfig_roomowners': '' }
  await refused(romeo, fields, 'conflict', 'cancel')
  await refused(romeo, { 'muc#roomconfig_roomadmins': 'capulet.example' }, 'not-acceptable', 'modify')
  await refused(romeo, { 'muc#roomconfig_roomadmins': 'a@b@c' }, 'not-acceptable', 'modify')
  assert.deepEqual((await form(romeo)).get('muc#roomconfig_roomname'), [''])
  await juliet.hearsNothingMore()
})

scene('XEP-0045 §10.1.3: a room with a password needs one', async ({ romeo }) => {
  await enters(romeo, { stayLocked: true })
  await refused(romeo, { 'muc#roomconfig_passwordprotectedroom': '1' }, 'not-acceptable', 'modify')
  await configures(romeo, { passwordprotectedroom: '1', roomsecret: 'cauldronburn' })
  assert.deepEqual((await form(romeo)).get('muc#roomconfig_roomsecret'), ['cauldronburn'])
})

scene('XEP-0045 §10.2: what owners have set outlives the process, however it ends', async (cast) => {
  const { stage, romeo, juliet } = cast
  await gather([romeo, juliet])
  await configures(romeo, {
    persistentroom: '1',
    roomname: 'The ball',
    membersonly: '1',
    roomadmins: juliet.bare,
    changesubject: '1',
  })
  romeo.sends(`<message type='groupchat' id='s' to='${BALL}'><subject>Masks</subject></message>`)
  for (const actor of [romeo, juliet]) await actor.ignoresSoFar()
  await stage.isSucceeded()
  for (const actor of [romeo, juliet]) actor.isConnected = false
  const heard = await enters(juliet)
  assert.match(heard.at(-1)!.toString(), /<subject[^>]*>Masks<\/subject>/)
  assert.match(heard.at(-1)!.toString(), new RegExp(`from="${BALL}/romeo"`))
  assert.match(heard.join(''), /affiliation="admin"/)
  await enters(romeo)
  const now = await form(romeo)
  assert.deepEqual(now.get('muc#roomconfig_roomname'), ['The ball'])
  assert.deepEqual(now.get('muc#roomconfig_membersonly'), ['1'])
  assert.deepEqual(now.get('muc#roomconfig_roomadmins'), [juliet.bare])
})

scene('XEP-0045 §10.1.1: a locked room stays locked when the process ends', async (cast) => {
  const { stage, romeo, juliet } = cast
  await enters(romeo, { stayLocked: true })
  await stage.isSucceeded()
  romeo.isConnected = false
  await juliet.connects()
  juliet.sends(entrance(juliet))
  await juliet.receives(
    `<presence type='error' id='enter' from='${BALL}/juliet'>${refusal('item-not-found', 'cancel')}</presence>`,
  )
  await enters(romeo)
  await opens(romeo)
  await enters(juliet)
})
