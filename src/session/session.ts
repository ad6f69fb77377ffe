/** A session: a connected resource of an account (RFC 6120 §7), with its presence (RFC 6121 §4). */
import type { Slot } from './slot.js'
import type { Jid } from '../stanza/jid.js'
import type { Stanza } from '../stanza/stanza.js'
import type { StreamError } from '../stream/errors.js'
import type { Stream } from '../stream/stream.js'

/** What a session asks on its way out: the outbound gate of its host. Undefined: nothing is to be sent now. */
export type OutboundGate = (stanza: Stanza, session: Session) => Stanza | undefined

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
  #held: Stanza[] | undefined = undefined

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

  /** Queues a stanza for this resource. False: it is gone, nothing was taken. */
  deliver(stanza: Stanza): boolean {
    if (!this.live) return false
    if (this.#held) {
      this.#held.push(stanza)
      return true
    }
    return this.deliverNow(stanza)
  }

  /** Past the hold: for what must come before everything that is held. */
  deliverNow(stanza: Stanza): boolean {
    if (!this.live) return false
    const passed = this.#outbound(stanza, this)
    if (passed) this.stream.send(passed.toXml())
    return true
  }

  /** Keeps what is delivered from now on until `release`, in order. */
  hold(): void {
    this.#held ??= []
  }

  release(): void {
    const held = this.#held
    this.#held = undefined
    for (const stanza of held ?? []) this.deliver(stanza)
  }

  /** What was held when the session ended before `release`. */
  takeHeld(): readonly Stanza[] {
    const held = this.#held ?? []
    this.#held = undefined
    return held
  }

  close(error?: StreamError): void {
    if (error) this.stream.fail(error)
    else this.stream.close()
  }
}
