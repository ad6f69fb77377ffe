/** What waits for other servers: how long, how much, in which order, and what its senders hear. */
import assert from 'node:assert/strict'
import { Peer } from '../support/peer.js'
import { FAR_DOMAIN, scene, type Cast } from '../support/stage.js'

const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const anyone = 's2s.policy=dialback-ok'

const wait = (condition: string, text: string) =>
  `<error type='wait'><${condition} xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>${text}</text></error>`

/** A server of the scene's own at this domain. */
function serverAt(stage: Cast['stage'], domain: string): Peer {
  const peer = new Peer(stage, domain)
  peer.serves()
  return peer
}

const message = (to: string, body: string) =>
  `<message to='${to}' id='${body}'><body>${body}</body></message>`

scene(
  'limits §3 P9: messages wait five minutes, requests one, presence is let go; then the sender hears why',
  async ({ romeo, stage }) => {
    await romeo.online()
    serverAt(stage, FAR_DOMAIN)
    stage.network.down.add(FAR_DOMAIN)
    romeo.sends(message(`juliet@${FAR_DOMAIN}`, 'm'))
    romeo.sends(`<presence to='juliet@${FAR_DOMAIN}'/>`)
    romeo.sends(`<iq to='${FAR_DOMAIN}' type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>`)
    await stage.passes(59_000)
    assert.equal(stage.metrics.valueOf('s2s_queue_stanzas'), 3)
    assert.equal(stage.metrics.valueOf('s2s_queue_oldest_seconds'), 59)
    await romeo.hearsNothingMore()
    await stage.passes(1000)
    const why = wait('remote-server-timeout', `${FAR_DOMAIN}: connection refused`)
    await romeo.receives(`<iq type='error' id='i' from='${FAR_DOMAIN}'>${why}</iq>`)
    assert.equal(stage.metrics.valueOf('s2s_queue_stanzas'), 1)
    await stage.passes(239_000)
    await romeo.hearsNothingMore()
    await stage.passes(1000)
    await romeo.receives(`<message type='error' id='m' from='juliet@${FAR_DOMAIN}'>${why}</message>`)
    assert.equal(stage.metrics.valueOf('s2s_queue_stanzas'), 0)
    for (const limit of ['s2s_iq_timeout', 's2s_message_timeout'])
      assert.equal(stage.metrics.valueOf('limit_hits_total', limit), 1, limit)
    await romeo.hearsNothingMore()
    // 0, 1, 3, 7, 15, 31, 63, 127, 255 seconds, a quarter more or less each.
    const tries = stage.network.calls.length
    assert.ok(tries >= 8 && tries <= 10, `${tries} attempts`)
    assert.equal(stage.metrics.valueOf('s2s_attempts_total', 'tcp', 'failed'), tries)
    // Nobody waits, so nobody asks.
    await stage.passes(120_000)
    assert.equal(stage.network.calls.length, tries)
  },
  { set: [anyone] },
)

scene(
  'RFC 6120 §10.4: a server that comes back gets what waited, in order, without anybody asking',
  async ({ romeo, stage }) => {
    await romeo.online()
    const verona = serverAt(stage, FAR_DOMAIN)
    stage.network.down.add(FAR_DOMAIN)
    for (let i = 0; i < 50; i++) romeo.sends(message(`juliet@${FAR_DOMAIN}`, `${i}`))
    await stage.passes(10_000)
    stage.network.down.delete(FAR_DOMAIN)
    const believed = verona.believes()
    await stage.passes(10_000)
    await believed
    for (let i = 0; i < 50; i++)
      await verona.receives(
        `<message from='${romeo.full}' to='juliet@${FAR_DOMAIN}' id='${i}'><body>${i}</body></message>`,
      )
    assert.equal(stage.metrics.valueOf('s2s_failing_domains'), 0)
    assert.equal(stage.metrics.valueOf('stanzas_total', 'out', 'message'), 50)
  },
  { set: [anyone] },
)

scene(
  'RFC 6120 §10.4: after a failure the next stanza tries again, when the pause is over',
  async ({ romeo, stage }) => {
    await romeo.online()
    const verona = serverAt(stage, FAR_DOMAIN)
    stage.network.down.add(FAR_DOMAIN)
    romeo.sends(`<iq to='${FAR_DOMAIN}' type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>`)
    await stage.passes(61_000)
    await romeo.ignoresSoFar()
    stage.network.down.delete(FAR_DOMAIN)
    // The last of the pauses was one of 64 s at most.
    await stage.passes(64_000)
    const believed = verona.believes()
    romeo.sends(message(`juliet@${FAR_DOMAIN}`, 'm'))
    await stage.passes(1000)
    await believed
    await verona.receives(`<message id='m' to='{any}' from='{any}'><body>m</body></message>`)
  },
  { set: [anyone] },
)

scene(
  'limits §1: a queue that is full in number or in size refuses what comes then, and keeps what is there',
  async ({ romeo, stage }) => {
    await romeo.online()
    stage.network.mute.add(FAR_DOMAIN).add('mantua.example')
    serverAt(stage, FAR_DOMAIN)
    serverAt(stage, 'mantua.example')
    for (let i = 0; i < 11; i++) romeo.sends(message(`juliet@${FAR_DOMAIN}`, `${i}`))
    const full = (domain: string) => wait('resource-constraint', `Too much waits for ${domain}`)
    await romeo.receives(`<message type='error' id='10' from='{any}'>${full(FAR_DOMAIN)}</message>`)
    assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_queue'), 1)
    const long = 'x'.repeat(40_000)
    romeo.sends(`<message to='a@mantua.example' id='a'><body>${long}</body></message>`)
    romeo.sends(`<message to='a@mantua.example' id='b'><body>${long}</body></message>`)
    await romeo.receives(`<message type='error' id='b' from='{any}'>${full('mantua.example')}</message>`)
    assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_queue_size'), 1)
    assert.equal(stage.metrics.valueOf('s2s_queue_stanzas'), 11)
    await romeo.hearsNothingMore()
  },
  { set: [anyone, 'limits.s2s_queue=10', 'limits.s2s_queue_size=64KiB'] },
)

scene(
  'A server that takes the connection and says nothing delays nobody else, and is given up in time',
  async ({ romeo, stage }) => {
    await romeo.online()
    serverAt(stage, FAR_DOMAIN)
    const mantua = serverAt(stage, 'mantua.example')
    stage.network.mute.add(FAR_DOMAIN)
    romeo.sends(message(`juliet@${FAR_DOMAIN}`, 'm'))
    romeo.sends(message('paris@mantua.example', 'n'))
    await mantua.believes()
    await mantua.receives(`<message id='n' to='paris@mantua.example' from='{any}'><body>n</body></message>`)
    await stage.passes(29_000)
    assert.equal(
      stage.server.federation!.links().find(({ remote }) => remote === FAR_DOMAIN)?.state,
      'connecting',
    )
    await stage.passes(1000)
    const link = stage.server.federation!.links().find(({ remote }) => remote === FAR_DOMAIN)
    assert.equal(link?.state, 'waiting')
    assert.deepEqual([link.failure?.stage, link.failure?.reason], ['tls', 'no answer within 30 s'])
    assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_connect_timeout'), 1)
  },
  { set: [anyone] },
)

/** Whoever acknowledges nothing is asked for a sign of life behind messages. */
const sign = `<iq type='get' id='{any}' to='{any}' from='{any}'><ping xmlns='urn:xmpp:ping'/></iq>`

scene(
  'A stream without stanzas for limits.s2s_idle is closed in order, and opened again when needed',
  async ({ romeo, stage }) => {
    await romeo.online()
    const verona = serverAt(stage, FAR_DOMAIN)
    romeo.sends(message(`juliet@${FAR_DOMAIN}`, 'a'))
    await verona.believes()
    await verona.receives(`<message id='a' to='{any}' from='{any}'><body>a</body></message>`)
    await stage.passes(50_000)
    await verona.receives(sign)
    romeo.sends(message(`juliet@${FAR_DOMAIN}`, 'b'))
    await verona.receives(`<message id='b' to='{any}' from='{any}'><body>b</body></message>`)
    await stage.passes(60_000)
    assert.equal(verona.closed, false)
    await verona.receives(sign)
    await stage.passes(60_000)
    await verona.isDisconnected()
    assert.ok(verona.heard.endsWith('</stream:stream>'))
    assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_idle'), 1)
    assert.deepEqual(stage.server.federation!.links(), [])
    romeo.sends(message(`juliet@${FAR_DOMAIN}`, 'c'))
    await stage.settled()
    await verona.believes()
    await verona.receives(`<message id='c' to='{any}' from='{any}'><body>c</body></message>`)
  },
  { set: [anyone, 'limits.s2s_idle=60s'] },
)

scene(
  'A stream to us that brings nothing for twice that time is closed: its server may be gone without a word',
  async ({ romeo, stage }) => {
    await romeo.online()
    const [silent, busy] = [
      new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN]),
      new Peer(stage, 'mantua.example', ['mantua.example']),
    ]
    for (const peer of [silent, busy]) {
      await peer.opens()
      peer.asksDialback()
      await peer.receives(`<db:result type='valid' from='{any}' to='{any}'/>`)
    }
    for (let minute = 0; minute < 4; minute++) {
      await stage.passes(60_000)
      busy.sends(`<message from='a@mantua.example' to='${romeo.bare}'><body>${minute}</body></message>`)
      await romeo.receives(`<message from='a@mantua.example'><body>${minute}</body></message>`)
    }
    await silent.isDisconnected()
    assert.equal(busy.closed, false)
  },
  { set: ['limits.s2s_idle=90s'] },
)

scene(
  'limits §3 P9: a server that ends stores messages, and hands back requests while their senders are still there',
  async ({ romeo, stage }) => {
    await romeo.online()
    serverAt(stage, FAR_DOMAIN)
    stage.network.mute.add(FAR_DOMAIN)
    romeo.sends(message(`juliet@${FAR_DOMAIN}`, 'm'))
    romeo.sends(`<iq type='get' id='i' to='${FAR_DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>`)
    romeo.sends(`<presence to='juliet@${FAR_DOMAIN}'/>`)
    await stage.settled()
    await stage.server.stop()
    await romeo.receives(
      `<iq type='error' id='i' from='{any}'>${wait('remote-server-timeout', 'This server is ending')}</iq>`,
    )
    await romeo.isDisconnected('system-shutdown')
    const [stored, ...others] = await stage.stores.outbound.read(0, 10)
    assert.match(stored?.stanza ?? '', /<message [^>]*id='m'/)
    assert.deepEqual(others, [])
  },
  { set: [anyone] },
)

scene(
  'A server that was away and calls us is tried at once: it is there',
  async ({ romeo, stage }) => {
    await romeo.online()
    const verona = serverAt(stage, FAR_DOMAIN)
    stage.network.certificates.add(stage.domain)
    stage.network.down.add(FAR_DOMAIN)
    romeo.sends(message(`juliet@${FAR_DOMAIN}`, 'm'))
    await stage.passes(100_000)
    stage.network.down.delete(FAR_DOMAIN)
    const caller = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
    await caller.opens()
    caller.asksDialback()
    await caller.receives(`<db:result type='valid' from='${stage.domain}' to='${FAR_DOMAIN}'/>`)
    await verona.believes()
    await verona.receives(`<message id='m' to='{any}' from='{any}'><body>m</body></message>`)
  },
  { set: [anyone] },
)

scene(
  'what waits for a server is given up when an admin says so, and the next stanza tries at once',
  async ({ romeo, stage }) => {
    await romeo.online()
    const verona = serverAt(stage, FAR_DOMAIN)
    stage.network.down.add(FAR_DOMAIN)
    romeo.sends(message(`juliet@${FAR_DOMAIN}`, 'm'))
    romeo.sends(`<iq to='${FAR_DOMAIN}' type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>`)
    await stage.passes(5000)
    const { federation } = stage.server
    assert.equal(federation!.flush(FAR_DOMAIN), 2)
    const why = wait('remote-server-timeout', `The server of ${FAR_DOMAIN} is not waited for any longer`)
    await romeo.receivesInAnyOrder(
      `<message type='error' id='m' from='juliet@${FAR_DOMAIN}'>${why}</message>`,
      `<iq type='error' id='i' from='${FAR_DOMAIN}'>${why}</iq>`,
    )
    assert.deepEqual([federation!.flush(FAR_DOMAIN), federation!.links()], [0, []])
    const tries = stage.network.calls.length
    await stage.passes(300_000)
    assert.equal(stage.network.calls.length, tries)
    stage.network.down.delete(FAR_DOMAIN)
    const believed = verona.believes()
    romeo.sends(message(`juliet@${FAR_DOMAIN}`, 'n'))
    await believed
    await verona.receives(
      `<message from='${romeo.full}' to='juliet@${FAR_DOMAIN}' id='n'><body>n</body></message>`,
    )
  },
  { set: [anyone, 'limits.idle_ping=off'] },
)

scene(
  'limits.s2s_retry_max: pauses between attempts grow up to it and no further, however long it lasts',
  async ({ romeo, stage }) => {
    await romeo.online()
    serverAt(stage, FAR_DOMAIN)
    stage.network.down.add(FAR_DOMAIN)
    romeo.sends(message(`juliet@${FAR_DOMAIN}`, 'm'))
    // 1, 2 and 4 seconds, then 4 again and again.
    await stage.passes(6000)
    assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_retry_max'), 0)
    await stage.passes(14_000)
    assert.ok((stage.metrics.valueOf('limit_hits_total', 's2s_retry_max') ?? 0) > 0)
    const before = stage.network.calls.length
    // A hundred times as long as the longest pause.
    await stage.passes(400_000)
    const tries = stage.network.calls.length - before
    assert.ok(tries >= 80 && tries <= 134, `${tries} attempts`)
    assert.equal(stage.server.federation!.links().length, 1)
  },
  { set: [anyone, 'limits.s2s_retry_max=4s', 'limits.s2s_message_timeout=1h', 'limits.idle_ping=off'] },
)
