/** External components (XEP-0114): trusted neighbours that serve domains of their own over a connection to us. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { domainOf, domainPartOf } from './addresses.js'
import type { Clock, Timer } from '../base/clock.js'
import type { LimitHits } from '../base/limit-hits.js'
import type { Log } from '../base/log.js'
import type { Metrics } from '../base/metrics.js'
import type { Random } from '../base/random.js'
import { isJoin } from './link.js'
import { bounced, stanzaErrorOf } from '../router/bounce.js'
import type { Elsewhere } from '../router/roads.js'
import type { Router } from '../router/router.js'
import { StanzaError } from '../stanza/errors.js'
import { Jid, readJid } from '../stanza/jid.js'
import { Stanza, type Kind } from '../stanza/stanza.js'
import { StreamError } from '../stream/errors.js'
import { Stream, type StreamLimits, type StreamOwner } from '../stream/stream.js'
import type { Transport } from '../stream/transport.js'
import { el } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import type { RawElement, StreamHeader } from '../xml/parser.js'

export interface ComponentSettings {
  /** By the domain that the component serves. */
  readonly secrets: ReadonlyMap<string, string>
  readonly limits: StreamLimits
  /** Milliseconds of silence until a component is asked whether it is still there, and until it is given up after that. */
  readonly pingAfter: number
  readonly pingTimeout: number
}

export interface ComponentParts {
  /** A domain of ours, which speaks for the server. */
  readonly domain: string
  readonly router: Router
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly hits: LimitHits
  /** A component is there, or has gone. */
  opened(domain: string): void
  broke(domain: string): void
  /** Limits count for new connections; a secret that is gone or changed ends the component (`review`). */
  readonly settings: () => ComponentSettings
}

/** A component that is configured, for the admin. */
export interface ComponentFacts {
  readonly domain: string
  /** Address of its connection, and since when, in milliseconds since 1970; undefined while it is away. */
  readonly connected: { readonly ip: string; readonly since: number } | undefined
}

const STANZAS = new Set(['message', 'presence', 'iq'])
const SWEEP_EVERY = 15_000

/** All components, connected and away. */
export class Components implements Elsewhere {
  readonly #parts: ComponentParts
  readonly #streams = new Set<Component>()
  readonly #connected = new Map<string, Component>()
  #sweeper: Timer

  constructor(parts: ComponentParts) {
    this.#parts = parts
    const { metrics, clock } = parts
    metrics.watch('component_up', 'Whether an external component is connected', () => this.#states(), [
      'domain',
    ])
    this.#sweeper = clock.after(SWEEP_EVERY, () => this.#sweep())
  }

  /** Whether a component serves the domain, connected or not. */
  serves(domain: string): boolean {
    return this.#parts.settings().secrets.has(domain)
  }

  /** The domains of those that are connected, sorted. */
  get connected(): readonly string[] {
    return [...this.#connected.keys()].sort()
  }

  /** All that are configured, sorted by domain. */
  get facts(): ComponentFacts[] {
    return [...this.#parts.settings().secrets.keys()].sort().map((domain) => {
      const component = this.#connected.get(domain)
      const ip = component?.stream.transport.remote
      return { domain, connected: component && { ip: ip ?? '', since: component.since } }
    })
  }

  accept(transport: Transport): void {
    this.#streams.add(new Component(this.#parts, transport, this))
  }

  /** For a domain that `serves`. What the component cannot take now goes back to its sender. */
  send(stanza: Stanza): void | Promise<void> {
    const { domain } = stanza.to!
    const component = this.#connected.get(domain)
    if (!component)
      return this.#bounce(stanza, new StanzaError('remote-server-timeout', `${domain} is not connected`))
    const xml = stanza.toXml()
    if (component.stream.fits(Buffer.byteLength(xml))) {
      component.stream.send(xml)
      return undefined
    }
    this.#parts.hits.add('write_queue')
    return this.#bounce(stanza, new StanzaError('resource-constraint', `Too much waits for ${domain}`))
  }

  /** After a reload: who is no longer known, or by another secret, has to leave. */
  review(): void {
    const { secrets } = this.#parts.settings()
    for (const [domain, { secret, stream }] of this.#connected)
      if (secrets.get(domain) !== secret)
        stream.fail(
          new StreamError(secrets.has(domain) ? 'reset' : 'host-gone', 'The configuration has changed'),
        )
  }

  /** Ends every stream with `system-shutdown` (RFC 6120 §4.9.3.20). */
  stop(): void {
    this.#sweeper.cancel()
    for (const { stream } of this.#streams) stream.fail(new StreamError('system-shutdown'))
  }

  /** A component has proved itself. The one that was there before under its name is a stale connection, or a double. */
  opened(component: Component, domain: string): void {
    const before = this.#connected.get(domain)
    this.#connected.set(domain, component)
    const { log } = this.#parts
    if (before) {
      log.warn('component.replaced', { peer: domain, ip: before.stream.transport.remote })
      before.stream.fail(new StreamError('conflict', 'Replaced by a new connection'))
    }
    log.info('component.open', { peer: domain, ip: component.stream.transport.remote })
    this.#parts.opened(domain)
  }

  gone(component: Component): void {
    this.#streams.delete(component)
    const { domain } = component
    if (domain === undefined || this.#connected.get(domain) !== component) return
    this.#connected.delete(domain)
    this.#parts.log.info('component.closed', { peer: domain })
    this.#parts.broke(domain)
  }

  /** One timer for all finds those that fell silent: a half-open connection tells nothing by itself (RFC 6120 §4.6.1). */
  #sweep(): void {
    for (const component of this.#streams) component.probe()
    this.#sweeper = this.#parts.clock.after(SWEEP_EVERY, () => this.#sweep())
  }

  #states(): [string[], number][] {
    const { secrets } = this.#parts.settings()
    return [...secrets.keys()].map((domain) => [[domain], this.#connected.has(domain) ? 1 : 0])
  }

  #bounce(stanza: Stanza, error: StanzaError): void | Promise<void> {
    // RFC 6121 §4.3: nobody waits for an answer to presence, but who enters a room.
    const reply = stanza.kind !== 'presence' || isJoin(stanza) ? bounced(stanza, error) : undefined
    if (reply) return this.#parts.router.route(reply)
  }
}

/** One connection of a component. */
class Component implements StreamOwner {
  readonly stream: Stream
  /** Once it has proved itself. */
  domain: string | undefined = undefined
  /** When it has, in milliseconds since 1970. */
  since = 0
  /** What it has to know, from its header on. */
  secret: string | undefined = undefined
  readonly #parts: ComponentParts
  readonly #settings: ComponentSettings
  readonly #all: Components
  /** What it says to be. */
  #claimed: string | undefined
  #probedAt = 0

  constructor(parts: ComponentParts, transport: Transport, all: Components) {
    this.#parts = parts
    this.#settings = parts.settings()
    this.#all = all
    const { clock, random, log, hits, domain } = parts
    const { limits } = this.#settings
    this.stream = new Stream(transport, this, {
      limits,
      clock,
      random,
      log,
      hits,
      contentNs: NS.componentAccept,
      domain,
    })
  }

  // XEP-0114 §3: `to` is the name of the component, and there is no version.
  header({ attrs }: StreamHeader): void {
    const claimed = attrs['to'] === undefined ? undefined : domainOf(attrs['to'])
    const secret = claimed === undefined ? undefined : this.#parts.settings().secrets.get(claimed)
    this.stream.answer(secret === undefined ? this.stream.options.domain : claimed!)
    if (secret === undefined) {
      this.#refused(attrs['to'] ?? '', 'no such component in the configuration')
      throw new StreamError('host-unknown')
    }
    this.#claimed = claimed
    this.secret = secret
  }

  element(raw: RawElement): void | Promise<void> {
    if (raw.ns !== NS.componentAccept) throw new StreamError('unsupported-stanza-type')
    if (this.domain === undefined) return this.#handshake(raw)
    if (!STANZAS.has(raw.name)) throw new StreamError('unsupported-stanza-type')
    return this.#stanza(raw, this.domain)
  }

  oversize(raw: RawElement, limit: string): void | Promise<void> {
    const over = `Over the limit of ${limit}`
    if (this.domain === undefined || !STANZAS.has(raw.name)) throw new StreamError('policy-violation', over)
    const from = this.#sender(raw, this.domain)
    const application = el('stanza-too-big', 'urn:xmpp:errors')
    if (from) return this.#refuse(raw, from, new StanzaError('policy-violation', over, { application }))
  }

  drained(): void {}

  closed(): void {
    this.#all.gone(this)
  }

  /** Silent for too long: ask whether it is still there, then give it up. */
  probe(): void {
    const { domain, stream } = this
    if (domain === undefined) return
    const { clock, random, hits } = this.#parts
    const now = clock.now()
    if (now - stream.lastHeard < this.#settings.pingAfter) {
      this.#probedAt = 0
    } else if (this.#probedAt === 0) {
      this.#probedAt = now
      // RFC 6120 §8.2.3: a request gets an answer, from those who know nothing of pings as well.
      const from = Jid.of('', this.#parts.domain)
      const to = Jid.of('', domain)
      const ping = el('ping', NS.ping)
      stream.send(Stanza.of({ kind: 'iq', type: 'get', id: random.id(), from, to }, ping).toXml())
    } else if (now - this.#probedAt >= this.#settings.pingTimeout) {
      hits.add('idle_ping')
      stream.fail(new StreamError('connection-timeout', 'No answer to a ping'))
    }
  }

  #handshake(raw: RawElement): void {
    if (raw.name !== 'handshake') throw new StreamError('not-authorized', 'The handshake comes first')
    const proof = Buffer.from(raw.toElement().text)
    const wanted = Buffer.from(createHash('sha1').update(`${this.stream.id}${this.secret}`).digest('hex'))
    if (proof.length !== wanted.length || !timingSafeEqual(proof, wanted)) {
      this.#refused(this.#claimed!, 'it does not know the secret')
      throw new StreamError('not-authorized')
    }
    this.domain = this.#claimed!
    this.since = this.#parts.clock.now()
    this.stream.authenticate()
    this.stream.ready()
    this.stream.send('<handshake/>')
    this.#all.opened(this, this.domain)
  }

  #stanza(raw: RawElement, domain: string): void | Promise<void> {
    const from = this.#sender(raw, domain)
    if (!from) return
    let stanza: Stanza
    try {
      stanza = Stanza.received(raw, from, Stanza.addressee(raw), this.stream.lang)
    } catch (error) {
      return this.#refuse(raw, from, stanzaErrorOf(error))
    }
    return this.#parts.router.receive(stanza)
  }

  /**
   * Who says it: anyone at the component's domain (XEP-0114 §3). Undefined when the rest of the address cannot be read:
   * then it cannot be answered either.
   * @throws StreamError
   */
  #sender({ attrs }: RawElement, domain: string): Jid | undefined {
    const { from: sender, to } = attrs
    if (sender === undefined || to === undefined) throw new StreamError('improper-addressing')
    const from = readJid(sender)
    if ((from?.domain ?? domainPartOf(sender)) !== domain) throw new StreamError('invalid-from')
    return from
  }

  /** Answers a stanza that never became one. */
  #refuse({ name, attrs }: RawElement, from: Jid, error: StanzaError): void | Promise<void> {
    const { type, id, to = '' } = attrs
    const refused = Stanza.of({ kind: name as Kind, type, id, from, to: readJid(to) })
    return this.#parts.router.refused(refused, error)
  }

  #refused(claimed: string, reason: string): void {
    const { remote: ip } = this.stream.transport
    this.#parts.log.warn('component.refused', { peer: claimed.slice(0, 300), ip, reason })
  }
}
