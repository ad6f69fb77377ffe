/** Stanzas of one pair of domains on their way out: straight onto the stream, or in a queue until there is one. */
import type { Carrier } from './carrier.js'
import type { Failure, FailureFacts, LinkFacts, LinkState } from './facts.js'
import { LifeSigns } from './life-signs.js'
import type { Resumable } from './management.js'
import { Outbox } from './outbox.js'
import type { Ends, OutgoingOwner } from './outgoing.js'
import { refusalOf, type S2sParts } from './parts.js'
import type { Timer } from '../base/clock.js'
import { bounced } from '../router/bounce.js'
import { StanzaError } from '../stanza/errors.js'
import type { Stanza } from '../stanza/stanza.js'
import { StreamError } from '../stream/errors.js'

/** Milliseconds: the first pause, doubled with each failure up to `retryMax`. */
const firstPause = 1000

/** Milliseconds for which a domain that is not there, or does not want us, is believed to stay so. */
const longestRefusal = 10_000

/** Milliseconds without an acknowledgement until a stream is given up. */
const patience = 60_000

export interface LinkPool {
  /** A stream that is there for it already, or a new one. */
  open(ends: Ends, owner: OutgoingOwner): Carrier
  /** Whether a stream of the peer takes stanzas for this pair. */
  hasWayBack(ends: Ends): boolean
  /** Whether a stream to that place is there already, which can be shared. */
  shares(ends: Ends, place: string): boolean
  /** Counts what was written. */
  written(stanza: Stanza): void
  /** Nothing waits and nothing is open: the link may be forgotten. */
  idle(link: Link): void
  /** A stream of the link broke; `opened`: there is one. */
  broke(link: Link): void
  opened(link: Link): void
  /** Counts an attempt: a stage that failed, or success. */
  attempted(stage: string, result: 'ok' | 'failed'): void
}

export class Link implements Ends, OutgoingOwner {
  readonly local: string
  readonly remote: string
  outgoing: Carrier | undefined = undefined
  readonly #parts: S2sParts
  readonly #pool: LinkPool
  readonly #outbox: Outbox
  readonly #lifeSigns: LifeSigns
  #resumable: Resumable | undefined
  /** How far the peer had acknowledged when that last changed. */
  #progress: { readonly count: number; readonly at: number } | undefined
  #retry: { readonly timer: Timer; readonly at: number } | undefined
  #failures = 0
  #failure: Failure | undefined
  #failedAt = 0
  /** When the present state began. */
  #since: number
  /** Something was written since the last look. */
  #used = true
  #idleSince: number
  #closing = false

  constructor(parts: S2sParts, { local, remote }: Ends, pool: LinkPool) {
    this.#parts = parts
    this.#pool = pool
    this.local = local
    this.remote = remote
    this.#since = this.#idleSince = parts.clock.now()
    this.#outbox = new Outbox({
      sender: local,
      target: remote,
      store: parts.outbound,
      clock: parts.clock,
      log: parts.log,
      limits: parts.settings,
      bounce: (stanza, error) => void this.#bounce(stanza, error),
      late: ({ kind }) => {
        if (kind !== 'presence') parts.hits.add(kind === 'iq' ? 's2s_iq_timeout' : 's2s_message_timeout')
      },
      obstacle: () =>
        this.#failure?.message ?? (this.outgoing?.isReady ? 'it does not read' : 'no connection yet'),
    })
    this.#lifeSigns = new LifeSigns(parts, { local, remote }, this.#outbox, () => this.#given())
  }

  get state(): LinkState {
    if (this.outgoing) return this.outgoing.isReady ? 'open' : 'connecting'
    return 'waiting'
  }

  /** One or, where the same stream brings stanzas too (XEP-0288), both directions. */
  get facts(): LinkFacts[] {
    const { outgoing } = this
    const out = this.#outFacts()
    if (!outgoing?.isBidirectional) return [out]
    const auth = outgoing.certified?.ok ? 'external' : 'dialback'
    const queue = { stanzas: 0, bytes: 0, oldest: undefined }
    return [out, { ...out, dir: 'in', auth, queue, failure: undefined }]
  }

  #outFacts(): LinkFacts {
    const { local, remote, state, outgoing } = this
    const transport = outgoing?.stream?.transport
    return {
      local,
      remote,
      dir: 'out',
      state,
      auth: outgoing?.auth,
      tls: transport?.tls?.protocol,
      ip: transport?.remote,
      since: this.#since,
      queue: {
        stanzas: this.#outbox.waiting,
        bytes: this.#outbox.waitingBytes,
        oldest: this.#outbox.oldest,
      },
      failure: this.#failureFacts(),
    }
  }

  get unconfirmed(): number {
    return this.#outbox.unconfirmed
  }

  /** When nothing can come of it any more: no stream, nothing waiting, and the last failure long ago. */
  isStale(now: number): boolean {
    return !this.outgoing && this.#outbox.isEmpty && now - this.#failedAt > this.#parts.settings().retryMax
  }

  /** The promise is that of `Outbox.add`. */
  send(stanza: Stanza): Promise<void> | undefined {
    const pledge = this.#outbox.add(stanza)
    if (typeof pledge === 'string') {
      this.#parts.hits.add(pledge)
      void this.#bounce(stanza, new StanzaError('resource-constraint', `Too much waits for ${this.remote}`))
      return undefined
    }
    if (this.outgoing) this.#flush()
    else if (!this.#retry) this.#attemptWhenDue()
    return pledge
  }

  /** A message that was stored by an earlier process; `retry` sends it on its way. */
  restore(stanza: Stanza, since: number, id: number): void {
    this.#outbox.restore(stanza, since, id)
  }

  /** Tries again now, whatever the pause. */
  retry(): void {
    if (this.outgoing || this.#outbox.waiting === 0) return
    this.#attempt()
  }

  /** Hands back what waits, and is forgotten unless there is a stream. Gives how many stanzas that were. */
  giveUp(error: StanzaError): number {
    const { waiting } = this.#outbox
    this.#outbox.bounceAll(error)
    if (this.outgoing || !this.#outbox.isEmpty) return waiting
    this.#retry?.timer.cancel()
    this.#retry = undefined
    this.#pool.idle(this)
    return waiting
  }

  /** No stanza for so long that the stream is not worth keeping; or no acknowledgement, so that it must be dead. */
  sweep(now: number): void {
    const { outgoing } = this
    if (!outgoing?.isReady) return
    const { progress } = outgoing
    if (progress !== undefined) {
      if (this.#progress?.count !== progress) this.#progress = { count: progress, at: now }
      else if (now - this.#progress.at >= patience) return this.#given()
    } else this.#progress = undefined
    if (this.#used || !this.#outbox.isEmpty) {
      this.#used = false
      this.#idleSince = now
    } else if (now - this.#idleSince >= this.#parts.settings().idle) {
      this.#parts.hits.add('s2s_idle')
      outgoing.close()
    }
  }

  /** The peer gives no sign of life: what it has not confirmed goes over another stream. */
  #given(): void {
    this.#progress = undefined
    this.outgoing?.close(new StreamError('connection-timeout', 'Nothing is acknowledged'))
  }

  /** We are about to end: resolves when messages are stored; what cannot be is handed back. */
  async leave(error: StanzaError): Promise<void> {
    this.#retry?.timer.cancel()
    this.#retry = undefined
    this.outgoing?.ask()
    await this.#outbox.leave(error)
  }

  /** Ends the stream and hands back what waits, unless it is left to the next process. */
  end(error: StanzaError | undefined, streamError?: StreamError): void {
    this.#closing = true
    this.#retry?.timer.cancel()
    this.#retry = undefined
    if (this.outgoing) this.outgoing.close(streamError)
    else this.#pool.idle(this)
    if (error) this.#outbox.bounceAll(error)
    this.#lifeSigns.stop()
    this.#closing = false
  }

  takeResumable(): Resumable | undefined {
    const resumable = this.#resumable
    this.#resumable = undefined
    return resumable
  }

  drained(): void {
    this.#flush()
  }

  used(): void {
    this.#used = true
  }

  shares(place: string): boolean {
    return this.#pool.shares(this, place)
  }

  ended(failure: Failure | undefined): void {
    const { log, clock } = this.#parts
    const { outgoing } = this
    this.outgoing = undefined
    this.#since = clock.now()
    this.#resumable = outgoing?.resumable ?? this.#resumable
    this.#outbox.broken()
    if (outgoing?.auth && outgoing.stream?.broke) this.#pool.broke(this)
    if (this.#closing) return this.#pool.idle(this)
    if (!failure) {
      if (outgoing?.auth) log.info('s2s.out.closed', { peer: this.remote, host: this.local })
      this.#failures = 0
      this.#failure = undefined
      if (this.#outbox.isEmpty) return this.#pool.idle(this)
      return this.#later()
    }
    this.#failed(failure)
  }

  /**
   * The next stanza after a failure waits for its time as well: a domain that is away is not asked at each stanza. One
   * that is not there at all will not be there in a second either.
   */
  #attemptWhenDue(): void {
    if (this.#failures === 0 || this.#failedAt + this.#pause() <= this.#parts.clock.now()) this.#attempt()
    else if (!this.#handBack(this.#failure)) this.#later()
  }

  /** After a failure for good: nothing that waits will ever go. False for another failure, or none. */
  #handBack(failure: Failure | undefined): boolean {
    if (failure?.final === undefined) return false
    const { final, message: reason } = failure
    const condition = final === 'no such server' ? 'remote-server-not-found' : 'not-allowed'
    this.#outbox.bounceAll(new StanzaError(condition, reason))
    return true
  }

  #attempt(): void {
    this.#retry?.timer.cancel()
    this.#retry = undefined
    const refusal = refusalOf(this.#parts, this.remote)
    if (refusal !== undefined) {
      this.#outbox.bounceAll(new StanzaError('not-allowed', refusal))
      return this.#pool.idle(this)
    }
    this.#since = this.#parts.clock.now()
    const outgoing = this.#pool.open(this, this)
    this.outgoing = outgoing
    outgoing.authenticate().then(
      () => this.#ready(outgoing),
      () => {}, // `ended` has heard of it
    )
  }

  #ready(outgoing: Carrier): void {
    if (this.outgoing !== outgoing || !outgoing.isReady) return
    const { log, clock } = this.#parts
    this.#since = this.#idleSince = clock.now()
    this.#failures = 0
    this.#failure = undefined
    this.#pool.attempted('auth', 'ok')
    log.info('s2s.out.open', {
      peer: this.remote,
      host: this.local,
      ip: outgoing.stream!.transport.remote,
      auth: outgoing.auth,
      dur_ms: this.#since - outgoing.since,
    })
    this.#flush()
    this.#pool.opened(this)
  }

  #flush(): void {
    const { outgoing } = this
    while (outgoing?.isReady && !outgoing.stream!.slow) {
      const parcel = this.#outbox.next(outgoing.confirms)
      if (!parcel) break
      this.#used = true
      this.#pool.written(parcel.stanza)
      outgoing.send(parcel)
    }
    if (this.#outbox.hasUncounted) this.#lifeSigns.look()
  }

  #failed(failure: Failure): void {
    const { log, clock } = this.#parts
    this.#failures++
    this.#failure = failure
    this.#failedAt = clock.now()
    const { stage, side, message: reason } = failure
    this.#pool.attempted(stage, 'failed')
    log.info('s2s.out.failed', {
      peer: this.remote,
      host: this.local,
      stage,
      side,
      reason,
      waiting: this.#outbox.waiting,
    })
    if (!this.#handBack(failure) && this.#outbox.waiting > 0) {
      // The peer may have come to us meanwhile.
      if (this.#pool.hasWayBack(this)) this.#attempt()
      else this.#later()
    }
  }

  /** Milliseconds from the last failure to the next attempt: doubled each time, and never the same for all peers. */
  #pause(): number {
    const { retryMax } = this.#parts.settings()
    const most = this.#failure?.final === undefined ? retryMax : Math.min(retryMax, longestRefusal)
    return Math.min(most, this.#doubled)
  }

  get #doubled(): number {
    return firstPause * 2 ** Math.min(this.#failures - 1, 20)
  }

  #later(): void {
    const { clock, random, hits, settings } = this.#parts
    if (this.#doubled > settings().retryMax) hits.add('s2s_retry_max')
    const jitter = 0.75 + (random.bytes(1)[0] ?? 0) / 1024
    const ms = Math.max(0, this.#failedAt + this.#pause() * jitter - clock.now())
    this.#retry?.timer.cancel()
    const timer = clock.after(ms, () => {
      this.#retry = undefined
      // What waited may have been handed back.
      if (this.#outbox.waiting > 0) this.#attempt()
    })
    this.#retry = { at: clock.now() + ms, timer }
  }

  /** Back to the sender, from the addressee. Presence that only informs is let go: it would be news of yesterday. */
  async #bounce(stanza: Stanza, error: StanzaError): Promise<void> {
    if (stanza.kind === 'presence' && stanza.type !== 'subscribe' && !isJoin(stanza)) return
    const reply = bounced(stanza, error)
    try {
      if (reply) await this.#parts.router.route(reply)
    } catch (fault) {
      this.#parts.log.error('s2s.bounce.failed', { peer: this.remote, error: fault })
    }
  }

  #failureFacts(): FailureFacts | undefined {
    if (!this.#failure) return undefined
    const { stage, message: reason, side } = this.#failure
    return {
      stage,
      reason,
      side,
      at: this.#failedAt,
      nextTry: this.#outbox.waiting > 0 ? this.#retry?.at : undefined,
    }
  }
}

/** Directed to a resource, as when somebody enters a room (XEP-0045 §7.2): who sent it waits for an answer. */
export function isJoin({ type, to }: Stanza): boolean {
  return type === undefined && to?.isBare === false
}
