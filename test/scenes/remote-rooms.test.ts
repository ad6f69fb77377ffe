/** Rooms on other servers: when the link or the room dies, our clients hear of it (XEP-0410, XEP-0045 §7.14). */
import assert from 'node:assert/strict'
import { Component, known } from '../support/component.js'
import type { Actor } from '../support/actor.js'
import { Peer } from '../support/peer.js'
import type { ClientEnd } from '../support/pipe.js'
import { scene, type Stage, type StageOptions } from '../support/stage.js'

const ROOMS = 'rooms.verona.example'
const ROOM = `orchard@${ROOMS}`
const MUC = 'http://jabber.org/protocol/muc'
const MUC_USER = `${MUC}#user`
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const PING = `<ping xmlns='urn:xmpp:ping'/>`

/** A server with rooms, of the scene's making; one stream takes stanzas both ways. */
class Rooms extends Peer {
  isReached = false

  constructor(stage: Stage) {
    super(stage, ROOMS, [ROOMS])
    stage.network.certificates.add(ROOMS)
    this.serves()
  }

  protected override attach(end: ClientEnd): void {
    super.attach(end)
    this.isReached = true
  }

  override async believes(): Promise<void> {
    const { attrs } = await this.takes(
      `<stream:features><dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback><bidi xmlns='urn:xmpp:features:bidi'/></stream:features>`,
    )
    await this.receives(`<bidi xmlns='urn:xmpp:bidi'/>`)
    await this.receives(`<db:result from='${attrs['from']}' to='${attrs['to']}'>{any}</db:result>`)
    this.raw(`<db:result from='${attrs['to']}' to='${attrs['from']}' type='valid'/>`)
  }

  /** The network fails between the servers. */
  async breaks(): Promise<void> {
    await this.stage.settled()
    this.stage.network.cut()
    await this.isGone()
  }

  /** Somebody asks, on behalf of an occupant, whether they are still in. */
  async isAsked(occupant: string, by: Actor): Promise<string> {
    const { attrs } = await this.receives(
      `<iq type='get' from='${by.full}' to='${occupant}' id='{any}'>${PING}</iq>`,
    )
    return String(attrs['id'])
  }

  /** Says something of a request. */
  answersAsked(occupant: string, to: Actor, id: string, error?: string, type = 'cancel'): void {
    const payload = error === undefined ? '' : `<error type='${type}'><${error} xmlns='${STANZAS}'/></error>`
    this.sends(
      `<iq type='${error === undefined ? 'result' : 'error'}' id='${id}' from='${occupant}' to='${to.full}'>${payload}</iq>`,
    )
  }

  lets(who: Actor, occupant: string, codes = `<status code='110'/>`): void {
    this.sends(
      `<presence from='${occupant}' to='${who.full}'><x xmlns='${MUC_USER}'><item affiliation='none' role='participant'/>${codes}</x></presence>`,
    )
  }
}

/** Nobody falls silent but the rooms. */
const patient: StageOptions = { set: ['limits.idle_ping=24h', 'limits.s2s_idle=24h'] }

const enters = (room = ROOM, nick = 'Romeo') =>
  `<presence to='${room}/${nick}'><x xmlns='${MUC}'/></presence>`

/** What a client understands as having to enter again. */
const lost = (occupant: string) =>
  `<presence type='unavailable' from='${occupant}'><x xmlns='${MUC_USER}'><item affiliation='none' role='none'/><status code='110'/><status code='333'/></x></presence>`

async function entered(rooms: Rooms, who: Actor, room = ROOM, nick = 'Romeo'): Promise<void> {
  who.sends(enters(room, nick))
  if (!rooms.heard) await rooms.believes()
  await rooms.receives(`<presence from='${who.full}' to='${room}/${nick}'><x xmlns='${MUC}'/></presence>`)
  rooms.lets(who, `${room}/${nick}`)
  await who.receives(`<presence from='${room}/${nick}'><x xmlns='${MUC_USER}'>{any}</x></presence>`)
}

const ROMEO = `${ROOM}/Romeo`
/** From a doubt to the question, at the latest. */
const SOON = 7_000

scene(
  'operator: the link breaks, the room has forgotten us, and the client is told to come back',
  async ({ romeo, stage }) => {
    const rooms = new Rooms(stage)
    await romeo.online()
    await entered(rooms, romeo)
    await rooms.breaks()
    await stage.passes(SOON)
    await rooms.believes()
    rooms.answersAsked(ROMEO, romeo, await rooms.isAsked(ROMEO, romeo), 'not-acceptable', 'modify')
    await romeo.receives(lost(ROMEO))
    assert.equal(stage.metrics.valueOf('remote_rooms_lost_total'), 1)
    // It is over: nobody asks again, until the client has entered anew.
    await rooms.breaks()
    await stage.passes(60_000)
    assert.equal(stage.metrics.valueOf('remote_rooms_pings_total', 'gone'), 1)
    romeo.sends(enters())
    await rooms.believes()
    await rooms.receives(`<presence from='${romeo.full}' to='${ROMEO}'><x xmlns='${MUC}'/></presence>`)
    rooms.lets(romeo, ROMEO)
    await romeo.receives(`<presence from='${ROMEO}'><x xmlns='${MUC_USER}'>{any}</x></presence>`)
  },
)

scene(
  'XEP-0410 §3.2: who is still in hears nothing of the question, whichever way the room answers it',
  async ({ romeo, romeo$phone, stage }) => {
    const rooms = new Rooms(stage)
    await romeo.online()
    await romeo$phone.connects()
    await entered(rooms, romeo)
    await entered(rooms, romeo$phone)
    for (const answer of [undefined, 'service-unavailable', 'feature-not-implemented'] as const) {
      await rooms.breaks()
      await stage.passes(SOON)
      await rooms.believes()
      for (const who of [romeo, romeo$phone])
        rooms.answersAsked(ROMEO, who, await rooms.isAsked(ROMEO, who), answer)
    }
    // §3.2: a service that does not know the XEP passes the question on to a client, of which we are the server.
    await rooms.breaks()
    await stage.passes(SOON)
    await rooms.believes()
    await rooms.isAsked(ROMEO, romeo)
    await rooms.isAsked(ROMEO, romeo$phone)
    rooms.sends(`<iq type='get' id='passed' from='${ROMEO}' to='${romeo$phone.full}'>${PING}</iq>`)
    await rooms.receives(`<iq type='result' id='passed' from='${romeo$phone.full}' to='${ROMEO}'/>`)
    await romeo.hearsNothingMore()
    await romeo$phone.hearsNothingMore()
    assert.equal(stage.metrics.valueOf('remote_rooms_lost_total'), 0)
  },
)

scene(
  'XEP-0410 §3.2: not found is one who has another nick now, or else a room that is no more',
  async ({ romeo, stage }) => {
    const rooms = new Rooms(stage)
    await romeo.online()
    await entered(rooms, romeo)
    await rooms.breaks()
    await stage.passes(SOON)
    await rooms.believes()
    rooms.answersAsked(ROMEO, romeo, await rooms.isAsked(ROMEO, romeo), 'item-not-found')
    await romeo.hearsNothingMore()
    // XEP-0045 §7.6
    rooms.sends(
      `<presence type='unavailable' from='${ROMEO}' to='${romeo.full}'><x xmlns='${MUC_USER}'><item nick='Montague' affiliation='none' role='participant'/><status code='303'/><status code='110'/></x></presence>`,
    )
    await romeo.receives(
      `<presence type='unavailable' from='${ROMEO}'><x xmlns='${MUC_USER}'>{any}</x></presence>`,
    )
    await rooms.breaks()
    await rooms.breaks()
    await stage.passes(SOON)
    await rooms.believes()
    const renamed = `${ROOM}/Montague`
    rooms.answersAsked(renamed, romeo, await rooms.isAsked(renamed, romeo), 'item-not-found')
    await stage.passes(SOON)
    rooms.answersAsked(renamed, romeo, await rooms.isAsked(renamed, romeo), 'item-not-found')
    await romeo.receives(lost(renamed))
  },
)

scene(
  'A room that cannot be reached is asked again, more and more rarely, and at once when its server calls',
  async ({ romeo, stage }) => {
    const rooms = new Rooms(stage)
    await romeo.online()
    await entered(rooms, romeo)
    stage.network.down.add(ROOMS)
    await rooms.breaks()
    await stage.passes(1_500_000)
    const before = stage.metrics.valueOf('remote_rooms_pings_total', 'unreached')!
    assert.ok(before >= 3 && before <= 7, `${before} questions in 25 minutes`)
    await romeo.hearsNothingMore()
    stage.network.down.delete(ROOMS)
    await rooms.opens()
    rooms.asksDialback()
    await rooms.receives(`<db:result from='${stage.domain}' to='${ROOMS}' type='valid'/>`)
    const back = new Rooms(stage)
    await stage.becomes(() => back.isReached, true, 1000)
    await back.believes()
    back.answersAsked(ROMEO, romeo, await back.isAsked(ROMEO, romeo), 'not-acceptable')
    await romeo.receives(lost(ROMEO))
  },
  patient,
)

scene(
  'modules.remote-rooms.give_up: after so long without an answer the room is as good as left',
  async ({ romeo, stage }) => {
    const rooms = new Rooms(stage)
    await romeo.online()
    await entered(rooms, romeo)
    stage.network.down.add(ROOMS)
    await rooms.breaks()
    await stage.passes(500_000)
    await romeo.hearsNothingMore()
    await stage.passes(700_000)
    await romeo.receives(lost(ROMEO))
  },
  { set: [...patient.set!, 'modules.remote-rooms.give_up=10min'] },
)

scene(
  'XEP-0045 §7.4: a message that comes back puts its room in doubt, and no other',
  async ({ romeo, stage }) => {
    const rooms = new Rooms(stage)
    const tomb = `tomb@${ROOMS}`
    await romeo.online()
    await entered(rooms, romeo)
    await entered(rooms, romeo, tomb)
    const bounces = async (room: string, error: string) => {
      const xml = `<message type='error' id='m' from='${room}' to='${romeo.full}'><error type='modify'><${error} xmlns='${STANZAS}'/></error></message>`
      rooms.sends(xml)
      await romeo.receives(
        `<message type='error' id='m' from='${room}'><error type='modify'>{any}</error></message>`,
      )
      await stage.passes(SOON)
    }
    await bounces(ROOM, 'forbidden')
    await rooms.hearsNothingMore()
    await bounces(tomb, 'not-acceptable')
    rooms.answersAsked(`${tomb}/Romeo`, romeo, await rooms.isAsked(`${tomb}/Romeo`, romeo), 'not-acceptable')
    await romeo.receives(lost(`${tomb}/Romeo`))
    await rooms.hearsNothingMore()
  },
)

scene(
  'modules.remote-rooms.silence: a server that says nothing for long is asked about one room',
  async ({ romeo, stage }) => {
    const rooms = new Rooms(stage)
    await romeo.online()
    await entered(rooms, romeo)
    await entered(rooms, romeo, `tomb@${ROOMS}`)
    await stage.passes(890_000)
    await rooms.hearsNothingMore()
    await stage.passes(20_000)
    rooms.answersAsked(ROMEO, romeo, await rooms.isAsked(ROMEO, romeo))
    await stage.passes(800_000)
    await rooms.hearsNothingMore()
    // When that one is lost, what of the others?
    await stage.passes(160_000)
    rooms.answersAsked(ROMEO, romeo, await rooms.isAsked(ROMEO, romeo), 'not-acceptable')
    await romeo.receives(lost(ROMEO))
    await stage.passes(SOON)
    await rooms.isAsked(`tomb@${ROOMS}/Romeo`, romeo)
  },
  patient,
)

scene(
  'Who has left, or was never let in, is not asked about',
  async ({ romeo, juliet, nurse, paris, stage }) => {
    const rooms = new Rooms(stage)
    for (const who of [romeo, juliet, nurse, paris]) await who.online()
    // XEP-0045 §7.14, and RFC 6121 §4.5.2
    await entered(rooms, romeo)
    romeo.sends(`<presence type='unavailable' to='${ROMEO}'/>`)
    await rooms.ignoresSoFar()
    await entered(rooms, juliet, ROOM, 'Juliet')
    juliet.sends(`<presence type='unavailable'/>`)
    // §9.1: sent out
    await rooms.ignoresSoFar()
    await entered(rooms, nurse, ROOM, 'Nurse')
    rooms.sends(
      `<presence type='unavailable' from='${ROOM}/Nurse' to='${nurse.full}'><x xmlns='${MUC_USER}'><item affiliation='none' role='none'/><status code='307'/><status code='110'/></x></presence>`,
    )
    // §7.2.8: a conflict
    paris.sends(enters())
    await stage.settled()
    rooms.sends(
      `<presence type='error' from='${ROMEO}' to='${paris.full}'><error type='cancel'><conflict xmlns='${STANZAS}'/></error></presence>`,
    )
    await rooms.ignoresSoFar()
    await rooms.breaks()
    await stage.passes(60_000)
    assert.equal(stage.metrics.valueOf('remote_rooms_pings_total', 'unreached') ?? 0, 0)
    assert.equal(stage.network.calls.length, 1)
  },
)

scene(
  'XEP-0198 §5: a session that outlives our restart is asked about, since its rooms may have lost it',
  async ({ romeo, stage }) => {
    const rooms = new Rooms(stage)
    await romeo.online()
    await entered(rooms, romeo)
    romeo.raw(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`)
    const enabled = await romeo.receives(`<enabled xmlns='urn:xmpp:sm:3' id='{any}'/>`)
    await romeo.vanishes()
    await stage.restarts()
    await rooms.isGone()
    await stage.passes(SOON)
    await rooms.believes()
    rooms.answersAsked(ROMEO, romeo, await rooms.isAsked(ROMEO, romeo), 'not-acceptable')
    await stage.settled()
    romeo.isConnected = false
    await romeo.authenticates()
    romeo.raw(`<resume xmlns='urn:xmpp:sm:3' previd='${String(enabled.attrs['id'])}' h='0'/>`)
    await romeo.receives(`<resumed xmlns='urn:xmpp:sm:3' previd='{any}' h='{any}'/>`)
    await romeo.receives(lost(ROMEO))
  },
)

scene(
  'XEP-0114: rooms of a component are watched like those of a server',
  async ({ romeo, stage }) => {
    const plays = new Component(stage, 'plays.capulet.example')
    const occupant = 'orchard@plays.capulet.example/Romeo'
    await plays.connects()
    await romeo.online()
    romeo.sends(enters('orchard@plays.capulet.example'))
    await plays.receives(`<presence from='${romeo.full}' to='${occupant}'><x xmlns='${MUC}'/></presence>`)
    plays.sends(
      `<presence from='${occupant}' to='${romeo.full}'><x xmlns='${MUC_USER}'><item affiliation='none' role='participant'/><status code='110'/></x></presence>`,
    )
    await romeo.receives(`<presence from='${occupant}'><x xmlns='${MUC_USER}'>{any}</x></presence>`)
    plays.raw('</stream:stream>')
    await plays.isGone()
    const again = new Component(stage, 'plays.capulet.example')
    await again.connects()
    await stage.passes(SOON)
    const { attrs } = await again.receives(
      `<iq type='get' from='${romeo.full}' to='${occupant}'>${PING}</iq>`,
    )
    again.sends(
      `<iq type='error' id='${String(attrs['id'])}' from='${occupant}' to='${romeo.full}'><error type='cancel'><not-acceptable xmlns='${STANZAS}'/></error></iq>`,
    )
    await romeo.receives(lost(occupant))
  },
  { set: [known('plays.capulet.example')] },
)

const twoRooms: StageOptions = { set: ['modules.remote-rooms.rooms=2'] }

scene(
  'modules.remote-rooms.rooms: so many are watched, and others entered all the same',
  async ({ romeo, stage }) => {
    const rooms = new Rooms(stage)
    await romeo.online()
    for (let i = 0; i < 200; i++) await entered(rooms, romeo, `room${i}@${ROOMS}`)
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'remote_rooms'), 198)
    await rooms.breaks()
    await stage.passes(SOON)
    await rooms.believes()
    for (const room of ['room0', 'room1']) {
      const occupant = `${room}@${ROOMS}/Romeo`
      rooms.answersAsked(occupant, romeo, await rooms.isAsked(occupant, romeo))
    }
    await stage.passes(60_000)
    await rooms.hearsNothingMore()
  },
  twoRooms,
)
