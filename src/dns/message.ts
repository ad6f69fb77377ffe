/** DNS messages (RFC 1035 §4): a question as bytes, and what the bytes that come back say about it. */
import { isIP } from 'node:net'
import * as packet from 'dns-packet'
import { DnsError } from './records.js'
import type { AddressRecord, CaaRecord, NsRecord, SrvRecord, TlsaRecord } from './records.js'

/** The types that we ask for, and what their records hold. */
export interface Kinds {
  A: AddressRecord
  AAAA: AddressRecord
  SRV: SrvRecord
  TLSA: TlsaRecord
  CAA: CaaRecord
  NS: NsRecord
}

/** One name and type; the name in lower case, without a final dot. */
export interface Query<T extends keyof Kinds = keyof Kinds> {
  readonly name: string
  readonly type: T
}

/** What one reply says. `ad`: the server says that it has validated that (RFC 4035 §3.2.3). `ttl` in seconds. */
export type Reply<T extends keyof Kinds = keyof Kinds> =
  | Found<T>
  | { readonly is: 'failure'; readonly code: 'SERVFAIL' | 'REFUSED' | 'MALFORMED'; readonly text: string }
  /** To be asked again over TCP. */
  | { readonly is: 'truncated' }
  /** To be asked again without EDNS (RFC 6891 §7). */
  | { readonly is: 'not-understood' }

/** What is known now: records, another name that has them, or that there are none. */
export type Found<T extends keyof Kinds = keyof Kinds> =
  | {
      readonly is: 'records'
      readonly name: string
      readonly records: readonly Kinds[T][]
      readonly ttl: number
      readonly ad: boolean
    }
  | { readonly is: 'alias'; readonly name: string; readonly ttl: number; readonly ad: boolean }
  | {
      readonly is: 'absent'
      readonly code: 'NXDOMAIN' | 'NODATA'
      readonly ttl: number
      readonly ad: boolean
    }

/** What fits into UDP without fragments, in bytes (RFC 9715 §3). */
const udpSize = 1232
/** Records kept of one answer. */
const mostRecords = 100
/** Aliases followed, in one reply and by further questions. */
export const mostAliases = 8

/** A name as it is asked for; throws a `DnsError` for what cannot be a name in DNS. */
export function queryFor<T extends keyof Kinds>(written: string, type: T): Query<T> {
  const name = written.toLowerCase().replace(/\.$/, '')
  // RFC 1035 §2.3.4: labels of 63 octets, 255 together with their lengths.
  const fits = name.length <= 253 && name.split('.').every((label) => /^[\x21-\x7e]{1,63}$/.test(label))
  if (!fits) throw new DnsError('MALFORMED', written, type, { text: 'this cannot be a name in DNS' })
  return { name, type }
}

/** The question as bytes. It asks for the AD bit (RFC 6840 §5.7), not for the signatures themselves. */
export function encodeQuery(id: number, { name, type }: Query, edns: boolean): Buffer {
  return packet.encode({
    type: 'query',
    id,
    flags: packet.RECURSION_DESIRED | packet.AUTHENTIC_DATA,
    questions: [{ name, type }],
    additionals: edns
      ? [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize: udpSize,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: 0,
            flag_do: false,
            options: [],
          },
        ]
      : [],
  })
}

/** What `bytes` say about `query`; undefined when they are no answer to it, which anybody may send. Never throws. */
export function readReply<T extends keyof Kinds>(
  bytes: Buffer,
  id: number,
  query: Query<T>,
): Reply<T> | undefined {
  if (bytes.length < 12 || bytes.readUInt16BE(0) !== id || (bytes.readUInt8(2) & 0x80) === 0) return undefined
  const code = bytes.readUInt8(3) & 0xf
  // Who does not know EDNS may leave out the question, too.
  if (code === 1 || code === 4) return { is: 'not-understood' }
  let reply: packet.DecodedPacket
  try {
    reply = packet.decode(bytes)
  } catch {
    // What was cut off in the middle of a record is truncated, whatever else it is.
    if ((bytes.readUInt8(2) & 0x02) !== 0) return { is: 'truncated' }
    return { is: 'failure', code: 'MALFORMED', text: 'the answer is malformed' }
  }
  if (!answers(reply, query)) return undefined
  if (reply.flag_tc) return { is: 'truncated' }
  if (code === 0 || code === 3) return find(reply, query, code === 3)
  if (code === 5) return { is: 'failure', code: 'REFUSED', text: 'the DNS server refuses to answer' }
  const text =
    code === 2
      ? 'the DNS server could not find out, or the signatures are wrong'
      : `the DNS server says RCODE ${code}`
  return { is: 'failure', code: 'SERVFAIL', text }
}

function answers({ questions }: packet.DecodedPacket, { name, type }: Query): boolean {
  const question = questions?.[0]
  return (
    questions?.length === 1 &&
    plain(question!.name) === name &&
    question!.type === type &&
    question!.class === 'IN'
  )
}

function find<T extends keyof Kinds>(
  reply: packet.DecodedPacket,
  query: Query<T>,
  nothing: boolean,
): Found<T> | { readonly is: 'failure'; readonly code: 'MALFORMED'; readonly text: string } {
  const sections = (reply.answers ?? []).filter((record) => record.type !== 'OPT')
  const ad = reply.flag_ad
  let { name } = query
  let ttl = Infinity
  for (let step = 0; ; step++) {
    if (step > mostAliases) return { is: 'failure', code: 'MALFORMED', text: 'the aliases never end' }
    const own = sections.filter((record) => plain(record.name) === name)
    const records = own.filter((record) => record.type === query.type).slice(0, mostRecords)
    if (records.length > 0) {
      ttl = Math.min(ttl, ...records.map(ttlOf))
      const read = records.map((record) => readRecord(record) as Kinds[T] | undefined)
      if (!read.every((record) => record !== undefined))
        return { is: 'failure', code: 'MALFORMED', text: `the ${query.type} record is malformed` }
      return { is: 'records', name, records: read, ttl, ad }
    }
    const alias = own.find((record) => record.type === 'CNAME')
    if (alias?.type !== 'CNAME') break
    ttl = Math.min(ttl, ttlOf(alias))
    name = plain(alias.data)
  }
  const soa = reply.authorities?.find((record) => record.type === 'SOA')
  if (name !== query.name && !nothing && !soa) return { is: 'alias', name, ttl, ad }
  // RFC 2308 §5: absence holds as long as the SOA record says.
  const negative = soa?.type === 'SOA' ? Math.min(ttlOf(soa), soa.data.minimum ?? 0) : 0
  return { is: 'absent', code: nothing ? 'NXDOMAIN' : 'NODATA', ttl: Math.min(ttl, negative), ad }
}

function readRecord(record: packet.Answer): Kinds[keyof Kinds] | undefined {
  if (record.type === 'A' || record.type === 'AAAA') {
    const family = record.type === 'A' ? 4 : 6
    return isIP(record.data) === family ? { address: record.data, family } : undefined
  }
  if (record.type === 'SRV') {
    const { priority = 0, weight = 0, port, target } = record.data
    return { priority, weight, port, target: plain(target) }
  }
  if (record.type === 'TLSA') {
    const { usage, selector, matchingType: matching, certificate } = record.data
    // A copy: the record must not keep the whole message.
    return { usage, selector, matching, data: Buffer.from(certificate) }
  }
  if (record.type === 'NS') return { host: plain(record.data) }
  if (record.type !== 'CAA') return undefined
  const { issuerCritical = false, tag, value } = record.data
  return { critical: issuerCritical, tag, value }
}

/** RFC 2181 §8: one with the highest bit set is zero. */
function ttlOf(record: packet.Answer): number {
  const ttl = ('ttl' in record ? record.ttl : undefined) ?? 0
  return ttl > 0x7fffffff ? 0 : ttl
}

/** Lower case, without a final dot; the root is `.`. */
function plain(name: string): string {
  return name === '.' ? name : name.toLowerCase().replace(/\.$/, '')
}
