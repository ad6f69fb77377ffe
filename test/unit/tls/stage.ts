/** What the tests of the TLS layer share: a folder, a log that can be asked, connections to a listener. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import type { TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { HandClock } from '../../../src/base/clock.js'
import { silentLog } from '../../../src/base/log.js'
import type { Log, LogFields } from '../../../src/base/log.js'
import { Metrics } from '../../../src/base/metrics.js'
import { systemRandom } from '../../../src/base/random.js'
import { Admission } from '../../../src/tls/admission.js'
import type { AdmissionLimits } from '../../../src/tls/admission.js'
import { Certificates } from '../../../src/tls/certificates.js'
import type { CertificateSource } from '../../../src/tls/certificates.js'
import { Listener } from '../../../src/tls/listener.js'
import type { ListenerKind, ListenerOptions } from '../../../src/tls/listener.js'
import type { TcpTransport } from '../../../src/tls/tcp-transport.js'

export class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), 'parley-tls-'))
  readonly clock = new HandClock(Date.now())
  readonly metrics = new Metrics()
  /** `event: message` of every line. */
  readonly lines: string[] = []
  #waiting: { pattern: RegExp; found: () => void }[] = []
  readonly #closers: (() => void)[] = []

  constructor(context: TestContext) {
    context.after(() => {
      for (const close of this.#closers.toReversed()) close()
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  readonly log: Log = {
    ...silentLog,
    error: (event, fields, msg) => this.#line(event, fields, msg),
    warn: (event, fields, msg) => this.#line(event, fields, msg),
    info: (event, fields, msg) => this.#line(event, fields, msg),
  }

  /** Resolves when a line matches. */
  logged(pattern: RegExp): Promise<void> {
    return new Promise((found) => {
      if (this.lines.some((line) => pattern.test(line))) found()
      else this.#waiting.push({ pattern, found })
    })
  }

  file(name: string, ...texts: string[]): string {
    const path = join(this.folder, name)
    writeFileSync(path, texts.join(''))
    return path
  }

  async certificates(...sources: CertificateSource[]): Promise<Certificates> {
    const opened = await Certificates.open(sources, {
      dataDirectory: this.folder,
      clock: this.clock,
      random: systemRandom,
      log: this.log,
      metrics: this.metrics,
    })
    this.#closers.push(() => opened.close())
    return opened
  }

  async listen(
    kind: ListenerKind,
    certificates: Certificates | undefined,
    onConnection: (transport: TcpTransport) => void,
    change: Partial<ListenerOptions> & { limits?: AdmissionLimits } = {},
  ): Promise<Listener> {
    const listener = await Listener.open({
      kind,
      address: { host: '127.0.0.1', port: 0 },
      certificates,
      admission: new Admission(this.clock, change.limits),
      clock: this.clock,
      log: this.log,
      metrics: this.metrics,
      onConnection,
      ...change,
    })
    this.#closers.push(() => listener.close())
    return listener
  }

  /** A plain connection to a port; ends with the test. */
  tcp(port: number): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connectTcp({ host: '127.0.0.1', port }, () => resolve(socket))
      socket.on('error', reject)
      this.#closers.push(() => socket.destroy())
    })
  }

  /** A TLS connection over a port or over a connection that is there. Takes any certificate unless `ca` is given. */
  tls(to: number | Socket, options: ConnectionOptions = {}): Promise<TLSSocket> {
    const where = typeof to === 'number' ? { host: '127.0.0.1', port: to } : { socket: to }
    return new Promise((resolve, reject) => {
      const checked = options.ca !== undefined
      const socket = connectTls({ ...where, rejectUnauthorized: checked, ...options }, () => resolve(socket))
      socket.on('error', reject)
      this.#closers.push(() => socket.destroy())
    })
  }

  #line(event: string, _fields: LogFields | undefined, msg = ''): void {
    const line = `${event}: ${msg}`
    this.lines.push(line)
    const found = this.#waiting.filter(({ pattern }) => pattern.test(line))
    this.#waiting = this.#waiting.filter((one) => !found.includes(one))
    for (const one of found) one.found()
  }
}

/** Reads until the text contains `end`; rejects when the connection closes before. */
export function readUntil(socket: Socket, end: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const onData = (chunk: Buffer) => {
      text += chunk.toString()
      if (!text.includes(end)) return
      socket.off('data', onData)
      resolve(text)
    }
    socket.on('data', onData)
    socket.once('close', () => reject(new Error(`closed after ${JSON.stringify(text)}`)))
  })
}

export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve()
    else socket.once('close', () => resolve())
    socket.on('error', () => {})
    socket.resume()
  })
}

export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  const made = {} as { promise: Promise<T>; resolve: (value: T) => void }
  made.promise = new Promise<T>((resolve) => {
    made.resolve = resolve
  })
  return made
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The first bytes of a client that asks for this name. */
export function helloOf(servername: string): Buffer {
  let hello: Buffer = Buffer.alloc(0)
  const pipe = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      hello = Buffer.concat([hello, chunk])
      done()
    },
  })
  connectTls({ socket: pipe, servername }).on('error', () => {})
  return hello
}
