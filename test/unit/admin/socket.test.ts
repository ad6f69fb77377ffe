import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { askServer, NotRunning, serveCommands, SocketError } from '../../../src/admin/socket.js'
import { commandTable } from '../../../src/admin/table.js'
import { HandClock } from '../../../src/base/clock.js'
import { silentLog } from '../../../src/base/log.js'
import { fakeServices } from './stage.js'

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-socket-'))
})
after(() => rmSync(folder, { recursive: true }))

const clock = new HandClock()
async function serve(path: string) {
  const { services } = await fakeServices()
  return serveCommands({ path, commands: commandTable(() => services), log: silentLog, clock })
}
const health = (path: string) => askServer(path, { command: 'health', args: {} }, { clock, ms: 1000 })

test('only the owner may open it, and it is gone after closing', async () => {
  const path = join(folder, 'a.sock')
  const server = await serve(path)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal((await health(path)).ok, true)
  await server.close()
  await assert.rejects(health(path), NotRunning)
})

test('a second server on the same socket is refused, one left by the dead is replaced', async () => {
  const path = join(folder, 'b.sock')
  const server = await serve(path)
  await assert.rejects(
    serve(path),
    (fault) => fault instanceof SocketError && /another server is running/.test(fault.message),
  )
  assert.equal((await health(path)).ok, true)
  await server.close()

  // What `kill -9` leaves: a socket file nobody listens on.
  const dead = createServer()
  await new Promise<void>((ready) => dead.listen(path, ready))
  renameSync(path, `${path}.left`)
  await new Promise((closed) => dead.close(closed))
  renameSync(`${path}.left`, path)
  const next = await serve(path)
  assert.equal((await health(path)).ok, true)
  await next.close()
})

test('something else of that name is left alone', async () => {
  const path = join(folder, 'c.sock')
  writeFileSync(path, 'mine')
  await assert.rejects(
    serve(path),
    (fault) => fault instanceof SocketError && /is in the way/.test(fault.message),
  )
})

test(
  'a path longer than the system allows works all the same',
  { skip: process.platform !== 'linux' },
  async () => {
    const deep = join(folder, 'd'.repeat(100), 'e'.repeat(100))
    mkdirSync(deep, { recursive: true })
    const path = join(deep, 'parley.sock')
    const server = await serve(path)
    assert.equal((await health(path)).ok, true)
    await server.close()
    const name = join(folder, `${'f'.repeat(200)}.sock`)
    await assert.rejects(
      serve(name),
      (fault) => fault instanceof SocketError && /too long/.test(fault.message),
    )
  },
)

test('nonsense is answered, floods and silence are cut off', async () => {
  const path = join(folder, 'e.sock')
  const server = await serve(path)
  const says = (text: string) =>
    new Promise<string>((heard) => {
      let answer = ''
      const socket = connect(path, () => socket.write(text))
      socket.on('data', (chunk) => (answer += String(chunk)))
      socket.on('error', () => {})
      socket.on('close', () => heard(answer))
    })
  assert.match(await says('nonsense\n'), /"message":"the request is not JSON"/)
  assert.match(await says('null\n'), /knows no command/)
  assert.match(await says('{"command":"__proto__"}\n'), /knows no command/)
  assert.match(await says('{"command":"user show","args":{"acount":"ana"}}\n'), /unknown key acount/)
  assert.equal(await says('x'.repeat(3 * 1024 * 1024)), '')
  const silent = new Promise((closed) => {
    const socket = connect(path, () => {
      // The server sets its timer when it sees the connection, which is before it answers this one.
      void health(path).then(() => clock.advance(60_000))
    })
    socket.resume().on('close', closed)
  })
  await silent
  await server.close()
})

test('an answer that never comes is not waited for', async () => {
  const path = join(folder, 'f.sock')
  const mute = createServer(() => clock.advance(1000))
  await new Promise<void>((ready) => mute.listen(path, ready))
  await assert.rejects(
    health(path),
    (fault) => fault instanceof NotRunning && /did not answer within 1 s/.test(fault.message),
  )
  mute.close()
})
