/** One domain with rooms: who of ours is in them, and since when that is in doubt. */
import type { Membership } from './memberships.js'
import type { Finding } from './self-ping.js'
import type { Clock, Timer } from '../../base/clock.js'
import type { Random } from '../../base/random.js'
import type { Session } from '../../session/session.js'

/** Milliseconds from a doubt to the question: a server that starts anew is not asked by all at once. */
const settling = 5_000
/** Milliseconds until the next question when there was no answer, doubled each time. */
const firstPause = 30_000
const longestPause = 600_000
/** Questions to one domain at a time. */
const atOnce = 10

export interface WatchParts {
  readonly clock: Clock
  readonly random: Random
  /** Milliseconds for which a room may be out of reach until those in it are told. */
  readonly giveUp: number
  /** Rejects never. */
  ask(session: Session, member: Membership): Promise<Finding>
  /** The session is not in that room any more, and does not know it. */
  lost(session: Session, member: Membership): void
}

interface Doubt {
  readonly since: number
  /** It was the whole domain that fell silent. */
  readonly isOfAll: boolean
  /** What was found the last time. */
  last: Finding | undefined
}

export class Watch {
  /** When something came from the domain, in milliseconds since 1970. */
  lastHeard: number
  readonly #parts: WatchParts
  readonly #members = new Map<Membership, Session>()
  readonly #doubts = new Map<Membership, Doubt>()
  #timer: Timer | undefined
  #isAsking = false
  #failures = 0

  constructor(parts: WatchParts) {
    this.#parts = parts
    this.lastHeard = parts.clock.now()
  }

  get isEmpty(): boolean {
    return this.#members.size === 0
  }

  add(member: Membership, session: Session): void {
    this.#members.set(member, session)
  }

  remove(member: Membership): void {
    this.#members.delete(member)
    this.#doubts.delete(member)
    if (this.isEmpty) this.stop()
  }

  /** Everybody may have been forgotten there. */
  doubtAll(): void {
    for (const member of this.#members.keys()) this.doubt(member)
  }

  /** One for all: what has become of the domain. */
  doubtOne(): void {
    const [first] = this.#members.keys()
    if (first && this.#doubts.size === 0) this.doubt(first, true)
  }

  doubt(member: Membership, isOfAll = false): void {
    // A new one each time: what was asked before it is no answer to it.
    const since = this.#doubts.get(member)?.since ?? this.#parts.clock.now()
    this.#doubts.set(member, { since, isOfAll, last: undefined })
    if (!this.#timer && !this.#isAsking) this.#later(settling)
  }

  /** The room itself has just said so. */
  isSure(member: Membership): void {
    this.#doubts.delete(member)
  }

  /** The server of the domain is there again. */
  reached(): void {
    this.#failures = 0
    if (this.#doubts.size > 0 && !this.#isAsking) this.#later(settling)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** A quarter more or less. */
  #later(ms: number): void {
    const { clock, random } = this.#parts
    const jitter = 0.75 + (random.bytes(1)[0] ?? 0) / 512
    this.#timer?.cancel()
    this.#timer = clock.after(ms * jitter, () => {
      this.#timer = undefined
      void this.#ask()
    })
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    const waiting = [...this.#doubts.keys()]
    let isReached = true
    const next = async (): Promise<void> => {
      for (let member = waiting.shift(); member && isReached; member = waiting.shift())
        isReached = (await this.#askAbout(member)) && isReached
    }
    await Promise.all(Array.from({ length: atOnce }, next))
    this.#isAsking = false
    this.#giveUp()
    this.#failures = isReached ? 0 : this.#failures + 1
    if (this.#doubts.size === 0) return
    this.#later(isReached ? settling : Math.min(longestPause, firstPause * 2 ** (this.#failures - 1)))
  }

  /** Whether there was an answer. */
  async #askAbout(member: Membership): Promise<boolean> {
    const session = this.#members.get(member)
    const doubt = this.#doubts.get(member)
    // It has left meanwhile, or the room has spoken for itself.
    if (!session || !doubt) return true
    const { nick } = member
    const finding = await this.#parts.ask(session, member)
    if (finding === 'unknown') return false
    this.lastHeard = this.#parts.clock.now()
    if (this.#doubts.get(member) !== doubt || member.nick !== nick) return true
    if (finding === 'out' || (finding === 'renamed' && doubt.last === 'renamed')) {
      this.#isLost(session, member)
      if (doubt.isOfAll) this.doubtAll()
    } else if (finding === 'in') this.#doubts.delete(member)
    doubt.last = finding
    return true
  }

  #isLost(session: Session, member: Membership): void {
    this.remove(member)
    this.#parts.lost(session, member)
  }

  /** What could not be reached for so long is as good as left: it will not know us any more when it is back. */
  #giveUp(): void {
    const { clock, giveUp } = this.#parts
    const [...doubts] = this.#doubts
    for (const [member, { since }] of doubts) {
      const session = this.#members.get(member)
      if (session && clock.now() - since >= giveUp) this.#isLost(session, member)
    }
  }
}
