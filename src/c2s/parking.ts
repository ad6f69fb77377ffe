/** Sessions of clients that outlive their streams (XEP-0198 §5): those whose stream broke wait here, within bounds. */
import type { Clock, Timer } from '../base/clock.js'
import type { LimitHits } from '../base/limit-hits.js'
import type { Log } from '../base/log.js'
import { Lru } from '../base/lru.js'
import type { Metrics } from '../base/metrics.js'
import type { Random } from '../base/random.js'
import type { Host } from '../host/host.js'
import type { Router } from '../router/router.js'
import type { Resumable, Session } from '../session/session.js'
import type { Jid } from '../stanza/jid.js'

/** Sessions that are over and whose last count is remembered, and milliseconds for which it is. */
const mostFormer = 10_000
const formerFor = 86_400_000

export interface ParkingSettings {
  /** Milliseconds that a session waits when its client names no time, and the most that it may name. */
  readonly time: number
  readonly maxTime: number
  /** Sessions of one account that may wait. */
  readonly perAccount: number
}

export interface ParkingParts {
  readonly hosts: ReadonlyMap<string, Host>
  readonly router: Router
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly hits: LimitHits
  readonly metrics: Metrics
  readonly settings: () => ParkingSettings
}

/** What is left of a session that is over. */
interface Former {
  readonly account: string
  /** Stanzas of its client that were handled, modulo 2^32. */
  readonly handled: number
  readonly until: number
}

export class Parking {
  readonly #parts: ParkingParts
  /** Whether they have a stream or not. */
  readonly #resumable = new Map<string, Session>()
  /** Those without, in the order in which they lost it. */
  readonly #parked = new Map<Session, Timer>()
  readonly #former = new Lru<string, Former>(mostFormer)

  constructor(parts: ParkingParts) {
    this.#parts = parts
    parts.metrics.watch(
      'sessions_parked',
      'Sessions whose stream broke and that wait to be resumed',
      () => this.#parked.size,
    )
  }

  /** Lets a session outlive its stream, for as many seconds as its client asks for, if it may (XEP-0198 §3, §5). */
  admit(session: Session, asked: number | undefined): Resumable {
    const { random, settings, hits } = this.#parts
    const { time, maxTime } = settings()
    const wanted = asked === undefined ? time : asked * 1000
    if (wanted > maxTime) hits.add('sm_time_max')
    const id = random.bytes(16).toString('base64url')
    const resumable = { id, ms: Math.min(wanted, maxTime), keeper: this }
    this.#resumable.set(id, session)
    session.resumable = resumable
    return resumable
  }

  /** Its stream broke: it waits for another. */
  park(session: Session): void {
    const { router, clock, log } = this.#parts
    const { ms } = session.resumable!
    this.#parked.set(
      session,
      clock.after(ms, () => this.#expired(session)),
    )
    log.debug('c2s.parked', { user: session.jid.bare.toString(), ms })
    router.sessionParked(session)
    this.#makeRoom(session.jid)
  }

  /** A session of this account that can be resumed, with a stream or without. */
  find(id: string, account: Jid): Session | undefined {
    const session = this.#resumable.get(id)
    return session?.jid.bare.equals(account) ? session : undefined
  }

  /** It has a stream again. */
  resumed(session: Session): void {
    this.#parked.get(session)?.cancel()
    this.#parked.delete(session)
    this.#parts.log.debug('c2s.resumed', { user: session.jid.bare.toString() })
  }

  /** How far the server had come with a session of this account that is over, if it is remembered (XEP-0198 §5). */
  handledBy(id: string, account: Jid): number | undefined {
    const former = this.#former.get(id)
    if (former?.account !== account.toString() || former.until <= this.#parts.clock.now()) return undefined
    return former.handled
  }

  /** The session is over. */
  ended(session: Session): void {
    const { id } = session.resumable!
    this.#parked.get(session)?.cancel()
    this.#parked.delete(session)
    this.#resumable.delete(id)
    this.#former.set(id, {
      account: session.jid.bare.toString(),
      handled: session.acks!.handled,
      until: this.#parts.clock.now() + formerFor,
    })
  }

  /** Those that wait, in the order in which they lost their stream. */
  get parked(): readonly Session[] {
    return [...this.#parked.keys()]
  }

  #expired(session: Session): void {
    const { hits, log } = this.#parts
    hits.add('sm_time')
    log.debug('c2s.parked.expired', { user: session.jid.bare.toString(), waiting: session.waiting.length })
    session.close()
  }

  /** Of too many that wait for one account, the one that has waited longest ends. */
  #makeRoom(account: Jid): void {
    const { hosts, settings, hits } = this.#parts
    const sessions = hosts.get(account.domain)?.sessions.of(account) ?? []
    const waiting = sessions.filter(({ isParked }) => isParked)
    if (waiting.length <= settings().perAccount) return
    hits.add('parked_sessions')
    for (const session of this.#parked.keys()) if (waiting.includes(session)) return session.close()
  }
}
