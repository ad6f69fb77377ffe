/** What the peer of a stream of ours acknowledges (XEP-0198), from enabling it or resuming another stream on. */
import { enable, resume, type Resumable } from './management.js'
import type { Parcel } from './outbox.js'
import type { S2sParts } from './parts.js'
import type { Acks } from '../stream/acks.js'
import { StreamError } from '../stream/errors.js'
import type { Stream } from '../stream/stream.js'
import type { RawElement } from '../xml/parser.js'
import { escapeAttribute } from '../xml/write.js'

export interface ConfirmationsOwner {
  /** What is sent from here on counts: stanzas may go. */
  begun(): void
  /** The peer counts too; what it sends, if it may, counts from here on. */
  counts(acks: Acks<Parcel>): void
  /** Something was acknowledged, or nothing ever will be. */
  moved(): void
}

export class Confirmations {
  acks: Acks<Parcel> | undefined = undefined
  readonly #managing: S2sParts['managing']
  readonly #stream: Stream
  readonly #owner: ConfirmationsOwner
  /** What the peer calls the stream, if it lets it be resumed. */
  #id: string | undefined
  /** Being resumed: the answer is still to come. */
  #former: Resumable | undefined

  constructor(managing: S2sParts['managing'], stream: Stream, owner: ConfirmationsOwner) {
    this.#managing = managing
    this.#stream = stream
    this.#owner = owner
  }

  /** Goes on with `former`, or anew. */
  begin(former: Resumable | undefined): void {
    if (!former) return this.#enable()
    this.#former = former
    this.#stream.send(resume(former, escapeAttribute))
  }

  get resumable(): Resumable | undefined {
    const { acks } = this
    return acks && acks.length > 0 && this.#id !== undefined ? { id: this.#id, acks } : undefined
  }

  /** How much was acknowledged so far, while something waits for it. */
  get progress(): number | undefined {
    return this.acks && this.acks.length > 0 ? this.acks.acknowledgedCount : undefined
  }

  /** @throws StreamError for what does not fit */
  take({ name, attrs }: RawElement): void {
    const { acks } = this
    if (this.#former) {
      if (name === 'resumed' || name === 'failed')
        return this.#resumptionAnswered(this.#former, name === 'resumed', attrs['h'])
    } else if (acks) {
      switch (name) {
        case 'r':
          return acks.requested()
        case 'a':
          acks.acknowledge(attrs['h'], (parcel) => parcel.confirm())
          return this.#owner.moved()
        case 'enabled':
          this.#owner.counts(acks)
          if (/^(?:true|1)$/.test(attrs['resume'] ?? '')) this.#id = attrs['id']
          return
        case 'failed':
          // It does without: what cannot be confirmed in another way is taken as arrived.
          for (const parcel of acks.take()) parcel.outbox.unmanaged(parcel)
          this.acks = undefined
          return this.#owner.moved()
      }
    }
    throw new StreamError('unsupported-stanza-type')
  }

  /** XEP-0198 §4: what is sent counts from here on; no need to wait for the answer. */
  #enable(): void {
    this.#stream.send(enable)
    this.acks = this.#managing.count(this.#stream)
    this.#owner.begun()
  }

  /** XEP-0198 §5: `h` tells how far the peer had come, and may be known even when the stream is not any more. */
  #resumptionAnswered({ id, acks }: Resumable, isResumed: boolean, h: string | undefined): void {
    this.#former = undefined
    if (isResumed || h !== undefined) acks.acknowledge(h, (parcel) => parcel.confirm())
    // The rest waits in its outbox already, to be sent again.
    acks.take()
    if (!isResumed) return this.#enable()
    acks.continueOn(this.#stream)
    this.acks = acks
    this.#id = id
    this.#owner.counts(acks)
    this.#owner.begun()
  }
}
