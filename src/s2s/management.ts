/** XEP-0198 between servers: what their streams share for it, and the counters of those that may be resumed. */
import type { Parcel } from './outbox.js'
import type { Clock } from '../base/clock.js'
import type { Random } from '../base/random.js'
import { Acks, Asker } from '../stream/acks.js'
import { StreamError } from '../stream/errors.js'
import type { Stream } from '../stream/stream.js'
import { NS } from '../xml/namespaces.js'

/** Milliseconds until a server is asked how far it is. */
const askAfter = 50
/** Milliseconds for which a stream that broke can be resumed, and how many of these are remembered. */
export const resumableFor = 300_000
const mostKept = 10_000
/** What may be sent and not acknowledged; `Outbox` has bounds of its own that are met before. */
const window = { count: Infinity, bytes: Infinity }
/** Stanzas of one peer that may be on their way to the store before more are read. */
export const mostUnsettled = 1000

const sizeOf = ({ bytes }: Parcel) => bytes

/** What is left of a stream of ours that broke: the peer may know how far it had come. */
export interface Resumable {
  readonly id: string
  readonly acks: Acks<Parcel>
}

/** Counters of a stream to us. */
interface Kept {
  readonly remote: string
  readonly acks: Acks<Parcel>
  /** Undefined when it is gone. */
  stream: Stream | undefined
  /** When its counters are forgotten. */
  until: number
}

export class Managing {
  readonly #clock: Clock
  readonly #random: Random
  readonly #asker: Asker
  /** In the order in which they were last heard of, the longest ago first. */
  readonly #kept = new Map<string, Kept>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
    this.#asker = new Asker(clock, askAfter)
  }

  /** Counters for a stream, from now on. */
  count(stream: Stream): Acks<Parcel> {
    return new Acks<Parcel>({ stream, window, sizeOf, asker: this.#asker })
  }

  /** Lets a stream of `remote` to us be resumed; gives the id for it (XEP-0198 §5: nobody can guess it). */
  keep(remote: string, acks: Acks<Parcel>, stream: Stream): string {
    const id = this.#random.bytes(16).toString('base64url')
    this.#enter(id, { remote, acks, stream, until: Infinity })
    return id
  }

  /** The stream is gone; it may come back for a while. */
  left(id: string, stream: Stream): void {
    const kept = this.#kept.get(id)
    if (kept?.stream !== stream) return
    this.#enter(id, { ...kept, stream: undefined, until: this.#clock.now() + resumableFor })
  }

  /** The counters of a former stream of `remote`, which go on on this one. Undefined when they are not known. */
  resume(id: string, remote: (domain: string) => boolean, stream: Stream): Acks<Parcel> | undefined {
    const kept = this.#kept.get(id)
    if (!kept || !remote(kept.remote) || kept.until <= this.#clock.now()) return undefined
    const former = kept.stream
    this.#enter(id, { ...kept, stream, until: Infinity })
    // XEP-0198 §5: it still stood, but its peer knows better.
    former?.fail(new StreamError('conflict', 'Resumed on another stream'))
    return kept.acks
  }

  #enter(id: string, kept: Kept): void {
    this.#kept.delete(id)
    this.#kept.set(id, kept)
    const now = this.#clock.now()
    for (const [other, { until }] of this.#kept) {
      if (until > now && this.#kept.size <= mostKept) break
      this.#kept.delete(other)
    }
  }
}

export const enable = `<enable xmlns='${NS.streamManagement}' resume='true'/>`

export function enabled(id: string): string {
  return `<enabled xmlns='${NS.streamManagement}' id='${id}' resume='true' max='${resumableFor / 1000}'/>`
}

export function resume({ id, acks }: Resumable, escape: (text: string) => string): string {
  return `<resume xmlns='${NS.streamManagement}' previd='${escape(id)}' h='${acks.handled}'/>`
}

export function resumed(id: string, { handled }: Acks<Parcel>): string {
  return `<resumed xmlns='${NS.streamManagement}' previd='${id}' h='${handled}'/>`
}

export function failed(condition: string): string {
  return `<failed xmlns='${NS.streamManagement}'><${condition} xmlns='${NS.stanzaErrors}'/></failed>`
}
