/** What DNS answers, in the words of its RFCs: records, and why there are none. */

/** One or more records of one name and type. */
export interface Answer<T> {
  /** Never empty: no records is a `DnsError`. */
  readonly records: readonly T[]
  /** Seconds for which this holds. */
  readonly ttl: number
  /** Whether a DNS server that we trust has validated it (DNSSEC); see the README of this folder. */
  readonly secure: boolean
  /** The name that holds the records: another than the one asked for when that is an alias (CNAME). */
  readonly canonical: string
}

/** RFC 2782. */
export interface SrvRecord {
  readonly priority: number
  readonly weight: number
  readonly port: number
  /** Lower case, without a final dot; `.` says that the service is decidedly not there. */
  readonly target: string
}

export interface AddressRecord {
  readonly address: string
  readonly family: 4 | 6
}

/** RFC 6698 §2.1. */
export interface TlsaRecord {
  readonly usage: number
  readonly selector: number
  readonly matching: number
  readonly data: Buffer
}

/** A name server of a zone. */
export interface NsRecord {
  readonly host: string
}

/** RFC 8659 §4.1. */
export interface CaaRecord {
  readonly critical: boolean
  readonly tag: string
  readonly value: string
}

/**
 * What can be asked. Names are absolute, no search domain is ever added; they are in ASCII (A-labels), in any case,
 * with or without a final dot. Every question rejects with a `DnsError` and nothing else, within the set time.
 */
export interface Lookups {
  srv(name: string): Promise<Answer<SrvRecord>>
  /** Of a host: IPv6 and IPv4 together. The hosts file of the system goes before DNS. */
  addresses(host: string): Promise<Answer<AddressRecord>>
  tlsa(name: string): Promise<Answer<TlsaRecord>>
  caa(name: string): Promise<Answer<CaaRecord>>
  ns(zone: string): Promise<Answer<NsRecord>>
}

/**
 * Why there are no records.
 *
 * NXDOMAIN: the name does not exist. NODATA: it exists and has none of this type. SERVFAIL: the server could not find
 * out, or the signatures are wrong. REFUSED: the server does not answer such questions. TIMEOUT: nobody answered in
 * time. MALFORMED: the answer, or the name asked for, is against the rules.
 */
export type DnsCode = 'NXDOMAIN' | 'NODATA' | 'SERVFAIL' | 'REFUSED' | 'TIMEOUT' | 'MALFORMED'

const meanings: Readonly<Record<DnsCode, string>> = {
  NXDOMAIN: 'there is no such name',
  NODATA: 'the name has no such record',
  SERVFAIL: 'the DNS server could not find out, or the signatures are wrong',
  REFUSED: 'the DNS server refuses to answer',
  TIMEOUT: 'no DNS server answered in time',
  MALFORMED: 'the answer is malformed',
}

export class DnsError extends Error {
  /** Whether asking later may give records. False: DNS says for certain that there are none. */
  readonly temporary: boolean

  constructor(
    readonly code: DnsCode,
    /** The name asked for. */
    readonly asked: string,
    /** The type asked for, such as `SRV`. */
    readonly type: string,
    readonly more: {
      /** More exactly than the code's own words. */
      readonly text?: string
      /** Whether the absence itself is validated (DNSSEC). */
      readonly secure?: boolean
    } = {},
  ) {
    super(`${asked} ${type}: ${more.text ?? meanings[code]} (${code})`)
    this.name = 'DnsError'
    this.temporary = code !== 'NXDOMAIN' && code !== 'NODATA'
  }
}
