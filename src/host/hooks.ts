/** Gates, phases, and the walk through a gate: how a stanza meets the extensions. */
import type { Host } from './host.js'
import type { Session } from '../session/session.js'
import { StanzaError } from '../stanza/errors.js'
import type { Kind, Stanza } from '../stanza/stanza.js'

/** Guard may refuse and changes nothing; stamp may replace; store remembers; copy sends others. */
export type Phase = 'guard' | 'stamp' | 'store' | 'copy'
const PHASES: readonly Phase[] = ['guard', 'stamp', 'store', 'copy']

/** Whoever brought a stanza and counts it (XEP-0198 §4): it counts only when all that was pledged for it is kept. */
export interface Bringer {
  pledge(pledge: Promise<unknown>): void
}

export interface Gates {
  /** A local session sent it; nothing has happened yet. */
  sent: { readonly host: Host; readonly session: Session }
  /** It reached a local account; no resource is chosen yet. */
  received: Arrival
  /** No resource could take it. */
  undelivered: { readonly host: Host }
  /** About to be written to this resource. Synchronous hooks only. */
  outbound: { readonly host: Host; readonly session: Session }
}

/** A stanza at the gate `received`. */
export interface Arrival {
  readonly host: Host
  /** Nobody brings what the server says itself. */
  readonly bringer: Bringer | undefined
  /** Who will get it by RFC 6121 §8.5; nobody for now when no resource takes it, undefined when it comes back or is dropped. */
  recipients(stanza: Stanza): readonly Session[] | undefined
  /** Set in phase copy: sessions that have got it in another way. A recipient that ends without it leaves it to them. */
  copied: readonly Session[] | undefined
}

/** A hook's word for: stop, I took it. */
export const handled: unique symbol = Symbol('handled')

/** A hook's word for: stop, it has served its purpose and is not kept. */
export const unkept: unique symbol = Symbol('unkept')

/** A hook's word for: stop, and its sender hears nothing of that. */
export const silenced: unique symbol = Symbol('silenced')

/**
 * Nothing: go on. A stanza: go on with this one. An error: bounce. handled: stop, I took it. unkept, silenced: stop, it
 * goes no further.
 */
export type Verdict = void | undefined | Outcome
export type Outcome = Stanza | Stop
type Stop = StanzaError | typeof handled | typeof unkept | typeof silenced
export type Run<At> = (stanza: Stanza, at: At) => Verdict | Promise<Verdict>

export interface Hook<G extends keyof Gates = keyof Gates> {
  readonly gate: G
  readonly phase: Phase
  readonly kinds: readonly Kind[]
  readonly run: Run<Gates[G]>
}

/** A hook of whichever gate. */
export type AnyHook = { [G in keyof Gates]: Hook<G> }[keyof Gates]

export function hook<G extends keyof Gates>(
  gate: G,
  phase: Phase,
  kinds: readonly Kind[],
  run: Run<Gates[G]>,
): Hook<G> {
  return { gate, phase, kinds, run }
}

/** A hook as it stands at its gate. */
export interface Standing<At> {
  readonly run: Run<At>
  /** What becomes of the stanza when it crashes. */
  readonly crashed: (error: unknown) => Stop | undefined
}

/** Stays synchronous until a hook hands back a promise; only then does it wait. */
export function pass<At>(
  hooks: readonly Standing<At>[],
  stanza: Stanza,
  at: At,
  from = 0,
): Outcome | Promise<Outcome> {
  let i = from
  try {
    for (; i < hooks.length; i++) {
      const verdict = hooks[i]!.run(stanza, at)
      if (verdict === undefined) continue
      if (verdict instanceof Promise) return waited(hooks, verdict, stanza, at, i)
      if (isStop(verdict)) return verdict
      stanza = verdict
    }
  } catch (error) {
    return settle(hooks, hooks[i]!.crashed(error), stanza, at, i + 1)
  }
  return stanza
}

function waited<At>(
  hooks: readonly Standing<At>[],
  verdict: Promise<Verdict>,
  stanza: Stanza,
  at: At,
  i: number,
): Promise<Outcome> {
  return verdict.then(
    (settled) => settle(hooks, settled, stanza, at, i + 1),
    (error: unknown) => settle(hooks, hooks[i]!.crashed(error), stanza, at, i + 1),
  )
}

function settle<At>(
  hooks: readonly Standing<At>[],
  verdict: Verdict,
  stanza: Stanza,
  at: At,
  next: number,
): Outcome | Promise<Outcome> {
  if (verdict === undefined) return pass(hooks, stanza, at, next)
  if (isStop(verdict)) return verdict
  return pass(hooks, verdict, at, next)
}

function isStop(outcome: Outcome): outcome is Stop {
  return typeof outcome === 'symbol' || outcome instanceof StanzaError
}

export type GateTable = {
  readonly [G in keyof Gates]: Readonly<Record<Kind, readonly Standing<Gates[G]>[]>>
}

export interface OwnedHook {
  readonly owner: string
  readonly hook: AnyHook
}

/** What a crashing hook is reported to. */
export type Crash = (owner: string, phase: Phase, error: unknown) => void

/**
 * Compiles hooks into frozen arrays, by phase, then by module name. A crash is reported and the stanza goes on, except
 * in phase guard, where it bounces: a broken filter must not become an open door.
 */
export function compile(hooks: readonly OwnedHook[], crash: Crash): GateTable {
  const table = {} as Record<keyof Gates, Record<Kind, Standing<never>[]>>
  for (const gate of ['sent', 'received', 'undelivered', 'outbound'] as const) {
    const kinds = { message: [], presence: [], iq: [] } as Record<Kind, Standing<never>[]>
    const ordered = hooks
      .filter(({ hook }) => hook.gate === gate)
      .sort(
        (a, b) =>
          PHASES.indexOf(a.hook.phase) - PHASES.indexOf(b.hook.phase) || compareNames(a.owner, b.owner),
      )
    for (const { owner, hook } of ordered) {
      const standing = standingOf(owner, hook, crash) as Standing<never>
      for (const kind of hook.kinds) kinds[kind].push(standing)
    }
    for (const list of Object.values(kinds)) Object.freeze(list)
    table[gate] = Object.freeze(kinds)
  }
  return Object.freeze(table) as unknown as GateTable
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function standingOf(owner: string, { phase, run }: AnyHook, crash: Crash): Standing<never> {
  const crashed = (error: unknown): Stop | undefined => {
    if (error instanceof StanzaError) return error
    crash(owner, phase, error)
    return phase === 'guard' ? new StanzaError('internal-server-error') : undefined
  }
  return { run: run as Run<never>, crashed }
}
