/** What scenes say to pubsub services, and what these say to others. */
import assert from 'node:assert/strict'
import type { Actor } from './actor.js'
import { NS } from '../../src/xml/namespaces.js'
import type { Element } from '../../src/xml/element.js'
import { escapeAttribute } from '../../src/xml/write.js'

const attribute = (name: string, value: string | undefined) =>
  value === undefined ? '' : ` ${name}='${escapeAttribute(value)}'`

/** A payload with a word in it. */
export const word = (text: string): string => `<word xmlns='urn:word'>${text}</word>`

export const pubsub = (inner: string): string => `<pubsub xmlns='${NS.pubsub}'>${inner}</pubsub>`
export const owner = (inner: string): string => `<pubsub xmlns='${NS.pubsubOwner}'>${inner}</pubsub>`

/** A form of that FORM_TYPE, below pubsub's namespace; fields without `pubsub#`. */
export function submitted(
  type: string,
  fields: Readonly<Record<string, string | readonly string[]>>,
): string {
  const each = Object.entries(fields).map(([name, values]) => {
    const inner = [values].flat().map((value) => `<value>${value}</value>`)
    return `<field var='pubsub#${name}'>${inner.join('')}</field>`
  })
  return `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>${NS.pubsub}#${type}</value></field>${each.join('')}</x>`
}

export interface Publication {
  readonly id?: string
  readonly to?: string
  /** Publish-options. */
  readonly options?: Readonly<Record<string, string | readonly string[]>>
}

/** Publishes a word; the reply. */
export function publishes(
  actor: Actor,
  node: string,
  text: string,
  { id, to, options }: Publication = {},
): Promise<Element> {
  const conditions = options
    ? `<publish-options>${submitted('publish-options', options)}</publish-options>`
    : ''
  const item = `<item${attribute('id', id)}>${word(text)}</item>`
  return actor.sets(pubsub(`<publish${attribute('node', node)}>${item}</publish>${conditions}`), to)
}

/** Creates a node with this configuration. */
export async function creates(
  actor: Actor,
  node: string,
  config: Readonly<Record<string, string | readonly string[]>> = {},
  to?: string,
): Promise<void> {
  const form = submitted('node_config', config)
  await succeeds(actor.sets(pubsub(`<create${attribute('node', node)}/><configure>${form}</configure>`), to))
}

export function configures(
  actor: Actor,
  node: string,
  config: Readonly<Record<string, string | readonly string[]>>,
  to?: string,
): Promise<Element> {
  const form = submitted('node_config', config)
  return actor.sets(owner(`<configure${attribute('node', node)}>${form}</configure>`), to)
}

/** The words of the items that `actor` is given, or the reason why not: `condition` or `condition/detail`. */
export async function reads(
  actor: Actor,
  node: string,
  to?: string,
  { ids = [], max, set = '' }: { ids?: readonly string[]; max?: number; set?: string } = {},
): Promise<string> {
  const items = ids.map((id) => `<item${attribute('id', id)}/>`).join('')
  const asked = `<items${attribute('node', node)}${attribute('max_items', max?.toString())}>${items}</items>${set}`
  return wordsOf(await actor.gets(pubsub(asked), to))
}

export function subscribes(
  actor: Actor,
  node: string,
  to: string,
  jid = actor.bare,
  options = '',
): Promise<Element> {
  return actor.sets(pubsub(`<subscribe${attribute('node', node)} jid='${jid}'/>${options}`), to)
}

export function unsubscribes(actor: Actor, node: string, to: string, jid = actor.bare): Promise<Element> {
  return actor.sets(pubsub(`<unsubscribe${attribute('node', node)} jid='${jid}'/>`), to)
}

export function affiliates(
  actor: Actor,
  node: string,
  affiliations: Readonly<Record<string, string>>,
  to?: string,
): Promise<Element> {
  const each = Object.entries(affiliations).map(
    ([jid, affiliation]) => `<affiliation jid='${jid}' affiliation='${affiliation}'/>`,
  )
  return actor.sets(owner(`<affiliations${attribute('node', node)}>${each.join('')}</affiliations>`), to)
}

/** The words in a result in their order, or the reason of an error. */
export function wordsOf(reply: Element): string {
  if (reply.attrs['type'] === 'error') return reasonOf(reply)
  const items = reply.child('pubsub', NS.pubsub)?.child('items')?.childrenOf('item') ?? []
  return items.map((item) => item.child('word', 'urn:word')?.text ?? '-').join(' ')
}

/** `ok`, or the condition of an error and what pubsub adds to it. */
export function reasonOf(reply: Element): string {
  if (reply.attrs['type'] !== 'error') return 'ok'
  const [condition, ...more] = reply.child('error')?.childrenOf() ?? []
  const detail = more.find(({ ns }) => ns === NS.pubsubErrors)
  const feature = detail?.attrs['feature']
  const said = detail && `${detail.local}${feature === undefined ? '' : ` ${feature}`}`
  return said === undefined ? (condition?.local ?? '') : `${condition?.local}/${said}`
}

/** The subscription state in a result, or the reason of an error. */
export function stateOf(reply: Element): string {
  if (reply.attrs['type'] === 'error') return reasonOf(reply)
  return reply.child('pubsub', NS.pubsub)?.child('subscription')?.attrs['subscription'] ?? 'ok'
}

export async function succeeds(reply: Promise<Element>): Promise<Element> {
  const settled = await reply
  assert.equal(reasonOf(settled), 'ok')
  return settled
}

/** The pattern of a notification with these words published; nothing is said of their ids. */
export function notified(from: string, to: string, node: string, ...words: string[]): string {
  const items = words.map((text) => `<item id='{any}'>${word(text)}</item>`).join('')
  return told(from, to, `<items${attribute('node', node)}>${items}</items>`)
}

/** The pattern of a notification. */
export function told(from: string, to: string, inner: string, more = ''): string {
  return `<message from='${from}' to='${to}'><event xmlns='${NS.pubsubEvent}'>${inner}</event>${more}</message>`
}
