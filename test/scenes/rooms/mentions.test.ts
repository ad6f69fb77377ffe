/** XEP-0452: who belongs to a room and is away hears of being mentioned there. */
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { BALL, configures, gather } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

const reference = (uri: string) =>
  `<reference xmlns='urn:xmpp:reference:0' type='mention' begin='0' end='5' uri='xmpp:${uri}'/>`
const says = (actor: Actor, ...mentioned: string[]) =>
  actor.sends(
    `<message type='groupchat' id='m' to='${BALL}'><body>nurse: come</body>${mentioned.map(reference).join('')}</message>`,
  )
const become = (actor: Actor, jid: string, affiliation: string, nick = '') =>
  actor.sets(
    `<query xmlns='http://jabber.org/protocol/muc#admin'><item jid='${jid}' affiliation='${affiliation}'${nick && ` nick='${nick}'`}/></query>`,
    BALL,
  )

scene(
  '§3.2: a member who is away gets the message as it was said, once',
  async ({ romeo, juliet, nurse }) => {
    await gather([romeo, juliet])
    await nurse.online()
    await become(romeo, nurse.bare, 'member', 'Angelica')
    await nurse.ignoresSoFar()
    // §3.1: only where owners want it.
    says(juliet, nurse.bare)
    await nurse.hearsNothingMore()
    await configures(romeo, { forwardmentions: 'true' })
    says(juliet, nurse.bare, `${BALL}/Angelica`, 'stranger@example.com')
    const got = await nurse.next()
    assert.deepEqual([got.attrs['from'], got.attrs['to'], got.attrs['type']], [BALL, nurse.bare, undefined])
    const forwarded = got.child('mentions', 'urn:xmpp:mmn:0')!.child('forwarded', 'urn:xmpp:forward:0')!
    assert.ok(forwarded.child('delay', 'urn:xmpp:delay')?.attrs['stamp'])
    const message = forwarded.child('message', 'jabber:client')!
    assert.deepEqual(
      [message.attrs['from'], message.attrs['to'], message.attrs['id'], message.attrs['type']],
      [`${BALL}/juliet`, BALL, 'm', 'groupchat'],
    )
    await romeo.ignoresSoFar()
    await juliet.ignoresSoFar()
    says(juliet, nurse.bare)
    const said = await romeo.next()
    const kept = (await nurse.next()).child('mentions')!.child('forwarded')!.child('message')!
    const idOf = (one: typeof said) => one.child('stanza-id')?.attrs['id']
    assert.ok(idOf(said) !== undefined && idOf(said) === idOf(kept))
    await nurse.hearsNothingMore()
    // By the nick that is reserved for her.
    says(juliet, `${BALL}/Angelica`)
    assert.ok((await nurse.next()).child('mentions'))
  },
)

scene('§2, §3.2: nobody hears who is in the room, or is none of its people', async (cast) => {
  const { romeo, juliet, nurse, tybalt } = cast
  await gather([romeo, juliet])
  for (const actor of [nurse, tybalt]) await actor.online()
  await configures(romeo, { forwardmentions: '1' })
  await become(romeo, juliet.bare, 'member')
  await become(romeo, tybalt.bare, 'outcast')
  for (const actor of [romeo, juliet, nurse, tybalt]) await actor.ignoresSoFar()
  says(romeo, juliet.bare, nurse.bare, tybalt.bare, `${BALL}/juliet`, `${BALL}/nobody`, BALL)
  for (const actor of [romeo, juliet]) assert.equal((await actor.next()).attrs['type'], 'groupchat')
  for (const actor of [romeo, juliet, nurse, tybalt]) await actor.hearsNothingMore()
  // Away, she does.
  juliet.sends('<presence/>')
  juliet.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
  await juliet.ignoresSoFar()
  says(romeo, juliet.bare)
  assert.ok((await juliet.next()).child('mentions'))
})

scene('§2: who is not even connected finds it later', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet])
  await nurse.online()
  await nurse.leaves()
  await become(romeo, nurse.bare, 'member')
  await configures(romeo, { forwardmentions: '1' })
  says(juliet, nurse.bare)
  await juliet.settled()
  await nurse.online()
  const got = await nurse.next()
  assert.ok(got.child('mentions') && got.child('delay'))
  await nurse.hearsNothingMore()
})
