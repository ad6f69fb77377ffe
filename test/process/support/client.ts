/** A small XMPP client on real TLS sockets: it trusts one certificate only, binds SCRAM to the connection, and waits for what it is told to. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect as connectTcp } from 'node:net'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { connect as connectTls } from 'node:tls'
import { realClock } from '../../../src/base/clock.js'
import type { Element } from '../../../src/xml/element.js'
import { defaultLimits } from '../../../src/xml/limits.js'
import { Parser } from '../../../src/xml/parser.js'
import type { Hash } from '../../../src/sasl/mechanism.js'
import { plainMessage, ScramClient } from '../../unit/sasl/client.js'
import { passwordOf, patience } from './server.js'

export interface Access {
  readonly port: number
  /** TLS from the first byte; else STARTTLS. */
  readonly direct?: boolean
  /** PEM: the only certificate this client believes. */
  readonly trust: string
  /** Bare address. */
  readonly account: string
  /** Default: what `Parley.add` set. */
  readonly password?: string
  /** Default: SCRAM-SHA-256-PLUS. */
  readonly mechanism?: string
  readonly resource?: string
  /** Shown to the server, in PEM. */
  readonly identity?: { readonly cert: string; readonly key: string }
}

const ns = {
  tls: 'urn:ietf:params:xml:ns:xmpp-tls',
  sasl: 'urn:ietf:params:xml:ns:xmpp-sasl',
  bind: 'urn:ietf:params:xml:ns:xmpp-bind',
}

/** SASL refused the login; `condition` is RFC 6120 §6.5's. */
export class LoginRefused extends Error {
  constructor(readonly condition: string) {
    super(`login refused: ${condition}`)
  }
}

export class Client {
  readonly domain: string
  /** All elements that nobody has waited for yet, in order. */
  readonly waiting: Element[] = []
  /** The full address once bound. */
  jid = ''
  /** The stream error of the server, or how else it ended. */
  readonly ended: Promise<string>
  #socket: Socket
  #parser = new Parser(defaultLimits)
  #wakeUps: (() => void)[] = []
  #over: string | undefined
  #end!: (how: string) => void
  #ids = 0

  /** Connects, verifies the certificate, logs in and binds; without presence. */
  static async login(access: Access): Promise<Client> {
    const client = await Client.connect(access)
    await client.authenticate(access)
    await client.bind(access.resource)
    return client
  }

  /** Up to a TLS connection with an open stream whose features are the next element. */
  static async connect(
    access: Pick<Access, 'port' | 'direct' | 'trust' | 'account' | 'identity'>,
  ): Promise<Client> {
    const { port, direct = false, trust, account, identity } = access
    const domain = account.split('@')[1] ?? ''
    // Rejects unless the chain ends in `trust` and the name in the certificate is the domain.
    const tls = { servername: domain, ca: trust, ALPNProtocols: ['xmpp-client'], ...identity }
    if (direct) {
      const socket = connectTls({ host: '127.0.0.1', port, ...tls })
      await once(socket, 'secureConnect')
      const client = new Client(domain, socket)
      client.open()
      return client
    }
    const raw = connectTcp({ host: '127.0.0.1', port })
    await once(raw, 'connect')
    const client = new Client(domain, raw)
    client.open()
    const features = await client.next('features')
    if (!features.child('starttls', ns.tls)?.child('required')) throw new Error('TLS is not required')
    client.send(`<starttls xmlns='${ns.tls}'/>`)
    await client.next('proceed')
    raw.removeAllListeners()
    const socket = connectTls({ socket: raw, ...tls })
    await once(socket, 'secureConnect')
    client.#attach(socket)
    client.open()
    return client
  }

  private constructor(domain: string, socket: Socket) {
    this.domain = domain
    this.#socket = socket
    this.ended = new Promise((resolve) => (this.#end = resolve))
    this.#attach(socket)
  }

  get protocol(): string | null {
    return (this.#socket as TLSSocket).getProtocol()
  }

  get peerCertificate(): PeerCertificate {
    return (this.#socket as TLSSocket).getPeerCertificate()
  }

  open(): void {
    this.#parser = new Parser(defaultLimits)
    this.send(
      `<?xml version='1.0'?><stream:stream to='${this.domain}' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`,
    )
  }

  /** SASL on a stream whose features were not read yet; afterwards a new stream is open. Rejects with LoginRefused. */
  async authenticate({ account, password, mechanism = 'SCRAM-SHA-256-PLUS' }: Access): Promise<void> {
    const features = await this.next('features')
    const offered = features.child('mechanisms', ns.sasl)?.childrenOf('mechanism') ?? []
    if (!offered.some(({ text }) => text === mechanism)) throw new Error(`${mechanism} is not offered`)
    const user = account.split('@')[0] ?? ''
    const secret = password ?? passwordOf(account)
    if (mechanism === 'PLAIN') {
      this.#auth(mechanism, plainMessage(user, secret))
      await this.#outcome('success')
    } else {
      const scram = this.#scram(mechanism, user, secret)
      this.#auth(mechanism, scram.first())
      const challenge = await this.#outcome('challenge')
      const final = scram.final(Buffer.from(challenge.text, 'base64'))
      this.send(`<response xmlns='${ns.sasl}'>${final.toString('base64')}</response>`)
      const success = await this.#outcome('success')
      if (!scram.accepts(Buffer.from(success.text, 'base64')))
        throw new Error('the server does not know the keys')
    }
    this.open()
  }

  async bind(resource = 'here'): Promise<void> {
    await this.next('features')
    const bound = await this.set(`<bind xmlns='${ns.bind}'><resource>${resource}</resource></bind>`)
    this.jid = bound.child('bind', ns.bind)?.child('jid')?.text ?? ''
  }

  /** Asks for the roster and becomes available; resolves with the roster's items. */
  async appear(): Promise<readonly Element[]> {
    const roster = await this.roster()
    this.send('<presence/>')
    await this.next('presence', ({ attrs }) => attrs['from'] === this.jid)
    return roster
  }

  async roster(): Promise<readonly Element[]> {
    const answer = await this.get("<query xmlns='jabber:iq:roster'/>")
    return answer.child('query')?.childrenOf('item') ?? []
  }

  send(xml: string): void {
    this.#socket.write(xml)
  }

  /** An iq and its answer, result or error. */
  set(payload: string, to?: string): Promise<Element> {
    return this.#iq('set', payload, to)
  }

  get(payload: string, to?: string): Promise<Element> {
    return this.#iq('get', payload, to)
  }

  /** A ping of the server that has been answered: everything sent before was handled. */
  async ping(): Promise<void> {
    await this.get("<ping xmlns='urn:xmpp:ping'/>", this.domain)
  }

  /** Takes the first element of this name that fits; the others stay in their order. Rejects when the stream ends before. */
  next(name: string, fits: (element: Element) => boolean = () => true): Promise<Element> {
    return this.#first(name, (element) => element.local === name && fits(element))
  }

  /** Closes the stream and waits for the server to have closed it, too. */
  async close(): Promise<string> {
    this.send('</stream:stream>')
    return this.ended
  }

  /** Lets go of the connection without a word. */
  vanish(): void {
    this.#socket.destroy()
  }

  /** Reads nothing more, and keeps the connection. */
  freeze(): void {
    this.#socket.pause().removeAllListeners('data')
  }

  async #iq(type: string, payload: string, to: string | undefined): Promise<Element> {
    const id = `i${++this.#ids}`
    this.send(`<iq type='${type}' id='${id}'${to === undefined ? '' : ` to='${to}'`}>${payload}</iq>`)
    return this.next('iq', ({ attrs }) => attrs['id'] === id && /^(result|error)$/.test(attrs['type'] ?? ''))
  }

  #scram(mechanism: string, user: string, password: string): ScramClient {
    const [, hash = ''] = /^SCRAM-(SHA-\d+)(-PLUS)?$/.exec(mechanism) ?? []
    if (!mechanism.endsWith('-PLUS')) return new ScramClient({ user, password, hash: hash as Hash })
    // RFC 9266 §2
    const bindingData = (this.#socket as TLSSocket).exportKeyingMaterial(
      32,
      'EXPORTER-Channel-Binding',
      Buffer.alloc(0),
    )
    return new ScramClient({ user, password, hash: hash as Hash, flag: 'p=tls-exporter', bindingData })
  }

  #auth(mechanism: string, data: Buffer): void {
    this.send(`<auth xmlns='${ns.sasl}' mechanism='${mechanism}'>${data.toString('base64')}</auth>`)
  }

  async #outcome(wanted: string): Promise<Element> {
    const element = await this.#first(wanted, (each) => each.ns === ns.sasl)
    if (element.local === wanted) return element
    throw new LoginRefused(element.childrenOf().find(({ local }) => local !== 'text')?.local ?? element.local)
  }

  async #first(what: string, fits: (element: Element) => boolean): Promise<Element> {
    const deadline = realClock.after(patience, () => this.#finish(`${patience / 1000} s of silence`))
    try {
      for (;;) {
        const found = this.waiting.findIndex(fits)
        if (found >= 0) return this.waiting.splice(found, 1)[0]!
        if (this.#over !== undefined)
          throw new Error(`the stream ended (${this.#over}) while waiting for ${what}`)
        await new Promise<void>((wake) => this.#wakeUps.push(wake))
      }
    } finally {
      deadline.cancel()
    }
  }

  #attach(socket: Socket): void {
    this.#socket = socket
    this.#parser = new Parser(defaultLimits)
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', (error) => this.#finish(error.message))
    socket.on('close', () => this.#finish('connection closed'))
  }

  #read(chunk: Buffer): void {
    this.#parser.push(chunk)
    for (let parsed = this.#parser.next(); parsed; parsed = this.#parser.next()) {
      if (parsed.what === 'end') {
        this.#finish('stream closed')
        this.#socket.end('</stream:stream>')
        return
      }
      if (parsed.what !== 'element') continue
      const element = parsed.element.toElement()
      if (element.local === 'error' && parsed.element.ns === 'http://etherx.jabber.org/streams')
        this.#finish(element.childrenOf()[0]?.local ?? 'error')
      else this.waiting.push(element)
    }
    this.#wake()
  }

  #finish(how: string): void {
    if (this.#over !== undefined) return
    this.#over = how
    this.#end(how)
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#wakeUps.splice(0)) wake()
  }
}

/** Subscribes two available clients to each other's presence. */
export async function befriend(one: Client, other: Client): Promise<void> {
  const bare = (client: Client) => client.jid.split('/')[0]
  for (const [asks, agrees] of [
    [one, other],
    [other, one],
  ] as const) {
    asks.send(`<presence type='subscribe' to='${bare(agrees)}'/>`)
    await agrees.next('presence', ({ attrs }) => attrs['type'] === 'subscribe')
    agrees.send(`<presence type='subscribed' to='${bare(asks)}'/>`)
    await asks.next('presence', ({ attrs }) => attrs['type'] === 'subscribed')
  }
}
