/** What tests of the command line share: a terminal without a person, and a server without sockets. */
import { createLog } from '../../../src/base/log.js'
import { HandClock } from '../../../src/base/clock.js'
import { CountingRandom } from '../../../src/base/random.js'
import type { Terminal } from '../../../src/base/terminal.js'
import type { AccountKeeper, AdminServices, SessionFacts } from '../../../src/admin/commands.js'
import type { CtlEnvironment } from '../../../src/admin/ctl.js'
import { Metrics } from '../../../src/base/metrics.js'
import { explain } from '../../../src/config/files.js'
import type { FileAccess } from '../../../src/config/files.js'
import { BlockList } from '../../../src/s2s/blocks.js'
import type { Federation, LinkFacts, ProbeStep } from '../../../src/s2s/facts.js'
import type { AccountKeys } from '../../../src/storage/accounts.js'
import { StanzaError } from '../../../src/stanza/errors.js'
import { Jid } from '../../../src/stanza/jid.js'
import { memoryStores } from '../../../src/storage/memory.js'

/** Answers questions from a list; keeps what was said. */
export class FakeTerminal implements Terminal {
  readonly said: string[] = []
  readonly complaints: string[] = []
  readonly questions: string[] = []
  constructor(
    readonly answers?: string[],
    readonly piped = '',
  ) {}

  get interactive(): boolean {
    return this.answers !== undefined
  }
  out(text: string): void {
    this.said.push(text)
  }
  error(text: string): void {
    this.complaints.push(text)
  }
  ask(question: string, hidden = false): Promise<string | undefined> {
    this.questions.push(hidden ? `${question}(hidden)` : question)
    return Promise.resolve(this.answers?.shift())
  }
  input(): Promise<string> {
    return Promise.resolve(this.piped)
  }
}

export function inMemory(files: Record<string, string>): FileAccess {
  const access: FileAccess = {
    folder: '/home/ana',
    uid: 10001,
    read(file) {
      const text = files[file]
      if (text === undefined) throw Object.assign(new Error('no'), { code: 'ENOENT' })
      return text
    },
    list: () => [],
    stat: (file) => (file in files ? { mode: 0o600, uid: 0 } : undefined),
    explain: (file, error) => explain(access, file, error),
  }
  return access
}

export function environment(
  change: Omit<Partial<CtlEnvironment>, 'terminal'> & { terminal: FakeTerminal },
): CtlEnvironment {
  return {
    env: {},
    files: inMemory({}),
    clock: new HandClock(),
    random: new CountingRandom(),
    version: '1.2.3',
    parley: 'parley',
    modules: () => Promise.resolve([]),
    interfaces: () => [],
    start: () => Promise.resolve(0),
    streams: { open: () => noFile(), write: async (text) => void change.terminal.said.push(text) },
    ...change,
  }
}

async function* noFile(): AsyncIterable<Buffer> {
  yield* []
  throw Object.assign(new Error('no'), { code: 'ENOENT' })
}

/** A password every test may use; the keys carry it, so that one can see what arrived. */
export const keysFor = (password: string): AccountKeys => ({
  'SHA-256': {
    salt: Buffer.from('salt'),
    iterations: 4096,
    storedKey: Buffer.from(password),
    serverKey: Buffer.from('server'),
  },
})

/** Links that one may fill, and a probe that takes the steps it is given. */
export class FakeFederation implements Federation {
  readonly all: LinkFacts[] = []
  readonly done: string[] = []
  steps: ProbeStep[] = []

  links(): readonly LinkFacts[] {
    return this.all
  }
  retry(remote: string): number {
    this.done.push(`retry ${remote}`)
    return this.all.filter((link) => link.remote === remote && link.state === 'waiting').length
  }
  flush(remote: string): number {
    this.done.push(`flush ${remote}`)
    const waiting = this.all.filter((link) => link.remote === remote)
    return waiting.reduce((sum, { queue }) => sum + queue.stanzas, 0)
  }
  drop(remote: string, reason: string): number {
    this.done.push(`drop ${remote}: ${reason}`)
    return this.all.filter((link) => link.remote === remote).length
  }
  probe(local: string, remote: string, onStep: (step: ProbeStep) => void): Promise<boolean> {
    this.done.push(`probe ${local} ${remote}`)
    for (const step of this.steps) onStep(step)
    return Promise.resolve(this.steps.every(({ ok }) => ok))
  }
}

/** Services on the memory stores; sessions are a list one may fill. */
export async function fakeServices(change: Partial<AdminServices> = {}) {
  const clock = new HandClock()
  const sessions: SessionFacts[] = []
  const ended: string[] = []
  const federation = new FakeFederation()
  const { accounts, tokens, blocks: store } = memoryStores()
  const blocks = await BlockList.open({ store, clock, metrics: new Metrics() })
  const derive = (password: string) => {
    if (password === 'forbidden') throw new StanzaError('not-acceptable', 'this is no password')
    return keysFor(password)
  }
  const keeper = (domain: string): AccountKeeper => ({
    contacts: async () => [],
    portable: () => [],
    async importAccount(local, keys, at = clock.now()) {
      const made = await accounts.create(domain, local, keys, at)
      if (made !== 'exists') return { account: made, isNew: true }
      return { account: (await accounts.get(domain, local))!, isNew: false }
    },
    lastLogin: async () => undefined,
    lastSeen: async () => undefined,
    createAccount: async (local, password) => accounts.create(domain, local, derive(password), clock.now()),
    setPassword: async ({ id }, password) => accounts.setKeys(id, derive(password)),
    async removeAccount({ id, local }, beforeEnding) {
      await accounts.remove(id)
      beforeEnding?.()
      services.sessions.end(Jid.of(local, domain), 'The account was removed')
    },
  })
  const services: AdminServices = {
    version: '1.2.3',
    clock,
    startedAt: clock.now(),
    domains: ['example.org', 'chat.example'],
    accounts,
    tokens,
    sessions: {
      list: (account) =>
        sessions.filter(({ jid }) => account === undefined || jid.startsWith(`${account.bare.toString()}/`)),
      end(jid, reason) {
        const before = sessions.length
        const named = (full: string) =>
          jid.isBare ? full.startsWith(`${jid.toString()}/`) : full === jid.toString()
        const left = sessions.filter((session) => !named(session.jid))
        sessions.splice(0, before, ...left)
        ended.push(`${jid.toString()}: ${reason}`)
        return before - left.length
      },
    },
    keeper,
    moduleCommands: () => [],
    blocks,
    federation,
    components: () => [],
    isOverridden: () => false,
    ping: () => Promise.resolve('answered'),
    log: createLog(
      { level: 'info', format: 'json', addresses: 'full', users: 'full' },
      { write: () => undefined },
      clock,
    ),
    announce: () => Promise.resolve(0),
    end: async (how, after) => void ended.push(`${how} ${after}`),
    reload: () => Promise.resolve({ changes: [], notes: [] }),
    certificates: () => [],
    readiness: () => ({ ready: true, reasons: [] }),
    ...change,
  }
  return { services, sessions, ended, clock, federation }
}
