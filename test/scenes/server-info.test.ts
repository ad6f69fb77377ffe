/** XEP-0485: what servers publish of each other. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { scene } from '../support/stage.js'
import { readDiscoInfo } from '../../src/stanza/caps.js'
import { formValues } from '../../src/stanza/forms.js'
import { NS } from '../../src/xml/namespaces.js'

const on = 'modules.server-info.enabled=true'
const anyServer = 's2s.policy=dialback-ok'
const asked = `<pubsub xmlns='${NS.pubsub}'><items node='serverinfo'/></pubsub>`

async function published(actor: Actor): Promise<string> {
  const reply = await actor.gets(asked, actor.domain)
  const item = reply.child('pubsub', NS.pubsub)?.child('items')?.child('item')
  return item?.child('serverinfo', NS.serverInfo)?.child('domain')?.toString() ?? reply.toString()
}

const described = (domain: string, remotes: string) =>
  `<domain xmlns="urn:xmpp:serverinfo:0" name="${domain}"><federation${remotes === '' ? '/>' : `>${remotes}</federation>`}</domain>`

async function meet(one: Actor, other: Actor): Promise<void> {
  await one.online()
  await other.online()
  one.sends(`<message to='${other.full}' type='chat'><body>ho</body></message>`)
  await other.receives(`<message type='chat'>{any}</message>`)
  other.sends(`<message to='${one.full}' type='chat'><body>hey</body></message>`)
  await one.receives(`<message type='chat'>{any}</message>`)
}

scene(
  'XEP-0485 §3, §4, §7: links are published, and named when the other side publishes its own',
  async ({ stage, romeo, far }) => {
    const tybalt = far.tybalt
    await meet(romeo, tybalt)
    const before = await published(romeo)
    assert.match(before, /<remote-domain>/)
    assert.doesNotMatch(before, /verona/)
    await stage.becomes(async () => /name="verona.example"/.test(await published(romeo)), true)
    assert.match(
      await published(romeo),
      /<remote-domain name="verona.example">(<connection type="(incoming|outgoing)"\/>){1,2}<\/remote-domain>/,
    )
  },
  { set: [on, anyServer], far: { set: [on, anyServer] } },
)

scene(
  'XEP-0485 §7: who publishes nothing is not named',
  async ({ stage, romeo, far }) => {
    await meet(romeo, far.tybalt)
    for (let round = 0; round < 3; round++) {
      assert.doesNotMatch(await published(romeo), /verona/)
      await stage.settled()
    }
    const refused = await far.tybalt.gets(asked, far.tybalt.domain)
    assert.equal(refused.attrs['type'], 'error')
  },
  { set: [on, anyServer], far: { set: [anyServer] } },
)

scene(
  'XEP-0485 §3: where it is said in one form with the contact addresses; the node is a leaf',
  async ({ romeo }) => {
    await romeo.connects()
    const info = readDiscoInfo(
      (await romeo.gets(`<query xmlns='${NS.discoInfo}'/>`, romeo.domain)).child('query')!,
    )
    assert.ok(info?.features.includes('urn:xmpp:serverinfo:0'))
    const all = info?.forms.map(formValues) ?? []
    const forms = all.filter(
      (values) => values.get('FORM_TYPE')?.[0] === 'http://jabber.org/network/serverinfo',
    )
    assert.equal(forms.length, 1)
    assert.deepEqual(forms[0]?.get('serverinfo-pubsub-node'), [`xmpp:${romeo.domain}?;node=serverinfo`])
    assert.deepEqual(forms[0]?.get('admin-addresses'), ['mailto:admin@capulet.example'])
    const leaf = (await romeo.gets(`<query xmlns='${NS.discoInfo}' node='serverinfo'/>`, romeo.domain)).child(
      'query',
    )!
    assert.deepEqual(
      readDiscoInfo(leaf)?.identities.map(({ category, type }) => [category, type]),
      [['pubsub', 'leaf']],
    )
    const items = (await romeo.gets(`<query xmlns='${NS.discoItems}'/>`, romeo.domain)).child('query')!
    assert.ok(items.childrenOf('item').some(({ attrs }) => attrs['node'] === 'serverinfo'))
    assert.equal(await published(romeo), described(romeo.domain, ''))
    const other = `<pubsub xmlns='${NS.pubsub}'><items node='other'/></pubsub>`
    await romeo.isRefused('item-not-found', 'get', other, romeo.domain)
    await romeo.isRefused(
      'feature-not-implemented',
      'get',
      `<pubsub xmlns='${NS.pubsub}'><subscriptions/></pubsub>`,
      romeo.domain,
    )
  },
  { set: [on, `modules.contact-addresses.admin=["mailto:admin@capulet.example"]`] },
)
