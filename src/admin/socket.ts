/** The control socket: one JSON request a line in, one JSON answer a line out, files in pieces between them, over a Unix socket only its owner may open. */
import { chmodSync, closeSync, lstatSync, openSync, unlinkSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { dirname, basename, relative } from 'node:path'
import type { Clock } from '../base/clock.js'
import type { Log } from '../base/log.js'
import { CommandError } from '../host/command.js'
import type { AnyCommand, FilesOfCaller } from '../host/command.js'
import type { CommandAnswer, CommandRequest } from '../host/desk.js'
import { answerTo } from './answer.js'

/** A socket that cannot be listened on; one line and its fix. */
export class SocketError extends Error {
  constructor(
    message: string,
    readonly fix: string,
  ) {
    super(message)
  }
}

/** Nobody listens on the socket. */
export class NotRunning extends Error {}

const maxLine = 1024 * 1024
const maxConnections = 32
const idleMs = 60_000

/** Serves `commands`, as they are at each request, on the Unix socket `path`. Rejects with `SocketError`; a socket left by a dead server is replaced. */
export async function serveCommands(settings: {
  path: string
  commands: () => readonly AnyCommand[]
  log: Log
  clock: Clock
}): Promise<{ close(): Promise<void> }> {
  const { path } = settings
  await removeStale(path)
  const short = shortened(path)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    converse(socket, settings)
  })
  server.maxConnections = maxConnections
  try {
    await listening(server, short.path)
    chmodSync(path, 0o600)
  } catch (error) {
    server.close()
    short.release()
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message
    throw new SocketError(
      `cannot listen on the control socket ${path}: ${reason}`,
      'make its folder writable, or set listen.admin_socket',
    )
  }
  return {
    async close() {
      for (const socket of sockets) socket.end()
      await new Promise<void>((closed) => {
        server.close(() => closed())
        // Who does not let go of an ended connection is cut off.
        settings.clock.after(1000, () => sockets.forEach((socket) => socket.destroy()))
      })
      short.release()
    },
  }
}

/**
 * Sends one request and waits for its answer, serving the server's wishes meanwhile. Rejects with `NotRunning` when
 * nobody listens, or nothing comes for `patience`.
 */
export async function askServer(
  path: string,
  request: CommandRequest,
  patience: { clock: Clock; ms: number },
  files?: FilesOfCaller,
): Promise<CommandAnswer> {
  const short = shortened(path)
  const socket = connect(short.path)
  let late = false
  const timer = patience.clock.after(patience.ms, () => {
    late = true
    socket.destroy()
  })
  const shelf = new Shelf(files)
  try {
    socket.write(`${JSON.stringify(request)}\n`)
    for await (const line of linesOf(socket, Infinity)) {
      timer.refresh()
      const said = JSON.parse(line) as CommandAnswer | Wish
      if ('ok' in said) return said
      const reply = await shelf.grant(said)
      if (reply) await written(socket, reply)
    }
    throw new Error('closed')
  } catch (error) {
    if (error instanceof CommandError) throw error
    if (late) throw new NotRunning(`the server did not answer within ${patience.ms / 1000} s (${path})`)
    if ((error as Error).message === 'closed')
      throw new NotRunning(`the server closed the connection without an answer (${path})`)
    throw new NotRunning(whyNot(path, error as NodeJS.ErrnoException))
  } finally {
    timer.cancel()
    await shelf.close()
    socket.destroy()
    short.release()
  }
}

/** What the server wants before it answers: a piece of a file, or something written. */
type Wish = { readonly read: string; readonly id: number } | { readonly write: string }
/** A piece of a file, in base64; or its end, or why it cannot be read. */
type Granted =
  | { readonly piece: string }
  | { readonly end: true }
  | { readonly problem: string; readonly hint?: string }

/** The files that the server reads, each by the number it gave to it. */
class Shelf {
  readonly #open = new Map<number, AsyncIterator<Buffer>>()
  readonly #files: FilesOfCaller | undefined

  constructor(files: FilesOfCaller | undefined) {
    this.#files = files
  }

  async grant(wish: Wish): Promise<Granted | undefined> {
    if (!this.#files) return { problem: 'there are no files here' }
    if ('write' in wish) {
      await this.#files.write(wish.write)
      return undefined
    }
    const file = this.#open.get(wish.id) ?? this.#files.read(wish.read)[Symbol.asyncIterator]()
    this.#open.set(wish.id, file)
    try {
      const next = await file.next()
      return next.done ? { end: true } : { piece: next.value.toString('base64') }
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      return { problem: error.message, ...(error.hint ? { hint: error.hint } : {}) }
    }
  }

  async close(): Promise<void> {
    for (const file of this.#open.values()) await file.return?.()
  }
}

/** Resolves when the other side has room for more. */
function written(socket: Socket, value: unknown): Promise<void> {
  return new Promise((ready) => {
    if (socket.write(`${JSON.stringify(value)}\n`) || socket.destroyed) return ready()
    const go = () => {
      socket.off('drain', go).off('close', go)
      ready()
    }
    socket.on('drain', go).on('close', go)
  })
}

/** Throws `TooLong` past so many characters without an end of line. */
async function* linesOf(socket: Socket, max: number): AsyncGenerator<string, void> {
  socket.setEncoding('utf8')
  let text = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    if (text.length > max || lines.some((line) => line.length > max)) throw new TooLong()
    yield* lines
  }
}

class TooLong extends Error {}

function whyNot(path: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'EACCES') return `may not open ${path}: run this as the user the server runs as`
  return `no server is running here (${error.code === 'ENOENT' ? 'no' : 'nobody answers on'} ${path})`
}

/** One request; the connection ends with its answer. */
function converse(
  socket: Socket,
  { commands, log, clock }: { commands: () => readonly AnyCommand[]; log: Log; clock: Clock },
): void {
  const timer = clock.after(idleMs, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.once('close', () => timer.cancel())
  const lines = linesOf(socket, maxLine)
  const answered = async () => {
    const first = await lines.next()
    if (first.done) return
    timer.cancel()
    const answer = await answerLine(first.value, commands(), log, filesOver(socket, lines))
    socket.end(`${JSON.stringify(answer)}\n`)
  }
  // Who floods, or goes away in the middle, is owed no answer.
  answered().catch(() => socket.destroy())
}

/** The files of who asks. A file that is not read to its end is forgotten with the connection. */
function filesOver(socket: Socket, lines: AsyncGenerator<string, void>): FilesOfCaller {
  let files = 0
  return {
    async *read(file) {
      const id = ++files
      for (;;) {
        await written(socket, { read: file, id })
        const line = await lines.next()
        if (line.done) throw new CommandError('the command line has gone away')
        const granted = JSON.parse(line.value) as Granted
        if ('problem' in granted) throw new CommandError(granted.problem, granted.hint)
        if ('end' in granted) return
        yield Buffer.from(granted.piece, 'base64')
      }
    },
    async write(text) {
      if (socket.destroyed) throw new CommandError('the command line has gone away')
      await written(socket, { write: text })
    },
  }
}

async function answerLine(
  line: string,
  commands: readonly AnyCommand[],
  log: Log,
  files: FilesOfCaller,
): Promise<CommandAnswer> {
  let request: Partial<CommandRequest> | null
  try {
    request = JSON.parse(line) as Partial<CommandRequest> | null
  } catch {
    return { ok: false, kind: 'usage', message: 'the request is not JSON' }
  }
  // Who may open the socket may do everything.
  return answerTo(request ?? {}, { by: 'local socket', role: 'admin', files }, commands, log)
}

/** A socket file whose server is gone is removed; one that answers, or something else of that name, is an error. */
async function removeStale(path: string): Promise<void> {
  let isSocket: boolean
  try {
    isSocket = lstatSync(path).isSocket()
  } catch {
    return
  }
  if (!isSocket)
    throw new SocketError(
      `${path} is in the way of the control socket`,
      'move it, or set listen.admin_socket',
    )
  if (await answers(path))
    throw new SocketError(
      `another server is running on this data folder (it answers on ${path})`,
      'stop it first, or give this one its own data_dir',
    )
  unlinkSync(path)
}

function answers(path: string): Promise<boolean> {
  const short = shortened(path)
  return new Promise((told) => {
    const socket = connect(short.path)
    const tell = (alive: boolean) => {
      socket.destroy()
      short.release()
      told(alive)
    }
    socket.once('connect', () => tell(true))
    socket.once('error', () => tell(false))
  })
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((ready, failed) => {
    server.once('error', failed)
    server.listen(path, () => {
      server.off('error', failed)
      ready()
    })
  })
}

/** A name for a socket that fits into the 104 bytes the system leaves for it: as it is, relative, or by its open folder. */
function shortened(path: string): { path: string; release(): void } {
  const near = relative('', path)
  if (fits(path)) return { path, release() {} }
  if (fits(near)) return { path: near, release() {} }
  try {
    const folder = openSync(dirname(path), 'r')
    const name = `/proc/self/fd/${folder}/${basename(path)}`
    lstatSync(`/proc/self/fd/${folder}`)
    if (fits(name)) return { path: name, release: () => closeSync(folder) }
    closeSync(folder)
  } catch {
    // No such folder, or no /proc.
  }
  throw new SocketError(
    `the path of the control socket is too long: ${path}`,
    'set listen.admin_socket to a shorter one',
  )
}

const fits = (name: string) => Buffer.byteLength(name) < 104
