/** XEP-0055: Jabber Search, for those who want to be found. */
import assert from 'node:assert/strict'
import {
  carriesOut,
  commandOf,
  commands,
  conditionsOf,
  notesOf,
  offered,
  submission,
} from '../support/command.js'
import type { Actor } from '../support/actor.js'
import { DOMAIN, scene } from '../support/stage.js'

const NS = 'jabber:iq:search'
const node = 'urn:x-parley:command:be-found'
const on = { set: ['modules.user-search.enabled=true'] }

const listed = (actor: Actor, names: Record<string, string>) =>
  carriesOut(actor, actor.bare, node, { listed: '1', ...names })

/** The addresses that a search with the fields of old finds. */
async function found(actor: Actor, fields: string): Promise<string[]> {
  const reply = await actor.sets(`<query xmlns='${NS}'>${fields}</query>`, DOMAIN)
  assert.equal(reply.attrs['type'], 'result', reply.toString())
  return reply
    .child('query', NS)!
    .childrenOf('item')
    .map(({ attrs }) => attrs['jid'] as string)
}

scene('XEP-0055 §2: off unless the admin wants it', async ({ juliet }) => {
  await juliet.connects()
  await juliet.isRefused('service-unavailable', 'get', `<query xmlns='${NS}'/>`, DOMAIN)
  assert.ok(!(await offered(juliet, juliet.bare)).includes(node))
})

scene(
  'XEP-0055 §2.1: what can be searched by, and who may ask',
  async ({ juliet, far }) => {
    await juliet.connects()
    const reply = await juliet.gets(`<query xmlns='${NS}'/>`, DOMAIN)
    const query = reply.child('query', NS)!
    assert.deepEqual(
      query.childrenOf().map(({ local }) => local),
      ['instructions', 'first', 'last', 'nick', 'x'],
    )
    const form = query.child('x', 'jabber:x:data')!
    assert.equal(form.childrenOf('field')[0]!.child('value')!.text, NS)
    const info = await juliet.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, DOMAIN)
    assert.match(info.toString(), /category="directory" type="user"/)
    assert.match(info.toString(), /var="jabber:iq:search"/)
    await far.romeo.connects()
    for (const type of ['get', 'set'] as const)
      await far.romeo.isRefused('forbidden', type, `<query xmlns='${NS}'><nick>ju</nick></query>`, DOMAIN)
  },
  { set: [...on.set, 's2s.policy=dialback-ok'], far: { set: ['s2s.policy=dialback-ok'] } },
)

scene(
  'XEP-0055 §2.2: found are those who want it, by all that is asked, until they want it no more',
  async ({ stage, juliet, romeo, nurse, paris }) => {
    for (const actor of [juliet, romeo, nurse, paris]) await actor.connects()
    await listed(juliet, { first: 'Juliet', last: 'Capulet' })
    await listed(paris, { first: 'Paris', last: 'of CAPULET’s friends', nick: 'County' })
    assert.deepEqual(await found(romeo, '<last>capulet</last>'), [juliet.bare, paris.bare])
    assert.deepEqual(await found(romeo, '<last>capulet</last><first>JUL</first><nick/>'), [juliet.bare])
    assert.deepEqual(await found(romeo, '<nick>nurse</nick>'), [])
    for (const fields of ['', '<last>c</last>', '<last>ca</last><first>j</first>', '<last/>'])
      await romeo.isRefused('not-acceptable', 'set', `<query xmlns='${NS}'>${fields}</query>`, DOMAIN)

    const reply = await romeo.sets(
      `<query xmlns='${NS}'>${submission({ FORM_TYPE: NS, last: 'capulet' })}</query>`,
      DOMAIN,
    )
    const x = reply.child('query', NS)!.child('x', 'jabber:x:data')!
    assert.deepEqual(
      x
        .child('reported')!
        .childrenOf('field')
        .map(({ attrs }) => `${attrs['var']} ${attrs['type']}`),
      ['jid jid-single', 'first text-single', 'last text-single', 'nick text-single'],
    )
    assert.deepEqual(
      x.childrenOf('item').map((item) => item.childrenOf('field')[0]!.child('value')!.text),
      [juliet.bare, paris.bare],
    )

    const none = await carriesOut(juliet, juliet.bare, node, { listed: '0', first: 'Juliet' })
    assert.deepEqual(notesOf(none), ['info: Nobody finds you.'])
    assert.deepEqual(await found(romeo, '<last>capulet</last>'), [paris.bare])
    const account = (await stage.stores.accounts.get(DOMAIN, 'paris'))!
    await stage.stores.accounts.disable(account.id, '', 0)
    assert.deepEqual(await found(romeo, '<last>capulet</last>'), [])
    await stage.stores.accounts.enable(account.id)
    await stage.server.hosts.get(DOMAIN)!.removeAccount(account)
    await stage.account('paris', DOMAIN, 'p')
    assert.deepEqual(await found(romeo, '<last>capulet</last>'), [])
  },
  on,
)

scene(
  'who wants to be found says by what',
  async ({ juliet }) => {
    await juliet.connects()
    const sessionid = commandOf(await commands(juliet, juliet.bare, node)).attrs['sessionid'] as string
    for (const names of [{}, { nick: '  ' }, { nick: 'x'.repeat(101) }]) {
      const payload = submission({ listed: '1', ...names })
      assert.equal(
        conditionsOf(await commands(juliet, juliet.bare, node, { sessionid, payload })),
        'bad-request bad-payload',
      )
    }
  },
  on,
)

scene(
  'modules.user-search.listed: one more is refused, and a hundred times as many leave the list as it is',
  async ({ stage, juliet, romeo, nurse }) => {
    for (const actor of [juliet, romeo, nurse]) await actor.connects()
    await listed(juliet, { nick: 'first' })
    await listed(romeo, { nick: 'second' })
    const refuse = async (nick: string) => {
      const sessionid = commandOf(await commands(nurse, nurse.bare, node)).attrs['sessionid'] as string
      const payload = submission({ listed: '1', nick })
      return conditionsOf(await commands(nurse, nurse.bare, node, { sessionid, payload }))
    }
    for (let count = 0; count < 200; count++)
      assert.equal(await refuse(`third ${count}`), 'resource-constraint')
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'listed_users'), 200)
    assert.deepEqual(await found(nurse, '<nick>ir</nick>'), [juliet.bare])
    await carriesOut(juliet, juliet.bare, node, { listed: '0' })
    await listed(nurse, { nick: 'third' })
    assert.deepEqual(await found(juliet, '<nick>ir</nick>'), [nurse.bare])
  },
  { set: [...on.set, 'modules.user-search.listed=2', 'limits.c2s_stanza_rate=off', 'limits.c2s_rate=off'] },
)

scene(
  'modules.user-search.results: so many at most',
  async ({ juliet, romeo, nurse }) => {
    for (const actor of [juliet, romeo, nurse]) await actor.connects()
    for (const actor of [juliet, romeo, nurse]) await listed(actor, { last: 'Verona' })
    assert.equal((await found(juliet, '<last>verona</last>')).length, 2)
  },
  { set: [...on.set, 'modules.user-search.results=2'] },
)

scene(
  'who has the name of somebody who was listed is not, also when the account was removed unseen',
  async ({ stage, juliet, romeo }) => {
    for (const actor of [juliet, romeo]) await actor.connects()
    await listed(juliet, { nick: 'jule' })
    assert.deepEqual(await found(romeo, '<nick>jule</nick>'), [juliet.bare])
    await stage.stores.accounts.remove((await stage.stores.accounts.get(DOMAIN, 'juliet'))!.id)
    assert.deepEqual(await found(romeo, '<nick>jule</nick>'), [])
    // By another process, or while this was switched off.
    await stage.account('juliet', DOMAIN, 'another')
    assert.deepEqual(await found(romeo, '<nick>jule</nick>'), [])
  },
  on,
)
