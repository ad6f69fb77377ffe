// XEP-0045 §7.4, §8.1: messages to everybody, and the subject.
import { BALL, configures, enters, gather, says, SERVICE, x } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

const refused = (condition: string, from = BALL) =>
  `<message type='error' id='said' from='${from}'><error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text></error></message>`

scene('XEP-0045 §7.4: to everybody, the sender too, with its id and all that it holds', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet, nurse])
  const more = `<active xmlns='http://jabber.org/protocol/chatstates'/><thing xmlns='urn:thing'>1</thing>`
  juliet.sends(
    `<message id='said' type='groupchat' to='${BALL}' xml:lang='it'><body>Ay me!</body>${more}${x('<status code="110"/>')}</message>`,
  )
  for (const actor of [romeo, juliet, nurse]) {
    await actor.receives(
      `<message id='said' type='groupchat' from='${BALL}/juliet' to='${actor.full}' xml:lang='it'><body>Ay me!</body>${more}</message>`,
    )
    await actor.hearsNothingMore()
  }
})

scene('XEP-0045 §7.4: who is not in does not speak', async ({ romeo, juliet }) => {
  await gather([romeo])
  await juliet.connects()
  says(juliet, 'O Romeo!')
  await juliet.receives(refused('not-acceptable'))
  says(juliet, 'O Romeo!', { room: `tomb@${SERVICE}` })
  await juliet.receives(refused('item-not-found', `tomb@${SERVICE}`))
  await romeo.hearsNothingMore()
})

scene('XEP-0045 §7.5: groupchat is for everybody', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  says(juliet, 'Psst', { room: `${BALL}/romeo` })
  await juliet.receives(refused('bad-request', `${BALL}/romeo`))
  await romeo.hearsNothingMore()
})

scene('XEP-0045 §8.1, §7.2.15: the subject, and who comes in gets it with who set it', async (cast) => {
  const { romeo, juliet, nurse, stage } = cast
  await gather([romeo, juliet])
  juliet.sends(`<message id='said' type='groupchat' to='${BALL}'><subject>Masks</subject></message>`)
  await juliet.receives(refused('forbidden'))
  romeo.sends(`<message id='s' type='groupchat' to='${BALL}'><subject>Dances</subject></message>`)
  for (const actor of [romeo, juliet])
    await actor.receives(
      `<message id='s' type='groupchat' from='${BALL}/romeo'><subject>Dances</subject></message>`,
    )
  stage.clock.advance(60_000)
  const heard = await enters(nurse)
  const stamp = new Date(stage.clock.now() - 60_000).toISOString()
  const [subject] = heard.slice(-1)
  const delay = subject!.child('delay', 'urn:xmpp:delay')
  const told = [
    subject!.attrs['from'],
    subject!.child('subject')?.text,
    delay?.attrs['from'],
    delay?.attrs['stamp'],
  ]
  if (told.join() !== [`${BALL}/romeo`, 'Dances', BALL, stamp].join()) throw new Error(told.join())
  // A subject with a body or a thread is a message like others.
  await juliet.ignoresSoFar()
  juliet.sends(`<message type='groupchat' to='${BALL}'><subject>Mine</subject><body>Hm</body></message>`)
  await juliet.receives(`<message from='${BALL}/juliet'><subject>Mine</subject><body>Hm</body></message>`)
})

scene('XEP-0045 §7.4: visitors of a moderated room listen', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet])
  await configures(romeo, { moderatedroom: '1' })
  await enters(nurse)
  for (const actor of [romeo, juliet]) await actor.ignoresSoFar()
  says(nurse, 'Madam!')
  await nurse.receives(refused('forbidden'))
  says(romeo, 'Peace!')
  for (const actor of [romeo, juliet, nurse])
    await actor.receives(`<message from='${BALL}/romeo'><body>Peace!</body></message>`)
})
