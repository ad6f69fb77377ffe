/** Requests addressed to the server: (type, whose address, namespace, name) to the one that answers. */
import type { Session } from '../session/session.js'
import type { Jid } from '../stanza/jid.js'
import type { Stanza } from '../stanza/stanza.js'
import type { Element } from '../xml/element.js'

/**
 * My domain; my own account (or no `to`); somebody's account, own ones included. Whether there is such an account is not
 * known here: who may learn nothing of it gets the same answer either way.
 */
export type Place = 'host' | 'self' | 'account'

export interface IqRequest {
  readonly from: Jid
  /** The address asked: the domain or the bare account. */
  readonly to: Jid
  readonly query: Element
  readonly stanza: Stanza
  /** The local session that asks; undefined when it comes from elsewhere. */
  readonly session: Session | undefined
  /** Set to have something done when the result is on its way to the session. */
  afterwards?: (() => void) | undefined
}

/** The result's payload, nothing for an empty result, or throw StanzaError. */
export type Answer = (request: IqRequest) => Element | void | Promise<Element | void>

export interface IqHandler {
  readonly type: 'get' | 'set'
  readonly at: Place
  readonly name: string
  readonly ns: string
  readonly answer: Answer
}

export function iq(type: 'get' | 'set', at: Place, name: string, ns: string, answer: Answer): IqHandler {
  return { type, at, name, ns, answer }
}

type Answers = Partial<Record<`${'get' | 'set'} ${Place}`, Answer>>

export class IqTable {
  readonly #byNs = new Map<string, Map<string, Answers>>()

  /** @throws Error when two answer the same request: a mistake of the programmer. */
  constructor(handlers: readonly IqHandler[]) {
    for (const { type, at, name, ns, answer } of handlers) {
      let names = this.#byNs.get(ns)
      if (!names) this.#byNs.set(ns, (names = new Map()))
      let answers = names.get(name)
      if (!answers) names.set(name, (answers = {}))
      if (answers[`${type} ${at}`]) throw new Error(`two modules answer ${type} of {${ns}}${name} for ${at}`)
      answers[`${type} ${at}`] = answer
    }
  }

  /** At an account's address the owner's own handler comes first. */
  find(
    type: 'get' | 'set',
    place: 'host' | 'account',
    own: boolean,
    name: string,
    ns: string,
  ): Answer | undefined {
    const answers = this.#byNs.get(ns)?.get(name)
    if (!answers) return undefined
    if (place === 'host') return answers[`${type} host`]
    return (own ? answers[`${type} self`] : undefined) ?? answers[`${type} account`]
  }
}
