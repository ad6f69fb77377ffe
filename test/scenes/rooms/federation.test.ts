// Two servers and one room: everything works across, and whatever breaks, nobody is left in silence.
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { codes, enters, entrance, says, x } from '../../support/rooms.js'
import { DOMAIN, FAR_DOMAIN, scene, type Cast, type Stage, type StageOptions } from '../../support/stage.js'

const FAR_ROOMS = `conference.${FAR_DOMAIN}`
const room = `orchard@${FAR_ROOMS}`
const OUT = `<item affiliation='{any}' role='none'/>`
const federated: StageOptions = { set: ['limits.idle_ping=24h'], far: { set: ['limits.idle_ping=24h'] } }

/** juliet's room on her server, and romeo of the other one in it; both have read all so far. */
async function inTheOrchard({ romeo, far: { juliet }, stage }: Cast): Promise<void> {
  for (const domain of [DOMAIN, FAR_DOMAIN, FAR_ROOMS]) stage.network.certificates.add(domain)
  await enters(juliet, { room })
  await juliet.sets(
    `<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>`,
    room,
  )
  await enters(romeo, { room })
  await acknowledged(stage, romeo, juliet)
}

/** What the servers have acknowledged to each other does not come again; nor do the two read it again. */
async function acknowledged(stage: Stage, ...all: readonly Actor[]): Promise<void> {
  // The question, the answer, and what is stored because of it.
  for (let i = 0; i < 3; i++) await stage.passes(2_000)
  for (const who of all) await who.ignoresSoFar()
}

/** Enters again, as clients do that were told to. */
async function returns(who: Actor): Promise<void> {
  who.sends(entrance(who, { room }))
  for (;;) {
    const stanza = await who.next('all up to the subject of the room')
    assert.notEqual(stanza.attrs['type'], 'error', stanza.toString())
    if (stanza.child('subject')) return
  }
}

async function hear(body: string, ...all: readonly Actor[]): Promise<void> {
  for (const who of all) await who.receives(`<message type='groupchat'><body>${body}</body>{any}</message>`)
}

scene(
  'In a room of another server one is like all others',
  async (cast) => {
    const {
      romeo,
      far: { juliet },
    } = cast
    await inTheOrchard(cast)
    for (const [who, body] of [
      [romeo, 'But soft!'],
      [juliet, 'Ay me!'],
      [romeo, 'She speaks.'],
    ] as const) {
      says(who, body, { room })
      for (const reader of [romeo, juliet])
        await reader.receives(
          `<message type='groupchat' from='${room}/${who.local}' to='${reader.full}'><body>${body}</body></message>`,
        )
    }
    romeo.sends(
      `<message type='chat' to='${room}/juliet'><body>O speak again</body><x xmlns='http://jabber.org/protocol/muc#user'/></message>`,
    )
    await juliet.receives(
      `<message type='chat' from='${room}/romeo'><body>O speak again</body>${x()}</message>`,
    )
    romeo.sends(`<presence to='${room}/new baptized'/>`)
    await juliet.receives(
      `<presence type='unavailable' from='${room}/romeo'>${x(`<item nick='new baptized'/>`, codes(303))}</presence>`,
    )
    await juliet.ignoresSoFar()
    await romeo.ignoresSoFar()
    await juliet.sets(
      `<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='new baptized' role='none'><reason>the place is death</reason></item></query>`,
      room,
    )
    await romeo.receives(
      `<presence type='unavailable' from='${room}/new baptized'>${x(`<item affiliation='none' role='none'><actor nick='juliet'/><reason>the place is death</reason></item>`, codes(307, 110))}</presence>`,
    )
  },
  federated,
)

scene(
  'kill -9 of the server with the room: who was in is told, comes back, and finds what was said',
  async (cast) => {
    const {
      romeo,
      far: { juliet },
      stage,
    } = cast
    await inTheOrchard(cast)
    says(romeo, 'But soft!', { room })
    await acknowledged(stage, romeo, juliet)
    stage.network.cut()
    await stage.far!.isSucceeded()
    await romeo.receives(
      `<presence type='unavailable' from='${room}/romeo' to='${romeo.full}'>${x(OUT, codes(333, 110))}</presence>`,
    )
    romeo.sends(entrance(romeo, { room }))
    await romeo.receives(`<presence from='${room}/romeo'>{any}</presence>`)
    await romeo.receives(
      `<message type='groupchat' from='${room}/romeo'><body>But soft!</body>{any}</message>`,
    )
  },
  federated,
)

scene(
  'The server with the room is restarted: everybody hears it, and comes back into the same room',
  async (cast) => {
    const {
      romeo,
      far: { juliet },
      stage,
    } = cast
    await inTheOrchard(cast)
    await stage.far!.restarts()
    await romeo.receives(
      `<presence type='unavailable' from='${room}/romeo'>${x(OUT, codes(332, 110))}</presence>`,
    )
    await juliet.isGone()
    juliet.isConnected = false
    await returns(romeo)
    await enters(juliet, { room })
    await romeo.receives(
      `<presence from='${room}/juliet'>${x(`<item affiliation='owner' role='moderator'/>`)}</presence>`,
    )
  },
  federated,
)

scene(
  'The link breaks for long: the room puts us out, and when it is there again we are told',
  async (cast) => {
    const {
      romeo,
      far: { juliet },
      stage,
    } = cast
    await inTheOrchard(cast)
    const down = [DOMAIN, FAR_DOMAIN, FAR_ROOMS]
    for (const domain of down) stage.network.down.add(domain)
    stage.network.cut()
    await stage.passes(130_000)
    await juliet.receives(
      `<presence type='unavailable' from='${room}/romeo'>${x(OUT, codes(333))}</presence>`,
    )
    await romeo.hearsNothingMore()
    for (const domain of down) stage.network.down.delete(domain)
    await stage.becomes(() => romeo.waiting, 1, 100)
    await romeo.receives(
      `<presence type='unavailable' from='${room}/romeo'>${x(OUT, codes(110, 333))}</presence>`,
    )
    await returns(romeo)
    await juliet.receives(`<presence from='${room}/romeo'>{any}</presence>`)
    says(juliet, 'Ay me!', { room })
    await hear('Ay me!', romeo, juliet)
  },
  federated,
)

scene(
  'The server with the room ends while the link is broken: its occupants elsewhere learn it all the same',
  async (cast) => {
    const { romeo, stage } = cast
    await inTheOrchard(cast)
    stage.network.down.add(DOMAIN)
    stage.network.cut()
    await stage.far!.restarts()
    await romeo.hearsNothingMore()
    await stage.becomes(() => romeo.waiting, 1, 100)
    await romeo.receives(
      `<presence type='unavailable' from='${room}/romeo'>${x(OUT, codes(110, 333))}</presence>`,
    )
    stage.network.down.delete(DOMAIN)
    await returns(romeo)
  },
  federated,
)

scene(
  'kill -9 of the server of an occupant: nobody speaks to a ghost, and who logs in again has the nick',
  async (cast) => {
    const {
      romeo,
      far: { juliet },
      stage,
    } = cast
    await inTheOrchard(cast)
    // Nothing of the end gets through.
    stage.network.down.add(FAR_ROOMS).add(FAR_DOMAIN)
    stage.network.cut()
    await stage.restarts()
    stage.network.down.delete(FAR_ROOMS)
    stage.network.down.delete(FAR_DOMAIN)
    await stage.becomes(() => juliet.waiting, 1, 100)
    await juliet.receives(
      `<presence type='unavailable' from='${room}/romeo'>${x(OUT, codes(333))}</presence>`,
    )
    await romeo.isGone()
    romeo.isConnected = false
    await romeo.connects()
    await returns(romeo)
    await juliet.receives(`<presence from='${room}/romeo'>{any}</presence>`)
  },
  federated,
)

scene(
  'limits §3 P3, P4: the link is cut again and again while all speak: nothing is lost, the order stays, and what comes again says so',
  async (cast) => {
    const {
      romeo,
      far: { juliet },
      stage,
    } = cast
    await inTheOrchard(cast)
    const said: string[] = []
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 4; i++) {
        const body = `${round}.${i}`
        said.push(body)
        romeo.sends(
          `<message id='${body}' type='groupchat' to='${room}'><body>${body}</body><origin-id xmlns='urn:xmpp:sid:0' id='${body}'/></message>`,
        )
      }
      await romeo.settled()
      stage.network.cut()
      await stage.passes(3_000)
    }
    await stage.passes(15_000)
    for (const who of [juliet, romeo]) {
      await stage.settled()
      const heard = new Map<string, string>()
      while (who.waiting > 0) {
        const stanza = await who.next()
        const body = stanza.child('body')?.text
        // What the other server had not acknowledged comes once more, by the same id.
        if (body !== undefined)
          heard.set(stanza.child('stanza-id', 'urn:xmpp:sid:0')!.attrs['id'] as string, body)
        assert.notEqual(stanza.attrs['type'], 'unavailable', stanza.toString())
        // §3.2 of XEP-0410 asks clients as well.
        if (stanza.local === 'iq')
          who.sends(
            `<iq type='result' id='${String(stanza.attrs['id'])}' to='${String(stanza.attrs['from'])}'/>`,
          )
      }
      assert.deepEqual([...heard.values()], said, who.name)
    }
  },
  federated,
)
