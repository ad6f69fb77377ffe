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
  /** A room that is new stays locked, so that nobody else can enter. */
  readonly stayLocked?: boolean
}

/** The presence with which a client enters. */
export function entrance(
  actor: Actor,
  { room = BALL, nick = actor.local, x = '', with: more = '' }: Entering = {},
): string {
  return `<presence id='enter' to='${room}/${nick}'><x xmlns='${NS.muc}'>${x}</x>${more}</presence>`
}

/**
 * Comes into the room, which is made and opened if need be, and reads on until its subject has come; gives all that came, in order.
 * Connects first if need be.
 */
export async function enters(actor: Actor, entering: Entering = {}): Promise<Element[]> {
  if (!actor.isConnected) await actor.connects()
  actor.sends(entrance(actor, entering))
  const heard: Element[] = []
  for (;;) {
    const stanza = await actor.next('all up to the subject of the room')
    heard.push(stanza)
    if (isSubject(stanza)) break
    if (stanza.attrs['type'] === 'error') throw new Error(`${actor.name} was refused: ${stanza.toString()}`)
  }
  if (!entering.stayLocked && heard.some(isCreation)) await opens(actor, entering.room)
  return heard
}

/** XEP-0045 §10.1.2: takes a new room as it is. */
export async function opens(actor: Actor, room = BALL): Promise<void> {
  actor.sends(submission({}, room, 'open'))
  await actor.receives(`<iq type='result' id='open' from='${room}'/>`)
}

/** What an owner sends who sets these fields; several values are separated by newlines. */
export function submission(fields: Readonly<Record<string, string>>, room = BALL, id = 'config'): string {
  const each = Object.entries(fields).map(([name, values]) => {
    const value = values.split('\n').map((one) => `<value>${one}</value>`)
    return `<field var='${name}'>${value.join('')}</field>`
  })
  const x = `<x xmlns='jabber:x:data' type='submit'>${each.join('')}</x>`
  return `<iq type='set' id='${id}' to='${room}'><query xmlns='${NS.mucOwner}'>${x}</query></iq>`
}

/** An owner sets these fields of `muc#roomconfig`, which is told by 104 or other codes. Reads the result. */
export async function configures(
  actor: Actor,
  fields: Readonly<Record<string, string>>,
  room = BALL,
): Promise<void> {
  const named = Object.entries(fields).map(([name, value]) => [`muc#roomconfig_${name}`, value])
  actor.sends(submission(Object.fromEntries(named) as Record<string, string>, room))
  for (;;) {
    const stanza = await actor.next('the result of the configuration')
    if (stanza.attrs['id'] !== 'config') continue
    if (stanza.attrs['type'] !== 'result') throw new Error(`${actor.name} was refused: ${stanza.toString()}`)
    return
  }
}

function isCreation(stanza: Element): boolean {
  const status = stanza.child('x', NS.mucUser)?.childrenOf('status') ?? []
  return status.some(({ attrs }) => attrs['code'] === '201')
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
