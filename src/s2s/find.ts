/** Where the servers of a domain are: what the configuration or DNS says (RFC 6120 §3.2, XEP-0368). */
import { isIP } from 'node:net'
import type { Random } from '../base/random.js'
import type { Address } from '../base/units.js'
import { DnsError } from '../dns/records.js'
import type { Answer, DnsCode, Lookups, SrvRecord } from '../dns/records.js'
import { asciiDomain } from '../stanza/domain.js'

/** A host and port at which the domain is served. */
export interface Target {
  /** A host name in ASCII, or an IP address without brackets. */
  readonly host: string
  readonly port: number
  /** Whether TLS begins with STARTTLS or with the first byte (XEP-0368). */
  readonly tls: 'starttls' | 'direct'
  /** Who says so: the configuration, an SRV record, or nobody (the domain itself, RFC 6120 §3.2.2). */
  readonly source: 'override' | 'srv' | 'fallback'
  /** Whether the way from domain to host is validated by DNSSEC, as DANE wants it (RFC 7673 §3.1). */
  readonly secure: boolean
}

/** What finding a peer needs. */
export interface FindUsing {
  readonly resolver: Pick<Lookups, 'srv' | 'addresses'>
  readonly random: Random
  /** Where its server is, whatever DNS says. */
  readonly override?: { readonly address: Address; readonly tls: 'starttls' | 'direct' } | undefined
}

/** Why a domain has no server that could be tried. */
export class FindError extends Error {
  readonly stage = 'dns'

  constructor(
    readonly domain: string,
    /** RFC 6120 §8.3.3.16 and §8.3.3.17: not-found is final, timeout may pass. */
    readonly condition: 'remote-server-not-found' | 'remote-server-timeout',
    /** `no-service`: its DNS says that there is no XMPP server for other servers (a target of "."). */
    readonly reason: DnsCode | 'no-service',
    /** The question that failed, such as `_xmpp-server._tcp.example.org SRV`. */
    readonly question: string,
    text: string,
  ) {
    super(text)
    this.name = 'FindError'
  }
}

/** SRV records of one domain that are tried; the rest is left out. */
const most = 16

/**
 * The targets of a domain in the order in which to try them, never none. Rejects with a `FindError`.
 *
 * The domain may be in Unicode (U-labels) or ASCII, or be an IP address, IPv6 in brackets.
 */
export async function findPeer(domain: string, using: FindUsing): Promise<readonly Target[]> {
  const { resolver, random, override } = using
  if (override) {
    const { host, port } = override.address
    return [{ host, port, tls: override.tls, source: 'override', secure: false }]
  }
  const literal = domain.replace(/^\[(.*)\]$/, '$1')
  if (isIP(literal)) return [fallback(literal, false)]

  const name = asciiDomain(domain)
  const [starttls, direct] = await Promise.all([
    services(`_xmpp-server._tcp.${name}`, 'starttls', resolver),
    services(`_xmpps-server._tcp.${name}`, 'direct', resolver),
  ])
  // XEP-0368 §3: both kinds are one list.
  const offered = [...starttls.offered, ...direct.offered]
  if (offered.length > 0)
    return inOrder(offered, random)
      .slice(0, most)
      .map(({ target: host, port, tls, secure }) => ({ host, port, tls, source: 'srv', secure }))
  // RFC 2782: a target of "." is a refusal. XEP-0368 §5: after one of either kind there is no fallback.
  const refusal = [starttls, direct].find(({ refused }) => refused)
  if (refusal) {
    // The kind that could not be asked for may be offered.
    const open = [starttls, direct].find((one) => one.failure?.temporary)
    if (open?.failure) throw failed(domain, open.failure)
    throw new FindError(
      domain,
      'remote-server-not-found',
      'no-service',
      refusal.question,
      `${refusal.question} is ".": ${domain} has no XMPP server that others may reach`,
    )
  }
  const { failure } = starttls
  // RFC 6120 §3.2.1: without a response, fall back. One that says "I could not find out" is a response.
  if (failure?.temporary && failure.code !== 'TIMEOUT') throw failed(domain, failure)
  return [await fallbackWithAddress(domain, name, starttls.secure, resolver)]
}

/** RFC 2782: ascending priority; within one, by chance in proportion to the weights. */
export function inOrder<T extends Pick<SrvRecord, 'priority' | 'weight'>>(
  records: readonly T[],
  random: Random,
): T[] {
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b)
  return priorities.flatMap((priority) =>
    byWeight(
      records.filter((record) => record.priority === priority),
      random,
    ),
  )
}

function byWeight<T extends Pick<SrvRecord, 'weight'>>(records: readonly T[], random: Random): T[] {
  // RFC 2782: weight 0 comes first, which gives those a small chance.
  const left = [...records].sort((a, b) => Math.sign(a.weight) - Math.sign(b.weight))
  const ordered: T[] = []
  while (left.length > 0) {
    const sum = left.reduce((total, { weight }) => total + weight, 0)
    const drawn = random.bytes(4).readUInt32BE() % (sum + 1)
    let running = 0
    const chosen = left.findIndex(({ weight }) => (running += weight) >= drawn)
    ordered.push(...left.splice(chosen, 1))
  }
  return ordered
}

interface Services {
  readonly question: string
  readonly offered: readonly (SrvRecord & Pick<Target, 'tls' | 'secure'>)[]
  readonly refused: boolean
  readonly secure: boolean
  readonly failure?: DnsError
}

async function services(name: string, tls: Target['tls'], resolver: Pick<Lookups, 'srv'>): Promise<Services> {
  const question = `${name} SRV`
  let answer: Answer<SrvRecord>
  try {
    answer = await resolver.srv(name)
  } catch (error) {
    if (!(error instanceof DnsError)) throw error
    return { question, offered: [], refused: false, secure: error.more.secure ?? false, failure: error }
  }
  const { secure } = answer
  const offered = answer.records.filter(({ target, port }) => target !== '.' && port !== 0)
  return {
    question,
    offered: offered.map((record) => ({ ...record, tls, secure })),
    refused: offered.length === 0,
    secure,
  }
}

function fallback(host: string, secure: boolean): Target {
  return { host, port: 5269, tls: 'starttls', source: 'fallback', secure }
}

/** RFC 6120 §3.2.2: the domain itself at the registered port, when it has an address at all. */
async function fallbackWithAddress(
  domain: string,
  name: string,
  secure: boolean,
  resolver: Pick<Lookups, 'addresses'>,
): Promise<Target> {
  try {
    await resolver.addresses(name)
  } catch (error) {
    if (error instanceof DnsError) throw failed(domain, error)
    throw error
  }
  return fallback(name, secure)
}

function failed(domain: string, error: DnsError): FindError {
  const condition = error.temporary ? 'remote-server-timeout' : 'remote-server-not-found'
  return new FindError(domain, condition, error.code, `${error.asked} ${error.type}`, error.message)
}
