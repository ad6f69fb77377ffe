/** A configuration and certificates that change under a running server: what is taken up, what waits, what is refused. */
import assert from 'node:assert/strict'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Authority } from '../unit/tls/issuer.js'
import { Client } from './support/client.js'
import { Parley, temporaryFolder } from './support/server.js'

const authority = new Authority('test authority')
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let server: Parley
before(async () => {
  folder = await temporaryFolder()
  certify(authority.issue({ names: ['example.org'] }))
  configure('[log]\nlevel = "info"\n')
  server = await Parley.start({ folder: folder.path })
  await server.add('romeo')
})
after(async () => {
  assert.equal((await server.stop()).code, 0)
  await folder.remove()
})

function configure(more: string): void {
  const tls = '[tls]\ncertificate = "certificate.pem"\nkey = "key.pem"\n'
  writeFileSync(join(folder.path, 'parley.toml'), `domain = "example.org"\n${tls}${more}`)
}

/** Replaces both files as certificate tools do: written aside and moved over the old. */
function certify({ certificate, key }: { certificate: string; key: string }): void {
  for (const [name, text] of [
    ['key.pem', key],
    ['certificate.pem', certificate],
  ] as const) {
    writeFileSync(join(folder.path, `${name}.new`), text, { mode: 0o600 })
    renameSync(join(folder.path, `${name}.new`), join(folder.path, name))
  }
}

const login = (more: Partial<Parameters<typeof Client.login>[0]> = {}) =>
  Client.login({
    port: server.port('TLS at once'),
    direct: true,
    trust: authority.certificate,
    account: 'romeo@example.org',
    ...more,
  })

test('reload tells what is applied, what holds for new connections, what needs a restart', async () => {
  configure('[log]\nlevel = "debug"\n[auth]\nmechanisms = ["PLAIN"]\n[database]\npool = 5\n')
  const { code, out, error } = await server.cli(['reload'])
  assert.deepEqual([code, error], [0, ''])
  assert.match(out, /^reloaded {2}log\.level info->debug\n/)
  assert.match(out, /\nreloaded {2}auth\.mechanisms .*->\["PLAIN"\] \(for connections from now on\)\n/)
  assert.match(out, /\nkept {6}database\.pool 10->5 \(needs a restart\)\n$/)
  await assert.rejects(login(), /SCRAM-SHA-256-PLUS is not offered/)
  await (await login({ mechanism: 'PLAIN' })).close()

  const report = (await server.json('reload')) as { changes: { name: string; reload: string }[] }
  assert.deepEqual(
    report.changes.map(({ name, reload }) => [name, reload]),
    [['database.pool', 'restart']],
    'what waits for a restart is told again',
  )
})

test('a broken configuration is refused as a whole, the old one stays', async () => {
  configure('[log]\nlevel = "warn"\nlevle = "info"\n[auth]\nmechanisms = ["SCRAM-SHA-1"]\n')
  const { code, out, error } = await server.cli(['reload'])
  assert.deepEqual([code, out], [1, ''])
  assert.match(error, /parley\.toml:7:1 {2}unknown key {2}log\.levle\n/)
  assert.match(error, /1 error: the running configuration stays\n$/)
  await (await login({ mechanism: 'PLAIN' })).close()
})

test('SIGHUP does the same', async () => {
  let since = server.out.length
  server.signal('SIGHUP')
  const { reason } = await server.logs('config.rejected', since)
  assert.match(String(reason), /unknown key {2}log\.levle/)
  configure('[log]\nlevel = "info"\n')
  since = server.out.length
  server.signal('SIGHUP')
  const { changed } = await server.logs('config.reloaded', since)
  assert.deepEqual(changed, ['auth.mechanisms', 'log.level'])
  await (await login()).close()
})

test('the authorities of s2s.ca_file are taken up, and what replaces them only when it is good', async () => {
  const notes = async () => ((await server.json('cert', 'list')) as { notes: string[] }[])[0]?.notes
  assert.match((await notes())![0]!, /issued by "test authority"/)
  writeFileSync(join(folder.path, 'ca.pem'), authority.certificate)
  configure('[s2s]\nca_file = "ca.pem"\n')
  assert.equal((await server.cli(['reload'])).code, 0)
  assert.deepEqual(await notes(), [])
  writeFileSync(join(folder.path, 'ca.pem'), 'nothing')
  const { code, error } = await server.cli(['reload'])
  assert.equal(code, 1)
  assert.match(error, /parley\.toml:6:11 {2}\S+ca\.pem: there is no certificate in it\n {3}it must hold text/)
  assert.deepEqual(await notes(), [])
  configure('')
  assert.equal((await server.cli(['reload'])).code, 0)
  assert.match((await notes())![0]!, /issued by "test authority"/)
})

test('limits that a reload tells to hold, hold', async () => {
  assert.equal((await server.cli(['user', 'add', 'tybalt', '--generate'])).code, 0)
  configure('[limits]\noffline_messages = 1\nlockout_failures = 2\n[auth]\niterations = 4096\n')
  const { code, out } = await server.cli(['reload'])
  assert.equal(code, 0)
  assert.match(out, /limits\.offline_messages 1000->1\b/)

  const romeo = await login()
  for (const id of ['kept', 'too-many'])
    romeo.send(`<message to='tybalt@example.org' type='chat' id='${id}'><body>Draw!</body></message>`)
  assert.equal((await romeo.next('message')).attrs['id'], 'too-many')
  await romeo.close()

  const wrong = () => login({ account: 'tybalt@example.org', password: 'wrong' })
  await assert.rejects(wrong(), { condition: 'not-authorized' })
  await assert.rejects(wrong(), { condition: 'not-authorized' })
  await assert.rejects(wrong(), { condition: 'temporary-auth-failure' })
})

test('changed certificate files are taken up without being told: new handshakes see them, old streams stay', async () => {
  const before = await login({ resource: 'before' })
  const old = before.peerCertificate.fingerprint256
  const issued = authority.issue({ names: ['example.org'] })
  const since = server.out.length
  certify(issued)
  const line = await server.logs('tls.certificate.reloaded', since)
  const fresh = await login({ resource: 'fresh' })
  assert.equal(fresh.peerCertificate.fingerprint256, line['fingerprint'])
  assert.notEqual(fresh.peerCertificate.fingerprint256, old)
  const starttls = await login({ resource: 'starttls', direct: false, port: server.port('STARTTLS') })
  assert.equal(starttls.peerCertificate.fingerprint256, line['fingerprint'])
  await before.ping()
  for (const client of [before, fresh, starttls]) await client.close()
})

test('broken certificate files are refused, the old ones stay in use', async () => {
  const { fingerprint256 } = (await login()).peerCertificate
  for (const broken of [
    { certificate: 'no certificate', key: 'no key' },
    authority.issue({ names: ['example.net'] }),
    { ...authority.issue({ names: ['example.org'] }), key: authority.issue({ names: ['example.org'] }).key },
    authority.issue({ names: ['example.org'], from: 0, to: 86_400_000 }),
  ]) {
    const since = server.out.length
    certify(broken)
    const { msg } = await server.logs('tls.certificate.refused', since)
    assert.match(String(msg), /the old one stays in use/)
    const still = await login()
    assert.equal(still.peerCertificate.fingerprint256, fingerprint256)
    await still.close()
  }
  const since = server.out.length
  certify(authority.issue({ names: ['example.org'] }))
  const { fingerprint } = await server.logs('tls.certificate.reloaded', since)
  const last = await login()
  assert.equal(last.peerCertificate.fingerprint256, fingerprint)
  await last.close()
})
