/** `parley dns` and `parley dns check`: which DNS records to set, and whether they are set rightly. No server needs to run. */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '../base/clock.js'
import type { Random } from '../base/random.js'
import { flag, Misfit, options, text } from '../base/schema.js'
import type { Terminal } from '../base/terminal.js'
import { asDomain } from '../base/units.js'
import type { Address } from '../base/units.js'
import type { FileAccess } from '../config/files.js'
import type { ServerConfig } from '../config/server.js'
import { Resolver } from '../dns/resolver.js'
import { CommandError } from '../host/command.js'
import { asciiDomain } from '../stanza/domain.js'
import { optionalWord, UsageError } from './arguments.js'
import { checkDns, pinOf } from './dns-check.js'
import type { Finding } from './dns-check.js'
import { printRecords, printZone, recordsOf, siteOf, zoneLine } from './dns-records.js'
import type { Site } from './dns-records.js'
import { printRows } from './print.js'

export interface DnsEnvironment {
  readonly terminal: Terminal
  readonly files: FileAccess
  readonly clock: Clock
  readonly random: Random
  /** Addresses of this machine's network interfaces. */
  interfaces(): readonly string[]
  /** Where name servers of zones listen. Default: 53. */
  readonly dnsPort?: number
}

const siteFields = {
  target: optionalWord('The host that runs the server; default: each domain itself', asDomain),
  ipv4: optionalWord('Its IPv4 address', (word) => addressOf(word, 4)),
  ipv6: optionalWord('Its IPv6 address', (word) => addressOf(word, 6)),
  authority: text('letsencrypt.org', 'Who may issue certificates, for the CAA record'),
}

export const dnsArgs = options({
  ...siteFields,
  zone: flag(false, 'As lines of a zone file'),
  tlsa: flag(false, 'Also TLSA records for the certificates (DANE)'),
})

export const dnsCheckArgs = options(siteFields)

/** Prints the records; exit code 0. */
export function dns(
  config: ServerConfig,
  raw: Readonly<Record<string, unknown>>,
  json: boolean,
  at: DnsEnvironment,
): number {
  const args = parsed(() => dnsArgs.parse(raw))
  const site = siteOf(config, args)
  requireDomains(site)
  const certificates = args.tlsa ? certificatesOf(config, at.files) : new Map<string, X509Certificate>()
  if (args.tlsa && certificates.size === 0)
    throw new CommandError(
      'no domain has a certificate yet',
      'set tls.certificate and tls.key, or start the server once: it makes one',
    )
  const pins = new Map([...certificates].map(([domain, certificate]) => [domain, pinOf(certificate)]))
  const records = recordsOf(site, args.authority, pins)
  if (json) {
    const shown = records.map(({ group, ...record }) => ({
      ...record,
      group,
      zone: zoneLine({ ...record, group }),
    }))
    at.terminal.out(JSON.stringify(shown, null, 2))
  } else at.terminal.out(args.zone ? printZone(records) : printRecords(records))
  return 0
}

/** Asks DNS and prints what it found; exit code 1 when something is wrong or could not be found out. */
export async function dnsCheck(
  config: ServerConfig,
  raw: Readonly<Record<string, unknown>>,
  json: boolean,
  at: DnsEnvironment,
): Promise<number> {
  const args = parsed(() => dnsCheckArgs.parse(raw))
  const site = siteOf(config, args)
  requireDomains(site)
  const { servers, timeout } = config.dns
  // What the hosts file of this machine says is nothing that others see.
  const asking = (whom: readonly Address[]) =>
    new Resolver({
      servers: () => whom,
      timeout: () => timeout,
      clock: at.clock,
      random: at.random,
      hostsFile: false,
    })
  const findings = await checkDns(site, {
    resolver: asking(servers),
    authoritative: (addresses) => asking(addresses.map((host) => ({ host, port: at.dnsPort ?? 53 }))),
    interfaces: at.interfaces(),
    certificates: certificatesOf(config, at.files),
    authority: args.authority,
  })
  const wrong = findings.some(({ level }) => level === 'fail' || level === 'unknown')
  at.terminal.out(json ? JSON.stringify({ ok: !wrong, findings }, null, 2) : printFindings(findings))
  return wrong ? 1 : 0
}

/** Domain by domain, what is wrong in capitals with its fix below; the sum last. */
function printFindings(findings: readonly Finding[]): string {
  const lines: string[] = []
  for (const domain of new Set(findings.map((finding) => finding.domain))) {
    const own = findings.filter((finding) => finding.domain === domain)
    const words = { ok: 'ok', note: '-', warn: 'warn', fail: 'FAIL', unknown: 'unknown' }
    const rows = printRows(own.map(({ level, about, text }) => [`  ${words[level]}`, about, text]))
    lines.push(domain)
    own.forEach(({ fix }, index) =>
      lines.push(rows[index]!, ...(fix === undefined ? [] : [`           fix: ${fix}`])),
    )
  }
  const count = (...levels: Finding['level'][]) =>
    findings.filter(({ level }) => levels.includes(level)).length
  const unknown = count('unknown')
  const sum = [
    `${count('ok')} ok`,
    `${count('warn')} warnings`,
    `${count('fail')} failed`,
    ...(unknown > 0 ? [`${unknown} unknown`] : []),
  ]
  return [...lines, sum.join('  ')].join('\n')
}

function requireDomains({ domains }: Site): void {
  if (domains.length === 0)
    throw new CommandError('localhost needs no DNS records', 'set `domain` to a domain of yours')
}

/** The certificates by domain in ASCII, the self-signed ones too; what cannot be read is `config check`'s to tell. */
function certificatesOf(config: ServerConfig, files: FileAccess): Map<string, X509Certificate> {
  const found = new Map<string, X509Certificate>()
  for (const { domain, services, tls } of config.hosts.values()) {
    try {
      const own = join(config.dataDir, 'tls', `${asciiDomain(domain)}.crt`)
      const certificate = new X509Certificate(files.read(tls?.certificate ?? own))
      for (const name of [domain, ...services]) found.set(asciiDomain(name), certificate)
    } catch {
      continue
    }
  }
  return found
}

function parsed<T>(parse: () => T): T {
  try {
    return parse()
  } catch (fault) {
    throw fault instanceof Misfit ? new UsageError(fault.message, fault.hint) : fault
  }
}

function addressOf(word: string, family: 4 | 6): string {
  const address = word.replace(/^\[(.*)\]$/, '$1')
  if (isIP(address) !== family) throw new Misfit(`is no IPv${family} address`)
  return address
}
