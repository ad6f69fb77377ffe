/** Several domains in one server, and everything an admin does to accounts and sessions on the command line. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Authority } from '../unit/tls/issuer.js'
import { befriend, Client, LoginRefused } from './support/client.js'
import { Parley, temporaryFolder } from './support/server.js'

const authority = new Authority('test authority')
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let server: Parley
before(async () => {
  folder = await temporaryFolder()
  const { certificate, key } = authority.issue({ names: ['chat.example'] })
  writeFileSync(join(folder.path, 'chat.pem'), certificate + key, { mode: 0o600 })
  writeFileSync(
    join(folder.path, 'parley.toml'),
    `domain = "example.org"
domains = ["chat.example", "localhost"]
[host."chat.example".tls]
certificate = "chat.pem"
key = "chat.pem"
[host."chat.example".modules.registration]
enabled = true
attempts = "3/h"
accounts = 4
`,
  )
  server = await Parley.start({ folder: folder.path })
  const accounts = ['romeo', 'juliet', 'romeo@chat.example', 'juliet@chat.example']
  await Promise.all(accounts.map((account) => server.add(account)))
})
after(async () => {
  assert.equal((await server.stop()).code, 0)
  await folder.remove()
})

function trust(domain: string): string {
  return domain === 'chat.example' ? authority.certificate : server.certificate(domain).pem
}

function access(account: string, more: Partial<Parameters<typeof Client.login>[0]> = {}) {
  const domain = account.split('@')[1]!
  return { port: server.port('TLS at once'), direct: true, trust: trust(domain), account, ...more }
}

const login = (account: string, more: Partial<Parameters<typeof Client.login>[0]> = {}) =>
  Client.login(access(account, more))

test('each domain shows its own certificate by SNI, over direct TLS and STARTTLS, and has its own accounts', async () => {
  const seen = new Set<string>()
  for (const account of ['romeo@example.org', 'romeo@chat.example']) {
    const direct = await login(account)
    const starttls = await login(account, { direct: false, port: server.port('STARTTLS'), resource: 'two' })
    assert.equal(direct.peerCertificate.fingerprint256, starttls.peerCertificate.fingerprint256)
    seen.add(direct.peerCertificate.fingerprint256)
    await direct.close()
    await starttls.close()
  }
  assert.equal(seen.size, 2)
  await assert.rejects(login('romeo@localhost'), new LoginRefused('not-authorized'))
  const unknown = await server.cli(['user', 'add', 'romeo@example.net', '--generate'])
  assert.deepEqual(
    [unknown.code, unknown.error],
    [1, 'parley: example.net is not served here\n   domains: example.org, chat.example, localhost\n'],
  )
})

test('cert list tells of each domain how long its certificate holds and where it is shown', async () => {
  const list = (await server.json('cert', 'list')) as {
    domain: string
    file: string
    names: string[]
    self_signed: boolean
    days_left: number
    listeners: string[]
    notes: string[]
  }[]
  assert.deepEqual(
    list.map((one) => [one.domain, one.names, one.self_signed, one.days_left]),
    [
      ['example.org', ['example.org', 'conference.example.org'], true, 3648],
      ['chat.example', ['chat.example'], false, 89],
      ['localhost', ['localhost', 'conference.localhost'], true, 3648],
    ],
  )
  for (const { listeners } of list)
    assert.deepEqual(
      listeners.map((one) => one.split(' ')[0]),
      ['c2s', 'c2s_tls', 's2s', 's2s_tls'],
    )
  assert.match(list[0]!.notes[0]!, /^it is self-signed/)
  assert.match(
    list[1]!.notes[0]!,
    /^other servers may refuse it: "chat\.example" was issued by "test authority"/,
  )
  assert.equal(list[1]!.file, join(folder.path, 'chat.pem'))
  const told = server.out.split('\n').filter((line) => line.includes('"tls.certificate.doubtful"'))
  assert.deepEqual(
    told.map((line) => (JSON.parse(line) as { host: string }).host),
    ['chat.example', 'chat.example', 'example.org', 'chat.example'],
    'its rooms are not named, clients may miss its authority; other servers refuse both; localhost meets none',
  )
})

test('people of two domains talk', async () => {
  const [romeo, juliet] = [await login('romeo@example.org'), await login('juliet@chat.example')]
  await romeo.appear()
  await juliet.appear()
  await befriend(romeo, juliet)
  romeo.send("<message to='juliet@chat.example' type='chat'><body>hello</body></message>")
  assert.equal((await juliet.next('message')).child('body')?.text, 'hello')
  await romeo.close()
  await juliet.next('presence', ({ attrs }) => attrs['type'] === 'unavailable')
  await juliet.close()
})

test('user list, show: for people, and for programs', async () => {
  const list = await server.cli(['user', 'list'])
  assert.equal(list.code, 0)
  assert.match(list.out, /^romeo@example\.org {2}/m)
  assert.match(list.out, /^example\.org: 2 accounts\nchat\.example: 2 accounts\nlocalhost: 0 accounts$/m)
  const accounts = (await server.json('user', 'list', '--domain', 'chat.example')) as { account: string }[]
  assert.deepEqual(
    accounts.map(({ account }) => account),
    ['juliet@chat.example', 'romeo@chat.example'],
  )
  const shown = (await server.json('user', 'show', 'romeo')) as Record<string, unknown>
  assert.deepEqual(
    [shown['account'], shown['disabled'], shown['mechanisms'], shown['sessions']],
    ['romeo@example.org', null, ['SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], []],
  )
  const nobody = await server.cli(['user', 'show', 'paris'])
  assert.deepEqual(
    [nobody.code, nobody.out, nobody.error],
    [1, '', 'parley: there is no account paris@example.org\n   parley user list shows those there are\n'],
  )
})

test('the command of a module, and where help knows it', async () => {
  const seen = await server.cli(['last-seen', 'romeo@chat.example'])
  assert.deepEqual([seen.code, seen.error], [0, ''])
  assert.match(seen.out, /^\d{4}-\d\d-\d\dT\S+Z\n$/)
  assert.equal((await server.cli(['last-seen', 'nobody'])).out, 'never seen\n')
  assert.match((await server.cli(['help'])).out, /\n {2}last-seen +When an account was last connected\n/)
})

test('user passwd: the new password holds, the old one no longer', async () => {
  const romeo = await login('romeo@example.org')
  const { code, out } = await server.cli(
    ['user', 'passwd', 'romeo', '--password-file', '-', '--end-sessions'],
    'rose by another name\n',
  )
  assert.deepEqual([code, out], [0, 'romeo@example.org has a new password. Sessions ended: 1.\n'])
  assert.equal(await romeo.ended, 'not-authorized')
  await assert.rejects(login('romeo@example.org'), new LoginRefused('not-authorized'))
  await (await login('romeo@example.org', { password: 'rose by another name' })).close()
})

test('session list and end', async () => {
  const clients = [
    await login('juliet@example.org', { resource: 'phone' }),
    await login('juliet@example.org', { resource: 'laptop', direct: false, port: server.port('STARTTLS') }),
    await login('romeo@chat.example', { resource: 'here', mechanism: 'PLAIN' }),
  ]
  await clients[0]!.appear()
  const listed = (await server.json('session', 'list')) as Record<string, unknown>[]
  assert.deepEqual(
    new Set(
      listed.map(({ jid, ip, tls, mechanism, priority }) => [jid, ip, tls, mechanism, priority].join(' ')),
    ),
    new Set([
      'juliet@example.org/phone 127.0.0.1 TLSv1.3 SCRAM-SHA-256-PLUS 0',
      'juliet@example.org/laptop 127.0.0.1 TLSv1.3 SCRAM-SHA-256-PLUS ',
      'romeo@chat.example/here 127.0.0.1 TLSv1.3 PLAIN ',
    ]),
  )
  assert.equal(((await server.json('session', 'list', '--user', 'juliet')) as unknown[]).length, 2)
  assert.equal((await server.cli(['session', 'end', 'juliet@example.org/laptop'])).out, 'Ended: 1 session.\n')
  assert.equal(await clients[1]!.ended, 'not-authorized')
  await clients[0]!.ping()
  assert.deepEqual(await server.json('session', 'end', 'juliet'), { ended: 1 })
  assert.equal(await clients[0]!.ended, 'not-authorized')
  const none = await server.cli(['session', 'end', 'juliet'])
  assert.deepEqual(
    [none.code, none.error],
    [1, 'parley: juliet@example.org has no session\n   parley session list shows those there are\n'],
  )
  await clients[2]!.close()
})

test('user disable ends the sessions and keeps the account out until user enable', async () => {
  const juliet = await login('juliet@example.org')
  const { code, out } = await server.cli(['user', 'disable', 'juliet', '--reason', 'holiday'])
  assert.deepEqual([code, out], [0, 'juliet@example.org is disabled. Sessions ended: 1.\n'])
  assert.equal(await juliet.ended, 'not-authorized')
  for (const mechanism of ['SCRAM-SHA-1-PLUS', 'PLAIN'])
    await assert.rejects(login('juliet@example.org', { mechanism }), new LoginRefused('account-disabled'))
  const shown = (await server.json('user', 'show', 'juliet')) as { disabled: { reason: string } }
  assert.equal(shown.disabled.reason, 'holiday')
  assert.equal((await server.cli(['user', 'enable', 'juliet'])).code, 0)
  await (await login('juliet@example.org')).close()
})

test('user delete removes all of the account, and tells its contacts', async () => {
  const [romeo, juliet] = [await login('romeo@chat.example'), await login('juliet@chat.example')]
  await romeo.appear()
  await juliet.appear()
  await befriend(romeo, juliet)
  await romeo.set("<query xmlns='jabber:iq:private'><keep xmlns='urn:example:keep'>this</keep></query>")
  const asked = await server.cli(['user', 'delete', 'romeo@chat.example'])
  assert.equal(asked.code, 2)
  assert.match(
    asked.error,
    /^parley: this would remove romeo@chat\.example with its contacts, [^\n]+\n {3}add --yes/,
  )
  const { code, out } = await server.cli(['user', 'delete', 'romeo@chat.example', '--yes'])
  assert.deepEqual([code, out], [0, 'romeo@chat.example is deleted. Sessions ended: 1.\n'])
  assert.equal(await romeo.ended, 'not-authorized')
  await juliet.next('presence', ({ attrs }) => attrs['type'] === 'unsubscribed')
  await juliet.next('presence', ({ attrs }) => attrs['type'] === 'unavailable')
  const left = (await juliet.roster()).find(({ attrs }) => attrs['jid'] === 'romeo@chat.example')
  assert.notEqual(left?.attrs['subscription'], 'both')
  await assert.rejects(login('romeo@chat.example'), new LoginRefused('not-authorized'))

  await server.add('romeo@chat.example')
  const anew = await login('romeo@chat.example')
  assert.deepEqual(await anew.appear(), [])
  const kept = await anew.get("<query xmlns='jabber:iq:private'><keep xmlns='urn:example:keep'/></query>")
  assert.equal(kept.child('query')?.childrenOf()[0]?.text, '')
  await anew.close()
  await juliet.close()
})

test('in-band registration: where it is on, within its limits; what it made can be removed', async () => {
  const elsewhere = await Client.connect(access('paris@example.org'))
  assert.equal((await elsewhere.next('features')).child('register'), undefined)
  elsewhere.vanish()

  const guest = await Client.connect(access('paris@chat.example'))
  assert.ok((await guest.next('features')).child('register', 'http://jabber.org/features/iq-register'))
  assert.equal(await register(guest, 'juliet'), 'conflict')
  assert.equal(await register(guest, 'paris'), 'result')
  await server.add('tybalt@chat.example')
  assert.equal(await register(guest, 'mercutio'), 'not-allowed', 'the domain is full')
  assert.equal(await register(guest, 'mercutio'), 'resource-constraint', 'too many attempts')
  guest.vanish()

  const paris = await login('paris@chat.example')
  const removed = await paris.set("<query xmlns='jabber:iq:register'><remove/></query>")
  assert.equal(removed.attrs['type'], 'result')
  assert.equal(await paris.ended, 'not-authorized')
  assert.equal((await server.cli(['user', 'show', 'paris@chat.example'])).code, 1)
})

/** XEP-0077: asks for an account, and tells the type of the answer or the condition of its error. */
async function register(guest: Client, name: string): Promise<string | undefined> {
  const answer = await guest.set(
    `<query xmlns='jabber:iq:register'><username>${name}</username><password>pencil of ${name}</password></query>`,
  )
  return answer.child('error')?.childrenOf()[0]?.local ?? answer.attrs['type']
}

test('health', async () => {
  const { code, out } = await server.cli(['health'])
  assert.equal(code, 0)
  assert.match(out, /^parley \S+ {2}example\.org chat\.example localhost {2}ready, up \d+ s\n$/)
  const facts = (await server.json('health')) as Record<string, unknown>
  assert.deepEqual([facts['ready'], facts['reasons']], [true, []])
  const ready = await fetch(`http://127.0.0.1:${server.port('HTTP')}/readyz`)
  assert.deepEqual([ready.status, await ready.text()], [200, 'ready\n'])
})
