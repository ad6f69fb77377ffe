/** Parley as a process of its own: started from the built program, watched through its output, spoken to by signals and its command line. */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { realClock } from '../../../src/base/clock.js'
import { hasEnded } from '../../../src/storage/postmaster.js'

/** Of the checkout these tests were built in. */
export const top = join(dirname(fileURLToPath(import.meta.url)), '../../../..')

export interface Launch {
  /** The working directory; `data/` in it is where the server keeps everything unless told otherwise. */
  readonly folder: string
  /** `listen.c2s=…`: over what `anyPorts` says. */
  readonly set?: readonly string[]
  readonly config?: string
  readonly env?: Readonly<Record<string, string>>
  readonly uid?: number
  /** Another checkout than this one. */
  readonly checkout?: string
}

/** What a process has said and how it ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly error: string
}

/** Milliseconds after which nothing that is waited for will come any more. */
export const patience = 60_000

const anyPorts = ['c2s', 'c2s_tls', 's2s', 's2s_tls', 'management'].map((key) => `listen.${key}=127.0.0.1:0`)

/** A folder of its own under the system's temporary one; only its owner may enter. */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'parley-process-'))
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) }
}

/** A running server. */
export class Parley {
  readonly folder: string
  readonly data: string
  readonly child: ChildProcess
  /** Resolves when the process has ended and all it said is here. */
  readonly ended: Promise<Ended>
  out = ''
  error = ''
  readonly #launch: Launch
  readonly #watching = new Set<() => void>()
  #over: Ended | undefined

  /** Starts a server and waits until it says that it is ready. Rejects with what it said when it ends before. */
  static async start(launch: Launch): Promise<Parley> {
    const server = new Parley(launch)
    await server.says(/^ {2}Stop: .*\n/m)
    return server
  }

  /** A start that nobody waits for. */
  constructor(launch: Launch) {
    this.#launch = launch
    this.folder = launch.folder
    this.data = join(launch.folder, 'data')
    this.child = spawnParley(
      ['start', ...settingsOf({ ...launch, set: [...anyPorts, ...(launch.set ?? [])] })],
      launch,
    )
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => this.#heard('out', text))
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => this.#heard('error', text))
    this.ended = once(this.child, 'close').then((how) => {
      const [code, signal] = how as [number | null, NodeJS.Signals | null]
      this.#over = { code, signal, out: this.out, error: this.error }
      for (const look of this.#watching) look()
      return this.#over
    })
  }

  get pid(): number {
    return this.child.pid!
  }

  /** The process id of its embedded PostgreSQL. */
  async postgres(): Promise<number> {
    return Number.parseInt(await readFile(join(this.data, 'postgres/postmaster.pid'), 'utf8'), 10)
  }

  /** The port it told for one kind of listener. */
  port(kind: 'STARTTLS' | 'TLS at once' | 'no TLS' | 'HTTP', of: 'clients' | 'servers' = 'clients'): number {
    const lines = this.error.split('\n')
    const from = of === 'clients' ? 0 : lines.findIndex((each) => each.startsWith('  servers '))
    const line = lines.slice(from).find((each) => each.includes(`(${kind}`))
    const port = Number(/:(\d+) \(/.exec(line ?? '')?.[1])
    if (!port) throw new Error(`no port for ${kind} in:\n${this.error}`)
    return port
  }

  /** The certificate it printed for a domain: what a careful client is told to trust. */
  certificate(domain = 'localhost'): { file: string; pem: string } {
    const file = new RegExp(` ${domain}: (\\S+\\.(?:crt|pem)) \\(`).exec(this.error)?.[1]
    if (!file) throw new Error(`no certificate of ${domain} in:\n${this.error}`)
    return { file, pem: readFileSync(file, 'utf8') }
  }

  /** Waits until the output (both streams, from `since` on) matches. Rejects when the process ends without. */
  async says(what: RegExp, since = 0): Promise<void> {
    await this.becomes(() => what.test(`${this.out}\n${this.error}`.slice(since)), String(what))
  }

  /** Waits until the standard output has a line of the log with this event that was not there before `since`. */
  async logs(event: string, since = 0): Promise<Record<string, unknown>> {
    const find = () =>
      this.out
        .slice(since)
        .split('\n')
        .find((line) => line.includes(`"event":"${event}"`) && line.endsWith('}'))
    await this.becomes(() => find() !== undefined, event)
    return JSON.parse(find()!) as Record<string, unknown>
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }

  /** SIGTERM, and all that is to be said of its end. */
  async stop(): Promise<Ended> {
    this.signal('SIGTERM')
    return this.ended
  }

  /** kill -9 of the server alone; its PostgreSQL goes on until the next start finds it. */
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.ended
  }

  /** Runs the command line against this server. */
  cli(words: readonly string[], input = ''): Promise<Ended> {
    return run([...words, ...settingsOf(this.#launch)], this.#launch, input)
  }

  /** Runs a command that must succeed, and gives what it printed as JSON. */
  async json(...words: string[]): Promise<unknown> {
    const { code, out, error } = await this.cli([...words, '--json'])
    if (code !== 0) throw new Error(`parley ${words.join(' ')}: exit code ${code}\n${error}`)
    return JSON.parse(out)
  }

  /** Adds a user whose password is its name. */
  async add(account: string): Promise<void> {
    const { code, error } = await this.cli(
      ['user', 'add', account, '--password-file', '-'],
      passwordOf(account),
    )
    if (code !== 0) throw new Error(`user add ${account}: exit code ${code}\n${error}`)
  }

  async becomes(is: () => boolean, what: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (why?: string) => {
        this.#watching.delete(look)
        deadline.cancel()
        if (why === undefined) resolve()
        else reject(new Error(`${why} before ${what}:\n${this.out}\n${this.error}`))
      }
      const look = () => {
        if (is()) settle()
        else if (this.#over) settle(`ended (${this.#over.code ?? this.#over.signal})`)
      }
      const deadline = realClock.after(patience, () => settle(`${patience / 1000} s`))
      this.#watching.add(look)
      look()
    })
  }

  #heard(stream: 'out' | 'error', text: string): void {
    this[stream] += text
    for (const look of this.#watching) look()
  }
}

/** What tests give their accounts as passwords. */
export function passwordOf(account: string): string {
  return `pencil of ${account.split('@')[0]}`
}

/** Runs `parley` with words and input to its end. */
export async function run(words: readonly string[], launch: Launch, input = ''): Promise<Ended> {
  const child = spawnParley(words, launch)
  let [out, error] = ['', '']
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (error += text))
  child.stdin!.on('error', () => {}).end(input)
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, out, error }
}

/**
 * A start that cannot be: checks what is the same for every one, and gives the message with the folder's name as HOME.
 * `alone`: nothing else runs in the folder, so nothing may run there afterwards.
 */
export async function refused(launch: Launch, alone = true): Promise<string> {
  const set = [...anyPorts, ...(launch.set ?? [])]
  const { code, signal, out, error } = await run(['start', ...settingsOf({ ...launch, set })], launch)
  assert.deepEqual([code, signal], [1, null], `${out}\n${error}`)
  assert.doesNotMatch(error, /^ {4}at |\bError:|PARLEY_DEBUG/m)
  assert.doesNotMatch(out, /"level":"(error|fatal)"/)
  if (alone) assert.deepEqual(await leftIn(launch.folder), [])
  return error.trimEnd().replaceAll(launch.folder, 'HOME')
}

/** Processes whose working directory is in `folder`: what a server has left behind. */
export async function leftIn(folder: string): Promise<number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const cwd = await readlink(`/proc/${name}/cwd`).catch(() => '')
    if (cwd.startsWith(folder) && !(await hasEnded(Number(name)))) found.push(Number(name))
  }
  return found
}

function settingsOf({ config, set = [] }: Pick<Launch, 'config' | 'set'>): string[] {
  return [...(config === undefined ? [] : ['--config', config]), ...set.flatMap((each) => ['--set', each])]
}

function spawnParley(words: readonly string[], { folder, env, uid, checkout = top }: Launch): ChildProcess {
  return spawn(process.execPath, [join(checkout, 'dist/src/main.js'), ...words], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
}
