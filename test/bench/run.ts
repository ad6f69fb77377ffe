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
import { groups } from './load/loads.js'
import { parley } from './load/parley.js'
import { prosody } from './load/prosody.js'
import { relay } from './load/relay.js'
import { markdown, printTable, saveAccepted, type Results } from './load/report.js'
import { domainOf, domains, type Running, type Server } from './load/server.js'

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
  { accounts }: (typeof groups)[number],
  wanted: readonly LoadName[],
  directory: string,
  into: Results[string]['loads'],
): Promise<void> {
  const { certificate, key } = makeCertificate(Object.values(domains))
  const paths = { certificate: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  writeFileSync(paths.certificate, certificate)
  writeFileSync(paths.key, key, { mode: 0o600 })
  let running: Running | undefined
  try {
    running = await server.start({ directory, ...paths, accounts })
    for (const load of wanted) {
      const outcome = await runJob({
        load,
        port: running.port,
        domain: domainOf(load),
        framing: server.framing,
        processes: running.processes,
        metrics: running.metrics,
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
    await running?.stop()
  }
}

function wordOf(name: string): string {
  return name.toLowerCase().replace('tls ', '')
}
