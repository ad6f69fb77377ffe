// RFC 6121 §2: managing the roster.
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { friends, rosterOf } from '../support/friends.js'
import { scene } from '../support/stage.js'

const ROSTER = `xmlns='jabber:iq:roster'`
const query = (...items: string[]) => `<query ${ROSTER}>${items.join('')}</query>`
const push = (item: string) => `<iq type='set' id='{any}'><query ${ROSTER} ver='{any}'>${item}</query></iq>`

scene('RFC 6121 §2.1.4: an empty roster is an empty query', async ({ juliet }) => {
  await juliet.connects()
  const reply = await juliet.gets(query())
  assert.equal(reply.attrs['type'], 'result')
  assert.equal(reply.child('query', 'jabber:iq:roster')?.children.length, 0)
})

scene(
  'RFC 6121 §2.1.5: nobody else may read or change a roster, whether there is one or not',
  async ({ juliet, romeo, nurse, other, stage }) => {
    await juliet.online()
    await romeo.online()
    await other.tybalt.online()
    await stage.account('nurse', stage.domain, 'wherefore')
    for (const asker of [romeo, other.tybalt]) {
      for (const owner of [juliet.bare, nurse.bare, `nobody@${stage.domain}`]) {
        await asker.isRefused('forbidden', 'set', query(`<item jid='paris@example.com'/>`), owner)
        await asker.isRefused('forbidden', 'get', query(), owner)
      }
    }
    assert.deepEqual(await rosterOf(juliet), [])
    await juliet.hearsNothingMore()
  },
)

scene('RFC 6121 §2.1.5: the own address may be named', async ({ juliet }) => {
  await juliet.connects()
  const reply = await juliet.sets(query(`<item jid='nurse@example.com'/>`), juliet.bare)
  assert.equal(reply.attrs['type'], 'result')
  const roster = await juliet.gets(query(), juliet.bare)
  assert.equal(roster.child('query', 'jabber:iq:roster')?.childrenOf('item').length, 1)
})

scene(
  'RFC 6121 §2.2, §2.3.2: an item is created, and every interested resource gets a push',
  async ({ juliet, stage }) => {
    const chamber = stage.actor('juliet$chamber')
    const orchard = stage.actor('juliet$orchard')
    await juliet.connects()
    await chamber.online()
    await orchard.connects()
    orchard.sends('<presence/>')
    await juliet.gets(query())
    await juliet.ignoresSoFar()
    await chamber.ignoresSoFar()
    await orchard.ignoresSoFar()

    const reply = await juliet.sets(
      query(`<item jid='nurse@example.com' name='Nurse'><group>Servants</group></item>`),
    )
    assert.equal(reply.attrs['type'], 'result')
    const item = `<item jid='nurse@example.com' name='Nurse' subscription='none'><group>Servants</group></item>`
    const first = await juliet.receives(push(item))
    const second = await chamber.receives(push(item))
    assert.equal(first.attrs['to'], juliet.full)
    assert.equal(second.attrs['to'], chamber.full)
    for (const { attrs } of [first, second])
      assert.ok([undefined, juliet.bare].includes(attrs['from'] as string | undefined))
    await orchard.hearsNothingMore()
    assert.deepEqual(await rosterOf(orchard), [
      { jid: 'nurse@example.com', name: 'Nurse', subscription: 'none' },
    ])
  },
)

scene('RFC 6121 §2.1.6: an error in reply to a push is ignored', async ({ juliet }) => {
  await juliet.online()
  await juliet.sets(query(`<item jid='nurse@example.com'/>`))
  const { attrs } = await juliet.receives(push(`<item jid='nurse@example.com' subscription='none'/>`))
  juliet.sends(
    `<iq type='error' id='${attrs['id'] as string}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
  )
  juliet.sends(`<iq type='result' to='${juliet.bare}' id='${attrs['id'] as string}'/>`)
  await juliet.hearsNothingMore()
})

/** The same conversation with a contact on this host and on another. */
function scenes(name: string, play: (juliet: Actor, romeo: Actor) => Promise<void>): void {
  scene(`${name} (one host)`, (cast) => play(cast.juliet, cast.romeo))
  scene(`${name} (two hosts)`, (cast) => play(cast.juliet, cast.other.romeo))
}

const long = 'x'.repeat(1024)
const refusals: [what: string, items: string, condition: string][] = [
  ['more than one item', `<item jid='a@b.example'/><item jid='c@b.example'/>`, 'bad-request'],
  ['no item', '', 'bad-request'],
  ['a group twice', `<item jid='a@b.example'><group>x</group><group>x</group></item>`, 'bad-request'],
  ['an empty group', `<item jid='a@b.example'><group/></item>`, 'not-acceptable'],
  ['a name over the limit', `<item jid='a@b.example' name='${long}'/>`, 'not-acceptable'],
  ['a group over the limit', `<item jid='a@b.example'><group>${long}</group></item>`, 'not-acceptable'],
  ['the own address', `<item jid='juliet@capulet.example'/>`, 'not-allowed'],
  ['an address that is none', `<item jid='@b.example'/>`, 'jid-malformed'],
]
for (const [what, items, condition] of refusals) {
  scene(`RFC 6121 §2.3.3: ${what} is refused with ${condition}`, async ({ juliet }) => {
    await juliet.online()
    await juliet.isRefused(condition, 'set', query(items))
    assert.deepEqual(await rosterOf(juliet), [])
    await juliet.hearsNothingMore()
  })
}

scene(
  'RFC 6121 §2.4: an item becomes exactly what the set says; its subscription stays',
  async ({ juliet, romeo }) => {
    await juliet.online()
    await romeo.online()
    await friends(juliet, romeo)
    await juliet.sets(query(`<item jid='${romeo.bare}' name='R'><group>A</group><group>B</group></item>`))
    await juliet.receives(
      push(`<item jid='${romeo.bare}' name='R' subscription='both'><group>A</group><group>B</group></item>`),
    )
    await juliet.sets(
      query(`<item jid='${romeo.bare}' name='' subscription='none' ask='subscribe' approved='true'/>`),
    )
    await juliet.receives(
      push(`<item jid='${romeo.bare}' name='{none}' subscription='both' ask='{none}' approved='{none}'/>`),
    )
    await romeo.hearsNothingMore()
  },
)

scenes(
  'RFC 6121 §2.4: name and groups of an item stay through all changes of its subscription',
  async (juliet, romeo) => {
    await juliet.online()
    await romeo.online()
    await juliet.sets(query(`<item jid='${romeo.bare}' name='R'><group>A</group></item>`))
    const item = (attributes: string) =>
      push(`<item jid='${romeo.bare}' name='R' ${attributes}><group>A</group></item>`)
    await juliet.receives(item(`subscription='none'`))
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
    await juliet.receives(item(`subscription='none' ask='subscribe'`))
    await romeo.ignoresSoFar()
    romeo.sends(`<presence type='subscribed' to='${juliet.bare}'/>`)
    await juliet.receives(`<presence type='subscribed' from='${romeo.bare}'/>`)
    await juliet.receives(item(`subscription='to' ask='{none}'`))
    await juliet.ignoresSoFar()
    juliet.sends(`<presence type='unsubscribe' to='${romeo.bare}'/>`)
    await juliet.receivesInAnyOrder(
      item(`subscription='none'`),
      `<presence type='unavailable' from='${romeo.full}'/>`,
    )
  },
)

scene('RFC 6121 §2.1.2.3: the address of an item is bare and prepared', async ({ juliet }) => {
  await juliet.online()
  await juliet.sets(query(`<item jid='Nurse@EXAMPLE.com/x'/>`))
  await juliet.receives(push(`<item jid='nurse@example.com' subscription='none'/>`))
})

scene('RFC 6121 §2.5.2: removing a mutual contact ends both subscriptions', async ({ juliet, romeo }) => {
  await juliet.online()
  await romeo.online()
  await friends(juliet, romeo)
  await juliet.sets(query(`<item jid='${romeo.bare}' subscription='remove'/>`))
  await juliet.receivesInAnyOrder(
    push(`<item jid='${romeo.bare}' subscription='remove'/>`),
    `<presence type='unavailable' from='${romeo.full}'/>`,
  )
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
  await romeo.receivesInAnyOrder(
    `<presence type='unsubscribe' from='${juliet.bare}' to='${romeo.bare}'/>`,
    push(`<item jid='${juliet.bare}' subscription='to'/>`),
    `<presence type='unsubscribed' from='${juliet.bare}' to='${romeo.bare}'/>`,
    push(`<item jid='${juliet.bare}' subscription='none'/>`),
  )
  assert.deepEqual(await rosterOf(juliet), [])
  await juliet.hearsNothingMore()
  await romeo.hearsNothingMore()
})

scene('RFC 6121 §2.5.3: removing what is not there', async ({ juliet }) => {
  await juliet.online()
  await juliet.isRefused(
    'item-not-found',
    'set',
    query(`<item jid='nurse@example.com' subscription='remove'/>`),
  )
  await juliet.hearsNothingMore()
})

scene('RFC 6121 §2.6.1, §3.4: the stream features say what the server can do', async ({ juliet }) => {
  await juliet.stage.account(juliet.local, juliet.domain, 'wherefore')
  await juliet.opens()
  juliet.raw(
    `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${juliet.plain('wherefore')}</auth>`,
  )
  await juliet.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
  juliet.startsStream()
  const features = await juliet.next('features')
  assert.ok(features.child('ver', 'urn:xmpp:features:rosterver'))
  assert.ok(features.child('sub', 'urn:xmpp:features:pre-approval'))
})

scene(
  'RFC 6121 §2.6.3: a client with the present version gets no roster, others all of it',
  async ({ juliet }) => {
    await juliet.online()
    await juliet.sets(query(`<item jid='nurse@example.com'/>`))
    await juliet.sets(query(`<item jid='tybalt@example.com'/>`))
    const versions = [await juliet.next(), await juliet.next()].map(
      (iq) => iq.child('query')?.attrs['ver'] as string,
    )
    assert.notEqual(versions[0], versions[1])

    const same = await juliet.gets(`<query ${ROSTER} ver='${versions[1]}'/>`)
    assert.equal(same.attrs['type'], 'result')
    assert.equal(same.children.length, 0)
    for (const ver of ['', versions[0], 'never heard of']) {
      const reply = await juliet.gets(`<query ${ROSTER} ver='${ver}'/>`)
      const roster = reply.child('query', 'jabber:iq:roster')
      assert.equal(roster?.attrs['ver'], versions[1])
      assert.equal(roster?.childrenOf('item').length, 2)
    }
    await juliet.hearsNothingMore()
  },
)

scene(
  'RFC 6121 §2.6.3: a client that knows an earlier version hears what has changed since, after the empty result',
  async ({ juliet, juliet$phone }) => {
    await juliet.online()
    for (let i = 0; i < 9; i++) await juliet.sets(`<query ${ROSTER}><item jid='a${i}@x.example'/></query>`)
    const ver = (await juliet.gets(`<query ${ROSTER} ver=''/>`)).child('query')?.attrs['ver'] as string
    await juliet.sets(`<query ${ROSTER}><item jid='a0@x.example' subscription='remove'/></query>`)
    await juliet.sets(`<query ${ROSTER}><item jid='a1@x.example' name='One'/></query>`)
    await juliet$phone.connects()
    juliet$phone.sends(`<iq type='get' id='r'><query ${ROSTER} ver='${ver}'/></iq>`)
    const result = await juliet$phone.receives(`<iq type='result' id='r'/>`)
    assert.deepEqual(result.childrenOf(), [])
    await juliet$phone.receives(push(`<item jid='a0@x.example' subscription='remove'/>`))
    await juliet$phone.receives(push(`<item jid='a1@x.example' name='One' subscription='none'/>`))
    await juliet.sets(`<query ${ROSTER}><item jid='a2@x.example' name='Two'/></query>`)
    await juliet$phone.receives(push(`<item jid='a2@x.example' name='Two' subscription='none'/>`))
  },
)

scene(
  'a full roster takes no more items, whatever makes them, and says so',
  async ({ juliet }) => {
    await juliet.online()
    await juliet.sets(query(`<item jid='a@b.example'/>`))
    await juliet.sets(query(`<item jid='c@b.example'/>`))
    await juliet.ignoresSoFar()
    await juliet.isRefused('resource-constraint', 'set', query(`<item jid='d@b.example'/>`))
    juliet.sends(`<presence type='subscribe' to='e@b.example' id='s1'/>`)
    await juliet.receives(
      `<presence type='error' from='e@b.example' id='s1'><error type='cancel'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text></error></presence>`,
    )
    assert.equal((await rosterOf(juliet)).length, 2)
  },
  { set: ['limits.roster_size=2'] },
)
