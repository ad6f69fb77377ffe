/** The control socket: one JSON request a line in, one JSON answer a line out, over a Unix socket only its owner may open. */
import { chmodSync, closeSync, lstatSync, openSync, unlinkSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { dirname, basename, relative } from 'node:path'
import type { Clock } from '../base/clock.js'
import type { Log } from '../base/log.js'
import type { AnyCommand } from '../host/command.js'
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

/** Sends one request and waits for its answer. Rejects with `NotRunning` when nobody listens or the answer never comes. */
export async function askServer(
  path: string,
  request: CommandRequest,
  patience: { clock: Clock; ms: number },
): Promise<CommandAnswer> {
  const short = shortened(path)
  try {
    return await new Promise<CommandAnswer>((answered, failed) => {
      const socket = connect(short.path)
      const timer = patience.clock.after(patience.ms, () => {
        socket.destroy()
        failed(new NotRunning(`the server did not answer within ${patience.ms / 1000} s (${path})`))
      })
      let text = ''
      socket.setEncoding('utf8')
      socket.once('connect', () => socket.write(`${JSON.stringify(request)}\n`))
      socket.on('data', (chunk) => (text += String(chunk)))
      socket.once('error', (error) => failed(new NotRunning(whyNot(path, error))))
      socket.once('close', () => {
        timer.cancel()
        const [line = '', rest] = text.split('\n')
        if (rest === undefined)
          failed(new NotRunning(`the server closed the connection without an answer (${path})`))
        else answered(JSON.parse(line) as CommandAnswer)
      })
    })
  } finally {
    short.release()
  }
}

function whyNot(path: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'EACCES') return `may not open ${path}: run this as the user the server runs as`
  return `no server is running here (${error.code === 'ENOENT' ? 'no' : 'nobody answers on'} ${path})`
}

/** One request at a time; the connection ends with the first answer. */
function converse(
  socket: Socket,
  { commands, log, clock }: { commands: () => readonly AnyCommand[]; log: Log; clock: Clock },
): void {
  const timer = clock.after(idleMs, () => socket.destroy())
  let text = ''
  let asked = false
  socket.setEncoding('utf8')
  socket.on('error', () => socket.destroy())
  socket.once('close', () => timer.cancel())
  socket.on('data', (chunk) => {
    if (asked) return
    text += String(chunk)
    if (text.length > maxLine) {
      socket.destroy()
      return
    }
    const end = text.indexOf('\n')
    if (end < 0) return
    asked = true
    timer.cancel()
    void answerLine(text.slice(0, end), commands(), log).then((answer) =>
      socket.end(`${JSON.stringify(answer)}\n`),
    )
  })
}

async function answerLine(line: string, commands: readonly AnyCommand[], log: Log): Promise<CommandAnswer> {
  let request: Partial<CommandRequest> | null
  try {
    request = JSON.parse(line) as Partial<CommandRequest> | null
  } catch {
    return { ok: false, kind: 'usage', message: 'the request is not JSON' }
  }
  // Who may open the socket may do everything.
  return answerTo(request ?? {}, { by: 'local socket', role: 'admin' }, commands, log)
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
