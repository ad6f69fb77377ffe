// XEP-0045 §7.1, §7.2: coming into a room.
import { BALL, codes, configures, enters, entrance, gather, says, x } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

const NO_ITEM = `<reason>{any}</reason>`

scene('XEP-0045 §7.1, §10.1: who comes first makes the room and is its owner', async ({ romeo }) => {
  await romeo.connects()
  romeo.sends(entrance(romeo))
  await romeo.receives(
    `<presence type='{none}' id='enter' from='${BALL}/romeo' to='${romeo.full}'>
      ${x(`<item affiliation='owner' role='moderator' jid='${romeo.full}'/>`, codes(110, 201))}
    </presence>`,
  )
  await romeo.receives(`<message type='groupchat' from='${BALL}' to='${romeo.full}'><subject/></message>`)
  await romeo.hearsNothingMore()
})

scene('XEP-0045 §7.1: the others, oneself, the subject, and then what is new', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet])
  await nurse.connects()
  nurse.sends(entrance(nurse, { with: '<show>dnd</show>' }))
  await nurse.receives(
    `<presence from='${BALL}/romeo' to='${nurse.full}'>${x(`<item affiliation='owner' role='moderator' jid='{none}'/>`)}</presence>`,
  )
  await nurse.receives(
    `<presence from='${BALL}/juliet'>${x(`<item affiliation='none' role='participant' jid='{none}'/>`)}</presence>`,
  )
  await nurse.receives(
    `<presence from='${BALL}/nurse'><show>dnd</show>${x(`<item affiliation='none' role='participant'/>`, codes(110))}</presence>`,
  )
  await nurse.receives(`<message type='groupchat' from='${BALL}'><subject/></message>`)
  await nurse.hearsNothingMore()
  // XEP-0045 §7.2.4: a moderator sees who it is, others do not.
  await romeo.receives(
    `<presence from='${BALL}/nurse' to='${romeo.full}'><show>dnd</show>${x(`<item affiliation='none' role='participant' jid='${nurse.full}'/>`)}</presence>`,
  )
  await juliet.receives(
    `<presence from='${BALL}/nurse' to='${juliet.full}'><show>dnd</show>${x(`<item affiliation='none' role='participant' jid='{none}'/>`)}</presence>`,
  )
  await romeo.hearsNothingMore()
  await juliet.hearsNothingMore()
})

scene('XEP-0045 §7.2.1: without a nickname', async ({ romeo }) => {
  await romeo.connects()
  romeo.sends(`<presence id='enter' to='${BALL}'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
  await romeo.receives(
    `<presence type='error' id='enter' from='${BALL}'><error type='modify'><jid-malformed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text></error></presence>`,
  )
})

scene('XEP-0045 §7.2.8: a nickname that somebody else has', async ({ romeo, juliet }) => {
  await gather([romeo])
  await juliet.connects()
  for (const nick of ['romeo', 'Romeo', 'ＲＯＭＥＯ']) {
    juliet.sends(entrance(juliet, { nick }))
    await juliet.receives(
      `<presence type='error' id='enter' from='${BALL}/${nick}'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text></error></presence>`,
    )
  }
  await romeo.hearsNothingMore()
})

scene('XEP-0045 §7.2.8: another client of the same account under the same nickname', async (cast) => {
  const { romeo, romeo$phone: phone, juliet } = cast
  await gather([romeo, juliet])
  await phone.connects()
  phone.sends(entrance(phone, { with: '<show>away</show>' }))
  await phone.receives(`<presence from='${BALL}/juliet'>${x('<item/>')}</presence>`)
  await phone.receives(
    `<presence from='${BALL}/romeo' to='${phone.full}'><show>away</show>${x(`<item jid='${phone.full}'/>`, codes(110))}</presence>`,
  )
  await phone.receives(`<message type='groupchat' from='${BALL}'><subject/></message>`)
  await romeo.receives(
    `<presence from='${BALL}/romeo' to='${romeo.full}'><show>away</show>${x('<item/>', codes(110))}</presence>`,
  )
  await juliet.receives(`<presence from='${BALL}/romeo'><show>away</show>${x('<item/>')}</presence>`)
  // All of them hear what is said, and may speak.
  says(phone, 'Soft!')
  for (const actor of [romeo, phone, juliet])
    await actor.receives(`<message from='${BALL}/romeo' type='groupchat'><body>Soft!</body></message>`)
  // The occupant stays as long as one of them does.
  phone.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
  await phone.receives(
    `<presence type='unavailable' from='${BALL}/romeo'>${x(`<item affiliation='owner' role='none'/>`, codes(110))}</presence>`,
  )
  await romeo.receives(`<presence type='{none}' from='${BALL}/romeo'>${x('<item/>', codes(110))}</presence>`)
  await juliet.receives(`<presence type='{none}' from='${BALL}/romeo'>${x('<item/>')}</presence>`)
  for (const actor of [romeo, phone, juliet]) await actor.hearsNothingMore()
})

scene('XEP-0045 §7.2.1: a client that comes in again gets everything again', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  const heard = await enters(juliet)
  const kinds = heard.map(({ local, attrs }) => `${local} ${attrs['from']!.slice(BALL.length)}`)
  if (kinds.join() !== 'presence /romeo,presence /juliet,message ') throw new Error(kinds.join())
  await juliet.hearsNothingMore()
  await romeo.hearsNothingMore()
})

scene('XEP-0045 §7.2.18: presence of somebody who is not in', async ({ romeo, juliet }) => {
  await gather([romeo])
  await juliet.connects()
  const kick = `<presence type='unavailable' from='${BALL}/juliet' to='${juliet.full}'>
    ${x(`<item affiliation='none' role='none'>${NO_ITEM}</item>`, codes(110, 307, 333))}</presence>`
  juliet.sends(`<presence to='${BALL}/juliet'/>`)
  await juliet.receives(kick)
  await romeo.hearsNothingMore()
  // Nor does it make a room.
  juliet.sends(`<presence to='tomb@conference.capulet.example/juliet'/>`)
  await juliet.receives(kick.replaceAll(BALL, 'tomb@conference.capulet.example'))
})

scene('RFC 8266 §2.3: spaces in nicknames are put right, and that is told', async ({ romeo }) => {
  await romeo.connects()
  romeo.sends(entrance(romeo, { nick: 'Romeo  of Verona ' }))
  await romeo.receives(
    `<presence from='${BALL}/Romeo of Verona'>${x('<item/>', codes(110, 201, 210))}</presence>`,
  )
})

scene('XEP-0045 §7.2.17: why somebody does not come in', async ({ romeo, juliet, nurse }) => {
  await gather([romeo])
  await nurse.connects()
  const refused = async (condition: string, type: string, x = '') => {
    nurse.sends(entrance(nurse, { x }))
    await nurse.receives(
      `<presence type='error' id='enter' from='${BALL}/nurse'><error type='${type}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text></error></presence>`,
    )
  }
  await configures(romeo, { passwordprotectedroom: '1', roomsecret: 'cauldronburn' })
  await refused('not-authorized', 'auth')
  await refused('not-authorized', 'auth', '<password>cauldron</password>')
  await enters(juliet, { x: '<password>cauldronburn</password>' })
  await configures(romeo, { passwordprotectedroom: '0', membersonly: '1' })
  await refused('registration-required', 'auth')
  await romeo.sets(
    `<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='outcast' jid='${nurse.bare}'/></query>`,
    BALL,
  )
  await configures(romeo, { membersonly: '0' })
  await refused('forbidden', 'auth')
})
