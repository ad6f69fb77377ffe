/**
 * A ledger of every message and every answer while the server is killed with -9, the database stands still or dies, and
 * connections are cut: nothing that was answered for is lost, nothing is in an archive twice, order is kept, and a phone
 * that is cut again and again ends with the history of the desktop beside it. PARLEY_CHAOS_KILLS and PARLEY_CHAOS_SECONDS
 * make it longer; PARLEY_CHAOS_OUTAGE is the longest time without a database, in seconds. Runs of more than five minutes:
 * `node dist/test/process/chaos.test.js`.
 */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Client } from './support/client.js'
import { Device } from './support/device.js'
import { Parley, temporaryFolder } from './support/server.js'
import { pause, realClock } from '../../src/base/clock.js'

const kills = Number(process.env['PARLEY_CHAOS_KILLS'] ?? 3)
const seconds = Number(process.env['PARLEY_CHAOS_SECONDS'] ?? 0)
const outage = Number(process.env['PARLEY_CHAOS_OUTAGE'] ?? 2)
const mam = 'urn:xmpp:mam:2'
/** Messages of one sender that are not answered for. */
const window = 20
/** Milliseconds until all is quiet at the end. */
const settling = 60_000

/** One server in one folder, started again after each kill. */
class Place {
  server!: Parley
  /** Resolves when the server can be reached. */
  ready: Promise<void> = Promise.resolve()
  kills = 0
  restarts = 0
  outages = 0
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async start(): Promise<void> {
    this.server = await Parley.start({
      folder: this.#folder,
      set: [
        'auth.mechanisms=["PLAIN"]',
        'auth.iterations=4096',
        'limits.c2s_rate=off',
        'limits.c2s_stanza_rate=off',
        'limits.connection_rate=off',
        'limits.offline_messages=off',
        'limits.sessions_per_account=off',
        'database.statement_timeout=2s',
      ],
    })
  }

  async reach(): Promise<{ port: number; trust: string }> {
    await this.ready
    return { port: this.server.port('TLS at once'), trust: this.server.certificate().pem }
  }

  async kill(): Promise<void> {
    this.kills++
    await this.#ends(() => this.server.kill())
  }

  /** A clean stop. */
  async restart(): Promise<void> {
    this.restarts++
    await this.#ends(async () => assert.equal((await this.server.stop()).code, 0))
  }

  async #ends(end: () => Promise<void>): Promise<void> {
    this.ready = (async () => {
      await end()
      await pause(realClock, randomInt(300))
      await this.start()
    })()
    await this.ready
  }

  /** The database answers nothing for a while. */
  async freeze(ms: number): Promise<void> {
    this.outages++
    const postmaster = await this.server.postgres()
    const all = [postmaster, ...childrenOf(postmaster)]
    for (const pid of all) signal(pid, 'SIGSTOP')
    await pause(realClock, ms)
    for (const pid of all) signal(pid, 'SIGCONT')
  }

  async killDatabase(): Promise<void> {
    this.outages++
    const since = this.server.out.length
    signal(await this.server.postgres(), 'SIGKILL')
    await this.server.logs('database.up', since)
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended meanwhile.
  }
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return (
          pid > 0 &&
          Number(/\nPPid:\t(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) === parent
        )
      } catch {
        return false
      }
    })
}

/** Says messages, numbered for each addressee, as fast as they are answered for. */
class Talker {
  readonly said: { readonly id: string; readonly to: string }[] = []
  #numbers = new Map<string, number>()

  constructor(
    readonly device: Device,
    readonly name: string,
    readonly addressees: readonly string[],
  ) {}

  async talk(goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      if (this.device.unanswered < window) {
        const to = this.addressees[this.said.length % this.addressees.length]!
        const number = this.#numbers.get(to) ?? 0
        this.#numbers.set(to, number + 1)
        const id = `${this.name}>${to.split('@')[0]}#${number}`
        this.said.push({ id, to })
        this.device.message(to, id)
      }
      await pause(realClock, 10)
    }
  }
}

/** The ids of all messages in an archive, in its order. */
async function archiveOf(place: Place, account: string): Promise<string[]> {
  const client = await Client.login({
    ...(await place.reach()),
    direct: true,
    account,
    mechanism: 'PLAIN',
    resource: 'auditor',
  })
  const ids: string[] = []
  for (let after = '', more = true; more;) {
    const page = `<set xmlns='http://jabber.org/protocol/rsm'><max>200</max>${after && `<after>${after}</after>`}</set>`
    const answer = await client.set(`<query xmlns='${mam}'>${page}</query>`)
    const results = client.waiting.splice(0).filter(({ local }) => local === 'message')
    for (const message of results) {
      const result = message.child('result', mam)
      if (!result) continue
      after = result.attrs['id']!
      ids.push(result.child('forwarded')?.child('message')?.attrs['id'] ?? '')
    }
    more = answer.child('fin', mam)?.attrs['complete'] !== 'true'
  }
  await client.close()
  return ids
}

/** Numbers of one conversation must grow; those that were refused once came when they came. */
function disorderIn(ids: readonly string[], refused: ReadonlySet<string>): string[] {
  const highest = new Map<string, number>()
  return ids.flatMap((id) => {
    const [talk = '', number] = id.split('#')
    if (refused.has(id)) return []
    const before = highest.get(talk) ?? -1
    highest.set(talk, Math.max(before, Number(number)))
    return Number(number) < before ? [`${id} behind ${before}`] : []
  })
}

test(`${kills} kills, a database that fails and connections that break: what was answered for is there, once and in order`, async () => {
  const folder = await temporaryFolder()
  const place = new Place(folder.path)
  await place.start()
  const account = (name: string) => `${name}@localhost`
  for (const name of ['romeo', 'mercutio', 'juliet']) await place.server.add(account(name))
  const device = (name: string, resource: string) => new Device(account(name), resource, () => place.reach())
  const [romeo, mercutio] = [device('romeo', 'garden'), device('mercutio', 'street')]
  const [desktop, phone] = [device('juliet', 'desktop'), device('juliet', 'phone')]
  const talkers = [
    new Talker(romeo, 'romeo', [account('juliet')]),
    new Talker(mercutio, 'mercutio', [account('juliet'), account('romeo')]),
    new Talker(desktop, 'juliet', [account('romeo')]),
  ]
  const devices = [romeo, mercutio, desktop, phone]
  const living = devices.map((one) => one.run())
  const began = Date.now()
  let isOver = false
  const goesOn = () => !isOver
  const talking = talkers.map((talker) => talker.talk(goesOn))
  let cuts = 0
  const cutting = (async () => {
    for (; goesOn(); await pause(realClock, 100 + randomInt(600))) {
      // The phone most of all.
      const victim = [phone, phone, phone, romeo, mercutio, desktop][randomInt(6)]!
      victim.cut()
      cuts++
    }
  })()
  for (let round = 0; round < kills || Date.now() - began < seconds * 1000; round++) {
    await pause(realClock, 300 + randomInt(1200))
    if (round % 4 === 1) await place.freeze(200 + randomInt(outage * 1000))
    if (round % 7 === 3) await place.killDatabase()
    if (round % 5 === 2) await place.restart()
    if (round < kills) await place.kill()
  }
  await pause(realClock, 500)
  isOver = true
  await Promise.all([...talking, cutting])

  const said = talkers.flatMap((talker) => talker.said)
  const juliets = said.filter(({ id, to }) => id.startsWith('juliet') || to === account('juliet'))
  const missing = (one: Device) => juliets.filter(({ id }) => !one.history.has(id)).length
  const open = () => devices.reduce((sum, one) => sum + one.unanswered, 0) + missing(phone) + missing(desktop)
  const quiet = Date.now()
  while (open() > 0 && Date.now() - quiet < settling) await pause(realClock, 50)
  const ms = Date.now() - began
  const unanswered = devices.reduce((sum, one) => sum + one.unanswered, 0)
  for (const one of devices) one.stop()
  await Promise.all(living)

  const archives = new Map<string, string[]>()
  for (const name of ['romeo', 'mercutio', 'juliet'])
    archives.set(account(name), await archiveOf(place, account(name)))
  const refused = new Set(devices.flatMap((one) => [...one.refused]))
  const lost: string[] = []
  for (const talker of talkers)
    for (const { id, to } of talker.said) {
      if (!talker.device.acknowledged.has(id)) continue
      for (const of of [account(talker.name), to])
        if (!archives.get(of)!.includes(id)) lost.push(`${id} of ${of}`)
    }
  const doubled = [...archives].flatMap(([of, ids]) =>
    ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => `${id} of ${of}`),
  )
  const disorder = [
    ...[...archives].flatMap(([of, ids]) => disorderIn(ids, refused).map((what) => `${what} of ${of}`)),
    ...devices.flatMap((one) => one.disorder.filter((what) => !refused.has(what.split(' ')[0]!))),
  ]
  const archived = new Set(archives.get(account('juliet')))
  const historyOf = (one: Device) => [...archived].filter((id) => one.history.has(id))
  const sum = (figure: keyof Device['figures']) => devices.reduce((all, one) => all + one.figures[figure], 0)
  const figures = {
    kills: place.kills,
    restarts: place.restarts,
    outages: place.outages,
    cuts,
    sent: said.length,
    acknowledged: talkers.reduce((all, { device: { acknowledged } }) => all + acknowledged.size, 0),
    refused: refused.size,
    connections: sum('connections'),
    resumed: sum('resumed'),
    begun: sum('begun'),
    repeated: sum('repeated'),
    fetched: sum('fetched'),
    vanished: sum('vanished'),
    lost: lost.length,
    doubled: doubled.length,
    disorder: disorder.length,
    holes: archived.size - historyOf(phone).length + (archived.size - historyOf(desktop).length),
    ms,
  }
  console.log(`# ${JSON.stringify(figures)}`)
  const { code } = await place.server.stop()
  await folder.remove()
  assert.deepEqual(lost.slice(0, 10), [])
  assert.deepEqual(doubled.slice(0, 10), [])
  assert.deepEqual(disorder.slice(0, 10), [])
  assert.deepEqual(
    devices.flatMap((one) => [...one.miscounts, ...one.strange]),
    [],
  )
  assert.equal(unanswered, 0)
  assert.deepEqual(historyOf(phone), historyOf(desktop))
  assert.equal(figures.holes, 0)
  assert.equal(figures.acknowledged, said.length)
  assert.equal(code, 0)
})
