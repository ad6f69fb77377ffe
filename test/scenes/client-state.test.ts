/** XEP-0352: what can wait for a client that nobody looks at waits, and nothing else. */
import assert from 'node:assert/strict'
import { Stanza } from '../../src/stanza/stanza.js'
import type { Actor } from '../support/actor.js'
import { friends } from '../support/friends.js'
import { scene, type Cast } from '../support/stage.js'

const CSI = 'urn:xmpp:csi:0'
const SM = 'urn:xmpp:sm:3'
const EVENT = 'http://jabber.org/protocol/pubsub#event'
const active = `<active xmlns='${CSI}'/>`
const inactive = `<inactive xmlns='${CSI}'/>`
const typing = (state = 'composing') => `<${state} xmlns='http://jabber.org/protocol/chatstates'/>`
const message = (attributes: string, content: string) =>
  `<message type='chat' ${attributes}>${content}</message>`
const shows = (show: string) => `<presence><show>${show}</show></presence>`

/** Romeo and juliet are friends, and nobody looks at juliet's client. */
async function asleep({ romeo, juliet }: Pick<Cast, 'romeo' | 'juliet'>): Promise<void> {
  await romeo.online()
  await juliet.online()
  await friends(romeo, juliet)
  juliet.raw(inactive)
  await juliet.settled()
}

/** Another server says this. */
function says(actor: Actor, stanza: string): void {
  const { stage } = actor
  const xml = stanza.replace(/^<(\w+)/, `<$1 xmlns='jabber:client'`)
  stage.server.hosts.get(stage.domain)!.send(Stanza.parse(xml))
}

scene('XEP-0352 §4.1, §4.2: offered with binding; no state is ever an error', async ({ juliet, stage }) => {
  await stage.account('juliet', stage.domain, 'wherefore')
  await juliet.opens()
  juliet.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${juliet.plain()}</auth>`)
  await juliet.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
  juliet.startsStream()
  assert.ok((await juliet.next('features')).child('csi', CSI))
  const odd = `<dozing xmlns='${CSI}'><x/></dozing>`
  for (const state of [inactive, active, odd]) juliet.raw(state)
  await juliet.asks(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
  for (const state of [active, inactive, inactive, odd, active, active]) juliet.raw(state)
  const reply = await juliet.gets(`<ping xmlns='urn:xmpp:ping'/>`)
  assert.equal(reply.attrs['type'], 'result')
})

scene('XEP-0352 §3.2: of presence only the last waits, and goes before a message', async (cast) => {
  await asleep(cast)
  const { romeo, juliet } = cast
  for (const show of ['away', 'xa', 'dnd']) romeo.sends(shows(show))
  romeo.sends(message(`to='${juliet.full}'`, typing()))
  romeo.sends(message(`to='${juliet.full}'`, typing('paused') + `<no-store xmlns='urn:xmpp:hints'/>`))
  romeo.sends(message(`to='${juliet.full}' id='m'`, `<body>ohai</body>${typing('active')}`))
  await juliet.receives(`<presence from='${romeo.full}'><show>dnd</show></presence>`)
  await juliet.receives(
    message(`from='${romeo.full}'`, typing('paused') + `<no-store xmlns='urn:xmpp:hints'/>`),
  )
  await juliet.receives(message(`id='m'`, `<body>ohai</body>${typing('active')}`))
  assert.equal(cast.stage.metrics.valueOf('client_state_held_total'), 5)
  assert.equal(cast.stage.metrics.valueOf('client_state_spared_total'), 3)
})

scene('XEP-0352 §5.1: active brings all that waited before the next answer', async (cast) => {
  await asleep(cast)
  const { romeo, juliet } = cast
  romeo.sends(shows('away'))
  await romeo.settled()
  juliet.raw(active)
  juliet.sends(`<iq type='get' id='p' to='${juliet.domain}'><ping xmlns='urn:xmpp:ping'/></iq>`)
  await juliet.receives(`<presence from='${romeo.full}'><show>away</show></presence>`)
  await juliet.receives(`<iq type='result' id='p'/>`)
  romeo.sends(shows('dnd'))
  await juliet.receives(`<presence from='${romeo.full}'><show>dnd</show></presence>`)
})

scene('XEP-0352: what the client does itself brings what waited', async (cast) => {
  await asleep(cast)
  const { romeo, juliet } = cast
  const deeds = [
    message(`to='${romeo.full}'`, '<body>x</body>'),
    `<presence to='${romeo.bare}'/>`,
    `<iq type='result' id='x' to='${romeo.full}'/>`,
  ]
  for (const [count, deed] of deeds.entries()) {
    romeo.sends(`<presence><status>${count}</status></presence>`)
    await romeo.settled()
    juliet.sends(deed)
    await juliet.receives(`<presence from='${romeo.full}'><status>${count}</status></presence>`)
  }
})

scene('XEP-0352 §3.2: what somebody would want to know does not wait', async (cast) => {
  await asleep(cast)
  const { juliet } = cast
  const from = `from='iago@far.example/x' to='${juliet.full}'`
  const jingle = (name: string) => `<${name} xmlns='urn:xmpp:jingle-message:0' id='1'/>`
  const urgent = [
    message(from, '<body>x</body>'),
    message(from, `<encrypted xmlns='eu.siacs.conversations.axolotl'/>`),
    message(from, jingle('propose')),
    message(from, jingle('retract')),
    message(from, `<received xmlns='urn:xmpp:receipts' id='1'/>`),
    message(from, `<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>`),
    message(from, `<x xmlns='jabber:x:conference' jid='room@rooms.example'/>`),
    `<message ${from} type='groupchat'><body>juliet: wake up</body></message>`,
    `<message ${from} type='headline'><body>x</body></message>`,
    `<message ${from} type='error'>${typing()}<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`,
    `<presence ${from} type='error'/>`,
    `<presence from='iago@far.example' to='${juliet.bare}' type='subscribe'/>`,
    ...["type='unavailable'", ''].map(
      (type) =>
        `<presence ${from} ${type}><x xmlns='http://jabber.org/protocol/muc#user'><item role='none'/><status code='110'/><status code='307'/></x></presence>`,
    ),
  ]
  for (const stanza of urgent) {
    says(juliet, stanza)
    await juliet.receives(stanza)
  }
})

scene('XEP-0163: news of contacts waits, of an item only the last', async (cast) => {
  await asleep(cast)
  const { juliet } = cast
  const event = (node: string, id: string, mood: string, from = 'iago@far.example') =>
    `<message from='${from}' to='${juliet.full}' type='headline'><event xmlns='${EVENT}'><items node='${node}'><item id='${id}'><${mood} xmlns='x'/></item></items></event></message>`
  const retracted = `<message from='iago@far.example' to='${juliet.full}' type='headline'><event xmlns='${EVENT}'><items node='mood'><retract id='2'/></items></event></message>`
  for (const stanza of [
    event('mood', '1', 'happy'),
    event('mood', '2', 'dreamy'),
    event('tune', '1', 'song'),
    retracted,
    event('mood', '1', 'sad'),
  ])
    says(juliet, stanza)
  // What the other devices of the account did is for this one to know.
  const own = event('urn:xmpp:mds:displayed:0', '1', 'displayed', juliet.bare)
  says(juliet, own)
  for (const stanza of [event('mood', '2', 'dreamy'), event('tune', '1', 'song'), retracted])
    await juliet.receives(stanza)
  await juliet.receives(event('mood', '1', 'sad'))
  await juliet.receives(own)
})

scene('XEP-0280: copies wait as what they are copies of would', async (cast) => {
  const { romeo, juliet, juliet$phone } = cast
  await romeo.online()
  await juliet$phone.online()
  await asleep(cast)
  await juliet.sets(`<enable xmlns='urn:xmpp:carbons:2'/>`)
  await juliet.ignoresSoFar()
  const bodies = async (count: number) => {
    const found: boolean[] = []
    while (found.length < count) {
      const copy = (await juliet.next()).child('sent')?.child('forwarded', 'urn:xmpp:forward:0')
      found.push(copy?.child('message', 'jabber:client')?.child('body') !== undefined)
    }
    return found
  }
  juliet$phone.sends(message(`to='${romeo.full}'`, typing()))
  juliet$phone.sends(message(`to='${romeo.full}'`, '<body>x</body>'))
  assert.deepEqual(await bodies(2), [false, true])
  assert.equal(cast.stage.metrics.valueOf('client_state_held_total'), 1)
})

scene(
  'modules.client-state.queue, queue_size: when too much waits all of it goes out, and waiting begins anew',
  async (cast) => {
    await asleep(cast)
    const { juliet, stage } = cast
    const somebody = (count: number) => `<presence from='p${count}@far.example/x' to='${juliet.full}'/>`
    const hits = () => stage.metrics.valueOf('limit_hits_total', 'client_state_queue') ?? 0
    for (let i = 0; i < 10; i++) says(juliet, somebody(i))
    assert.equal(hits(), 0)
    says(juliet, somebody(10))
    for (let i = 0; i <= 10; i++) await juliet.receives(somebody(i))
    for (let i = 0; i < 1_100; i++) says(juliet, somebody(i))
    assert.equal(hits(), 101)
    await juliet.settled()
    await juliet.ignoresSoFar()
    const status = `<status>${'x'.repeat(20_000)}</status>`
    says(juliet, somebody(1).replace('/>', `>${status}</presence>`))
    await juliet.receives(somebody(1).replace('/>', '>{any}</presence>'))
    assert.equal(hits(), 102)
  },
  { set: ['modules.client-state.queue=10', 'modules.client-state.queue_size=20KB'] },
)

scene(
  'XEP-0198 §4, XEP-0352 §5.2: what waits is not counted as sent; who comes back is active and gets it',
  async (cast) => {
    const { romeo, juliet, stage } = cast
    await romeo.online()
    await juliet.online()
    await friends(romeo, juliet)
    juliet.raw(`<enable xmlns='${SM}' resume='true'/>`)
    const id = (await juliet.receives(`<enabled xmlns='${SM}' resume='true'/>`)).attrs['id']!
    juliet.raw(inactive)
    await juliet.settled()
    for (const show of ['away', 'xa']) romeo.sends(shows(show))
    await romeo.settled()
    // It says nothing more, so nothing brings what waits.
    const seen = juliet.handled
    await juliet.vanishes()
    await juliet.isGone()
    romeo.sends(message(`to='${juliet.bare}'`, '<body>2</body>'))
    romeo.sends(shows('chat'))
    await romeo.settled()
    await juliet.authenticates()
    juliet.raw(`<resume xmlns='${SM}' previd='${id}' h='${seen}'/>`)
    await juliet.receives(`<resumed xmlns='${SM}' previd='${id}'/>`)
    juliet.isConnected = true
    romeo.sends(shows('away'))
    const told: string[] = []
    while (told.length < 4) {
      const stanza = await juliet.next()
      // The server asks in between how far the client is.
      if (stanza.ns !== SM) told.push((stanza.child('show') ?? stanza.child('body'))?.text ?? '')
    }
    assert.deepEqual(told, ['xa', '2', 'chat', 'away'])
    assert.equal(stage.logged.length, 0)
  },
  { set: ['limits.idle_ping=off'] },
)

scene(
  'XEP-0198 §5, XEP-0352: what waited when the server was stopped is there after the restart',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    await friends(romeo, juliet)
    juliet.raw(`<enable xmlns='${SM}' resume='true'/>`)
    const id = (await juliet.receives(`<enabled xmlns='${SM}' resume='true'/>`)).attrs['id']!
    juliet.raw(inactive)
    await juliet.settled()
    const seen = juliet.handled
    const event = (count: number) =>
      `<message from='iago@far.example' to='${juliet.full}' type='headline'><event xmlns='${EVENT}'><purge node='${count}'/></event></message>`
    for (const count of [1, 2]) says(juliet, event(count))
    romeo.sends(`<presence type='unavailable'/>`)
    await romeo.settled()
    await juliet.vanishes()
    await juliet.isGone()
    await stage.restarts()
    await juliet.authenticates()
    juliet.raw(`<resume xmlns='${SM}' previd='${id}' h='${seen}'/>`)
    await juliet.receives(`<resumed xmlns='${SM}' previd='${id}'/>`)
    const told: (string | undefined)[] = []
    while (told.length < 3) {
      const stanza = await juliet.next()
      const purged = stanza.child('event', EVENT)?.child('purge')?.attrs['node']
      if (stanza.ns !== SM) told.push(purged ?? `${stanza.attrs['type']} ${stanza.attrs['from']}`)
    }
    assert.deepEqual(told, ['1', '2', `unavailable ${romeo.full}`])
  },
  { set: ['limits.idle_ping=off'] },
)

scene(
  'XEP-0198 §5: presence that changes all the time does not end a session that waits to be resumed',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    await friends(romeo, juliet)
    juliet.raw(`<enable xmlns='${SM}' resume='true'/>`)
    const id = (await juliet.receives(`<enabled xmlns='${SM}' resume='true'/>`)).attrs['id']!
    const seen = juliet.handled
    await juliet.vanishes()
    await juliet.isGone()
    for (let i = 0; i < 300; i++) {
      romeo.sends(`<presence><status>${i}</status></presence>`)
      if (i % 100 === 10) romeo.sends(message(`to='${juliet.full}'`, `<body>${i}</body>`))
    }
    await romeo.settled()
    await juliet.authenticates()
    juliet.raw(`<resume xmlns='${SM}' previd='${id}' h='${seen}'/>`)
    await juliet.receives(`<resumed xmlns='${SM}' previd='${id}'/>`)
    juliet.isConnected = true
    const told: string[] = []
    const bodies: string[] = []
    while (told.at(-1) !== '299') {
      const stanza = await juliet.next()
      const body = stanza.child('body')
      if (body) bodies.push(body.text)
      if (stanza.ns !== SM) told.push((body ?? stanza.child('status'))!.text)
    }
    assert.ok(told.length <= 50, told.join(' '))
    assert.deepEqual(bodies, ['10', '110', '210'])
    assert.deepEqual(
      told,
      [...told].sort((one, other) => Number(one) - Number(other)),
    )
    // One that messages fill up ends as before.
    await juliet.vanishes()
    await juliet.isGone()
    for (let i = 0; i < 60; i++) romeo.sends(message(`to='${juliet.full}'`, `<body>${i}</body>`))
    await romeo.settled()
    assert.equal(stage.metrics.valueOf('sessions_parked'), 0)
  },
  { set: ['limits.idle_ping=off', 'limits.sm_queue=50'] },
)

scene('XEP-0352 §6: nobody sees whether a client is looked at', async (cast) => {
  await asleep(cast)
  const { romeo, juliet } = cast
  juliet.raw(active)
  juliet.raw(inactive)
  await romeo.hearsNothingMore()
  romeo.sends(`<presence to='${juliet.bare}' type='probe'/>`)
  await romeo.receives(`<presence from='${juliet.full}'/>`)
  await romeo.hearsNothingMore()
})
