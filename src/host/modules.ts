/** Loads modules in order of need and compiles what they contribute; a reload builds new tables and swaps them. */
import { tablesOf, type Contributed, type Host, type Tables } from './host.js'
import type { AnyModule } from './module.js'

/** Which modules run on a host, with their checked options. */
export interface Chosen {
  readonly module: AnyModule
  readonly options: unknown
}

/** Modules that are set up and not in use yet. */
export interface Prepared {
  /** Puts them in the place of those that run, at once; resolves when those have stopped. */
  take(): Promise<void>
  /** Stops them: they are not wanted after all. */
  drop(): Promise<void>
}

export class Modules {
  readonly #host: Host
  #running: readonly Contributed[] = []

  constructor(host: Host) {
    this.#host = host
  }

  /**
   * Sets all of them up, swaps the host's tables, and stops what ran before in reverse order of need.
   * One that needs another which is not among them is left out, with a warning.
   * @throws Error that names both when two need each other, and what a set-up throws; then the old tables stay
   */
  async load(chosen: readonly Chosen[]): Promise<void> {
    const prepared = await this.prepare(chosen)
    await prepared.take()
  }

  /**
   * Sets all of them up beside those that run.
   * @throws as `load`; then what was set up is stopped again
   */
  async prepare(chosen: readonly Chosen[]): Promise<Prepared> {
    const host = this.#host
    const { tables } = host
    const parts: Contributed[] = []
    try {
      for (const { module, options } of inOrderOfNeed(this.#withTheirNeeds(chosen))) {
        parts.push({ name: module.name, contribution: await module.setup(host, options) })
        host.tables = merged(tables, this.#tables(parts))
      }
      const next = this.#tables(parts)
      return {
        take: () => this.#take(parts, next),
        drop: () => stopAll(parts),
      }
    } catch (error) {
      await stopAll(parts)
      throw error
    } finally {
      host.tables = tables
    }
  }

  /** The swap is done when this returns its promise. */
  async #take(parts: readonly Contributed[], tables: Tables): Promise<void> {
    const before = this.#running
    this.#host.tables = tables
    this.#running = parts
    await stopAll(before)
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = []
    await stopAll(running)
  }

  /** Those whose needs are met: what is switched off takes along what cannot be without it. */
  #withTheirNeeds(chosen: readonly Chosen[]): readonly Chosen[] {
    const names = new Set(chosen.map(({ module }) => module.name))
    const lacks = ({ module }: Chosen) => module.requires?.find((name) => !names.has(name))
    const left = chosen.filter((one) => lacks(one) === undefined)
    if (left.length === chosen.length) return chosen
    for (const one of chosen) {
      const needs = lacks(one)
      if (needs !== undefined) this.#host.log.warn('module.left-out', { module: one.module.name, needs })
    }
    return this.#withTheirNeeds(left)
  }

  #tables(parts: readonly Contributed[]): Tables {
    return tablesOf(parts, (owner, phase, error) =>
      this.#host.log.error('module.crashed', { module: owner, phase, error }),
    )
  }
}

/** While modules are being set up only services of those before are new: everything else stays as it was. */
function merged(before: Tables, next: Tables): Tables {
  return { ...before, services: new Map([...before.services, ...next.services]) }
}

async function stopAll(parts: readonly Contributed[]): Promise<void> {
  for (const { contribution } of [...parts].reverse()) await contribution.stop?.()
}

/** What a module requires comes before it; otherwise by name. */
function inOrderOfNeed(chosen: readonly Chosen[]): readonly Chosen[] {
  const byName = new Map(
    [...chosen].sort((a, b) => (a.module.name < b.module.name ? -1 : 1)).map((c) => [c.module.name, c]),
  )
  const ordered: Chosen[] = []
  const state = new Map<string, 'open' | 'done'>()
  const visit = (name: string, neededBy: string | undefined): void => {
    if (state.get(name) === 'done') return
    const one = byName.get(name)!
    if (state.get(name) === 'open') throw new Error(`module ${neededBy} and module ${name} need each other`)
    state.set(name, 'open')
    for (const need of one.module.requires ?? []) visit(need, name)
    state.set(name, 'done')
    ordered.push(one)
  }
  for (const name of byName.keys()) visit(name, undefined)
  return ordered
}
