// XEP-0045 §8, §9 with people of another server: they moderate and are moderated like everybody else.
import assert from 'node:assert/strict'
import { BALL, codes, entrance, enters, gather, x } from '../../support/rooms.js'
import { FAR_DOMAIN, scene, type StageOptions } from '../../support/stage.js'
import { NS } from '../../../src/xml/namespaces.js'

const byDialback: StageOptions = { set: ['s2s.policy=dialback-ok'], far: { set: ['s2s.policy=dialback-ok'] } }

const admin = (...items: string[]) => `<query xmlns='${NS.mucAdmin}'>${items.join('')}</query>`

scene(
  'XEP-0045 §8.2, §9.2: an admin from elsewhere kicks; a ban of a server puts out all of it but members',
  async ({ romeo, juliet, far }) => {
    const { nurse, paris } = far
    await gather([romeo, juliet])
    await enters(nurse)
    await enters(paris)
    for (const actor of [romeo, juliet, nurse, paris]) await actor.ignoresSoFar()
    const made = await romeo.sets(admin(`<item affiliation='admin' jid='${nurse.bare}'/>`), BALL)
    assert.equal(made.attrs['type'], 'result')
    await nurse.receives(
      `<presence from='${BALL}/nurse'>${x(`<item affiliation='admin' role='moderator'><actor nick='romeo'/></item>`, codes(110))}</presence>`,
    )
    await juliet.receives(
      `<presence from='${BALL}/nurse'>${x(`<item affiliation='admin'><actor/></item>`)}</presence>`,
    )
    const kicked = await nurse.sets(admin(`<item nick='juliet' role='none'/>`), BALL)
    assert.equal(kicked.attrs['type'], 'result')
    await juliet.receives(
      `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item role='none'><actor nick='nurse'/></item>`, codes(307, 110))}</presence>`,
    )
    await paris.receives(
      `<presence from='${BALL}/nurse'>${x(`<item affiliation='admin'><actor/></item>`)}</presence>`,
    )
    await paris.receives(
      `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item><actor nick='nurse'/></item>`, codes(307))}</presence>`,
    )
    await nurse.isRefused(
      'not-allowed',
      'set',
      admin(`<item affiliation='outcast' jid='${romeo.bare}'/>`),
      BALL,
    )
    await romeo.ignoresSoFar()
    const banned = await romeo.sets(admin(`<item affiliation='outcast' jid='${FAR_DOMAIN}'/>`), BALL)
    assert.equal(banned.attrs['type'], 'result')
    await paris.receives(
      `<presence type='unavailable' from='${BALL}/paris'>${x(`<item affiliation='outcast' role='none'><actor nick='romeo'/></item>`, codes(301, 110))}</presence>`,
    )
    paris.sends(entrance(paris))
    await paris.receives(
      `<presence type='error' from='${BALL}/paris'><error type='auth'><forbidden xmlns='${NS.stanzaErrors}'/><text xmlns='${NS.stanzaErrors}'>{any}</text></error></presence>`,
    )
    // What the admin has itself comes before what its server has.
    nurse.sends(`<presence type='unavailable' to='${BALL}/nurse'/>`)
    await nurse.ignoresSoFar()
    await enters(nurse)
  },
  byDialback,
)
