/** Steps that scenes in rooms share. */
import type { Actor } from './actor.js'
import { DOMAIN } from './stage.js'
import type { Element } from '../../src/xml/element.js'
import { NS } from '../../src/xml/namespaces.js'

export const SERVICE = `conference.${DOMAIN}`
/** The room that scenes meet in. */
export const BALL = `ball@${SERVICE}`

/** How somebody comes in. */
export interface Entering {
  readonly room?: string
  readonly nick?: string
  /** Children of the `<x/>`: password, history. */
  readonly x?: string
  /** Further children of the presence. */
  readonly with?: string
}

/** The presence with which a client enters. */
export function entrance(
  actor: Actor,
  { room = BALL, nick = actor.local, x = '', with: more = '' }: Entering = {},
): string {
  return `<presence id='enter' to='${room}/${nick}'><x xmlns='${NS.muc}'>${x}</x>${more}</presence>`
}

/**
 * Comes into the room, which is made if need be, and reads on until its subject has come; gives all that came, in order.
 * Connects first if need be.
 */
export async function enters(actor: Actor, entering: Entering = {}): Promise<Element[]> {
  if (!actor.isConnected) await actor.connects()
  actor.sends(entrance(actor, entering))
  const heard: Element[] = []
  for (;;) {
    const stanza = await actor.next('all up to the subject of the room')
    heard.push(stanza)
    if (isSubject(stanza)) return heard
    if (stanza.attrs['type'] === 'error') throw new Error(`${actor.name} was refused: ${stanza.toString()}`)
  }
}

function isSubject(stanza: Element): boolean {
  return (
    stanza.local === 'message' && stanza.child('subject') !== undefined && stanza.child('body') === undefined
  )
}

/** All of them are in, in this order, and have read who else is. The first makes the room, and is its owner. */
export async function gather(actors: readonly Actor[], room = BALL): Promise<void> {
  for (const actor of actors) await enters(actor, { room })
  for (const actor of actors) await actor.ignoresSoFar()
}

/** `<x/>` of `muc#user` as a pattern. */
export function x(...children: readonly string[]): string {
  return `<x xmlns='${NS.mucUser}'>${children.join('')}</x>`
}

/** Status codes as patterns. */
export function codes(...numbers: readonly number[]): string {
  return numbers.map((code) => `<status code='${code}'/>`).join('')
}

/** Says something to everybody in the room. */
export function says(actor: Actor, body: string, { room = BALL, id = 'said' } = {}): void {
  actor.sends(`<message id='${id}' type='groupchat' to='${room}'><body>${body}</body></message>`)
}
