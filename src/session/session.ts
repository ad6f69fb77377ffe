/** A session: a connected resource of an account (RFC 6120 §7), with its presence (RFC 6121 §4). */
import type { Slot } from './slot.js'
import type { Jid } from '../stanza/jid.js'
import type { Stanza } from '../stanza/stanza.js'
import type { StreamError } from '../stream/errors.js'
import type { Acks } from '../stream/acks.js'
import type { Stream } from '../stream/stream.js'

/** What a session asks on its way out: the outbound gate of its host. Undefined: nothing is to be sent now. */
export type OutboundGate = (stanza: Stanza, session: Session) => Stanza | undefined

/** What a stanza costs beside its text, in bytes and roughly: many small ones are worth a large one. */
const HELD_OVERHEAD = 512

/** A stanza that is kept for a session, and all sessions that get it. */
export interface Held {
  readonly stanza: Stanza
  readonly among: readonly Session[]
  /** Of one that is stored until the client has acknowledged it, and goes nowhere else: told when that is so. */
  readonly acknowledged?: (() => void) | undefined
}

const tellAcknowledged = ({ acknowledged }: Held): void => acknowledged?.()

/** Roughly the bytes that a kept stanza takes. */
export function sizeOfHeld({ stanza }: Held): number {
  return stanza.toXml().length + HELD_OVERHEAD
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
  /** What was sent and is not acknowledged; undefined unless the client asked for it (XEP-0198). */
  acks: Acks<Held> | undefined = undefined
  #pledge: Promise<unknown> | undefined = undefined
  readonly #outbound: OutboundGate
  #slots: Map<Slot<unknown>, unknown> | undefined = undefined
  /** What waits behind the reasons to hold, in order. */
  #held: Held[] | undefined = undefined
  /** How many of these have gone out just now. */
  #passed = 0
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

  /** Whether directed presence went to an address of this account, room or host, and has not ended (RFC 6121 §4.6). */
  hasMet(other: Jid): boolean {
    for (const met of this.directed?.values() ?? []) if (met.bare.equals(other.bare)) return true
    return false
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
    if (this.#holds === 0 && !this.#held && !this.#behind) return this.deliverNow(stanza, among)
    const held = { stanza, among }
    const bytes = sizeOfHeld(held)
    if (!this.stream.fits(this.#heldBytes + bytes)) {
      this.stream.drop(this.acks?.full ? 'sm_queue' : 'write_queue')
      return false
    }
    ;(this.#held ??= []).push(held)
    this.#heldBytes += bytes
    return true
  }

  /**
   * Past the hold: for what must come before everything that is held. False: the session is gone and did not get it.
   * `acknowledged` as of `Held`, when this is a session with `acks`.
   */
  deliverNow(stanza: Stanza, among: readonly Session[] = alone, acknowledged?: () => void): boolean {
    if (!this.live) return false
    const passed = this.#outbound(stanza, this)
    if (!passed) {
      acknowledged?.()
      return true
    }
    this.stream.send(passed.toXml())
    // A stream that broke over it has ended the session: then it was not taken, and is nothing to acknowledge.
    if (!this.live) return false
    this.acks?.sent({ stanza, among, acknowledged })
    return true
  }

  /** The client does not read, or does not acknowledge. */
  get #behind(): boolean {
    return this.stream.slow || this.acks?.full === true
  }

  /**
   * The client has handled `h` of our stanzas (XEP-0198 §4); what was held back meanwhile goes out.
   * @throws StreamError as `Acks.acknowledge`
   */
  acknowledge(h: string | undefined): void {
    if (!this.acks) return
    this.acks.acknowledge(h, tellAcknowledged)
    if (!this.#behind) this.drained()
  }

  /** The stanza of this session that is being handled is settled only with `pledge`; its stream goes on before. */
  pledge(pledge: Promise<unknown>): void {
    if (this.acks) this.#pledge = pledge
  }

  /** What the stanza that was just handled waits for. */
  takePledge(): Promise<unknown> | undefined {
    const pledge = this.#pledge
    this.#pledge = undefined
    return pledge
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
    if (!this.live || !this.#behind) return undefined
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

  /** What was held or not acknowledged when the session ended, and no other that got it is there. In order. */
  takeHeld(): readonly Stanza[] {
    const held = [...(this.acks?.take() ?? []), ...(this.#held?.slice(this.#passed) ?? [])]
    this.#held = undefined
    this.#heldBytes = 0
    const elsewhere = (other: Session) => other !== this && other.live
    return held
      .filter(({ among, acknowledged }) => !acknowledged && !among.some(elsewhere))
      .map(({ stanza }) => stanza)
  }

  /** Sends what is held, until there is a new reason to hold. */
  #pass(): void {
    if (this.#holds > 0 || !this.#held || !this.live) return
    for (const held of this.#held) {
      if (this.#behind || !this.deliverNow(held.stanza, held.among)) break
      this.#heldBytes -= sizeOfHeld(held)
      this.#passed++
    }
    if (this.#held)
      this.#held = this.#passed === this.#held.length ? undefined : this.#held.slice(this.#passed)
    this.#passed = 0
  }

  close(error?: StreamError): void {
    if (error) this.stream.fail(error)
    else this.stream.close()
  }
}
