/** What comes from rooms that are not ours: which devices get it, what is kept, and what stands in the archive. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { archiveOf } from '../support/archive.js'
import { Component, known } from '../support/component.js'
import { scene, type Stage } from '../support/stage.js'

const ROOMS = 'rooms.capulet.example'
const room = `vault@${ROOMS}`
const withRooms = { set: [known(ROOMS)] }
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const mark = `<x xmlns='http://jabber.org/protocol/muc#user'/>`
const unavailable = `<error type='cancel'><service-unavailable xmlns='${STANZAS}'/></error>`

async function service(stage: Stage): Promise<Component> {
  const rooms = new Component(stage, ROOMS)
  await rooms.connects()
  return rooms
}

async function enters(actor: Actor, rooms: Component): Promise<void> {
  actor.sends(`<presence to='${room}/juliet'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
  await rooms.receives(
    `<presence from='${actor.full}' to='${room}/juliet'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
  )
}

const invitation = (to: string, inviter: string) =>
  `<message from='${room}' to='${to}' id='i'><x xmlns='http://jabber.org/protocol/muc#user'><invite from='${inviter}'><reason>come</reason></invite></x></message>`
const direct = (to: string) =>
  `<message to='${to}' id='d'><x xmlns='jabber:x:conference' jid='${room}' password='cauldronburn' reason='for all good witches' continue='true' thread='e0ff'/></message>`
const copyOf = (which: 'sent' | 'received', inner: string) =>
  `<message><${which} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>${inner.replace('<message', `<message xmlns='jabber:client'`)}</forwarded></${which}></message>`

scene(
  'XEP-0045 §7.5: what is said in private comes to each device in the room, and stands in the archive once',
  async ({ juliet, juliet$phone, stage }) => {
    const rooms = await service(stage)
    for (const actor of [juliet, juliet$phone]) {
      await actor.online()
      await enters(actor, rooms)
    }
    for (const actor of [juliet, juliet$phone]) await actor.ignoresSoFar()
    const said = (id: string, to: string, more = '') =>
      `<message from='${room}/romeo' to='${to}' type='chat' id='${id}'><body>${id}</body>${mark}${more}</message>`
    const origin = `<origin-id xmlns='urn:xmpp:sid:0' id='o'/>`
    for (const [id, more] of [
      ['plain', ''],
      ['named', origin],
    ] as const) {
      const ids: (string | undefined)[] = []
      for (const actor of [juliet, juliet$phone]) {
        rooms.sends(said(id, actor.full, more))
        const got = await actor.next()
        assert.equal(got.attrs['id'], id)
        ids.push(got.child('stanza-id')?.attrs['id'])
      }
      assert.ok(ids[0] !== undefined && ids[0] === ids[1])
    }
    // Somebody else may use the same names for something else.
    rooms.sends(
      `<message from='${room}/nurse' to='${juliet.full}' type='chat' id='named'><body>other</body>${mark}${origin}</message>`,
    )
    assert.equal((await juliet.next()).child('body')?.text, 'other')
    assert.deepEqual((await archiveOf(juliet)).bodies, ['plain', 'named', 'other'])
  },
  withRooms,
)

scene(
  'XEP-0045 §18.1.2: what was said in private to a device that is gone goes to no other, and its room is told',
  async ({ juliet, juliet$phone, stage }) => {
    const rooms = await service(stage)
    await juliet.online()
    await juliet$phone.online()
    await enters(juliet$phone, rooms)
    const gone = juliet$phone.full
    juliet$phone.raw('</stream:stream>')
    await rooms.receives(`<presence from='${gone}' to='${room}/juliet' type='unavailable'/>`)
    await juliet.ignoresSoFar()
    for (const type of ['chat', 'normal']) {
      rooms.sends(
        `<message from='${room}/romeo' to='${gone}' type='${type}' id='pm'><body>psst</body>${mark}</message>`,
      )
      await rooms.receives(
        `<message from='${gone}' to='${room}/romeo' type='error' id='pm'>${unavailable}</message>`,
      )
    }
    await juliet.hearsNothingMore()
    // Words of somebody who is in no room reach her wherever she is (RFC 6121 §8.5.3.2.1).
    rooms.sends(
      `<message from='romeo@${ROOMS}/x' to='${gone}' type='chat' id='c'><body>ohai</body></message>`,
    )
    await juliet.receives(`<message id='c'><body>ohai</body></message>`)
  },
  withRooms,
)

scene(
  'XEP-0045 §7.8.2, XEP-0249: who is away is invited all the same, and finds it in the archive',
  async ({ romeo, juliet, juliet$phone, stage }) => {
    const rooms = await service(stage)
    await romeo.online()
    await juliet.online()
    await juliet.leaves()
    const asked = invitation(juliet.bare, romeo.bare)
    rooms.sends(asked)
    romeo.sends(direct(juliet.bare))
    await romeo.settled()
    await rooms.settled()
    await juliet.online()
    await juliet.receives(
      asked.replace('</message>', `<delay xmlns='urn:xmpp:delay'>{any}</delay></message>`),
    )
    await juliet.receives(
      direct(juliet.bare).replace('</message>', `<delay xmlns='urn:xmpp:delay'>{any}</delay></message>`),
    )
    const { results } = await archiveOf(juliet)
    const kept = results.map((result) => result.child('forwarded')?.child('message')?.attrs['id'])
    assert.deepEqual(kept, ['i', 'd'])
    // XEP-0280 §6.1: both are copied.
    await juliet$phone.online()
    await juliet$phone.sets(`<enable xmlns='urn:xmpp:carbons:2'/>`)
    for (const actor of [juliet, juliet$phone]) await actor.ignoresSoFar()
    for (const [sender, message] of [
      [rooms, invitation(juliet.full, romeo.bare)],
      [romeo, direct(juliet.full)],
    ] as const) {
      sender.sends(message)
      await juliet.receives(message)
      await juliet$phone.receives(copyOf('received', message))
    }
    const said = direct(romeo.bare)
    juliet.sends(said)
    await juliet$phone.receives(copyOf('sent', said))
  },
  withRooms,
)

scene(
  'XEP-0045 §7.8.2, XEP-0191: an invitation of somebody who is blocked is heard by nobody',
  async ({ romeo, nurse, juliet, stage }) => {
    const rooms = await service(stage)
    await juliet.online()
    await juliet.sets(`<block xmlns='urn:xmpp:blocking'><item jid='${romeo.bare}'/></block>`)
    rooms.sends(invitation(juliet.bare, romeo.full))
    rooms.sends(invitation(juliet.bare, romeo.bare))
    rooms.sends(invitation(juliet.bare, nurse.bare))
    await juliet.receives(invitation(juliet.bare, nurse.bare))
    await juliet.hearsNothingMore()
    await rooms.hearsNothingMore()
    const { results } = await archiveOf(juliet)
    assert.equal(results.length, 1)
  },
  withRooms,
)
