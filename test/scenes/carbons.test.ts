/** XEP-0280: all devices of an account see both sides of its conversations. */
import assert from 'node:assert/strict'
import { Stanza } from '../../src/stanza/stanza.js'
import { parseElement } from '../../src/xml/parser.js'
import type { Element } from '../../src/xml/element.js'
import type { Actor } from '../support/actor.js'
import { archiveOf } from '../support/archive.js'
import { scene, type Cast } from '../support/stage.js'

const SM = 'urn:xmpp:sm:3'
const CARBONS = 'urn:xmpp:carbons:2'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const MUC_USER = 'http://jabber.org/protocol/muc#user'
const enable = `<enable xmlns='${CARBONS}'/>`
const disable = `<disable xmlns='${CARBONS}'/>`
const receipt = `<received xmlns='urn:xmpp:receipts' id='1'/>`
const typing = `<composing xmlns='http://jabber.org/protocol/chatstates'/>`
const marker = `<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>`

const message = (attributes: string, content = '<body>ohai</body>') =>
  `<message ${attributes}>${content}</message>`
const forwarded = (which: 'sent' | 'received', inner: string) =>
  `<${which} xmlns='${CARBONS}'><forwarded xmlns='urn:xmpp:forward:0'>${inner.replace('<message', `<message xmlns='jabber:client'`)}</forwarded></${which}>`
/** What the device must get: a copy of `inner`. */
const copy = (actor: Actor, which: 'sent' | 'received', inner: string, type = 'chat') =>
  `<message from='${actor.bare}' to='${actor.full}' type='${type}'>${forwarded(which, inner)}</message>`

/** Juliet with three devices, of which two have carbons, and romeo. */
async function devices({ romeo, juliet, juliet$phone, juliet$silent, stage }: Cast): Promise<void> {
  for (const actor of [romeo, juliet, juliet$phone, juliet$silent]) await actor.online()
  await juliet.sets(enable)
  await juliet$phone.sets(enable)
  await stage.settled()
  for (const actor of [romeo, juliet, juliet$phone, juliet$silent]) await actor.ignoresSoFar()
}

scene('XEP-0280 §4, §5, §10.1: enabled and disabled as often as one likes', async (cast) => {
  const { romeo, juliet, juliet$phone, stage } = cast
  await romeo.online()
  await juliet.online()
  // Before presence, too.
  await juliet$phone.connects()
  const to = `to='${juliet.full}' type='chat'`
  const arrives = async (copied: boolean) => {
    romeo.sends(message(to))
    await juliet.receives(message(`from='${romeo.full}' to='${juliet.full}'`))
    if (copied) await juliet$phone.receives(copy(juliet$phone, 'received', message(to)))
    await juliet$phone.hearsNothingMore()
  }
  await arrives(false)
  for (const payload of [enable, enable, disable, disable, enable]) {
    const reply = await juliet$phone.sets(payload)
    assert.equal(reply.attrs['type'], 'result')
    await arrives(payload === enable)
  }
  // XEP-0280 §4.1, §5.1: nobody does that for others.
  for (const payload of [enable, disable]) {
    await romeo.isRefused('not-allowed', 'set', payload, juliet.bare)
    await romeo.isRefused('not-allowed', 'set', payload, `nobody@${stage.domain}`)
  }
  await arrives(true)
})

scene('XEP-0280 §7: whoever does not get it gets a copy, and nobody gets both', async (cast) => {
  await devices(cast)
  const { romeo, juliet, juliet$phone, juliet$silent } = cast
  const full = message(
    `to='${juliet.full}' from='${romeo.full}' type='chat' id='full'`,
    `<body>x</body><thread>t</thread>`,
  )
  romeo.sends(full)
  await juliet.receives(full)
  await juliet$phone.receives(copy(juliet$phone, 'received', full))
  // To the bare address it goes to all that take messages; to a negative priority goes a copy.
  juliet$phone.sends('<presence><priority>-1</priority></presence>')
  await juliet$phone.settled()
  for (const actor of [juliet, juliet$phone, juliet$silent]) await actor.ignoresSoFar()
  const bare = message(`to='${juliet.bare}' from='${romeo.full}' type='chat' id='bare'`)
  romeo.sends(bare)
  await juliet.receives(bare)
  await juliet$silent.receives(bare)
  await juliet$phone.receives(copy(juliet$phone, 'received', bare))
  // A resource that is gone: chat goes to the others, normal comes back and is copied to nobody.
  const gone = message(`to='${juliet.bare}/gone' from='${romeo.full}' type='chat' id='gone'`)
  romeo.sends(gone)
  await juliet.receives(gone)
  await juliet$phone.receives(copy(juliet$phone, 'received', gone))
  await juliet$silent.receives(gone)
  romeo.sends(gone.replace(`type='chat'`, ''))
  assert.equal((await romeo.next()).attrs['type'], 'error')
  for (const actor of [romeo, juliet, juliet$phone, juliet$silent]) await actor.hearsNothingMore()
})

scene('XEP-0280 §8: what one device says, the others hear, whether it has carbons or not', async (cast) => {
  await devices(cast)
  const { romeo, juliet, juliet$phone, juliet$silent, other } = cast
  await other.tybalt.online()
  for (const to of [romeo.bare, other.tybalt.full, 'iago@nowhere.example']) {
    const said = message(`to='${to}' type='chat' id='m'`)
    juliet$silent.sends(said)
    for (const actor of [juliet, juliet$phone])
      await actor.receives(
        copy(actor, 'sent', said.replace('<message', `<message from='${juliet$silent.full}'`)),
      )
  }
  await romeo.receives(message(`from='${juliet$silent.full}'`))
  // The failure to reach iago, of which they have the message.
  assert.equal((await juliet$silent.next()).attrs['type'], 'error')
  for (const actor of [juliet, juliet$phone])
    await actor.receives(
      copy(
        actor,
        'received',
        message(`type='error' id='m' from='iago@nowhere.example'`, '<error>{any}</error>'),
        'error',
      ),
    )
  juliet.sends(message(`to='${romeo.full}' type='chat'`))
  await juliet$phone.receives(copy(juliet$phone, 'sent', message(`to='${romeo.full}' from='${juliet.full}'`)))
  for (const actor of [juliet, juliet$phone, juliet$silent]) await actor.hearsNothingMore()
})

scene('XEP-0280 §6.1: what is copied, and what not', async (cast) => {
  await devices(cast)
  const { romeo, juliet, juliet$phone } = cast
  const invitation = `<x xmlns='jabber:x:conference' jid='room@rooms.example'/>`
  const mediated = `<x xmlns='${MUC_USER}'><invite to='x@y'/></x>`
  const cases: readonly [copied: boolean, type: string, content: string][] = [
    [true, 'chat', '<body>x</body>'],
    [true, 'chat', `<encrypted xmlns='eu.siacs.conversations.axolotl'/>`],
    [true, 'chat', typing],
    [true, 'normal', '<body>x</body>'],
    [false, 'normal', '<subject>x</subject>'],
    [true, 'normal', receipt],
    [true, 'normal', typing],
    [true, 'normal', marker],
    [true, 'unheard-of', '<body>x</body>'],
    [false, 'headline', '<body>x</body>'],
    [false, 'groupchat', '<body>x</body>'],
    [false, 'groupchat', receipt],
    [true, 'normal', invitation],
    [true, 'normal', mediated],
    [false, 'normal', `<x xmlns='${MUC_USER}'/>`],
    [false, 'chat', `<body>x</body><private xmlns='${CARBONS}'/><no-copy xmlns='urn:xmpp:hints'/>`],
    [false, 'chat', `<body>x</body><private xmlns='${CARBONS}'/>`],
    [false, 'chat', `<body>x</body><no-copy xmlns='urn:xmpp:hints'/>`],
    [true, 'chat', `<body>x</body><no-store xmlns='urn:xmpp:hints'/>`],
    [false, 'error', '<body>x</body>'],
  ]
  for (const [copied, type, content] of cases) {
    const one = message(`to='${juliet.full}' from='${romeo.full}' type='${type}' id='1${type}'`, content)
    romeo.sends(one)
    await juliet.receives(one)
    if (copied) await juliet$phone.receives(copy(juliet$phone, 'received', one, type))
    await juliet$phone.hearsNothingMore()
    const back = message(`to='${romeo.full}' from='${juliet.full}' type='${type}' id='2${type}'`, content)
    juliet.sends(back)
    await romeo.receives(back)
    if (copied) await juliet$phone.receives(copy(juliet$phone, 'sent', back, type))
    await juliet$phone.hearsNothingMore()
  }
})

scene('XEP-0280 §6.1: errors about what was copied are copied, others are not', async (cast) => {
  await devices(cast)
  const { romeo, juliet, juliet$phone, juliet$silent } = cast
  const error = `<error type='cancel'><undefined-condition xmlns='${STANZAS}'/></error>`
  const said = (id: string, type: string) => message(`to='${romeo.full}' type='${type}' id='${id}'`)
  juliet$silent.sends(said('a', 'chat'))
  juliet$silent.sends(said('b', 'headline'))
  await juliet$silent.settled()
  for (const actor of [romeo, juliet, juliet$phone]) await actor.ignoresSoFar()
  for (const id of ['a', 'b', 'c'])
    romeo.sends(message(`to='${juliet$silent.full}' type='error' id='${id}'`, error))
  const copied = message(`from='${romeo.full}' to='${juliet$silent.full}' type='error' id='a'`, error)
  for (const actor of [juliet, juliet$phone]) await actor.receives(copy(actor, 'received', copied, 'error'))
  for (const id of ['a', 'b', 'c']) assert.equal((await juliet$silent.next()).attrs['id'], id)
  // And what a device refuses.
  romeo.sends(message(`to='${juliet.full}' type='chat' id='d'`))
  await juliet$phone.receives(copy(juliet$phone, 'received', message(`id='d'`)))
  juliet.sends(message(`to='${romeo.full}' type='error' id='d'`, error))
  juliet.sends(message(`to='${romeo.full}' type='error' id='e'`, error))
  await juliet$phone.receives(
    copy(juliet$phone, 'sent', message(`to='${romeo.full}' type='error' id='d'`, error), 'error'),
  )
  await juliet$phone.hearsNothingMore()
})

scene('XEP-0280 §10.3: a copy that bounces comes back to nobody', async (cast) => {
  await devices(cast)
  const { romeo, juliet, juliet$phone, stage } = cast
  romeo.sends(message(`to='${juliet.full}' type='chat' id='m'`))
  const carbon = await juliet$phone.next()
  const inner = carbon.child('received')!.toString()
  juliet$phone.sends(
    `<message type='error' to='${carbon.attrs['from']}'>${inner}<error type='cancel'><service-unavailable xmlns='${STANZAS}'/></error></message>`,
  )
  await stage.settled()
  assert.equal((await juliet.next()).attrs['id'], 'm')
  for (const actor of [romeo, juliet, juliet$phone]) await actor.hearsNothingMore()
})

scene('XEP-0280 §11: nobody makes copies but the server', async (cast) => {
  await devices(cast)
  const { romeo, juliet, juliet$phone, stage } = cast
  for (const which of ['sent', 'received'] as const) {
    const forged = forwarded(which, message(`from='${romeo.full}' to='${juliet.full}'`))
    for (const to of [juliet.bare, juliet$phone.full, romeo.bare]) {
      juliet.sends(message(`to='${to}' type='chat'`, forged))
      await juliet.receives(
        `<message type='error' from='${to}'><error type='modify'><not-acceptable xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>{any}</text></error></message>`,
      )
    }
    // Of another server, which may have sent it on for somebody who believed in it.
    const foreign = message(
      `xmlns='jabber:client' from='iago@far.example/x' to='${juliet.full}' type='chat'`,
      forged,
    )
    stage.server.hosts.get(stage.domain)!.send(Stanza.parse(foreign))
    assert.deepEqual((await juliet.next()).childrenOf(), [])
    await juliet$phone.ignoresSoFar()
  }
  for (const actor of [romeo, juliet, juliet$phone]) await actor.hearsNothingMore()
})

scene('XEP-0280 §6.1: what is said in private in a room goes to the devices that are in it', async (cast) => {
  await devices(cast)
  const { juliet, juliet$phone, juliet$silent, other, stage } = cast
  await other.nurse.online()
  // The nurse plays a room: her resources are its occupants.
  const room = other.nurse.bare
  const enters = (actor: Actor) =>
    actor.sends(`<presence to='${room}/juliet'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
  enters(juliet)
  await stage.settled()
  await other.nurse.ignoresSoFar()
  // With the mark of a room and without.
  for (const content of ['<body>psst</body>', `<body>psst</body><x xmlns='${MUC_USER}'/>`]) {
    const one = message(`from='${other.nurse.full}' to='${juliet.full}' type='chat'`, content)
    other.nurse.sends(one)
    await juliet.receives(one)
    await juliet$phone.hearsNothingMore()
  }
  const said = message(`to='${other.nurse.full}' type='chat'`)
  juliet.sends(said)
  await juliet$phone.hearsNothingMore()
  juliet$silent.sends(`<presence to='${room}/x'/>`)
  enters(juliet$phone)
  juliet.sends(said)
  await juliet$phone.receives(copy(juliet$phone, 'sent', said))
  // Left, it is an address as any other.
  for (const actor of [juliet, juliet$phone])
    actor.sends(`<presence to='${room}/juliet' type='unavailable'/>`)
  await stage.settled()
  other.nurse.sends(message(`to='${juliet.full}' type='chat'`))
  await juliet$phone.receives(copy(juliet$phone, 'received', message(`to='${juliet.full}'`)))
})

scene('XEP-0280: notes to oneself come to each device once', async (cast) => {
  await devices(cast)
  const { juliet, juliet$phone, juliet$silent } = cast
  juliet.sends(message(`to='${juliet.bare}' type='chat'`))
  for (const actor of [juliet, juliet$phone, juliet$silent])
    await actor.receives(message(`from='${juliet.full}' to='${juliet.bare}'`))
  juliet.sends(message(`to='${juliet$silent.full}' type='chat'`))
  await juliet$silent.receives(message(`from='${juliet.full}'`))
  await juliet$phone.receives(copy(juliet$phone, 'received', message(`from='${juliet.full}'`)))
  for (const actor of [juliet, juliet$phone, juliet$silent]) await actor.hearsNothingMore()
})

scene('XEP-0359 §3: copies carry the ids that the devices find in their archive', async (cast) => {
  await devices(cast)
  const { romeo, juliet, juliet$phone } = cast
  const forged = `<stanza-id xmlns='urn:xmpp:sid:0' by='Juliet@capulet.example' id='forged'/>`
  const idsIn = (carbon: Element, which: 'sent' | 'received') => {
    const forwarded = carbon.child(which, CARBONS)?.child('forwarded', 'urn:xmpp:forward:0')
    const ids = forwarded?.child('message', 'jabber:client')?.childrenOf('stanza-id') ?? []
    return ids.map(({ attrs }) => `${attrs['by']} ${attrs['id']}`)
  }
  romeo.sends(message(`to='${juliet.full}' type='chat'`, `<body>1</body>${forged}`))
  const received = idsIn(await juliet$phone.next(), 'received')
  await juliet.ignoresSoFar()
  juliet.sends(message(`to='${romeo.full}' type='chat'`, `<body>2</body>${forged}`))
  const sent = idsIn(await juliet$phone.next(), 'sent')
  const { ids } = await archiveOf(juliet$phone)
  assert.deepEqual(
    [...received, ...sent],
    ids.map((id) => `${juliet.bare} ${id}`),
  )
})

scene(
  'XEP-0198 §5, XEP-0280: a copy waits for a device that is away, and who has a copy does not get the message again',
  async (cast) => {
    const { romeo, juliet, juliet$phone, stage } = cast
    for (const actor of [romeo, juliet, juliet$phone]) {
      await actor.online()
      await actor.sets(enable)
    }
    const ids = new Map<Actor, string>()
    for (const actor of [juliet, juliet$phone]) {
      await actor.ignoresSoFar()
      actor.raw(`<enable xmlns='${SM}' resume='true'/>`)
      ids.set(actor, (await actor.receives(`<enabled xmlns='${SM}' resume='true'/>`)).attrs['id']!)
      await actor.vanishes()
      await actor.isGone()
    }
    romeo.sends(message(`to='${juliet.full}' type='chat' id='m'`))
    await romeo.settled()
    // The one comes back and has the copy; the other never does, and its message goes nowhere else.
    await juliet$phone.authenticates()
    juliet$phone.raw(`<resume xmlns='${SM}' previd='${ids.get(juliet$phone)}' h='0'/>`)
    await juliet$phone.receives(`<resumed xmlns='${SM}'/>`)
    juliet$phone.isConnected = true
    const carbon = await juliet$phone.next()
    assert.ok(carbon.child('received', CARBONS), carbon.toString())
    await stage.passes(310_000)
    assert.equal(stage.metrics.valueOf('sessions_parked'), 0)
    const told: string[] = []
    while (juliet$phone.waiting > 0) told.push((await juliet$phone.next()).local)
    assert.ok(told.includes('presence'), told.join(' '))
    assert.ok(!told.includes('message'), told.join(' '))
    const { accounts, offline } = stage.stores
    assert.equal(await offline.count((await accounts.get(juliet.domain, juliet.local))!.id), 0)
  },
  { set: ['limits.idle_ping=off'] },
)

scene('XEP-0191 §3.3, XEP-0280: of what is blocked there are no copies', async (cast) => {
  await devices(cast)
  const { romeo, juliet, juliet$phone } = cast
  await juliet.sets(`<block xmlns='urn:xmpp:blocking'><item jid='${romeo.bare}'/></block>`)
  romeo.sends(message(`to='${juliet.full}' type='chat'`))
  juliet.sends(message(`to='${romeo.full}' type='chat'`))
  assert.equal((await juliet.next()).attrs['type'], 'error')
  assert.equal((await romeo.next()).attrs['type'], 'error')
  await juliet$phone.hearsNothingMore()
  await juliet.ignoresSoFar()
  assert.deepEqual((await archiveOf(juliet)).ids, [])
})

scene('XEP-0297 §3.2: what is forwarded is as it was, whatever it holds', async (cast) => {
  await devices(cast)
  const { romeo, juliet, juliet$phone } = cast
  const odd = `<body>&lt;x&gt; &amp; '"é\u{1F600}</body><a:b xmlns:a='urn:a' a:c='1'><d xmlns='urn:d'/></a:b><body xml:lang='fr'>x</body>`
  romeo.sends(`<message to='${juliet.full}' type='chat' xml:lang='de' id='&lt;&apos;'>${odd}</message>`)
  const original = await juliet.next()
  const carbon = await juliet$phone.next()
  const inner = carbon.child('received')!.child('forwarded', 'urn:xmpp:forward:0')!.childrenOf()[0]!
  assert.equal(parseElement(inner.toString()).toString(), parseElement(original.toString()).toString())
})
