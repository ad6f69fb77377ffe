import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const main = join(dirname(fileURLToPath(import.meta.url)), '../src/main.js')
const env = { PATH: process.env['PATH'] }
let folder: string
const children = new Set<ChildProcess>()

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-process-'))
  writeConfig()
})
after(async () => {
  for (const child of children) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  rmSync(folder, { recursive: true, maxRetries: 10 })
})

function writeConfig(more = ''): void {
  const listen = 'c2s = "127.0.0.1:0"\nc2s_tls = "off"\nmanagement = "127.0.0.1:0"\n'
  writeFileSync(join(folder, 'parley.toml'), `[listen]\n${listen}${more}`)
}

/** Starts the real program; resolves when it says that it is ready. */
async function start(...words: string[]) {
  const child = spawn(process.execPath, [main, 'start', ...words], { cwd: folder, env })
  children.add(child)
  let said = ''
  const ended = once(child, 'exit').then(([code]) => {
    children.delete(child)
    return code as number | null
  })
  const hears = (what: RegExp) =>
    new Promise<void>((heard, failed) => {
      const look = () => what.test(said) && heard()
      child.stdout.on('data', look)
      child.stderr.on('data', look)
      void ended.then(() => failed(new Error(`ended before it said ${what}:\n${said}`)))
      look()
    })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)))
  await hears(/is ready\./)
  return { child, ended, hears, said: () => said }
}

function parley(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], {
    cwd: folder,
    env,
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { status, stdout, stderr }
}

test('start, use, refuse a second one, reload, drain', async () => {
  const server = await start()
  assert.match(
    server.said(),
    /Parley \d\S+ is ready\.\n {2}domains +localhost\n {2}clients +127\.0\.0\.1:\d+ \(STARTTLS\)\n/,
  )
  assert.match(server.said(), / SHA-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}\n/)

  assert.match(parley('user', 'add', 'ana').stdout, /^ana@localhost can log in now\.\nPassword: \S+\n$/)
  assert.equal(parley('health').status, 0)

  const second = parley('start')
  assert.equal(second.status, 1)
  assert.match(second.stderr, /^parley: .+\n {3}fix {2}.+\n$/)
  assert.equal(parley('health').status, 0)

  writeConfig('nonsense = 1\n')
  const rejected = parley('reload')
  assert.equal(rejected.status, 1)
  assert.match(
    rejected.stderr,
    /parley\.toml:5:1 {2}unknown key {2}listen\.nonsense\n.*\n?1 error: the running configuration stays/,
  )
  server.child.kill('SIGHUP')
  await server.hears(/config\.rejected/)
  writeConfig('[log]\nlevel = "debug"\n')
  assert.equal(parley('reload').stdout, 'reloaded  log.level info->debug\n')
  writeConfig()

  server.child.kill('SIGTERM')
  assert.equal(await server.ended, 0)
  assert.match(server.said(), /"event":"server\.stopped","clean":true/)
  assert.doesNotMatch(server.said(), /"level":"error".*process\.uncaught/)
  assert.equal(parley('health').status, 3)
})

test('after kill -9 the next start finds everything again', async () => {
  const server = await start()
  assert.equal(parley('user', 'add', 'ben').status, 0)
  server.child.kill('SIGKILL')
  await server.ended
  const next = await start()
  assert.match(parley('user', 'list').stdout, /^ben@localhost /m)
  next.child.kill('SIGINT')
  assert.equal(await next.ended, 0)
})

test('a taken port, a data folder that is a file, a database that is not there: one clear line each, exit code 1', async () => {
  const other = createServer()
  await new Promise<void>((ready) => other.listen(0, '127.0.0.1', ready))
  const { port } = other.address() as AddressInfo
  const taken = parley('start', '--set', `listen.c2s=127.0.0.1:${port}`)
  assert.deepEqual(
    [taken.status, taken.stderr.split('\n')[0]],
    [1, `parley: cannot listen on 127.0.0.1:${port}: another program does already`],
  )

  writeFileSync(join(folder, 'file'), '')
  chmodSync(join(folder, 'file'), 0o600)
  const inTheWay = parley('start', '--set', 'data_dir=file')
  const nobody = parley(
    'start',
    '--set',
    `database.url=postgres://ana@127.0.0.1:${port}/x`,
    '--set',
    'database.connect_wait=100ms',
  )
  for (const { status, stderr } of [inTheWay, nobody]) {
    assert.equal(status, 1, stderr)
    assert.match(stderr, /^parley: [^\n]+\n {3}fix {2}[^\n]+\n$/)
  }
  other.close()
})
