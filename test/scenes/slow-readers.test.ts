/** Who does not read holds up nobody, costs little, and loses no message that others believe delivered. */
import assert from 'node:assert/strict'
import { memoryInUse } from '../support/memory.js'
import type { Actor } from '../support/actor.js'
import { scene, type Stage } from '../support/stage.js'

const hits = (stage: Stage, limit: string) => stage.metrics.valueOf('limit_hits_total', limit)
const set = ['limits.c2s_rate=off', 'limits.c2s_stanza_rate=off']
const filler = 'x'.repeat(20_000)
const chat = (to: string, id: number) =>
  `<message to='${to}' type='chat' id='m${id}'><body>${filler}</body></message>`

async function receivesAll(actor: Actor, from: number, to: number): Promise<void> {
  for (let id = from; id < to; id++) assert.equal((await actor.next()).attrs['id'], `m${id}`)
}

scene(
  'a slow reader is not read from past the mark; when it reads again, all comes in order',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    juliet.stopsReading()
    for (let id = 0; id < 100; id++) romeo.sends(chat(juliet.bare, id))
    await romeo.settled()
    assert.equal(hits(stage, 'write_pause'), 1)
    juliet.sends(`<message to='${romeo.full}' type='chat' id='late'><body>not yet</body></message>`)
    await romeo.settled()
    assert.equal(romeo.waiting, 0)
    juliet.readsAgain()
    await receivesAll(juliet, 0, 100)
    assert.equal((await romeo.next()).attrs['id'], 'late')
  },
  { set, wire: 'pipe' },
)

for (const wire of ['pipe', 'tcp', 'tls'] as const)
  scene(
    `past limits.write_queue it is dropped, what had not left is kept, and what comes later (${wire})`,
    async ({ romeo, juliet, stage }) => {
      await romeo.online()
      await juliet.online()
      const before = await memoryInUse()
      juliet.stopsReading()
      const sent = 700
      for (let id = 0; id < sent; id++) romeo.sends(chat(juliet.bare, id))
      await romeo.settled()
      assert.equal(hits(stage, 'write_queue'), 1)
      assert.equal(stage.server.sessionCount, 1)
      // 14 MB were sent and are in the scene's transcript once; kept are those that had not left, in text of their own.
      assert.ok((await memoryInUse()) - before < 60_000_000)
      juliet.readsAgain()
      await juliet.isGone()
      await juliet.online()
      const first = Number(String((await juliet.next()).attrs['id']).slice(1))
      // At most 1 MiB, what the kernel had taken, and the message at the mark.
      assert.ok(first < 500, `kept from m${first} on`)
      await receivesAll(juliet, first + 1, sent)
      await juliet.hearsNothingMore()
    },
    { set: [...set, 'limits.offline_size=50MB'], wire },
  )

scene(
  'limits.write_timeout: without progress it is dropped, with some it is not',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    juliet.stopsReading()
    for (let id = 0; id < 60; id++) romeo.sends(chat(juliet.bare, id))
    await romeo.settled()
    stage.clock.advance(59_999)
    assert.equal(stage.server.sessionCount, 2)
    stage.clock.advance(1)
    assert.equal(stage.server.sessionCount, 1)
    assert.equal(hits(stage, 'write_timeout'), 1)
    assert.ok(stage.logged.some((line) => line.includes('stream.slow')))
  },
  { set: [...set, 'limits.idle_ping=off'], logLevel: 'info', wire: 'pipe' },
)

scene(
  'kept messages are given at the pace of their reader, and taken out when it has them',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.connects()
    for (let id = 0; id < 300; id++) romeo.sends(chat(juliet.bare, id))
    await romeo.settled()
    juliet.stopsReading()
    juliet.sends('<presence/>')
    await romeo.settled()
    await romeo.settled()
    assert.equal(hits(stage, 'write_queue'), 0)
    const account = await stage.stores.accounts.get(juliet.domain, juliet.local)
    assert.ok((await stage.stores.offline.count(account!.id)) >= 200)
    juliet.readsAgain()
    assert.equal((await juliet.next()).local, 'presence')
    await receivesAll(juliet, 0, 300)
    await juliet.hearsNothingMore()
    assert.equal(await stage.stores.offline.count(account!.id), 0)
  },
  { set, wire: 'pipe' },
)
