/** All streams that we open: one link per pair of domains, and those that only verify keys. */
import type { Carrier } from './carrier.js'
import type { Pair, Verdict } from './dialback.js'
import { Failure, type LinkFacts, type ProbeStep, type Stage } from './facts.js'
import type { CallBack } from './incoming.js'
import { Link, type LinkPool } from './link.js'
import { Outgoing, type Ends, type OutgoingOwner } from './outgoing.js'
import { refusalOf, type S2sParts } from './parts.js'
import { Seat } from './seat.js'
import type { WayBack } from './way-back.js'
import type { Timer } from '../base/clock.js'
import type { Counter, Counters } from '../base/metrics.js'
import { bounced } from '../router/bounce.js'
import type { Elsewhere } from '../router/roads.js'
import { StanzaError } from '../stanza/errors.js'
import type { Kind, Stanza } from '../stanza/stanza.js'
import { StreamError } from '../stream/errors.js'

/** Milliseconds between looks for what is idle. */
const sweepEvery = 15_000
/** Milliseconds that a stream which only verified a key is kept for the next key, or for stanzas the other way. */
const verifierIdle = 10_000
/** Milliseconds for the answer to a key on a stream that stands. */
const promptly = 5_000
/** Streams open only to verify keys; beyond them the peer is told to try again. */
const mostVerifiers = 2_000

const ending = new StanzaError('remote-server-timeout', 'This server is ending')

/** A stream that was opened to verify keys. */
interface Verifier {
  readonly outgoing: Outgoing
  idle: Timer | undefined
  waiting: number
}

export class Pool implements Elsewhere, CallBack, LinkPool {
  readonly #parts: S2sParts
  /** Streams to us, which count as well. */
  readonly #incoming: () => number
  /** By remote domain, then one for each of ours that has to do with it. */
  readonly #links = new Map<string, Link[]>()
  #size = 0
  readonly #verifiers = new Map<string, Verifier>()
  /** Where the server of a domain is, as far as that matters: host and port. */
  readonly #places = new Map<string, string>()
  /** Pairs that the peer did not want on a stream of others. */
  readonly #alone = new Set<string>()
  /** Streams of peers that take our stanzas as well, by the pair they are for. */
  readonly #waysBack = new Map<string, WayBack>()
  readonly #attempts: Counters
  readonly #out: Readonly<Record<Kind, Counter>>
  #sweeper: Timer
  /** Ending: what has no stream gets none any more. */
  #stopping = false

  constructor(parts: S2sParts, incoming: () => number) {
    this.#parts = parts
    this.#incoming = incoming
    const { metrics, clock } = parts
    this.#attempts = metrics.counters(
      's2s_attempts_total',
      'Attempts to reach other servers, by the stage they came to',
      ['stage', 'result'],
    )
    const stanzas = metrics.counters('stanzas_total', 'Stanzas taken in, made here, and sent out', [
      'dir',
      'kind',
    ])
    this.#out = {
      message: stanzas.of('out', 'message'),
      presence: stanzas.of('out', 'presence'),
      iq: stanzas.of('out', 'iq'),
    }
    this.#sweeper = clock.after(sweepEvery, () => this.#sweep())
  }

  /** Links that have a stream, and streams that verify. */
  get size(): number {
    return this.#size + this.#verifiers.size
  }

  /** Stanzas that were sent and are not confirmed. */
  get unconfirmed(): number {
    return this.#all().reduce((sum, link) => sum + link.unconfirmed, 0)
  }

  send(stanza: Stanza): void | Promise<void> {
    const remote = stanza.to!.domain
    const local = stanza.from.domain
    const links = this.#links.get(remote)
    if (links) for (const link of links) if (link.local === local) return link.send(stanza)
    if (this.#stopping) return this.#bounce(stanza, ending)
    if (this.#full()) return this.#bounce(stanza, new StanzaError('resource-constraint', 'Too many links'))
    return this.#linkFor({ local, remote }).send(stanza)
  }

  async verify(pair: Pair, id: string, key: string): Promise<{ verdict: Verdict; certified: boolean }> {
    const ends = { local: pair.target, remote: pair.sender }
    const outgoing = this.#find(ends)?.outgoing
    // XEP-0288 §2.2: never on a stream of the one who is to be verified.
    if (outgoing instanceof Outgoing) {
      try {
        const within = outgoing.isReady ? promptly : this.#parts.settings().connectTimeout
        return { verdict: await outgoing.verify(pair, id, key, within), certified: outgoing.certified.ok }
      } catch (error) {
        // Who calls us may have been away: an old stream tells nothing of that.
        if (!(error instanceof Failure) || !outgoing.wasReady) throw error
      }
    }
    return this.#verifyOn(this.#verifierFor(ends), pair, id, key)
  }

  async #verifyOn(verifier: Verifier, pair: Pair, id: string, key: string) {
    const { outgoing } = verifier
    verifier.idle?.cancel()
    verifier.waiting++
    try {
      return { verdict: await outgoing.verify(pair, id, key), certified: outgoing.certified.ok }
    } finally {
      if (--verifier.waiting === 0)
        verifier.idle = this.#parts.clock.after(verifierIdle, () => {
          if (this.#verifiers.get(keyOf(outgoing)) === verifier) outgoing.close()
        })
    }
  }

  heard(remote: string): void {
    for (const link of this.#links.get(remote) ?? []) link.retry()
  }

  carries(way: WayBack): void {
    this.#waysBack.set(keyOf(way), way)
  }

  gone(way: WayBack): void {
    const key = keyOf(way)
    if (this.#waysBack.get(key) === way) this.#waysBack.delete(key)
    way.ended()
  }

  links(): LinkFacts[] {
    return this.#all().flatMap(({ facts }) => facts)
  }

  retry(remote: string): number {
    const waiting = (this.#links.get(remote) ?? []).filter(({ state }) => state === 'waiting')
    for (const link of waiting) link.retry()
    return waiting.length
  }

  flush(remote: string): number {
    const error = new StanzaError(
      'remote-server-timeout',
      `The server of ${remote} is not waited for any longer`,
    )
    let stanzas = 0
    const links = [...(this.#links.get(remote) ?? [])]
    for (const link of links) stanzas += link.giveUp(error)
    return stanzas
  }

  drop(remote: string, reason: string): number {
    const links = [...(this.#links.get(remote) ?? [])]
    for (const link of links)
      link.end(new StanzaError('not-allowed', reason), new StreamError('policy-violation', reason))
    return links.length
  }

  /** On a connection of its own. `onStep` hears each step; resolves with whether all went well. */
  async probe(ends: Ends, onStep: (step: ProbeStep) => void): Promise<boolean> {
    const { clock } = this.#parts
    const began = clock.now()
    const told = (stage: Stage, text: string) => onStep({ stage, ok: true, text, ms: clock.now() - began })
    const failed = ({ stage, message: text, side, trouble, condition }: Failure) => {
      onStep({ stage, ok: false, text, side, trouble, condition, ms: clock.now() - began })
      return false
    }
    const refusal = refusalOf(this.#parts, ends.remote)
    if (refusal !== undefined) {
      const trouble = this.#parts.settings().policy(ends.remote) === 'blocked' ? 'policy' : 'blocked'
      return failed(new Failure('policy', refusal, 'ours', 'not allowed', trouble))
    }
    const outgoing = new Outgoing(this.#parts, ends, {
      ended() {},
      drained() {},
      step: (stage, text) => text !== undefined && told(stage, text),
    })
    try {
      await outgoing.authenticate()
      told('stream', 'stanzas can flow')
      return true
    } catch (error) {
      if (error instanceof Failure) return failed(error)
      throw error
    } finally {
      outgoing.close()
    }
  }

  /** A message that was stored by an earlier process. */
  restore(stanza: Stanza, since: number, id: number): void {
    this.#linkFor({ local: stanza.from.domain, remote: stanza.to!.domain }).restore(stanza, since, id)
  }

  /** Sends what was restored on its way. */
  begin(): void {
    for (const link of this.#all()) link.retry()
  }

  /**
   * From now on only domains that we speak with take stanzas. Resolves when messages that wait, or are not confirmed,
   * are stored for the next process; other stanzas that wait are handed back.
   */
  async drain(): Promise<void> {
    this.#stopping = true
    this.#sweeper.cancel()
    await Promise.all(this.#all().map((link) => link.leave(ending)))
  }

  /** Ends all streams with `system-shutdown` (RFC 6120 §4.9.3.20). */
  async stop(): Promise<void> {
    await this.drain()
    for (const link of this.#all()) link.end(undefined, new StreamError('system-shutdown'))
    for (const { outgoing, idle } of this.#verifiers.values()) {
      idle?.cancel()
      outgoing.close()
    }
  }

  // For links ---------------------------------------------------------------------------------------------------

  open(ends: Ends, owner: OutgoingOwner): Carrier {
    const key = keyOf(ends)
    const way = this.#waysBack.get(key)
    if (way && this.hasWayBack(ends)) {
      way.owner = owner
      return way
    }
    const shared = this.#hostFor(ends)
    if (shared) return new Seat(this.#parts, ends, shared, owner, () => this.#alone.add(key))
    const verifier = this.#verifiers.get(key)
    if (!verifier?.outgoing.isAlive) return new Outgoing(this.#parts, ends, owner)
    this.#verifiers.delete(key)
    verifier.idle?.cancel()
    verifier.outgoing.owner = owner
    return verifier.outgoing
  }

  hasWayBack(ends: Ends): boolean {
    const way = this.#waysBack.get(keyOf(ends))
    return way !== undefined && way.isReady && !way.owner
  }

  shares(ends: Ends, place: string): boolean {
    this.#places.set(ends.remote, place)
    return this.#hostFor(ends) !== undefined
  }

  written(stanza: Stanza): void {
    this.#out[stanza.kind].add()
  }

  attempted(stage: string, result: 'ok' | 'failed'): void {
    this.#attempts.of(stage, result).add()
  }

  broke({ local, remote }: Link): void {
    if (!this.#stopping) this.#parts.broke(local, remote)
  }

  opened({ local, remote }: Link): void {
    this.#parts.opened(local, remote)
  }

  idle(link: Link): void {
    const links = this.#links.get(link.remote)
    const at = links?.indexOf(link) ?? -1
    if (!links || at < 0) return
    links.splice(at, 1)
    this.#size--
    this.#alone.delete(keyOf(link))
    if (links.length > 0) return
    this.#links.delete(link.remote)
    this.#places.delete(link.remote)
  }

  // -------------------------------------------------------------------------------------------------------------

  /** A copy: links may go while one walks over it. */
  #all(): Link[] {
    return [...this.#links.values()].flat()
  }

  /** A stream that was opened for other domains, and leads to the server that these are at (XEP-0220 §2.6). */
  #hostFor(ends: Ends): Outgoing | undefined {
    const { remote } = ends
    if (this.#alone.has(keyOf(ends))) return undefined
    const own = this.#links.get(remote)?.find(({ outgoing }) => takesPairs(outgoing))
    if (own) return own.outgoing as Outgoing
    const place = this.#places.get(remote)
    const { settings, certify } = this.#parts
    if (place === undefined) return undefined
    for (const { outgoing } of this.#all()) {
      if (!takesPairs(outgoing) || outgoing.place !== place) continue
      const isCertified = certify(outgoing.stream!.transport, remote).ok
      return isCertified || settings().policy(remote) !== 'required' ? outgoing : undefined
    }
    return undefined
  }

  #linkFor(ends: Ends): Link {
    const there = this.#find(ends)
    if (there) return there
    const link = new Link(this.#parts, ends, this)
    const links = this.#links.get(ends.remote)
    if (links) links.push(link)
    else this.#links.set(ends.remote, [link])
    this.#size++
    return link
  }

  #find({ local, remote }: Ends): Link | undefined {
    return this.#links.get(remote)?.find((link) => link.local === local)
  }

  #full(): boolean {
    const isFull = this.size + this.#incoming() >= this.#parts.settings().streams
    if (isFull) this.#parts.hits.add('s2s_streams')
    return isFull
  }

  #verifierFor(ends: Ends): Verifier {
    const key = keyOf(ends)
    const there = this.#verifiers.get(key)
    if (there) return there
    if (this.#stopping || this.#full() || this.#verifiers.size >= mostVerifiers)
      throw new Failure('stream', 'too many streams, try again later', 'ours')
    const owner: OutgoingOwner = {
      drained() {},
      ended: (failure) => {
        if (this.#verifiers.get(key) !== verifier) return
        this.#verifiers.delete(key)
        verifier.idle?.cancel()
        if (failure)
          this.#parts.log.debug('s2s.verify.failed', {
            peer: ends.remote,
            stage: failure.stage,
            reason: failure.message,
          })
      },
    }
    const verifier: Verifier = {
      outgoing: new Outgoing(this.#parts, ends, owner),
      idle: undefined,
      waiting: 0,
    }
    this.#verifiers.set(key, verifier)
    return verifier
  }

  async #bounce(stanza: Stanza, error: StanzaError): Promise<void> {
    const reply = stanza.kind === 'presence' ? undefined : bounced(stanza, error)
    try {
      if (reply) await this.#parts.router.route(reply)
    } catch (fault) {
      this.#parts.log.error('s2s.bounce.failed', { peer: stanza.to?.domain ?? '', error: fault })
    }
  }

  #sweep(): void {
    const { clock } = this.#parts
    const now = clock.now()
    for (const link of this.#all()) {
      if (link.isStale(now)) this.idle(link)
      else link.sweep(now)
    }
    this.#sweeper = clock.after(sweepEvery, () => this.#sweep())
  }
}

function takesPairs(carrier: Carrier | undefined): carrier is Outgoing {
  return carrier instanceof Outgoing && carrier.takesPairs
}

function keyOf({ local, remote }: Ends): string {
  return `${local} ${remote}`
}
