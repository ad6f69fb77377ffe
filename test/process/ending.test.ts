/** A server that an admin restarts or stops, and accounts that move over the real command line. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Client } from './support/client.js'
import { leftIn, Parley, temporaryFolder } from './support/server.js'

test('restart takes up the configuration in the same process, export and import move an account, stop ends it', async () => {
  const folder = await temporaryFolder()
  const configure = (more: string) =>
    writeFileSync(join(folder.path, 'parley.toml'), `domain = "localhost"\n${more}`)
  configure('')
  const server = await Parley.start({ folder: folder.path })
  await server.add('romeo')
  const login = () =>
    Client.login({
      port: server.port('TLS at once'),
      direct: true,
      trust: server.certificate().pem,
      account: 'romeo@localhost',
    })
  await (await login()).close()

  configure('nonsense = 1\n')
  const refused = await server.cli(['restart', '--yes'])
  assert.equal(refused.code, 1)
  assert.match(refused.error, /unknown key/)
  configure('[limits]\nroster_size = 7\n')
  const { pid } = server
  const [heardOut, heardError] = [server.out.length, server.error.length]
  const restarted = await server.cli(['restart', '--yes'])
  assert.deepEqual([restarted.code, restarted.out], [0, 'The server restarts now.\n'])
  await server.logs('server.stopped', heardOut)
  await server.becomes(() => /^ {2}Stop: .*\n/m.test(server.error.slice(heardError)), 'the second banner')
  server.error = server.error.slice(heardError)
  assert.equal(server.pid, pid)
  await (await login()).close()

  const exported = await server.cli(['user', 'export', 'romeo'])
  assert.deepEqual([exported.code, exported.error.startsWith('Written: 1 account')], [0, true])
  writeFileSync(join(folder.path, 'romeo.xml'), exported.out)
  assert.equal((await server.cli(['user', 'delete', 'romeo', '--yes'])).code, 0)
  await assert.rejects(login())
  const imported = await server.cli(['user', 'import', 'romeo.xml'])
  assert.deepEqual([imported.code, imported.error], [0, ''])
  await (await login()).close()
  const piped = await server.cli(
    ['user', 'import', '-', '--json'],
    readFileSync(join(folder.path, 'romeo.xml'), 'utf8'),
  )
  assert.equal((JSON.parse(piped.out) as { there: number }).there, 1)

  const stopped = await server.cli(['stop', '--yes'])
  assert.equal(stopped.code, 0)
  assert.equal((await server.ended).code, 0)
  assert.deepEqual(await leftIn(folder.path), [])
  await folder.remove()
})
