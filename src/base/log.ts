/** The log: one line per event on standard output, JSON or short text, its level changeable while running. */
import { pino } from 'pino'
import { pause, realClock } from './clock.js'
import type { Clock } from './clock.js'

export const levels = ['error', 'warn', 'info', 'debug', 'trace'] as const
export type Level = (typeof levels)[number]

/** What a line may say besides its event. Never a password, a key, a body or a whole stanza. */
export interface LogFields {
  readonly host?: string
  /** The stream or connection, by its id. */
  readonly conn?: string
  /** An account's bare JID. */
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
}

/** Milliseconds that a slow reader gets for what is left at the end. */
const lastWords = 1000

/** Where finished lines go. */
export interface Sink {
  write(line: string): unknown
}

/** The log of a process, with the handle to change it. */
export interface RootLog extends Log {
  apply(settings: LogSettings): void
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
  const state: LogState = { settings, threshold: levels.indexOf(settings.level) }
  const lines = pino(
    {
      level: 'trace',
      base: null,
      timestamp: () => `,"ts":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {
        ip: (ip: unknown) => (state.settings.addresses === 'masked' ? maskAddress(ip) : ip),
        error: describe,
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
  /** Index into `levels`; shared by all children, so that one change reaches all. */
  threshold: number
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
    if (this.state.threshold >= 1) this.lines.warn({ event, ...fields }, msg)
  }
  info(event: string, fields?: LogFields, msg?: string): void {
    if (this.state.threshold >= 2) this.lines.info({ event, ...fields }, msg)
  }
  debug(event: string, fields?: LogFields, msg?: string): void {
    if (this.state.threshold >= 3) this.lines.debug({ event, ...fields }, msg)
  }
  trace(event: string, fields?: LogFields, msg?: string): void {
    if (this.state.threshold >= 4) this.lines.trace({ event, ...fields }, msg)
  }

  writes(level: Level): boolean {
    return this.state.threshold >= levels.indexOf(level)
  }
  child(fields: LogFields): Log {
    return new PinoLog(this.lines.child(fields), this.state)
  }
  apply(settings: LogSettings): void {
    this.state.settings = settings
    this.state.threshold = levels.indexOf(settings.level)
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
