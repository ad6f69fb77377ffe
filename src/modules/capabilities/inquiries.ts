/** Asking clients for their features: once for each hash, and never twice at the same time (XEP-0115 §5.4, §6.2). */
import { type Advertised, type Answer, claimedBy } from './advertised.js'
import { Lru } from '../../base/lru.js'
import type { Host } from '../../host/host.js'
import type { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Somebody whose features we would like to know. */
export interface Unknown {
  /** Full JID. */
  readonly jid: Jid
  /** Bare JID of the account here that asks. */
  readonly asker: Jid
  readonly advertised: Advertised
  learned(features: ReadonlySet<string>): void
}

/** One hash that is not known yet, and who advertises it, in the order of asking. */
interface Inquiry {
  readonly key: string
  readonly waiting: Set<Unknown>
  /** Those that did not answer: not asked again, but told. */
  readonly silent: Set<Unknown>
  asking: boolean
  /** Where answers were wrong or did not come: others are asked first. */
  readonly failed: Set<string>
}

/** Clients that are asked at the same time; the others wait. */
const atOnce = 100
/** Milliseconds that a client has to answer. */
const patience = 20_000
/** Bounds of an answer. A large client has some 100 features in 5 KB. */
const mostFeatures = 500
const mostCharacters = 32_768

export class Inquiries {
  readonly #host: Host
  /** Verified features by what was advertised. */
  readonly #known: Lru<string, ReadonlySet<string>>
  readonly #open = new Map<string, Inquiry>()
  readonly #queue: Inquiry[] = []
  readonly #asked
  readonly #refuted
  #asking = 0

  /** `hashes` is the number of those that are remembered. */
  constructor(host: Host, hashes: number) {
    this.#host = host
    this.#known = new Lru(hashes)
    this.#asked = host.counter('caps_asked_total', 'Times that a client was asked for its features')
    this.#refuted = host.counter('caps_refuted_total', 'Answers that did not fit the hash of their client')
  }

  /** Has `one` told what is known already, or as soon as it is; never, when it does not say. */
  want(one: Unknown): void {
    const { key, checkable } = one.advertised
    const known = checkable ? this.#known.get(key) : undefined
    if (known) return one.learned(known)
    // What proves nothing is each client's own affair.
    const place = checkable ? key : `${one.jid.toString()} ${key}`
    let inquiry = this.#open.get(place)
    if (!inquiry) {
      inquiry = { key: place, waiting: new Set(), silent: new Set(), asking: false, failed: new Set() }
      this.#open.set(place, inquiry)
    }
    inquiry.waiting.add(one)
    this.#goOn(inquiry)
  }

  /** Nobody wants to know any more. An answer that is under way still counts for others. */
  forget(one: Unknown): void {
    const { key, checkable } = one.advertised
    const inquiry = this.#open.get(checkable ? key : `${one.jid.toString()} ${key}`)
    if (!inquiry) return
    inquiry.waiting.delete(one)
    inquiry.silent.delete(one)
    this.#closeIfIdle(inquiry)
  }

  /** Inquiries under way; for tests. */
  get size(): number {
    return this.#open.size
  }

  #goOn(inquiry: Inquiry): void {
    if (inquiry.asking) return
    if (inquiry.waiting.size === 0) return this.#closeIfIdle(inquiry)
    inquiry.asking = true
    if (this.#asking >= atOnce) this.#queue.push(inquiry)
    else this.#askNext(inquiry)
  }

  #closeIfIdle(inquiry: Inquiry): void {
    if (inquiry.waiting.size === 0 && !inquiry.asking) this.#open.delete(inquiry.key)
  }

  #askNext(inquiry: Inquiry): void {
    const one = nextOf(inquiry)
    if (!one) {
      inquiry.asking = false
      return this.#closeIfIdle(inquiry)
    }
    this.#asking++
    this.#asked.add()
    void this.#answerOf(one).then((answer) => {
      this.#asking--
      inquiry.asking = false
      this.#answered(inquiry, one, answer)
      while (this.#asking < atOnce && this.#queue.length > 0) this.#askNext(this.#queue.shift()!)
    })
  }

  async #answerOf({ jid, asker, advertised }: Unknown): Promise<Answer | undefined> {
    const query = el('query', NS.discoInfo, { node: advertised.node })
    const id = this.#host.random.id()
    const request = Stanza.of({ kind: 'iq', type: 'get', id, from: asker, to: jid }, query)
    try {
      const answer = await this.#host.ask(request, patience)
      const found = answer.type === 'result' ? answer.child('query', NS.discoInfo) : undefined
      if (!found) return undefined
      if (fits(found)) return { query: found, lang: answer.lang }
      this.#host.hits.add('caps_size')
    } catch {
      // No answer in time: it does not tell.
    }
    return undefined
  }

  #answered(inquiry: Inquiry, one: Unknown, answer: Answer | undefined): void {
    const { advertised } = one
    const features = answer && advertised.verified(answer)
    if (features) {
      if (this.#known.set(advertised.key, features)) this.#host.hits.add('caps_hashes')
      const waiting = [...inquiry.waiting, ...inquiry.silent]
      inquiry.waiting.clear()
      this.#closeIfIdle(inquiry)
      for (const each of waiting) each.learned(features)
      return
    }
    if (answer && advertised.checkable) this.#refuted.add()
    inquiry.failed.add(homeOf(one))
    // XEP-0115 §5.4, steps 2 and 9: what it claims holds for itself alone, and the others are asked.
    const isWaiting = inquiry.waiting.delete(one)
    const claimed = answer && claimedBy(answer)
    if (isWaiting && claimed) one.learned(claimed)
    else if (isWaiting && !answer) inquiry.silent.add(one)
    this.#goOn(inquiry)
  }
}

/** Not from where answers were wrong, as long as there are others. */
function nextOf({ waiting, failed }: Inquiry): Unknown | undefined {
  const [first] = waiting
  if (failed.size === 0) return first
  for (const one of waiting) if (!failed.has(homeOf(one))) return one
  return first
}

/** Who is to blame: a server elsewhere, an account here. */
function homeOf({ jid, asker }: Unknown): string {
  return jid.domain === asker.domain ? jid.bare.toString() : jid.domain
}

function fits(query: Element): boolean {
  if (query.childrenOf('feature').length > mostFeatures) return false
  return query.toString().length <= mostCharacters
}
