/** Asks DNS what it says about the served domains, and names what is wrong with it, with one fix each. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { DnsError } from '../dns/records.js'
import type { AddressRecord, Answer, SrvRecord, TlsaRecord } from '../dns/records.js'
import { compareAuthority } from './dns-authority.js'
import type { AuthorityUsing } from './dns-authority.js'
import { services, zoneLine } from './dns-records.js'
import type { Ports, Service, Site } from './dns-records.js'

export interface Finding {
  readonly domain: string
  /** `note`: nothing wrong, something to know. `unknown`: DNS did not tell. */
  readonly level: 'ok' | 'note' | 'warn' | 'fail' | 'unknown'
  /** What it is about: `_xmpp-client._tcp`, `CAA`, `TLSA`. */
  readonly about: string
  readonly text: string
  readonly fix?: string
}

export interface CheckUsing extends AuthorityUsing {
  /** Addresses of this machine's interfaces: what is none of them may be elsewhere, or behind NAT. */
  readonly interfaces: readonly string[]
  /** The certificates of the domains, as far as they are files. */
  readonly certificates: ReadonlyMap<string, X509Certificate>
  /** Who may issue certificates, when nothing says so. */
  readonly authority: string
}

/** All findings, domain by domain. */
export async function checkDns(site: Site, using: CheckUsing): Promise<readonly Finding[]> {
  const all = await Promise.all(site.domains.map((domain) => new DomainCheck(site, using, domain).run()))
  return all.flat()
}

type Told = Omit<Finding, 'domain' | 'about'>

class DomainCheck {
  readonly #findings: Finding[] = []
  /** Where records lead: `host port`. */
  readonly #ends = new Map<string, { readonly host: string; readonly port: number }>()

  constructor(
    readonly site: Site,
    readonly using: CheckUsing,
    readonly domain: { readonly name: string; readonly clients: boolean },
  ) {}

  async run(): Promise<readonly Finding[]> {
    const { clients } = this.domain
    for (const service of services) if (clients || service.who === 'servers') await this.#service(service)
    if (clients) await this.#authorities()
    for (const { host, port } of this.#ends.values()) await this.#pins(host, port)
    return [...this.#findings, ...(await compareAuthority(this.domain, this.using))]
  }

  #say(about: string, told: Told): void {
    this.#findings.push({ domain: this.domain.name, about, ...told })
  }

  async #service(service: Service): Promise<void> {
    const about = `${service.label}._tcp`
    const found = await ask(this.using.resolver.srv(`${about}.${this.domain.name}`))
    if (!(found instanceof DnsError)) {
      for (const record of found.records) this.#say(about, await this.#record(service, record))
      return
    }
    if (found.temporary) this.#say(about, undecided(found))
    else if (this.site.ports[service.port] === undefined) return
    else if (service.tls === 'starttls') this.#say(about, await this.#fallback(service))
    else this.#say(about, { level: 'note', text: `not set (optional): direct TLS for ${service.who}` })
  }

  /** RFC 6120 §3.2.2: without a record, the domain itself at the usual port. */
  async #fallback(service: Service): Promise<Told> {
    const { name } = this.domain
    const fix = `add ${this.#line(service)}`
    const port = this.site.ports[service.port]
    if (port !== service.usual)
      return {
        level: 'fail',
        text: `missing: ${service.who} try ${name} port ${service.usual}, the server listens on ${port}`,
        fix,
      }
    const found = await ask(this.using.resolver.addresses(name))
    if (found instanceof DnsError && found.temporary) return undecided(found)
    if (found instanceof DnsError)
      return {
        level: 'fail',
        text: `missing, and ${name} ${found.code === 'NXDOMAIN' ? 'does not exist' : 'has no address'}`,
        fix: this.site.target === undefined ? `add ${name} A or AAAA, the address of this server` : fix,
      }
    const elsewhere = this.#elsewhere(found)
    if (elsewhere)
      return {
        level: elsewhere.level,
        text: `missing: ${service.who} go to ${name} ${shown(found)}, ${elsewhere.text}`,
        fix,
      }
    const deaf = this.#deaf(service, name, found)
    if (deaf) return deaf
    this.#ends.set(`${name} ${port}`, { host: name, port })
    return { level: 'ok', text: `not needed: ${name} ${shown(found)}` }
  }

  async #record(service: Service, { target, port }: SrvRecord): Promise<Told> {
    const expected = this.site.ports[service.port]
    const remedy = `delete the record, or add ${this.#line(service)} instead`
    if (target === '.')
      return expected === undefined
        ? { level: 'ok', text: 'says that there is none' }
        : {
            level: 'fail',
            text: `says that there is none, the server listens on port ${expected}`,
            fix: remedy,
          }
    if (expected === undefined)
      return {
        level: 'fail',
        text: `-> ${target} port ${port}: the server does not listen for this`,
        fix: `delete the record, or set listen.${option(service.port)}`,
      }
    if (isIP(target) !== 0)
      return {
        level: 'fail',
        text: `-> ${target} is an address, not a name`,
        fix: 'give the address a name (A or AAAA record), and set it as the target',
      }
    const wrong = this.#wrongPort(service, expected, port)
    if (wrong) return wrong
    const found = await ask(this.using.resolver.addresses(target))
    if (found instanceof DnsError) return this.#noAddress(target, found)
    if (found.canonical !== target)
      return {
        level: 'fail',
        text: `-> ${target} is an alias (CNAME) of ${found.canonical}, which RFC 2782 forbids: some never arrive`,
        fix: `set the target to ${found.canonical}`,
      }
    const elsewhere = this.#elsewhere(found)
    if (elsewhere)
      return {
        level: elsewhere.level,
        text: `-> ${target} ${shown(found)}, ${elsewhere.text}: a former server?`,
        fix: remedy,
      }
    const deaf = this.#deaf(service, target, found)
    if (deaf) return deaf
    this.#ends.set(`${target} ${port}`, { host: target, port })
    return { level: 'ok', text: `-> ${target} port ${port} ${shown(found)}` }
  }

  #wrongPort(service: Service, expected: number, port: number): Told | undefined {
    if (port === expected) return undefined
    const fix = `set the port to ${expected}${service.tls === 'direct' ? ', or delete the record' : ''}`
    const other = services.find((one) => this.site.ports[one.port] === port)
    if (other)
      return {
        level: 'fail',
        text: `-> port ${port} is the ${other.tls === 'direct' ? 'direct TLS' : 'STARTTLS'} port of ${other.who}`,
        fix,
      }
    return { level: 'warn', text: `-> port ${port}: the server listens on ${expected}`, fix }
  }

  #noAddress(target: string, error: DnsError): Told {
    if (error.temporary) return undecided(error)
    return {
      level: 'fail',
      text: `-> ${target} ${error.code === 'NXDOMAIN' ? 'does not exist' : 'has no address'}`,
      fix: `add ${target} A or AAAA, the address of this server, or correct the target`,
    }
  }

  /** undefined when the addresses are, or may be, those of this server. */
  #elsewhere({ records }: Answer<AddressRecord>): Pick<Told, 'level' | 'text'> | undefined {
    const { addresses } = this.site
    const strange = (known: readonly string[]) =>
      records.filter(
        ({ address, family }) =>
          known.some((one) => isIP(one) === family) && !known.some((one) => same(one, address)),
      )
    if (addresses.length > 0) {
      const [first] = strange(addresses)
      return first && { level: 'fail', text: `but the server has ${addresses.join(' and ')}` }
    }
    const [first] = strange(this.using.interfaces.filter(isPublic))
    return first && { level: 'warn', text: `and this machine does not have ${first.address}` }
  }

  /** An IPv6 address at which nobody listens. */
  #deaf(service: Service, host: string, { records }: Answer<AddressRecord>): Told | undefined {
    const six = records.find(({ family }) => family === 6)
    if (!six || !this.site.onlyIpv4.has(service.port)) return undefined
    return {
      level: 'fail',
      text: `-> ${host} has the IPv6 address ${six.address}, the server listens on IPv4 only`,
      fix: `set listen.${option(service.port)} to "[::]:${this.site.ports[service.port]}", or delete the AAAA record`,
    }
  }

  /** RFC 8659 §3: the first records on the way up hold. */
  async #authorities(): Promise<void> {
    const { name } = this.domain
    const labels = name.split('.')
    for (let from = 0; from < Math.max(1, labels.length - 1); from++) {
      const at = labels.slice(from).join('.')
      const found = await ask(this.using.resolver.caa(at))
      if (!(found instanceof DnsError)) {
        const issuers = found.records.filter(({ tag }) => tag === 'issue').map(({ value }) => value)
        return this.#say('CAA', { level: 'ok', text: `${at}: ${issuers.join(', ') || 'no restriction'}` })
      }
      if (found.temporary)
        return this.#say('CAA', {
          ...undecided(found),
          text: `${found.message}: authorities will refuse to issue certificates`,
        })
    }
    this.#say('CAA', {
      level: 'warn',
      text: 'not set: any authority may issue certificates for this domain',
      fix: `add ${zoneLine({ type: 'CAA', name, value: `0 issue "${this.using.authority}"`, group: 'caa' })}`,
    })
  }

  /** RFC 7673 §4: servers that verify by DANE refuse a certificate that no TLSA record fits. */
  async #pins(host: string, port: number): Promise<void> {
    const certificate = this.using.certificates.get(this.domain.name)
    if (!certificate) return
    const about = `_${port}._tcp.${host} TLSA`
    const found = await ask(this.using.resolver.tlsa(`_${port}._tcp.${host}`))
    if (found instanceof DnsError) {
      if (found.temporary) this.#say(about, undecided(found))
      return
    }
    // Those of authorities (usage 0 and 2) say nothing about this certificate.
    const own = found.records.filter(({ usage }) => usage === 1 || usage === 3)
    if (own.length < found.records.length || own.some((record) => fits(record, certificate)))
      this.#say(
        about,
        found.secure
          ? { level: 'ok', text: 'fits the certificate' }
          : {
              level: 'warn',
              text: 'fits the certificate, but is not validated by DNSSEC: nobody may use it',
              fix: 'sign the zone; if it is signed, name a validating server in dns.servers',
            },
      )
    else
      this.#say(about, {
        level: 'fail',
        text: `does not fit the certificate of ${this.domain.name}: servers that use DANE refuse it`,
        fix: `set it to ${pinOf(certificate)}`,
      })
  }

  #line(service: Service): string {
    const { name } = this.domain
    return zoneLine({
      type: 'SRV',
      name: `${service.label}._tcp.${name}`,
      priority: 5,
      weight: 5,
      port: this.site.ports[service.port] ?? service.usual,
      value: this.site.target ?? name,
      group: 'needed',
    })
  }
}

/** The value of a TLSA record for the key of a certificate, which survives renewals that keep it: `3 1 1 HASH`. */
export function pinOf(certificate: X509Certificate): string {
  return `3 1 1 ${createHash('sha256').update(keyOf(certificate)).digest('hex')}`
}

/** RFC 6698 §2.1. */
function fits({ selector, matching, data }: TlsaRecord, certificate: X509Certificate): boolean {
  const whole = selector === 0 ? certificate.raw : keyOf(certificate)
  const hash = matching === 1 ? 'sha256' : matching === 2 ? 'sha512' : undefined
  const expected = hash === undefined ? whole : createHash(hash).update(whole).digest()
  return expected.length === data.length && timingSafeEqual(expected, data)
}

function keyOf(certificate: X509Certificate): Buffer {
  return certificate.publicKey.export({ type: 'spki', format: 'der' })
}

async function ask<T>(answer: Promise<Answer<T>>): Promise<Answer<T> | DnsError> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof DnsError) return error
    throw error
  }
}

function undecided(error: DnsError): Told {
  if (error.code === 'SERVFAIL')
    return {
      level: 'fail',
      text: error.message,
      fix: 'look at the name servers of the zone and its DNSSEC (the DS record) at your DNS provider',
    }
  const fix =
    error.code === 'TIMEOUT' || error.code === 'REFUSED'
      ? 'name a DNS server that answers in dns.servers, and let UDP and TCP port 53 pass'
      : 'correct the record at your DNS provider'
  return { level: error.code === 'MALFORMED' ? 'fail' : 'unknown', text: error.message, fix }
}

const shown = ({ records }: Answer<AddressRecord>) => `= ${records.map(({ address }) => address).join(' ')}`

function option(port: keyof Ports): string {
  return { c2s: 'c2s', c2sTls: 'c2s_tls', s2s: 's2s', s2sTls: 's2s_tls' }[port]
}

function same(one: string, other: string): boolean {
  return isIP(one) === 6
    ? new URL(`http://[${one}]`).host === new URL(`http://[${other}]`).host
    : one === other
}

/** Not private, link-local or loopback: what the world may see. */
function isPublic(address: string): boolean {
  return isIP(address) === 6
    ? /^[23]/.test(address)
    : !/^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(
        address,
      )
}
