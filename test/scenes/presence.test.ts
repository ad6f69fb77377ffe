// RFC 6121 §4: exchanging presence information.
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { arrives, friends, grants, listens, subscribed } from '../support/friends.js'
import { scene, type Cast } from '../support/stage.js'

/** The same conversation with a contact on this host and on another. */
function scenes(name: string, play: (juliet: Actor, romeo: Actor, cast: Cast) => Promise<void>): void {
  scene(`${name} (one host)`, (cast) => play(cast.juliet, cast.romeo, cast))
  scene(`${name} (two hosts)`, (cast) => play(cast.juliet, cast.other.romeo, cast))
}

scenes(
  'RFC 6121 §4.2.2, §4.2.3: initial presence goes to subscribers and to nobody else',
  async (juliet, romeo, { stage }) => {
    const nurse = stage.actor('nurse', juliet.domain)
    const phone = stage.actor('romeo$phone', romeo.domain)
    const connected = stage.actor('romeo$connected', romeo.domain)
    for (const actor of [juliet, romeo, nurse, phone]) await actor.online()
    await connected.connects()
    await subscribed(romeo, juliet)
    await subscribed(juliet, nurse)
    await juliet.leaves()
    for (const actor of [romeo, phone, nurse]) await actor.ignoresSoFar()

    await juliet.connects()
    juliet.sends(`<presence id='p1' xml:lang='it'><show>chat</show><x xmlns='x:y' z='1'/></presence>`)
    for (const actor of [romeo, phone]) {
      await actor.receives(
        `<presence from='${juliet.full}' to='${romeo.bare}' id='p1' xml:lang='it'><show>chat</show><x xmlns='x:y' z='1'/></presence>`,
      )
      await actor.hearsNothingMore()
    }
    await nurse.hearsNothingMore()
    await connected.hearsNothingMore()
  },
)

scene(
  'RFC 6121 §4.2.2: every available resource of the account hears it, the new one too, which hears of them',
  async (cast) => {
    const juliet = cast.juliet
    const { stage } = cast
    const chamber = stage.actor('juliet$chamber')
    const connected = stage.actor('juliet$connected')
    await chamber.online('<presence><show>dnd</show></presence>')
    await connected.connects()
    await juliet.connects()
    juliet.sends(`<presence><priority>5</priority></presence>`)
    await chamber.receives(`<presence type='{none}' from='${juliet.full}'><priority>5</priority></presence>`)
    await juliet.receivesInAnyOrder(
      `<presence type='{none}' from='${juliet.full}'><priority>5</priority></presence>`,
      `<presence type='{none}' from='${chamber.full}'><show>dnd</show></presence>`,
    )
    await juliet.hearsNothingMore()
    await chamber.hearsNothingMore()
    await connected.hearsNothingMore()
  },
)

scenes(
  'RFC 6121 §4.3: a resource that appears learns the presence of the contacts, the others hear nothing again',
  async (juliet, romeo, { stage }) => {
    const chamber = stage.actor('juliet$chamber', juliet.domain)
    const phone = stage.actor('romeo$phone', romeo.domain)
    await chamber.online()
    await romeo.online(`<presence id='p1'><show>away</show></presence>`)
    await phone.online(`<presence id='p2'/>`)
    await subscribed(chamber, romeo)
    await phone.ignoresSoFar()

    await juliet.connects()
    juliet.sends('<presence/>')
    await juliet.receivesInAnyOrder(
      `<presence from='${juliet.full}'/>`,
      `<presence from='${chamber.full}'/>`,
      `<presence type='{none}' from='${romeo.full}' id='p1'><show>away</show></presence>`,
      `<presence type='{none}' from='${phone.full}' id='p2'/>`,
    )
    await juliet.hearsNothingMore()
    await romeo.hearsNothingMore()
    await phone.hearsNothingMore()
  },
)

scenes(
  'RFC 6121 §4.4.2: later presence is told to subscribers and own resources; nobody is probed again',
  async (juliet, romeo, { stage }) => {
    const chamber = stage.actor('juliet$chamber', juliet.domain)
    for (const actor of [juliet, chamber, romeo]) await actor.online()
    await friends(juliet, romeo)
    await chamber.ignoresSoFar()
    juliet.sends(`<presence><show>away</show><status>Out</status></presence>`)
    const expected = `<presence type='{none}' from='${juliet.full}'><show>away</show><status>Out</status></presence>`
    for (const actor of [juliet, chamber, romeo]) {
      await actor.receives(expected)
      await actor.hearsNothingMore()
    }
  },
)

scenes(
  'RFC 6121 §4.5.2, §4.5.3: unavailable, with its status, to subscribers, own resources and the sender',
  async (juliet, romeo, { stage }) => {
    const chamber = stage.actor('juliet$chamber', juliet.domain)
    for (const actor of [juliet, chamber, romeo]) await actor.online()
    await friends(juliet, romeo)
    await chamber.ignoresSoFar()
    juliet.sends(`<presence type='unavailable'><status>Gone</status></presence>`)
    for (const actor of [juliet, chamber, romeo]) {
      await actor.receives(
        `<presence type='unavailable' from='${juliet.full}'><status>Gone</status></presence>`,
      )
    }
    // Not available any more: it hears nothing, and its end is no news.
    romeo.sends('<presence><show>dnd</show></presence>')
    await romeo.ignoresSoFar()
    await juliet.hearsNothingMore()
    await chamber.ignoresSoFar()
    await juliet.leaves()
    await romeo.hearsNothingMore()
    await chamber.hearsNothingMore()
  },
)

scenes(
  'RFC 6121 §4.5.2: presence after unavailable presence is initial presence again',
  async (juliet, romeo) => {
    for (const actor of [juliet, romeo]) await actor.online()
    await friends(juliet, romeo)
    juliet.sends(`<presence type='unavailable'/>`)
    await juliet.ignoresSoFar()
    await romeo.ignoresSoFar()
    juliet.sends('<presence/>')
    await romeo.receives(`<presence type='{none}' from='${juliet.full}'/>`)
    await juliet.receivesInAnyOrder(
      `<presence from='${juliet.full}'/>`,
      `<presence type='{none}' from='${romeo.full}'/>`,
    )
  },
)

scenes(
  'RFC 6121 §4.5.2: the server makes the unavailable presence of who goes without a word',
  async (juliet, romeo, { stage }) => {
    const chamber = stage.actor('juliet$chamber', juliet.domain)
    for (const actor of [juliet, chamber, romeo]) await actor.online()
    await friends(juliet, romeo)
    await chamber.ignoresSoFar()
    await juliet.vanishes()
    for (const actor of [chamber, romeo]) {
      await actor.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
      await actor.hearsNothingMore()
    }
  },
)

scene(
  'RFC 6121 §4.5.2: a resource that is replaced by another is unavailable too',
  async ({ juliet, romeo, stage }) => {
    for (const actor of [juliet, romeo]) await actor.online()
    await friends(juliet, romeo)
    await stage.actor('juliet$balcony').connects()
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    await romeo.hearsNothingMore()
  },
)

// Probes ------------------------------------------------------------------------------------------------------------

scene(
  'RFC 6121 §4.3.2: who is not subscribed learns nothing, whether there is such an account or not',
  async ({ juliet, stage }) => {
    await juliet.online()
    const heard = listens(stage)
    for (const to of [juliet.bare, juliet.full, `${juliet.bare}/none`]) {
      await arrives(stage, `<presence type='probe' from='paris@else.example' to='${to}' id='p1'/>`)
    }
    assert.deepEqual(heard, Array(3).fill(`unsubscribed ${juliet.bare} paris@else.example p1`))
    await juliet.hearsNothingMore()
  },
)

scene(
  'RFC 6121 §4.3.2: a subscriber is told of every available resource, or that there is none',
  async ({ juliet, stage }) => {
    const chamber = stage.actor('juliet$chamber')
    await juliet.online(`<presence id='p1'><show>away</show></presence>`)
    await chamber.online(`<presence id='p2'/>`)
    await stage.actor('juliet$connected').connects()
    await grants(juliet, 'paris@else.example')
    const heard = listens(stage)
    await arrives(stage, `<presence type='probe' from='paris@else.example' to='${juliet.bare}' id='probe1'/>`)
    assert.deepEqual(heard.splice(0).sort(), [
      `available ${juliet.full} paris@else.example p1 <show>away</show>`,
      `available ${chamber.full} paris@else.example p2`,
    ])
    await juliet.leaves()
    await chamber.leaves()
    heard.length = 0
    await arrives(stage, `<presence type='probe' from='paris@else.example' to='${juliet.bare}' id='probe2'/>`)
    assert.deepEqual(heard, [`unavailable ${juliet.bare} paris@else.example probe2`])
  },
)

scene(
  'RFC 6121 §4.3.2: a subscriber learns since when nobody is there, a stranger does not',
  async ({ juliet, stage }) => {
    await juliet.online()
    await grants(juliet, 'paris@else.example')
    await juliet.leaves()
    const left = new Date(stage.clock.now()).toISOString()
    const heard = listens(stage)
    for (const wait of [0, 3_600_000]) {
      stage.clock.advance(wait)
      await arrives(stage, `<presence type='probe' from='paris@else.example' to='${juliet.bare}' id='p'/>`)
      const delay = `<delay xmlns="urn:xmpp:delay" from="${juliet.bare}" stamp="${left}"/>`
      assert.deepEqual(heard.splice(0), [`unavailable ${juliet.bare} paris@else.example p ${delay}`])
    }
    await arrives(stage, `<presence type='probe' from='tybalt@else.example' to='${juliet.bare}' id='q'/>`)
    assert.deepEqual(heard.splice(0), [`unsubscribed ${juliet.bare} tybalt@else.example q`])
    const lost = stage.stores.map(stage.domain, 'last-activity')
    assert.ok(await lost.get('juliet'))
    await lost.delete('juliet')
    await arrives(stage, `<presence type='probe' from='paris@else.example' to='${juliet.bare}' id='r'/>`)
    assert.deepEqual(heard, [`unavailable ${juliet.bare} paris@else.example r`])
  },
)

scene(
  'RFC 6121 §4.3.2: a probe of one resource tells of that one, and only that it is there',
  async ({ juliet, stage }) => {
    await juliet.online('<presence><show>away</show></presence>')
    await stage.actor('juliet$chamber').online()
    await grants(juliet, 'paris@else.example')
    const heard = listens(stage)
    await arrives(stage, `<presence type='probe' from='paris@else.example' to='${juliet.full}' id='p1'/>`)
    assert.deepEqual(heard.splice(0), [`available ${juliet.full} paris@else.example -`])
    await arrives(
      stage,
      `<presence type='probe' from='paris@else.example' to='${juliet.bare}/none' id='p2'/>`,
    )
    assert.deepEqual(heard, [`unavailable ${juliet.bare}/none paris@else.example p2`])
  },
)

scene(
  'RFC 6121 §4.3.2: the answer to a probe does not cancel an approval in advance',
  async ({ juliet, stage }) => {
    await juliet.online()
    juliet.sends(`<presence type='subscribed' to='paris@else.example'/>`)
    await juliet.ignoresSoFar()
    const heard = listens(stage)
    await arrives(stage, `<presence type='probe' from='paris@else.example' to='${juliet.bare}' id='p1'/>`)
    await arrives(stage, `<presence type='subscribe' from='paris@else.example' to='${juliet.bare}' id='s1'/>`)
    assert.deepEqual(heard.slice(0, 2), [
      `unsubscribed ${juliet.bare} paris@else.example p1`,
      `subscribed ${juliet.bare} paris@else.example s1`,
    ])
  },
)

scenes('RFC 6121 §4.3: a client may probe; it is told what its account may know', async (juliet, romeo) => {
  await juliet.online()
  await romeo.online('<presence><show>xa</show></presence>')
  juliet.sends(`<presence type='probe' to='${romeo.bare}'/>`)
  await juliet.hearsNothingMore()
  await subscribed(juliet, romeo)
  juliet.sends(`<presence type='probe' to='${romeo.bare}'/>`)
  await juliet.receives(`<presence type='{none}' from='${romeo.full}'><show>xa</show></presence>`)
  juliet.sends(`<presence type='probe'/>`)
  await juliet.hearsNothingMore()
  await romeo.hearsNothingMore()
})

scene(
  'RFC 6121 §4.3.1: contacts on other servers are probed once per session, from bare to bare',
  async ({ juliet, stage }) => {
    await juliet.online()
    juliet.sends(`<presence type='subscribe' to='paris@else.example'/>`)
    await juliet.settled()
    await arrives(stage, `<presence type='subscribed' from='paris@else.example' to='${juliet.bare}'/>`)
    juliet.sends(`<presence type='subscribe' to='tybalt@else.example'/>`)
    await juliet.ignoresSoFar()
    await juliet.leaves()
    const heard = listens(stage)
    await juliet.online()
    juliet.sends('<presence><show>away</show></presence>')
    await stage.settled()
    // RFC 6121 §3.1.2: the request that was not answered is sent again.
    assert.deepEqual(
      heard.map((line) => line.replace(/ \S+$/, '')),
      [`probe ${juliet.bare} paris@else.example`, `subscribe ${juliet.bare} tybalt@else.example`],
    )
    // Another resource has to learn it all itself, but asks nobody again.
    heard.length = 0
    await stage.actor('juliet$chamber').online()
    assert.deepEqual(
      heard.filter((line) => !line.startsWith('available')).map((line) => line.replace(/ \S+$/, '')),
      [`probe ${juliet.bare} paris@else.example`],
    )
  },
)

scene('an account may probe itself', async ({ juliet, stage }) => {
  const chamber = stage.actor('juliet$chamber')
  await juliet.online()
  await chamber.online('<presence><show>away</show></presence>')
  await juliet.ignoresSoFar()
  juliet.sends(`<presence type='probe' to='${juliet.bare}'/>`)
  await juliet.receivesInAnyOrder(
    `<presence type='{none}' from='${juliet.full}' to='${juliet.full}'/>`,
    `<presence type='{none}' from='${chamber.full}' to='${juliet.full}'><show>away</show></presence>`,
  )
})

scene('the domain itself has no presence to share', async ({ juliet }) => {
  await juliet.online()
  juliet.sends(`<presence type='subscribe' to='${juliet.domain}'/>`)
  await juliet.receivesInAnyOrder(
    `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${juliet.domain}' ask='subscribe'/></query></iq>`,
    `<presence type='unsubscribed' from='${juliet.domain}' to='${juliet.bare}'/>`,
    `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${juliet.domain}' subscription='none' ask='{none}'/></query></iq>`,
  )
  juliet.sends(`<presence to='${juliet.domain}'/>`)
  juliet.sends(`<presence type='probe' to='${juliet.domain}'/>`)
  await juliet.hearsNothingMore()
})

// Syntax ------------------------------------------------------------------------------------------------------------

scene('RFC 6121 §4.7.1: a type that does not exist', async ({ juliet, romeo }) => {
  await juliet.online()
  await romeo.online()
  for (const to of ['', ` to='${romeo.bare}'`]) {
    juliet.sends(`<presence type='available' id='p1'${to}/>`)
    const reply = await juliet.next()
    assert.equal(reply.attrs['type'], 'error')
    assert.ok(reply.child('error')?.child('bad-request'))
  }
  await romeo.hearsNothingMore()
})

for (const [priority, refused] of [
  ['-128', false],
  ['127', false],
  [' 5 ', false],
  ['-129', true],
  ['128', true],
  ['1.5', true],
  ['high', true],
  ['', true],
  ['0x10', true],
] as const) {
  scene(
    `RFC 6121 §4.7.2.3: priority "${priority}" is ${refused ? 'refused' : 'taken'}`,
    async ({ juliet }) => {
      await juliet.connects()
      juliet.sends(`<presence id='p1'><priority>${priority}</priority></presence>`)
      const reply = await juliet.next()
      assert.equal(reply.attrs['type'], refused ? 'error' : undefined)
      if (refused) assert.ok(reply.child('error')?.child('bad-request'))
    },
  )
}

scene('RFC 6121 §4.7.2.3: one priority at most', async ({ juliet }) => {
  await juliet.connects()
  juliet.sends(`<presence><priority>1</priority><priority>1</priority></presence>`)
  const reply = await juliet.next()
  assert.ok(reply.child('error')?.child('bad-request'))
})

scene(
  'RFC 6121 §8.5.3.1: presence of type error goes to the resource it is for',
  async ({ juliet, stage }) => {
    const chamber = stage.actor('juliet$chamber')
    await juliet.online()
    await chamber.online()
    await juliet.ignoresSoFar()
    await chamber.ignoresSoFar()
    const failed = `<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`
    await arrives(
      stage,
      `<presence type='error' from='lobby@rooms.example' to='${juliet.full}'>${failed}</presence>`,
    )
    await juliet.receives(`<presence type='error' from='lobby@rooms.example'>${failed}</presence>`)
    await arrives(
      stage,
      `<presence type='error' from='lobby@rooms.example' to='${juliet.bare}'>${failed}</presence>`,
    )
    await juliet.hearsNothingMore()
    await chamber.hearsNothingMore()
  },
)

scene(
  'RFC 6121 §8.5.2.1.2, §8.5.3.2.2: presence for a resource that is gone is for nobody',
  async ({ juliet, stage }) => {
    await juliet.online()
    for (const type of ['', ` type='unavailable'`]) {
      await arrives(stage, `<presence${type} from='paris@else.example/x' to='${juliet.bare}/gone'/>`)
    }
    await juliet.hearsNothingMore()
    await arrives(stage, `<presence from='paris@else.example/x' to='${juliet.bare}'/>`)
    await juliet.receives(`<presence from='paris@else.example/x' to='${juliet.bare}'/>`)
  },
)
