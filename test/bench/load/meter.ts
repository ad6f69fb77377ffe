/** What a process tree costs, read from /proc: CPU and memory, with PostgreSQL's processes told apart. Linux only. */
import { readFileSync, readdirSync } from 'node:fs'

export interface Cost {
  /** Microseconds of user and system CPU of the server itself. */
  readonly cpu: number
  /** The same of PostgreSQL's processes below it. */
  readonly database: number
}

interface Process {
  readonly id: number
  readonly name: string
  readonly parent: number
  readonly cpu: number
}

/** One clock tick of /proc/PID/stat is 10 ms on every Linux port that Node.js runs on. */
const microsecondsPerTick = 10_000

/** CPU spent so far by these processes and all below them. */
export function costOf(roots: readonly number[]): Cost {
  let cpu = 0
  let database = 0
  for (const process of tree(roots)) {
    if (process.name === 'postgres') database += process.cpu
    else cpu += process.cpu
  }
  return { cpu, database }
}

/** KiB of proportional set size of these processes and all below them, without PostgreSQL's. Needs the same user, or root. */
export function memoryOf(roots: readonly number[]): number {
  let kib = 0
  for (const { id, name } of tree(roots)) {
    if (name === 'postgres') continue
    const rollup = textOf(`/proc/${id}/smaps_rollup`)
    kib += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0)
  }
  return kib
}

/** The processes below and with the roots. */
export function tree(roots: readonly number[]): Process[] {
  const below = new Map<number, Process[]>()
  const byId = new Map<number, Process>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const process = processOf(Number(entry))
    if (!process) continue
    byId.set(process.id, process)
    below.set(process.parent, [...(below.get(process.parent) ?? []), process])
  }
  const found = new Set<Process>()
  const waiting = roots.flatMap((root) => byId.get(root) ?? [])
  for (let process = waiting.pop(); process; process = waiting.pop()) {
    if (found.has(process)) continue
    found.add(process)
    waiting.push(...(below.get(process.id) ?? []))
  }
  return [...found]
}

function processOf(id: number): Process | undefined {
  const stat = textOf(`/proc/${id}/stat`)
  const open = stat.indexOf('(')
  const close = stat.lastIndexOf(')')
  if (open < 0) return undefined
  const fields = stat.slice(close + 2).split(' ')
  const name = stat.slice(open + 1, close)
  // Of its backends some end in between: what they have cost is then told by the process that started them.
  const ended = name === 'postgres' ? Number(fields[13]) + Number(fields[14]) : 0
  const ticks = Number(fields[11]) + Number(fields[12]) + ended
  return {
    id,
    name,
    parent: Number(fields[1]),
    cpu: ticks * microsecondsPerTick,
  }
}

/** A process may end between two looks: nothing is left of it then. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
