/** What the conductor knows of a server under load, and how a server's process is started and ended. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import type { Crowd } from './accounts.js'
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
  readonly accounts: readonly Crowd[]
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

/** The domain whose accounts have SCRAM-SHA-1 keys, and the one for SCRAM-SHA-256: some servers keep one kind each. */
export const domains = { sha1: 'bench.localhost', sha256: 'sha256.localhost' } as const

export function domainOf(load: LoadName): string {
  return load === 'login-sha256' ? domains.sha256 : domains.sha1
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

/** Waits until the port speaks TLS; throws when the process ends before. */
export async function ready(child: ChildProcess, port: number, log: string): Promise<void> {
  const deadline = performance.now() + startDeadline
  for (;;) {
    if (child.exitCode !== null || performance.now() > deadline)
      throw new Error(`${child.spawnfile} did not start: ${readFileSync(log, 'utf8').slice(-2000)}`)
    try {
      ;(await openTls(port, domains.sha1)).destroy()
      return
    } catch {
      await sleep(100)
    }
  }
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
