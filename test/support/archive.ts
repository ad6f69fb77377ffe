/** Asking an archive as clients do (XEP-0313 §4). */
import assert from 'node:assert/strict'
import type { Actor } from './actor.js'
import type { Element } from '../../src/xml/element.js'

export interface Asked {
  /** Values by field of the form; without, there is no form. */
  readonly form?: Readonly<Record<string, string | readonly string[]>>
  /** What stands in the `<set/>`; without, there is none. */
  readonly set?: string
  readonly flip?: boolean
  readonly to?: string
}

export interface Answered {
  readonly fin: Element
  readonly complete: boolean
  /** The `<result/>`s in the order in which they came, all before the reply. */
  readonly results: readonly Element[]
  readonly ids: readonly string[]
  readonly bodies: readonly string[]
  /** Of the `<set/>`. */
  readonly first: string | undefined
  readonly last: string | undefined
  readonly index: number | undefined
  readonly count: number | undefined
}

export function queryXml({ form, set, flip }: Asked, queryId = 'q'): string {
  const fields = Object.entries({ FORM_TYPE: 'urn:xmpp:mam:2', ...form }).map(([name, value]) => {
    const values = (typeof value === 'string' ? [value] : value).map((one) => `<value>${one}</value>`)
    return `<field var='${name}'>${values.join('')}</field>`
  })
  const x = form ? `<x xmlns='jabber:x:data' type='submit'>${fields.join('')}</x>` : ''
  const page = set === undefined ? '' : `<set xmlns='http://jabber.org/protocol/rsm'>${set}</set>`
  return `<query xmlns='urn:xmpp:mam:2' queryid='${queryId}'>${x}${page}${flip ? '<flip-page/>' : ''}</query>`
}

/** Asks, and takes the results out of what the actor has heard: it must have heard nothing else. */
export async function archiveOf(actor: Actor, asked: Asked = {}): Promise<Answered> {
  const before = actor.waiting
  assert.equal(before, 0, `${actor.name} has not looked at ${before} stanzas yet`)
  const reply = await actor.sets(queryXml(asked), asked.to)
  assert.equal(reply.attrs['type'], 'result', reply.toString())
  const results: Element[] = []
  // The reply is the last: what came before it is all there is.
  for (let left = actor.waiting; left > 0; left--) {
    const message = await actor.next('a result')
    const result = message.child('result', 'urn:xmpp:mam:2')
    assert.ok(result, message.toString())
    assert.equal(message.attrs['from'], asked.to ?? actor.bare)
    assert.equal(message.attrs['to'], reply.attrs['to'])
    assert.equal(result.attrs['queryid'], 'q')
    results.push(result)
  }
  const fin = reply.child('fin', 'urn:xmpp:mam:2')
  const set = fin?.child('set', 'http://jabber.org/protocol/rsm')
  assert.ok(fin && set, reply.toString())
  const first = set.child('first')
  return {
    fin,
    complete: fin.attrs['complete'] === 'true',
    results,
    ids: results.map(({ attrs }) => attrs['id']!),
    bodies: results.map((result) => messageOf(result)?.child('body')?.text ?? ''),
    first: first?.text,
    last: set.child('last')?.text,
    index: numberOf(first?.attrs['index']),
    count: numberOf(set.child('count')?.text),
  }
}

/** The forwarded message of a `<result/>`. */
export function messageOf(result: Element): Element | undefined {
  return result.child('forwarded', 'urn:xmpp:forward:0')?.child('message', 'jabber:client')
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}
