/** XEP-0227: an account with all it keeps is written into a file, and read into another server. */
import assert from 'node:assert/strict'
import { exportFile, type Exported } from '../../src/admin/export.js'
import { importFiles, type ImportReport } from '../../src/admin/import.js'
import { withPassword } from '../../src/admin/users.js'
import { CommandError } from '../../src/host/command.js'
import { parseElement } from '../../src/xml/parser.js'
import type { Actor } from '../support/actor.js'
import { DOMAIN, scene, Stage } from '../support/stage.js'

/** The file of an account, or of a whole domain. */
async function exported(stage: Stage, local?: string): Promise<string> {
  const host = stage.server.hosts.get(DOMAIN)!
  const which: Exported = {
    domain: DOMAIN,
    portable: host.tables.portable,
    async *accounts() {
      if (local === undefined) yield* await stage.stores.accounts.list(DOMAIN, { limit: 100 })
      else yield (await stage.stores.accounts.get(DOMAIN, local))!
    },
  }
  let text = ''
  for await (const piece of exportFile([which], { accounts: 0, elements: 0 })) text += piece
  return text
}

/** Reads files in pieces of so many bytes. */
async function imported(
  stage: Stage,
  files: string | Readonly<Record<string, string>>,
  { dry = false, piece = 1000 } = {},
): Promise<ImportReport> {
  const all = typeof files === 'string' ? { 'file.xml': files } : files
  const keeper = (domain: string) => stage.server.hosts.get(domain)!
  return importFiles(
    Object.keys(all)[0]!,
    {
      portable: (domain) => stage.server.hosts.get(domain)?.tables.portable,
      account: (domain, local, keys, at) => keeper(domain).importAccount(local, keys, at),
      setKeys: (account, keys) => stage.stores.accounts.setKeys(account.id, keys),
      setPassword: (account, password) =>
        withPassword(password, (usable) => keeper(account.domain).setPassword(account, usable)),
      disable: (account, reason, at) => stage.stores.accounts.disable(account.id, reason, at),
      async *open(file) {
        const text = all[file]
        if (text === undefined) throw new CommandError(`${file}: no such file`)
        const bytes = Buffer.from(text)
        for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece)
      },
    },
    { dry },
  )
}

const user = (content: string, attributes = `name='romeo'`) =>
  `<server-data xmlns='urn:xmpp:pie:0'><host jid='${DOMAIN}'><user ${attributes}>${content}</user></host></server-data>`

/** Fills an account with something of everything. */
async function lives(romeo: Actor, juliet: Actor, mercutio: Actor): Promise<void> {
  await romeo.online()
  await juliet.online()
  await mercutio.online()
  for (const roster of [
    `<item jid='${juliet.bare}' name='Juliet &amp; co'><group>Love</group><group>Verona</group></item>`,
    `<item jid='rosaline@example.org'/>`,
  ])
    await romeo.sets(`<query xmlns='jabber:iq:roster'>${roster}</query>`)
  juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
  await juliet.settled()
  romeo.sends(`<presence type='subscribed' to='${juliet.bare}'/>`)
  await romeo.settled()
  mercutio.sends(
    `<presence type='subscribe' to='${romeo.bare}'><status>Nay, gentle Romeo</status></presence>`,
  )
  await mercutio.settled()
  await romeo.sets(
    `<query xmlns='jabber:iq:private'><prefs xmlns='urn:example:prefs'><theme>dark</theme></prefs></query>`,
  )
  await romeo.sets(`<vCard xmlns='vcard-temp'><FN>Romeo Montague</FN></vCard>`)
  await romeo.sets(
    `<block xmlns='urn:xmpp:blocking'><item jid='tybalt@${DOMAIN}'/><item jid='spam.example'/></block>`,
  )
  await romeo.sets(
    `<prefs xmlns='urn:xmpp:mam:2' default='always'><always/><never><jid>tybalt@${DOMAIN}</jid></never></prefs>`,
  )
  for (const [node, id, payload] of [
    ['urn:example:mood', 'current', '<mood xmlns="urn:example:mood">in love</mood>'],
    ['urn:example:many', 'a', '<n xmlns="urn:example:many">1</n>'],
  ])
    await romeo.sets(
      `<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='${node}'><item id='${id}'>${payload}</item></publish></pubsub>`,
    )
  await romeo.leaves()
  await juliet.ignoresSoFar()
  for (const text of ['Ay me!', 'O Romeo, Romeo! <wherefore/>'.replaceAll('<', '&lt;')])
    juliet.sends(`<message to='${romeo.bare}' type='chat'><body>${text}</body></message>`)
  await juliet.settled()
}

scene(
  'XEP-0227 §4: what is exported is imported into an empty server, and exported from there the same',
  async ({ stage, romeo, juliet, mercutio, nurse }) => {
    await lives(romeo, juliet, mercutio)
    await nurse.connects()
    const account = await stage.stores.accounts.get(DOMAIN, 'nurse')
    await stage.stores.accounts.disable(account!.id, 'sleeps', stage.clock.now())
    const file = await exported(stage)
    // It is XML that anybody can read.
    const names = parseElement(file.slice(file.indexOf('<server-data')))
      .child('host')!
      .childrenOf('user')
      .map(({ attrs }) => attrs['name'])
    assert.deepEqual(names, ['juliet', 'mercutio', 'nurse', 'romeo'])
    for (const what of [
      'Juliet &amp;',
      'Nay, gentle',
      'dark',
      'Romeo Montague',
      'spam.example',
      'in love',
      'Ay me!',
      'sleeps',
      `<never><jid>tybalt@${DOMAIN}`,
    ])
      assert.ok(file.includes(what), what)

    for (const piece of [17, 5000]) {
      const other = await Stage.open()
      const report = await imported(other, file, { piece })
      assert.deepEqual([report.problems, report.made, report.there], [[], 4, 0])
      assert.equal(await exported(other), file)
      const again = await imported(other, file)
      assert.deepEqual([again.problems, again.made, again.there], [[], 0, 4])
      assert.equal(await exported(other), file)
      await other.close()
    }
  },
)

scene(
  'XEP-0227 §4.3: who has moved logs in with the old password, and finds all of it',
  async ({ stage, romeo, juliet, mercutio }) => {
    await lives(romeo, juliet, mercutio)
    const file = await exported(stage, 'romeo')
    const other = await Stage.open()
    try {
      assert.deepEqual((await imported(other, file)).problems, [])
      const moved = other.actor('romeo')
      await moved.connects()
      const roster = await moved.gets(`<query xmlns='jabber:iq:roster'/>`)
      const items = roster
        .child('query')!
        .childrenOf('item')
        .map(({ attrs }) => [attrs['jid'], attrs['subscription']])
      assert.deepEqual(items, [
        [juliet.bare, 'from'],
        ['rosaline@example.org', 'none'],
      ])
      moved.sends('<presence/>')
      const heard = []
      for (let count = 0; count < 4; count++) heard.push(await moved.next())
      const said = heard.map((one) => one.child('body')?.text ?? one.child('status')?.text ?? one.local)
      assert.deepEqual(said.sort(), [
        'Ay me!',
        'Nay, gentle Romeo',
        'O Romeo, Romeo! <wherefore/>',
        'presence',
      ])
      const card = await moved.gets(`<vCard xmlns='vcard-temp'/>`)
      assert.equal(card.child('vCard')!.child('FN')!.text, 'Romeo Montague')
      const list = await moved.gets(`<blocklist xmlns='urn:xmpp:blocking'/>`)
      assert.equal(list.child('blocklist')!.childrenOf('item').length, 2)
      const mood = await moved.gets(
        `<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:example:mood'/></pubsub>`,
      )
      assert.match(mood.toString(), /in love/)
      const heardOf = moved.waiting
      await moved.sets(`<query xmlns='urn:xmpp:mam:2'/>`)
      const results = []
      for (let left = moved.waiting - heardOf; left > 0; left--) results.push(await moved.next())
      assert.deepEqual(
        results.map((one) => one.child('result')!.child('forwarded')!.child('message')!.child('body')!.text),
        ['Ay me!', 'O Romeo, Romeo! <wherefore/>'],
      )
    } finally {
      await other.close()
    }
  },
)

scene('what is here stays as it is: keys, contacts, cards and settings', async ({ stage, romeo }) => {
  await romeo.online()
  await romeo.sets(`<query xmlns='jabber:iq:roster'><item jid='juliet@example.org' name='Mine'/></query>`)
  await romeo.sets(`<vCard xmlns='vcard-temp'><FN>Mine</FN></vCard>`)
  await romeo.ignoresSoFar()
  const before = (await stage.stores.accounts.get(DOMAIN, 'romeo'))!
  const other = user(
    `
    <query xmlns='jabber:iq:roster'><item jid='juliet@example.org' name='Theirs' subscription='both'/>
      <item jid='paris@example.org' subscription='to'/></query>
    <vCard xmlns='vcard-temp'><FN>Theirs</FN></vCard>`,
    `name='romeo' password='theirs'`,
  )
  const report = await imported(stage, other)
  assert.deepEqual([report.problems, report.there], [[], 1])
  assert.deepEqual((await stage.stores.accounts.get(DOMAIN, 'romeo'))!.keys, before.keys)
  // Who is connected sees what is new at once.
  await romeo.receives(`
    <iq type='set'><query xmlns='jabber:iq:roster' ver='{any}'>
      <item jid='paris@example.org' subscription='to'/></query></iq>`)
  const file = await exported(stage, 'romeo')
  assert.ok(file.includes('Mine') && !file.includes('Theirs'))
})

scene(
  'XEP-0227 §4.2: a password in plain text is used where there is no other, and left out where it cannot be',
  async ({ stage, romeo }) => {
    assert.deepEqual((await imported(stage, user('', `name='romeo' password='wherefore'`))).problems, [])
    await romeo.connects()
    const bad = await imported(stage, user('', `name='nurse' password=''`))
    assert.equal(bad.problemCount, 1)
    const open = await imported(stage, user('', `name='paris'`))
    assert.match(open.problems[0]!, /^file\.xml:1: paris has no password: parley user passwd paris/)
  },
)

scene(
  'XEP-0227 §4: what is not understood is told with its line and left out; the rest is taken',
  async ({ stage }) => {
    const file = `<?xml version='1.0'?>
<server-data xmlns='urn:xmpp:pie:0'>
  <host jid='elsewhere.example'><user name='ana'><offline-messages><message xmlns='jabber:client'/></offline-messages></user></host>
  <host jid='${DOMAIN}'>
    <user name='romeo' password='x'>
      <query xmlns='jabber:iq:roster'>
        <item jid='juliet@example.org'/>
        <item/>
        <item jid='@'/>
        <item jid='paris@example.org' subscription='many'/>
      </query>
      <theme xmlns='urn:example:theme'>
        dark
      </theme>
      <scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='SCRAM-MD5'/>
      <query xmlns='jabber:iq:privacy'><list name='a'/></query>
      <presence xmlns='jabber:client' type='subscribe'/>
      <offline-messages>
        <message xmlns='jabber:client' from='@'/>
        <message xmlns='jabber:client' from='juliet@example.org'><body>1</body></message>
      </offline-messages>
    </user>
    <user name='no body'/>
    <user/>
    <room xmlns='urn:example:room'/>
  </host>
</server-data>`
    const report = await imported(stage, file, { piece: 13 })
    assert.deepEqual(
      report.problems.map((problem) => /^file\.xml:(\d+):/.exec(problem)?.[1]),
      ['3', '8', '9', '10', '12', '15', '16', '17', '19', '23', '24', '25'],
    )
    assert.deepEqual([report.made, Object.fromEntries(report.elements)], [1, { item: 1, message: 1 }])
    assert.match(report.problems[0]!, /the domain elsewhere\.example is not served here/)
    assert.match(report.problems[4]!, /<theme xmlns='urn:example:theme'\/> is not understood here: left out/)
  },
)

scene('keys that would take for ever to check are left out', async ({ stage }) => {
  const base64 = (length: number) => Buffer.alloc(length, 1).toString('base64')
  const credentials = (iterations: number, salt: number) =>
    `<scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='SCRAM-SHA-256'><iter-count>${iterations}</iter-count><salt>${base64(salt)}</salt><server-key>${base64(32)}</server-key><stored-key>${base64(32)}</stored-key></scram-credentials>`
  for (const [name, iterations, salt, problems] of [
    ['ana', 1_000_000, 256, 0],
    ['bea', 1_000_001, 16, 1],
    ['eva', 4096, 257, 1],
  ] as const) {
    const report = await imported(stage, user(credentials(iterations, salt), `name='${name}'`))
    const slow = report.problems.filter((problem) => problem.includes('would take too long to check'))
    assert.equal(slow.length, problems, report.problems.join())
  }
})

for (const [what, broken, line] of [
  ['not well-formed', `<user name='a'></host>`, 3],
  ['a comment', `<!-- x -->`, 3],
  ['a document type', `<!DOCTYPE a>`, 3],
  ['too short', `<user name='a'>`, 4],
] as const)
  scene(
    `a file that is ${what} ends the import with its line; what came before it is there`,
    async ({ stage }) => {
      const file = `<server-data xmlns='urn:xmpp:pie:0'><host jid='${DOMAIN}'>\n<user name='romeo' password='x'/>\n${broken}\n`
      for (const piece of [1, 10_000])
        await assert.rejects(
          imported(stage, file, { piece }),
          (error) => error instanceof CommandError && error.message.startsWith(`file.xml:${line}: `),
        )
      assert.ok(await stage.stores.accounts.get(DOMAIN, 'romeo'))
    },
  )

scene('a file of something else is refused', async ({ stage }) => {
  for (const root of [`<server-data xmlns='urn:other'/>`, `<html><body/></html>`])
    await assert.rejects(imported(stage, root), /this is no file of XEP-0227/)
})

scene('XEP-0227 §5: files that others include are read, those within data are not', async ({ stage }) => {
  const xi = `xmlns:xi='http://www.w3.org/2001/XInclude'`
  const files = {
    'all.xml': `<server-data xmlns='urn:xmpp:pie:0' ${xi}>\n<xi:include href='${DOMAIN}.xml'/></server-data>`,
    [`${DOMAIN}.xml`]: `<host xmlns='urn:xmpp:pie:0' ${xi} jid='${DOMAIN}'>
      <xi:include href='a/romeo.xml'/><xi:include href='a/nobody.xml' parse='text'/></host>`,
    'a/romeo.xml': `<user xmlns='urn:xmpp:pie:0' ${xi} name='romeo' password='x'>
      <query xmlns='jabber:iq:private'><xi:include href='secret'/></query><xi:include href='card.xml'/></user>`,
    'card.xml': `<vCard xmlns='vcard-temp'><FN>Romeo</FN></vCard>`,
  }
  const report = await imported(stage, files)
  assert.deepEqual(report.problems, [`${DOMAIN}.xml:2: an include needs an href, and nothing else`])
  const file = await exported(stage, 'romeo')
  assert.ok(file.includes('<FN>Romeo</FN>') && file.includes(`href="secret"`))
  const endless = {
    'a.xml': `<server-data xmlns='urn:xmpp:pie:0' ${xi}><xi:include href='b.xml'/></server-data>`,
    'b.xml': `<xi:include ${xi} href='b.xml'/>`,
  }
  await assert.rejects(imported(stage, endless), CommandError)
})

scene(
  'XEP-0227 §4.11: archives of other servers are read in their order, twice the same',
  async ({ stage }) => {
    const result = (id: string, stamp: string, body: string) =>
      `<result xmlns='urn:xmpp:mam:2' id='${id}'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='${stamp}'/>
      <message xmlns='jabber:client' from='romeo@${DOMAIN}/a' to='juliet@example.org' type='chat'><body>${body}</body></message></forwarded></result>`
    const file = user(`<archive xmlns='urn:xmpp:pie:0#mam'>
    ${result('1719828-1', '2012-05-01T10:00:00Z', 'c')}${result('zz', '2012-05-01T10:00:00Z', 'b')}${result('aa', '2012-05-01T10:00:00Z', 'a')}
    ${result('b', '2010-05-01T10:00:00Z', 'first')}
    ${result('c', '1910-05-01T10:00:00Z', 'too early')}
    ${result('d', '2910-05-01T10:00:00Z', 'too late')}
    <result xmlns='urn:xmpp:mam:2' id='e'/>
  </archive>`)
    for (let times = 0; times < 2; times++) {
      const report = await imported(stage, file)
      assert.equal(report.elements.get('result'), 4)
      assert.deepEqual(
        report.problems.slice(0, 3).map((problem) => problem.replace(/^\S+ /, '')),
        [
          'nothing was said at 1910-05-01T10:00:00.000Z',
          'nothing was said at 2910-05-01T10:00:00.000Z',
          'the result holds no message with its moment',
        ],
      )
    }
    const bodies = [...(await exported(stage, 'romeo')).matchAll(/<body>(.*?)<\/body>/g)].map(
      ([, body]) => body,
    )
    assert.deepEqual(bodies, ['first', 'c', 'b', 'a'])
  },
)

scene('a look at a file changes nothing and says what would', async ({ stage }) => {
  const file = user(`<vCard xmlns='vcard-temp'/><x xmlns='urn:x'/>`)
  const host = stage.server.hosts.get(DOMAIN)!
  const report = await importFiles(
    'f',
    {
      portable: () => host.tables.portable,
      account: async (domain, local, keys) => ({
        account: { id: 0, domain, local, keys, disabled: undefined, role: undefined, createdAt: 0 },
        isNew: true,
      }),
      setKeys: () => assert.fail(),
      setPassword: () => assert.fail(),
      disable: () => assert.fail(),
      async *open() {
        yield Buffer.from(file)
      },
    },
    { dry: true },
  )
  assert.deepEqual([report.made, report.elements.get('vCard'), report.problemCount], [1, 1, 2])
  assert.equal(await stage.stores.accounts.count(DOMAIN), 0)
})

scene('a long history is read in pieces: more messages than the account has room for', async ({ stage }) => {
  const message = (n: number) =>
    `<message xmlns='jabber:client' from='juliet@example.org/a' type='chat'><body>${'x'.repeat(500)}${n}</body></message>\n`
  async function* file() {
    yield Buffer.from(user('').split('</user>')[0]! + '<offline-messages>')
    for (let n = 0; n < 2_500; n += 50)
      yield Buffer.from(Array.from({ length: 50 }, (_, i) => message(n + i)).join(''))
    yield Buffer.from('</offline-messages></user></host></server-data>')
  }
  const host = stage.server.hosts.get(DOMAIN)!
  const report = await importFiles(
    'f',
    {
      portable: () => host.tables.portable,
      account: (domain, local, keys, at) => host.importAccount(local, keys, at),
      setKeys: () => assert.fail(),
      setPassword: () => assert.fail(),
      disable: () => assert.fail(),
      open: file,
    },
    { dry: false },
  )
  assert.equal(report.elements.get('message'), 1000)
  assert.equal(report.problemCount, 1501)
  assert.equal(report.problems.length, 1000)
})
