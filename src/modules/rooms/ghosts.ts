/** Occupants that vanish without a word: their client, its server, or the way there (XEP-0045 §11.1, §18.1.2). */
import { leave } from './exit.js'
import type { RoomFeature } from './feature.js'
import type { Client, Occupant } from './occupant.js'
import type { Room } from './room.js'
import type { RoomService } from './service.js'
import type { Speech } from './speech.js'
import { status } from './status.js'
import type { Timer } from '../../base/clock.js'
import type { Counter } from '../../base/metrics.js'
import { Watch, type Finding } from '../../base/watch.js'
import { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import { el } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/**
 * Milliseconds from a link that broke until those behind it are put out, when there is no other: most links are there
 * again within seconds, while others should not speak to ghosts for more than two minutes.
 */
const grace = 60_000
/** Milliseconds for an answer: longer than a request waits for another server by default. */
const patience = 65_000
/** Milliseconds without a word of a domain until it is asked whether it is there. */
const silence = 900_000
const lookEvery = 60_000

/** XEP-0045 §18.1.2: errors that mean that nobody is there. */
const gone: ReadonlySet<string> = new Set(['gone', 'item-not-found', 'recipient-unavailable', 'redirect'])
/** Those that may mean it: the way is closed for now, or a client is that wants to hear nothing of somebody. */
const dubious: ReadonlySet<string> = new Set([
  'remote-server-not-found',
  'remote-server-timeout',
  'service-unavailable',
])

export function ghosts(service: RoomService): RoomFeature {
  return new Ghosts(service)
}

class Ghosts implements RoomFeature {
  readonly name = 'ghosts'
  readonly #service: RoomService
  readonly #removed: Counter
  /** Those on other servers, by domain. */
  readonly #watches = new Map<string, Watch<Client>>()
  #look: Timer | undefined

  constructor(service: RoomService) {
    this.#service = service
    this.#removed = service.host.counter(
      'room_ghosts_total',
      'Occupants of rooms that had vanished and were put out',
    )
    this.#listen()
  }

  entered(client: Client): void {
    const { occupant, jid } = client
    this.#service.store.occupies(occupant.room.id, jid.toString(), occupant.nick)
    this.#watch(client)
    this.#heard(client)
  }

  adopted(room: Room): void {
    for (const client of room.clients.values()) this.#watch(client)
  }

  renamed({ room, nick, clients }: Occupant): void {
    for (const { jid } of clients) this.#service.store.occupies(room.id, jid.toString(), nick)
  }

  left(client: Client): void {
    const { occupant, jid } = client
    this.#service.store.occupies(occupant.room.id, jid.toString(), undefined)
    const watch = this.#watches.get(jid.domain)
    watch?.remove(client)
    if (watch?.isEmpty) this.#watches.delete(jid.domain)
  }

  updating(client: Client): void {
    this.#heard(client)
  }

  spoken({ client }: Speech): void {
    this.#heard(client)
  }

  /** XEP-0045 §11.1, §18.1.2 */
  returned(client: Client, error: Stanza): void | Promise<void> {
    const condition = conditionOf(error)
    if (gone.has(condition) || this.#service.host.refusal(client.jid.domain) !== undefined)
      return this.#putOut(client)
    if (!dubious.has(condition)) return undefined
    if (!this.#isLocal(client.jid)) return this.#watches.get(client.jid.domain)?.doubt(client)
    if (!this.#service.host.sessions.get(client.jid)) return this.#putOut(client)
  }

  linkBroken(remote: string): void {
    const watch = this.#watches.get(remote)
    if (!watch) return
    if (this.#service.host.refusal(remote) === undefined) return watch.doubtAll()
    // Its admins want to hear no more of that domain.
    const [...clients] = watch.subjects
    for (const client of clients) void this.#putOut(client)
  }

  linkOpened(remote: string): void {
    this.#watches.get(remote)?.reached()
  }

  stop(): void {
    this.#look?.cancel()
    for (const watch of this.#watches.values()) watch.stop()
  }

  /** Who ends here says so: their presence is directed to the room (RFC 6121 §4.6.3). */
  #isLocal({ domain }: Jid): boolean {
    return domain === this.#service.host.domain
  }

  #watchOf(domain: string): Watch<Client> {
    let watch = this.#watches.get(domain)
    if (!watch) {
      const { clock, random } = this.#service.host
      watch = new Watch<Client>({
        clock,
        random,
        giveUp: grace,
        ask: (client) => this.#ask(client.occupant.room.jid, client.jid),
        lost: (client) => void this.#putOut(client),
      })
      this.#watches.set(domain, watch)
    }
    return watch
  }

  #watch(client: Client): void {
    if (!this.#isLocal(client.jid)) this.#watchOf(client.jid.domain).add(client)
  }

  #heard(client: Client): void {
    const watch = this.#watches.get(client.jid.domain)
    if (!watch) return
    watch.lastHeard = this.#service.host.clock.now()
    watch.isSure(client)
  }

  async #putOut(client: Client): Promise<void> {
    const { room } = client.occupant
    try {
      await room.turn(async () => {
        if (room.client(client.jid) !== client) return
        await leave(client, { codes: [status.technical] })
        this.#removed.add()
      })
    } catch (error) {
      this.#service.host.log.error('rooms.ghost.failed', { room: room.jid.toString(), error })
    }
  }

  /** XEP-0199, from a room that the client has told its presence, so that its server lets it through. Rejects never. */
  async #ask(from: Jid, to: Jid): Promise<Finding> {
    const { host } = this.#service
    const ping = Stanza.of({ kind: 'iq', type: 'get', id: host.random.id(), from, to }, el('ping', NS.ping))
    let answer: Stanza
    try {
      answer = await host.ask(ping, patience)
    } catch {
      // It went out, and no way is closed: the client sleeps, and its server keeps what is for it.
      return 'here'
    }
    const condition = answer.type === 'error' ? conditionOf(answer) : ''
    if (condition.startsWith('remote-server-')) return 'unreached'
    // RFC 6121 §8.5.3.2.3: no such resource, or one that knows no pings, for whom entering again is no great loss.
    return gone.has(condition) || condition === 'service-unavailable' ? 'gone' : 'here'
  }

  /** Where nothing is said no link breaks: the server of a silent domain is asked. */
  #listen(): void {
    const { clock } = this.#service.host
    this.#look = clock.after(lookEvery, () => {
      for (const [domain, watch] of this.#watches)
        if (clock.now() - watch.lastHeard >= silence) void this.#lookAfter(domain, watch)
      this.#listen()
    })
  }

  async #lookAfter(domain: string, watch: Watch<Client>): Promise<void> {
    watch.lastHeard = this.#service.host.clock.now()
    const { address } = this.#service
    const finding = await this.#ask(address, Jid.of('', domain))
    if (finding === 'unreached') watch.doubtAll()
  }
}

function conditionOf(stanza: Stanza): string {
  return stanza.child('error')?.childrenOf(undefined, NS.stanzaErrors)[0]?.local ?? ''
}
