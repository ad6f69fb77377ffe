// XEP-0045 §7.2.13, §7.2.14: what was said before one came in.
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { moodyArchive, roomIdOf, stands } from '../../support/room-archive.js'
import { BALL, enters, gather, says } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'
import type { Element } from '../../../src/xml/element.js'

const moment = (at: number) => new Date(at).toISOString()
const isMessage = ({ local }: Element) => local === 'message'
const bodyOf = (message: Element) => message.child('body')?.text

/** Comes in anew; gives the bodies of the history, in order. */
async function historyOf(actor: Actor, history = '', room = BALL): Promise<string> {
  const heard = await enters(actor, { room, x: history })
  const bodies = heard.slice(0, -1).filter(isMessage).map(bodyOf)
  await actor.ignoresSoFar()
  actor.sends(`<presence type='unavailable' to='${room}/${actor.local}'/>`)
  await actor.ignoresSoFar()
  return bodies.join(' ')
}

/** Says these one after the other, a second between them. */
async function speaks(actor: Actor, ...bodies: string[]): Promise<void> {
  for (const body of bodies) {
    says(actor, body, { id: `id of ${body}` })
    await actor.ignoresSoFar()
    actor.stage.clock.advance(1000)
  }
}

scene(
  'XEP-0045 §7.2.13: history after presence and before the subject, with its moments and ids',
  async (cast) => {
    const { romeo, juliet, nurse, stage } = cast
    await gather([romeo, juliet])
    const at = stage.clock.now()
    await speaks(romeo, 'a')
    await speaks(juliet, 'b')
    romeo.sends(`<message type='groupchat' to='${BALL}'><subject>Masks</subject></message>`)
    romeo.sends(
      `<message type='groupchat' to='${BALL}'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
    )
    romeo.sends(`<message type='chat' to='${BALL}/juliet'><body>psst</body></message>`)
    await romeo.ignoresSoFar()
    const heard = await enters(nurse)
    assert.deepEqual(
      heard.map(({ local }) => local),
      ['presence', 'presence', 'presence', 'message', 'message', 'message'],
    )
    const messages = heard.filter(isMessage)
    assert.deepEqual(
      messages.map((message) => [
        bodyOf(message),
        message.attrs['from'],
        message.attrs['id'],
        message.attrs['type'],
        message.child('delay', 'urn:xmpp:delay')?.attrs['from'],
        message.child('delay', 'urn:xmpp:delay')?.attrs['stamp'],
      ]),
      [
        ['a', `${BALL}/romeo`, 'id of a', 'groupchat', BALL, moment(at)],
        ['b', `${BALL}/juliet`, 'id of b', 'groupchat', BALL, moment(at + 1000)],
        [undefined, `${BALL}/romeo`, messages[2]!.attrs['id'], 'groupchat', BALL, moment(at + 2000)],
      ],
    )
    for (const message of messages.slice(0, 2)) {
      assert.ok(roomIdOf(message))
      assert.equal(message.childrenOf('occupant-id', 'urn:xmpp:occupant-id:0').length, 1)
      // §7.2.4: nor here.
      assert.ok(!message.toString().includes(juliet.bare))
    }
  },
)

scene('XEP-0045 §7.2.14: all four limits, each alone and together', async ({ romeo, juliet, stage }) => {
  await gather([romeo])
  const began = stage.clock.now()
  await speaks(romeo, 'a', 'b', 'c', 'd')
  await juliet.connects()
  const of = (attributes: string) => historyOf(juliet, `<history ${attributes}/>`)
  assert.equal(await historyOf(juliet), 'a b c d')
  assert.equal(await of(`maxstanzas='2'`), 'c d')
  assert.equal(await of(`maxstanzas='0'`), '')
  assert.equal(await of(`maxchars='0'`), '')
  assert.equal(await of(`seconds='0'`), '')
  assert.equal(await of(`seconds='2'`), 'c d')
  assert.equal(await of(`since='${moment(began + 1000)}'`), 'b c d')
  assert.equal(await of(`since='${moment(began + 1001)}'`), 'c d')
  assert.equal(await of(`since='1970-01-01T00:00:00Z'`), 'a b c d')
  assert.equal(await of(`since='${moment(began + 1000)}' maxstanzas='1'`), 'd')
  assert.equal(await of(`maxstanzas='3' seconds='2'`), 'c d')
  // What cannot be read limits nothing.
  assert.equal(await of(`maxstanzas='-1' seconds='many' since='then' maxchars=''`), 'a b c d')
})

scene('XEP-0045 §7.2.14: maxchars counts whole stanzas, and as many of them as fit', async (cast) => {
  const { romeo, juliet } = cast
  await gather([romeo])
  await speaks(romeo, 'a', 'b', 'c')
  await juliet.connects()
  const heard = (await enters(juliet)).filter(isMessage).slice(0, -1)
  // As it stands on the wire.
  const [size] = heard.map((message) => message.toString().replace(` xmlns="jabber:client"`, '').length)
  await romeo.ignoresSoFar()
  juliet.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
  await juliet.ignoresSoFar()
  const of = (characters: number) => historyOf(juliet, `<history maxchars='${characters}'/>`)
  assert.equal(await of(size! - 1), '')
  assert.equal(await of(size!), 'c')
  assert.equal(await of(2 * size! - 1), 'c')
  assert.equal(await of(2 * size!), 'b c')
  assert.equal(await of(65_000), 'a b c')
})

scene(
  'XEP-0045 §7.2.13: as many as the room shows, whoever wants more',
  async ({ romeo, juliet, nurse, stage }) => {
    await stands(stage, { 'muc#maxhistoryfetch': 2 })
    await stands(stage, { 'muc#maxhistoryfetch': 0 }, [], `tomb@conference.capulet.example`)
    await gather([romeo])
    await gather([romeo], 'tomb@conference.capulet.example')
    says(romeo, 'silence', { room: 'tomb@conference.capulet.example' })
    await speaks(romeo, 'a', 'b', 'c')
    await juliet.connects()
    assert.equal(await historyOf(juliet), 'b c')
    assert.equal(await historyOf(juliet, `<history maxstanzas='100'/>`), 'b c')
    assert.equal(await historyOf(juliet, '', 'tomb@conference.capulet.example'), '')
    // Nobody who came in wanted any: it has been read when somebody does.
    await nurse.connects()
    await speaks(romeo, 'd')
    assert.equal(await historyOf(nurse), 'c d')
  },
)

scene('XEP-0045 §7.2.13: history outlives everybody and the server', async (cast) => {
  const { romeo, juliet, juliet$phone: phone, stage } = cast
  await stands(stage)
  await gather([romeo])
  await speaks(romeo, 'a', 'b')
  romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
  await romeo.ignoresSoFar()
  await juliet.connects()
  assert.equal(await historyOf(juliet), 'a b')
  await stage.isSucceeded()
  await phone.connects()
  assert.equal(await historyOf(phone), 'a b')
})

scene('XEP-0045 §7.2.13: where nothing is kept, what was said since somebody was in', async (cast) => {
  const { romeo, juliet, stage } = cast
  await stands(stage, { 'muc#roomconfig_enablearchiving': false })
  await gather([romeo])
  await speaks(romeo, 'a', 'b')
  await juliet.connects()
  assert.equal(await historyOf(juliet), 'a b')
})

scene('XEP-0045 §7.2.1: who has lost count gets the history again', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  await speaks(romeo, 'a')
  await juliet.ignoresSoFar()
  const heard = await enters(juliet)
  assert.deepEqual(heard.filter(isMessage).map(bodyOf), ['a', undefined])
})

const away = moodyArchive()
scene(
  'P8: while the archive cannot be read one comes in without history',
  async ({ romeo, juliet, stage }) => {
    await stands(stage)
    await gather([romeo])
    await speaks(romeo, 'a')
    romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
    await romeo.ignoresSoFar()
    await juliet.connects()
    away.unreadable = true
    assert.equal(await historyOf(juliet), '')
    assert.match(stage.logged.join('\n'), /rooms\.no-history/)
    away.unreadable = false
    assert.equal(await historyOf(juliet), 'a')
  },
  { stores: away.stores },
)
