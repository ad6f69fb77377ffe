/** The DNS records that a configuration asks for: the fewest that work, and those that may be set besides. */
import { isIP } from 'node:net'
import type { Address } from '../base/units.js'
import type { ServerConfig } from '../config/server.js'
import { asciiDomain } from '../stanza/domain.js'
import { printRows } from './print.js'

/** What DNS should say about a server. */
export interface Site {
  /** In ASCII. Services and components are of interest to other servers only. */
  readonly domains: readonly { readonly name: string; readonly clients: boolean }[]
  /** The host that runs the server; undefined: each domain is its own. */
  readonly target: string | undefined
  /** The addresses of the server, as far as they are known. */
  readonly addresses: readonly string[]
  readonly ports: Ports
  /** Those at which no IPv6 address is listened on. */
  readonly onlyIpv4: ReadonlySet<keyof Ports>
}

/** The ports as seen from outside; undefined: not listened on. */
export interface Ports {
  readonly c2s: number | undefined
  readonly c2sTls: number | undefined
  readonly s2s: number | undefined
  readonly s2sTls: number | undefined
}

/** One kind of SRV record (RFC 6120 §14.3, XEP-0368 §3). */
export interface Service {
  readonly label: '_xmpp-client' | '_xmpps-client' | '_xmpp-server' | '_xmpps-server'
  readonly port: keyof Ports
  /** The port that is meant without any record. */
  readonly usual: number
  readonly tls: 'starttls' | 'direct'
  readonly who: 'clients' | 'servers'
}

export const services: readonly Service[] = [
  { label: '_xmpp-client', port: 'c2s', usual: 5222, tls: 'starttls', who: 'clients' },
  { label: '_xmpp-server', port: 's2s', usual: 5269, tls: 'starttls', who: 'servers' },
  { label: '_xmpps-client', port: 'c2sTls', usual: 5223, tls: 'direct', who: 'clients' },
  { label: '_xmpps-server', port: 's2sTls', usual: 5270, tls: 'direct', who: 'servers' },
]

export interface DnsRecord {
  readonly type: 'A' | 'AAAA' | 'SRV' | 'CAA' | 'TLSA'
  /** Absolute, without the final dot. */
  readonly name: string
  /** As in a zone file; of SRV the target without the final dot; undefined: not known here. */
  readonly value: string | undefined
  readonly priority?: number
  readonly weight?: number
  readonly port?: number
  /** `needed`: nothing works without. The others are kinds of what may be set besides. */
  readonly group: 'needed' | 'direct-tls' | 'caa' | 'tlsa'
}

/** What `--target`, `--ipv4` and `--ipv6` say besides the configuration. */
export interface SiteHints {
  readonly target: string | undefined
  readonly ipv4: string | undefined
  readonly ipv6: string | undefined
}

/** The site of a configuration; domains that no DNS knows (localhost, IP addresses) are left out. */
export function siteOf(config: ServerConfig, hints: SiteHints): Site {
  const { listen } = config
  const all = [...listen.c2s, ...listen.c2sTls, ...listen.s2s, ...listen.s2sTls]
  const given = [hints.ipv4, hints.ipv6].filter((address) => address !== undefined)
  const listened = all.map(({ host }) => host).filter((host) => isIP(host) !== 0 && !isLocal(host))
  return {
    domains: [
      ...config.domains.map((name) => ({ name, clients: true })),
      ...[...config.hosts.values()].flatMap(({ services }) =>
        services.map((name) => ({ name, clients: false })),
      ),
      ...[...config.component.keys()].map((name) => ({ name, clients: false })),
    ]
      .filter(({ name }) => !/(^|\.)localhost$/.test(name) && isIP(name.replace(/^\[|\]$/g, '')) === 0)
      .map(({ name, clients }) => ({ name: asciiDomain(name), clients })),
    target: hints.target === undefined ? undefined : asciiDomain(hints.target),
    addresses: [...new Set(given.length > 0 ? given : listened)],
    ports: {
      c2s: portOf(listen.c2s, 5222),
      c2sTls: portOf(listen.c2sTls, 5223),
      s2s: portOf(listen.s2s, 5269),
      s2sTls: portOf(listen.s2sTls, 5270),
    },
    onlyIpv4: new Set(services.map(({ port }) => port).filter((port) => isOnlyIpv4(listen[port]))),
  }
}

/** The records of a site, the needed ones first. `tlsa` has the values of TLSA records by domain. */
export function recordsOf(
  site: Site,
  authority: string,
  tlsa: ReadonlyMap<string, string> = new Map(),
): DnsRecord[] {
  const { domains, target, ports } = site
  const hosts = target === undefined ? domains.map(({ name }) => name) : domains.length > 0 ? [target] : []
  const needed = [...new Set(hosts)].flatMap((host) => addressRecords(host, site.addresses))
  const direct: DnsRecord[] = []
  const caa: DnsRecord[] = []
  const pins: DnsRecord[] = []
  for (const { name, clients } of domains) {
    const host = target ?? name
    const wanted = services.filter(({ who }) => clients || who === 'servers')
    const starttls = wanted.filter(({ tls }) => tls === 'starttls')
    const records = starttls.flatMap((service) => srvRecord(service, name, host, ports, 'needed'))
    // RFC 6120 §3.2.2: the domain itself at the usual ports is found without.
    const dispensable = host === name && starttls.every(({ port, usual }) => (ports[port] ?? usual) === usual)
    if (!dispensable) needed.push(...records)
    const both = wanted.filter(({ tls }) => tls === 'direct')
    const encrypted = both.flatMap((service) => srvRecord(service, name, host, ports, 'direct-tls'))
    // Who finds one kind of record looks no further: with direct TLS alone, STARTTLS would be lost.
    if (encrypted.length > 0 && dispensable)
      direct.push(...records.map((one) => ({ ...one, group: 'direct-tls' as const })))
    direct.push(...encrypted)
    if (clients) caa.push({ type: 'CAA', name, value: `0 issue "${authority}"`, group: 'caa' })
    const pin = tlsa.get(name)
    if (pin !== undefined)
      for (const { port } of wanted)
        if (ports[port] !== undefined)
          pins.push({ type: 'TLSA', name: `_${ports[port]}._tcp.${host}`, value: pin, group: 'tlsa' })
  }
  return unique([...needed, ...direct, ...caa, ...pins])
}

/** One line as it stands in a zone file. */
export function zoneLine(record: DnsRecord): string {
  const { type, name, value, priority, weight, port } = record
  const shown = type === 'SRV' ? `${priority} ${weight} ${port} ${value}.` : (value ?? '')
  const line = `${name}. 3600 IN ${type} ${shown}`
  // What is not known here must not be read as a record.
  return value === undefined ? `; ${line}${placeholder(record)}` : line
}

const headings: Readonly<Record<DnsRecord['group'], string>> = {
  needed: 'Set these DNS records',
  'direct-tls': 'Optional: direct TLS, one round trip less, and through firewalls that let nothing else pass',
  caa: 'Optional: no other authority may issue certificates',
  tlsa: 'Optional, in zones with DNSSEC only (DANE): set anew before the key of the certificate changes',
}

/** For people: tables with a column for each field that the forms of DNS providers have. */
export function printRecords(records: readonly DnsRecord[]): string {
  const columns = ['TYPE', 'NAME', 'PRIORITY', 'WEIGHT', 'PORT', 'VALUE']
  const parts = groupsOf(records).map(([group, own]) => {
    const rows = own.map((record) => [
      record.type,
      record.name,
      String(record.priority ?? ''),
      String(record.weight ?? ''),
      String(record.port ?? ''),
      record.value ?? placeholder(record),
    ])
    return [`${headings[group]}:`, ...printRows([columns, ...rows]).map((line) => `  ${line}`)].join('\n')
  })
  const unknown = records.some(({ value }) => value === undefined)
  const hint = 'With --ipv4 ADDRESS and --ipv6 ADDRESS the addresses stand there, too.'
  return [...parts, ...(unknown ? [hint] : [])].join('\n\n')
}

/** For DNS servers: lines of a zone file, the optional ones after their heading. */
export function printZone(records: readonly DnsRecord[]): string {
  return groupsOf(records)
    .map(([group, own]) => [`; ${headings[group]}`, ...own.map(zoneLine)].join('\n'))
    .join('\n\n')
}

function groupsOf(records: readonly DnsRecord[]): [DnsRecord['group'], DnsRecord[]][] {
  const groups: DnsRecord['group'][] = ['needed', 'direct-tls', 'caa', 'tlsa']
  return groups
    .map((group): [DnsRecord['group'], DnsRecord[]] => [
      group,
      records.filter((record) => record.group === group),
    ])
    .filter(([, own]) => own.length > 0)
}

function placeholder({ type }: DnsRecord): string {
  return type === 'A' ? '(the IPv4 address of the server)' : '(its IPv6 address, if it has one)'
}

function addressRecords(host: string, addresses: readonly string[]): DnsRecord[] {
  const record = (type: 'A' | 'AAAA', value: string | undefined): DnsRecord => ({
    type,
    name: host,
    value,
    group: 'needed',
  })
  const known = addresses.map((address) => record(isIP(address) === 6 ? 'AAAA' : 'A', address))
  return known.length > 0 ? known : [record('A', undefined), record('AAAA', undefined)]
}

function srvRecord(
  { label, port: key }: Service,
  domain: string,
  host: string,
  ports: Ports,
  group: DnsRecord['group'],
): DnsRecord[] {
  const port = ports[key]
  if (port === undefined) return []
  return [{ type: 'SRV', name: `${label}._tcp.${domain}`, priority: 5, weight: 5, port, value: host, group }]
}

/** The port to publish: the usual one when it is among them; a proxy stands before one that only loopback reaches. */
function portOf(addresses: readonly Address[], usual: number): number | undefined {
  if (addresses.length === 0) return undefined
  const open = addresses.filter(({ host }) => !isLoopback(host))
  return open.some(({ port }) => port === usual) ? usual : (open[0]?.port ?? usual)
}

/** Behind a proxy, which reaches loopback only, anything may be. */
function isOnlyIpv4(addresses: readonly Address[]): boolean {
  const open = addresses.filter(({ host }) => !isLoopback(host))
  return open.length > 0 && open.every(({ host }) => isIP(host) === 4)
}

function isLoopback(host: string): boolean {
  return host === '::1' || host === 'localhost' || host.startsWith('127.')
}

function isLocal(host: string): boolean {
  return isLoopback(host) || host === '::' || host === '0.0.0.0'
}

function unique(records: readonly DnsRecord[]): DnsRecord[] {
  return [...new Map(records.map((record) => [zoneLine(record), record])).values()]
}
