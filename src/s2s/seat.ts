/** A further pair of domains on a stream that we opened for another one: "multiplexing" (XEP-0220 §2.6). */
import type { Carrier } from './carrier.js'
import { resultRequest, type Verdict } from './dialback.js'
import { Failure, type LinkAuth } from './facts.js'
import type { Parcel } from './outbox.js'
import type { Ends, Outgoing, OutgoingOwner } from './outgoing.js'
import type { S2sParts } from './parts.js'
import { question } from './question.js'
import type { Timer } from '../base/clock.js'
import type { Stream } from '../stream/stream.js'

export class Seat implements Carrier, Ends {
  readonly local: string
  readonly remote: string
  readonly since: number
  readonly stream: Stream
  /** What the stream may be resumed from is of the pair that it was opened for. */
  readonly resumable = undefined
  auth: LinkAuth | undefined = undefined
  readonly #host: Outgoing
  readonly #owner: OutgoingOwner
  readonly #refused: () => void
  readonly #asked = question<LinkAuth>()
  #late: Timer | undefined

  /** `refused`: the peer does not want this pair on that stream; told before the owner hears of the end. */
  constructor(
    parts: S2sParts,
    { local, remote }: Ends,
    host: Outgoing,
    owner: OutgoingOwner,
    refused: () => void,
  ) {
    this.local = local
    this.remote = remote
    this.since = parts.clock.now()
    this.stream = host.stream!
    this.#host = host
    this.#owner = owner
    this.#refused = refused
    const pair = { sender: local, target: remote }
    host.seat(this, resultRequest(pair, parts.keys.key(pair, this.stream.id)))
    this.#late = parts.clock.after(parts.settings().connectTimeout, () => this.answered('invalid'))
  }

  get isReady(): boolean {
    return this.auth !== undefined && this.#host.isReady
  }

  get confirms(): boolean {
    return this.#host.confirms
  }

  get progress(): number | undefined {
    return this.#host.progress
  }

  authenticate(): Promise<LinkAuth> {
    return this.#asked.promise
  }

  /** The peer's answer. */
  answered(verdict: Verdict): void {
    if (this.auth !== undefined) return
    this.#late?.cancel()
    if (verdict === 'valid') {
      this.auth = 'dialback'
      this.#asked.resolve(this.auth)
      return
    }
    this.#refused()
    this.close()
  }

  send(parcel: Parcel): boolean {
    this.#host.owner.used?.()
    return this.#host.send(parcel)
  }

  ask(): void {
    this.#host.ask()
  }

  /** The stream goes on for the other pairs. */
  close(): void {
    this.#host.leave(this)
    this.ended()
  }

  drained(): void {
    this.#owner.drained()
  }

  /** The stream has ended, or this pair is done with it. */
  ended(): void {
    this.#late?.cancel()
    this.#asked.reject(new Failure('auth', 'the stream has ended', 'theirs'))
    this.#owner.ended(undefined)
  }
}
