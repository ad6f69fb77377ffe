/** The limits of one client: just below passes, just above gets the named error, far above costs nothing. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { memoryInUse } from '../support/memory.js'
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
    const before = await memoryInUse()
    romeo.sends(message(juliet, 2_000_000))
    await romeo.isDisconnected('policy-violation')
    // The scene keeps what it sent, for its transcript.
    assert.ok((await memoryInUse()) - before < 4_000_000)
    assert.equal(hits(stage, 'c2s_stanza_size'), 2)
    await juliet.hearsNothingMore()
  },
  { set: ['limits.c2s_stanza_size=20000B', 'limits.c2s_rate=off'] },
)
