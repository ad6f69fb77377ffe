/** What the conductor knows of a server under load, and how a server's process is started and ended. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import type { Crowd, Hash } from './accounts.js'
import type { LoadName } from './job.js'
import { openTls } from './client.js'
import { sleep } from './job.js'
import { tree } from './meter.js'

export interface Setup {
  /** An empty directory of its own. */
  readonly directory: string
  /** PEM files for all `domains`. */
  readonly certificate: string
  readonly key: string
  readonly domains: readonly Domain[]
  /** In each of the domains. */
  readonly accounts: readonly Crowd[]
  /** What is said is kept for both sides (XEP-0313). */
  readonly archive: boolean
  /** A service of rooms at `conference.` of each domain: anybody may make any number of any size. */
  readonly rooms: boolean
  /** Streams of other servers are taken on this port, and theirs found by the name server on that one of 127.0.0.1. */
  readonly federation?: { readonly port: number; readonly nameServer: number } | undefined
}

/** `hash` is that of the SCRAM keys which its accounts have: some servers keep one kind each. */
export interface Domain {
  readonly name: string
  readonly hash: Hash
}

export interface Running {
  readonly port: number
  readonly processes: readonly number[]
  readonly metrics?: string
  stop(): Promise<void>
}

export interface Server {
  readonly name: string
  readonly framing: 'xmpp' | 'lines'
  /** The version, or undefined when the server is not installed. */
  version(): string | undefined
  /** Loads that make no sense for it are left out. */
  does(load: LoadName): boolean
  start(setup: Setup): Promise<Running>
}

const sha1: Domain = { name: 'bench.localhost', hash: 'sha1' }
const sha256: Domain = { name: 'sha256.localhost', hash: 'sha256' }
/** Of a server that is alone. */
export const ownDomains = [sha1, sha256] as const
/** Of two servers that speak with each other. Not below localhost, which some resolvers answer for themselves. */
export const pairDomains = {
  near: { name: 'near.example', hash: 'sha1' },
  far: { name: 'far.example', hash: 'sha1' },
} as const satisfies Record<string, Domain>

/** Domains whose name servers never answer. */
export const inventedDomains = Array.from({ length: 300 }, (_, index) => `d${index}.invented.example`)

export function domainOf(load: LoadName): string {
  if (load === 's2s' || load === 'flood') return pairDomains.near.name
  return (load === 'login-sha256' ? sha256 : sha1).name
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/** Starts a command that stays in the foreground; its output goes to `log`. */
export function launch(
  command: string,
  args: readonly string[],
  log: string,
  env: NodeJS.ProcessEnv = {},
): ChildProcess {
  const output = openSync(log, 'a')
  return spawn(command, args, { stdio: ['ignore', output, output], env: { ...process.env, ...env } })
}

const startDeadline = 60_000

/** Waits until the port speaks TLS; ends the process and throws when it does not come to that. */
export async function ready(
  child: ChildProcess,
  port: number,
  { domains }: Setup,
  log: string,
): Promise<void> {
  const deadline = performance.now() + startDeadline
  const domain = domains[0]?.name ?? ''
  while (child.exitCode === null && performance.now() < deadline) {
    try {
      ;(await openTls(port, domain)).destroy()
      return
    } catch {
      await sleep(100)
    }
  }
  await end(child)
  throw new Error(`${child.spawnfile} did not start: ${readFileSync(log, 'utf8').slice(-2000)}`)
}

/** Ends a process and all below it that remain after ten seconds. */
export async function end(child: ChildProcess): Promise<void> {
  const all = tree([child.pid ?? 0])
  child.kill('SIGTERM')
  for (let i = 0; i < 100 && child.exitCode === null && child.signalCode === null; i++) await sleep(100)
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL')
    for (const { id, name } of tree(all.map(({ id }) => id))) {
      if (name !== 'postgres') process.kill(id, 'SIGKILL')
    }
  }
}

/** The first line that a command prints, or undefined when there is no such command. */
export function firstLine(command: string, ...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' })
  return status === 0 ? stdout.split('\n')[0]?.trim() : undefined
}
