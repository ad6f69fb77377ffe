#!/usr/bin/env node
/** The process: arguments, signals, exit codes. Everything else is built in server.ts and spoken to in admin/. */
import { createReadStream, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { basename, dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ctl } from './admin/ctl.js'
import { realClock } from './base/clock.js'
import { createLog, standardOutput } from './base/log.js'
import type { Log, LogSettings } from './base/log.js'
import { Metrics } from './base/metrics.js'
import { systemRandom } from './base/random.js'
import { processTerminal, terminalLoss } from './base/terminal.js'
import { fileAccess } from './config/files.js'
import { loadConfig } from './config/load.js'
import type { ConfigSource, LoadedConfig } from './config/load.js'
import { ConfigError, printProblems } from './config/problems.js'
import { takeUp } from './config/reload.js'
import type { ServerConfig } from './config/server.js'
import { printReload } from './config/settings.js'
import type { ReloadReport } from './config/settings.js'
import type { RunningServer } from './start.js'

/** A drain that takes longer is given up. */
const stopMs = 30_000
/** One Ctrl-C under npm arrives several times: from the terminal, and passed on by npm. Milliseconds. */
const echoMs = 500

const terminal = processTerminal()
const { env } = process
const debug = env['PARLEY_DEBUG'] !== undefined && env['PARLEY_DEBUG'] !== ''
const version = versionOf()
const parley = commandName()

// What the server writes (data, keys, its socket) is nobody else's business.
process.umask(0o077)

try {
  process.exitCode = await ctl(process.argv.slice(2), {
    terminal,
    env,
    files: fileAccess(process.cwd(), process.getuid?.()),
    clock: realClock,
    random: systemRandom,
    version,
    parley,
    modules: async () => (await import('./modules/index.js')).modules,
    interfaces: () =>
      Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
    start,
    streams: {
      open: (file) => (file === '-' ? process.stdin : createReadStream(file)),
      write: (text) => new Promise((written) => void process.stdout.write(text, () => written())),
    },
  })
} catch (error) {
  giveUp(error)
}

/** Runs a server until a signal ends it. */
async function start(source: ConfigSource): Promise<number> {
  let running: LoadedConfig
  try {
    running = loadConfig(source)
  } catch (error) {
    return giveUp(error)
  }
  if (running.warnings.length > 0) terminal.error(printProblems(running.warnings))
  const output = standardOutput()
  const log = createLog(logSettings(running.config), output, realClock)
  const metrics = new Metrics({ node: true })
  const { startServer } = await import('./start.js')

  let reloads: Promise<unknown> = Promise.resolve()
  const reload = (): Promise<ReloadReport> => {
    const turn = reloads.then(async () => {
      const { next, changes } = takeUp(running, loadAgain(source))
      const notes = await server.reload(next.config)
      running = next
      log.apply(logSettings(next.config))
      log.info('config.reloaded', { changed: changes.map(({ name }) => name) })
      return { changes, notes }
    })
    reloads = turn.catch(() => {})
    return turn
  }

  const unwanted = new AbortController()
  const isTerminalLost = terminalLoss()
  const ending = endOf(log, metrics, unwanted, isTerminalLost)
  let server: RunningServer
  process.on('SIGHUP', () => {
    if (isTerminalLost()) return
    reload().then(
      (report) => terminal.error(printReload(report)),
      (error: unknown) => {
        log.error('config.rejected', { reason: messageOf(error) })
        terminal.error(messageOf(error))
      },
    )
  })

  for (;;) {
    let leave: (how: 'stop' | 'restart') => void = () => {}
    const asked = new Promise<'stop' | 'restart'>((resolve) => (leave = resolve))
    server = await startServer({
      config: running.config,
      log,
      metrics,
      clock: realClock,
      random: systemRandom,
      version,
      parley,
      signal: unwanted.signal,
      reload,
      mayStart: () => void loadAgain(source),
      end: leave,
    }).catch(async (error: unknown) => {
      await output.end()
      // A start that was called off by a signal has not failed.
      if (unwanted.signal.aborted) process.exit((await ending).code)
      throw error
    })
    // The banner is for people: where the log is for machines, it must not come between its lines.
    if (logSettings(running.config).format === 'text') terminal.out(server.banner)
    else terminal.error(server.banner)

    const wanted = asked.then((how) => ({ reason: `an admin: ${how}`, code: 0, again: how === 'restart' }))
    const signalled = ending.then((end) => ({ ...end, again: false }))
    const { reason, code, again } = await Promise.race([wanted, signalled])
    const stopped = await stop(server, log, reason)
    if (!again || !stopped) {
      await output.end()
      // Whatever still holds the event loop (a half-closed socket, a timer of a library) has had its time.
      process.exit(stopped ? code : 1)
    }
    running = loadConfig(source)
    log.apply(logSettings(running.config))
  }
}

/** Tells whether it stopped in time and without a fault. */
async function stop(server: RunningServer, log: Log, reason: string): Promise<boolean> {
  log.info('server.stopping', { reason })
  const stopped = await Promise.race([
    server.stop().then(
      () => true,
      (error: unknown) => {
        log.error('server.stop.failed', { error })
        return false
      },
    ),
    new Promise<false>((late) => realClock.after(stopMs, () => late(false))),
  ])
  log.info('server.stopped', { clean: stopped })
  return stopped
}

/**
 * Resolves when the server has to end: a signal, a closed terminal, or an exception nobody caught. A second signal, when it is no echo of
 * the first, ends the process at once.
 */
function endOf(
  log: Log,
  metrics: Metrics,
  unwanted: AbortController,
  isTerminalLost: () => boolean,
): Promise<{ reason: string; code: number }> {
  return new Promise((ended) => {
    let ending: number | undefined
    const end = (reason: string, code: number) => {
      ending = realClock.now()
      unwanted.abort()
      ended({ reason, code })
    }
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.on(signal, () => {
        if (ending === undefined) end(signal, 0)
        else if (realClock.now() - ending > echoMs) process.exit(1)
      })
    process.on('SIGHUP', () => {
      if (isTerminalLost() && ending === undefined) end('the terminal was closed', 0)
    })
    const faults = metrics.counter('uncaught_total', 'Faults that nobody caught; the first ends the server')
    const uncaught = (error: unknown) => {
      faults.add()
      log.error('process.uncaught', { error })
      if (ending === undefined) end('uncaught exception', 1)
    }
    process.on('uncaughtException', uncaught)
    process.on('unhandledRejection', uncaught)
  })
}

/** The configuration, read anew while a server runs on the old one. */
function loadAgain(source: ConfigSource): LoadedConfig {
  try {
    return loadConfig(source)
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(error.problems, 'the running configuration stays')
    throw error
  }
}

/** One clear line with its fix and exit code 1; the stack only for those who ask for it. */
function giveUp(error: unknown): never {
  terminal.error(debug && error instanceof Error ? String(error.stack) : messageOf(error))
  process.exit(1)
}

function messageOf(error: unknown): string {
  if (error instanceof ConfigError) return error.message
  const { message, fix, cause } = error as Error & { fix?: string }
  if (fix !== undefined) return told(message, fix)
  const { path } = error as NodeJS.ErrnoException
  // What the system said may stand behind what we made of it.
  const { code, address, port } = (cause instanceof Error ? cause : error) as NodeJS.ErrnoException & {
    address?: string
    port?: number
  }
  const place = `${address?.includes(':') ? `[${address}]` : address}:${port}`
  if (code === 'EADDRINUSE')
    return told(
      `cannot listen on ${place}: another program does already`,
      `stop it (ss -ltnp 'sport = :${port}' names it), or choose another port under [listen]`,
    )
  if (code === 'EADDRNOTAVAIL')
    return told(
      `cannot listen on ${place}: this machine does not have that address`,
      'correct it under [listen]; "[::]" means every address',
    )
  if (code === 'EACCES' && port !== undefined)
    return told(
      `cannot listen on ${place}: not allowed`,
      'use a port above 1023, or give the process the right to bind low ones (CAP_NET_BIND_SERVICE)',
    )
  if ((code === 'ENOTDIR' || code === 'EEXIST') && path !== undefined)
    return told(`cannot make the folder ${path}: something else has that name`, 'move it, or set data_dir')
  if ((code === 'EACCES' || code === 'EPERM' || code === 'EROFS') && path !== undefined)
    return told(
      `cannot write ${path}: not allowed`,
      `make it writable for user ${process.getuid?.() ?? ''}, or set data_dir`,
    )
  if (code === 'ENOSPC') return told('the disk is full', 'make room in the data folder')
  // An error of our own says what to do; any other is a mistake of ours.
  const ours = !['Error', 'TypeError', 'RangeError', 'ReferenceError'].includes(
    (error as Error).constructor.name,
  )
  return told(
    message || String(error),
    ours || debug ? undefined : 'PARLEY_DEBUG=1 in the environment shows where this comes from',
  )
}

function told(message: string, fix: string | undefined): string {
  return `parley: ${message}${fix ? `\n   fix  ${fix}` : ''}`
}

function logSettings({ log }: ServerConfig): LogSettings {
  const format = log.format === 'auto' ? (process.stdout.isTTY ? 'text' : 'json') : log.format
  return { ...log, format }
}

function versionOf(): string {
  const top = join(dirname(fileURLToPath(import.meta.url)), '../..')
  return (JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { version: string }).version
}

/** What to type for this program: its name when it is on the path, npx inside a checkout, else node and the file. */
function commandName(): string {
  const script = process.argv[1] ?? ''
  if (basename(script) === 'parley') return 'parley'
  const near = relative(process.cwd(), script)
  if (near === join('dist', 'src', 'main.js')) return 'npx parley'
  return near.startsWith(`..${sep}`) ? `node ${script}` : `node ${near}`
}
