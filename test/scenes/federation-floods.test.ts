/** A hundred times more than other servers may, or than may wait for them: what is over is refused, and costs no memory. */
import assert from 'node:assert/strict'
import { memoryInUse } from '../support/memory.js'
import { Peer } from '../support/peer.js'
import { FAR_DOMAIN, scene } from '../support/stage.js'

const MB = 1_000_000

/** Runs `flood` and answers how many bytes more are in use after it. */
async function cost(flood: () => Promise<void>): Promise<number> {
  const before = await memoryInUse()
  await flood()
  return (await memoryInUse()) - before
}

scene('limits.s2s_stanza_size: a hundred times too much is neither read nor kept', async ({ romeo, stage }) => {
  await romeo.online()
  const peer = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
  await peer.opens()
  peer.asksDialback()
  await peer.receives(`<db:result type='valid' from='{any}' to='{any}'/>`)
  const used = await cost(async () => {
    const wire = peer.floods()
    wire.write(`<message from='paris@${FAR_DOMAIN}' to='${romeo.bare}'><body>`)
    const piece = 'x'.repeat(20_000)
    for (let sent = 0; sent < 100; sent++) wire.write(piece)
    await peer.isDisconnected('policy-violation')
  })
  assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_stanza_size'), 1)
  assert.ok(used < 2 * MB, `${used} bytes`)
  await romeo.hearsNothingMore()
}, { set: ['limits.s2s_stanza_size=20000B'] }) // prettier-ignore

scene('limits.s2s_queue, limits.s2s_queue_size: of a hundred times as much the first wait, the others come back', async ({ romeo, stage }) => {
  await romeo.online()
  for (const domain of [FAR_DOMAIN, 'mantua.example']) {
    stage.network.mute.add(domain)
    new Peer(stage, domain).serves()
  }
  const body = 'x'.repeat(8_000)
  const used = await cost(async () => {
    for (let i = 0; i < 1_000; i++)
      romeo.floods().write(`<message to='a@${FAR_DOMAIN}' id='n${i}'><body>few</body></message>`)
    for (let i = 0; i < 800; i++)
      romeo.floods().write(`<message to='a@mantua.example' id='b${i}'><body>${body}</body></message>`)
    await romeo.settled()
  })
  assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_queue'), 990)
  assert.equal(stage.metrics.valueOf('s2s_queue_stanzas'), 10 + 7)
  assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_queue_size'), 793)
  // What romeo hears of it is in its inbox and in the transcript.
  assert.equal(romeo.waiting, 990 + 793)
  assert.ok(used < 20 * MB, `${used} bytes`)
}, { set: ['s2s.policy=dialback-ok', 'modules.archive.enabled=false', 'limits.s2s_queue=10', 'limits.s2s_queue_size=64KiB', 'limits.c2s_rate=off', 'limits.c2s_stanza_rate=off'] }) // prettier-ignore

scene('limits.s2s_streams: two hundred more are refused, and none of them stays', async ({ stage }) => {
  const kept = [new Peer(stage, FAR_DOMAIN), new Peer(stage, FAR_DOMAIN)]
  for (const peer of kept) await peer.opens()
  const used = await cost(async () => {
    for (let i = 0; i < 200; i++) {
      const peer = new Peer(stage, FAR_DOMAIN)
      peer.dials()
      peer.startsStream()
      await peer.isDisconnected('resource-constraint')
    }
  })
  assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_streams'), 200)
  assert.equal(kept.some(({ closed }) => closed), false)
  assert.ok(used < 5 * MB, `${used} bytes`)
}, { set: ['limits.s2s_streams=2'] }) // prettier-ignore

scene('limits.s2s_domains, limits.s2s_dialbacks: five hundred invented domains are five', async ({ stage }) => {
  const flood = new Peer(stage, 'flood.example', ['flood.example'])
  await flood.opens()
  flood.asksDialback()
  await flood.receives(`<db:result type='valid' from='{any}' to='{any}'/>`)
  for (let i = 0; i < 500; i++) {
    stage.network.addRaw(`d${i}.example`, [], () => {})
    stage.network.mute.add(`d${i}.example`)
  }
  const used = await cost(async () => {
    const all = Array.from({ length: 500 }, (_, i) => `<db:result from='d${i}.example' to='${stage.domain}'>key</db:result>`)
    flood.floods().write(all.join(''))
    await flood.isGone()
  })
  assert.ok(stage.network.calls.length <= 3, `${stage.network.calls.length} calls`)
  assert.ok((stage.metrics.valueOf('limit_hits_total', 's2s_domains') ?? 0) >= 495)
  assert.ok((stage.metrics.valueOf('limit_hits_total', 's2s_dialbacks') ?? 0) > 0)
  assert.ok(used < 5 * MB, `${used} bytes`)
}, { set: ['s2s.policy=dialback-ok', 'limits.s2s_domains=5', 'limits.s2s_dialbacks=3'] }) // prettier-ignore

scene('limits.s2s_connect_timeout, limits.s2s_message_timeout, limits.s2s_iq_timeout: a hundred servers that say nothing are given up, and forgotten', async ({ romeo, stage }) => {
  await romeo.online()
  for (let i = 0; i < 100; i++) {
    stage.network.addRaw(`d${i}.example`, [], () => {})
    stage.network.mute.add(`d${i}.example`)
  }
  for (let i = 0; i < 100; i++) {
    romeo.sends(`<message to='a@d${i}.example' id='m${i}'><body>hail</body></message>`)
    romeo.sends(`<iq to='d${i}.example' type='get' id='i${i}'><ping xmlns='urn:xmpp:ping'/></iq>`)
  }
  await romeo.settled()
  assert.equal(stage.metrics.valueOf('s2s_queue_stanzas'), 200)
  await stage.passes(29_000)
  assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_connect_timeout'), 0)
  await stage.passes(1_000)
  assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_connect_timeout'), 100)
  await stage.passes(30_000)
  assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_iq_timeout'), 100)
  assert.equal(stage.metrics.valueOf('s2s_queue_stanzas'), 100)
  await stage.passes(240_000)
  assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_message_timeout'), 100)
  for (let i = 0; i < 200; i++) assert.equal((await romeo.next()).attrs['type'], 'error')
  assert.equal(stage.metrics.valueOf('s2s_queue_stanzas'), 0)
  await stage.passes(600_000)
  assert.deepEqual(stage.server.federation!.links(), [])
}, { set: ['s2s.policy=dialback-ok', 'limits.idle_ping=off'] }) // prettier-ignore

scene('limits.s2s_rate, limits.s2s_burst: what comes a hundred times too fast is not read', async ({ stage }) => {
  const peer = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
  await peer.opens()
  peer.asksDialback()
  await peer.receives(`<db:result type='valid' from='{any}' to='{any}'/>`)
  const taken = () => stage.metrics.valueOf('stanzas_total', 'in', 'presence') ?? 0
  // Nobody hears of it, so that it costs nothing but the reading.
  const one = `<presence type='unavailable' from='a@${FAR_DOMAIN}' to='nobody@${stage.domain}'/>`
  const piece = Buffer.from(one.repeat(1_000))
  const burst = 512 * 1024
  const pieces = Math.ceil((100 * burst) / piece.length)
  const used = await cost(async () => {
    for (let i = 0; i < pieces; i++) peer.floods().write(piece)
    await stage.settled()
    for (let i = 0; i < 2_000 && stage.metrics.valueOf('limit_hits_total', 's2s_rate') === 0; i++)
      await new Promise((resolve) => setImmediate(resolve))
  })
  const most = (2 * burst) / one.length
  assert.ok(taken() > 1_000 && taken() < most, `${taken()} of ${pieces * 1_000} were read`)
  assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_rate'), 1)
  assert.ok(used < 5 * MB, `${used} bytes`)
}, { set: ['limits.s2s_burst=512KiB', 'limits.s2s_rate=100KB/s'] }) // prettier-ignore

scene('limits.s2s_idle: a hundred streams that bring nothing are closed, and nothing is left of them', async ({ stage }) => {
  const peers = Array.from({ length: 100 }, (_, i) => new Peer(stage, `d${i}.example`, [`d${i}.example`]))
  for (const peer of peers) {
    await peer.opens()
    peer.asksDialback()
    await peer.receives(`<db:result type='valid' from='{any}' to='{any}'/>`)
  }
  await stage.passes(40_000)
  assert.equal(peers.some(({ closed }) => closed), false)
  await stage.passes(60_000)
  for (const peer of peers) await peer.isDisconnected()
  assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_idle'), 100)
  assert.deepEqual(stage.server.federation!.links(), [])
}, { set: ['limits.s2s_idle=30s'] }) // prettier-ignore
