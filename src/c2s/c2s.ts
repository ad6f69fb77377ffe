/** Everybody who is connected to the client ports, and what they share. */
import { Parking } from './parking.js'
import type { Timer } from '../base/clock.js'
import type { Session } from '../session/session.js'
import { Asker } from '../stream/acks.js'
import { StreamError } from '../stream/errors.js'
import type { Transport } from '../stream/transport.js'
import { Client } from './client.js'
import type { C2sParts } from './parts.js'

const SWEEP_EVERY = 15_000
/** Milliseconds until a client is asked how far it is with what it got. */
const ASK_AFTER = 1000
/** Under the memory guard, at each sweep, this many at most lose their connection: those that read the least. */
const SHED_AT_ONCE = 100

/** Everybody who is connected to the client port. */
export class C2s {
  readonly parts: C2sParts
  readonly parking: Parking
  readonly #clients = new Set<Client>()
  readonly #asker: Asker
  #sweeper: Timer | undefined

  constructor(parts: C2sParts) {
    this.parts = parts
    this.#asker = new Asker(parts.clock, ASK_AFTER)
    this.parking = new Parking({
      ...parts,
      asker: this.#asker,
      window: () => parts.settings().window,
      settings: () => parts.settings().parking,
    })
    this.#sweep()
  }

  get size(): number {
    return this.#clients.size
  }

  accept(transport: Transport): void {
    const gone = (client: Client) => void this.#clients.delete(client)
    const client = new Client(this.parts, transport, { asker: this.#asker, parking: this.parking, gone })
    this.#clients.add(client)
  }

  /** Asks clients what they have handled (XEP-0198); gives how many have something to acknowledge. */
  ask(): number {
    let count = 0
    for (const { session } of this.#clients) {
      if (!session?.acks || session.acks.length === 0) continue
      session.acks.ask()
      count++
    }
    return count
  }

  /** Ends every stream with `system-shutdown` (RFC 6120 §4.9.3.20). */
  stop(): void {
    this.#sweeper?.cancel()
    for (const client of this.#clients) client.stream.fail(new StreamError('system-shutdown'))
  }

  /** One timer for all streams finds those that fell silent (RFC 6120 §4.6.1). */
  #sweep(): void {
    for (const client of this.#clients) client.probe()
    if (this.parts.overloaded()) this.#shed()
    this.#sweeper = this.parts.clock.after(SWEEP_EVERY, () => this.#sweep())
  }

  /** The memory guard: the longest queues go first, of those who are slow to read or have no stream to read from. */
  #shed(): void {
    const queues = [...this.#clients]
      .filter(({ stream }) => stream.slow)
      .map((client) => ({ bytes: client.waiting, shed: () => client.shed() }))
    for (const session of this.parking.parked) {
      const bytes = session.heldBytes + (session.acks?.bytes ?? 0)
      if (bytes > 0) queues.push({ bytes, shed: () => this.#shedParked(session) })
    }
    queues.sort((one, other) => other.bytes - one.bytes)
    for (const { shed } of queues.slice(0, SHED_AT_ONCE)) shed()
  }

  #shedParked(session: Session): void {
    this.parts.hits.add('memory_guard')
    session.close()
  }
}
