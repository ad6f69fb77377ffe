/** ejabberd as Debian has it: Mnesia, no limits, no archive, SCRAM keys written into its account table. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deriveKeys, iterations, salt } from './accounts.js'
import { sleep } from './job.js'
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

const libraries = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib']

export const ejabberd: Server = {
  name: 'ejabberd',
  framing: 'xmpp',
  version: () => (firstLine('erl', '-version') === undefined ? undefined : installed()?.version),
  // Not in what Debian packages.
  does: (load) => !['login-fast', 'resume', 'managed', 'archive', 'pages'].includes(load),
  start,
}

function installed(): { folder: string; version: string } | undefined {
  for (const folder of libraries.filter(existsSync))
    for (const name of readdirSync(folder)) {
      const version = /^ejabberd-(\d+\.\d+)$/.exec(name)?.[1]
      if (version) return { folder, version }
    }
  return undefined
}

async function start(setup: Setup): Promise<Running> {
  const port = await freePort()
  const config = join(setup.directory, 'ejabberd.yml')
  const inetrc = join(setup.directory, 'inetrc')
  const log = join(setup.directory, 'erlang.log')
  const seeded = join(setup.directory, 'seeded')
  writeFileSync(config, configuration(port, setup))
  writeFileSync(inetrc, resolving(setup))
  const machine = ['+K', 'true', '+P', '250000', '-noinput', '-sname', `bench${port}@localhost`]
  const database = ['-mnesia', 'dir', `"${setup.directory}/data"`]
  const program = ['-s', 'ejabberd', '-eval', seeding(setup, seeded)]
  const child = launch('erl', [...machine, ...database, ...program], log, {
    ERL_LIBS: installed()?.folder,
    ERL_INETRC: inetrc,
    EJABBERD_CONFIG_PATH: config,
    EJABBERD_LOG_PATH: join(setup.directory, 'ejabberd.log'),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    HOME: setup.directory,
  })
  await ready(child, port, setup, log)
  for (let i = 0; i < 600 && !existsSync(seeded); i++) await sleep(100)
  if (!existsSync(seeded))
    throw new Error(`ejabberd took no accounts: ${readFileSync(log, 'utf8').slice(-2000)}`)
  return { port, processes: [child.pid ?? 0], stop: () => end(child) }
}

/** A program that writes the accounts into the table, then makes a file that says so. */
function seeding({ accounts, domains }: Setup, seeded: string): string {
  const crowds = accounts.map(({ word, count }) => `{"${word}", ${count}}`).join(', ')
  return `mnesia:wait_for_tables([passwd], 30000),
    [begin Name = iolist_to_binary([Word, integer_to_list(I)]),
      ${domains.map(writing).join(', ')} end
      || {Word, Count} <- [${crowds}], I <- lists:seq(0, Count - 1)],
    file:write_file("${seeded}", "").`
}

function writing({ name, hash }: Domain): string {
  const { stored, server } = deriveKeys(hash, salt, iterations)
  const [first, second, third] = [stored, server, salt].map((bytes) => `<<"${bytes.toString('base64')}">>`)
  const scram = `{scram, ${first}, ${second}, ${third}, ${hash === 'sha1' ? 'sha' : hash}, ${iterations}}`
  return `mnesia:dirty_write({passwd, {Name, <<"${name}">>}, ${scram}})`
}

/** The settings of Erlang's resolver. */
function resolving({ federation }: Setup): string {
  if (!federation) return ''
  return `{resolv_conf, ""}.\n{hosts_file, ""}.\n{lookup, [dns]}.\n{nameserver, {127,0,0,1}, ${federation.nameServer}}.\n`
}

function configuration(port: number, { certificate, key, domains, federation, rooms }: Setup): string {
  const modules =
    (federation ? 's2s_dialback ' : '') +
    'adhoc blocking caps carboncopy client_state disco last ping privacy private roster stream_mgmt vcard version'
  return `
loglevel: warning
hosts: ${JSON.stringify(domains.map(({ name }) => name))}
certfiles: ["${certificate}", "${key}"]
auth_method: internal
auth_password_format: scram
host_config:
${domains.map(({ name, hash }) => `  "${name}":\n    auth_scram_hash: ${hash === 'sha1' ? 'sha' : hash}`).join('\n')}
s2s_use_starttls: required
outgoing_s2s_families: [ipv4]
listen:
  - {port: ${port}, ip: "127.0.0.1", module: ejabberd_c2s, tls: true, shaper: none, access: all, max_stanza_size: 262144}
${federation ? `  - {port: ${federation.port}, ip: "127.0.0.1", module: ejabberd_s2s_in, shaper: none}` : ''}
acl:
  local: {user_regexp: ""}
shaper_rules:
  max_user_sessions: infinity
  max_user_offline_messages: infinity
modules:
${modules
  .split(' ')
  .map((name) => `  mod_${name}: {}`)
  .join('\n')}
  mod_offline: {access_max_user_messages: max_user_offline_messages}
  mod_pubsub: {plugins: [flat, pep]}
${rooms ? '  mod_muc: {access: all, access_create: all, access_persistent: all, max_users: 2000, max_user_conferences: 20000, default_room_options: {max_users: 2000}}' : ''}
`
}
