/** Counting stanzas on a stream, both ways, and keeping those that the peer has not acknowledged (XEP-0198 §4). */
import { StreamError } from './errors.js'
import type { Clock } from '../base/clock.js'
import { Queue } from '../base/queue.js'
import { el } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

/** XEP-0198 §4: after 2^32 - 1 comes 0. */
const modulus = 2 ** 32

/** How much may wait for acknowledgement. */
export interface Window {
  readonly count: number
  /** Of what `sizeOf` says. */
  readonly bytes: number
}

/** Where `<r/>` and `<a/>` are written. */
export interface AckStream {
  send(xml: string): unknown
}

export interface AcksOptions<T> {
  readonly stream: AckStream
  readonly window: Window
  /** What an item costs; the same whenever it is asked. */
  readonly sizeOf: (item: T) => number
  /** Asks when the stream has fallen quiet; shared by many streams. */
  readonly asker: Asker
}

/** Where those are written that a parked session would say. */
export const nowhere: AckStream = { send: () => undefined }

/** Stanzas sent until the peer is asked about them, even while more follow. */
const askEvery = 20

/**
 * The two counters of one managed stream, from `<enabled/>` on. Items are whatever the owner wants back when the peer
 * did not get them: they are kept by reference until it says that it has handled them.
 */
export class Acks<T> {
  readonly #options: AcksOptions<T>
  #stream: AckStream
  readonly #queue = new Queue<T>()
  #bytes = 0
  /** Acknowledged by the peer, modulo 2^32. */
  #acknowledged: number
  /** Sent since the peer was asked last. */
  #unasked = 0
  /** Stanzas of the peer handled without a gap, modulo 2^32. */
  #handled: number
  /** From the first stanza of the peer on that is not settled: whether each is. */
  #unsettled: { settled: boolean }[] = []
  /** How many of these must be settled until an earlier request is answered in full. */
  #owed = 0
  /** A stanza of the peer will never count, so the peer had better begin anew. */
  hasFailed = false
  /** Who waits until all are settled. */
  #waiting: (() => void)[] = []

  /** `from` are the counters of an earlier stream that goes on here (XEP-0198 §5). */
  constructor(options: AcksOptions<T>, from: { sent: number; handled: number } = { sent: 0, handled: 0 }) {
    this.#options = options
    this.#stream = options.stream
    this.#acknowledged = from.sent
    this.#handled = from.handled
  }

  /** `h` for the peer: its stanzas up to here are handled, and what must outlive a crash is committed. */
  get handled(): number {
    return this.#handled
  }

  /** Stanzas sent so far, modulo 2^32. */
  get sentCount(): number {
    return (this.#acknowledged + this.length) % modulus
  }

  /** What the peer has acknowledged, modulo 2^32. */
  get acknowledgedCount(): number {
    return this.#acknowledged
  }

  /** Sent and not acknowledged. */
  get length(): number {
    return this.#queue.length
  }

  /** Of what is sent and not acknowledged. */
  get bytes(): number {
    return this.#bytes
  }

  /** Stanzas of the peer that are not settled, or behind one that is not. */
  get unsettled(): number {
    return this.#unsettled.length
  }

  /** Nothing more should be sent until the peer has acknowledged some. */
  get full(): boolean {
    const { count, bytes } = this.#options.window
    return this.length >= count || this.#bytes >= bytes
  }

  /** Whether so many items more, of so many bytes together, could be kept. */
  hasRoom(count: number, bytes: number): boolean {
    const { window } = this.#options
    return this.length + count <= window.count && this.#bytes + bytes <= window.bytes
  }

  /** The stream broke: what is sent until `continueOn` waits there. */
  park(): void {
    this.#stream = nowhere
  }

  /**
   * Goes on with the same counters on another stream (XEP-0198 §5). What is not acknowledged is for the caller to send
   * again, or was taken; what the peer sent and does not count yet never will, for it is told so and sends it again.
   */
  continueOn(stream: AckStream): void {
    this.#stream = stream
    this.#unasked = this.length
    this.#owed = 0
    this.#unsettled = []
    this.hasFailed = false
  }

  /** What is sent and not acknowledged, oldest first. */
  get unacknowledged(): readonly T[] {
    return [...this.#queue]
  }

  /** A stanza was sent. */
  sent(item: T): void {
    this.#queue.push(item)
    this.#bytes += this.#options.sizeOf(item)
    if (++this.#unasked >= askEvery || this.full) this.ask()
    else if (this.#unasked === 1) this.#options.asker.soon(this)
  }

  /** Asks the peer how far it is, if there is something to ask about. */
  ask(): void {
    if (this.#unasked === 0) return
    this.#unasked = 0
    this.#stream.send(`<r xmlns='${NS.streamManagement}'/>`)
  }

  /**
   * The peer said `<a h='…'/>`: hands each item that it has handled now to `release`, oldest first.
   * @throws StreamError `bad-format` without a number, `undefined-condition` for more than was sent (XEP-0198 §6)
   */
  acknowledge(h: string | undefined, release?: (item: T) => void): void {
    const count = counted(h)
    const released = (count - this.#acknowledged + modulus) % modulus
    if (released > this.length) throw tooHigh(count, this.sentCount)
    this.#acknowledged = count
    for (let i = 0; i < released; i++) {
      const item = this.#queue.shift()!
      this.#bytes -= this.#options.sizeOf(item)
      release?.(item)
    }
    if (this.length === 0) this.#unasked = 0
  }

  /** The items that are not acknowledged, oldest first; they are no longer kept, and count as if they were not sent. */
  take(): readonly T[] {
    this.#bytes = 0
    this.#unasked = 0
    return this.#queue.takeAll()
  }

  /** The peer said `<r/>`: it is answered at once, and again when what is not settled yet is. */
  requested(): void {
    this.#owed = this.#unsettled.length
    this.#answer()
  }

  /**
   * A stanza of the peer was handled, or is once `settled` resolves: then it counts, as soon as all before it count. One
   * that rejects never does, nor does anything behind it.
   */
  received(settled?: Promise<unknown> | void): void {
    if (!settled && this.#unsettled.length === 0) this.#handled = (this.#handled + 1) % modulus
    else this.receiving()(settled)
  }

  /** A stanza of the peer is being handled, and has its place in the count; what is given back is `received`. */
  receiving(): (settled?: Promise<unknown> | void) => void {
    const place = { settled: false }
    this.#unsettled.push(place)
    return (settled) => {
      if (settled)
        settled.then(
          () => this.#settle(place),
          () => this.#fail(place),
        )
      else this.#settle(place)
    }
  }

  /** Resolves when all are settled, or one has failed. */
  async settled(): Promise<void> {
    while (this.#unsettled.length > 0 && !this.hasFailed)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #settle(place: { settled: boolean }): void {
    place.settled = true
    if (this.#unsettled[0] === place) this.#countSettled()
  }

  #fail(place: { settled: boolean }): void {
    if (!this.#unsettled.includes(place)) return
    this.hasFailed = true
    for (const resume of this.#waiting.splice(0)) resume()
  }

  #countSettled(): void {
    const waiting = this.#unsettled.findIndex(({ settled }) => !settled)
    const settled = waiting < 0 ? this.#unsettled.length : waiting
    this.#unsettled.splice(0, settled)
    this.#handled = (this.#handled + settled) % modulus
    for (const resume of this.#waiting.splice(0)) resume()
    if (this.#owed === 0) return
    this.#owed = Math.max(0, this.#owed - settled)
    if (this.#owed === 0) this.#answer()
  }

  #answer(): void {
    this.#stream.send(`<a xmlns='${NS.streamManagement}' h='${this.#handled}'/>`)
  }
}

/** Asks on streams that have fallen quiet: one timer for all of them. */
export class Asker {
  readonly #clock: Clock
  readonly #delay: number
  #quiet: { ask(): void }[] = []
  #isSet = false

  /** `delay`: milliseconds at most between a stanza and the question about it. */
  constructor(clock: Clock, delay: number) {
    this.#clock = clock
    this.#delay = delay
  }

  soon(stream: { ask(): void }): void {
    this.#quiet.push(stream)
    if (this.#isSet) return
    this.#isSet = true
    this.#clock.after(this.#delay, () => this.#askAll())
  }

  #askAll(): void {
    this.#isSet = false
    const quiet = this.#quiet
    this.#quiet = []
    for (const stream of quiet) stream.ask()
  }
}

/** @throws StreamError `bad-format` when it is not an xs:unsignedInt */
export function counted(h: string | undefined): number {
  const count = h !== undefined && /^\d{1,10}$/.test(h) ? Number(h) : modulus
  if (count >= modulus) throw new StreamError('bad-format', 'An acknowledgement needs an h below 2^32')
  return count
}

function tooHigh(h: number, sent: number): StreamError {
  const fault = el('handled-count-too-high', NS.streamManagement, { h, 'send-count': sent })
  const text = `You acknowledged ${h} stanzas, but I only sent you ${sent} so far.`
  return new StreamError('undefined-condition', text, fault)
}
