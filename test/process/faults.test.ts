/** What survives: a database that stands still (P8 of the limits), and a stop with many sessions (P10). */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { LoginRefused } from './support/client.js'
import { House } from './support/house.js'
import { passwordOf } from './support/server.js'

const off = ['sessions_per_account', 'connections_per_address', 'connection_rate', 'login_timeout']
const house = new House(['romeo', 'juliet', 'nurse', 'paris'], {
  set: [
    'database.statement_timeout=500ms',
    'listen.c2s_plain=127.0.0.1:0',
    'auth.iterations=4096',
    ...off.map((name) => `limits.${name}=off`),
  ],
})
const login = (name: string) => house.login(name)
const isDirected = (text: string) => (element: { attrs: Record<string, unknown> }) =>
  element.attrs['id'] === text

test('P8: while the database stands still presence and requests go on, the rest is refused for now', async () => {
  const [romeo, juliet] = [await login('romeo'), await login('juliet')]
  await romeo.appear()
  await juliet.appear()
  const toNurse = "<message to='nurse@localhost' type='chat' id='before'><body>before</body></message>"
  romeo.send(toNurse)
  await romeo.ping()

  const frozen = await databaseProcesses()
  for (const pid of frozen) process.kill(pid, 'SIGSTOP')
  const outcomes = { login: '' }
  let asking: Promise<unknown>
  try {
    asking = login('paris').catch((error: unknown) => {
      outcomes.login = error instanceof LoginRefused ? error.condition : String(error)
    })
    juliet.send(`<presence to='${romeo.jid}' id='directed'/>`)
    await romeo.next('presence', isDirected('directed'))
    const live = (id: string, hint = '') =>
      `<message to='${romeo.jid}' type='chat' id='${id}'><body>hello</body>${hint}</message>`
    juliet.send(live('fleeting', "<no-store xmlns='urn:xmpp:hints'/>"))
    await romeo.next('message', isDirected('fleeting'))
    await juliet.ping()
    // What is to be kept, in archives or for somebody absent, is told to be refused.
    juliet.send(live('kept'))
    romeo.send(toNurse.replaceAll('before', 'frozen'))
    for (const [client, id] of [
      [juliet, 'kept'],
      [romeo, 'frozen'],
    ] as const) {
      const refused = await client.next('message', isDirected(id))
      assert.equal(refused.attrs['type'], 'error')
      assert.equal(refused.child('error')?.attrs['type'], 'wait')
    }
    await asking
    assert.equal(outcomes.login, 'temporary-auth-failure')
  } finally {
    for (const pid of frozen) process.kill(pid, 'SIGCONT')
  }

  const back = Date.now()
  for (let number = 0; ; number++) {
    romeo.send(toNurse.replaceAll('before', `after${number}`))
    await romeo.ping()
    if (!romeo.waiting.some(isDirected(`after${number}`))) break
  }
  assert.ok(Date.now() - back < 10_000)
  const nurse = await login('nurse')
  await nurse.appear()
  await nurse.next('message', isDirected('before'))
  await Promise.all([romeo, juliet, nurse].map((client) => client.close()))
})

test('P10: SIGTERM with 500 sessions: each is told, exit code 0, in time', async () => {
  const port = house.server.port('no TLS')
  const sessions = await Promise.all(Array.from({ length: 500 }, (_, number) => Plain.login(port, number)))
  const began = Date.now()
  const { code, signal } = await house.server.stop()
  assert.deepEqual([code, signal], [0, null])
  assert.ok(Date.now() - began < 20_000)
  const told = await Promise.all(sessions.map(({ ended }) => ended))
  assert.deepEqual(
    told.filter((text) => !/<system-shutdown[^>]*\/>.*<\/stream:stream>$/.test(text)),
    [],
  )
  await house.startAgain()
})

/** A session without TLS that says all at once and keeps what it hears after its binding. */
class Plain {
  readonly ended: Promise<string>
  #heard = ''

  static login(port: number, number: number): Promise<Plain> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port })
      const session = new Plain(socket, resolve)
      session.ended.then((text) => reject(new Error(`ended: ${text}`)), reject)
      const header =
        "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
      const plain = Buffer.from(`\0romeo\0${passwordOf('romeo')}`).toString('base64')
      socket.write(
        `${header}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${plain}</auth>${header}` +
          `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r${number}</resource></bind></iq>`,
      )
    })
  }

  private constructor(socket: Socket, bound: (session: Plain) => void) {
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.#heard += text
      if (this.#heard.includes('</jid>')) bound(this)
    })
    this.ended = new Promise((resolve, reject) => {
      socket.on('close', () => resolve(this.#heard)).on('error', reject)
    })
  }
}

/** The postmaster and all that it has started. */
async function databaseProcesses(): Promise<number[]> {
  const postmaster = await house.server.postgres()
  const children = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && parentOf(pid) === postmaster)
  return [postmaster, ...children]
}

function parentOf(pid: number): number {
  try {
    return Number(/\nPPid:\t(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  } catch {
    return 0 // It has ended meanwhile.
  }
}
