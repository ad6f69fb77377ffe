/** Prosody as Debian has it: no limits, no archive, generational collector, SCRAM keys written into its files. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deriveKeys, iterations, namesOf, salt, type Hash } from './accounts.js'
import {
  domains,
  end,
  firstLine,
  freePort,
  launch,
  ready,
  type Running,
  type Server,
  type Setup,
} from './server.js'

export const prosody: Server = {
  name: 'Prosody',
  framing: 'xmpp',
  version: () => firstLine('prosodyctl', 'about')?.replace('Prosody ', ''),
  does: () => true,
  start,
}

async function start(setup: Setup): Promise<Running> {
  const port = await freePort()
  const data = join(setup.directory, 'data')
  writeAccounts(data, domains.sha1, 'sha1', setup)
  writeAccounts(data, domains.sha256, 'sha256', setup)
  const log = join(setup.directory, 'prosody.log')
  const file = join(setup.directory, 'prosody.cfg.lua')
  writeFileSync(
    file,
    `
run_as_root = true
pidfile = "${join(setup.directory, 'prosody.pid')}"
data_path = "${data}"
log = { warn = "${log}" }
interfaces = { "127.0.0.1" }
c2s_ports = {}
s2s_ports = {}
http_ports = {}
https_ports = {}
c2s_direct_tls_ports = { ${port} }
ssl = { certificate = "${setup.certificate}", key = "${setup.key}" }
gc = { mode = "generational" }
storage = "internal"
authentication = "internal_hashed"
modules_enabled = { "roster", "saslauth", "tls", "disco", "carbons", "pep", "private", "blocklist",
  "vcard4", "vcard_legacy", "version", "uptime", "time", "ping", "smacks", "csi_simple" }
modules_disabled = { "s2s" }
VirtualHost "${domains.sha1}"
VirtualHost "${domains.sha256}"
  password_hash = "SHA-256"
`,
  )
  const child = launch('prosody', ['-F', '--config', file], log)
  await ready(child, port, log)
  return { port, processes: [child.pid ?? 0], stop: () => end(child) }
}

/** One small Lua file per account, as mod_storage_internal keeps them. */
function writeAccounts(data: string, domain: string, hash: Hash, { accounts }: Setup): void {
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
