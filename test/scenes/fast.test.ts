/** XEP-0484: tokens instead of passwords, and everything that ends them. */
import assert from 'node:assert/strict'
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
  shows,
  succeeds,
  tokenIn,
} from '../support/modern.js'
import type { Actor } from '../support/actor.js'
import { scene, Stage } from '../support/stage.js'
import { StorageUnavailable } from '../../src/storage/errors.js'
import { memoryStores } from '../../src/storage/memory.js'
import { parseMoment } from '../../src/stanza/delay.js'
import { NS } from '../../src/xml/namespaces.js'

const HOUR = 3_600_000
/** Tokens live for two hours, and are old after one. */
const short = { set: ['auth.token_lifetime=2h'] }
const wants = `<request-token xmlns='${NS.fast}' mechanism='HT-SHA-256-NONE'/>`
const phone = agent(PHONE)

/** Logs in with the password and gets a token. */
async function given(actor: Actor, who = phone): Promise<string> {
  const success = await logsIn(actor, who + wants)
  await actor.vanishes()
  return tokenIn(success)!
}

/** What the server says to a token on a new stream. */
async function isRefused(actor: Actor, said: string, condition = 'not-authorized'): Promise<void> {
  await opens(actor)
  actor.raw(said)
  await fails(actor, condition)
  await actor.vanishes()
}

const idOf = async (stage: Stage) => (await stage.stores.accounts.get(stage.domain, 'romeo'))!.id

scene('XEP-0484 §3.1: offered inline, and not as a mechanism of passwords', async ({ romeo }) => {
  const features = await opens(romeo)
  const offer = features.child('authentication', NS.sasl2)!
  const fast = offer.child('inline', NS.sasl2)!.child('fast', NS.fast)!
  const names = fast.childrenOf('mechanism', NS.fast).map(({ text }) => text)
  assert.ok(names.includes('HT-SHA-256-NONE'))
  assert.equal(fast.attrs['tls-0rtt'], undefined)
  assert.ok(offer.childrenOf('mechanism').every(({ text }) => !text.startsWith('HT-')))
  // Without <fast/> it is none.
  romeo.raw(authenticate('HT-SHA-256-NONE', base64('romeo\0'), phone))
  await fails(romeo, 'invalid-mechanism')
  romeo.raw(`<auth xmlns='${NS.sasl}' mechanism='HT-SHA-256-NONE'>${base64('romeo\0')}</auth>`)
  await romeo.receives(`<failure xmlns='${NS.sasl}'><invalid-mechanism/></failure>`)
})

scene('XEP-0484 §3.3, §3.4: a token for a password, a session for a token', async ({ romeo, stage }) => {
  const success = await logsIn(romeo, phone + wants + bind())
  const token = success.child('token', NS.fast)!
  const expiry = parseMoment(token.attrs['expiry']!)!
  assert.equal(expiry - stage.clock.now(), 21 * 24 * HOUR)
  assert.ok(token.attrs['token']!.length >= 43)
  await romeo.vanishes()
  for (let i = 0; i < 3; i++) {
    const again = await succeeds(romeo, shows(romeo, token.attrs['token']!, phone + bind('<tag>Quill</tag>')))
    assert.match(identifier(again), /^romeo@capulet\.example\/Quill\//)
    assert.ok(again.child('additional-data', NS.sasl2))
    assert.equal(tokenIn(again), undefined, 'no new one while it is young')
    await romeo.vanishes()
  }
})

scene('XEP-0484 §3.2: no token for one that is not asked for, nor for who has no id', async ({ romeo }) => {
  for (const inline of [
    phone,
    wants,
    `<user-agent><software>Quill</software></user-agent>${wants}`,
    `${phone}<request-token xmlns='${NS.fast}' mechanism='SCRAM-SHA-1'/>`,
    `${phone}<request-token xmlns='${NS.fast}'/>`,
  ]) {
    assert.equal(tokenIn(await logsIn(romeo, inline)), undefined)
    await romeo.vanishes()
  }
})

scene(
  'XEP-0484 §3.3: no token before all tasks are done, none for guests',
  async ({ romeo }) => {
    await opens(romeo)
    romeo.raw(authenticate('ANONYMOUS', base64('hello'), phone + wants))
    const success = await romeo.next('success')
    assert.equal(success.local, 'success')
    assert.equal(tokenIn(success), undefined)
  },
  { set: ['auth.anonymous=true'] },
)

scene('XEP-0484 §4.1: a token is good for its client and its account alone', async ({ romeo, juliet }) => {
  const token = await given(romeo)
  await opens(juliet)
  await isRefused(romeo, shows(romeo, token, agent(LAPTOP)))
  await isRefused(romeo, shows(romeo, token))
  await isRefused(juliet, shows(juliet, token, phone))
  await isRefused(romeo, shows(romeo, `${token}x`, phone))
  await succeeds(romeo, shows(romeo, token, agent(PHONE.toUpperCase())))
})

scene(
  'XEP-0484 §3.4: a token is good for the mechanism that it was asked for',
  async ({ romeo }) => {
    const features = await opens(romeo)
    assert.match(features.toString(), /HT-SHA-256-EXPR/)
    romeo.raw(
      authenticate(
        'PLAIN',
        romeo.plain(),
        `${phone}<request-token xmlns='${NS.fast}' mechanism='HT-SHA-256-EXPR'/>`,
      ),
    )
    const token = tokenIn(await romeo.next('success'))!
    await romeo.next('features')
    await romeo.vanishes()
    await isRefused(romeo, shows(romeo, token, phone))
  },
  { wire: 'tls' },
)

scene('XEP-0484 §3.4: a counter is used once, whatever it is at', async ({ romeo }) => {
  const token = await given(romeo)
  const counts = [' count="5"', ' count="6"', ' count="2147483647"']
  await succeeds(romeo, shows(romeo, token, phone, counts[0]))
  await romeo.vanishes()
  await isRefused(romeo, shows(romeo, token, phone, counts[0]))
  await isRefused(romeo, shows(romeo, token, phone, ' count="4"'))
  for (const count of counts.slice(1)) {
    await succeeds(romeo, shows(romeo, token, phone, count))
    await romeo.vanishes()
  }
  for (const nonsense of ['', '0', '-1', '1.5', 'x', '2147483648', '99999999999'])
    await isRefused(romeo, shows(romeo, token, phone, ` count='${nonsense}'`), 'malformed-request')
})

scene(
  'XEP-0484 §3.5: an old token is replaced, and stays good until the new one is used',
  async ({ romeo, stage }) => {
    const first = await given(romeo)
    stage.clock.advance(HOUR)
    const offered: string[] = []
    // The client does not get them: it is cut off each time.
    for (let i = 0; i < 3; i++) {
      offered.push(tokenIn(await succeeds(romeo, shows(romeo, first, phone)))!)
      await romeo.vanishes()
    }
    assert.equal(new Set([first, ...offered]).size, 4)
    await isRefused(romeo, shows(romeo, offered[0]!, phone))
    await succeeds(romeo, shows(romeo, offered[2]!, phone))
    await romeo.vanishes()
    await isRefused(romeo, shows(romeo, first, phone))
    await succeeds(romeo, shows(romeo, offered[2]!, phone))
  },
  short,
)

scene(
  'XEP-0484 §4.2: an expired token is told as such, and the password works',
  async ({ romeo, stage }) => {
    const token = await given(romeo)
    stage.clock.advance(2 * HOUR)
    await opens(romeo)
    romeo.raw(shows(romeo, token, phone))
    await fails(romeo, 'credentials-expired')
    romeo.raw(authenticate('PLAIN', romeo.plain(), phone))
    assert.equal((await romeo.next('success')).local, 'success')
  },
  short,
)

scene(
  'XEP-0484 §3.6: a client takes its token back, and may ask for another',
  async ({ romeo, stage }) => {
    const token = await given(romeo)
    const laptop = await given(romeo, agent(LAPTOP))
    stage.clock.advance(HOUR)
    const last = await succeeds(romeo, shows(romeo, token, phone, ` invalidate='true'`))
    assert.equal(tokenIn(last), undefined, 'though it was old')
    await romeo.vanishes()
    await isRefused(romeo, shows(romeo, token, phone))
    const next = tokenIn(
      await succeeds(romeo, shows(romeo, laptop, agent(LAPTOP) + wants, ` invalidate='1'`)),
    )!
    await romeo.vanishes()
    await isRefused(romeo, shows(romeo, laptop, agent(LAPTOP)))
    await succeeds(romeo, shows(romeo, next, agent(LAPTOP)))
  },
  short,
)

for (const [what, end] of [
  [
    'a new password',
    async (stage: Stage) => {
      const account = await stage.stores.accounts.get(stage.domain, 'romeo')
      await stage.server.hosts.get(stage.domain)!.setPassword(account!, 'wherefore')
    },
  ],
  ['the admin', async (stage: Stage) => void (await stage.stores.tokens.revoke(await idOf(stage)))],
  [
    'a new account of the name',
    async (stage: Stage) => {
      const account = await stage.stores.accounts.get(stage.domain, 'romeo')
      await stage.server.hosts.get(stage.domain)!.removeAccount(account!)
      await stage.account('romeo', stage.domain, 'wherefore')
    },
  ],
] as const) {
  scene(`A token is over by ${what}`, async ({ romeo, stage }) => {
    const token = await given(romeo)
    await end(stage)
    await isRefused(romeo, shows(romeo, token, phone))
    await succeeds(romeo, shows(romeo, await given(romeo), phone))
  })
}

scene('Tokens survive a restart', async ({ romeo, stage }) => {
  const token = await given(romeo)
  const restarted = await Stage.open({ stores: () => stage.stores })
  try {
    await succeeds(restarted.actor('romeo'), shows(romeo, token, phone))
  } finally {
    await restarted.close()
  }
})

scene(
  'A token of an old password is wrong, also when it was issued too late to be taken away',
  async ({ romeo, stage }) => {
    await given(romeo)
    const id = await idOf(stage)
    const [stored] = await stage.stores.tokens.of(id, PHONE)
    const account = await stage.stores.accounts.get(stage.domain, 'romeo')
    const token = await given(romeo)
    const [issued] = await stage.stores.tokens.of(id, PHONE)
    await stage.server.hosts.get(stage.domain)!.setPassword(account!, 'wherefore')
    await stage.stores.tokens.issue(id, { id: PHONE, software: undefined, device: undefined }, issued!)
    assert.notDeepEqual(stored!.seed, issued!.seed)
    await isRefused(romeo, shows(romeo, token, phone))
  },
)

scene(
  'A token makes no keys: who found one cannot make a password of it (XEP-0480)',
  async ({ romeo, stage }) => {
    await imported(stage, 'romeo')
    const success = await scram(romeo, 'SHA-1', phone + wants)
    const token = tokenIn(success)!
    await romeo.next('features')
    await romeo.vanishes()
    const upgrade = `<upgrade xmlns='${NS.saslUpgrade}'>UPGR-SCRAM-SHA-512</upgrade>`
    await succeeds(romeo, shows(romeo, token, phone + upgrade))
    assert.deepEqual(await hashesOf(stage, 'romeo'), ['SHA-1'])
  },
)

scene('A disabled account is told to who shows its token', async ({ romeo, stage }) => {
  const token = await given(romeo)
  const id = await idOf(stage)
  await stage.stores.accounts.disable(id, 'late', 0)
  await isRefused(romeo, shows(romeo, token, phone), 'account-disabled')
  await stage.stores.accounts.enable(id)
  await succeeds(romeo, shows(romeo, token, phone))
})

scene('Limits: wrong tokens count as wrong passwords do', async ({ romeo }) => {
  await opens(romeo)
  for (let i = 0; i < 5; i++) {
    romeo.raw(shows(romeo, 'guess', phone))
    await fails(romeo, 'not-authorized')
  }
  await romeo.isDisconnected('policy-violation')
})

scene(
  'auth.token_lifetime: without one there are no tokens',
  async ({ romeo }) => {
    const features = await opens(romeo)
    assert.ok(!features.toString().includes(NS.fast))
    romeo.raw(shows(romeo, 'x', phone))
    await fails(romeo, 'invalid-mechanism')
    romeo.raw(authenticate('PLAIN', romeo.plain(), phone + wants))
    assert.equal(tokenIn(await romeo.next('success')), undefined)
  },
  { set: ['auth.token_lifetime=0s'] },
)

scene(
  'auth.token_mechanisms: only those that the admin wants',
  async ({ romeo }) => {
    const features = await opens(romeo)
    assert.ok(!features.toString().includes('HT-SHA-256'))
  },
  { set: ['auth.token_mechanisms=["HT-SHA-256-EXPR"]'], wire: 'pipe' },
)

scene(
  'A store that fails gives no token and takes none, and the password works',
  async ({ romeo, stage }) => {
    const success = await logsIn(romeo, phone + wants + bind())
    assert.equal(tokenIn(success), undefined)
    await romeo.vanishes()
    await isRefused(romeo, shows(romeo, 'x', phone), 'temporary-auth-failure')
    assert.match(stage.logged.join('\n'), /c2s\.token\.failed/)
  },
  {
    stores(offline) {
      const stores = memoryStores({ offline })
      const gone = () => Promise.reject(new StorageUnavailable('gone'))
      return { ...stores, tokens: new Proxy(stores.tokens, { get: () => gone }) }
    },
  },
)
