/** Command lines, with and without a server behind a socket. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { AdminServices } from '../../../src/admin/commands.js'
import { ctl } from '../../../src/admin/ctl.js'
import type { CtlEnvironment } from '../../../src/admin/ctl.js'
import { serveCommands } from '../../../src/admin/socket.js'
import { commandTable } from '../../../src/admin/table.js'
import { silentLog } from '../../../src/base/log.js'
import { environment, FakeTerminal, fakeServices } from './stage.js'

export type Change = Omit<Partial<CtlEnvironment>, 'terminal'>

/** For sockets. */
export const folder = mkdtempSync(join(tmpdir(), 'parley-ctl-'))
after(() => rmSync(folder, { recursive: true }))
let count = 0

/** Runs one command line; words are parted by single spaces. */
export async function parley(line: string, terminal = new FakeTerminal(), change: Change = {}) {
  const code = await ctl(line === '' ? [] : line.split(' '), environment({ terminal, ...change }))
  return {
    code,
    out: terminal.said.join('\n'),
    error: terminal.complaints.join('\n'),
    questions: terminal.questions,
  }
}

/** A server without streams; `parley` here speaks to it. Closed when the tests of the file are over, or before. */
export async function serving(change: Partial<AdminServices> = {}) {
  const server = await fakeServices(change)
  const path = join(folder, `${++count}.sock`)
  const listener = await serveCommands({
    path,
    commands: commandTable(() => server.services),
    log: silentLog,
    clock: server.clock,
  })
  let closed: Promise<void> | undefined
  const close = () => (closed ??= listener.close())
  after(close)
  return {
    ...server,
    close,
    parley: (line: string, terminal?: FakeTerminal, more?: Change) =>
      parley(`--socket ${path} ${line}`, terminal, more),
  }
}
