/**
 * Real clients against a real server: `node test/slow/run.mjs [--server parley|prosody] [--url POSTGRES] [SUITE...]`.
 * CLIENTS_DIR is a folder that install.sh has filled. Needs a build in dist/.
 */
import { execFileSync, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { freePorts, startServer } from './server.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { server: { type: 'string', default: 'parley' }, url: { type: 'string' } },
})

const python = join(process.env.CLIENTS_DIR, 'venv/bin/python')

/** Interpreter, script, how many seconds it may take, and the variable by which it trusts a certificate. */
const suites = {
  xmpp_client: {
    command: process.execPath,
    script: 'xmpp_client.mjs',
    limit: 180,
    trust: 'NODE_EXTRA_CA_CERTS',
  },
  xmpp_client_devices: {
    command: process.execPath,
    script: 'xmpp_client_devices.mjs',
    limit: 120,
    trust: 'NODE_EXTRA_CA_CERTS',
  },
  nbxmpp: {
    command: join(process.env.CLIENTS_DIR, 'gi/bin/python'),
    script: 'nbxmpp_client.py',
    limit: 200,
  },
  stanza: { command: process.execPath, script: 'stanza_client.mjs', limit: 120 },
  slixmpp: { command: python, script: 'slixmpp_client.py', limit: 240 },
  slixmpp_devices: { command: python, script: 'slixmpp_devices.py', limit: 200 },
  xmpp_component: {
    command: process.execPath,
    script: 'xmpp_component.mjs',
    limit: 120,
    trust: 'NODE_EXTRA_CA_CERTS',
  },
  slixmpp_component: { command: python, script: 'slixmpp_component.py', limit: 240 },
  go_sendxmpp: { command: 'bash', script: 'go_sendxmpp.sh', limit: 200, trust: 'SSL_CERT_FILE' },
  rooms: { command: process.execPath, script: 'rooms.mjs', limit: 400, trust: 'NODE_EXTRA_CA_CERTS' },
  profanity: { command: 'bash', script: 'profanity.sh', limit: 300, trust: 'SSL_CERT_FILE' },
}
const wanted = positionals.length > 0 ? positionals : Object.keys(suites)

const folder = mkdtempSync(join(tmpdir(), 'slow-'))
const strangeCa = makeCertificate()
let failed = 0
const [componentPort] = await freePorts(1)
const component = { domain: 'echo.localhost', secret: 'the play is the thing', port: componentPort }
const server = await startServer(values.server, join(folder, 'server'), { ...values, component })
try {
  for (const name of wanted) failed += await play(name, suites[name])
  const ended = await server.stop()
  report(ended === 0, `${values.server}: SIGTERM ends it with exit code 0`, `it was ${ended}`)
} finally {
  await server.stop()
  if (failed > 0) console.log(`--- the server's last words\n${server.tail()}\n---`)
  rmSync(folder, { recursive: true, force: true })
}
process.exit(failed > 0 ? 1 : 0)

/** Runs one suite with accounts of its own; tells how many of its checks failed. */
async function play(name, { command, script, limit, trust }) {
  const password = 'a rose by any other name'
  const [a, b, c] = [`${name}-romeo`, `${name}-juliet`, `${name}-nurse`]
  for (const account of name === 'rooms' ? [a, b, c] : [a, b]) await server.addUser(account, password)
  const before = failed
  const child = spawn(command, [join(import.meta.dirname, script)], {
    cwd: folder,
    env: {
      ...process.env,
      HOME: folder,
      XMPP_PORT: server.port,
      XMPP_TLS_PORT: server.tlsPort,
      XMPP_DOMAIN: server.domain,
      XMPP_COMPONENT: component.domain,
      XMPP_COMPONENT_SECRET: component.secret,
      XMPP_COMPONENT_PORT: component.port,
      XMPP_CA: server.ca,
      XMPP_STRANGE_CA: strangeCa,
      ...(trust && { [trust]: server.ca }),
      XMPP_A: a,
      XMPP_B: b,
      XMPP_C: c,
      XMPP_PASSWORD: password,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const late = setTimeout(() => child.kill('SIGKILL'), limit * 1000)
  let done = false
  let errors = ''
  child.stderr.on('data', (chunk) => (errors = (errors + chunk).slice(-4000)))
  for await (const line of createInterface(child.stdout)) {
    if (line === 'done') done = true
    else if (/^(not )?ok /.test(line))
      report(line.startsWith('ok '), `${name}: ${line.replace(/^(not )?ok /, '')}`)
    else console.log(`  ${line}`)
  }
  clearTimeout(late)
  if (!done) report(false, `${name}: runs to its end`, child.signalCode ? `killed after ${limit} s` : '')
  if (failed > before && errors) console.log(errors.replace(/^/gm, '  | '))
  return 0
}

function report(good, name, why = '') {
  console.log(`${good ? 'ok' : 'not ok'} ${name}${good || !why ? '' : `: ${why}`}`)
  if (!good) failed += 1
}

/** A self-signed certificate that no server here shows. */
function makeCertificate() {
  const [key, certificate] = [join(folder, 'strange.key'), join(folder, 'strange.pem')]
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost']
  execFileSync(
    'openssl',
    [...request, '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate],
    {
      stdio: 'ignore',
    },
  )
  return certificate
}
