import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ctl } from '../../../src/admin/ctl.js'
import { loadConfig } from '../../../src/config/load.js'
import { environment, FakeTerminal } from './stage.js'

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-init-'))
})
after(() => rmSync(folder, { recursive: true }))

async function init(name: string, words: string[], answers?: string[]) {
  const file = join(folder, name)
  const terminal = answers ? new FakeTerminal(answers) : new FakeTerminal()
  const code = await ctl(['init', '--config', file, ...words], environment({ terminal }))
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
    'a.toml',
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
  assert.deepEqual([config.domains, config.dataDir], [['example.org'], join(folder, 'data')])
  assert.equal(statSync(done.file).mode & 0o777, 0o600)
  assert.match(done.out, /SRV +_xmpp-client\._tcp\.example\.org +5 5 5222 xmpp\.example\.org/)
  assert.match(done.out, /parley user add ana@example\.org --config /)
})

test('takes flags, and never overwrites', async () => {
  const words = [
    '--domain',
    'chat.example',
    '--data',
    '/srv/parley',
    '--database',
    'postgres://a:b@c/d',
    '--certificate',
    'c.pem',
    '--key',
    'k.pem',
  ]
  const done = await init('b.toml', words)
  assert.deepEqual([done.code, done.error], [0, ''])
  const { config } = loadConfig({ file: done.file, modules: [] })
  assert.equal(config.database.url, 'postgres://a:b@c/d')
  assert.deepEqual(config.hosts.get('chat.example')?.tls, {
    certificate: join(folder, 'c.pem'),
    key: join(folder, 'k.pem'),
  })
  const before = done.text()
  const again = await init('b.toml', ['--domain', 'other.example'])
  assert.equal(again.code, 1)
  assert.match(again.error, /exists already; nothing was changed/)
  assert.equal(again.text(), before)
})

test('wrong flags are wrong usage, and an end of input writes nothing', async () => {
  for (const [words, complaint] of [
    [['--domain', 'a b'], /"a b" is not a domain name/],
    [['--certificate', 'c.pem'], /go together/],
    [['--listen', '5222'], /--listen: "5222" has no address/],
    [['--user', 'a b'], /is not an address/],
  ] as const) {
    const { code, error, text } = await init('c.toml', [...words])
    assert.equal(code, 2)
    assert.match(error, complaint)
    assert.throws(text)
  }
  const stopped = await init('c.toml', [], [])
  assert.deepEqual([stopped.code, stopped.error], [2, 'parley: stopped: nothing was written'])
})
