/**
 * Our resolver behind a real validating one: unbound, with zones that ldns has signed. `node test/slow/dnssec.mjs`, as one
 * line for each check. Needs a build in dist/, unbound and ldnsutils.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realClock } from '../../dist/src/base/clock.js'
import { systemRandom } from '../../dist/src/base/random.js'
import { Resolver } from '../../dist/src/dns/resolver.js'
import { findPeer } from '../../dist/src/s2s/find.js'
import { check } from './check.mjs'

const folder = mkdtempSync(join(tmpdir(), 'dnssec-'))
chmodSync(folder, 0o711)
const path = `${process.env.PATH}:/usr/sbin:/usr/bin`
const port = await freePort()

/** Names below `x.example`; every zone has these. */
const records = `
@                  SOA  ns hostmaster 1 3600 600 86400 60
@                  NS   ns
ns                 A    127.0.0.1
@                  CAA  0 issue "ca.example"
xmpp               A    192.0.2.1
xmpp               AAAA 2001:db8::1
_xmpp-server._tcp  SRV  5 5 5269 xmpp
_xmpps-server._tcp SRV  0 0 0 .
_5269._tcp.xmpp    TLSA 3 1 1 ${'ab'.repeat(32)}
`
const zones = {
  signed: `${records}away CNAME xmpp.unsigned.example.\nmany TXT x\n${Array.from({ length: 90 }, (_, i) => `many A 192.0.2.${i}`).join('\n')}\n`,
  unsigned: `${records}home CNAME xmpp.signed.example.\n`,
  tampered: records,
}

const anchors = []
for (const [name, text] of Object.entries(zones)) {
  const file = join(folder, `${name}.zone`)
  writeFileSync(file, `$ORIGIN ${name}.example.\n$TTL 300\n${text}`)
  if (name === 'unsigned') continue
  const key = run('ldns-keygen', '-a', 'ECDSAP256SHA256', '-k', `${name}.example`).trim()
  run('ldns-signzone', '-f', file, file, join(folder, key))
  anchors.push(readFileSync(join(folder, `${key}.ds`), 'utf8').trim())
}
const tampered = join(folder, 'tampered.zone')
const changed = [
  ['192.0.2.1', '192.0.2.66'],
  ['2001:db8::1', '2001:db8::66'],
  ['5 5 5269', '5 5 6666'],
]
writeFileSync(
  tampered,
  changed.reduce((text, [was, is]) => text.replaceAll(was, is), readFileSync(tampered, 'utf8')),
)

writeFileSync(
  join(folder, 'unbound.conf'),
  `server:
  directory: "${folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1@${port}
  do-ip6: no
  module-config: "validator iterator"
${anchors.map((anchor) => `  trust-anchor: "${anchor.replaceAll('\t', ' ')}"`).join('\n')}
remote-control:
  control-enable: no
${Object.keys(zones)
  .map(
    (name) =>
      `auth-zone:\n  name: "${name}.example."\n  zonefile: "${name}.zone"\n  for-downstream: no\n  for-upstream: yes\n  fallback-enabled: no`,
  )
  .join('\n')}
`,
)
// A copy: where AppArmor is on, the one of the system may only read what is in /etc/unbound.
copyFileSync('/usr/sbin/unbound', join(folder, 'unbound'))
const unbound = spawn(join(folder, 'unbound'), ['-d', '-p', '-c', join(folder, 'unbound.conf')], {
  env: { ...process.env, PATH: path },
  stdio: ['ignore', 'ignore', 'pipe'],
})
let errors = ''
unbound.stderr.on('data', (data) => (errors += data))
unbound.on('error', (error) => (errors += error))

const resolver = new Resolver({
  servers: () => [{ host: '127.0.0.1', port }],
  timeout: () => 5000,
  clock: realClock,
  random: systemRandom,
  hostsFile: false,
})
const find = (domain) => findPeer(domain, { resolver, random: systemRandom })

let failed = 0
const log = console.log
console.log = (line) => {
  if (line.startsWith('not ok')) failed += 1
  log(line)
}
try {
  await check('unbound answers', ready)
  await check('records of a signed zone are secure, every type', async () => {
    for (const question of [
      resolver.srv('_xmpp-server._tcp.signed.example'),
      resolver.addresses('xmpp.signed.example'),
      resolver.tlsa('_5269._tcp.xmpp.signed.example'),
      resolver.caa('signed.example'),
    ])
      assert.equal((await question).secure, true)
    const [tlsa] = (await resolver.tlsa('_5269._tcp.xmpp.signed.example')).records
    assert.equal(tlsa.data.toString('hex'), 'ab'.repeat(32))
  })
  await check('those of an unsigned zone are there, and are not', async () => {
    assert.equal((await resolver.srv('_xmpp-server._tcp.unsigned.example')).secure, false)
    assert.equal((await resolver.addresses('xmpp.unsigned.example')).secure, false)
    assert.equal((await resolver.tlsa('_5269._tcp.xmpp.unsigned.example')).secure, false)
  })
  await check('absence is proved in a signed zone only', async () => {
    await assert.rejects(resolver.tlsa('_1._tcp.xmpp.signed.example'), {
      code: 'NXDOMAIN',
      more: { secure: true },
    })
    await assert.rejects(resolver.srv('xmpp.signed.example'), { code: 'NODATA', more: { secure: true } })
    await assert.rejects(resolver.srv('gone.unsigned.example'), { code: 'NXDOMAIN', more: { secure: false } })
  })
  await check('wrong signatures are a failure that may pass, never an answer', async () => {
    await assert.rejects(resolver.addresses('xmpp.tampered.example'), { code: 'SERVFAIL', temporary: true })
    await assert.rejects(find('tampered.example'), {
      name: 'FindError',
      condition: 'remote-server-timeout',
      reason: 'SERVFAIL',
      question: '_xmpp-server._tcp.tampered.example SRV',
    })
  })
  await check('a chain of aliases is as secure as its weakest link', async () => {
    const away = await resolver.addresses('away.signed.example')
    assert.deepEqual([away.secure, away.canonical], [false, 'xmpp.unsigned.example'])
    const home = await resolver.addresses('home.unsigned.example')
    assert.deepEqual([home.secure, home.canonical], [false, 'xmpp.signed.example'])
  })
  await check('an answer that needs TCP is secure, too', async () => {
    const { records, secure } = await resolver.addresses('many.signed.example')
    assert.deepEqual([records.length, secure], [90, true])
  })
  await check('the way to a peer is secure when its SRV records are', async () => {
    assert.deepEqual(await find('signed.example'), [
      { host: 'xmpp.signed.example', port: 5269, tls: 'starttls', source: 'srv', secure: true },
    ])
    assert.deepEqual(await find('unsigned.example'), [
      { host: 'xmpp.unsigned.example', port: 5269, tls: 'starttls', source: 'srv', secure: false },
    ])
    assert.deepEqual(await find('xmpp.signed.example'), [
      { host: 'xmpp.signed.example', port: 5269, tls: 'starttls', source: 'fallback', secure: true },
    ])
  })
} finally {
  resolver.close()
  const ended = new Promise((resolve) => unbound.once('close', resolve))
  if (unbound.exitCode === null && unbound.kill()) await ended
  rmSync(folder, { recursive: true, force: true })
}
if (failed > 0) log(`--- unbound's last words\n${errors.slice(-4000)}\n---`)
process.exit(failed > 0 ? 1 : 0)

async function ready() {
  for (let left = 50; ; left--) {
    try {
      return await resolver.addresses('ns.unsigned.example')
    } catch (error) {
      if (left === 0 || unbound.exitCode !== null) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

function run(command, ...words) {
  return execFileSync(command, words, { cwd: folder, env: { ...process.env, PATH: path }, encoding: 'utf8' })
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port: free } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return free
}
