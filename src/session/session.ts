/** A session: a connected resource of an account (RFC 6120 §7), with its presence (RFC 6121 §4). */
import type { Slot } from './slot.js'
import type { Jid } from '../stanza/jid.js'
import type { Stanza } from '../stanza/stanza.js'
import type { StreamError } from '../stream/errors.js'
import type { Stream } from '../stream/stream.js'

/** What a session asks on its way out: the outbound gate of its host. Undefined: nothing is to be sent now. */
export type OutboundGate = (stanza: Stanza, session: Session) => Stanza | undefined

/** What a stanza costs beside its text, in bytes and roughly: many small ones are worth a large one. */
const HELD_OVERHEAD = 512

interface Held {
  readonly stanza: Stanza
  readonly among: readonly Session[]
}

const alone: readonly Session[] = Object.freeze([])

export class Session {
  /** Full JID. */
  readonly jid: Jid
  /** Row of the account in the store. */
  readonly account: number
  readonly since: number
  readonly stream: Stream
  /** Last broadcast presence; undefined until the initial one and after an unavailable one (RFC 6121 §4.2, §4.5). */
  presence: Stanza | undefined = undefined
  /** RFC 6121 §4.7.2.3; 0 while there is no presence. */
  priority = 0
  /** Has asked for the roster: gets pushes (RFC 6121 §2.2, "interested resource"). */
  interested = false
  /** Addresses that got directed presence and must hear of its end (RFC 6121 §4.6.3); made on first use. */
  directed: Map<string, Jid> | undefined = undefined
  /** Name of the mechanism that authenticated it. */
  readonly mechanism: string
  /** Still the registered one of its resource. */
  live = true
  readonly #outbound: OutboundGate
  #slots: Map<Slot<unknown>, unknown> | undefined = undefined
  /** What waits behind the reasons to hold, in order. */
  #held: Held[] | undefined = undefined
  #holds = 0
  #heldBytes = 0
  #waiters: (() => void)[] | undefined = undefined

  constructor(
    jid: Jid,
    account: number,
    stream: Stream,
    outbound: OutboundGate,
    since: number,
    mechanism: string,
  ) {
    this.jid = jid
    this.account = account
    this.stream = stream
    this.#outbound = outbound
    this.since = since
    this.mechanism = mechanism
  }

  /** Available with a priority that takes messages to the bare address (RFC 6121 §8.5.2.1). */
  get takesMessages(): boolean {
    return this.presence !== undefined && this.priority >= 0
  }

  state<T>(slot: Slot<T>): T {
    const slots = (this.#slots ??= new Map())
    if (!slots.has(slot)) slots.set(slot, slot.make())
    return slots.get(slot) as T
  }

  /**
   * Queues a stanza for this resource: for its stream, or behind what it does not read. False: it is gone, nothing was
   * taken. A session that lets too much wait is ended, and what it held goes other ways. `among` are all that get it.
   */
  deliver(stanza: Stanza, among: readonly Session[] = alone): boolean {
    if (!this.live) return false
    if (this.#holds === 0 && !this.#held && !this.stream.slow) return this.deliverNow(stanza)
    const bytes = stanza.toXml().length + HELD_OVERHEAD
    if (!this.stream.fits(this.#heldBytes + bytes)) {
      this.stream.drop('write_queue')
      return false
    }
    ;(this.#held ??= []).push({ stanza, among })
    this.#heldBytes += bytes
    return true
  }

  /** Past the hold: for what must come before everything that is held. False: the session is gone and did not get it. */
  deliverNow(stanza: Stanza): boolean {
    if (!this.live) return false
    const passed = this.#outbound(stanza, this)
    if (passed) this.stream.send(passed.toXml())
    return this.live
  }

  /** Keeps what is delivered from now on, in order, until `release` is called as often as this. */
  hold(): void {
    this.#holds++
  }

  release(): void {
    this.#holds--
    this.#pass()
  }

  /** Before more than a few stanzas go past the hold: resolves when the peer keeps up, or is gone. */
  get ready(): Promise<void> | undefined {
    if (!this.live || !this.stream.slow) return undefined
    return new Promise((resolve) => (this.#waiters ??= []).push(resolve))
  }

  /** The peer has caught up, or is gone. */
  drained(): void {
    const waiters = this.#waiters
    this.#waiters = undefined
    for (const resume of waiters ?? []) resume()
    this.#pass()
  }

  /** Bytes that wait here and not in the stream. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** What was held when the session ended, and no other that got it is there. */
  takeHeld(): readonly Stanza[] {
    const held = this.#held ?? []
    this.#held = undefined
    this.#heldBytes = 0
    const elsewhere = (other: Session) => other !== this && other.live
    return held.filter(({ among }) => !among.some(elsewhere)).map(({ stanza }) => stanza)
  }

  /** Sends what is held, until there is a new reason to hold. */
  #pass(): void {
    if (this.#holds > 0 || !this.#held || !this.live) return
    let sent = 0
    for (const { stanza } of this.#held) {
      if (this.stream.slow || !this.deliverNow(stanza)) break
      this.#heldBytes -= stanza.toXml().length + HELD_OVERHEAD
      sent++
    }
    if (!this.#held) return
    this.#held = sent === this.#held.length ? undefined : this.#held.slice(sent)
  }

  close(error?: StreamError): void {
    if (error) this.stream.fail(error)
    else this.stream.close()
  }
}
