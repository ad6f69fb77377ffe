// XEP-0045 §8, §9.6 to §9.8: roles, by moderators and admins.
import assert from 'node:assert/strict'
import { BALL, codes, enters, gather, says, x } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'
import type { Actor } from '../../support/actor.js'
import { NS } from '../../../src/xml/namespaces.js'

const admin = (...items: string[]) => `<query xmlns='${NS.mucAdmin}'>${items.join('')}</query>`

/** The one item that an owner sends, and the answer that comes. */
async function sets(actor: Actor, ...items: string[]): Promise<void> {
  const reply = await actor.sets(admin(...items), BALL)
  assert.equal(reply.attrs['type'], 'result', reply.toString())
}

const fromJuliet = (item: string, ...numbers: number[]) =>
  `<presence from='${BALL}/juliet'>${x(item, codes(...numbers))}</presence>`

scene('XEP-0045 §8.2: a kick: who goes is told first, then the moderator, then all', async (cast) => {
  const { romeo, juliet, juliet$phone: phone, nurse } = cast
  await gather([romeo, juliet, phone, nurse])
  const kicked = (item: string, ...numbers: number[]) =>
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item affiliation='none' role='none' ${item}><actor nick='romeo'/><reason>Avaunt!</reason></item>`, codes(...numbers))}</presence>`
  romeo.sends(
    `<iq type='set' id='kick' to='${BALL}'>${admin(`<item nick='juliet' role='none'><reason>Avaunt!</reason></item>`)}</iq>`,
  )
  // All clients of the occupant go.
  for (const client of [juliet, phone]) await client.receives(kicked(`jid='{any}'`, 307, 110))
  await romeo.receives(`<iq type='result' id='kick' from='${BALL}'/>`)
  await romeo.receives(kicked(`jid='{any}'`, 307))
  await nurse.receives(kicked(`jid='{none}'`, 307))
  for (const actor of [romeo, juliet, phone, nurse]) await actor.hearsNothingMore()
  says(juliet, 'Alas')
  await juliet.receives(
    `<message type='error' from='${BALL}'><error type='modify'><not-acceptable xmlns='${NS.stanzaErrors}'/><text xmlns='${NS.stanzaErrors}'>{any}</text></error></message>`,
  )
  // A kick is no ban.
  await enters(juliet)
})

scene('XEP-0045 §8.2: several at once are kicked all or none', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet, nurse])
  await romeo.isRefused(
    'item-not-found',
    'set',
    admin(`<item nick='juliet' role='none'/>`, `<item nick='nobody' role='none'/>`),
    BALL,
  )
  await romeo.isRefused(
    'conflict',
    'set',
    admin(`<item nick='juliet' role='none'/>`, `<item nick='romeo' role='none'/>`),
    BALL,
  )
  for (const actor of [romeo, juliet, nurse]) await actor.hearsNothingMore()
  romeo.sends(
    `<iq type='set' id='kick' to='${BALL}'>${admin(`<item nick='juliet' role='none'/>`, `<item nick='nurse' role='none'/>`)}</iq>`,
  )
  await romeo.receives(`<iq type='result' id='kick'/>`)
  for (const nick of ['juliet', 'nurse'])
    await romeo.receives(
      `<presence type='unavailable' from='${BALL}/${nick}'>${x(`<item role='none'><actor nick='romeo'/></item>`, codes(307))}</presence>`,
    )
  // Those who go hear nothing of each other.
  await juliet.receives(
    `<presence type='unavailable' from='${BALL}/juliet'>${x('<item><actor/></item>', codes(307, 110))}</presence>`,
  )
  await juliet.hearsNothingMore()
})

scene('XEP-0045 §8.3, §8.4: voice is revoked and granted, and the room is told', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet, nurse])
  romeo.sends(
    `<iq type='set' id='voice' to='${BALL}'>${admin(`<item nick='juliet' role='visitor'><reason>Hush</reason></item>`)}</iq>`,
  )
  const item = (role: string, jid: string, more: string) =>
    `<item affiliation='none' role='${role}' jid='${jid}'>${more}<actor nick='romeo'/></item>`
  const hush = '<reason>Hush</reason>'
  await romeo.receives(`<iq type='result' id='voice'/>`)
  await romeo.receives(fromJuliet(item('visitor', juliet.full, hush)))
  await juliet.receives(fromJuliet(item('visitor', '{any}', hush), 110))
  await nurse.receives(fromJuliet(item('visitor', '{none}', hush)))
  says(juliet, 'I may not')
  await juliet.receives(
    `<message type='error' from='${BALL}'><error type='auth'><forbidden xmlns='${NS.stanzaErrors}'/><text xmlns='${NS.stanzaErrors}'>{any}</text></error></message>`,
  )
  await nurse.hearsNothingMore()
  await sets(romeo, `<item nick='juliet' role='participant'/>`)
  await juliet.receives(fromJuliet(item('participant', '{any}', ''), 110))
  await nurse.receives(fromJuliet(item('participant', '{none}', '')))
  await romeo.receives(fromJuliet(item('participant', juliet.full, '')))
  says(juliet, 'I may')
  await nurse.receives(`<message type='groupchat' from='${BALL}/juliet'><body>I may</body></message>`)
})

scene('XEP-0045 §9.6, §9.7: moderators are made, see addresses, and are none any more', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet, nurse])
  await sets(romeo, `<item nick='juliet' role='moderator'/>`)
  await juliet.receives(fromJuliet(`<item role='moderator'><actor nick='romeo'/></item>`, 110))
  await juliet.isRefused('forbidden', 'set', admin(`<item nick='nurse' role='moderator'/>`), BALL)
  // §8: she discovers the addresses by presence.
  nurse.sends(`<presence to='${BALL}/nurse'><show>away</show></presence>`)
  await juliet.receives(
    `<presence from='${BALL}/nurse'><show>away</show>${x(`<item jid='${nurse.full}'/>`)}</presence>`,
  )
  await sets(romeo, `<item nick='juliet' role='participant'/>`)
  await juliet.receives(fromJuliet(`<item role='participant'><actor nick='romeo'/></item>`, 110))
  await juliet.isRefused('forbidden', 'set', admin(`<item nick='nurse' role='visitor'/>`), BALL)
})

scene('XEP-0045 §8.5, §9.8: the lists of voice and of moderators', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet, nurse])
  await sets(romeo, `<item nick='juliet' role='moderator'/>`)
  await juliet.ignoresSoFar()
  const reply = await juliet.gets(admin(`<item role='participant'/>`), BALL)
  assert.deepEqual(
    reply
      .child('query', NS.mucAdmin)
      ?.childrenOf('item')
      .map(({ attrs }) => ({ ...attrs })),
    [{ affiliation: 'none', jid: nurse.full, nick: 'nurse', role: 'participant' }],
  )
  // The moderators' list is for admins.
  await juliet.isRefused('forbidden', 'get', admin(`<item role='moderator'/>`), BALL)
  const moderators = await romeo.gets(admin(`<item role='moderator'/>`), BALL)
  assert.deepEqual(
    moderators
      .child('query', NS.mucAdmin)
      ?.childrenOf('item')
      .map(({ attrs }) => attrs['nick']),
    ['romeo', 'juliet'],
  )
  await nurse.ignoresSoFar()
  await nurse.isRefused('forbidden', 'get', admin(`<item role='participant'/>`), BALL)
  await romeo.isRefused(
    'bad-request',
    'set',
    admin(`<item nick='nurse' role='visitor' affiliation='none'/>`),
    BALL,
  )
  await romeo.isRefused('bad-request', 'set', admin(), BALL)
  await romeo.isRefused(
    'bad-request',
    'set',
    admin(`<item nick='nurse' role='visitor'/>`, `<item jid='${juliet.bare}' affiliation='member'/>`),
    BALL,
  )
})

scene('XEP-0045 §8: what one may counts for all one’s clients, also one that is not in', async (cast) => {
  const { romeo, romeo$phone: phone, juliet } = cast
  await gather([romeo, juliet])
  await phone.connects()
  await sets(phone, `<item nick='juliet' role='none'/>`)
  await juliet.receives(
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item><actor nick='romeo'/></item>`, codes(307, 110))}</presence>`,
  )
})

scene('XEP-0045 §5.1: who has lost voice does not find it again at the door', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  await sets(romeo, `<item nick='juliet' role='visitor'/>`)
  juliet.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
  await juliet.ignoresSoFar()
  const heard = await enters(juliet, { nick: 'rosaline' })
  assert.ok(
    heard.some(
      (one) => one.toString().includes(`role="visitor"`) || one.toString().includes(`role='visitor'`),
    ),
  )
})
