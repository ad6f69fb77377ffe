// RFC 6121 §4.6: directed presence, its memory, and what a probe may learn of it.
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { arrives, friends, listens, subscribed } from '../support/friends.js'
import { scene, type Cast } from '../support/stage.js'

const error = (condition: string) =>
  `<error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text></error>`

/** The same conversation with a contact on this host and on another. */
function scenes(name: string, play: (juliet: Actor, romeo: Actor, cast: Cast) => Promise<void>): void {
  scene(`${name} (one host)`, (cast) => play(cast.juliet, cast.romeo, cast))
  scene(`${name} (two hosts)`, (cast) => play(cast.juliet, cast.other.romeo, cast))
}

scenes(
  'RFC 6121 §4.6.3: directed presence to a stranger: no broadcasts, but the end, once',
  async (juliet, romeo) => {
    await juliet.online()
    await romeo.online()
    juliet.sends(`<presence to='${romeo.full}'><status>Hi</status></presence>`)
    await romeo.receives(
      `<presence type='{none}' from='${juliet.full}' to='${romeo.full}'><status>Hi</status></presence>`,
    )
    juliet.sends('<presence><show>away</show></presence>')
    await romeo.hearsNothingMore()
    juliet.sends(`<presence type='unavailable'><status>Bye</status></presence>`)
    await romeo.receives(
      `<presence type='unavailable' from='${juliet.full}' to='${romeo.full}'><status>Bye</status></presence>`,
    )
    await juliet.leaves()
    await romeo.hearsNothingMore()
  },
)

scenes('RFC 6121 §4.6.3: a stranger hears of an end without a word, too', async (juliet, romeo) => {
  await juliet.online()
  await romeo.online()
  juliet.sends(`<presence to='${romeo.bare}'/>`)
  await romeo.receives(`<presence type='{none}' from='${juliet.full}' to='${romeo.bare}'/>`)
  await juliet.vanishes()
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}' to='${romeo.bare}'/>`)
  await romeo.hearsNothingMore()
})

scenes('RFC 6121 §4.6.3: a resource without initial presence may direct presence', async (juliet, romeo) => {
  await juliet.online()
  await romeo.online()
  await subscribed(romeo, juliet)
  juliet.sends(`<presence type='unavailable'/>`)
  await juliet.settled()
  await romeo.ignoresSoFar()
  juliet.sends(`<presence to='${romeo.bare}'/>`)
  await romeo.receives(`<presence type='{none}' from='${juliet.full}'/>`)
  await juliet.vanishes()
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
  await romeo.hearsNothingMore()
})

scenes(
  'RFC 6121 §4.6.3: a subscriber gets directed presence, the broadcasts, and one end',
  async (juliet, romeo) => {
    await juliet.online()
    await romeo.online()
    await subscribed(romeo, juliet)
    juliet.sends(`<presence to='${romeo.bare}'><show>chat</show></presence>`)
    await romeo.receives(`<presence type='{none}' from='${juliet.full}'><show>chat</show></presence>`)
    juliet.sends('<presence><show>away</show></presence>')
    await romeo.receives(`<presence type='{none}' from='${juliet.full}'><show>away</show></presence>`)
    juliet.sends(`<presence type='unavailable'/>`)
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    await romeo.hearsNothingMore()
  },
)

scenes(
  'RFC 6121 §4.6.1: who was told of the end, or left, is not told again',
  async (juliet, romeo, { stage }) => {
    const nurse = stage.actor('nurse', romeo.domain)
    for (const actor of [juliet, romeo, nurse]) await actor.online()
    for (const to of [romeo.full, nurse.full]) juliet.sends(`<presence to='${to}'/>`)
    await romeo.ignoresSoFar()
    await nurse.ignoresSoFar()
    juliet.sends(`<presence type='unavailable' to='${romeo.full}'/>`)
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}' to='${romeo.full}'/>`)
    nurse.sends(`<presence type='unavailable' to='${juliet.full}'/>`)
    await juliet.receives(`<presence type='unavailable' from='${nurse.full}' to='${juliet.full}'/>`)
    await juliet.leaves()
    await romeo.hearsNothingMore()
    await nurse.hearsNothingMore()
  },
)

scenes('RFC 6121 §4.6.1: a subscription takes precedence over directed presence', async (juliet, romeo) => {
  await juliet.online()
  await romeo.online()
  juliet.sends(`<presence to='${romeo.bare}'/>`)
  await friends(juliet, romeo)
  juliet.sends('<presence><show>away</show></presence>')
  await romeo.receives(`<presence type='{none}' from='${juliet.full}'><show>away</show></presence>`)
  juliet.sends(`<presence type='unsubscribed' to='${romeo.bare}'/>`)
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
})

scenes(
  'RFC 6121 §4.6.1: who became a subscriber after directed presence is told of the end once',
  async (juliet, romeo) => {
    await juliet.online()
    await romeo.online()
    juliet.sends(`<presence to='${romeo.bare}'/>`)
    await subscribed(romeo, juliet)
    juliet.sends(`<presence type='unavailable'/>`)
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    await romeo.hearsNothingMore()
  },
)

scene(
  'presence directed to an own resource adds nothing to the broadcasts that it gets',
  async ({ juliet, stage }) => {
    const chamber = stage.actor('juliet$chamber')
    await juliet.online()
    await chamber.online()
    juliet.sends(`<presence to='${chamber.full}'/>`)
    await chamber.ignoresSoFar()
    await juliet.vanishes()
    await chamber.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    await chamber.hearsNothingMore()
  },
)

scenes(
  'RFC 6121 §4.6.6: a client that got presence at its bare address may probe for it',
  async (juliet, romeo) => {
    await juliet.online('<presence><show>away</show></presence>')
    await romeo.online()
    juliet.sends(`<presence to='${romeo.bare}'/>`)
    await romeo.ignoresSoFar()
    romeo.sends(`<presence type='probe' to='${juliet.full}'/>`)
    await romeo.receives(`<presence type='{none}' from='${juliet.full}' to='${romeo.full}'/>`)
  },
)

scene(
  'RFC 6121 §4.6.6: who got directed presence may probe that resource, and learns no more than that',
  async ({ juliet, stage }) => {
    await juliet.online('<presence><show>away</show></presence>')
    await stage.actor('juliet$chamber').online()
    const heard = listens(stage)
    juliet.sends(`<presence to='lobby@rooms.example/juliet'/>`)
    await juliet.settled()
    heard.length = 0
    for (const to of [juliet.full, juliet.bare]) {
      await arrives(stage, `<presence type='probe' from='lobby@rooms.example/juliet' to='${to}' id='p1'/>`)
    }
    assert.deepEqual(heard.splice(0), Array(2).fill(`available ${juliet.full} lobby@rooms.example/juliet -`))
    await arrives(
      stage,
      `<presence type='probe' from='lobby@rooms.example/juliet' to='${juliet.bare}/chamber' id='p2'/>`,
    )
    assert.deepEqual(heard, [`unsubscribed ${juliet.bare} lobby@rooms.example p2`])
  },
)

scene(
  'directed presence is remembered within bounds: what is beyond them is refused, not forgotten',
  async ({ juliet, stage }) => {
    await juliet.online()
    const heard = listens(stage)
    for (let i = 0; i < 1000; i++) {
      juliet.sends(`<presence to='room${i}@rooms.example/j'/>`)
      if (i % 50 === 49) {
        await juliet.settled()
        stage.clock.advance(60_000)
      }
    }
    await juliet.ignoresSoFar()
    juliet.sends(`<presence to='room1000@rooms.example/j' id='p1'/>`)
    await juliet.receives(
      `<presence type='error' from='room1000@rooms.example/j' id='p1'>${error('resource-constraint')}</presence>`,
    )
    juliet.sends(`<presence to='room1@rooms.example/j' id='again'/>`)
    await juliet.hearsNothingMore()
    heard.length = 0
    await juliet.vanishes()
    await stage.settled()
    assert.equal(heard.filter((line) => line.startsWith('unavailable')).length, 1000)
  },
)

scene(
  'RFC 6121 §4.6.3: a resource without presence hears no broadcast, so it is told the end itself',
  async ({ romeo, juliet, juliet$phone }) => {
    await romeo.online()
    await juliet.online()
    await subscribed(juliet, romeo)
    await juliet$phone.connects()
    romeo.sends(`<presence to='${juliet$phone.full}'/>`)
    await juliet$phone.receives(`<presence from='${romeo.full}' to='${juliet$phone.full}'/>`)
    romeo.sends(`<presence type='unavailable'/>`)
    await juliet$phone.receives(
      `<presence from='${romeo.full}' to='${juliet$phone.full}' type='unavailable'/>`,
    )
    await juliet.receives(`<presence from='${romeo.full}' to='${juliet.bare}' type='unavailable'/>`)
    await juliet.hearsNothingMore()
  },
)
