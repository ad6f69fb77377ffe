/** A client that loads a server: TLS 1.3, SCRAM, bind, then a depth scanner instead of a parser. */
import { createHash, randomBytes } from 'node:crypto'
import { connect, createSecureContext, type TLSSocket } from 'node:tls'
import { deriveKeys, hmac, password, type Hash, type Keys } from './accounts.js'

export interface Target {
  readonly port: number
  readonly domain: string
  readonly mechanism: 'SCRAM-SHA-1' | 'SCRAM-SHA-256'
  /** Keys derived so far, by hash, iterations and salt: shared by all clients of a load. */
  readonly keys: Map<string, Keys>
  /** Tokens by name of the user (XEP-0484). */
  readonly tokens: Map<string, string>
}

/** A complete first-level element is `text.slice(start, end)`; `letter` is the first one of its name. */
export type OnElement = (text: string, start: number, end: number, letter: number) => void

export const letters = { iq: 105, message: 109, presence: 112 } as const

const secureContext = createSecureContext({ minVersion: 'TLSv1.3' })
const namespaces = `xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'`
const fast = `xmlns='urn:xmpp:fast:0'`
const management = `xmlns='urn:xmpp:sm:3'`
const loginDeadline = 60_000

/** Opens TLS to a port of this machine and waits for the handshake. */
export function openTls(port: number, domain: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, servername: domain, secureContext }
    const socket = connect({ ...options, rejectUnauthorized: false, ALPNProtocols: ['xmpp-client'] })
    socket.setNoDelay(true)
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

export class Client {
  readonly bare: string
  readonly #target: Target
  readonly #name: string
  readonly #resource: string
  #socket: TLSSocket | undefined
  #rest = ''
  #negotiating = true
  #mark: { text: string; resolve: (text: string) => void; reject: (error: Error) => void } | undefined
  #ended: Error | undefined
  #leaving = false
  onElement: OnElement = () => undefined
  onEnd: (error: Error) => void = () => undefined

  constructor(target: Target, name: string, resource = 'r') {
    this.#target = target
    this.#name = name
    this.#resource = resource
    this.bare = `${name}@${target.domain}`
  }

  /** A full login: stream, SASL, bind, roster, initial presence and its echo. */
  login(): Promise<void> {
    return this.#login(async () => {
      await this.#header()
      await this.#authenticate()
      await this.#header()
      this.write(
        `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${this.#resource}</resource></bind></iq>`,
      )
      await this.#until('</iq>')
    })
  }

  /** The same by SASL2, FAST and Bind 2, all said at once; the first time without a token, by PLAIN, to get one. */
  loginFast(): Promise<void> {
    return this.#login(async () => {
      const { domain, tokens } = this.#target
      const token = tokens.get(this.#name)
      const [mechanism, data, inside] =
        token === undefined
          ? ([
              'PLAIN',
              `\0${this.#name}\0${password}`,
              `<request-token ${fast} mechanism='HT-SHA-256-NONE'/>`,
            ] as const)
          : (['HT-SHA-256-NONE', `${this.#name}\0${hmacText(token)}`, `<fast ${fast}/>`] as const)
      const id = createHash('sha256')
        .update(this.#name)
        .digest('hex')
        .replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/, '$1-$2-4$3-8$4-$5')
      this.write(
        `<?xml version='1.0'?><stream:stream to='${domain}' from='${this.bare}' version='1.0' xml:lang='en' ${namespaces}>` +
          `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='${mechanism}'>` +
          `<initial-response>${Buffer.from(data, 'latin1').toString('base64')}</initial-response>` +
          `<user-agent id='${id}'/><bind xmlns='urn:xmpp:bind:0'><tag>r</tag></bind>${inside}</authenticate>`,
      )
      const success = await this.#until('</success>')
      const [, given] = / token=['"]([^'"]+)/.exec(success) ?? []
      if (given !== undefined) tokens.set(this.#name, given)
      await this.#until('</stream:features>')
    })
  }

  async #login(negotiate: () => Promise<void>): Promise<void> {
    const timer = setTimeout(() => this.#end(new Error(`${this.bare}: login took too long`)), loginDeadline)
    try {
      this.#attach(await openTls(this.#target.port, this.#target.domain))
      await negotiate()
      this.#negotiating = false
      await this.ask(`<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>`, 'roster')
      const echo = this.next((_text, _start, _end, letter) => letter === letters.presence)
      this.write('<presence/>')
      await echo
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)))
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** XEP-0198 §3: counts from here on; gives the name of the session. */
  async manage(): Promise<string> {
    const enabled = this.next((text, start) => text.startsWith('<enabled', start))
    this.write(`<enable ${management} resume='true'/>`)
    return / id=['"]([^'"]+)/.exec(await enabled)?.[1] ?? ''
  }

  /** XEP-0198 §5: logs in and goes on with a session of which nothing was acknowledged. */
  async resume(id: string): Promise<void> {
    this.#attach(await openTls(this.#target.port, this.#target.domain))
    await this.#header()
    await this.#authenticate()
    await this.#header()
    this.write(`<resume ${management} previd='${id}' h='0'/>`)
    const answer = await this.#until('urn:xmpp:sm:3')
    if (!answer.includes('<resumed')) throw new Error(`${this.bare}: not resumed`)
    this.#negotiating = false
    const rest = this.#rest
    this.#rest = ''
    this.#scan(rest)
  }

  /** The network fails. */
  cut(): void {
    this.#leaving = true
    this.#socket?.destroy()
  }

  /** Closes the stream and waits for the server to do the same. */
  logout(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ended) return resolve()
      this.#leaving = true
      const timer = setTimeout(() => this.#end(new Error('slow close')), 5000)
      this.onElement = () => undefined
      this.onEnd = () => {
        clearTimeout(timer)
        resolve()
      }
      this.write('</stream:stream>')
    })
  }

  /** Text in ASCII. */
  write(text: string): void {
    this.#socket?.write(text, 'latin1')
  }

  /** Sends an iq and waits for the answer with its id. */
  ask(request: string, id: string): Promise<string> {
    const answer = this.next(
      (text, start, end, letter) =>
        letter === letters.iq && new RegExp(` id=['"]${id}['"]`).test(text.slice(start, end)),
    )
    this.write(request)
    return answer
  }

  /** The next element that passes the test; others go to `onElement` as before. */
  next(test: (...element: Parameters<OnElement>) => boolean): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended)
      const { onElement, onEnd } = this
      this.onEnd = (error) => {
        reject(error)
        onEnd(error)
      }
      this.onElement = (text, start, end, letter) => {
        if (!test(text, start, end, letter)) return onElement(text, start, end, letter)
        this.onElement = onElement
        this.onEnd = onEnd
        resolve(text.slice(start, end))
      }
    })
  }

  #attach(socket: TLSSocket): void {
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => this.#read(bytes.toString('latin1')))
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(new Error(`${this.bare}: connection closed`)))
  }

  #end(error: Error): void {
    if (this.#ended) return
    this.#ended = error
    this.#mark?.reject(error)
    if (!this.#leaving) this.onEnd(error)
    else this.onEnd(new Error('left'))
    this.#socket?.destroy()
  }

  #read(text: string): void {
    if (!this.#negotiating) return this.#scan(text)
    this.#rest += text
    this.#findMark()
  }

  async #header(): Promise<void> {
    this.#rest = ''
    this.write(
      `<?xml version='1.0'?><stream:stream to='${this.#target.domain}' version='1.0' xml:lang='en' ${namespaces}>`,
    )
    await this.#until('</stream:features>')
  }

  /** RFC 5802 §5, without checking the server's signature: the server is the one under test. */
  async #authenticate(): Promise<void> {
    const { mechanism } = this.#target
    const hash: Hash = mechanism === 'SCRAM-SHA-1' ? 'sha1' : 'sha256'
    const nonce = randomBytes(18).toString('base64')
    const bare = `n=${this.#name},r=${nonce}`
    const sasl = `xmlns='urn:ietf:params:xml:ns:xmpp-sasl'`
    this.write(`<auth ${sasl} mechanism='${mechanism}'>${base64(`n,,${bare}`)}</auth>`)
    const challenge = await this.#until('</challenge>')
    const first = Buffer.from(/<challenge[^>]*>([^<]*)</.exec(challenge)?.[1] ?? '', 'base64').toString()
    const [, serverNonce = '', salt = '', rounds = ''] = /^r=([^,]*),s=([^,]*),i=(\d+)/.exec(first) ?? []
    const keys = keysFor(this.#target.keys, hash, salt, Number(rounds))
    const final = `c=biws,r=${serverNonce}`
    const signature = hmac(hash, keys.stored, `${bare},${first},${final}`)
    const proof = Buffer.from(keys.client.map((byte, i) => byte ^ (signature[i] ?? 0)))
    this.write(`<response ${sasl}>${base64(`${final},p=${proof.toString('base64')}`)}</response>`)
    await this.#until('<success')
  }

  /** While negotiating: the text up to the end of the tag that holds a mark. */
  #until(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended)
      this.#mark = { text, resolve, reject }
      this.#findMark()
    })
  }

  #findMark(): void {
    const mark = this.#mark
    if (!mark) return
    const refusal = /<(?:stream:error|failure)[ >].*$/s.exec(this.#rest)
    const at = this.#rest.indexOf(mark.text)
    const end = at < 0 ? 0 : this.#rest.indexOf('>', at) + 1
    if (!refusal && end === 0) return
    this.#mark = undefined
    if (refusal) return mark.reject(new Error(`${this.bare}: ${refusal[0].slice(0, 200)}`))
    const found = this.#rest.slice(0, end)
    this.#rest = this.#rest.slice(end)
    mark.resolve(found)
  }

  /** Cuts what came into first-level elements. Servers write no `>` in attribute values and no CDATA. */
  #scan(chunk: string): void {
    const text = this.#rest.length > 0 ? this.#rest + chunk : chunk
    let start = 0
    let at = 0
    let depth = 0
    for (;;) {
      const open = text.indexOf('<', at)
      const close = open < 0 ? -1 : text.indexOf('>', open)
      if (close < 0) break
      if (depth === 0) start = open
      if (text.charCodeAt(open + 1) === 47) depth--
      else if (text.charCodeAt(close - 1) !== 47) depth++
      at = close + 1
      if (depth > 0) continue
      if (depth < 0) return this.#end(new Error(`${this.bare}: the server closed the stream`))
      this.onElement(text, start, at, text.charCodeAt(start + 1))
      start = at
    }
    this.#rest = text.slice(depth > 0 ? start : at)
  }
}

/** What shows a token without channel binding, one character for each byte. */
function hmacText(token: string): string {
  return hmac('sha256', Buffer.from(token), 'Initiator').toString('latin1')
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

function keysFor(derived: Map<string, Keys>, hash: Hash, salt: string, rounds: number): Keys {
  const name = `${hash} ${rounds} ${salt}`
  let keys = derived.get(name)
  if (!keys) {
    keys = deriveKeys(hash, Buffer.from(salt, 'base64'), rounds)
    derived.set(name, keys)
  }
  return keys
}

/** Runs `work` for 0 to count - 1 with at most `width` at a time; the first failure ends it. */
export async function pool(
  count: number,
  width: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: Math.min(width, count) }, worker))
}
