/**
 * A DNS server for tests: answers from a table over UDP and TCP, and can misbehave in every way a resolver must survive.
 *
 * By itself: `node dist/test/support/name-server.js ZONE.json [ADDRESS:PORT]` prints `listening on ADDRESS:PORT` and
 * reads the file again for every question.
 */
import { createSocket } from 'node:dgram'
import type { RemoteInfo, Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import * as packet from 'dns-packet'
import { asAddress } from '../../src/base/units.js'
import type { Address } from '../../src/base/units.js'

/** Names in lower case, without a final dot. What is not there does not exist (NXDOMAIN). */
export type Zone = Readonly<Record<string, Entry | Fate>>

/** How a question ends without records; `silent`: never. */
export type Fate = 'NXDOMAIN' | 'NODATA' | 'SERVFAIL' | 'REFUSED' | 'silent'

/** Records as zone files write them: `A: ['192.0.2.1']`, `SRV: ['10 5 5269 xmpp.example.org']`. */
export interface Entry {
  readonly A?: readonly string[] | Fate
  readonly AAAA?: readonly string[] | Fate
  readonly SRV?: readonly string[] | Fate
  /** `3 1 1 HEX` */
  readonly TLSA?: readonly string[] | Fate
  /** `0 issue letsencrypt.org` */
  readonly CAA?: readonly string[] | Fate
  readonly NS?: readonly string[] | Fate
  readonly CNAME?: string
  /** The answer has only the alias; the other name must be asked for. */
  readonly partial?: boolean
  /** Questions with EDNS are not understood (FORMERR), as by very old servers. */
  readonly old?: boolean
  /** Seconds. Default: 300. */
  readonly ttl?: number
  /** Says that the answer is validated (DNSSEC). */
  readonly ad?: boolean
  /** Over UDP the answer is cut off: to be asked again over TCP. */
  readonly truncated?: boolean
  /** The answer waits until `release` is called. */
  readonly held?: boolean
  /** Milliseconds before the answer. */
  readonly delay?: number
  /** Answers to the first so many questions are lost. */
  readonly lost?: number
  /** Sent over UDP before the answer: another id, another question, from another port, or no DNS at all. */
  readonly lies?: readonly ('id' | 'question' | 'port' | 'garbage')[]
}

export interface Asked {
  readonly name: string
  readonly type: string
  readonly over: 'udp' | 'tcp'
  /** The port that the question came from. */
  readonly port: number
  readonly id: number
}

export class NameServer {
  /** What was asked so far, in order. */
  readonly asked: Asked[] = []
  readonly #udp: UdpSocket
  readonly #tcp: Server
  readonly #open = new Set<Socket>()
  readonly #expected: { readonly count: number; readonly arrived: () => void }[] = []
  readonly #losses = new Map<string, number>()
  #held: (() => void)[] = []

  private constructor(
    udp: UdpSocket,
    tcp: Server,
    /** Where it listens, for UDP and TCP alike. */
    readonly address: Address,
    /** The table; may be exchanged at any time. */
    public zone: Zone | (() => Zone),
  ) {
    this.#udp = udp
    this.#tcp = tcp
    udp.on('message', (message, from) => this.#overUdp(message, from))
    tcp.on('connection', (socket) => this.#overTcp(socket))
  }

  /** Listens on loopback, on a free port unless one is given. */
  static async start(
    zone: Zone | (() => Zone),
    at: Address = { host: '127.0.0.1', port: 0 },
  ): Promise<NameServer> {
    for (;;) {
      const tcp = createServer().listen(at.port, at.host)
      await once(tcp, 'listening')
      const { port } = tcp.address() as { port: number }
      const udp = createSocket(at.host.includes(':') ? 'udp6' : 'udp4')
      try {
        udp.bind(port, at.host)
        await once(udp, 'listening')
        return new NameServer(udp, tcp, { host: at.host, port }, zone)
      } catch (error) {
        // The free TCP port was a taken UDP port.
        tcp.close()
        udp.close()
        if (at.port !== 0) throw error
      }
    }
  }

  /** Names that are known from now on, too, or otherwise. */
  add(zone: Zone): void {
    const { zone: before } = this
    this.zone = { ...(typeof before === 'function' ? before() : before), ...zone }
  }

  /** How often a name was asked for, of one type or of any. */
  count(name: string, type?: string): number {
    return this.asked.filter((one) => one.name === name && (type ?? one.type) === one.type).length
  }

  /** Resolves when so many questions have arrived, ever. */
  async heard(count: number): Promise<void> {
    if (this.asked.length < count)
      await new Promise<void>((arrived) => this.#expected.push({ count, arrived }))
  }

  /** Sends the answers that are held. */
  release(): void {
    const held = this.#held
    this.#held = []
    for (const send of held) send()
  }

  async stop(): Promise<void> {
    for (const socket of this.#open) socket.destroy()
    this.#udp.close()
    this.#tcp.close()
    await once(this.#tcp, 'close')
  }

  #overUdp(message: Buffer, from: RemoteInfo): void {
    const send = (bytes: Buffer) => this.#udp.send(bytes, from.port, from.address, () => {})
    this.#answer(message, 'udp', from.port, send, (bytes, then) => {
      const other = createSocket(this.address.host.includes(':') ? 'udp6' : 'udp4')
      other.send(bytes, from.port, from.address, () => other.close(then))
    })
  }

  #overTcp(socket: Socket): void {
    this.#open.add(socket)
    let bytes = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('close', () => this.#open.delete(socket))
    socket.on('data', (data: Buffer) => {
      bytes = Buffer.concat([bytes, data])
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE()) {
        const length = bytes.readUInt16BE()
        const message = bytes.subarray(2, 2 + length)
        bytes = bytes.subarray(2 + length)
        this.#answer(message, 'tcp', socket.remotePort ?? 0, (answer) => {
          const head = Buffer.alloc(2)
          head.writeUInt16BE(answer.length)
          // In two pieces: what reads it must put them together.
          socket.write(head)
          socket.write(answer)
        })
      }
    })
  }

  #answer(
    message: Buffer,
    over: 'udp' | 'tcp',
    port: number,
    send: (bytes: Buffer) => void,
    sendFromElsewhere?: (bytes: Buffer, then: () => void) => void,
  ): void {
    const query = packet.decode(message)
    const question = query.questions?.[0]
    if (!question) return
    const name = question.name.toLowerCase()
    const { type } = question
    this.asked.push({ name, type, over, port, id: query.id ?? 0 })
    for (const { count, arrived } of this.#expected) if (this.asked.length >= count) arrived()
    const zone = typeof this.zone === 'function' ? this.zone() : this.zone
    const entry = zone[name]
    const options: Entry = typeof entry === 'object' ? entry : {}
    if (this.#loses(`${name} ${type}`, options.lost ?? 0)) return
    const reply = replyTo(query, question, zone)
    if (!reply) return
    const lies = over === 'udp' ? (options.lies ?? []) : []
    const respond = () => {
      // Every lie says that there is nothing.
      const lie = { ...reply, answers: [] }
      for (const one of lies) {
        if (one === 'id') send(packet.encode({ ...lie, id: ((reply.id ?? 0) + 1) % 65536 }))
        if (one === 'question')
          send(packet.encode({ ...lie, questions: [{ ...question, name: `x.${name}` }] }))
        if (one === 'garbage') send(Buffer.from('not DNS at all'))
      }
      const truth = () =>
        send(
          fitted(reply, over === 'tcp' ? 65535 : room(query), over === 'udp' && options.truncated === true),
        )
      if (lies.includes('port')) sendFromElsewhere?.(packet.encode(lie), truth)
      else truth()
    }
    if (options.held) this.#held.push(respond)
    else if (options.delay === undefined) respond()
    else setTimeout(respond, options.delay).unref()
  }

  #loses(question: string, most: number): boolean {
    const lost = this.#losses.get(question) ?? 0
    if (lost >= most) return false
    this.#losses.set(question, lost + 1)
    return true
  }
}

const codes = { NXDOMAIN: 3, NODATA: 0, SERVFAIL: 2, REFUSED: 5 } as const

/** undefined: silence. */
function replyTo(
  query: packet.DecodedPacket,
  question: packet.Question,
  zone: Zone,
): packet.Packet | undefined {
  const answers: packet.Answer[] = []
  let name = question.name.toLowerCase()
  let fate: Fate | undefined
  let validated = true
  for (let step = 0; step < 20 && fate === undefined; step++) {
    const entry = zone[name]
    if (entry === undefined) {
      validated = false
      // RFC 8020: a name with others below it exists.
      const above = Object.keys(zone).some((other) => other.endsWith(`.${name}`))
      fate = above ? 'NODATA' : 'NXDOMAIN'
      break
    }
    if (typeof entry === 'string') {
      fate = entry
      break
    }
    validated &&= entry.ad ?? false
    const ttl = entry.ttl ?? 300
    const records = entry[question.type as 'A' | 'AAAA' | 'SRV' | 'TLSA' | 'CAA' | 'NS']
    if (typeof records === 'string') fate = records
    else if (records && records.length > 0) {
      for (const text of records) answers.push(recordOf(name, question.type, ttl, text))
      break
    } else if (entry.CNAME === undefined) fate = 'NODATA'
    else {
      answers.push({ name, type: 'CNAME', ttl, data: entry.CNAME })
      name = entry.CNAME.toLowerCase()
      if (entry.partial) break
    }
  }
  if (fate === 'silent') return undefined
  const edns = query.additionals?.find((record) => record.type === 'OPT')
  const asked = zone[question.name.toLowerCase()]
  if (edns && typeof asked === 'object' && asked.old) return header(query, question, 1, false)
  const code = fate === undefined ? 0 : codes[fate]
  const wantsAd = (query.flags! & packet.AUTHENTIC_DATA) !== 0 || edns?.flag_do === true
  return {
    ...header(query, question, code, validated && wantsAd),
    answers,
    authorities: fate === 'NXDOMAIN' || fate === 'NODATA' ? [soa] : [],
    additionals: edns ? [{ ...edns, udpPayloadSize: 1232, options: [], flags: edns.flags }] : [],
  }
}

function header(
  query: packet.DecodedPacket,
  question: packet.Question,
  code: number,
  ad: boolean,
): packet.Packet {
  return {
    type: 'response',
    id: query.id,
    flags:
      packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE | (ad ? packet.AUTHENTIC_DATA : 0) | (code & 0xf),
    questions: [question],
  }
}

/** Absent names are remembered for a minute (RFC 2308 §5). */
const soa: packet.Answer = {
  name: 'test',
  type: 'SOA',
  ttl: 3600,
  data: { mname: 'ns.test', rname: 'admin.test', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 },
}

function recordOf(name: string, type: string, ttl: number, text: string): packet.Answer {
  const words = text.split(/\s+/)
  const number = (at: number) => Number(words[at])
  if (type === 'SRV')
    return {
      name,
      type,
      ttl,
      data: { priority: number(0), weight: number(1), port: number(2), target: words[3]! },
    }
  if (type === 'TLSA')
    return {
      name,
      type,
      ttl,
      data: {
        usage: number(0),
        selector: number(1),
        matchingType: number(2),
        certificate: Buffer.from(words[3]!, 'hex'),
      },
    }
  if (type === 'CAA')
    return { name, type, ttl, data: { flags: number(0), tag: words[1] as 'issue', value: words[2]! } }
  return { name, type: type as 'A' | 'AAAA' | 'NS', ttl, data: text }
}

function room(query: packet.DecodedPacket): number {
  const edns = query.additionals?.find((record) => record.type === 'OPT')
  return Math.max(512, edns?.udpPayloadSize ?? 512)
}

function fitted(reply: packet.Packet, bytes: number, cut: boolean): Buffer {
  const whole = packet.encode(reply)
  if (whole.length <= bytes && !cut) return whole
  return packet.encode({
    ...reply,
    flags: (reply.flags ?? 0) | packet.TRUNCATED_RESPONSE,
    answers: [],
    authorities: [],
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, at = '127.0.0.1:0'] = process.argv.slice(2)
  if (file === undefined) throw new Error('usage: name-server.js ZONE.json [ADDRESS:PORT]')
  const read = () => JSON.parse(readFileSync(file, 'utf8')) as Zone
  read()
  const { address } = await NameServer.start(read, asAddress(at))
  console.log(`listening on ${address.host}:${address.port}`)
}
