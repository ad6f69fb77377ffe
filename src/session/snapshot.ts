/** What a parked session was, as text: it goes on after the server was stopped and started again. */
import type { Held, Session, UserAgent } from './session.js'
import { Jid } from '../stanza/jid.js'
import { Stanza } from '../stanza/stanza.js'
import { Acks, nowhere, type AcksOptions } from '../stream/acks.js'

/** JSON each; the second grows with what waits. */
export interface Snapshot {
  readonly state: string
  readonly queue: string
}

interface State {
  readonly jid: string
  readonly mechanism: string
  readonly agent?: UserAgent | undefined
  readonly bind2?: boolean
  readonly since: number
  /** Milliseconds for which it waits each time that it loses its stream. */
  readonly ms: number
  readonly presence: string | undefined
  readonly priority: number
  readonly interested: boolean
  readonly directed: readonly string[]
  /** What its client has acknowledged, and what of its client was handled, modulo 2^32. */
  readonly acknowledged: number
  readonly handled: number
  /** Of the queue, how many were sent; the others have yet to be. */
  readonly sent: number
  readonly slots: Readonly<Record<string, unknown>>
}

interface Item {
  readonly stanza: string
  /** As it was sent, if that was something else. */
  readonly sent?: string | undefined
  readonly original?: string | undefined
  readonly at: number
  /** The others that got it. */
  readonly among?: readonly string[]
}

/** Of a session with `acks` that is `resumable`. */
export function snapshotOf(session: Session): Snapshot {
  const { acks, presence, directed } = session
  const { sent, held } = session.queued
  const state: State = {
    jid: session.jid.toString(),
    mechanism: session.mechanism,
    agent: session.agent,
    bind2: session.bind2,
    since: session.since,
    ms: session.resumable!.ms,
    presence: presence?.toStandaloneXml(),
    priority: session.priority,
    interested: session.interested,
    directed: [...(directed?.values() ?? [])].map(String),
    acknowledged: acks!.acknowledgedCount,
    handled: acks!.handled,
    sent: sent.length,
    slots: session.keptSlots(),
  }
  const queue = [...sent, ...held].map((item) => written(item, session))
  return { state: JSON.stringify(state), queue: JSON.stringify(queue) }
}

/** What a snapshot says of a session, to be made anew. */
export interface Remembered {
  readonly jid: Jid
  readonly mechanism: string
  readonly since: number
  readonly ms: number
  readonly handled: number
  /** What waited and goes other ways, in order: what none of those got that are there. */
  left(isThere: (full: string) => boolean): readonly { readonly stanza: Stanza; readonly at: number }[]
  /** Gives the new session what it had. */
  fill(session: Session, acks: Omit<AcksOptions<Held>, 'stream'>): void
  /** Once all sessions are there that there are. */
  connect(sessions: (full: Jid) => Session | undefined): void
}

/** @throws an error when it cannot be read */
export function remembered({ state: written, queue }: Snapshot): Remembered {
  const state = JSON.parse(written) as State
  const items = (JSON.parse(queue) as Item[]).map(read)
  return {
    jid: Jid.parse(state.jid),
    mechanism: state.mechanism,
    since: state.since,
    ms: state.ms,
    handled: state.handled,
    left: (isThere) =>
      items
        .filter(({ others }) => !others.some(isThere))
        .map(({ held: { stanza, original = stanza, at } }) => ({ stanza: original, at })),
    fill(session, acks) {
      session.agent = state.agent
      session.bind2 = state.bind2 ?? false
      session.presence = state.presence === undefined ? undefined : Stanza.parse(state.presence)
      session.priority = state.priority
      session.interested = state.interested
      if (state.directed.length > 0)
        session.directed = new Map(state.directed.map((address) => [address, Jid.parse(address)]))
      const counts = { sent: state.acknowledged, handled: state.handled }
      session.acks = new Acks({ ...acks, stream: nowhere }, counts)
      const all = items.map(({ held }) => held)
      session.restore(all.slice(0, state.sent), all.slice(state.sent), state.slots)
    },
    connect(sessions) {
      for (const { among, others } of items)
        for (const address of others) {
          const other = sessions(Jid.parse(address))
          if (other) among.push(other)
        }
    },
  }
}

function written({ stanza, sent, at, among, original }: Held, session: Session): Item {
  const others = among.filter((other) => other !== session && other.live).map(({ jid }) => jid.toString())
  return {
    stanza: stanza.toStandaloneXml(),
    sent: sent === stanza ? undefined : sent.toStandaloneXml(),
    original: original?.toStandaloneXml(),
    at,
    ...(others.length > 0 ? { among: others } : {}),
  }
}

function read({ stanza: text, sent, original, at, among: others = [] }: Item) {
  const stanza = Stanza.parse(text)
  const among: Session[] = []
  const held: Held = {
    stanza,
    sent: sent === undefined ? stanza : Stanza.parse(sent),
    among,
    at,
    acknowledged: undefined,
    original: original === undefined ? undefined : Stanza.parse(original),
  }
  return { held, among, others }
}
