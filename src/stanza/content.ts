/** What there is to a message beside what somebody is just doing (XEP-0085) and notes for those who carry it. */
import { NS } from '../xml/namespaces.js'

interface Named {
  readonly name: string
  readonly ns?: string | undefined
}

/** Namespaces of what says nothing by itself. */
const accompanying: ReadonlySet<string | undefined> = new Set([
  NS.chatStates,
  NS.hints,
  NS.stanzaIds,
  NS.occupantId,
  NS.delay,
])

/** Whether one of these children of a message is something that somebody would miss. */
export function hasContent(children: readonly Named[]): boolean {
  for (const { name, ns } of children)
    if (!accompanying.has(ns) && !(name === 'thread' && ns === NS.client)) return true
  return false
}

/** XEP-0085 §5.1: a chat state, and nothing that somebody would miss. */
export function isActivity(children: readonly Named[]): boolean {
  return children.some(({ ns }) => ns === NS.chatStates) && !hasContent(children)
}
