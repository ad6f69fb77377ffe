/** A session: a connected resource of an account (RFC 6120 §7), with its presence (RFC 6121 §4). */
import type { Slot } from './slot.js'
import { withoutSuperseded } from './superseded.js'
import { Queue } from '../base/queue.js'
import { delayed } from '../stanza/delay.js'
import type { Jid } from '../stanza/jid.js'
import type { Stanza } from '../stanza/stanza.js'
import type { StreamError } from '../stream/errors.js'
import type { Acks } from '../stream/acks.js'
import type { Stream } from '../stream/stream.js'

/** What a client says of its installation (XEP-0388 §2.3); nobody else is told. */
export interface UserAgent {
  /** A UUID in lower case, the same at each login. */
  readonly id: string | undefined
  readonly software: string | undefined
  readonly device: string | undefined
}

/** What a session asks of its host, and tells it. */
export interface SessionHost {
  /** The domain. */
  readonly address: Jid
  /** Milliseconds since 1970. */
  now(): number
  /** The outbound gate. Undefined: nothing is to be sent now. */
  leaving(stanza: Stanza, session: Session): Stanza | undefined
  /** A stanza waits for a session that is parked. */
  queued(session: Session, stanza: Stanza): void
  /** A session that is parked ends; `full`: because more waits for it than may. */
  over(session: Session, full: boolean): void
}

/** Who keeps a session that can be resumed. */
export interface Keeper {
  /** It is over. */
  ended(session: Session): void
  /** And what it left is where it goes now. */
  left(session: Session): void
}

/** How a session can be resumed (XEP-0198 §5). */
export interface Resumable {
  /** What the client names it by; nobody can guess it. */
  readonly id: string
  /** Milliseconds for which it waits without a stream. */
  readonly ms: number
  /** Told when the session ends, once. */
  readonly keeper: Keeper
}

/** What a stanza costs beside its text, in bytes and roughly: many small ones are worth a large one. */
const HELD_OVERHEAD = 512

/** A stanza that is kept for a session, and all sessions that get it. */
export interface Held {
  /** As it reached the session. */
  readonly stanza: Stanza
  /** As it left it, past the outbound gate; the same until then. */
  readonly sent: Stanza
  readonly among: readonly Session[]
  /** When it came, in milliseconds since 1970. */
  readonly at: number
  /** Of one that is stored until the client has acknowledged it, and goes nowhere else: told when that is so. */
  readonly acknowledged?: (() => void) | undefined
  /** Of a copy for this session alone: what goes other ways when it ends and none of `among` is there. */
  readonly original?: Stanza | undefined
}

/** What more there is to say of a stanza that is delivered; as of `Held`. */
type About = Pick<Held, 'acknowledged' | 'original'>
const nothingMore: About = Object.freeze({})

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
  /** Undefined while it is parked: the stream broke, and the session waits to be resumed (XEP-0198 §5). */
  stream: Stream | undefined
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
  /** Set before it is registered, when the client told it. */
  agent: UserAgent | undefined = undefined
  /** Bound by Bind 2 (XEP-0386): what was kept for its account while it was away it reads in the archive (§3.2). */
  bind2 = false
  /** Still the registered one of its resource. */
  live = true
  /** What was sent and is not acknowledged; undefined unless the client asked for it (XEP-0198). */
  acks: Acks<Held> | undefined = undefined
  /** Undefined unless the client asked for it and may: then the session outlives its streams. */
  resumable: Resumable | undefined = undefined
  /** It was told to end, so it ends with its stream. */
  #isOver = false
  /** What the client had not acknowledged when it came back and is not sent again yet; what comes waits behind it. */
  #again: Queue<Held> | undefined = undefined
  #pledge: Promise<unknown> | undefined = undefined
  readonly #host: SessionHost
  #slots: Map<Slot<unknown>, unknown> | undefined = undefined
  /** States from before a restart, by the names of their slots, until somebody asks for them. */
  #savedSlots: Readonly<Record<string, unknown>> | undefined = undefined
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
    stream: Stream | undefined,
    host: SessionHost,
    since: number,
    mechanism: string,
  ) {
    this.jid = jid
    this.account = account
    this.stream = stream
    this.#host = host
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
    if (!slots.has(slot)) slots.set(slot, this.#restored(slot) ?? slot.make())
    return slots.get(slot) as T
  }

  /** The same as far as it was made. */
  peek<T>(slot: Slot<T>): T | undefined {
    if (this.#savedSlots && !this.#slots?.has(slot) && slot.name in this.#savedSlots) return this.state(slot)
    return this.#slots?.get(slot) as T | undefined
  }

  /** The states that outlive a restart, by the names of their slots. */
  keptSlots(): Record<string, unknown> {
    const kept: Record<string, unknown> = { ...this.#savedSlots }
    for (const [slot, state] of this.#slots ?? []) {
      const saved = slot.kept?.save(state)
      if (saved !== undefined) kept[slot.name] = saved
    }
    return kept
  }

  #restored<T>(slot: Slot<T>): T | undefined {
    const saved = this.#savedSlots?.[slot.name]
    return saved === undefined ? undefined : slot.kept?.restore(saved)
  }

  /** Waits without a stream to be resumed. */
  get isParked(): boolean {
    return this.live && this.stream === undefined
  }

  /** May wait to be resumed when its stream breaks. */
  get survives(): boolean {
    return this.resumable !== undefined && !this.#isOver
  }

  /**
   * Queues a stanza for this resource: for its stream, behind what it does not read, or until it is resumed. False: it is
   * gone, nothing was taken. A session that lets too much wait is ended, and what it held goes other ways. `among` are
   * all that get it, as it is or as a copy.
   */
  deliver(stanza: Stanza, among: readonly Session[] = alone, about: About = nothingMore): boolean {
    if (!this.live) return false
    if (this.#holds === 0 && !this.#held && !this.#behind) return this.deliverNow(stanza, among, about)
    const { original } = about
    const held = { stanza, sent: stanza, among, at: this.#host.now(), acknowledged: undefined, original }
    const bytes = sizeOfHeld(held)
    if (!this.#hasRoom(bytes) && !(this.#makesRoom() && this.#hasRoom(bytes))) {
      this.#overflow()
      return false
    }
    ;(this.#held ??= []).push(held)
    this.#heldBytes += bytes
    if (!this.stream) this.#host.queued(this, stanza)
    return true
  }

  /**
   * Past the hold: for what must come before everything that is held. False: the session is gone and did not get it.
   * `acknowledged` only of a session with `acks`.
   */
  deliverNow(stanza: Stanza, among: readonly Session[] = alone, about: About = nothingMore): boolean {
    if (!this.live) return false
    const { acknowledged, original } = about
    const sent = this.#host.leaving(stanza, this)
    if (!sent) {
      acknowledged?.()
      return true
    }
    const waits = this.#again !== undefined || this.stream === undefined
    if (!waits) this.stream?.send(sent.toXml())
    // A stream that broke over it may have ended the session: then it was not taken, and is nothing to acknowledge.
    if (!this.live) return false
    if (!this.acks) return true
    const held = { stanza, sent, among, at: this.#host.now(), acknowledged, original }
    this.acks.sent(held)
    if (waits) this.#again?.push(held)
    if (!this.stream) this.#host.queued(this, stanza)
    return true
  }

  /** The client does not read, or does not acknowledge. */
  get #behind(): boolean {
    return !this.stream || this.#again !== undefined || this.stream.slow || this.acks?.full === true
  }

  /** Whether so much more may wait here: beside what waits in the stream, or in all while there is none. */
  #hasRoom(bytes: number): boolean {
    const { stream, acks } = this
    if (stream) return stream.fits(this.#heldBytes + bytes)
    return acks!.hasRoom((this.#held?.length ?? 0) + 1, this.#heldBytes + bytes)
  }

  /** While it is parked: drops presence that newer presence has replaced. Whether there was any. */
  #makesRoom(): boolean {
    if (this.stream || !this.#held) return false
    const before = this.#held.length
    this.#held = [...withoutSuperseded(this.#held)]
    this.#heldBytes = this.#held.reduce((sum, held) => sum + sizeOfHeld(held), 0)
    return this.#held.length < before
  }

  #overflow(): void {
    this.#isOver = true
    if (this.stream) this.stream.drop(this.acks?.full ? 'sm_queue' : 'write_queue')
    else this.#host.over(this, true)
  }

  /** The stream broke, and the session waits for another. Only for one that `survives`. */
  park(): void {
    this.stream = undefined
    this.#again = undefined
    this.acks?.park()
  }

  /**
   * Goes on on another stream, on which the client said that it has handled `h` of our stanzas (XEP-0198 §5). Nothing is
   * sent before `goOn`.
   * @throws StreamError as `Acks.acknowledge`; then nothing has changed
   */
  resume(stream: Stream, h: string | undefined): void {
    const acks = this.acks!
    acks.acknowledge(h, tellAcknowledged)
    acks.continueOn(stream)
    this.stream = stream
    this.#again = new Queue(acks.unacknowledged)
    this.#held = this.#held?.map((held) => {
      const stanza = this.#late(held.stanza, held.at)
      return { ...held, stanza, sent: stanza }
    })
    this.#heldBytes = (this.#held ?? []).reduce((sum, held) => sum + sizeOfHeld(held), 0)
  }

  /** Sends what the client did not get, in order, and then what came since. */
  goOn(): void {
    this.drained()
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

  /**
   * The stanza of this session that is being handled is settled only with `pledge` and all others that were given for it;
   * its stream goes on before.
   */
  pledge(pledge: Promise<unknown>): void {
    if (!this.acks || pledge === this.#pledge) return
    this.#pledge = this.#pledge ? Promise.all([this.#pledge, pledge]) : pledge
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
    this.#sendAgain()
    if (this.live && this.#behind) return
    const waiters = this.#waiters
    this.#waiters = undefined
    for (const resume of waiters ?? []) resume()
    this.#pass()
  }

  /** Bytes that wait here and not in the stream. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** What was sent and is not acknowledged, and what waits to be sent, in order. */
  get queued(): { readonly sent: readonly Held[]; readonly held: readonly Held[] } {
    return { sent: this.acks?.unacknowledged ?? [], held: this.#held ?? [] }
  }

  /** Takes over what a session had that was parked before a restart; this one is parked too. */
  restore(sent: readonly Held[], held: readonly Held[], slots: Readonly<Record<string, unknown>>): void {
    for (const item of sent) this.acks?.sent(item)
    if (held.length > 0) this.#held = [...held]
    this.#heldBytes = held.reduce((sum, item) => sum + sizeOfHeld(item), 0)
    this.#savedSlots = slots
  }

  /** All that it holds is kept elsewhere from now on, and it is over. */
  handOver(): void {
    this.live = false
    const { sent, held } = this.queued
    for (const item of [...sent, ...held]) tellAcknowledged(item)
    this.drained()
  }

  /** What is not acknowledged or waits here, in order. */
  get waiting(): readonly Stanza[] {
    return [...(this.acks?.unacknowledged ?? []), ...(this.#held ?? [])].map(({ stanza }) => stanza)
  }

  /**
   * What was held or not acknowledged when the session ended, and no other that got it is there. In order, and marked with
   * when it came (XEP-0198 §4).
   */
  takeHeld(): readonly Stanza[] {
    const held = [...(this.acks?.take() ?? []), ...(this.#held?.slice(this.#passed) ?? [])]
    this.#held = undefined
    this.#heldBytes = 0
    const elsewhere = (other: Session) => other !== this && other.live
    return held
      .filter(({ among, acknowledged }) => !acknowledged && !among.some(elsewhere))
      .map(({ stanza, at, original = stanza }) => this.#late(original, at))
  }

  #sendAgain(): void {
    const { stream } = this
    while (this.#again && stream && this.stream === stream && !stream.slow) {
      const held = this.#again.shift()
      if (held) stream.send(this.#late(held.sent, held.at).toXml())
      else {
        this.#again = undefined
        this.acks?.ask()
      }
    }
  }

  /** A message that comes later than it should says so. */
  #late(stanza: Stanza, at: number): Stanza {
    return stanza.kind === 'message' ? delayed(stanza, this.#host.address, at) : stanza
  }

  /** Sends what is held, until there is a new reason to hold. */
  #pass(): void {
    if (this.#holds > 0 || !this.#held || !this.live) return
    for (const held of this.#held) {
      if (this.#behind || !this.deliverNow(held.stanza, held.among, { original: held.original })) break
      this.#heldBytes -= sizeOfHeld(held)
      this.#passed++
    }
    if (this.#held)
      this.#held = this.#passed === this.#held.length ? undefined : this.#held.slice(this.#passed)
    this.#passed = 0
  }

  /** Ends it for good, whether it is parked or not. */
  close(error?: StreamError): void {
    this.#isOver = true
    if (!this.stream) this.#host.over(this, false)
    else if (error) this.stream.fail(error)
    else this.stream.close()
  }
}
