/** The port for external components: there while the configuration has one, over reloads. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Parley, temporaryFolder } from './support/server.js'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let server: Parley
let port: number
before(async () => {
  folder = await temporaryFolder()
  port = await freePort()
  configure('')
  server = await Parley.start({ folder: folder.path, set: [`listen.component=127.0.0.1:${port}`] })
})
after(async () => {
  assert.equal((await server.stop()).code, 0)
  await folder.remove()
})

function configure(more: string): void {
  writeFileSync(join(folder.path, 'parley.toml'), `domain = "example.org"\n${more}`, { mode: 0o600 })
}

const table = (secret: string) => `[component."irc.example.org"]\nsecret = "${secret}"\n`

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((ready) => probe.listen(0, '127.0.0.1', ready))
  const { port: free } = probe.address() as { port: number }
  await new Promise((closed) => probe.close(closed))
  return free
}

/** What the server says until it closes, or until `enough`. */
async function conversation(say: (socket: Socket, heard: string) => void, enough: RegExp): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => resolve(heard))
    socket.on('data', (chunk) => {
      heard += String(chunk)
      if (enough.test(heard)) socket.destroy()
      else say(socket, heard)
    })
    socket.write(
      "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='irc.example.org'>",
    )
  })
}

function shakeHands(secret: string): Promise<string> {
  return conversation((socket, heard) => {
    const [, id] = / id='([^']+)'/.exec(heard) ?? []
    if (id)
      socket.write(
        `<handshake>${createHash('sha1')
          .update(id + secret)
          .digest('hex')}</handshake>`,
      )
  }, /<handshake\/>/)
}

test('without a component nobody listens', async () => {
  await assert.rejects(shakeHands('orchard'), { code: 'ECONNREFUSED' })
  assert.doesNotMatch(server.error, /components/)
})

test('a reload opens the port, takes a new secret, and closes it again', async () => {
  configure(table('orchard'))
  assert.equal((await server.cli(['reload'])).code, 0)
  assert.match(await shakeHands('orchard'), /<handshake\/>/)
  assert.match(await shakeHands('a guess'), /<not-authorized /)
  const refused = await server.logs('component.refused')
  assert.deepEqual([refused['peer'], refused['reason']], ['irc.example.org', 'it does not know the secret'])

  configure(table('balcony'))
  assert.equal((await server.cli(['reload'])).code, 0)
  assert.match(await shakeHands('orchard'), /<not-authorized /)
  assert.match(await shakeHands('balcony'), /<handshake\/>/)

  configure('')
  assert.equal((await server.cli(['reload'])).code, 0)
  await assert.rejects(shakeHands('balcony'), { code: 'ECONNREFUSED' })
})

test('a port that is taken is told, and nothing changes', async () => {
  const other = createServer()
  await new Promise<void>((ready) => other.listen(port, '127.0.0.1', ready))
  configure(table('orchard'))
  const { code, error } = await server.cli(['reload'])
  assert.equal(code, 1)
  assert.match(error, new RegExp(`127\\.0\\.0\\.1:${port}`))
  await new Promise((closed) => other.close(closed))
  assert.equal((await server.cli(['reload'])).code, 0)
  assert.match(await shakeHands('orchard'), /<handshake\/>/)
})
