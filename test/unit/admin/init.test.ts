import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { ctl } from '../../../src/admin/ctl.js'
import { fileAccess } from '../../../src/config/files.js'
import { loadConfig } from '../../../src/config/load.js'
import { environment, FakeTerminal } from './stage.js'

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-init-'))
})
after(() => rmSync(folder, { recursive: true }))

async function init(name: string, words: string[], answers?: string[], env = {}) {
  const file = join(folder, name)
  mkdirSync(dirname(file), { recursive: true })
  const terminal = answers ? new FakeTerminal(answers) : new FakeTerminal()
  const code = await ctl(
    ['init', '--config', file, ...words],
    environment({ terminal, env, files: fileAccess('/', undefined) }),
  )
  const text = () => readFileSync(file, 'utf8')
  return {
    code,
    file,
    text,
    out: terminal.said.join('\n'),
    error: terminal.complaints.join('\n'),
    questions: terminal.questions,
  }
}

test('asks, explains a wrong answer, and writes a configuration that loads', async () => {
  const done = await init(
    'a/a.toml',
    [],
    ['https://example.org/', 'Example.org', 'xmpp.example.org', '', 'ana'],
  )
  assert.equal(done.code, 0)
  assert.equal(done.error, '  "https://example.org/" is a URL: write "example.org"')
  assert.deepEqual(done.questions, [
    'Domain of your addresses (you@___) [localhost]: ',
    'Domain of your addresses (you@___) [localhost]: ',
    'Host that will run the server [example.org]: ',
    'Folder for its data [./data]: ',
    'Your user name [admin]: ',
  ])
  const { config } = loadConfig({ file: done.file, modules: [] })
  assert.deepEqual([config.domains, config.dataDir], [['example.org'], join(folder, 'a/data')])
  assert.equal(statSync(done.file).mode & 0o777, 0o600)
  assert.match(done.out, /SRV +_xmpp-client\._tcp\.example\.org +5 +5 +5222 +xmpp\.example\.org/)
  assert.match(done.out, /parley user add ana@example\.org --admin --config /)
})

test('takes flags, and never overwrites', async () => {
  const words = [
    '--domain',
    'chat.example',
    '--data',
    '/srv/parley',
    '--database',
    'postgres://a@c/d',
    '--certificate',
    'c.pem',
    '--key',
    'k.pem',
  ]
  const done = await init('b/b.toml', words)
  assert.deepEqual([done.code, done.error], [0, ''])
  const { config } = loadConfig({ file: done.file, modules: [] })
  assert.equal(config.database.url, 'postgres://a@c/d')
  assert.deepEqual(config.hosts.get('chat.example')?.tls, {
    certificate: join(folder, 'b/c.pem'),
    key: join(folder, 'b/k.pem'),
  })
  const before = done.text()
  const again = await init('b/b.toml', ['--domain', 'other.example'])
  assert.equal(again.code, 1)
  assert.match(again.error, /exists already; nothing was changed/)
  assert.equal(again.text(), before)
})

test('wrong flags are wrong usage, and an end of input writes nothing', async () => {
  for (const [words, complaint] of [
    [['--domain', 'a b'], /"a b" is not a domain name/],
    [['--certificate', 'c.pem'], /go together/],
    [['--database', 'postgres://a:b@c/d'], /everyone on this machine can read a password/],
    [['--compose', '--data', '/srv'], /without containers/],
    [['--compose', '--certificate', 'a/c.pem', '--key', 'b/k.pem'], /two folders/],
    [['--listen', '5222'], /--listen: "5222" has no address/],
    [['--user', 'a b'], /is not an address/],
  ] as const) {
    const { code, error, text } = await init('c/c.toml', [...words])
    assert.equal(code, 2)
    assert.match(error, complaint)
    assert.throws(text)
  }
  const nowhere = await init('c/c.toml', [], undefined, { PARLEY_SETUP: join(folder, 'nowhere') })
  assert.deepEqual(
    [nowhere.code, nowhere.error.split('\n')[0]],
    [2, `parley: there is no folder ${folder}/nowhere`],
  )
  assert.throws(nowhere.text)
  const stopped = await init('c/c.toml', [], [])
  assert.deepEqual([stopped.code, stopped.error], [2, 'parley: stopped: nothing was written'])
})

test('for containers: all that is needed, the secrets for the server alone', async () => {
  const done = await init('compose/parley.toml', [
    '--compose',
    '--domain',
    'example.org',
    '--ipv4',
    '192.0.2.1',
  ])
  const inside = (name: string) => join(folder, 'compose', name)
  const mode = (name: string) => (statSync(inside(name)).mode & 0o777).toString(8)
  assert.deepEqual([done.code, done.error], [0, ''])
  assert.deepEqual(readdirSync(join(folder, 'compose')).sort(), [
    'README.txt',
    'compose.yaml',
    'data',
    'dns.zone',
    'init.log',
    'parley.toml',
    'secrets',
  ])
  assert.deepEqual(
    ['parley.toml', 'secrets', 'secrets/database_password', 'data', 'compose.yaml', 'README.txt'].map(mode),
    ['600', '700', '600', '700', '644', '644'],
  )
  const { uid, gid } = statSync(inside('data'))
  for (const name of ['secrets/database_password', 'parley.toml', 'secrets'])
    assert.deepEqual([statSync(inside(name)).uid, statSync(inside(name)).gid], [uid, gid])
  assert.notEqual(uid, 0)
  const password = readFileSync(inside('secrets/database_password'), 'utf8')
  assert.match(password, /^[0-9a-f]{48}\n$/)
  assert.equal(
    done.text().replace(/^#.*\n/, ''),
    `domain = "example.org"

[database]
url = "postgres://parley@database/parley"
password_file = "/run/secrets/database_password"
`,
  )
  const compose = readFileSync(inside('compose.yaml'), 'utf8')
  for (const line of [
    'image: parley:1.2.3',
    `user: '${uid}:${gid}'`,
    'read_only: true',
    'cap_drop: [ALL]',
    '- ./data:/data',
    '- ./parley.toml:/etc/parley/parley.toml:ro',
    'PARLEY_CONFIG: /etc/parley/parley.toml',
    'secrets: [database_password]',
    'database_password: { file: ./secrets/database_password }',
    'database: { condition: service_healthy }',
  ])
    assert.ok(compose.includes(line), line)
  assert.ok(!compose.includes(password.trim()))
  assert.match(readFileSync(inside('dns.zone'), 'utf8'), /^example\.org\. 3600 IN A 192\.0\.2\.1$/m)
  assert.match(
    readFileSync(inside('init.log'), 'utf8'),
    /^2030-01-01T00:00:00\.000Z parley 1\.2\.3 init: Wrote parley\.toml data\/ secrets\/database_password compose\.yaml dns\.zone README\.txt\n$/,
  )
  assert.match(
    done.out,
    /docker compose up -d\n.*docker compose exec parley parley user add admin@example\.org --admin/,
  )
})

test('a second run adds only what is missing, and asks nothing that the file says', async () => {
  const words = ['--compose', '--domain', 'example.org']
  await init('again/parley.toml', words)
  const inside = (name: string) => join(folder, 'again', name)
  const before = readFileSync(inside('secrets/database_password'), 'utf8')
  writeFileSync(inside('README.txt'), 'mine')
  rmSync(inside('compose.yaml'))
  const done = await init('again/parley.toml', [], ['', 'ben'], { PARLEY_SETUP: join(folder, 'again') })
  assert.equal(done.code, 0)
  assert.deepEqual(done.questions, [
    'Host that will run the server [example.org]: ',
    'Your user name [admin]: ',
  ])
  assert.match(
    done.out,
    /^Wrote {2}compose\.yaml\nKept {3}parley\.toml {2}secrets\/database_password {2}dns\.zone {2}README\.txt\n/,
  )
  assert.match(done.out, /user add ben@example\.org/)
  assert.match(readFileSync(inside('compose.yaml'), 'utf8'), /^ {2}database:$/m)
  assert.equal(readFileSync(inside('README.txt'), 'utf8'), 'mine')
  assert.equal(readFileSync(inside('secrets/database_password'), 'utf8'), before)
  assert.equal(readFileSync(inside('init.log'), 'utf8').split('\n').length, 3)
})

test('for containers with a database elsewhere and a certificate', async () => {
  const secret = join(folder, 'their-password')
  writeFileSync(secret, 'pencil\n')
  const words = `--compose --domain localhost --database postgres://ana@db.example/chat --database-password-file ${secret}`
  const certificate = '--certificate /etc/tls/full.pem --key /etc/tls/key.pem'
  const done = await init('elsewhere/parley.toml', `${words} ${certificate}`.split(' '))
  assert.deepEqual([done.code, done.error], [0, ''])
  const inside = (name: string) => readFileSync(join(folder, 'elsewhere', name), 'utf8')
  assert.match(done.text(), /certificate = "\/certs\/full\.pem"\nkey = "\/certs\/key\.pem"/)
  assert.match(done.text(), /url = "postgres:\/\/ana@db\.example\/chat"\npassword_file = "\/run\/secrets/)
  assert.equal(inside('secrets/database_password'), 'pencil\n')
  assert.match(inside('compose.yaml'), /- "\/etc\/tls:\/certs:ro"/)
  assert.doesNotMatch(inside('compose.yaml'), /postgres:18|depends_on/)
  // Nothing to say about DNS.
  assert.throws(() => inside('dns.zone'))
})
