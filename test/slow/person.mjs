/** A person with @xmpp/client. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { seconds } from './check.mjs'

const packages = createRequire(join(process.env.CLIENTS_DIR, 'package.json'))
const { client, xml } = await import(pathToFileURL(packages.resolve('@xmpp/client')).href)

export { xml }
export const NS = {
  roster: 'jabber:iq:roster',
  ping: 'urn:xmpp:ping',
  delay: 'urn:xmpp:delay',
  archive: 'urn:xmpp:mam:2',
  pages: 'http://jabber.org/protocol/rsm',
}
export const isChat = (it) => it.is('message') && it.getChild('body')
export const chat = (to, body) => xml('message', { to, type: 'chat' }, xml('body', {}, body))
export const ping = (domain) => xml('iq', { type: 'get', to: domain }, xml('ping', NS.ping))

/** A client that keeps what it hears; `next` takes the first stanza that fits, waiting for it. */
export class Person {
  #heard = []
  #waiting = []
  #counted = 0

  constructor(account, { service, password, userAgent }) {
    this.bare = account
    const [username, domain] = account.split('@')
    // Other names than ASCII it would write in Latin-1, and SCRAM would hash them so: it gets the bytes of UTF-8, for PLAIN.
    const plain = (login) => login({ username: Buffer.from(username).toString('latin1'), password }, 'PLAIN')
    const strange = Buffer.byteLength(username) > username.length
    const login = strange ? { credentials: plain } : { username, password }
    const agent = userAgent && { userAgent: xml('user-agent', { id: userAgent }) }
    this.xmpp = client({ service, domain, ...login, ...agent })
    this.xmpp.timeout = 30_000 // 2 s by itself: too short beside a busy build
    this.xmpp.reconnect.stop()
    this.xmpp.on('error', () => {}) // `start` rejects with it
    // XEP-0198 §4. By itself (0.14.0) it leaves out the answers to its requests: acknowledged messages would come again.
    Object.defineProperty(this.xmpp.streamManagement, 'inbound', { get: () => this.#counted, set() {} })
    const isEnabled = (nonza) => nonza.is('enabled') || nonza.getChild('bound')?.getChild('enabled')
    /** Bound by Bind 2: what was kept for it is in the archive only (XEP-0386 §3.2). */
    this.readsArchive = false
    this.xmpp.on('nonza', (nonza) => {
      if (isEnabled(nonza)) this.#counted = 0
      if (nonza.getChild('bound')) this.readsArchive = true
    })
    this.xmpp.on('stanza', (stanza) => {
      this.#counted += 1
      this.#heard.push(stanza)
      for (const look of this.#waiting) look()
    })
  }

  async start() {
    const online = new Promise((resolve) => this.xmpp.once('online', resolve))
    // By itself (0.14.0) it may listen for the server's header when that has come already, and then fails while it is online.
    const started = this.xmpp.start()
    started.catch(() => {})
    this.jid = String(await seconds(60, Promise.race([online, started]), 'a login'))
    assert.ok(this.jid.startsWith(`${this.bare}/`), this.jid)
    return this
  }

  async online() {
    await this.start()
    await this.ask(xml('iq', { type: 'get' }, xml('query', NS.roster)))
    await this.say(xml('presence'))
    await this.next((it) => it.is('presence') && it.attrs.from === this.jid)
    return this
  }

  say(stanza) {
    return this.xmpp.send(stanza)
  }

  ask(iq) {
    return this.xmpp.iqCaller.request(iq, 30_000)
  }

  next(fits, what = 'stanza') {
    let look
    const stop = () => (this.#waiting = this.#waiting.filter((other) => other !== look))
    const found = new Promise((resolve) => {
      look = () => {
        const at = this.#heard.findIndex(fits)
        if (at < 0) return
        stop()
        resolve(this.#heard.splice(at, 1)[0])
      }
    })
    this.#waiting.push(look)
    look()
    return seconds(30, found, what).finally(stop)
  }

  /** What was heard so far and nobody took. */
  all(fits) {
    return this.#heard.filter(fits)
  }

  /** The same, taken. */
  take(fits) {
    const taken = this.all(fits)
    this.#heard = this.#heard.filter((it) => !taken.includes(it))
    return taken
  }

  /** All that the archive has (XEP-0313), oldest first, page by page. */
  async archive() {
    const found = []
    for (let last, complete = false; !complete;) {
      const id = `archive ${Math.random()}`
      const set = xml('set', NS.pages, xml('max', {}, '100'), last && xml('after', {}, last))
      const answer = await this.ask(
        xml('iq', { type: 'set' }, xml('query', { xmlns: NS.archive, queryid: id }, set)),
      )
      const fin = answer.getChild('fin', NS.archive)
      complete = fin.attrs.complete === 'true'
      last = fin.getChild('set', NS.pages)?.getChildText('last')
      const page = this.take((it) => it.getChild('result', NS.archive)?.attrs.queryid === id)
      found.push(...page.map((it) => it.getChild('result').getChild('forwarded').getChild('message')))
    }
    return found
  }

  /** Tells of each of its messages that the server has answered for (XEP-0198). */
  onAcknowledged(tell) {
    this.xmpp.streamManagement.on('ack', (stanza) => stanza.is('message') && tell(stanza))
  }

  /** The connection is gone without a word. */
  async cut() {
    const gone = new Promise((resolve) => this.xmpp.once('disconnect', resolve))
    this.xmpp.socket.socket.destroy()
    await seconds(10, gone, 'an end of the connection')
  }

  /** Connects again, and is as it was when that worked out. */
  async resumes() {
    const resumed = new Promise((resolve) => this.xmpp.streamManagement.once('resumed', resolve))
    this.xmpp.reconnect.reconnect().catch(() => {}) // as in `start`
    await seconds(30, resumed, 'resumption')
  }

  stop() {
    return seconds(10, this.xmpp.stop(), 'an end of the stream')
  }
}
