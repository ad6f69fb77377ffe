/**
 * Two servers, messages both ways to people who are away, and kill -9 of either side again and again: whatever was
 * acknowledged to its sender is stored at the other side, once and in order. PARLEY_KILLS and PARLEY_MESSAGES make it longer.
 */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pause, realClock } from '../../src/base/clock.js'
import type { Element } from '../../src/xml/element.js'
import { Authority } from '../unit/tls/issuer.js'
import { Client } from './support/client.js'
import { Parley, temporaryFolder } from './support/server.js'

const kills = Number(process.env['PARLEY_KILLS'] ?? 2)
const total = Number(process.env['PARLEY_MESSAGES'] ?? 500)
const SM = 'urn:xmpp:sm:3'
const senders = ['romeo', 'benvolio']
const receivers = ['juliet', 'nurse']
/** Messages of one sender that are not acknowledged. */
const window = 25

/** One side, which is started again after each kill, at the same ports. */
class Side {
  server!: Parley
  /** Resolves when it is ready to be logged in to. */
  ready: Promise<void> = Promise.resolve()
  readonly #launch: { readonly folder: string; readonly set: readonly string[] }

  constructor(
    readonly domain: string,
    readonly trust: string,
    launch: { readonly folder: string; readonly set: readonly string[] },
  ) {
    this.#launch = launch
  }

  async start(): Promise<void> {
    this.server = await Parley.start(this.#launch)
  }

  kill(): Promise<void> {
    return (this.ready = (async () => {
      await this.server.kill()
      await pause(realClock, randomInt(500))
      await this.start()
    })())
  }

  async login(name: string): Promise<Client> {
    await this.ready
    return Client.login({
      port: this.server.port('TLS at once'),
      direct: true,
      trust: this.trust,
      account: `${name}@${this.domain}`,
      mechanism: 'PLAIN',
    })
  }

  /** Stanzas that the other server does not have for certain. */
  async onTheWay(): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.server.port('HTTP')}/metrics`)
    const text = await answer.text()
    const figure = (name: string) => Number(new RegExp(`^parley_${name} (\\d+)$`, 'm').exec(text)?.[1])
    return figure('s2s_queue_stanzas') + figure('s2s_unconfirmed_stanzas')
  }
}

/** Who sends, what of it was acknowledged, and what came back. */
class Sender {
  sent = 0
  readonly acknowledged = new Set<string>()
  /** Why, by id. */
  readonly refused = new Map<string, string>()
  logins = 0

  constructor(
    readonly side: Side,
    readonly name: string,
    readonly to: string,
    readonly count: number,
  ) {}

  async run(): Promise<void> {
    while (this.sent < this.count) {
      await this.side.ready
      // Whatever breaks the stream, the next one goes on; what was not acknowledged may have arrived or not.
      await this.#session().catch(() => undefined)
    }
  }

  async #session(): Promise<void> {
    const client = await this.side.login(this.name)
    this.logins++
    try {
      client.send(`<enable xmlns='${SM}'/>`)
      await client.next('enabled')
      const open: string[] = []
      let handled = 0
      let heard = 0
      while (this.sent < this.count || open.length > 0) {
        while (this.sent < this.count && open.length < window) {
          const id = `${this.name}-${this.sent}`
          const to = `${receivers[this.sent++ % receivers.length]}@${this.to}`
          client.send(`<message to='${to}' type='chat' id='${id}'><body>${id} &amp; more</body></message>`)
          open.push(id)
        }
        client.send(`<r xmlns='${SM}'/>`)
        const h = Number((await client.next('a')).attrs['h'])
        for (const id of open.splice(0, h - handled)) this.acknowledged.add(id)
        handled = h
        for (const element of client.waiting) {
          if (element.ns === SM) continue
          heard++
          const error = element.local === 'message' ? element.child('error') : undefined
          if (error) this.refused.set(element.attrs['id']!, reasonOf(error))
        }
        client.waiting.length = 0
        client.send(`<a xmlns='${SM}' h='${heard}'/>`)
        await pause(realClock, 5)
      }
    } finally {
      client.vanish()
    }
  }
}

function reasonOf(error: Element): string {
  return error
    .childrenOf()
    .map(({ local, text }) => text || local)
    .join(': ')
}

const closings: (() => Promise<unknown>)[] = []
after(async () => {
  for (const close of closings.splice(0).reverse()) await close()
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function twoSides(): Promise<[Side, Side]> {
  const authority = new Authority('test authority')
  const domains = ['capulet.example', 'montague.example'] as const
  const ports = [await freePort(), await freePort()]
  const sides = await Promise.all(
    domains.map(async (domain, i) => {
      const folder = await temporaryFolder()
      closings.push(() => folder.remove())
      const [file, ca] = [join(folder.path, 'own.pem'), join(folder.path, 'ca.pem')]
      const { certificate, key } = authority.issue({ names: [domain] })
      writeFileSync(file, certificate + key, { mode: 0o600 })
      writeFileSync(ca, authority.certificate)
      const other = `s2s.domain."${domains[1 - i]}"`
      const set = [
        `domain=${domain}`,
        `tls.certificate=${file}`,
        `tls.key=${file}`,
        `s2s.ca_file=${ca}`,
        `listen.s2s_tls=127.0.0.1:${ports[i]}`,
        `${other}.address=127.0.0.1:${ports[1 - i]}`,
        `${other}.tls=direct`,
        'auth.mechanisms=["PLAIN"]',
        'limits.c2s_rate=off',
        'limits.c2s_stanza_rate=off',
        'limits.offline_messages=off',
        'limits.s2s_retry_max=2s',
        // Nobody is refused while the other side is away.
        'limits.s2s_queue=20000',
        'limits.s2s_queue_size=100MiB',
      ]
      const side = new Side(domain, authority.certificate, { folder: folder.path, set })
      await side.start()
      closings.push(async () => assert.equal((await side.server.stop()).code, 0))
      for (const name of [...senders, ...receivers]) await side.server.add(`${name}@${domain}`)
      return side
    }),
  )
  return sides as [Side, Side]
}

/** The ids of all messages that wait for somebody, by sender, as they come. */
async function stored(side: Side, name: string): Promise<Map<string, string[]>> {
  const client = await side.login(name)
  await client.appear()
  await client.ping()
  const bySender = new Map<string, string[]>()
  for (const { local, attrs } of client.waiting) {
    if (local !== 'message') continue
    const from = attrs['from']!.split('@')[0]!
    bySender.set(from, [...(bySender.get(from) ?? []), attrs['id']!])
  }
  await client.close()
  return bySender
}

test(`${kills} kills while ${total} messages go between two servers: none that was acknowledged is lost, none doubled`, async () => {
  const sides = await twoSides()
  const [one, two] = sides
  const each = Math.ceil(total / 4)
  const all = [
    ...senders.map((name) => new Sender(one, name, two.domain, each)),
    ...senders.map((name) => new Sender(two, name, one.domain, each)),
  ]
  const began = Date.now()
  const sent = () => all.reduce((sum, sender) => sum + sender.sent, 0)
  const running = Promise.all(all.map((sender) => sender.run()))
  let killed = 0
  const killing = (async () => {
    for (; killed < kills; killed++) {
      // Spread over all the messages, at a moment that nobody chooses.
      const due = ((killed + randomInt(100) / 200 + 0.2) / kills) * total * 0.9
      while (sent() < due) await pause(realClock, 10)
      await sides[killed % 2]!.kill()
    }
  })()
  await Promise.all([running, killing])
  for (let quiet = 0; quiet < 3;) {
    const left = (await one.onTheWay()) + (await two.onTheWay())
    quiet = left === 0 ? quiet + 1 : 0
    await pause(realClock, 100)
    assert.ok(Date.now() - began < 170_000, `${left} stanzas are still on their way`)
  }
  const ms = Date.now() - began

  const figures = {
    kills: killed,
    sent: 0,
    logins: 0,
    acknowledged: 0,
    stored: 0,
    refused: 0,
    lost: 0,
    doubled: 0,
    ms,
  }
  const wrong: string[] = []
  for (const target of sides) {
    for (const receiver of receivers) {
      const found = await stored(target, receiver)
      for (const sender of all.filter(({ to }) => to === target.domain)) {
        const ids = found.get(sender.name) ?? []
        const there = new Set(ids)
        const numbers = ids.map((id) => Number(id.split('-')[1]))
        figures.stored += ids.length
        figures.doubled += ids.length - there.size
        const unordered = numbers.findIndex((number, i) => i > 0 && number <= numbers[i - 1]!)
        if (unordered >= 0)
          wrong.push(
            `${sender.name} to ${receiver}@${target.domain}: ${ids.slice(unordered - 1, unordered + 1).join(' before ')}`,
          )
        for (const id of sender.acknowledged) {
          const isHis = receivers[Number(id.split('-')[1]) % receivers.length] === receiver
          if (!isHis || there.has(id)) continue
          figures.lost++
          wrong.push(`lost: ${id} to ${receiver}@${target.domain}`)
        }
      }
    }
  }
  for (const sender of all) {
    figures.sent += sender.sent
    figures.logins += sender.logins
    figures.acknowledged += sender.acknowledged.size
    figures.refused += sender.refused.size
  }
  console.log(`# ${JSON.stringify(figures)}`)
  for (const why of new Set(all.flatMap(({ refused }) => [...refused.values()])))
    console.log(`# refused: ${why}`)
  assert.deepEqual(wrong.slice(0, 20), [])
  assert.deepEqual([figures.lost, figures.doubled, figures.refused], [0, 0, 0])
  assert.equal(figures.sent, each * 4)
  assert.ok(figures.acknowledged > figures.sent / 2)
})
