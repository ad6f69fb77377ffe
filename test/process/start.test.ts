/** One command: a first start without a configuration, accounts by the command line, clients that verify the certificate, an orderly end, a second start. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { chmodSync, statSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { systemRandom } from '../../src/base/random.js'
import { makeSelfSigned } from '../../src/tls/self-signed.js'
import { befriend, Client, LoginRefused } from './support/client.js'
import { leftIn, Parley, temporaryFolder } from './support/server.js'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let server: Parley
before(async () => {
  folder = await temporaryFolder()
  server = await Parley.start({ folder: folder.path })
})
after(async () => {
  if (server.child.exitCode === null) await server.stop()
  await folder.remove()
})

const login = (account: string, more: Partial<Parameters<typeof Client.login>[0]> = {}) =>
  Client.login({
    port: server.port(more.direct ? 'TLS at once' : 'STARTTLS'),
    trust: server.certificate().pem,
    account,
    ...more,
  })

test('the banner says what is listening, which certificate, and what to do next', () => {
  const { file, pem } = server.certificate()
  assert.equal(file, `${folder.path}/data/tls/localhost.crt`)
  const certificate = new X509Certificate(pem)
  assert.ok(server.error.includes(`SHA-256 ${certificate.fingerprint256}`))
  assert.equal(statSync(file).mode & 0o777, 0o644)
  assert.doesNotMatch(pem, /PRIVATE/)
  assert.equal(statSync(`${folder.path}/data/tls/localhost.pem`).mode & 0o777, 0o600)
  assert.equal(statSync(`${folder.path}/data`).mode & 0o777, 0o700)
  assert.match(server.error, /^Parley \d+\.\d+\.\d+ is ready\.\n {2}domains +localhost\n/)
  assert.match(server.error, /Add a user: +node \S+main\.js user add ana\n/)
  assert.match(
    server.error,
    /Connect a client: +ana@localhost, port \d+, server localhost; trust the certificate above/,
  )
  // Standard output is for the log alone, one JSON object a line.
  for (const line of server.out.trim().split('\n')) assert.equal(typeof JSON.parse(line), 'object')
})

test('a user is added with the command line: from a file, from standard input, generated', async () => {
  await server.add('romeo')
  const generated = (await server.json('user', 'add', 'juliet', '--generate')) as Record<string, string>
  assert.equal(generated['account'], 'juliet@localhost')
  const juliet = await login('juliet@localhost', { password: generated['password']! })
  assert.equal(juliet.jid, 'juliet@localhost/here')
  await juliet.close()
  const again = await server.cli(['user', 'add', 'romeo', '--generate'])
  assert.deepEqual(
    [again.code, again.error],
    [
      1,
      'parley: romeo@localhost exists already\n   for a new password: parley user passwd romeo@localhost\n',
    ],
  )
})

for (const direct of [false, true])
  for (const mechanism of ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-512-PLUS', 'SCRAM-SHA-1', 'PLAIN'])
    test(`login with ${mechanism} over ${direct ? 'direct TLS' : 'STARTTLS'}, certificate verified`, async () => {
      const romeo = await login('romeo@localhost', { direct, mechanism })
      assert.equal(romeo.protocol, 'TLSv1.3')
      assert.equal(romeo.jid, 'romeo@localhost/here')
      assert.deepEqual(await romeo.appear(), [])
      assert.equal(await romeo.close(), 'stream closed')
      await assert.rejects(
        login('romeo@localhost', { direct, mechanism, password: 'wrong' }),
        new LoginRefused('not-authorized'),
      )
    })

test('a client that trusts another certificate, or meant another name, does not connect', async () => {
  const trust = await makeSelfSigned(['localhost'], Date.now(), systemRandom)
  await assert.rejects(login('romeo@localhost', { trust, direct: true }), {
    code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  })
  await assert.rejects(login('romeo@example.org', { direct: true }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
})

test('SIGTERM: contacts hear of it, streams are told, exit code 0; the next start finds everything', async () => {
  await Promise.all([server.add('benvolio'), server.add('mercutio')])
  const [romeo, benvolio] = [await login('romeo@localhost'), await login('benvolio@localhost')]
  await romeo.appear()
  await benvolio.appear()
  await befriend(romeo, benvolio)
  romeo.send("<message to='benvolio@localhost' type='chat'><body>see you</body></message>")
  await benvolio.next('message')
  await benvolio.close()
  await romeo.next('presence', ({ attrs }) => attrs['type'] === 'unavailable')
  romeo.send("<message to='benvolio@localhost' type='chat' id='late'><body>are you there?</body></message>")
  await romeo.ping()
  const certificate = server.certificate().pem

  const mercutio = await login('mercutio@localhost')
  await mercutio.appear()
  await befriend(romeo, mercutio)

  const ending = server.stop()
  assert.equal(await romeo.ended, 'system-shutdown')
  assert.equal(await mercutio.ended, 'system-shutdown')
  // Whoever leaves last is told of the others.
  const farewells = [...romeo.waiting, ...mercutio.waiting].map(({ attrs }) => attrs['type'])
  assert.ok(farewells.includes('unavailable'))
  const { code, signal, error } = await ending
  assert.deepEqual([code, signal], [0, null])
  assert.doesNotMatch(error, /\n {4}at |Error/)
  assert.deepEqual(await leftIn(folder.path), [])

  server = await Parley.start({ folder: folder.path })
  assert.equal(server.certificate().pem, certificate)
  const back = await login('benvolio@localhost', { trust: certificate })
  assert.deepEqual(
    (await back.appear()).map(({ attrs }) => [attrs['jid'], attrs['subscription']]),
    [['romeo@localhost', 'both']],
  )
  assert.equal((await back.next('message')).attrs['id'], 'late')
  await back.close()
  assert.match(server.error, /Users: +node \S+ user list/)
})

test('SIGINT ends the same way, passed on by npm too, and a later second signal at once', async () => {
  const romeo = await login('romeo@localhost', { direct: true })
  server.signal('SIGINT')
  await server.logs('server.stopping')
  server.signal('SIGINT')
  assert.equal(await romeo.ended, 'system-shutdown')
  const { code, out } = await server.ended
  assert.deepEqual([code, await leftIn(folder.path)], [0, []])
  assert.doesNotMatch(out, /process\.uncaught/)

  server = await Parley.start({ folder: folder.path })
  const silent = await stalled()
  server.signal('SIGTERM')
  const impatient = setInterval(() => server.signal('SIGTERM'), 100)
  assert.equal((await server.ended).code, 1)
  clearInterval(impatient)
  silent.vanish()
  // What a hasty end has left is found and taken over.
  server = await Parley.start({ folder: folder.path })
  const back = await login('romeo@localhost')
  await back.close()
})

test('a reader of the log that went away keeps nobody from stopping', async () => {
  server.child.stdout!.destroy()
  const { code, signal } = await server.stop()
  assert.deepEqual([code, signal, await leftIn(folder.path)], [0, null, []])
  server = await Parley.start({ folder: folder.path })
})

test('one component is logged in detail for a while', async () => {
  const said = server.out.length
  const show = () => server.json('log', 'show') as Promise<{ for_a_while: { component: string }[] }>
  const { code, out } = await server.cli(['log', 'debug', 'c2s', '--for', '10m'])
  assert.equal(code, 0)
  assert.match(out, /^c2s +debug +20/m)
  assert.deepEqual(
    (await show()).for_a_while.map(({ component }) => component),
    ['c2s'],
  )
  const romeo = await login('romeo@localhost')
  await server.logs('c2s.auth.succeeded', said)
  await romeo.close()
  assert.equal((await server.cli(['log', 'reset'])).code, 0)
  assert.deepEqual((await show()).for_a_while, [])
})

test('a data directory that everybody may write in is complained about', async () => {
  await server.stop()
  assert.doesNotMatch(server.out, /data-dir\.open/)
  chmodSync(server.data, 0o707)
  server = await Parley.start({ folder: folder.path })
  const line = await server.logs('data-dir.open')
  assert.equal(line['msg'], `everyone on this machine can write in ${server.data}: chmod o-w ${server.data}`)
  chmodSync(server.data, 0o700)
})

test('a fault that nobody caught is told and counted, and the server drains and ends with 1', async () => {
  await server.stop()
  const faulty = `data:text/javascript,process.on('SIGUSR2',()=>{throw%20new%20Error('unheard-of')})`
  server = await Parley.start({ folder: folder.path, env: { NODE_OPTIONS: `--import=${faulty}` } })
  const silent = await stalled()
  server.signal('SIGUSR2')
  const line = await server.logs('process.uncaught')
  assert.match(JSON.stringify(line['error']), /unheard-of/)
  const metrics = await fetch(`http://127.0.0.1:${server.port('HTTP')}/metrics`)
  assert.match(await metrics.text(), /^parley_uncaught_total 1$/m)
  const { code, out } = await server.ended
  silent.vanish()
  assert.equal(code, 1)
  assert.match(out, /server\.stopped/)
  assert.deepEqual(await leftIn(folder.path), [])
  server = await Parley.start({ folder: folder.path })
})

/** A client that never answers the goodbye, so that the drain has somebody to wait for. */
async function stalled(): Promise<Client> {
  const romeo = await login('romeo@localhost', { direct: true })
  romeo.freeze()
  return romeo
}
