import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { flag, number, options, required, text } from '../../../src/base/schema.js'
import type { ConfigSource } from '../../../src/config/load.js'
import { ConfigError } from '../../../src/config/problems.js'
import { accountArg, command } from '../../../src/host/command.js'
import type { AnyCommand } from '../../../src/host/command.js'
import { StorageUnavailable } from '../../../src/storage/errors.js'
import { folder, parley, serving } from './line.js'
import { FakeTerminal, inMemory, keysFor } from './stage.js'

test('version, help, and nothing at all', async () => {
  assert.deepEqual(await parley('version'), { code: 0, out: 'parley 1.2.3', error: '', questions: [] })
  assert.equal((await parley('--version')).out, 'parley 1.2.3')
  assert.equal((await parley('version --json')).out, '{"version":"1.2.3"}')
  const nothing = await parley('')
  assert.equal(nothing.code, 2)
  assert.match(nothing.out, /user add +Make an account/)
  assert.equal((await parley('help')).code, 0)
  const help = await parley('user add --help')
  assert.equal(help.code, 0)
  assert.match(help.out, /^parley user add ACCOUNT \[--password-file FILE \| --generate\] \[--admin\]\n/)
  assert.equal((await parley('help user add')).out, help.out)
})

/** [line, complaint]: all exit with 2 */
const misused: [string, RegExp][] = [
  ['usr add ana', /unknown command usr\n {3}did you mean user \?/],
  ['user ad ana', /unknown command user ad\n {3}did you mean user add \?/],
  ['user', /user what\?\n {3}user add, user passwd/],
  [
    'xyzzyxyzzy',
    /unknown command xyzzyxyzzy\n {3}parley help lists them; those of modules only while the server runs/,
  ],
  ['user add', /ACCOUNT is missing/],
  ['user add ana --password pencil', /a password is never an argument/],
  ['user list --limit 0', /limit = 0 {2}is not from 1/],
  ['version --config', /--config needs a value/],
  ['version --config a --config b', /--config is given twice/],
  ['user add ana --generate --password-file - --socket x', /exclude each other/],
  ['user delete ana --socket x', /this would remove ana .*\n {3}add --yes/],
]
for (const [line, complaint] of misused)
  test(`wrong usage: ${line}`, async () => {
    const { code, out, error } = await parley(line)
    assert.match(error, complaint)
    assert.doesNotMatch(error, /pencil/)
    assert.deepEqual([code, out], [2, ''])
  })

test('without a server: exit code 3 and what to do', async () => {
  const { code, error } = await parley(`user list --set listen.admin_socket=${folder}/none.sock`)
  assert.equal(code, 3)
  assert.equal(
    error,
    `parley: no server is running here (no ${folder}/none.sock)\n   start it with \`parley start\`; for one with another configuration add --config FILE`,
  )
})

test('the control socket comes from the configuration', async () => {
  const files = inMemory({
    'parley.toml': `data_dir = "${folder}/data"`,
    'wrong.toml': `listen.admin_socket = "${folder}/own.sock"\nnonsense = 1`,
    'broken.toml': 'data_dir = ',
  })
  assert.match((await parley('health', undefined, { files })).error, /no .*\/data\/parley\.sock/)
  // A mistake in a file must not keep anyone from a server that runs on what was there before.
  const env = { PARLEY_CONFIG: 'wrong.toml' }
  assert.match((await parley('health', undefined, { files, env })).error, /no .*\/own\.sock/)
  const broken = await parley('health --config broken.toml', undefined, { files })
  assert.equal(broken.code, 1)
  assert.match(
    broken.error,
    /^broken\.toml:1:\d+ .*\n(.*\n)?1 error: where the control socket is cannot be known$/,
  )
})

test('user add: the password is asked for twice and never echoed', async () => {
  const { parley, services, close } = await serving()
  const terminal = new FakeTerminal(['pencil', 'pencl', 'pencil', 'pencil'])
  const added = await parley('user add ana', terminal)
  assert.deepEqual(
    [added.code, added.out, added.error],
    [0, 'ana@example.org can log in now.', 'The two differ.'],
  )
  assert.deepEqual(added.questions, [
    'Password for ana (empty: make one up): (hidden)',
    'Once more: (hidden)',
    'Password for ana (empty: make one up): (hidden)',
    'Once more: (hidden)',
  ])
  const account = await services.accounts.get('example.org', 'ana')
  assert.equal(account?.keys['SHA-256']?.storedKey.toString(), 'pencil')
  const again = await parley('user add ana --generate')
  assert.equal(again.code, 1)
  assert.match(again.error, /ana@example\.org exists already\n {3}for a new password: parley user passwd/)
  const given = await parley('user add ben', new FakeTerminal([]))
  assert.deepEqual([given.code, given.error], [1, 'parley: no password was set, nothing was changed'])
  await close()
})

test('user add: password from a file, from standard input, or made up', async () => {
  const { parley, services, close } = await serving()
  const files = inMemory({ secret: 'from file\n', empty: '', two: 'a\nb' })
  const stored = async (name: string, domain = 'example.org') =>
    (await services.accounts.get(domain, name))?.keys['SHA-256']?.storedKey.toString()
  await parley('user add ana --password-file secret', undefined, { files })
  assert.equal(await stored('ana'), 'from file')
  await parley('user add Ben@Chat.Example --password-file -', new FakeTerminal(undefined, 'from pipe\r\n'))
  assert.equal(await stored('ben', 'chat.example'), 'from pipe')
  const made = await parley('user add eve --json')
  const { account, password } = JSON.parse(made.out) as { account: string; password: string }
  assert.equal(account, 'eve@example.org')
  assert.match(password, /^([a-z2-9]{5}-){3}[a-z2-9]{5}$/)
  assert.equal(await stored('eve'), password)
  assert.match(
    (await parley('user passwd eve --generate')).out,
    /^eve@example.org has a new password\.\nPassword: \S{23}$/,
  )
  for (const [file, complaint] of [
    ['empty', /empty is empty/],
    ['two', /two has more than one line/],
    ['gone', /gone: no such file/],
  ] as const) {
    const refused = await parley(`user add joe --password-file ${file}`, undefined, { files })
    assert.equal(refused.code, 1)
    assert.match(refused.error, complaint)
  }
  const forbidden = await parley('user add joe --password-file -', new FakeTerminal(undefined, 'forbidden'))
  assert.deepEqual([forbidden.code, forbidden.error], [1, 'parley: this is no password'])
  assert.equal(await stored('joe'), undefined)
  await close()
})

test('names that cannot be, domains not served, accounts that are not there', async () => {
  const { parley, close } = await serving()
  for (const [line, complaint] of [
    ['user add a@b@c --generate', /"a@b@c" is not an address/],
    [
      'user add ana@other.example --generate',
      /other\.example is not served here\n {3}domains: example\.org, chat\.example/,
    ],
    ['user show nobody', /there is no account nobody@example\.org\n {3}parley user list/],
    ['user list --domain other.example', /other\.example is not served here/],
    ['session end ana', /ana@example\.org has no session/],
  ] as const) {
    const { code, error } = await parley(line)
    assert.match(error, complaint)
    assert.equal(code, 1)
  }
  await close()
})

test('disable, show, enable: sessions end, nothing is lost', async () => {
  const { parley, services, sessions, ended, clock, close } = await serving()
  await services.accounts.create('example.org', 'ana', keysFor('pencil'), clock.now())
  sessions.push(
    { jid: 'ana@example.org/phone', since: clock.now() },
    { jid: 'ben@example.org/x', since: clock.now() },
  )
  const disabled = await parley('user disable ana --reason holiday')
  assert.equal(disabled.out, 'ana@example.org is disabled. Sessions ended: 1.')
  assert.deepEqual(ended, ['ana@example.org: The account was disabled'])
  assert.equal(
    (await parley('user show ana')).out,
    `account     ana@example.org
state       disabled 2030-01-01T00:00:00Z: holiday
created     2030-01-01T00:00:00Z
last login  not known
last seen   not known
keys        SCRAM-SHA-256
contacts    0
sessions    none`,
  )
  assert.match(
    (await parley('user list')).out,
    /^ACCOUNT +STATE +ROLE +CREATED\nana@example\.org +disabled +2030/,
  )
  await parley('user enable ana')
  const shown = JSON.parse((await parley('user show ana --json')).out) as { disabled: unknown }
  assert.equal(shown.disabled, null)
  await close()
})

test('delete asks first, or takes --yes', async () => {
  const { parley, services, clock, close } = await serving()
  await services.accounts.create('example.org', 'ana', keysFor('pencil'), clock.now())
  const no = await parley('user delete ana', new FakeTerminal(['n']))
  assert.deepEqual([no.code, no.error], [1, 'nothing was changed'])
  assert.deepEqual(no.questions, [
    'This removes ana with its contacts, waiting messages and settings. Go on? [y/N] ',
  ])
  assert.ok(await services.accounts.get('example.org', 'ana'))
  assert.equal((await parley('user delete ana --yes')).out, 'ana@example.org is deleted. Sessions ended: 0.')
  assert.equal(await services.accounts.get('example.org', 'ana'), undefined)
  await close()
})

test('user list goes in pages', async () => {
  const { parley, services, clock, close } = await serving()
  for (const name of ['a', 'b', 'c'])
    await services.accounts.create('example.org', name, keysFor('x'), clock.now())
  const first = await parley('user list --domain example.org --limit 2')
  assert.match(
    first.out,
    /\nb@example\.org {2}.*\nexample\.org: 3 accounts; more: --domain example\.org --after b$/,
  )
  const rest = JSON.parse((await parley('user list --domain example.org --after b --json')).out) as {
    account: string
  }[]
  assert.deepEqual(
    rest.map(({ account }) => account),
    ['c@example.org'],
  )
  await close()
})

test('session list and end; what peers chose cannot move the cursor', async () => {
  const { parley, sessions, clock, close } = await serving()
  const session = { ip: '192.0.2.7', tls: 'TLSv1.3', mechanism: 'SCRAM-SHA-256', since: clock.now() - 90_000 }
  sessions.push(
    { ...session, jid: 'ana@example.org/phone', priority: 5 },
    { ...session, jid: 'ben@chat.example/\u202eevil' },
  )
  assert.equal(
    (await parley('session list')).out,
    `SESSION                 ADDRESS    TLS      LOGIN          PRIORITY       SINCE
ana@example.org/phone   192.0.2.7  TLSv1.3  SCRAM-SHA-256  5              1 min
ben@chat.example/?evil  192.0.2.7  TLSv1.3  SCRAM-SHA-256  not available  1 min
2 sessions`,
  )
  assert.equal((await parley('session list --user ana --json')).code, 0)
  assert.equal((await parley('session end ana@example.org/phone')).out, 'Ended: 1 session.')
  assert.equal((await parley('session list --user ana')).out, '0 sessions')
  await close()
})

test('health tells ready from not ready by its exit code', async () => {
  const ready = await serving()
  assert.deepEqual(await ready.parley('health'), {
    code: 0,
    out: 'parley 1.2.3  example.org chat.example  ready, up 0 s',
    error: '',
    questions: [],
  })
  await ready.close()
  const not = await serving({
    readiness: () => ({ ready: false, reasons: ['the database does not answer'] }),
  })
  const { code, out } = await not.parley('health')
  assert.deepEqual(
    [code, out],
    [1, 'parley 1.2.3  example.org chat.example  not ready: the database does not answer'],
  )
  await not.close()
})

test('cert list tells how long certificates hold, where they are shown, and what others may have against them', async () => {
  const day = 86_400_000
  const start = new HandClock().now()
  const { parley, close } = await serving({
    certificates: () => [
      {
        domain: 'example.org',
        file: '/etc/tls/org.pem',
        names: ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
        selfSigned: false,
        fingerprint: 'AA:BB',
        expires: start + 29.5 * day,
        listeners: ['c2s [::]:5222', 's2s [::]:5269'],
        notes: [],
      },
      {
        domain: 'chat.example',
        file: '/data/chat.crt',
        names: ['chat.example'],
        selfSigned: true,
        fingerprint: 'CC:DD',
        expires: start - 1,
        listeners: [],
        notes: ['it is self-signed'],
      },
    ],
  })
  assert.equal(
    (await parley('cert list')).out,
    `DOMAIN        DAYS LEFT  FILE              NAMES                     LISTENERS
example.org   29         /etc/tls/org.pem  a, b, c, d, e and 2 more  c2s [::]:5222, s2s [::]:5269
chat.example  expired    /data/chat.crt    chat.example
chat.example: it is self-signed`,
  )
  const [first, second] = JSON.parse((await parley('cert list --json')).out) as Record<string, unknown>[]
  assert.deepEqual(first, {
    domain: 'example.org',
    file: '/etc/tls/org.pem',
    names: ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
    self_signed: false,
    fingerprint: 'AA:BB',
    expires: new Date(start + 29.5 * day).toISOString(),
    days_left: 29,
    listeners: ['c2s [::]:5222', 's2s [::]:5269'],
    notes: [],
  })
  assert.equal(second?.['days_left'], -1)
  assert.deepEqual(second['notes'], ['it is self-signed'])
  await close()
})

test('reload says what it did, or every mistake', async () => {
  const done = await serving({
    reload: () =>
      Promise.resolve({ changes: [{ name: 'log.level', from: '"info"', to: '"debug"', reload: 'applied' }] }),
  })
  assert.equal((await done.parley('reload')).out, 'reloaded  log.level info->debug')
  await done.close()
  const rejected = await serving({
    reload: () =>
      Promise.reject(
        new ConfigError(
          [{ where: 'parley.toml:1:1', message: 'unknown key  x', order: [1, 1] }],
          'the running configuration stays',
        ),
      ),
  })
  const { code, error } = await rejected.parley('reload')
  assert.deepEqual(
    [code, error],
    [1, 'parley: parley.toml:1:1  unknown key  x\n1 error: the running configuration stays'],
  )
  await rejected.close()
})

test('failures in the server: a lost database is told, a mistake of ours is not', async () => {
  const lost = await serving({
    keeper: () => {
      throw new StorageUnavailable('no')
    },
  })
  assert.match(
    (await lost.parley('user add ana --generate')).error,
    /the database cannot be reached right now/,
  )
  await lost.close()
  const broken = await serving({ readiness: () => Promise.reject(new Error('secret detail')) })
  const { code, error } = await broken.parley('health')
  assert.deepEqual([code, error], [1, 'parley: the server made a mistake; its log has the details'])
  await broken.close()
})

test('config check, show, example', async () => {
  const files = inMemory({
    'parley.toml': 'domain = "example.org"\n[limits]\ndepth = 20\n',
    'bad.toml': 'domian = "x"\n',
  })
  const good = await parley('config check', undefined, { files })
  assert.deepEqual([good.code, good.out], [0, 'parley.toml: ok'])
  const bad = await parley('config check --config bad.toml', undefined, { files })
  assert.deepEqual(
    [bad.code, bad.error],
    [1, 'bad.toml:1:1  unknown key  domian\n   did you mean  domain ?\n1 error'],
  )
  const env = { DATABASE_URL: 'postgres://parley:pencil@db/parley' }
  const shown = await parley('config show --origin', undefined, { files, env })
  assert.match(shown.out, /^domain = "example\.org" +# parley\.toml:1\n/m)
  assert.match(shown.out, /\n\[limits\]\n/)
  assert.match(shown.out, /\ndepth = 20 +# parley\.toml:3\n/)
  assert.match(shown.out, /\nurl = "postgres:\/\/parley:\*{8}@db\/parley" +# env DATABASE_URL\n/)
  assert.doesNotMatch(shown.out, /pencil/)
  const listed = JSON.parse((await parley('config show --json', undefined, { files })).out) as {
    name: string
    origin: string
  }[]
  assert.equal(listed.find(({ name }) => name === 'limits.depth')?.origin, 'parley.toml:3')
  assert.match((await parley('config example')).out, /\n\[listen\]\n/)
  assert.match((await parley('config reference')).out, /\n\| `depth` \| `128` \|/)
})

test('start hands on where the configuration comes from', async () => {
  const started: ConfigSource[] = []
  const start = (source: ConfigSource) => {
    started.push(source)
    return Promise.resolve(0)
  }
  const files = inMemory({ '/etc/parley/parley.toml': '' })
  assert.equal(
    (await parley('start --set log.level=debug', undefined, { start, files, env: { A: '1' } })).code,
    0,
  )
  await parley('--config mine.toml start', undefined, { start, files })
  assert.deepEqual(
    started.map(({ file, set }) => ({ file, set })),
    [
      { file: '/etc/parley/parley.toml', set: ['log.level=debug'] },
      { file: 'mine.toml', set: [] },
    ],
  )
})

/** Commands as modules declare them, on two domains of a server. */
function withModules() {
  const ran: string[] = []
  const on = (domain: string): AnyCommand[] => [
    command(
      'last-seen',
      'operator',
      'When an account was last connected',
      options({ account: accountArg('whose'), zone: text('UTC', 'The time zone') }),
      async ({ account, zone }) => `${account.toString()} on ${domain} in ${zone}`,
    ),
    command(
      'count',
      'operator',
      'How many there are',
      options({ least: number(1, 'At least') }),
      async ({ least }) => ({
        data: { least, domain },
        text: `${least} on ${domain}`,
      }),
    ),
    command(
      'wipe',
      'admin',
      'Forget everything',
      options({ what: text(required, 'Of what'), hard: flag(false, 'Also the copies') }),
      async ({ what, hard }) => {
        ran.push(`${what} ${hard}`)
        return 'done'
      },
      ({ what }) => `all ${what}`,
    ),
  ]
  return { ran, moduleCommands: on }
}

test('commands of modules: known while the server runs, to help as well', async () => {
  const { moduleCommands } = withModules()
  const { parley, close } = await serving({ moduleCommands })
  const help = await parley('help')
  assert.match(help.out, /\n {2}last-seen +When an account was last connected\n/)
  assert.match(help.out, /\n {2}health /)
  assert.equal(help.out.split('\n').filter((line) => line.startsWith('  help ')).length, 1)
  assert.equal(
    (await parley('last-seen --help')).out,
    `parley last-seen ACCOUNT [--zone ZONE] [--json]
  When an account was last connected

  account  whose
  zone     The time zone`,
  )
  assert.equal((await parley('help last-seen')).out, (await parley('last-seen --help')).out)
  await close()
})

test('commands of modules: words are sorted and checked as those of the server', async () => {
  const { moduleCommands } = withModules()
  const { parley, close } = await serving({ moduleCommands })
  for (const [line, out] of [
    ['last-seen ana', 'ana@example.org on example.org in UTC'],
    ['last-seen Ben@Chat.Example --zone CET', 'ben@chat.example on chat.example in CET'],
    ['count --least 7', '7 on example.org'],
    ['count --domain chat.example', '1 on chat.example'],
    ['last-seen ana --json', '"ana@example.org on example.org in UTC"'],
  ] as const)
    assert.deepEqual(await parley(line), { code: 0, out, error: '', questions: [] })
  for (const [line, code, complaint] of [
    ['last-seen', 2, /ACCOUNT is missing: whose/],
    ['last-seen ana ben', 2, /"ben" is one argument too many/],
    ['last-seen a@b@c', 2, /account = "a@b@c" {2}is not an address \(write NAME or NAME@DOMAIN\)/],
    [
      'last-seen ana@other.example',
      1,
      /there is no last-seen on other\.example\n {3}domains: example\.org, chat/,
    ],
    ['count --least many', 2, /least = "many" {2}is not a whole number/],
    ['count --most 3', 2, /unknown option --most/],
    ['last-sen ana', 2, /unknown command last-sen\n {3}did you mean last-seen \?/],
  ] as const) {
    const { code: told, out, error } = await parley(line)
    assert.match(error, complaint)
    assert.deepEqual([told, out], [code, ''])
  }
  await close()
})

test('commands of modules: what would be lost is asked, or taken with --yes', async () => {
  const { moduleCommands, ran } = withModules()
  const { parley, close } = await serving({ moduleCommands })
  const no = await parley('wipe notes', new FakeTerminal(['n']))
  assert.deepEqual([no.code, no.questions], [1, ['This removes all notes. Go on? [y/N] ']])
  assert.equal((await parley('wipe notes')).code, 2)
  assert.deepEqual(ran, [])
  assert.equal((await parley('wipe notes --hard', new FakeTerminal(['y']))).out, 'done')
  assert.equal((await parley('wipe copies --yes')).out, 'done')
  assert.deepEqual(ran, ['notes true', 'copies false'])
  await close()
})
