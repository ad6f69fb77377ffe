/** XEP-0500: a while between two messages. */
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { BALL, configures, enters, gather, says, submission } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const DURATION = 'muc#roomconfig_slow_mode_duration'

const admin = (jid: string, affiliation: string) =>
  `<query xmlns='http://jabber.org/protocol/muc#admin'><item jid='${jid}' affiliation='${affiliation}'/></query>`

/** Whether the message came to everybody; and if not, that it was refused as it has to be. */
async function heard(actor: Actor, all: readonly Actor[], say: () => void): Promise<boolean> {
  for (const one of all) await one.ignoresSoFar()
  say()
  const got = await actor.next()
  if (got.attrs['type'] === 'groupchat') {
    for (const one of all) if (one !== actor) assert.equal((await one.next()).attrs['type'], 'groupchat')
    return true
  }
  const error = got.child('error')!
  assert.ok(error.attrs['type'] === 'wait' && error.child('policy-violation'), got.toString())
  assert.match(error.child('text', STANZAS)!.text, /20 seconds/)
  for (const one of all) await one.hearsNothingMore()
  return false
}

scene('§6, §8: each account waits, by whatever nick and client; admins and owners do not', async (cast) => {
  const { romeo, juliet, juliet$phone, nurse, tybalt, stage } = cast
  await gather([romeo, juliet, nurse, tybalt])
  await enters(juliet$phone, { nick: 'other' })
  await romeo.sets(admin(nurse.bare, 'admin'), BALL)
  const all = [romeo, juliet, juliet$phone, nurse, tybalt]
  const may = (actor: Actor, what = () => says(actor, 'x')) => heard(actor, all, what)
  // Off at first.
  for (let i = 0; i < 3; i++) assert.ok(await may(juliet))
  await configures(romeo, { slow_mode_duration: '20' })
  assert.ok(await may(juliet))
  assert.ok(!(await may(juliet)))
  assert.ok(!(await may(juliet$phone)))
  assert.ok(await may(tybalt))
  for (let i = 0; i < 3; i++) for (const actor of [romeo, nurse]) assert.ok(await may(actor))
  // §6: what is no message is not counted.
  const typing = () =>
    juliet.sends(
      `<message type='groupchat' to='${BALL}'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
    )
  assert.ok(await may(juliet, typing))
  juliet.sends(`<presence to='${BALL}/newnick'/>`)
  stage.clock.advance(19_999)
  assert.ok(!(await may(juliet)))
  stage.clock.advance(1)
  // What was refused has not begun the time anew.
  assert.ok(await may(juliet))
  assert.ok(!(await may(juliet)))
  await configures(romeo, { slow_mode_duration: '0' })
  assert.ok(await may(juliet))
})

scene('§5.1, §5.2: it is set as a whole number, and everybody is told', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  const form = (await romeo.gets(`<query xmlns='http://jabber.org/protocol/muc#owner'/>`, BALL))
    .child('query')!
    .child('x')!
  const field = form.childrenOf('field').find(({ attrs }) => attrs['var'] === DURATION)!
  assert.equal(field.attrs['type'], 'text-single')
  const validate = field.child('validate', 'http://jabber.org/protocol/xdata-validate')!
  assert.equal(validate.attrs['datatype'], 'xs:integer')
  assert.equal(validate.child('range')?.attrs['min'], '0')
  assert.equal(field.child('value')?.text, '0')
  const told = async () => {
    const query = (await juliet.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, BALL)).child(
      'query',
    )!
    const fields = query.childrenOf('x').flatMap((x) => x.childrenOf('field'))
    return fields.find(({ attrs }) => attrs['var'] === 'muc#roominfo_slow_mode_duration')?.child('value')
      ?.text
  }
  assert.equal(await told(), '0')
  await configures(romeo, { slow_mode_duration: '20' })
  await juliet.receives(
    `<message type='groupchat' from='${BALL}'><x xmlns='http://jabber.org/protocol/muc#user'><status code='104'/></x></message>`,
  )
  assert.equal(await told(), '20')
  for (const value of ['-1', '1.5', 'x', '86401', '1e3']) {
    const reply = await romeo.asks(submission({ [DURATION]: value }))
    assert.ok(reply.child('error')?.child('not-acceptable'), value)
  }
  assert.equal(await told(), '20')
})
