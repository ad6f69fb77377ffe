/** XEP-0388 with 0480, 0386 and 0509: authentication, upgrades and binding in one step. */
import assert from 'node:assert/strict'
import { pbkdf2Sync } from 'node:crypto'
import { StorageUnavailable } from '../../src/storage/errors.js'
import { memoryStores } from '../../src/storage/memory.js'
import type { Element } from '../../src/xml/element.js'
import { NS } from '../../src/xml/namespaces.js'
import { ScramClient } from '../unit/sasl/client.js'
import type { Actor } from '../support/actor.js'
import {
  agent,
  authenticate,
  base64,
  bind,
  fails,
  hashesOf,
  identifier,
  imported,
  LAPTOP,
  logsIn,
  opens,
  PHONE,
  scram,
} from '../support/modern.js'
import { scene } from '../support/stage.js'

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const SASL2 = 'urn:xmpp:sasl:2'
const BIND2 = 'urn:xmpp:bind:0'
const SM = 'urn:xmpp:sm:3'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const UPGRADE = 'urn:xmpp:sasl:upgrade:0'
const SCRAM_UPGRADE = 'urn:xmpp:scram-upgrade:0'
const IAP = 'urn:xmpp:iap:0'

scene('XEP-0388 §2.1, XEP-0386 §3.1: what is offered, beside SASL and as much', async ({ romeo }) => {
  const features = await opens(romeo)
  const offer = features.child('authentication', SASL2)!
  const names = (of: Element | undefined) => of!.childrenOf('mechanism').map(({ text }) => text)
  assert.deepEqual(names(offer), names(features.child('mechanisms', SASL)))
  assert.ok(offer.child('inline', SASL2)!.child('sm', SM))
  const inline = offer.child('inline', SASL2)!.child('bind', BIND2)!.child('inline', BIND2)!
  assert.ok(inline.childrenOf('feature').some(({ attrs }) => attrs['var'] === SM))
  assert.deepEqual(
    offer.childrenOf('upgrade', UPGRADE).map(({ text }) => text),
    ['UPGR-SCRAM-SHA-256', 'UPGR-SCRAM-SHA-512'],
  )
  assert.ok(features.child('config-version', IAP)?.attrs['value'])
})

scene(
  'XEP-0388 §3: never before TLS where that is required',
  async ({ romeo, stage }) => {
    stage.pipe = { trusted: false }
    const features = await romeo.opens()
    assert.equal(features.child('authentication', SASL2), undefined)
    assert.equal(features.child('config-version', IAP), undefined)
  },
  { wire: 'pipe' },
)

scene(
  'XEP-0388 §2.6.1: success names the account, features follow, the stream goes on',
  async ({ romeo }) => {
    await opens(romeo)
    romeo.raw(authenticate('PLAIN', romeo.plain(), agent(PHONE)))
    await romeo.receives(
      `<success xmlns='${SASL2}'><authorization-identifier>${romeo.bare}</authorization-identifier></success>`,
    )
    const features = await romeo.next('features')
    assert.ok(features.child('bind', 'urn:ietf:params:xml:ns:xmpp-bind'))
    assert.equal(features.child('authentication', SASL2), undefined)
    const bound = await romeo.asks(
      `<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource></bind></iq>`,
    )
    assert.equal(bound.attrs['type'], 'result')
    assert.ok(romeo.heard.split('<stream:stream').length === 2, 'one header of ours')
  },
)

scene('XEP-0388 §2.5: challenges and responses, and additional data with success', async ({ romeo }) => {
  await opens(romeo)
  const client = new ScramClient({ user: 'romeo', password: 'wherefore', hash: 'SHA-256' })
  romeo.raw(authenticate('SCRAM-SHA-256', base64(client.first())))
  const challenge = await romeo.receives(`<challenge xmlns='${SASL2}'>{any}</challenge>`)
  const final = client.final(Buffer.from(challenge.text, 'base64'))
  romeo.raw(`<response xmlns='${SASL2}'>${base64(final)}</response>`)
  const success = await romeo.next('success')
  const data = success.child('additional-data', SASL2)?.text ?? ''
  assert.ok(client.accepts(Buffer.from(data, 'base64')))
})

scene('XEP-0388 §2.6.2, RFC 6120 §6.5: every failure by its name', async ({ romeo, stage }) => {
  await opens(romeo)
  const refusals: readonly [string, string][] = [
    [authenticate('KERBEROS_V9', ''), 'invalid-mechanism'],
    [`<authenticate xmlns='${SASL2}'/>`, 'invalid-mechanism'],
    [authenticate('PLAIN', 'not base64!'), 'incorrect-encoding'],
    [authenticate('PLAIN', '='), 'incorrect-encoding'],
    [authenticate('PLAIN', base64('nonsense')), 'malformed-request'],
    [authenticate('PLAIN', romeo.plain(), agent('my phone')), 'malformed-request'],
    [authenticate('PLAIN', base64(`juliet@${romeo.domain}\0romeo\0wherefore`)), 'invalid-authzid'],
    [`<response xmlns='${SASL2}'/>`, 'malformed-request'],
    [`<next xmlns='${SASL2}' task='UPGR-SCRAM-SHA-256'/>`, 'malformed-request'],
    [`<task-data xmlns='${SASL2}'/>`, 'malformed-request'],
    [`<abort xmlns='${SASL2}'/>`, 'aborted'],
    [authenticate('PLAIN', romeo.plain('swordfish')), 'not-authorized'],
  ]
  for (const [said, condition] of refusals) {
    romeo.raw(said)
    await fails(romeo, condition)
  }
  const account = await stage.stores.accounts.get(romeo.domain, 'romeo')
  await stage.stores.accounts.disable(account!.id, 'late', 0)
  romeo.raw(authenticate('PLAIN', romeo.plain()))
  await fails(romeo, 'account-disabled')
  await stage.stores.accounts.enable(account!.id)
  romeo.raw(authenticate('PLAIN', romeo.plain(), bind()))
  assert.equal((await romeo.next('success')).local, 'success')
})

scene('XEP-0388 §4.5: an aborted exchange is over, and another may begin', async ({ romeo }) => {
  await opens(romeo)
  romeo.raw(authenticate('SCRAM-SHA-1', base64('n,,n=romeo,r=abcdefghijkl'), bind()))
  await romeo.receives(`<challenge xmlns='${SASL2}'>{any}</challenge>`)
  romeo.raw(`<abort xmlns='${SASL2}'><text>changed my mind</text></abort>`)
  await fails(romeo, 'aborted')
  romeo.raw(`<auth xmlns='${SASL}' mechanism='PLAIN'>${romeo.plain()}</auth>`)
  await romeo.receives(`<success xmlns='${SASL}'/>`)
})

scene('XEP-0388 §2.3: no initial response is asked for by an empty challenge', async ({ romeo }) => {
  await opens(romeo)
  romeo.raw(authenticate('PLAIN', undefined))
  assert.equal((await romeo.receives(`<challenge xmlns='${SASL2}'/>`)).text, '')
  romeo.raw(`<response xmlns='${SASL2}'>${romeo.plain()}</response>`)
  assert.equal((await romeo.next('success')).local, 'success')
})

scene('XEP-0388 §2.3: an authorization identity fits the from of the stream', async ({ romeo }) => {
  await romeo.stage.account('juliet', romeo.domain, 'wherefore')
  await opens(romeo, `to='${romeo.domain}' from='romeo@${romeo.domain}' version='1.0'`)
  const asJuliet = base64(`juliet@${romeo.domain}\0juliet\0wherefore`)
  romeo.raw(authenticate('PLAIN', asJuliet))
  await fails(romeo, 'invalid-authzid')
  romeo.raw(authenticate('PLAIN', base64(`Romeo@${romeo.domain}\0romeo\0wherefore`)))
  assert.equal(identifier(await romeo.next('success')), romeo.bare)
})

scene('XEP-0388 §2.1: a user of another domain is invalid-from', async ({ romeo }) => {
  romeo.dials()
  romeo.startsStream(`to='${romeo.domain}' from='romeo@montague.example' version='1.0'`)
  await romeo.isDisconnected('invalid-from')
})

for (const [what, said, condition] of [
  ['a second request', authenticate('PLAIN', 'AAAA'), 'policy-violation'],
  ['SASL', `<auth xmlns='${SASL}' mechanism='PLAIN'>AAAA</auth>`, 'policy-violation'],
  ['stream management', `<r xmlns='${SM}'/>`, 'policy-violation'],
  ['a stanza', '<presence/>', 'not-authorized'],
] as const) {
  scene(`XEP-0388 §2.4: ${what} during an exchange ends the stream`, async ({ romeo }) => {
    await opens(romeo)
    romeo.raw(authenticate('SCRAM-SHA-1', base64('n,,n=romeo,r=abcdefghijkl')))
    await romeo.receives(`<challenge xmlns='${SASL2}'>{any}</challenge>`)
    romeo.raw(said)
    await romeo.isDisconnected(condition)
  })
}

scene('XEP-0388 §4.8: authenticated once, never again on this stream', async ({ romeo }) => {
  await logsIn(romeo)
  romeo.raw(authenticate('PLAIN', romeo.plain()))
  await romeo.isDisconnected('unsupported-stanza-type')
})

scene('RFC 6120 §6.4.5: failures of both profiles count together', async ({ romeo }) => {
  await opens(romeo)
  for (let i = 0; i < 5; i++) {
    if (i % 2) romeo.raw(`<auth xmlns='${SASL}' mechanism='PLAIN'>${romeo.plain('swordfish')}</auth>`)
    else romeo.raw(authenticate('PLAIN', romeo.plain('swordfish')))
    assert.equal((await romeo.next('failure')).local, 'failure')
  }
  await romeo.isDisconnected('policy-violation')
})

scene('Limits: an address that guesses is refused in both profiles', async ({ romeo, stage }) => {
  stage.pipe = { remote: '192.0.2.66' }
  for (let i = 0; i < 4; i++) {
    await opens(romeo)
    for (let j = 0; j < 5; j++) {
      romeo.raw(authenticate('PLAIN', romeo.plain('swordfish')))
      await fails(romeo, 'not-authorized')
    }
    await romeo.isDisconnected('policy-violation')
  }
  await romeo.opens()
  romeo.raw(authenticate('PLAIN', romeo.plain()))
  await fails(romeo, 'temporary-auth-failure')
  romeo.raw(`<auth xmlns='${SASL}' mechanism='PLAIN'>${romeo.plain()}</auth>`)
  await romeo.receives(`<failure xmlns='${SASL}'><temporary-auth-failure/></failure>`)
})

scene('XEP-0388 §2.6.2: nothing inline is done for one that failed', async ({ romeo, stage }) => {
  await opens(romeo)
  romeo.raw(authenticate('PLAIN', romeo.plain('swordfish'), bind()))
  await fails(romeo, 'not-authorized')
  assert.equal(stage.server.sessionCount, 0)
})

scene(
  'Guests get in by SASL2 as well',
  async ({ romeo }) => {
    await opens(romeo)
    romeo.raw(authenticate('ANONYMOUS', base64('hello'), agent(PHONE) + bind('<tag>Quill</tag>')))
    const success = await romeo.next('success')
    assert.match(identifier(success), /^[0-9a-f]{32}@capulet\.example\/Quill\//)
  },
  { set: ['auth.anonymous=true'] },
)

scene('XEP-0386 §3.2: bound with success, and the session works', async ({ romeo, juliet }) => {
  await juliet.online()
  const success = await logsIn(romeo, bind('<tag>Quill</tag>'))
  assert.match(identifier(success), /^romeo@capulet\.example\/Quill\/[\w-]{22}$/)
  assert.ok(success.child('bound', BIND2))
  juliet.sends(`<message type='chat' to='${identifier(success)}'><body>Wherefore?</body></message>`)
  await romeo.receives(`<message type='chat' from='${juliet.full}'><body>Wherefore?</body>{any}</message>`)
  romeo.sends(`<message type='chat' to='${juliet.full}'><body>Therefore.</body></message>`)
  await juliet.receives(
    `<message type='chat' from='${identifier(success)}'><body>Therefore.</body>{any}</message>`,
  )
  await romeo.isRefused('not-allowed', 'set', `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`)
})

scene(
  'XEP-0386 §3.2.1: an installation has one resource for each tag, which does not tell its id',
  async ({ romeo }) => {
    const resource = async (inline: string) => {
      const full = identifier(await logsIn(romeo, inline))
      await romeo.leaves()
      return full.slice(full.indexOf('/') + 1)
    }
    const first = await resource(agent(PHONE) + bind('<tag>Quill</tag>'))
    assert.match(first, /^Quill\/[\w-]{16}$/)
    assert.equal(await resource(agent(PHONE.toUpperCase()) + bind('<tag>Quill</tag>')), first)
    const others = [
      await resource(agent(LAPTOP) + bind('<tag>Quill</tag>')),
      await resource(agent(PHONE) + bind('<tag>Pen</tag>')),
      await resource(agent(PHONE) + bind()),
      await resource(bind('<tag>Quill</tag>')),
      await resource(bind('<tag>Quill</tag>')),
    ]
    assert.equal(new Set([first, ...others]).size, 6)
    assert.ok(others.every((one) => !one.includes(PHONE.slice(0, 8))))
    // What can be no resource, or is no word, is left out.
    assert.match(await resource(bind(`<tag>${'x'.repeat(101)}</tag>`)), /^[\w-]{22}$/)
    assert.match(await resource(bind('<tag>&#x9;</tag>')), /^[\w-]{22}$/)
  },
)

scene(
  'XEP-0386 §3.2: an earlier session of the same installation ends',
  async ({ romeo, romeo$phone, romeo$laptop }) => {
    await logsIn(romeo$laptop, agent(LAPTOP) + bind('<tag>Quill</tag>'))
    await logsIn(romeo, agent(PHONE) + bind('<tag>Quill</tag>'))
    await logsIn(romeo$phone, agent(PHONE) + bind('<tag>Pen</tag>'))
    await romeo.isDisconnected('conflict')
    await romeo$laptop.hearsNothingMore()
  },
)

scene(
  'Limits: too many sessions fail the login, not the account, and an installation may return',
  async ({ romeo, romeo$phone, romeo$laptop }) => {
    await logsIn(romeo, agent(PHONE) + bind())
    await opens(romeo$laptop)
    romeo$laptop.raw(authenticate('PLAIN', romeo.plain(), agent(LAPTOP) + bind()))
    const failure = await romeo$laptop.next('failure')
    assert.ok(failure.child('temporary-auth-failure', SASL), failure.toString())
    assert.ok(failure.child('resource-constraint', STANZAS))
    await logsIn(romeo$phone, agent(PHONE) + bind())
    await romeo.isDisconnected('conflict')
    await romeo$phone.leaves()
    romeo$laptop.raw(authenticate('PLAIN', romeo.plain(), agent(LAPTOP) + bind()))
    assert.equal((await romeo$laptop.next('success')).local, 'success')
  },
  { set: ['limits.sessions_per_account=1'] },
)

scene('XEP-0198 §9.1: stream management counts from success on', async ({ romeo }) => {
  const success = await logsIn(romeo, bind(`<enable xmlns='${SM}'/>`))
  assert.ok(success.child('bound', BIND2)!.child('enabled', SM), success.toString())
  romeo.raw(`<r xmlns='${SM}'/>`)
  await romeo.receives(`<a xmlns='${SM}' h='0'/>`)
  await romeo.gets(`<ping xmlns='urn:xmpp:ping'/>`, romeo.domain)
  romeo.raw(`<r xmlns='${SM}'/>`)
  await romeo.receives(`<a xmlns='${SM}' h='1'/>`)
  romeo.raw(`<enable xmlns='${SM}'/>`)
  assert.equal((await romeo.next('failed')).local, 'failed')
})

const chat = (to: string, id: string) =>
  `<message to='${to}' type='chat' id='${id}'><body>${id}</body></message>`
const resume = (id: string, h: number) => `<resume xmlns='${SM}' previd='${id}' h='${h}'/>`

/** Binds a session that outlives its stream; gives its address and what names it. */
async function manages(actor: Actor): Promise<{ full: string; id: string }> {
  const success = await logsIn(actor, bind(`<tag>Quill</tag><enable xmlns='${SM}' resume='true'/>`))
  const enabled = success.child('bound', BIND2)!.child('enabled', SM)
  return { full: identifier(success), id: enabled!.attrs['id']! }
}

scene(
  'XEP-0198 §9.2: resumed in one step, without binding and without features',
  async ({ romeo, juliet }) => {
    await juliet.online()
    const { full, id } = await manages(romeo)
    await romeo.vanishes()
    juliet.sends(chat(full, 'm1'))
    await juliet.settled()
    await romeo.opens()
    romeo.raw(authenticate('PLAIN', romeo.plain(), resume(id, 0) + bind('<tag>Pen</tag>')))
    await romeo.receives(
      `<success xmlns='${SASL2}'><authorization-identifier>${full}</authorization-identifier><resumed xmlns='${SM}' previd='${id}' h='0'/></success>`,
    )
    romeo.isConnected = true
    assert.equal((await romeo.next('the message')).attrs['id'], 'm1')
    juliet.sends(chat(full, 'm2'))
    assert.equal((await romeo.next('the next message')).attrs['id'], 'm2')
  },
)

scene(
  'XEP-0198 §9.2.1: a failed resumption is told, and binding goes on',
  async ({ romeo, juliet, stage }) => {
    const { id } = await manages(juliet)
    await juliet.vanishes()
    await opens(romeo)
    // Nobody resumes the session of another.
    romeo.raw(authenticate('PLAIN', romeo.plain(), resume(id, 0) + bind(`<enable xmlns='${SM}'/>`)))
    const success = await romeo.next('success')
    assert.ok(success.child('failed', SM)!.child('item-not-found', STANZAS), success.toString())
    assert.ok(success.child('bound', BIND2)!.child('enabled', SM))
    assert.match(identifier(success), /^romeo@/)
    assert.equal((await romeo.next('features')).local, 'features')
    assert.equal(stage.metrics.valueOf('sessions_parked'), 1)
  },
)

scene(
  'XEP-0198 §9.2: without binding a failed resumption leaves the account without a session',
  async ({ romeo }) => {
    await opens(romeo)
    romeo.raw(authenticate('PLAIN', romeo.plain(), resume('nobody', 0)))
    const success = await romeo.next('success')
    assert.ok(success.child('failed', SM))
    assert.equal(identifier(success), romeo.bare)
    assert.ok((await romeo.next('features')).child('bind', 'urn:ietf:params:xml:ns:xmpp-bind'))
  },
)

{
  /** Held back until the scene lets it go: the session is there, and its client does not know yet. */
  let letGo = () => {}
  scene(
    'XEP-0386 §3.2: what reaches the session first comes behind success, and carbons are on by then',
    async ({ romeo, romeo$phone, juliet, stage }) => {
      const inline = agent(PHONE) + bind(`<tag>Quill</tag><enable xmlns='urn:xmpp:carbons:2'/>`)
      const full = identifier(await logsIn(romeo, inline))
      await romeo.vanishes()
      await romeo$phone.online()
      await juliet.online()
      await romeo.opens()
      const token = `<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>`
      romeo.raw(authenticate('PLAIN', romeo.plain(), inline + token))
      await stage.becomes(() => stage.server.sessionCount, 3)
      juliet.sends(chat(full, 'm1'))
      juliet.sends(chat(romeo$phone.full, 'm2'))
      await juliet.settled()
      await romeo$phone.settled()
      assert.equal(romeo.waiting, 0, stage.transcript())
      letGo()
      assert.equal((await romeo.next('success')).local, 'success')
      await romeo.next('features')
      assert.equal((await romeo.next('the message')).attrs['id'], 'm1')
      assert.ok((await romeo.next('the copy')).child('received', 'urn:xmpp:carbons:2'))
    },
    {
      stores(offline) {
        const stores = memoryStores({ offline })
        const { tokens } = stores
        const held = new Promise<void>((resolve) => (letGo = resolve))
        const issue: typeof tokens.issue = async (...args) => held.then(() => tokens.issue(...args))
        const slow = new Proxy(tokens, {
          get: (of, name) => (name === 'issue' ? issue : Reflect.get(of, name)),
        })
        return { ...stores, tokens: slow }
      },
    },
  )
}

for (const when of ['', ', and over a restart']) {
  scene(
    `XEP-0386 §3.2: an earlier session that waits to be resumed gives way to its installation${when}`,
    async ({ romeo, stage }) => {
      await logsIn(romeo, agent(PHONE) + bind(`<enable xmlns='${SM}' resume='true'/>`))
      await romeo.vanishes()
      await stage.becomes(() => stage.metrics.valueOf('sessions_parked'), 1)
      if (when !== '') await stage.restarts()
      assert.equal(stage.metrics.valueOf('sessions_parked'), 1)
      await logsIn(romeo, agent(PHONE) + bind('<tag>Pen</tag>'))
      assert.equal(stage.metrics.valueOf('sessions_parked'), 0)
      assert.equal(stage.server.sessionCount, 1)
    },
  )
}

scene(
  'XEP-0386 §3.2, XEP-0313 §7: bound tells of the archive, and what waited is left to it',
  async ({ romeo, juliet }) => {
    const empty = await logsIn(romeo, bind())
    assert.ok(empty.child('bound', BIND2)!.child('metadata', NS.archive), empty.toString())
    assert.deepEqual(empty.child('bound', BIND2)!.child('metadata', NS.archive)!.children, [])
    await romeo.vanishes()
    await juliet.online()
    for (const id of ['m1', 'm2']) juliet.sends(chat(romeo.bare, id))
    await juliet.settled()
    const bound = (await logsIn(romeo, bind())).child('bound', BIND2)!
    const metadata = bound.child('metadata', NS.archive)!
    const [start, end] = ['start', 'end'].map((name) => metadata.child(name, NS.archive)!.attrs)
    assert.ok(start!['id']! < end!['id']! && end!['timestamp'], metadata.toString())
    const full = (await romeo.gets(`<ping xmlns='urn:xmpp:ping'/>`, romeo.domain)).attrs['to']
    romeo.sends('<presence/>')
    await romeo.receives(`<presence from='${full}'/>`)
    await romeo.hearsNothingMore()
    juliet.sends(chat(romeo.bare, 'm3'))
    assert.equal((await romeo.next('what comes now')).attrs['id'], 'm3')
  },
)

scene('XEP-0509 §2.2: header and authentication in one breath', async ({ romeo }) => {
  const version = (await opens(romeo)).child('config-version', IAP)!.attrs['value']
  await romeo.leaves()
  const header = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${romeo.domain}' from='${romeo.bare}' version='1.0'>`
  const based = `<config-version xmlns='${IAP}' scheme='opaque' value='${version}'/>`
  const presence = `<presence/>`
  romeo.dials()
  romeo.raw(header + authenticate('PLAIN', romeo.plain(), bind() + based) + presence)
  assert.equal((await romeo.next('features')).child('config-version', IAP)?.attrs['value'], version)
  const success = await romeo.next('success')
  assert.ok(success.child('bound', BIND2))
  await romeo.next('features')
  await romeo.receives(`<presence from='${identifier(success)}'/>`)
})

scene(
  'XEP-0509, RFC 6120 §5.4.3.3: the first bytes under TLS are header and authentication',
  async ({ romeo, stage }) => {
    stage.pipe = { trusted: false, starttls: true }
    const features = await opens(romeo)
    assert.equal(features.child('authentication', SASL2), undefined)
    romeo.raw(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
    await romeo.next('proceed')
    const header = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${romeo.domain}' version='1.0'>`
    romeo.raw(header + authenticate('PLAIN', romeo.plain(), bind()))
    assert.ok((await romeo.next('features')).child('authentication', SASL2))
    assert.ok((await romeo.next('success')).child('bound', BIND2))
  },
)

scene('XEP-0509 §2.2: what is based on another offer fails without prejudice', async ({ romeo, stage }) => {
  await opens(romeo)
  const based = `<config-version xmlns='${IAP}' scheme='opaque' value='long ago'/>`
  for (let i = 0; i < 10; i++) {
    romeo.raw(authenticate('PLAIN', romeo.plain('swordfish'), bind() + based))
    await romeo.receives(
      `<failure xmlns='${SASL2}'><aborted xmlns='${SASL}'/><config-version-mismatch xmlns='${IAP}'/><text>The features have changed since</text></failure>`,
    )
  }
  assert.equal(stage.metrics.valueOf('auth_total', 'PLAIN', 'not-authorized') ?? 0, 0)
  romeo.raw(authenticate('PLAIN', romeo.plain()))
  assert.equal((await romeo.next('success')).local, 'success')
})

const upgrades = ['SHA-512', 'SHA-256'].map(
  (hash) => `<upgrade xmlns='${UPGRADE}'>UPGR-SCRAM-${hash}</upgrade>`,
)

function taskOf(outcome: Element): string | undefined {
  return outcome.child('tasks', SASL2)?.child('task', SASL2)?.text
}

/** Begins the task; gives the element that answers it. */
async function begins(actor: Actor, task: string, size: number): Promise<string> {
  actor.raw(`<next xmlns='${SASL2}' task='${task}'/>`)
  const salt = (await actor.next('task-data')).child('salt', SCRAM_UPGRADE)!
  const rounds = Number(salt.attrs['iterations'])
  assert.ok(rounds >= 4096)
  const digest = size === 32 ? 'sha256' : 'sha512'
  const salted = pbkdf2Sync('wherefore', Buffer.from(salt.text, 'base64'), rounds, size, digest)
  return `<task-data xmlns='${SASL2}'><hash xmlns='${SCRAM_UPGRADE}'>${base64(salted)}</hash></task-data>`
}

scene('XEP-0480 §3: an account with keys of SHA-1 alone gets stronger ones', async ({ romeo, stage }) => {
  await imported(stage, 'romeo')
  const outcome = await scram(romeo, 'SHA-1', upgrades.join('') + bind('<tag>Quill</tag>'))
  assert.equal(outcome.local, 'continue')
  assert.ok(outcome.child('additional-data', SASL2))
  assert.equal(stage.server.sessionCount, 0, 'bound when all tasks are done')
  assert.equal(taskOf(outcome), 'UPGR-SCRAM-SHA-256')
  romeo.raw(await begins(romeo, 'UPGR-SCRAM-SHA-256', 32))
  const second = await romeo.next('continue')
  assert.equal(taskOf(second), 'UPGR-SCRAM-SHA-512')
  assert.equal(second.child('additional-data', SASL2), undefined)
  romeo.raw(await begins(romeo, 'UPGR-SCRAM-SHA-512', 64))
  const success = await romeo.next('success')
  assert.ok(success.child('bound', BIND2))
  await romeo.next('features')
  assert.deepEqual(await hashesOf(stage, 'romeo'), ['SHA-1', 'SHA-256', 'SHA-512'])
  await romeo.vanishes()
  for (const hash of ['SHA-1', 'SHA-256', 'SHA-512'] as const) {
    assert.equal(
      (await scram(romeo, hash, upgrades.join(''))).local,
      'success',
      `${hash}, and no task any more`,
    )
    await romeo.next('features')
    await romeo.vanishes()
  }
})

scene(
  'XEP-0480: a task that is answered wrongly fails the login and changes nothing',
  async ({ romeo, stage }) => {
    await imported(stage, 'romeo')
    const answers: readonly (readonly string[])[] = [
      [`<next xmlns='${SASL2}' task='UPGR-SCRAM-SHA-512'/>`],
      [`<task-data xmlns='${SASL2}'><hash xmlns='${SCRAM_UPGRADE}'>AAAA</hash></task-data>`],
      [`<response xmlns='${SASL2}'>AAAA</response>`],
      [
        `<next xmlns='${SASL2}' task='UPGR-SCRAM-SHA-256'/>`,
        `<task-data xmlns='${SASL2}'><hash xmlns='${SCRAM_UPGRADE}'>AAAA</hash></task-data>`,
      ],
    ]
    for (const said of answers) {
      const outcome = await scram(romeo, 'SHA-1', upgrades[1]! + bind())
      assert.equal(outcome.local, 'continue')
      for (const [i, element] of said.entries()) {
        romeo.raw(element)
        if (i < said.length - 1) assert.equal((await romeo.next('task-data')).local, 'task-data')
      }
      await fails(romeo, 'malformed-request')
      assert.equal(stage.server.sessionCount, 0)
      await romeo.vanishes()
    }
    assert.deepEqual(await hashesOf(stage, 'romeo'), ['SHA-1'])
  },
)

scene('XEP-0480: a password that was changed meanwhile is not put back', async ({ romeo, stage }) => {
  await imported(stage, 'romeo')
  await scram(romeo, 'SHA-1', upgrades[1]! + bind())
  const answer = await begins(romeo, 'UPGR-SCRAM-SHA-256', 32)
  const account = await stage.stores.accounts.get(stage.domain, 'romeo')
  await stage.server.hosts.get(stage.domain)!.setPassword(account!, 'a rose')
  const changed = (await stage.stores.accounts.get(stage.domain, 'romeo'))!.keys
  romeo.raw(answer)
  await fails(romeo, 'not-authorized')
  assert.deepEqual((await stage.stores.accounts.get(stage.domain, 'romeo'))!.keys, changed)
})

for (const [profile, element] of [
  ['SASL', (actor: Actor) => `<auth xmlns='${SASL}' mechanism='PLAIN'>${actor.plain()}</auth>`],
  ['SASL2', (actor: Actor) => authenticate('PLAIN', actor.plain(), upgrades.join(''))],
] as const) {
  scene(`A password told by PLAIN (${profile}) makes the keys that are missing`, async ({ romeo, stage }) => {
    await imported(stage, 'romeo')
    await romeo.opens()
    romeo.raw(element(romeo))
    assert.equal((await romeo.next('success')).local, 'success')
    await stage.becomes(async () => (await hashesOf(stage, 'romeo')).length, 3)
    await romeo.vanishes()
    await romeo.isGone()
    assert.equal((await scram(romeo, 'SHA-512', '')).local, 'success')
  })
}

scene(
  'RFC 6120 §6.5.10: a store that fails is a passing failure, and nothing of the session stays',
  async ({ romeo, stage }) => {
    await opens(romeo)
    romeo.raw(authenticate('PLAIN', romeo.plain(), bind()))
    await fails(romeo, 'temporary-auth-failure')
    assert.equal(stage.server.sessionCount, 0)
  },
  {
    stores(offline) {
      const stores = memoryStores({ offline })
      return {
        ...stores,
        rosters: new Proxy(stores.rosters, {
          get: (rosters, name) =>
            name === 'load'
              ? () => Promise.reject(new StorageUnavailable('gone'))
              : Reflect.get(rosters, name, rosters),
        }),
      }
    },
  },
)
