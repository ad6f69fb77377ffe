/** Rooms (XEP-0045): talk among many, one who comes in last, a room so full that others could notice, and idle rooms. */
import { lineBytes, lineEnd, type End } from './chat.js'
import { Client, letters, pool, type Target } from './client.js'
import { add, sleep, type Figures, type Job, type Outcome } from './job.js'
import { costOf, memoryOf } from './meter.js'
import { Pinger } from './pinger.js'
import { gather, nickOf, Room } from './room.js'
import { stamped, Traffic } from './traffic.js'

const bodyBytes = 200
const warmSeconds = 3

interface Talk {
  readonly occupants: number
  /** Each of them speaks again when all have heard what it said, and `pause` milliseconds have passed. */
  readonly talkers: number
  readonly pause?: number
  /** A user who is not in the room pings the server all the time: how long is it deaf? */
  readonly pinged?: boolean
}

/** Measures deliveries: each message is as many as there are occupants. */
export async function talk(
  job: Job,
  target: Target,
  { occupants, talkers, pause = 0, pinged }: Talk,
): Promise<Outcome> {
  const traffic = new Traffic()
  const ends =
    job.framing === 'lines'
      ? await linesOf(job, occupants, traffic.failed)
      : await membersOf(target, occupants, traffic.failed)
  const waiting = Array.from({ length: occupants }, () => 0)
  const say = (index: number): void => {
    if (!traffic.going) return
    waiting[index] = occupants
    traffic.sent += occupants
    ends[index]?.say()
  }
  for (const end of ends)
    end.onMessage = (text, start, stop) => {
      const at = traffic.momentIn(text, start, stop)
      if (at < 0) return
      traffic.arrived(text, at)
      const from = Number.parseInt(text.slice(text.indexOf('@f', at) + 2, stop), 10)
      waiting[from] = (waiting[from] ?? 0) - 1
      if (waiting[from] !== 0) return
      if (pause === 0) say(from)
      else setTimeout(() => say(from), pause)
    }
  const pinger = pinged ? await Pinger.start(target, `user${occupants}`) : undefined
  for (let index = 0; index < talkers; index++) say(index)
  const figures = await traffic.measure(job, warmSeconds, '', pinger)
  const lost = await traffic.drained()
  await pinger?.stop()
  await pool(ends.length, 64, async (index) => ends[index]?.leave())
  return { figures, lost }
}

async function membersOf(target: Target, count: number, failed: (error: Error) => void): Promise<End[]> {
  const room = new Room(target, `talk${count}`)
  const clients = await gather(target, room, count)
  return clients.map((client, index) => {
    let said = 0
    const end: End = {
      say: () =>
        client.write(
          `<message type='groupchat' to='${room.address}' id='${(said++).toString(36)}'><body>${stamped(bodyBytes, `@f${index}; `)}</body></message>`,
        ),
      onMessage: () => undefined,
      leave: () => client.logout(),
    }
    client.onEnd = failed
    client.onElement = (text, start, stop, letter) => {
      if (letter === letters.message) end.onMessage(text, start, stop)
    }
    return end
  })
}

/** To a relay a room is everybody who is connected. */
async function linesOf(job: Job, count: number, failed: (error: Error) => void): Promise<End[]> {
  const ends: End[] = []
  await pool(count, 32, async (index) => {
    ends[index] = await lineEnd(job, index, () => `* ${stamped(lineBytes, `@f${index}; `)}`, failed)
  })
  return ends
}

const others = 499
const joinDeadline = 20_000

/** Comes in and goes again; what coming in costs is added up, from the request until all have heard of it. */
export async function joins(job: Job, target: Target): Promise<Outcome> {
  const room = new Room(target, 'joined')
  const clients = await gather(target, room, others)
  const last = new Client(target, `user${others}`)
  await last.login()
  const nick = nickOf(others)
  let heard = 0
  for (const client of clients)
    client.onElement = (text, start, end, letter) => {
      if (letter === letters.presence && text.slice(start, end).includes(`/${nick}`)) heard++
    }
  const everybody = async (): Promise<void> => {
    const deadline = performance.now() + joinDeadline
    while (heard < others) {
      if (performance.now() > deadline) throw new Error(`only ${heard} of ${others} heard of it`)
      await sleep(2)
    }
    heard = 0
  }
  const once = async (): Promise<number> => {
    const before = costOf(job.processes).cpu
    await room.join(last, nick)
    await everybody()
    const cost = costOf(job.processes).cpu - before
    await room.leave(last, nick)
    await everybody()
    return cost
  }
  const count = job.quick ? 20 : 100
  for (let i = 0; i < count; i++) await once()
  const figures: Figures = {}
  for (let run = 0; run < job.runs; run++) {
    let cost = 0
    for (let i = 0; i < count; i++) cost += await once()
    add(figures, 'cpu', cost / count)
  }
  await pool(clients.length, 64, async (index) => clients[index]?.logout())
  await last.logout()
  return { figures, lost: 0 }
}

const makers = 100
/** Temporary rooms of each maker, so that what is measured is not what making rooms costs. */
const warmRooms = 20
const persistent = `<field var='muc#roomconfig_persistentroom'><value>1</value></field>`

/** One run: memory that has once been used by a process is no measure for a second one. */
export async function idleRooms(job: Job, target: Target): Promise<Outcome> {
  const figures: Figures = {}
  const each = job.quick ? 10 : 100
  const clients = Array.from({ length: makers }, (_, index) => new Client(target, `user${index}`))
  await pool(makers, 16, async (index) => clients[index]?.login())
  const make = async (index: number, name: string, fields = ''): Promise<void> => {
    const room = new Room(target, name, fields)
    await room.make(clients[index]!, nickOf(index))
    await room.leave(clients[index]!, nickOf(index))
  }
  await pool(makers, 4, async (index) => {
    for (let count = 0; count < warmRooms; count++) await make(index, `warm${index}-${count}`)
  })
  await sleep(3000)
  const before = memoryOf(job.processes)
  await pool(makers, 4, async (index) => {
    for (let count = 0; count < each; count++) await make(index, `idle${index}-${count}`, persistent)
  })
  await sleep(job.quick ? 5000 : 20_000)
  add(figures, 'memory', (memoryOf(job.processes) - before) / (makers * each))
  await pool(makers, 32, async (index) => clients[index]?.logout())
  return { figures, lost: 0 }
}
