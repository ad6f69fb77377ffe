/** The table of all figures, the ratios to the other servers, and the difference to the last accepted run. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Figures, LoadName } from './job.js'
import { loads } from './loads.js'

export type Results = Record<
  string,
  { readonly version: string; readonly loads: Partial<Record<LoadName, Figures>> }
>

/** name of the figure: what it is called, its unit (`%` stands for the load's own unit), decimals. */
const kinds: Record<string, readonly [title: string, unit: string, decimals: number]> = {
  cpu: ['CPU', 'µs a %', 1],
  far: ['CPU of the receiving server', 'µs a %', 1],
  database: ['PostgreSQL CPU', 'µs a %', 1],
  rate: ['throughput', '% /s', 0],
  p50: ['latency p50', 'ms', 2],
  p99: ['latency p99', 'ms', 2],
  loop: ['event loop delay p99', 'ms', 1],
  login: ['slowest honest login of 40', 'ms', 0],
  proof: ['dialback of an honest domain', 'ms', 0],
  ping: ['ping of somebody else, p99', 'ms', 1],
  slowest: ['the slowest ping', 'ms', 1],
  memory: ['PSS', 'KiB a %', 1],
}

/** Compiled files run from dist/; the accepted figures live beside the source. */
const acceptedFile = join(import.meta.dirname, '../../../../test/bench/accepted.json')

export function printTable(results: Results): void {
  const accepted = readAccepted()
  const servers = Object.keys(results)
  const rows: string[][] = [['load', 'figure', ...servers.map((name) => `${name} ${results[name]?.version}`)]]
  for (const load of Object.keys(loads) as LoadName[])
    for (const [kind, [title, unit, decimals]] of Object.entries(kinds)) {
      const cells = servers.map((server) => {
        const values = results[server]?.loads[load]?.[kind]
        if (!values) return ''
        return cell(values, decimals) + compare(results, accepted, server, load, kind)
      })
      if (cells.every((text) => text === '')) continue
      rows.push([loads[load].title, `${title}, ${unit.replace('%', loads[load].unit)}`, ...cells])
    }
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  for (const row of rows) console.log(row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  '))
}

/** What the table of the README holds: a load, one of its figures, the words for it, and how to write it. */
const shown: readonly (readonly [LoadName, string, string, (value: number) => string])[] = [
  ['closed', 'cpu', '200-byte chat message, 100 pairs, each waits for the last one: CPU', micro],
  ['managed', 'cpu', 'the same, both sides acknowledge (XEP-0198): CPU', micro],
  ['resume', 'cpu', 'new TLS connection, SCRAM-SHA-1, resumption with 100 messages sent again: CPU', micro],
  ['windowed', 'cpu', 'chat, 10 pairs, 20 messages under way: CPU', micro],
  ['open', 'cpu', '2,000 messages/s, 1,000 users online: CPU a message', micro],
  ['open', 'p99', 'its latency, 99th percentile', milli],
  ['crowd', 'cpu', '2,000 messages/s, 4,000 users online: CPU a message', micro],
  ['crowd', 'p99', 'its latency, 99th percentile', milli],
  ['login-sha1', 'cpu', 'login and logout, SCRAM-SHA-1 over a new TLS connection: CPU', micro],
  ['login-sha1', 'cpu', 'these logins per second of CPU', (value) => (1e6 / value).toFixed(0)],
  ['login-sha256', 'cpu', 'the same with SCRAM-SHA-256: CPU', micro],
  ['login-fast', 'cpu', 'the same with SASL2, FAST and Bind 2: CPU', micro],
  ['presence', 'cpu', 'presence to 50 contacts: CPU a delivery', micro],
  ['carbons', 'cpu', 'chat between people with 3 devices each, with copies: CPU a delivery', micro],
  ['offline', 'cpu', 'message to somebody absent, stored: CPU', micro],
  ['offline', 'database', 'and of its PostgreSQL', micro],
  [
    'archive',
    'cpu',
    '5,000 messages/s kept for both sides, acknowledged after the commit: CPU a message',
    micro,
  ],
  ['archive', 'database', 'and of its PostgreSQL', micro],
  ['pages', 'cpu', 'page of 50 messages from the archive: CPU', micro],
  ['pages', 'database', 'and of its PostgreSQL', micro],
  ['s2s', 'cpu', 'chat message to a user of another server: CPU of the sending one', micro],
  ['s2s', 'far', 'and of the receiving one', micro],
  ['flood', 'login', '300 invented domains ask for dialback on one stream: slowest login of 40', milli],
  ['idle', 'memory', 'idle session, of 5,000: memory (PSS)', (value) => `${value.toFixed(0)} KiB`],
  ['room100', 'cpu', 'room of 100, 10 talk: CPU a delivery', micro],
  ['room500', 'cpu', 'room of 500, 10 talk: CPU a delivery', micro],
  ['room1000', 'slowest', 'room of 1,000, one talks: slowest ping of somebody else', milli],
  ['join500', 'cpu', 'join of the 500th occupant: CPU', (value) => `${(value / 1000).toFixed(1)} ms`],
  [
    'rooms10000',
    'memory',
    'idle persistent room, of 10,000: memory (PSS)',
    (value) => `${value.toFixed(1)} KiB`,
  ],
]

/** The main figures as a table in Markdown: medians, and how many times Parley's the others' are. */
export function markdown(results: Results): string {
  const servers = Object.keys(results)
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const rows = [
    line(['', ...servers.map((name) => `${name} ${results[name]?.version}`)]),
    line(['---', ...servers.map(() => '---:')]),
  ]
  for (const [load, kind, words, write] of shown) {
    const own = median(results['Parley']?.loads[load]?.[kind] ?? [])
    const cells = servers.map((server) => {
      const value = median(results[server]?.loads[load]?.[kind] ?? [])
      if (Number.isNaN(value)) return ''
      const times = server === 'Parley' || Number.isNaN(own) ? '' : ` (${(value / own).toFixed(1)} x)`
      return write(value) + (write === micro || write === milli ? times : '')
    })
    rows.push(line([words, ...cells]))
  }
  const delays = Object.values(results['Parley']?.loads ?? {}).flatMap(({ loop }) => loop ?? [])
  const worst =
    delays.length === 0
      ? ''
      : `\nLongest event-loop delay (p99) of Parley in all of it: ${milli(Math.max(...delays))}.\n`
  return `${rows.join('\n')}\n${worst}`
}

function micro(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} µs`
}

function milli(value: number): string {
  return `${value.toFixed(1)} ms`
}

/** Keeps the medians of these results beside those of loads that were not run. */
export function saveAccepted(results: Results): void {
  const accepted = readAccepted()
  for (const [server, { loads: measured }] of Object.entries(results))
    for (const [load, figures] of Object.entries(measured))
      for (const [kind, values] of Object.entries(figures)) {
        const ofServer = (accepted[server] ??= {})
        const ofLoad = (ofServer[load] ??= {})
        ofLoad[kind] = Number(median(values).toFixed(2))
      }
  writeFileSync(acceptedFile, `${JSON.stringify(accepted, undefined, 2)}\n`)
}

type Accepted = Record<string, Record<string, Record<string, number>>>

function readAccepted(): Accepted {
  return existsSync(acceptedFile) ? (JSON.parse(readFileSync(acceptedFile, 'utf8')) as Accepted) : {}
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The median, and the range when there is more than one run. */
function cell(values: readonly number[], decimals: number): string {
  const middle = median(values).toFixed(decimals)
  if (values.length < 2) return middle
  return `${middle} (${Math.min(...values).toFixed(decimals)}-${Math.max(...values).toFixed(decimals)})`
}

/** Parley against its last accepted figure; another server as a multiple of Parley. */
function compare(results: Results, accepted: Accepted, server: string, load: LoadName, kind: string): string {
  const value = median(results[server]?.loads[load]?.[kind] ?? [])
  if (server !== 'Parley') {
    const own = results['Parley']?.loads[load]?.[kind]
    return own && kind !== 'loop' ? ` x${(value / median(own)).toFixed(1)}` : ''
  }
  const before = accepted[server]?.[load]?.[kind]
  if (before === undefined || before === 0) return ''
  const change = Math.round((value / before - 1) * 100)
  return ` ${change < 0 ? '' : '+'}${change}%`
}
