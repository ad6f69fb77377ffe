/** RFC 6120 §4.3 to §7: the order of negotiation, what is sent before its time, and what is sent together. */
import assert from 'node:assert/strict'
import { StorageUnavailable } from '../../src/storage/errors.js'
import { StreamError } from '../../src/stream/errors.js'
import type { Actor } from '../support/actor.js'
import { scene } from '../support/stage.js'

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
const BIND = 'urn:ietf:params:xml:ns:xmpp-bind'
const success = `<success xmlns='${SASL}'/>`

const header = (domain: string) =>
  `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${domain}' version='1.0'>`
const login = (actor: Actor, password?: string) =>
  `<auth xmlns='${SASL}' mechanism='PLAIN'>${actor.plain(password)}</auth>`
const bind = (resource: string) =>
  `<iq type='set' id='b'><bind xmlns='${BIND}'><resource>${resource}</resource></bind></iq>`

async function authenticates(actor: Actor): Promise<void> {
  await actor.stage.account(actor.local, actor.domain, 'wherefore')
  await actor.opens()
  actor.raw(login(actor))
  await actor.receives(success)
  actor.startsStream()
  await actor.next('features')
}

scene(
  'RFC 6120 §5.3.1, §5.4.3.3: first TLS alone, afterwards a new stream, then SASL and TLS no more',
  async ({ romeo, stage }) => {
    stage.pipe = { trusted: false, starttls: true }
    await stage.account('romeo', romeo.domain, 'wherefore')
    const before = await romeo.opens()
    assert.ok(before.child('starttls', TLS)?.child('required', TLS))
    assert.equal(before.child('mechanisms', SASL), undefined)
    const first = /id='([^']+)'/.exec(romeo.heard)?.[1]
    romeo.raw(`<starttls xmlns='${TLS}'/>`)
    await romeo.receives(`<proceed xmlns='${TLS}'/>`)
    romeo.startsStream()
    const after = await romeo.next('features')
    assert.equal(after.child('starttls', TLS), undefined)
    assert.ok(after.child('mechanisms', SASL))
    assert.notEqual(/id='([^']+)'/.exec(romeo.heard)?.[1], first)
    romeo.raw(`<starttls xmlns='${TLS}'/>`)
    await romeo.isDisconnected('unsupported-stanza-type')
  },
)

scene('RFC 6120 §5.3.3: plain text behind the request for TLS ends the stream', async ({ romeo, stage }) => {
  stage.pipe = { trusted: false, starttls: true }
  await romeo.opens()
  romeo.raw(`<starttls xmlns='${TLS}'/>${header(romeo.domain)}`)
  await romeo.isDisconnected('policy-violation')
})

scene('RFC 6120 §6.5.4: a login without the required TLS is not looked at', async ({ romeo, stage }) => {
  stage.pipe = { trusted: false, starttls: true }
  await stage.account('romeo', romeo.domain, 'wherefore')
  await romeo.opens()
  romeo.raw(login(romeo))
  await romeo.receives(`<failure xmlns='${SASL}'><encryption-required/></failure>`)
  romeo.raw(`<response xmlns='${SASL}'/>`)
  await romeo.isDisconnected('unsupported-stanza-type')
})

scene(
  'RFC 6120 §6.4.6, §7: login, new stream, binding and presence in one write',
  async ({ romeo, juliet, stage }) => {
    await juliet.online()
    await stage.account('romeo', romeo.domain, 'wherefore')
    await romeo.opens()
    const message = `<message to='${juliet.bare}' type='chat'><body>soft!</body></message>`
    romeo.raw(`${login(romeo)}${header(romeo.domain)}${bind('balcony')}<presence/>${message}`)
    await romeo.receives(success)
    const features = await romeo.next('features')
    assert.ok(features.child('bind', BIND))
    await romeo.receives(
      `<iq type='result' id='b'><bind xmlns='${BIND}'><jid>${romeo.full}</jid></bind></iq>`,
    )
    await romeo.receives(`<presence from='${romeo.full}'/>`)
    await juliet.receives(`<message from='${romeo.full}'><body>soft!</body></message>`)
  },
)

scene(
  'RFC 6120 §4.3.3: what follows a failed login in the same write is still the old stream',
  async ({ romeo, stage }) => {
    await stage.account('romeo', romeo.domain, 'wherefore')
    await romeo.opens()
    romeo.raw(`${login(romeo, 'swordfish')}${login(romeo)}`)
    await romeo.receives(`<failure xmlns='${SASL}'><not-authorized/></failure>`)
    await romeo.receives(success)
  },
)

scene('RFC 6120 §4.4: nothing is read or written behind the end of a stream', async ({ romeo, juliet }) => {
  await juliet.online()
  await romeo.online()
  romeo.raw(`</stream:stream><message to='${juliet.bare}' type='chat'><body>late</body></message>`)
  await romeo.isDisconnected()
  juliet.sends(`<message to='${romeo.full}' type='headline'><body>too late</body></message>`)
  await juliet.hearsNothingMore()
  assert.match(romeo.heard, /<\/stream:stream>$/)
})

for (const [state, reach] of [
  ['before a header', (actor: Actor) => Promise.resolve(actor.dials())],
  ['before authentication', (actor: Actor) => actor.opens()],
  ['before binding', authenticates],
] as const) {
  scene(`RFC 6120 §4.4: a stream that ends ${state} is answered`, async ({ romeo, stage }) => {
    await reach(romeo)
    romeo.raw(state === 'before a header' ? `${header(romeo.domain)}</stream:stream>` : '</stream:stream>')
    if (state === 'before a header') await romeo.next('features')
    await romeo.isDisconnected()
    assert.match(romeo.heard, /<\/stream:stream>$/)
    assert.deepEqual(stage.logged, [])
  })
}

scene('Who hangs up while the password is being checked is gone', async ({ romeo, stage }) => {
  await stage.account('romeo', romeo.domain, 'wherefore')
  await romeo.opens()
  romeo.raw(login(romeo) + header(romeo.domain) + bind('balcony'))
  await romeo.vanishes()
  await stage.settled()
  assert.equal(stage.server.sessionCount, 0)
  assert.deepEqual(stage.logged, [])
})

scene(
  'P8: while the store is away logins fail for now, and work when it is back',
  async ({ romeo, stage }) => {
    await stage.account('romeo', romeo.domain, 'wherefore')
    await romeo.opens()
    const { accounts } = stage.stores
    const get = accounts.get.bind(accounts)
    accounts.get = () => Promise.reject(new StorageUnavailable('away'))
    romeo.raw(login(romeo))
    await romeo.receives(`<failure xmlns='${SASL}'><temporary-auth-failure/></failure>`)
    accounts.get = get
    romeo.raw(login(romeo))
    await romeo.receives(success)
  },
)

scene('All sessions of an account can be ended, and its contacts hear of it', async (cast) => {
  const { romeo, romeo$phone, juliet, stage } = cast
  await romeo.online()
  await romeo$phone.connects()
  await juliet.online()
  juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
  await juliet.settled()
  romeo.sends(`<presence type='subscribed' to='${juliet.bare}'/>`)
  for (const actor of [romeo, juliet]) await actor.ignoresSoFar()
  assert.equal(stage.server.endSessions(romeo.domain, 'romeo', new StreamError('not-authorized')), 2)
  await romeo.isDisconnected('not-authorized')
  await romeo$phone.isDisconnected('not-authorized')
  await juliet.receives(`<presence type='unavailable' from='${romeo.full}'/>`)
})

scene('RFC 6120 §7.1, §6.4.6: one login for one stream', async ({ romeo }) => {
  await authenticates(romeo)
  romeo.raw(login(romeo))
  await romeo.isDisconnected('unsupported-stanza-type')
})

scene('RFC 6120 §7.7.2.3: two that ask for no resource get two', async ({ romeo, stage }) => {
  const twin = stage.twin(romeo)
  const bound = []
  for (const actor of [romeo, twin]) {
    await authenticates(actor)
    const reply = await actor.asks(`<iq type='set' id='b'><bind xmlns='${BIND}'/></iq>`)
    bound.push(reply.child('bind', BIND)?.child('jid', BIND)?.text)
  }
  assert.ok(bound[0] && bound[1] && bound[0] !== bound[1])
  assert.equal(stage.server.sessionCount, 2)
})
