/** XEP-0045 §7.8.2: a room invites on behalf of somebody who is in. */
import assert from 'node:assert/strict'
import { archiveOf } from '../../support/archive.js'
import { BALL, configures, enters, entrance, gather } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

const MUC_USER = 'http://jabber.org/protocol/muc#user'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const asks = (...invites: string[]) =>
  `<message id='ask' to='${BALL}'><x xmlns='${MUC_USER}'>${invites.join('')}</x></message>`
const invite = (to: string, content = '') => `<invite to='${to}'>${content}</invite>`
const invitation = (from: string, content = '', more = '') =>
  `<message from='${BALL}' type='{none}'><x xmlns='${MUC_USER}'><invite from='${from}'>${content}</invite>${more}</x></message>`
const declines = (to: string) =>
  `<message id='no' to='${BALL}'><x xmlns='${MUC_USER}'><decline to='${to}'><reason>busy</reason></decline></x></message>`
const declined = (from: string) =>
  `<message from='${BALL}' id='no'><x xmlns='${MUC_USER}'><decline from='${from}'><reason>busy</reason></decline></x></message>`
const refusal = (condition: string) =>
  `<message type='error' id='ask' from='${BALL}'><error>{any}<${condition} xmlns='${STANZAS}'/></error></message>`
const reason = '<reason>the place for all good witches</reason>'

scene('§7.8.2: the room invites, without the address of who asked', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet])
  await nurse.online()
  juliet.sends(asks(invite(nurse.bare, reason)))
  await nurse.receives(invitation(`${BALL}/juliet`, reason))
  juliet.sends(asks(invite(nurse.full, `<continue thread='e0ff'/>`)))
  await nurse.receives(invitation(`${BALL}/juliet`, `<continue thread='e0ff'/>`))
  await romeo.hearsNothingMore()
})

scene('§7.8.2, §7.9: where addresses are shown, with it; several at once, and the password', async (cast) => {
  const { romeo, juliet, nurse, tybalt } = cast
  await gather([romeo, juliet])
  for (const actor of [nurse, tybalt]) await actor.online()
  await configures(romeo, {
    whois: 'anyone',
    passwordprotectedroom: '1',
    roomsecret: 'cauldronburn',
  })
  juliet.sends(asks(invite(nurse.bare, reason), invite(tybalt.bare)))
  const password = '<password>cauldronburn</password>'
  await nurse.receives(invitation(juliet.bare, reason, password))
  await tybalt.receives(invitation(juliet.bare, '', password))
})

scene('§7.8.2: a refusal goes to who asked, and to nobody else', async ({ romeo, juliet, nurse, tybalt }) => {
  await gather([romeo, juliet])
  for (const actor of [nurse, tybalt]) await actor.online()
  const invited = async () => {
    juliet.sends(asks(invite(nurse.bare)))
    await nurse.receives(invitation(`${BALL}/juliet`))
  }
  // Whom nobody has invited declines nothing, and cannot speak to others through the room.
  for (const to of [juliet.bare, romeo.bare, `${BALL}/juliet`, 'a@b']) tybalt.sends(declines(to))
  await invited()
  for (const to of [romeo.bare, `${BALL}/romeo`, 'x@y', '@']) nurse.sends(declines(to))
  await nurse.settled()
  for (const actor of [romeo, juliet, nurse, tybalt]) await actor.hearsNothingMore()
  for (const to of [`${BALL}/juliet`, juliet.bare, juliet.full]) {
    nurse.sends(declines(to))
    await juliet.receives(declined(nurse.bare))
    // Once for each invitation.
    nurse.sends(declines(to))
    await juliet.hearsNothingMore()
    await invited()
  }
  // Who has left meanwhile is told all the same.
  juliet.sends('<presence/>')
  juliet.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
  for (const actor of [romeo, juliet]) await actor.ignoresSoFar()
  nurse.sends(declines(`${BALL}/juliet`))
  await juliet.receives(declined(nurse.bare))
})

scene('§7.8.2: who is not in, and who may not, invite nobody', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet])
  await nurse.online()
  nurse.sends(asks(invite(juliet.bare)))
  await nurse.receives(refusal('not-acceptable'))
  for (const to of ['', 'a@@b', 'conference.example']) {
    juliet.sends(asks(invite(to)))
    await juliet.receives(refusal('jid-malformed'))
  }
  juliet.sends(asks(invite(nurse.bare), invite('@')))
  await juliet.receives(refusal('jid-malformed'))
  juliet.sends(asks(...Array.from({ length: 11 }, (_, i) => invite(`p${i}@example.com`))))
  await juliet.receives(refusal('policy-violation'))
  await configures(romeo, { allowinvites: '0' })
  await juliet.ignoresSoFar()
  juliet.sends(asks(invite(nurse.bare)))
  await juliet.receives(refusal('forbidden'))
  await nurse.hearsNothingMore()
  romeo.sends(asks(invite(nurse.bare)))
  await nurse.receives(invitation(`${BALL}/romeo`))
})

scene('§9.1: nobody is invited who is banned', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet])
  await nurse.online()
  await romeo.sets(
    `<query xmlns='http://jabber.org/protocol/muc#admin'><item jid='${nurse.bare}' affiliation='outcast'/></query>`,
    BALL,
  )
  for (const actor of [romeo, juliet, nurse]) await actor.ignoresSoFar()
  for (const actor of [romeo, juliet]) {
    actor.sends(asks(invite(nurse.bare)))
    await actor.receives(refusal('forbidden'))
  }
  await nurse.hearsNothingMore()
})

scene('§7.8.2: into a members-only room admins invite, and who is invited may enter', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet])
  await nurse.online()
  await romeo.sets(
    `<query xmlns='http://jabber.org/protocol/muc#admin'><item jid='${juliet.bare}' affiliation='member'/></query>`,
    BALL,
  )
  await configures(romeo, { membersonly: '1' })
  nurse.sends(entrance(nurse))
  await nurse.receives(
    `<presence type='error'><error>{any}<registration-required xmlns='${STANZAS}'/></error></presence>`,
  )
  await juliet.ignoresSoFar()
  juliet.sends(asks(invite(nurse.bare)))
  await juliet.receives(refusal('forbidden'))
  // A member may be called by another one.
  juliet.sends(asks(invite(romeo.bare)))
  await romeo.ignoresSoFar()
  romeo.sends(asks(invite(nurse.full), invite(nurse.bare)))
  await nurse.receives(invitation(`${BALL}/romeo`))
  await nurse.receives(invitation(`${BALL}/romeo`))
  const heard = await enters(nurse)
  const self = heard.find((stanza) => stanza.attrs['from'] === `${BALL}/nurse`)
  assert.equal(self?.child('x', MUC_USER)?.child('item')?.attrs['affiliation'], 'member')
})

scene(
  '§7.8.2: who is away finds the invitation later, and in the archive',
  async ({ romeo, juliet, nurse }) => {
    await gather([romeo, juliet])
    await nurse.online()
    await nurse.leaves()
    juliet.sends(asks(invite(nurse.bare, reason)))
    await juliet.settled()
    await nurse.online()
    const got = await nurse.next()
    assert.equal(got.child('x', MUC_USER)?.child('invite')?.attrs['from'], `${BALL}/juliet`)
    assert.ok(got.child('delay'))
    const { results } = await archiveOf(nurse)
    assert.equal(results.length, 1)
  },
)

scene('§7.8.2: an invitation to nobody comes back as an error', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  juliet.sends(asks(invite(`nobody@${juliet.domain}`)))
  await juliet.receives(refusal('item-not-found'))
  await romeo.hearsNothingMore()
})
