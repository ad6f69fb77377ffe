/** Asks DNS servers, remembers what they say as long as it holds, and asks no question twice at a time. */
import { isIP } from 'node:net'
import type { Clock, Timer } from '../base/clock.js'
import { Lru } from '../base/lru.js'
import type { Counters, Metrics } from '../base/metrics.js'
import type { Random } from '../base/random.js'
import type { Address } from '../base/units.js'
import { HostsFile } from './hosts.js'
import { Inquiry } from './inquiry.js'
import type { Result } from './inquiry.js'
import { mostAliases, queryFor } from './message.js'
import type { Kinds, Query } from './message.js'
import { DnsError } from './records.js'
import type { AddressRecord, Answer, CaaRecord, Lookups, NsRecord, SrvRecord, TlsaRecord } from './records.js'
import { isTrusted, SystemServers } from './servers.js'

export { DnsError } from './records.js'
export type { AddressRecord, Answer, CaaRecord, DnsCode, Lookups, SrvRecord, TlsaRecord } from './records.js'

export interface ResolverOptions {
  /** `dns.servers`; none: those of the system. Asked for every question, so a reload counts at once. */
  servers(): readonly Address[]
  /** `dns.timeout`: milliseconds for one question over all servers. */
  timeout(): number
  readonly clock: Clock
  readonly random: Random
  /** Default: /etc/hosts. False: only DNS counts. */
  readonly hostsFile?: string | false
  readonly metrics?: Metrics
}

/** Seconds for which anything is remembered, whatever its TTL, and for which nothing is longer. */
const shortest = 5
const longest = 86_400
/** The same for what does not exist: who sets up a domain should not wait for hours. */
const longestAbsence = 900
/** Answers remembered. */
const mostRemembered = 10_000
/** Questions under way, and those that wait for one of them to end. */
const mostAtOnce = 100
const mostWaiting = 1000
/** Milliseconds that addresses of the other family are waited for when one is known (RFC 8305 §3). */
const grace = 500

export class Resolver implements Lookups {
  readonly #options: ResolverOptions
  readonly #hosts: HostsFile | undefined
  readonly #system: SystemServers
  readonly #counts: Counters | undefined
  readonly #memory = new Lru<string, Remembered>(mostRemembered)
  readonly #shared = new Map<string, Promise<Answer<unknown>>>()
  readonly #running = new Set<{ cancel(): void }>()
  readonly #waiting = new Set<Waiting>()
  #underWay = 0

  constructor(options: ResolverOptions) {
    this.#options = options
    this.#hosts =
      options.hostsFile === false
        ? undefined
        : new HostsFile(options.hostsFile ?? '/etc/hosts', options.clock)
    this.#system = new SystemServers(options.clock)
    this.#counts = options.metrics?.counters('dns_answers_total', 'Answers of DNS servers, by outcome', [
      'outcome',
    ])
  }

  srv(name: string): Promise<Answer<SrvRecord>> {
    return this.#answer(name, 'SRV')
  }

  tlsa(name: string): Promise<Answer<TlsaRecord>> {
    return this.#answer(name, 'TLSA')
  }

  caa(name: string): Promise<Answer<CaaRecord>> {
    return this.#answer(name, 'CAA')
  }

  ns(zone: string): Promise<Answer<NsRecord>> {
    return this.#answer(zone, 'NS')
  }

  async addresses(host: string): Promise<Answer<AddressRecord>> {
    const known = this.#withoutDns(host)
    if (known) return { records: known, ttl: shortest, secure: false, canonical: host }
    const four = settled(this.#answer(host, 'A'))
    const six = settled(this.#answer(host, 'AAAA'))
    const first = await Promise.race([four, six])
    if (first instanceof DnsError) return together(host, await six, await four)
    const late = new DnsError('TIMEOUT', host, 'A/AAAA')
    let timer: Timer | undefined
    const enough = new Promise<DnsError>((resolve) => {
      timer = this.#options.clock.after(grace, () => resolve(late))
    })
    const both = await Promise.all([Promise.race([six, enough]), Promise.race([four, enough])])
    timer?.cancel()
    return together(host, ...both)
  }

  /** Forgets everything, for a reload: also which servers the system has. */
  clear(): void {
    this.#memory.clear()
    this.#system.refresh()
  }

  /** Ends all questions under way. */
  close(): void {
    for (const waiting of this.#waiting) waiting.give(false)
    for (const inquiry of this.#running) inquiry.cancel()
  }

  #withoutDns(host: string): readonly AddressRecord[] | undefined {
    const name = host.toLowerCase().replace(/\.$/, '')
    const family = isIP(name)
    if (family !== 0) return [{ address: name, family: family as 4 | 6 }]
    const found = this.#hosts?.find(name)
    if (found) return found
    // RFC 6761 §6.3: never asked of DNS.
    if (name !== 'localhost' && !name.endsWith('.localhost')) return undefined
    return [
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ]
  }

  /** What is remembered, what somebody else is asking just now, or what the servers say. */
  async #answer<T extends keyof Kinds>(written: string, type: T): Promise<Answer<Kinds[T]>> {
    const query = queryFor(written, type)
    const key = `${type} ${query.name}`
    const remembered = this.#memory.get(key)
    if (remembered && remembered.until > this.#options.clock.now())
      return this.#recall(remembered) as Answer<Kinds[T]>
    const shared = this.#shared.get(key)
    if (shared) return (await shared) as Answer<Kinds[T]>
    const asking = this.#ask(query).finally(() => this.#shared.delete(key))
    this.#shared.set(key, asking)
    return asking
  }

  #recall({ what, until }: Remembered): Answer<unknown> {
    if (what instanceof DnsError) throw what
    return { ...what, ttl: Math.ceil((until - this.#options.clock.now()) / 1000) }
  }

  async #ask<T extends keyof Kinds>(query: Query<T>): Promise<Answer<Kinds[T]>> {
    let outcome: Answer<Kinds[T]> | DnsError
    try {
      outcome = await this.#follow(query)
    } catch (error) {
      if (error instanceof DnsError) this.#counts?.of(error.code).add()
      throw error
    }
    this.#counts?.of(outcome instanceof DnsError ? outcome.code : 'found').add()
    if (outcome instanceof DnsError) throw outcome
    return outcome
  }

  /** The servers' answer, behind aliases if need be; remembers it. */
  async #follow<T extends keyof Kinds>(query: Query<T>): Promise<Answer<Kinds[T]> | DnsError> {
    const { clock } = this.#options
    const deadline = clock.now() + this.#options.timeout()
    let asked = query
    let ttl = longest
    let secure = true
    for (let step = 0; step <= mostAliases; step++) {
      const { found, server } = await this.#inquire(asked, deadline)
      ttl = Math.min(ttl, found.ttl)
      secure &&= found.ad && isTrusted(server, this.#options.servers().length > 0)
      if (found.is === 'alias') {
        asked = queryFor(found.name, query.type)
        continue
      }
      const absent = found.is === 'absent'
      const kept = Math.min(Math.max(ttl, shortest), absent ? longestAbsence : longest)
      const what = absent
        ? new DnsError(found.code, query.name, query.type, { secure })
        : { records: found.records, ttl: kept, secure, canonical: found.name }
      this.#memory.set(`${query.type} ${query.name}`, { what, until: clock.now() + kept * 1000 })
      return what
    }
    throw new DnsError('MALFORMED', query.name, query.type, { text: 'the aliases never end' })
  }

  async #inquire<T extends keyof Kinds>(query: Query<T>, deadline: number): Promise<Result<T>> {
    await this.#turn(query, deadline)
    const { clock, random } = this.#options
    let inquiry: Inquiry<T> | undefined
    try {
      const configured = this.#options.servers()
      inquiry = new Inquiry(query, {
        servers: configured.length > 0 ? configured : this.#system.get(),
        timeout: Math.max(0, deadline - clock.now()),
        clock,
        random,
      })
      this.#running.add(inquiry)
      return await inquiry.result
    } finally {
      if (inquiry) this.#running.delete(inquiry)
      const [next] = this.#waiting
      if (next) next.give(true)
      else this.#underWay--
    }
  }

  /** Resolves when this question may be under way, and counts as that. */
  async #turn({ name, type }: Query, deadline: number): Promise<void> {
    if (this.#underWay < mostAtOnce) {
      this.#underWay++
      return
    }
    const busy = { text: 'too many questions are under way' }
    if (this.#waiting.size >= mostWaiting) throw new DnsError('TIMEOUT', name, type, busy)
    const { clock } = this.#options
    const given = await new Promise<boolean>((resolve) => {
      const waiting: Waiting = {
        give: (turn) => {
          this.#waiting.delete(waiting)
          timer.cancel()
          resolve(turn)
        },
      }
      const timer = clock.after(Math.max(0, deadline - clock.now()), () => waiting.give(false))
      this.#waiting.add(waiting)
    })
    if (!given) throw new DnsError('TIMEOUT', name, type, busy)
  }
}

interface Remembered {
  readonly what: Answer<unknown> | DnsError
  /** Milliseconds since 1970. */
  readonly until: number
}

interface Waiting {
  give(turn: boolean): void
}

async function settled<T>(answer: Promise<Answer<T>>): Promise<Answer<T> | DnsError> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof DnsError) return error
    throw error
  }
}

/** Both families as one answer. When there is none, a failure that may pass goes before the certainty of the other. */
function together(
  host: string,
  ...both: readonly (Answer<AddressRecord> | DnsError)[]
): Answer<AddressRecord> {
  const answers = both.filter((one): one is Answer<AddressRecord> => !(one instanceof DnsError))
  const [first] = answers
  if (first)
    return {
      records: answers.flatMap(({ records }) => records),
      ttl: Math.min(...answers.map(({ ttl }) => ttl)),
      secure: answers.every(({ secure }) => secure),
      canonical: first.canonical,
    }
  const failures = both.filter((one): one is DnsError => one instanceof DnsError)
  const { code, more } = failures.find(({ temporary }) => temporary) ?? failures[0]!
  throw new DnsError(code, host, 'A/AAAA', more)
}
