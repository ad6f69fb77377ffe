/** Between servers nothing is lost and nothing doubled when streams break (XEP-0198), and senders hear when it is safe. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { Peer } from '../support/peer.js'
import { FAR_DOMAIN, scene, type Stage } from '../support/stage.js'

const SM = 'urn:xmpp:sm:3'
const anyServer = { set: ['s2s.policy=dialback-ok'], far: { set: ['s2s.policy=dialback-ok'] } }
const chat = (to: string, id: string) =>
  `<message to='${to}' type='chat' id='${id}'><body>${id}</body></message>`
const numbered = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => `m${first + i}`)

async function manages(actor: Actor): Promise<void> {
  actor.raw(`<enable xmlns='${SM}'/>`)
  await actor.receives(`<enabled xmlns='${SM}'/>`)
}
async function handledOf(actor: Actor): Promise<string | undefined> {
  actor.raw(`<r xmlns='${SM}'/>`)
  return (await actor.receives(`<a xmlns='${SM}'/>`)).attrs['h']
}
async function messages(actor: Actor, count: number): Promise<string[]> {
  const ids: string[] = []
  while (ids.length < count)
    ids.push((await actor.next(`message ${ids.length + 1} of ${count}`)).attrs['id']!)
  return ids
}
async function storedOf(stage: Stage, actor: Actor): Promise<string[]> {
  const account = await stage.stores.accounts.get(actor.domain, actor.local)
  const stored = await stage.stores.offline.read(account!.id, 0, 1000)
  return stored.map(({ stanza }) => / id='([^']*)'/.exec(stanza)![1]!)
}
const outboundOf = async ({ stores }: Stage) => (await stores.outbound.read(0, 1000)).length
/** Servers have asked each other how far they are. */
async function acknowledged(stage: Stage): Promise<void> {
  await stage.settled()
  await stage.becomes(() => stage.metrics.valueOf('s2s_unconfirmed_stanzas'), 0, 100)
}
const links = ({ network }: Stage) => network.calls.filter((call) => call.startsWith('capulet')).length

scene(
  'a message to another server counts for its sender when that server has acknowledged it',
  async ({ romeo, far, stage }) => {
    await romeo.online()
    await far.juliet.online()
    romeo.sends(chat(far.juliet.bare, 'first'))
    await messages(far.juliet, 1)
    await manages(romeo)
    stage.network.oneWay = true
    romeo.sends(chat(far.juliet.bare, 'm1'))
    assert.deepEqual(await messages(far.juliet, 1), ['m1'])
    assert.equal(await handledOf(romeo), '0')
    stage.network.oneWay = false
    romeo.sends(chat(far.juliet.bare, 'm2'))
    stage.clock.advance(100)
    // Unasked, for the request from before.
    await romeo.receives(`<a xmlns='${SM}' h='1'/>`)
    await stage.becomes(() => outboundOf(stage), 0, 100)
  },
  anyServer,
)

scene(
  'when acknowledgements stay away, messages are stored and then count; stanzas for others go on',
  async ({ romeo, juliet, far, stage }) => {
    await romeo.online()
    await juliet.online()
    await stage.far!.account('juliet', far.juliet.domain, 'wherefore')
    romeo.sends(chat(far.juliet.bare, 'first'))
    await acknowledged(stage)
    await manages(romeo)
    stage.network.oneWay = true
    for (const id of numbered(1, 5)) romeo.sends(chat(far.juliet.bare, id))
    romeo.sends(chat(juliet.bare, 'local'))
    assert.deepEqual(await messages(juliet, 1), ['local'])
    assert.equal(await handledOf(romeo), '0')
    stage.clock.advance(1000)
    await romeo.receives(`<a xmlns='${SM}' h='6'/>`)
    await stage.becomes(() => outboundOf(stage), 5)
    stage.network.oneWay = false
    romeo.sends(chat(far.juliet.bare, 'm6'))
    await stage.settled()
    stage.clock.advance(1000)
    await stage.settled()
    await stage.becomes(() => outboundOf(stage), 0, 100)
    await stage.becomes(() => storedOf(stage.far!, far.juliet), ['first', ...numbered(1, 6)])
  },
  anyServer,
)

for (const [how, forget] of [
  ['is resumed', false],
  ['is forgotten', true],
] as const)
  scene(
    `a stream that breaks ${how}: what was not acknowledged is stored there once, in order`,
    async ({ romeo, far, stage }) => {
      await romeo.online()
      await stage.far!.account('juliet', far.juliet.domain, 'wherefore')
      romeo.sends(chat(far.juliet.bare, 'm1'))
      await acknowledged(stage)
      assert.equal(links(stage), 1)
      stage.network.oneWay = true
      for (const id of numbered(2, 30)) romeo.sends(chat(far.juliet.bare, id))
      await stage.settled()
      await stage.becomes(() => storedOf(stage.far!, far.juliet), numbered(1, 30))
      const said: string[] = []
      stage.network.rewrite = (text) => {
        said.push(text)
        return forget ? text.replace(/previd='[^']*'/, `previd='forgotten'`) : text
      }
      stage.network.oneWay = false
      stage.network.cut()
      for (const id of numbered(31, 35)) romeo.sends(chat(far.juliet.bare, id))
      await stage.settled()
      stage.clock.advance(1000)
      await stage.settled()
      assert.equal(links(stage), 2)
      await stage.becomes(() => storedOf(stage.far!, far.juliet), numbered(1, 35))
      const wire = said.join('')
      assert.match(
        wire,
        forget ? /<failed xmlns='urn:xmpp:sm:3'><item-not-found/ : /<resumed xmlns='urn:xmpp:sm:3'/,
      )
      assert.equal(wire.split(`id='m30'`).length - 1, forget ? 1 : 0)
      assert.equal(stage.far!.metrics.valueOf('offline_repeated_total'), forget ? 29 : 0)
      stage.clock.advance(1000)
      await stage.settled()
      await stage.becomes(() => outboundOf(stage), 0, 100)
    },
    anyServer,
  )

scene(
  'a server that acknowledges nothing is pinged, and gets again what came after its last sign of life',
  async ({ romeo, far, stage }) => {
    stage.network.rewrite = (text) => text.replaceAll(/<sm xmlns="urn:xmpp:sm:3"\/>/g, '')
    await romeo.online()
    await far.juliet.online()
    romeo.sends(chat(far.juliet.bare, 'm1'))
    await messages(far.juliet, 1)
    stage.clock.advance(1000)
    await stage.settled()
    // m1 is proved now, and the next two are not.
    romeo.sends(chat(far.juliet.bare, 'm2'))
    romeo.sends(`<message to='${far.juliet.bare}' type='chat'><body>without id</body></message>`)
    romeo.sends(chat(far.juliet.bare, 'm3'))
    assert.equal((await messages(far.juliet, 3)).join(), 'm2,,m3')
    stage.network.cut()
    romeo.sends(chat(far.juliet.bare, 'm4'))
    await stage.settled()
    stage.clock.advance(1)
    assert.deepEqual(await messages(far.juliet, 3), ['m2', 'm3', 'm4'])
    stage.network.cut()
    await stage.settled()
    stage.clock.advance(1)
    // Twice is enough: its sender shall decide.
    for (const id of ['m2', 'm3']) {
      const refused = await romeo.next('an error')
      assert.equal(refused.attrs['id'], id)
      assert.ok(refused.child('error')?.child('remote-server-timeout'))
    }
    assert.deepEqual(await messages(far.juliet, 1), ['m4'])
    stage.clock.advance(1000)
    await stage.settled()
    stage.network.cut()
    await stage.settled()
    await far.juliet.hearsNothingMore()
    await romeo.hearsNothingMore()
  },
  anyServer,
)

scene(
  'a stream whose peer stops acknowledging is given up, and another one takes over',
  async ({ romeo, far, stage }) => {
    await romeo.online()
    await stage.far!.account('juliet', far.juliet.domain, 'wherefore')
    romeo.sends(chat(far.juliet.bare, 'm1'))
    await stage.settled()
    stage.network.oneWay = true
    romeo.sends(chat(far.juliet.bare, 'm2'))
    await stage.settled()
    stage.clock.advance(60_000)
    stage.network.oneWay = false
    stage.clock.advance(20_000)
    await stage.settled()
    assert.equal(links(stage), 2)
    await stage.becomes(() => storedOf(stage.far!, far.juliet), ['m1', 'm2'])
    stage.clock.advance(1000)
    await stage.settled()
    await stage.becomes(() => outboundOf(stage), 0, 100)
  },
  anyServer,
)

scene(
  'a server without its peer stores messages and counts them; when their time is over their sender is told',
  async ({ romeo, far, stage }) => {
    await romeo.online()
    await manages(romeo)
    stage.network.down.add(far.juliet.domain)
    romeo.sends(chat(far.juliet.bare, 'm1'))
    assert.equal(await handledOf(romeo), '0')
    stage.clock.advance(800)
    await romeo.receives(`<a xmlns='${SM}' h='1'/>`)
    await stage.becomes(() => outboundOf(stage), 1)
    stage.clock.advance(300_000)
    for (;;) {
      const element = await romeo.next('an error')
      if (element.local !== 'message') continue
      assert.ok(element.child('error')?.child('remote-server-timeout'))
      break
    }
    await stage.becomes(() => outboundOf(stage), 0, 100)
  },
  anyServer,
)

/** A server with a certificate that has proved its domain. */
async function friend(stage: Stage, domain = FAR_DOMAIN): Promise<Peer> {
  const peer = new Peer(stage, domain, [domain])
  await peer.opens()
  peer.asksDialback()
  await peer.receives(`<db:result type='valid' from='${stage.domain}' to='${domain}'/>`)
  return peer
}
const failure = (condition: string) =>
  `<failed xmlns='${SM}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>`

scene('XEP-0198 §3: a server enables it once, and after it has proved a domain', async ({ stage }) => {
  const peer = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
  assert.ok((await peer.opens()).child('sm', SM))
  peer.raw(`<enable xmlns='${SM}'/>`)
  await peer.receives(failure('unexpected-request'))
  peer.raw(`<resume xmlns='${SM}' previd='x' h='0'/>`)
  await peer.receives(failure('unexpected-request'))
  peer.asksDialback()
  await peer.receives(`<db:result type='valid' from='${stage.domain}' to='${FAR_DOMAIN}'/>`)
  peer.raw(`<enable xmlns='${SM}'/>`)
  await peer.receives(`<enabled xmlns='${SM}'/>`)
  peer.raw(`<enable xmlns='${SM}' resume='true'/>`)
  await peer.receives(failure('unexpected-request'))
})

scene('XEP-0198 §4, §6: what a server may not say of stanzas', async ({ stage }) => {
  for (const [element, condition] of [
    [`<r xmlns='${SM}'/>`, 'unsupported-stanza-type'],
    [`<enable xmlns='${SM}'/><a xmlns='${SM}' h='1'/>`, 'undefined-condition'],
    [`<enable xmlns='${SM}'/><a xmlns='${SM}' h='many'/>`, 'bad-format'],
    [`<enable xmlns='${SM}'/><resumed xmlns='${SM}' h='0'/>`, 'unsupported-stanza-type'],
  ] as const) {
    const peer = await friend(stage)
    peer.raw(element)
    if (element.startsWith('<enable')) await peer.next('enabled')
    await peer.isDisconnected(condition)
  }
})

scene(
  'XEP-0198 §5: a server resumes its own streams, for five minutes, and no others',
  async ({ juliet, stage }) => {
    await juliet.online()
    const peer = await friend(stage)
    peer.raw(`<enable xmlns='${SM}' resume='true'/>`)
    const id = (await peer.next('enabled')).attrs['id']!
    peer.sends(
      `<message from='romeo@${FAR_DOMAIN}' to='${juliet.bare}' type='chat' id='m1'><body>1</body></message>`,
    )
    assert.deepEqual(await messages(juliet, 1), ['m1'])
    const resume = `<resume xmlns='${SM}' previd='${id}' h='0'/>`

    const spy = await friend(stage, 'spy.example')
    spy.raw(resume)
    await spy.receives(failure('item-not-found'))

    // The old stream still stands: it is replaced, and the count goes on.
    const second = await friend(stage)
    second.raw(resume)
    await second.receives(`<resumed xmlns='${SM}' previd='${id}' h='1'/>`)
    await peer.isDisconnected('conflict')
    second.sends(
      `<message from='romeo@${FAR_DOMAIN}' to='${juliet.bare}' type='chat' id='m2'><body>2</body></message>`,
    )
    assert.deepEqual(await messages(juliet, 1), ['m2'])
    await stage.settled()
    second.raw(`<r xmlns='${SM}'/>`)
    await second.receives(`<a xmlns='${SM}' h='2'/>`)
    second.floods().cut()
    await second.isGone()

    await stage.passes(299_000)
    const third = await friend(stage)
    third.raw(resume)
    await third.receives(`<resumed xmlns='${SM}' previd='${id}' h='2'/>`)
    third.floods().cut()
    await third.isGone()

    await stage.passes(301_000)
    const late = await friend(stage)
    late.raw(resume)
    await late.receives(failure('item-not-found'))
    late.raw(`<enable xmlns='${SM}' resume='true'/>`)
    assert.notEqual((await late.next('enabled')).attrs['id'], id)
  },
)
