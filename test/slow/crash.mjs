/**
 * kill -9 while messages to someone who is away are on their way: what was acknowledged is in the archive after the next start, in
 * order and once. `node test/slow/crash.mjs [--url POSTGRES]`; CLIENTS_DIR as in run.mjs.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { check } from './check.mjs'
import { chat, isChat, Person } from './person.mjs'
import { pause, startServer, until } from './server.mjs'

// Another script proves that certificates are verified.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
const { values } = parseArgs({ options: { url: { type: 'string' } } })
const where = values.url ? 'PostgreSQL by URL' : 'embedded PostgreSQL'
const folder = mkdtempSync(join(tmpdir(), 'crash-'))
const password = 'a rose by any other name'
const server = await startServer('parley', join(folder, 'server'), {
  url: values.url,
  set: ['limits.c2s_stanza_rate=off', 'limits.c2s_rate=off'],
})
const [romeo, juliet] = [`crash-romeo@${server.domain}`, `crash-juliet@${server.domain}`]
const settings = { service: `xmpp://127.0.0.1:${server.port}`, password }
let good = true

try {
  for (const account of [romeo, juliet]) await server.addUser(account.split('@')[0], password)
  await report(`${where}: nothing acknowledged is lost by kill -9`, async () => {
    const acknowledged = await killedWhileWriting()
    await server.start()
    const lines = await kept()
    const expected = Array.from({ length: lines.length }, (_, number) => `line ${number}`)
    assert.deepEqual(lines, expected, 'in order, without gaps, once')
    assert.ok(lines.length >= acknowledged, `${acknowledged} were acknowledged, ${lines.length} are there`)
    console.log(`  ${acknowledged} acknowledged, ${lines.length} kept`)
    await server.kill('SIGKILL')
    await server.start()
    assert.deepEqual(await kept(), lines, 'the same after another one')
  })
  await report(`${where}: SIGTERM ends it with exit code 0`, async () => assert.equal(await server.stop(), 0))
} finally {
  await server.stop()
  if (!good) console.log(`--- the server's last words\n${server.tail()}\n---`)
  rmSync(folder, { recursive: true, force: true })
}
process.exit(good ? 0 : 1)

function report(name, run) {
  return check(name, () => run().catch((error) => ((good = false), Promise.reject(error))))
}

/** Writes without a pause; kills when 200 are acknowledged (XEP-0198). Tells how many were, in the end. */
async function killedWhileWriting() {
  const one = await new Person(romeo, settings).online()
  let acknowledged = 0
  one.onAcknowledged(() => (acknowledged += 1))
  for (let sent = 0; acknowledged < 200; sent += 10) {
    for (let many = 0; many < 10; many += 1) one.say(chat(juliet, `line ${sent + many}`)).catch(() => {})
    await until('acknowledgements', 60, () => sent - acknowledged < 100)
  }
  await server.kill('SIGKILL')
  await pause(200) // what was answered before the end is read by now
  await one.xmpp.stop().catch(() => {})
  return acknowledged
}

/** What Juliet's archive has: whoever uses Bind 2, as this client does, gets it nowhere else (XEP-0386 §3.2). */
async function kept() {
  const two = await new Person(juliet, settings).online()
  const lines = (await two.archive()).filter(isChat).map((message) => message.getChildText('body'))
  await two.stop()
  return lines
}
