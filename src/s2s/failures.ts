/** What is to be said of attempts that failed: whose business it is, and why, in one line. */
import type { Verdict } from './dialback.js'
import { Failure, type Stage } from './facts.js'
import { StanzaError } from '../stanza/errors.js'
import type { StreamError } from '../stream/errors.js'
import type { Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

/** The attempt took longer than it may. */
export function tooLate(stage: Stage, ms: number): Failure {
  const late = (side: Failure['side'], ...more: [Failure['trouble'], string?]) =>
    new Failure(stage, `no answer within ${Math.round(ms / 1000)} s`, side, undefined, ...more)
  // Before somebody is connected to, anything on the way may be at fault.
  if (stage === 'dns') return late('path', 'dns silent')
  if (stage === 'tcp') return late('path', 'unreachable')
  // The peer may be waiting for an answer to its own call back to us.
  if (stage === 'auth') return late('path', 'not taken', 'remote-server-timeout')
  return late('theirs', 'silent')
}

/** The peer does not believe our key; what it could not confirm, or did not want, is about us. */
export function notBelieved(verdict: Exclude<Verdict, 'valid'>): Failure {
  if (!(verdict instanceof StanzaError)) {
    const reason = 'the server could not confirm our dialback key with the server that DNS names for us'
    return new Failure('auth', reason, 'ours', undefined, 'unconfirmed')
  }
  const { condition, text } = verdict
  const reason = `the server refused dialback: ${condition}${inBrackets(text)}`
  const isTheirs = condition === 'item-not-found' || condition === 'internal-server-error'
  return new Failure('auth', reason, isTheirs ? 'theirs' : 'ours', undefined, 'not taken', condition)
}

/** We ended the stream for what the peer said. `early`: before its header, so that it is no server for servers at all. */
export function strange(stage: Stage, { condition, text }: StreamError, early: boolean): Failure {
  const reason = `it does not speak as a server to servers: ${condition}${inBrackets(text)}`
  return new Failure(stage, reason, 'theirs', undefined, 'ended', early ? condition : undefined)
}

/** RFC 6120 §4.9: what the peer said when it ended the stream. */
export function lastWords(error: Element): { readonly said: string; readonly condition: string | undefined } {
  const condition = error.childrenOf(undefined, NS.streamErrors).find(({ local }) => local !== 'text')?.local
  const text = error.child('text', NS.streamErrors)?.text.slice(0, 200)
  return { said: `the server ended the stream: ${condition ?? 'no reason'}${inBrackets(text)}`, condition }
}

function inBrackets(text: string | undefined): string {
  return text === undefined || text === '' ? '' : ` (${text})`
}
