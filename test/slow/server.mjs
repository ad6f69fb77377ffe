/** A real server in a folder of its own, on free loopback ports: Parley as an administrator starts it, or Prosody to compare with. */
import { execFile, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'

const top = join(import.meta.dirname, '../..')
const main = join(top, 'dist/src/main.js')
const execute = promisify(execFile)

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks again every 50 ms until the answer is truthy; says what it waited for when `seconds` are over. */
export async function until(what, seconds, ask) {
  for (const end = Date.now() + seconds * 1000; ;) {
    const answer = await ask()
    if (answer) return answer
    if (Date.now() > end) throw new Error(`no ${what} within ${seconds} s`)
    await pause(50)
  }
}

/**
 * Starts `kind` ('parley' or 'prosody') for the domain localhost. `url`: the database, else the embedded one; `set`: further
 * settings; `address` and `port`: where clients connect, else a free port of 127.0.0.1.
 * `component`: an external one that may connect, { domain, secret, port }. The result is that of `run`, and has { tlsPort }.
 */
export async function startServer(
  kind,
  folder,
  { url, set = [], address = '127.0.0.1', port: fixed, component } = {},
) {
  const [tlsPort, management, free] = await freePorts(3)
  const at = {
    folder,
    domain: 'localhost',
    address,
    port: fixed ?? free,
    tlsPort,
    management,
    url,
    set,
    component,
  }
  const how = kind === 'prosody' ? await prosody(at) : parley(at)
  return Object.assign(await run(how, at), { tlsPort })
}

/**
 * Starts the process that `how` describes and waits until clients can connect.
 * The result has { domain, port, ca (file of the certificate to trust), addUser, kill, start, stop, tail, text }.
 */
export async function run(how, { folder, domain, address = '127.0.0.1', port }) {
  const log = join(folder, 'server.log')
  let child
  const server = {
    domain,
    port,
    ca: undefined,
    async start() {
      const output = openSync(log, 'a')
      writeSync(output, `--- start\n`)
      child = spawn(how.command, how.args, {
        cwd: folder,
        env: { ...process.env, ...how.env },
        stdio: ['ignore', output, output],
        ...how.user,
      })
      closeSync(output)
      const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
      Object.assign(child, { ended })
      await until(`server on port ${port}`, 90, async () => {
        if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`)
        return (await accepts(address, port)) && (await how.ready())
      }).catch((error) => {
        child.kill('SIGKILL')
        throw new Error(`${error.message}\n${server.tail()}`)
      })
      server.ca = await until('certificate', 10, () => how.certificate(server.text()))
    },
    /** Ends the process with this signal; tells its exit code or the signal. */
    async kill(signal) {
      child.kill(signal)
      return child.ended
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return child.ended
      const deadline = setTimeout(() => child.kill('SIGKILL'), 30_000)
      const code = await server.kill('SIGTERM')
      clearTimeout(deadline)
      return code
    },
    addUser: (name, password) => how.addUser(name, password),
    text: () => readFileSync(log, 'utf8'),
    tail: (lines = 60) => server.text().split('\n').slice(-lines).join('\n'),
  }
  await server.start()
  return server
}

/** Parley as an administrator starts it: how `run` does that. It listens on the ports that are given. */
export function parley(at) {
  const {
    folder,
    domain,
    address = '127.0.0.1',
    port,
    tlsPort,
    s2sPort,
    s2sTlsPort,
    management,
    url,
    set,
    component,
  } = at
  mkdirSync(folder, { recursive: true })
  const data = join(folder, 'data')
  if (component) writeFileSync(join(folder, 'component.secret'), component.secret, { mode: 0o600 })
  const settings = [
    `domain=${domain}`,
    `data_dir=${data}`,
    `listen.c2s=${address}:${port}`,
    `listen.c2s_tls=${tlsPort ? `${address}:${tlsPort}` : 'off'}`,
    `listen.management=127.0.0.1:${management}`,
    `listen.s2s=${s2sPort ? `${address}:${s2sPort}` : 'off'}`,
    `listen.s2s_tls=${s2sTlsPort ? `${address}:${s2sTlsPort}` : 'off'}`,
    'log.format=text',
    ...(component
      ? [
          `component."${component.domain}".secret_file=${join(folder, 'component.secret')}`,
          `listen.component=127.0.0.1:${component.port}`,
        ]
      : []),
    ...set,
  ].flatMap((setting) => ['--set', setting])
  const env = url ? { PARLEY_DATABASE__URL: url } : {}
  const call = (...args) =>
    execute(process.execPath, [main, ...args, ...settings], { timeout: 30_000, cwd: folder })
  return {
    command: process.execPath,
    args: [main, 'start', ...settings],
    env,
    ready: async () => (await fetch(`http://127.0.0.1:${management}/readyz`).catch(() => undefined))?.ok,
    /** The file that the start prints. */
    certificate: (output) => new RegExp(`certificate\\s+${domain}: (.*) \\(`).exec(output)?.[1],
    /** A command of the running server: what it prints. */
    call: async (...args) => (await call(...args)).stdout,
    async addUser(name, password) {
      const file = join(folder, `${name}.password`)
      writeFileSync(file, `${password}\n`, { mode: 0o600 })
      await call('user', 'add', name, '--password-file', file)
    },
  }
}

async function prosody({ folder, address, port, tlsPort, component }) {
  mkdirSync(folder, { recursive: true })
  const config = join(folder, 'prosody.cfg.lua')
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost']
  await execute('openssl', [
    ...request,
    '-addext',
    'subjectAltName=DNS:localhost',
    '-keyout',
    key,
    '-out',
    certificate,
  ])
  mkdirSync(join(folder, 'data'))
  writeFileSync(
    config,
    `run_as_root = true
pidfile = "${folder}/prosody.pid"
data_path = "${folder}/data"
interfaces = { "${address}" }
c2s_ports = { ${port} } c2s_direct_tls_ports = { ${tlsPort} }
s2s_ports = {} http_ports = {} https_ports = {}
modules_enabled = { "roster", "saslauth", "tls", "disco", "private", "vcard", "version", "time", "ping", "lastactivity", "register" }
allow_registration = true
authentication = "internal_hashed" storage = "internal"
log = { info = "*console" }
ssl = { key = "${key}", certificate = "${certificate}" }
component_ports = { ${component?.port ?? ''} } component_interfaces = { "127.0.0.1" }
VirtualHost "localhost"
${component ? `Component "${component.domain}"\n  component_secret = "${component.secret}"\n` : ''}`,
  )
  return {
    command: 'prosody',
    args: ['-F', '--config', config],
    env: {},
    ready: () => accepts(address, tlsPort),
    certificate: () => certificate,
    addUser: (name, password) =>
      execute('prosodyctl', ['--config', config, 'register', name, 'localhost', password], {
        timeout: 30_000,
      }),
  }
}

export function accepts(host, port) {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    socket.once('connect', () => resolve(true) || socket.destroy())
    socket.once('error', () => resolve(false))
  })
}

/** Ports that nobody listened on a moment ago; held together, so that they differ. */
export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => server.address().port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
