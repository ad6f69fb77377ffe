/** XEP-0198 §5 with clients: a session outlives its stream, and nothing of it is lost or doubled. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { friends } from '../support/friends.js'
import { chat, fails, handledOf, hits, messages, SM } from '../support/managed.js'
import { scene, type Stage } from '../support/stage.js'
import { StorageUnavailable } from '../../src/storage/errors.js'
import type { Element } from '../../src/xml/element.js'

const parked = (stage: Stage) => stage.metrics.valueOf('sessions_parked')

/** Lets its session outlive its stream; gives what names it. */
async function manages(actor: Actor, attributes = ''): Promise<string> {
  actor.raw(`<enable xmlns='${SM}' resume='true'${attributes}/>`)
  const enabled = await actor.receives(`<enabled xmlns='${SM}' resume='true'/>`)
  return enabled.attrs['id'] as string
}
/** Comes back on a new stream; gives what the server has handled. */
async function resumes(actor: Actor, id: string, h = actor.handled): Promise<number> {
  await actor.authenticates()
  actor.handled = h
  actor.raw(`<resume xmlns='${SM}' previd='${id}' h='${h}'/>`)
  const resumed = await actor.receives(`<resumed xmlns='${SM}' previd='${id}'/>`)
  actor.isConnected = true
  return Number(resumed.attrs['h'])
}
/** Its stream breaks, and its session waits. */
async function parks(actor: Actor): Promise<void> {
  const before = parked(actor.stage) ?? 0
  await actor.vanishes()
  await actor.isGone()
  assert.equal(parked(actor.stage), before + 1)
}
/** Two devices of one account wait; the second one takes copies of what the first one gets. */
async function bothWait(first: Actor, second: Actor): Promise<void> {
  for (const device of [first, second]) await device.online()
  await second.sets(`<enable xmlns='urn:xmpp:carbons:2'/>`)
  for (const device of [first, second]) {
    await device.ignoresSoFar()
    await manages(device)
    await parks(device)
  }
}
async function kept(actor: Actor): Promise<number> {
  const { accounts, offline } = actor.stage.stores
  return offline.count((await accounts.get(actor.domain, actor.local))!.id)
}
const delayOf = (message: Element) => message.child('delay', 'urn:xmpp:delay')
/** The next stanza; requests before it are passed over. */
async function stanza(actor: Actor): Promise<Element> {
  for (;;) {
    const element = await actor.next('a stanza')
    if (element.ns !== SM) return element
  }
}
/** Nobody is asked whether he is still there. */
const quiet = { set: ['limits.idle_ping=off'] }
const ids = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => `m${first + i}`)

/** juliet comes to `count` messages that were kept for her, with stream management; gives what names her session. */
async function comesToKept(stage: Stage, romeo: Actor, juliet: Actor, count: number): Promise<string> {
  await stage.account(juliet.local, juliet.domain, 'wherefore')
  await romeo.online()
  for (const id of ids(1, count)) romeo.sends(chat(juliet.bare, id))
  await romeo.settled()
  await juliet.connects()
  const id = await manages(juliet)
  juliet.sends('<presence/>')
  await juliet.receives('<presence/>')
  assert.deepEqual(await messages(juliet, count), ids(1, count))
  return id
}

scene(
  'XEP-0198 §5: resumed comes first, then what was not acknowledged in order, then what came meanwhile',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const id = await manages(juliet)
    for (let i = 1; i <= 10; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    assert.deepEqual(await messages(juliet, 10), ids(1, 10))
    await juliet.vanishes()
    await stage.becomes(() => parked(stage), 1)
    for (let i = 11; i <= 20; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    await resumes(juliet, id, 4)
    assert.deepEqual(await messages(juliet, 16), ids(5, 20))
    romeo.sends(chat(juliet.bare, 'm21'))
    assert.deepEqual(await messages(juliet, 1), ['m21'])
    await stage.becomes(() => parked(stage), 0)
  },
)

scene(
  'XEP-0198 §3: resumable for 300 seconds, for as long as the client asks, and a day at most',
  async ({ romeo, stage }) => {
    for (const [attributes, max] of [
      ['', '300'],
      [" max='60'", '60'],
      [" max='3600'", '3600'],
      [" max='999999999'", '86400'],
      [" max='0'", '300'],
      [" max='soon'", '300'],
    ] as const) {
      await romeo.online()
      romeo.raw(`<enable xmlns='${SM}' resume='1'${attributes}/>`)
      const enabled = await romeo.receives(`<enabled xmlns='${SM}' resume='true' max='${max}'/>`)
      assert.match(enabled.attrs['id']!, /^[\w-]{22}$/)
      assert.equal(enabled.attrs['location'], '[2001:db8::7]:5222')
      await romeo.leaves()
    }
    assert.equal(hits(stage, 'sm_time_max'), 1)
  },
  { set: ['c2s.location=[2001:db8::7]:5222'] },
)

scene(
  'XEP-0198 §5: who is unknown fails, is told what is known, and binds on the same stream',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const id = await manages(juliet)
    juliet.sends(chat(romeo.bare, 'm1'))
    juliet.sends(chat(romeo.bare, 'm2'))
    await stage.settled()
    const said = await handledOf(juliet)
    await parks(juliet)
    // Of another account it is as if it had never been.
    await romeo.ignoresSoFar()
    await romeo.leaves()
    await romeo.authenticates()
    romeo.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    assert.equal((await fails(romeo, 'item-not-found')).attrs['h'], undefined)
    await romeo.leaves()
    await stage.passes(300_000)
    assert.equal(parked(stage), 0)
    assert.equal(hits(stage, 'sm_time'), 1)
    await romeo.authenticates()
    romeo.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    assert.equal((await fails(romeo, 'item-not-found')).attrs['h'], undefined)

    await juliet.authenticates()
    juliet.raw(`<resume xmlns='${SM}' previd='nothing like it' h='0'/>`)
    assert.equal((await fails(juliet, 'item-not-found')).attrs['h'], undefined)
    juliet.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    assert.equal((await fails(juliet, 'item-not-found')).attrs['h'], String(said))
    const bound = await juliet.asks(
      `<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`,
    )
    assert.equal(bound.attrs['type'], 'result')
    assert.notEqual(await manages(juliet), id)
  },
)

scene(
  'XEP-0198 §5, §10: before authentication, on a bound session and without its attributes there is no resuming',
  async ({ romeo, juliet, nurse }) => {
    await romeo.opens()
    romeo.raw(`<resume xmlns='${SM}' previd='any' h='0'/>`)
    await romeo.isDisconnected('not-authorized')
    await juliet.online()
    juliet.raw(`<resume xmlns='${SM}' previd='any' h='0'/>`)
    await fails(juliet, 'unexpected-request')
    await nurse.authenticates()
    nurse.raw(`<resume xmlns='${SM}' h='0'/>`)
    await fails(nurse, 'bad-request')
    nurse.raw(`<resume xmlns='${SM}' previd='any'/>`)
    await nurse.isDisconnected('bad-format')
  },
)

scene(
  'XEP-0198 §5: a stream that still stands ends with conflict, and nothing is lost or doubled',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const id = await manages(juliet)
    for (let i = 1; i <= 5; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    assert.deepEqual(await messages(juliet, 5), ids(1, 5))
    const again = stage.twin(juliet)
    for (let i = 6; i <= 10; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    await resumes(again, id, juliet.handled - 3)
    for (let i = 11; i <= 15; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    assert.deepEqual(await messages(juliet, 5), ids(6, 10))
    await juliet.isDisconnected('conflict')
    assert.deepEqual(await messages(again, 8), ids(8, 15))
    assert.equal(stage.server.sessionCount, 2)
    await again.settled()
    await romeo.hearsNothingMore()
  },
)

scene(
  'XEP-0198 §5: of two streams that resume at once the last has the session',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const id = await manages(juliet)
    const [first, second] = [stage.twin(juliet), stage.twin(juliet)]
    await first.authenticates()
    await second.authenticates()
    first.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    second.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    await stage.becomes(() => stage.streams, 2)
    await stage.becomes(() => first.closed !== second.closed, true)
    const winner = first.closed ? second : first
    await winner.receives(`<resumed xmlns='${SM}' previd='${id}'/>`)
    romeo.sends(chat(juliet.bare, 'm1'))
    assert.deepEqual(await messages(winner, 1), ['m1'])
  },
)

scene(
  'XEP-0198 §6: who resumes with more than was sent is told so, and may come back',
  async ({ juliet, romeo }) => {
    await romeo.online()
    await juliet.online()
    const id = await manages(juliet)
    romeo.sends(chat(juliet.bare, 'm1'))
    await messages(juliet, 1)
    await parks(juliet)
    await juliet.authenticates()
    juliet.raw(`<resume xmlns='${SM}' previd='${id}' h='2'/>`)
    await juliet.isDisconnected('undefined-condition')
    assert.match(juliet.heard, /<handled-count-too-high xmlns="urn:xmpp:sm:3" h="2" send-count="1"\/>/)
    await resumes(juliet, id, 0)
    assert.deepEqual(await messages(juliet, 1), ['m1'])
  },
)

scene(
  'XEP-0198 §5: presence stays while it waits, and no second one follows',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    await friends(romeo, juliet)
    const id = await manages(juliet)
    await romeo.ignoresSoFar()
    await parks(juliet)
    await romeo.hearsNothingMore()
    // Whoever comes now sees her too.
    await romeo.leaves()
    await romeo.online()
    await romeo.receives(`<presence from='${juliet.full}'/>`)
    await resumes(juliet, id)
    await juliet.ignoresSoFar()
    await romeo.hearsNothingMore()
    await parks(juliet)
    await stage.passes(300_000)
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    await romeo.hearsNothingMore()
  },
  quiet,
)

scene(
  'XEP-0198 §4, §5: who does not come back leaves messages to the offline store in order, with when they came, and errors to requests',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    await manages(juliet)
    for (let i = 1; i <= 3; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    await messages(juliet, 3)
    await parks(juliet)
    const sent = stage.clock.now()
    romeo.sends(chat(juliet.full, 'm4'))
    const answer = romeo.gets(`<query xmlns='jabber:iq:version'/>`, juliet.full)
    romeo.sends(chat(juliet.bare, 'm5'))
    await romeo.settled()
    assert.equal(await kept(juliet), 0)
    await stage.passes(300_000)
    assert.ok((await answer).child('error')?.child('service-unavailable'))
    await stage.becomes(() => kept(juliet), 5)
    romeo.sends(chat(juliet.bare, 'm6'))
    await romeo.settled()
    await juliet.online()
    for (const [i, expected] of ids(1, 6).entries()) {
      const message = await juliet.receives(
        `<message id='${expected}'><body>{any}</body><delay xmlns='urn:xmpp:delay'/></message>`,
      )
      if (i < 5) assert.equal(delayOf(message)!.attrs['stamp'], new Date(sent).toISOString())
    }
    await juliet.hearsNothingMore()
    await romeo.hearsNothingMore()
  },
  quiet,
)

scene(
  'XEP-0198 §4: what nobody else got goes to the other device, once and in order',
  async ({ romeo, juliet$phone: phone, juliet$laptop: laptop, stage }) => {
    await romeo.online()
    await phone.online()
    const id = await manages(phone)
    await parks(phone)
    for (let i = 1; i <= 3; i++) romeo.sends(chat(phone.bare, `m${i}`))
    await romeo.settled()
    await laptop.online()
    await laptop.ignoresSoFar()
    romeo.sends(chat(phone.bare, 'both'))
    romeo.sends(chat(phone.full, 'm4'))
    assert.deepEqual(await messages(laptop, 1), ['both'])
    await stage.passes(300_000)
    assert.deepEqual(await messages(laptop, 4), ids(1, 4))
    await laptop.receives(`<presence type='unavailable' from='${phone.full}'/>`)
    await laptop.hearsNothingMore()
    assert.equal(await kept(phone), 0)
    await phone.authenticates()
    phone.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    await fails(phone, 'item-not-found')
  },
  quiet,
)

scene(
  'XEP-0203: a message that comes late by resuming says when it came, once',
  async ({ romeo, juliet, stage }) => {
    await stage.account(juliet.local, juliet.domain, 'wherefore')
    await romeo.online()
    romeo.sends(chat(juliet.bare, 'm1'))
    await romeo.settled()
    const [first] = [stage.clock.now()]
    await stage.passes(5000)
    await juliet.connects()
    const id = await manages(juliet)
    juliet.sends('<presence/>')
    await juliet.receives('<presence/>')
    await messages(juliet, 1)
    await parks(juliet)
    await stage.passes(5000)
    const second = stage.clock.now()
    romeo.sends(chat(juliet.bare, 'm2'))
    await romeo.settled()
    await stage.passes(5000)
    for (let round = 0; round < 2; round++) {
      await resumes(juliet, id, 1)
      for (const [message, at] of [
        ['m1', first],
        ['m2', second],
      ] as const) {
        const stamp = new Date(at).toISOString()
        // What waited is sent after the question about what was sent before.
        if (message === 'm2' && round === 0) await juliet.receives(`<r xmlns='${SM}'/>`)
        await juliet.receives(
          `<message id='${message}'><body>{any}</body><delay xmlns='urn:xmpp:delay' from='${juliet.domain}' stamp='${stamp}'>{any}</delay></message>`,
        )
      }
      await parks(juliet)
    }
  },
)

scene(
  'XEP-0198 §7: a closed stream ends the session at once, and so does one that is closed for its faults',
  async ({ juliet, stage }) => {
    const ends: [string, string | undefined][] = [
      ['</stream:stream>', undefined],
      ['<message><body>', undefined],
      [`<message from='romeo@${juliet.domain}'><body/></message>`, 'invalid-from'],
      ['<message></presence>', 'not-well-formed'],
      [`<a xmlns='${SM}' h='77'/>`, 'undefined-condition'],
    ]
    for (const [said, condition] of ends) {
      await juliet.online()
      const id = await manages(juliet)
      juliet.raw(said)
      if (said === '<message><body>') await juliet.vanishes()
      else await juliet.isDisconnected(condition)
      await stage.becomes(() => stage.streams, 0)
      const survives = said === '<message><body>'
      assert.equal(parked(stage), survives ? 1 : 0, said)
      if (survives) continue
      await juliet.authenticates()
      juliet.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
      assert.ok((await fails(juliet, 'item-not-found')).attrs['h'] !== undefined)
      await juliet.leaves()
    }
    await juliet.online()
    await manages(juliet)
    juliet.raw(
      `<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`,
    )
    await juliet.isDisconnected()
    await stage.becomes(() => stage.streams, 0)
    assert.equal(parked(stage), 0)
  },
)

scene('XEP-0198 §7: who does not answer a ping may come back', async ({ juliet, stage }) => {
  await juliet.online()
  const id = await manages(juliet)
  for (let i = 0; i < 30; i++) stage.clock.advance(15_000)
  assert.equal((await juliet.next('a ping')).local, 'iq')
  await juliet.isGone()
  assert.equal(parked(stage), 1)
  await resumes(juliet, id)
})

scene(
  'limits.parked_sessions: of one more than may wait the oldest ends',
  async ({ juliet$phone: phone, juliet$laptop: laptop, juliet$tablet: tablet, stage }) => {
    const names: string[] = []
    for (const device of [phone, laptop, tablet]) {
      await device.online()
      await device.ignoresSoFar()
      names.push(await manages(device))
      await device.vanishes()
    }
    assert.equal(parked(stage), 2)
    assert.equal(hits(stage, 'parked_sessions'), 1)
    await phone.authenticates()
    phone.raw(`<resume xmlns='${SM}' previd='${names[0]}' h='0'/>`)
    await fails(phone, 'item-not-found')
    await resumes(laptop, names[1]!)
    await resumes(tablet, names[2]!)
  },
  { set: ['limits.parked_sessions=2'] },
)

scene(
  'limits.sessions_per_account: one that waits gives way to one that comes',
  async ({
    juliet$phone: phone,
    juliet$laptop: laptop,
    juliet$tablet: tablet,
    juliet$watch: watch,
    stage,
  }) => {
    await phone.online()
    await manages(phone)
    await parks(phone)
    await laptop.online()
    await tablet.online()
    assert.equal(stage.server.sessionCount, 2)
    assert.equal(parked(stage), 0)
    await watch.authenticates()
    const refused = await watch.asks(
      `<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`,
    )
    assert.ok(refused.child('error')?.child('resource-constraint'))
  },
  { set: ['limits.sessions_per_account=2'] },
)

scene(
  'RFC 6120 §7.7.2.2: who binds the resource of a session that waits replaces it, and gets what waited',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const id = await manages(juliet)
    await parks(juliet)
    for (let i = 1; i <= 3; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    await juliet.online()
    assert.deepEqual(await messages(juliet, 3), ids(1, 3))
    await juliet.hearsNothingMore()
    assert.equal(parked(stage), 0)
    const other = stage.twin(juliet)
    await other.authenticates()
    other.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    await fails(other, 'item-not-found')
  },
)

scene(
  'a session that waits with all that it may hold ends with the next stanza, and nothing is lost',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const id = await manages(juliet)
    for (let i = 1; i <= 20; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    await messages(juliet, 20)
    await parks(juliet)
    for (let i = 21; i <= 50; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    assert.equal(parked(stage), 1)
    assert.equal(hits(stage, 'sm_queue'), 0)
    romeo.sends(chat(juliet.bare, 'm51'))
    await romeo.settled()
    assert.equal(parked(stage), 0)
    assert.equal(hits(stage, 'sm_queue'), 1)
    const other = stage.twin(juliet)
    await other.authenticates()
    other.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    await fails(other, 'item-not-found')
    await other.leaves()
    await juliet.online()
    assert.deepEqual(await messages(juliet, 51), ids(1, 51))
    await juliet.hearsNothingMore()
  },
  { set: ['limits.sm_queue=50', 'limits.c2s_rate=off', 'limits.c2s_stanza_rate=off'] },
)

scene(
  'kept messages that were sent and not acknowledged come again by resuming, and are removed when they are acknowledged',
  async ({ romeo, juliet, stage }) => {
    const id = await comesToKept(stage, romeo, juliet, 5)
    await parks(juliet)
    assert.equal(await kept(juliet), 5)
    await resumes(juliet, id, 3)
    assert.deepEqual(await messages(juliet, 3), ids(3, 5))
    await stage.becomes(() => kept(juliet), 3)
    juliet.raw(`<a xmlns='${SM}' h='6'/>`)
    await stage.becomes(() => kept(juliet), 0)
    await juliet.ignoresSoFar()
    await juliet.vanishes()
    await stage.passes(300_000)
    assert.equal(await kept(juliet), 0)
  },
)

scene(
  'a client that does not read loses its stream, and comes back to all that it missed at its own pace',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const id = await manages(juliet)
    juliet.stopsReading()
    const body = 'x'.repeat(10_000)
    const long = (i: number) =>
      `<message to='${juliet.bare}' type='chat' id='m${i}'><body>${body}</body></message>`
    for (let i = 1; i <= 15; i++) romeo.sends(long(i))
    await romeo.settled()
    for (let i = 0; i < 10 && parked(stage) === 0; i++) stage.clock.advance(15_000)
    assert.equal(parked(stage), 1)
    juliet.readsAgain()
    await juliet.isGone()
    await resumes(juliet, id, 0)
    assert.deepEqual(await messages(juliet, 15), ids(1, 15))
  },
  {
    wire: 'pipe',
    set: [
      'limits.write_pause=64KiB',
      'limits.write_queue=256KiB',
      'limits.sm_queue_size=256KiB',
      'limits.c2s_rate=off',
    ],
  },
)

scene(
  'XEP-0198 §5: the answer waits until what the client said before is stored, and counts it',
  async ({ romeo, juliet, stage }) => {
    await stage.account(juliet.local, juliet.domain, 'wherefore')
    await romeo.online()
    const id = await manages(romeo)
    const { offline } = stage.stores
    const append = offline.append.bind(offline)
    let store = (): void => undefined
    const slow = new Promise<void>((resolve) => (store = resolve))
    offline.append = async (...message) => {
      await slow
      return append(...message)
    }
    romeo.sends(chat(juliet.bare, 'm1'))
    await stage.becomes(() => stage.metrics.valueOf('stanzas_total', 'in', 'message'), 1)
    await parks(romeo)
    await romeo.authenticates()
    romeo.raw(`<resume xmlns='${SM}' previd='${id}' h='${romeo.handled}'/>`)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(romeo.waiting, 0)
    store()
    await romeo.receives(`<resumed xmlns='${SM}' h='1'/>`)
    await stage.becomes(() => kept(juliet), 1)
  },
)

scene(
  'limits.parked_sessions: a hundred times as many as may wait leave nothing behind',
  async ({ juliet, stage }) => {
    for (let i = 0; i < 200; i++) {
      const device = stage.twin(juliet)
      await device.authenticates()
      await device.asks(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
      await manages(device)
      device.isConnected = true
      await device.vanishes()
    }
    assert.equal(parked(stage), 2)
    assert.equal(stage.server.sessionCount, 2)
    assert.equal(hits(stage, 'parked_sessions'), 198)
  },
  { set: ['limits.parked_sessions=2'] },
)

scene(
  'limits §3 P5: a session that waits outlives a clean restart with all that it has, and nobody hears of it',
  async ({ romeo, juliet$phone: phone, juliet$laptop: laptop, stage }) => {
    await romeo.online()
    await laptop.online()
    await phone.online(`<presence><show>away</show><priority>3</priority></presence>`)
    await friends(romeo, phone)
    await phone.sets(`<enable xmlns='urn:xmpp:carbons:2'/>`)
    await laptop.ignoresSoFar()
    const id = await manages(phone)
    const other = await manages(romeo)
    const before = phone.handled
    for (let i = 1; i <= 3; i++) romeo.sends(chat(phone.full, `m${i}`))
    assert.deepEqual(await messages(phone, 3), ids(1, 3))
    phone.sends(chat(romeo.full, 'n1'))
    await phone.ignoresSoFar()
    const said = await handledOf(phone)
    await parks(phone)
    for (let i = 4; i <= 6; i++) romeo.sends(chat(phone.full, `m${i}`))
    await romeo.ignoresSoFar()
    await stage.restarts()
    await romeo.isDisconnected('system-shutdown')
    await laptop.isGone()
    assert.equal(parked(stage), 2)
    assert.equal(stage.server.sessionCount, 2)

    await resumes(romeo, other)
    // The laptop had nothing to come back to: it left.
    assert.equal((await stanza(romeo)).attrs['from'], laptop.full)
    await romeo.ignoresSoFar()
    romeo.sends(chat(phone.full, 'm7'))
    await romeo.settled()
    assert.equal(await resumes(phone, id, before + 1), said)
    assert.deepEqual(await messages(phone, 6), ids(2, 7))
    await phone.ignoresSoFar()
    await romeo.hearsNothingMore()

    // Carbons are still on, presence is what it was.
    await laptop.online('<presence/>')
    await laptop.receivesInAnyOrder(
      `<presence from='${romeo.full}'/>`,
      `<presence from='${phone.full}'><show>away</show><priority>3</priority></presence>`,
    )
    await phone.ignoresSoFar()
    laptop.sends(chat(romeo.bare, 'from the laptop'))
    const copy = await stanza(phone)
    assert.ok(copy.child('sent', 'urn:xmpp:carbons:2'))
    assert.deepEqual(await stage.stores.parked.read('', 10), [])
  },
)

scene(
  'limits §3 P5: what nobody comes back to after a restart ends as it would have without',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    await friends(romeo, juliet)
    const id = await manages(juliet)
    const other = await manages(romeo)
    await parks(juliet)
    for (let i = 1; i <= 3; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.ignoresSoFar()
    await stage.passes(100_000)
    await stage.restarts()
    await romeo.isGone()
    await resumes(romeo, other)
    await stage.passes(199_000)
    assert.equal(parked(stage), 1)
    await stage.passes(2000)
    assert.equal(parked(stage), 0)
    const farewell = await stanza(romeo)
    assert.deepEqual([farewell.attrs['type'], farewell.attrs['from']], ['unavailable', juliet.full])
    await stage.becomes(() => kept(juliet), 3)
    await juliet.authenticates()
    juliet.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    assert.notEqual((await fails(juliet, 'item-not-found')).attrs['h'], undefined)
    assert.deepEqual(await stage.stores.parked.read('', 10), [])
  },
  quiet,
)

scene(
  'limits §3 P5: a crash after a restart: sessions that nobody came back to leave what they held, and tell how far they had come',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const id = await manages(juliet)
    const said = await handledOf(juliet)
    for (let i = 1; i <= 2; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    await messages(juliet, 2)
    await stage.restarts()
    await juliet.isGone()
    await romeo.isGone()
    assert.equal(parked(stage), 1)
    await stage.isSucceeded()
    assert.equal(parked(stage), 0)
    await stage.becomes(() => kept(juliet), 2)
    await juliet.authenticates()
    juliet.raw(`<resume xmlns='${SM}' previd='${id}' h='2'/>`)
    assert.equal((await fails(juliet, 'item-not-found')).attrs['h'], String(said))
    await juliet.leaves()
    await juliet.online()
    assert.deepEqual(await messages(juliet, 2), ids(1, 2))
    assert.deepEqual(await stage.stores.parked.read('', 10), [])
  },
)

scene(
  'kept messages that a session had and did not acknowledge come once after a restart',
  async ({ romeo, juliet, stage }) => {
    const id = await comesToKept(stage, romeo, juliet, 3)
    await stage.restarts()
    await juliet.isGone()
    await stage.becomes(() => kept(juliet), 0)
    await resumes(juliet, id, 3)
    assert.deepEqual(await messages(juliet, 1), ['m3'])
    await juliet.ignoresSoFar()
    juliet.raw(`<a xmlns='${SM}' h='${juliet.handled}'/></stream:stream>`)
    await juliet.isGone()
    await juliet.online()
    await juliet.hearsNothingMore()
  },
)

scene(
  'XEP-0280, limits §3 P2: of whom one waits with a message and one with a copy, it is kept once when both are gone',
  async ({ romeo, juliet, juliet$phone, juliet$tablet, stage }) => {
    await romeo.online()
    await bothWait(juliet, juliet$phone)
    romeo.sends(chat(juliet.full, 'm1'))
    await romeo.settled()
    await stage.restarts()
    await stage.passes(301_000)
    assert.equal(parked(stage), 0)
    await juliet$tablet.online()
    assert.deepEqual(await messages(juliet$tablet, 1), ['m1'])
    await juliet$tablet.hearsNothingMore()
    assert.equal(await kept(juliet$tablet), 0)
  },
  quiet,
)

scene(
  'XEP-0352 §5.2, XEP-0280 §10.1: after resuming a client is active, and copies go on',
  async ({ romeo, juliet$phone: phone, juliet$laptop: laptop }) => {
    await romeo.online()
    await laptop.online()
    await phone.online()
    await friends(romeo, phone)
    await phone.sets(`<enable xmlns='urn:xmpp:carbons:2'/>`)
    const id = await manages(phone)
    phone.raw(`<inactive xmlns='urn:xmpp:csi:0'/>`)
    await phone.ignoresSoFar()
    romeo.sends('<presence><show>away</show></presence>')
    await romeo.settled()
    assert.equal(phone.waiting, 0)
    await parks(phone)
    await resumes(phone, id)
    const held = await stanza(phone)
    assert.equal(held.child('show')?.text, 'away')
    romeo.sends('<presence><show>dnd</show></presence>')
    assert.equal((await stanza(phone)).child('show')?.text, 'dnd')
    laptop.sends(chat(romeo.bare, 'a copy'))
    assert.ok((await stanza(phone)).child('sent', 'urn:xmpp:carbons:2'))
    await laptop.ignoresSoFar()
    await phone.ignoresSoFar()
    await laptop.hearsNothingMore()
  },
)

let memory = 0

scene(
  'limits.memory_guard: what waits for those who are away goes other ways',
  async ({ romeo, juliet, nurse, stage }) => {
    await romeo.online()
    await juliet.online()
    await nurse.online()
    await manages(juliet)
    const id = await manages(nurse)
    await nurse.ignoresSoFar()
    nurse.raw(`<a xmlns='${SM}' h='${nurse.handled}'/>`)
    await nurse.settled()
    await parks(juliet)
    romeo.sends(chat(juliet.bare, 'm1'))
    await romeo.settled()
    memory = 0.9
    stage.clock.advance(15_000)
    memory = 0
    assert.equal(hits(stage, 'memory_guard'), 1)
    assert.equal(parked(stage), 0)
    await stage.becomes(() => kept(juliet), 1)
    await parks(nurse)
    await resumes(nurse, id)
  },
  { memoryUse: () => memory },
)

scene(
  'decisions §3: what could not be kept never counts, and the client comes back and says it again',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const id = await manages(romeo)
    const { archive } = stage.stores
    const add = archive.add.bind(archive)
    archive.add = (...entry) => {
      const taken = add(...entry)
      return taken && { ...taken, written: Promise.reject(new StorageUnavailable('a test')) }
    }
    romeo.sends(chat(juliet.bare, 'm1'))
    await romeo.isGone()
    assert.equal(parked(stage), 1)
    archive.add = add
    assert.equal(await resumes(romeo, id, 0), 0)
  },
)

scene(
  'limits §3 P8: who comes back after a restart while the store is away has to come again, and is told no old count',
  async ({ juliet, stage }) => {
    await juliet.online()
    const id = await manages(juliet)
    await stage.restarts()
    await juliet.isGone()
    const store = stage.stores.parked
    const remove = store.remove.bind(store)
    store.remove = () => Promise.reject(new StorageUnavailable('a test'))
    await juliet.authenticates()
    juliet.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    await juliet.isDisconnected('internal-server-error')
    assert.equal(parked(stage), 1)
    store.remove = remove
    await resumes(juliet, id, 0)
    assert.deepEqual(await store.read('', 10), [])
  },
)

scene(
  'limits §2: a session is resumed by its own account alone, and ends with it',
  async ({ romeo, juliet, other, stage }) => {
    await juliet.online()
    const id = await manages(juliet)
    await parks(juliet)
    for (const thief of [romeo, other.juliet]) {
      await thief.authenticates()
      thief.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
      // Nor is it told how far the session had come.
      assert.equal((await fails(thief, 'item-not-found')).attrs['h'], undefined)
      await thief.leaves()
    }
    assert.equal(parked(stage), 1)
    const host = stage.server.hosts.get(juliet.domain)!
    await host.removeAccount((await host.account(juliet.local))!)
    assert.equal(parked(stage), 0)
    // Another person of the same name.
    await juliet.authenticates()
    juliet.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    await fails(juliet, 'item-not-found')
  },
  quiet,
)

scene(
  'limits §3 P3, P5: what two sessions had waiting, one of them a copy, is kept once after a restart and a crash',
  async ({ romeo, juliet, juliet$phone, juliet$tablet, stage }) => {
    await romeo.online()
    await bothWait(juliet, juliet$phone)
    romeo.sends(chat(juliet.bare, 'm1'))
    romeo.sends(chat(juliet.full, 'm2'))
    await romeo.settled()
    await stage.restarts()
    await stage.isSucceeded()
    assert.equal(parked(stage), 0)
    await stage.becomes(() => kept(juliet), 2)
    await juliet$tablet.online()
    assert.deepEqual((await messages(juliet$tablet, 2)).sort(), ids(1, 2))
    await juliet$tablet.hearsNothingMore()
  },
  quiet,
)

scene(
  'limits §3 P5: what waited for an account that is disabled at the next start is kept for it',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const id = await manages(juliet)
    await parks(juliet)
    romeo.sends(chat(juliet.bare, 'm1'))
    await romeo.settled()
    await stage.server.stop()
    const account = (await stage.stores.accounts.get(juliet.domain, juliet.local))!
    await stage.stores.accounts.disable(account.id, 'away', stage.clock.now())
    await stage.isSucceeded()
    assert.equal(parked(stage), 0)
    await stage.becomes(() => kept(juliet), 1)
    await stage.stores.accounts.enable(account.id)
    await juliet.authenticates()
    juliet.raw(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    await fails(juliet, 'item-not-found')
  },
  quiet,
)

scene(
  'limits §3 P1: whoever is told that a refused message counts has been told that it was refused, whatever is held',
  async ({ romeo, juliet$phone: phone, juliet$laptop: laptop, stage }) => {
    await stage.account(phone.local, phone.domain, 'wherefore')
    await romeo.online()
    romeo.sends(chat(phone.bare, 'm1'))
    await romeo.settled()
    await phone.connects()
    await manages(phone)
    phone.sends('<presence/>')
    assert.equal((await stanza(phone)).local, 'presence')
    assert.deepEqual(await messages(phone, 1), ['m1'])
    // The laptop waits for the phone, which does not say that it has its message.
    await laptop.connects()
    await manages(laptop)
    laptop.sends('<presence/>')
    await stage.becomes(() => stage.metrics.valueOf('stanzas_total', 'in', 'presence'), 3)
    const available = Object.getOwnPropertyDescriptor(stage.stores.archive, 'available')
    Object.defineProperty(stage.stores.archive, 'available', { value: false, configurable: true })
    laptop.sends(chat(romeo.bare, 'refused'))
    laptop.raw(`<r xmlns='${SM}'/>`)
    let told = false
    for (let h = 0; h < 2;) {
      const element = await laptop.next('a refusal, and the count')
      if (element.attrs['id'] === 'refused') told = element.attrs['type'] === 'error'
      if (element.local === 'a') h = Number(element.attrs['h'])
    }
    assert.ok(told)
    if (available) Object.defineProperty(stage.stores.archive, 'available', available)
    else Reflect.deleteProperty(stage.stores.archive, 'available')
  },
)
