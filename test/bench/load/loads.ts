/** The loads: what each one does to a server, how many accounts it needs, and what its figures mean. */
import type { Crowd } from './accounts.js'
import { chat } from './chat.js'
import { across } from './across.js'
import { carbons } from './devices.js'
import { Client, openTls, pool, type Target } from './client.js'
import { add, sleep, Stopwatch, type Figures, type Job, type LoadName, type Outcome } from './job.js'
import { flood } from './flood.js'
import { memoryOf } from './meter.js'
import { offline } from './offline.js'
import { pep } from './pep.js'
import { pages } from './pages.js'
import { presence } from './presence.js'
import { resume } from './resume.js'
import { idleRooms, joins, talk } from './rooms.js'

export interface Load {
  readonly title: string
  /** What the figure `cpu` is per. */
  readonly unit: string
  run(job: Job, target: Target): Promise<Outcome>
}

export interface Group {
  readonly accounts: readonly Crowd[]
  readonly loads: readonly LoadName[]
  /** What is said is kept for both sides; otherwise the road alone is measured. */
  readonly archive?: boolean
  /** Two servers, which speak with each other. */
  readonly pair?: boolean
  /** A service of rooms, in which everything is allowed. */
  readonly rooms?: boolean
}

/** Loads that share a start of the server run one after the other; each group starts it afresh. */
export const groups: readonly Group[] = [
  {
    accounts: [
      { word: 'user', count: 300 },
      { word: 'mate', count: 102 },
      { word: 'away', count: 100 },
      { word: 'fan', count: 110 },
    ],
    loads: [
      'login-sha1',
      'login-sha256',
      'login-fast',
      'resume',
      'closed',
      'managed',
      'windowed',
      'presence',
      'carbons',
      'pep',
      'offline',
    ],
  },
  { accounts: [{ word: 'user', count: 5000 }], loads: ['idle', 'open', 'crowd'] },
  { accounts: [{ word: 'user', count: 1000 }], loads: ['archive', 'pages'], archive: true },
  { accounts: [{ word: 'user', count: 20 }], loads: ['s2s', 'flood'], pair: true },
  {
    accounts: [{ word: 'user', count: 1001 }],
    loads: ['room100', 'room500', 'join500', 'room1000'],
    rooms: true,
  },
  { accounts: [{ word: 'user', count: 100 }], loads: ['rooms10000'], rooms: true },
]

export const loads: Record<LoadName, Load> = {
  'login-sha1': { title: 'login, SCRAM-SHA-1, roster, presence, logout', unit: 'login', run: logins },
  'login-sha256': { title: 'login, SCRAM-SHA-256, the same', unit: 'login', run: logins },
  'login-fast': { title: 'login, SASL2 with FAST and Bind 2, the same', unit: 'login', run: logins },
  resume: { title: 'coming back to a session with 100 messages, new TLS', unit: 'resumption', run: resume },
  closed: {
    title: 'chat, 100 pairs, window 1',
    unit: 'message',
    run: (job, target) => chat(job, target, { pairs: 100, window: 1, rate: 0 }),
  },
  managed: {
    title: 'chat, 100 pairs, window 1, with acknowledgements',
    unit: 'message',
    run: (job, target) => chat(job, target, { pairs: 100, window: 1, rate: 0, acknowledged: true }),
  },
  windowed: {
    title: 'chat, 10 pairs, window 20',
    unit: 'message',
    run: (job, target) => chat(job, target, { pairs: 10, window: 20, rate: 0 }),
  },
  open: {
    title: 'chat, 500 pairs, 2,000 messages/s',
    unit: 'message',
    run: (job, target) => chat(job, target, { pairs: 500, window: 0, rate: 2000 }),
  },
  crowd: {
    title: 'chat, 2,000 pairs online, 2,000 messages/s',
    unit: 'message',
    run: (job, target) => chat(job, target, { pairs: 2000, window: 0, rate: 2000 }),
  },
  archive: {
    title: 'chat kept for both sides, 500 pairs, 5,000 messages/s',
    unit: 'message',
    run: (job, target) => chat(job, target, { pairs: 500, window: 0, rate: 5000 }),
  },
  pages: { title: 'pages of 50 messages from the archive', unit: 'page', run: pages },
  presence: { title: 'presence to 50 contacts', unit: 'delivery', run: presence },
  carbons: { title: 'chat between people with 3 devices each', unit: 'delivery', run: carbons },
  pep: { title: 'events to 100 contacts (PEP)', unit: 'delivery', run: pep },
  offline: { title: 'messages to absent users', unit: 'message', run: offline },
  s2s: { title: 'chat to another server, 20 senders', unit: 'message', run: across },
  flood: { title: '300 invented domains ask for dialback', unit: 'request', run: flood },
  idle: { title: 'idle sessions, 5,000', unit: 'session', run: idle },
  room100: {
    title: 'room of 100, 10 talk',
    unit: 'delivery',
    run: (job, target) => talk(job, target, { occupants: 100, talkers: 10 }),
  },
  room500: {
    title: 'room of 500, 10 talk',
    unit: 'delivery',
    run: (job, target) => talk(job, target, { occupants: 500, talkers: 10 }),
  },
  room1000: {
    title: 'room of 1,000, one talks, somebody else pings',
    unit: 'delivery',
    run: (job, target) => talk(job, target, { occupants: 1000, talkers: 1, pause: 100, pinged: true }),
  },
  join500: { title: 'somebody comes into a room of 499', unit: 'join', run: joins },
  rooms10000: { title: 'idle persistent rooms, 10,000', unit: 'room', run: idleRooms },
}

const loginsAtOnce = 16
/** So many make the code of the server as fast as it gets. */
const warmLogins = 2000

async function logins(job: Job, target: Target): Promise<Outcome> {
  const figures: Figures = {}
  const once = job.framing === 'lines' ? handshake : job.load === 'login-fast' ? loginFast : login
  await pool(job.quick ? 500 : warmLogins, loginsAtOnce, async (index) => once(index, job, target))
  const count = job.quick ? 500 : 2000
  for (let run = 0; run < job.runs; run++) {
    await sleep(500)
    const watch = await Stopwatch.start(job)
    await pool(count, loginsAtOnce, async (index) => once(index, job, target))
    await watch.stop(figures, count)
  }
  return { figures, lost: 0 }
}

async function login(index: number, _job: Job, target: Target): Promise<void> {
  const client = new Client(target, `user${index % 300}`)
  await client.login()
  await client.logout()
}

async function loginFast(index: number, _job: Job, target: Target): Promise<void> {
  const client = new Client(target, `user${index % 300}`)
  await client.loginFast()
  await client.logout()
}

/** All that a relay knows of a login: a connection that comes and goes. */
async function handshake(index: number, { port, domain }: Job): Promise<void> {
  const socket = await openTls(port, domain)
  await new Promise((resolve, reject) => {
    socket.on('close', resolve).on('error', reject).resume()
    socket.end(`${index}\n`)
  })
}

/** One run: memory that has once been used by a process is no measure for a second one. */
async function idle(job: Job, target: Target): Promise<Outcome> {
  const figures: Figures = {}
  const count = job.quick ? 1000 : 5000
  const warm = Array.from({ length: 50 }, (_, index) => new Client(target, `user${index}`))
  await pool(warm.length, loginsAtOnce, async (index) => warm[index]?.login())
  await pool(warm.length, loginsAtOnce, async (index) => warm[index]?.logout())
  await sleep(3000)
  const empty = memoryOf(job.processes)
  const clients = Array.from({ length: count }, (_, index) => new Client(target, `user${index}`))
  await pool(count, 32, async (index) => clients[index]?.login())
  let ended: Error | undefined
  for (const client of clients) client.onEnd = (error) => void (ended ??= error)
  await sleep(job.quick ? 5000 : 20_000)
  if (ended) throw ended
  add(figures, 'memory', (memoryOf(job.processes) - empty) / count)
  await pool(count, 64, async (index) => clients[index]?.logout())
  return { figures, lost: 0 }
}
