/**
 * What is on its way from one of our domains to another server: waiting for a stream, or sent and not confirmed, in
 * order. What takes long is kept in the store, so that it outlives us.
 */
import type { Clock, Timer } from '../base/clock.js'
import type { Log } from '../base/log.js'
import { Queue } from '../base/queue.js'
import { sentAgain } from '../stanza/arrival.js'
import { StanzaError } from '../stanza/errors.js'
import { Jid } from '../stanza/jid.js'
import type { Stanza } from '../stanza/stanza.js'
import type { OutboundStore } from '../storage/outbound.js'
import { NS } from '../xml/namespaces.js'

export interface OutboxLimits {
  /** Stanzas that may wait, and their bytes. */
  readonly queue: number
  readonly queueBytes: number
  /** Milliseconds that a message, or another stanza, waits for a stream until its sender is told. */
  readonly messageTimeout: number
  readonly iqTimeout: number
}

export interface OutboxParts {
  readonly sender: string
  readonly target: string
  readonly store: OutboundStore
  readonly clock: Clock
  readonly log: Log
  readonly limits: () => OutboxLimits
  /** Hands a stanza back to its sender. */
  readonly bounce: (stanza: Stanza, error: StanzaError) => void
  /** It waited for as long as it may; it is handed back next. */
  readonly late: (stanza: Stanza) => void
  /** Why nothing has gone for so long, for the sender. */
  readonly obstacle: () => string
}

/** What a stanza costs beside its text, in bytes and roughly. */
const OVERHEAD = 512
/** Stanzas that may be sent and not confirmed, for each that may wait: they are gone within a round trip. */
const windowFactor = 10
/** Milliseconds between looks for what has been on its way for long, and how long that is. */
const lookEvery = 500
const isLong = 250
/** Milliseconds until the store is asked again to forget a message. */
const removeAgainAfter = 10_000
/** Times that a message goes to a server that confirms nothing: once, and once more if the stream breaks. */
const unconfirmedTries = 2

/** A stanza on its way. */
export class Parcel {
  /** `gone`: confirmed, handed back, or of no further interest. */
  state: 'waiting' | 'sent' | 'gone' = 'waiting'
  tries = 0
  /** The other server acknowledges it by a count. */
  isCounted = false
  /** Resolves what `Outbox.add` promised. */
  settle: (() => void) | undefined = undefined
  /** Its id in the store. */
  stored: number | undefined = undefined

  constructor(
    readonly outbox: Outbox,
    readonly stanza: Stanza,
    readonly bytes: number,
    /** When it came to us. */
    readonly since: number,
    readonly until: number,
    /** Outlives us, and its sender hears of it only when that is so. */
    readonly isDurable: boolean,
  ) {}

  /** As it goes out now. */
  get xml(): string {
    const { stanza, tries, since, outbox } = this
    return (tries > 1 ? sentAgain(stanza, outbox.address, since) : stanza).toXml()
  }

  /** The other server has it. */
  confirm(): void {
    this.outbox.confirm(this)
  }
}

export class Outbox {
  readonly address: Jid
  readonly #parts: OutboxParts
  readonly #waiting = new Queue<Parcel>()
  readonly #sent = new Queue<Parcel>()
  #waitingCount = 0
  #waitingBytes = 0
  #sentBytes = 0
  #expiry: { readonly timer: Timer; readonly at: number } | undefined
  #look: Timer | undefined
  /** Stores one after the other, so that the order in the store is the order here. */
  #persisting: Promise<void> = Promise.resolve()

  constructor(parts: OutboxParts) {
    this.#parts = parts
    this.address = Jid.of('', parts.sender)
  }

  /** Stanzas that wait for a stream, and their bytes. */
  get waiting(): number {
    return this.#waitingCount
  }
  get waitingBytes(): number {
    return this.#waitingBytes
  }
  /** Since when the first of them has been here. */
  get oldest(): number | undefined {
    return firstOf(this.#waiting)?.since
  }

  /** Sent, and kept until the other server has confirmed them. */
  get unconfirmed(): number {
    return this.#sent.length
  }

  get isEmpty(): boolean {
    return this.#waitingCount === 0 && firstOf(this.#sent) === undefined
  }

  /**
   * Takes a stanza. The promise, of one that outlives us, resolves when the other server has confirmed it, or it is
   * stored, or it was handed back. The name of the limit when there is no room.
   */
  add(stanza: Stanza): Promise<void> | undefined | 's2s_queue' | 's2s_queue_size' {
    const { clock, limits } = this.#parts
    const { queue, queueBytes, messageTimeout, iqTimeout } = limits()
    const bytes = stanza.toXml().length + OVERHEAD
    if (this.#waitingCount >= queue) return 's2s_queue'
    if (this.#waitingBytes + bytes > queueBytes) return 's2s_queue_size'
    const now = clock.now()
    const until = now + (stanza.kind === 'message' ? messageTimeout : iqTimeout)
    const parcel = new Parcel(this, stanza, bytes, now, until, isDurable(stanza))
    this.#append(parcel)
    if (!parcel.isDurable) return undefined
    this.#lookLater()
    return new Promise((resolve) => (parcel.settle = resolve))
  }

  /** One that an earlier process had stored. It may have been sent. */
  restore(stanza: Stanza, since: number, id: number): void {
    const { clock, limits } = this.#parts
    const bytes = stanza.toXml().length + OVERHEAD
    const parcel = new Parcel(this, stanza, bytes, since, clock.now() + limits().messageTimeout, true)
    parcel.stored = id
    parcel.tries = 1
    this.#append(parcel)
  }

  /**
   * The next one to be sent now. `confirms`: the other server acknowledges stanzas; if it does not, only messages that
   * can be told apart by an id are kept. Undefined when nothing waits, or too much is not confirmed.
   */
  next(confirms: boolean): Parcel | undefined {
    const { queue, queueBytes } = this.#parts.limits()
    if (this.#sent.length >= queue * windowFactor || this.#sentBytes >= queueBytes) return undefined
    const parcel = firstOf(this.#waiting)
    if (!parcel) return undefined
    this.#waiting.shift()
    this.#waitingCount--
    this.#waitingBytes -= parcel.bytes
    parcel.tries++
    parcel.isCounted = confirms
    if (confirms || (parcel.isDurable && parcel.stanza.id !== undefined)) {
      parcel.state = 'sent'
      this.#sent.push(parcel)
      this.#sentBytes += parcel.bytes
    } else this.#gone(parcel)
    return parcel
  }

  confirm(parcel: Parcel): void {
    if (parcel.state === 'gone') return
    // It may wait to be sent again while the word that it had arrived comes late.
    if (parcel.state === 'sent') this.#sentBytes -= parcel.bytes
    else {
      this.#waitingCount--
      this.#waitingBytes -= parcel.bytes
    }
    this.#gone(parcel)
    firstOf(this.#sent)
  }

  /** It turned out that the other server does not acknowledge: kept is only what `next` would have kept. */
  unmanaged(parcel: Parcel): void {
    parcel.isCounted = false
    if (!parcel.isDurable || parcel.stanza.id === undefined) this.confirm(parcel)
  }

  /** Whether only a sign of life will confirm some of what is sent. */
  get hasUncounted(): boolean {
    return firstOf(this.#sent)?.isCounted === false
  }

  /** Those that are sent and not acknowledged by a count: an answer to what is sent behind them confirms them. */
  uncounted(): readonly Parcel[] {
    return [...this.#sent].filter(({ state, isCounted }) => state === 'sent' && !isCounted)
  }

  /** The stream broke: what was sent and not confirmed waits again, before all others. */
  broken(): void {
    const again = this.#sent.takeAll().filter(({ state }) => state === 'sent')
    const others = this.#waiting.takeAll()
    this.#sentBytes = 0
    const uncertain = new StanzaError(
      'remote-server-timeout',
      `${this.#parts.target}: the connection broke twice; it may have arrived`,
    )
    for (const parcel of again) {
      if (!parcel.isCounted && parcel.tries >= unconfirmedTries) this.#handBack(parcel, uncertain)
      else {
        parcel.state = 'waiting'
        this.#waitingCount++
        this.#waitingBytes += parcel.bytes
        this.#waiting.push(parcel)
      }
    }
    for (const parcel of others) this.#waiting.push(parcel)
    this.#plan()
  }

  /** Hands back all that waits. */
  bounceAll(error: StanzaError): void {
    const all = this.#waiting.takeAll().filter(({ state }) => state === 'waiting')
    this.#waitingCount = 0
    this.#waitingBytes = 0
    for (const parcel of all) this.#handBack(parcel, error)
    this.#plan()
  }

  /**
   * We are about to end: resolves when each message is stored or was handed back. Other stanzas that wait are handed
   * back at once; those that are sent may still be confirmed.
   */
  async leave(error: StanzaError): Promise<void> {
    const waiting = this.#waiting.takeAll().filter(({ state }) => state === 'waiting')
    for (const parcel of waiting) {
      if (parcel.isDurable) this.#waiting.push(parcel)
      else {
        this.#waitingCount--
        this.#waitingBytes -= parcel.bytes
        this.#handBack(parcel, error)
      }
    }
    await this.#keep(0)
    for (const parcel of this.#unkept()) {
      if (parcel.state === 'waiting') {
        this.#waitingCount--
        this.#waitingBytes -= parcel.bytes
      }
      this.#handBack(parcel, error)
    }
    this.#plan()
    this.#look?.cancel()
  }

  #append(parcel: Parcel): void {
    this.#waiting.push(parcel)
    this.#waitingCount++
    this.#waitingBytes += parcel.bytes
    if (!this.#expiry || parcel.until < this.#expiry.at) this.#expireAt(parcel.until)
  }

  #handBack(parcel: Parcel, error: StanzaError): void {
    this.#gone(parcel)
    this.#parts.bounce(parcel.stanza, error)
  }

  #gone(parcel: Parcel): void {
    parcel.state = 'gone'
    parcel.settle?.()
    parcel.settle = undefined
    if (parcel.stored !== undefined) this.#remove(parcel.stored)
  }

  // Keeping -----------------------------------------------------------------------------------------------------

  #lookLater(): void {
    this.#look ??= this.#parts.clock.after(lookEvery, () => {
      this.#look = undefined
      void this.#keep(isLong)
    })
  }

  /** Stores what has been here for so many milliseconds. */
  #keep(ms: number): Promise<void> {
    return (this.#persisting = this.#persisting.then(() => this.#keepNow(this.#parts.clock.now() - ms)))
  }

  async #keepNow(before: number): Promise<void> {
    const due = this.#unkept().filter(({ since }) => since <= before)
    const failures = (await Promise.all(due.map((parcel) => this.#write(parcel)))).filter(Boolean)
    if (failures.length > 0)
      this.#parts.log.warn('s2s.keep.failed', {
        peer: this.#parts.target,
        waiting: failures.length,
        error: failures[0],
      })
    if (this.#unkept().length > 0) this.#lookLater()
  }

  #unkept(): Parcel[] {
    return [...this.#sent, ...this.#waiting].filter(
      ({ state, isDurable, stored }) => state !== 'gone' && isDurable && stored === undefined,
    )
  }

  /** Gives what went wrong, if anything. */
  async #write(parcel: Parcel): Promise<unknown> {
    const { store, sender, target } = this.#parts
    try {
      const stanza = parcel.stanza.toStandaloneXml()
      parcel.stored = await store.append({ sender, target, stanza, at: parcel.since })
    } catch (error) {
      return error
    }
    parcel.settle?.()
    parcel.settle = undefined
    // Confirmed meanwhile.
    if (parcel.state === 'gone') this.#remove(parcel.stored)
    return undefined
  }

  /** Until it is gone: one that stayed would be sent once more after the next start, whenever that is. */
  #remove(id: number): void {
    const { store, target, log, clock } = this.#parts
    store.remove(id).catch((error: unknown) => {
      log.warn('s2s.forget.failed', { peer: target, error })
      clock.after(removeAgainAfter, () => this.#remove(id))
    })
  }

  // Expiry ------------------------------------------------------------------------------------------------------

  /** One timer, for what waits the shortest; it may find that this has gone already. */
  #plan(): void {
    let at = Infinity
    for (const { until, state } of this.#waiting) if (state === 'waiting') at = Math.min(at, until)
    if (at !== this.#expiry?.at) this.#expireAt(at)
  }

  #expireAt(at: number): void {
    const { clock } = this.#parts
    this.#expiry?.timer.cancel()
    this.#expiry = undefined
    if (at === Infinity) return
    const timer = clock.after(at - clock.now(), () => {
      this.#expiry = undefined
      this.#expire()
    })
    this.#expiry = { at, timer }
  }

  #expire(): void {
    const now = this.#parts.clock.now()
    const late: Parcel[] = []
    for (const parcel of this.#waiting.takeAll()) {
      if (parcel.state !== 'waiting') continue
      if (parcel.until > now) this.#waiting.push(parcel)
      else late.push(parcel)
    }
    for (const { bytes } of late) this.#waitingBytes -= bytes
    this.#waitingCount -= late.length
    this.#plan()
    const error = new StanzaError('remote-server-timeout', `${this.#parts.target}: ${this.#parts.obstacle()}`)
    for (const parcel of late) {
      this.#parts.late(parcel.stanza)
      this.#handBack(parcel, error)
    }
  }
}

/** The first that is still of interest; those before it are dropped. */
function firstOf(queue: Queue<Parcel>): Parcel | undefined {
  while (queue.first?.state === 'gone') queue.shift()
  return queue.first
}

/** Messages, unless their sender does not want them stored (XEP-0334 §4.2). */
function isDurable(stanza: Stanza): boolean {
  return stanza.kind === 'message' && stanza.type !== 'error' && !stanza.has('no-store', NS.hints)
}
