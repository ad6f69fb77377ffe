/** A module is a value: metadata, options, and a `setup` that returns what it contributes. */
import type { AnyCommand } from './command.js'
import type { AnyHook } from './hooks.js'
import type { Host, Way } from './host.js'
import type { IqHandler, IqRequest } from './iq-table.js'
import type { ServiceHost } from './service.js'
import type { Schema } from '../base/schema.js'
import type { ContactChange } from '../session/roster.js'
import type { Session } from '../session/session.js'
import type { DiscoInfo, Identity } from '../stanza/caps.js'
import type { Jid } from '../stanza/jid.js'
import type { Stanza } from '../stanza/stanza.js'
import type { Account } from '../storage/accounts.js'
import type { Stream } from '../stream/stream.js'
import type { Element } from '../xml/element.js'

export type { Identity } from '../stanza/caps.js'

export interface Xep {
  readonly number: number
  readonly version: string
  readonly status?: 'complete' | 'partial'
  readonly note?: string
}

export interface StreamFacts {
  readonly secure: boolean
  readonly authenticated: boolean
  readonly bound: boolean
  readonly direction: 'c2s' | 's2s'
}

export interface Negotiation {
  readonly stream: Stream
  readonly host: Host
  readonly session: Session | undefined
  readonly facts: StreamFacts
  /** Milliseconds of silence after which the peer is asked whether it is still there; 0: never. */
  readonly idleAfter: number
}

export type Next = 'stay' | 'restart' | 'ready'

/** For `reads`: whatever its namespace holds. */
export const anything: readonly string[] = Object.freeze([])

/** A negotiable feature. What a stream has not been offered, it cannot use. */
export interface StreamFeature<At extends Negotiation = Negotiation> {
  readonly ns: string
  /** Element names of this namespace that may follow; empty for one that only informs. */
  readonly reads: readonly string[]
  /** Namespace of the payload when the feature is negotiated inside an iq (bind, registration). */
  readonly iqPayload?: string
  fits(facts: StreamFacts): boolean
  offer(at: At): Element | undefined
  /** Gets the element, or the whole iq. Throws StreamError, or StanzaError to answer an iq. */
  receive?(element: Element, at: At): Next | Promise<Next>
}

/** What a client may switch on in the same step that binds its session (XEP-0386 §3.2). */
export interface BindFeature {
  /** Namespace of its elements, and what the list of offered ones calls it. */
  readonly ns: string
  /** Names of the elements that a client may put into its `<bind/>`. */
  readonly reads: readonly string[]
  /**
   * Takes effect before the session gets its first stanza; the session is not registered yet. What it gives goes into
   * `<bound/>`. A StanzaError thrown leaves the feature off, without an answer.
   */
  enable(element: Element, session: Session): Element | undefined
}

/** Told afterwards, cannot veto. A crash is logged. A returned promise is waited for where order matters. */
export interface Events {
  sessionBound(session: Session): void | Promise<void>
  /** `before` is the last presence, `now` undefined when it became unavailable. */
  presenceChanged(change: {
    session: Session
    before: Stanza | undefined
    now: Stanza | undefined
  }): void | Promise<void>
  /** The session has ended; its last presence is `farewell` when it said one. */
  sessionGone(session: Session, farewell: Stanza | undefined): void | Promise<void>
  /**
   * XEP-0198 §5: its stream broke, and it waits to be resumed: it has no `stream`, and is there in all other respects.
   * Presence stays, slots are kept, what is delivered waits. `sessionResumed` or `sessionGone` follows.
   */
  sessionParked(session: Session): void
  /**
   * A session from before a restart is there again, parked as it was, with its presence; slots that are kept are restored.
   * Told instead of `sessionBound` and `presenceChanged`, before anybody can reach it.
   */
  sessionRestored(session: Session): void | Promise<void>
  /** It goes on, on a new stream; told before what waited is sent. */
  sessionResumed(session: Session): void
  /** A stanza waits now for a session that is parked. `session.waiting` is all that does. */
  queuedForParked(session: Session, stanza: Stanza): void
  /** A contact of an account was changed, or has become one; all that is to be said of it is on its way. */
  contactChanged(change: ContactChange): void | Promise<void>
  accountCreated(account: Jid, way: Way): void | Promise<void>
  accountDeleted(account: Jid): void | Promise<void>
  /**
   * A stream between the domain `local`, this host's or one below it, and another server or a component broke, or that
   * ended it with an error. What was on its way may be lost, and what either side believes of the other may be wrong.
   */
  linkBroken(remote: string, local: string): void
  /** Stanzas can flow between these two domains, in one direction at least. */
  linkOpened(remote: string, local: string): void
  /** The server is about to take connections; sessions from before a restart are there again. Not waited for. */
  started(): void
  /** It is about to end: links and sessions still stand. */
  stopping(): void | Promise<void>
}

export interface ServiceKey<T> {
  readonly name: string
  readonly type?: T
}
export function serviceKey<T>(name: string): ServiceKey<T> {
  return { name }
}
export interface Service<T = unknown> {
  readonly key: ServiceKey<T>
  readonly value: T
}

/**
 * Whether an account of this host wants an address to know nothing of it (XEP-0191 §3.3): what the host says in its name
 * does not go there. Known while the account has a session.
 */
export const hidesFrom = serviceKey<(account: Jid, other: Jid) => boolean>('hides-from')

/** When an account without a session had its last one, in milliseconds since 1970. */
export const lastSeen = serviceKey<(account: Jid) => Promise<number | undefined>>('last-seen')

/** When an account last logged in, in milliseconds since 1970. */
export const lastLogin = serviceKey<(account: Jid) => Promise<number | undefined>>('last-login')

export interface DiscoItem {
  readonly jid: string
  readonly node?: string | undefined
  readonly name?: string | undefined
}

/** A part of what is discovered (XEP-0030 §3 and §4) at the host or at an account, under nodes of its own. */
export interface DiscoBranch {
  readonly at: 'host' | 'account'
  /** About one of its nodes; undefined: the node is none of its own. Throws StanzaError. */
  info?(request: IqRequest, node: string): DiscoInfo | undefined | Promise<DiscoInfo | undefined>
  /** Below one of its nodes, or what it adds to the address itself when `node` is undefined; undefined as above. */
  items?(
    request: IqRequest,
    node: string | undefined,
  ): readonly DiscoItem[] | undefined | Promise<readonly DiscoItem[] | undefined>
}

/** What a module keeps of an account, as a child of `<user/>` in files that move accounts (XEP-0227 §4.2). */
export interface Portable {
  /** Of the child. Two modules cannot have the same one. */
  readonly name: string
  readonly ns: string
  /**
   * How much of it stands in memory at once: all of it (0, then `export` gives the element, several of them if need
   * be), its children one by one (1), or their children one by one (2, then each comes in a copy of the start tag of
   * its parent, and neighbours of equal start tags are written as one).
   */
  readonly depth: 0 | 1 | 2
  /** Nothing when there is nothing, always in the same order; archives: oldest first. Rejects with StorageUnavailable. */
  export(account: Account): AsyncIterable<Element>
  /**
   * Stores some of what `export` gives, in its order, at most `PORTION` at once. What is there already stays and is not
   * stored twice. Gives what could not be taken, in words, with its place in `elements`. Rejects with StorageUnavailable.
   */
  import(account: Account, elements: readonly Element[]): Promise<readonly Unfit[] | void>
}

/** Elements that a `Portable` is given at once. */
export const PORTION = 100

export interface Unfit {
  readonly index: number
  /** Goes on after "line 12: ": `the item has no jid`. */
  readonly reason: string
}

/** Takes elements one after the other; what `take` has against one of them is told. */
export async function each(
  elements: readonly Element[],
  take: (element: Element) => Promise<string | undefined>,
): Promise<Unfit[]> {
  const unfit: Unfit[] = []
  for (const [index, element] of elements.entries()) {
    const reason = await take(element)
    if (reason !== undefined) unfit.push({ index, reason })
  }
  return unfit
}

export interface Contribution {
  /** disco#info of the host, caps and the XEP table read these. */
  readonly features?: readonly string[]
  /** disco#info of accounts. */
  readonly accountFeatures?: readonly string[]
  /** Likewise, beside what an account is by itself. */
  readonly accountIdentities?: readonly Identity[]
  readonly identities?: readonly Identity[]
  /** XEP-0128 forms of the host. */
  readonly info?: readonly Element[]
  readonly iq?: readonly IqHandler[]
  readonly hooks?: readonly AnyHook[]
  readonly events?: Partial<Events>
  readonly streamFeatures?: readonly StreamFeature[]
  readonly bindFeatures?: readonly BindFeature[]
  /** What a client hears of its account in the step that binds it, asked for or not: goes into `<bound/>` (XEP-0386 §3.2). */
  readonly bound?: (session: Session) => Element | undefined | Promise<Element | undefined>
  /** For the command line and for ad-hoc commands; later also for HTTP. */
  readonly commands?: readonly AnyCommand[]
  readonly branches?: readonly DiscoBranch[]
  /** Domains of their own that the module answers for. */
  readonly hosts?: readonly ServiceHost[]
  readonly portable?: readonly Portable[]
  readonly provides?: readonly Service[]
  stop?(): void | Promise<void>
}

export interface Module<O> {
  /** What a sysadmin writes in the configuration. */
  readonly name: string
  readonly summary: string
  readonly xeps: readonly Xep[]
  /** Names of modules without which it does not run; they are set up before it. */
  readonly requires?: readonly string[]
  /** Off unless switched on; default true is on. */
  readonly enabled?: boolean
  readonly options: Schema<O>
  /** Domains of their own at which it answers on the host of `domain`: certificates and DNS should know them. */
  serviceDomains?(domain: string, options: O): readonly string[]
  setup(host: Host, options: O): Contribution | Promise<Contribution>
}

export function defineModule<O>(module: Module<O>): Module<O> {
  return module
}

/** A module whose option type is its own business. */
// oxlint-disable-next-line typescript/no-explicit-any -- the options go from its schema to its setup unseen
export type AnyModule = Module<any>
