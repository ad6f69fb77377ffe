/** What people of two servers do together, as checks: `ours` and `theirs` are servers of world.mjs. */
import assert from 'node:assert/strict'
import { chat, isChat, NS, Person, ping, xml } from './person.mjs'
import { pause, until } from './server.mjs'

const password = 'a rose by any other name'
const disco = 'http://jabber.org/protocol/disco#info'
const muc = 'http://jabber.org/protocol/muc'

/** Somebody new on this server, online. */
export async function person(server, name) {
  await server.addUser(name, password)
  return again(server, name)
}

/** Somebody whom the server knows, online. */
export function again(server, name) {
  return new Person(`${name}@${server.domain}`, {
    service: `xmpp://127.0.0.1:${server.port}`,
    password,
  }).online()
}

/** RFC 6121 §3: each asks and allows the other, and sees the other come and go. */
export async function befriend(one, two) {
  for (const [asker, asked] of eachWay(one, two)) {
    await asker.say(xml('presence', { type: 'subscribe', to: asked.bare }))
    await asked.next((it) => it.attrs.type === 'subscribe' && it.attrs.from === asker.bare, 'subscribe')
    await asked.say(xml('presence', { type: 'subscribed', to: asker.bare }))
    await asker.next((it) => it.attrs.type === 'subscribed' && it.attrs.from === asked.bare, 'subscribed')
    await asker.next((it) => it.is('presence') && !it.attrs.type && it.attrs.from === asked.jid, 'presence')
  }
  for (const [seen, seer] of eachWay(one, two)) {
    await seen.say(xml('presence', {}, xml('show', {}, 'dnd'), xml('status', {}, 'Not now, Ῥωμαῖε')))
    const presence = await seer.next(
      (it) => it.attrs.from === seen.jid && it.getChildText('show') === 'dnd',
      'dnd',
    )
    assert.equal(presence.getChildText('status'), 'Not now, Ῥωμαῖε')
  }
  for (const each of [one, two]) {
    const roster = await each.ask(xml('iq', { type: 'get' }, xml('query', NS.roster)))
    const [item] = roster.getChild('query', NS.roster).getChildren('item')
    assert.equal(item.attrs.subscription, 'both', String(roster))
  }
}

/** Text that must be escaped, and more than the first plane of Unicode. */
export async function talk(one, two) {
  const text = `Wherefore art thou <Rómeo> & "why"? ]]> 'tis 🌹\n\tΖωή`
  for (const [speaker, hearer] of eachWay(one, two)) {
    await speaker.say(chat(hearer.jid, text))
    const heard = await hearer.next(isChat, 'a message')
    assert.deepEqual([heard.getChildText('body'), heard.attrs.from], [text, speaker.jid])
  }
}

/** Prefixes, languages, entities and CDATA: written as text, compared by meaning. */
export async function talkStrangely(one, two) {
  for (const [speaker, hearer] of eachWay(one, two)) {
    const message = (to) => `<message to='${to}' type='chat' id='strange' xml:lang='de'>
      <body>&lt;&#x1F339;&gt; &amp;amp; <![CDATA[<&>]]></body><body xml:lang='el'>Ζωή &quot;&#39;</body>
      <v:box xmlns:v='urn:verona:1' v:size='&lt;2 &quot;' xml:lang='it'><v:lid/><in xmlns='urn:verona:2' v:on='1'/></v:box>
    </message>`
    await speaker.xmpp.write(message(hearer.jid))
    const heard = await hearer.next((it) => it.attrs.id === 'strange', 'the message')
    assert.deepEqual(
      heard.getChildren('body').map((it) => [it.attrs['xml:lang'] ?? heard.attrs['xml:lang'], it.text()]),
      [
        ['de', '<🌹> &amp; <&>'],
        ['el', `Ζωή "'`],
      ],
    )
    const box = heard.getChildElements().find((it) => it.getName() === 'box')
    assert.deepEqual(meaning(box), [
      '{urn:verona:1}box',
      { '{urn:verona:1}size': '<2 "', 'xml:lang': 'it' },
      [
        ['{urn:verona:1}lid', {}, []],
        ['{urn:verona:2}in', { '{urn:verona:1}on': '1' }, []],
      ],
    ])
    assert.equal(heard.attrs.from, speaker.jid)
  }
}

/** XEP-0030 §3 */
export async function discover(one, two, servers) {
  for (const [asker, server] of [
    [one, servers[1]],
    [two, servers[0]],
  ]) {
    const answer = await asker.ask(xml('iq', { type: 'get', to: server.domain }, xml('query', disco)))
    assert.equal(answer.attrs.from, server.domain)
    const query = answer.getChild('query', disco)
    const identities = query.getChildren('identity').map((it) => `${it.attrs.category}/${it.attrs.type}`)
    const features = query.getChildren('feature').map((it) => it.attrs.var)
    assert.ok(identities.includes('server/im'), String(answer))
    assert.ok(features.includes(disco), String(answer))
    await asker.ask(ping(server.domain))
  }
}

/** XEP-0045 §7: a room on the server of `host`, who makes it; `guest` comes over, both hear both, and `guest` leaves. */
export async function meet(guest, host, room) {
  const join = async (who, nick) => {
    await who.say(xml('presence', { to: `${room}/${nick}` }, xml('x', muc)))
    const own = (it) => it.is('presence') && it.attrs.from === `${room}/${nick}`
    const presence = await who.next(own, 'own presence in the room')
    assert.equal(presence.attrs.type, undefined, String(presence))
  }
  await join(host, 'Juliet')
  // §10.1.2: as it is.
  const instant = xml('query', `${muc}#owner`, xml('x', { xmlns: 'jabber:x:data', type: 'submit' }))
  await host.ask(xml('iq', { type: 'set', to: room }, instant))
  await join(guest, 'Ῥωμαῖος')
  await host.next((it) => it.is('presence') && it.attrs.from === `${room}/Ῥωμαῖος`, 'the guest')
  for (const [speaker, nick] of [
    [guest, 'Ῥωμαῖος'],
    [host, 'Juliet'],
  ]) {
    await speaker.say(xml('message', { to: room, type: 'groupchat' }, xml('body', {}, `I am ${nick}`)))
    for (const hearer of [guest, host]) {
      const heard = await hearer.next((it) => it.is('message') && it.getChild('body'), `what ${nick} says`)
      assert.deepEqual([heard.attrs.from, heard.getChildText('body')], [`${room}/${nick}`, `I am ${nick}`])
    }
  }
  await guest.say(xml('presence', { to: `${room}/Ῥωμαῖος`, type: 'unavailable' }))
  const left = (it) => it.attrs.type === 'unavailable' && it.attrs.from === `${room}/Ῥωμαῖος`
  for (const each of [guest, host]) await each.next(left, 'the farewell')
}

/** RFC 6121 §8.5.1: nobody has that address. */
export async function missNobody(one, two, servers) {
  for (const [asker, server] of [
    [one, servers[1]],
    [two, servers[0]],
  ]) {
    const nobody = `nobody@${server.domain}`
    await asker.say(chat(nobody, 'is anyone there?'))
    const bounce = await asker.next((it) => it.is('message') && it.attrs.type === 'error', 'a bounce')
    assert.equal(bounce.attrs.from, nobody)
    assert.ok(bounce.getChild('error').getChild('service-unavailable'), String(bounce))
    const asked = asker.ask(xml('iq', { type: 'get', to: nobody }, xml('query', disco)))
    // XEP-0030 §8 wants the first, which ejabberd and its friends do not tell from the second.
    await assert.rejects(asked, ({ condition }) =>
      ['service-unavailable', 'subscription-required'].includes(condition),
    )
  }
}

/** RFC 6120 §10.1: what one says to another comes in the order in which it was said. */
export async function keepOrder(one, two, count) {
  const lines = Array.from({ length: count }, (_, number) => `line ${number}`)
  const both = eachWay(one, two)
  for (const line of lines) for (const [speaker, hearer] of both) await speaker.say(chat(hearer.bare, line))
  for (const [, hearer] of both) {
    await hearer.next((it) => it.getChildText('body') === lines.at(-1), 'the last line')
    const heard = hearer.take(isChat).map((it) => it.getChildText('body'))
    assert.deepEqual(heard, lines.slice(0, -1), 'in order, without gaps, once')
  }
}

/**
 * `speaker` talks before, while and after `hearer`'s server is away; `down` and `up` end and start it, `back` lets the hearer in.
 * Each line is heard once or bounces, those before and after are heard.
 */
export async function outlive({ speaker, hearer, down, up, back }) {
  const say = async (when) => {
    const lines = Array.from({ length: 10 }, (_, number) => `${when} ${number}`)
    for (const id of lines)
      await speaker.say(xml('message', { to: hearer.bare, type: 'chat', id }, xml('body', {}, id)))
    return lines
  }
  const before = await say('before')
  await hearer.next((it) => it.getChildText('body') === before.at(-1), 'the line before')
  assert.deepEqual(bodies(hearer.take(isChat)), before.slice(0, -1))
  // A server that acknowledges nothing is asked a second later whether it is there; what it had until then may come again.
  await pause(2000)
  const known = hearer.readsArchive ? (await hearer.archive()).length : 0
  await hearer.stop()
  await down()
  const during = await say('during')
  await up()
  const returned = await back()
  const after = await say('after')
  const heard = []
  const bounced = []
  const listen = async () => {
    if (returned.readsArchive) heard.splice(0, Infinity, ...bodies((await returned.archive()).slice(known)))
    else heard.push(...bodies(returned.take(isChat)))
  }
  await until('end of every line', 60, async () => {
    await listen()
    bounced.push(...bounces(speaker))
    return new Set([...heard, ...bounced]).size >= during.length + after.length
  }).catch(() => {}) // what is missing is told below
  await returned.ask(ping(returned.bare.split('@')[1]))
  await listen()
  const said = [...during, ...after]
  assert.deepEqual(sorted([...heard, ...bounced]), sorted(said), 'each is heard or comes back, once')
  assert.deepEqual(
    heard,
    said.filter((line) => heard.includes(line)),
    'in order',
  )
  assert.deepEqual(
    bounced.filter((line) => line.startsWith('after')),
    [],
    'those after are heard',
  )
  return { heard: heard.length, bounced: bounced.length }
}

/**
 * `speaker` writes 200 lines to `account`, who is not there; after the first 50 were taken `kill` ends one of the servers in the
 * middle and starts it again, and `back` lets the addressee in. Tells the lines, those heard and those that came back.
 */
export async function endure({ speaker, account, kill, back }) {
  const lines = Array.from({ length: 200 }, (_, number) => `line ${number}`)
  let killed
  for (const [number, id] of lines.entries()) {
    await speaker.say(xml('message', { to: account, type: 'chat', id }, xml('body', {}, id)))
    if (number === 50) killed = kill()
    await pause(5)
  }
  await killed
  const returned = await back()
  const [heard, bounced] = [[], []]
  // What is lost does not come: it ends when nothing has come for a while.
  for (let quiet = 0; quiet < 5; quiet += 1) {
    await pause(1000)
    const [more, back] = [bodies(returned.take(isChat)), bounces(speaker)]
    if (more.length + back.length > 0) quiet = 0
    heard.push(...more)
    bounced.push(...back)
  }
  if (returned.readsArchive) {
    const isOurs = ({ attrs }) => attrs.from === speaker.jid && lines.includes(attrs.id)
    heard.splice(0, Infinity, ...bodies((await returned.archive()).filter(isOurs)))
  }
  return { lines, heard, bounced }
}

/** Lines for somebody who is away, acknowledged by the speaker's server (XEP-0198) when this ends. */
export async function leave(speaker, account) {
  const lines = Array.from({ length: 10 }, (_, number) => `left ${number}`)
  for (const line of lines) await speaker.say(chat(account, line))
  await until('acknowledgement', 30, () => speaker.xmpp.streamManagement.outbound_q.length === 0)
  return lines
}

/** Hears these lines in order, once. */
export async function find(hearer, lines) {
  await hearer.next((it) => it.getChildText('body') === lines.at(-1), lines.at(-1))
  await pause(500) // for what comes twice
  assert.deepEqual(bodies(hearer.take(isChat)), lines.slice(0, -1))
}

const bodies = (messages) => messages.map((it) => it.getChildText('body'))

/** The lines that came back to the speaker. Not every server returns the body: the id is the line. */
const bounces = (speaker) =>
  speaker.take((it) => it.is('message') && it.attrs.type === 'error').map((it) => it.attrs.id)

const sorted = (lines) => lines.toSorted((a, b) => (a < b ? -1 : 1))

const eachWay = (one, two) => [
  [one, two],
  [two, one],
]

/** An element by what it means: its name and attributes with namespaces instead of prefixes, the elements inside. */
function meaning(element) {
  const space = (name) => {
    const [prefix, local] = name.includes(':') ? name.split(':') : [undefined, name]
    return prefix === 'xml' ? name : prefix ? `{${element.findNS(prefix)}}${local}` : local
  }
  const attrs = Object.entries(element.attrs).filter(
    ([name]) => name !== 'xmlns' && !name.startsWith('xmlns:'),
  )
  return [
    `{${element.getNS()}}${element.getName()}`,
    Object.fromEntries(attrs.map(([name, value]) => [space(name), value])),
    element.getChildElements().map(meaning),
  ]
}
