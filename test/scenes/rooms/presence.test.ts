// XEP-0045 §7.2.2-§7.2.4, §7.7: whose presence is shown to whom, and what it tells.
import { BALL, codes, configures, enters, entrance, gather, x } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

scene('XEP-0045 §7.2.2: presence is shown of some roles only, as the owner says', async (cast) => {
  const { romeo, juliet, nurse, paris } = cast
  await gather([romeo, juliet, paris])
  await configures(romeo, { presencebroadcast: 'moderator' })
  // Who was shown and is not any more has gone for the others, and for them only.
  await paris.receives(
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item affiliation='none' role='none'/>`)}</presence>`,
  )
  for (const actor of [romeo, juliet, paris]) await actor.ignoresSoFar()
  // Nobody is told who comes, goes, is renamed or away; they themselves are.
  await enters(nurse)
  juliet.sends(`<presence to='${BALL}/juliet'><show>away</show></presence>`)
  await juliet.receives(
    `<presence from='${BALL}/juliet'><show>away</show>${x('<item/>', codes(110))}</presence>`,
  )
  nurse.sends(`<presence to='${BALL}/angelica'/>`)
  await nurse.receives(
    `<presence type='unavailable' from='${BALL}/nurse'>${x('<item/>', codes(303, 110))}</presence>`,
  )
  await nurse.receives(`<presence from='${BALL}/angelica'>${x('<item/>', codes(110))}</presence>`)
  nurse.sends(`<presence type='unavailable' to='${BALL}/angelica'/>`)
  await nurse.receives(
    `<presence type='unavailable' from='${BALL}/angelica'>${x('<item/>', codes(110))}</presence>`,
  )
  for (const actor of [romeo, juliet, paris]) await actor.hearsNothingMore()
  // Moderators are shown.
  romeo.sends(`<presence to='${BALL}/romeo'><show>dnd</show></presence>`)
  await juliet.receives(`<presence from='${BALL}/romeo'><show>dnd</show>${x('<item/>')}</presence>`)
  await paris.ignoresSoFar()
  await configures(romeo, { presencebroadcast: 'moderator\nparticipant' })
  await paris.receives(
    `<presence type='{none}' from='${BALL}/juliet'><show>away</show>${x('<item/>')}</presence>`,
  )
})

scene('XEP-0045 §7.2.3: in a room where everybody sees who is who', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet])
  await configures(romeo, { whois: 'anyone' })
  await juliet.receives(`<message type='groupchat' from='${BALL}'>${x(codes(172))}</message>`)
  await nurse.connects()
  nurse.sends(entrance(nurse))
  await nurse.receivesInAnyOrder(
    `<presence from='${BALL}/romeo'>${x(`<item affiliation='owner' jid='${romeo.full}'/>`)}</presence>`,
    `<presence from='${BALL}/juliet'>${x(`<item affiliation='none' jid='${juliet.full}'/>`)}</presence>`,
  )
  await nurse.receives(
    `<presence from='${BALL}/nurse'>${x(`<item jid='${nurse.full}'/>`, codes(100, 110, 170))}</presence>`,
  )
  await nurse.receives(`<message type='groupchat' from='${BALL}'><subject/></message>`)
  await juliet.receives(`<presence from='${BALL}/nurse'>${x(`<item jid='${nurse.full}'/>`)}</presence>`)
  await romeo.ignoresSoFar()
  await configures(romeo, { whois: 'moderators' })
  for (const actor of [juliet, nurse]) {
    await actor.receives(`<message type='groupchat' from='${BALL}'>${x(codes(173))}</message>`)
    await actor.hearsNothingMore()
  }
  nurse.sends(`<presence to='${BALL}/nurse'><show>away</show></presence>`)
  await juliet.receives(
    `<presence from='${BALL}/nurse'><show>away</show>${x(`<item jid='{none}'/>`)}</presence>`,
  )
})
