/** XEP-0441, and what the admin decides: whose messages are kept, for how long, and how many come at once. */
import assert from 'node:assert/strict'
import { archiveOf, queryXml } from '../support/archive.js'
import { scene } from '../support/stage.js'

const chat = (to: string, body: string) =>
  `<message to='${to}' type='chat' id='${body}'><body>${body}</body></message>`
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `m${i}`)

scene(
  'XEP-0441 §2: whose messages are kept; who is never kept leaves no trace',
  async ({ romeo, juliet, nurse, other }) => {
    for (const actor of [romeo, juliet, nurse, other.tybalt]) await actor.online()
    const prefs = (content: string, usual: string) =>
      `<prefs xmlns='urn:xmpp:mam:2' default='${usual}'>${content}</prefs>`
    const told = async (reply: Promise<{ toString(): string }>) => (await reply).toString()
    const empty = `<prefs xmlns="urn:xmpp:mam:2" default="always"><always/><never/></prefs>`
    assert.ok((await told(juliet.gets(`<prefs xmlns='urn:xmpp:mam:2'/>`))).includes(empty))
    const set = await told(
      juliet.sets(
        prefs(
          `<always><jid>${nurse.bare.toUpperCase()}</jid></always><never><jid>${romeo.bare}</jid><jid>${romeo.bare}</jid></never>`,
          'roster',
        ),
      ),
    )
    const applied = `<prefs xmlns="urn:xmpp:mam:2" default="roster"><always><jid>${nurse.bare}</jid></always><never><jid>${romeo.bare}</jid></never></prefs>`
    assert.ok(set.includes(applied), set)
    assert.ok((await told(juliet.gets(`<prefs xmlns='urn:xmpp:mam:2'/>`))).includes(applied))
    const heard: string[] = []
    for (const [actor, body] of [
      [romeo, 'never'],
      [nurse, 'always'],
      [other.tybalt, 'stranger'],
    ] as const) {
      actor.sends(chat(juliet.bare, body))
      const message = await juliet.next()
      if (message.child('stanza-id')) heard.push(body)
      juliet.sends(chat(actor.bare, `re ${body}`))
      await juliet.settled()
    }
    assert.deepEqual(heard, ['always'])
    assert.deepEqual((await archiveOf(juliet)).bodies, ['always', 're always'])
    // Their own archives are their own business.
    await romeo.ignoresSoFar()
    assert.deepEqual((await archiveOf(romeo)).bodies, ['never', 're never'])
    // A contact is somebody in the roster.
    await juliet.sets(`<query xmlns='jabber:iq:roster'><item jid='${other.tybalt.bare}'/></query>`)
    await juliet.ignoresSoFar()
    other.tybalt.sends(chat(juliet.bare, 'contact'))
    assert.ok((await juliet.next()).child('stanza-id'))
    await juliet.sets(prefs(`<always><jid>${romeo.full}</jid></always>`, 'never'))
    for (const [to, body] of [
      [romeo.full, 'to one'],
      [romeo.bare, 'to all'],
      [nurse.bare, 'to nobody'],
    ] as const)
      juliet.sends(chat(to, body))
    await juliet.settled()
    assert.deepEqual((await archiveOf(juliet)).bodies, ['always', 're always', 'contact', 'to one'])
    await juliet.isRefused('bad-request', 'set', prefs('', 'sometimes'))
    await juliet.isRefused('bad-request', 'set', `<prefs xmlns='urn:xmpp:mam:2'/>`)
    await juliet.isRefused('jid-malformed', 'set', prefs('<never><jid>@</jid></never>', 'always'))
  },
)

scene(
  'XEP-0441 §2.1.1: the default of the domain',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    romeo.sends(chat(juliet.bare, 'unkept'))
    await romeo.settled()
    await juliet.ignoresSoFar()
    assert.deepEqual((await archiveOf(juliet)).bodies, [])
    const reply = await juliet.gets(`<prefs xmlns='urn:xmpp:mam:2'/>`)
    assert.equal(reply.child('prefs', 'urn:xmpp:mam:2')?.attrs['default'], 'never')
  },
  { set: ['modules.archive.default=never'] },
)

scene(
  'Addresses in archiving preferences: a thousand are kept, more are refused, a hundred thousand cost nothing',
  async ({ juliet }) => {
    await juliet.online()
    const prefs = (count: number) => {
      const listed = Array.from({ length: count }, (_, i) => `<jid>u${i}@a.b</jid>`).join('')
      return `<prefs xmlns='urn:xmpp:mam:2' default='always'><never>${listed}</never></prefs>`
    }
    assert.equal((await juliet.sets(prefs(1000))).attrs['type'], 'result')
    for (const count of [1001, 9000]) await juliet.isRefused('resource-constraint', 'set', prefs(count))
    const kept = (await juliet.gets(`<prefs xmlns='urn:xmpp:mam:2'/>`)).toString()
    assert.equal(kept.match(/<jid>/g)?.length, 1000)
  },
)

scene(
  'modules.archive.page: a client gets so many at once, whatever it asks for',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    for (const body of numbered(7)) romeo.sends(chat(juliet.bare, body))
    await romeo.settled()
    await juliet.ignoresSoFar()
    const got: string[] = []
    let set = ''
    for (let complete = false; !complete;) {
      const page = await archiveOf(juliet, { set: `<max>100</max>${set}` })
      assert.ok(page.bodies.length <= 3)
      got.push(...page.bodies)
      complete = page.complete
      set = `<after>${page.last}</after>`
    }
    assert.deepEqual(got, numbered(7))
    assert.deepEqual((await archiveOf(juliet)).bodies, ['m0', 'm1', 'm2'])
  },
  { set: ['modules.archive.page=3'] },
)

scene(
  'modules.archive.keep: what is older is not shown any more, and its id is unknown',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    romeo.sends(chat(juliet.bare, 'old'))
    const old = (await juliet.next()).child('stanza-id')?.attrs['id']
    await stage.passes(86_400_000)
    romeo.sends(chat(juliet.bare, 'new'))
    const late = (await juliet.next()).child('stanza-id')?.attrs['id']
    assert.deepEqual((await archiveOf(juliet)).bodies, ['old', 'new'])
    stage.clock.advance(1)
    const { bodies, index, count } = await archiveOf(juliet)
    assert.deepEqual([bodies, index, count], [['new'], 0, 1])
    await juliet.isRefused('item-not-found', 'set', queryXml({ set: `<after>${old}</after>` }))
    const reply = await juliet.gets(`<metadata xmlns='urn:xmpp:mam:2'/>`)
    assert.equal(reply.child('metadata', 'urn:xmpp:mam:2')?.child('start')?.attrs['id'], late)
  },
  { set: ['modules.archive.keep=1d', 'limits.idle_ping=off'] },
)
