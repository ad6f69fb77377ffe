/**
 * `npm run bench`: the small benches in this folder, then the loads over TLS sockets against Parley, the servers of Debian
 * that are installed, and a bare relay. After `--` come names of benches, loads and servers (none means all) and
 *
 *     --quick            one short run of each instead of three
 *     --runs N --seconds N
 *     --json FILE        all figures of all runs
 *     --markdown FILE    the table of the README
 *     --accept           keep the medians as those that later runs are compared with (accepted.json)
 *     --keep             leave configurations, logs and data where they are
 *
 * Fails when messages are lost, never on timing. Other programs on the machine spoil the figures.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeCertificate } from './load/certificate.js'
import { ejabberd } from './load/ejabberd.js'
import { runJob } from './load/generate.js'
import type { LoadName } from './load/job.js'
import { groups, type Group } from './load/loads.js'
import { parley } from './load/parley.js'
import { prosody } from './load/prosody.js'
import { relay } from './load/relay.js'
import { markdown, printTable, saveAccepted, type Results } from './load/report.js'
import {
  domainOf,
  freePort,
  inventedDomains,
  ownDomains,
  pairDomains,
  type Domain,
  type Running,
  type Server,
  type Setup,
} from './load/server.js'
import { NameServer } from '../support/name-server.js'

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    runs: { type: 'string' },
    seconds: { type: 'string' },
    json: { type: 'string' },
    markdown: { type: 'string' },
    accept: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
})
type Federation = NonNullable<Setup['federation']>

const servers: readonly Server[] = [parley, prosody, ejabberd, relay]
const small = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.js') && file !== 'run.js')
  .map((file) => file.slice(0, -3))
const known = new Set([
  ...small,
  ...groups.flatMap(({ loads }) => loads),
  ...servers.map(({ name }) => wordOf(name)),
])
const unknown = names.filter((name) => !known.has(name))
if (unknown.length > 0) {
  console.error(`bench: no ${unknown.join(', ')}\n  fix  choose from ${[...known].join(' ')}`)
  process.exit(2)
}
const top = mkdtempSync(join(tmpdir(), 'parley-bench-'))
const faults: string[] = []
runSmall()
const results = await runLoads()
if (Object.keys(results).length > 0) printTable(results)
if (options.json) writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`)
if (options.markdown) writeFileSync(options.markdown, markdown(results))
if (options.accept) saveAccepted(results)
if (options.keep) console.log(`left in ${top}`)
else rmSync(top, { recursive: true, force: true })
for (const fault of faults) console.error(`bench: ${fault}`)
process.exit(faults.length > 0 ? 1 : 0)

/** With names given, only what is named; a kind of which nothing is named is left out or whole. */
function chosen(kind: readonly string[], others: readonly string[]): string[] {
  const mine = kind.filter((name) => names.includes(name))
  if (mine.length > 0) return mine
  return names.some((name) => others.includes(name)) ? [] : [...kind]
}

function runSmall(): void {
  const others = [...known].filter((name) => !small.includes(name))
  for (const name of chosen(small, others)) {
    const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.js`)], {
      stdio: 'inherit',
    })
    if (status !== 0) faults.push(`${name} failed`)
  }
}

async function runLoads(): Promise<Results> {
  const results: Results = {}
  const loadNames = new Set(
    chosen(
      groups.flatMap(({ loads }) => loads),
      small,
    ),
  )
  const serverNames = chosen(
    servers.map(({ name }) => wordOf(name)),
    small,
  )
  for (const server of servers.filter(({ name }) => serverNames.includes(wordOf(name)))) {
    const version = server.version()
    if (version === undefined) {
      console.log(`${server.name}: not installed`)
      continue
    }
    for (const [index, group] of groups.entries()) {
      const wanted = group.loads.filter((load) => loadNames.has(load) && server.does(load))
      if (wanted.length === 0) continue
      const directory = join(top, `${wordOf(server.name)}-${index}`)
      mkdirSync(directory)
      console.log(`${server.name} ${version}: ${wanted.join(' ')}`)
      const entry = (results[server.name] ??= { version, loads: {} })
      await runGroup(server, group, wanted, directory, entry.loads)
    }
  }
  return results
}

async function runGroup(
  server: Server,
  { accounts, pair, archive = false, rooms = false }: Group,
  wanted: readonly LoadName[],
  directory: string,
  into: Results[string]['loads'],
): Promise<void> {
  const closings: (() => Promise<void>)[] = []
  const start = async (domains: readonly Domain[], federation?: Federation): Promise<Running> => {
    const folder = join(directory, domains[0]?.name ?? '')
    const running = await server.start({
      ...certified(folder, domains),
      domains,
      accounts,
      archive,
      rooms,
      federation,
    })
    closings.push(() => running.stop())
    return running
  }
  try {
    let far: (Running & { domain: string }) | undefined
    let near: Running
    let ports: Record<keyof typeof pairDomains, number> | undefined
    if (pair) {
      ports = { near: await freePort(), far: await freePort() }
      const names = await nameServer(ports)
      closings.push(() => names.stop())
      const federation = (port: number) => ({ port, nameServer: names.address.port })
      near = await start([pairDomains.near], federation(ports.near))
      far = { ...(await start([pairDomains.far], federation(ports.far))), domain: pairDomains.far.name }
    } else near = await start(ownDomains)
    for (const load of wanted) {
      const outcome = await runJob({
        load,
        port: near.port,
        domain: domainOf(load),
        framing: server.framing,
        processes: near.processes,
        metrics: near.metrics,
        far,
        federationPort: ports?.near,
        runs: Number(options.runs ?? (options.quick ? 1 : 3)),
        seconds: Number(options.seconds ?? (options.quick ? 4 : 10)),
        quick: options.quick,
      })
      into[load] = outcome.figures
      if (outcome.lost !== 0) faults.push(`${server.name}, ${load}: ${outcome.lost} messages lost`)
    }
  } catch (error) {
    faults.push(`${server.name}: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    for (const close of closings.reverse()) await close()
  }
}

/** A new folder with a certificate for these domains. */
function certified(directory: string, domains: readonly Domain[]) {
  mkdirSync(directory)
  const made = makeCertificate(domains.map(({ name }) => name))
  const [certificate, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  writeFileSync(certificate, made.certificate)
  writeFileSync(key, made.key, { mode: 0o600 })
  return { directory, certificate, key }
}

/** What DNS says of a pair: at a host that every resolver knows. */
function nameServer(ports: Record<keyof typeof pairDomains, number>): Promise<NameServer> {
  const record = (port: number) => ({ SRV: [`0 0 ${port} localhost`] })
  const silent = inventedDomains.flatMap((domain) =>
    [domain, `_xmpp-server._tcp.${domain}`, `_xmpps-server._tcp.${domain}`].map(
      (name) => [name, 'silent'] as const,
    ),
  )
  return NameServer.start({
    ...Object.fromEntries(silent),
    localhost: { A: ['127.0.0.1'] },
    [`_xmpp-server._tcp.${pairDomains.near.name}`]: record(ports.near),
    [`_xmpp-server._tcp.${pairDomains.far.name}`]: record(ports.far),
  })
}

function wordOf(name: string): string {
  return name.toLowerCase().replace('tls ', '')
}
