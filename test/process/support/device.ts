/**
 * A device of today: it resumes its session or begins a new one, says again what nobody answered for, enables carbons, and
 * fetches from the archive what it missed when its session is gone. It keeps what it has seen as its history.
 */
import { randomInt } from 'node:crypto'
import { Client } from './client.js'
import { pause, realClock } from '../../../src/base/clock.js'
import type { Element } from '../../../src/xml/element.js'

const ns = {
  sm: 'urn:xmpp:sm:3',
  mam: 'urn:xmpp:mam:2',
  rsm: 'http://jabber.org/protocol/rsm',
  sid: 'urn:xmpp:sid:0',
  carbons: 'urn:xmpp:carbons:2',
  forward: 'urn:xmpp:forward:0',
}

/** How the server is reached just now; rejects or waits while it is not. */
export interface Reach {
  (): Promise<{ readonly port: number; readonly trust: string }>
}

/** Something said, until the server has answered for it. */
interface Said {
  readonly xml: string
  /** Of a message. */
  readonly id: string | undefined
  isRefused: boolean
}

export class Device {
  /** Messages by id, as they were first seen; the other side of each. */
  readonly history = new Map<string, string>()
  /** Ids of own messages that the server has answered for and not refused. */
  readonly acknowledged = new Set<string>()
  /** Ids of own messages that were refused at least once. */
  readonly refused = new Set<string>()
  readonly figures = { connections: 0, resumed: 0, begun: 0, repeated: 0, fetched: 0, vanished: 0 }
  /** Seen for the first time behind a later one of the same sender. */
  readonly disorder: string[] = []
  /** Errors that answer nothing that was said. */
  readonly strange: string[] = []
  /** Counts of the server that cannot be. */
  readonly miscounts: string[] = []
  readonly #account: string
  readonly #resource: string
  readonly #reach: Reach
  #client: Client | undefined
  #session: string | undefined
  /** Stanzas of the server that were handled, and those of ours that it has answered for. */
  #handled = 0
  #answered = 0
  #open: Said[] = []
  /** Messages that are to be said as soon as there is a stream. */
  #waiting: Said[] = []
  /** The last id of the archive that was seen. */
  #newest: string | undefined
  /** While the archive is being read, what comes besides. */
  #meanwhile: Element[] | undefined
  /** When the next refused message is said again. */
  #again: { readonly said: Said; readonly at: number }[] = []
  /** When the archive is asked again. */
  #fetchAt: number | undefined
  readonly #highest = new Map<string, number>()
  #stopping = false

  constructor(account: string, resource: string, reach: Reach) {
    this.#account = account
    this.#resource = resource
    this.#reach = reach
  }

  /** Messages that nobody has answered for. */
  get unanswered(): number {
    const open = this.#open.filter(({ id }) => id !== undefined).length
    return open + this.#waiting.length + this.#again.length
  }

  /** Lives until `stop`, whatever breaks. */
  async run(): Promise<void> {
    while (!this.#stopping) {
      try {
        await this.#connection()
      } catch {
        // The next one goes on where this one broke.
      }
      this.#client?.vanish()
      this.#client = undefined
      if (!this.#stopping) await pause(realClock, randomInt(50))
    }
  }

  stop(): void {
    this.#stopping = true
  }

  /** The network fails. */
  cut(): void {
    this.#client?.vanish()
  }

  /** A message with an id of its own; said now or when there is a stream. */
  message(to: string, id: string): void {
    const said = `<message to='${to}' type='chat' id='${id}'><body>${id} &amp; more</body><origin-id xmlns='${ns.sid}' id='${id}'/></message>`
    this.history.set(id, to)
    this.#waiting.push({ xml: said, id, isRefused: false })
  }

  async #connection(): Promise<void> {
    const { port, trust } = await this.#reach()
    const access = { port, trust, direct: true, account: this.#account, mechanism: 'PLAIN' }
    const client = await Client.connect(access)
    this.#client = client
    this.figures.connections++
    await client.authenticate(access)
    await client.next('features')
    if (!(await this.#resumes(client))) await this.#begins(client)
    let isOver = false
    void client.ended.then(() => (isOver = true))
    while (!isOver && !this.#stopping) {
      for (const element of client.waiting.splice(0)) this.#heard(element, client)
      this.#sayMore(client)
      await pause(realClock, 5)
    }
  }

  /** XEP-0198 §5 */
  async #resumes(client: Client): Promise<boolean> {
    if (this.#session === undefined) return false
    client.send(`<resume xmlns='${ns.sm}' previd='${this.#session}' h='${this.#handled}'/>`)
    const answer = await Promise.race([client.next('resumed'), client.next('failed')])
    const { h } = answer.attrs
    if (h !== undefined) this.#answeredFor(Number(h))
    const again = this.#open
    this.#open = []
    if (answer.local === 'failed') {
      this.#session = undefined
      this.#waiting.unshift(...again.filter(({ id }) => id !== undefined))
      return false
    }
    this.figures.resumed++
    for (const said of again) this.#say(said, client)
    return true
  }

  async #begins(client: Client): Promise<void> {
    this.figures.begun++
    // What was said on a session that could not be resumed is said again.
    this.#waiting.unshift(...this.#open.filter(({ id }) => id !== undefined))
    this.#open = []
    const bind = `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${this.#resource}</resource></bind>`
    client.send(`<iq type='set' id='bind'>${bind}</iq>`)
    await client.next('iq', ({ attrs }) => attrs['id'] === 'bind')
    client.send(`<enable xmlns='${ns.sm}' resume='true'/>`)
    const enabled = await client.next('enabled')
    this.#session = enabled.attrs['id']
    this.#handled = 0
    this.#answered = 0
    for (const xml of [`<iq type='set' id='carbons'><enable xmlns='${ns.carbons}'/></iq>`, '<presence/>'])
      this.#say({ xml, id: undefined, isRefused: false }, client)
    this.#meanwhile = []
    this.#fetch(client)
  }

  /** XEP-0313: what came since the last that is known. */
  #fetch(client: Client): void {
    const after = this.#newest === undefined ? '' : `<after>${this.#newest}</after>`
    const page = `<set xmlns='${ns.rsm}'><max>100</max>${after}</set>`
    const xml = `<iq type='set' id='fetch'><query xmlns='${ns.mam}' queryid='q'>${page}</query></iq>`
    this.#say({ xml, id: undefined, isRefused: false }, client)
  }

  #sayMore(client: Client): void {
    const now = realClock.now()
    const due = this.#again.filter(({ at }) => at <= now)
    this.#again = this.#again.filter(({ at }) => at > now)
    this.#waiting.push(...due.map(({ said }) => said))
    for (const said of this.#waiting.splice(0)) this.#say(said, client)
    if (this.#fetchAt !== undefined && this.#fetchAt <= now) {
      this.#fetchAt = undefined
      this.#fetch(client)
    }
    if (this.#open.length > 0) client.send(`<r xmlns='${ns.sm}'/>`)
  }

  #say(said: Said, client: Client): void {
    this.#open.push(said)
    client.send(said.xml)
  }

  #answeredFor(h: number): void {
    const count = (h - this.#answered + 2 ** 32) % 2 ** 32
    if (count > this.#open.length) {
      const said = `${h} after ${this.#answered} with ${this.#open.length} open`
      this.miscounts.push(said)
      throw new Error(said)
    }
    this.#answered = h
    for (const { id, isRefused } of this.#open.splice(0, count))
      if (id !== undefined && !isRefused) this.acknowledged.add(id)
  }

  #heard(element: Element, client: Client): void {
    if (element.ns === ns.sm) {
      if (element.local === 'r') client.send(`<a xmlns='${ns.sm}' h='${this.#handled}'/>`)
      else if (element.local === 'a') this.#answeredFor(Number(element.attrs['h']))
      return
    }
    if (!/^(?:message|presence|iq)$/.test(element.local)) throw new Error(`what is ${element.toString()}`)
    this.#handled++
    if (element.local === 'message') this.#message(element)
    else if (element.local === 'iq' && element.attrs['id'] === 'fetch') this.#fetched(element, client)
    else if (element.local === 'iq' && element.attrs['type'] === 'get')
      this.#say(
        {
          xml: `<iq type='result' id='${element.attrs['id']}' to='${element.attrs['from']}'/>`,
          id: undefined,
          isRefused: false,
        },
        client,
      )
  }

  #message(element: Element): void {
    const result = element.child('result', ns.mam)
    if (result) {
      const message = result.child('forwarded', ns.forward)?.child('message')
      this.figures.fetched++
      if (message) this.#sees(message, result.attrs['id'])
    } else if (element.attrs['type'] === 'error') {
      // XEP-0280 §7: a copy of an error is an error by its type; it is another device's.
      if (element.childrenOf().some((child) => child.ns === ns.carbons)) return
      const id = element.attrs['id'] ?? ''
      if (this.history.has(id)) this.#isRefused(id)
      else this.strange.push(element.toString())
    } else if (this.#meanwhile) this.#meanwhile.push(element)
    else this.#live(element)
  }

  #live(element: Element): void {
    const carbon = element.child('sent', ns.carbons) ?? element.child('received', ns.carbons)
    const message = carbon?.child('forwarded', ns.forward)?.child('message') ?? element
    const ids = message.childrenOf('stanza-id', ns.sid)
    this.#sees(message, ids.find(({ attrs }) => attrs['by'] === this.#account)?.attrs['id'])
  }

  #sees({ attrs }: Element, archived: string | undefined): void {
    const { id = '', from = '', to = '' } = attrs
    if (archived !== undefined) this.#newest = archived
    if (this.history.has(id)) {
      this.figures.repeated++
      return
    }
    this.history.set(id, from.startsWith(`${this.#account}/`) ? to : from)
    const [sender = '', number] = id.split('#')
    const highest = this.#highest.get(`${sender} ${to.split('/')[0]}`) ?? -1
    if (Number(number) < highest) this.disorder.push(`${id} behind ${highest}`)
    else this.#highest.set(`${sender} ${to.split('/')[0]}`, Number(number))
  }

  #fetched(answer: Element, client: Client): void {
    const fin = answer.child('fin', ns.mam)
    if (fin && fin.attrs['complete'] !== 'true') return this.#fetch(client)
    if (!fin) {
      const error = answer.child('error')
      if (!error?.child('item-not-found')) {
        // The archive cannot be read just now.
        this.#fetchAt = realClock.now() + 500
        return
      }
      // Of a message that did not outlive a crash: it was never answered for, and comes again with another id.
      this.figures.vanished++
      this.#newest = undefined
      return this.#fetch(client)
    }
    const meanwhile = this.#meanwhile ?? []
    this.#meanwhile = undefined
    for (const element of meanwhile) this.#live(element)
  }

  /** It may be said again a little later: the error says that it is only for now. */
  #isRefused(id: string): void {
    this.refused.add(id)
    this.acknowledged.delete(id)
    const said = this.#open.find((one) => one.id === id && !one.isRefused)
    if (said) said.isRefused = true
    const xml =
      said?.xml ??
      `<message to='${this.history.get(id)}' type='chat' id='${id}'><body>${id} &amp; more</body><origin-id xmlns='${ns.sid}' id='${id}'/></message>`
    this.#again.push({ said: { xml, id, isRefused: false }, at: realClock.now() + 500 })
  }
}
