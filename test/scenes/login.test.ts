/** RFC 6120 §6 and §7: authentication and resource binding over a stream. */
import assert from 'node:assert/strict'
import type { Element } from '../../src/xml/element.js'
import type { Actor } from '../support/actor.js'
import { StorageUnavailable } from '../../src/storage/errors.js'
import { scene } from '../support/stage.js'

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const BIND = 'urn:ietf:params:xml:ns:xmpp-bind'

async function accountOf(actor: Actor): Promise<void> {
  await actor.stage.account(actor.local, actor.domain, 'wherefore')
}
function auth(mechanism: string, data: string): string {
  return `<auth xmlns='${SASL}' mechanism='${mechanism}'>${data}</auth>`
}
function fails(actor: Actor, condition: string) {
  return actor.receives(`<failure xmlns='${SASL}'><${condition}/></failure>`)
}
async function authenticates(actor: Actor): Promise<void> {
  await accountOf(actor)
  await actor.opens()
  actor.raw(auth('PLAIN', actor.plain()))
  await actor.receives(`<success xmlns='${SASL}'/>`)
  actor.startsStream()
  await actor.next('features')
}
function binds(actor: Actor, resource = ''): Promise<Element> {
  return actor.asks(
    `<iq type='set' id='b'><bind xmlns='${BIND}'>${resource && `<resource>${resource}</resource>`}</bind></iq>`,
  )
}

scene(
  'RFC 6120 §5.3.1: before TLS where it is required nothing but TLS is offered',
  async ({ romeo, stage }) => {
    stage.pipe = { trusted: false }
    const features = await romeo.opens()
    assert.equal(features.child('mechanisms', SASL), undefined)
  },
)

scene(
  'RFC 6120 §6.4.1: mechanisms are offered strongest first, -PLUS only where there is a channel to bind to',
  async ({ romeo }) => {
    const features = await romeo.opens()
    const names = features
      .child('mechanisms', SASL)!
      .childrenOf('mechanism')
      .map((one) => one.text)
    assert.deepEqual(names, ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'])
  },
  { wire: 'pipe' },
)

scene('RFC 6120 §6.5: every failure by its name, and the stream stays for another try', async ({ romeo }) => {
  await accountOf(romeo)
  await romeo.opens()
  romeo.raw(auth('KERBEROS_V9', ''))
  await fails(romeo, 'invalid-mechanism')
  romeo.raw(auth('PLAIN', 'not base64!'))
  await fails(romeo, 'incorrect-encoding')
  romeo.raw(auth('PLAIN', Buffer.from('nonsense').toString('base64')))
  await fails(romeo, 'malformed-request')
  romeo.raw(auth('PLAIN', romeo.plain('swordfish')))
  await fails(romeo, 'not-authorized')
  romeo.raw(auth('PLAIN', romeo.plain()))
  await romeo.receives(`<success xmlns='${SASL}'/>`)
})

scene('RFC 6120 §6.4.4: an aborted exchange is over', async ({ romeo }) => {
  await accountOf(romeo)
  await romeo.opens()
  romeo.raw(auth('SCRAM-SHA-1', Buffer.from('n,,n=romeo,r=abcdefghijkl').toString('base64')))
  await romeo.receives(`<challenge xmlns='${SASL}'>{any}</challenge>`)
  romeo.raw(`<abort xmlns='${SASL}'/>`)
  await fails(romeo, 'aborted')
  romeo.raw(`<response xmlns='${SASL}'>AAAA</response>`)
  await fails(romeo, 'malformed-request')
})

scene('RFC 6120 §6.4.2: no initial response is asked for by an empty challenge', async ({ romeo }) => {
  await accountOf(romeo)
  await romeo.opens()
  romeo.raw(`<auth xmlns='${SASL}' mechanism='PLAIN'/>`)
  const challenge = await romeo.receives(`<challenge xmlns='${SASL}'/>`)
  assert.equal(challenge.text, '')
  romeo.raw(`<response xmlns='${SASL}'>${romeo.plain()}</response>`)
  await romeo.receives(`<success xmlns='${SASL}'/>`)
})

scene('RFC 6120 §6.4.5: mechanisms that fail before anybody is named do not count', async ({ romeo }) => {
  await accountOf(romeo)
  await romeo.opens()
  for (let i = 0; i < 7; i++) {
    romeo.raw(auth('SCRAM-SHA-1', Buffer.from('p=tls-unique,,n=romeo,r=abcdefgh').toString('base64')))
    await romeo.receives(`<failure xmlns='${SASL}'/>`.replace('/>', '>{any}</failure>'))
  }
  romeo.raw(auth('PLAIN', romeo.plain()))
  await romeo.receives(`<success xmlns='${SASL}'/>`)
})

scene('RFC 6120 §6.4.5: after five failures the stream ends', async ({ romeo }) => {
  await accountOf(romeo)
  await romeo.opens()
  for (let i = 0; i < 5; i++) {
    romeo.raw(auth('PLAIN', romeo.plain('swordfish')))
    await fails(romeo, 'not-authorized')
  }
  await romeo.isDisconnected('policy-violation')
})

scene(
  'Limits: an address that guesses is refused, and the owner elsewhere is not',
  async ({ romeo, stage }) => {
    await accountOf(romeo)
    stage.pipe = { remote: '192.0.2.66' }
    for (let i = 0; i < 4; i++) {
      await romeo.opens()
      for (let j = 0; j < 5; j++) {
        romeo.raw(auth('PLAIN', romeo.plain('swordfish')))
        await fails(romeo, 'not-authorized')
      }
      await romeo.isDisconnected('policy-violation')
    }
    await romeo.opens()
    romeo.raw(auth('PLAIN', romeo.plain()))
    await fails(romeo, 'temporary-auth-failure')
    stage.pipe = { remote: '192.0.2.1' }
    await authenticates(romeo)
  },
)

scene(
  'Limits: guesses at the same time are no more than guesses one after the other',
  async ({ romeo, stage }) => {
    await accountOf(romeo)
    stage.pipe = { remote: '192.0.2.66' }
    const first = auth('SCRAM-SHA-1', Buffer.from('n,,n=romeo,r=abcdefghijkl').toString('base64'))
    const guessers = Array.from({ length: 60 }, () => stage.twin(romeo))
    for (const guesser of guessers) {
      await guesser.opens()
      guesser.raw(first)
    }
    const quiet = async () => {
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    }
    const challenged = () => guessers.filter(({ heard }) => heard.includes('<challenge'))
    // Those that are let in wait for the store; nobody is let in after them.
    const isChallenged = async (count: number) => {
      await stage.becomes(() => challenged().length, count)
      await quiet()
      assert.equal(challenged().length, count)
    }
    await isChallenged(20)
    // Whoever gives up has learnt nothing, and gives its place to one that waits, not to one that is gone.
    await guessers.pop()!.vanishes()
    await challenged()[0]!.vanishes()
    challenged()[1]!.raw(`<abort xmlns='${SASL}'/>`)
    await isChallenged(22)
    for (const guesser of challenged().slice(2)) {
      const challenge = await guesser.receives(`<challenge xmlns='${SASL}'>{any}</challenge>`)
      const said = Buffer.from(challenge.text, 'base64').toString()
      const proof = Buffer.alloc(20, 1).toString('base64')
      const final = `c=biws,${/r=[^,]+/.exec(said)![0]},p=${proof}`
      guesser.raw(`<response xmlns='${SASL}'>${Buffer.from(final).toString('base64')}</response>`)
      await fails(guesser, 'not-authorized')
    }
    const others = guessers.filter((guesser) => !challenged().includes(guesser))
    for (const guesser of others) await fails(guesser, 'temporary-auth-failure')
    assert.equal(challenged().length + others.length, 59)
    stage.pipe = { remote: '192.0.2.1' }
    await authenticates(romeo)
  },
  { wire: 'pipe' },
)

scene('Limits: a hundred devices of one account may log in at the same time', async ({ romeo, stage }) => {
  await accountOf(romeo)
  const devices = Array.from({ length: 100 }, () => stage.twin(romeo))
  for (const device of devices) await device.opens()
  for (const device of devices) device.raw(auth('PLAIN', device.plain()))
  for (const device of devices) await device.receives(`<success xmlns='${SASL}'/>`)
})

scene('RFC 6120 §6.3.8: acting as somebody else is invalid-authzid', async ({ romeo, juliet }) => {
  await accountOf(romeo)
  await accountOf(juliet)
  await romeo.opens()
  romeo.raw(auth('PLAIN', Buffer.from(`${juliet.bare}\0romeo\0wherefore`).toString('base64')))
  await fails(romeo, 'invalid-authzid')
  romeo.raw(auth('PLAIN', Buffer.from(`${romeo.bare}\0romeo\0wherefore`).toString('base64')))
  await romeo.receives(`<success xmlns='${SASL}'/>`)
})

scene('RFC 7622 §3.3: Romeo and romeo are one account', async ({ romeo }) => {
  await accountOf(romeo)
  await romeo.opens()
  romeo.raw(auth('PLAIN', Buffer.from('\0RoMeO\0wherefore').toString('base64')))
  await romeo.receives(`<success xmlns='${SASL}'/>`)
  romeo.startsStream()
  await romeo.next('features')
  const bound = await binds(romeo, 'x')
  assert.equal(bound.child('bind', BIND)?.child('jid', BIND)?.text, `${romeo.bare}/x`)
})

scene(
  'RFC 6120 §6.5.2: a disabled account is told so, but only who knows the password',
  async ({ romeo, stage }) => {
    await accountOf(romeo)
    const account = await stage.stores.accounts.get(romeo.domain, 'romeo')
    await stage.stores.accounts.disable(account!.id, 'spam', 0)
    await romeo.opens()
    romeo.raw(auth('PLAIN', romeo.plain('swordfish')))
    await fails(romeo, 'not-authorized')
    romeo.raw(auth('PLAIN', romeo.plain()))
    await fails(romeo, 'account-disabled')
  },
)

scene('RFC 6120 §4.6.1: white space around a restart is no part of the next stream', async ({ romeo }) => {
  await accountOf(romeo)
  await romeo.opens()
  romeo.raw(`${auth('PLAIN', romeo.plain())}\n\n`)
  await romeo.receives(`<success xmlns='${SASL}'/>`)
  romeo.raw(' \n')
  romeo.startsStream()
  await romeo.next('features')
})

scene('RFC 6120 §7.1: no stanzas between authentication and binding', async ({ romeo, juliet }) => {
  await authenticates(romeo)
  romeo.sends(`<message to='${juliet.bare}'><body>early</body></message>`)
  await romeo.isDisconnected('not-authorized')
})

scene('RFC 6120 §7.6: without a wish the server makes a resource', async ({ romeo }) => {
  await authenticates(romeo)
  const bound = await binds(romeo)
  assert.match(
    bound.child('bind', BIND)?.child('jid', BIND)?.text ?? '',
    new RegExp(`^${romeo.bare}/.{16,}$`),
  )
})

scene(
  'RFC 6120 §7.7: the resource asked for is prepared; one that cannot be is bad-request',
  async ({ romeo }) => {
    await authenticates(romeo)
    const refused = await binds(romeo, 'a&#x9;b')
    assert.ok(refused.child('error')?.child('bad-request', 'urn:ietf:params:xml:ns:xmpp-stanzas'))
    const bound = await binds(romeo, 'Home PC')
    assert.equal(bound.child('bind', BIND)?.child('jid', BIND)?.text, `${romeo.bare}/Home PC`)
  },
)

scene(
  'RFC 6120 §7.7.3: after ten more tries with resources that cannot be the stream ends',
  async ({ romeo }) => {
    await authenticates(romeo)
    for (let i = 0; i < 10; i++) {
      const refused = await binds(romeo, 'a&#x9;b')
      assert.ok(refused.child('error')?.child('bad-request', 'urn:ietf:params:xml:ns:xmpp-stanzas'))
    }
    romeo.sends(`<iq type='set' id='b'><bind xmlns='${BIND}'><resource>&#x9;</resource></bind></iq>`)
    await romeo.isDisconnected('policy-violation')
  },
)

scene('RFC 6120 §6.4.2: another login discards the one under way', async ({ romeo }) => {
  await accountOf(romeo)
  await romeo.opens()
  romeo.raw(auth('SCRAM-SHA-1', Buffer.from('n,,n=romeo,r=abcdefghijkl').toString('base64')))
  await romeo.receives(`<challenge xmlns='${SASL}'>{any}</challenge>`)
  romeo.raw(auth('PLAIN', romeo.plain()))
  await romeo.receives(`<success xmlns='${SASL}'/>`)
})

scene('RFC 6120 §7.6.2.2: one resource for one stream', async ({ romeo }) => {
  await romeo.connects()
  const again = await binds(romeo, 'second')
  assert.ok(again.child('error')?.child('not-allowed', 'urn:ietf:params:xml:ns:xmpp-stanzas'))
  assert.equal(romeo.closed, false)
})

scene(
  'RFC 6120 §7.7.2.2: of two with one resource the older ends with conflict',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const twin = stage.twin(romeo)
    await twin.connects()
    await romeo.isDisconnected('conflict')
    juliet.sends(`<message to='${romeo.full}' type='chat'><body>which one?</body></message>`)
    await twin.receives(`<message from='${juliet.full}' type='chat'><body>which one?</body></message>`)
  },
)

scene(
  'Limits: sessions of one account are counted',
  async ({ romeo, romeo$phone, romeo$tablet }) => {
    await romeo.connects()
    await romeo$phone.connects()
    await authenticates(romeo$tablet)
    const refused = await binds(romeo$tablet, 'tablet')
    assert.ok(refused.child('error')?.child('resource-constraint', 'urn:ietf:params:xml:ns:xmpp-stanzas'))
  },
  { set: ['limits.sessions_per_account=2'] },
)

scene(
  'RFC 4505: whoever comes without an account gets an address of its own, where that is allowed',
  async ({ romeo, juliet }) => {
    const addresses = []
    for (const actor of [romeo, juliet]) {
      await actor.opens()
      actor.raw(auth('ANONYMOUS', '='))
      await actor.receives(`<success xmlns='${SASL}'/>`)
      actor.startsStream()
      await actor.next('features')
      const bound = await binds(actor)
      addresses.push(bound.child('bind', BIND)?.child('jid', BIND)?.text)
    }
    assert.ok(addresses[0] && addresses[1] && addresses[0] !== addresses[1])
  },
  { set: ['auth.anonymous=true'] },
)

scene(
  'P8: a store that is away refuses the binding for now, and nothing of it stays',
  async ({ romeo, stage }) => {
    await authenticates(romeo)
    const { rosters } = stage.stores
    const load = rosters.load.bind(rosters)
    rosters.load = () => Promise.reject(new StorageUnavailable('away'))
    const refused = await binds(romeo, 'balcony')
    const error = refused.child('error', 'jabber:client')
    assert.equal(error?.attrs['type'], 'wait')
    assert.ok(error?.child('internal-server-error', 'urn:ietf:params:xml:ns:xmpp-stanzas'))
    assert.equal(stage.server.sessionCount, 0)
    rosters.load = load
    assert.equal((await binds(romeo, 'balcony')).attrs['type'], 'result')
  },
)

scene('A client that leaves while it is being bound leaves nothing behind', async ({ romeo, stage }) => {
  await authenticates(romeo)
  const { rosters } = stage.stores
  const load = rosters.load.bind(rosters)
  const loading: (() => void)[] = []
  rosters.load = (account) => new Promise((resolve) => loading.push(() => resolve(load(account))))
  romeo.sends(`<iq type='set' id='b'><bind xmlns='${BIND}'/></iq>`)
  await stage.becomes(() => loading.length, 1)
  // The server reads nothing meanwhile, so it may not see it yet.
  romeo.floods().cut()
  await romeo.isGone()
  loading[0]!()
  await stage.becomes(() => stage.streams, 0)
  assert.equal(stage.server.sessionCount, 0)
})

scene('RFC 6120 §7.7.2.2: of two that bind one resource at once one stays', async ({ romeo, stage }) => {
  const twin = stage.twin(romeo)
  await authenticates(romeo)
  await authenticates(twin)
  romeo.sends(`<iq type='set' id='b'><bind xmlns='${BIND}'><resource>x</resource></bind></iq>`)
  twin.sends(`<iq type='set' id='b'><bind xmlns='${BIND}'><resource>x</resource></bind></iq>`)
  await twin.receives(`<iq type='result' id='b'><bind xmlns='${BIND}'><jid>${romeo.bare}/x</jid></bind></iq>`)
  assert.equal(stage.server.sessionCount, 1)
})
