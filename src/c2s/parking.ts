/** Sessions of clients that outlive their streams (XEP-0198 §5): those whose stream broke wait here, within bounds. */
import type { Clock, Timer } from '../base/clock.js'
import type { LimitHits } from '../base/limit-hits.js'
import type { Log } from '../base/log.js'
import { Lru } from '../base/lru.js'
import type { Metrics } from '../base/metrics.js'
import type { Random } from '../base/random.js'
import type { Host } from '../host/host.js'
import type { Router } from '../router/router.js'
import { sizeOfHeld, type Resumable, type Session } from '../session/session.js'
import { remembered, snapshotOf, type Remembered } from '../session/snapshot.js'
import type { Jid } from '../stanza/jid.js'
import { StorageUnavailable } from '../storage/errors.js'
import type { ParkedStore, StoredParked } from '../storage/parked.js'
import type { Asker, Window } from '../stream/acks.js'

/** Sessions that are over and whose last count is remembered, and milliseconds for which it is. */
const mostFormer = 10_000
const formerFor = 86_400_000
/** Milliseconds that a stop waits for what clients said to be stored. */
const settlingTime = 2000
/** Sessions that are read from the store at a time. */
const pageSize = 200

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
  readonly store: ParkedStore
  readonly asker: Asker
  readonly window: () => Window
  readonly settings: () => ParkingSettings
}

interface Parked {
  readonly timer: Timer
  /** When it ends, in milliseconds since 1970. */
  readonly until: number
}

/** A session in the store that goes on here. */
interface Restored {
  readonly session: Session
  readonly memory: Remembered
  readonly until: number
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
  readonly #parked = new Map<Session, Parked>()
  /** Ids of those that are in the store: they were parked before a restart, and have not come back since. */
  readonly #stored = new Set<string>()
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
    this.#wait(session, clock.now() + ms)
    log.debug('c2s.parked', { user: session.jid.bare.toString(), ms })
    router.sessionParked(session)
    this.#makeRoom(session.jid)
  }

  /** A session of this account that can be resumed, with a stream or without. */
  find(id: string, account: Jid): Session | undefined {
    const session = this.#resumable.get(id)
    return session?.jid.bare.equals(account) ? session : undefined
  }

  /**
   * Its client has come back: what is in the store of it is past, and must not be told after a crash. Rejects with
   * StorageUnavailable; then it has to come again.
   */
  async taken(session: Session): Promise<void> {
    const { id } = session.resumable!
    if (!this.#stored.has(id)) return
    await this.#parts.store.remove([id])
    this.#stored.delete(id)
  }

  /** It has a stream again. */
  resumed(session: Session): void {
    this.#parked.get(session)?.timer.cancel()
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
    this.#parked.get(session)?.timer.cancel()
    this.#parked.delete(session)
    this.#resumable.delete(id)
    this.#remember(id, session.jid.bare, session.acks!.handled)
  }

  /** What it left is where it goes. */
  left(session: Session): void {
    const { id } = session.resumable!
    if (this.#stored.has(id)) void this.#forget(id)
  }

  /** Those that wait, in the order in which they lost their stream. */
  get parked(): readonly Session[] {
    return [...this.#parked.keys()]
  }

  /** At a stop: those that wait go on after the next start. What cannot be stored ends here. */
  async save(): Promise<void> {
    const { store, log, router } = this.#parts
    await this.#settled()
    const lasting = this.parked.filter(({ account }) => account !== 0)
    const rows = lasting.map((session) => {
      const { account, jid, resumable } = session
      const { until } = this.#parked.get(session)!
      return { id: resumable!.id, domain: jid.domain, account, until, ...snapshotOf(session) }
    })
    try {
      await store.save(rows)
    } catch (error) {
      log.warn('c2s.parked.unsaved', { error })
      lasting.length = 0
    }
    for (const session of lasting) {
      this.#parked.get(session)?.timer.cancel()
      this.#parked.delete(session)
      router.sessionStored(session)
    }
    for (const session of this.parked) session.close()
    await router.settled()
  }

  /**
   * At a start: those that a stop had saved wait again. What a process had claimed that was killed goes the ways of
   * sessions that are over, and their clients can be told how far it had come.
   * @throws StorageUnavailable
   */
  async restore(): Promise<void> {
    const { store, router } = this.#parts
    const restored: Restored[] = []
    const stale: { readonly stored: StoredParked; readonly memory: Remembered }[] = []
    const past: string[] = []
    for (let after = '', more = true; more;) {
      const page = await store.read(after, pageSize)
      for (const stored of page) {
        // It may be served again after the next start.
        if (!this.#parts.hosts.has(stored.domain)) continue
        const recalled = await this.#recalled(stored)
        if (!recalled) past.push(stored.id)
        else if (stored.stale || recalled.disabled) stale.push({ stored, memory: recalled.memory })
        else restored.push(this.#anew(stored, recalled.memory))
      }
      after = page.at(-1)?.id ?? ''
      more = page.length === pageSize
    }
    await store.claim()
    const all = new Map(restored.map(({ session }) => [session.jid.toString(), session]))
    for (const { session, memory, until } of restored) {
      memory.connect((full) => all.get(full.toString()))
      await router.sessionRestored(session)
      this.#wait(session, until)
    }
    // What several of them had goes with the last one, or stays with one that is there.
    const there = new Set([...all.keys(), ...stale.map(({ memory }) => memory.jid.toString())])
    for (const { stored, memory } of stale) {
      this.#remember(stored.id, memory.jid.bare, memory.handled)
      there.delete(memory.jid.toString())
      await router.redeliver(
        memory.left((full) => there.has(full)),
        stored.domain,
      )
      past.push(stored.id)
    }
    if (past.length > 0) await store.remove(past)
  }

  /** Undefined: there is nobody whose it is. To one of a disabled account nobody can come back. */
  async #recalled(
    stored: StoredParked,
  ): Promise<{ readonly memory: Remembered; readonly disabled: boolean } | undefined> {
    const { hosts, log } = this.#parts
    try {
      const memory = remembered(stored)
      const account = await hosts.get(stored.domain)?.account(memory.jid.local)
      if (account?.id !== stored.account) return undefined
      return { memory, disabled: account.disabled !== undefined }
    } catch (error) {
      if (error instanceof StorageUnavailable) throw error
      log.error('c2s.parked.unreadable', { error })
      return undefined
    }
  }

  #anew({ id, domain, account, until }: StoredParked, memory: Remembered): Restored {
    const { hosts, asker, window } = this.#parts
    const session = hosts.get(domain)!.session(memory.jid, account, undefined, memory.mechanism, memory.since)
    memory.fill(session, { sizeOf: sizeOfHeld, window: window(), asker })
    session.resumable = { id, ms: memory.ms, keeper: this }
    this.#resumable.set(id, session)
    this.#stored.add(id)
    return { session, memory, until }
  }

  #wait(session: Session, until: number): void {
    const { clock } = this.#parts
    const timer = clock.after(Math.max(0, until - clock.now()), () => this.#expired(session))
    this.#parked.set(session, { timer, until })
  }

  /** Resolves when what the clients said counts, or has had its time. */
  async #settled(): Promise<void> {
    const unsettled = this.parked.filter(({ acks }) => acks!.unsettled > 0)
    if (unsettled.length === 0) return
    await new Promise<void>((resolve) => {
      const late = this.#parts.clock.after(settlingTime, resolve)
      void Promise.all(unsettled.map(({ acks }) => acks!.settled())).then(() => {
        late.cancel()
        resolve()
      })
    })
  }

  #remember(id: string, account: Jid, handled: number): void {
    const until = this.#parts.clock.now() + formerFor
    this.#former.set(id, { account: account.toString(), handled, until })
  }

  async #forget(id: string): Promise<void> {
    this.#stored.delete(id)
    try {
      await this.#parts.store.remove([id])
    } catch (error) {
      // What it held comes again after a crash.
      this.#parts.log.warn('c2s.parked.kept', { error })
    }
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
