/**
 * Prosody and ejabberd as Debian packages them, federating: each in a folder of its own, on free loopback ports, as a process
 * without rights. Written against Prosody 0.12.3 with lua-unbound 1.0.0, and ejabberd 23.01 with p1_xmpp 1.6.1 on Erlang/OTP 25.
 */
import { execFileSync, execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { accepts } from './server.mjs'

const execute = promisify(execFile)

/**
 * The peers by name: each function writes the configuration and tells `run` of server.mjs how to start it. `proofs` reads in the
 * log how it and another domain proved who they are: { inbound, outbound }, lists of 'EXTERNAL' and 'dialback'.
 */
export const peers = { prosody, ejabberd }

/** Neither peer wants to be root; under another account there is nothing to give up. */
const nobody = process.getuid() === 0 ? { uid: 65_534, gid: 65_534 } : {}

/**
 * `at`: { folder, domain, port (clients), s2sPort, s2sTlsPort, apiPort, certificate, key, ca (PEM files; with `ca` certificates
 * must be good), dialback, bidi, nameServer (port on 127.0.0.1) }. Rooms are on `rooms.` + domain.
 */
async function prosody(at) {
  const { folder, domain, port, s2sPort, s2sTlsPort, certificate, key, ca, dialback, bidi, nameServer } = at
  const config = join(folder, 'prosody.cfg.lua')
  mkdirSync(join(folder, 'data'), { recursive: true })
  writeFileSync(
    config,
    `pidfile = "${folder}/prosody.pid" data_path = "${folder}/data" certificates = "${folder}"
interfaces = { "127.0.0.1" } use_ipv6 = false
c2s_ports = { ${port} } s2s_ports = { ${s2sPort} } s2s_direct_tls_ports = { ${s2sTlsPort} } http_ports = {} https_ports = {}
unbound = { resolvconf = false, hoststxt = false, forward = { "127.0.0.1@${nameServer}" } }
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "offline", "smacks"${dialback ? ', "dialback"' : ''}${bidi ? ', "s2s_bidi"' : ''} }
s2s_secure_auth = ${ca ? 'true' : 'false'} s2s_require_encryption = true
authentication = "internal_hashed" storage = "internal"
log = { debug = "*console" }
ssl = { key = "${key}", certificate = "${certificate}"${ca ? `, cafile = "${ca}"` : ''} }
VirtualHost "${domain}"
Component "rooms.${domain}" "muc"
  muc_room_locking = false
`,
  )
  const home = { HOME: folder }
  handOver(folder)
  return {
    proofs: (log, other) => ({
      inbound: found(log, {
        EXTERNAL: `Accepting SASL EXTERNAL identity from ${other}$`,
        dialback: `Received\\[s2sin_unauthed\\]: <result (?=.*from='${other}')(?=.*to='${domain}')`,
      }),
      outbound: found(log, {
        EXTERNAL: `^${domain}:.*SASL EXTERNAL with ${other} succeeded`,
        dialback: `Received\\[s2sout_unauthed\\]: <result (?=.*type='valid')(?=.*from='${other}')(?=.*to='${domain}')`,
      }),
    }),
    command: 'prosody',
    args: ['-F', '--config', config],
    env: home,
    user: nobody,
    ready: () => accepts('127.0.0.1', s2sPort),
    certificate: () => certificate,
    addUser: (name, password) =>
      execute('prosodyctl', ['--config', config, 'register', name, domain, password], {
        timeout: 30_000,
        env: { ...process.env, ...home },
        ...nobody,
      }),
  }
}

async function ejabberd(at) {
  const { folder, domain, port, s2sPort, s2sTlsPort, apiPort, certificate, key, ca, dialback, nameServer } =
    at
  const [config, inetrc] = [join(folder, 'ejabberd.yml'), join(folder, 'inetrc')]
  mkdirSync(join(folder, 'data'), { recursive: true })
  writeFileSync(
    inetrc,
    `{resolv_conf, ""}.\n{hosts_file, ""}.\n{lookup, [dns]}.\n{nameserver, {127,0,0,1}, ${nameServer}}.\n`,
  )
  // JSON is YAML.
  const settings = {
    hosts: [domain],
    loglevel: 'info',
    certfiles: [certificate, key],
    ...(ca && { ca_file: ca }),
    s2s_use_starttls: 'required',
    s2s_max_retry_delay: 1,
    outgoing_s2s_families: ['ipv4'],
    auth_password_format: 'scram',
    listen: [
      { port, ip: '127.0.0.1', module: 'ejabberd_c2s', starttls: true },
      { port: s2sPort, ip: '127.0.0.1', module: 'ejabberd_s2s_in' },
      { port: s2sTlsPort, ip: '127.0.0.1', module: 'ejabberd_s2s_in', tls: true },
      {
        port: apiPort,
        ip: '127.0.0.1',
        module: 'ejabberd_http',
        request_handlers: { '/api': 'mod_http_api' },
      },
    ],
    api_permissions: { here: { who: { ip: '127.0.0.1/8' }, what: ['register', 'status'] } },
    modules: {
      mod_disco: {},
      mod_ping: {},
      mod_roster: {},
      mod_offline: {},
      mod_admin_extra: {},
      mod_http_api: {},
      mod_muc: { host: `rooms.${domain}`, max_user_conferences: 20 },
      ...(dialback && { mod_s2s_dialback: {} }),
    },
  }
  writeFileSync(config, JSON.stringify(settings, undefined, 2))
  handOver(folder)
  const ask = (command, body) =>
    fetch(`http://127.0.0.1:${apiPort}/api/${command}`, { method: 'POST', body: JSON.stringify(body) })
  const accepted = (log, from, to) =>
    found(log, {
      EXTERNAL: `Accepted \\w+ s2s EXTERNAL authentication ${from} -> ${to} `,
      dialback: `Accepted \\w+ s2s dialback authentication ${from} -> ${to} `,
    })
  return {
    proofs: (log, other) => ({
      inbound: accepted(log, other, domain),
      outbound: accepted(log, domain, other),
    }),
    command: 'erl',
    // Without a name: no connections to other nodes, no port mapper that would outlive it.
    args: ['-noinput', '+Bd', '-mnesia', 'dir', `"${folder}/data"`, '-s', 'ejabberd'],
    env: {
      HOME: folder,
      ERL_LIBS: libraries(),
      ERL_INETRC: inetrc,
      ERL_CRASH_DUMP: join(folder, 'crash.dump'),
      EJABBERD_CONFIG_PATH: config,
      EJABBERD_LOG_PATH: join(folder, 'ejabberd.log'),
    },
    user: nobody,
    ready: async () => (await ask('status', {}).catch(() => undefined))?.ok,
    certificate: () => certificate,
    async addUser(name, password) {
      const answer = await ask('register', { user: name, host: domain, password })
      if (!answer.ok) throw new Error(`ejabberd does not register ${name}: ${await answer.text()}`)
    },
  }
}

/** The folder that holds the package's Erlang application. */
function libraries() {
  const library = readdirSync('/usr/lib')
    .map((name) => join('/usr/lib', name))
    .find((name) => name.endsWith('-linux-gnu') && readdirSync(name).some((it) => it.startsWith('ejabberd-')))
  if (!library || !existsSync(library)) throw new Error('ejabberd is not installed')
  return library
}

/** The names of the patterns that a line of the log fits. */
function found(log, patterns) {
  return Object.keys(patterns).filter((name) => new RegExp(patterns[name], 'm').test(log))
}

function handOver(folder) {
  if ('uid' in nobody) execFileSync('chown', ['-R', `${nobody.uid}:${nobody.gid}`, folder])
}
