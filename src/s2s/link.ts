/** Stanzas of one pair of domains on their way out: straight onto the stream, or in a queue until there is one. */
import type { Failure, FailureFacts, LinkFacts, LinkState } from './facts.js'
import type { Ends, Outgoing, OutgoingOwner } from './outgoing.js'
import { refusalOf, type S2sParts } from './parts.js'
import type { Timer } from '../base/clock.js'
import { bounced } from '../router/bounce.js'
import { StanzaError } from '../stanza/errors.js'
import type { Stanza } from '../stanza/stanza.js'
import type { StreamError } from '../stream/errors.js'

/** What a stanza costs beside its text, in bytes and roughly. */
const OVERHEAD = 512

/** Milliseconds: the first pause, doubled with each failure up to `retryMax`. */
const firstPause = 1000

interface Waiting {
  readonly stanza: Stanza
  readonly bytes: number
  readonly since: number
  readonly until: number
}

export interface LinkPool {
  /** Opens a stream, or takes over one that was opened to verify keys. */
  open(ends: Ends, owner: OutgoingOwner): Outgoing
  /** Counts what was written. */
  written(stanza: Stanza): void
  /** Nothing waits and nothing is open: the link may be forgotten. */
  idle(link: Link): void
  /** Counts an attempt: a stage that failed, or success. */
  attempted(stage: string, result: 'ok' | 'failed'): void
}

export class Link implements Ends, OutgoingOwner {
  readonly local: string
  readonly remote: string
  outgoing: Outgoing | undefined = undefined
  readonly #parts: S2sParts
  readonly #pool: LinkPool
  #queue: Waiting[] = []
  #bytes = 0
  #expiry: { readonly timer: Timer; readonly at: number } | undefined
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
  }

  get state(): LinkState {
    if (this.outgoing) return this.outgoing.isReady ? 'open' : 'connecting'
    return 'waiting'
  }

  get facts(): LinkFacts {
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
      queue: { stanzas: this.#queue.length, bytes: this.#bytes, oldest: this.#queue[0]?.since },
      failure: this.#failureFacts(),
    }
  }

  get waiting(): number {
    return this.#queue.length
  }

  get oldest(): number | undefined {
    return this.#queue[0]?.since
  }

  get failing(): boolean {
    return this.#failures > 0
  }

  /** When nothing can come of it any more: no stream, nothing waiting, and the last failure long ago. */
  isStale(now: number): boolean {
    return (
      !this.outgoing && this.#queue.length === 0 && now - this.#failedAt > this.#parts.settings().retryMax
    )
  }

  send(stanza: Stanza): void | Promise<void> {
    const { outgoing } = this
    if (outgoing?.isReady && this.#queue.length === 0 && !outgoing.stream!.slow)
      return this.#write(stanza, outgoing)
    return this.#enqueue(stanza)
  }

  /** Tries again now, whatever the pause. */
  retry(): void {
    if (this.outgoing || this.#queue.length === 0) return
    this.#attempt()
  }

  /** No stanza for so long that the stream is not worth keeping. */
  sweep(now: number): void {
    if (!this.outgoing?.isReady) return
    if (this.#used || this.#queue.length > 0) {
      this.#used = false
      this.#idleSince = now
    } else if (now - this.#idleSince >= this.#parts.settings().idle) this.outgoing.close()
  }

  /** All that waits, which then is the caller's. */
  takeAll(): Stanza[] {
    const all = this.#queue.map(({ stanza }) => stanza)
    this.#queue = []
    this.#bytes = 0
    this.#plan()
    return all
  }

  /** Hands back what waits and ends the stream. */
  end(error: StanzaError, streamError?: StreamError): void {
    this.#closing = true
    this.#retry?.timer.cancel()
    this.#retry = undefined
    this.#bounceAll(error)
    this.outgoing?.close(streamError)
    this.#closing = false
    if (!this.outgoing) this.#pool.idle(this)
  }

  drained(): void {
    this.#flush()
  }

  ended(failure: Failure | undefined): void {
    const { log, clock } = this.#parts
    this.outgoing = undefined
    this.#since = clock.now()
    if (this.#closing) return this.#pool.idle(this)
    if (!failure) {
      log.info('s2s.out.closed', { peer: this.remote, host: this.local })
      this.#failures = 0
      this.#failure = undefined
      if (this.#queue.length === 0) return this.#pool.idle(this)
      return this.#later()
    }
    this.#failed(failure)
  }

  #write(stanza: Stanza, outgoing: Outgoing): void {
    this.#used = true
    this.#pool.written(stanza)
    outgoing.send(stanza.toXml())
  }

  #enqueue(stanza: Stanza): void | Promise<void> {
    const { settings, hits, clock } = this.#parts
    const { queue, queueBytes, messageTimeout, iqTimeout } = settings()
    const bytes = stanza.toXml().length + OVERHEAD
    const full =
      this.#queue.length >= queue
        ? 's2s_queue'
        : this.#bytes + bytes > queueBytes
          ? 's2s_queue_size'
          : undefined
    if (full) {
      hits.add(full)
      return this.#bounce(stanza, new StanzaError('resource-constraint', `Too much waits for ${this.remote}`))
    }
    const now = clock.now()
    const until = now + (stanza.kind === 'message' ? messageTimeout : iqTimeout)
    this.#queue.push({ stanza, bytes, since: now, until })
    this.#bytes += bytes
    if (!this.#expiry || until < this.#expiry.at) this.#plan()
    if (!this.outgoing && !this.#retry) this.#attemptWhenDue()
  }

  /** The next stanza after a failure waits for its time as well: a domain that is away is not asked at each stanza. */
  #attemptWhenDue(): void {
    if (this.#failures > 0 && this.#failedAt + this.#pause() > this.#parts.clock.now()) this.#later()
    else this.#attempt()
  }

  #attempt(): void {
    this.#retry?.timer.cancel()
    this.#retry = undefined
    const refusal = refusalOf(this.#parts, this.remote)
    if (refusal !== undefined) {
      return this.#bounceAll(new StanzaError('not-allowed', refusal), () => this.#pool.idle(this))
    }
    this.#since = this.#parts.clock.now()
    const outgoing = this.#pool.open(this, this)
    this.outgoing = outgoing
    outgoing.authenticate().then(
      () => this.#ready(outgoing),
      () => {}, // `ended` has heard of it
    )
  }

  #ready(outgoing: Outgoing): void {
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
  }

  #flush(): void {
    const { outgoing } = this
    let sent = 0
    while (sent < this.#queue.length && outgoing?.isReady && !outgoing.stream!.slow) {
      const { stanza, bytes } = this.#queue[sent++]!
      this.#bytes -= bytes
      this.#write(stanza, outgoing)
    }
    if (sent > 0) this.#queue = this.#queue.slice(sent)
    this.#plan()
  }

  #failed(failure: Failure): void {
    const { log, clock } = this.#parts
    this.#failures++
    this.#failure = failure
    this.#failedAt = clock.now()
    const { stage, side, message: reason, final } = failure
    this.#pool.attempted(stage, 'failed')
    log.info('s2s.out.failed', {
      peer: this.remote,
      host: this.local,
      stage,
      side,
      reason,
      waiting: this.#queue.length,
    })
    if (final === 'no such server') this.#bounceAll(new StanzaError('remote-server-not-found', reason))
    else if (final === 'not allowed') this.#bounceAll(new StanzaError('not-allowed', reason))
    else if (this.#queue.length > 0) this.#later()
  }

  /** Milliseconds from the last failure to the next attempt: doubled each time, and never the same for all peers. */
  #pause(): number {
    const { retryMax } = this.#parts.settings()
    return Math.min(retryMax, firstPause * 2 ** Math.min(this.#failures - 1, 20))
  }

  #later(): void {
    const { clock, random } = this.#parts
    const jitter = 0.75 + (random.bytes(1)[0] ?? 0) / 1024
    const ms = Math.max(0, this.#failedAt + this.#pause() * jitter - clock.now())
    this.#retry?.timer.cancel()
    this.#retry = { at: clock.now() + ms, timer: clock.after(ms, () => this.#attempt()) }
  }

  /** One timer, for what waits the shortest. */
  #plan(): void {
    const { clock } = this.#parts
    let at = Infinity
    for (const { until } of this.#queue) at = Math.min(at, until)
    if (at === this.#expiry?.at) return
    this.#expiry?.timer.cancel()
    this.#expiry = undefined
    if (at === Infinity) {
      this.#retry?.timer.cancel()
      this.#retry = undefined
    } else {
      const timer = clock.after(at - clock.now(), () => {
        this.#expiry = undefined
        this.#expire()
      })
      this.#expiry = { at, timer }
    }
  }

  #expire(): void {
    const now = this.#parts.clock.now()
    const late = this.#queue.filter(({ until }) => until <= now)
    this.#queue = this.#queue.filter(({ until }) => until > now)
    for (const { bytes } of late) this.#bytes -= bytes
    this.#plan()
    const why = this.#failure?.message ?? (this.outgoing?.isReady ? 'it does not read' : 'no connection yet')
    const error = new StanzaError('remote-server-timeout', `${this.remote}: ${why}`)
    for (const { stanza } of late) void this.#bounce(stanza, error)
  }

  #bounceAll(error: StanzaError, afterwards?: () => void): void {
    for (const stanza of this.takeAll()) void this.#bounce(stanza, error)
    afterwards?.()
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
    return { stage, reason, side, at: this.#failedAt, nextTry: this.#retry?.at }
  }
}

/** Directed to a resource, as when somebody enters a room (XEP-0045 §7.2): who sent it waits for an answer. */
function isJoin({ type, to }: Stanza): boolean {
  return type === undefined && to?.isBare === false
}
