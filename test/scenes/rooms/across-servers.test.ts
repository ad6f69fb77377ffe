/** People of another server in a room: they are invited, written to, asked and shown as anybody else. */
import assert from 'node:assert/strict'
import { BALL, enters, gather, x } from '../../support/rooms.js'
import { scene, type StageOptions } from '../../support/stage.js'

const byDialback: StageOptions = { set: ['s2s.policy=dialback-ok'], far: { set: ['s2s.policy=dialback-ok'] } }
const card = `<vCard xmlns='vcard-temp'/>`
const version = `<query xmlns='jabber:iq:version'/>`

scene(
  'invited, declined, whispered to and asked across servers, with no address told',
  async ({ romeo, juliet, far }) => {
    await gather([romeo, juliet])
    await far.nurse.online()
    await far.paris.online()
    for (const invitee of [far.nurse, far.paris]) {
      juliet.sends(`<message id='ask' to='${BALL}'>${x(`<invite to='${invitee.bare}'/>`)}</message>`)
      await invitee.receives(`<message from='${BALL}'>${x(`<invite from='${BALL}/juliet'/>`)}</message>`)
    }
    far.paris.sends(`<message id='no' to='${BALL}'>${x(`<decline to='${BALL}/juliet'/>`)}</message>`)
    await juliet.receives(
      `<message id='no' from='${BALL}'>${x(`<decline from='${far.paris.bare}'/>`)}</message>`,
    )
    await enters(far.nurse)
    for (const actor of [romeo, juliet, far.nurse]) await actor.ignoresSoFar()

    juliet.sends(`<message type='chat' id='pm' to='${BALL}/nurse'><body>psst</body></message>`)
    const whisper = await far.nurse.next()
    assert.deepEqual([whisper.attrs['from'], whisper.child('body')?.text], [`${BALL}/juliet`, 'psst'])
    const reply = juliet.asks(`<iq type='get' id='v' to='${BALL}/nurse'>${version}</iq>`)
    const asked = await far.nurse.receives(`<iq type='get' from='${BALL}/juliet'>${version}</iq>`)
    far.nurse.sends(`<iq type='result' id='${asked.attrs['id']}' to='${BALL}/juliet'>${version}</iq>`)
    assert.equal((await reply).attrs['from'], `${BALL}/nurse`)
    await far.nurse.sets(`<vCard xmlns='vcard-temp'><FN>Angelica</FN></vCard>`)
    const shown = await juliet.gets(card, `${BALL}/nurse`)
    assert.equal(shown.child('vCard')?.child('FN')?.text, 'Angelica')
    const pong = await far.nurse.gets(`<ping xmlns='urn:xmpp:ping'/>`, `${BALL}/nurse`)
    assert.equal(pong.attrs['type'], 'result')
    assert.ok(!juliet.heard.includes(far.nurse.bare))
    assert.ok(!far.nurse.heard.includes(juliet.bare))
  },
  byDialback,
)
