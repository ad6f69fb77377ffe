// XEP-0045 §11, §18.1.2: occupants that vanish, and servers that end.
import assert from 'node:assert/strict'
import { BALL, codes, enters, entrance, gather, says, SERVICE, x } from '../../support/rooms.js'
import { FAR_DOMAIN, scene, type Cast, type StageOptions } from '../../support/stage.js'

const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const OUT = `<item affiliation='{any}' role='none'/>`
/** Nobody falls silent by himself. */
const federated: StageOptions = {
  set: ['limits.idle_ping=24h'],
  far: { set: ['limits.idle_ping=24h'] },
}

/** Both servers believe each other. */
function certified({ stage }: Pick<Cast, 'stage'>): void {
  for (const domain of [stage.domain, SERVICE, FAR_DOMAIN, `conference.${FAR_DOMAIN}`])
    stage.network.certificates.add(domain)
}

for (const error of ['gone', 'item-not-found', 'recipient-unavailable', 'redirect'])
  scene(
    `XEP-0045 §18.1.2, §11.1: who answers with ${error} is put out, and the others hear why`,
    async ({ romeo, juliet, nurse }) => {
      await gather([romeo, juliet, nurse])
      says(romeo, 'Ay me!')
      for (const who of [romeo, juliet, nurse])
        await who.receives(`<message type='groupchat'><body>Ay me!</body></message>`)
      juliet.sends(
        `<message type='error' id='said' to='${BALL}/romeo'><body>Ay me!</body><error type='cancel'><${error} xmlns='${STANZAS}'/></error></message>`,
      )
      await juliet.receives(
        `<presence type='unavailable' from='${BALL}/juliet'>${x(OUT, codes(333, 110))}</presence>`,
      )
      for (const who of [romeo, nurse])
        await who.receives(
          `<presence type='unavailable' from='${BALL}/juliet'>${x(OUT, codes(333))}</presence>`,
        )
      // The error itself is nobody's business.
      await romeo.hearsNothingMore()
      await nurse.hearsNothingMore()
    },
  )

scene('XEP-0045 §18.1.2: an error that is about what was said puts nobody out', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  for (const error of ['feature-not-implemented', 'not-acceptable', 'service-unavailable'])
    juliet.sends(
      `<message type='error' to='${BALL}/romeo'><error type='cancel'><${error} xmlns='${STANZAS}'/></error></message>`,
    )
  await romeo.hearsNothingMore()
  await juliet.hearsNothingMore()
})

scene(
  'XEP-0198 §5: a client whose time to come back is over has left',
  async ({ romeo, juliet, stage }) => {
    await gather([romeo, juliet])
    juliet.raw(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`)
    await juliet.receives(`<enabled xmlns='urn:xmpp:sm:3'/>`)
    await juliet.vanishes()
    await stage.passes(290_000)
    await romeo.hearsNothingMore()
    await stage.passes(20_000)
    await romeo.receives(`<presence type='unavailable' from='${BALL}/juliet'>${x(OUT)}</presence>`)
  },
  { set: ['limits.idle_ping=24h'] },
)

scene(
  'The link breaks and is there again: nobody has left',
  async (cast) => {
    const { romeo, far, stage } = cast
    certified(cast)
    await gather([romeo])
    await enters(far.juliet)
    // What is acknowledged does not come again.
    await stage.passes(2_000)
    await romeo.ignoresSoFar()
    await far.juliet.ignoresSoFar()
    stage.network.cut()
    // The client is asked, and answers.
    await stage.becomes(() => far.juliet.waiting, 1, 100)
    const { attrs } = await far.juliet.receives(
      `<iq type='get' from='${BALL}' id='{any}'><ping xmlns='urn:xmpp:ping'/></iq>`,
    )
    far.juliet.sends(`<iq type='result' id='${String(attrs['id'])}' to='${BALL}'/>`)
    await stage.passes(120_000)
    await romeo.hearsNothingMore()
    says(far.juliet, 'Romeo!')
    await romeo.receives(`<message type='groupchat' from='${BALL}/juliet'><body>Romeo!</body></message>`)
  },
  federated,
)

scene(
  'limits §3 P6: the link breaks for good, and within two minutes nobody speaks to a ghost',
  async (cast) => {
    const { romeo, far, stage } = cast
    certified(cast)
    await gather([romeo])
    await enters(far.juliet)
    await enters(far.nurse, { nick: 'nurse' })
    await romeo.ignoresSoFar()
    stage.network.down.add(FAR_DOMAIN).add(SERVICE)
    stage.network.cut()
    await stage.passes(50_000)
    await romeo.hearsNothingMore()
    await stage.passes(70_000)
    await romeo.receivesInAnyOrder(
      `<presence type='unavailable' from='${BALL}/juliet'>${x(OUT, codes(333))}</presence>`,
      `<presence type='unavailable' from='${BALL}/nurse'>${x(OUT, codes(333))}</presence>`,
    )
    assert.equal(stage.metrics.valueOf('room_ghosts_total'), 2)
  },
  federated,
)

scene(
  'The other server was restarted: those whom it does not know any more are put out',
  async (cast) => {
    const { romeo, far, stage } = cast
    certified(cast)
    await gather([romeo])
    await enters(far.juliet)
    await romeo.ignoresSoFar()
    await stage.passes(2_000)
    // She cannot say that she goes.
    stage.network.down.add(SERVICE)
    stage.network.cut()
    await stage.far!.restarts()
    await romeo.hearsNothingMore()
    await stage.becomes(() => romeo.waiting, 1, 100)
    await romeo.receives(
      `<presence type='unavailable' from='${BALL}/juliet'>${x(OUT, codes(333))}</presence>`,
    )
  },
  federated,
)

scene(
  'XEP-0045 §11.2: a server that ends says so to everybody, also elsewhere',
  async (cast) => {
    const { romeo, juliet, far, stage } = cast
    certified(cast)
    await gather([romeo, juliet])
    await enters(far.nurse)
    for (const who of [romeo, juliet, far.nurse]) await who.ignoresSoFar()
    await stage.server.stop()
    for (const who of [romeo, juliet, far.nurse])
      await who.receives(
        `<presence type='unavailable' from='${BALL}/${who.local}' to='${who.full}'>${x(OUT, codes(332, 110))}</presence>`,
      )
    assert.equal(far.nurse.waiting, 0)
  },
  federated,
)

scene(
  'A session that outlives the restart finds in it that it is in no room any more',
  async ({ romeo, juliet, stage }) => {
    await gather([romeo, juliet])
    juliet.raw(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`)
    const enabled = await juliet.receives(`<enabled xmlns='urn:xmpp:sm:3'/>`)
    await juliet.vanishes()
    await stage.restarts()
    juliet.isConnected = false
    await juliet.authenticates()
    juliet.raw(`<resume xmlns='urn:xmpp:sm:3' previd='${String(enabled.attrs['id'])}' h='0'/>`)
    await juliet.receives(`<resumed xmlns='urn:xmpp:sm:3'/>`)
    await juliet.receives(
      `<presence type='unavailable' from='${BALL}/juliet'>${x(OUT, codes(332, 110))}</presence>`,
    )
  },
)

scene(
  'kill -9: who was in is told at the next start, wherever they are',
  async (cast) => {
    const { romeo, far, stage } = cast
    certified(cast)
    await gather([romeo])
    await enters(far.juliet)
    await enters(far.nurse)
    far.nurse.sends(`<presence to='${BALL}/angelica'/>`)
    await far.nurse.receives(`<presence type='unavailable' from='${BALL}/nurse'>{any}</presence>`)
    for (const who of [far.juliet, far.nurse]) await who.ignoresSoFar()
    stage.network.cut()
    await stage.isSucceeded()
    await far.juliet.receives(
      `<presence type='unavailable' from='${BALL}/juliet' to='${far.juliet.full}'>${x(`<item affiliation='none' role='none'/>`, codes(333, 110))}</presence>`,
    )
    await far.nurse.receives(
      `<presence type='unavailable' from='${BALL}/angelica'>${x(OUT, codes(333, 110))}</presence>`,
    )
    await stage.far!.settled()
  },
  federated,
)

scene(
  'XEP-0045 §7.14: after a restart a temporary room waits for those who were in, and then ends',
  async ({ romeo, juliet, stage }) => {
    const other = `tomb@${SERVICE}`
    await gather([romeo])
    await gather([juliet], other)
    await stage.restarts()
    for (const who of [romeo, juliet]) {
      await who.isGone()
      who.isConnected = false
    }
    await stage.passes(300_000)
    // Whoever comes first, it is his still.
    await juliet.connects()
    juliet.sends(entrance(juliet))
    await juliet.receives(
      `<presence from='${BALL}/juliet'>${x(`<item affiliation='none' role='participant'/>`, codes(110))}</presence>`,
    )
    await stage.passes(301_000)
    assert.ok(await stage.stores.rooms.load(SERVICE, 'ball'))
    assert.equal(await stage.stores.rooms.load(SERVICE, 'tomb'), undefined)
  },
)
