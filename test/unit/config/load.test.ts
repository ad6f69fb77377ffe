import assert from 'node:assert/strict'
import { test } from 'node:test'
import { duration, flag, options, text } from '../../../src/base/schema.js'
import { explain } from '../../../src/config/files.js'
import type { FileAccess } from '../../../src/config/files.js'
import { loadConfig } from '../../../src/config/load.js'
import type { ConfigSource, LoadedConfig } from '../../../src/config/load.js'
import { ConfigError } from '../../../src/config/problems.js'
import { newAuthority } from '../../support/test-ca.js'
import { compareSettings, printReload } from '../../../src/config/settings.js'

const modules = [
  { name: 'ping', summary: 'Answers pings', options: options({}) },
  {
    name: 'last-activity',
    summary: 'Tells how long an account has been away',
    options: options({
      tellStatus: flag(true, 'Also tell the last status text.'),
      keepFor: duration('30d', 'How long.'),
    }),
  },
  {
    name: 'registration',
    summary: 'Lets people register',
    options: options({ title: text('Welcome', 'Says hello.') }),
    enabled: false,
  },
]

/** Answers at a domain of its own. */
const hall = {
  name: 'hall',
  summary: 'Lets people meet',
  options: options({ at: text('', 'Where.') }),
  serviceDomains: (domain: string, { at }: Readonly<Record<string, unknown>>) => [
    at === '' ? `hall.${domain}` : String(at),
  ],
}

/** Files in memory: text, or the error that reading them gives. */
function inMemory(
  files: Record<string, string | { code: string; mode?: number }>,
  modes: Record<string, number> = {},
) {
  const access: FileAccess = {
    folder: '/home/ana',
    uid: 10001,
    read(file) {
      const there = files[file]
      if (typeof there === 'string') return there
      throw Object.assign(new Error('no'), { code: there?.code ?? 'ENOENT' })
    },
    list: (folder) =>
      Object.keys(files)
        .filter((file) => file.startsWith(`${folder}/`))
        .map((file) => file.slice(folder.length + 1)),
    stat: (file) => (file in files ? { mode: modes[file] ?? 0o600, uid: 0 } : undefined),
    explain: (file, error) => explain(access, file, error),
  }
  return access
}

/** Loads `toml` as parley.toml; the rest is as given. */
function load(toml?: string, more: Partial<ConfigSource> = {}): LoadedConfig {
  const files = more.files ?? inMemory(toml === undefined ? {} : { 'parley.toml': toml })
  return loadConfig({ file: toml === undefined ? undefined : 'parley.toml', modules, ...more, files })
}

/** The report that loading fails with. */
function report(toml?: string, more: Partial<ConfigSource> = {}): string {
  try {
    load(toml, more)
  } catch (fault) {
    if (fault instanceof ConfigError) return fault.message
    throw fault
  }
  throw new assert.AssertionError({ message: 'the configuration was taken' })
}

const oneError = '1 error: not started, nothing changed'

test('with nothing at all: localhost, the embedded database, ./data', () => {
  const { config, warnings } = load()
  assert.deepEqual(warnings, [])
  assert.deepEqual(config.domains, ['localhost'])
  assert.equal(config.dataDir, '/home/ana/data')
  assert.equal(config.database.url, undefined)
  assert.deepEqual(config.listen, {
    c2s: [{ host: '::', port: 5222 }],
    c2sTls: [{ host: '::', port: 5223 }],
    c2sPlain: [],
    s2s: [{ host: '::', port: 5269 }],
    s2sTls: [{ host: '::', port: 5270 }],
    component: [{ host: '127.0.0.1', port: 5347 }],
    management: [{ host: '127.0.0.1', port: 5280 }],
    clientCa: undefined,
    adminSocket: '/home/ana/data/parley.sock',
  })
  assert.equal(config.limits.c2sStanzaSize, 262_144)
  assert.deepEqual(config.limits.c2sRate, { count: 20_000, per: 1000 })
  assert.equal(config.limits.loginTimeout, 30_000)
  assert.equal(config.auth.iterations, 10_000)
  assert.equal(config.auth.mechanisms[0], 'SCRAM-SHA-512-PLUS')
  const host = config.hosts.get('localhost')
  assert.equal(host?.tls, undefined)
  assert.deepEqual(host?.modules.get('ping'), { enabled: true, options: {} })
  assert.equal(host?.modules.get('registration')?.enabled, false)
})

test('other servers and components, under prepared names', () => {
  const { config } = load(`
[s2s.domain."Example.NET"]
policy = "dialback-ok"
address = "192.0.2.7:5269"
[component."irc.localhost"]
secret = "wherefore"
`)
  assert.equal(config.s2s.policy, 'required')
  assert.deepEqual(config.s2s.domain.get('example.net'), {
    policy: 'dialback-ok',
    address: { host: '192.0.2.7', port: 5269 },
    tls: 'starttls',
  })
  assert.equal(config.component.get('irc.localhost')?.secret, 'wherefore')
})

test('domains of services are known, those of modules that run', () => {
  const { config } = load("domains = ['a.test', 'b.test']\n[host.'b.test'.modules.hall]\nenabled = false", {
    modules: [...modules, hall],
  })
  assert.deepEqual(config.hosts.get('a.test')?.services, ['hall.a.test'])
  assert.deepEqual(config.hosts.get('b.test')?.services, [])
})

test('one domain of a service is not for two hosts, nor for something else besides', () => {
  const taken = { modules: [...modules, hall] }
  assert.equal(
    report("domains = ['a.test', 'b.test']\n[modules.hall]\nat = 'hall.a.test'", taken),
    `parley.toml:2:10  modules.hall on b.test cannot answer at hall.a.test: that is where module hall of a.test answers
   give it another domain in host."b.test".modules.hall, or write enabled = false there
1 error: not started, nothing changed`,
  )
  assert.match(
    report("domains = ['a.test', 'hall.a.test']", taken),
    /^modules\.hall on a\.test cannot answer at hall\.a\.test: that is a domain of this server itself$/m,
  )
  assert.match(
    report("domain = 'a.test'\n[component.'hall.a.test']\nsecret = 'long enough to be one'", taken),
    /cannot answer at hall\.a\.test: that is the component of component\."hall\.a\.test"$/m,
  )
})

test('a component cannot serve a domain of this server, nor come from afar', () => {
  const wrong = `
[listen]
component = "192.0.2.7:5347"
[component.localhost]
secret = "wherefore"
`
  assert.match(report(wrong), /component\.localhost is a domain of this server itself/)
  assert.match(report(wrong), /is not a loopback address: components connect without TLS/)
})

test('a file for two domains, with its own folder for file names', () => {
  const toml = `
domain = "Example.org"
domains = ["chat.example"]
[listen]
c2s = ["127.0.0.1:5222", "[::1]:5222"]
c2s_tls = "off"
c2s_plain = "127.0.0.1:5225"
[tls]
certificate = "tls/all.pem"
key = "tls/all.key"
[host."chat.example".tls]
certificate = "/etc/chat.pem"
key = "/etc/chat.key"
[limits]
c2s_rate = "off"
depth = 64
[modules.last-activity]
keep_for = "7d"
[host."chat.example".modules.last-activity]
tell_status = false
[host."chat.example".modules.registration]
enabled = true
`
  const { config } = load(undefined, {
    file: '/etc/parley/parley.toml',
    files: inMemory({ '/etc/parley/parley.toml': toml }),
  })
  assert.deepEqual(config.domains, ['example.org', 'chat.example'])
  assert.deepEqual(config.listen.c2s, [
    { host: '127.0.0.1', port: 5222 },
    { host: '::1', port: 5222 },
  ])
  assert.deepEqual(config.listen.c2sTls, [])
  assert.deepEqual(config.hosts.get('example.org')?.tls, {
    certificate: '/etc/parley/tls/all.pem',
    key: '/etc/parley/tls/all.key',
  })
  assert.equal(config.hosts.get('chat.example')?.tls?.key, '/etc/chat.key')
  assert.equal(config.limits.c2sRate.count, Infinity)
  const activity = (domain: string) => config.hosts.get(domain)?.modules.get('last-activity')?.options
  assert.deepEqual(activity('example.org'), { tellStatus: true, keepFor: 7 * 86_400_000 })
  assert.deepEqual(activity('chat.example'), { tellStatus: false, keepFor: 7 * 86_400_000 })
  assert.equal(config.hosts.get('chat.example')?.modules.get('registration')?.enabled, true)
  assert.equal(config.hosts.get('example.org')?.modules.get('registration')?.enabled, false)
})

test('domains without domain leave localhost out', () => {
  assert.deepEqual(load('domains = ["a.example", "b.example", "a.example"]').config.domains, [
    'a.example',
    'b.example',
  ])
})

test('layers: defaults < file < conf.d in order < environment < --set', () => {
  const files = inMemory({
    'parley.toml': '[log]\nlevel = "error"\n[limits]\ndepth = 20\nelements = 200\nattributes = 20\n',
    'conf.d/10-a.toml': 'limits.elements = 300\nlimits.attributes = 30',
    'conf.d/20-b.toml': 'limits.attributes = 40\n',
    'conf.d/readme.txt': 'not read',
  })
  const {
    config,
    settings,
    files: read,
  } = load(undefined, {
    file: 'parley.toml',
    files,
    env: { PARLEY_LIMITS__NAMESPACES: '77', PARLEY_LOG__LEVEL: 'debug', HOME: '/root' },
    set: ['log.level=trace'],
  })
  assert.deepEqual(read, ['parley.toml', 'conf.d/10-a.toml', 'conf.d/20-b.toml'])
  const { depth, elements, attributes, namespaces } = config.limits
  assert.deepEqual([depth, elements, attributes, namespaces, config.log.level], [20, 300, 40, 77, 'trace'])
  const origin = (name: string) => settings.find((setting) => setting.name === name)?.origin
  assert.equal(origin('limits.depth'), 'parley.toml:4')
  assert.equal(origin('limits.elements'), 'conf.d/10-a.toml:1')
  assert.equal(origin('limits.namespaces'), 'env PARLEY_LIMITS__NAMESPACES')
  assert.equal(origin('log.level'), '--set log.level')
  assert.equal(origin('log.format'), 'default')
})

test('names of the environment follow the path, with lists, modules and domains', () => {
  const { config } = load('domains = ["a.example"]\n[host."a.example"]', {
    env: {
      PARLEY_DOMAINS: 'a.example,b.example',
      PARLEY_LISTEN__C2S: '["127.0.0.1:1","[::1]:2"]',
      PARLEY_MODULES__LAST_ACTIVITY__TELL_STATUS: 'off',
      PARLEY_HOST__A_EXAMPLE__TLS__CERTIFICATE: 'a.pem',
      PARLEY_HOST__A_EXAMPLE__TLS__KEY: '/a.key',
      PARLEY_CONFIG: 'ignored',
      PARLEY_DEBUG: '1',
    },
  })
  assert.deepEqual(config.domains, ['a.example', 'b.example'])
  assert.deepEqual(config.listen.c2s, [
    { host: '127.0.0.1', port: 1 },
    { host: '::1', port: 2 },
  ])
  assert.deepEqual(config.hosts.get('a.example')?.tls, { certificate: '/home/ana/a.pem', key: '/a.key' })
  assert.equal(config.hosts.get('b.example')?.modules.get('last-activity')?.options['tellStatus'], false)
})

test('DATABASE_URL is understood, our own name goes before it', () => {
  const env = { DATABASE_URL: 'postgres://a@b/c' }
  assert.equal(load(undefined, { env }).config.database.url, 'postgres://a@b/c')
  assert.equal(load('[database]\nurl = "postgres://x@y/z"', { env }).config.database.url, 'postgres://a@b/c')
  const both = { ...env, PARLEY_DATABASE__URL: 'postgres://own@b/c' }
  assert.equal(load(undefined, { env: both }).config.database.url, 'postgres://own@b/c')
})

test('unknown keys are errors at their place, with what was meant', () => {
  assert.equal(
    report('domain = "example.org"\n\n[limits]\nc2s_stanza_sise = "1MB"\n[limitz]\na = 1\n'),
    `parley.toml:4:1  unknown key  limits.c2s_stanza_sise
   did you mean  limits.c2s_stanza_size ?
parley.toml:5:2  unknown key  limitz
   did you mean  limits ?
2 errors: not started, nothing changed`,
  )
  assert.equal(
    report('c2s_rate = "1KB/s"'),
    `parley.toml:1:1  unknown key  c2s_rate\n   did you mean  limits.c2s_rate ?\n${oneError}`,
  )
  assert.equal(
    report('[modules.pong]'),
    `parley.toml:1:10  unknown key  modules.pong\n   did you mean  modules.ping ?\n${oneError}`,
  )
  assert.match(report('[log]\nqqqqqqqqq = 1'), /\n {3}known here: level, format, addresses, users\n/)
})

test('values without unit, out of range or of another kind, at the place of the value', () => {
  assert.equal(
    report('[limits]\nlogin_timeout = 30\nc2s_rate   = 20\ndepth = 5000\n[log]\nlevel = "verbose"\n'),
    `parley.toml:2:17  limits.login_timeout = 30  has no unit
   write a duration such as "30d" or "12h", or "off"
parley.toml:3:14  limits.c2s_rate = 20  has no unit
   write a rate such as "20KB/s", or "off"
parley.toml:4:9  limits.depth = 5000  is not from 16 to 1000
   write a whole number from 16 to 1000
parley.toml:6:9  log.level = "verbose"  is not one of "error", "warn", "info", "debug", "trace"
   write one of "error", "warn", "info", "debug", "trace"
4 errors: not started, nothing changed`,
  )
  assert.equal(
    report('listen = "here"\n'),
    `parley.toml:1:10  listen is not a table\n   write [listen] and its keys below\n${oneError}`,
  )
  assert.equal(
    report('domains = ["a.example", "b c"]'),
    `parley.toml:1:11  domains = ["a.example", "b c"]: "b c" is not a domain name\n   write a domain such as "example.org"\n${oneError}`,
  )
})

test('TOML that cannot be parsed: line, column and what stands there', () => {
  const said = report('domain = "example.org"\nlog level = "info"\n', {
    env: { PARLEY_LIMITS__DEPTH: 'deep' },
  })
  assert.match(said, /^parley\.toml:2:\d+ {2}\S.*\n {3}.*log level.*\nenv PARLEY_LIMITS__DEPTH/)
  assert.match(said, /2 errors: not started/)
})

test('a file that is not there or may not be read', () => {
  assert.equal(
    report(undefined, { file: 'other.toml', files: inMemory({}) }),
    `other.toml  no such file\n   create it, or correct the path (seen from /home/ana)\n${oneError}`,
  )
  assert.equal(
    report(undefined, { file: 'x.toml', files: inMemory({ 'x.toml': { code: 'EACCES' } }) }),
    `x.toml  cannot read (owner root, mode 600; running as 10001)\n   fix  chmod 640 and chgrp 10001, or set uid in the compose secret\n${oneError}`,
  )
})

test('unknown names of the environment and of --set, values that do not fit', () => {
  assert.equal(
    report(undefined, {
      env: { PARLEY_LOG__LEVLE: 'info', PARLEY_LIMITS__LOGIN_TIMEOUT: '30', PARLEY_LOG: 'info' },
      set: ['log.levl=info', 'nonsense', 'limits.depth=many'],
    }),
    `env PARLEY_LIMITS__LOGIN_TIMEOUT = "30"  has no unit
   write a duration such as "30d" or "12h", or "off"
env PARLEY_LOG  no such setting
   names follow the path: PARLEY_LOG__LEVEL is log.level
env PARLEY_LOG__LEVLE  no such setting
   did you mean  PARLEY_LOG__LEVEL ?
--set log.levl  no such setting
   did you mean  log.level ?
--set nonsense  is not KEY=VALUE
   write --set log.level=debug
--set limits.depth = "many"  is not a whole number
   write a whole number from 16 to 1000
6 errors: not started, nothing changed`,
  )
})

test('a secret on the command line is refused; a URL without one, and the file of one, are not', () => {
  const set = ['database.password=pencil', 'database.url=postgres://parley:pencil@db/parley']
  const text = report(undefined, { set: [...set, 'component."irc.example.org".secret=pencil'] })
  assert.equal(
    text,
    `--set database.password  is a secret: on the command line everyone on this machine can read it
   write it into a file and give  --set database.password_file=FILE
--set database.url  is a secret: on the command line everyone on this machine can read it
   write it into a file and give  --set database.url_file=FILE
--set component."irc.example.org".secret  is a secret: on the command line everyone on this machine can read it
   write it into a file and give  --set component."irc.example.org".secret_file=FILE
3 errors: not started, nothing changed`,
  )
  const files = inMemory({ '/run/secrets/db': 'pencil\n' })
  const { config } = load(undefined, {
    files,
    set: ['database.url=postgres://parley@db/parley', 'database.password_file=/run/secrets/db'],
  })
  assert.equal(config.database.password, 'pencil')
})

test('a secret from a file: read without its line break, masked when shown', () => {
  const files = inMemory({ '/run/secrets/db': 'pencil\n' })
  const { config, settings } = load(undefined, {
    files,
    env: { PARLEY_DATABASE__PASSWORD_FILE: '/run/secrets/db' },
  })
  assert.equal(config.database.password, 'pencil')
  const shown = settings.find(({ path }) => path.at(-1) === 'password')
  assert.equal(shown?.name, 'database.password_file')
  assert.equal(shown?.shown, '"/run/secrets/db"')
  const url = load('[database]\nurl = "postgres://parley:pen:c@il@db/parley?password=x"').settings.find(
    ({ name }) => name === 'database.url',
  )
  assert.equal(url?.shown, '"postgres://parley:********@db/parley?password=********"')
})

test('a secret file that is missing, unreadable, empty, too long or open to all: each has its message', () => {
  const files = inMemory(
    {
      '/none': { code: 'EACCES' },
      '/empty': '\n',
      '/two': 'a\nb\n',
      '/open': 'pencil',
      '/spaced': ' pencil',
    },
    { '/open': 0o644 },
  )
  /** What is said of the secret; a second mistake makes warnings come out too. */
  const at = (file: string) =>
    report(undefined, { files, env: { PARLEY_DATABASE__PASSWORD_FILE: `/${file}` }, set: ['domain=b c'] })
      .split('\n--set')[0]
      ?.replaceAll(`/${file}`, file) ?? ''
  assert.equal(
    at('gone'),
    'env PARLEY_DATABASE__PASSWORD_FILE  gone: no such file\n   create it, or correct the path (seen from /home/ana)',
  )
  assert.equal(
    at('none'),
    'env PARLEY_DATABASE__PASSWORD_FILE  none: cannot read (owner root, mode 600; running as 10001)\n   fix  chmod 640 and chgrp 10001, or set uid in the compose secret',
  )
  assert.equal(
    at('empty'),
    'env PARLEY_DATABASE__PASSWORD_FILE  empty: is empty\n   write the secret into it, nothing else',
  )
  assert.equal(
    at('two'),
    'env PARLEY_DATABASE__PASSWORD_FILE  two: has more than one line\n   a secret is one line: remove the others',
  )
  assert.equal(
    at('open'),
    'env PARLEY_DATABASE__PASSWORD_FILE  open: everyone on this machine can read it   (warning)\n   fix  chmod 640 open',
  )
  assert.match(at('spaced'), /begins or ends with a space/)
})

test('both forms of a secret in one layer are an error; a higher layer replaces the form of a lower one', () => {
  const files = inMemory({
    'parley.toml': '[database]\npassword = "a"\npassword_file = "/p"\n',
    '/p': 'from file',
  })
  assert.equal(
    report(undefined, { file: 'parley.toml', files }),
    `parley.toml:3:17  database.password_file and database.password are both set\n   keep one of them, best the file\n${oneError}`,
  )
  const one = inMemory({ 'parley.toml': '[database]\npassword = "a"\n', '/p': 'from file' })
  const { config } = load(undefined, {
    file: 'parley.toml',
    files: one,
    env: { PARLEY_DATABASE__PASSWORD_FILE: '/p' },
  })
  assert.equal(config.database.password, 'from file')
  const back = load(undefined, {
    file: 'parley.toml',
    files: inMemory({ 'parley.toml': '[database]\npassword_file = "/gone"\n' }),
    env: { PARLEY_DATABASE__PASSWORD: 'from env' },
  })
  assert.equal(back.config.database.password, 'from env')
})

test('values that do not go together', () => {
  assert.equal(
    report(`
domain = "example.org"
[listen]
c2s = "0.0.0.0:5222"
c2s_tls = "0.0.0.0:5222"
c2s_plain = ["127.0.0.1:1", "0.0.0.0:5225"]
[tls]
certificate = "a.pem"
[host."exmple.org"]
[host."example.org".tls]
key = "b.key"
`),
    `parley.toml:5:11  listen.c2s_tls uses port 5222, which listen.c2s has already
   give each its own port
parley.toml:6:13  listen.c2s_plain = "0.0.0.0:5225"  is not a loopback address: passwords would cross the network in clear text
   write "127.0.0.1:5225", or use listen.c2s, which has TLS
parley.toml:8:15  tls.certificate has no key
   write tls.key too
parley.toml:9:7  host."exmple.org" is not one of the served domains
   did you mean  host."example.org" ?
parley.toml:11:7  host."example.org".tls.key has no certificate
   write host."example.org".tls.certificate too
5 errors: not started, nothing changed`,
  )
})

test('a mistake in [modules] is told once, whatever the number of domains', () => {
  assert.equal(
    report(
      'domains = ["a.example", "b.example"]\n[modules.last-activity]\nkeep_for = 3\nkep = 1\n[host."a.example".modules.ping]\nx = 1',
    ),
    `parley.toml:3:12  modules.last-activity.keep_for = 3  has no unit
   write a duration such as "30d" or "12h"
parley.toml:4:1  unknown key  modules.last-activity.kep
   known here: enabled, tell_status, keep_for
parley.toml:6:1  unknown key  host."a.example".modules.ping.x
   known here: enabled
3 errors: not started, nothing changed`,
  )
})

test('keys named like parts of JavaScript objects are ordinary unknown keys', () => {
  for (const key of ['__proto__', 'constructor', 'toString'])
    assert.match(report(`${key} = 1`), new RegExp(`^parley\\.toml:1:1 {2}unknown key {2}${key}\\n`))
  assert.match(report('[host.__proto__.tls]\nkey = 3'), /host\.__proto__\.tls\.key = 3 {2}is not text/)
})

test('reload: what changed, and what it takes', () => {
  const before = load('[log]\nlevel = "info"\n[limits]\nc2s_rate = "20KB/s"\nidle_ping="5min"\n')
  const after = load(
    '[log]\nlevel = "debug"\n[limits]\nc2s_rate = "off"\nidle_ping="300s"\n[listen]\nc2s="[::]:6222"\n',
    {
      env: { PARLEY_DATABASE__PASSWORD: 'pencil' },
    },
  )
  const changes = compareSettings(before.settings, after.settings)
  assert.equal(
    printReload({ changes, notes: ['certificates unchanged'] }),
    `reloaded  log.level info->debug
reloaded  limits.c2s_rate 20KB/s->off (for connections from now on)
kept      listen.c2s [::]:5222->[::]:6222   database.password unset->******** (needs a restart)
certificates unchanged`,
  )
  assert.equal(
    printReload({ changes: compareSettings(after.settings, after.settings) }),
    'reloaded  nothing changed',
  )
})

test('a file of authorities that is missing, empty or damaged is told with its place', () => {
  const authority = newAuthority('Authority of the tests').pem
  const loaded = (ca?: string) =>
    report('s2s.ca_file = "ca.pem"', {
      files: inMemory({
        'parley.toml': 's2s.ca_file = "ca.pem"',
        ...(ca === undefined ? {} : { '/home/ana/ca.pem': ca }),
      }),
    })
  assert.equal(
    loaded(),
    `parley.toml:1:15  /home/ana/ca.pem: no such file\n   create it, or correct the path (seen from /home/ana)\n${oneError}`,
  )
  assert.equal(
    loaded('a key'),
    `parley.toml:1:15  /home/ana/ca.pem: there is no certificate in it\n   it must hold text that begins with -----BEGIN CERTIFICATE-----\n${oneError}`,
  )
  assert.equal(
    loaded(authority + authority.replace(/^.{64}$/m, '')),
    `parley.toml:1:15  /home/ana/ca.pem: certificate 2 in it is damaged\n   copy the file again\n${oneError}`,
  )
  const files = inMemory({ '/home/ana/ca.pem': authority })
  assert.equal(load(undefined, { set: ['s2s.ca_file=ca.pem'], files }).config.s2s.caFile, '/home/ana/ca.pem')
})
