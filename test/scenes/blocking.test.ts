/** XEP-0191, XEP-0377: whom an account blocks, it neither hears nor answers. */
import assert from 'node:assert/strict'
import { Stanza } from '../../src/stanza/stanza.js'
import { StorageUnavailable } from '../../src/storage/errors.js'
import type { Actor } from '../support/actor.js'
import { friends, grants, listens, rosterOf, subscribed } from '../support/friends.js'
import { loadConfig } from '../../src/config/load.js'
import { modules } from '../../src/modules/index.js'
import { memoryStores } from '../../src/storage/memory.js'
import { OTHER_DOMAIN, scene, secretFiles, type StageOptions } from '../support/stage.js'

const byDialback: StageOptions = { set: ['s2s.policy=dialback-ok'], far: { set: ['s2s.policy=dialback-ok'] } }
const BLOCKING = 'urn:xmpp:blocking'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const items = (jids: readonly string[]) => jids.map((jid) => `<item jid='${jid}'/>`).join('')
const block = (actor: Actor, ...jids: string[]) =>
  actor.sets(`<block xmlns='${BLOCKING}'>${items(jids)}</block>`)
const unblock = (actor: Actor, ...jids: string[]) =>
  actor.sets(`<unblock xmlns='${BLOCKING}'>${items(jids)}</unblock>`)
const unavailable = `<error type='cancel'><service-unavailable xmlns='${STANZAS}'/></error>`
const blocked = `<error type='cancel'><not-acceptable xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>{any}</text><blocked xmlns='urn:xmpp:blocking:errors'/></error>`
const chat = (to: string, body: string, type = 'chat') =>
  `<message to='${to}' type='${type}' id='${body}'><body>${body}</body></message>`
const ping = `<ping xmlns='urn:xmpp:ping'/>`

async function listOf(actor: Actor): Promise<string[]> {
  const reply = await actor.gets(`<blocklist xmlns='${BLOCKING}'/>`)
  const list = reply.child('blocklist', BLOCKING)
  return list!.childrenOf('item').map((item) => item.attrs['jid']!)
}

scene(
  'XEP-0191 §3.3: the blocked one sees each resource leave, and then an account that is not there',
  async ({ romeo, juliet, juliet$phone, stage }) => {
    for (const actor of [romeo, juliet, juliet$phone]) await actor.online()
    await friends(romeo, juliet)
    await stage.settled()
    for (const actor of [romeo, juliet, juliet$phone]) await actor.ignoresSoFar()
    assert.equal((await block(juliet, romeo.bare)).attrs['type'], 'result')
    await romeo.receivesInAnyOrder(
      `<presence type='unavailable' from='${juliet.full}'/>`,
      `<presence type='unavailable' from='${juliet$phone.full}'/>`,
    )
    for (const to of [juliet.bare, juliet.full, `${juliet.bare}/gone`]) {
      romeo.sends(chat(to, 'ohai'))
      await romeo.receives(`<message type='error' id='ohai' from='${to}'>${unavailable}</message>`)
      await romeo.isRefused('service-unavailable', 'get', ping, to)
      await romeo.isRefused('service-unavailable', 'set', `<vCard xmlns='vcard-temp'/>`, to)
    }
    for (const type of ['headline', 'groupchat', 'error']) romeo.sends(chat(juliet.full, 'x', type))
    for (const type of ['result', 'error']) romeo.sends(`<iq to='${juliet.full}' type='${type}' id='a'/>`)
    for (const type of ['probe', 'subscribe', 'unsubscribe', 'subscribed'])
      romeo.sends(`<presence to='${juliet.bare}' type='${type}'/>`)
    romeo.sends(`<presence to='${juliet.bare}'/>`)
    romeo.sends('<presence><show>away</show></presence>')
    // What juliet does is nothing to romeo.
    juliet.sends('<presence><show>dnd</show></presence>')
    await juliet.receives(`<presence from='${juliet.full}'><show>dnd</show></presence>`)
    await juliet.hearsNothingMore()
    await romeo.receivesInAnyOrder(
      `<presence from='${romeo.full}'><show>away</show></presence>`,
      // Of romeo's own change of his roster.
      `<iq type='set'><query xmlns='jabber:iq:roster'>{any}</query></iq>`,
    )
    await romeo.hearsNothingMore()
    const dropped = stage.metrics.valueOf('stanza_dropped_total', 'silenced') ?? 0
    assert.ok(dropped >= 6, String(dropped))
    // Polite blocking (§4): the subscription of the one who blocks stands.
    assert.equal((await rosterOf(juliet))[0]?.['jid'], romeo.bare)
    // Coming and going of either is no news for the other.
    await juliet$phone.leaves()
    await romeo.leaves()
    await romeo.online()
    await romeo.hearsNothingMore()
    assert.ok((await juliet.next()).attrs['from']?.startsWith(juliet$phone.full))
    await juliet.hearsNothingMore()
  },
)

scene('XEP-0191 §3.3: who blocks cannot speak to the blocked', async ({ romeo, juliet, other }) => {
  await juliet.online()
  for (const them of [romeo, other.tybalt]) {
    await them.online()
    await block(juliet, them.bare)
    juliet.sends(chat(them.full, 'ohai'))
    await juliet.receives(`<message type='error' id='ohai' from='${them.full}'>${blocked}</message>`)
    for (const type of ['', `type='subscribe'`, `type='probe'`]) {
      juliet.sends(`<presence to='${them.bare}' ${type}/>`)
      await juliet.receives(`<presence type='error' from='${them.bare}'>${blocked}</presence>`)
    }
    await juliet.isRefused('not-acceptable', 'get', ping, them.full)
    juliet.sends(`<iq to='${them.full}' type='result' id='a'/>`)
    juliet.sends(chat(them.full, 'x', 'error'))
    await juliet.hearsNothingMore()
    await them.hearsNothingMore()
  }
})

scene(
  'XEP-0191 §3.3, §3.4: changes are pushed to the resources that have asked for the list',
  async ({ romeo, juliet, juliet$phone, juliet$robot }) => {
    await juliet.online()
    await juliet$phone.online()
    await juliet$robot.connects()
    await juliet$phone.ignoresSoFar()
    await juliet.ignoresSoFar()
    assert.deepEqual(await listOf(juliet), [])
    assert.deepEqual(await listOf(juliet$robot), [])
    const iago = 'iago@shakespeare.example'
    await block(juliet$phone, romeo.bare.toUpperCase(), iago, iago)
    for (const actor of [juliet, juliet$robot]) {
      await actor.receives(
        `<iq type='set' to='${actor.full}' from='${juliet.bare}' id='{any}'><block xmlns='${BLOCKING}'>${items([romeo.bare, iago, iago])}</block></iq>`,
      )
    }
    assert.deepEqual(await listOf(juliet), [romeo.bare, iago])
    await unblock(juliet, iago, 'nobody@shakespeare.example')
    for (const actor of [juliet, juliet$robot])
      await actor.receives(
        `<iq type='set'><unblock xmlns='${BLOCKING}'>${items([iago, 'nobody@shakespeare.example'])}</unblock></iq>`,
      )
    // An answer to a push is nothing to anybody.
    juliet.sends(`<iq type='result' id='x' to='${juliet.bare}'/>`)
    await juliet$phone.hearsNothingMore()
    assert.deepEqual(await listOf(juliet$phone), [romeo.bare])
    await unblock(juliet)
    for (const actor of [juliet, juliet$phone, juliet$robot])
      await actor.receives(`<iq type='set'><unblock xmlns='${BLOCKING}'/></iq>`)
    assert.deepEqual(await listOf(juliet), [])
  },
)

scene(
  'XEP-0191 §3.4: who is unblocked gets the presence there is, and is asked for theirs',
  async ({ romeo, nurse, juliet, juliet$phone, stage }) => {
    for (const actor of [romeo, nurse, juliet]) await actor.online()
    await friends(romeo, juliet)
    await block(juliet, romeo.bare, nurse.bare)
    await juliet$phone.online('<presence><priority>-1</priority></presence>')
    romeo.sends('<presence><show>xa</show></presence>')
    await stage.settled()
    for (const actor of [romeo, nurse, juliet, juliet$phone]) await actor.ignoresSoFar()
    await unblock(juliet, romeo.bare, nurse.bare)
    await romeo.receivesInAnyOrder(
      `<presence from='${juliet.full}'/>`,
      `<presence from='${juliet$phone.full}'><priority>-1</priority></presence>`,
    )
    for (const actor of [juliet, juliet$phone])
      await actor.receives(`<presence from='${romeo.full}'><show>xa</show></presence>`)
    romeo.sends(chat(juliet.bare, 'again'))
    await juliet.receives(`<message id='again'><body>again</body></message>`)
    // One who may not see presence sees none.
    await nurse.hearsNothingMore()
    await romeo.hearsNothingMore()
  },
)

scene('XEP-0191 §3.3: what cannot be blocked is refused', async ({ romeo, juliet }) => {
  await juliet.connects()
  await romeo.connects()
  const refused = (condition: string, payload: string, to?: string) =>
    juliet.isRefused(condition, 'set', payload, to)
  await refused('bad-request', `<block xmlns='${BLOCKING}'/>`)
  await refused('bad-request', `<block xmlns='${BLOCKING}'><item/></block>`)
  await refused('jid-malformed', `<block xmlns='${BLOCKING}'><item jid='@'/><item jid='a@b'/></block>`)
  await refused('jid-malformed', `<unblock xmlns='${BLOCKING}'><item jid='a@b/'/></unblock>`)
  for (const own of [juliet.bare, juliet.full])
    await refused('not-allowed', `<block xmlns='${BLOCKING}'>${items([own])}</block>`)
  // A list is its owner's.
  await refused(
    'service-unavailable',
    `<block xmlns='${BLOCKING}'>${items([romeo.bare])}</block>`,
    romeo.bare,
  )
  await juliet.isRefused('service-unavailable', 'get', `<blocklist xmlns='${BLOCKING}'/>`, romeo.bare)
  assert.deepEqual(await listOf(juliet), [])
})

scene(
  'XEP-0191 §5, §6: a whole domain, but for the own account and the server',
  async ({ romeo, juliet, juliet$phone, other }) => {
    for (const actor of [romeo, juliet, juliet$phone, other.tybalt]) await actor.online()
    await juliet.ignoresSoFar()
    await juliet$phone.ignoresSoFar()
    await block(juliet, juliet.domain, 'nowhere.example/bot')
    romeo.sends(chat(juliet.bare, 'no'))
    await romeo.receives(`<message type='error' id='no'>${unavailable}</message>`)
    juliet$phone.sends(chat(juliet.full, 'own'))
    await juliet.receives(`<message id='own'><body>own</body></message>`)
    assert.equal((await juliet.gets(ping, juliet.domain)).attrs['type'], 'result')
    other.tybalt.sends(chat(juliet.full, 'yes'))
    await juliet.receives(`<message id='yes'><body>yes</body></message>`)
  },
)

scene(
  'XEP-0191 §6: one resource, of a contact or of a room',
  async ({ romeo, romeo$phone, juliet, far, stage }) => {
    for (const actor of [romeo, romeo$phone, juliet, far.nurse]) await actor.online()
    await friends(romeo, juliet)
    // As a component or another server would have a room.
    const room = far.nurse.bare
    juliet.sends(`<presence to='${room}/juliet'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
    await stage.settled()
    for (const actor of [romeo, romeo$phone, juliet, far.nurse]) await actor.ignoresSoFar()
    await block(juliet, romeo$phone.full, far.nurse.full)
    await romeo$phone.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    romeo.sends(chat(juliet.bare, 'yes'))
    romeo$phone.sends(chat(juliet.bare, 'no'))
    await romeo$phone.receives(`<message type='error' id='no'>${unavailable}</message>`)
    await juliet.receives(`<message id='yes'><body>yes</body></message>`)
    // XEP-0045 §18.1.2: an error would put juliet out of the room.
    far.nurse.sends(chat(juliet.full, 'pm'))
    far.nurse.sends(chat(juliet.full, 'all', 'groupchat'))
    await juliet.hearsNothingMore()
    await far.nurse.hearsNothingMore()
    await romeo.hearsNothingMore()
  },
  byDialback,
)

scene(
  'XEP-0191 §3.3: who got directed presence is told too, and a room that is blocked is left',
  async ({ juliet, far }) => {
    await juliet.online()
    await far.nurse.online()
    await far.paris.online()
    juliet.sends(`<presence to='${far.nurse.full}'/>`)
    juliet.sends(`<presence to='${far.paris.full}'/>`)
    await far.nurse.receives(`<presence from='${juliet.full}'/>`)
    await far.paris.receives(`<presence from='${juliet.full}'/>`)
    await block(juliet, far.nurse.bare)
    await far.nurse.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    await block(juliet, far.nurse.domain)
    await far.paris.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    await juliet.leaves()
    await far.nurse.hearsNothingMore()
    await far.paris.hearsNothingMore()
  },
  byDialback,
)

scene('XEP-0191 §3.3: another server is told once, and hears no more', async ({ juliet, stage }) => {
  await juliet.online()
  await grants(juliet, 'iago@shakespeare.example')
  const heard = listens(stage)
  await block(juliet, 'iago@shakespeare.example')
  assert.deepEqual(heard.splice(0), [`unavailable ${juliet.full} iago@shakespeare.example -`])
  juliet.sends('<presence><show>away</show></presence>')
  await juliet.leaves()
  await stage.becomes(() => stage.streams, 0)
  assert.deepEqual(heard, [])
  // Offline, too: the list is read when it is asked for.
  const from = `from='iago@shakespeare.example' to='${juliet.bare}'`
  const host = stage.server.hosts.get(stage.domain)!
  for (const type of ['probe', 'subscribe'])
    host.send(Stanza.parse(`<presence xmlns='jabber:client' ${from} type='${type}'/>`))
  await stage.settled()
  assert.deepEqual(heard, [])
})

scene(
  'XEP-0191 §3.3: nothing of the blocked is kept, and what was kept before is not delivered',
  async ({ romeo, nurse, juliet, stage }) => {
    await romeo.online()
    await nurse.online()
    await juliet.online()
    await juliet.leaves()
    nurse.sends(`<presence type='subscribe' to='${juliet.bare}'/>`)
    romeo.sends(chat(juliet.bare, 'before'))
    nurse.sends(chat(juliet.bare, 'before'))
    await stage.settled()
    await juliet.connects()
    await block(juliet, nurse.bare)
    await juliet.leaves()
    nurse.sends(chat(juliet.bare, 'after'))
    await nurse.receives(`<iq type='set'><query xmlns='jabber:iq:roster'>{any}</query></iq>`)
    await nurse.receives(`<message type='error' id='after'>${unavailable}</message>`)
    await juliet.online()
    const message = await juliet.next()
    assert.deepEqual([message.attrs['from'], message.attrs['id']], [romeo.full, 'before'])
    await juliet.hearsNothingMore()
  },
)

scene(
  'the list survives a login, belongs to its account and ends with it',
  async ({ romeo, juliet, stage }) => {
    await juliet.online()
    await block(juliet, romeo.bare)
    await juliet.leaves()
    await juliet.online()
    assert.deepEqual(await listOf(juliet), [romeo.bare])
    const host = stage.server.hosts.get(stage.domain)!
    await host.removeAccount((await host.account('juliet'))!)
    await juliet.isGone()
    await juliet.online()
    assert.deepEqual(await listOf(juliet), [])
  },
)

/** Stores whose small values cannot be read while `away`. */
function failing(at: { away: boolean }): StageOptions {
  const read = (): void => {
    if (at.away) throw new StorageUnavailable('away')
  }
  return {
    stores: (offline) => {
      const stores = memoryStores({ offline })
      const map = <T>(domain: string, name: string) => {
        const values = stores.map<T>(domain, name)
        return { ...values, get: async (key: string) => (read(), values.get(key)) }
      }
      return { ...stores, map }
    },
  }
}

const store = { away: false }
scene(
  'who writes while the own list cannot be read is told that nothing went out',
  async ({ romeo, juliet }) => {
    await romeo.online()
    store.away = true
    await juliet.online()
    juliet.sends(chat(romeo.bare, 'refused'))
    await juliet.receives(
      `<message type='error' id='refused' from='${romeo.bare}'><error type='wait'><internal-server-error xmlns='${STANZAS}'/></error></message>`,
    )
    store.away = false
    await romeo.hearsNothingMore()
  },
  failing(store),
)

scene(
  'a list that cannot be read lets nothing through, and can be asked for again',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    store.away = true
    romeo.sends(chat(juliet.bare, 'now'))
    romeo.sends(`<presence to='${juliet.bare}'/>`)
    await romeo.receives(
      `<message type='error' id='now'><error type='wait'><internal-server-error xmlns='${STANZAS}'/></error></message>`,
    )
    await romeo.hearsNothingMore()
    store.away = false
    romeo.sends(chat(juliet.bare, 'later'))
    await romeo.hearsNothingMore()
    await juliet.online()
    assert.equal((await juliet.next()).attrs['id'], 'later')
  },
  failing(store),
)

scene(
  'modules.blocking.list: what is over is refused; room can be made',
  async ({ juliet, stage }) => {
    await juliet.connects()
    await block(juliet, 'a@x', 'b@x', 'c@x')
    const more = (...jids: string[]) => `<block xmlns='${BLOCKING}'>${items(jids)}</block>`
    await juliet.isRefused('resource-constraint', 'set', more('d@x'))
    await juliet.isRefused(
      'resource-constraint',
      'set',
      more(...Array.from({ length: 300 }, (_, i) => `${i}@y`)),
    )
    assert.deepEqual(await listOf(juliet), ['a@x', 'b@x', 'c@x'])
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'block_list'), 2)
    // Who is on it already may be named again.
    assert.equal((await block(juliet, 'a@x')).attrs['type'], 'result')
    await unblock(juliet, 'a@x')
    assert.equal((await block(juliet, 'd@x')).attrs['type'], 'result')
  },
  { set: ['modules.blocking.list=3'] },
)

scene('a reload forgets nobody who is blocked, not for a moment', async ({ romeo, juliet, stage }) => {
  await romeo.online()
  await juliet.online()
  await friends(romeo, juliet)
  await listOf(juliet)
  await block(juliet, romeo.bare)
  await romeo.ignoresSoFar()
  await juliet.ignoresSoFar()
  const set = [`domain=${stage.domain}`, `domains=["${OTHER_DOMAIN}"]`, 'modules.blocking.list=5']
  const { config } = loadConfig({ modules, env: {}, files: secretFiles, set })
  await stage.server.reload(config)
  juliet.sends('<presence><show>away</show></presence>')
  await romeo.hearsNothingMore()
  romeo.sends(chat(juliet.bare, 'no'))
  await romeo.receives(`<message type='error' id='no'>${unavailable}</message>`)
  await juliet.ignoresSoFar()
  await unblock(juliet)
  await juliet.receivesInAnyOrder(
    `<presence from='${romeo.full}'/>`,
    `<iq type='set'><unblock xmlns='${BLOCKING}'/></iq>`,
  )
})

const REPORTING = 'urn:xmpp:reporting:1'
const report = (jid: string, reason: string, more = '') =>
  `<block xmlns='${BLOCKING}'><item jid='${jid}'><report xmlns='${REPORTING}' ${reason}>${more}</report></item></block>`
const spam = `reason='urn:xmpp:reporting:spam'`

scene(
  'XEP-0377: a report is kept for the admin, who is told, and the block stands',
  async ({ juliet, nurse, stage }) => {
    await juliet.connects()
    await nurse.online()
    const ids = `<stanza-id xmlns='urn:xmpp:sid:0' by='${juliet.bare}' id='28482'/>`
    const text = '<text xml:lang="en">Never came trouble to my house like this.</text>'
    await juliet.sets(report('romeo@x', spam, ids + text))
    await nurse.receives(
      `<message from='${stage.domain}'><body>juliet@capulet.example reports romeo@x for spam
Never came trouble to my house like this.
Message 28482 of juliet@capulet.example</body></message>`,
    )
    // Without a reason it is no report, and the block stands all the same.
    await juliet.sets(report('iago@x', ''))
    await juliet.sets(report('paris@x', `reason='urn:other'`))
    assert.deepEqual(await listOf(juliet), ['romeo@x', 'iago@x', 'paris@x'])
    const run = async (name: string, args: object = {}) => {
      const { commands } = stage.server.hosts.get(stage.domain)!.tables
      const command = commands.find((one) => one.name === name)!
      return command.run(command.args.parse(args), { by: 'a test' })
    }
    const listed = async () =>
      ((await run('reports list')).data as { id: number; jid: string; reason: string }[]).map(
        ({ id, jid, reason }) => `${id} ${jid} ${reason}`,
      )
    assert.deepEqual(await listed(), ['1 romeo@x spam', '2 paris@x urn:other'])
    assert.deepEqual((await run('reports list')).table?.rows[0]?.slice(2), [
      juliet.bare,
      'romeo@x',
      'spam',
      'Never came trouble to my house like this.',
      '28482 by juliet@capulet.example',
    ])
    await run('reports remove', { id: 1 })
    await assert.rejects(() => run('reports remove', { id: 1 }), /no report 1/)
    assert.deepEqual(await listed(), ['2 paris@x urn:other'])
    assert.equal(stage.metrics.valueOf('reports_total'), 2)
    assert.equal(stage.logged.filter((line) => line.includes('report.received')).length, 2)
  },
  { set: ['modules.blocking.reports_to=nurse@capulet.example'] },
)

scene(
  'modules.blocking.reports, report_rate: the oldest goes for a new one, and nobody makes a flood of them',
  async ({ juliet, romeo, stage }) => {
    await juliet.connects()
    await romeo.connects()
    for (let i = 0; i < 300; i++) void juliet.sets(report(`${i}@x`, spam))
    await juliet.settled()
    await romeo.sets(report('r@x', spam))
    const { commands } = stage.server.hosts.get(stage.domain)!.tables
    const listed = await commands.find((one) => one.name === 'reports list')!.run({}, { by: 'a test' })
    assert.deepEqual(
      (listed.data as { jid: string }[]).map(({ jid }) => jid),
      ['2@x', '3@x', 'r@x'],
    )
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'reports'), 296)
    assert.equal((await listOf(juliet)).length, 300)
  },
  { set: ['modules.blocking.reports=3', 'modules.blocking.report_rate=4/h'] },
)

scene(
  'guests have no list',
  async ({ juliet }) => {
    await juliet.opens()
    juliet.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'>=</auth>`)
    await juliet.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
    juliet.startsStream()
    await juliet.next('features')
    await juliet.asks(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
    assert.deepEqual(await listOf(juliet), [])
    await juliet.isRefused(
      'registration-required',
      'set',
      `<block xmlns='${BLOCKING}'>${items(['a@x'])}</block>`,
    )
  },
  { set: ['auth.anonymous=true'] },
)

scene(
  'a subscriber that is blocked stays one, and what follows from removing it is said',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    await subscribed(romeo, juliet)
    await block(juliet, romeo.bare)
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    await juliet.sets(
      `<query xmlns='jabber:iq:roster'><item jid='${romeo.bare}' subscription='remove'/></query>`,
    )
    await romeo.receives(`<presence type='unsubscribed' from='${juliet.bare}'/>`)
  },
)
