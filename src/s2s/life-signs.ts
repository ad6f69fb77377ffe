/** For servers that acknowledge nothing: an answered ping proves that they have what was sent before it on the stream. */
import type { Outbox, Parcel } from './outbox.js'
import type { Ends } from './outgoing.js'
import type { S2sParts } from './parts.js'
import type { Timer } from '../base/clock.js'
import { Jid } from '../stanza/jid.js'
import { Stanza } from '../stanza/stanza.js'
import { el } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

/** Milliseconds from a message to the ping behind it, and until the answer is missed. */
const pingAfter = 250
const answerWithin = 30_000

/** Errors with which a ping comes back from us when it did not get there, or not to its end. */
const ours = ['remote-server-not-found', 'remote-server-timeout', 'resource-constraint', 'not-allowed']

export class LifeSigns {
  readonly #parts: S2sParts
  readonly #ends: Ends
  readonly #outbox: Outbox
  readonly #dead: () => void
  #timer: Timer | undefined
  #isAsking = false
  /** Some servers do not answer pings; of these nothing follows from silence. */
  #hasAnswered = false

  /** `dead`: the peer used to answer, and does not now. */
  constructor(parts: S2sParts, ends: Ends, outbox: Outbox, dead: () => void) {
    this.#parts = parts
    this.#ends = ends
    this.#outbox = outbox
    this.#dead = dead
  }

  /** There is something to be confirmed. */
  look(): void {
    if (this.#isAsking) return
    this.#timer ??= this.#parts.clock.after(pingAfter, () => {
      this.#timer = undefined
      void this.#ask()
    })
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  async #ask(): Promise<void> {
    const parcels = this.#outbox.uncounted()
    if (parcels.length === 0) return
    this.#isAsking = true
    const isAlive = await this.#answers()
    this.#isAsking = false
    if (isAlive) this.#hasAnswered = true
    else if (this.#hasAnswered && parcels.some(isOpen)) return this.#dead()
    for (const parcel of parcels) parcel.confirm()
    if (this.#outbox.hasUncounted) this.look()
  }

  /** The ping goes the way of the stanzas, behind them all. */
  async #answers(): Promise<boolean> {
    const { hosts, random } = this.#parts
    const host = hosts.get(this.#ends.local)
    if (!host) return true
    const to = Jid.of('', this.#ends.remote)
    const ping = { kind: 'iq', type: 'get', id: random.id(), from: host.address, to } as const
    try {
      const answer = await host.ask(Stanza.of(ping, el('ping', NS.ping)), answerWithin)
      const error = answer.child('error')
      return !ours.some((condition) => error?.child(condition, NS.stanzaErrors))
    } catch {
      return false
    }
  }
}

function isOpen({ state }: Parcel): boolean {
  return state !== 'gone'
}
