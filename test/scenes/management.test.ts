/** XEP-0198 with clients: what is acknowledged is done, what is not goes on. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { chat, fails, handledOf, hits, messagesAlone as messages, SM } from '../support/managed.js'
import { scene, type Stage } from '../support/stage.js'

const set = ['limits.c2s_rate=off', 'limits.c2s_stanza_rate=off']

async function manages(actor: Actor): Promise<void> {
  actor.raw(`<enable xmlns='${SM}'/>`)
  const enabled = await actor.receives(`<enabled xmlns='${SM}'/>`)
  assert.equal(enabled.attrs['id'], undefined)
}

scene(
  'stream management is offered with binding, and refused before it and twice',
  async ({ romeo, stage }) => {
    await stage.account(romeo.local, romeo.domain, 'wherefore')
    await romeo.opens()
    romeo.raw(`<enable xmlns='${SM}'/>`)
    await fails(romeo, 'unexpected-request')
    romeo.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${romeo.plain()}</auth>`)
    await romeo.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
    romeo.startsStream()
    const features = await romeo.next('features')
    assert.ok(features.child('sm', SM))
    romeo.raw(`<enable xmlns='${SM}'/>`)
    await fails(romeo, 'unexpected-request')
    romeo.raw(`<resume xmlns='${SM}' previd='unheard-of' h='0'/>`)
    await fails(romeo, 'item-not-found')
    await romeo.asks(`<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
    romeo.raw(`<enable xmlns='${SM}' resume='0'/>`)
    const enabled = await romeo.receives(`<enabled xmlns='${SM}'/>`)
    assert.deepEqual([enabled.attrs['resume'], enabled.attrs['id']], [undefined, undefined])
    romeo.raw(`<enable xmlns='${SM}'/>`)
    await fails(romeo, 'unexpected-request')
    assert.equal(await handledOf(romeo), 0)
  },
)

scene('requests and acknowledgements before they were enabled end the stream', async ({ romeo, juliet }) => {
  for (const [actor, element] of [
    [romeo, `<r xmlns='${SM}'/>`],
    [juliet, `<a xmlns='${SM}' h='0'/>`],
  ] as const) {
    await actor.online()
    actor.raw(element)
    await actor.isDisconnected('unsupported-stanza-type')
  }
})

scene(
  'stanzas count from enabling on, those that were refused too, and nothing else does',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    await manages(romeo)
    assert.equal(await handledOf(romeo), 0)
    romeo.sends(chat(juliet.bare, 'one'))
    romeo.sends(`<presence/>`)
    await romeo.isRefused('service-unavailable', 'get', `<query xmlns='urn:example:unknown'/>`)
    romeo.raw('  \n')
    romeo.sends(`<message to='@'><body>nowhere</body></message>`)
    romeo.sends(chat(juliet.bare, 'huge', 'x'.repeat(300_000)))
    await romeo.settled() // a ping
    await romeo.ignoresSoFar() // and another two
    assert.equal(await handledOf(romeo), 8)
  },
)

scene('a message for nobody at home is acknowledged when it is stored', async ({ romeo, juliet, stage }) => {
  await stage.account(juliet.local, juliet.domain, 'wherefore')
  await romeo.online()
  await manages(romeo)
  for (let i = 1; i <= 20; i++) romeo.sends(chat(juliet.bare, `m${i}`))
  // What is answered at once may come before the last one is stored.
  await stage.becomes(() => handledOf(romeo), 20)
  const account = await stage.stores.accounts.get(juliet.domain, juliet.local)
  assert.equal(await stage.stores.offline.count(account!.id), 20)
})

scene(
  'what a lost client had not acknowledged waits for it, in order, and nothing else',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    await manages(juliet)
    for (let i = 1; i <= 30; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    assert.equal((await messages(juliet, 30)).length, 30)
    juliet.raw(`<a xmlns='${SM}' h='12'/>`)
    await juliet.ignoresSoFar()
    await juliet.vanishes()
    romeo.sends(chat(juliet.bare, 'later'))
    await romeo.settled()
    await juliet.online()
    const expected = Array.from({ length: 18 }, (_, i) => `m${i + 13}`)
    assert.deepEqual(await messages(juliet, 19), [...expected, 'later'])
    await juliet.hearsNothingMore()
  },
)

scene(
  'what one device did not acknowledge is not sent again where another got it',
  async ({ romeo, juliet$phone: phone, juliet$laptop: laptop }) => {
    await romeo.online()
    await phone.online()
    await laptop.online()
    await phone.ignoresSoFar()
    await laptop.ignoresSoFar()
    await manages(phone)
    romeo.sends(chat(phone.bare, 'both'))
    romeo.sends(chat(phone.full, 'phone'))
    await romeo.settled()
    assert.deepEqual(await messages(laptop, 1), ['both'])
    await phone.vanishes()
    assert.deepEqual(await messages(laptop, 1), ['phone'])
    await laptop.receives(`<presence type='unavailable'/>`)
    await laptop.hearsNothingMore()
  },
)

scene(
  'a request that was not acknowledged is answered for the one who left',
  async ({ juliet$phone: phone, juliet$laptop: laptop }) => {
    await phone.online()
    await laptop.online()
    await phone.ignoresSoFar()
    await manages(phone)
    const reply = laptop.gets(`<query xmlns='jabber:iq:version'/>`, phone.full)
    assert.equal((await phone.next('the request')).local, 'iq')
    await phone.vanishes()
    assert.ok((await reply).child('error')?.child('service-unavailable'))
  },
)

scene(
  'who acknowledges more than was sent is disconnected, and told both numbers',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    await manages(juliet)
    romeo.sends(chat(juliet.bare, 'one'))
    await messages(juliet, 1)
    juliet.raw(`<a xmlns='${SM}' h='2'/>`)
    await juliet.isDisconnected('undefined-condition')
    assert.match(juliet.heard, /<handled-count-too-high xmlns="urn:xmpp:sm:3" h="2" send-count="1"\/>/)
  },
)

scene(
  'a client is asked, and gets no more than the window holds until it acknowledges',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    await manages(juliet)
    for (let i = 1; i <= 120; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    const first = await messages(juliet, 50)
    assert.equal(first.at(-1), 'm50')
    await juliet.receives(`<r xmlns='${SM}'/>`)
    assert.equal(juliet.waiting, 0)
    juliet.raw(`<a xmlns='${SM}' h='30'/>`)
    assert.equal((await messages(juliet, 30)).at(-1), 'm80')
    juliet.raw(`<a xmlns='${SM}' h='80'/>`)
    assert.equal((await messages(juliet, 40)).at(-1), 'm120')
    juliet.raw(`<a xmlns='${SM}' h='120'/>`)
    await juliet.ignoresSoFar()
    assert.equal(hits(stage, 'sm_queue'), 0)
  },
  { set: [...set, 'limits.sm_queue=50'] },
)

scene(
  'a client that stops acknowledging is disconnected, and loses nothing',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    await manages(juliet)
    for (let i = 1; i <= 60; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    assert.equal((await messages(juliet, 50)).length, 50)
    for (let i = 0; i < 6; i++) stage.clock.advance(15_000)
    await juliet.isGone()
    assert.equal(hits(stage, 'sm_queue'), 1)
    await juliet.online()
    const again = await messages(juliet, 60)
    assert.deepEqual(
      again,
      Array.from({ length: 60 }, (_, i) => `m${i + 1}`),
    )
  },
  { set: [...set, 'limits.sm_queue=50'] },
)

async function kept(stage: Stage, actor: Actor): Promise<number> {
  const account = await stage.stores.accounts.get(actor.domain, actor.local)
  return stage.stores.offline.count(account!.id)
}

scene(
  'kept messages stay stored until their client has acknowledged them',
  async ({ romeo, juliet, stage }) => {
    await stage.account(juliet.local, juliet.domain, 'wherefore')
    await romeo.online()
    for (let i = 1; i <= 5; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    await juliet.connects()
    await manages(juliet)
    juliet.sends('<presence/>')
    assert.equal((await juliet.next('its own presence')).local, 'presence')
    assert.deepEqual(await messages(juliet, 5), ['m1', 'm2', 'm3', 'm4', 'm5'])
    await stage.becomes(() => kept(stage, juliet), 5)
    romeo.sends(chat(juliet.bare, 'live'))
    assert.deepEqual(await messages(juliet, 1), ['live'])
    // Its presence, and the first three.
    juliet.raw(`<a xmlns='${SM}' h='4'/>`)
    await juliet.ignoresSoFar()
    await stage.becomes(() => kept(stage, juliet), 2)
    await juliet.vanishes()
    await romeo.settled()
    await juliet.online()
    assert.deepEqual(await messages(juliet, 3), ['m4', 'm5', 'live'])
    await juliet.hearsNothingMore()
    await stage.becomes(() => kept(stage, juliet), 0)
  },
)

scene(
  'kept messages that were acknowledged are gone, and what came meanwhile is not',
  async ({ romeo, juliet, stage }) => {
    await stage.account(juliet.local, juliet.domain, 'wherefore')
    await romeo.online()
    for (let i = 1; i <= 250; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    await juliet.connects()
    await manages(juliet)
    juliet.sends('<presence/>')
    assert.equal((await juliet.next('its own presence')).local, 'presence')
    assert.equal((await messages(juliet, 250)).at(-1), 'm250')
    juliet.raw(`<a xmlns='${SM}' h='251'/>`)
    await juliet.ignoresSoFar()
    await stage.becomes(() => kept(stage, juliet), 0)
    await juliet.vanishes()
    await juliet.online()
    await juliet.hearsNothingMore()
  },
)

scene(
  'another device waits for the first to acknowledge, and gets what it did not',
  async ({ romeo, juliet$phone: phone, juliet$laptop: laptop, stage }) => {
    await stage.account(phone.local, phone.domain, 'wherefore')
    await romeo.online()
    for (let i = 1; i <= 3; i++) romeo.sends(chat(phone.bare, `m${i}`))
    await romeo.settled()
    await phone.connects()
    await manages(phone)
    phone.sends('<presence/>')
    assert.equal((await phone.next('its own presence')).local, 'presence')
    assert.deepEqual(await messages(phone, 3), ['m1', 'm2', 'm3'])
    await laptop.connects()
    laptop.sends('<presence/>')
    romeo.sends(chat(phone.bare, 'live'))
    await romeo.settled()
    phone.raw(`<a xmlns='${SM}' h='2'/>`)
    await phone.settled()
    await phone.vanishes()
    const ids: (string | undefined)[] = []
    while (ids.length < 3) {
      const element = await laptop.next('a message')
      if (element.local === 'message') ids.push(element.attrs['id'])
    }
    assert.deepEqual(ids, ['m2', 'm3', 'live'])
    await stage.settled()
    await stage.becomes(() => kept(stage, phone), 0)
  },
)
