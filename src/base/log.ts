/** The log: one line per event on standard output, JSON or short text, its level changeable while running. */
import { createHmac } from 'node:crypto'
import { pino } from 'pino'
import { pause, realClock } from './clock.js'
import type { Clock, Timer } from './clock.js'
import { systemRandom } from './random.js'

export const levels = ['error', 'warn', 'info', 'debug', 'trace'] as const
export type Level = (typeof levels)[number]

/** What a line may say besides its event. Never a password, a key, a body or a whole stanza. */
export interface LogFields {
  readonly host?: string
  /** The stream or connection, by its id. */
  readonly conn?: string
  /** An account's bare JID; a hash of it when the log says so. */
  readonly user?: string
  /** The other side's address; masked when the log says so. */
  readonly ip?: string
  /** The other server's domain. */
  readonly peer?: string
  readonly mech?: string
  readonly reason?: string
  readonly dur_ms?: number
  /** An exception of ours: logged with its stack. */
  readonly error?: unknown
  readonly [field: string]: unknown
}

/** Writes events: stable dotted names such as `c2s.auth.failed`, then fields, then words for people. */
export interface Log {
  error(event: string, fields?: LogFields, msg?: string): void
  warn(event: string, fields?: LogFields, msg?: string): void
  info(event: string, fields?: LogFields, msg?: string): void
  debug(event: string, fields?: LogFields, msg?: string): void
  trace(event: string, fields?: LogFields, msg?: string): void
  /** Whether a line of this level would be written: ask before making costly fields. */
  writes(level: Level): boolean
  /** A log whose lines all carry `fields`; it follows level changes of its parent. */
  child(fields: LogFields): Log
}

/** What an admin may change while running. */
export interface LogSettings {
  readonly level: Level
  readonly format: 'json' | 'text'
  /** `masked` keeps the network of an address (IPv4 /24, IPv6 /48) and drops the rest. */
  readonly addresses: 'full' | 'masked'
  /** `hashed` names accounts by a hash that needs the server's secret. */
  readonly users: 'full' | 'hashed'
}

/** The first words of events: what a level can be set for. */
export const components = [
  'account', 'admin', 'archive', 'avatar', 'bookmarks', 'c2s', 'component', 'config', 'connection', 'data-dir', 'database',
  'displayed', 'last-activity', 'listen', 'module', 'offline', 'pep', 'presence', 'process', 'push', 'report', 'request', 'rooms', 'roster',
  'route', 's2s', 'server', 'session', 'stanza', 'start', 'stream', 'tls',
] as const // prettier-ignore

/** A component, or `all` that have none of their own. */
export type Focus = (typeof components)[number] | 'all'

/** What holds for a while instead of the level of the settings. */
export interface FocusFacts {
  readonly component: string
  readonly level: Level
  /** Milliseconds since 1970. */
  readonly until: number
}

/** The handle for the admin. */
export interface LogControl {
  readonly level: Level
  /** Sets the level of one component, or of all others, for `ms` milliseconds; then it is that of the settings again. */
  focus(on: string, level: Level, ms: number): void
  readonly focuses: readonly FocusFacts[]
  /** Back to the settings at once. */
  unfocus(): void
  /** How lines name this account when they do not name it in full. */
  hashOf(user: string): string
}

/** Milliseconds that a slow reader gets for what is left at the end. */
const lastWords = 1000

/** Where finished lines go. */
export interface Sink {
  write(line: string): unknown
}

/** The log of a process, with the handle to change it. */
export interface RootLog extends Log, LogControl {
  apply(settings: LogSettings): void
  /** The secret of the hashes from here on; before, it is one of this process. */
  pepper(secret: Buffer): void
}

/** Standard output, buffered up to 4 MiB (then lines are dropped) and never blocking; `end` before the process ends. */
export function standardOutput(): Sink & { end(): Promise<void> } {
  const out = pino.destination({ dest: 1, sync: false, maxLength: 4 * 1024 * 1024 })
  let gone = false
  // A reader that went away must not end the server; and what it was to get must not be tried again for ever at the end.
  out.on('error', () => {
    gone = true
    out.destroy()
  })
  return {
    write: (line) => gone || out.write(line),
    // Not flushSync: it tries again for ever on a terminal that was closed.
    end: () => Promise.race([closed(out), pause(realClock, lastWords)]),
  }
}

function closed(out: ReturnType<typeof pino.destination>): Promise<void> {
  return new Promise((ended) => {
    out.once('error', () => ended())
    out.once('close', ended)
    out.end()
  })
}

export function createLog(settings: LogSettings, sink: Sink, clock: Clock): RootLog {
  const state: LogState = {
    settings,
    clock,
    threshold: levels.indexOf(settings.level),
    focuses: new Map(),
    pepper: systemRandom.bytes(32),
  }
  const user = (name: unknown) => (state.settings.users === 'hashed' ? hashOf(state.pepper, name) : name)
  const lines = pino(
    {
      level: 'trace',
      base: null,
      timestamp: () => `,"ts":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {
        ip: (ip: unknown) => (state.settings.addresses === 'masked' ? maskAddress(ip) : ip),
        error: describe,
        user,
        account: user,
        jid: user,
        // Of a command of the admin.
        args: (args: unknown) => withNames(args, user),
      },
      redact: { paths: secretFields, censor: '********' },
    },
    { write: (line) => sink.write(state.settings.format === 'text' ? asTextLine(line) : line) },
  )
  return new PinoLog(lines, state)
}

/** Takes everything and writes nothing. */
export const silentLog: Log = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  trace() {},
  writes: () => false,
  child: () => silentLog,
}

interface LogState {
  settings: LogSettings
  readonly clock: Clock
  /** Index into `levels`; shared by all children, so that one change reaches all. */
  threshold: number
  readonly focuses: Map<string, FocusFacts & { readonly timer: Timer }>
  pepper: Buffer
}

const people = ['user', 'account', 'jid']

function withNames(args: unknown, user: (name: unknown) => unknown): unknown {
  if (typeof args !== 'object' || args === null) return args
  const entries = Object.entries(args).map(([key, value]) => [
    key,
    people.includes(key) ? user(value) : value,
  ])
  return Object.fromEntries(entries)
}

function hashOf(pepper: Buffer, name: unknown): unknown {
  if (typeof name !== 'string') return name
  const [bare = ''] = name.split('/')
  return createHmac('sha256', pepper).update(bare).digest('hex').slice(0, 16)
}

const secretFields = ['password', 'secret', 'token', '*.password', '*.secret', '*.token']

class PinoLog implements RootLog {
  constructor(
    readonly lines: pino.Logger,
    readonly state: LogState,
  ) {}

  error(event: string, fields?: LogFields, msg?: string): void {
    this.lines.error({ event, ...fields }, msg)
  }
  warn(event: string, fields?: LogFields, msg?: string): void {
    if (this.#reaches(1, event)) this.lines.warn({ event, ...fields }, msg)
  }
  info(event: string, fields?: LogFields, msg?: string): void {
    if (this.#reaches(2, event)) this.lines.info({ event, ...fields }, msg)
  }
  debug(event: string, fields?: LogFields, msg?: string): void {
    if (this.#reaches(3, event)) this.lines.debug({ event, ...fields }, msg)
  }
  trace(event: string, fields?: LogFields, msg?: string): void {
    if (this.#reaches(4, event)) this.lines.trace({ event, ...fields }, msg)
  }

  writes(level: Level): boolean {
    const wanted = levels.indexOf(level)
    if (this.state.threshold >= wanted) return true
    for (const focus of this.state.focuses.values()) if (levels.indexOf(focus.level) >= wanted) return true
    return false
  }
  child(fields: LogFields): Log {
    return new PinoLog(this.lines.child(fields), this.state)
  }

  apply(settings: LogSettings): void {
    this.state.settings = settings
    this.state.threshold = levels.indexOf(settings.level)
  }
  pepper(secret: Buffer): void {
    this.state.pepper = secret
  }
  get level(): Level {
    return this.state.settings.level
  }
  focus(component: string, level: Level, ms: number): void {
    const { focuses, clock } = this.state
    focuses.get(component)?.timer.cancel()
    const timer = clock.after(ms, () => focuses.delete(component))
    focuses.set(component, { component, level, until: clock.now() + ms, timer })
  }
  get focuses(): readonly FocusFacts[] {
    return [...this.state.focuses.values()].map(({ component, level, until }) => ({
      component,
      level,
      until,
    }))
  }
  unfocus(): void {
    for (const { timer } of this.state.focuses.values()) timer.cancel()
    this.state.focuses.clear()
  }
  hashOf(user: string): string {
    return String(hashOf(this.state.pepper, user))
  }

  #reaches(level: number, event: string): boolean {
    const { threshold, focuses } = this.state
    if (focuses.size === 0) return threshold >= level
    const [component = ''] = event.split('.', 1)
    const focus = focuses.get(component) ?? focuses.get('all')
    return (focus ? levels.indexOf(focus.level) : threshold) >= level
  }
}

/** 192.0.2.77 becomes 192.0.2.0, 2001:db8:1:2::7 becomes 2001:db8:1::. */
export function maskAddress(ip: unknown): unknown {
  if (typeof ip !== 'string') return ip
  const mapped = ip.replace(/^::ffff:(?=\d+\.)/i, '')
  if (mapped.includes('.')) return mapped.replace(/\.\d+$/, '.0')
  const [head = ''] = mapped.split('::')
  return `${head.split(':').slice(0, 3).join(':')}::`
}

function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  return {
    type: error.name,
    message: error.message,
    stack: error.stack,
    ...(cause === undefined ? {} : { cause: describe(cause) }),
  }
}

/** `13:40:02.123 info  c2s.auth.failed  host=example.org ip=192.0.2.7  wrong password` */
function asTextLine(json: string): string {
  const { ts, level, event, msg, error, ...rest } = JSON.parse(json) as Record<string, unknown>
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${asWord(value)}`)
  const head = [String(ts).slice(11, 23), String(level).padEnd(5), asWord(event)].join(' ')
  const parts = [head, fields.join(' '), msg === undefined ? '' : printable(asWhole(msg))].filter(
    (part) => part !== '',
  )
  return `${parts.join('  ')}\n${error === undefined ? '' : asStack(error)}`
}

function asStack(error: unknown): string {
  const { stack, message } = error as { stack?: string; message?: string }
  return `${(stack ?? message ?? asWhole(error))
    .split('\n')
    .map((line) => `    ${printable(line.trim())}`)
    .join('\n')}\n`
}

const asWhole = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
const asWord = (value: unknown) =>
  typeof value === 'string' && /^[\w.:@/[\]+%*,-]+$/.test(value) ? value : (JSON.stringify(value) ?? '')

/** Peers choose some of the words: no control characters on the admin's terminal. */
const printable = (text: string) =>
  text.replaceAll(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
