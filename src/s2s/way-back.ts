/** The other direction of a stream that a peer opened to us and lets us use (XEP-0288): for one pair it has proved. */
import type { Carrier, CarrierOwner } from './carrier.js'
import type { LinkAuth } from './facts.js'
import type { Parcel } from './outbox.js'
import type { Ends } from './outgoing.js'
import type { Acks } from '../stream/acks.js'
import type { StreamError } from '../stream/errors.js'
import type { Stream } from '../stream/stream.js'

export class WayBack implements Carrier, Ends {
  readonly local: string
  readonly remote: string
  readonly since: number
  readonly stream: Stream
  readonly auth: LinkAuth
  /** A broken stream is for its peer to resume. */
  readonly resumable = undefined
  /** Who sends on it now. */
  owner: CarrierOwner | undefined = undefined
  readonly #acks: () => Acks<Parcel> | undefined

  constructor(
    { local, remote }: Ends,
    stream: { readonly stream: Stream; readonly auth: LinkAuth; readonly since: number },
    acks: () => Acks<Parcel> | undefined,
  ) {
    this.local = local
    this.remote = remote
    this.stream = stream.stream
    this.auth = stream.auth
    this.since = stream.since
    this.#acks = acks
  }

  get isReady(): boolean {
    return this.stream.open
  }

  get confirms(): boolean {
    return this.#acks() !== undefined
  }

  get progress(): number | undefined {
    const acks = this.#acks()
    return acks && acks.length > 0 ? acks.acknowledgedCount : undefined
  }

  authenticate(): Promise<LinkAuth> {
    return Promise.resolve(this.auth)
  }

  send(parcel: Parcel): boolean {
    const isSwift = this.stream.send(parcel.xml)
    this.#acks()?.sent(parcel)
    return isSwift
  }

  ask(): void {
    this.#acks()?.ask()
  }

  /** The peer may go on with its stanzas, unless there is an error. */
  close(error?: StreamError): void {
    if (error) this.stream.fail(error)
    this.ended()
  }

  /** The stream has ended, or its owner is done. */
  ended(): void {
    const { owner } = this
    this.owner = undefined
    owner?.ended(undefined)
  }
}
