/** What is behind one peer and may be lost with it: once that is in doubt it is asked about, until it is known. */
import type { Clock, Timer } from './clock.js'
import type { Random } from './random.js'

/** `dubious`: it looks gone, and is once it looks so again. `unreached`: there was no way to ask. */
export type Finding = 'here' | 'dubious' | 'gone' | 'unreached'

/** Milliseconds from a doubt to the question: a peer that starts anew is not asked by all at once. */
const settling = 5_000
/** Milliseconds until the next question when there was no answer, doubled each time. */
const firstPause = 30_000
const longestPause = 600_000
/** Questions to one peer at a time. */
const atOnce = 20

export interface WatchParts<S> {
  readonly clock: Clock
  readonly random: Random
  /** Milliseconds for which something may be out of reach until it is lost. */
  readonly giveUp: number
  /** Rejects never. */
  ask(subject: S): Promise<Finding>
  /** It is gone; it has been removed from the watch. */
  lost(subject: S): void
}

interface Doubt {
  readonly since: number
  /** It was the peer as a whole that fell silent. */
  readonly isOfAll: boolean
  /** What was found the last time. */
  last: Finding | undefined
}

export class Watch<S> {
  /** When something came from the peer, in milliseconds since 1970. */
  lastHeard: number
  readonly #parts: WatchParts<S>
  readonly #subjects = new Set<S>()
  readonly #doubts = new Map<S, Doubt>()
  #timer: Timer | undefined
  #isAsking = false
  #failures = 0

  constructor(parts: WatchParts<S>) {
    this.#parts = parts
    this.lastHeard = parts.clock.now()
  }

  get isEmpty(): boolean {
    return this.#subjects.size === 0
  }

  add(subject: S): void {
    this.#subjects.add(subject)
  }

  remove(subject: S): void {
    this.#subjects.delete(subject)
    this.#doubts.delete(subject)
    if (this.isEmpty) this.stop()
  }

  get subjects(): Iterable<S> {
    return this.#subjects
  }

  /** The peer, or the way to it, was away. */
  doubtAll(): void {
    for (const subject of this.#subjects) this.doubt(subject)
  }

  /** The peer says nothing: one is asked about for all, unless that is under way. */
  doubtOne(): void {
    const [first] = this.#subjects
    if (first !== undefined && this.#doubts.size === 0) this.doubt(first, true)
  }

  doubt(subject: S, isOfAll = false): void {
    if (!this.#subjects.has(subject)) return
    // A new one each time: what was asked before it is no answer to it.
    const since = this.#doubts.get(subject)?.since ?? this.#parts.clock.now()
    this.#doubts.set(subject, { since, isOfAll, last: undefined })
    if (!this.#timer && !this.#isAsking) this.#later(settling)
  }

  /** It has just shown itself. */
  isSure(subject: S): void {
    this.#doubts.delete(subject)
  }

  /** The peer is there again. */
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
      for (let subject = waiting.shift(); subject !== undefined && isReached; subject = waiting.shift())
        isReached = (await this.#askAbout(subject)) && isReached
    }
    await Promise.all(Array.from({ length: atOnce }, next))
    this.#isAsking = false
    if (!isReached) this.#giveUp()
    this.#failures = isReached ? 0 : this.#failures + 1
    if (this.#doubts.size === 0) return
    this.#later(isReached ? settling : Math.min(longestPause, firstPause * 2 ** (this.#failures - 1)))
  }

  /** Whether there was an answer. */
  async #askAbout(subject: S): Promise<boolean> {
    const doubt = this.#doubts.get(subject)
    // It has left meanwhile, or shown itself.
    if (!doubt) return true
    const finding = await this.#parts.ask(subject)
    if (finding === 'unreached') return false
    this.lastHeard = this.#parts.clock.now()
    if (this.#doubts.get(subject) !== doubt) return true
    if (finding === 'gone' || (finding === 'dubious' && doubt.last === 'dubious')) {
      this.#isLost(subject)
      if (doubt.isOfAll) this.doubtAll()
    } else if (finding === 'here') this.#doubts.delete(subject)
    doubt.last = finding
    return true
  }

  #isLost(subject: S): void {
    this.remove(subject)
    this.#parts.lost(subject)
  }

  #giveUp(): void {
    const { clock, giveUp } = this.#parts
    const [...doubts] = this.#doubts
    for (const [subject, { since }] of doubts) if (clock.now() - since >= giveUp) this.#isLost(subject)
  }
}
