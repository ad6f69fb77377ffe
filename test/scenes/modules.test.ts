/** The modules that are asked something, from stream feature to answer. */
import assert from 'node:assert/strict'
import { capsVersion, readDiscoInfo } from '../../src/stanza/caps.js'
import type { Actor } from '../support/actor.js'
import { friends, rosterOf } from '../support/friends.js'
import { scene } from '../support/stage.js'

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const REGISTER = 'jabber:iq:register'
const INFO = 'http://jabber.org/protocol/disco#info'
const CAPS = 'http://jabber.org/protocol/caps'
const open = { set: ['modules.registration.enabled=true'] }

const credentials = (name: string, password: string) =>
  `<query xmlns='${REGISTER}'><username>${name}</username><password>${password}</password></query>`

async function logsIn(actor: Actor, password: string): Promise<void> {
  await actor.opens()
  actor.raw(`<auth xmlns='${SASL}' mechanism='PLAIN'>${actor.plain(password)}</auth>`)
}

scene(
  'what the modules add to the stream features, before and after authentication',
  async ({ juliet, stage }) => {
    const before = await juliet.opens()
    assert.equal(before.child('limits', 'urn:xmpp:stream-limits:0')?.child('max-bytes')?.text, '10000')
    assert.equal(before.child('c', CAPS), undefined)
    assert.equal(before.child('register'), undefined)
    await stage.account(juliet.local, juliet.domain, 'wherefore')
    juliet.raw(`<auth xmlns='${SASL}' mechanism='PLAIN'>${juliet.plain()}</auth>`)
    await juliet.receives(`<success xmlns='${SASL}'/>`)
    juliet.startsStream()
    const after = await juliet.next('features')
    assert.ok(Number(after.child('limits', 'urn:xmpp:stream-limits:0')?.child('max-bytes')?.text) > 10_000)
    assert.ok(after.child('session', 'urn:ietf:params:xml:ns:xmpp-session')?.child('optional'))
    assert.equal(after.child('c', CAPS)?.attrs['hash'], 'sha-1')
    assert.equal(after.child('c', 'urn:xmpp:caps')?.childrenOf('hash').length, 2)
  },
)

scene(
  'XEP-0115 §6.3: the hash in the features is that of what discovery answers',
  async ({ juliet, stage }) => {
    await stage.account(juliet.local, juliet.domain, 'wherefore')
    await juliet.connects()
    const told = /<c xmlns=["']http:\/\/jabber\.org\/protocol\/caps["'][^>]* ver=["']([^"']+)/.exec(
      juliet.heard,
    )?.[1]
    const reply = await juliet.gets(`<query xmlns='${INFO}'/>`, juliet.domain)
    assert.equal(capsVersion(readDiscoInfo(reply.child('query', INFO)!)!), told)
  },
)

scene('RFC 6121 appendix E: an old client establishes its session', async ({ juliet }) => {
  await juliet.connects()
  const reply = await juliet.sets("<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>")
  assert.equal(reply.attrs['type'], 'result')
})

scene(
  'XEP-0077: somebody makes an account, logs in, changes the password and logs in again',
  async ({ juliet }) => {
    const features = await juliet.opens()
    assert.ok(features.child('register', 'http://jabber.org/features/iq-register'))
    const form = await juliet.gets(`<query xmlns='${REGISTER}'/>`, juliet.domain)
    assert.ok(form.child('query', REGISTER)?.child('password'))
    await juliet.isRefused('not-acceptable', 'set', credentials('juliet', ''), juliet.domain)
    const made = await juliet.sets(credentials('Juliet', 'first'), juliet.domain)
    assert.equal(made.attrs['type'], 'result')
    await juliet.isRefused('conflict', 'set', credentials('juliet', 'again'))
    juliet.raw(`<auth xmlns='${SASL}' mechanism='PLAIN'>${juliet.plain('first')}</auth>`)
    await juliet.receives(`<success xmlns='${SASL}'/>`)
    juliet.startsStream()
    const later = await juliet.next('features')
    assert.equal(later.child('register'), undefined)
    await juliet.asks(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
    assert.ok(
      (await juliet.gets(`<query xmlns='${REGISTER}'/>`)).child('query', REGISTER)?.child('registered'),
    )
    assert.equal((await juliet.sets(credentials('juliet', 'second'))).attrs['type'], 'result')
    await juliet.leaves()

    await logsIn(juliet, 'first')
    await juliet.receives(`<failure xmlns='${SASL}'><not-authorized/></failure>`)
    juliet.raw(`<auth xmlns='${SASL}' mechanism='PLAIN'>${juliet.plain('second')}</auth>`)
    await juliet.receives(`<success xmlns='${SASL}'/>`)
  },
  open,
)

scene(
  'XEP-0077 §3.2: whoever removes the account is told so, all its sessions end, contacts see it go',
  async ({ juliet, juliet$phone, romeo, stage }) => {
    await juliet.online()
    await romeo.online()
    await friends(juliet, romeo)
    await juliet$phone.online()
    for (const actor of [juliet, juliet$phone, romeo]) await actor.ignoresSoFar()
    const reply = await juliet.sets(`<query xmlns='${REGISTER}'><remove/></query>`)
    assert.equal(reply.attrs['type'], 'result')
    await juliet.isDisconnected('not-authorized')
    await juliet$phone.isDisconnected('not-authorized')
    await stage.settled()
    const seen = [...romeo.heard.matchAll(/<presence [^>]*type='(\w+)'/g)].map(([, type]) => type)
    assert.ok(seen.includes('unsubscribed'))
    assert.ok(seen.includes('unsubscribe'))
    assert.equal(seen.filter((type) => type === 'unavailable').length >= 2, true)
    assert.equal((await rosterOf(romeo))[0]?.['subscription'], 'none')

    await logsIn(juliet, 'wherefore')
    await juliet.receives(`<failure xmlns='${SASL}'><not-authorized/></failure>`)
  },
  open,
)

scene('XEP-0077: where it is off, nobody registers and nobody is removed', async ({ juliet, romeo }) => {
  await juliet.opens()
  juliet.sends(`<iq type='get' id='r'><query xmlns='${REGISTER}'/></iq>`)
  await juliet.isDisconnected('not-authorized')
  await romeo.connects()
  await romeo.isRefused('service-unavailable', 'set', `<query xmlns='${REGISTER}'><remove/></query>`)
})

scene(
  'XEP-0030 §8, XEP-0012 §8, XEP-0054 §3.3: strangers learn nothing about accounts',
  async ({ juliet, romeo, nurse, other }) => {
    await juliet.online()
    await nurse.online()
    await friends(juliet, nurse)
    await romeo.online()
    await other.tybalt.online()
    const questions = [
      `<query xmlns='${INFO}'/>`,
      `<query xmlns='http://jabber.org/protocol/disco#items'/>`,
      `<query xmlns='jabber:iq:last'/>`,
      `<vCard xmlns='vcard-temp'/>`,
      `<ping xmlns='urn:xmpp:ping'/>`,
      `<query xmlns='jabber:iq:private'><x xmlns='x'/></query>`,
      `<unknown xmlns='x'/>`,
    ]
    for (const question of questions)
      for (const asker of [romeo, other.tybalt])
        for (const asked of [juliet.bare, `nobody@${juliet.domain}`])
          await asker.isRefused('service-unavailable', 'get', question, asked)
    // Friends do.
    for (const question of questions.slice(0, 3))
      assert.equal((await nurse.gets(question, juliet.bare)).attrs['type'], 'result')
  },
)

scene('XEP-0012 §3: a friend hears how long somebody has been away', async ({ juliet, romeo, stage }) => {
  await juliet.online()
  await romeo.online()
  await friends(juliet, romeo)
  juliet.sends(`<presence type='unavailable'><status>Heading Home</status></presence>`)
  await juliet.leaves()
  await stage.settled()
  stage.clock.advance(60_000)
  const reply = await romeo.gets(`<query xmlns='jabber:iq:last'/>`, juliet.bare)
  const query = reply.child('query', 'jabber:iq:last')
  assert.equal(query?.attrs['seconds'], '60')
  assert.equal(query?.text, 'Heading Home')
})

scene(
  'XEP-0054, XEP-0049: cards are for all, private data for its owner',
  async ({ juliet, juliet$phone, other }) => {
    await juliet.online()
    await juliet$phone.online()
    await other.romeo.online()
    await juliet.sets(`<vCard xmlns='vcard-temp'><FN>Juliet &amp; more</FN></vCard>`)
    const card = await other.romeo.gets(`<vCard xmlns='vcard-temp'/>`, juliet.bare)
    assert.equal(card.child('vCard', 'vcard-temp')?.child('FN')?.text, 'Juliet & more')
    assert.equal(card.attrs['from'], juliet.bare)

    const kept = `<storage xmlns='storage:bookmarks'><conference jid='room@rooms.example'/></storage>`
    await juliet.sets(`<query xmlns='jabber:iq:private'>${kept}</query>`)
    const asked = `<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>`
    const reply = await juliet$phone.gets(asked)
    const storage = reply.child('query', 'jabber:iq:private')?.child('storage', 'storage:bookmarks')
    assert.equal(storage?.child('conference', 'storage:bookmarks')?.attrs['jid'], 'room@rooms.example')
  },
)
