/** One question to DNS servers: over UDP, one server after the other, over TCP what does not fit; the first good answer counts. */
import { createSocket } from 'node:dgram'
import type { Socket as UdpSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { Clock, Timer } from '../base/clock.js'
import type { Random } from '../base/random.js'
import type { Address } from '../base/units.js'
import { encodeQuery, readReply } from './message.js'
import type { Found, Kinds, Query, Reply } from './message.js'
import { DnsError } from './records.js'

export interface InquiryOptions {
  /** In the order to ask them. */
  readonly servers: readonly Address[]
  /** Milliseconds for everything. */
  readonly timeout: number
  readonly clock: Clock
  readonly random: Random
}

export interface Result<T extends keyof Kinds> {
  readonly found: Found<T>
  readonly server: Address
}

/** Each server is asked so often. */
const rounds = 2
/** Messages on one socket that are no answer to its question; after these somebody is guessing, and TCP is used. */
const mostStrays = 16

/**
 * Servers are asked in turn, with an equal part of the time for each; late answers of earlier ones still count. A server
 * that fails is followed by the next at once and not asked again.
 */
export class Inquiry<T extends keyof Kinds> {
  /** Rejects with a `DnsError`. */
  readonly result: Promise<Result<T>>
  readonly #query: Query<T>
  readonly #options: InquiryOptions
  readonly #states: ServerState[]
  readonly #timers: Timer[] = []
  readonly #closers = new Set<() => void>()
  #next = 0
  #turn: Timer | undefined
  #failure: DnsError | undefined
  #settle: { resolve(result: Result<T>): void; reject(error: DnsError): void } | undefined

  constructor(query: Query<T>, options: InquiryOptions) {
    this.#query = query
    this.#options = options
    this.#states = options.servers.map((server) => ({ server, failed: false, overTcp: false, edns: true }))
    this.result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.#timers.push(options.clock.after(options.timeout, () => this.#giveUp()))
    if (this.#states.length === 0)
      this.#end((settle) => settle.reject(this.#error('TIMEOUT', 'no DNS server is known')))
    else this.#takeTurn()
  }

  /** Ends it at once. */
  cancel(): void {
    this.#giveUp('the server is stopping')
  }

  #takeTurn(): void {
    this.#turn?.cancel()
    const turns = rounds * this.#states.length
    while (this.#next < turns) {
      const state = this.#states[this.#next++ % this.#states.length]!
      if (state.failed || state.overTcp) continue
      this.#askOverUdp(state)
      break
    }
    if (this.#next >= turns || this.#settle === undefined) return
    this.#turn = this.#options.clock.after(this.#options.timeout / turns, () => this.#takeTurn())
  }

  #askOverUdp(state: ServerState): void {
    const { host, port } = state.server
    // A socket of its own: a random port besides the random id (RFC 5452 §9.2). Connected, so that the kernel drops
    // what other servers send, and tells when nobody listens there.
    const socket = createSocket(isIPv6(host.split('%')[0]!) ? 'udp6' : 'udp4')
    const close = this.#closing(() => closeUdp(socket))
    const id = this.#id()
    let strays = 0
    socket.on('message', (bytes) => {
      const reply = readReply(bytes, id, this.#query)
      if (reply === undefined && ++strays < mostStrays) return
      close()
      if (reply === undefined || reply.is === 'truncated') this.#askOverTcp(state)
      else this.#take(state, reply)
    })
    const fail = (error: Error) => {
      if (!this.#closers.has(close)) return
      close()
      this.#fail(state, 'TIMEOUT', `${host} port ${port}: ${error.message}`)
    }
    socket.on('error', fail)
    const send = (error?: Error | null) => {
      if (error) fail(error)
      else if (this.#closers.has(close))
        socket.send(encodeQuery(id, this.#query, state.edns), (unsent) => unsent && fail(unsent))
    }
    try {
      socket.connect(port, host, send)
    } catch (error) {
      // A port that is none. Not here and now: the constructor is not done.
      queueMicrotask(() => fail(error as Error))
    }
  }

  #askOverTcp(state: ServerState): void {
    if (state.overTcp || this.#settle === undefined) return
    state.overTcp = true
    const { host, port } = state.server
    const socket = connect({ host, port, noDelay: true })
    const close = this.#closing(() => socket.destroy())
    const id = this.#id()
    let bytes = Buffer.alloc(0)
    const fail = (text: string) => {
      if (!this.#closers.has(close)) return
      close()
      this.#fail(state, 'TIMEOUT', `${host} port ${port}: ${text}`)
    }
    socket.on('error', (error) => fail(error.message))
    socket.on('close', () => fail('closed without an answer over TCP'))
    socket.on('data', (data: Buffer) => {
      // RFC 1035 §4.2.2: two octets of length before the message, which bound what is kept.
      bytes = Buffer.concat([bytes, data])
      if (bytes.length < 2 || bytes.length < 2 + bytes.readUInt16BE()) return
      close()
      const reply = readReply(bytes.subarray(2, 2 + bytes.readUInt16BE()), id, this.#query)
      if (reply === undefined || reply.is === 'truncated')
        this.#fail(state, 'MALFORMED', 'the answer over TCP is none to this question')
      else this.#take(state, reply)
    })
    const query = encodeQuery(id, this.#query, state.edns)
    const length = Buffer.alloc(2)
    length.writeUInt16BE(query.length)
    socket.write(Buffer.concat([length, query]))
  }

  #take(state: ServerState, reply: Exclude<Reply<T>, { is: 'truncated' }>): void {
    if (reply.is === 'failure') this.#fail(state, reply.code, reply.text)
    else if (reply.is !== 'not-understood')
      this.#end((settle) => settle.resolve({ found: reply, server: state.server }))
    else if (!state.edns) this.#fail(state, 'MALFORMED', 'the DNS server does not understand the question')
    else {
      state.edns = false
      state.overTcp = false
      this.#askOverUdp(state)
    }
  }

  #fail(state: ServerState, code: DnsError['code'], text: string): void {
    if (this.#settle === undefined || state.failed) return
    state.failed = true
    // What a server said tells more than that another said nothing.
    if (this.#failure === undefined || this.#failure.code === 'TIMEOUT')
      this.#failure = this.#error(code, text)
    if (this.#states.every(({ failed }) => failed)) this.#giveUp()
    else this.#takeTurn()
  }

  #giveUp(text?: string): void {
    this.#end((settle) => settle.reject(this.#failure ?? this.#error('TIMEOUT', text)))
  }

  #end(how: (settle: { resolve(result: Result<T>): void; reject(error: DnsError): void }) => void): void {
    const settle = this.#settle
    if (settle === undefined) return
    this.#settle = undefined
    this.#turn?.cancel()
    for (const timer of this.#timers) timer.cancel()
    for (const close of this.#closers) close()
    how(settle)
  }

  /** `close`, so that it runs once, at the end at the latest. */
  #closing(close: () => void): () => void {
    const once = () => {
      if (this.#closers.delete(once)) close()
    }
    this.#closers.add(once)
    return once
  }

  #id(): number {
    return this.#options.random.bytes(2).readUInt16BE()
  }

  #error(code: DnsError['code'], text?: string): DnsError {
    return new DnsError(code, this.#query.name, this.#query.type, text === undefined ? {} : { text })
  }
}

interface ServerState {
  readonly server: Address
  failed: boolean
  overTcp: boolean
  /** Whether it understands EDNS (RFC 6891), as far as we know. */
  edns: boolean
}

function closeUdp(socket: UdpSocket): void {
  // Still connecting: what comes of it is nobody's business any more.
  socket
    .removeAllListeners('message')
    .removeAllListeners('error')
    .on('error', () => {})
  socket.close()
}
