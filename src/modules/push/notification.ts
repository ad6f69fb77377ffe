/** What is told to an app server (XEP-0357 §7), and what its answer means (§7.1). */
import { isEncrypted } from './worth.js'
import { resultForm } from '../../stanza/forms.js'
import type { Registration } from './registrations.js'
import type { Host } from '../../host/host.js'
import { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import { el } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { parseElement } from '../../xml/parser.js'

/** What an admin lets app servers know. */
export interface Content {
  readonly sender: boolean
  readonly body: boolean
  /** Stands for the body that is not told; '' for nothing. */
  readonly notice: string
}

/** What there is to tell of a stanza: little, since it may be kept for a while. */
export interface News {
  readonly sender: Jid
  /** The beginning of what was written, if that is told. */
  readonly words: string | undefined
}

/** As much of a body as is told. */
const beginning = /^.{0,500}/su

export function newsOf(stanza: Stanza, content: Content): News {
  const isTold = content.body && !isEncrypted(stanza)
  const words = isTold ? beginning.exec(stanza.child('body')?.text ?? '')?.[0] : undefined
  // Of its own: a part of a string keeps the whole one in memory.
  return { sender: stanza.from, words: words ? Buffer.from(words).toString() : undefined }
}

/** The request that publishes the last news, with the number of messages that the device's owner has not seen there. */
export function notification(
  host: Host,
  to: Registration,
  { sender, words }: News,
  count: number,
  content: Content,
): Stanza {
  const body = words ?? content.notice
  const summary = resultForm('urn:xmpp:push:summary', {
    'message-count': count,
    'last-message-sender': content.sender ? sender : undefined,
    'last-message-body': body === '' ? undefined : body,
  })
  const item = el('item', undefined, undefined, el('notification', NS.push, undefined, summary))
  const options = to.form === undefined ? undefined : parseElement(to.form)
  return Stanza.of(
    { kind: 'iq', type: 'set', id: host.random.id(), from: host.address, to: Jid.parse(to.jid) },
    el(
      'pubsub',
      NS.pubsub,
      undefined,
      el('publish', undefined, { node: to.node }, item),
      options && el('publish-options', undefined, undefined, options),
    ),
  )
}

/** Conditions that say: it will never work like this. Others may pass. */
const final: readonly string[] = [
  'bad-request',
  'conflict',
  'feature-not-implemented',
  'forbidden',
  'gone',
  'item-not-found',
  'jid-malformed',
  'not-acceptable',
  'not-allowed',
  'not-authorized',
  'payment-required',
  'registration-required',
  'subscription-required',
]

export type Outcome = 'accepted' | 'refused' | 'failed'

/** How the app server, or who answered for it, took it; `condition` of an error. */
export function outcomeOf(answer: Stanza): { outcome: Outcome; condition?: string } {
  if (answer.type === 'result') return { outcome: 'accepted' }
  const error = answer.child('error')
  const [condition] = error?.childrenOf(undefined, NS.stanzaErrors) ?? []
  const name = condition?.local ?? 'undefined-condition'
  const isFinal = final.includes(name) && error?.attrs['type'] !== 'wait'
  return { outcome: isFinal ? 'refused' : 'failed', condition: name }
}
