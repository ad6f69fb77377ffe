/** XEP-0313, 0059, 0359, 0431: the archive as clients see it. */
import assert from 'node:assert/strict'
import { archiveOf, messageOf, queryXml } from '../support/archive.js'
import { featuresOf } from '../support/friends.js'
import { scene } from '../support/stage.js'

const chat = (to: string, body: string, more = '') =>
  `<message to='${to}' type='chat' id='${body}'><body>${body}</body>${more}</message>`
const hint = (name: string) => `<${name} xmlns='urn:xmpp:hints'/>`
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `m${i}`)
const moment = (at: number) => new Date(at).toISOString()

scene(
  'XEP-0313 §3.5, §4.2: both sides find what was said, with the id that the recipient was told',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const at = stage.clock.now()
    romeo.sends(chat(juliet.full, 'hi', `<x xmlns='urn:example' a='1'>&lt;&amp;</x>`))
    const heard = await juliet.receives(
      `<message from='${romeo.full}' to='${juliet.full}'><body>hi</body><x xmlns='urn:example' a='1'>&lt;&amp;</x><stanza-id xmlns='urn:xmpp:sid:0' by='${juliet.bare}' id='{any}'/></message>`,
    )
    const hers = await archiveOf(juliet)
    assert.deepEqual(hers.ids, [heard.child('stanza-id')?.attrs['id']])
    assert.equal(hers.complete, true)
    assert.deepEqual([hers.first, hers.last, hers.index, hers.count], [hers.ids[0], hers.ids[0], 0, 1])
    const [result] = hers.results
    const forwarded = result!.child('forwarded', 'urn:xmpp:forward:0')
    assert.equal(forwarded?.child('delay', 'urn:xmpp:delay')?.attrs['stamp'], moment(at))
    const message = messageOf(result!)
    assert.deepEqual(
      [message?.attrs['from'], message?.attrs['to'], message?.attrs['type'], message?.attrs['id']],
      [romeo.full, juliet.full, 'chat', 'hi'],
    )
    assert.equal(message?.child('x', 'urn:example')?.text, '<&')
    const his = await archiveOf(romeo)
    assert.deepEqual(his.bodies, ['hi'])
    assert.notDeepEqual(his.ids, hers.ids)
  },
)

scene('XEP-0313 §6.1.1, XEP-0334 §4: what is kept and what is not', async ({ romeo, juliet }) => {
  await romeo.online()
  await juliet.online()
  const to = `to='${juliet.full}'`
  const kept = [
    `<message ${to} type='chat' id='body'><body>x</body></message>`,
    `<message ${to} id='normal'><body>x</body></message>`,
    `<message ${to} type='chat' id='empty body'><body/></message>`,
    `<message ${to} type='chat' id='store'><y xmlns='urn:example'/>${hint('store')}</message>`,
    `<message ${to} type='chat' id='receipt'><received xmlns='urn:xmpp:receipts' id='1'/></message>`,
    `<message ${to} type='chat' id='marker'><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/></message>`,
    `<message ${to} type='chat' id='encrypted'><encryption xmlns='urn:xmpp:eme:0' namespace='urn:e2e'/></message>`,
    `<message ${to} type='chat' id='call'><propose xmlns='urn:xmpp:jingle-message:0' id='1'/></message>`,
    `<message ${to} id='invitation'><x xmlns='http://jabber.org/protocol/muc#user'><invite/></x></message>`,
    `<message ${to} type='chat' id='copy'><body>x</body>${hint('no-copy')}</message>`,
    `<message ${to} type='chat' id='retraction'><retract xmlns='urn:xmpp:message-retract:1' id='none'/></message>`,
  ]
  const passed = [
    `<message ${to} type='chat' id='typing'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
    `<message ${to} type='chat' id='unknown'><y xmlns='urn:example'/></message>`,
    `<message ${to} type='chat' id='body elsewhere'><body xmlns='urn:example'>x</body></message>`,
    `<message ${to} type='headline' id='news'><body>x</body></message>`,
    `<message ${to} type='groupchat' id='room'><body>x</body></message>`,
    `<message ${to} type='error' id='error'><body>x</body>${hint('store')}</message>`,
    `<message ${to} type='chat' id='off'><body>x</body>${hint('no-store')}${hint('store')}</message>`,
    `<message ${to} type='chat' id='off the record'><body>x</body>${hint('store')}${hint('no-permanent-store')}</message>`,
    `<message ${to} id='occupant'><x xmlns='http://jabber.org/protocol/muc#user'/></message>`,
    `<message ${to} type='chat' id='marked'><markable xmlns='urn:xmpp:chat-markers:0'/></message>`,
  ]
  for (const stanza of [...kept, ...passed]) romeo.sends(stanza)
  await romeo.settled()
  await juliet.ignoresSoFar()
  const idsOf = (stanzas: readonly string[]) => stanzas.map((stanza) => /id='([^']+)'/.exec(stanza)?.[1])
  for (const actor of [romeo, juliet]) {
    const { results } = await archiveOf(actor)
    assert.deepEqual(
      results.map((result) => messageOf(result)?.attrs['id']),
      idsOf(kept),
    )
  }
})

scene(
  'XEP-0359 §3: forged ids are gone from what is delivered and from what is kept',
  async ({ romeo, juliet, other }) => {
    await romeo.online()
    await juliet.online()
    await other.tybalt.online()
    const id = (by: string) => `<stanza-id xmlns='urn:xmpp:sid:0' by='${by}' id='forged'/>`
    for (const sender of [romeo, other.tybalt]) {
      sender.sends(chat(juliet.bare, 'x', id(juliet.bare) + id(sender.bare) + id('room@rooms.example')))
      const heard = await juliet.next()
      const marks = heard.childrenOf('stanza-id').map(({ attrs }) => [attrs['by'], attrs['id']])
      const own = marks.at(-1)!
      assert.equal(own[0], juliet.bare)
      assert.notEqual(own[1], 'forged')
      // The id that the sender's own server would give is gone as well.
      assert.deepEqual(marks.slice(0, -1), [['room@rooms.example', 'forged']])
      for (const actor of [sender, juliet]) {
        const { results } = await archiveOf(actor)
        const ids = messageOf(results.at(-1)!)!.childrenOf('stanza-id')
        assert.ok(ids.every(({ attrs }) => attrs['by'] !== actor.bare))
      }
    }
  },
)

scene('XEP-0313 §4.3, XEP-0059: pages forwards and backwards', async ({ romeo, juliet }) => {
  await romeo.online()
  await juliet.online()
  const bodies = numbered(7)
  for (const body of bodies) romeo.sends(chat(juliet.bare, body))
  await romeo.settled()
  await juliet.ignoresSoFar()
  const all = await archiveOf(juliet)
  assert.deepEqual(all.bodies, bodies)
  const { ids } = all
  const page = async (set: string, form?: Record<string, string | readonly string[]>) => {
    const { bodies, complete, first, last, index, count } = await archiveOf(juliet, {
      set,
      ...(form ? { form } : {}),
    })
    const at = [first, last].map((id) => (id === undefined ? undefined : ids.indexOf(id)))
    return [bodies.join(' '), complete, ...at, index, count]
  }
  assert.deepEqual(await page('<max>3</max>'), ['m0 m1 m2', false, 0, 2, 0, 7])
  assert.deepEqual(await page(`<max>3</max><after>${ids[2]}</after>`), ['m3 m4 m5', false, 3, 5, 3, 7])
  assert.deepEqual(await page(`<max>3</max><after>${ids[5]}</after>`), ['m6', true, 6, 6, 6, 7])
  // §4.3.2: the last page is complete, also when it is full, and when it is empty.
  assert.deepEqual(await page(`<max>3</max><after>${ids[3]}</after>`), ['m4 m5 m6', true, 4, 6, 4, 7])
  const none = [undefined, undefined, undefined]
  assert.deepEqual(await page(`<after>${ids[6]}</after>`), ['', true, ...none, 7])
  // §4.3.3: the last page, in the order of the archive.
  assert.deepEqual(await page('<max>3</max><before/>'), ['m4 m5 m6', false, 4, 6, 4, 7])
  assert.deepEqual(await page(`<max>3</max><before>${ids[4]}</before>`), ['m1 m2 m3', false, 1, 3, 1, 7])
  assert.deepEqual(await page(`<max>3</max><before>${ids[3]}</before>`), ['m0 m1 m2', true, 0, 2, 0, 7])
  assert.deepEqual(await page(`<max>3</max><before>${ids[0]}</before>`), ['', true, ...none, 7])
  // XEP-0059 §2.6, §2.7.
  assert.deepEqual(await page('<max>2</max><index>4</index>'), ['m4 m5', false, 4, 5, 4, 7])
  assert.deepEqual(await page('<max>2</max><index>7</index>'), ['', true, ...none, 7])
  assert.deepEqual(await page('<max>0</max>'), ['', false, ...none, 7])
  assert.deepEqual(await page('<max>0</max>', { with: 'nobody@example.org' }), ['', true, ...none, 0])
  assert.deepEqual(await page('<max>99999999999999999999</max>'), [bodies.join(' '), true, 0, 6, 0, 7])
  // §4.1.3: the range is the whole that is counted.
  const range = { 'after-id': ids[1]!, 'before-id': ids[5]! }
  assert.deepEqual(await page('<max>2</max>', range), ['m2 m3', false, 2, 3, 0, 3])
  assert.deepEqual(await page(`<max>2</max><after>${ids[3]}</after>`, range), ['m4', true, 4, 4, 2, 3])
  assert.deepEqual(await page('<max>2</max><before/>', range), ['m3 m4', false, 3, 4, 1, 3])
  const named = { ids: [ids[5]!, ids[0]!, ids[3]!] }
  assert.deepEqual(await page('', named), ['m0 m3 m5', true, 0, 5, 0, 3])
})

scene(
  'XEP-0313 §4.3: unknown ids are item-not-found; an id that the filter leaves out is none of these',
  async ({ romeo, juliet, nurse }) => {
    await romeo.online()
    await juliet.online()
    await nurse.online()
    nurse.sends(chat(juliet.bare, 'from the nurse'))
    await nurse.settled()
    for (const body of numbered(3)) romeo.sends(chat(juliet.bare, body))
    await romeo.settled()
    await juliet.ignoresSoFar()
    const { ids } = await archiveOf(juliet)
    await romeo.ignoresSoFar()
    const [foreign] = (await archiveOf(romeo)).ids
    for (const id of ['nothing', foreign!, ids[0]!.toUpperCase(), `${ids[0]} `.replace('-', '')]) {
      for (const asked of [
        { set: `<after>${id}</after>` },
        { set: `<before>${id}</before>` },
        { form: { 'after-id': id } },
        { form: { 'before-id': id } },
        { form: { ids: [ids[0]!, id] } },
      ])
        await juliet.isRefused('item-not-found', 'set', queryXml(asked))
    }
    const form = { with: romeo.bare }
    assert.deepEqual((await archiveOf(juliet, { form, set: `<after>${ids[0]}</after>` })).bodies, [
      'm0',
      'm1',
      'm2',
    ])
    assert.deepEqual((await archiveOf(juliet, { form, set: `<before>${ids[0]}</before>` })).bodies, [])
  },
)

scene('XEP-0313 §4.1.1: with whom', async ({ romeo, romeo$phone, juliet, nurse }) => {
  for (const actor of [romeo, romeo$phone, juliet, nurse]) await actor.online()
  romeo.sends(chat(juliet.bare, 'balcony'))
  romeo$phone.sends(chat(juliet.bare, 'phone'))
  await romeo.settled()
  await romeo$phone.settled()
  juliet.sends(chat(romeo.full, 'to balcony'))
  juliet.sends(chat(romeo.bare, 'to all'))
  juliet.sends(chat(juliet.bare, 'note'))
  juliet.sends(chat(juliet.full, 'note here'))
  juliet.sends(chat(nurse.bare, 'to nurse'))
  await juliet.settled()
  await juliet.ignoresSoFar()
  const said = async (other: string) => (await archiveOf(juliet, { form: { with: other } })).bodies
  assert.deepEqual(await said(romeo.bare), ['balcony', 'phone', 'to balcony', 'to all'])
  assert.deepEqual(await said(`ROMEO@${juliet.domain.toUpperCase()}`), [
    'balcony',
    'phone',
    'to balcony',
    'to all',
  ])
  assert.deepEqual(await said(romeo.full), ['balcony', 'to balcony'])
  assert.deepEqual(await said(romeo$phone.full), ['phone'])
  // What she says to herself, once and nothing else.
  assert.deepEqual(await said(juliet.bare), ['note', 'note here'])
  assert.deepEqual(await said(juliet.full), ['to balcony', 'to all', 'note', 'note here', 'to nurse'])
  assert.deepEqual(await said(`${juliet.bare}/elsewhere`), [])
  assert.deepEqual(await said('mercutio@capulet.example'), [])
  await juliet.isRefused('jid-malformed', 'set', queryXml({ form: { with: '@' } }))
})

scene(
  'XEP-0313 §6.1.1: what one says to oneself is kept once, and told with its id',
  async ({ juliet, juliet$phone }) => {
    await juliet.online()
    await juliet$phone.online()
    await juliet.ignoresSoFar()
    await juliet$phone.ignoresSoFar()
    juliet.sends(chat(juliet$phone.full, 'note'))
    const heard = await juliet$phone.next()
    assert.deepEqual((await archiveOf(juliet)).ids, [heard.child('stanza-id')?.attrs['id']])
  },
)

scene('XEP-0313 §4.1.2: from when to when, both included', async ({ romeo, juliet, stage }) => {
  await romeo.online()
  await juliet.online()
  const times: number[] = []
  for (const body of numbered(4)) {
    times.push(stage.clock.now())
    romeo.sends(chat(juliet.bare, body))
    await romeo.settled()
    stage.clock.advance(1000)
  }
  await juliet.ignoresSoFar()
  const said = async (form: Record<string, string>) => (await archiveOf(juliet, { form })).bodies.join(' ')
  assert.equal(await said({ start: moment(times[1]!) }), 'm1 m2 m3')
  assert.equal(await said({ start: moment(times[1]! + 1) }), 'm2 m3')
  assert.equal(await said({ end: moment(times[1]!) }), 'm0 m1')
  assert.equal(await said({ end: moment(times[1]! - 1) }), 'm0')
  assert.equal(await said({ start: moment(times[1]!), end: moment(times[2]!) }), 'm1 m2')
  assert.equal(await said({ start: moment(times[2]!), end: moment(times[1]!) }), '')
  assert.equal(await said({ start: '1601-01-01T00:00:00Z', end: '9999-12-31T23:59:59Z' }), 'm0 m1 m2 m3')
  const ahead = moment(times[1]! + 7_200_000).replace('Z', '+02:00')
  assert.equal(await said({ start: ahead, end: ahead }), 'm1')
})

scene('XEP-0313 §4.1.5: the form, and what does not fit it', async ({ juliet }) => {
  await juliet.online()
  const reply = await juliet.gets(`<query xmlns='urn:xmpp:mam:2'/>`, juliet.bare)
  const x = reply.child('query', 'urn:xmpp:mam:2')?.child('x', 'jabber:x:data')
  assert.equal(x?.attrs['type'], 'form')
  assert.deepEqual(
    x.childrenOf('field').map(({ attrs }) => `${attrs['var']} ${attrs['type']}`),
    [
      'FORM_TYPE hidden',
      'with jid-single',
      'start text-single',
      'end text-single',
      'before-id text-single',
      'after-id text-single',
      'ids list-multi',
      '{urn:xmpp:fulltext:0}fulltext text-single',
      'include-groupchat boolean',
    ],
  )
  const ids = x.childrenOf('field').find(({ attrs }) => attrs['var'] === 'ids')
  assert.ok(ids?.child('validate', 'http://jabber.org/protocol/xdata-validate')?.child('open'))
  assert.ok(!x.toString().includes('<required'))
  const refused = (condition: string, query: string) => juliet.isRefused(condition, 'set', query)
  await refused('feature-not-implemented', queryXml({ form: { '{urn:example}unknown': 'x' } }))
  for (const form of [
    { start: 'yesterday' },
    { start: '' },
    { end: '2030-02-30T00:00:00Z' },
    { 'include-groupchat': 'perhaps' },
    { FORM_TYPE: 'urn:xmpp:mam:1' },
    { '{urn:xmpp:fulltext:0}fulltext': 'a b c d e f g h i j k l m n o p q r s t u' },
    { ids: Array.from({ length: 1001 }, String) },
  ])
    await refused('bad-request', queryXml({ form }))
  await refused('bad-request', queryXml({ set: '<max>-1</max>' }))
  await refused('bad-request', queryXml({ form: {} }).replace("'submit'", "'cancel'"))
  await refused('item-not-found', `<query xmlns='urn:xmpp:mam:2' node='x'/>`)
})

scene('XEP-0313 §4.3.4: a flipped page is the same one, the other way round', async ({ romeo, juliet }) => {
  await romeo.online()
  await juliet.online()
  for (const body of numbered(5)) romeo.sends(chat(juliet.bare, body))
  await romeo.settled()
  await juliet.ignoresSoFar()
  const set = '<max>3</max><before/>'
  const straight = await archiveOf(juliet, { set })
  const flipped = await archiveOf(juliet, { set, flip: true })
  assert.deepEqual(flipped.bodies, ['m4', 'm3', 'm2'])
  assert.deepEqual(flipped.ids.toReversed(), straight.ids)
  assert.equal(flipped.fin.toString(), straight.fin.toString())
})

scene('XEP-0313 §5: where an archive begins and ends', async ({ romeo, juliet, stage }) => {
  await romeo.online()
  await juliet.online()
  const metadata = () => juliet.gets(`<metadata xmlns='urn:xmpp:mam:2'/>`)
  assert.equal((await metadata()).child('metadata', 'urn:xmpp:mam:2')?.children.length, 0)
  const at = stage.clock.now()
  for (const body of numbered(3)) {
    romeo.sends(chat(juliet.bare, body))
    await romeo.settled()
    stage.clock.advance(1000)
  }
  await juliet.ignoresSoFar()
  const { ids } = await archiveOf(juliet)
  const found = (await metadata()).child('metadata', 'urn:xmpp:mam:2')
  assert.deepEqual(
    found?.childrenOf().map(({ local, attrs }) => [local, attrs['id'], attrs['timestamp']]),
    [
      ['start', ids[0], moment(at)],
      ['end', ids[2], moment(at + 2000)],
    ],
  )
})

scene(
  'XEP-0313 §8.1: an archive is its owner’s; others learn nothing, not even whether there is one',
  async ({ romeo, juliet, other }) => {
    await romeo.online()
    await juliet.online()
    await other.tybalt.online()
    const requests = [
      ['set', queryXml({})],
      ['get', `<query xmlns='urn:xmpp:mam:2'/>`],
      ['get', `<metadata xmlns='urn:xmpp:mam:2'/>`],
      ['get', `<prefs xmlns='urn:xmpp:mam:2'/>`],
      ['set', `<prefs xmlns='urn:xmpp:mam:2' default='never'/>`],
    ] as const
    for (const asker of [romeo, other.tybalt])
      for (const to of [juliet.bare, `nobody@${juliet.domain}`])
        for (const [type, payload] of requests) await asker.isRefused('forbidden', type, payload, to)
    // Nobody's request changed anything, the askers' own archives included.
    romeo.sends(chat(juliet.bare, 'still kept'))
    await romeo.settled()
    assert.deepEqual((await archiveOf(romeo)).bodies, ['still kept'])
    await romeo.isRefused('service-unavailable', 'set', queryXml({}), romeo.domain)
  },
)

scene('XEP-0313 §7, XEP-0359 §5: what accounts say that they can', async ({ juliet }) => {
  await juliet.online()
  const wanted = [
    'urn:xmpp:mam:2',
    'urn:xmpp:mam:2#extended',
    'urn:xmpp:mam:2#groupchat-field',
    'urn:xmpp:sid:0',
    'urn:xmpp:fulltext:0',
    'urn:xmpp:message-retract:1',
    'urn:xmpp:message-retract:1#tombstone',
  ]
  const own = await featuresOf(juliet.bare, juliet)
  assert.deepEqual(
    wanted.filter((feature) => !own.includes(feature)),
    [],
  )
  assert.ok(!own.includes('urn:xmpp:mam:2#groupchat-available'))
  assert.ok(!(await featuresOf(juliet.domain, juliet)).some((feature) => feature.startsWith('urn:xmpp:mam')))
})

scene(
  'XEP-0313 §4.1.4: messages of rooms, where they are kept',
  async ({ juliet, other }) => {
    await juliet.online()
    await other.tybalt.online()
    other.tybalt.sends(`<message to='${juliet.full}' type='groupchat' id='g'><body>room</body></message>`)
    other.tybalt.sends(chat(juliet.full, 'private'))
    await other.tybalt.settled()
    await juliet.ignoresSoFar()
    const said = async (form: Record<string, string>) => (await archiveOf(juliet, { form })).bodies
    assert.deepEqual(await said({}), ['room', 'private'])
    assert.deepEqual(await said({ 'include-groupchat': 'true' }), ['room', 'private'])
    assert.deepEqual(await said({ 'include-groupchat': '0' }), ['private'])
    const reply = await juliet.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, juliet.bare)
    assert.ok(reply.toString().includes('urn:xmpp:mam:2#groupchat-available'))
  },
  { set: ['modules.archive.groupchat=true'] },
)

scene('XEP-0431 §3: words in what was said', async ({ romeo, juliet }) => {
  await romeo.online()
  await juliet.online()
  const said = [
    'Wherefore art thou Romeo',
    'a rose by any other name',
    'Über allen Gipfeln &amp; ist Ruh',
    'what’s in a NAME? that which we call a rose',
  ]
  for (const [i, body] of said.entries())
    romeo.sends(`<message to='${juliet.bare}' id='${i}' type='chat'><body>${body}</body></message>`)
  romeo.sends(`<message to='${juliet.bare}' id='4'><subject>Roses</subject><body>-</body></message>`)
  romeo.sends(
    `<message to='${juliet.bare}' id='rose'><body>-</body><x xmlns='urn:example'>rose</x></message>`,
  )
  await romeo.settled()
  await juliet.ignoresSoFar()
  const search = async (text: string, set?: string) => {
    const form = { '{urn:xmpp:fulltext:0}fulltext': text }
    const { results, complete } = await archiveOf(juliet, set === undefined ? { form } : { form, set })
    return [results.map((result) => messageOf(result)?.attrs['id']).join(), complete]
  }
  assert.deepEqual(await search('rose'), ['1,3,4', true])
  assert.deepEqual(await search('  NAME\n rose '), ['1,3', true])
  assert.deepEqual(await search('über'), ['2', true])
  assert.deepEqual(await search('&amp;'), ['2', true])
  assert.deepEqual(await search('what’s'), ['3', true])
  assert.deepEqual(await search('balcony'), ['', true])
  assert.deepEqual(await search('rose', '<max>1</max>'), ['1', false])
  assert.deepEqual(await search('rose', '<max>2</max><before/>'), ['3,4', false])
  assert.deepEqual(await search(''), ['0,1,2,3,4,rose', true])
})
