/** XEP-0133: Service Administration, use case after use case, with the fields that the XEP names. */
import assert from 'node:assert/strict'
import {
  ADMIN,
  carriesOut,
  commandOf,
  commands,
  conditionsOf,
  notesOf,
  submission,
  valuesOf,
  type Answers,
} from '../support/command.js'
import type { Actor } from '../support/actor.js'
import { DOMAIN, scene, type Stage } from '../support/stage.js'

const node = (name: string) => `${ADMIN}#${name}`

/** Carries out a use case whose forms are answered in order; the first one says what its fields mean. */
async function admin(actor: Actor, name: string, ...forms: readonly Answers[]) {
  const [first, ...more] = forms
  const typed = first ? [{ FORM_TYPE: ADMIN, ...first }, ...more] : []
  return carriesOut(actor, DOMAIN, node(name), ...typed)
}

/** The conditions of the error that the form is answered with. */
async function refused(actor: Actor, name: string, answers: Answers): Promise<string> {
  const sessionid = commandOf(await commands(actor, DOMAIN, node(name))).attrs['sessionid'] as string
  return conditionsOf(await commands(actor, DOMAIN, node(name), { sessionid, payload: submission(answers) }))
}

async function governed(stage: Stage, juliet: Actor): Promise<void> {
  await stage.appoint(juliet, 'admin')
  await juliet.connects()
}

scene('XEP-0133 §4.1: a user is added, who can log in then', async ({ stage, juliet, romeo }) => {
  await governed(stage, juliet)
  const form = commandOf(await commands(juliet, DOMAIN, node('add-user')))
  assert.deepEqual(
    form
      .child('x', 'jabber:x:data')!
      .childrenOf('field')
      .map(({ attrs }) => [attrs['var'], attrs['type']]),
    [
      ['FORM_TYPE', 'hidden'],
      ['accountjid', 'jid-single'],
      ['password', 'text-private'],
      ['password-verify', 'text-private'],
    ],
  )
  const wanted = { accountjid: romeo.bare, password: 'wherefore', 'password-verify': 'wherefore' }
  assert.deepEqual(notesOf(await admin(juliet, 'add-user', wanted)), [`info: ${romeo.bare} can log in now.`])
  await romeo.connects()
  // §5: a conflict of data, and what does not fit.
  assert.equal(await refused(juliet, 'add-user', wanted), 'conflict')
  const unlike = { ...wanted, 'password-verify': 'x' }
  assert.equal(await refused(juliet, 'add-user', unlike), 'bad-request bad-payload')
  const other = { ...wanted, FORM_TYPE: 'urn:example:other' }
  assert.equal(await refused(juliet, 'add-user', other), 'bad-request bad-payload')
})

scene(
  'XEP-0133 §4.3, §4.4: users are disabled, disconnected, and let in again',
  async ({ stage, juliet, romeo }) => {
    await governed(stage, juliet)
    await romeo.connects()
    const nobody = `nobody@${DOMAIN}`
    const done = await admin(juliet, 'disable-user', { accountjids: [romeo.bare, nobody] })
    assert.deepEqual(notesOf(done), [
      `error: there is no account ${nobody}\nparley user list shows those there are`,
      `info: ${romeo.bare} is disabled. Sessions ended: 1.`,
    ])
    await romeo.isDisconnected('not-authorized')
    assert.deepEqual(valuesOf(await admin(juliet, 'get-disabled-users-num'), 'disabledusersnum'), ['1'])
    const list = await admin(juliet, 'get-disabled-users-list', { max_items: '25' })
    assert.deepEqual(valuesOf(list, 'disableduserjids'), [romeo.bare])
    await admin(juliet, 'reenable-user', { accountjids: romeo.bare })
    await romeo.connects()
    assert.equal(await refused(juliet, 'reenable-user', { accountjids: nobody }), 'item-not-found')
  },
)

scene(
  'XEP-0133 §4.5: one session ends, or all of an account',
  async ({ stage, juliet, romeo, romeo$phone: phone, romeo$tablet: tablet }) => {
    await governed(stage, juliet)
    for (const actor of [romeo, phone, tablet]) await actor.connects()
    await admin(juliet, 'end-user-session', { accountjids: phone.full })
    await phone.isDisconnected('not-authorized')
    await romeo.hearsNothingMore()
    await admin(juliet, 'end-user-session', { accountjids: romeo.bare })
    for (const actor of [romeo, tablet]) await actor.isDisconnected('not-authorized')
    await romeo.connects()
  },
)

scene(
  'XEP-0133 §4.6 is retracted: nobody reads a password; §4.12: who may connect is configured',
  async ({ stage, juliet, romeo }) => {
    await governed(stage, juliet)
    await romeo.connects()
    assert.equal(conditionsOf(await commands(juliet, DOMAIN, node('get-user-password'))), 'not-allowed')
    assert.equal(
      conditionsOf(await commands(juliet, DOMAIN, node('edit-whitelist'))),
      'feature-not-implemented',
    )
    assert.equal(conditionsOf(await commands(romeo, DOMAIN, node('get-user-password'))), 'forbidden')
  },
)

scene('XEP-0133 §4.7: a new password opens, the old one does not', async ({ stage, juliet, romeo }) => {
  await governed(stage, juliet)
  await romeo.connects()
  await romeo.leaves()
  await admin(juliet, 'change-user-password', { accountjid: romeo.bare, password: 'rosemary' })
  await romeo.opens()
  romeo.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${romeo.plain()}</auth>`)
  await romeo.receives(`<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>`)
  romeo.raw(
    `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${romeo.plain('rosemary')}</auth>`,
  )
  await romeo.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
})

scene('XEP-0133 §4.8: the contacts of a user', async ({ stage, juliet, romeo }) => {
  await governed(stage, juliet)
  await romeo.online()
  await romeo.sets(
    `<query xmlns='jabber:iq:roster'><item jid='mercutio@example.org' name='Mercutio'><group>Friends</group></item></query>`,
  )
  const shown = await admin(juliet, 'get-user-roster', { accountjids: romeo.bare })
  const x = shown.child('x', 'jabber:x:data')!
  assert.deepEqual([x.attrs['type'], valuesOf(shown, 'accountjids')], ['result', [romeo.bare]])
  const [item, ...more] = x.child('query', 'jabber:iq:roster')!.childrenOf('item')
  assert.deepEqual(
    [item!.attrs['jid'], item!.attrs['name'], item!.attrs['subscription'], item!.child('group')!.text],
    ['mercutio@example.org', 'Mercutio', 'none', 'Friends'],
  )
  assert.equal(more.length, 0)
})

scene(
  'XEP-0133 §4.9, §4.10: when a user logged in last, and figures of the user',
  async ({ stage, juliet, romeo, romeo$phone: phone }) => {
    await governed(stage, juliet)
    const last = async () =>
      valuesOf(await admin(juliet, 'get-user-lastlogin', { accountjids: romeo.bare }), 'lastlogin')
    await stage.account('romeo', DOMAIN, 'wherefore')
    assert.deepEqual(await last(), ['not known'])
    await romeo.connects()
    stage.clock.advance(60_000)
    await phone.connects()
    const at = new Date(stage.clock.now()).toISOString().replace('.000Z', 'Z')
    assert.deepEqual(await last(), [at])
    const stats = await admin(juliet, 'user-stats', { accountjid: romeo.bare })
    assert.deepEqual(
      ['ipaddresses', 'rostersize', 'onlineresources'].map((name) => valuesOf(stats, name)),
      [['127.0.0.1'], ['0'], ['balcony', 'phone']],
    )
    await phone.leaves()
    await romeo.leaves()
    await stage.passes(10_000)
    assert.deepEqual(await last(), [at])
  },
)

scene(
  'XEP-0133 §4.11: the blocked domains are edited as a list; those that stay keep their reasons',
  async ({ stage, juliet }) => {
    await governed(stage, juliet)
    await stage.server.blocks.add('spam.example', { reason: 'spam', expires: undefined })
    await stage.server.blocks.add('old.example', { reason: 'old', expires: undefined })
    const form = commandOf(await commands(juliet, DOMAIN, node('edit-blacklist')))
    assert.deepEqual(valuesOf(form, 'blacklistjids'), ['old.example', 'spam.example'])
    await admin(juliet, 'edit-blacklist', { blacklistjids: ['spam.example', '*.new.example'] })
    assert.deepEqual(
      stage.server.blocks.all().map(({ domain, reason }) => [domain, reason]),
      [
        ['*.new.example', ''],
        ['spam.example', 'spam'],
      ],
    )
    const person = await admin(juliet, 'edit-blacklist', {
      blacklistjids: ['spam.example', '*.new.example', 'tybalt@bad.example'],
    })
    assert.match(notesOf(person)[0]!, /^error: "tybalt@bad\.example" is not a domain/)
    const same = await admin(juliet, 'edit-blacklist', { blacklistjids: ['spam.example', '*.new.example'] })
    assert.deepEqual(notesOf(same), ['info: Nothing was changed.'])
  },
)

scene(
  'XEP-0133 §4.13 to §4.22: how many users there are, and who they are',
  async ({ stage, juliet, romeo, nurse, tybalt }) => {
    await governed(stage, juliet)
    await juliet.online()
    await romeo.online(`<presence><show>xa</show></presence>`)
    await nurse.connects()
    await stage.account('tybalt', DOMAIN, 'p')
    const figures: [string, string, string][] = [
      ['get-registered-users-num', 'registeredusersnum', '4'],
      ['get-disabled-users-num', 'disabledusersnum', '0'],
      ['get-online-users-num', 'onlineusersnum', '3'],
      ['get-active-users-num', 'activeusersnum', '1'],
      ['get-idle-users-num', 'idleusersnum', '2'],
    ]
    for (const [name, field, value] of figures) {
      const command = await admin(juliet, name)
      assert.deepEqual([valuesOf(command, 'FORM_TYPE'), valuesOf(command, field)], [[ADMIN], [value]], name)
    }
    const lists: [string, string, string[]][] = [
      ['get-registered-users-list', 'registereduserjids', [juliet.bare, nurse.bare, romeo.bare, tybalt.bare]],
      ['get-disabled-users-list', 'disableduserjids', []],
      ['get-online-users-list', 'onlineuserjids', [juliet.bare, nurse.bare, romeo.bare]],
      ['get-active-users', 'activeuserjids', [juliet.bare]],
      ['get-idle-users', 'activeuserjids', [nurse.bare, romeo.bare]],
    ]
    for (const [name, field, jids] of lists)
      for (const max_items of ['25', 'none'])
        assert.deepEqual(valuesOf(await admin(juliet, name, { max_items }), field), jids, name)
    assert.equal(
      await refused(juliet, 'get-registered-users-list', { max_items: '26' }),
      'bad-request bad-payload',
    )
  },
)

scene(
  'XEP-0133 §4.23: an announcement reaches who is online, each account at all its devices',
  async ({ stage, juliet, romeo, romeo$phone: phone, nurse, other: { tybalt } }) => {
    await governed(stage, juliet)
    for (const actor of [romeo, phone, tybalt]) await actor.online()
    await nurse.connects()
    for (const actor of [romeo, phone, tybalt]) await actor.ignoresSoFar()
    const done = await admin(juliet, 'announce', { announcement: ['The play', 'begins.'] })
    assert.deepEqual(notesOf(done), ['info: Told: 1 account.'])
    for (const actor of [romeo, phone]) {
      const message = await actor.next()
      assert.deepEqual(
        [message.attrs['from'], message.child('subject')?.text, message.child('body')?.text],
        [DOMAIN, 'Announcement', 'The play\nbegins.'],
      )
    }
    for (const actor of [nurse, tybalt, juliet]) await actor.hearsNothingMore()
    assert.ok(!stage.logged.some((line) => line.includes('The play')))
  },
  { logLevel: 'info' },
)

scene(
  'XEP-0133 §4.24 to §4.26: the message of the day is seen once, now or at the next login',
  async ({ stage, juliet, romeo, romeo$phone: phone, nurse, paris }) => {
    await governed(stage, juliet)
    await romeo.online()
    await stage.account('nurse', DOMAIN, 'wherefore')
    const reads = async (actor: Actor) => (await actor.next()).child('body')?.text
    await admin(juliet, 'set-motd', { motd: 'Rain' })
    assert.equal(await reads(romeo), 'Rain')
    await phone.online()
    await phone.ignoresSoFar()
    await romeo.ignoresSoFar()
    await nurse.connects()
    await nurse.hearsNothingMore()
    nurse.sends('<presence/>')
    await nurse.receives(`<presence from='${nurse.full}'/>`)
    assert.equal(await reads(nurse), 'Rain')
    await nurse.leaves()
    await nurse.online()
    await nurse.hearsNothingMore()

    // §4.25: a correction is for those who have not seen it.
    const form = commandOf(await commands(juliet, DOMAIN, node('edit-motd')))
    assert.deepEqual(valuesOf(form, 'motd'), ['Rain'])
    await admin(juliet, 'edit-motd', { motd: ['Heavy', 'rain'] })
    for (const actor of [romeo, nurse]) await actor.hearsNothingMore()
    await paris.connects()
    paris.sends('<presence/>')
    await paris.receives(`<presence from='${paris.full}'/>`)
    assert.equal(await reads(paris), 'Heavy\nrain')

    await admin(juliet, 'set-motd', { motd: 'Sun' })
    for (const actor of [nurse, paris]) assert.equal(await reads(actor), 'Sun')
    await admin(juliet, 'delete-motd')
    await paris.leaves()
    await paris.online()
    await paris.hearsNothingMore()
  },
)

scene(
  'XEP-0133 §4.27, §4.28: new users are welcomed when they first log in',
  async ({ stage, juliet, romeo, nurse }) => {
    await governed(stage, juliet)
    const added = (actor: Actor) =>
      admin(juliet, 'add-user', {
        accountjid: actor.bare,
        password: 'wherefore',
        'password-verify': 'wherefore',
      })
    await admin(juliet, 'set-welcome', { welcome: 'Well met' })
    const form = commandOf(await commands(juliet, DOMAIN, node('set-welcome')))
    assert.deepEqual(valuesOf(form, 'welcome'), ['Well met'])
    await added(romeo)
    await romeo.connects()
    romeo.sends('<presence/>')
    const arrived = [await romeo.next(), await romeo.next()]
    const message = arrived.find(({ local }) => local === 'message')
    assert.deepEqual([message?.attrs['from'], message?.child('body')?.text], [DOMAIN, 'Well met'])
    await romeo.leaves()
    await romeo.online()
    await romeo.hearsNothingMore()
    await admin(juliet, 'delete-welcome')
    await added(nurse)
    await nurse.online()
    await nurse.hearsNothingMore()
  },
)

scene(
  'XEP-0133 §4.29: the admins are edited as a list, and nobody takes their own rights',
  async ({ stage, juliet, romeo, nurse }) => {
    await governed(stage, juliet)
    await stage.appoint(romeo, 'admin')
    await stage.account('nurse', DOMAIN, 'p')
    const form = commandOf(await commands(juliet, DOMAIN, node('edit-admin')))
    assert.deepEqual(valuesOf(form, 'adminjids'), [juliet.bare, romeo.bare])
    assert.equal(await refused(juliet, 'edit-admin', { adminjids: nurse.bare }), 'bad-request bad-payload')
    await admin(juliet, 'edit-admin', { adminjids: [juliet.bare, nurse.bare] })
    const role = async (local: string) => (await stage.stores.accounts.get(DOMAIN, local))?.role
    assert.deepEqual(
      [await role('juliet'), await role('romeo'), await role('nurse')],
      ['admin', undefined, 'admin'],
    )
  },
)

scene(
  'XEP-0133 §4.30, §4.31: the server restarts or ends after a while, when that is confirmed',
  async ({ stage, juliet, romeo }) => {
    await governed(stage, juliet)
    await romeo.online()
    const form = { delay: '60', announcement: 'Back soon' }
    const sessionid = commandOf(await commands(juliet, DOMAIN, node('restart'))).attrs['sessionid'] as string
    const asked = commandOf(
      await commands(juliet, DOMAIN, node('restart'), { sessionid, payload: submission(form) }),
    )
    assert.equal(asked.attrs['status'], 'executing')
    assert.deepEqual(stage.ends, [])
    await romeo.hearsNothingMore()
    const done = commandOf(await commands(juliet, DOMAIN, node('restart'), { sessionid, action: 'complete' }))
    assert.deepEqual(notesOf(done), ['info: The server restarts in 1 min. Told: 1 account.'])
    assert.equal((await romeo.next()).child('body')?.text, 'Back soon')
    await admin(juliet, 'shutdown', { delay: '30' }, {})
    assert.deepEqual(stage.ends, ['restart in 60 s', 'stop in 30 s'])
    await romeo.hearsNothingMore()
  },
)
