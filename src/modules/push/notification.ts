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

/** What happened since the device was last told. */
export interface News {
  /** Messages that its owner has not seen there. */
  readonly count: number
  /** The last one. */
  readonly stanza: Stanza
}

/** As much of a body as is told. */
const beginning = /^.{0,500}/su

/** The request that publishes the news. */
export function notification(host: Host, to: Registration, news: News, content: Content): Stanza {
  const { count, stanza } = news
  const words = isEncrypted(stanza) ? undefined : stanza.child('body')?.text
  const body = content.body && words !== undefined ? beginning.exec(words)?.[0] : content.notice
  const summary = resultForm('urn:xmpp:push:summary', {
    'message-count': count,
    'last-message-sender': content.sender ? stanza.from : undefined,
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
