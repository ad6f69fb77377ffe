/** Several domains on one stream of ours: sender and target multiplexing (XEP-0220 §2.6). */
import assert from 'node:assert/strict'
import { Peer } from '../support/peer.js'
import { FAR_DOMAIN, OTHER_DOMAIN, scene, type Cast } from '../support/stage.js'

const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const ROOMS = `rooms.${FAR_DOMAIN}`
const anyone = 's2s.policy=dialback-ok'

/** A server of two domains, at one place, that has believed the first of ours; and what it is asked next. */
async function server(stage: Cast['stage'], romeo: Cast['romeo'], certificate: string[] = []): Promise<Peer> {
  const verona = new Peer(stage, FAR_DOMAIN, certificate)
  verona.serves()
  stage.network.places.set(FAR_DOMAIN, 'home.example:5269').set(ROOMS, 'home.example:5269')
  romeo.sends(`<message to='juliet@${FAR_DOMAIN}'><body>first</body></message>`)
  await verona.believes()
  await verona.receives(
    `<message from='${romeo.full}' to='juliet@${FAR_DOMAIN}'><body>first</body></message>`,
  )
  return verona
}

/** That server and one of its other domain, for which a second message waits. */
async function both(stage: Cast['stage'], romeo: Cast['romeo'], certified: 'certified' | '' = '') {
  const [first, second] = certified === '' ? [[], []] : [[FAR_DOMAIN], [ROOMS]]
  const verona = await server(stage, romeo, first)
  const rooms = new Peer(stage, ROOMS, second)
  rooms.serves()
  romeo.sends(`<message to='a@${ROOMS}'><body>second</body></message>`)
  return { verona, rooms }
}

async function isAsked(peer: Peer, sender: string, target: string, answer: string): Promise<void> {
  await peer.receives(`<db:result from='${sender}' to='${target}'>{any}</db:result>`)
  peer.raw(`<db:result from='${target}' to='${sender}' ${answer}</db:result>`)
}

scene(
  'XEP-0220 §2.6.1: two of our domains speak with a server on one stream, and are answered there',
  async ({ romeo, other, far, stage }) => {
    await romeo.online()
    await other.nurse.online()
    await far.juliet.online()
    for (const speaker of [romeo, other.nurse]) {
      speaker.sends(`<message to='${far.juliet.full}'><body>hey</body></message>`)
      await far.juliet.receives(`<message from='${speaker.full}'><body>hey</body></message>`)
      far.juliet.sends(`<message to='${speaker.full}'><body>ho</body></message>`)
      await speaker.receives(`<message from='${far.juliet.full}'><body>ho</body></message>`)
    }
    // The last two are calls for a key.
    assert.deepEqual(stage.network.calls, [
      `${stage.domain} > ${FAR_DOMAIN}`,
      `${FAR_DOMAIN} > ${stage.domain}`,
      `${FAR_DOMAIN} > ${OTHER_DOMAIN}`,
    ])
    assert.equal(stage.metrics.valueOf('s2s_links', 'out', 'dialback'), 2)
  },
  { set: [anyone], far: { set: [anyone] } },
)

scene(
  'XEP-0220 §2.6.2: two domains that DNS leads to one place are spoken with on one stream, in order',
  async ({ romeo, stage }) => {
    await romeo.online()
    const verona = await server(stage, romeo)
    new Peer(stage, ROOMS).serves()
    for (let i = 0; i < 5; i++) romeo.sends(`<message to='a@${ROOMS}'><body>${i}</body></message>`)
    await stage.passes(1000)
    await isAsked(verona, stage.domain, ROOMS, `type='valid'>`)
    for (let i = 0; i < 5; i++)
      await verona.receives(`<message from='${romeo.full}' to='a@${ROOMS}'><body>${i}</body></message>`)
    assert.deepEqual(stage.network.calls, [`${stage.domain} > ${FAR_DOMAIN}`])
    // The end of the stream is the end for both.
    await verona.leaves()
    await stage.settled()
    assert.deepEqual(stage.server.federation!.links(), [])
  },
  { set: [anyone] },
)

scene(
  'XEP-0220 §2.6, §2.5: a pair that the peer does not want there gets a stream of its own',
  async ({ romeo, stage }) => {
    await romeo.online()
    const { verona, rooms } = await both(stage, romeo)
    await stage.passes(1000)
    await isAsked(
      verona,
      stage.domain,
      ROOMS,
      `type='error'><error type='cancel'><item-not-found xmlns='${STANZAS}'/></error>`,
    )
    await stage.passes(1000)
    await rooms.believes()
    await rooms.receives(`<message from='${romeo.full}' to='a@${ROOMS}'><body>second</body></message>`)
    romeo.sends(`<message to='juliet@${FAR_DOMAIN}'><body>third</body></message>`)
    await verona.receives(
      `<message from='${romeo.full}' to='juliet@${FAR_DOMAIN}'><body>third</body></message>`,
    )
    assert.equal(stage.metrics.valueOf('s2s_failing_domains'), 0)
  },
  { set: [anyone] },
)

scene(
  'XEP-0220 §2.6: where certificates are required, that of the stream must be for the further domain, too',
  async ({ romeo, stage }) => {
    await romeo.online()
    const { verona, rooms } = await both(stage, romeo, 'certified')
    await rooms.believes()
    await rooms.receives(`<message from='${romeo.full}' to='a@${ROOMS}'><body>second</body></message>`)
    assert.equal(verona.waiting, 0)
  },
)

scene(
  'XEP-0220 §2.6: a server that does not answer for a further pair is not waited for without end',
  async ({ romeo, stage }) => {
    await romeo.online()
    const { verona, rooms } = await both(stage, romeo)
    await stage.passes(1000)
    await verona.receives(`<db:result from='${stage.domain}' to='${ROOMS}'>{any}</db:result>`)
    await stage.passes(31_000)
    await rooms.believes()
    await rooms.receives(`<message from='${romeo.full}' to='a@${ROOMS}'><body>second</body>{any}</message>`)
  },
  { set: [anyone] },
)
