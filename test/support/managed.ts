/** What scenes about stream management (XEP-0198) share. */
import assert from 'node:assert/strict'
import type { Actor } from './actor.js'
import type { Stage } from './stage.js'
import type { Element } from '../../src/xml/element.js'

export const SM = 'urn:xmpp:sm:3'

export const chat = (to: string, id: string, body = id) =>
  `<message to='${to}' type='chat' id='${id}'><body>${body}</body></message>`

export const hits = (stage: Stage, limit: string) => stage.metrics.valueOf('limit_hits_total', limit)

/** The next thing must be this refusal. */
export async function fails(actor: Actor, condition: string): Promise<Element> {
  const ns = 'urn:ietf:params:xml:ns:xmpp-stanzas'
  return actor.receives(`<failed xmlns='${SM}'><${condition} xmlns='${ns}'/></failed>`)
}

/** What the server says it has handled. */
export async function handledOf(actor: Actor): Promise<number> {
  actor.raw(`<r xmlns='${SM}'/>`)
  return Number((await actor.receives(`<a xmlns='${SM}'/>`)).attrs['h'])
}

/** Messages as they come, by id; `other` sees what is between them. */
export async function messages(
  actor: Actor,
  count: number,
  other: (element: Element) => void = () => {},
): Promise<string[]> {
  const ids: string[] = []
  while (ids.length < count) {
    const element = await actor.next(`${count - ids.length} more messages`)
    if (element.local === 'message') ids.push(element.attrs['id']!)
    else other(element)
  }
  return ids
}

/** Between messages there is nothing but stream management. */
export async function messagesAlone(actor: Actor, count: number): Promise<string[]> {
  return messages(actor, count, ({ ns }) => assert.equal(ns, SM))
}
