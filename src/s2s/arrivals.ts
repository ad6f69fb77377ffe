/** Stanzas that another server's stream brings: checked, handed to the road in order, counted when they are settled. */
import { domainPartOf } from './addresses.js'
import { mostUnsettled } from './management.js'
import type { Parcel } from './outbox.js'
import type { S2sParts } from './parts.js'
import type { Bringer } from '../host/hooks.js'
import { stanzaErrorOf } from '../router/bounce.js'
import { StanzaError } from '../stanza/errors.js'
import { Jid, readJid } from '../stanza/jid.js'
import { Stanza, type Kind } from '../stanza/stanza.js'
import type { Acks } from '../stream/acks.js'
import { StreamError } from '../stream/errors.js'
import type { Stream } from '../stream/stream.js'
import { el } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import type { RawElement } from '../xml/parser.js'

const STANZAS = new Set(['message', 'presence', 'iq'])

/** Domains that a stream has proved to be of, and for which of ours each. */
export type Proofs = ReadonlyMap<string, { has(target: string): boolean }>

export class Arrivals {
  /** Counts what arrives, once both sides have agreed to (XEP-0198). */
  acks: Acks<Parcel> | undefined = undefined
  readonly #parts: Pick<S2sParts, 'router' | 'lanes' | 'log' | 'serves'>
  readonly #stream: Stream
  readonly #proved: Proofs
  /** Stanzas that are being handled, and who waits until there are fewer. */
  #unsettled = 0
  #room: (() => void) | undefined = undefined

  constructor(parts: Pick<S2sParts, 'router' | 'lanes' | 'log' | 'serves'>, stream: Stream, proved: Proofs) {
    this.#parts = parts
    this.#stream = stream
    this.#proved = proved
  }

  isStanza({ ns, name }: RawElement): boolean {
    return ns === NS.server && STANZAS.has(name)
  }

  /** @throws StreamError when the stream has not proved who says it */
  take(raw: RawElement): void | Promise<void> {
    const from = this.#sender(raw)
    if (!from) return this.#counted()
    let stanza: Stanza
    try {
      stanza = Stanza.received(raw, from, Stanza.addressee(raw), this.#stream.lang)
    } catch (error) {
      return this.#counted(this.#refuse(raw, from, stanzaErrorOf(error)))
    }
    const { router, lanes } = this.#parts
    const pledges = new Pledges()
    const handling = lanes.run(
      () => pairOf(stanza),
      () => router.receive(stanza, pledges),
    )
    // The next one of the same pair need not wait for what was pledged: it is written in order.
    return this.#counted(handling ? handling.then(() => pledges.kept) : pledges.kept)
  }

  /**
   * One that is over a limit.
   * @throws StreamError when it is no stanza, or nobody may say it
   */
  oversize(raw: RawElement, limit: string): void | Promise<void> {
    const text = `Over the limit of ${limit}`
    if (!this.isStanza(raw) || this.#proved.size === 0) throw new StreamError('policy-violation', text)
    const from = this.#sender(raw)
    const application = el('stanza-too-big', 'urn:xmpp:errors')
    return this.#counted(
      from && this.#refuse(raw, from, new StanzaError('policy-violation', text, { application })),
    )
  }

  /**
   * A stanza counts when it is handled and what must outlive us is stored. Stanzas for others go on before; nothing more
   * is read only while a great many wait.
   */
  #counted(handling?: void | Promise<void>): void | Promise<void> {
    this.acks?.received(handling)
    if (!handling) return
    handling.then(
      () => this.#settled(-1),
      (error: unknown) => {
        this.#settled(-1)
        this.#parts.log.error('stream.crashed', { error })
        this.#stream.fail(new StreamError('internal-server-error'))
      },
    )
    if (this.#settled(1) >= mostUnsettled) return new Promise((resolve) => (this.#room = resolve))
  }

  #settled(change: 1 | -1): number {
    this.#unsettled += change
    if (this.#unsettled < mostUnsettled) {
      this.#room?.()
      this.#room = undefined
    }
    return this.#unsettled
  }

  /**
   * Who says it, when that was proved for the domain it is for (RFC 6120 §8.1.1.2, §8.1.2.2, §10.3). Undefined when the
   * address is of a proved domain but cannot be read: then it cannot be answered either.
   */
  #sender({ attrs }: RawElement): Jid | undefined {
    if (this.#proved.size === 0) throw new StreamError('not-authorized')
    const sender = attrs['from']
    const target = attrs['to']
    if (sender === undefined || target === undefined) throw new StreamError('improper-addressing')
    const from = readJid(sender)
    const targets = this.#proved.get(from?.domain ?? domainPartOf(sender) ?? '')
    if (!targets) throw new StreamError('invalid-from')
    const domain = readJid(target)?.domain ?? domainPartOf(target)
    if (domain === undefined || !this.#parts.serves(domain)) throw new StreamError('host-unknown')
    if (!targets.has(domain)) throw new StreamError('invalid-from', `Not proved for ${domain}`)
    return from
  }

  /** Answers a stanza that never became one. */
  #refuse({ name, attrs }: RawElement, from: Jid, error: StanzaError): void | Promise<void> {
    const { type, id, to = '' } = attrs
    // RFC 6120 §8.3.3.8: what cannot be parsed cannot be answered from; its domain was found to be ours.
    const addressee = readJid(to) ?? Jid.of('', domainPartOf(to)!)
    return this.#parts.router.refused(Stanza.of({ kind: name as Kind, type, id, from, to: addressee }), error)
  }
}

/** What was pledged for a stanza. One that is broken was answered with an error: the stanza counts as handled. */
class Pledges implements Bringer {
  /** Resolves when all that was pledged so far is settled. */
  kept: Promise<void> | undefined = undefined

  pledge(pledge: Promise<unknown>): void {
    const { kept } = this
    this.kept = pledge.then(
      () => kept,
      () => kept,
    )
  }
}

/** Between whom order is kept (RFC 6120 §10.1). */
function pairOf({ from, to }: Stanza): string {
  return `${from.toString()} ${to!.bare.toString()}`
}
