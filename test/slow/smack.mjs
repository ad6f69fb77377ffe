/**
 * Smack's integration tests, unmodified: `node test/slow/smack.mjs [--server parley|prosody]`. What smack/passes.txt lists must
 * pass; the other tests need features that are not there. CLIENTS_DIR/smack holds the jars (install.sh).
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startServer } from './server.mjs'

const { values } = parseArgs({ options: { server: { type: 'string', default: 'parley' } } })
const mustPass = readFileSync(join(import.meta.dirname, 'smack/passes.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

const folder = mkdtempSync(join(tmpdir(), 'smack-'))
let failed = 0
const address = await freeAddress()
// It keeps one connection that never logs in, to make its accounts with.
const set = [
  'modules.registration.enabled=true',
  'modules.registration.attempts=off',
  'limits.login_timeout=off',
  // Its clients question each other without sharing presence.
  'modules.strangers.enabled=false',
  // It looks for the rooms that it has made in the list of rooms.
  'modules.rooms.public=true',
]
const server = await startServer(values.server, join(folder, 'server'), { address, port: 5222, set })
try {
  const first = await play('first.log')
  // Its time-outs are fixed, and its tests disturb each other: what failed gets two more chances, among fewer.
  const tries = [first]
  for (const log of ['second.log', 'third.log']) {
    const missing = mustPass.filter((name) => !tries.some(({ succeeded }) => succeeded.has(name)))
    if (missing.length === 0) break
    const classes = new Set(missing.map((name) => name.split('.')[0]))
    tries.push(await play(log, { enabledTests: [...classes].join(',') }))
  }
  for (const name of mustPass) {
    const good = tries.some(({ succeeded }) => succeeded.has(name))
    if (!good) failed += 1
    console.log(`${good ? 'ok' : 'not ok'} smack: ${name}`)
  }
  for (const name of first.succeeded)
    if (!mustPass.includes(name)) console.log(`  passes, and is not listed in passes.txt: ${name}`)
  for (const name of first.failed) if (!mustPass.includes(name)) console.log(`  skipped: ${name}`)
  if (failed > 0) console.log(`--- ${tries.at(-1).tail}\n--- the server's last words\n${server.tail()}`)
} finally {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
}
process.exit(failed > 0 ? 1 : 0)

/** One run of the framework; tells which tests succeeded and which did not. */
async function play(log, more = {}) {
  const settings = {
    service: server.domain,
    host: address,
    securityMode: 'required',
    replyTimeout: 10_000,
    dnsResolver: 'javax',
    // Its WebSocket transport needs a server that has one.
    enabledConnections: 'tcp',
    defaultConnection: 'tcp',
    ...more,
  }
  const trust = trustStore()
  const args = [
    ...Object.entries(settings).map(([name, value]) => `-Dsinttest.${name}=${value}`),
    `-Djavax.net.ssl.trustStore=${trust}`,
    '-Djavax.net.ssl.trustStorePassword=changeit',
    `-Djava.io.tmpdir=${folder}`,
    `-Duser.home=${folder}`,
    '-cp',
    join(process.env.CLIENTS_DIR, 'smack/*'),
    'org.igniterealtime.smack.inttest.SmackIntegrationTestFramework',
  ]
  const output = openSync(join(folder, log), 'w')
  const child = spawn('java', args, { cwd: folder, stdio: ['ignore', output, output] })
  const late = setTimeout(() => child.kill('SIGKILL'), 280_000)
  await new Promise((resolve) => child.once('exit', resolve))
  clearTimeout(late)
  const text = readFileSync(join(folder, log), 'utf8')
  const named = (pattern) => new Set([...text.matchAll(pattern)].map(([, name]) => name))
  return {
    succeeded: named(/^INFO: (\S+) \(.*\) Success$/gm),
    failed: named(/^SEVERE: (\S+) \(.*\) Failed$/gm),
    tail: text.slice(-6000),
  }
}

/** The certificate of the server as Java wants it. */
function trustStore() {
  const [certificate, store] = [join(folder, 'certificate.pem'), join(folder, 'trust.p12')]
  rmSync(store, { force: true })
  execFileSync('openssl', ['x509', '-in', server.ca, '-out', certificate])
  const keep = ['-storetype', 'PKCS12', '-keystore', store, '-storepass', 'changeit']
  execFileSync('keytool', ['-importcert', '-noprompt', '-file', certificate, '-alias', 'server', ...keep], {
    stdio: 'ignore',
  })
  return store
}

/** The framework knows no port but 5222: a loopback address on which nobody listens there. */
async function freeAddress() {
  for (let last = 77; last < 127; last += 1) {
    const taken = await new Promise((resolve) => {
      const socket = connect({ host: `127.0.0.${last}`, port: 5222 })
      socket.once('connect', () => resolve(true) || socket.destroy())
      socket.once('error', () => resolve(false))
    })
    if (!taken) return `127.0.0.${last}`
  }
  throw new Error('port 5222 is taken on 50 loopback addresses')
}
