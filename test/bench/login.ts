/**
 * What a login costs the server beside sockets, TLS and the database: SCRAM, a new stream and binding in four steps, and
 * SASL2 with a token and Bind 2 in one. `node dist/test/bench/login.js`
 */
import { createHmac } from 'node:crypto'
import { HandClock } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import { Metrics } from '../../src/base/metrics.js'
import { systemRandom } from '../../src/base/random.js'
import { loadConfig } from '../../src/config/load.js'
import { modules } from '../../src/modules/index.js'
import { Passwords } from '../../src/sasl/password.js'
import { Server } from '../../src/server.js'
import { memoryStores } from '../../src/storage/memory.js'
import { PipeTransport } from '../support/pipe.js'
import { ScramClient } from '../unit/sasl/client.js'

const domain = 'example.org'
const logins = 3000
const header = `<stream:stream to='${domain}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
const sasl = `xmlns='urn:ietf:params:xml:ns:xmpp-sasl'`
const binding = `<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>`
const agent = `<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/><bind xmlns='urn:xmpp:bind:0'><tag>r</tag></bind>`

const server = await openServer()
const token = await tokenOf()
const proof = createHmac('sha256', token).update('Initiator').digest().toString('latin1')
const whole = `${header}${authenticate('HT-SHA-256-NONE', `romeo\0${proof}`, `<fast xmlns='urn:xmpp:fast:0'/>`)}`
await measure('SCRAM-SHA-256, binding', classic)
await measure('SASL2, FAST, Bind 2', () =>
  conversation(async (say) => void (await say(whole, '</stream:features>', 2))),
)
await server.stop()

type Say = (text: string, mark: string, times?: number) => Promise<string>

/** A connection from its begin to its end; `say` waits for an answer that holds `mark` so many times. */
async function conversation(talk: (say: Say) => Promise<void>): Promise<void> {
  const transport = new PipeTransport()
  const { client } = transport
  let heard = ''
  client.onData = (chunk) => void (heard += chunk.toString())
  server.accept(transport)
  await talk(async (text, mark, times = 1) => {
    heard = ''
    client.write(text)
    for (let turn = 0; heard.split(mark).length <= times; turn++) {
      if (turn > 100_000) throw new Error(`${text}: answered ${heard}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return heard
  })
  client.write('</stream:stream>')
  client.cut()
}

function classic(): Promise<void> {
  return conversation(async (say) => {
    const client = new ScramClient({ user: 'romeo', password: 'pencil', hash: 'SHA-256' })
    await say(header, '</stream:features>')
    const first = client.first().toString('base64')
    const challenge = await say(`<auth ${sasl} mechanism='SCRAM-SHA-256'>${first}</auth>`, '</challenge>')
    const data = Buffer.from(/>([^<]*)<\/challenge>/.exec(challenge)?.[1] ?? '', 'base64')
    await say(`<response ${sasl}>${client.final(data).toString('base64')}</response>`, '<success')
    await say(header, '</stream:features>')
    await say(binding, '</iq>')
  })
}

/** Gets a token for the password. */
async function tokenOf(): Promise<string> {
  let success = ''
  const wanted = `<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>`
  await conversation(async (say) => {
    success = await say(header + authenticate('PLAIN', '\0romeo\0pencil', wanted), '</stream:features>', 2)
  })
  return / token="([^"]+)"/.exec(success)?.[1] ?? / token='([^']+)'/.exec(success)?.[1] ?? ''
}

function authenticate(mechanism: string, data: string, inside: string): string {
  const initial = Buffer.from(data, 'latin1').toString('base64')
  return `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='${mechanism}'><initial-response>${initial}</initial-response>${agent}${inside}</authenticate>`
}

async function measure(what: string, once: () => Promise<void>): Promise<void> {
  for (let i = 0; i < logins; i++) await once()
  const begun = process.cpuUsage()
  for (let i = 0; i < logins; i++) await once()
  const { user, system } = process.cpuUsage(begun)
  console.log(
    `login: ${what}: ${((user + system) / logins).toFixed(0)} µs of CPU, the client's part included`,
  )
}

async function openServer(): Promise<Server> {
  const stores = memoryStores()
  // The client derives its key at each login: with one round that costs it next to nothing.
  const keys = await new Passwords(systemRandom, { iterations: 1 }).deriveKeys('pencil')
  await stores.accounts.create(domain, 'romeo', keys, 0)
  const limits = ['c2s_rate=off', 'c2s_stanza_rate=off'].map((limit) => `limits.${limit}`)
  const { config } = loadConfig({ modules, env: {}, set: [`domain=${domain}`, ...limits] })
  const parts = {
    config,
    clock: new HandClock(),
    random: systemRandom,
    log: silentLog,
    metrics: new Metrics(),
  }
  return Server.create({ ...parts, stores, secret: Buffer.alloc(32), memoryUse: () => 0 })
}
