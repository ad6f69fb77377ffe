/**
 * The road without sockets: three empty gates, and bytes in to text out for one receiver and for a hundred; with an
 * archive for both sides too, but without its database.
 */
import { login, type Sink } from '../support/sink.js'
import { HandClock } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import { Metrics } from '../../src/base/metrics.js'
import { systemRandom } from '../../src/base/random.js'
import { loadConfig } from '../../src/config/load.js'
import { compile, pass, type GateTable, type Standing } from '../../src/host/hooks.js'
import { modules } from '../../src/modules/index.js'
import { Passwords } from '../../src/sasl/password.js'
import { Server } from '../../src/server.js'
import { Jid } from '../../src/stanza/jid.js'
import { Stanza } from '../../src/stanza/stanza.js'
import { ArchiveIds } from '../../src/storage/archive-ids.js'
import { memoryStores } from '../../src/storage/memory.js'
import { el } from '../../src/xml/element.js'

const domain = 'example.org'
const body = 'The quick brown fox jumps over the lazy dog, as it was asked to. '.repeat(4).slice(0, 200)

passThreeGates()
const stores = memoryStores()
const keys = await new Passwords(systemRandom, { iterations: 4096 }).deriveKeys('pencil')
for (const name of ['sender', 'one', 'many']) await stores.accounts.create(domain, name, keys, 0)
const clock = new HandClock()
let server = await openServer(false)
let sender = await login(server, 'sender', 'desk')
const one = [await login(server, 'one', 'desk')]
const many: Sink[] = []
for (let i = 0; i < 100; i++) many.push(await login(server, 'many', `desk${i}`))
await deliver('one', one, 100_000)
await deliver('many', many, 2000)
await server.stop()
const ids = new ArchiveIds(clock, systemRandom)
const written = Promise.resolve()
stores.archive.add = () => ({ id: ids.next(), again: false, written })
server = await openServer(true)
sender = await login(server, 'sender', 'desk')
await deliver('one', [await login(server, 'one', 'desk')], 100_000, 'archived, ')
await server.stop()

function passThreeGates(): void {
  const gates: GateTable = compile([], () => undefined)
  const from = Jid.of('romeo', domain, 'orchard')
  const envelope = { kind: 'message', from, to: Jid.of('juliet', domain), type: 'chat' } as const
  const stanza = Stanza.of(envelope, el('body', undefined, {}, body))
  const rounds = 5_000_000
  let passed = 0
  const walk = (): void => {
    for (const gate of [gates.sent, gates.received, gates.outbound])
      if (pass(gate.message as readonly Standing<never>[], stanza, undefined as never) === stanza) passed++
  }
  for (let i = 0; i < rounds / 10; i++) walk()
  passed = 0
  const start = process.cpuUsage()
  for (let i = 0; i < rounds; i++) walk()
  report('three empty gates', start, rounds, 'stanza')
  if (passed !== 3 * rounds) throw new Error('a gate kept a stanza')
}

/** Feeds batches of ten messages as bytes and counts what is written to the receivers. */
async function deliver(name: string, receivers: readonly Sink[], messages: number, how = ''): Promise<void> {
  const bytes = Buffer.from(
    Array.from(
      { length: 10 },
      (_, i) => `<message type='chat' to='${name}@${domain}' id='m${i}'><body>${body}</body></message>`,
    ).join(''),
  )
  // In slices, as the loop of the server would get them.
  const feed = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 10) {
      sender.onData(bytes)
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const got = () => receivers.reduce((sum, { texts }) => sum + texts, 0)
  // What is loaded for the first one is there for the others, which nobody waits for.
  await feed(10)
  await new Promise((resolve) => setTimeout(resolve, 100))
  await feed(messages / 10)
  for (const receiver of receivers) receiver.texts = 0
  const start = process.cpuUsage()
  await feed(messages)
  const deliveries = messages * receivers.length
  report(`${how}deliver to ${receivers.length}`, start, deliveries, 'delivery')
  const missing = deliveries - got()
  if (missing !== 0) throw new Error(`${missing} messages of ${deliveries} were not written`)
}

function report(what: string, start: NodeJS.CpuUsage, count: number, unit: string): void {
  const { user, system } = process.cpuUsage(start)
  const microseconds = (user + system) / count
  console.log(`road: ${what}: ${microseconds.toFixed(3)} us of CPU a ${unit}`)
}

async function openServer(archive: boolean): Promise<Server> {
  const limits = ['c2s_rate=off', 'c2s_stanza_rate=off', 'sessions_per_account=1000']
  const set = [
    `domain=${domain}`,
    `modules.archive.enabled=${archive}`,
    ...limits.map((limit) => `limits.${limit}`),
  ]
  const { config } = loadConfig({ modules, env: {}, set })
  const parts = { config, clock, random: systemRandom, log: silentLog, metrics: new Metrics(), stores }
  return Server.create({ ...parts, secret: Buffer.alloc(32), memoryUse: () => 0 })
}
