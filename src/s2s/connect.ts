/** A TCP connection to one of a domain's servers: their addresses raced as RFC 8305 does, the next server after a failure. */
import { connect, isIP } from 'node:net'
import type { Socket } from 'node:net'
import type { Clock, Timer } from '../base/clock.js'
import { DnsError } from '../dns/records.js'
import type { AddressRecord, Answer, Lookups } from '../dns/records.js'
import type { Target } from './find.js'

/** One try, whatever came of it. */
export interface Attempt {
  readonly target: Target
  /** undefined: the host had none. */
  readonly address: string | undefined
  /**
   * `unresolved`: the host has no address, or DNS did not tell. `cancelled`: another address was faster, or the caller
   * gave up. `unreachable`: the network says so, or this machine has no address of that kind.
   */
  readonly outcome: 'connected' | 'refused' | 'timeout' | 'unreachable' | 'unresolved' | 'cancelled'
  /** Milliseconds from its start. */
  readonly ms: number
  /** What the system or DNS said. */
  readonly text?: string
  /** The name that the host is an alias of, when it is one; RFC 2782 forbids that in SRV records. */
  readonly alias?: string
}

export interface ConnectUsing {
  readonly resolver: Pick<Lookups, 'addresses'>
  readonly clock: Clock
  /** Milliseconds for everything together. */
  readonly timeout: number
  /** Gives up at once. */
  readonly signal?: AbortSignal | undefined
  onAttempt?(attempt: Attempt): void
  /** Starts a connection. Default: TCP by the system. */
  open?(to: { readonly host: string; readonly port: number }): Socket
}

export interface Connected {
  /** Errors on it are swallowed until the caller listens for them too; `close` still comes. */
  readonly socket: Socket
  readonly target: Target
  readonly address: string
  readonly attempts: readonly Attempt[]
}

/** None of the targets could be connected to. */
export class ConnectError extends Error {
  constructor(
    /** `dns`: not one of the hosts had an address. */
    readonly stage: 'dns' | 'tcp',
    /** RFC 6120 §8.3.3.16 and §8.3.3.17: not-found is final, timeout may pass. */
    readonly condition: 'remote-server-not-found' | 'remote-server-timeout',
    readonly attempts: readonly Attempt[],
    text: string,
  ) {
    super(text)
    this.name = 'ConnectError'
  }
}

/** RFC 8305 §8: "Connection Attempt Delay", in milliseconds. */
const stagger = 250
/** The longest that one address is waited for, in milliseconds: the next server may be well. */
const patience = 10_000
/** Addresses of one host that are tried. */
const most = 8

/** Connects to the first target that can be; rejects with a `ConnectError`. No socket but the returned one stays open. */
export async function connectPeer(targets: readonly Target[], using: ConnectUsing): Promise<Connected> {
  const { clock, signal } = using
  const end = clock.now() + using.timeout
  const over = new AbortController()
  const abort = () => over.abort()
  const timer = clock.after(using.timeout, abort)
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()

  const attempts: Attempt[] = []
  const failures: DnsError[] = []
  const record = (attempt: Attempt) => {
    attempts.push(attempt)
    using.onAttempt?.(attempt)
  }
  try {
    for (const [index, target] of targets.entries()) {
      const started = clock.now()
      // Whatever of the time one target does not use is there for the others.
      const share = (end - started) / (targets.length - index)
      const addresses = await addressesOf(target.host, using.resolver, over.signal)
      if (over.signal.aborted) break
      if (addresses instanceof DnsError) {
        failures.push(addresses)
        const ms = clock.now() - started
        record({ target, address: undefined, outcome: 'unresolved', ms, text: addresses.message })
        continue
      }
      const { records, canonical } = addresses
      const alias = canonical === target.host ? {} : { alias: canonical }
      const race = new Race(target, interleaved(records).slice(0, most), {
        clock,
        patience: Math.min(patience, share),
        record: (attempt) => record({ ...attempt, ...alias }),
        open: using.open?.bind(using) ?? ((to) => connect({ ...to, noDelay: true })),
        given: () => (signal?.aborted ? 'cancelled' : 'timeout'),
      })
      const won = await race.run(over.signal)
      if (won) return { ...won, target, attempts }
      if (over.signal.aborted) break
    }
  } finally {
    timer.cancel()
    signal?.removeEventListener('abort', abort)
  }
  throw failed(attempts, failures, signal?.aborted ? 'the attempt was given up' : undefined)
}

/** The addresses of a host, or why there are none; after an abort nothing. */
async function addressesOf(
  host: string,
  resolver: Pick<Lookups, 'addresses'>,
  over: AbortSignal,
): Promise<Pick<Answer<AddressRecord>, 'records' | 'canonical'> | DnsError> {
  const family = isIP(host)
  const literal: AddressRecord[] = family === 0 ? [] : [{ address: host, family: family as 4 | 6 }]
  const known = { records: literal, canonical: host }
  if (family !== 0 || over.aborted) return known
  const listening = new AbortController()
  const stopped = new Promise<typeof known>((resolve) => {
    over.addEventListener('abort', () => resolve(known), { once: true, signal: listening.signal })
  })
  try {
    return await Promise.race([resolver.addresses(host), stopped])
  } catch (error) {
    if (error instanceof DnsError) return error
    throw error
  } finally {
    listening.abort()
  }
}

/** RFC 8305 §4: IPv6 first, then the families in turn. */
function interleaved(records: readonly AddressRecord[]): string[] {
  const six = records.filter(({ family }) => family === 6)
  const four = records.filter(({ family }) => family === 4)
  const pairs = Array.from({ length: Math.max(six.length, four.length) }, (_, i) => [six[i], four[i]])
  return pairs.flat().flatMap((record) => (record ? [record.address] : []))
}

interface Runner {
  readonly socket: Socket
  readonly address: string
  readonly started: number
  readonly limit: Timer
}

/** RFC 8305 §5: the addresses of one target start one after the other, and the first to connect wins. */
class Race {
  readonly #running = new Set<Runner>()
  #next = 0
  #starter: Timer | undefined
  #finish: (won: { socket: Socket; address: string } | undefined) => void = () => {}

  constructor(
    readonly target: Target,
    readonly addresses: readonly string[],
    readonly at: {
      readonly clock: Clock
      /** Milliseconds for one address. */
      readonly patience: number
      record(attempt: Attempt): void
      open(to: { readonly host: string; readonly port: number }): Socket
      /** What to call those that were under way when everything was stopped. */
      given(): Attempt['outcome']
    },
  ) {}

  /** The winner; undefined when all failed or it was stopped. */
  async run(over: AbortSignal): Promise<{ socket: Socket; address: string } | undefined> {
    const stop = () => this.#end(undefined, this.at.given())
    over.addEventListener('abort', stop, { once: true })
    try {
      return await new Promise((resolve) => {
        this.#finish = resolve
        this.#start()
      })
    } finally {
      over.removeEventListener('abort', stop)
    }
  }

  #start(): void {
    this.#starter?.cancel()
    const address = this.addresses[this.#next++]
    if (address === undefined) {
      if (this.#running.size === 0) this.#end(undefined, 'cancelled')
      return
    }
    const { clock } = this.at
    const socket = this.at.open({ host: address, port: this.target.port })
    const limit = clock.after(this.at.patience, () => this.#lose(runner, 'timeout', undefined))
    const runner: Runner = { socket, address, started: clock.now(), limit }
    this.#running.add(runner)
    socket.on('error', (error: NodeJS.ErrnoException) => this.#lose(runner, outcomeOf(error), error.message))
    socket.once('connect', () => this.#win(runner))
    this.#starter = clock.after(stagger, () => this.#start())
  }

  #win(runner: Runner): void {
    if (!this.#leave(runner, 'connected')) return
    this.#end({ socket: runner.socket, address: runner.address }, 'cancelled')
  }

  #lose(runner: Runner, outcome: Attempt['outcome'], text: string | undefined): void {
    if (!this.#leave(runner, outcome, text)) return
    runner.socket.destroy()
    this.#start()
  }

  /** Writes down what became of one; false when that was known already. */
  #leave(runner: Runner, outcome: Attempt['outcome'], text?: string): boolean {
    if (!this.#running.delete(runner)) return false
    runner.limit.cancel()
    const ms = this.at.clock.now() - runner.started
    const { target } = this
    this.at.record({ target, address: runner.address, outcome, ms, ...(text === undefined ? {} : { text }) })
    return true
  }

  #end(won: { socket: Socket; address: string } | undefined, others: Attempt['outcome']): void {
    this.#starter?.cancel()
    this.#next = this.addresses.length
    for (const runner of this.#running) {
      this.#leave(runner, others)
      runner.socket.destroy()
    }
    this.#finish(won)
  }
}

function outcomeOf({ code }: NodeJS.ErrnoException): Attempt['outcome'] {
  if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return 'refused'
  return code === 'ETIMEDOUT' ? 'timeout' : 'unreachable'
}

function failed(
  attempts: readonly Attempt[],
  failures: readonly DnsError[],
  reason: string | undefined,
): ConnectError {
  const tried = attempts.some(({ outcome }) => outcome !== 'unresolved')
  const final = !tried && failures.length > 0 && failures.every(({ temporary }) => !temporary)
  const list = attempts.map(
    ({ target, address, outcome, text }) =>
      (address === undefined
        ? text
        : `${address.includes(':') ? `[${address}]` : address}:${target.port} ${outcome}`) ?? outcome,
  )
  return new ConnectError(
    tried || failures.length === 0 ? 'tcp' : 'dns',
    final ? 'remote-server-not-found' : 'remote-server-timeout',
    attempts,
    [reason, ...list].filter((part) => part !== undefined).join('; ') || 'no answer in time',
  )
}
