/** What the name servers of a domain say themselves: the DNS server here, like others, may still remember older records. */
import { DnsError } from '../dns/records.js'
import type { Answer, Lookups, SrvRecord } from '../dns/records.js'
import type { Finding } from './dns-check.js'
import { services } from './dns-records.js'

type Asked = Pick<Lookups, 'srv' | 'addresses'>

export interface AuthorityUsing {
  readonly resolver: Lookups
  /** Asks the name servers of a zone, by their addresses, and nobody else. */
  readonly authoritative: (addresses: readonly string[]) => Asked
}

/** Name servers of one zone that are asked. */
const most = 4

/** Where the two differ; empty where they agree, or where the name servers cannot be asked from here. */
export async function compareAuthority(
  domain: { readonly name: string; readonly clients: boolean },
  { resolver, authoritative }: AuthorityUsing,
): Promise<readonly Finding[]> {
  const zone = await zoneOf(domain.name, resolver)
  if (!zone) return []
  const theirs = authoritative(zone.addresses)
  const questions: readonly [string, (from: Asked) => Promise<Said>][] = [
    ['A/AAAA', (from) => said(from.addresses(domain.name), ({ address }) => address)],
    ...services
      .filter(({ who }) => domain.clients || who === 'servers')
      .map(({ label }): (typeof questions)[number] => [
        `${label}._tcp`,
        (from) => said(from.srv(`${label}._tcp.${domain.name}`), srvText),
      ]),
  ]
  const findings = await Promise.all(
    questions.map(async ([about, ask]): Promise<Finding | undefined> => {
      const [there, here] = await Promise.all([ask(theirs), ask(resolver)])
      if (!there || !here || there.text === here.text) return undefined
      return {
        domain: domain.name,
        level: 'warn',
        about,
        text: `the name servers of ${zone.name} say ${there.text}, the DNS server here ${here.text}`,
        fix: `wait${here.ttl === undefined ? '' : ` ${here.ttl} s`}: others may see the old records as long`,
      }
    }),
  )
  return findings.filter((finding) => finding !== undefined)
}

/** The closest zone above or at a name, with the addresses of its name servers. */
async function zoneOf(
  name: string,
  resolver: Lookups,
): Promise<{ readonly name: string; readonly addresses: readonly string[] } | undefined> {
  const labels = name.split('.')
  for (let from = 0; from < labels.length - 1; from++) {
    const zone = labels.slice(from).join('.')
    const servers = await found(resolver.ns(zone))
    // Behind an alias they are those of another zone.
    if (!servers || servers.canonical !== zone) continue
    const hosts = servers.records.slice(0, most)
    const all = await Promise.all(hosts.map(({ host }) => found(resolver.addresses(host))))
    const addresses = all.flatMap((one) => one?.records.map(({ address }) => address) ?? [])
    return addresses.length > 0 ? { name: zone, addresses } : undefined
  }
  return undefined
}

/** The records in an order of their own; undefined when it cannot be known. */
type Said = { readonly text: string; readonly ttl?: number } | undefined

async function said<T>(answer: Promise<Answer<T>>, shown: (record: T) => string): Promise<Said> {
  try {
    const { records, ttl } = await answer
    return { text: records.map(shown).sort().join(', '), ttl }
  } catch (error) {
    if (!(error instanceof DnsError)) throw error
    return error.temporary ? undefined : { text: 'that there is none' }
  }
}

const srvText = ({ priority, weight, port, target }: SrvRecord) => `${priority} ${weight} ${port} ${target}`

async function found<T>(answer: Promise<Answer<T>>): Promise<Answer<T> | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof DnsError) return undefined
    throw error
  }
}
