/** What a room can do besides letting people in, hear one another and go: one value for each feature, in a file of its own. */
import type { Entry } from './entry.js'
import type { AnyConfigField, RoomConfig } from './fields.js'
import type { Client, Occupant } from './occupant.js'
import type { Room } from './room.js'
import type { RoomService } from './service.js'
import type { Speech } from './speech.js'
import type { Bringer } from '../../host/hooks.js'
import type { IqHandler } from '../../host/iq-table.js'
import type { DiscoItem } from '../../host/module.js'
import type { Answered } from '../../host/service.js'
import type { Session } from '../../session/session.js'
import type { DiscoInfo } from '../../stanza/caps.js'
import type { FieldValue } from '../../stanza/forms.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'
import type { Element } from '../../xml/element.js'

/**
 * A feature of rooms. Hooks run in the order of `features.ts`, in the room's turn unless it says otherwise, and wait only
 * for those that hand back a promise. To refuse is to throw a StanzaError before anything has changed.
 */
export interface RoomFeature {
  readonly name: string

  // What it declares ------------------------------------------------------------------------------------------

  /** What owners can set, in the order of the form. */
  readonly fields?: readonly AnyConfigField[]
  /** For disco#info of the service. */
  readonly serviceFeatures?: readonly string[]
  /** Requests to the domain of the service, at `host`. */
  readonly serviceIq?: readonly IqHandler[]
  /** For disco#info of a room: what holds there now (XEP-0045 §6.4). */
  discovered?(room: Room): readonly string[]
  /** Fields of `muc#roominfo` for who asks. */
  info?(room: Room, asker: Jid): Readonly<Record<string, FieldValue | undefined>>
  /** A node below the room that can be asked about by disco#info; undefined: it is none of its own. */
  node?(request: RoomRequest, node: string): DiscoInfo | undefined | Promise<DiscoInfo | undefined>
  /** What disco#items lists below such a node; undefined: it is none of its own. */
  items?(request: RoomRequest, node: string): readonly DiscoItem[] | undefined
  /** Elements that only the room may say: taken out of what occupants and strangers send through it. */
  readonly reserved?: readonly { readonly name: string; readonly ns: string }[]
  /** Requests to a room's address, or to that of an occupant. */
  readonly iq?: readonly RoomIqHandler[]

  // Coming and going ------------------------------------------------------------------------------------------

  /** Somebody wants to come in: may refuse, or change nick and role, or add codes for its presence (§7.2). */
  entering?(entry: Entry): void | Promise<void>
  /** A client is in, and has heard nothing yet: what it is to know before all presence (XEP-0463 §5.2.1). */
  welcoming?(client: Client, entry: Entry): void | Promise<void>
  /** A client is in and has its own presence: history, then the subject. Also one that came again (§7.2.1). */
  entered?(client: Client, entry: Entry): void | Promise<void>
  /** Wants another nick; may refuse (§7.6). */
  renaming?(renaming: Renaming): void | Promise<void>
  /** Has another nick. */
  renamed?(occupant: Occupant, before: Jid): void
  /** Says another presence; may refuse (§7.7). */
  updating?(client: Client, presence: Stanza): void
  /** A client has left, and everybody was told; `isLast`: the occupant with it. */
  left?(client: Client, isLast: boolean): void

  // Presence and messages -------------------------------------------------------------------------------------

  /** Adds what the room has to say to any presence of an occupant, also the last one. */
  shows?(presence: Stanza, occupant: Occupant): Stanza
  /** What the `<x/>` of a client's own presence says to it beside the item and codes: written. */
  selfShows?(client: Client): string
  /** Somebody in the room speaks to all: may refuse, or change what is said (§7.4). Synchronous where nothing waits. */
  speaking?(speech: Speech): void | Promise<void>
  /** It is said: goes to everybody right after this, in this order. */
  spoken?(speech: Speech): void

  /** A message to the room that is no groupchat, by whoever, also from outside (§7.8.2, §7.13). True: taken. Not in turn. */
  mail?(letter: Letter): boolean | Promise<boolean>
  /** A message to an occupant (§7.5). True: taken. Not in turn. */
  whisper?(letter: Letter): boolean | Promise<boolean>
  /** A request to an occupant that no handler answers, or an answer (§17.4). True: passed on. Not in turn. */
  relay?(letter: Letter): boolean | Promise<boolean>
  /** A message or presence came back as an error from somebody who is in (§11.1). Not in turn. */
  returned?(client: Client, error: Stanza): void | Promise<void>
  /** The same from somebody who is not. Not in turn. */
  undelivered?(room: Room, error: Stanza): void | Promise<void>
  /** Presence for the domain of the service. */
  greeted?(presence: Stanza): void | Promise<void>

  // The room --------------------------------------------------------------------------------------------------

  /** Owners want this configuration: refuses what does not go together. @throws StanzaError `not-acceptable` */
  acceptable?(config: RoomConfig, room: Room): void
  /** Its configuration has changed: acts on who is in, and gives the codes to announce (§10.2.1). */
  configured?(room: Room, before: RoomConfig): readonly number[] | void | Promise<readonly number[] | void>
  /** It was loaded or made, before anybody is in. */
  opened?(room: Room): void | Promise<void>
  /** The configuration was loaded anew, and this feature is a new one: what it must know of those who are in. Not in turn. */
  adopted?(room: Room): void
  /** Its last occupant has left. */
  emptied?(room: Room): void | Promise<void>
  /** It is gone for good, with all that is stored of it. */
  ended?(room: Room): void | Promise<void>

  // The server ------------------------------------------------------------------------------------------------

  /** As of `Events`. */
  started?(): void
  stopping?(): void | Promise<void>
  accountDeleted?(account: Jid): void | Promise<void>
  linkBroken?(remote: string): void
  linkOpened?(remote: string): void
  /** The service stops: the process ends, or its options were changed. */
  stop?(): void | Promise<void>
}

/** A feature, or how one is made that needs something of its service. */
export type FeatureSource = RoomFeature | ((service: RoomService) => RoomFeature)

/** Somebody who is in wants another nick. */
export interface Renaming {
  readonly room: Room
  readonly client: Client
  /** As asked for; may be changed, which is told (210). */
  nick: string
}

/** A stanza on its way to the room or to one who is in. */
export interface Letter {
  readonly room: Room
  /** As it came: from the real JID. */
  readonly stanza: Stanza
  /** Undefined: who sends it is not in the room. */
  readonly sender: Client | undefined
  /** To whom; undefined: to the room, or nobody has that nick. */
  readonly to: Occupant | undefined
  readonly session: Session | undefined
  readonly bringer: Bringer | undefined
}

/** A request to a room or to somebody in it. */
export interface RoomRequest extends Letter {
  /** Full real JID. */
  readonly from: Jid
  readonly query: Element
}

export interface RoomIqHandler {
  readonly type: 'get' | 'set'
  readonly at: 'room' | 'occupant'
  readonly name: string
  readonly ns: string
  /** Not in turn: what changes the room takes one. @throws StanzaError */
  answer(request: RoomRequest): Answered | Promise<Answered>
}

type Hooks = {
  [
    K in keyof RoomFeature as NonNullable<RoomFeature[K]> extends (...args: never[]) => unknown ? K : never
  ]-?: NonNullable<RoomFeature[K]>
}

/** All features of a service, compiled: those that have a hook stand in one array each. */
export class Features {
  readonly all: readonly RoomFeature[]
  readonly fields: readonly AnyConfigField[]
  readonly reserved: readonly { readonly name: string; readonly ns: string }[]
  readonly #hooks = new Map<keyof Hooks, readonly unknown[]>()
  readonly #requests = new Map<string, RoomIqHandler>()

  /** @throws Error when two answer the same request or have the same field: a mistake of the programmer */
  constructor(all: readonly RoomFeature[]) {
    this.all = all
    this.fields = all.flatMap(({ fields = [] }) => fields)
    this.reserved = all.flatMap(({ reserved = [] }) => reserved)
    const names = this.fields.map(({ name }) => name)
    const twice = names.find((name, i) => names.indexOf(name) !== i)
    if (twice !== undefined) throw new Error(`two features have the field ${twice}`)
    for (const handler of all.flatMap(({ iq = [] }) => iq)) {
      const key = requestKey(handler.type, handler.at, handler.name, handler.ns)
      if (this.#requests.has(key)) throw new Error(`two features answer ${key}`)
      this.#requests.set(key, handler)
    }
  }

  /** Those that have the hook, bound, in order. */
  with<K extends keyof Hooks>(hook: K): readonly Hooks[K][] {
    let found = this.#hooks.get(hook)
    if (!found) {
      found = this.all.flatMap((feature) => {
        const run = feature[hook] as ((...args: never[]) => unknown) | undefined
        return run ? [run.bind(feature)] : []
      })
      this.#hooks.set(hook, found)
    }
    return found as readonly Hooks[K][]
  }

  request(type: 'get' | 'set', at: 'room' | 'occupant', name: string, ns: string): RoomIqHandler | undefined {
    return this.#requests.get(requestKey(type, at, name, ns))
  }
}

function requestKey(type: string, at: string, name: string, ns: string): string {
  return `${type} of {${ns}}${name} at ${at}`
}

/** Calls them in order; waits only for those that hand back a promise. */
export function inOrder<A extends unknown[]>(
  hooks: readonly ((...args: A) => void | Promise<void>)[],
  ...args: A
): void | Promise<void> {
  return inOrderFrom(hooks, args, 0)
}

function inOrderFrom<A extends unknown[]>(
  hooks: readonly ((...args: A) => void | Promise<void>)[],
  args: A,
  from: number,
): void | Promise<void> {
  for (let i = from; i < hooks.length; i++) {
    const pending = hooks[i]!(...args)
    if (pending instanceof Promise) return pending.then(() => inOrderFrom(hooks, args, i + 1))
  }
}

/** The first that takes it. */
export async function taken(
  hooks: readonly ((letter: Letter) => boolean | Promise<boolean>)[],
  letter: Letter,
): Promise<boolean> {
  for (const hook of hooks) if (await hook(letter)) return true
  return false
}
