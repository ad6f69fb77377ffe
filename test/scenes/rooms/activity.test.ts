/** XEP-0502: how lively a room is. */
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { BALL, configures, gather, says } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

const HOUR = 3_600_000
/** Messages per hour, as the room tells. */
async function rate(actor: Actor): Promise<string | undefined> {
  const query = (await actor.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, BALL)).child(
    'query',
  )!
  const fields = query.childrenOf('x').flatMap((x) => x.childrenOf('field'))
  return fields
    .find(({ attrs }) => attrs['var'] === '{urn:xmpp:muc-activity}message-activity')
    ?.child('value')?.text
}

scene(
  'XEP-0502 §3.1, §4: messages per hour of a room that everybody may find and enter',
  async (cast) => {
    const { romeo, juliet, stage } = cast
    await gather([romeo, juliet])
    await configures(romeo, { publicroom: '1', persistentroom: '1' })
    assert.equal(await rate(romeo), undefined)
    stage.clock.advance(HOUR)
    for (let i = 0; i < 3; i++) says(juliet, 'x')
    juliet.sends(
      `<message type='groupchat' to='${BALL}'><body>y</body><replace xmlns='urn:xmpp:message-correct:0' id='said'/></message>`,
    )
    juliet.sends(
      `<message type='groupchat' to='${BALL}'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
    )
    juliet.sends(`<message type='chat' to='${BALL}/romeo'><body>z</body></message>`)
    await juliet.settled()
    stage.clock.advance(HOUR)
    assert.equal(await rate(romeo), '3.00')
    stage.clock.advance(HOUR)
    assert.equal(await rate(romeo), '1.50')
    // §9
    for (const [field, hidden, shown] of [
      ['publicroom', '0', '1'],
      ['membersonly', '1', '0'],
      ['persistentroom', '0', '1'],
    ] as const) {
      await configures(romeo, { [field]: hidden })
      assert.equal(await rate(romeo), undefined, field)
      await configures(romeo, { [field]: shown })
      assert.equal(await rate(romeo), '1.50', field)
    }
    await configures(romeo, { passwordprotectedroom: '1', roomsecret: 'x' })
    assert.equal(await rate(romeo), undefined)
  },
  { set: ['limits.idle_ping=off'] },
)
