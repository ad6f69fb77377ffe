// XEP-0045 §7.6, §7.7, §7.14: another nickname, another presence, and leaving.
import { BALL, codes, gather, x } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

scene('XEP-0045 §7.6: a change of nickname', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet, nurse])
  juliet.sends(`<presence id='rename' to='${BALL}/Jule'/>`)
  const gone = (item: string, ...numbers: number[]) =>
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item affiliation='none' role='participant' nick='Jule' ${item}/>`, codes(...numbers))}</presence>`
  const here = (item: string, ...numbers: number[]) =>
    `<presence type='{none}' from='${BALL}/Jule'>${x(`<item affiliation='none' role='participant' ${item}/>`, codes(...numbers))}</presence>`
  await juliet.receives(gone('', 303, 110))
  await juliet.receives(here('', 110))
  await romeo.receives(gone(`jid='${juliet.full}'`, 303))
  await romeo.receives(here(`jid='${juliet.full}'`))
  await nurse.receives(gone(`jid='{none}'`, 303))
  await nurse.receives(here(`jid='{none}'`))
  for (const actor of [romeo, juliet, nurse]) await actor.hearsNothingMore()
})

scene('XEP-0045 §7.6: a nickname that somebody has stays theirs, and nothing changes', async (cast) => {
  const { romeo, juliet } = cast
  await gather([romeo, juliet])
  juliet.sends(`<presence id='rename' to='${BALL}/ROMEO'/>`)
  await juliet.receives(
    `<presence type='error' id='rename' from='${BALL}/ROMEO'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text></error></presence>`,
  )
  await romeo.hearsNothingMore()
  juliet.sends(`<presence to='${BALL}/juliet'><show>xa</show></presence>`)
  await romeo.receives(`<presence from='${BALL}/juliet'><show>xa</show>${x('<item/>')}</presence>`)
})

scene('XEP-0045 §7.6: one client of several goes on under another nickname', async (cast) => {
  const { romeo, juliet, juliet$phone: phone } = cast
  await gather([romeo, juliet])
  await gather([phone])
  await romeo.ignoresSoFar()
  await juliet.ignoresSoFar()
  phone.sends(`<presence to='${BALL}/Jule'/>`)
  await phone.receives(
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item nick='Jule' role='participant'/>`, codes(303, 110))}</presence>`,
  )
  await phone.receives(`<presence type='{none}' from='${BALL}/juliet'>${x('<item/>')}</presence>`)
  await phone.receives(`<presence type='{none}' from='${BALL}/Jule'>${x('<item/>', codes(110))}</presence>`)
  await juliet.receives(
    `<presence type='{none}' from='${BALL}/juliet'>${x('<item/>', codes(110))}</presence>`,
  )
  await juliet.receives(`<presence type='{none}' from='${BALL}/Jule'>${x('<item/>')}</presence>`)
  await romeo.receives(
    `<presence type='{none}' from='${BALL}/juliet'>${x(`<item jid='${juliet.full}'/>`)}</presence>`,
  )
  await romeo.receives(
    `<presence type='{none}' from='${BALL}/Jule'>${x(`<item jid='${phone.full}'/>`)}</presence>`,
  )
  // And back again: the occupant of its own is no more.
  phone.sends(`<presence to='${BALL}/juliet'/>`)
  await romeo.receives(
    `<presence type='unavailable' from='${BALL}/Jule'>${x(`<item nick='juliet'/>`, codes(303))}</presence>`,
  )
  await romeo.receives(
    `<presence type='{none}' from='${BALL}/juliet'>${x(`<item jid='${phone.full}'/>`)}</presence>`,
  )
  await romeo.hearsNothingMore()
})

scene('XEP-0045 §7.7: another presence, without what only the room may say', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  juliet.sends(
    `<presence id='now' to='${BALL}/juliet'><show>xa</show><status>At church</status><mood xmlns='urn:mood'/>${x(`<item affiliation='owner' role='moderator'/>`)}</presence>`,
  )
  const said = `<show>xa</show><status>At church</status><mood xmlns='urn:mood'/>`
  const item = `<item affiliation='none' role='participant'/>`
  await juliet.receives(`<presence from='${BALL}/juliet'>${said}${x(item, codes(110))}</presence>`)
  await romeo.receives(`<presence id='now' from='${BALL}/juliet'>${said}${x(item)}</presence>`)
  await romeo.hearsNothingMore()
})

scene(
  'XEP-0045 §7.14: leaving, with a word, and under whatever nickname',
  async ({ romeo, juliet, nurse }) => {
    await gather([romeo, juliet, nurse])
    juliet.sends(`<presence type='unavailable' to='${BALL}/whoever'><status>Good night</status></presence>`)
    const gone = (item: string, ...numbers: number[]) =>
      `<presence type='unavailable' from='${BALL}/juliet'><status>Good night</status>${x(`<item affiliation='none' role='none' ${item}/>`, codes(...numbers))}</presence>`
    await juliet.receives(gone('', 110))
    await romeo.receives(gone(`jid='${juliet.full}'`))
    await nurse.receives(gone(`jid='{none}'`))
    for (const actor of [romeo, juliet, nurse]) await actor.hearsNothingMore()
  },
)

scene('XEP-0045 §7.14: who vanishes has left, and the room goes with the last one', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet])
  await juliet.vanishes()
  await romeo.receives(
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item role='none'/>`)}</presence>`,
  )
  await romeo.leaves()
  await nurse.connects()
  nurse.sends(`<presence to='${BALL}/nurse'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
  await nurse.receives(
    `<presence from='${BALL}/nurse'>${x(`<item affiliation='owner'/>`, codes(110, 201))}</presence>`,
  )
})

scene('RFC 8266 §2.3: presence under another spelling of one’s nickname is presence, too', async (cast) => {
  const { romeo, juliet } = cast
  await gather([romeo, juliet])
  juliet.sends(`<presence to='${BALL}/juliet '><show>away</show></presence>`)
  await juliet.receives(
    `<presence type='{none}' from='${BALL}/juliet'><show>away</show>${x('<item/>', codes(110, 210))}</presence>`,
  )
  await romeo.receives(
    `<presence type='{none}' from='${BALL}/juliet'><show>away</show>${x('<item/>')}</presence>`,
  )
  await romeo.hearsNothingMore()
})
