/** The limits of one client: just below passes, just above gets the named error, far above costs nothing. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { scene, type Stage } from '../support/stage.js'

const hits = (stage: Stage, limit: string) => stage.metrics.valueOf('limit_hits_total', limit)

/** A message of exactly so many bytes. */
function message(to: Actor, bytes: number): string {
  const empty = `<message to='${to.full}' type='chat' id='m'><body></body></message>`
  return empty.replace('</body>', `${'x'.repeat(bytes - empty.length)}</body>`)
}

scene(
  'limits.c2s_stanza_size: at the limit it passes, above comes a stanza error, far above the stream ends',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    romeo.sends(message(juliet, 20_000))
    await juliet.receives(`<message><body>{any}</body></message>`)
    romeo.sends(message(juliet, 20_001))
    await romeo.receives(
      `<message type='error' id='m'><error type='modify'><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text><stanza-too-big xmlns='urn:xmpp:errors'/></error></message>`,
    )
    assert.equal(hits(stage, 'c2s_stanza_size'), 1)
    const before = heap()
    romeo.sends(message(juliet, 2_000_000))
    await romeo.isDisconnected('policy-violation')
    assert.ok(heap() - before < 4_000_000, 'the rest of it is not kept')
    assert.equal(hits(stage, 'c2s_stanza_size'), 2)
    await juliet.hearsNothingMore()
  },
  { set: ['limits.c2s_stanza_size=20000B', 'limits.c2s_rate=off'] },
)

/** Bytes in use after a collection, where it can be asked for. */
/** Bytes in use once everything that can go has gone. */
function heap(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
