/** Server dialback (XEP-0220) without streams: its keys (XEP-0185), and what its elements say. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { stanzaConditions, StanzaError, type StanzaCondition } from '../stanza/errors.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { escapeAttribute, escapeText, serialise } from '../xml/write.js'

/** XEP-0220 §2.4.2: dialback, and errors that do not end the stream. */
export const dialbackFeature = el('dialback', NS.dialbackFeature, {}, el('errors'))

/** A pair of domains in one direction: stanzas from `sender` to `target`. */
export interface Pair {
  readonly sender: string
  readonly target: string
}

/** Makes and checks the keys of our own domains. */
export class DialbackKeys {
  readonly #secret: string

  /** @param secret known to all servers of the sender domains, and to nobody else */
  constructor(secret: Buffer | string) {
    // XEP-0185 §2: the hash, in hexadecimal digits, is what the HMAC is keyed with.
    this.#secret = createHash('sha256').update(secret).digest('hex')
  }

  /** The key that proves that `sender`, which is ours, speaks on the stream to `target` whose header from there had `id`. */
  key({ sender, target }: Pair, id: string): string {
    return createHmac('sha256', this.#secret).update(`${target} ${sender} ${id}`).digest('hex')
  }

  /** XEP-0220 §2.2.2: whether we made this key. */
  isOurs(pair: Pair, id: string, key: string): boolean {
    const given = Buffer.from(key.trim())
    const right = Buffer.from(this.key(pair, id))
    return given.length === right.length && timingSafeEqual(given, right)
  }
}

/** What a verification came to; an error tells why there is no verdict (XEP-0220 §2.5). */
export type Verdict = 'valid' | 'invalid' | StanzaError

/** Step 1: a sender asks to be believed. */
export function resultRequest({ sender, target }: Pair, key: string): string {
  return `<db:result from='${escapeAttribute(sender)}' to='${escapeAttribute(target)}'>${escapeText(key)}</db:result>`
}

/** Step 2: the target asks the sender's own server. */
export function verifyRequest({ sender, target }: Pair, id: string, key: string): string {
  return (
    `<db:verify from='${escapeAttribute(target)}' to='${escapeAttribute(sender)}' id='${escapeAttribute(id)}'>` +
    `${escapeText(key)}</db:verify>`
  )
}

/** Step 3: the sender's own server answers. */
export function verifyAnswer({ sender, target }: Pair, id: string, verdict: Verdict): string {
  return answer('verify', { from: sender, to: target, id }, verdict)
}

/** Step 4: the target tells the sender. */
export function resultAnswer({ sender, target }: Pair, verdict: Verdict): string {
  return answer('result', { from: target, to: sender }, verdict)
}

function answer(name: string, addresses: Record<string, string>, verdict: Verdict): string {
  let tag = `<db:${name}`
  for (const key in addresses) tag += ` ${key}='${escapeAttribute(addresses[key]!)}'`
  if (typeof verdict === 'string') return `${tag} type='${verdict}'/>`
  return `${tag} type='error'>${serialise(verdict.toElement(), NS.server)}</db:${name}>`
}

/** What the answer in a received element says. Undefined when it is a request. */
export function verdictOf(element: Element): Verdict | undefined {
  const { type } = element.attrs
  if (type === undefined) return undefined
  if (type === 'valid' || type === 'invalid') return type
  const error = element.child('error')
  const conditions = error?.childrenOf(undefined, NS.stanzaErrors) ?? []
  const condition = conditions.find(({ local }) => local !== 'text')?.local ?? ''
  const text = error?.child('text', NS.stanzaErrors)?.text
  // XEP-0220 §2.5 has a condition of streams among those of stanzas.
  if (condition === 'remote-connection-failed')
    return new StanzaError('remote-server-timeout', text ?? condition)
  return new StanzaError(isCondition(condition) ? condition : 'undefined-condition', text)
}

function isCondition(name: string): name is StanzaCondition {
  return (stanzaConditions as readonly string[]).includes(name)
}
