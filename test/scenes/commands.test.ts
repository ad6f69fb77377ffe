/** XEP-0050: Ad-Hoc Commands, for admins at the domain and for everybody at their account. */
import assert from 'node:assert/strict'
import {
  ADMIN,
  carriesOut,
  COMMANDS,
  commandOf,
  commands,
  conditionsOf,
  notesOf,
  offered,
  submission,
  valuesOf,
} from '../support/command.js'
import { featuresOf } from '../support/friends.js'
import { DOMAIN, OTHER_DOMAIN, scene } from '../support/stage.js'
import { maxDialogues, patience } from '../../src/modules/commands/index.js'

const DISCO = 'http://jabber.org/protocol/disco'
const own = (name: string) => `urn:x-parley:command:${name}`
const DELETE = `${ADMIN}#delete-user`

scene('XEP-0050 §2.1: the domain and the account tell that there are commands', async ({ juliet }) => {
  await juliet.online()
  for (const to of [DOMAIN, juliet.bare]) {
    assert.ok((await featuresOf(to, juliet)).includes(COMMANDS), to)
  }
})

scene(
  'XEP-0050 §2.2, §4.4: the list is for those who may run something in it, forbidden else',
  async ({ stage, juliet, romeo, nurse, paris, other: { tybalt, mercutio } }) => {
    await stage.appoint(juliet, 'admin')
    await stage.appoint(nurse, 'domain-admin')
    await stage.appoint(paris, 'operator')
    await stage.appoint(tybalt, 'domain-admin')
    await stage.appoint(mercutio, 'admin')
    for (const actor of [juliet, romeo, nurse, paris, tybalt, mercutio]) await actor.connects()

    const all = await offered(juliet, DOMAIN)
    assert.ok(all.includes(DELETE) && all.includes(own('reload')))
    assert.deepEqual(await offered(mercutio, DOMAIN), all)
    const ofDomain = await offered(nurse, DOMAIN)
    assert.ok(ofDomain.includes(DELETE) && !ofDomain.includes(own('reload')))
    assert.ok(!ofDomain.includes(`${ADMIN}#shutdown`))
    const toSee = await offered(paris, DOMAIN)
    assert.ok(toSee.includes(`${ADMIN}#get-online-users-list`) && !toSee.includes(DELETE))

    const list = `<query xmlns='${DISCO}#items' node='${COMMANDS}'/>`
    for (const stranger of [romeo, tybalt]) {
      await stranger.isRefused('forbidden', 'get', list, DOMAIN)
      await stranger.isRefused('forbidden', 'get', `<query xmlns='${DISCO}#info' node='${DELETE}'/>`, DOMAIN)
      assert.equal(conditionsOf(await commands(stranger, DOMAIN, DELETE)), 'forbidden')
    }
    await nurse.isRefused('forbidden', 'get', list, OTHER_DOMAIN)
    assert.ok((await offered(tybalt, OTHER_DOMAIN)).includes(DELETE))
    assert.equal(conditionsOf(await commands(paris, DOMAIN, DELETE)), 'item-not-found')
  },
)

scene(
  'XEP-0050 §5: nobody from another server has a say, whatever their role there',
  async ({ stage, far: { juliet } }) => {
    await stage.far!.appoint(juliet, 'admin')
    await juliet.connects()
    await juliet.isRefused('forbidden', 'get', `<query xmlns='${DISCO}#items' node='${COMMANDS}'/>`, DOMAIN)
    assert.equal(conditionsOf(await commands(juliet, DOMAIN, DELETE)), 'forbidden')
  },
  { set: ['s2s.policy=dialback-ok'], far: { set: ['s2s.policy=dialback-ok'] } },
)

scene('XEP-0050 §2.2: a command tells what it is', async ({ stage, juliet }) => {
  await stage.appoint(juliet, 'admin')
  await juliet.connects()
  const info = async (node: string) =>
    (await juliet.gets(`<query xmlns='${DISCO}#info' node='${node}'/>`, DOMAIN)).child('query')!
  const command = await info(DELETE)
  assert.deepEqual(
    command.childrenOf().map(({ local, attrs }) => [local, attrs['category'] ?? attrs['var'], attrs['type']]),
    [
      ['identity', 'automation', 'command-node'],
      ['feature', COMMANDS, undefined],
      ['feature', 'jabber:x:data', undefined],
    ],
  )
  assert.equal((await info(COMMANDS)).child('identity')!.attrs['type'], 'command-list')
  const below = await juliet.gets(`<query xmlns='${DISCO}#items' node='${DELETE}'/>`, DOMAIN)
  assert.deepEqual(below.child('query')!.childrenOf(), [])
  await juliet.isRefused(
    'item-not-found',
    'get',
    `<query xmlns='${DISCO}#info' node='${ADMIN}#fly'/>`,
    DOMAIN,
  )
})

scene(
  'XEP-0050 §2.4.1: what needs no form is done at once, and shows its result',
  async ({ stage, juliet, romeo }) => {
    await stage.appoint(juliet, 'admin')
    await juliet.connects()
    await romeo.connects()
    const command = await carriesOut(juliet, DOMAIN, own('log-show'))
    assert.ok(command.attrs['sessionid'])
    const x = command.child('x', 'jabber:x:data')!
    assert.equal(x.attrs['type'], 'result')
    assert.deepEqual(
      x
        .child('reported')!
        .childrenOf('field')
        .map(({ attrs }) => attrs['var']),
      ['COMPONENT', 'LEVEL', 'UNTIL'],
    )
    assert.equal(x.child('item')!.childrenOf('field')[0]!.child('value')!.text, 'all')
  },
)

scene('XEP-0050 §2.4.2, §3.4: form, confirmation, back again, and done', async ({ stage, juliet, romeo }) => {
  await stage.appoint(juliet, 'admin')
  await stage.account('paris', DOMAIN, 'p')
  await juliet.connects()
  await romeo.connects()
  const first = commandOf(await commands(juliet, DOMAIN, DELETE, { action: 'execute' }))
  const sessionid = first.attrs['sessionid'] as string
  assert.deepEqual([first.attrs['status'], first.child('actions')!.attrs['execute']], ['executing', 'next'])
  assert.deepEqual(
    first
      .child('actions')!
      .childrenOf()
      .map(({ local }) => local),
    ['next'],
  )
  assert.equal(valuesOf(first, 'FORM_TYPE')![0], ADMIN)

  const payload = submission({ FORM_TYPE: ADMIN, accountjids: [romeo.bare, `paris@${DOMAIN}`] })
  const second = commandOf(await commands(juliet, DOMAIN, DELETE, { sessionid, action: 'next', payload }))
  assert.equal(second.attrs['sessionid'], sessionid)
  assert.equal(second.child('actions')!.attrs['execute'], 'complete')
  assert.deepEqual(
    second
      .child('actions')!
      .childrenOf()
      .map(({ local }) => local),
    ['prev', 'complete'],
  )
  assert.match(notesOf(second)[0]!, /^warn: This removes romeo@capulet\.example .*; paris@capulet\.example /)

  const back = commandOf(await commands(juliet, DOMAIN, DELETE, { sessionid, action: 'prev' }))
  assert.deepEqual(valuesOf(back, 'accountjids'), [romeo.bare, `paris@${DOMAIN}`])
  const again = submission({ accountjids: romeo.bare })
  await commands(juliet, DOMAIN, DELETE, { sessionid, payload: again })
  assert.ok(await stage.stores.accounts.get(DOMAIN, 'romeo'))
  const last = commandOf(await commands(juliet, DOMAIN, DELETE, { sessionid, action: 'complete' }))
  assert.equal(last.attrs['status'], 'completed')
  assert.deepEqual(notesOf(last), ['info: romeo@capulet.example is deleted. Sessions ended: 1.'])
  await romeo.isDisconnected('not-authorized')
  assert.equal(await stage.stores.accounts.get(DOMAIN, 'romeo'), undefined)
  assert.ok(await stage.stores.accounts.get(DOMAIN, 'paris'))
  // §3.3: once a session has ended, it is over.
  const reply = await commands(juliet, DOMAIN, DELETE, { sessionid, action: 'complete' })
  assert.equal(conditionsOf(reply), 'not-allowed session-expired')
})

scene(
  'XEP-0050 §2.4.3: a command is canceled at any point, and nothing has happened',
  async ({ stage, juliet, romeo }) => {
    await stage.appoint(juliet, 'admin')
    await juliet.connects()
    await romeo.connects()
    const sessionid = commandOf(await commands(juliet, DOMAIN, DELETE)).attrs['sessionid'] as string
    await commands(juliet, DOMAIN, DELETE, { sessionid, payload: submission({ accountjids: romeo.bare }) })
    const canceled = commandOf(await commands(juliet, DOMAIN, DELETE, { sessionid, action: 'cancel' }))
    assert.deepEqual(
      [canceled.attrs['status'], canceled.attrs['sessionid'], canceled.childrenOf().length],
      ['canceled', sessionid, 0],
    )
    const reply = await commands(juliet, DOMAIN, DELETE, { sessionid, action: 'complete' })
    assert.equal(conditionsOf(reply), 'not-allowed session-expired')
    assert.ok(await stage.stores.accounts.get(DOMAIN, 'romeo'))
  },
)

scene(
  'XEP-0050 §4.4: what cannot be done is told by its own condition, and the command goes on',
  async ({ stage, juliet, nurse }) => {
    await stage.appoint(juliet, 'admin')
    await stage.appoint(nurse, 'admin')
    await juliet.connects()
    await nurse.connects()
    const sessionid = commandOf(await commands(juliet, DOMAIN, DELETE)).attrs['sessionid'] as string
    const refusals: [string, Parameters<typeof commands>[3], string][] = [
      [DELETE, { sessionid, action: 'jump' }, 'bad-request malformed-action'],
      [DELETE, { sessionid, action: 'prev' }, 'bad-request bad-action'],
      [DELETE, { sessionid, action: 'complete' }, 'bad-request bad-action'],
      [DELETE, { sessionid: 'invented' }, 'bad-request bad-sessionid'],
      [DELETE, { action: 'next' }, 'bad-request bad-sessionid'],
      [`${ADMIN}#add-user`, { sessionid }, 'bad-request bad-sessionid'],
      [DELETE, { sessionid }, 'bad-request bad-payload'],
      [DELETE, { sessionid, payload: submission({}) }, 'bad-request bad-payload'],
      [DELETE, { sessionid, payload: submission({ accountjids: '@' }) }, 'bad-request bad-payload'],
      [`${ADMIN}#fly`, {}, 'item-not-found'],
    ]
    for (const [node, how, conditions] of refusals)
      assert.equal(conditionsOf(await commands(juliet, DOMAIN, node, how)), conditions, JSON.stringify(how))
    await juliet.isRefused('bad-request', 'set', `<command xmlns='${COMMANDS}'/>`, DOMAIN)
    // §3.3: a session is of one requester only.
    const stolen = await commands(nurse, DOMAIN, DELETE, {
      sessionid,
      payload: submission({ accountjids: juliet.bare }),
    })
    assert.equal(conditionsOf(stolen), 'bad-request bad-sessionid')
    const payload = submission({ accountjids: nurse.bare })
    assert.match(
      notesOf(commandOf(await commands(juliet, DOMAIN, DELETE, { sessionid, payload })))[0]!,
      /^warn:/,
    )
  },
)

scene(
  'XEP-0050 §3.3: a command that nobody goes on with is over after a while, and of too many the oldest',
  async ({ stage, juliet }) => {
    await stage.appoint(juliet, 'admin')
    await juliet.connects()
    const begun = async () => commandOf(await commands(juliet, DOMAIN, DELETE)).attrs['sessionid'] as string
    const payload = submission({ accountjids: `paris@${DOMAIN}` })
    const goesOn = async (sessionid: string) => commands(juliet, DOMAIN, DELETE, { sessionid, payload })
    const first = await begun()
    stage.clock.advance(patience - 1)
    const second = await begun()
    stage.clock.advance(1)
    assert.equal(conditionsOf(await goesOn(first)), 'not-allowed session-expired')
    assert.equal(commandOf(await goesOn(second)).attrs['status'], 'executing')

    const many: string[] = []
    for (let count = 0; count < maxDialogues; count++) many.push(await begun())
    assert.equal(conditionsOf(await goesOn(second)), 'not-allowed session-expired')
    assert.equal(commandOf(await goesOn(many[0]!)).attrs['status'], 'executing')
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'ad_hoc_dialogues'), 1)
    for (let count = 0; count < 100 * maxDialogues; count++) await begun()
    assert.equal(conditionsOf(await goesOn(many[0]!)), 'bad-request bad-sessionid')
  },
  { set: ['limits.idle_ping=off', 'limits.c2s_stanza_rate=off', 'limits.c2s_rate=off'] },
)

scene(
  'rights that are taken away count at once, in commands that have begun as well',
  async ({ stage, juliet, romeo }) => {
    await stage.appoint(juliet, 'admin')
    await juliet.connects()
    await romeo.connects()
    const sessionid = commandOf(await commands(juliet, DOMAIN, DELETE)).attrs['sessionid'] as string
    await stage.appoint(juliet, 'operator')
    const payload = submission({ accountjids: romeo.bare })
    assert.equal(conditionsOf(await commands(juliet, DOMAIN, DELETE, { sessionid, payload })), 'forbidden')
  },
)

scene(
  'a form is made of what a command declares, and what is wrong in it is told',
  async ({ stage, juliet }) => {
    await stage.appoint(juliet, 'admin')
    await juliet.connects()
    const first = commandOf(await commands(juliet, DOMAIN, own('user-list')))
    const fields = first.child('x', 'jabber:x:data')!.childrenOf('field')
    assert.deepEqual(
      fields.map(({ attrs }) => [attrs['var'], attrs['type'], attrs['label']]),
      [
        ['domain', 'text-single', 'Domain'],
        ['only', 'list-single', 'Only'],
        ['after', 'text-single', 'After'],
        ['limit', 'text-single', 'Limit'],
      ],
    )
    assert.deepEqual(valuesOf(first, 'limit'), ['1000'])
    const sessionid = first.attrs['sessionid'] as string
    const wrong = submission({ limit: 'many' })
    const reply = await commands(juliet, DOMAIN, own('user-list'), { sessionid, payload: wrong })
    assert.equal(conditionsOf(reply), 'bad-request bad-payload')
    const right = submission({ only: 'admins', limit: '5' })
    const done = commandOf(await commands(juliet, DOMAIN, own('user-list'), { sessionid, payload: right }))
    const [item, ...more] = done.child('x', 'jabber:x:data')!.childrenOf('item')
    assert.deepEqual(
      item!
        .childrenOf('field')
        .slice(0, 3)
        .map((field) => field.child('value')!.text),
      [juliet.bare, '', 'admin'],
    )
    assert.equal(more.length, 0)
  },
)

scene(
  'who looks after one domain gets hold of no admin of all, and of no other domain',
  async ({ stage, juliet, nurse, romeo, other: { tybalt } }) => {
    await stage.appoint(juliet, 'admin')
    await stage.appoint(nurse, 'domain-admin')
    for (const actor of [juliet, nurse, romeo, tybalt]) await actor.connects()
    const refused = async (node: string, answers: Parameters<typeof submission>[0]) => {
      const sessionid = commandOf(await commands(nurse, DOMAIN, node)).attrs['sessionid'] as string
      return commands(nurse, DOMAIN, node, { sessionid, payload: submission(answers) })
    }
    const password = { accountjid: juliet.bare, password: 'x' }
    assert.equal(conditionsOf(await refused(`${ADMIN}#change-user-password`, password)), 'forbidden')
    assert.equal(
      conditionsOf(await refused(`${ADMIN}#disable-user`, { accountjids: juliet.bare })),
      'forbidden',
    )
    assert.equal(
      conditionsOf(await refused(`${ADMIN}#end-user-session`, { accountjids: juliet.bare })),
      'forbidden',
    )
    const elsewhere = commandOf(await refused(`${ADMIN}#disable-user`, { accountjids: tybalt.bare }))
    assert.match(notesOf(elsewhere)[0]!, /^error: montague\.example is not served here/)
    const promoted = commandOf(await refused(own('user-role'), { account: nurse.bare, role: 'admin' }))
    assert.match(notesOf(promoted)[0]!, /^error: only an admin of the whole server/)
    assert.deepEqual(
      valuesOf(await carriesOut(nurse, DOMAIN, `${ADMIN}#get-online-users-list`, {}), 'onlineuserjids'),
      [juliet.bare, nurse.bare, romeo.bare],
    )
    await juliet.hearsNothingMore()
  },
)

scene(
  'every change over XMPP is in the log, with who wanted it and without passwords; refusals are there too',
  async ({ stage, juliet, romeo, nurse }) => {
    await stage.appoint(juliet, 'admin')
    await stage.appoint(nurse, 'operator')
    for (const actor of [juliet, romeo, nurse]) await actor.connects()
    const before = stage.logged.length
    const payload = { accountjid: romeo.bare, password: 'much-ado' }
    await carriesOut(juliet, DOMAIN, `${ADMIN}#change-user-password`, payload)
    await carriesOut(juliet, DOMAIN, `${ADMIN}#get-registered-users-num`)
    const lines = stage.logged.slice(before).filter((line) => line.includes('admin.'))
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, /admin\.command/)
    for (const part of [juliet.bare, romeo.bare, 'user passwd', 'ad-hoc command'])
      assert.ok(lines[0]!.includes(part), lines[0])
    assert.ok(!stage.logged.some((line) => line.includes('much-ado')))
  },
  { logLevel: 'info' },
)

scene(
  'people change their password from their client, and disconnect their other devices',
  async ({ stage, juliet, juliet$phone: phone, juliet$tablet: tablet, romeo }) => {
    for (const actor of [juliet, phone, tablet, romeo]) await actor.online()
    await romeo.ignoresSoFar()
    for (const actor of [juliet, phone, tablet]) await actor.ignoresSoFar()
    assert.deepEqual(await offered(juliet, juliet.bare), [own('change-password'), own('my-sessions')])
    await romeo.isRefused(
      'service-unavailable',
      'set',
      `<command xmlns='${COMMANDS}' node='${own('my-sessions')}'/>`,
      juliet.bare,
    )

    const done = await carriesOut(juliet, juliet.bare, own('my-sessions'), { sessions: 'phone' })
    assert.deepEqual(notesOf(done), ['info: Disconnected: 1.'])
    await phone.receives(`<presence from='${tablet.full}'>{any}</presence>`).catch(() => undefined)
    await phone.isGone()
    await tablet.ignoresSoFar()

    const node = own('change-password')
    const sessionid = commandOf(await commands(juliet, juliet.bare, node)).attrs['sessionid'] as string
    const unlike = submission({ password: 'a1', 'password-verify': 'a2' })
    const reply = await commands(juliet, juliet.bare, node, { sessionid, payload: unlike })
    assert.equal(conditionsOf(reply), 'bad-request bad-payload')
    const keys = (await stage.stores.accounts.get(DOMAIN, 'juliet'))!.keys
    const alike = submission({ password: 'a1', 'password-verify': 'a1', end_sessions: '1' })
    const changed = commandOf(await commands(juliet, juliet.bare, node, { sessionid, payload: alike }))
    assert.match(notesOf(changed)[0]!, /^info: Your password is changed\./)
    await tablet.isGone()
    assert.notDeepEqual((await stage.stores.accounts.get(DOMAIN, 'juliet'))!.keys, keys)
    const alone = await carriesOut(juliet, juliet.bare, own('my-sessions'))
    assert.deepEqual(notesOf(alone), ['info: Only this device is connected.'])
  },
)
