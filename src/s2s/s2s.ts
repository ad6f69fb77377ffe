/** Federation: the streams from and to other servers, as one. */
import type { Federation, LinkFacts, ProbeStep } from './facts.js'
import { Incoming } from './incoming.js'
import type { S2sParts } from './parts.js'
import { Pool } from './pool.js'
import type { Timer } from '../base/clock.js'
import type { Elsewhere } from '../router/roads.js'
import { Stanza } from '../stanza/stanza.js'
import { StreamError } from '../stream/errors.js'
import type { Transport } from '../stream/transport.js'

/** Milliseconds between looks for streams to us that nothing comes on. */
const sweepEvery = 60_000

/** Messages read from the store at a time. */
const PAGE = 500

export class S2s implements Elsewhere, Federation {
  readonly #parts: S2sParts
  readonly #pool: Pool
  readonly #incoming = new Set<Incoming>()
  #sweeper: Timer
  #isEnding = false

  constructor(parts: S2sParts) {
    this.#parts = parts
    this.#pool = new Pool(parts, () => this.#incoming.size)
    this.#sweeper = parts.clock.after(sweepEvery, () => this.#sweep())
    this.#watch()
  }

  /** A connection from another server. */
  accept(transport: Transport): void {
    const incoming = new Incoming(this.#parts, transport, this.#pool, (gone) => this.#gone(gone))
    this.#incoming.add(incoming)
    const { settings, overloaded, hits } = this.#parts
    const bound =
      this.#incoming.size + this.#pool.size > settings().streams
        ? 's2s_streams'
        : overloaded()
          ? 'memory_guard'
          : undefined
    if (!bound) return
    hits.add(bound)
    incoming.stream.fail(new StreamError('resource-constraint', 'Try again later'))
  }

  send(stanza: Stanza): void | Promise<void> {
    return this.#pool.send(stanza)
  }

  links(): LinkFacts[] {
    return [...this.#pool.links(), ...[...this.#incoming].flatMap(incomingFacts)]
  }

  retry(remote: string): number {
    return this.#pool.retry(remote)
  }

  flush(remote: string): number {
    return this.#pool.flush(remote)
  }

  drop(remote: string, reason: string): number {
    const concerned = [...this.#incoming].filter((incoming) => incoming.concerns(remote))
    for (const { stream } of concerned) stream.fail(new StreamError('policy-violation', reason))
    return concerned.length + this.#pool.drop(remote, reason)
  }

  probe(local: string, remote: string, onStep: (step: ProbeStep) => void): Promise<boolean> {
    return this.#pool.probe({ local, remote }, onStep)
  }

  /** Sends on what an earlier process had stored. Rejects with StorageUnavailable. */
  async restore(): Promise<void> {
    const { outbound, log } = this.#parts
    for (let after = 0, more = true; more;) {
      const page = await outbound.read(after, PAGE)
      for (const { id, stanza, target, at } of page) {
        after = id
        try {
          const message = Stanza.parse(stanza)
          if (!this.#parts.serves(message.from.domain))
            throw new Error('its sender is not served here any more')
          this.#pool.restore(message, at, id)
        } catch (error) {
          log.error('s2s.restore.failed', { peer: target, error })
          await outbound.remove(id)
        }
      }
      more = page.length === PAGE
    }
    this.#pool.begin()
  }

  /**
   * The server is about to end: what waits is stored, or handed back while its senders are still there. Rejects never.
   */
  drain(): Promise<void> {
    return this.#pool.drain()
  }

  async stop(): Promise<void> {
    this.#isEnding = true
    this.#sweeper.cancel()
    await this.#pool.stop()
    for (const { stream } of this.#incoming) stream.fail(new StreamError('system-shutdown'))
  }

  #gone(incoming: Incoming): void {
    this.#incoming.delete(incoming)
    if (!incoming.stream.broke || this.#isEnding) return
    for (const { target, sender } of incoming.pairs()) this.#parts.broke(target, sender)
  }

  #sweep(): void {
    const { clock } = this.#parts
    for (const incoming of this.#incoming) incoming.sweep(clock.now())
    this.#sweeper = clock.after(sweepEvery, () => this.#sweep())
  }

  #watch(): void {
    const { metrics, clock } = this.#parts
    metrics.watch('s2s_links', 'Pairs of domains that are authenticated', () => this.#byAuth(), [
      'dir',
      'auth',
    ])
    const out = () => this.#pool.links()
    metrics.watch('s2s_queue_stanzas', 'Stanzas that wait for other servers', () =>
      out().reduce((sum, { queue }) => sum + queue.stanzas, 0),
    )
    metrics.watch(
      's2s_unconfirmed_stanzas',
      'Stanzas that went to other servers and that these have not acknowledged yet',
      () => this.#pool.unconfirmed,
    )
    metrics.watch('s2s_queue_oldest_seconds', 'How long the first of them has waited', () => {
      const oldest = Math.min(...out().map(({ queue }) => queue.oldest ?? Infinity))
      return oldest === Infinity ? 0 : (clock.now() - oldest) / 1000
    })
    metrics.watch(
      's2s_failing_domains',
      'Other domains that could not be reached at the last attempt',
      () => new Set(out().flatMap(({ failure, remote }) => (failure ? [remote] : []))).size,
    )
  }

  #byAuth(): [string[], number][] {
    const counts = new Map([
      ['in external', 0],
      ['in dialback', 0],
      ['out external', 0],
      ['out dialback', 0],
    ])
    for (const { dir, auth, state } of this.links()) {
      const key = `${dir} ${auth}`
      if (state === 'open' && auth) counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    return [...counts].map(([key, count]) => [key.split(' '), count])
  }
}

function incomingFacts(incoming: Incoming): LinkFacts[] {
  const { stream, since, local = '', remote = '' } = incoming
  const { transport } = stream
  const shared = {
    dir: 'in',
    tls: transport.tls?.protocol,
    ip: transport.remote,
    since,
    queue: { stanzas: 0, bytes: 0, oldest: undefined },
    failure: undefined,
  } as const
  const proved = [...incoming.pairs()]
  if (proved.length === 0) return [{ ...shared, local, remote, state: 'unproven', auth: undefined }]
  return proved.map(({ sender, target, auth }) => ({
    ...shared,
    local: target,
    remote: sender,
    state: 'open',
    auth,
  }))
}
