/** What a start tells the person who started it: where it listens, whom it serves, and what to do next. */
import type { Address } from '../base/schema.js'
import { formatAddress } from '../base/units.js'
import { printRows } from './print.js'

export interface BannerFacts {
  readonly version: string
  readonly domains: readonly string[]
  /** Domains of services of theirs, such as that of rooms. */
  readonly services: readonly string[]
  /** Where it really listens, by purpose. */
  readonly listening: {
    readonly c2s: readonly Address[]
    readonly c2sTls: readonly Address[]
    readonly c2sPlain: readonly Address[]
    readonly s2s: readonly Address[]
    readonly s2sTls: readonly Address[]
    readonly component: readonly Address[]
    readonly management: readonly Address[]
  }
  readonly dataDir: string
  /** `embedded PostgreSQL 18`, `PostgreSQL at db.example`; no password. */
  readonly database: string
  readonly certificates: readonly CertificateFacts[]
  /** Accounts there are; with none, the next step is to add one. */
  readonly accounts: number
  /** How the command is called: `npx parley`. */
  readonly parley: string
}

export interface CertificateFacts {
  readonly domain: string
  readonly file: string
  /** SHA-256, colons between the bytes. */
  readonly fingerprint: string
  readonly selfSigned: boolean
  /** Milliseconds since 1970. */
  readonly expires: number
}

export function banner(facts: BannerFacts): string {
  const { listening, certificates, domains, parley } = facts
  const [domain = 'localhost'] = domains
  const rows = [
    ['domains', domains.join(', ')],
    ['services', facts.services.join(', ')],
    ['clients', places(listening.c2s, 'STARTTLS')],
    ['', places(listening.c2sTls, 'TLS at once')],
    ['', places(listening.c2sPlain, 'no TLS, this machine only')],
    ['servers', places(listening.s2s, 'STARTTLS')],
    [listening.s2s.length > 0 ? '' : 'servers', places(listening.s2sTls, 'TLS at once')],
    ['components', places(listening.component, 'no TLS, this machine only')],
    ['management', places(listening.management, 'HTTP: /metrics /healthz /readyz')],
    ['data', `${facts.dataDir}, ${facts.database}`],
    ...certificates.flatMap(certificateRows),
  ].filter(([, what]) => what !== '')
  const port = listening.c2s[0]?.port ?? listening.c2sTls[0]?.port ?? listening.c2sPlain[0]?.port
  const next = [
    facts.accounts === 0
      ? `Add a user:        ${parley} user add ana`
      : `Users:             ${parley} user list`,
    `Connect a client:  ana@${domain}${port === undefined || port === 5222 ? '' : `, port ${port}`}${advice(domain, certificates)}`,
    'Stop:              Ctrl-C',
  ]
  return [
    `Parley ${facts.version} is ready.`,
    ...printRows(rows.map((row) => ['', ...row])),
    '',
    ...next.map((line) => `  ${line}`),
  ].join('\n')
}

function certificateRows({ domain, file, fingerprint, selfSigned, expires }: CertificateFacts): string[][] {
  const until = new Date(expires).toISOString().slice(0, 10)
  return [
    ['certificate', `${domain}: ${file} (${selfSigned ? 'self-signed, ' : ''}until ${until})`],
    ['', `SHA-256 ${fingerprint}`],
  ]
}

function advice(domain: string, certificates: readonly CertificateFacts[]): string {
  const own = certificates.find((each) => each.domain === domain)
  const server = domain === 'localhost' ? ', server localhost' : ''
  return own?.selfSigned ? `${server}; trust the certificate above when it asks` : server
}

function places(addresses: readonly Address[], how: string): string {
  if (addresses.length === 0) return ''
  return `${addresses.map(formatAddress).join(', ')} (${how})`
}
