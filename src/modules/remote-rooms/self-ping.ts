/** XEP-0410: whether somebody is still in a room, asked on their behalf. */
import type { Finding } from '../../base/watch.js'
import { Lru } from '../../base/lru.js'
import type { Host } from '../../host/host.js'
import type { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import { el } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Milliseconds for an answer: longer than the queue to another server keeps a request by default. */
const patience = 65_000

/** Questions that are remembered. */
const remembered = 5_000

export class SelfPings {
  readonly #host: Host
  /** Of questions, also of those whose answers nobody waits for any more: clients have not asked. */
  readonly #ids = new Lru<string, true>(remembered)
  /** Who is asked about whom at the moment: the address of an occupant, and an account. */
  readonly #asked = new Map<string, number>()

  constructor(host: Host) {
    this.#host = host
  }

  /** Rejects never. */
  async ask(from: Jid, occupant: Jid): Promise<Finding> {
    const id = this.#host.random.id()
    const key = keyOf(occupant, from)
    this.#ids.set(id, true)
    this.#asked.set(key, (this.#asked.get(key) ?? 0) + 1)
    try {
      const envelope = { kind: 'iq', type: 'get', id, from, to: occupant } as const
      return findingOf(await this.#host.ask(Stanza.of(envelope, el('ping', NS.ping)), patience))
    } catch {
      return 'unreached'
    } finally {
      const others = this.#asked.get(key)! - 1
      if (others > 0) this.#asked.set(key, others)
      else this.#asked.delete(key)
    }
  }

  /** Whether it is an answer to such a question, which the client has not asked; it is taken. */
  takes(stanza: Stanza): boolean {
    const { type, id } = stanza
    if ((type !== 'result' && type !== 'error') || id === undefined || !this.#ids.get(id)) return false
    this.#host.answered(stanza)
    return true
  }

  /** XEP-0410 §3.2: whether the room passes such a question on to a client of the same account. It is answered here. */
  answers(stanza: Stanza): boolean {
    const { type, id, from, to } = stanza
    if (type !== 'get' || !stanza.has('ping', NS.ping) || !this.#asked.has(keyOf(from, to!))) return false
    this.#host.send(Stanza.of({ kind: 'iq', type: 'result', id, from: to!, to: from }))
    return true
  }
}

function keyOf(occupant: Jid, asker: Jid): string {
  return `${asker.bare.toString()} ${occupant.toString()}`
}

/** XEP-0410 §3.2 */
function findingOf(answer: Stanza): Finding {
  if (answer.type === 'result') return 'here'
  const error = answer.child('error')
  const condition = error?.childrenOf(undefined, NS.stanzaErrors)[0]?.local ?? ''
  // For now: the service is not there, or has too much to do, or is not reached.
  if (error?.attrs['type'] === 'wait' || condition.startsWith('remote-server-')) return 'unreached'
  if (condition === 'service-unavailable' || condition === 'feature-not-implemented') return 'here'
  // In, under another nick; but some services say the same of a room that is no more.
  return condition === 'item-not-found' ? 'dubious' : 'gone'
}
