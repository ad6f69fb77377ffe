/** Prosody as Debian has it: no limits, no archive, generational collector, SCRAM keys written into its files. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deriveKeys, iterations, namesOf, salt } from './accounts.js'
import {
  end,
  firstLine,
  freePort,
  launch,
  ready,
  type Domain,
  type Running,
  type Server,
  type Setup,
} from './server.js'

export const prosody: Server = {
  name: 'Prosody',
  framing: 'xmpp',
  version: () => firstLine('prosodyctl', 'about')?.replace('Prosody ', ''),
  // Not in what Debian packages.
  does: (load) => !['login-fast', 'resume', 'managed', 'archive', 'pages'].includes(load),
  start,
}

async function start(setup: Setup): Promise<Running> {
  const port = await freePort()
  const data = join(setup.directory, 'data')
  for (const domain of setup.domains) writeAccounts(data, domain, setup)
  const { federation } = setup
  const log = join(setup.directory, 'prosody.log')
  const file = join(setup.directory, 'prosody.cfg.lua')
  writeFileSync(
    file,
    `
run_as_root = true
pidfile = "${join(setup.directory, 'prosody.pid')}"
data_path = "${data}"
certificates = "${setup.directory}"
log = { warn = "${log}" }
interfaces = { "127.0.0.1" }
c2s_ports = {}
s2s_ports = { ${federation?.port ?? ''} }
http_ports = {}
https_ports = {}
c2s_direct_tls_ports = { ${port} }
ssl = { certificate = "${setup.certificate}", key = "${setup.key}" }
gc = { mode = "generational" }
storage = "internal"
authentication = "internal_hashed"
modules_enabled = { "roster", "saslauth", "tls", "disco", "carbons", "pep", "private", "blocklist",
  "vcard4", "vcard_legacy", "version", "uptime", "time", "ping", "smacks", "csi_simple"${federation ? ', "dialback"' : ''} }
${federation ? federated(federation.nameServer) : 'modules_disabled = { "s2s" }'}
${setup.domains.map(hostOf).join('\n')}
${setup.rooms ? setup.domains.map(({ name }) => `Component "conference.${name}" "muc"`).join('\n') : ''}
`,
  )
  const child = launch('prosody', ['-F', '--config', file], log)
  await ready(child, port, setup, log)
  return { port, processes: [child.pid ?? 0], stop: () => end(child) }
}

function hostOf({ name, hash }: Domain): string {
  return `VirtualHost "${name}"${hash === 'sha256' ? '\n  password_hash = "SHA-256"' : ''}`
}

/** Dialback under TLS, the peer found by a name server on this machine. */
function federated(nameServer: number): string {
  return `s2s_require_encryption = true
s2s_secure_auth = false
use_ipv6 = false
unbound = { resolvconf = false, hoststxt = false, forward = { "127.0.0.1@${nameServer}" } }`
}

/** One small Lua file per account, as mod_storage_internal keeps them. */
function writeAccounts(data: string, { name: domain, hash }: Domain, { accounts }: Setup): void {
  const keys = deriveKeys(hash, salt, iterations)
  const fields = {
    stored_key: keys.stored.toString('hex'),
    server_key: keys.server.toString('hex'),
    salt: salt.toString(),
  }
  const texts = Object.entries(fields).map(([name, value]) => `["${name}"] = "${value}";`)
  const content = `return { ${texts.join(' ')} ["iteration_count"] = ${iterations}; };\n`
  const folder = join(data, encodeURIComponent(domain).replace(/\./g, '%2e'), 'accounts')
  mkdirSync(folder, { recursive: true })
  for (const name of namesOf(accounts)) writeFileSync(join(folder, `${name}.dat`), content)
}
