// XEP-0045 §7.2.9: how many may be in a room.
import assert from 'node:assert/strict'
import { BALL, codes, enters, entrance, gather, x } from '../../support/rooms.js'
import { arrives } from '../../support/friends.js'
import { scene } from '../../support/stage.js'

const full = `<presence type='error' id='enter' from='${BALL}/nurse'><error type='wait'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text></error></presence>`

scene(
  'modules.rooms.occupants: one more than may be in is refused, and another client of one who is in is not',
  async ({ romeo, juliet, juliet$phone: phone, nurse, stage }) => {
    await gather([romeo, juliet])
    await nurse.connects()
    nurse.sends(entrance(nurse))
    await nurse.receives(full)
    await romeo.hearsNothingMore()
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'room_occupants'), 1)
    await enters(phone)
    // When somebody has left there is room again.
    for (const one of [juliet, phone]) one.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
    await juliet.settled()
    await phone.settled()
    await enters(nurse)
  },
  { set: ['modules.rooms.occupants=2'] },
)

scene(
  'XEP-0045 §7.2.9: an owner comes into a full room',
  async ({ romeo, juliet, nurse }) => {
    await gather([romeo, juliet])
    romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
    await romeo.settled()
    await enters(nurse)
    await romeo.ignoresSoFar()
    romeo.sends(entrance(romeo))
    for (const nick of ['juliet', 'nurse'])
      await romeo.receives(`<presence from='${BALL}/${nick}'>${x('<item/>')}</presence>`)
    await romeo.receives(
      `<presence from='${BALL}/romeo'>${x(`<item affiliation='owner'/>`, codes(110))}</presence>`,
    )
  },
  { set: ['modules.rooms.occupants=2'] },
)

scene('so many clients of one account under one nickname, and no more', async ({ romeo, juliet, stage }) => {
  await gather([romeo, juliet])
  // As another server says it, whose accounts may have any number of resources.
  for (let i = 0; i < 20; i++) {
    await arrives(
      stage,
      `<presence from='paris@verona.example/${i}' to='${BALL}/paris'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
    )
  }
  await romeo.ignoresSoFar()
  await arrives(
    stage,
    `<presence from='paris@verona.example/more' to='${BALL}/paris'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
  )
  await romeo.hearsNothingMore()
  assert.equal(stage.metrics.valueOf('limit_hits_total', 'room_clients'), 1)
})
