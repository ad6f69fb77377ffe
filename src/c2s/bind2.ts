/** Bind 2 (XEP-0386): a session is bound, and what it wants is switched on, in the step that authenticates it. */
import { createHmac } from 'node:crypto'
import { bindSession } from './bind.js'
import type { Client } from './client.js'
import { enableOn } from './management.js'
import type { Session } from '../session/session.js'
import { JidError, prepareResource } from '../stanza/jid.js'
import { StanzaError } from '../stanza/errors.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

/** Characters of a tag at most; the tag is a word for people, a longer one is left out. */
const longestTag = 100

/** A session that waits for its client to hear of it, and what the client is to hear. */
export interface Bound {
  readonly session: Session
  /** `<bound/>`. */
  readonly answer: Element
}

/** What a client may put into `<bind/>` (XEP-0386 §3.1). */
export function offerBind({ host }: Client): Element {
  const namespaces = [...host.tables.bindFeatures.map(({ ns }) => ns), NS.streamManagement].sort()
  const features = namespaces.map((ns) => el('feature', undefined, { var: ns }))
  return el('bind', NS.bind2, {}, el('inline', undefined, {}, ...features))
}

/**
 * Binds as `<bind/>` asks for. What reaches the session is held until its `release`, so that the client hears of the
 * session first. Undefined when the client has left meanwhile.
 * @throws as `bindSession`
 */
export async function bindInline(client: Client, bind: Element): Promise<Bound | undefined> {
  const answers: (Element | undefined)[] = []
  const session = await bindSession(client, resourceFor(client, bind), (made) => {
    made.hold()
    answers.push(...enableFeatures(client, bind, made))
  })
  if (!session) return undefined
  // XEP-0386 §3.2: the archive as it is when stanzas reach the session, not before: none is missed in between.
  for (const about of client.host.tables.bound) answers.unshift(await told(client, () => about(session)))
  return { session, answer: el('bound', NS.bind2, {}, ...answers) }
}

/** What `<bound/>` could tell beside; the session is bound without it as well. */
async function told(
  client: Client,
  tell: () => Element | undefined | Promise<Element | undefined>,
): Promise<Element | undefined> {
  try {
    return await tell()
  } catch (error) {
    client.parts.log.warn('c2s.bound.incomplete', { error })
    return undefined
  }
}

/** XEP-0386 §3.2: each that is asked for, once; XEP-0198 §9.1 is ours. */
function enableFeatures(client: Client, bind: Element, session: Session): (Element | undefined)[] {
  const answers: (Element | undefined)[] = []
  for (const feature of client.host.tables.bindFeatures) {
    const asked = bind.childrenOf(undefined, feature.ns).find(({ local }) => feature.reads.includes(local))
    if (!asked) continue
    try {
      answers.push(feature.enable(asked, session))
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error
    }
  }
  const managed = bind.child('enable', NS.streamManagement)
  if (managed) answers.push(enableOn(client, managed))
  return answers
}

/**
 * XEP-0386 §3.2.1: `tag/generated`; the same for each session of one installation with one tag, told of by a keyed hash
 * since its id is nobody else's business.
 */
function resourceFor({ parts, agent, account }: Client, bind: Element): string {
  const tag = bind.child('tag', NS.bind2)?.text ?? ''
  const key = createHmac('sha256', parts.secret).update('resource').digest()
  const generated =
    agent?.id === undefined || account === 0
      ? parts.random.id()
      : createHmac('sha256', key).update(`${account} ${agent.id} ${tag}`).digest('base64url').slice(0, 16)
  if (tag === '' || tag.length > longestTag) return generated
  try {
    return prepareResource(`${tag}/${generated}`)
  } catch (error) {
    if (error instanceof JidError) return generated
    throw error
  }
}
